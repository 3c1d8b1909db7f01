/*
 * simulate.c
 *		The events of a simulated value stream, for demos, tests and benchmarks.
 *
 * vsm.simulate(items, days, seed, until) answers one row per entry of an item
 * into a stage of the default stream: items in order of arrival, the moves of
 * an item in order of time.  The same arguments give the same rows on every
 * platform and server, whatever the session's settings: all arithmetic is in
 * integers, and of the server's generator only the seeding and the raw 64-bit
 * draws are used.  Times are whole seconds.
 *
 * The model: items arrive over [until - days, until), mostly in working hours,
 * more on some days than on others.  An item stays in a stage for a log-normal
 * wait and a log-normal effort that depends on its type, counted in working
 * time (Monday to Friday, 09:00 to 17:00 UTC); one stay in fifty is blocked.
 * Then it follows one of the routes below.  What has not happened before
 * "until" is not told, so the last items are still open.  An item is drawn
 * from its own generator, and rows go to a tuplestore that spills to disk:
 * memory does not grow with the number of items.
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "datatype/timestamp.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "errors.h"

#define MAX_ITEMS		10000000
#define MAX_DAYS		36500	/* a century */

#define SECOND			USECS_PER_SEC
#define MINUTE			USECS_PER_MINUTE
#define HOUR			USECS_PER_HOUR
#define DAY				USECS_PER_DAY
#define WORKDAY			(8 * HOUR)
#define WORKDAY_STARTS	(9 * HOUR)
#define FIRST_MONDAY	(2 * DAY)	/* PostgreSQL's epoch was a Saturday */

typedef enum
{
	BACKLOG,
	ANALYSIS,
	DEVELOPMENT,
	TESTING,
	DEPLOYMENT,
	PRODUCTION,
	N_STAGES
} SimStage;

typedef enum
{
	FEATURE,
	BUG,
	TASK,
	EPIC,
	N_TYPES
} SimType;

/* How long a stay takes: medians of working time. */
typedef struct
{
	const char *name;
	int64		wait_us;
	int64		effort_us;
} StageModel;

static const StageModel stages[N_STAGES] = {
	[BACKLOG] = {"Backlog", 7 * HOUR, 0},
	[ANALYSIS] = {"Analysis", 1 * HOUR, 2 * HOUR},
	[DEVELOPMENT] = {"Development", 1 * HOUR, 6 * HOUR},
	[TESTING] = {"Testing", 2 * HOUR, 90 * MINUTE},
	[DEPLOYMENT] = {"Deployment", 1 * HOUR, 20 * MINUTE},
	[PRODUCTION] = {"Production", 20 * HOUR, 0},
};

/* Where a stay leads to other than the next stage; the first that hits counts. */
typedef struct
{
	SimStage	from;
	SimStage	to;
	int			per_mille;		/* of the stays */
} Route;

static const Route routes[] = {
	{BACKLOG, PRODUCTION, 12},	/* done without ever being started */
	{BACKLOG, DEVELOPMENT, 60}, /* clear enough to skip the analysis */
	{ANALYSIS, BACKLOG, 60},
	{DEVELOPMENT, BACKLOG, 15},
	{TESTING, DEVELOPMENT, 340},
	{DEPLOYMENT, DEVELOPMENT, 40},
	{PRODUCTION, DEVELOPMENT, 15},	/* reopened */
};

#define N_TITLES 8

/* A title is one of these and one of the things. */
static const char *const feature_titles[N_TITLES] = {
	"Add filters to", "Add keyboard shortcuts to", "Allow undo in", "Support bulk edits in",
	"Add an audit trail to", "Show progress in", "Offer templates for", "Add a dark theme to"
};

static const char *const bug_titles[N_TITLES] = {
	"Fix timeout in", "Fix wrong totals in", "Fix crash in", "Fix broken layout of",
	"Fix missing rows in", "Fix wrong time zone in", "Fix double entries in", "Fix slow start of"
};

static const char *const task_titles[N_TITLES] = {
	"Document", "Clean up", "Raise test coverage of", "Update libraries of",
	"Add monitoring to", "Measure load of", "Review access rights of", "Remove old code from"
};

static const char *const epic_titles[N_TITLES] = {
	"Rebuild", "Make accessible:", "Open to partners:", "Translate",
	"Move to the cloud:", "Put on mobile:", "Split up", "Roll out to all regions:"
};

static const char *const things[] = {
	"the customer list", "the invoice export", "order search", "the login page",
	"the price calculator", "the returns form", "the stock report", "payment reminders",
	"the address book", "the shopping basket", "the mail service", "delivery tracking",
	"user settings", "the tax table", "the admin console", "the partner interface",
	"the voucher service", "the product catalogue", "the print service", "the help centre",
	"the newsletter", "the booking calendar", "the data import", "the audit log"
};

typedef struct
{
	const char *name;
	const char *const *titles;
	int			share;			/* of 100 items */
	int			wait;			/* percent of the stages' medians */
	int			effort;
} TypeModel;

static const TypeModel types[N_TYPES] = {
	[FEATURE] = {"feature", feature_titles, 36, 100, 100},
	[BUG] = {"bug", bug_titles, 30, 40, 60},
	[TASK] = {"task", task_titles, 29, 110, 50},
	[EPIC] = {"epic", epic_titles, 5, 200, 400},
};

typedef struct
{
	int32		items;
	int64		seed;
	TimestampTz since;
	TimestampTz until;
	int64		slots;			/* hours of the window */

	/* where the walk over the hours stands: see next_arrival() */
	int64		total;			/* weight of all hours */
	int64		slot;
	int64		slot_begins;	/* weight of the hours before this one */
	int64		slot_weight;
	int64		noisy_day;		/* the day that noise is of */
	int64		noise;
} Simulation;

typedef struct
{
	pg_prng_state random;
	TimestampTz arrived_at;
	SimType		type;
	char		case_id[16];
	char		title[80];
} SimItem;

/* What the rows are made of and where they go. */
typedef struct
{
	ReturnSetInfo *result;
	MemoryContext item_context;
	Datum		stage_names[N_STAGES];
	Datum		type_names[N_TYPES];
} Output;

PG_FUNCTION_INFO_V1(vsm_simulate);

static void check_arguments(int32 items, int32 days, TimestampTz until);
static void begin_output(Output *out, FunctionCallInfo fcinfo);
static TimestampTz next_arrival(Simulation *sim, int32 nth);
static int64 weigh_slot(Simulation *sim, int64 slot);
static void make_item(const Simulation *sim, SimItem *item, int32 nth);
static void put_moves(const Simulation *sim, SimItem *item, Output *out);
static int64 stay_us(SimItem *item, SimStage stage, int visits);
static SimStage next_stage(SimItem *item, SimStage stage);
static int64 work_time(TimestampTz at);
static TimestampTz calendar_time(int64 work_us);
static void seed_random(pg_prng_state *random, int64 seed, uint64 part);
static int64 below(pg_prng_state *random, int64 limit);
static int64 lognormal(pg_prng_state *random, int64 median);
static int64 floor_div(int64 dividend, int64 divisor);

/*
 * vsm_simulate
 *		vsm.simulate(items integer, days integer, seed bigint, until timestamptz)
 *		→ case_id, stage, entered_at, type, title
 */
Datum
vsm_simulate(PG_FUNCTION_ARGS)
{
	Simulation	sim = {
		.items = PG_GETARG_INT32(0),
		.seed = PG_GETARG_INT64(2),
		.until = PG_GETARG_TIMESTAMPTZ(3),
		.noisy_day = PG_INT64_MIN
	};
	int32		days = PG_GETARG_INT32(1);
	Output		out;

	check_arguments(sim.items, days, sim.until);
	sim.since = sim.until - days * DAY;
	sim.slots = (int64) days * HOURS_PER_DAY;
	for (int64 slot = 0; slot < sim.slots; slot++)
	{
		CHECK_FOR_INTERRUPTS();
		sim.total += weigh_slot(&sim, slot);
	}
	sim.slot_weight = weigh_slot(&sim, 0);

	begin_output(&out, fcinfo);
	for (int32 nth = 0; nth < sim.items; nth++)
	{
		SimItem		item;
		MemoryContext before = MemoryContextSwitchTo(out.item_context);

		CHECK_FOR_INTERRUPTS();
		make_item(&sim, &item, nth);
		item.arrived_at = next_arrival(&sim, nth);
		put_moves(&sim, &item, &out);
		MemoryContextSwitchTo(before);
		MemoryContextReset(out.item_context);
	}
	return (Datum) 0;
}

/*
 * check_arguments
 *		Refuse what cannot be simulated.
 */
static void
check_arguments(int32 items, int32 days, TimestampTz until)
{
	if (items < 1 || items > MAX_ITEMS)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("cannot simulate %d work items", items),
				errdetail("A simulation has 1 to %d work items.", MAX_ITEMS),
				errhint("Give a number of items in this range."));
	if (days < 1 || days > MAX_DAYS)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("cannot simulate %d days", days),
				errdetail("A simulation covers 1 to %d days.", MAX_DAYS),
				errhint("Give a number of days in this range."));
	if (TIMESTAMP_NOT_FINITE(until) || !IS_VALID_TIMESTAMP(until - days * DAY))
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("cannot simulate %d days until %s", days, timestamptz_to_str(until)),
				errdetail("The window must begin and end at times that PostgreSQL can tell."),
				errhint("Give a finite time as the end of the simulation, such as now()."));
}

/*
 * begin_output
 *		Set up the result, its constant texts and a context for those of an item.
 */
static void
begin_output(Output *out, FunctionCallInfo fcinfo)
{
	InitMaterializedSRF(fcinfo, 0);
	out->result = (ReturnSetInfo *) fcinfo->resultinfo;
	out->item_context = AllocSetContextCreate(CurrentMemoryContext,
											  "vsm simulated item",
											  ALLOCSET_SMALL_SIZES);
	for (int stage = 0; stage < N_STAGES; stage++)
		out->stage_names[stage] = CStringGetTextDatum(stages[stage].name);
	for (int type = 0; type < N_TYPES; type++)
		out->type_names[type] = CStringGetTextDatum(types[type].name);
}

/*
 * next_arrival
 *		When the nth item arrives; to be called for 0, 1, 2, ...
 *
 * Each item falls at random into its own share of the window's weight, so the
 * walk over the hours needs no memory and arrivals come in order.
 */
static TimestampTz
next_arrival(Simulation *sim, int32 nth)
{
	pg_prng_state random;
	int64		share_begins = nth * sim->total / sim->items;
	int64		share_ends = (nth + INT64CONST(1)) * sim->total / sim->items;
	int64		position;
	TimestampTz at;

	seed_random(&random, ~sim->seed, nth);
	position = share_begins + below(&random, share_ends - share_begins);
	while (position >= sim->slot_begins + sim->slot_weight)
	{
		sim->slot_begins += sim->slot_weight;
		sim->slot_weight = weigh_slot(sim, ++sim->slot);
	}
	Assert(sim->slot < sim->slots);

	/* The weight of an hour is coarser than time. */
	at = sim->since + sim->slot * HOUR +
		(position - sim->slot_begins) * HOUR / sim->slot_weight +
		below(&random, HOUR / sim->slot_weight);
	at = floor_div(at, SECOND) * SECOND;
	return at < sim->since ? at + SECOND : at;
}

/*
 * weigh_slot
 *		How many items arrive in an hour of the window, compared with others.
 */
static int64
weigh_slot(Simulation *sim, int64 slot)
{
	int64		hour = floor_div(sim->since - FIRST_MONDAY + slot * HOUR, HOUR);
	int64		day = floor_div(hour, HOURS_PER_DAY);
	int64		weekday = day - 7 * floor_div(day, 7);	/* 0 is Monday */
	int64		hour_of_day = hour - day * HOURS_PER_DAY;

	if (sim->noisy_day != day)
	{
		pg_prng_state random;

		seed_random(&random, sim->seed, (uint64) day << 32);
		sim->noise = 40 + below(&random, 50);
		sim->noisy_day = day;
	}
	if (weekday >= 5)
		return sim->noise;
	return sim->noise * (hour_of_day >= 8 && hour_of_day < 18 ? 20 : 2);
}

/*
 * make_item
 *		Draw what is known of an item from the start.
 */
static void
make_item(const Simulation *sim, SimItem *item, int32 nth)
{
	int			width = 6;
	int			ticket;

	seed_random(&item->random, sim->seed, nth);
	ticket = below(&item->random, 100);
	for (item->type = 0; ticket >= types[item->type].share; item->type++)
		ticket -= types[item->type].share;

	/* Padded, so that ids sort as the items arrived. */
	for (int64 most = 999999; sim->items > most; most = most * 10 + 9)
		width++;
	snprintf(item->case_id, sizeof(item->case_id), "SIM-%0*d", width, nth + 1);
	snprintf(item->title, sizeof(item->title), "%s %s",
			 types[item->type].titles[below(&item->random, N_TITLES)],
			 things[below(&item->random, lengthof(things))]);
}

/*
 * put_moves
 *		Let an item go through the stages, one row for each entry before "until".
 */
static void
put_moves(const Simulation *sim, SimItem *item, Output *out)
{
	Datum		values[5];
	bool		nulls[5] = {false};
	int			visits[N_STAGES] = {0};
	SimStage	stage = BACKLOG;
	int64		now_us = work_time(item->arrived_at);
	int64		until_us = work_time(sim->until);

	values[0] = CStringGetTextDatum(item->case_id);
	values[2] = TimestampTzGetDatum(item->arrived_at);
	values[3] = out->type_names[item->type];
	values[4] = CStringGetTextDatum(item->title);
	for (;;)
	{
		SimStage	next;

		values[1] = out->stage_names[stage];
		tuplestore_putvalues(out->result->setResult, out->result->setDesc, values, nulls);

		next = next_stage(item, stage);
		if (next == N_STAGES)
			break;
		now_us += stay_us(item, stage, ++visits[stage]);
		if (now_us >= until_us)
			break;
		values[2] = TimestampTzGetDatum(calendar_time(now_us));
		stage = next;
	}
}

/*
 * stay_us
 *		How much working time the nth visit to a stage takes, at least a minute.
 */
static int64
stay_us(SimItem *item, SimStage stage, int visits)
{
	const TypeModel *type = &types[item->type];
	int64		wait = lognormal(&item->random, stages[stage].wait_us) * type->wait / 100;
	int64		effort = lognormal(&item->random, stages[stage].effort_us) * type->effort / 100;

	if (below(&item->random, 50) == 0)
		wait *= 8;				/* blocked */
	if (visits > 1)
		effort /= 2;			/* mending is less than making */
	return Max((wait + effort) / SECOND * SECOND, MINUTE);
}

/*
 * next_stage
 *		Where an item goes from a stage; N_STAGES when it stays for good.
 */
static SimStage
next_stage(SimItem *item, SimStage stage)
{
	int			ticket = below(&item->random, 1000);

	for (int i = 0; i < (int) lengthof(routes); i++)
	{
		if (routes[i].from != stage)
			continue;
		if (ticket < routes[i].per_mille)
			return routes[i].to;
		ticket -= routes[i].per_mille;
	}
	return stage == PRODUCTION ? N_STAGES : stage + 1;
}

/*
 * work_time
 *		Working time from the first Monday to an instant, in microseconds.
 *
 * Nights and weekends count as the beginning of the next working day.
 */
static int64
work_time(TimestampTz at)
{
	int64		day = floor_div(at - FIRST_MONDAY, DAY);
	int64		time_of_day = at - FIRST_MONDAY - day * DAY;
	int64		week = floor_div(day, 7);
	int64		weekday = day - week * 7;

	if (weekday >= 5)
		return (week + 1) * 5 * WORKDAY;
	return (week * 5 + weekday) * WORKDAY +
		Min(Max(time_of_day - WORKDAY_STARTS, 0), WORKDAY);
}

/*
 * calendar_time
 *		The instant at which so much working time has passed.
 */
static TimestampTz
calendar_time(int64 work_us)
{
	int64		workday = floor_div(work_us, WORKDAY);
	int64		week = floor_div(workday, 5);

	return FIRST_MONDAY + (week * 7 + workday - week * 5) * DAY +
		WORKDAY_STARTS + work_us - workday * WORKDAY;
}

/*
 * seed_random
 *		Start the generator of one part of a simulation.
 *
 * Parts are numbered; the multiplier (2^64 / golden ratio) keeps the numbers
 * of neighbours far apart.
 */
static void
seed_random(pg_prng_state *random, int64 seed, uint64 part)
{
	pg_prng_seed(random, (uint64) seed ^ (part + 1) * UINT64CONST(0x9E3779B97F4A7C15));
}

/*
 * below
 *		A number from 0 to limit - 1; 0 when there is none.  limit < 2^32.
 */
static int64
below(pg_prng_state *random, int64 limit)
{
	Assert(limit <= PG_UINT32_MAX);
	return (int64) (((pg_prng_uint64(random) >> 32) * (uint64) Max(limit, 0)) >> 32);
}

/*
 * lognormal
 *		A log-normal duration with this median, sigma 0.97 (1.4 powers of two).
 *
 * The sum of twelve uniform numbers, less six, is as good as normal out to
 * three sigma.  Two to its power is a shift and a table with interpolation.
 * Numbers have 16 fractional bits.  The ends are at 2^-8.4 and 2^8.4.
 */
static int64
lognormal(pg_prng_state *random, int64 median)
{
	/* 2^(i/16) */
	static const int64 two_to_the[] = {
		65536, 68438, 71468, 74632, 77936, 81386, 84990, 88752, 92682,
		96785, 101070, 105545, 110218, 115098, 120194, 125515, 131072
	};
	int64		sum = 0;
	int64		exponent;
	int64		fraction;
	int64		factor;

	for (int draws = 0; draws < 3; draws++)
	{
		uint64		bits = pg_prng_uint64(random);

		sum += (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48);
	}
	/* Ten powers more, so that nothing is negative; the last shift undoes it. */
	exponent = (sum - 6 * 65536) * 14 / 10 + 10 * 65536;
	fraction = exponent & 0xFFFF;
	factor = two_to_the[fraction >> 12] +
		(((two_to_the[(fraction >> 12) + 1] - two_to_the[fraction >> 12]) * (fraction & 0xFFF)) >> 12);
	return ((median * factor >> 16) << (exponent >> 16)) >> 10;
}

/*
 * floor_div
 *		Division that rounds down, also before the year 2000.
 */
static int64
floor_div(int64 dividend, int64 divisor)
{
	return dividend / divisor - (dividend % divisor < 0);
}
