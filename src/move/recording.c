/*
 * recording.c
 *		From a changed item to its ledger row.
 *
 * AFTER row triggers on vsm.work_items add one ledger row for each item placed
 * or moved, and delete an item's rows with the item; a TRUNCATE of the items
 * empties the ledger too.  The triggers run once the change is stored, in its
 * transaction.
 *
 * A stored row is recorded if it is what the BEFORE trigger decided
 * (decisions.c), taken as it is if the owner says so (unrecorded.c), and refused
 * otherwise.  Between the two triggers, a user's triggers and functions may have
 * moved the item on, deleted it, or inserted another one with its id: each change
 * is recorded by itself, with a ledger id in the order of the decisions.  If the
 * item is gone by then, the ledger row is written and deleted, so that the totals
 * count it.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/tableam.h"
#include "catalog/pg_trigger.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "counters/counters.h"
#include "counters/wip_limit.h"
#include "decisions.h"
#include "item_row.h"
#include "ledger.h"
#include "marks.h"
#include "recording.h"
#include "stage_cache.h"
#include "stage_name.h"
#include "superseded.h"
#include "trigger_guard.h"
#include "unrecorded.h"
#include "vsm.h"

/* The trigger that decides what is stored. */
#define BEFORE_TRIGGER "zz_vsm_move"

static void record_insert(TriggerData *trigdata);
static void record_update(TriggerData *trigdata);
static void forget_deleted_item(TriggerData *trigdata);
static void mark_unrecorded(const ItemRow *old, const ItemRow *new, TupleDesc desc);
static bool moved_backward(const ItemRow *row);
static bool fits_definitions(const ItemRow *row);
static bool has_known_type(const ItemRow *row);
static bool is_misnamed(Relation items, const ItemRow *row);
static void set_effect(VsmLedgerRow *row, const VsmItemState *before, const VsmItemState *after);
static int32 keep_place(Relation items, int64 stage_id);
static bool is_replica(void);
static void refuse_other_row(Relation items, int64 work_item_id);
static const char *later_triggers(Relation items);
static bool is_gone(Relation items, HeapTuple stored);
static void record_stored_row(VsmLedgerRow *row, const ItemRow *item, const VsmRequest *request, Relation items);
static void note_retype(Relation items, const ItemRow *before, const ItemRow *after);

PG_FUNCTION_INFO_V1(vsm__work_item_after);
PG_FUNCTION_INFO_V1(vsm__work_items_truncated);

/* vsm._work_item_after() -> trigger: AFTER INSERT OR UPDATE OR DELETE, for each row */
Datum
vsm__work_item_after(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = vsm_trigger_data(fcinfo, VSM_AFTER_ROW, VSM_TABLE_ITEMS, VSM_TABLE_ITEMS);

	if (TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
		record_insert(trigdata);
	else if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
		record_update(trigdata);
	else
		forget_deleted_item(trigdata);
	return PointerGetDatum(NULL);
}

/* vsm._work_items_truncated() -> trigger: AFTER TRUNCATE, for each statement */
Datum
vsm__work_items_truncated(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = vsm_trigger_data(fcinfo, VSM_AFTER_TRUNCATE, VSM_TABLE_ITEMS, VSM_TABLE_ITEMS);
	Relation	items = trigdata->tg_relation;

	vsm_count_truncated(RelationGetRelid(items));
	vsm_count_unknown(RelationGetRelid(items));
	if (is_replica())
		return PointerGetDatum(NULL);
	/* with recording off, the owner may be truncating both tables in one statement */
	vsm_require_recording_right(items);
	if (vsm_recording)
		vsm_empty_ledger(items);
	else
		vsm_mark_everything();	/* the ledger's rows have lost their items */
	return PointerGetDatum(NULL);
}

static void
record_insert(TriggerData *trigdata)
{
	Relation	items = trigdata->tg_relation;
	VsmLedgerRow row = {.first = true, .cycle_us = -1, .lead_us = -1};
	ItemRow		stored;
	VsmItemState state;
	VsmDecision decision;
	int64		counted;

	vsm_read_row(&stored, trigdata->tg_trigtuple, RelationGetDescr(items));
	counted = vsm_row_counted_in(&stored);
	if (is_replica() || (!vsm_row_has_state(&stored) && vsm_takes_rows_as_they_are(items)))
	{
		vsm_wip_count_move(items, 0, counted);
		return;
	}
	vsm_row_state(&state, &stored);
	row.work_item_id = vsm_row_id(&stored);
	if (!vsm_take_decision(VSM_DECIDED_INSERT, row.work_item_id, &state, &decision))
	{
		if (!vsm_takes_rows_as_they_are(items))
			refuse_other_row(items, row.work_item_id);
		vsm_wip_count_move(items, 0, counted);
		return;
	}
	if (!fits_definitions(&stored) || is_misnamed(items, &stored))
		refuse_other_row(items, row.work_item_id);
	row.id = decision.ledger_id;
	row.wip_breach = keep_place(items, counted);
	vsm_wip_count_move(items, 0, counted);
	row.to_stage_id = state.stage_id;
	row.at = state.stage_entered_at;
	row.type = vsm_row_text(&stored, ITEM_TYPE);
	set_effect(&row, NULL, &state);
	record_stored_row(&row, &stored, decision.request, items);
}

/* Compares the stages itself, because the server would parse a WHEN clause for each statement. */
static void
record_update(TriggerData *trigdata)
{
	Relation	items = trigdata->tg_relation;
	ItemRow		old;
	ItemRow		new;

	vsm_read_row(&old, trigdata->tg_trigtuple, RelationGetDescr(items));
	vsm_read_row(&new, trigdata->tg_newtuple, RelationGetDescr(items));
	vsm_record_change(items, &old, &new);
}

/* A changed item, of which new is stored: record it if it has moved. */
void
vsm_record_change(Relation items, const ItemRow *old, const ItemRow *new)
{
	TupleDesc	desc = RelationGetDescr(items);
	VsmLedgerRow row = {.cycle_us = -1, .lead_us = -1};
	VsmItemState before;
	VsmItemState after;
	VsmDecision decision;
	bool		same_item;
	int64		left;
	int64		entered;

	left = vsm_row_counted_in(old);
	entered = vsm_row_counted_in(new);
	if (is_replica() || (!(vsm_row_has_state(old) && vsm_row_has_state(new)) &&
						 !vsm_recording && vsm_takes_rows_as_they_are(items)))
	{
		mark_unrecorded(old, new, desc);
		vsm_wip_count_move(items, left, entered);
		return;
	}
	vsm_row_state(&before, old);
	vsm_row_state(&after, new);
	row.work_item_id = vsm_row_id(new);
	same_item = row.work_item_id == vsm_row_id(old) && vsm_same_column(old, new, ITEM_STREAM, desc) &&
		(vsm_same_column(old, new, ITEM_TYPE, desc) || has_known_type(new));
	if (same_item && vsm_recording && !vsm_same_column(old, new, ITEM_TYPE, desc))
		note_retype(items, old, new);
	if (!vsm_same_column(old, new, ITEM_TYPE, desc))
		vsm_mark_item(row.work_item_id);
	if (vsm_row_id(old) != row.work_item_id)
	{
		vsm_mark_item(vsm_row_id(old));
		vsm_mark_item(row.work_item_id);
	}
	if (vsm_recording && is_misnamed(items, new))
		refuse_other_row(items, row.work_item_id);
	if (same_item && memcmp(&before, &after, sizeof(VsmItemState)) == 0)
		return;
	if (!same_item || before.stage_id == after.stage_id ||
		!vsm_take_decision(VSM_DECIDED_MOVE, row.work_item_id, &after, &decision))
	{
		/* vsm.recording may have been set since the row was stored */
		vsm_require_recording_right(items);
		if (vsm_recording)
			refuse_other_row(items, row.work_item_id);
		mark_unrecorded(old, new, desc);
		vsm_wip_count_move(items, left, entered);
		return;
	}
	row.id = decision.ledger_id;
	/* with VSM_LIMIT_REJECT, the BEFORE trigger has refused what exceeds the limit */
	if (vsm_wip_limit_action != VSM_LIMIT_REJECT)
		row.wip_breach = keep_place(items, entered);
	vsm_wip_count_move(items, left, entered);
	row.from_stage_id = before.stage_id;
	row.to_stage_id = after.stage_id;
	row.at = after.stage_entered_at;
	row.time_in_stage_us = row.at - before.stage_entered_at;
	set_effect(&row, &before, &after);
	record_stored_row(&row, new, decision.request, items);
}

/*
 * mark_unrecorded
 *		Mark the days of an item that was changed past the ledger, if its cells follow from what has changed.
 *
 * Replication may bring the item later than its moves.  Whether it has moved
 * backward says whether an earlier visit to a stage is looked for.
 */
static void
mark_unrecorded(const ItemRow *old, const ItemRow *new, TupleDesc desc)
{
	if (!vsm_same_column(old, new, ITEM_TYPE, desc) || moved_backward(old) != moved_backward(new))
		vsm_mark_item(vsm_row_id(new));
}

static bool
moved_backward(const ItemRow *row)
{
	return !row->nulls[ITEM_BACKWARD_MOVES] && DatumGetInt32(row->values[ITEM_BACKWARD_MOVES]) > 0;
}

/* Is the item in a stage of its stream, and of a defined type, as when it was decided upon? */
static bool
fits_definitions(const ItemRow *row)
{
	const VsmStage *stage = vsm_stage(DatumGetInt64(row->values[ITEM_STAGE_ID]));

	return stage && !row->nulls[ITEM_STREAM] && strcmp(stage->stream, vsm_row_text(row, ITEM_STREAM)) == 0 &&
		has_known_type(row);
}

static bool
has_known_type(const ItemRow *row)
{
	return !row->nulls[ITEM_TYPE] && vsm_type_known(vsm_row_text(row, ITEM_TYPE));
}

/* Has a later trigger changed the name of the item's stage?  Nobody else does; the stage may have been renamed since. */
static bool
is_misnamed(Relation items, const ItemRow *row)
{
	return !vsm_stage_is_named(row) && later_triggers(items) != NULL;
}

/*
 * set_effect
 *		The columns of the ledger row that follow from the item's earlier moves.
 *
 * before: NULL for a new item.  If the move finishes the item: its lead time, and
 * its cycle time by the rule span_first_last.
 */
static void
set_effect(VsmLedgerRow *row, const VsmItemState *before, const VsmItemState *after)
{
	const VsmStage *known = vsm_stage(after->stage_id);
	VsmStage	to;
	VsmStage	from;

	if (known == NULL)
		elog(ERROR, "stage " INT64_FORMAT " is gone", after->stage_id);
	to = *known;
	known = before ? vsm_stage(before->stage_id) : known;
	if (known == NULL)
		elog(ERROR, "stage " INT64_FORMAT " is gone", before->stage_id);
	from = *known;
	row->stream_id = to.stream_id;
	vsm_move_effect(&row->effect, before, before ? &from : NULL, after, &to);
	if (!row->effect.finishes)
		return;
	row->lead_us = row->at - after->created_at;
	if (after->started_at != DT_NOBEGIN)
		row->cycle_us = row->at - after->started_at;
}

/* Returns the number of items in the stage if they exceed its limit; else 0. */
static int32
keep_place(Relation items, int64 stage_id)
{
	const VsmStage *stage = stage_id == 0 ? NULL : vsm_stage(stage_id);

	return stage ? vsm_limit_reserve_place(items, stage, true) : 0;
}

/* Under replication only WIP is counted: the ledger is replicated by itself. */
static bool
is_replica(void)
{
	return SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA;
}

static void
forget_deleted_item(TriggerData *trigdata)
{
	Relation	items = trigdata->tg_relation;
	ItemRow		old;
	VsmItemState state;
	VsmDecision decision;
	int64		decided_by = 0;

	vsm_read_row(&old, trigdata->tg_trigtuple, RelationGetDescr(items));
	vsm_wip_count_move(items, vsm_row_counted_in(&old), 0);
	if (is_replica())
	{
		vsm_mark_item(vsm_row_id(&old));	/* its moves may stay a while, or for ever */
		return;
	}
	vsm_require_recording_right(items);
	if (vsm_row_has_state(&old))
	{
		vsm_row_state(&state, &old);
		if (vsm_take_decision(VSM_DECIDED_DELETE, vsm_row_id(&old), &state, &decision))
			decided_by = decision.ledger_id;
	}
	vsm_note_deleted_item(&old, decided_by);
}

/*
 * refuse_other_row
 *		The stored row is not what the BEFORE trigger decided.
 */
static void
refuse_other_row(Relation items, int64 work_item_id)
{
	const char *later = later_triggers(items);

	ereport(ERROR,
			errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			errmsg("work item " INT64_FORMAT " was changed after its state had been decided", work_item_id),
			later ? errdetail("A trigger that fires after \"%s\" has changed the stage or another column that is checked: %s.", BEFORE_TRIGGER, later)
				  : errdetail("Trigger \"%s\" has not decided what is stored; it may be disabled.", BEFORE_TRIGGER),
			later ? errhint("Give the trigger a name that sorts before \"%s\".", BEFORE_TRIGGER)
				  : errhint("Enable the trigger; to write rows as they are, without recording, set vsm.recording = off."),
			errtable(items));
}

/* Names of the BEFORE row triggers that fire after ours, or NULL. */
static const char *
later_triggers(Relation items)
{
	const TriggerDesc *triggers = items->trigdesc;
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (TRIGGER_FOR_ROW(trigger->tgtype) && TRIGGER_FOR_BEFORE(trigger->tgtype) &&
			strcmp(trigger->tgname, BEFORE_TRIGGER) > 0)
			appendStringInfo(&names, "%s\"%s\"", names.len > 0 ? ", " : "", trigger->tgname);
	}
	return names.len > 0 ? names.data : NULL;
}

/*
 * is_gone
 *		Has this transaction deleted the item since it stored this version of its row?
 *
 * An UPDATE leaves a newer version, which is looked up; a lock leaves this one.
 */
static bool
is_gone(Relation items, HeapTuple stored)
{
	ItemPointerData place = stored->t_self;
	TableScanDesc scan;
	TupleTableSlot *slot;
	bool		there;

	if ((stored->t_data->t_infomask & HEAP_XMAX_INVALID) || HEAP_XMAX_IS_LOCKED_ONLY(stored->t_data->t_infomask))
		return false;
	scan = table_beginscan_tid(items, SnapshotSelf);
	table_tuple_get_latest_tid(scan, &place);
	table_endscan(scan);
	slot = table_slot_create(items, NULL);
	there = table_tuple_fetch_row_version(items, &place, SnapshotSelf, slot);
	ExecDropSingleTupleTableSlot(slot);
	return !there;
}

static void
record_stored_row(VsmLedgerRow *row, const ItemRow *item, const VsmRequest *request, Relation items)
{
	vsm_write_ledger_row(row, request, items);
	if (!is_gone(items, item->tuple))
		return;
	vsm_note_deleted_item(item, row->id + 1);
	vsm_forget_deleted_items(items);
}

static void
note_retype(Relation items, const ItemRow *before, const ItemRow *after)
{
	const VsmStage *stage = vsm_stage(DatumGetInt64(before->values[ITEM_STAGE_ID]));

	if (stage && !after->nulls[ITEM_UPDATED_AT])
		vsm_note_retype(items, stage->stream_id, before, after);
}
