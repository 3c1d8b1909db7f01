/*
 * forecast.c
 *		Monte Carlo forecasts from daily throughput.
 *
 * A trial simulates the future day by day (forecast_draws.c).  A forecast at 85 % is
 * the outcome that 85 of 100 trials reached.  (Vacanti, When Will It Be Done?, 2020.)
 *
 * The samples, the calendar, the number of trials and the seed determine the result
 * on every platform and server.  All trials are drawn from one generator, one trial
 * after the other, except in vsm._forecast_places(), where all trials go on day by
 * day.  A trial takes 8 bytes, and a draw a few nanoseconds; the loops can be
 * interrupted.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"

#include "arguments.h"
#include "figures/forecast_draws.h"

#define MAX_TRIALS		1000000
#define MAX_LEVELS		100
#define MAX_PLACES		100000

/* What is drawn, how often, and what is wanted of the outcomes. */
typedef struct Trials
{
	VsmDraws	draws;
	int			count;
	const int32 *levels;		/* confidences, in percent */
	int			nlevels;
} Trials;

static void begin_trials(Trials *trials, FunctionCallInfo fcinfo, int count_arg, int off_arg);
static void begin_levels(Trials *trials, ArrayType *confidences);
static Datum days_reached(const int64 *outcomes, const Trials *trials);
static Datum items_reached(int64 *outcomes, const Trials *trials);
static void pass_places(int64 *outcomes, const Trials *trials, int day, int *passed, int places, int32 *days);
static int64 rank_of(const Trials *trials, int level);
static int64 select_outcome(int64 *outcomes, int from, int to, int rank);
static Datum make_list(const int64 *values, const bool *nulls, int count);

PG_FUNCTION_INFO_V1(vsm__forecast_days);
PG_FUNCTION_INFO_V1(vsm__forecast_items);
PG_FUNCTION_INFO_V1(vsm__forecast_trials);
PG_FUNCTION_INFO_V1(vsm__forecast_places);

/*
 * vsm._forecast_days(samples, items, confidences, trials, seed, off_samples, days_off) -> bigint[]
 *		The number of days in which that many items are done, at each confidence in percent.
 *
 * It is the smallest number of days in which this share of the trials finished the
 * items; null beyond ten years.
 */
Datum
vsm__forecast_days(PG_FUNCTION_ARGS)
{
	int64		items = vsm_require_between(PG_GETARG_INT32(1), 1, PG_INT32_MAX, "the number of items");
	Trials		trials;
	int64	   *outcomes;

	begin_trials(&trials, fcinfo, 3, 5);
	begin_levels(&trials, PG_GETARG_ARRAYTYPE_P(2));
	outcomes = palloc(sizeof(int64) * trials.count);
	for (int i = 0; i < trials.count; i++)
		outcomes[i] = vsm_days_for(&trials.draws, items);
	return days_reached(outcomes, &trials);
}

/*
 * vsm._forecast_items(samples, days, confidences, trials, seed, off_samples, days_off) -> bigint[]
 *		The number of items that are done within that many days, at each confidence in percent.
 *
 * It is the greatest number that this share of the trials reached.
 */
Datum
vsm__forecast_items(PG_FUNCTION_ARGS)
{
	int32		days = (int32) vsm_require_between(PG_GETARG_INT32(1), 1, VSM_HORIZON_DAYS, "the number of days");
	Trials		trials;
	int64	   *outcomes;

	begin_trials(&trials, fcinfo, 3, 5);
	begin_levels(&trials, PG_GETARG_ARRAYTYPE_P(2));
	outcomes = palloc(sizeof(int64) * trials.count);
	for (int i = 0; i < trials.count; i++)
		outcomes[i] = vsm_items_in(&trials.draws, days);
	return items_reached(outcomes, &trials);
}

/*
 * vsm._forecast_trials(samples, items, trials, seed, off_samples, days_off) -> bigint[]
 *		In how many days each trial has done the items; 3654: more than ten years.
 *
 * These are the trials of vsm._forecast_days(), in the order in which they were drawn.
 */
Datum
vsm__forecast_trials(PG_FUNCTION_ARGS)
{
	int64		items = vsm_require_between(PG_GETARG_INT32(1), 1, PG_INT32_MAX, "the number of items");
	Trials		trials;
	int64	   *outcomes;

	begin_trials(&trials, fcinfo, 2, 4);
	outcomes = palloc(sizeof(int64) * trials.count);
	for (int i = 0; i < trials.count; i++)
		outcomes[i] = vsm_days_for(&trials.draws, items);
	return make_list(outcomes, NULL, trials.count);
}

/*
 * vsm._forecast_places(samples, places, confidences, trials, seed, off_samples, days_off) -> bigint[]
 *		In how many days the first, second, ... item is done, at each confidence in percent.
 *
 * The elements are those of the first item at each confidence, then those of the
 * second, and so on; null beyond ten years.  The n-th item is done when n are: on
 * the first day by whose end this share of the trials has done n.
 */
Datum
vsm__forecast_places(PG_FUNCTION_ARGS)
{
	int			places = (int) vsm_require_between(PG_GETARG_INT32(1), 1, MAX_PLACES, "the number of items");
	Trials		trials;
	int64	   *done;
	int		   *passed;			/* by confidence, the items that are done */
	int32	   *days;
	int64	   *values;
	bool	   *nulls;
	int			waiting;

	begin_trials(&trials, fcinfo, 3, 5);
	begin_levels(&trials, PG_GETARG_ARRAYTYPE_P(2));
	done = palloc0(sizeof(int64) * trials.count);
	passed = palloc0(sizeof(int) * trials.nlevels);
	days = palloc0(sizeof(int32) * places * trials.nlevels);
	waiting = trials.nlevels;
	for (int day = 1; day <= VSM_HORIZON_DAYS && waiting > 0; day++)
	{
		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < trials.count; i++)
			done[i] += vsm_draw_day(&trials.draws, day);
		pass_places(done, &trials, day, passed, places, days);
		waiting = 0;
		for (int level = 0; level < trials.nlevels; level++)
			waiting += passed[level] < places;
	}
	values = palloc(sizeof(int64) * places * trials.nlevels);
	nulls = palloc(sizeof(bool) * places * trials.nlevels);
	for (int i = 0; i < places * trials.nlevels; i++)
	{
		values[i] = days[i];
		nulls[i] = days[i] == 0;
	}
	return make_list(values, nulls, places * trials.nlevels);
}

/* Takes samples, trials, seed and, from off_arg on, the days off from the arguments. */
static void
begin_trials(Trials *trials, FunctionCallInfo fcinfo, int count_arg, int off_arg)
{
	trials->count = (int) vsm_require_between(PG_GETARG_INT32(count_arg), 1, MAX_TRIALS, "the number of trials");
	vsm_begin_draws(&trials->draws, PG_GETARG_ARRAYTYPE_P(0), PG_GETARG_INT64(count_arg + 1), PG_GETARG_ARRAYTYPE_P(off_arg),
					PG_GETARG_ARRAYTYPE_P(off_arg + 1));
}

static void
begin_levels(Trials *trials, ArrayType *confidences)
{
	trials->levels = vsm_require_list(confidences, INT4OID, 1, MAX_LEVELS, "the confidences of a forecast", &trials->nlevels);
	for (int i = 0; i < trials->nlevels; i++)
		(void) vsm_require_between(trials->levels[i], 1, 100, "a confidence in percent");
}

/*
 * days_reached
 *		The fewest days in which that share of the trials was done, for each confidence; null beyond ten years.
 *
 * By counting, as there are few days: the outcome of that rank is that of percentile_disc.
 */
static Datum
days_reached(const int64 *outcomes, const Trials *trials)
{
	int		   *counts = palloc0(sizeof(int) * (VSM_BEYOND + 1));
	int64	   *values = palloc(sizeof(int64) * trials->nlevels);
	bool	   *nulls = palloc(sizeof(bool) * trials->nlevels);

	for (int i = 0; i < trials->count; i++)
		counts[outcomes[i]]++;
	for (int i = 0; i < trials->nlevels; i++)
	{
		const int64 rank = rank_of(trials, i);
		int64		days = 0;

		for (int64 done = 0; done < rank;)
			done += counts[++days];
		values[i] = days;
		nulls[i] = days == VSM_BEYOND;
	}
	return make_list(values, nulls, trials->nlevels);
}

/* The greatest number of items that that share of the trials did, for each confidence.  Reorders the outcomes. */
static Datum
items_reached(int64 *outcomes, const Trials *trials)
{
	int64	   *values = palloc(sizeof(int64) * trials->nlevels);

	for (int i = 0; i < trials->nlevels; i++)
	{
		CHECK_FOR_INTERRUPTS();
		values[i] = select_outcome(outcomes, 0, trials->count - 1, trials->count - (int) rank_of(trials, i));
	}
	return make_list(values, NULL, trials->nlevels);
}

/* At the end of a day: the items that are done by now at each confidence.  Reorders the outcomes. */
static void
pass_places(int64 *outcomes, const Trials *trials, int day, int *passed, int places, int32 *days)
{
	for (int level = 0; level < trials->nlevels; level++)
	{
		int			rank = trials->count - (int) rank_of(trials, level);
		int64		done;

		if (passed[level] == places)
			continue;
		done = select_outcome(outcomes, 0, trials->count - 1, rank);
		while (passed[level] < places && passed[level] < done)
			days[passed[level]++ * trials->nlevels + level] = day;
	}
}

/* The rank of the outcome that this share of the trials reached, from 1, counted from the best. */
static int64
rank_of(const Trials *trials, int level)
{
	int64		rank = ((int64) trials->count * trials->levels[level] + 99) / 100;

	Assert(rank >= 1 && rank <= trials->count);
	return rank;
}

/*
 * select_outcome
 *		The outcome that would be at that place, from 0, if those from "from" to "to" were sorted.
 *
 * Selection by three-way partition around the median of three (Hoare): linear in
 * practice, also with many equal outcomes.  Reorders the outcomes, which does no
 * harm: every trial goes on with what it has done.
 */
static int64
select_outcome(int64 *outcomes, int from, int to, int rank)
{
	while (from < to)
	{
		int64		a = outcomes[from];
		int64		b = outcomes[from + (to - from) / 2];
		int64		c = outcomes[to];
		int64		pivot = Max(Min(a, b), Min(Max(a, b), c));
		int			lower = from;	/* before it, all are lower than the pivot */
		int			higher = to;	/* behind it, all are higher */

		for (int i = from; i <= higher;)
		{
			int64		outcome = outcomes[i];

			if (outcome < pivot)
			{
				outcomes[i++] = outcomes[lower];
				outcomes[lower++] = outcome;
			}
			else if (outcome > pivot)
			{
				outcomes[i] = outcomes[higher];
				outcomes[higher--] = outcome;
			}
			else
				i++;
		}
		if (rank < lower)
			to = lower - 1;
		else if (rank > higher)
			from = higher + 1;
		else
			return pivot;
	}
	return outcomes[rank];
}

static Datum
make_list(const int64 *values, const bool *nulls, int count)
{
	Datum	   *elements = palloc(sizeof(Datum) * count);
	int			lower_bound = 1;

	for (int i = 0; i < count; i++)
		elements[i] = Int64GetDatum(values[i]);
	return PointerGetDatum(construct_md_array(elements, (bool *) nulls, 1, &count, &lower_bound,
											  INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}
