/*
 * sketch_sql.c
 *		A sketch as PostgreSQL passes it around: its memory, its limits, its units.
 *
 * vsm.sketch and vsm.interval_sketch are the bytes of sketch.c in a varlena.  The
 * values of an interval_sketch are seconds.
 */
#include "sketch_sql.h"

#include <math.h>

#include "common/int.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "errors.h"
#include "duration.h"

static VsmSketch *allocate_sketch(const VsmSketchShape *shape);

/*
 * Detoasts a sketch.  Its values were checked when it came in, so a header that
 * does not fit means damage.
 */
const VsmSketch *
vsm_sketch_of(Datum datum)
{
	const VsmSketch *sketch = (const VsmSketch *) PG_DETOAST_DATUM(datum);

	if (vsm_sketch_header_objection(sketch, VARSIZE(sketch)) != NULL)
		ereport(ERROR,
				errcode(ERRCODE_DATA_CORRUPTED),
				errmsg("sketch is damaged or was written by a later version of vsm"),
				errdetail("It has %zu bytes and version %d.", (size_t) VARSIZE(sketch),
						  VARSIZE(sketch) < sizeof(VsmSketch) ? 0 : (int) sketch->version),
				errhint("Build the sketch again from its values."));
	return sketch;
}

VsmSketch *
vsm_sketch_empty(double rel_error)
{
	VsmSketchShape none = {0};
	VsmSketch  *sketch = allocate_sketch(&none);

	vsm_sketch_init(sketch, rel_error);
	return sketch;
}

VsmSketch *
vsm_sketch_with_shape(const VsmSketch *sketch, const VsmSketchShape *shape)
{
	VsmSketch  *result = allocate_sketch(shape);

	vsm_sketch_reshape(result, sketch, shape);
	return result;
}

/* A copy with the value, for which the sketch has no room, and with room for more. */
VsmSketch *
vsm_sketch_larger(const VsmSketch *sketch, double value)
{
	VsmSketchShape shape;
	VsmSketch  *larger;

	if (sketch->count >= PG_INT64_MAX)
		vsm_sketch_refuse_more_values();
	shape = vsm_sketch_shape_to_add(sketch, value);
	larger = vsm_sketch_with_shape(sketch, &shape);
	if (!vsm_sketch_add(larger, value))
		elog(ERROR, "no room for %g in a sketch", value);
	return larger;
}

/* A copy in the shape in which sketches are stored. */
VsmSketch *
vsm_sketch_least(const VsmSketch *sketch)
{
	VsmSketchShape shape = vsm_sketch_least_shape(sketch);
	VsmSketch  *result = vsm_sketch_with_shape(sketch, &shape);

	/* the counts of a damaged sketch need not add up */
	Assert(vsm_sketch_objection(result, VARSIZE(result)) == NULL ||
		   vsm_sketch_objection(sketch, VARSIZE(sketch)) != NULL);
	Assert(vsm_sketch_is_least(result) && vsm_sketch_equal(sketch, result));
	return result;
}

static VsmSketch *
allocate_sketch(const VsmSketchShape *shape)
{
	size_t		size = vsm_sketch_size(shape);
	VsmSketch  *sketch;

	CHECK_FOR_INTERRUPTS();		/* the caller may fill millions of cells */
	if (size > MaxAllocSize)
		ereport(ERROR,
				errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("a sketch of %zu bytes is too large", size),
				errhint("Give percentile_agg() a larger relative error."));
	sketch = palloc(size);
	SET_VARSIZE(sketch, size);
	return sketch;
}

/* ---- Limits ---- */

void
vsm_sketch_require_same_error(const VsmSketch *a, const VsmSketch *b)
{
	if (a->rel_error != b->rel_error)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("sketches with different relative errors cannot be combined"),
				errdetail("The relative errors are %g and %g.", a->rel_error, b->rel_error),
				errhint("Build both sketches with the same rel_error: percentile_agg(value, rel_error)."));
}

void
vsm_sketch_require_countable(const VsmSketch *a, const VsmSketch *b)
{
	if (a->count > PG_INT64_MAX - b->count)
		vsm_sketch_refuse_more_values();
}

void
vsm_sketch_refuse_more_values(void)
{
	ereport(ERROR,
			errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			errmsg("too many values in a sketch"),
			errdetail("The number of values must fit in a bigint."),
			errhint("Keep the values in several sketches."));
}

/* ---- Units of vsm.interval_sketch ---- */

/* As the server compares intervals: a day has 24 hours, a month 30 days. */
double
vsm_sketch_seconds(const Interval *interval)
{
	int64		days = (int64) interval->month * DAYS_PER_MONTH + interval->day;
	int64		us;

	if (unlikely(VSM_INTERVAL_NOT_FINITE(interval)))
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("cannot add an infinite interval to a sketch"),
				errdetail("The value is %s.", interval->month < 0 ? "-infinity" : "infinity"),
				errhint("Leave out such values: percentile_agg(x) FILTER (WHERE isfinite(x))."));
	if (likely(!pg_mul_s64_overflow(days, USECS_PER_DAY, &us) && !pg_add_s64_overflow(us, interval->time, &us)))
		return (double) us / USECS_PER_SEC;
	return (double) days * SECS_PER_DAY + (double) interval->time / USECS_PER_SEC;
}

/* Rounded to the microsecond; with months only when the number of days would overflow. */
Interval *
vsm_sketch_interval(double seconds)
{
	double		us = rint(seconds * USECS_PER_SEC);
	double		months;
	Interval   *result;

	if (fabs(us) < (double) PG_INT64_MAX)
		return vsm_interval((int64) us);
	months = trunc(seconds / (DAYS_PER_MONTH * SECS_PER_DAY));
	if (!(fabs(months) < (double) PG_INT32_MAX))	/* also NaN: a sum of great values of both signs */
		ereport(ERROR,
				errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				errmsg("interval out of range"),
				errdetail("The value is %g seconds.", seconds),
				errhint("Use a vsm.sketch of seconds for such values."));
	result = vsm_interval((int64) rint((seconds - months * DAYS_PER_MONTH * SECS_PER_DAY) * USECS_PER_SEC));
	result->month = (int32) months;
	return result;
}
