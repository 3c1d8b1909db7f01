/*
 * sequence.h
 *		The events of one item in order: which of them are moves.
 */
#ifndef VSM_SEQUENCE_H
#define VSM_SEQUENCE_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "item_state.h"

typedef struct VsmSequence
{
	int			moves;			/* so far */
	int64		stage_id;		/* where the item is */
	TimestampTz entered_at;		/* when it came there */
	bool		known;			/* all stages so far are defined, so state and stage are right */
	VsmItemState state;
	VsmStage	stage;			/* its texts must not be read: the cache may have dropped them */

	/* stages entered at the instant of the last event, to find copies */
	TimestampTz instant;
	int			count;
	int			size;
	int64	   *stages;

	/* what the last event is */
	bool		copy;
	bool		keep;
	bool		first;
	int64		from_stage_id;
	int64		time_in_stage_us;
	int64		cycle_us;		/* -1: none */
	int64		lead_us;		/* -1: the event does not finish the item */
	VsmMoveEffect effect;
} VsmSequence;

extern VsmSequence *vsm_sequence_begin(MemoryContext context);
extern void vsm_sequence_next_item(VsmSequence *sequence);
extern void vsm_sequence_add(VsmSequence *sequence, int64 stage_id, TimestampTz at, bool is_new);

#endif							/* VSM_SEQUENCE_H */
