/*
 * item_state.h
 *		The state of a work item as a fold over its moves.
 */
#ifndef VSM_ITEM_STATE_H
#define VSM_ITEM_STATE_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "stage_cache.h"

/* Compared and hashed bytewise, so it has no padding. */
typedef struct VsmItemState
{
	int64		stage_id;
	TimestampTz created_at;
	TimestampTz stage_entered_at;
	TimestampTz started_at;		/* DT_NOBEGIN: not started */
	TimestampTz completed_at;	/* DT_NOBEGIN: not finished */
	TimestampTz discarded_at;	/* DT_NOBEGIN: not discarded */
	int64		furthest_stage_id;	/* in the order, without discarded stages; 0: none */
	int64		active_us;		/* in active stages since the start */
	int64		wait_us;		/* in wait stages since the start */
	int32		reopened;		/* times it left "done" */
	int32		backward_moves; /* moves to an earlier stage */
	int32		discarded;		/* times it entered "discarded" */
	int32		unused;			/* 0 */
} VsmItemState;

/* What a move adds to the figures: columns of its ledger row that follow from the moves before it. */
typedef struct VsmMoveEffect
{
	bool		finishes;		/* enters "done" from another category */
	TimestampTz undoes;			/* the completion that it ends; DT_NOBEGIN: none */
	int64		furthest_before;	/* 0: the stage left; see the column's comment */
	int16		started_change; /* of started WIP */

	/* if it finishes the item */
	TimestampTz created_at;
	TimestampTz started_at;		/* DT_NOBEGIN: never */
	int64		active_us;
	int64		wait_us;
} VsmMoveEffect;

extern void vsm_state_create(VsmItemState *state, const VsmStage *first, TimestampTz at);
extern void vsm_state_move(VsmItemState *state, const VsmStage *from, const VsmStage *to, TimestampTz at);
extern void vsm_move_effect(VsmMoveEffect *effect, const VsmItemState *before, const VsmStage *from,
							const VsmItemState *after, const VsmStage *to);

#endif							/* VSM_ITEM_STATE_H */
