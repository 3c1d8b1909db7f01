/*
 * counters_prepared.c
 *		Prepared transactions, which end in any session, or after a restart.
 *
 * COMMIT PREPARED calls nobody.  So PREPARE leaves what the transaction changes
 * here, and whoever is about to read a counter, or to reserve, first settles
 * those that have ended meanwhile: adds what they changed if they committed.
 *
 * Of a transaction that was prepared before the server started nobody knows
 * what it changed.  A recount lists those that hold a lock for writing on the
 * work items; when one of them commits, the counters must be counted anew.
 */
#include "vsm.h"

#include "access/twophase.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/procarray.h"
#include "utils/snapmgr.h"

#include "counters.h"

static void add(FullTransactionId xid, Oid items, int counter, int64 net);
static void settle(VsmBoard *board, const VsmPrepared *prepared);
static bool has_ended(FullTransactionId xid);
static void remove_prepared(int i);

/*
 * vsm_prepared_add
 *		Leave a change of the transaction that is about to be prepared.
 *
 * counter: index of the counter; -1: it changes nobody knows what.
 */
void
vsm_prepared_add(FullTransactionId xid, Oid items, int counter, int64 net)
{
	bool		room;

	if (vsm_board(items) == NULL)
		return;
	LWLockAcquire(&vsm_shared->lock, LW_EXCLUSIVE);
	/* the last places are for those from before the start */
	room = (int) pg_atomic_read_u32(&vsm_shared->prepared_count) < vsm_shared->max_prepared - max_prepared_xacts;
	if (room)
		add(xid, items, counter, net);
	LWLockRelease(&vsm_shared->lock);
	if (!room)
		ereport(ERROR,
				errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				errmsg("no place for what the prepared transaction changes in the WIP counters"),
				errdetail("There are %d places.", vsm_shared->max_prepared),
				errhint("Commit prepared transactions, or raise max_prepared_transactions."));
}

/*
 * vsm_prepared_add_old
 *		List the transactions that were prepared before the server started.
 *
 * Before a recount publishes its snapshot: what then commits is either seen by
 * the snapshot or listed.
 */
void
vsm_prepared_add_old(VsmBoard *board)
{
	Oid			types[2] = {OIDOID, OIDOID};
	Datum		values[2] = {ObjectIdGetDatum(board->items), ObjectIdGetDatum(MyDatabaseId)};
	FullTransactionId next = ReadNextFullTransactionId();

	if (max_prepared_xacts == 0)
		return;
	if (SPI_connect() != SPI_OK_CONNECT ||
		SPI_execute_with_args("SELECT DISTINCT x.transactionid"
							  " FROM pg_catalog.pg_locks r JOIN pg_catalog.pg_locks x"
							  "  ON x.virtualtransaction OPERATOR(pg_catalog.=) r.virtualtransaction"
							  " WHERE r.pid IS NULL AND x.pid IS NULL"
							  " AND r.locktype OPERATOR(pg_catalog.=) 'relation' AND r.relation OPERATOR(pg_catalog.=) $1"
							  " AND r.database OPERATOR(pg_catalog.=) $2"
							  " AND r.mode NOT IN ('AccessShareLock', 'RowShareLock')"
							  " AND x.locktype OPERATOR(pg_catalog.=) 'transactionid' AND x.transactionid IS NOT NULL",
							  2, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not list the prepared transactions");

	LWLockAcquire(&vsm_shared->lock, LW_EXCLUSIVE);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		TransactionId xid = DatumGetTransactionId(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
		uint32		epoch = EpochFromFullTransactionId(next) - (xid > XidFromFullTransactionId(next) ? 1 : 0);
		FullTransactionId full = FullTransactionIdFromEpochAndXid(epoch, xid);
		int			count = (int) pg_atomic_read_u32(&vsm_shared->prepared_count);
		bool		known = false;

		for (int j = 0; j < count && !known; j++)
			known = FullTransactionIdEquals(vsm_prepared[j].xid, full) && vsm_prepared[j].items == board->items &&
				vsm_prepared[j].database == board->database;
		if (!known)
			add(full, board->items, -1, 0);
	}
	LWLockRelease(&vsm_shared->lock);
	SPI_finish();
}

/* Add what has been committed to the board's counters, and drop what was rolled back. */
void
vsm_prepared_settle(VsmBoard *board)
{
	if (pg_atomic_read_u32(&vsm_shared->prepared_count) == 0)
		return;
	LWLockAcquire(&board->lock, LW_EXCLUSIVE);
	LWLockAcquire(&vsm_shared->lock, LW_EXCLUSIVE);
	for (int i = (int) pg_atomic_read_u32(&vsm_shared->prepared_count) - 1; i >= 0; i--)
	{
		const VsmPrepared *prepared = &vsm_prepared[i];

		if (prepared->database != board->database || prepared->items != board->items || !has_ended(prepared->xid))
			continue;
		if (TransactionIdDidCommit(XidFromFullTransactionId(prepared->xid)))
			settle(board, prepared);
		remove_prepared(i);
	}
	LWLockRelease(&vsm_shared->lock);
	LWLockRelease(&board->lock);
}

/*
 * vsm_prepared_forget
 *		The table was truncated, by a transaction that had to wait for them all.
 *
 * Under the board's lock, exclusive.
 */
void
vsm_prepared_forget(VsmBoard *board)
{
	if (pg_atomic_read_u32(&vsm_shared->prepared_count) == 0)
		return;
	LWLockAcquire(&vsm_shared->lock, LW_EXCLUSIVE);
	for (int i = (int) pg_atomic_read_u32(&vsm_shared->prepared_count) - 1; i >= 0; i--)
		if (vsm_prepared[i].database == board->database && vsm_prepared[i].items == board->items)
			remove_prepared(i);
	LWLockRelease(&vsm_shared->lock);
}

static void
add(FullTransactionId xid, Oid items, int counter, int64 net)
{
	uint32		count = pg_atomic_read_u32(&vsm_shared->prepared_count);
	VsmPrepared *prepared = &vsm_prepared[count];

	prepared->xid = xid;
	prepared->database = MyDatabaseId;
	prepared->items = items;
	prepared->counter = counter;
	prepared->net = net;
	pg_atomic_write_u32(&vsm_shared->prepared_count, count + 1);
}

static void
settle(VsmBoard *board, const VsmPrepared *prepared)
{
	if (prepared->counter >= 0)
		vsm_counter_apply(board, &vsm_counters[prepared->counter], prepared->net, prepared->xid);
	else
		for (int set = 0; set < VSM_SETS; set++)
			vsm_board_unknown(board, set, prepared->xid);
}

static bool
has_ended(FullTransactionId xid)
{
	return !TransactionIdIsInProgress(XidFromFullTransactionId(xid));
}

/* The last one takes its place. */
static void
remove_prepared(int i)
{
	uint32		last = pg_atomic_read_u32(&vsm_shared->prepared_count) - 1;

	vsm_prepared[i] = vsm_prepared[last];
	pg_atomic_write_u32(&vsm_shared->prepared_count, last);
}
