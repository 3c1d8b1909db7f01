/*
 * simulate.c
 *		The events of a simulated value stream, for demos, tests and benchmarks.
 *
 * vsm.simulate(items, days, seed, until) returns a row for each entry of an item
 * into a stage of the default stream: items in order of arrival, the moves of an
 * item in order of time.  The same arguments give the same rows on every platform
 * and server, whatever the settings of the session, because all arithmetic is on
 * integers.  Times are whole seconds.
 *
 * Items arrive over [until - days, until), mostly in working hours, and more on some
 * days than on others.  Then they move (simulate_item.c).  Moves at or after "until"
 * are left out, so the last items are still open.  Rows go to a tuplestore that
 * spills to disk: memory does not grow with the number of items.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "simulate_calendar.h"
#include "simulate_item.h"
#include "simulate_random.h"

#define MAX_ITEMS		10000000
#define MAX_DAYS		36500	/* a century */

/*
 * How many items arrive in an hour, compared with other hours; times the noise of
 * the day, which lies from LEAST_NOISE to LEAST_NOISE + NOISE_RANGE - 1.
 */
#define WEIGHT_OF_WEEKEND	1
#define WEIGHT_OF_NIGHT		2
#define WEIGHT_OF_OFFICE	20		/* from 08:00 to 18:00 UTC */
#define LEAST_NOISE			40
#define NOISE_RANGE			50

/* The arguments, and the walk over the hours of the window. */
typedef struct
{
	int32		items;
	int64		seed;
	TimestampTz since;
	TimestampTz until;
	int64		slots;			/* hours of the window */

	/* where the walk over the hours is: see next_arrival() */
	int64		total;			/* weight of all hours */
	int64		slot;
	int64		slot_begins;	/* weight of the hours before this hour */
	int64		slot_weight;
	int64		noisy_day;		/* the day whose noise is known */
	int64		noise;
} Simulation;

/* Columns of the result. */
enum
{
	CASE_ID,
	STAGE,
	ENTERED_AT,
	TYPE,
	TITLE,
	COLUMNS
};

/* What the rows are made of and where they go. */
typedef struct
{
	ReturnSetInfo *result;
	MemoryContext item_context;
	Datum		stage_names[SIM_STAGES];
	Datum		type_names[SIM_TYPES];
} Output;

PG_FUNCTION_INFO_V1(vsm_simulate);

static void check_arguments(int32 items, int32 days, TimestampTz until);
static void begin_output(Output *out, FunctionCallInfo fcinfo);
static TimestampTz next_arrival(Simulation *sim, int32 nth);
static int64 weigh_slot(Simulation *sim, int64 slot);
static void put_moves(const Simulation *sim, VsmSimItem *item, TimestampTz arrived_at, Output *out);

/* vsm.simulate(items, days, seed, until) -> case_id, stage, entered_at, type, title; PT422 */
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
		VsmSimItem	item;
		MemoryContext before = MemoryContextSwitchTo(out.item_context);

		CHECK_FOR_INTERRUPTS();
		vsm_sim_item_draw(&item, sim.seed, nth, sim.items);
		put_moves(&sim, &item, next_arrival(&sim, nth), &out);
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
				errdetail("The window must begin and end within the range of timestamptz."),
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
	for (int stage = 0; stage < SIM_STAGES; stage++)
		out->stage_names[stage] = CStringGetTextDatum(vsm_sim_stage_name(stage));
	for (int type = 0; type < SIM_TYPES; type++)
		out->type_names[type] = CStringGetTextDatum(vsm_sim_type_name(type));
}

/*
 * next_arrival
 *		When the nth item arrives; call it for 0, 1, 2, ...
 *
 * Each item arrives at random in its own share of the window's weight, so arrivals
 * come in order and the walk over the hours needs no memory.
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
	position = share_begins + random_below(&random, share_ends - share_begins);
	while (position >= sim->slot_begins + sim->slot_weight)
	{
		sim->slot_begins += sim->slot_weight;
		sim->slot_weight = weigh_slot(sim, ++sim->slot);
	}
	Assert(sim->slot < sim->slots);

	/* the position tells which part of the hour; a second draw tells when in that part */
	at = sim->since + sim->slot * HOUR +
		(position - sim->slot_begins) * HOUR / sim->slot_weight +
		random_below(&random, HOUR / sim->slot_weight);
	at = floor_div(at, SECOND) * SECOND;
	return at < sim->since ? at + SECOND : at;
}

/*
 * weigh_slot
 *		How many items arrive in an hour of the window, compared with other hours.
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
		sim->noise = LEAST_NOISE + random_below(&random, NOISE_RANGE);
		sim->noisy_day = day;
	}
	if (weekday >= WORKDAYS)
		return sim->noise * WEIGHT_OF_WEEKEND;
	return sim->noise * (hour_of_day >= 8 && hour_of_day < 18 ? WEIGHT_OF_OFFICE : WEIGHT_OF_NIGHT);
}

/*
 * put_moves
 *		Let an item arrive and move, one row for each entry before "until".
 */
static void
put_moves(const Simulation *sim, VsmSimItem *item, TimestampTz arrived_at, Output *out)
{
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS] = {false};
	int64		until_us = work_time(sim->until);

	vsm_sim_item_arrive(item, arrived_at);
	values[CASE_ID] = CStringGetTextDatum(item->case_id);
	values[ENTERED_AT] = TimestampTzGetDatum(arrived_at);
	values[TYPE] = out->type_names[item->type];
	values[TITLE] = CStringGetTextDatum(item->title);
	do
	{
		values[STAGE] = out->stage_names[item->stage];
		tuplestore_putvalues(out->result->setResult, out->result->setDesc, values, nulls);
		if (!vsm_sim_item_move(item))
			break;
		values[ENTERED_AT] = TimestampTzGetDatum(calendar_time(item->entered_us));
	} while (item->entered_us < until_us);
}
