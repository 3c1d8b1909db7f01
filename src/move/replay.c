/*
 * replay.c
 *		The state of an item after all its moves: the aggregate vsm._replay.
 *
 * An aggregate's input may come in any order: the moves are sorted by time,
 * equal times by ledger id, before the fold.
 */
#include "replay.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "arguments.h"
#include "duration.h"
#include "item_state.h"
#include "roles/stream_access.h"

static bool replay_moves(VsmMoves *moves, VsmItemState *state);
static int	compare_moves(const void *a, const void *b, void *arg);

PG_FUNCTION_INFO_V1(vsm__replay_step);
PG_FUNCTION_INFO_V1(vsm__replay_state);

/* vsm._replay(to_stage_id, "timestamp", id): transition function */
Datum
vsm__replay_step(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(vsm_collect_move(fcinfo));
}

/*
 * vsm._replay(...) -> vsm._item_state
 *		Final function; null when a move names a stage that is not defined.
 */
Datum
vsm__replay_state(PG_FUNCTION_ARGS)
{
	VsmMoves	   *moves = PG_ARGISNULL(0) ? NULL : (VsmMoves *) PG_GETARG_POINTER(0);
	VsmItemState state;
	TupleDesc	desc;
	Datum		values[VSM_STATE_COLUMNS];
	bool		nulls[VSM_STATE_COLUMNS];

	if (moves == NULL || !replay_moves(moves, &state))
		PG_RETURN_NULL();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	vsm_state_values(&state, values, nulls);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

VsmMoves *
vsm_collect_move(FunctionCallInfo fcinfo)
{
	VsmMoves	   *moves = PG_ARGISNULL(0) ? NULL : (VsmMoves *) PG_GETARG_POINTER(0);
	MemoryContext aggregate = vsm_require_aggregate(fcinfo);
	VsmMove	   *move;

	vsm_require_given(fcinfo, 1, "the stage of a move");
	vsm_require_given(fcinfo, 2, "the time of a move");
	vsm_require_given(fcinfo, 3, "the id of a move");
	(void) vsm_require_finite(PG_GETARG_TIMESTAMPTZ(2), "the time of a move");

	if (moves == NULL)
	{
		moves = MemoryContextAllocZero(aggregate, sizeof(VsmMoves));
		moves->size = 8;		/* most items have fewer moves; doubled as needed */
		moves->moves = MemoryContextAlloc(aggregate, sizeof(VsmMove) * moves->size);
	}
	else if (moves->count == moves->size)
	{
		moves->size *= 2;
		moves->moves = repalloc_huge(moves->moves, sizeof(VsmMove) * moves->size);
	}
	move = &moves->moves[moves->count++];
	move->to_stage_id = PG_GETARG_INT64(1);
	move->at = PG_GETARG_TIMESTAMPTZ(2);
	move->id = PG_GETARG_INT64(3);
	return moves;
}

/* Aggregates may share one collection, so it may be sorted already. */
void
vsm_sort_moves(VsmMoves *moves)
{
	qsort_interruptible(moves->moves, moves->count, sizeof(VsmMove), compare_moves, NULL);
}

/* False if the stage is not defined.  A copy: a pointer is good only until the next look-up. */
bool
vsm_copy_stage_entered(const VsmMove *move, VsmStage *stage)
{
	const VsmStage *known;

	CHECK_FOR_INTERRUPTS();
	known = vsm_told_stage(move->to_stage_id);

	if (known == NULL)
		return false;
	*stage = *known;
	return true;
}

Datum
vsm_time_or_null(TimestampTz at, bool *isnull)
{
	*isnull = at == DT_NOBEGIN;
	return TimestampTzGetDatum(at);
}

/* False if a stage is not defined. */
static bool
replay_moves(VsmMoves *moves, VsmItemState *state)
{
	VsmStage	from;
	VsmStage	to;

	vsm_sort_moves(moves);
	for (int64 i = 0; i < moves->count; i++)
	{
		const VsmMove *move = &moves->moves[i];

		if (!vsm_copy_stage_entered(move, &to))
			return false;
		if (i == 0)
			vsm_state_create(state, &to, move->at);
		else
			vsm_state_move(state, &from, &to, move->at);
		from = to;
	}
	return moves->count > 0;
}

static int
compare_moves(const void *a, const void *b, void *arg)
{
	const VsmMove *left = a;
	const VsmMove *right = b;

	if (left->at != right->at)
		return left->at < right->at ? -1 : 1;
	return (left->id > right->id) - (left->id < right->id);
}

/* The columns of vsm._item_state. */
void
vsm_state_values(const VsmItemState *state, Datum *values, bool *nulls)
{
	memset(nulls, 0, sizeof(bool) * VSM_STATE_COLUMNS);
	values[0] = Int64GetDatum(state->stage_id);
	values[1] = TimestampTzGetDatum(state->created_at);
	values[2] = TimestampTzGetDatum(state->stage_entered_at);
	values[3] = vsm_time_or_null(state->started_at, &nulls[3]);
	values[4] = vsm_time_or_null(state->completed_at, &nulls[4]);
	values[5] = IntervalPGetDatum(vsm_interval(state->active_us));
	values[6] = IntervalPGetDatum(vsm_interval(state->wait_us));
	values[7] = Int32GetDatum(state->reopened);
	values[8] = Int32GetDatum(state->backward_moves);
	values[9] = vsm_time_or_null(state->discarded_at, &nulls[9]);
	values[10] = Int32GetDatum(state->discarded);
	values[11] = Int64GetDatum(state->furthest_stage_id);
	nulls[11] = state->furthest_stage_id == 0;
}
