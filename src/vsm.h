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

/* decisions.c: what the BEFORE trigger decided, until the AFTER trigger records it */
typedef enum VsmDecided
{
	VSM_DECIDED_INSERT,
	VSM_DECIDED_MOVE,
	VSM_DECIDED_DELETE
} VsmDecided;

typedef struct VsmDecision
{
	int64		ledger_id;		/* of the row to be */
	const VsmRequest *request;	/* that it answers, or NULL */
} VsmDecision;

extern void vsm_decide(VsmDecided what, int64 work_item_id, const VsmItemState *state, const VsmRequest *request);
extern bool vsm_decision_take(VsmDecided what, int64 work_item_id, const VsmItemState *state, VsmDecision *decision);
extern bool vsm_decided_insert_since(int64 ledger_id);

/* ledger.c */
extern int64 vsm_next_ledger_id(void);

/* restore.c: who may write rows as they are */
extern bool vsm_takes_rows_as_they_are(Relation rel);

/* trigger_guard.c: our relations, and when a trigger function is made for one */
typedef enum VsmRelation
{
	VSM_TABLE_ITEMS,
	VSM_TABLE_LEDGER,
	VSM_TABLE_MERGED,
	VSM_TABLE_STREAMS,
	VSM_TABLE_STAGES,
	VSM_TABLE_TYPES,
	VSM_LEDGER_IDS,				/* the sequence */
	VSM_RELATIONS
} VsmRelation;

typedef struct VsmTriggerUse
{
	const char *function;		/* its name in schema vsm */
	const char *when;			/* in words */
	TriggerEvent timing;		/* bits of TRIGGER_EVENT_ROW, _BEFORE, _INSTEAD, all of them */
	TriggerEvent any;			/* those of them that do not matter */
	bool		truncate;		/* for TRUNCATE and nothing else */
	VsmRelation first;			/* its tables, in the order of VsmRelation */
	VsmRelation last;
} VsmTriggerUse;

extern Oid	vsm_relation(VsmRelation relation);
extern TriggerData *vsm_trigger_data(FunctionCallInfo fcinfo, const VsmTriggerUse *use);

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
