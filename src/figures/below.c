/*
 * below.c
 *		How many values lie below each of some marks: the aggregate vsm._below.
 *
 * The values come in lists, of each piece of a window, and so do those that a later
 * piece takes away again.  The marks are the ages of the items in progress, which are
 * few beside the values: a value only counts in the gap between two marks that it
 * falls into, and the counts are added up at the end.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"

#include "arguments.h"
#include "compat.h"
#include "errors.h"

/* Arguments of the step, after the state. */
enum
{
	ARG_VALUES = 1,
	ARG_TAKEN,
	ARG_MARKS
};

/* Marks are as many as items in progress. */
#define MOST_MARKS	10000000

/* So many marks are tried one by one before the rest are halved. */
#define CLOSE	8

typedef struct Below
{
	int			nmarks;
	int64	   *marks;			/* in order */
	int64	   *counts;			/* of values below each mark and not below the one before; then of the rest */
} Below;

static Below *make_state(FunctionCallInfo fcinfo, MemoryContext context);
static void count_list(FunctionCallInfo fcinfo, Below *state, int argument, int change);
static inline int gap_of(const Below *state, int64 value, int near);

PG_FUNCTION_INFO_V1(vsm__below_step);
PG_FUNCTION_INFO_V1(vsm__below_counts);

/* vsm._below(list bigint[], taken bigint[], marks bigint[]): transition function */
Datum
vsm__below_step(PG_FUNCTION_ARGS)
{
	MemoryContext context = vsm_require_aggregate(fcinfo);
	Below	   *state = PG_ARGISNULL(0) ? make_state(fcinfo, context) : (Below *) PG_GETARG_POINTER(0);

	count_list(fcinfo, state, ARG_VALUES, 1);
	count_list(fcinfo, state, ARG_TAKEN, -1);
	PG_RETURN_POINTER(state);
}

/* vsm._below(...) -> bigint[]: final function, the values below each mark, and then all; null: no lists */
Datum
vsm__below_counts(PG_FUNCTION_ARGS)
{
	const Below *state = PG_ARGISNULL(0) ? NULL : (const Below *) PG_GETARG_POINTER(0);
	Datum	   *counts;
	int64		sum = 0;

	(void) vsm_require_aggregate(fcinfo);
	if (state == NULL)
		PG_RETURN_NULL();
	counts = palloc_extended(sizeof(Datum) * (state->nmarks + 1), MCXT_ALLOC_HUGE);
	for (int i = 0; i <= state->nmarks; i++)
	{
		sum += state->counts[i];
		counts[i] = Int64GetDatum(sum);
	}
	PG_RETURN_ARRAYTYPE_P(construct_array(counts, state->nmarks + 1, INT8OID, sizeof(int64), true, TYPALIGN_DOUBLE));
}

/* The marks of the first call hold for all. */
static Below *
make_state(FunctionCallInfo fcinfo, MemoryContext context)
{
	Below	   *state = MemoryContextAlloc(context, sizeof(Below));
	const int64 *marks;

	vsm_require_given(fcinfo, ARG_MARKS, "the marks");
	marks = vsm_require_list(PG_GETARG_ARRAYTYPE_P(ARG_MARKS), INT8OID, 0, MOST_MARKS, "the marks", &state->nmarks);
	for (int i = 1; i < state->nmarks; i++)
		if (marks[i] <= marks[i - 1])
			ereport(ERROR,
					errcode(VSM_UNPROCESSABLE),
					errmsg("the marks are not in ascending order"),
					errdetail("Mark %d is %lld, after %lld.", i + 1, (long long) marks[i], (long long) marks[i - 1]),
					errhint("Give each mark once, the least first."));
	state->marks = MemoryContextAlloc(context, sizeof(int64) * (state->nmarks + 1));
	memcpy(state->marks, marks, sizeof(int64) * state->nmarks);
	state->counts = MemoryContextAllocZero(context, sizeof(int64) * (state->nmarks + 1));
	return state;
}

static void
count_list(FunctionCallInfo fcinfo, Below *state, int argument, int change)
{
	const int64 *values;
	int			count;
	int			gap = 0;

	if (PG_ARGISNULL(argument))
		return;
	values = vsm_require_list(PG_GETARG_ARRAYTYPE_P(argument), INT8OID, 0, PG_INT32_MAX, "the values", &count);
	CHECK_FOR_INTERRUPTS();
	for (int i = 0; i < count; i++)
	{
		gap = gap_of(state, values[i], gap);
		state->counts[gap] += change;
	}
}

/*
 * gap_of
 *		The number of marks that are not above the value.
 *
 * Lists are often in order, and then it is near the one before.
 */
static inline int
gap_of(const Below *state, int64 value, int near)
{
	int			low = 0;
	int			high = state->nmarks;

	if (near == 0 || state->marks[near - 1] <= value)
	{
		int			close = Min(near + CLOSE, high);

		low = near;
		while (low < close && state->marks[low] <= value)
			low++;
		if (low < close || low == high)
			return low;
	}
	else
		high = near - 1;
	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (state->marks[middle] <= value)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
