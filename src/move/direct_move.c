/*
 * direct_move.c
 *		Storing a move without a statement.
 *
 * An UPDATE through SPI costs as much as the move itself: setting up the executor,
 * locking the row before its BEFORE trigger, fetching it again for the AFTER
 * trigger.  While vsm.work_items is as the extension made it (plain_items.c), the
 * same is done here, by the functions that the triggers call:
 *
 *		find the item as the UPDATE's index scan does		find_item
 *		the triggers' decision								vsm_decide_change
 *		the new row, and index entries if it is not HOT		store_row
 *		the triggers' record								vsm_record_change
 *
 * The caller's rights are those that the UPDATE needs: USAGE of the schema, SELECT
 * and UPDATE on the whole table, and what the row policies ask.  Whatever is not
 * plain goes to the UPDATE, which then decides, waits or raises the error: a role without these
 * rights, an item that is not found or not visible, one that stays where it is,
 * and a row that another transaction has locked or changed.  So does every move if
 * the ledger is not plain (ledger_store.c): its triggers may change the item.
 *
 * The row is not locked before the decision.  It was not locked when it was read,
 * so the decision is the one that would be made under a lock taken then; if
 * somebody comes between, storing fails, the decision is forgotten and the UPDATE
 * decides anew.  Only a place in a limited stage is not given back so easily: there
 * the row is locked first.  So it is if this transaction has locked it already, with
 * a lock that may be weaker: a lock of its own stops an update that does not wait.
 */
#include "direct_move.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/skey.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "rewrite/rowsecurity.h"
#include "storage/procarray.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "counters/wip_limit.h"
#include "decisions.h"
#include "item_row.h"
#include "ledger_store.h"
#include "plain_items.h"
#include "recording.h"
#include "roles/stream_access.h"
#include "row_store.h"
#include "transition.h"
#include "trigger_guard.h"
#include "vsm.h"

static bool is_ordinary(Relation items);
static bool find_item(Relation items, Oid by_id, int64 work_item_id, TupleTableSlot *found);
static bool is_free(HeapTupleHeader row);
static bool is_locked_by_us(HeapTupleHeader row);
static bool move_found(Relation items, VsmRequest *request, const char *to_stage, TupleTableSlot *found);
static const VsmStage *other_stage(const ItemRow *item, const char *to_stage);
static bool lock_row(Relation items, TupleTableSlot *found);
static bool store_row(Relation items, TupleTableSlot *found, const ItemRow *new, TupleTableSlot *slot, bool locked);
static void forget_decision(VsmRequest *request, const ItemRow *row);

/*
 * vsm_move_directly
 *		Move the item and record the move; false: nothing was done, it needs the UPDATE.
 *
 * Raises the errors of the UPDATE and its triggers.  Later commands of the
 * transaction see the rows.
 */
bool
vsm_move_directly(VsmRequest *request, const text *to_stage)
{
	Relation	items = table_open(vsm_relation(VSM_TABLE_ITEMS), RowExclusiveLock);
	Oid			by_id;
	TupleTableSlot *found;
	bool		moved;

	if (!is_ordinary(items) || !vsm_plain_items(items, &by_id) || !vsm_ledger_is_plain())
	{
		table_close(items, NoLock);
		return false;
	}
	CheckCmdReplicaIdentity(items, CMD_UPDATE);
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	found = table_slot_create(items, NULL);
	moved = find_item(items, by_id, request->work_item_id, found) &&
		move_found(items, request, text_to_cstring(to_stage), found);
	ExecDropSingleTupleTableSlot(found);
	PopActiveSnapshot();
	CommandCounterIncrement();
	table_close(items, NoLock);
	return moved;
}

/* Would the UPDATE be allowed and run our triggers, without anybody watching it? */
static bool
is_ordinary(Relation items)
{
	return vsm_recording && row_security && SessionReplicationRole != SESSION_REPLICATION_ROLE_REPLICA &&
		!XactReadOnly && !IsInParallelMode() && ExecutorCheckPerms_hook == NULL &&
		row_security_policy_hook_permissive == NULL && row_security_policy_hook_restrictive == NULL &&
		vsm_may_enter_schema() && vsm_has_rights_on(RelationGetRelid(items), ACL_SELECT | ACL_UPDATE);
}

static bool
find_item(Relation items, Oid by_id, int64 work_item_id, TupleTableSlot *found)
{
	Relation	index = index_open(by_id, RowExclusiveLock);
	IndexScanDesc scan = VSM_INDEX_BEGINSCAN(items, index, GetActiveSnapshot(), 1);
	ScanKeyData key;
	bool		there;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(work_item_id));
	index_rescan(scan, &key, 1, NULL, 0);
	there = index_getnext_slot(scan, ForwardScanDirection, found);
	index_endscan(scan);
	index_close(index, NoLock);
	return there;
}

/*
 * is_free
 *		Has nobody else a lock on the row, and is it the latest version, as far as can be seen?
 *
 * An UPDATE leaves its lock in the new version, for ever: the BEFORE trigger's.
 */
static bool
is_free(HeapTupleHeader row)
{
	TransactionId locker = HeapTupleHeaderGetRawXmax(row);

	if (row->t_infomask & HEAP_XMAX_INVALID)
		return true;
	if ((row->t_infomask & HEAP_XMAX_IS_MULTI) || !HEAP_XMAX_IS_LOCKED_ONLY(row->t_infomask))
		return false;
	return TransactionIdIsCurrentTransactionId(locker) || !TransactionIdIsInProgress(locker);
}

/* Has this transaction locked the free row? */
static bool
is_locked_by_us(HeapTupleHeader row)
{
	return !(row->t_infomask & HEAP_XMAX_INVALID) && TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetRawXmax(row));
}

static bool
move_found(Relation items, VsmRequest *request, const char *to_stage, TupleTableSlot *found)
{
	TupleDesc	desc = RelationGetDescr(items);
	HeapTuple	tuple = ExecFetchSlotHeapTuple(found, false, NULL);
	ItemRow		old;
	ItemRow		new;
	const VsmStage *entered;
	int64		entered_id;
	bool		locked;
	bool		stored;
	TupleTableSlot *slot;

	if (!is_free(tuple->t_data))
		return false;
	vsm_read_row(&old, tuple, desc);
	entered = other_stage(&old, to_stage);
	if (entered == NULL)
		return false;
	entered_id = entered->id;
	locked = vsm_limit_refuses(entered) || is_locked_by_us(tuple->t_data);
	if (locked)
	{
		vsm_limit_require_room(entered_id);
		if (!lock_row(items, found))
			return false;
		vsm_read_row(&old, ExecFetchSlotHeapTuple(found, false, NULL), desc);
	}
	vsm_copy_row(&new, &old, desc);
	new.values[ITEM_STAGE_ID] = Int64GetDatum(entered_id);
	if (vsm_decide_change(items, &old, &new) == NULL)
		elog(ERROR, "work item " INT64_FORMAT " stays in its stage", request->work_item_id);
	slot = MakeSingleTupleTableSlot(desc, &TTSOpsHeapTuple);
	stored = store_row(items, found, &new, slot, locked);
	if (stored)
		vsm_record_change(items, &old, &new);
	else
		forget_decision(request, &new);
	ExecDropSingleTupleTableSlot(slot);
	return stored;
}

/* The stage, if the user may move the item and it is in another one; PT404 if there is no such stage. */
static const VsmStage *
other_stage(const ItemRow *item, const char *to_stage)
{
	const VsmStage *stage;
	char	   *stream;

	if (item->nulls[ITEM_STREAM] || item->nulls[ITEM_STAGE_ID])
		return NULL;
	stream = vsm_row_text(item, ITEM_STREAM);
	if (!vsm_may(VSM_WRITER, stream))
		return NULL;
	stage = vsm_require_stage(stream, to_stage);
	return stage->id == DatumGetInt64(item->values[ITEM_STAGE_ID]) ? NULL : stage;
}

/* Lock the version of the row that was found, as its BEFORE trigger would; false: it would have to wait, or is not the latest. */
static bool
lock_row(Relation items, TupleTableSlot *found)
{
	TM_FailureData failure;

	return table_tuple_lock(items, &found->tts_tid, GetActiveSnapshot(), found, GetCurrentCommandId(true),
							LockTupleNoKeyExclusive, LockWaitSkip, 0, &failure) == TM_Ok;
}

/*
 * store_row
 *		Store the row in the place of the one that was found.
 *
 * slot gets the row and owns its tuple; if it did not, the table would store a
 * copy.  locked: by this transaction, so there is nobody to wait for.  False: what was
 * found is not the latest version, or somebody has locked it.
 */
static bool
store_row(Relation items, TupleTableSlot *found, const ItemRow *new, TupleTableSlot *slot, bool locked)
{
	VsmUpdateIndexes update_indexes;
	TM_FailureData failure;
	LockTupleMode mode;

	ExecStoreHeapTuple(new->tuple, slot, true);
	vsm_require_values(items, slot, new->nulls + 1);
	if (table_tuple_update(items, &found->tts_tid, slot, GetCurrentCommandId(true), GetActiveSnapshot(), InvalidSnapshot,
						   locked, &failure, &mode, &update_indexes) != TM_Ok)
		return false;
	if (update_indexes)
		vsm_enter_into_indexes(items, &slot->tts_tid, new->values + 1, new->nulls + 1, ITEM_STAGE_ID);
	return true;
}

/* The UPDATE will decide about the request anew. */
static void
forget_decision(VsmRequest *request, const ItemRow *row)
{
	VsmItemState state;
	VsmDecision decision;

	vsm_row_state(&state, row);
	(void) vsm_take_decision(VSM_DECIDED_MOVE, request->work_item_id, &state, &decision);
	request->claimed = false;
}
