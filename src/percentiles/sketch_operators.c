/*
 * sketch_operators.c
 *		The operators of vsm.sketch and vsm.interval_sketch: =, <>, +, - and the hash.
 */
#include "sketch_sql.h"

#include "common/hashfn.h"

#include "compat.h"
#include "errors.h"
#include "sketch_change.h"

PG_FUNCTION_INFO_V1(vsm__sketch_eq);
PG_FUNCTION_INFO_V1(vsm__sketch_ne);
PG_FUNCTION_INFO_V1(vsm__sketch_hash);
PG_FUNCTION_INFO_V1(vsm__sketch_plus);
PG_FUNCTION_INFO_V1(vsm__sketch_minus);

Datum
vsm__sketch_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(vsm_sketch_equal(VSM_GETARG_SKETCH(0), VSM_GETARG_SKETCH(1)));
}

Datum
vsm__sketch_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!vsm_sketch_equal(VSM_GETARG_SKETCH(0), VSM_GETARG_SKETCH(1)));
}

Datum
vsm__sketch_hash(PG_FUNCTION_ARGS)
{
	const VsmSketch *sketch = vsm_sketch_least(VSM_GETARG_SKETCH(0));

	return hash_any((const unsigned char *) VARDATA(sketch), (int) VARSIZE(sketch) - VARHDRSZ);
}

/* sketch + sketch: the values of both */
Datum
vsm__sketch_plus(PG_FUNCTION_ARGS)
{
	const VsmSketch *a = VSM_GETARG_SKETCH(0);
	const VsmSketch *b = VSM_GETARG_SKETCH(1);
	VsmSketchShape shape;
	VsmSketch  *sum;

	vsm_sketch_require_same_error(a, b);
	vsm_sketch_require_countable(a, b);
	shape = vsm_sketch_shape_to_merge(a, b);
	sum = vsm_sketch_with_shape(a, &shape);
	vsm_sketch_merge(sum, b);
	VSM_RETURN_SKETCH(vsm_sketch_least(sum));
}

/* sketch - sketch: the values of the first without those of the second; PT422 */
Datum
vsm__sketch_minus(PG_FUNCTION_ARGS)
{
	const VsmSketch *a = VSM_GETARG_SKETCH(0);
	const VsmSketch *b = VSM_GETARG_SKETCH(1);
	VsmSketchShape shape = vsm_sketch_shape(a);
	VsmSketch  *rest = vsm_sketch_with_shape(a, &shape);

	vsm_sketch_require_same_error(a, b);
	if (!vsm_sketch_subtract(rest, b))
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("cannot remove values that the sketch does not hold"),
				errdetail("A bucket of the second sketch holds more values than the same bucket of the first."),
				errhint("Subtract only a sketch whose values are part of the first sketch."));
	VSM_RETURN_SKETCH(vsm_sketch_least(rest));
}
