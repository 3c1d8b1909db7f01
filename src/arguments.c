/*
 * arguments.c
 *		What a function that SQL can call checks of its arguments: see arguments.h.
 */
#include "arguments.h"

#include "catalog/pg_type.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "errors.h"

/*
 * vsm_require_aggregate
 *		The memory context of the aggregate that calls; refuses other callers.
 *
 * For a function with an argument of type internal.  SQL can call it with a null
 * there, but only a superuser can create an aggregate that passes it the state of
 * another aggregate.
 */
MemoryContext
vsm_require_aggregate(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (unlikely(!AggCheckCallContext(fcinfo, &context)))
		vsm_refuse_call(fcinfo);
	return context;
}

void
vsm_refuse_call(FunctionCallInfo fcinfo)
{
	char	   *name = get_func_name(fcinfo->flinfo->fn_oid);

	ereport(ERROR,
			errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			errmsg("function %s cannot be called by itself", name ? name : "of an aggregate"),
			errdetail("It is a part of an aggregate and works on the aggregate's state."),
			errhint("Call the aggregate."));
}

void
vsm_refuse_null(int argument, const char *what)
{
	ereport(ERROR,
			errcode(VSM_UNPROCESSABLE),
			errmsg("%s cannot be null", what),
			errdetail("Argument %d of the aggregate is null.", argument),
			errhint("Leave such rows out, or give a value."));
}

int64
vsm_require_between(int64 value, int64 least, int64 most, const char *what)
{
	if (unlikely(value < least || value > most))
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("%s is out of range", what),
				errdetail("It is " INT64_FORMAT ".", value),
				errhint("Give a number from " INT64_FORMAT " to " INT64_FORMAT ".", least, most));
	return value;
}

void
vsm_refuse_infinite(TimestampTz at, const char *what)
{
	ereport(ERROR,
			errcode(VSM_UNPROCESSABLE),
			errmsg("%s cannot be infinite", what),
			errdetail("It is %s.", at == DT_NOBEGIN ? "-infinity" : "infinity"),
			errhint("Give a point in time."));
}

/*
 * vsm_require_list
 *		The elements of an array of one dimension and that type, without nulls.
 *
 * type is int4 or int8.  An empty array has no dimension; it passes when least is 0.
 */
const void *
vsm_require_list(const ArrayType *array, Oid type, int least, int most, const char *what, int *count)
{
	Assert(ARR_ELEMTYPE(array) == type && (type == INT4OID || type == INT8OID));
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("%s must be a list", what),
				errdetail("The array has %d dimensions.", ARR_NDIM(array)),
				errhint("Give an array of one dimension."));
	*count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	if (*count < least || *count > most)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("%s are too few or too many", what),
				errdetail("The array has %d elements.", *count),
				errhint("Give an array of %d to %d elements.", least, most));
	if (array_contains_nulls((ArrayType *) array))
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("%s cannot hold a null", what),
				errdetail("An element of the array is null."),
				errhint("Leave nulls out: array_remove(a, NULL)."));
	return ARR_DATA_PTR(array);
}
