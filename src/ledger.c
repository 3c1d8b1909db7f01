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
 * The guard on the ledger lets the owner insert (a restore does), and anything
 * else only with vsm.recording = off.
 */
#include "vsm.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "counters.h"
#include "errors.h"
#include "wip_limit.h"

/* A row to write. */
typedef struct LedgerRow
{
	int64		work_item_id;
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
static void set_completion(LedgerRow *row, HeapTuple tuple, TupleDesc desc);
static int64 counted_in(HeapTuple tuple, TupleDesc desc);
static int32 enter(Relation items, int64 stage_id);
static bool is_replica(void);
static void write_row(const LedgerRow *row, Relation items);
static void add_to_totals(const LedgerRow *row, Oid items);
static int64 insert_row(const LedgerRow *row, TimestampTz recorded_at, const char *reason, const char *actor);
static void run_unrecorded(SPIPlanPtr *plan, const char *query, Oid owner, int nargs, Datum *arguments);
static int64 get_int64(HeapTuple tuple, int column, TupleDesc desc);

PG_FUNCTION_INFO_V1(vsm__work_item_after);
PG_FUNCTION_INFO_V1(vsm__work_items_truncated);
PG_FUNCTION_INFO_V1(vsm__ledger_guard);
PG_FUNCTION_INFO_V1(vsm__actor);

/* vsm._work_item_after() -> trigger: AFTER INSERT OR UPDATE OR DELETE, for each row */
Datum
vsm__work_item_after(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(trigdata->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigdata->tg_event))
		elog(ERROR, "not called as an AFTER row trigger");
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
	static SPIPlanPtr plan = NULL;
	TriggerData *trigdata = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "not called by trigger manager");
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
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	Relation	rel;
	bool		ledger;

	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "not called by trigger manager");
	rel = trigdata->tg_relation;
	ledger = strcmp(RelationGetRelationName(rel), "stage_transitions") == 0;
	if (ledger && own_statement)
	{
		/* not those of other triggers that it fires */
		own_statement = false;
		return PointerGetDatum(NULL);
	}
	vsm_require_recording_right(rel);
	if (!vsm_recording ||
		(TRIGGER_FIRED_BY_INSERT(trigdata->tg_event) &&
		 has_privs_of_role(GetUserId(), rel->rd_rel->relowner)))
	{
		if (ledger)
			vsm_count_unknown(get_relname_relid("work_items", RelationGetNamespace(rel)));
		return PointerGetDatum(NULL);
	}

	ereport(ERROR,
			errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			errmsg("the ledger \"%s\" is append-only", RelationGetRelationName(rel)),
			errdetail("Its rows are written when work items are created, moved, deleted or imported."),
			errhint("Move an item with vsm.transition(), bring past moves in with vsm.import_events(), "
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
	TupleDesc	desc = RelationGetDescr(items);
	HeapTuple	tuple = trigdata->tg_trigtuple;
	int64		counted = counted_in(tuple, desc);
	bool		isnull;
	LedgerRow	row = {.first = true, .cycle_us = -1, .lead_us = -1};

	row.work_item_id = get_int64(tuple, ITEM_ID, desc);
	if (is_replica() || !vsm_live_insert_take(row.work_item_id, tuple))
	{
		vsm_wip_changed(items, 0, counted);
		return;
	}
	row.wip_breach = enter(items, counted);
	vsm_wip_changed(items, 0, counted);
	row.to_stage_id = get_int64(tuple, ITEM_STAGE_ID, desc);
	row.at = get_int64(tuple, ITEM_STAGE_ENTERED_AT, desc);
	row.type = TextDatumGetCString(heap_getattr(tuple, ITEM_TYPE, desc, &isnull));
	if (counted == 0)
		set_completion(&row, tuple, desc);
	write_row(&row, items);
}

/* Looks whether the stage differs itself: the server would parse a WHEN clause anew for each statement. */
static void
record_update(TriggerData *trigdata)
{
	Relation	items = trigdata->tg_relation;
	TupleDesc	desc = RelationGetDescr(items);
	HeapTuple	old = trigdata->tg_trigtuple;
	HeapTuple	new = trigdata->tg_newtuple;
	int64		left = counted_in(old, desc);
	int64		entered = counted_in(new, desc);
	LedgerRow	row = {.cycle_us = -1, .lead_us = -1};

	row.from_stage_id = get_int64(old, ITEM_STAGE_ID, desc);
	row.to_stage_id = get_int64(new, ITEM_STAGE_ID, desc);
	if (!vsm_recording || is_replica() || row.from_stage_id == row.to_stage_id)
	{
		vsm_wip_changed(items, left, entered);
		return;
	}
	/* what is to be refused was, before the row was stored */
	if (vsm_wip_limit_action != VSM_LIMIT_REJECT)
		row.wip_breach = enter(items, entered);
	vsm_wip_changed(items, left, entered);
	row.work_item_id = get_int64(new, ITEM_ID, desc);
	row.at = get_int64(new, ITEM_STAGE_ENTERED_AT, desc);
	row.time_in_stage_us = row.at - get_int64(old, ITEM_STAGE_ENTERED_AT, desc);
	if (left != 0 && entered == 0)
		set_completion(&row, new, desc);
	write_row(&row, items);
}

/* The item is finished now: how long did it take, by the rule span_first_last? */
static void
set_completion(LedgerRow *row, HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Datum		started_at = heap_getattr(tuple, ITEM_STARTED_AT, desc, &isnull);

	row->lead_us = row->at - get_int64(tuple, ITEM_CREATED_AT, desc);
	if (!isnull)
		row->cycle_us = row->at - DatumGetTimestampTz(started_at);
}

/* The stage in which an item counts as work in progress; 0: it is finished. */
static int64
counted_in(HeapTuple tuple, TupleDesc desc)
{
	return heap_attisnull(tuple, ITEM_COMPLETED_AT, desc) ? get_int64(tuple, ITEM_STAGE_ID, desc) : 0;
}

/* Returns the number of items that break the stage's limit; else 0. */
static int32
enter(Relation items, int64 stage_id)
{
	const VsmStage *stage = stage_id == 0 ? NULL : vsm_stage(stage_id);

	return stage ? vsm_wip_enter(items, stage, true) : 0;
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
	Datum		id = Int64GetDatum(get_int64(trigdata->tg_trigtuple, ITEM_ID,
											 RelationGetDescr(trigdata->tg_relation)));

	vsm_wip_changed(trigdata->tg_relation, counted_in(trigdata->tg_trigtuple, RelationGetDescr(trigdata->tg_relation)), 0);
	if (is_replica())
		return;
	vsm_require_recording_right(trigdata->tg_relation);
	run_unrecorded(&plan,
				   "WITH merged AS (DELETE FROM vsm._merged_events WHERE work_item_id = $1)"
				   " DELETE FROM vsm.stage_transitions WHERE work_item_id = $1",
				   trigdata->tg_relation->rd_rel->relowner, 1, &id);
}

static void
write_row(const LedgerRow *row, Relation items)
{
	VsmRequest *request = vsm_request;
	const char *actor = GetUserNameFromId(GetOuterUserId(), false);
	TimestampTz recorded_at = GetCurrentTimestamp();
	VsmIdentity before;
	int64		id;

	if (request && (request->work_item_id != row->work_item_id || !request->seen || request->recorded))
		request = NULL;

	before = vsm_become(items->rd_rel->relowner);
	id = insert_row(row, recorded_at, request ? request->reason : NULL, actor);
	vsm_become_again(before);
	add_to_totals(row, RelationGetRelid(items));

	if (request == NULL)
		return;
	request->recorded = true;
	request->id = id;
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
 * insert_row
 *		Store the row; returns its id.
 *
 * The id is drawn here, as the column's default would, because RETURNING costs
 * more than the rest of the statement's overhead.
 */
static int64
insert_row(const LedgerRow *row, TimestampTz recorded_at, const char *reason, const char *actor)
{
	static SPIPlanPtr plan = NULL;
	char		nulls[LEDGER_COLUMNS + 1] = "             ";
	Datum		values[LEDGER_COLUMNS];
	int64		id = nextval_internal(get_relname_relid("stage_transitions_id_seq", get_namespace_oid("vsm", false)), false);

	values[0] = Int64GetDatum(row->work_item_id);
	values[1] = Int64GetDatum(id);
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
		if (SPI_execute_plan(plan, values, nulls, false, 0) != SPI_OK_INSERT)
			elog(ERROR, "could not write the ledger row: %s", SPI_result_code_string(SPI_result));
	}
	PG_FINALLY();
	{
		own_statement = false;
	}
	PG_END_TRY();
	SPI_finish();
	return id;
}

/* As the owner and with vsm.recording = off for as long as it takes, errors included. */
static void
run_unrecorded(SPIPlanPtr *plan, const char *query, Oid owner, int nargs, Datum *arguments)
{
	VsmIdentity before = vsm_become(owner);
	int			nest = NewGUCNestLevel();
	Oid			types[1] = {INT8OID};

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
	vsm_become_again(before);
}

static int64
get_int64(HeapTuple tuple, int column, TupleDesc desc)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, column, desc, &isnull);

	if (isnull)
		elog(ERROR, "column %d of a work item is null", column);
	return DatumGetInt64(value);
}
