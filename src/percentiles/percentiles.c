/*
 * percentiles.c
 *		The aggregates vsm.percentile() and vsm.percentiles(): exact.
 *
 * The rule is that of percentile_disc: the smallest value such that at least that
 * fraction of the values is at or below it.  The fractions come with every row,
 * since an ordinary aggregate has no other way to get them, and have to be the
 * same in all rows of a group.
 *
 * The state is kept by values.c, within work_mem by a temporary file, which is
 * closed when the executor is through with the group.  A parallel worker sends its
 * state as one message, with the values or, when they did not stay in memory, the
 * name of a file (values_handover.c).  In a window there is no such moment to close
 * a file, so the values of a frame stay in memory.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "arguments.h"
#include "compat.h"
#include "errors.h"
#include "values.h"

typedef struct Percentiles
{
	bool		no_fractions;	/* they are null */
	bool		one;			/* vsm.percentile(): one fraction, here as an array */
	ArrayType  *fractions;
	VsmValues	values;
} Percentiles;

/* A state on its way from a worker; the fractions follow, aligned, then the values if they are not in a file. */
typedef struct Message
{
	int32		vl_len_;
	bool		no_fractions;
	bool		one;
	bool		intervals;
	bool		in_file;
	int64		count;
	Size		fractions_size;
	VsmHandover handover;
} Message;

/* A rank, and which of the fractions asks for it. */
typedef struct Wanted
{
	int64		rank;
	int			place;
} Wanted;

#define MESSAGE_FRACTIONS	MAXALIGN(sizeof(Message))

static inline Percentiles *state_to_add(FunctionCallInfo fcinfo, bool intervals);
static Percentiles *new_state(FunctionCallInfo fcinfo, MemoryContext context, bool intervals);
static void close_values(Datum values);
static ArrayType *check_fractions(ArrayType *fractions);
static inline bool same_fractions(FunctionCallInfo fcinfo, const Percentiles *state);
static bool same_array(const ArrayType *a, const ArrayType *b);
pg_noreturn static void refuse_other_fractions(void);
static void find(Percentiles *state, Datum *values, const bool *nulls, int count);
static int	compare_ranks(const void *a, const void *b);

PG_FUNCTION_INFO_V1(vsm__percentiles_step_float8);
PG_FUNCTION_INFO_V1(vsm__percentiles_step_interval);
PG_FUNCTION_INFO_V1(vsm__percentiles_combine);
PG_FUNCTION_INFO_V1(vsm__percentiles_serialize);
PG_FUNCTION_INFO_V1(vsm__percentiles_deserialize);
PG_FUNCTION_INFO_V1(vsm__percentiles_finish);
PG_FUNCTION_INFO_V1(vsm__percentile_finish);

/* vsm._percentiles_step(state, value float8, fractions float8 or float8[]): transition function; nulls do not count; PT422 */
Datum
vsm__percentiles_step_float8(PG_FUNCTION_ARGS)
{
	Percentiles *state = state_to_add(fcinfo, false);

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
	Percentiles *state = state_to_add(fcinfo, true);

	if (state == NULL)
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(1))
		vsm_values_add_interval(&state->values, PG_GETARG_INTERVAL_P(1));
	PG_RETURN_POINTER(state);
}

/* The state, or a new one; NULL as long as there are only nulls. */
static inline Percentiles *
state_to_add(FunctionCallInfo fcinfo, bool intervals)
{
	Percentiles *state = PG_ARGISNULL(0) ? NULL : (Percentiles *) PG_GETARG_POINTER(0);
	MemoryContext context;

	if (PG_ARGISNULL(1))
		return state;
	if (likely(state != NULL))
	{
		if (unlikely(!same_fractions(fcinfo, state)))
			refuse_other_fractions();
		return state;
	}
	context = vsm_require_aggregate(fcinfo);
	state = new_state(fcinfo, context, intervals);
	state->one = get_fn_expr_argtype(fcinfo->flinfo, 2) != FLOAT8ARRAYOID;
	state->no_fractions = PG_ARGISNULL(2);
	if (!state->no_fractions)
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		Datum		fractions = PG_GETARG_DATUM(2);

		if (state->one)
			fractions = PointerGetDatum(construct_array(&fractions, 1, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
		state->fractions = check_fractions(DatumGetArrayTypePCopy(fractions));
		MemoryContextSwitchTo(old);
	}
	return state;
}

/* Without fractions.  What its groups take is counted by the call in the plan. */
static Percentiles *
new_state(FunctionCallInfo fcinfo, MemoryContext context, bool intervals)
{
	Percentiles *state = MemoryContextAllocZero(context, sizeof(Percentiles));
	VsmValuesBudget *budget = NULL;

	if (AggCheckCallContext(fcinfo, NULL) == AGG_CONTEXT_AGGREGATE)
	{
		if (fcinfo->flinfo->fn_extra == NULL)
			fcinfo->flinfo->fn_extra = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(VsmValuesBudget));
		budget = fcinfo->flinfo->fn_extra;
		AggRegisterCallback(fcinfo, close_values, PointerGetDatum(&state->values));
		if (IsInParallelMode() && !IsParallelWorker())
			vsm_values_expect_handover();
	}
	vsm_values_init(&state->values, intervals, context, budget);
	return state;
}

static void
close_values(Datum values)
{
	vsm_values_close((VsmValues *) DatumGetPointer(values));
}

static ArrayType *
check_fractions(ArrayType *fractions)
{
	Datum	   *values;
	bool	   *nulls;
	int			count;

	vsm_require_few_fractions(fractions);
	deconstruct_array(fractions, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &values, &nulls, &count);
	for (int i = 0; i < count; i++)
		if (!nulls[i])
			(void) vsm_require_fraction(DatumGetFloat8(values[i]));
	return fractions;
}

static inline bool
same_fractions(FunctionCallInfo fcinfo, const Percentiles *state)
{
	if (PG_ARGISNULL(2) || state->no_fractions)
		return PG_ARGISNULL(2) && state->no_fractions;
	if (state->one)
		return PG_GETARG_FLOAT8(2) == *(float8 *) ARR_DATA_PTR(state->fractions);
	return same_array(PG_GETARG_ARRAYTYPE_P(2), state->fractions);
}

static bool
same_array(const ArrayType *a, const ArrayType *b)
{
	return VARSIZE(a) == VARSIZE(b) && memcmp(a, b, VARSIZE(a)) == 0;
}

static void
refuse_other_fractions(void)
{
	ereport(ERROR,
			errcode(VSM_UNPROCESSABLE),
			errmsg("the fractions change within an aggregate"),
			errdetail("They are others for some rows than for the first one."),
			errhint("Give the same fractions for all rows of a group."));
}

/* vsm._percentiles_combine(state, state): combine function */
Datum
vsm__percentiles_combine(PG_FUNCTION_ARGS)
{
	Percentiles *state = PG_ARGISNULL(0) ? NULL : (Percentiles *) PG_GETARG_POINTER(0);
	Percentiles *other = PG_ARGISNULL(1) ? NULL : (Percentiles *) PG_GETARG_POINTER(1);
	MemoryContext context = vsm_require_aggregate(fcinfo);

	if (other == NULL)
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	if (state == NULL)
	{
		state = new_state(fcinfo, context, other->values.intervals);
		state->one = other->one;
		state->no_fractions = other->no_fractions;
		if (other->fractions)
		{
			state->fractions = MemoryContextAlloc(context, VARSIZE(other->fractions));
			memcpy(state->fractions, other->fractions, VARSIZE(other->fractions));
		}
	}
	else if (state->no_fractions != other->no_fractions ||
			 (state->fractions && !same_array(state->fractions, other->fractions)))
		refuse_other_fractions();
	vsm_values_add_all(&state->values, &other->values);
	vsm_values_close(&other->values);
	PG_RETURN_POINTER(state);
}

/* vsm._percentiles_serialize(state) -> bytea */
Datum
vsm__percentiles_serialize(PG_FUNCTION_ARGS)
{
	Percentiles *state = (Percentiles *) PG_GETARG_POINTER(0);
	Size		fractions_size = state->fractions ? VARSIZE(state->fractions) : 0;
	Size		values_place = MESSAGE_FRACTIONS + MAXALIGN(fractions_size);
	Size		size = values_place + vsm_values_bytes(&state->values);
	bool		in_file = state->values.spilled > 0 || !AllocSizeIsValid(size);
	Message    *message;

	if (in_file)
		size = values_place;
	message = palloc0(size);
	SET_VARSIZE(message, size);
	message->no_fractions = state->no_fractions;
	message->one = state->one;
	message->intervals = state->values.intervals;
	message->in_file = in_file;
	message->count = state->values.count;
	message->fractions_size = fractions_size;
	if (fractions_size > 0)
		memcpy((char *) message + MESSAGE_FRACTIONS, state->fractions, fractions_size);
	if (in_file)
		vsm_values_hand_over(&state->values, &message->handover);
	else
		vsm_values_copy(&state->values, (char *) message + values_place);
	PG_RETURN_BYTEA_P(message);
}

/*
 * vsm._percentiles_deserialize(bytea, internal) -> state
 *
 * It points into the message, and is only read.  In a tuple with other columns
 * the message is aligned as a bytea, so its numbers and values have to be copied.
 */
Datum
vsm__percentiles_deserialize(PG_FUNCTION_ARGS)
{
	char	   *bytes;
	Percentiles *state;
	Message		message;

	(void) vsm_require_aggregate(fcinfo);
	bytes = (char *) PG_GETARG_BYTEA_P(0);
	state = palloc0(sizeof(Percentiles));
	memcpy(&message, bytes, sizeof(Message));
	state->no_fractions = message.no_fractions;
	state->one = message.one;
	if (message.fractions_size > 0)
		state->fractions = (ArrayType *) (bytes + MESSAGE_FRACTIONS);
	vsm_values_init(&state->values, message.intervals, CurrentMemoryContext, NULL);
	if (message.in_file)
		vsm_values_receive(&state->values, &message.handover, message.count);
	else
	{
		state->values.values = bytes + MESSAGE_FRACTIONS + MAXALIGN(message.fractions_size);
		state->values.count = state->values.kept = state->values.room = message.count;
	}
	PG_RETURN_POINTER(state);
}

/* vsm._percentile_finish(state) -> float8 or interval: final function of vsm.percentile() */
Datum
vsm__percentile_finish(PG_FUNCTION_ARGS)
{
	Percentiles *state = PG_ARGISNULL(0) ? NULL : (Percentiles *) PG_GETARG_POINTER(0);
	Datum		value;
	bool		isnull = false;

	if (state == NULL || state->no_fractions)
		PG_RETURN_NULL();
	value = Float8GetDatum(*(float8 *) ARR_DATA_PTR(state->fractions));
	find(state, &value, &isnull, 1);
	PG_RETURN_DATUM(value);
}

/* vsm._percentiles_finish(state) -> float8[] or interval[]: final function of vsm.percentiles() */
Datum
vsm__percentiles_finish(PG_FUNCTION_ARGS)
{
	Percentiles *state = PG_ARGISNULL(0) ? NULL : (Percentiles *) PG_GETARG_POINTER(0);
	ArrayType  *fractions;
	bool		intervals;
	Datum	   *values;
	bool	   *nulls;
	int			count;

	if (state == NULL || state->no_fractions)
		PG_RETURN_NULL();
	fractions = state->fractions;
	intervals = state->values.intervals;
	deconstruct_array(fractions, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &values, &nulls, &count);
	find(state, values, nulls, count);
	PG_RETURN_ARRAYTYPE_P(construct_md_array(values, nulls, ARR_NDIM(fractions), ARR_DIMS(fractions), ARR_LBOUND(fractions),
											 intervals ? INTERVALOID : FLOAT8OID,
											 intervals ? sizeof(Interval) : sizeof(float8),
											 !intervals && FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* Puts the percentile in the place of each fraction that is not null. */
static void
find(Percentiles *state, Datum *values, const bool *nulls, int count)
{
	Wanted	   *wanted = palloc(sizeof(Wanted) * Max(count, 1));
	int64	   *ranks = palloc(sizeof(int64) * Max(count, 1));
	void	   *found = palloc(sizeof(Interval) * Max(count, 1));
	int			n = 0;

	for (int i = 0; i < count; i++)
		if (!nulls[i])
			wanted[n++] = (Wanted){vsm_rank_of(DatumGetFloat8(values[i]), state->values.count), i};
	qsort(wanted, n, sizeof(Wanted), compare_ranks);
	for (int i = 0; i < n; i++)
		ranks[i] = wanted[i].rank;
	vsm_values_select(&state->values, ranks, n, found);
	for (int i = 0; i < n; i++)
		values[wanted[i].place] = state->values.intervals ? IntervalPGetDatum((Interval *) found + i)
														  : Float8GetDatum(vsm_float8_of_key(((uint64 *) found)[i]));
}

static int
compare_ranks(const void *a, const void *b)
{
	int64		first = ((const Wanted *) a)->rank;
	int64		second = ((const Wanted *) b)->rank;

	return first < second ? -1 : first > second;
}
