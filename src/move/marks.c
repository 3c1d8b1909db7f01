/*
 * marks.c
 *		Marks on times whose moves have changed since they may have been folded.
 *
 * vsm.fold() keeps the sums of moves before a stream's closed_until.  So whoever
 * records, changes or deletes a move of before that time leaves a mark in vsm._marks,
 * in the same transaction, whether or not the move has been folded yet.
 *
 * closed_until is read after the transaction has its id, and after messages of
 * others have been received.  Folding waits for the transactions that had an id
 * when closed_until was committed, so it cannot overlook one that did not know it.
 *
 * A mark precedes the row that it is for, so that a trigger on the row sees both.
 */
#include "marks.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "owner.h"
#include "prepare.h"
#include "stage_cache.h"
#include "trigger_guard.h"

/* What this subtransaction has marked last. */
static struct
{
	int64		stream_id;
	TimestampTz day;
	TransactionId xid;
	SubTransactionId subid;
}			last_marked;

static bool is_marked(int64 stream_id, TimestampTz day);
static void insert_marks(SPIPlanPtr *plan, const char *query, int nargs, Oid *types, Datum *values);
static void run_by_latest(SPIPlanPtr *plan, const char *query, int nargs, Oid *types, Datum *values);

PG_FUNCTION_INFO_V1(vsm__closed_until);
PG_FUNCTION_INFO_V1(vsm__next_xid);
PG_FUNCTION_INFO_V1(vsm__ledger_replicated);

/* vsm._closed_until(stream_id bigint) -> timestamptz; -infinity: nothing is folded */
Datum
vsm__closed_until(PG_FUNCTION_ARGS)
{
	(void) GetCurrentTransactionId();
	AcceptInvalidationMessages();
	PG_RETURN_TIMESTAMPTZ(vsm_closed_until(PG_GETARG_INT64(0)));
}

/* vsm._next_xid() -> xid8: the next transaction id to be assigned */
Datum
vsm__next_xid(PG_FUNCTION_ARGS)
{
	PG_RETURN_FULLTRANSACTIONID(ReadNextFullTransactionId());
}

/*
 * vsm._ledger_replicated() -> trigger: AFTER INSERT OR UPDATE OR DELETE, for each row, under replication
 *		Marks the days of a row that replication applies, and of its item.
 */
Datum
vsm__ledger_replicated(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = vsm_trigger_data(fcinfo, VSM_AFTER_ROW, VSM_TABLE_LEDGER, VSM_TABLE_LEDGER);
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	HeapTuple	rows[2] = {trigdata->tg_trigtuple, TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ? trigdata->tg_newtuple : NULL};

	for (int i = 0; i < 2 && rows[i]; i++)
	{
		bool		isnull;
		Datum		at = heap_getattr(rows[i], SPI_fnumber(desc, "timestamp"), desc, &isnull);
		Datum		stream_id = heap_getattr(rows[i], SPI_fnumber(desc, "stream_id"), desc, &isnull);

		vsm_mark_move(DatumGetInt64(stream_id), DatumGetTimestampTz(at));
		vsm_mark_item(DatumGetInt64(heap_getattr(rows[i], SPI_fnumber(desc, "work_item_id"), desc, &isnull)));
	}
	return PointerGetDatum(NULL);
}

/*
 * vsm_mark_move
 *		A move at that time, the item's last, is about to be recorded: mark its day.
 */
void
vsm_mark_move(int64 stream_id, TimestampTz at)
{
	static SPIPlanPtr plan = NULL;
	TimestampTz day;

	(void) GetCurrentTransactionId();
	AcceptInvalidationMessages();
	if (at >= vsm_closed_until(stream_id))
		return;
	day = at - at % USECS_PER_DAY - (at % USECS_PER_DAY < 0 ? USECS_PER_DAY : 0);
	if (is_marked(stream_id, day))
		return;
	insert_marks(&plan, "INSERT INTO vsm._marks (stream_id, since, until) VALUES ($1, $2, $3)", 3,
				 (Oid[]){INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID},
				 (Datum[]){Int64GetDatum(stream_id), TimestampTzGetDatum(day), TimestampTzGetDatum(day + USECS_PER_DAY)});
}

/* The item has another type, or its moves have changed: mark all days on which it moved. */
void
vsm_mark_item(int64 work_item_id)
{
	static SPIPlanPtr plan = NULL;

	(void) GetCurrentTransactionId();
	AcceptInvalidationMessages();
	if (vsm_any_closed())
		insert_marks(&plan, "INSERT INTO vsm._marks (stream_id, since, until)"
					 " SELECT DISTINCT t.stream_id, d.day, d.day + interval '24 hours'"
					 " FROM vsm.stage_transitions t JOIN vsm._folds f USING (stream_id)"
					 " CROSS JOIN LATERAL pg_catalog.date_trunc('day', t.\"timestamp\", 'UTC') d (day)"
					 " WHERE t.work_item_id = $1 AND t.\"timestamp\" < f.closed_until",
					 1, (Oid[]){INT8OID}, (Datum[]){Int64GetDatum(work_item_id)});
}

/*
 * vsm_mark_superseded
 *		Rows of the ledger have been deleted or changed: mark their days, and all on which their items move.
 *
 * Within SPI, where the transition table "gone" is registered.
 */
void
vsm_mark_superseded(void)
{
	static SPIPlanPtr plan = NULL;

	(void) GetCurrentTransactionId();
	AcceptInvalidationMessages();
	if (vsm_any_closed())
		run_by_latest(&plan, "INSERT INTO vsm._marks (stream_id, since, until)"
					  " SELECT DISTINCT x.stream_id, d.day, d.day + interval '24 hours'"
					  " FROM (SELECT g.stream_id, g.\"timestamp\" FROM gone g"
					  " UNION ALL SELECT t.stream_id, t.\"timestamp\" FROM vsm.stage_transitions t"
					  " WHERE t.work_item_id IN (SELECT g.work_item_id FROM gone g)) x JOIN vsm._folds f USING (stream_id)"
					  " CROSS JOIN LATERAL pg_catalog.date_trunc('day', x.\"timestamp\", 'UTC') d (day)"
					  " WHERE x.\"timestamp\" < f.closed_until",
					  0, NULL, NULL);
}

/* Moves have changed that are not known one by one: mark all times of all streams. */
void
vsm_mark_everything(void)
{
	static SPIPlanPtr plan = NULL;

	(void) GetCurrentTransactionId();
	AcceptInvalidationMessages();
	if (vsm_any_closed())
		insert_marks(&plan, "INSERT INTO vsm._marks (stream_id, since, until)"
							" SELECT f.stream_id, '-infinity', 'infinity' FROM vsm._folds f",
					 0, NULL, NULL);
}

/* Marks may have been deleted: those of this transaction must not be relied on. */
void
vsm_forget_marks(void)
{
	last_marked.xid = InvalidTransactionId;
}

/* Has this subtransaction marked that day last? */
static bool
is_marked(int64 stream_id, TimestampTz day)
{
	TransactionId xid = GetTopTransactionId();
	SubTransactionId subid = GetCurrentSubTransactionId();

	if (last_marked.stream_id == stream_id && last_marked.day == day && last_marked.xid == xid && last_marked.subid == subid)
		return true;
	last_marked.stream_id = stream_id;
	last_marked.day = day;
	last_marked.xid = xid;
	last_marked.subid = subid;
	return false;
}

static void
insert_marks(SPIPlanPtr *plan, const char *query, int nargs, Oid *types, Datum *values)
{
	VsmOwner	before = vsm_become_owner(vsm_owner_of(vsm_relation(VSM_TABLE_ITEMS)));

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	run_by_latest(plan, query, nargs, types, values);
	SPI_finish();
	vsm_leave_owner(before);
}

/* By the latest snapshot, so that a transaction with an older one sees every closed_until. */
static void
run_by_latest(SPIPlanPtr *plan, const char *query, int nargs, Oid *types, Datum *values)
{
	if (*plan == NULL)
		*plan = vsm_prepare(query, nargs, types);
	CommandCounterIncrement();
	if (SPI_execute_snapshot(*plan, values, NULL, GetLatestSnapshot(), InvalidSnapshot, false, true, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not run \"%s\": %s", query, SPI_result_code_string(SPI_result));
}
