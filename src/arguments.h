/*
 * arguments.h
 *		What a function that SQL can call checks of its arguments.
 *
 * Every such function is public, whatever its name: a role can call it with any
 * arguments, or make an aggregate of its own over it.  STRICT in SQL handles nulls
 * where that is enough.  The rest is checked here, at the top of the function,
 * before an argument is used.  "what" names the argument in the caller's words.
 *
 * Errors: PT422; 0A000 for a call outside an aggregate.
 */
#ifndef VSM_ARGUMENTS_H
#define VSM_ARGUMENTS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "fmgr.h"
#include "utils/array.h"

#include "compat.h"

extern MemoryContext vsm_require_aggregate(FunctionCallInfo fcinfo);
extern int64 vsm_require_between(int64 value, int64 least, int64 most, const char *what);
extern const void *vsm_require_list(const ArrayType *array, Oid type, int least, int most, const char *what, int *count);
pg_noreturn extern void vsm_refuse_call(FunctionCallInfo fcinfo);
pg_noreturn extern void vsm_refuse_null(int argument, const char *what);
pg_noreturn extern void vsm_refuse_infinite(TimestampTz at, const char *what);

/* For transition functions, which cannot be STRICT; inline because they run for each row. */
static inline void
vsm_require_given(FunctionCallInfo fcinfo, int argument, const char *what)
{
	if (unlikely(PG_ARGISNULL(argument)))
		vsm_refuse_null(argument, what);
}

static inline TimestampTz
vsm_require_finite(TimestampTz at, const char *what)
{
	if (unlikely(TIMESTAMP_NOT_FINITE(at)))
		vsm_refuse_infinite(at, what);
	return at;
}

#endif							/* VSM_ARGUMENTS_H */
