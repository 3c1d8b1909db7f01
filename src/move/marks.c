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
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "owner.h"
#include "prepare.h"
#include "stage_cache.h"
#include "trigger_guard.h"

/* SQL's advisory locks are of classes 1 and 2, the lock of a recount is of class 3. */
#define FOLD_LOCK_CLASS 4

/* In place of an hour: all in which an item moves; and that replication has brought a move of an item. */
#define WHOLE_ITEM DT_NOBEGIN
#define ITEM_TOUCHED DT_NOEND

#define MOST_REMEMBERED 50000	/* then it begins anew: to mark twice is no fault */

/* What a subtransaction has marked.  Its number is not used again in the transaction. */
typedef struct Marked
{
	int64		id;				/* of a stream; of an item where hour is none */
	TimestampTz hour;
	SubTransactionId subid;
	uint32		unused;			/* keys are compared as bytes */
} Marked;

/* Of the transaction, in whose memory they are; 0: of none. */
static HTAB *marked;
static TransactionId marked_by;

static void require_owner(const char *what);
static bool is_appended(int64 work_item_id, TimestampTz at, int64 id);
static bool is_marked(int64 id, TimestampTz hour);
static void insert_marks(SPIPlanPtr *plan, const char *query, int nargs, Oid *types, Datum *values);
static uint64 run_by_latest(SPIPlanPtr *plan, const char *query, int nargs, Oid *types, Datum *values);

PG_FUNCTION_INFO_V1(vsm__closed_until);
PG_FUNCTION_INFO_V1(vsm__lock_fold);
PG_FUNCTION_INFO_V1(vsm__fold_turn);
PG_FUNCTION_INFO_V1(vsm__next_xid);
PG_FUNCTION_INFO_V1(vsm__ledger_replicated);

/* vsm._closed_until(stream_id bigint) -> timestamptz; -infinity: nothing is folded.  For the owner: it tells of any stream. */
Datum
vsm__closed_until(PG_FUNCTION_ARGS)
{
	require_owner("ask how far a stream is folded");
	(void) GetCurrentTransactionId();
	AcceptInvalidationMessages();
	PG_RETURN_TIMESTAMPTZ(vsm_closed_until(PG_GETARG_INT64(0)));
}

/*
 * vsm._lock_fold(stream_id bigint) -> void
 *		Held until the messages of the commit have been sent, unlike a row's lock; 42501.
 *
 * SQL's advisory locks, which any role can take, are of other classes.  For the owner,
 * as whom vsm.fold() runs: a stranger would keep others from folding.
 */
Datum
vsm__lock_fold(PG_FUNCTION_ARGS)
{
	int64		stream_id = PG_GETARG_INT64(0);
	LOCKTAG		tag;

	require_owner("lock a stream for folding");
	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (stream_id >> 32), (uint32) stream_id, FOLD_LOCK_CLASS);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
	PG_RETURN_VOID();
}

/*
 * vsm._fold_turn() -> boolean
 *		Is it this transaction's turn to fold?  Until it ends, it is nobody else's.
 *
 * For gateways, of which one folds at a time.  Of the same class of locks, and 0 is no stream.
 * Who may not read the ledger, and so cannot fold, cannot take it (42501).
 */
Datum
vsm__fold_turn(PG_FUNCTION_ARGS)
{
	Oid			ledger = vsm_relation(VSM_TABLE_LEDGER);
	AclResult	right = pg_class_aclcheck(ledger, GetUserId(), ACL_SELECT);
	LOCKTAG		tag;

	if (right != ACLCHECK_OK)
		aclcheck_error(right, OBJECT_TABLE, get_rel_name(ledger));
	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, 0, FOLD_LOCK_CLASS);
	PG_RETURN_BOOL(LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL);
}

/* vsm._next_xid() -> xid8: the next transaction id to be assigned */
Datum
vsm__next_xid(PG_FUNCTION_ARGS)
{
	PG_RETURN_FULLTRANSACTIONID(ReadNextFullTransactionId());
}

/*
 * vsm._ledger_replicated() -> trigger: AFTER INSERT OR UPDATE OR DELETE, for each row, under replication
 *		Marks the hours of a row that replication applies, and, unless it is the item's next move, of its item.
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
		TimestampTz at = DatumGetTimestampTz(heap_getattr(rows[i], SPI_fnumber(desc, "timestamp"), desc, &isnull));
		int64		stream_id = DatumGetInt64(heap_getattr(rows[i], SPI_fnumber(desc, "stream_id"), desc, &isnull));
		int64		work_item_id = DatumGetInt64(heap_getattr(rows[i], SPI_fnumber(desc, "work_item_id"), desc, &isnull));
		int64		id = DatumGetInt64(heap_getattr(rows[i], SPI_fnumber(desc, "id"), desc, &isnull));

		vsm_mark_move(stream_id, at);	/* which has received the messages of others */
		if (vsm_any_closed() && !(TRIGGER_FIRED_BY_INSERT(trigdata->tg_event) && is_appended(work_item_id, at, id)))
			vsm_mark_item(work_item_id);
	}
	return PointerGetDatum(NULL);
}

/*
 * vsm_mark_move
 *		A move at that time, the item's last, is about to be recorded: mark its hour.
 */
void
vsm_mark_move(int64 stream_id, TimestampTz at)
{
	static SPIPlanPtr plan = NULL;
	TimestampTz hour;

	(void) GetCurrentTransactionId();
	AcceptInvalidationMessages();
	if (at >= vsm_closed_until(stream_id))
		return;
	hour = at - at % USECS_PER_HOUR - (at % USECS_PER_HOUR < 0 ? USECS_PER_HOUR : 0);
	if (is_marked(stream_id, hour))
		return;
	insert_marks(&plan, "INSERT INTO vsm._marks (stream_id, since, until) VALUES ($1, $2, $3)", 3,
				 (Oid[]){INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID},
				 (Datum[]){Int64GetDatum(stream_id), TimestampTzGetDatum(hour), TimestampTzGetDatum(hour + USECS_PER_HOUR)});
}

/*
 * Marks for the hours of "touched"; for their days or months, once they are many: each mark is read with every figure until the
 * next fold, and an item may have moved for years.
 */
#define INSERT_MARKS(touched) \
	"WITH hours AS MATERIALIZED (SELECT DISTINCT x.stream_id, pg_catalog.date_trunc('hour', x.\"timestamp\", 'UTC') AS at" \
	" FROM (" touched ") x JOIN vsm._folds f USING (stream_id) WHERE x.\"timestamp\" < f.closed_until)," \
	" grain AS (SELECT CASE WHEN count(*) <= 256 THEN 'hour'" \
	" WHEN count(DISTINCT pg_catalog.date_trunc('day', h.at, 'UTC')) <= 256 THEN 'day' ELSE 'month' END AS unit FROM hours h)" \
	" INSERT INTO vsm._marks (stream_id, since, until)" \
	" SELECT DISTINCT h.stream_id, pg_catalog.date_trunc(g.unit, h.at, 'UTC')," \
	" (pg_catalog.date_trunc(g.unit, h.at AT TIME ZONE 'UTC') + ('1 ' || g.unit)::pg_catalog.interval) AT TIME ZONE 'UTC'" \
	" FROM hours h CROSS JOIN grain g"

/*
 * vsm_mark_item
 *		The item has another type, or its moves have changed: mark all times in which it moved.
 *
 * Once in a subtransaction: moves that are recorded later are marked each by itself.
 */
void
vsm_mark_item(int64 work_item_id)
{
	static SPIPlanPtr plan = NULL;

	(void) GetCurrentTransactionId();
	AcceptInvalidationMessages();
	if (vsm_any_closed() && !is_marked(work_item_id, WHOLE_ITEM))
		insert_marks(&plan, INSERT_MARKS("SELECT t.stream_id, t.\"timestamp\" FROM vsm.stage_transitions t WHERE t.work_item_id = $1"),
					 1, (Oid[]){INT8OID}, (Datum[]){Int64GetDatum(work_item_id)});
}

/*
 * vsm_mark_superseded
 *		Rows of the ledger have been deleted or changed: mark their times, and all in which their items move.
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
		(void) run_by_latest(&plan, INSERT_MARKS("SELECT g.stream_id, g.\"timestamp\" FROM gone g"
										  " UNION ALL SELECT t.stream_id, t.\"timestamp\" FROM vsm.stage_transitions t"
										  " WHERE t.work_item_id IN (SELECT g.work_item_id FROM gone g)"),
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
	marked_by = InvalidTransactionId;
}

static void
require_owner(const char *what)
{
	if (!has_privs_of_role(GetUserId(), vsm_owner_of(vsm_relation(VSM_TABLE_ITEMS))))
		ereport(ERROR,
				errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("only the owner of vsm.work_items may %s", what),
				errhint("Call vsm.fold()."));
}

/*
 * is_appended
 *		Is a replicated row, the first of its item in this transaction, the item's last move?
 *
 * What is read are the moves of one item, and that once.
 */
static bool
is_appended(int64 work_item_id, TimestampTz at, int64 id)
{
	static SPIPlanPtr plan = NULL;
	VsmOwner	before;
	bool		found;

	if (is_marked(work_item_id, ITEM_TOUCHED))
		return false;
	before = vsm_become_owner(vsm_owner_of(vsm_relation(VSM_TABLE_ITEMS)));
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	found = run_by_latest(&plan, "SELECT FROM vsm.stage_transitions t WHERE t.work_item_id = $1 AND (t.\"timestamp\", t.id) > ($2, $3) LIMIT 1",
						  3, (Oid[]){INT8OID, TIMESTAMPTZOID, INT8OID},
						  (Datum[]){Int64GetDatum(work_item_id), TimestampTzGetDatum(at), Int64GetDatum(id)}) > 0;
	SPI_finish();
	vsm_leave_owner(before);
	return !found;
}

/* Has this subtransaction marked that?  From now on it has. */
static bool
is_marked(int64 id, TimestampTz hour)
{
	TransactionId xid = GetTopTransactionId();
	Marked		key = {id, hour, GetCurrentSubTransactionId(), 0};
	bool		found;

	if (marked_by == xid && hash_get_num_entries(marked) >= MOST_REMEMBERED)
	{
		hash_destroy(marked);
		marked_by = InvalidTransactionId;
	}
	if (marked_by != xid)
	{
		HASHCTL		control = {.keysize = sizeof(Marked), .entrysize = sizeof(Marked), .hcxt = TopTransactionContext};

		marked = hash_create("vsm marks", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
		marked_by = xid;
	}
	(void) hash_search(marked, &key, HASH_ENTER, &found);
	return found;
}

static void
insert_marks(SPIPlanPtr *plan, const char *query, int nargs, Oid *types, Datum *values)
{
	VsmOwner	before = vsm_become_owner(vsm_owner_of(vsm_relation(VSM_TABLE_ITEMS)));

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	(void) run_by_latest(plan, query, nargs, types, values);
	SPI_finish();
	vsm_leave_owner(before);
}

/* By the latest snapshot, so that a transaction with an older one sees every closed_until.  Returns the number of rows. */
static uint64
run_by_latest(SPIPlanPtr *plan, const char *query, int nargs, Oid *types, Datum *values)
{
	int			ret;

	if (*plan == NULL)
		*plan = vsm_prepare(query, nargs, types);
	CommandCounterIncrement();
	ret = SPI_execute_snapshot(*plan, values, NULL, GetLatestSnapshot(), InvalidSnapshot, false, true, 0);
	if (ret != SPI_OK_INSERT && ret != SPI_OK_SELECT)
		elog(ERROR, "could not run \"%s\": %s", query, SPI_result_code_string(ret));
	return SPI_processed;
}
