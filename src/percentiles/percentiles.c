/*
 * percentiles.c
 *		The aggregates vsm.percentile() and vsm.percentiles(): exact.
 *
 * The rule is that of percentile_disc (rank.h).  The fractions come with every
 * row, because an ordinary aggregate has no other way to get them, and must be the
 * same in all rows of a group.
 *
 * values.c keeps the values, in memory within work_mem and beyond it in a temporary
 * file.  The executor calls close_values() when it has finished with a group.  A
 * window function has no such callback, so the values of a frame stay in memory.
 *
 * A state has no form in which a parallel worker could send it to its leader: the
 * values would make it as large as the table.  The aggregates are PARALLEL
 * RESTRICTED, so workers may scan, and the leader aggregates.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "arguments.h"
#include "errors.h"
#include "fractions.h"
#include "rank.h"
#include "values.h"

typedef struct Percentiles
{
	bool		single;			/* vsm.percentile(): the array has the one fraction */
	ArrayType  *fractions;		/* NULL: they are null */
	VsmValues	values;
} Percentiles;

/* A rank, from 0, and the place of the fraction that asks for it. */
typedef struct Wanted
{
	int64		rank;
	int			place;
} Wanted;

static inline Percentiles *state_for_value(FunctionCallInfo fcinfo, bool intervals);
static Percentiles *first_state(FunctionCallInfo fcinfo, bool intervals);
static VsmValuesBudget *budget_of_call(FunctionCallInfo fcinfo);
static void close_values(Datum values);
static inline bool same_fractions(FunctionCallInfo fcinfo, const Percentiles *state);
static void find_percentiles(Percentiles *state, Datum *values, const bool *nulls, int count);
static int	compare_ranks(const void *a, const void *b);

PG_FUNCTION_INFO_V1(vsm__percentiles_step_float8);
PG_FUNCTION_INFO_V1(vsm__percentiles_step_interval);
PG_FUNCTION_INFO_V1(vsm__percentiles_finish);
PG_FUNCTION_INFO_V1(vsm__percentile_finish);

/*
 * vsm._percentiles_step(state, value float8, fractions float8 or float8[])
 *		Transition function; nulls do not count; PT422.
 */
Datum
vsm__percentiles_step_float8(PG_FUNCTION_ARGS)
{
	Percentiles *state = state_for_value(fcinfo, false);

	if (state == NULL)
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(1))
		vsm_values_add(&state->values, vsm_float8_key(PG_GETARG_FLOAT8(1)));
	PG_RETURN_POINTER(state);
}

/* vsm._percentiles_step(state, value interval, fractions float8 or float8[]) */
Datum
vsm__percentiles_step_interval(PG_FUNCTION_ARGS)
{
	Percentiles *state = state_for_value(fcinfo, true);

	if (state == NULL)
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(1))
		vsm_values_add_interval(&state->values, PG_GETARG_INTERVAL_P(1));
	PG_RETURN_POINTER(state);
}

/* NULL until there is a value. */
static inline Percentiles *
state_for_value(FunctionCallInfo fcinfo, bool intervals)
{
	Percentiles *state = PG_ARGISNULL(0) ? NULL : (Percentiles *) PG_GETARG_POINTER(0);

	if (PG_ARGISNULL(1))
		return state;
	if (unlikely(state == NULL))
		return first_state(fcinfo, intervals);
	if (unlikely(!same_fractions(fcinfo, state)))
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("the fractions change within an aggregate"),
				errdetail("Some rows have other fractions than the first row."),
				errhint("Give the same fractions for all rows of a group."));
	return state;
}

static Percentiles *
first_state(FunctionCallInfo fcinfo, bool intervals)
{
	MemoryContext context = vsm_require_aggregate(fcinfo);
	MemoryContext old = MemoryContextSwitchTo(context);
	Percentiles *state = palloc0(sizeof(Percentiles));

	vsm_values_init(&state->values, intervals, context, budget_of_call(fcinfo));
	if (state->values.budget)
		AggRegisterCallback(fcinfo, close_values, PointerGetDatum(&state->values));
	state->single = get_fn_expr_argtype(fcinfo->flinfo, 2) != FLOAT8ARRAYOID;
	if (!PG_ARGISNULL(2))
	{
		Datum		fractions = PG_GETARG_DATUM(2);

		if (state->single)
			state->fractions = construct_array(&fractions, 1, FLOAT8OID, sizeof(float8),
											   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
		else
			state->fractions = DatumGetArrayTypePCopy(fractions);
		(void) vsm_require_fractions(state->fractions);
	}
	MemoryContextSwitchTo(old);
	return state;
}

/* Shared by the groups of one call in the plan; NULL in a window. */
static VsmValuesBudget *
budget_of_call(FunctionCallInfo fcinfo)
{
	if (AggCheckCallContext(fcinfo, NULL) != AGG_CONTEXT_AGGREGATE)
		return NULL;
	if (fcinfo->flinfo->fn_extra == NULL)
		fcinfo->flinfo->fn_extra = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(VsmValuesBudget));
	return fcinfo->flinfo->fn_extra;
}

static void
close_values(Datum values)
{
	vsm_values_close((VsmValues *) DatumGetPointer(values));
}

static inline bool
same_fractions(FunctionCallInfo fcinfo, const Percentiles *state)
{
	const ArrayType *fractions;

	if (PG_ARGISNULL(2) || state->fractions == NULL)
		return PG_ARGISNULL(2) && state->fractions == NULL;
	if (state->single)
		return PG_GETARG_FLOAT8(2) == *(float8 *) ARR_DATA_PTR(state->fractions);
	fractions = PG_GETARG_ARRAYTYPE_P(2);
	return VARSIZE(fractions) == VARSIZE(state->fractions) &&
		memcmp(fractions, state->fractions, VARSIZE(fractions)) == 0;
}

/* vsm._percentile_finish(state) -> float8 or interval: final function of vsm.percentile() */
Datum
vsm__percentile_finish(PG_FUNCTION_ARGS)
{
	Percentiles *state = PG_ARGISNULL(0) ? NULL : (Percentiles *) PG_GETARG_POINTER(0);
	Datum		value;
	bool		isnull = false;

	if (state == NULL || state->fractions == NULL)
		PG_RETURN_NULL();
	value = Float8GetDatum(*(float8 *) ARR_DATA_PTR(state->fractions));
	find_percentiles(state, &value, &isnull, 1);
	PG_RETURN_DATUM(value);
}

/* vsm._percentiles_finish(state) -> float8[] or interval[]: final function of vsm.percentiles() */
Datum
vsm__percentiles_finish(PG_FUNCTION_ARGS)
{
	Percentiles *state = PG_ARGISNULL(0) ? NULL : (Percentiles *) PG_GETARG_POINTER(0);
	VsmFractions fractions;

	if (state == NULL || state->fractions == NULL)
		PG_RETURN_NULL();
	fractions = vsm_require_fractions(state->fractions);
	find_percentiles(state, fractions.values, fractions.nulls, fractions.count);
	PG_RETURN_ARRAYTYPE_P(vsm_fractions_answer(&fractions, state->values.intervals ? INTERVALOID : FLOAT8OID));
}

/* Replaces each fraction that is not null by its percentile. */
static void
find_percentiles(Percentiles *state, Datum *values, const bool *nulls, int count)
{
	Wanted	   *wanted = palloc(sizeof(Wanted) * Max(count, 1));
	int64	   *ranks = palloc(sizeof(int64) * Max(count, 1));
	void	   *found = palloc(sizeof(Interval) * Max(count, 1));
	uint64		total = (uint64) state->values.count;
	int			n = 0;

	for (int i = 0; i < count; i++)
		if (!nulls[i])
			wanted[n++] = (Wanted){(int64) vsm_percentile_rank(DatumGetFloat8(values[i]), total) - 1, i};
	qsort(wanted, n, sizeof(Wanted), compare_ranks);
	for (int i = 0; i < n; i++)
		ranks[i] = wanted[i].rank;
	vsm_values_select(&state->values, ranks, n, found);
	for (int i = 0; i < n; i++)
		if (state->values.intervals)
			values[wanted[i].place] = IntervalPGetDatum((Interval *) found + i);
		else
			values[wanted[i].place] = Float8GetDatum(vsm_float8_of_key(((uint64 *) found)[i]));
}

static int
compare_ranks(const void *a, const void *b)
{
	int64		first = ((const Wanted *) a)->rank;
	int64		second = ((const Wanted *) b)->rank;

	return first < second ? -1 : first > second;
}
