/*
 * superseded.c
 *		Ledger rows that are taken away or changed: vsm.superseded_transitions.
 *
 * Whatever deletes or changes rows of vsm.stage_transitions (the deletion of an
 * item, an import, a repair by the owner), a statement trigger of that table keeps
 * the rows as they were.  So the totals, which count both tables, never fall, and
 * figures can be given as they were known at an earlier instant.
 *
 * The rows of deleted items are deleted together, when the DELETE of the items
 * ends: the AFTER row trigger only notes the item, since a statement for each item
 * would cost as much as the rest of its deletion three times over.  A note belongs
 * to its subtransaction, and is dropped when that is rolled back.  It also carries
 * what a superseded row tells of an item that is gone.
 */
#include "superseded.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "decisions.h"
#include "ledger.h"
#include "ledger_guard.h"
#include "marks.h"
#include "owner.h"
#include "prepare.h"
#include "trigger_guard.h"
#include "vsm.h"

/* Rows with this id or a greater one are of another item with the same id: none are. */
#define ALL_ROWS	PG_INT64_MAX

typedef struct DeletedItem
{
	int64		id;
	int64		decided_by;		/* ledger id that was drawn for the deletion; 0: none */
	text	   *type;			/* NULL: null */
	text	   *external_id;	/* NULL: null */
	SubTransactionId subid;
} DeletedItem;

/* In TopTransactionContext; NULL: none since the transaction began. */
static DeletedItem *deleted = NULL;
static int	ndeleted = 0;
static int	room = 0;

static text *copy_text(const ItemRow *item, int column);
static void make_list(void);
static void forget_list(void *arg);
static void drop_notes(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg);
static void list_deleted(Datum *values);
static Datum array_of(Datum *elements, bool *nulls, int count, Oid type);
static SPIPlanPtr plan_to_keep(bool changed);

PG_FUNCTION_INFO_V1(vsm__ledger_superseded);
PG_FUNCTION_INFO_V1(vsm__work_items_deleted);

/*
 * vsm._ledger_superseded() -> trigger: AFTER UPDATE OR DELETE, for each statement
 *		Keeps the rows as they were; transition tables "gone" and, of an UPDATE, "stays".
 *
 * Only the owner may change the ledger, but his search_path must not matter.
 */
Datum
vsm__ledger_superseded(PG_FUNCTION_ARGS)
{
	static SPIPlanPtr plans[2] = {NULL, NULL};
	TriggerData *trigdata = vsm_trigger_data(fcinfo, VSM_AFTER_STATEMENT, VSM_TABLE_LEDGER, VSM_TABLE_LEDGER);
	bool		changed = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event);
	Datum		values[5];
	VsmOwner	before;

	if (trigdata->tg_oldtable == NULL || tuplestore_tuple_count(trigdata->tg_oldtable) == 0)
		return PointerGetDatum(NULL);
	list_deleted(values);
	values[3] = TimestampTzGetDatum(vsm_superseding_at());
	values[4] = CStringGetTextDatum(vsm_actor());
	before = vsm_become_owner(trigdata->tg_relation->rd_rel->relowner);
	if (SPI_connect() != SPI_OK_CONNECT || SPI_register_trigger_data(trigdata) != SPI_OK_TD_REGISTER)
		elog(ERROR, "could not read the rows of the statement");
	if (plans[changed] == NULL)
		plans[changed] = plan_to_keep(changed);
	if (vsm_run_on_ledger(plans[changed], values, NULL, false) != SPI_OK_INSERT)
		elog(ERROR, "could not keep superseded rows: %s", SPI_result_code_string(SPI_result));
	vsm_mark_superseded();
	SPI_finish();
	vsm_leave_owner(before);
	return PointerGetDatum(NULL);
}

/* vsm._work_items_deleted() -> trigger: AFTER DELETE, for each statement, after the row triggers */
Datum
vsm__work_items_deleted(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = vsm_trigger_data(fcinfo, VSM_AFTER_STATEMENT, VSM_TABLE_ITEMS, VSM_TABLE_ITEMS);

	vsm_forget_deleted_items(trigdata->tg_relation);
	return PointerGetDatum(NULL);
}

/*
 * vsm_note_deleted_item
 *		Note that the item's ledger rows are to be deleted.
 *
 * decided_by: if an item with the same id has been inserted since, its rows have
 * greater ids than this.
 */
void
vsm_note_deleted_item(const ItemRow *item, int64 decided_by)
{
	DeletedItem *note;

	if (deleted == NULL)
		make_list();
	else if (ndeleted == room)
	{
		room *= 2;
		deleted = repalloc_huge(deleted, sizeof(DeletedItem) * room);
	}
	note = &deleted[ndeleted];
	note->id = vsm_row_id(item);
	note->decided_by = decided_by;
	note->type = copy_text(item, ITEM_TYPE);
	note->external_id = copy_text(item, ITEM_EXTERNAL_ID);
	note->subid = GetCurrentSubTransactionId();
	ndeleted++;
}

/*
 * vsm_forget_deleted_items
 *		Delete the ledger rows of the items that this subtransaction has noted.
 *
 * Those of an outer one stay noted, since this one may be rolled back.
 */
void
vsm_forget_deleted_items(Relation items)
{
	static SPIPlanPtr plan = NULL;
	SubTransactionId mine = GetCurrentSubTransactionId();
	int			first = ndeleted;
	int			count;
	Datum		values[2];
	Datum	   *ids;
	Datum	   *bounds;

	while (first > 0 && deleted[first - 1].subid >= mine)
		first--;
	count = ndeleted - first;
	if (count == 0)
		return;
	ids = palloc(sizeof(Datum) * count);
	bounds = palloc(sizeof(Datum) * count);
	for (int i = 0; i < count; i++)
	{
		int64		decided_by = deleted[first + i].decided_by;
		bool		reused = decided_by != 0 && vsm_decided_insert_since(decided_by);

		ids[i] = Int64GetDatum(deleted[first + i].id);
		bounds[i] = Int64GetDatum(reused ? decided_by : ALL_ROWS);
	}
	values[0] = array_of(ids, NULL, count, INT8OID);
	values[1] = array_of(bounds, NULL, count, INT8OID);
	vsm_run_unrecorded(&plan,
					   "WITH d AS MATERIALIZED (SELECT d.id, CASE WHEN d.bound = 9223372036854775807"
					   " OR EXISTS (SELECT FROM vsm.work_items w WHERE w.id = d.id) THEN d.bound ELSE 9223372036854775807 END AS bound"
					   " FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) d (id, bound)),"
					   " merged AS (DELETE FROM vsm._merged_events e USING d WHERE e.work_item_id = d.id AND e.id < d.bound),"
					   " blocks AS (DELETE FROM vsm.blocks b USING d WHERE b.work_item_id = d.id),"
					   " failures AS (DELETE FROM vsm.failures f USING d WHERE f.work_item_id = d.id)"
					   " DELETE FROM vsm.stage_transitions t USING d WHERE t.work_item_id = d.id AND t.id < d.bound",
					   items, 2, (Oid[]){INT8ARRAYOID, INT8ARRAYOID}, values);
	ndeleted = first;
}

/*
 * vsm_note_retype
 *		An item had another type, as its row before the change says.
 *
 * Until the change was decided, which is its updated_at: its trigger may have
 * deleted the item since.
 */
void
vsm_note_retype(Relation items, int64 stream_id, const ItemRow *before, const ItemRow *after)
{
	static SPIPlanPtr plan = NULL;
	Datum		values[4] = {Int64GetDatum(stream_id), Int64GetDatum(vsm_row_id(before)), before->values[ITEM_TYPE],
	after->values[ITEM_UPDATED_AT]};

	vsm_run_unrecorded(&plan, "INSERT INTO vsm._retypes (stream_id, work_item_id, old_type, at) VALUES ($1, $2, $3, $4)",
					   items, 4, (Oid[]){INT8OID, INT8OID, TEXTOID, TIMESTAMPTZOID}, values);
}

static text *
copy_text(const ItemRow *item, int column)
{
	MemoryContext caller;
	text	   *copy;

	if (item->nulls[column])
		return NULL;
	caller = MemoryContextSwitchTo(TopTransactionContext);
	copy = (text *) PG_DETOAST_DATUM_COPY(item->values[column]);
	MemoryContextSwitchTo(caller);
	return copy;
}

static void
make_list(void)
{
	static bool registered = false;
	MemoryContextCallback *callback = MemoryContextAllocZero(TopTransactionContext, sizeof(MemoryContextCallback));

	if (!registered)
		RegisterSubXactCallback(drop_notes, NULL);
	registered = true;
	callback->func = forget_list;
	MemoryContextRegisterResetCallback(TopTransactionContext, callback);
	room = 16;					/* doubled as needed */
	deleted = MemoryContextAlloc(TopTransactionContext, sizeof(DeletedItem) * room);
}

/* The list goes with the transaction's memory. */
static void
forget_list(void *arg)
{
	deleted = NULL;
	ndeleted = room = 0;
}

/* Notes are in the order of their subtransactions, as those are nested. */
static void
drop_notes(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		while (ndeleted > 0 && deleted[ndeleted - 1].subid >= mine)
			ndeleted--;
	if (event == SUBXACT_EVENT_COMMIT_SUB)
		for (int i = ndeleted - 1; i >= 0 && deleted[i].subid >= mine; i--)
			deleted[i].subid = parent;
}

/* Ids, types and external ids of the items that were noted, as three arrays. */
static void
list_deleted(Datum *values)
{
	Datum	   *elements = palloc(sizeof(Datum) * 3 * (ndeleted + 1));
	bool	   *nulls = palloc0(sizeof(bool) * 3 * (ndeleted + 1));

	for (int i = 0; i < ndeleted; i++)
	{
		elements[i] = Int64GetDatum(deleted[i].id);
		elements[ndeleted + i] = PointerGetDatum(deleted[i].type);
		nulls[ndeleted + i] = deleted[i].type == NULL;
		elements[2 * ndeleted + i] = PointerGetDatum(deleted[i].external_id);
		nulls[2 * ndeleted + i] = deleted[i].external_id == NULL;
	}
	values[0] = array_of(elements, nulls, ndeleted, INT8OID);
	values[1] = array_of(elements + ndeleted, nulls + ndeleted, ndeleted, TEXTOID);
	values[2] = array_of(elements + 2 * ndeleted, nulls + 2 * ndeleted, ndeleted, TEXTOID);
}

/* nulls may be NULL if no element is null. */
static Datum
array_of(Datum *elements, bool *nulls, int count, Oid type)
{
	int			dims[1] = {count};
	int			bounds[1] = {1};

	if (count == 0)
		return PointerGetDatum(construct_empty_array(type));
	return PointerGetDatum(construct_md_array(elements, nulls, 1, dims, bounds, type, type == INT8OID ? (int) sizeof(int64) : -1,
											  type == INT8OID && FLOAT8PASSBYVAL,
											  type == INT8OID ? TYPALIGN_DOUBLE : TYPALIGN_INT));
}

/*
 * plan_to_keep
 *		The INSERT of the rows of a statement.
 *
 * changed: an UPDATE, which matters if it changed what the totals count.
 */
static SPIPlanPtr
plan_to_keep(bool changed)
{
	const char *joined = changed ? " LEFT JOIN stays s ON s.work_item_id = g.work_item_id AND s.id = g.id" : "";
	const char *filter = changed
							 ? " WHERE (s.from_stage_id, s.to_stage_id, s.\"timestamp\", s.time_in_stage, s.type, s.cycle_time, s.lead_time)"
		" IS DISTINCT FROM (g.from_stage_id, g.to_stage_id, g.\"timestamp\", g.time_in_stage, g.type, g.cycle_time, g.lead_time)"
		: "";

	return vsm_prepare(psprintf("INSERT INTO vsm.superseded_transitions (stream_id, work_item_id, external_id, item_type,"
								" transition_id, from_stage_id, to_stage_id, \"timestamp\", recorded_at, time_in_stage, reason, actor,"
								" type, cycle_time, lead_time, superseded_at, superseded_by, why, item_deleted)"
								" SELECT g.stream_id, g.work_item_id, coalesce(d.external_id, w.external_id), coalesce(d.type, w.type),"
								" g.id, g.from_stage_id, g.to_stage_id, g.\"timestamp\", g.recorded_at, g.time_in_stage, g.reason, g.actor,"
								" g.type, g.cycle_time, g.lead_time, $4, $5, '%s', d.id IS NOT NULL"
								" FROM gone g LEFT JOIN (SELECT n.id, max(n.type) AS type, max(n.external_id) AS external_id"
								" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3)) n (id, type, external_id)"
								" GROUP BY n.id) d ON d.id = g.work_item_id"
								" LEFT JOIN vsm.work_items w ON w.id = g.work_item_id%s%s",
								changed ? "repaired" : "gone", joined, filter),
					   5, (Oid[]){INT8ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TIMESTAMPTZOID, TEXTOID});
}
