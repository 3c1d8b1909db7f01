/*
 * effects.c
 *		What each move of an item adds to the figures: the aggregate vsm._effects.
 *
 * The row triggers store this with each move.  It is computed from a whole
 * history where the stored columns do not hold: after a change of the stages, and
 * for figures as they were known at an earlier instant.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "duration.h"
#include "item_state.h"
#include "ledger_row.h"
#include "replay.h"

#define EFFECT_COLUMNS	12
#define MOST_EFFECTS	4000000 /* an array is limited to 1 GB, and each takes some 200 bytes */

static int64 find_effects(VsmMoves *moves, Datum *elements, TupleDesc desc);
static Datum effect_datum(const VsmMove *move, const VsmItemState *before, const VsmMoveEffect *effect, TupleDesc desc);

PG_FUNCTION_INFO_V1(vsm__effects_array);

/*
 * vsm._effects(to_stage_id, "timestamp", id) -> vsm._effect[]
 *		Final function: the moves in order; null when one names a stage that is not defined.
 */
Datum
vsm__effects_array(PG_FUNCTION_ARGS)
{
	VsmMoves   *moves = PG_ARGISNULL(0) ? NULL : (VsmMoves *) PG_GETARG_POINTER(0);
	Oid			row_type = get_element_type(get_fn_expr_rettype(fcinfo->flinfo));
	TupleDesc	desc;
	Datum	   *elements;
	int64		count;

	if (moves == NULL)
		PG_RETURN_NULL();
	if (!OidIsValid(row_type))
		elog(ERROR, "return type must be an array of rows");
	if (moves->count > MOST_EFFECTS)
		ereport(ERROR,
				errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("a work item has too many moves"),
				errdetail("It has " INT64_FORMAT "; an array can hold %d of them.", moves->count, MOST_EFFECTS),
				errhint("Divide the history among several work items."));
	desc = lookup_rowtype_tupdesc(row_type, -1);
	elements = palloc(sizeof(Datum) * moves->count);
	count = find_effects(moves, elements, desc);
	ReleaseTupleDesc(desc);
	if (count < moves->count)
		PG_RETURN_NULL();
	PG_RETURN_ARRAYTYPE_P(construct_array(elements, (int) count, row_type, -1, false, TYPALIGN_DOUBLE));
}

/* Returns their number, which is less than that of the moves if a stage is not defined. */
static int64
find_effects(VsmMoves *moves, Datum *elements, TupleDesc desc)
{
	VsmItemState state = {0};
	VsmStage	from = {0};
	VsmStage	to;

	vsm_sort_moves(moves);
	for (int64 i = 0; i < moves->count; i++)
	{
		const VsmMove *move = &moves->moves[i];
		VsmItemState before = state;
		VsmMoveEffect effect;

		if (!vsm_copy_stage_entered(move, &to))
			return i;
		if (i == 0)
			vsm_state_create(&state, &to, move->at);
		else
			vsm_state_move(&state, &from, &to, move->at);
		vsm_move_effect(&effect, i == 0 ? NULL : &before, i == 0 ? NULL : &from, &state, &to);
		elements[i] = effect_datum(move, i == 0 ? NULL : &before, &effect, desc);
		from = to;
	}
	return moves->count;
}

static Datum
effect_datum(const VsmMove *move, const VsmItemState *before, const VsmMoveEffect *effect, TupleDesc desc)
{
	Datum		values[EFFECT_COLUMNS];
	bool		nulls[EFFECT_COLUMNS] = {0};

	values[0] = Int64GetDatum(move->id);
	values[1] = TimestampTzGetDatum(move->at);
	values[2] = Int64GetDatum(before ? before->stage_id : 0);
	values[3] = Int64GetDatum(move->to_stage_id);
	values[4] = before ? IntervalPGetDatum(vsm_interval(vsm_elapsed_us(before->stage_entered_at, move->at))) : (Datum) 0;
	nulls[2] = nulls[4] = before == NULL;
	vsm_effect_values(effect, values + 5, nulls + 5);
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}
