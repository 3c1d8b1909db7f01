/*
 * forecast.c
 *		Monte Carlo forecasts from daily throughput.
 *
 * A trial simulates the future: each day to come finishes as many items as a day of
 * the past, which is drawn with replacement, every day with the same probability.
 * A forecast at 85 % is the outcome that 85 of 100 trials reached.  (Vacanti, When
 * Will It Be Done?, 2020.)
 *
 * The samples, the number of trials and the seed determine the result on every
 * platform and server: of the server's generator only the seeding and the raw
 * 64-bit draws are used.  All trials are drawn from one generator, one trial after
 * the other.  A trial takes 8 bytes, and a day of it a few nanoseconds; the loops
 * can be interrupted.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"

#include "arguments.h"

#define HORIZON_DAYS	3653	/* ten years: a trial that takes longer has no date */
#define BEYOND			(HORIZON_DAYS + 1)
#define MAX_TRIALS		1000000
#define MAX_ITEMS		PG_INT32_MAX	/* of a day; the sum over all days fits in a bigint */
#define MAX_LEVELS		100

/* The arguments that both functions have, and the generator. */
typedef struct Trials
{
	const int64 *samples;		/* items finished on each day of the past */
	int			nsamples;
	int			count;
	pg_prng_state random;
	const int32 *levels;		/* confidences, in percent */
	int			nlevels;
} Trials;

static void begin_trials(Trials *trials, FunctionCallInfo fcinfo);
static int64 draw_day(Trials *trials);
static int64 days_for(Trials *trials, int64 items);
static int64 items_in(Trials *trials, int32 days);
static Datum reached_by(int64 *outcomes, const Trials *trials, bool more_is_better);
static int	compare_outcomes(const void *a, const void *b, void *arg);

PG_FUNCTION_INFO_V1(vsm__forecast_days);
PG_FUNCTION_INFO_V1(vsm__forecast_items);

/*
 * vsm._forecast_days(samples, items, confidences, trials, seed) -> bigint[]
 *		The number of days in which that many items are done, at each confidence in percent.
 *
 * It is the smallest number of days in which this share of the trials finished the
 * items; null beyond ten years.
 */
Datum
vsm__forecast_days(PG_FUNCTION_ARGS)
{
	int64		items = vsm_require_between(PG_GETARG_INT32(1), 1, MAX_ITEMS, "the number of items");
	Trials		trials;
	int64	   *outcomes;

	begin_trials(&trials, fcinfo);
	outcomes = palloc(sizeof(int64) * trials.count);
	for (int i = 0; i < trials.count; i++)
		outcomes[i] = days_for(&trials, items);
	return reached_by(outcomes, &trials, false);
}

/*
 * vsm._forecast_items(samples, days, confidences, trials, seed) -> bigint[]
 *		The number of items that are done within that many days, at each confidence in percent.
 *
 * It is the greatest number that this share of the trials reached.
 */
Datum
vsm__forecast_items(PG_FUNCTION_ARGS)
{
	int32		days = (int32) vsm_require_between(PG_GETARG_INT32(1), 1, HORIZON_DAYS, "the number of days");
	Trials		trials;
	int64	   *outcomes;

	begin_trials(&trials, fcinfo);
	outcomes = palloc(sizeof(int64) * trials.count);
	for (int i = 0; i < trials.count; i++)
		outcomes[i] = items_in(&trials, days);
	return reached_by(outcomes, &trials, true);
}

/* Takes samples, confidences, trials and seed from the arguments. */
static void
begin_trials(Trials *trials, FunctionCallInfo fcinfo)
{
	trials->samples = vsm_require_list(PG_GETARG_ARRAYTYPE_P(0), INT8OID, 1, HORIZON_DAYS,
									   "the samples of a forecast", &trials->nsamples);
	for (int i = 0; i < trials->nsamples; i++)
		(void) vsm_require_between(trials->samples[i], 0, MAX_ITEMS, "a sample of a forecast");
	trials->levels = vsm_require_list(PG_GETARG_ARRAYTYPE_P(2), INT4OID, 1, MAX_LEVELS,
									  "the confidences of a forecast", &trials->nlevels);
	for (int i = 0; i < trials->nlevels; i++)
		(void) vsm_require_between(trials->levels[i], 1, 100, "a confidence in percent");
	trials->count = (int) vsm_require_between(PG_GETARG_INT32(3), 1, MAX_TRIALS, "the number of trials");
	pg_prng_seed(&trials->random, (uint64) PG_GETARG_INT64(4));
}

/*
 * The items of a random day of the past.  The bias of the multiplication is below
 * samples / 2^32.
 */
static int64
draw_day(Trials *trials)
{
	uint64		place = ((pg_prng_uint64(&trials->random) >> 32) * (uint64) trials->nsamples) >> 32;

	return trials->samples[place];
}

static int64
days_for(Trials *trials, int64 items)
{
	int64		done = 0;

	CHECK_FOR_INTERRUPTS();
	for (int days = 1; days <= HORIZON_DAYS; days++)
	{
		done += draw_day(trials);
		if (done >= items)
			return days;
	}
	return BEYOND;
}

static int64
items_in(Trials *trials, int32 days)
{
	int64		done = 0;

	CHECK_FOR_INTERRUPTS();
	while (days-- > 0)
		done += draw_day(trials);
	return done;
}

/*
 * reached_by
 *		The outcome that at least that share of the trials reached, for each confidence.
 *
 * It is the outcome of that rank, counted from the best, by the rule of
 * percentile_disc.  Sorts the outcomes.
 */
static Datum
reached_by(int64 *outcomes, const Trials *trials, bool more_is_better)
{
	int			count = trials->count;
	int			nlevels = trials->nlevels;
	Datum	   *values = palloc(sizeof(Datum) * nlevels);
	bool	   *nulls = palloc(sizeof(bool) * nlevels);
	int			lower_bound = 1;

	qsort_interruptible(outcomes, count, sizeof(int64), compare_outcomes, NULL);
	for (int i = 0; i < nlevels; i++)
	{
		int64		rank = ((int64) count * trials->levels[i] + 99) / 100;
		int64		outcome = outcomes[more_is_better ? count - rank : rank - 1];

		Assert(rank >= 1 && rank <= count);
		values[i] = Int64GetDatum(outcome);
		nulls[i] = !more_is_better && outcome == BEYOND;
	}
	return PointerGetDatum(construct_md_array(values, nulls, 1, &nlevels, &lower_bound,
											  INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static int
compare_outcomes(const void *a, const void *b, void *arg)
{
	int64		left = *(const int64 *) a;
	int64		right = *(const int64 *) b;

	return (left > right) - (left < right);
}
