/*
 * ledger.c
 *		Writing the ledger, vsm.stage_transitions.
 *
 * AFTER row triggers on vsm.work_items add one row for each item placed or
 * moved and remove an item's rows when it is deleted; a TRUNCATE of the items
 * empties the ledger too.  They run when the change is really stored, in its
 * transaction, and write as the owner of the tables.  They need no foreign keys
 * to be right: whoever changes an item holds its row lock, and only these
 * triggers and the import write here.
 *
 * A row that was stored is recorded if it is what the BEFORE trigger decided
 * (decisions.c), taken as it is when the owner says so (restore.c), and refused
 * else.  Between the two triggers, triggers and functions of the user's may have
 * moved the item on, deleted it, or made it anew: each change is recorded by
 * itself, with a ledger id in the order of the decisions.  The row of an item
 * that is gone meanwhile is written and removed, so that the totals count it.
 *
 * The guard on the ledger takes rows from the owner when he restores a dump, and
 * anything else only with vsm.recording = off.
 */
#include "vsm.h"

#include "access/htup_details.h"
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "counters/counters.h"
#include "errors.h"
#include "item_row.h"
#include "owner.h"
#include "counters/wip_limit.h"

/* The trigger that decides what is stored. */
#define BEFORE_TRIGGER "zz_vsm_move"

/* A row to write. */
typedef struct LedgerRow
{
	int64		id;
	int64		work_item_id;
	const VsmRequest *request;	/* that the move answers, or NULL */
	bool		first;			/* the item's first entry: from nowhere */
	int64		from_stage_id;
	int64		to_stage_id;
	TimestampTz at;
	int64		time_in_stage_us;
	const char *type;			/* of the item, when it is the first */
	int64		cycle_us;		/* -1: none */
	int64		lead_us;		/* -1: it does not finish the item */
	int32		wip_breach;		/* items in the stage, when they exceed its limit; else 0 */
} LedgerRow;

/* The statement on the ledger that runs is one of ours. */
static bool own_statement = false;

static void record_insert(TriggerData *trigdata);
static void record_update(TriggerData *trigdata);
static void forget_item(TriggerData *trigdata);
static bool fits_definitions(const ItemRow *row);
static bool has_known_type(const ItemRow *row);
static void set_decision(LedgerRow *row, const VsmDecision *decision);
static void set_completion(LedgerRow *row, const VsmItemState *state);
static int32 enter(Relation items, int64 stage_id);
static bool is_replica(void);
static void refuse_other_row(const TriggerData *trigdata, int64 work_item_id);
static const char *later_triggers(const TriggerData *trigdata);
static bool is_gone(Relation items, HeapTuple stored);
static void record(const LedgerRow *row, Relation items, HeapTuple stored);
static void forget_rows_before(Relation items, int64 work_item_id, int64 ledger_id);
static void write_row(const LedgerRow *row, Relation items);
static void add_to_totals(const LedgerRow *row, Oid items);
static void insert_row(const LedgerRow *row, TimestampTz recorded_at, const char *reason, const char *actor);
static void refuse_lost_row(int64 work_item_id);
static void run_unrecorded(SPIPlanPtr *plan, const char *query, Oid owner, int nargs, Datum *arguments);

PG_FUNCTION_INFO_V1(vsm__work_item_after);
PG_FUNCTION_INFO_V1(vsm__work_items_truncated);
PG_FUNCTION_INFO_V1(vsm__ledger_guard);
PG_FUNCTION_INFO_V1(vsm__actor);

/* vsm._work_item_after() -> trigger: AFTER INSERT OR UPDATE OR DELETE, for each row */
Datum
vsm__work_item_after(PG_FUNCTION_ARGS)
{
	static const VsmTriggerUse use = {
		.function = "_work_item_after",
		.when = "AFTER row triggers on table vsm.work_items",
		.timing = TRIGGER_EVENT_AFTER | TRIGGER_EVENT_ROW,
		.first = VSM_TABLE_ITEMS,
		.last = VSM_TABLE_ITEMS
	};
	TriggerData *trigdata = vsm_trigger_data(fcinfo, &use);

	if (TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
		record_insert(trigdata);
	else if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
		record_update(trigdata);
	else
		forget_item(trigdata);
	return PointerGetDatum(NULL);
}

/* vsm._work_items_truncated() -> trigger: AFTER TRUNCATE, for each statement */
Datum
vsm__work_items_truncated(PG_FUNCTION_ARGS)
{
	static const VsmTriggerUse use = {
		.function = "_work_items_truncated",
		.when = "AFTER TRUNCATE triggers on table vsm.work_items",
		.timing = TRIGGER_EVENT_AFTER,
		.truncate = true,
		.first = VSM_TABLE_ITEMS,
		.last = VSM_TABLE_ITEMS
	};
	static SPIPlanPtr plan = NULL;
	TriggerData *trigdata = vsm_trigger_data(fcinfo, &use);

	vsm_count_truncated(RelationGetRelid(trigdata->tg_relation));
	vsm_count_unknown(RelationGetRelid(trigdata->tg_relation));
	if (is_replica())
		return PointerGetDatum(NULL);
	/* its owner may repair as he likes, and perhaps truncates both tables in one statement */
	vsm_require_recording_right(trigdata->tg_relation);
	if (!vsm_recording)
		return PointerGetDatum(NULL);
	run_unrecorded(&plan, "TRUNCATE vsm.stage_transitions, vsm._merged_events, vsm._totals_kept",
				   trigdata->tg_relation->rd_rel->relowner, 0, NULL);
	return PointerGetDatum(NULL);
}

/*
 * vsm._ledger_guard() -> trigger
 *		Keeps the ledger append-only: BEFORE each statement on it.
 *
 * What others than the row triggers may change there, the totals cannot follow.
 */
Datum
vsm__ledger_guard(PG_FUNCTION_ARGS)
{
	static const VsmTriggerUse use = {
		.function = "_ledger_guard",
		.when = "BEFORE statement triggers on tables vsm.stage_transitions and vsm._merged_events",
		.timing = TRIGGER_EVENT_BEFORE,
		.first = VSM_TABLE_LEDGER,
		.last = VSM_TABLE_MERGED
	};
	TriggerData *trigdata = vsm_trigger_data(fcinfo, &use);
	Relation	rel = trigdata->tg_relation;
	bool		ledger;

	ledger = strcmp(RelationGetRelationName(rel), "stage_transitions") == 0;
	if (ledger && own_statement)
	{
		/* not those of other triggers that it fires */
		own_statement = false;
		return PointerGetDatum(NULL);
	}
	vsm_require_recording_right(rel);
	if (!vsm_recording ||
		(TRIGGER_FIRED_BY_INSERT(trigdata->tg_event) && vsm_takes_rows_as_they_are(rel)))
	{
		if (ledger)
			vsm_count_unknown(get_relname_relid("work_items", RelationGetNamespace(rel)));
		return PointerGetDatum(NULL);
	}

	ereport(ERROR,
			errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			errmsg("the ledger \"%s\" is append-only", RelationGetRelationName(rel)),
			errdetail("Its rows are written when work items are created, moved, deleted or imported."),
			has_privs_of_role(GetUserId(), rel->rd_rel->relowner)
				? errhint("Move an item with vsm.transition(), bring past moves in with vsm.import_events(), "
					  "or delete the work item; to repair the ledger, set vsm.recording = off.")
				: errhint("Move an item with vsm.transition(), bring past moves in with vsm.import_events(), "
					  "or delete the work item."),
			errtable(rel));
}

/* vsm._actor() -> text: the role that logged in or was SET, not the owner of a function */
Datum
vsm__actor(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(GetUserNameFromId(GetOuterUserId(), false)));
}

static void
record_insert(TriggerData *trigdata)
{
	Relation	items = trigdata->tg_relation;
	LedgerRow	row = {.first = true, .cycle_us = -1, .lead_us = -1};
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
	if (!vsm_decision_take(VSM_DECIDED_INSERT, row.work_item_id, &state, &decision))
	{
		if (!vsm_takes_rows_as_they_are(items))
			refuse_other_row(trigdata, row.work_item_id);
		vsm_wip_count_move(items, 0, counted);
		return;
	}
	if (!fits_definitions(&stored))
		refuse_other_row(trigdata, row.work_item_id);
	set_decision(&row, &decision);
	row.wip_breach = enter(items, counted);
	vsm_wip_count_move(items, 0, counted);
	row.to_stage_id = state.stage_id;
	row.at = state.stage_entered_at;
	row.type = vsm_row_text(&stored, ITEM_TYPE);
	if (counted == 0)
		set_completion(&row, &state);
	record(&row, items, trigdata->tg_trigtuple);
}

/* Looks whether the stage differs itself: the server would parse a WHEN clause anew for each statement. */
static void
record_update(TriggerData *trigdata)
{
	Relation	items = trigdata->tg_relation;
	LedgerRow	row = {.cycle_us = -1, .lead_us = -1};
	ItemRow		old;
	ItemRow		new;
	VsmItemState before;
	VsmItemState after;
	VsmDecision decision;
	bool		same_item;
	int64		left;
	int64		entered;

	vsm_read_row(&old, trigdata->tg_trigtuple, RelationGetDescr(items));
	vsm_read_row(&new, trigdata->tg_newtuple, RelationGetDescr(items));
	left = vsm_row_counted_in(&old);
	entered = vsm_row_counted_in(&new);
	if (is_replica() || (!(vsm_row_has_state(&old) && vsm_row_has_state(&new)) &&
						 !vsm_recording && vsm_takes_rows_as_they_are(items)))
	{
		vsm_wip_count_move(items, left, entered);
		return;
	}
	vsm_row_state(&before, &old);
	vsm_row_state(&after, &new);
	row.work_item_id = vsm_row_id(&new);
	same_item = row.work_item_id == vsm_row_id(&old) && vsm_same_text(&old, &new, ITEM_STREAM) &&
		(vsm_same_text(&old, &new, ITEM_TYPE) || has_known_type(&new));
	if (same_item && memcmp(&before, &after, sizeof(VsmItemState)) == 0)
		return;
	if (!same_item || before.stage_id == after.stage_id ||
		!vsm_decision_take(VSM_DECIDED_MOVE, row.work_item_id, &after, &decision))
	{
		/* vsm.recording may have been set since the row was stored */
		vsm_require_recording_right(items);
		if (vsm_recording)
			refuse_other_row(trigdata, row.work_item_id);
		vsm_wip_count_move(items, left, entered);
		return;
	}
	set_decision(&row, &decision);
	/* what is to be refused was, before the row was stored */
	if (vsm_wip_limit_action != VSM_LIMIT_REJECT)
		row.wip_breach = enter(items, entered);
	vsm_wip_count_move(items, left, entered);
	row.from_stage_id = before.stage_id;
	row.to_stage_id = after.stage_id;
	row.at = after.stage_entered_at;
	row.time_in_stage_us = row.at - before.stage_entered_at;
	if (left != 0 && entered == 0)
		set_completion(&row, &after);
	record(&row, items, trigdata->tg_newtuple);
}

/* Is the item in a stage of its stream, and of a type that is defined?  So it was when it was decided upon. */
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

static void
set_decision(LedgerRow *row, const VsmDecision *decision)
{
	row->id = decision->ledger_id;
	row->request = decision->request;
}

/* The item is finished now: how long did it take, by the rule span_first_last? */
static void
set_completion(LedgerRow *row, const VsmItemState *state)
{
	row->lead_us = row->at - state->created_at;
	if (state->started_at != DT_NOBEGIN)
		row->cycle_us = row->at - state->started_at;
}

/* Returns the number of items that break the stage's limit; else 0. */
static int32
enter(Relation items, int64 stage_id)
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
forget_item(TriggerData *trigdata)
{
	static SPIPlanPtr plan = NULL;
	Relation	items = trigdata->tg_relation;
	ItemRow		old;
	VsmItemState state;
	VsmDecision decision;
	Datum		id;

	vsm_read_row(&old, trigdata->tg_trigtuple, RelationGetDescr(items));
	vsm_wip_count_move(items, vsm_row_counted_in(&old), 0);
	if (is_replica())
		return;
	vsm_require_recording_right(items);
	id = Int64GetDatum(vsm_row_id(&old));
	if (vsm_row_has_state(&old))
	{
		vsm_row_state(&state, &old);
		if (vsm_decision_take(VSM_DECIDED_DELETE, vsm_row_id(&old), &state, &decision) &&
			vsm_decided_insert_since(decision.ledger_id))
		{
			/* an item of that id may be there again */
			forget_rows_before(items, vsm_row_id(&old), decision.ledger_id);
			return;
		}
	}
	run_unrecorded(&plan,
				   "WITH merged AS (DELETE FROM vsm._merged_events WHERE work_item_id OPERATOR(pg_catalog.=) $1)"
				   " DELETE FROM vsm.stage_transitions WHERE work_item_id OPERATOR(pg_catalog.=) $1",
				   trigdata->tg_relation->rd_rel->relowner, 1, &id);
}

/*
 * refuse_other_row
 *		The stored row is not what the BEFORE trigger decided.
 */
static void
refuse_other_row(const TriggerData *trigdata, int64 work_item_id)
{
	const char *later = later_triggers(trigdata);

	ereport(ERROR,
			errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			errmsg("work item " INT64_FORMAT " was changed after its state had been decided", work_item_id),
			later ? errdetail("A trigger that fires after \"%s\" has changed the stage or another column that is checked: %s.", BEFORE_TRIGGER, later)
				  : errdetail("Trigger \"%s\" has not decided what is stored; it may be disabled.", BEFORE_TRIGGER),
			later ? errhint("Give the trigger a name that sorts before \"%s\".", BEFORE_TRIGGER)
				  : errhint("Enable the trigger; to write rows as they are, without recording, set vsm.recording = off."),
			errtable(trigdata->tg_relation));
}

/* Names of the BEFORE row triggers that fire after ours, or NULL. */
static const char *
later_triggers(const TriggerData *trigdata)
{
	const TriggerDesc *triggers = trigdata->tg_relation->trigdesc;
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
 * An UPDATE leaves a newer version, which is looked for; a lock leaves this one.
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
record(const LedgerRow *row, Relation items, HeapTuple stored)
{
	write_row(row, items);
	if (is_gone(items, stored))
		forget_rows_before(items, row->work_item_id, row->id + 1);
}

/* An item of that id may have been created anew; its rows have later ids. */
static void
forget_rows_before(Relation items, int64 work_item_id, int64 ledger_id)
{
	static SPIPlanPtr plan = NULL;
	Datum		arguments[2] = {Int64GetDatum(work_item_id), Int64GetDatum(ledger_id)};

	run_unrecorded(&plan,
				   "WITH old AS (SELECT CASE WHEN EXISTS (SELECT FROM vsm.work_items WHERE id OPERATOR(pg_catalog.=) $1)"
				   " THEN $2 ELSE 9223372036854775807 END AS bound),"
				   " merged AS (DELETE FROM vsm._merged_events e USING old"
				   " WHERE e.work_item_id OPERATOR(pg_catalog.=) $1 AND e.id OPERATOR(pg_catalog.<) old.bound)"
				   " DELETE FROM vsm.stage_transitions t USING old"
				   " WHERE t.work_item_id OPERATOR(pg_catalog.=) $1 AND t.id OPERATOR(pg_catalog.<) old.bound",
				   items->rd_rel->relowner, 2, arguments);
}

static void
write_row(const LedgerRow *row, Relation items)
{
	VsmRequest *request = vsm_request;
	const char *actor = GetUserNameFromId(GetOuterUserId(), false);
	TimestampTz recorded_at = GetCurrentTimestamp();
	VsmOwner before;

	if (request && (request != row->request || request->work_item_id != row->work_item_id || request->recorded))
		request = NULL;

	before = vsm_become_owner_to_record(items->rd_rel->relowner);
	insert_row(row, recorded_at, request ? request->reason : NULL, actor);
	vsm_leave_owner(before);
	add_to_totals(row, RelationGetRelid(items));

	if (request == NULL)
		return;
	request->recorded = true;
	request->id = row->id;
	request->from_stage_id = row->from_stage_id;
	request->to_stage_id = row->to_stage_id;
	request->at = row->at;
	request->recorded_at = recorded_at;
	request->time_in_stage_us = row->time_in_stage_us;
	request->cycle_us = row->cycle_us;
	request->lead_us = row->lead_us;
	request->wip_breach = row->wip_breach;
	strlcpy(request->actor, actor, NAMEDATALEN);
}

/* As vsm._totals_counted counts the row. */
static void
add_to_totals(const LedgerRow *row, Oid items)
{
	if (row->first)
		vsm_total_created(items, row->to_stage_id, row->type);
	else
		vsm_total_moved(items, row->from_stage_id, row->to_stage_id, row->time_in_stage_us);
	if (row->lead_us >= 0)
		vsm_total_finished(items, row->to_stage_id, row->lead_us, row->cycle_us);
}

/*
 * vsm_next_ledger_id
 *		Draw the id of a ledger row, as the column's default would.
 *
 * Not by the statement that stores the row: ids are to be in the order of the
 * decisions, and RETURNING costs more than the rest of the statement's overhead.
 */
int64
vsm_next_ledger_id(void)
{
	return nextval_internal(vsm_relation(VSM_LEDGER_IDS), false);
}

static void
insert_row(const LedgerRow *row, TimestampTz recorded_at, const char *reason, const char *actor)
{
	static SPIPlanPtr plan = NULL;
	char		nulls[LEDGER_COLUMNS + 1] = "             ";
	Datum		values[LEDGER_COLUMNS];
	int			result = 0;

	values[0] = Int64GetDatum(row->work_item_id);
	values[1] = Int64GetDatum(row->id);
	values[2] = Int64GetDatum(row->from_stage_id);
	values[3] = Int64GetDatum(row->to_stage_id);
	values[4] = TimestampTzGetDatum(row->at);
	values[5] = TimestampTzGetDatum(recorded_at);
	values[6] = row->first ? (Datum) 0 : IntervalPGetDatum(vsm_interval(row->time_in_stage_us));
	values[7] = reason ? CStringGetTextDatum(reason) : (Datum) 0;
	values[8] = CStringGetTextDatum(actor);
	values[9] = row->type ? CStringGetTextDatum(row->type) : (Datum) 0;
	values[10] = row->cycle_us >= 0 ? IntervalPGetDatum(vsm_interval(row->cycle_us)) : (Datum) 0;
	values[11] = row->lead_us >= 0 ? IntervalPGetDatum(vsm_interval(row->lead_us)) : (Datum) 0;
	values[12] = Int32GetDatum(row->wip_breach);
	if (row->first)
		nulls[2] = nulls[6] = 'n';
	else
		nulls[9] = 'n';
	if (reason == NULL)
		nulls[7] = 'n';
	if (row->cycle_us < 0)
		nulls[10] = 'n';
	if (row->lead_us < 0)
		nulls[11] = 'n';
	if (row->wip_breach == 0)
		nulls[12] = 'n';

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (plan == NULL)
	{
		Oid			types[LEDGER_COLUMNS] = {
			INT8OID,
			INT8OID,
			INT8OID,
			INT8OID,
			TIMESTAMPTZOID,
			TIMESTAMPTZOID,
			INTERVALOID,
			TEXTOID,
			TEXTOID,
			TEXTOID,
			INTERVALOID,
			INTERVALOID,
			INT4OID,
		};

		plan = SPI_prepare("INSERT INTO vsm.stage_transitions (work_item_id, id, from_stage_id, to_stage_id,"
						   " \"timestamp\", recorded_at, time_in_stage, reason, actor, type, cycle_time, lead_time, wip_breach)"
						   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
						   LEDGER_COLUMNS, types);
		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not prepare the ledger row: %s", SPI_result_code_string(SPI_result));
	}
	PG_TRY();
	{
		own_statement = true;
		result = SPI_execute_plan(plan, values, nulls, false, 0);
	}
	PG_FINALLY();
	{
		own_statement = false;
	}
	PG_END_TRY();
	if (result != SPI_OK_INSERT || SPI_processed != 1)
		refuse_lost_row(row->work_item_id);
	SPI_finish();
}

static void
refuse_lost_row(int64 work_item_id)
{
	ereport(ERROR,
			errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			errmsg("the ledger row of work item " INT64_FORMAT " was not stored", work_item_id),
			errdetail("A trigger or rule on vsm.stage_transitions kept it out."),
			errhint("Look at the triggers and rules that were added to the table."));
}

/* As the owner and with vsm.recording = off for as long as it takes, errors included. */
static void
run_unrecorded(SPIPlanPtr *plan, const char *query, Oid owner, int nargs, Datum *arguments)
{
	VsmOwner before = vsm_become_owner(owner);
	int			nest = NewGUCNestLevel();
	Oid			types[2] = {INT8OID, INT8OID};

	Assert(nargs <= (int) lengthof(types));
	(void) set_config_option("vsm.recording", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (*plan == NULL)
	{
		*plan = SPI_prepare(query, nargs, types);
		if (*plan == NULL || SPI_keepplan(*plan) != 0)
			elog(ERROR, "could not prepare \"%s\": %s", query, SPI_result_code_string(SPI_result));
	}
	PG_TRY();
	{
		own_statement = true;
		if (SPI_execute_plan(*plan, arguments, NULL, false, 0) < 0)
			elog(ERROR, "could not run \"%s\": %s", query, SPI_result_code_string(SPI_result));
	}
	PG_FINALLY();
	{
		own_statement = false;
	}
	PG_END_TRY();
	SPI_finish();
	AtEOXact_GUC(true, nest);
	vsm_leave_owner(before);
}
