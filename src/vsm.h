/*
 * vsm.h
 *		What the files of the extension share with each other.
 */
#ifndef VSM_H
#define VSM_H

#include "postgres.h"

#include "commands/trigger.h"
#include "datatype/timestamp.h"

/* vsm.c: settings */
extern bool vsm_recording;

/* vsm.c: acting as the owner of the tables */
typedef struct VsmIdentity
{
	Oid			user;
	int			sec_context;
} VsmIdentity;

extern VsmIdentity vsm_become(Oid owner);
extern void vsm_become_again(VsmIdentity before);
extern void vsm_require_recording_right(Relation rel);

/* stage_cache.c: definitions of streams, stages and types, cached per backend */
typedef enum VsmCategory
{
	VSM_WAIT,
	VSM_ACTIVE,
	VSM_DONE
} VsmCategory;

typedef struct VsmStage
{
	int64		id;
	char	   *name;
	char	   *stream;
	VsmCategory category;
	int32		order;
	int32		wip_limit;		/* 0: none */
	bool		started;		/* at or after the commitment point, not done */
	bool		retired;
} VsmStage;

extern const VsmStage *vsm_stage(int64 id);
extern const VsmStage *vsm_stage_named(const char *stream, const char *name);
extern const VsmStage *vsm_first_stage(const char *stream);
extern bool vsm_type_known(const char *type);

/* item_state.c: the state of an item as a fold over its moves */
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

/* duration.c: elapsed time, a day always 24 hours */
extern Interval *vsm_interval(int64 us);
extern int64 vsm_interval_us(const Interval *interval);
extern int64 vsm_elapsed_us(TimestampTz from, TimestampTz until);

/* request.c: a move asked for by vsm.transition(), seen by the triggers */
typedef struct VsmRequest
{
	int64		work_item_id;
	const char *expected_from;	/* or NULL */
	bool		has_at;
	TimestampTz at;
	const char *reason;			/* or NULL */

	/* answers of the triggers */
	bool		seen;			/* by the BEFORE trigger */
	bool		stays;			/* the item is in that stage already */
	bool		recorded;
	int64		id;				/* of the ledger row */
	int64		from_stage_id;
	int64		to_stage_id;
	TimestampTz recorded_at;
	int64		time_in_stage_us;
	int64		cycle_us;		/* -1: none */
	int64		lead_us;		/* -1: not finished */
	int32		wip_breach;		/* 0: none */
	char		actor[NAMEDATALEN];
} VsmRequest;

extern VsmRequest *vsm_request;

/* live_inserts.c: which inserted rows the ledger has to note */
extern void vsm_live_insert_note(int64 work_item_id);
extern bool vsm_live_insert_take(int64 work_item_id, HeapTuple tuple);

/* Columns of vsm.work_items; columns are only ever appended. */
enum
{
	ITEM_ID = 1,
	ITEM_STREAM,
	ITEM_EXTERNAL_ID,
	ITEM_TITLE,
	ITEM_TYPE,
	ITEM_CREATED_AT,
	ITEM_UPDATED_AT,
	ITEM_STAGE_ID,
	ITEM_STAGE_ENTERED_AT,
	ITEM_STARTED_AT,
	ITEM_COMPLETED_AT,
	ITEM_ACTIVE_TIME,
	ITEM_WAIT_TIME,
	ITEM_REOPENED,
	ITEM_BACKWARD_MOVES,
	ITEM_COLUMNS = ITEM_BACKWARD_MOVES
};

/* Columns of vsm.stage_transitions, in the order of its definition. */
#define LEDGER_COLUMNS 13

#endif							/* VSM_H */
