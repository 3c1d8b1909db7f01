/*
 * sketch_read.c
 *		SQL functions that read a sketch: percentiles, ranks, mean, bounds, histogram.
 *
 * The values of vsm.sketch are float8, those of vsm.interval_sketch intervals, so
 * each reader is two C functions: READER() makes both from one.  An empty sketch
 * has no percentile, rank, mean, sum or bound: the result is null.
 */
#include "sketch_sql.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "errors.h"
#include "fractions.h"
#include "sketch_walk.h"

/* The values of a sketch in SQL. */
typedef struct ValueType
{
	Oid			oid;
	Datum (*make)(double value);
	double (*number_of)(Datum value);
} ValueType;

static Datum float8_value(double value);
static double float8_of(Datum value);
static Datum interval_value(double seconds);
static double seconds_of(Datum interval);
static double sum_of(const VsmSketch *sketch);
static Datum outermost_bound(FunctionCallInfo fcinfo, const ValueType *type, bool highest);

static const ValueType numbers = {FLOAT8OID, float8_value, float8_of};
static const ValueType intervals = {INTERVALOID, interval_value, seconds_of};

/* The C functions of a reader over vsm.sketch and over vsm.interval_sketch. */
#define READER(name) \
	static Datum name(FunctionCallInfo fcinfo, const ValueType *type); \
	PG_FUNCTION_INFO_V1(vsm_##name); \
	PG_FUNCTION_INFO_V1(vsm_##name##_interval); \
	Datum vsm_##name(PG_FUNCTION_ARGS) \
	{\
		return name(fcinfo, &numbers); \
	} \
	Datum vsm_##name##_interval(PG_FUNCTION_ARGS) \
	{\
		return name(fcinfo, &intervals); \
	} \
	static Datum name(FunctionCallInfo fcinfo, const ValueType *type)

PG_FUNCTION_INFO_V1(vsm_num_vals);
PG_FUNCTION_INFO_V1(vsm_rel_error);

static Datum
float8_value(double value)
{
	return Float8GetDatum(value);
}

static double
float8_of(Datum value)
{
	return DatumGetFloat8(value);
}

static Datum
interval_value(double seconds)
{
	return IntervalPGetDatum(vsm_sketch_interval(seconds));
}

static double
seconds_of(Datum interval)
{
	return vsm_sketch_seconds(DatumGetIntervalP(interval));
}

/* vsm.approx_percentile(fraction float8, sketch) -> value; PT422 */
READER(approx_percentile)
{
	double		fraction = vsm_require_fraction(PG_GETARG_FLOAT8(0));
	const VsmSketch *sketch = VSM_GETARG_SKETCH(1);

	if (sketch->count == 0)
		PG_RETURN_NULL();
	return type->make(vsm_sketch_percentile(sketch, fraction));
}

/*
 * vsm.approx_percentiles(fractions float8[], sketch) -> value[]; null where the
 * fraction is; PT422
 */
READER(approx_percentiles)
{
	VsmFractions fractions = vsm_require_fractions(PG_GETARG_ARRAYTYPE_P(0));
	const VsmSketch *sketch = VSM_GETARG_SKETCH(1);

	for (int i = 0; i < fractions.count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		fractions.nulls[i] |= sketch->count == 0;
		if (!fractions.nulls[i])
			fractions.values[i] = type->make(vsm_sketch_percentile(sketch, DatumGetFloat8(fractions.values[i])));
	}
	PG_RETURN_ARRAYTYPE_P(vsm_fractions_answer(&fractions, type->oid));
}

/* vsm.approx_percentile_rank(value, sketch) -> float8: share of the values at or below it; PT422 */
READER(approx_percentile_rank)
{
	double		value = type->number_of(PG_GETARG_DATUM(0));
	const VsmSketch *sketch = VSM_GETARG_SKETCH(1);
	uint64		count = sketch->count;

	if (count == 0)
		PG_RETURN_NULL();
	if (isnan(value))
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("NaN has no rank"),
				errdetail("A sketch holds no NaN."),
				errhint("Give a number."));
	PG_RETURN_FLOAT8((double) vsm_sketch_rank(sketch, value) / (double) count);
}

/* vsm.num_vals(sketch) -> bigint */
Datum
vsm_num_vals(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64((int64) VSM_GETARG_SKETCH(0)->count);
}

/* vsm.rel_error(sketch) -> float8: a fraction */
Datum
vsm_rel_error(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(VSM_GETARG_SKETCH(0)->rel_error);
}

/* vsm.mean(sketch) -> value */
READER(mean)
{
	const VsmSketch *sketch = VSM_GETARG_SKETCH(0);
	uint64		count = sketch->count;

	if (count == 0)
		PG_RETURN_NULL();
	return type->make(sum_of(sketch) / (double) count);
}

/* vsm.sum(sketch) -> value */
READER(sum)
{
	const VsmSketch *sketch = VSM_GETARG_SKETCH(0);

	if (sketch->count == 0)
		PG_RETURN_NULL();
	return type->make(sum_of(sketch));
}

/*
 * The longest walk: a sketch of 0.01 percent may have millions of buckets, each
 * with two bounds to find.
 */
static double
sum_of(const VsmSketch *sketch)
{
	double		total = 0;
	VsmSketchCursor cursor;

	for (vsm_sketch_begin(&cursor, sketch); vsm_sketch_next(&cursor);)
	{
		CHECK_FOR_INTERRUPTS();
		vsm_sketch_add_to_sum(&cursor, &total);
	}
	return total;
}

/* vsm.min_val(sketch) -> value: no value is smaller */
READER(min_val)
{
	return outermost_bound(fcinfo, type, false);
}

/* vsm.max_val(sketch) -> value: no value is greater */
READER(max_val)
{
	return outermost_bound(fcinfo, type, true);
}

/*
 * Of the lowest or highest bucket that holds a value.  The last bucket of double
 * ends at infinity.
 */
static Datum
outermost_bound(FunctionCallInfo fcinfo, const ValueType *type, bool highest)
{
	VsmSketchCursor cursor;
	VsmSketchCursor last;
	double		lower;
	double		upper;

	vsm_sketch_begin(&cursor, VSM_GETARG_SKETCH(0));
	if (!vsm_sketch_next(&cursor))
		PG_RETURN_NULL();
	last = cursor;
	while (highest && vsm_sketch_next(&cursor))
		last = cursor;
	vsm_sketch_bounds(&last, &lower, &upper);
	return type->make(highest ? upper : lower);
}

/* vsm.histogram(sketch) -> (lower, upper, count): the buckets that hold values, in order */
READER(histogram)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	VsmSketchCursor cursor;

	InitMaterializedSRF(fcinfo, 0);
	for (vsm_sketch_begin(&cursor, VSM_GETARG_SKETCH(0)); vsm_sketch_next(&cursor);)
	{
		double		lower;
		double		upper;
		Datum		values[3];
		bool		nulls[3] = {false};

		CHECK_FOR_INTERRUPTS();
		vsm_sketch_bounds(&cursor, &lower, &upper);
		values[0] = type->make(lower);
		values[1] = type->make(upper);
		values[2] = Int64GetDatum((int64) cursor.count);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
