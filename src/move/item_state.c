/*
 * item_state.c
 *		The state of a work item as a fold over its moves.
 *
 * One rule has three users: the row trigger applies it to one live move
 * (transition.c), vsm._replay to whole histories, for imports and repairs
 * (replay.c), and vsm._completions to the parts of a history that the reopen
 * rules choose (completions.c).  So the state in vsm.work_items agrees with the
 * ledger by construction.
 */
#include "item_state.h"

#include "utils/timestamp.h"

#include "duration.h"

/* The state after an item's first entry. */
void
vsm_state_create(VsmItemState *state, const VsmStage *first, TimestampTz at)
{
	state->stage_id = first->id;
	state->created_at = at;
	state->stage_entered_at = at;
	state->started_at = first->started ? at : DT_NOBEGIN;
	state->completed_at = first->category == VSM_DONE ? at : DT_NOBEGIN;
	state->active_us = 0;
	state->wait_us = 0;
	state->reopened = 0;
	state->backward_moves = 0;
}

/*
 * vsm_state_move
 *		The state after a move to another stage.
 *
 * Time before the start and time in done stages is neither active nor wait.
 * A move between two done stages is no new completion.
 */
void
vsm_state_move(VsmItemState *state, const VsmStage *from, const VsmStage *to, TimestampTz at)
{
	int64		stay_us = vsm_elapsed_us(state->stage_entered_at, at);

	if (state->started_at != DT_NOBEGIN)
	{
		if (from->category == VSM_ACTIVE)
			state->active_us += stay_us;
		else if (from->category == VSM_WAIT)
			state->wait_us += stay_us;
	}

	if (to->category == VSM_DONE && from->category != VSM_DONE)
		state->completed_at = at;
	else if (to->category != VSM_DONE && from->category == VSM_DONE)
	{
		state->completed_at = DT_NOBEGIN;
		state->reopened++;
	}

	if (to->order < from->order)
		state->backward_moves++;
	if (to->started && state->started_at == DT_NOBEGIN)
		state->started_at = at;
	state->stage_id = to->id;
	state->stage_entered_at = at;
}
