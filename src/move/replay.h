/*
 * replay.h
 *		Collecting the moves of an item and folding them in order.
 */
#ifndef VSM_REPLAY_H
#define VSM_REPLAY_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "fmgr.h"

#include "item_state.h"
#include "stage_cache.h"

#define VSM_STATE_COLUMNS 12	/* of vsm._item_state */

typedef struct VsmMove
{
	int64		to_stage_id;
	TimestampTz at;
	int64		id;
} VsmMove;

/* State of an aggregate over the moves of one item. */
typedef struct VsmMoves
{
	int64		count;
	int64		size;
	VsmMove    *moves;
	const struct VsmReopenRule *rule;	/* of vsm._completions (completions.c) */
} VsmMoves;

extern VsmMoves *vsm_collect_move(FunctionCallInfo fcinfo);
extern void vsm_sort_moves(VsmMoves *moves);
extern bool vsm_copy_stage_entered(const VsmMove *move, VsmStage *stage);
extern void vsm_state_values(const VsmItemState *state, Datum *values, bool *nulls);
extern Datum vsm_time_or_null(TimestampTz at, bool *isnull);

#endif							/* VSM_REPLAY_H */
