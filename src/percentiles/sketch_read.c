/*
 * sketch_read.c
 *		What a sketch tells: percentiles, ranks, mean, bounds, histogram.
 *
 * Values of vsm.sketch are float8, those of vsm.interval_sketch intervals; the
 * functions for the latter end in _interval.  All are null for an empty sketch,
 * but num_vals.  Source of the rules: sketch.c.
 */
#include "sketch_sql.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "errors.h"
#include "fractions.h"

/* A double of a sketch as an SQL value of its type. */
typedef Datum (*MakeValue)(double value);

static Datum float8_value(double value);
static Datum interval_value(double value);
static Datum percentile(FunctionCallInfo fcinfo, MakeValue make);
static Datum percentiles(FunctionCallInfo fcinfo, MakeValue make, Oid type);
static Datum rank_of(FunctionCallInfo fcinfo, double value);
static Datum mean(FunctionCallInfo fcinfo, MakeValue make);
static Datum sum(FunctionCallInfo fcinfo, MakeValue make);
static double sum_of(const VsmSketch *sketch);
static Datum bound(FunctionCallInfo fcinfo, bool highest, MakeValue make);
static Datum histogram(FunctionCallInfo fcinfo, MakeValue make);

PG_FUNCTION_INFO_V1(vsm_approx_percentile);
PG_FUNCTION_INFO_V1(vsm_approx_percentile_interval);
PG_FUNCTION_INFO_V1(vsm_approx_percentiles);
PG_FUNCTION_INFO_V1(vsm_approx_percentiles_interval);
PG_FUNCTION_INFO_V1(vsm_approx_percentile_rank);
PG_FUNCTION_INFO_V1(vsm_approx_percentile_rank_interval);
PG_FUNCTION_INFO_V1(vsm_num_vals);
PG_FUNCTION_INFO_V1(vsm_rel_error);
PG_FUNCTION_INFO_V1(vsm_mean);
PG_FUNCTION_INFO_V1(vsm_mean_interval);
PG_FUNCTION_INFO_V1(vsm_sum);
PG_FUNCTION_INFO_V1(vsm_sum_interval);
PG_FUNCTION_INFO_V1(vsm_min_val);
PG_FUNCTION_INFO_V1(vsm_min_val_interval);
PG_FUNCTION_INFO_V1(vsm_max_val);
PG_FUNCTION_INFO_V1(vsm_max_val_interval);
PG_FUNCTION_INFO_V1(vsm_histogram);
PG_FUNCTION_INFO_V1(vsm_histogram_interval);

static Datum
float8_value(double value)
{
	return Float8GetDatum(value);
}

static Datum
interval_value(double value)
{
	return IntervalPGetDatum(vsm_sketch_interval(value));
}

/* vsm.approx_percentile(fraction float8, sketch) -> float8; PT422 */
Datum
vsm_approx_percentile(PG_FUNCTION_ARGS)
{
	return percentile(fcinfo, float8_value);
}

/* vsm.approx_percentile(fraction float8, interval_sketch) -> interval */
Datum
vsm_approx_percentile_interval(PG_FUNCTION_ARGS)
{
	return percentile(fcinfo, interval_value);
}

static Datum
percentile(FunctionCallInfo fcinfo, MakeValue make)
{
	double		fraction = vsm_require_fraction(PG_GETARG_FLOAT8(0));
	const VsmSketch *sketch = VSM_GETARG_SKETCH(1);

	if (sketch->count == 0)
		PG_RETURN_NULL();
	return make(vsm_sketch_percentile(sketch, fraction));
}

/* vsm.approx_percentiles(fractions float8[], sketch) -> float8[]; null where the fraction is; PT422 */
Datum
vsm_approx_percentiles(PG_FUNCTION_ARGS)
{
	return percentiles(fcinfo, float8_value, FLOAT8OID);
}

/* vsm.approx_percentiles(fractions float8[], interval_sketch) -> interval[] */
Datum
vsm_approx_percentiles_interval(PG_FUNCTION_ARGS)
{
	return percentiles(fcinfo, interval_value, INTERVALOID);
}

static Datum
percentiles(FunctionCallInfo fcinfo, MakeValue make, Oid type)
{
	VsmFractions fractions = vsm_require_fractions(PG_GETARG_ARRAYTYPE_P(0));
	const VsmSketch *sketch = VSM_GETARG_SKETCH(1);

	for (int i = 0; i < fractions.count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		fractions.nulls[i] |= sketch->count == 0;
		if (!fractions.nulls[i])
			fractions.values[i] = make(vsm_sketch_percentile(sketch, DatumGetFloat8(fractions.values[i])));
	}
	PG_RETURN_ARRAYTYPE_P(vsm_fractions_answer(&fractions, type));
}

/* vsm.approx_percentile_rank(value float8, sketch) -> float8: share of the values at or below it */
Datum
vsm_approx_percentile_rank(PG_FUNCTION_ARGS)
{
	return rank_of(fcinfo, PG_GETARG_FLOAT8(0));
}

/* vsm.approx_percentile_rank(value interval, interval_sketch) -> float8 */
Datum
vsm_approx_percentile_rank_interval(PG_FUNCTION_ARGS)
{
	return rank_of(fcinfo, vsm_sketch_seconds(PG_GETARG_INTERVAL_P(0)));
}

static Datum
rank_of(FunctionCallInfo fcinfo, double value)
{
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

/* vsm.mean(sketch) -> float8 */
Datum
vsm_mean(PG_FUNCTION_ARGS)
{
	return mean(fcinfo, float8_value);
}

/* vsm.mean(interval_sketch) -> interval */
Datum
vsm_mean_interval(PG_FUNCTION_ARGS)
{
	return mean(fcinfo, interval_value);
}

static Datum
mean(FunctionCallInfo fcinfo, MakeValue make)
{
	const VsmSketch *sketch = VSM_GETARG_SKETCH(0);
	uint64		count = sketch->count;

	if (count == 0)
		PG_RETURN_NULL();
	return make(sum_of(sketch) / (double) count);
}

/* vsm.sum(sketch) -> float8 */
Datum
vsm_sum(PG_FUNCTION_ARGS)
{
	return sum(fcinfo, float8_value);
}

/* vsm.sum(interval_sketch) -> interval */
Datum
vsm_sum_interval(PG_FUNCTION_ARGS)
{
	return sum(fcinfo, interval_value);
}

static Datum
sum(FunctionCallInfo fcinfo, MakeValue make)
{
	const VsmSketch *sketch = VSM_GETARG_SKETCH(0);

	if (sketch->count == 0)
		PG_RETURN_NULL();
	return make(sum_of(sketch));
}

/* The most costly walk: a sketch of 0.01 percent has millions of buckets, each with two bounds to find. */
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

/* vsm.min_val(sketch) -> float8: no value is smaller */
Datum
vsm_min_val(PG_FUNCTION_ARGS)
{
	return bound(fcinfo, false, float8_value);
}

/* vsm.min_val(interval_sketch) -> interval */
Datum
vsm_min_val_interval(PG_FUNCTION_ARGS)
{
	return bound(fcinfo, false, interval_value);
}

/* vsm.max_val(sketch) -> float8: no value is greater */
Datum
vsm_max_val(PG_FUNCTION_ARGS)
{
	return bound(fcinfo, true, float8_value);
}

/* vsm.max_val(interval_sketch) -> interval */
Datum
vsm_max_val_interval(PG_FUNCTION_ARGS)
{
	return bound(fcinfo, true, interval_value);
}

/* Of the outermost bucket that holds a value; the bucket at the end of double has no outer bound. */
static Datum
bound(FunctionCallInfo fcinfo, bool highest, MakeValue make)
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
	return make(highest ? upper : lower);
}

/* vsm.histogram(sketch) -> (lower, upper, count): the buckets that hold values, in order */
Datum
vsm_histogram(PG_FUNCTION_ARGS)
{
	return histogram(fcinfo, float8_value);
}

/* vsm.histogram(interval_sketch) -> (lower, upper, count) */
Datum
vsm_histogram_interval(PG_FUNCTION_ARGS)
{
	return histogram(fcinfo, interval_value);
}

static Datum
histogram(FunctionCallInfo fcinfo, MakeValue make)
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
		values[0] = make(lower);
		values[1] = make(upper);
		values[2] = Int64GetDatum((int64) cursor.count);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
