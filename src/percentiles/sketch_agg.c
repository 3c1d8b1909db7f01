/*
 * sketch_agg.c
 *		The aggregates percentile_agg() and rollup().
 *
 * Their state is a sketch, so parallel workers send it as they send any value.  The
 * state is changed in place.  The executor keeps the pointer as long as the same
 * pointer is returned; a larger sketch it copies into the aggregate's memory.  The
 * state has empty cells to grow into.  The final functions return a copy in the
 * least shape, because a window function goes on with the state.
 *
 * A moving frame removes values again (vsm._sketch_remove).
 */
#include "sketch_sql.h"

#include <math.h>

#include "nodes/execnodes.h"
#include "utils/builtins.h"

#include "arguments.h"
#include "compat.h"
#include "errors.h"

static VsmSketch *state_of(FunctionCallInfo fcinfo);
static VsmSketch *first_state(FunctionCallInfo fcinfo);
static void require_aggregate(FunctionCallInfo fcinfo);
static VsmSketch *with_error(FunctionCallInfo fcinfo, VsmSketch *state);
static double rel_error_of(FunctionCallInfo fcinfo);
static Datum unchanged(FunctionCallInfo fcinfo);
static Datum remove_value(FunctionCallInfo fcinfo, double value);
pg_noreturn static void refuse_removal(void);
pg_noreturn static void refuse_value(double value);

PG_FUNCTION_INFO_V1(vsm__sketch_add_float8);
PG_FUNCTION_INFO_V1(vsm__sketch_add_interval);
PG_FUNCTION_INFO_V1(vsm__sketch_remove_float8);
PG_FUNCTION_INFO_V1(vsm__sketch_remove_interval);
PG_FUNCTION_INFO_V1(vsm__sketch_combine);
PG_FUNCTION_INFO_V1(vsm__sketch_uncombine);
PG_FUNCTION_INFO_V1(vsm__sketch_finish);
PG_FUNCTION_INFO_V1(vsm__sketch_finish_values);

/*
 * vsm._sketch_add(state, value float8 [, rel_error float8]): transition function;
 * nulls do not count; PT422
 */
Datum
vsm__sketch_add_float8(PG_FUNCTION_ARGS)
{
	double		value;

	if (PG_ARGISNULL(1))
		return unchanged(fcinfo);
	value = PG_GETARG_FLOAT8(1);
	if (unlikely(isnan(value) || isinf(value)))
		refuse_value(value);
	return PointerGetDatum(vsm_sketch_added(state_of(fcinfo), value));
}

/* vsm._sketch_add(state, value interval [, rel_error float8]) */
Datum
vsm__sketch_add_interval(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(1))
		return unchanged(fcinfo);
	return PointerGetDatum(vsm_sketch_added(state_of(fcinfo), vsm_sketch_seconds(PG_GETARG_INTERVAL_P(1))));
}

static inline VsmSketch *
state_of(FunctionCallInfo fcinfo)
{
	VsmSketch  *state;

	require_aggregate(fcinfo);
	if (unlikely(PG_ARGISNULL(0)))
		return first_state(fcinfo);
	state = (VsmSketch *) PG_GETARG_POINTER(0);
	if (unlikely(VARATT_IS_EXTENDED(state)))
		state = (VsmSketch *) PG_DETOAST_DATUM_COPY(PG_GETARG_DATUM(0));
	return PG_NARGS() > 2 ? with_error(fcinfo, state) : state;
}

static VsmSketch *
first_state(FunctionCallInfo fcinfo)
{
	double		rel_error = rel_error_of(fcinfo);

	if (!(rel_error >= VSM_SKETCH_MIN_ERROR && rel_error <= VSM_SKETCH_MAX_ERROR))
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("relative error %g is out of range", rel_error),
				errdetail("It must be between 0.0001 and 0.2."),
				errhint("Give rel_error as a fraction: 0.01, the default, is 1 percent."));
	return vsm_sketch_empty(rel_error);
}

/*
 * Only an aggregate may change its state in place.  As AggCheckCallContext(),
 * without a call for each value.
 */
static inline void
require_aggregate(FunctionCallInfo fcinfo)
{
	if (unlikely(fcinfo->context == NULL ||
				 !(IsA(fcinfo->context, AggState) || IsA(fcinfo->context, WindowAggState))))
		vsm_refuse_call(fcinfo);
}

/*
 * The relative error is that of the first row with a value; a frame that has lost
 * all values may have another.
 */
static VsmSketch *
with_error(FunctionCallInfo fcinfo, VsmSketch *state)
{
	double		rel_error = rel_error_of(fcinfo);

	if (likely(rel_error == state->rel_error))
		return state;
	if (state->count > 0)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("the relative error changes within a sketch"),
				errdetail("It is %g for some rows and %g for others.", state->rel_error, rel_error),
				errhint("Give one rel_error for all rows of a group."));
	return first_state(fcinfo);
}

static double
rel_error_of(FunctionCallInfo fcinfo)
{
	return PG_NARGS() > 2 && !PG_ARGISNULL(2) ? PG_GETARG_FLOAT8(2) : VSM_SKETCH_DEFAULT_ERROR;
}

/*
 * unchanged
 *		The state after a null: as it was.
 *
 * A moving frame that begins with nulls must have a state too: the server removes
 * no value from a null state.
 */
static Datum
unchanged(FunctionCallInfo fcinfo)
{
	require_aggregate(fcinfo);
	if (!PG_ARGISNULL(0))
		return PG_GETARG_DATUM(0);
	if (IsA(fcinfo->context, WindowAggState))
		return PointerGetDatum(vsm_sketch_empty(VSM_SKETCH_DEFAULT_ERROR));
	PG_RETURN_NULL();
}

/* vsm._sketch_remove(state, value float8 [, rel_error float8]): inverse transition function */
Datum
vsm__sketch_remove_float8(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(1))
		return unchanged(fcinfo);
	return remove_value(fcinfo, PG_GETARG_FLOAT8(1));
}

/* vsm._sketch_remove(state, value interval [, rel_error float8]) */
Datum
vsm__sketch_remove_interval(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(1))
		return unchanged(fcinfo);
	return remove_value(fcinfo, vsm_sketch_seconds(PG_GETARG_INTERVAL_P(1)));
}

static Datum
remove_value(FunctionCallInfo fcinfo, double value)
{
	VsmSketch  *state = state_of(fcinfo);

	if (!vsm_sketch_remove(state, value))
		refuse_removal();
	return PointerGetDatum(state);
}

/*
 * vsm._sketch_combine(state, sketch): combine function, and transition function of
 * rollup(); PT422
 */
Datum
vsm__sketch_combine(PG_FUNCTION_ARGS)
{
	VsmSketch  *state = state_of(fcinfo);
	const VsmSketch *other = VSM_GETARG_SKETCH(1);
	VsmSketchShape shape;

	/* the first state comes from a table and is not checked yet */
	(void) vsm_sketch_of(PointerGetDatum(state));
	vsm_sketch_require_same_error(state, other);
	vsm_sketch_require_countable(state, other);
	shape = vsm_sketch_shape_to_merge(state, other);
	if (!vsm_sketch_fits(state, &shape))
		state = vsm_sketch_with_shape(state, &shape);
	vsm_sketch_merge(state, other);
	return PointerGetDatum(state);
}

/* vsm._sketch_uncombine(state, sketch): inverse transition function of rollup() */
Datum
vsm__sketch_uncombine(PG_FUNCTION_ARGS)
{
	VsmSketch  *state = state_of(fcinfo);

	(void) vsm_sketch_of(PointerGetDatum(state));
	if (!vsm_sketch_subtract(state, VSM_GETARG_SKETCH(1)))
		refuse_removal();
	return PointerGetDatum(state);
}

/*
 * The server removes only what it added, unless a function is wrongly marked as
 * immutable, or the aggregate is a user's own.
 */
static void
refuse_removal(void)
{
	ereport(ERROR,
			errcode(VSM_UNPROCESSABLE),
			errmsg("cannot remove values that the sketch does not hold"),
			errdetail("The value that leaves the frame of a window is not the one that entered it."),
			errhint("Use only immutable functions in the argument of the aggregate."));
}

/* vsm._sketch_finish(state) -> sketch: final function of rollup() */
Datum
vsm__sketch_finish(PG_FUNCTION_ARGS)
{
	VSM_RETURN_SKETCH(vsm_sketch_least(VSM_GETARG_SKETCH(0)));
}

/*
 * vsm._sketch_finish_values(state) -> sketch: final function of percentile_agg();
 * null when there was no value
 */
Datum
vsm__sketch_finish_values(PG_FUNCTION_ARGS)
{
	const VsmSketch *state = VSM_GETARG_SKETCH(0);

	if (state->count == 0)
		PG_RETURN_NULL();
	VSM_RETURN_SKETCH(vsm_sketch_least(state));
}

static void
refuse_value(double value)
{
	ereport(ERROR,
			errcode(VSM_UNPROCESSABLE),
			errmsg("cannot add %s to a sketch", isnan(value) ? "NaN" : value < 0 ? "-Infinity"
																					  : "Infinity"),
			errdetail("A sketch holds finite values."),
			errhint("Leave out such values: percentile_agg(x) FILTER (WHERE abs(x) < 'Infinity')."));
}
