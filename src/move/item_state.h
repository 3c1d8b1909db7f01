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
	int64		active_us;		/* in active stages since the start */
	int64		wait_us;		/* in wait stages since the start */
	int32		reopened;		/* times it left "done" */
	int32		backward_moves; /* moves to an earlier stage */
} VsmItemState;

extern void vsm_state_create(VsmItemState *state, const VsmStage *first, TimestampTz at);
extern void vsm_state_move(VsmItemState *state, const VsmStage *from, const VsmStage *to, TimestampTz at);

#endif							/* VSM_ITEM_STATE_H */
