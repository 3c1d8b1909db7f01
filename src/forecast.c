/*
 * forecast.c
 *		Monte Carlo forecasts from daily throughput.
 *
 * A trial plays the future: each day to come finishes as many items as a day
 * of the past, drawn with replacement, each as likely as the others.  Many
 * trials tell how often something comes true; a forecast at 85 % is what 85 of
 * 100 trials kept.  (Vacanti, When Will It Be Done?, 2020.)
 *
 * The samples, the number of trials and the seed decide the result, on every
 * platform and server: of the server's generator only the seeding and the raw
 * 64-bit draws are used.  A trial is drawn from the one generator after the
 * trial before it.  Memory is 8 bytes for each trial; a day of a trial costs a
 * few nanoseconds, and the loops can be interrupted.
 */
#include "vsm.h"

#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"

#define HORIZON_DAYS	3653	/* ten years: a trial that takes longer has no date */
#define BEYOND			(HORIZON_DAYS + 1)

/* What is drawn from, and how often. */
typedef struct Trials
{
	const int64 *samples;		/* items finished, of each day of the past */
	int			nsamples;
	int			count;
	pg_prng_state random;
} Trials;

static void begin_trials(Trials *trials, ArrayType *samples, int32 count, int64 seed);
static int64 draw(Trials *trials);
static int64 days_for(Trials *trials, int64 items);
static int64 items_in(Trials *trials, int32 days);
static Datum kept_by(int64 *outcomes, int count, ArrayType *confidences, bool more_is_better);
static int	compare_outcomes(const void *a, const void *b);

PG_FUNCTION_INFO_V1(vsm__forecast_days);
PG_FUNCTION_INFO_V1(vsm__forecast_items);

/*
 * vsm._forecast_days(samples, items, confidences, trials, seed) -> bigint[]
 *		In how many days that many items are done, at each confidence in percent.
 *
 * The smallest number of days that this share of the trials needed or less;
 * null beyond ten years.
 */
Datum
vsm__forecast_days(PG_FUNCTION_ARGS)
{
	int64		items = PG_GETARG_INT32(1);
	Trials		trials;
	int64	   *outcomes;

	begin_trials(&trials, PG_GETARG_ARRAYTYPE_P(0), PG_GETARG_INT32(3), PG_GETARG_INT64(4));
	outcomes = palloc(sizeof(int64) * trials.count);
	for (int i = 0; i < trials.count; i++)
		outcomes[i] = days_for(&trials, items);
	return kept_by(outcomes, trials.count, PG_GETARG_ARRAYTYPE_P(2), false);
}

/*
 * vsm._forecast_items(samples, days, confidences, trials, seed) -> bigint[]
 *		How many items are done within that many days, at each confidence in percent.
 *
 * The greatest number that this share of the trials reached.
 */
Datum
vsm__forecast_items(PG_FUNCTION_ARGS)
{
	int32		days = PG_GETARG_INT32(1);
	Trials		trials;
	int64	   *outcomes;

	begin_trials(&trials, PG_GETARG_ARRAYTYPE_P(0), PG_GETARG_INT32(3), PG_GETARG_INT64(4));
	outcomes = palloc(sizeof(int64) * trials.count);
	for (int i = 0; i < trials.count; i++)
		outcomes[i] = items_in(&trials, days);
	return kept_by(outcomes, trials.count, PG_GETARG_ARRAYTYPE_P(2), true);
}

/* The SQL functions are private: their arguments have been checked. */
static void
begin_trials(Trials *trials, ArrayType *samples, int32 count, int64 seed)
{
	if (ARR_NDIM(samples) != 1 || ARR_HASNULL(samples) || ARR_ELEMTYPE(samples) != INT8OID || count < 1)
		elog(ERROR, "a forecast needs samples and trials");
	trials->samples = (const int64 *) ARR_DATA_PTR(samples);
	trials->nsamples = ARR_DIMS(samples)[0];
	trials->count = count;
	pg_prng_seed(&trials->random, (uint64) seed);
}

/* A day of the past.  The bias of the multiplication is below samples / 2^32. */
static int64
draw(Trials *trials)
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
		done += draw(trials);
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
		done += draw(trials);
	return done;
}

/*
 * kept_by
 *		What at least that share of the trials kept, for each confidence in percent.
 *
 * The outcome of that rank, counted from the best: the rule of
 * percentile_disc().  Sorts the outcomes.
 */
static Datum
kept_by(int64 *outcomes, int count, ArrayType *confidences, bool more_is_better)
{
	int			nlevels = ARR_DIMS(confidences)[0];
	const int32 *levels = (const int32 *) ARR_DATA_PTR(confidences);
	Datum	   *values = palloc(sizeof(Datum) * nlevels);
	bool	   *nulls = palloc(sizeof(bool) * nlevels);
	int			lower_bound = 1;

	qsort(outcomes, count, sizeof(int64), compare_outcomes);
	for (int i = 0; i < nlevels; i++)
	{
		int64		rank = ((int64) count * levels[i] + 99) / 100;
		int64		outcome = outcomes[more_is_better ? count - rank : rank - 1];

		Assert(rank >= 1 && rank <= count);
		values[i] = Int64GetDatum(outcome);
		nulls[i] = !more_is_better && outcome == BEYOND;
	}
	return PointerGetDatum(construct_md_array(values, nulls, 1, &nlevels, &lower_bound,
											  INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static int
compare_outcomes(const void *a, const void *b)
{
	int64		left = *(const int64 *) a;
	int64		right = *(const int64 *) b;

	return (left > right) - (left < right);
}
