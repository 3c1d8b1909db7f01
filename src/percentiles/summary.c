/*
 * summary.c
 *		Number, average and percentiles of durations.
 *
 * The percentiles follow the rule of percentile_disc (rank.h).  Exact ones are
 * selected from the durations themselves, which take 8 bytes each (values_select.c);
 * the others come from a sketch, within its relative error (sketch.c).  Number and
 * average are exact in both cases.
 */
#include "summary.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "arguments.h"
#include "duration.h"
#include "rank.h"
#include "sketch_walk.h"

/* Columns of vsm._duration_summary, from 0: n, avg, then the percentiles p50, p70, p85, p95. */
#define FIRST_PERCENTILE	2
#define COLUMNS				(FIRST_PERCENTILE + (int) lengthof(fractions))

static const double fractions[] = {0.5, 0.7, 0.85, 0.95};

static Interval *average(const VsmDurations *durations);
static void put_sketched_percentiles(const VsmSketch *sketch, Datum *percentiles);
static void put_exact_percentiles(VsmDurations *durations, Datum *percentiles);

PG_FUNCTION_INFO_V1(vsm__summary_step);
PG_FUNCTION_INFO_V1(vsm__summary_of_step);
PG_FUNCTION_INFO_V1(vsm__summary_row);

/* vsm._summary(us bigint, exact boolean): transition function; nulls do not count */
Datum
vsm__summary_step(PG_FUNCTION_ARGS)
{
	VsmDurations *durations = PG_ARGISNULL(0) ? NULL : (VsmDurations *) PG_GETARG_POINTER(0);
	MemoryContext context = vsm_require_aggregate(fcinfo);

	vsm_require_given(fcinfo, 2, "exact");
	if (durations == NULL)
	{
		durations = MemoryContextAlloc(context, sizeof(VsmDurations));
		vsm_durations_init(durations, context, PG_GETARG_BOOL(2));
	}
	if (!PG_ARGISNULL(1))
		vsm_durations_add(durations, PG_GETARG_INT64(1));
	PG_RETURN_POINTER(durations);
}

/* vsm._summary_of(us bigint[]): transition function of exact summaries; a null array does not count */
Datum
vsm__summary_of_step(PG_FUNCTION_ARGS)
{
	VsmDurations *durations = PG_ARGISNULL(0) ? NULL : (VsmDurations *) PG_GETARG_POINTER(0);
	MemoryContext context = vsm_require_aggregate(fcinfo);
	const int64 *us;
	int			count;

	if (durations == NULL)
	{
		durations = MemoryContextAlloc(context, sizeof(VsmDurations));
		vsm_durations_init(durations, context, true);
	}
	if (PG_ARGISNULL(1))
		PG_RETURN_POINTER(durations);
	us = vsm_require_list(PG_GETARG_ARRAYTYPE_P(1), INT8OID, 0, INT_MAX, "the durations", &count);
	for (int i = 0; i < count; i++)
		vsm_durations_add(durations, us[i]);
	PG_RETURN_POINTER(durations);
}

/* vsm._summary(us bigint, exact boolean) -> vsm._duration_summary: final function */
Datum
vsm__summary_row(PG_FUNCTION_ARGS)
{
	VsmDurations none = {0};

	PG_RETURN_DATUM(vsm_durations_summary(PG_ARGISNULL(0) ? &none : (VsmDurations *) PG_GETARG_POINTER(0),
										  get_fn_expr_rettype(fcinfo->flinfo)));
}

/* The durations live in context. */
void
vsm_durations_init(VsmDurations *durations, MemoryContext context, bool exact)
{
	memset(durations, 0, sizeof(VsmDurations));
	durations->context = context;
	vsm_values_init(&durations->values, false, context, NULL);
	if (!exact)
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		durations->sketch = vsm_sketch_empty(VSM_SKETCH_DEFAULT_ERROR);
		MemoryContextSwitchTo(old);
	}
}

void
vsm_durations_add(VsmDurations *durations, int64 us)
{
	durations->count++;
	durations->sum += us;
	if (durations->sketch)
	{
		MemoryContext old = MemoryContextSwitchTo(durations->context);

		durations->sketch = vsm_sketch_added(durations->sketch, (double) us / USECS_PER_SEC);
		MemoryContextSwitchTo(old);
	}
	else
		vsm_values_add(&durations->values, vsm_int64_key(us));
}

/*
 * vsm_durations_summary
 *		A row of vsm._duration_summary; without durations, average and percentiles are null.
 */
Datum
vsm_durations_summary(VsmDurations *durations, Oid row_type)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(row_type, -1);
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];
	Datum		row;

	if (desc->natts != COLUMNS)
		elog(ERROR, "row type must be vsm._duration_summary");
	memset(nulls, durations->count == 0, sizeof(nulls));
	nulls[0] = false;
	values[0] = Int64GetDatum(durations->count);
	if (durations->count > 0)
	{
		values[1] = IntervalPGetDatum(average(durations));
		if (durations->sketch)
			put_sketched_percentiles(durations->sketch, &values[FIRST_PERCENTILE]);
		else
			put_exact_percentiles(durations, &values[FIRST_PERCENTILE]);
	}
	row = HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
	ReleaseTupleDesc(desc);
	return row;
}

/* Rounded to the nearest microsecond, halves away from zero. */
static Interval *
average(const VsmDurations *durations)
{
	int128		half = durations->count / 2;

	return vsm_interval((int64) ((durations->sum + (durations->sum < 0 ? -half : half)) / durations->count));
}

static void
put_sketched_percentiles(const VsmSketch *sketch, Datum *percentiles)
{
	for (int i = 0; i < (int) lengthof(fractions); i++)
		percentiles[i] = IntervalPGetDatum(vsm_sketch_interval(vsm_sketch_percentile(sketch, fractions[i])));
}

static void
put_exact_percentiles(VsmDurations *durations, Datum *percentiles)
{
	int64		ranks[lengthof(fractions)];
	uint64		found[lengthof(fractions)];

	for (int i = 0; i < (int) lengthof(fractions); i++)
		ranks[i] = (int64) vsm_percentile_rank(fractions[i], (uint64) durations->count) - 1;
	vsm_values_select(&durations->values, ranks, lengthof(fractions), found);
	for (int i = 0; i < (int) lengthof(fractions); i++)
		percentiles[i] = IntervalPGetDatum(vsm_interval(vsm_int64_of_key(found[i])));
}
