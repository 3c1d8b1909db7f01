/*
 * simulate_item.c
 *		A simulated work item: what it is, and its moves through the stages.
 *
 * An item stays in a stage for a log-normal wait and a log-normal effort, which
 * depend on its type and are counted in working time.  Then it follows one of the
 * routes below, or moves to the next stage.  An item is drawn from a generator of
 * its own, so it is the same whatever other items there are.
 */
#include "simulate_item.h"

#include "simulate_calendar.h"
#include "simulate_random.h"

#define BLOCKED_ONE_IN	50		/* stays */
#define BLOCKED_FACTOR	8		/* of the wait */

enum
{
	BACKLOG,
	ANALYSIS,
	DEVELOPMENT,
	TESTING,
	DEPLOYMENT,
	PRODUCTION
};

enum
{
	FEATURE,
	BUG,
	TASK,
	EPIC
};

/* The median wait and effort of a stay, in working time. */
typedef struct
{
	const char *name;
	int64		wait_us;
	int64		effort_us;
} StageModel;

static const StageModel stages[SIM_STAGES] = {
	[BACKLOG] = {"Backlog", 7 * HOUR, 0},
	[ANALYSIS] = {"Analysis", 1 * HOUR, 2 * HOUR},
	[DEVELOPMENT] = {"Development", 1 * HOUR, 6 * HOUR},
	[TESTING] = {"Testing", 2 * HOUR, 90 * MINUTE},
	[DEPLOYMENT] = {"Deployment", 1 * HOUR, 20 * MINUTE},
	[PRODUCTION] = {"Production", 20 * HOUR, 0},
};

/*
 * Where a stay may lead other than to the next stage.  One draw decides between the
 * routes of a stage.
 */
typedef struct
{
	int			from;
	int			to;
	int			per_mille;		/* of the stays */
} Route;

static const Route routes[] = {
	{BACKLOG, PRODUCTION, 12},	/* finished and never started */
	{BACKLOG, DEVELOPMENT, 60}, /* clear enough to skip the analysis */
	{ANALYSIS, BACKLOG, 60},
	{DEVELOPMENT, BACKLOG, 15},
	{TESTING, DEVELOPMENT, 340},
	{DEPLOYMENT, DEVELOPMENT, 40},
	{PRODUCTION, DEVELOPMENT, 15},	/* reopened */
};

#define N_TITLES 8

/* A title is one of the titles of its type, and one of the things. */
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
	int			wait;			/* percent of the medians of the stages */
	int			effort;			/* the same */
} TypeModel;

static const TypeModel types[SIM_TYPES] = {
	[FEATURE] = {"feature", feature_titles, 36, 100, 100},
	[BUG] = {"bug", bug_titles, 30, 40, 60},
	[TASK] = {"task", task_titles, 29, 110, 50},
	[EPIC] = {"epic", epic_titles, 5, 200, 400},
};

static int	next_stage(VsmSimItem *item);
static int64 stay_us(VsmSimItem *item);
static int64 lognormal(pg_prng_state *random, int64 median);

const char *
vsm_sim_stage_name(int stage)
{
	return stages[stage].name;
}

const char *
vsm_sim_type_name(int type)
{
	return types[type].name;
}

/* Draws what is known of an item from the start: the nth of so many, from 0. */
void
vsm_sim_item_draw(VsmSimItem *item, int64 seed, int32 nth, int32 items)
{
	int			width = 6;
	int64		ticket;

	memset(item, 0, sizeof(VsmSimItem));
	seed_random(&item->random, seed, nth);
	ticket = random_below(&item->random, 100);
	for (item->type = 0; ticket >= types[item->type].share; item->type++)
		ticket -= types[item->type].share;

	/* as many digits for each item, so that the ids sort as the items arrived */
	for (int64 most = 999999; items > most; most = most * 10 + 9)
		width++;
	snprintf(item->case_id, sizeof(item->case_id), "SIM-%0*d", width, nth + 1);
	snprintf(item->title, sizeof(item->title), "%s %s",
			 types[item->type].titles[random_below(&item->random, N_TITLES)],
			 things[random_below(&item->random, lengthof(things))]);
}

void
vsm_sim_item_arrive(VsmSimItem *item, TimestampTz at)
{
	item->stage = BACKLOG;
	item->entered_us = work_time(at);
}

/*
 * Moves the item to where it goes next, and to the time at which it does; false: it
 * stays for good.
 */
bool
vsm_sim_item_move(VsmSimItem *item)
{
	int			next = next_stage(item);

	if (next == SIM_STAGES)
		return false;
	item->visits[item->stage]++;
	item->entered_us += stay_us(item);
	item->stage = next;
	return true;
}

/* SIM_STAGES: the item stays where it is. */
static int
next_stage(VsmSimItem *item)
{
	int64		ticket = random_below(&item->random, 1000);

	for (int i = 0; i < (int) lengthof(routes); i++)
	{
		if (routes[i].from != item->stage)
			continue;
		if (ticket < routes[i].per_mille)
			return routes[i].to;
		ticket -= routes[i].per_mille;
	}
	return item->stage + 1;
}

/* The working time of the visit that ends, at least a minute. */
static int64
stay_us(VsmSimItem *item)
{
	const TypeModel *type = &types[item->type];
	int64		wait = lognormal(&item->random, stages[item->stage].wait_us) * type->wait / 100;
	int64		effort = lognormal(&item->random, stages[item->stage].effort_us) * type->effort / 100;

	if (random_below(&item->random, BLOCKED_ONE_IN) == 0)
		wait *= BLOCKED_FACTOR;
	if (item->visits[item->stage] > 1)
		effort /= 2;			/* rework takes less than the first time */
	return Max((wait + effort) / SECOND * SECOND, MINUTE);
}

/*
 * lognormal
 *		A log-normal duration with this median, sigma 0.97 (1.4 powers of two).
 *
 * The sum of twelve uniform numbers, less six, is as good as normal out to
 * three sigma.  Two to that power is a shift and a table with interpolation.  The
 * numbers have 16 fractional bits; the factor is between 2^-8.4 and 2^8.4.
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
	/* ten powers of two more, so that nothing is negative; the last shift takes them off */
	exponent = (sum - 6 * 65536) * 14 / 10 + 10 * 65536;
	fraction = exponent & 0xFFFF;
	factor = two_to_the[fraction >> 12] +
		(((two_to_the[(fraction >> 12) + 1] - two_to_the[fraction >> 12]) * (fraction & 0xFFF)) >> 12);
	return ((median * factor >> 16) << (exponent >> 16)) >> 10;
}
