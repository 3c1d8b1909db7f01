/*
 * trigger_guard.h
 *		The extension's relations, and which of them each trigger function serves.
 */
#ifndef VSM_TRIGGER_GUARD_H
#define VSM_TRIGGER_GUARD_H

#include "postgres.h"

#include "commands/trigger.h"
#include "fmgr.h"

typedef enum VsmRelation
{
	VSM_TABLE_ITEMS,
	VSM_TABLE_LEDGER,
	VSM_TABLE_MERGED,
	VSM_TABLE_SUPERSEDED,
	VSM_TABLE_STREAMS,
	VSM_TABLE_STAGES,
	VSM_TABLE_TYPES,
	VSM_TABLE_ACCESS,
	VSM_TABLE_FOLDS,
	VSM_TABLE_METRICS,
	VSM_LEDGER_IDS,				/* the sequence */
	VSM_RELATIONS
} VsmRelation;

/* When a trigger function may be called. */
typedef enum VsmTriggerTime
{
	VSM_BEFORE_ROW,
	VSM_AFTER_ROW,
	VSM_BEFORE_STATEMENT,
	VSM_AFTER_STATEMENT,
	VSM_AFTER_TRUNCATE,
	VSM_AFTER_ANY				/* for each row or for each statement */
} VsmTriggerTime;

extern Oid	vsm_relation(VsmRelation relation);
extern bool vsm_is_table(Relation rel, VsmRelation table);
extern TriggerData *vsm_trigger_data(FunctionCallInfo fcinfo, VsmTriggerTime time, VsmRelation first, VsmRelation last);

#endif							/* VSM_TRIGGER_GUARD_H */
