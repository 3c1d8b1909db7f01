/*
 * sequence.c
 *		The events of one item in order: which of them are moves.
 *
 * An event is
 *	 a copy		a new event with item, stage and time of an earlier one
 *	 merged		the item is in its stage already
 *	 a move		from which stage, after how long a visit, and what it adds to the
 *				figures; if it finishes the item, also its cycle time and lead time
 */
#include "sequence.h"

#include "utils/memutils.h"

#include "duration.h"
#include "roles/stream_access.h"

static void follow_state(VsmSequence *sequence);
static bool seen_stage_at_instant(const VsmSequence *sequence, int64 stage_id);
static void add_stage_at_instant(VsmSequence *sequence, int64 stage_id);

VsmSequence *
vsm_sequence_begin(MemoryContext context)
{
	VsmSequence *sequence = MemoryContextAllocZero(context, sizeof(VsmSequence));

	sequence->instant = DT_NOBEGIN;
	sequence->size = 4;			/* few events of an item have the same time; doubled as needed */
	sequence->stages = MemoryContextAlloc(context, sizeof(int64) * sequence->size);
	return sequence;
}

/* The events that follow are those of another item. */
void
vsm_sequence_next_item(VsmSequence *sequence)
{
	VsmSequence empty = {.instant = DT_NOBEGIN, .size = sequence->size, .stages = sequence->stages};

	*sequence = empty;
}

/* Sets what the event is: copy, keep and the fields after it. */
void
vsm_sequence_add(VsmSequence *sequence, int64 stage_id, TimestampTz at, bool is_new)
{
	if (at != sequence->instant)
	{
		sequence->instant = at;
		sequence->count = 0;
	}
	/* a known event is no copy: a live item may return to a stage within a microsecond */
	sequence->copy = is_new && seen_stage_at_instant(sequence, stage_id);
	if (sequence->copy)
		return;
	add_stage_at_instant(sequence, stage_id);

	sequence->first = sequence->moves == 0;
	sequence->from_stage_id = sequence->stage_id;
	sequence->time_in_stage_us = sequence->first ? 0 : vsm_elapsed_us(sequence->entered_at, at);
	sequence->cycle_us = sequence->lead_us = -1;
	sequence->keep = sequence->first || stage_id != sequence->stage_id;
	if (!sequence->keep)
		return;
	sequence->moves++;
	sequence->stage_id = stage_id;
	sequence->entered_at = at;
	follow_state(sequence);
	if (!sequence->effect.finishes)
		return;
	sequence->lead_us = vsm_elapsed_us(sequence->effect.created_at, at);
	if (sequence->effect.started_at != DT_NOBEGIN)
		sequence->cycle_us = vsm_elapsed_us(sequence->effect.started_at, at);
}

/* The item's state after the move, as the trigger would compute it. */
static void
follow_state(VsmSequence *sequence)
{
	const VsmStage *to = vsm_told_stage(sequence->stage_id);

	VsmItemState before = sequence->state;
	VsmStage	entered;

	sequence->known = to && (sequence->first || sequence->known);
	memset(&sequence->effect, 0, sizeof(VsmMoveEffect));
	sequence->effect.undoes = DT_NOBEGIN;
	if (!sequence->known)
		return;
	entered = *to;
	if (sequence->first)
		vsm_state_create(&sequence->state, &entered, sequence->entered_at);
	else
		vsm_state_move(&sequence->state, &sequence->stage, &entered, sequence->entered_at);
	vsm_move_effect(&sequence->effect, sequence->first ? NULL : &before, sequence->first ? NULL : &sequence->stage,
					&sequence->state, &entered);
	sequence->stage = entered;
}

static bool
seen_stage_at_instant(const VsmSequence *sequence, int64 stage_id)
{
	for (int i = 0; i < sequence->count; i++)
		if (sequence->stages[i] == stage_id)
			return true;
	return false;
}

static void
add_stage_at_instant(VsmSequence *sequence, int64 stage_id)
{
	if (seen_stage_at_instant(sequence, stage_id))
		return;
	if (sequence->count == sequence->size)
	{
		sequence->size *= 2;
		sequence->stages = repalloc_huge(sequence->stages, sizeof(int64) * sequence->size);
	}
	sequence->stages[sequence->count++] = stage_id;
}
