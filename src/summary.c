/*
 * summary.c
 *		Number, average and percentiles of durations.
 *
 * The aggregate vsm._summary keeps the durations (microseconds, 8 bytes each)
 * and finds the percentiles by selection, which is linear, where
 * percentile_disc() sorts.  The rule is that of percentile_disc(): the smallest
 * value such that at least that share of the values is at or below it.
 */
#include "vsm.h"

#include <math.h>

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

static const double fractions[] = {0.5, 0.7, 0.85, 0.95};

#define FIRST_PERCENTILE	2	/* column of the result, from 0 */
#define COLUMNS				(FIRST_PERCENTILE + (int) lengthof(fractions))

static Interval *average(const VsmDurations *durations);
static void select_nth(int64 *us, int64 low, int64 high, int64 nth);
static int64 median_of_three(int64 a, int64 b, int64 c);

PG_FUNCTION_INFO_V1(vsm__summary_step);
PG_FUNCTION_INFO_V1(vsm__summary_row);

/* vsm._summary(us bigint): transition function; nulls do not count */
Datum
vsm__summary_step(PG_FUNCTION_ARGS)
{
	VsmDurations *durations = PG_ARGISNULL(0) ? NULL : (VsmDurations *) PG_GETARG_POINTER(0);
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "called outside an aggregate");
	if (durations == NULL)
		durations = MemoryContextAllocZero(context, sizeof(VsmDurations));
	if (!PG_ARGISNULL(1))
		vsm_durations_add(durations, context, PG_GETARG_INT64(1));
	PG_RETURN_POINTER(durations);
}

/* vsm._summary(us bigint) -> vsm._duration_summary: final function */
Datum
vsm__summary_row(PG_FUNCTION_ARGS)
{
	VsmDurations none = {0};

	PG_RETURN_DATUM(vsm_durations_summary(PG_ARGISNULL(0) ? &none : (VsmDurations *) PG_GETARG_POINTER(0),
										  get_fn_expr_rettype(fcinfo->flinfo)));
}

/* context: where the durations live; the same at each call */
void
vsm_durations_add(VsmDurations *durations, MemoryContext context, int64 us)
{
	if (durations->size == 0)
	{
		durations->size = 64;
		durations->us = MemoryContextAlloc(context, sizeof(int64) * durations->size);
	}
	else if (durations->count == durations->size)
	{
		durations->size *= 2;
		durations->us = repalloc_huge(durations->us, sizeof(int64) * durations->size);
	}
	durations->us[durations->count++] = us;
	durations->sum += us;
}

/*
 * vsm_durations_summary
 *		A row of vsm._duration_summary: average and percentiles null without any.
 *
 * It moves the durations about, which does no harm to a later call.
 */
Datum
vsm_durations_summary(VsmDurations *durations, Oid row_type)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(row_type, -1);
	int64		below = 0;		/* all before are smaller or equal */
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
		for (int i = 0; i < (int) lengthof(fractions); i++)
		{
			int64		nth = Max((int64) ceil(fractions[i] * (double) durations->count), 1) - 1;

			select_nth(durations->us, below, durations->count - 1, nth);
			values[FIRST_PERCENTILE + i] = IntervalPGetDatum(vsm_interval(durations->us[nth]));
			below = nth;
		}
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

/*
 * select_nth
 *		Put the nth smallest in its place, smaller or equal ones before it.
 *
 * Hoare's quickselect on us[low..high]; many equal values divide evenly.
 */
static void
select_nth(int64 *us, int64 low, int64 high, int64 nth)
{
	while (low < high)
	{
		int64		pivot = median_of_three(us[low], us[low + (high - low) / 2], us[high]);
		int64		left = low;
		int64		right = high;

		while (left <= right)
		{
			while (us[left] < pivot)
				left++;
			while (us[right] > pivot)
				right--;
			if (left <= right)
			{
				int64		swap = us[left];

				us[left++] = us[right];
				us[right--] = swap;
			}
		}
		/* us[low..right] <= pivot <= us[left..high]; what lies between equals it */
		if (nth <= right)
			high = right;
		else if (nth >= left)
			low = left;
		else
			return;
	}
}

static int64
median_of_three(int64 a, int64 b, int64 c)
{
	return Max(Min(a, b), Min(Max(a, b), c));
}
