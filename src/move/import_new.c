/*
 * import_new.c
 *		Writing the moves of the new items of an import.
 *
 * One walk over the events in order tells which are moves (sequence.c), stores
 * them as COPY would (bulk_store.c), adds them to the totals and gives the state
 * of each item.  An import into which known items come needs its moves twice, to
 * compare them with the ledger, and keeps them in a table (sql/52_import_moves.sql).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "bulk_store.h"
#include "errors.h"
#include "ledger.h"
#include "ledger_row.h"
#include "ledger_store.h"
#include "replay.h"
#include "roles/access_rights.h"
#include "sequence.h"
#include "trigger_guard.h"
#include "vsm.h"

#define EVENTS_AT_ONCE	1000
#define REPORT_EVERY	100000	/* moves */
#define RESULT_COLUMNS	(3 + VSM_STATE_COLUMNS)

typedef struct Writer
{
	ReturnSetInfo *result;
	VsmBulk    *ledger;			/* NULL: the ledger needs statements */
	MemoryContext item_context;	/* emptied after each item */
	MemoryContext row_context;	/* emptied after each row, and each lot of merged events */
	VsmSequence *sequence;
	VsmLedgerRow row;			/* what all rows have in common, and the last one */

	/* the item whose events are read */
	bool		has_item;
	int64		item_id;
	const char *type;
	int64		moves;
	int64		merged;

	int64		all_moves;

	/* merged events that are not stored yet, by the columns of their table */
	int			nwaiting;
	Datum		waiting[4][EVENTS_AT_ONCE];
} Writer;

static void read_events(Writer *writer, Datum stream);
static void begin_item(Writer *writer, int64 item_id, Datum type);
static void end_item(Writer *writer);
static void read_event(Writer *writer, int64 stage_id, TimestampTz at);
static void store_move(Writer *writer);
static void keep_merged(Writer *writer, int64 stage_id, TimestampTz at);
static void store_merged(Writer *writer);

PG_FUNCTION_INFO_V1(vsm__import_new_items);

/*
 * vsm._import_new_items(stream text, stream_id bigint, recorded_at timestamptz)
 * -> setof (item_id, moves, merged, columns of vsm._item_state)
 *		Writes the moves and merged events of pg_temp.vsm_import, whose items are all new.
 *
 * One row for each item: how many moves and merged events, and its state after
 * them.  42501: the caller lacks the rights of the tables' owner.
 */
Datum
vsm__import_new_items(PG_FUNCTION_ARGS)
{
	Writer	   *writer = palloc0(sizeof(Writer));
	Relation	ledger;

	vsm_require_owner("write the moves of an import");
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("an import needs a stream and the time at which it records"),
				errdetail("An argument is null."),
				errhint("Call vsm.import_events() or vsm.import_wide()."));
	InitMaterializedSRF(fcinfo, 0);
	writer->result = (ReturnSetInfo *) fcinfo->resultinfo;
	ledger = table_open(vsm_relation(VSM_TABLE_LEDGER), RowExclusiveLock);
	writer->ledger = vsm_ledger_is_plain() ? vsm_bulk_begin(ledger) : NULL;
	writer->item_context = AllocSetContextCreate(CurrentMemoryContext, "vsm imported item", ALLOCSET_SMALL_SIZES);
	writer->row_context = AllocSetContextCreate(CurrentMemoryContext, "vsm imported row", ALLOCSET_SMALL_SIZES);
	writer->sequence = vsm_sequence_begin(CurrentMemoryContext);
	writer->row.stream_id = PG_GETARG_INT64(1);
	writer->row.recorded_at = PG_GETARG_TIMESTAMPTZ(2);
	strlcpy(writer->row.actor, vsm_actor(), sizeof writer->row.actor);

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	read_events(writer, PG_GETARG_DATUM(0));
	SPI_finish();

	if (writer->ledger)
		vsm_bulk_end(writer->ledger);
	table_close(ledger, NoLock);
	return (Datum) 0;
}

/*
 * read_events
 *		Moves draw their ids in this order.
 *
 * An owner who calls the function himself may have made the tables with any
 * columns: the casts make them the types that are read here.
 */
static void
read_events(Writer *writer, Datum stream)
{
	Oid			types[1] = {TEXTOID};
	SPIPlanPtr	plan = SPI_prepare("SELECT i.item_id::pg_catalog.int8, i.type::pg_catalog.text, r.entered_at::pg_catalog.timestamptz, s.id"
								   " FROM pg_temp.vsm_import r"
								   " JOIN pg_temp.vsm_import_items i ON i.case_id OPERATOR(pg_catalog.=) r.case_id"
								   " JOIN vsm.stages s ON s.name OPERATOR(pg_catalog.=) r.stage AND s.stream OPERATOR(pg_catalog.=) $1"
								   " ORDER BY i.item_id, r.entered_at, r.sequence, r.ord",
								   1, types);
	Portal		portal;

	if (plan == NULL)
		elog(ERROR, "could not read the events of the import: %s", SPI_result_code_string(SPI_result));
	portal = SPI_cursor_open(NULL, plan, &stream, NULL, true);
	for (;;)
	{
		SPITupleTable *events;
		uint64		count;

		SPI_cursor_fetch(portal, true, EVENTS_AT_ONCE);
		events = SPI_tuptable;
		count = SPI_processed;
		if (count == 0)
			break;
		for (uint64 i = 0; i < count; i++)
		{
			Datum		values[4];
			bool		nulls[4];

			heap_deform_tuple(events->vals[i], events->tupdesc, values, nulls);
			if (nulls[0] || nulls[1] || nulls[2] || nulls[3])
				elog(ERROR, "an event of the import is not complete");
			if (!writer->has_item || DatumGetInt64(values[0]) != writer->item_id)
				begin_item(writer, DatumGetInt64(values[0]), values[1]);
			read_event(writer, DatumGetInt64(values[3]), DatumGetTimestampTz(values[2]));
		}
		SPI_freetuptable(events);
	}
	end_item(writer);
	store_merged(writer);
	SPI_cursor_close(portal);
}

static void
begin_item(Writer *writer, int64 item_id, Datum type)
{
	MemoryContext caller;

	end_item(writer);
	caller = MemoryContextSwitchTo(writer->item_context);
	writer->type = TextDatumGetCString(type);
	MemoryContextSwitchTo(caller);
	writer->has_item = true;
	writer->item_id = item_id;
	writer->moves = writer->merged = 0;
	vsm_sequence_next_item(writer->sequence);
}

/* Its row of the result. */
static void
end_item(Writer *writer)
{
	Datum		values[RESULT_COLUMNS];
	bool		nulls[RESULT_COLUMNS] = {0};
	MemoryContext caller;

	if (!writer->has_item)
		return;
	caller = MemoryContextSwitchTo(writer->item_context);
	values[0] = Int64GetDatum(writer->item_id);
	values[1] = Int64GetDatum(writer->moves);
	values[2] = Int64GetDatum(writer->merged);
	/* a stage that is not defined any more; no item is stored without a state */
	if (writer->sequence->known)
		vsm_state_values(&writer->sequence->state, values + 3, nulls + 3);
	else
		memset(nulls + 3, true, VSM_STATE_COLUMNS);
	tuplestore_putvalues(writer->result->setResult, writer->result->setDesc, values, nulls);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(writer->item_context);
}

static void
read_event(Writer *writer, int64 stage_id, TimestampTz at)
{
	vsm_sequence_add(writer->sequence, stage_id, at, true);
	if (writer->sequence->copy)
		return;
	if (writer->sequence->keep)
		store_move(writer);
	else
		keep_merged(writer, stage_id, at);
}

static void
store_move(Writer *writer)
{
	const VsmSequence *move = writer->sequence;
	VsmLedgerRow *row = &writer->row;
	Datum		values[LEDGER_COLUMNS];
	bool		nulls[LEDGER_COLUMNS];
	MemoryContext caller = MemoryContextSwitchTo(writer->ledger ? vsm_bulk_context(writer->ledger) : writer->row_context);

	row->work_item_id = writer->item_id;
	row->id = vsm_next_ledger_id();
	row->first = move->first;
	row->from_stage_id = move->from_stage_id;
	row->to_stage_id = move->stage_id;
	row->at = move->entered_at;
	row->time_in_stage_us = move->time_in_stage_us;
	row->type = move->first ? writer->type : NULL;
	row->cycle_us = move->cycle_us;
	row->lead_us = move->lead_us;
	row->effect = move->effect;
	vsm_ledger_row_values(row, values, nulls);
	if (writer->ledger)
		vsm_bulk_add(writer->ledger, values, nulls);
	else
		vsm_insert_ledger_row(row->work_item_id, values, nulls);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(writer->row_context);
	vsm_add_to_totals(row, vsm_relation(VSM_TABLE_ITEMS));
	writer->moves++;
	if (++writer->all_moves % REPORT_EVERY == 0)
		ereport(NOTICE, (errmsg(INT64_FORMAT " transitions written so far", writer->all_moves)));
}

static void
keep_merged(Writer *writer, int64 stage_id, TimestampTz at)
{
	int			n = writer->nwaiting++;

	writer->waiting[0][n] = Int64GetDatum(writer->item_id);
	writer->waiting[1][n] = Int64GetDatum(vsm_next_ledger_id());
	writer->waiting[2][n] = Int64GetDatum(stage_id);
	writer->waiting[3][n] = TimestampTzGetDatum(at);
	writer->merged++;
	if (writer->nwaiting == EVENTS_AT_ONCE)
		store_merged(writer);
}

static void
store_merged(Writer *writer)
{
	Oid			types[4] = {INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID};
	Datum		values[4];
	MemoryContext caller = MemoryContextSwitchTo(writer->row_context);

	for (int i = 0; i < 4; i++)
		values[i] = PointerGetDatum(construct_array(writer->waiting[i], writer->nwaiting, i < 3 ? INT8OID : TIMESTAMPTZOID,
													sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	if (writer->nwaiting > 0 &&
		SPI_execute_with_args("INSERT INTO vsm._merged_events (work_item_id, id, stage_id, \"timestamp\")"
							  " SELECT * FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4))",
							  4, types, values, NULL, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not store the merged events of the import");
	MemoryContextSwitchTo(caller);
	MemoryContextReset(writer->row_context);
	writer->nwaiting = 0;
}
