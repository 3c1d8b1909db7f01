/*
 * forecast_draws.c
 *		Days to come, drawn from the days of the past: one trial of a forecast.
 *
 * Each day to come finishes as many items as a day of the past, which is drawn with
 * replacement, every day with the same probability.  There are two kinds of days,
 * working days and days off, and a day to come is drawn from the past days of its kind.
 * If none of the past is off, a day off finishes nothing and draws nothing, so without
 * days off the draws are those of one kind.
 *
 * Idle days.  Most days of a small stream finish nothing.  Where that holds of three in
 * four, and of all days off, not each day is drawn, but how many pass before one
 * that finishes something, and which of these it is like.  If a day is idle with
 * probability q, more than n are with probability q^(n + 1); so the outcomes have the
 * distribution that they have when each day is drawn.
 *
 * The samples, the calendar and the seed determine all draws on every platform and
 * server: of the server's generator only the seeding and the raw 64-bit draws are used,
 * and powers of q are integers.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"

#include "arguments.h"
#include "figures/forecast_draws.h"

#define MAX_ITEMS	PG_INT32_MAX	/* of a day; the sum over all days fits in a bigint */
#define MOSTLY_IDLE	4			/* one in so many days finishes something */

static VsmPastDays require_days(ArrayType *samples, int least);
static const bool *require_calendar(ArrayType *days_off);
static VsmIdleDays *find_idle(const VsmDraws *draws);
static void tabulate(VsmIdleDays *idle, int of_days);
static int	draw_idle(const VsmIdleDays *idle, pg_prng_state *random);
static int64 days_for_idle(const VsmIdleDays *idle, pg_prng_state *random, int64 items);
static int64 items_in_idle(const VsmIdleDays *idle, pg_prng_state *random, int32 days);

void
vsm_begin_draws(VsmDraws *draws, ArrayType *samples, int64 seed, ArrayType *off_samples, ArrayType *days_off)
{
	draws->working = require_days(samples, 1);
	pg_prng_seed(&draws->random, (uint64) seed);
	draws->off = require_days(off_samples, 0);
	draws->is_off = require_calendar(days_off);
	draws->idle = find_idle(draws);
}

/* The days in which so many items are done, from 1; VSM_BEYOND: more than ten years. */
int64
vsm_days_for(VsmDraws *draws, int64 items)
{
	int64		done = 0;

	CHECK_FOR_INTERRUPTS();
	if (draws->idle != NULL)
		return days_for_idle(draws->idle, &draws->random, items);
	for (int day = 1; day <= VSM_HORIZON_DAYS; day++)
	{
		done += vsm_draw_day(draws, day);
		if (done >= items)
			return day;
	}
	return VSM_BEYOND;
}

/* The items that are done in so many days. */
int64
vsm_items_in(VsmDraws *draws, int32 days)
{
	int64		done = 0;

	CHECK_FOR_INTERRUPTS();
	if (draws->idle != NULL)
		return items_in_idle(draws->idle, &draws->random, days);
	for (int day = 1; day <= days; day++)
		done += vsm_draw_day(draws, day);
	return done;
}

static VsmPastDays
require_days(ArrayType *samples, int least)
{
	VsmPastDays days;

	days.samples = vsm_require_list(samples, INT8OID, least, VSM_HORIZON_DAYS, "the samples of a forecast", &days.count);
	for (int i = 0; i < days.count; i++)
		(void) vsm_require_between(days.samples[i], 0, MAX_ITEMS, "a sample of a forecast");
	return days;
}

static const bool *
require_calendar(ArrayType *days_off)
{
	int			count;
	const int32 *days = vsm_require_list(days_off, INT4OID, 0, VSM_HORIZON_DAYS, "the days off of a forecast", &count);
	bool	   *is_off;

	if (count == 0)
		return NULL;
	is_off = palloc0(sizeof(bool) * (VSM_HORIZON_DAYS + 1));
	for (int i = 0; i < count; i++)
		is_off[vsm_require_between(days[i], 1, VSM_HORIZON_DAYS, "a day off of a forecast")] = true;
	return is_off;
}

/* NULL where each day is drawn. */
static VsmIdleDays *
find_idle(const VsmDraws *draws)
{
	VsmIdleDays *idle;
	int64	   *busy;
	int			nbusy = 0;

	for (int i = 0; i < draws->off.count; i++)
		if (draws->off.samples[i] > 0)
			return NULL;
	for (int i = 0; i < draws->working.count; i++)
		nbusy += draws->working.samples[i] > 0;
	if (nbusy * MOSTLY_IDLE > draws->working.count)
		return NULL;
	idle = palloc(sizeof(VsmIdleDays));
	busy = palloc(sizeof(int64) * nbusy);
	idle->busy.samples = busy;
	idle->busy.count = 0;
	for (int i = 0; i < draws->working.count; i++)
		if (draws->working.samples[i] > 0)
			busy[idle->busy.count++] = draws->working.samples[i];
	idle->working = palloc(sizeof(int32) * (VSM_HORIZON_DAYS + 1));
	idle->nworking = 0;
	for (int day = 1; day <= VSM_HORIZON_DAYS; day++)
		if (draws->is_off == NULL || !draws->is_off[day])
			idle->working[++idle->nworking] = day;
	tabulate(idle, draws->working.count);
	return idle;
}

/* The powers of q, rounded down, and where to begin to look for a draw among them. */
static void
tabulate(VsmIdleDays *idle, int of_days)
{
	const uint64 q = (uint64) (((uint128) (of_days - idle->busy.count) << 64) / of_days - (idle->busy.count == 0));
	int			n = 0;

	idle->more = palloc(sizeof(uint64) * (VSM_HORIZON_DAYS + 1));
	idle->more[0] = q;
	for (int i = 1; i <= VSM_HORIZON_DAYS; i++)
		idle->more[i] = (uint64) (((uint128) idle->more[i - 1] * q) >> 64);
	for (int first = VSM_GUIDE_SIZE - 1; first >= 0; first--)
	{
		const uint64 greatest = ((uint64) first << 56) | (PG_UINT64_MAX >> 8);

		while (n < VSM_HORIZON_DAYS && greatest < idle->more[n])
			n++;
		idle->guide[first] = (uint16) n;
	}
}

/* The idle days before the next busy one; VSM_HORIZON_DAYS stands for more as well. */
static inline int
draw_idle(const VsmIdleDays *idle, pg_prng_state *random)
{
	const uint64 drawn = pg_prng_uint64(random);
	int			n = idle->guide[drawn >> 56];

	while (n < VSM_HORIZON_DAYS && drawn < idle->more[n])
		n++;
	return n;
}

static int64
days_for_idle(const VsmIdleDays *idle, pg_prng_state *random, int64 items)
{
	int64		done = 0;
	int			day = 0;

	if (idle->busy.count == 0)
		return VSM_BEYOND;
	while (done < items)
	{
		day += draw_idle(idle, random) + 1;
		if (day > idle->nworking)
			return VSM_BEYOND;
		done += vsm_draw_from(&idle->busy, random);
	}
	return idle->working[day];
}

static int64
items_in_idle(const VsmIdleDays *idle, pg_prng_state *random, int32 days)
{
	int64		done = 0;
	int			day = 0;

	if (idle->busy.count == 0)
		return 0;
	for (;;)
	{
		day += draw_idle(idle, random) + 1;
		if (day > idle->nworking || idle->working[day] > days)
			return done;
		done += vsm_draw_from(&idle->busy, random);
	}
}
