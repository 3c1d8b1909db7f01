/*
 * item_state.c
 *		The state of a work item as a fold over its moves.
 *
 * One rule has four users: the row trigger applies it to one live move
 * (transition.c), vsm._replay and vsm._effects to whole histories, for imports and
 * repairs (replay.c, effects.c), and vsm._completions to the parts of a history
 * that the reopen rules choose (completions.c).  So the state in vsm.work_items
 * agrees with the ledger by construction.
 */
#include "item_state.h"

#include "utils/timestamp.h"

#include "duration.h"

static bool is_further(const VsmStage *stage, int64 furthest_stage_id, const VsmStage *from);

/* The state after an item's first entry. */
void
vsm_state_create(VsmItemState *state, const VsmStage *first, TimestampTz at)
{
	memset(state, 0, sizeof(*state));
	state->stage_id = first->id;
	state->created_at = at;
	state->stage_entered_at = at;
	state->started_at = first->started ? at : DT_NOBEGIN;
	state->completed_at = first->category == VSM_DONE ? at : DT_NOBEGIN;
	state->discarded_at = first->category == VSM_DISCARDED ? at : DT_NOBEGIN;
	state->discarded = first->category == VSM_DISCARDED;
	state->furthest_stage_id = first->category == VSM_DISCARDED ? 0 : first->id;
}

/*
 * vsm_state_move
 *		The state after a move to another stage.
 *
 * Time before the start and time in done or discarded stages is neither active
 * nor wait.  A move between two done stages is no new completion, and one between
 * two discarded stages discards nothing.
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

	if (to->category != from->category)
	{
		if (from->category == VSM_DONE)
			state->reopened++;
		if (to->category == VSM_DISCARDED)
			state->discarded++;
		if (to->category == VSM_DONE || from->category == VSM_DONE)
			state->completed_at = to->category == VSM_DONE ? at : DT_NOBEGIN;
		if (to->category == VSM_DISCARDED || from->category == VSM_DISCARDED)
			state->discarded_at = to->category == VSM_DISCARDED ? at : DT_NOBEGIN;
	}

	if (to->order < from->order)
		state->backward_moves++;
	if (to->started && state->started_at == DT_NOBEGIN)
		state->started_at = at;
	if (is_further(to, state->furthest_stage_id, from))
		state->furthest_stage_id = to->id;
	state->stage_id = to->id;
	state->stage_entered_at = at;
}

/*
 * vsm_move_effect
 *		What a move adds to the figures, from the states before and after it.
 *
 * before, from: NULL for the item's first entry.
 */
void
vsm_move_effect(VsmMoveEffect *effect, const VsmItemState *before, const VsmStage *from,
				const VsmItemState *after, const VsmStage *to)
{
	bool		counts = after->started_at != DT_NOBEGIN && vsm_in_progress(to->category);
	bool		other_category = true;
	bool		counted = false;

	effect->undoes = DT_NOBEGIN;
	if (before && from)
	{
		other_category = from->category != to->category;
		counted = before->started_at != DT_NOBEGIN && vsm_in_progress(from->category);
		if (from->category == VSM_DONE && other_category)
			effect->undoes = before->completed_at;
	}
	effect->finishes = to->category == VSM_DONE && other_category;
	effect->started_change = (int16) (counts - counted);
	effect->created_at = after->created_at;
	effect->started_at = after->started_at;
	effect->active_us = after->active_us;
	effect->wait_us = after->wait_us;
	effect->furthest_before = 0;
	if (before == NULL || from == NULL)
		return;
	if (to->category == VSM_DISCARDED && before->discarded > 0)
		effect->furthest_before = to->id;
	else if (before->furthest_stage_id != from->id)
		effect->furthest_before = before->furthest_stage_id;
}

/* Does the stage stand after the furthest that the item has reached?  from: the stage that the item leaves. */
static bool
is_further(const VsmStage *stage, int64 furthest_stage_id, const VsmStage *from)
{
	const VsmStage *furthest;

	if (stage->category == VSM_DISCARDED)
		return false;
	furthest = furthest_stage_id == from->id ? from : vsm_stage(furthest_stage_id);
	return furthest == NULL || stage->order > furthest->order;
}
