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
#include "port/pg_bitutils.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "arguments.h"
#include "duration.h"
#include "hash.h"
#include "rank.h"
#include "sketch_walk.h"

/* Columns of vsm._duration_summary, from 0: n, avg, then the percentiles p50, p70, p85, p95. */
#define FIRST_PERCENTILE	2
#define COLUMNS				(FIRST_PERCENTILE + (int) lengthof(fractions))

static const double fractions[] = {0.5, 0.7, 0.85, 0.95};

/* A value that is to be removed so many times. */
typedef struct Removed
{
	uint64		key;
	int64		times;
	/* cppcheck-suppress unusedStructMember */
	char		status;			/* simplehash.h's */
} Removed;

#define SH_PREFIX removed
#define SH_ELEMENT_TYPE Removed
#define SH_KEY_TYPE uint64
#define SH_KEY key
#define SH_HASH_KEY(table, key) vsm_hash_key((uint64) (key))
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* Multiplied by the golden ratio: neighbours get bits far from each other. */
static inline uint64
bit_of_key(uint64 key, int log_bits)
{
	return key * UINT64CONST(0x9E3779B97F4A7C15) >> (64 - log_bits);
}

static Interval *average(const VsmDurations *durations);
static void put_sketched_percentiles(const VsmSketch *sketch, Datum *percentiles);
static int64 remove_values(VsmValues *values, const VsmValues *removed);
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

/* Adds the durations of a sketch, whose sum is known; durations are not exact. */
void
vsm_durations_merge(VsmDurations *durations, const VsmSketch *sketch, int128 sum)
{
	VsmSketchShape shape;

	Assert(durations->sketch);
	vsm_sketch_require_same_error(durations->sketch, sketch);
	vsm_sketch_require_countable(durations->sketch, sketch);
	shape = vsm_sketch_shape_to_merge(durations->sketch, sketch);
	if (!vsm_sketch_fits(durations->sketch, &shape))
	{
		MemoryContext old = MemoryContextSwitchTo(durations->context);

		durations->sketch = vsm_sketch_with_shape(durations->sketch, &shape);
		MemoryContextSwitchTo(old);
	}
	vsm_sketch_merge(durations->sketch, sketch);
	durations->count += (int64) sketch->count;
	durations->sum += sum;
}

/*
 * vsm_durations_remove
 *		Removes durations, each once, and forgets which.
 *
 * Both are in memory.  XX001: they are not among those that were added.
 */
void
vsm_durations_remove(VsmDurations *durations, VsmValues *removed)
{
	uint64	   *keys = removed->values;
	int64		left = removed->count;

	if (removed->count == 0)
		return;
	for (int64 i = 0; i < removed->count; i++)
		durations->sum -= vsm_int64_of_key(keys[i]);
	if (durations->sketch)
	{
		for (int64 i = 0; i < removed->count; i++)
			left -= vsm_sketch_remove(durations->sketch, (double) vsm_int64_of_key(keys[i]) / USECS_PER_SEC);
	}
	else
		left -= remove_values(&durations->values, removed);
	if (left > 0)
		ereport(ERROR,
				errcode(ERRCODE_DATA_CORRUPTED),
				errmsg("completions that were undone are not among those that were counted"),
				errdetail("It is about " INT64_FORMAT " of " INT64_FORMAT " completions.", left, removed->count),
				errhint("vsm.cells_check() shows which cells are wrong; SELECT * FROM vsm.fold(rebuild => true) makes them anew."));
	durations->count -= removed->count;
	removed->count = removed->kept = 0;
}

/*
 * Takes each of the removed values out once; returns how many were there.
 *
 * Most values are not among the removed ones: a bit tells so for nearly all of them, without a look into the table.
 */
static int64
remove_values(VsmValues *values, const VsmValues *removed)
{
	removed_hash *table = removed_create(CurrentMemoryContext, (uint32) Min(removed->count, PG_INT32_MAX), NULL);
	int			log_bits = pg_ceil_log2_64(removed->count) + 6;
	uint64	   *bits = MemoryContextAllocHuge(CurrentMemoryContext, ((Size) 1 << log_bits) / 8);
	uint64	   *keys = values->values;
	int64		kept = 0;
	int64		there;

	memset(bits, 0, ((Size) 1 << log_bits) / 8);
	for (int64 i = 0; i < removed->count; i++)
	{
		uint64		key = ((const uint64 *) removed->values)[i];
		uint64		bit = bit_of_key(key, log_bits);
		bool		found;
		Removed    *entry = removed_insert(table, key, &found);

		entry->times = found ? entry->times + 1 : 1;
		bits[bit / 64] |= UINT64CONST(1) << bit % 64;
	}
	for (int64 i = 0; i < values->count; i++)
	{
		uint64		bit = bit_of_key(keys[i], log_bits);
		Removed    *entry = bits[bit / 64] >> bit % 64 & 1 ? removed_lookup(table, keys[i]) : NULL;

		if (entry && entry->times > 0)
			entry->times--;
		else
			keys[kept++] = keys[i];
	}
	removed_destroy(table);
	pfree(bits);
	there = values->count - kept;
	values->kept = values->count = kept;
	return there;
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
