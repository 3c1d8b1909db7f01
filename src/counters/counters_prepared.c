/*
 * counters_prepared.c
 *		Prepared transactions, which end in any session, or after a restart.
 *
 * COMMIT PREPARED runs no callback of this module.  So PREPARE lists here what
 * the transaction changes, an entry for each counter.  Whoever is about to read a
 * counter, or to reserve, first settles the entries of transactions that have
 * ended meanwhile: adds what they changed if they committed.
 *
 * When the server starts, nobody knows what the transactions changed that were
 * prepared before.  A recount lists those that hold a lock for writing on
 * work_items; when one of them commits, the counters must be recounted.
 *
 * The number of entries is fixed, and there is always room.  Whoever finds none
 * settles what has ended, in all databases.  When transactions in progress take
 * all the room, PREPARE lists one entry in place of all the transaction's
 * changes: nobody knows what it changed.  max_xids entries are kept for these.
 * They suffice, since one transaction changes one board and at most max_xids are
 * in progress: prepared, or in a backend that is about to prepare.
 *
 * An entry belongs to a board and is removed with it.
 *
 * pg_xact is never read under a lock of the counters: the entries are copied
 * under vsm_shared->lock, shared; then the fate of their transactions is looked
 * up; then those entries that are still there are settled.  The fate of a
 * transaction that has ended does not change, so nothing can come between.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/twophase.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lwlock.h"
#include "storage/procarray.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "counters_prepared.h"

typedef enum Fate
{
	IN_PROGRESS,
	COMMITTED,
	ABORTED,
	FORGOTTEN					/* older than all transactions that pg_xact knows */
} Fate;

/* A copy of an entry. */
typedef struct Copy
{
	VsmPrepared prepared;
	int			place;			/* where the entry was */
	Fate		fate;
} Copy;

static void list_unknown(VsmPrepared *entries, int count, bool unless_listed);
static bool append_entries(const VsmPrepared *entries, int count, int limit, bool unless_listed);
static int	make_unknown(VsmPrepared *entries, int count);
static bool is_listed(const VsmPrepared *prepared);
static bool settle_all_boards(void);
static bool settle_board(VsmBoard *board);
static Copy *copy_entries(const VsmBoard *board, int *count);
static bool find_fates(Copy *copies, int count);
static Fate fate_of(FullTransactionId xid);
static int	find_entry(const Copy *copy);
static void settle_entry(VsmBoard *board, const Copy *copy);
static bool is_same_entry(const VsmPrepared *a, const VsmPrepared *b);

/* What a transaction changes in a board; counter: NULL when nobody knows what. */
VsmPrepared
vsm_prepared_entry(FullTransactionId xid, const VsmBoard *board, const VsmCounter *counter,
				   int64 net)
{
	VsmPrepared prepared = {
		.xid = xid,
		.board = (int) (board - vsm_boards),
		.generation = board->generation,
		.counter = counter ? (int) (counter - vsm_counters) : -1,
		.net = net
	};

	return prepared;
}

/*
 * vsm_prepared_list
 *		List the changes of the transaction that is about to be prepared.
 *
 * Overwrites the entries when there is no room for all of them.
 */
void
vsm_prepared_list(VsmPrepared *entries, int count)
{
	int			limit = vsm_shared->max_prepared - vsm_shared->max_xids;

	/* without prepared transactions the server refuses PREPARE after this */
	if (count == 0 || max_prepared_xacts == 0)
		return;
	if (append_entries(entries, count, limit, false))
		return;
	(void) settle_all_boards();
	if (!append_entries(entries, count, limit, false))
		list_unknown(entries, make_unknown(entries, count), false);
}

/*
 * vsm_prepared_list_old
 *		List the transactions that were prepared before the server started.
 *
 * A recount calls this before it publishes its snapshot: what commits then is
 * either seen by the snapshot or listed.
 */
void
vsm_prepared_list_old(VsmBoard *board)
{
	Oid			types[2] = {OIDOID, OIDOID};
	Datum		values[2] = {ObjectIdGetDatum(board->items), ObjectIdGetDatum(MyDatabaseId)};

	if (max_prepared_xacts == 0)
		return;
	if (SPI_connect() != SPI_OK_CONNECT ||
		SPI_execute_with_args("SELECT DISTINCT x.transactionid"
							  " FROM pg_catalog.pg_locks r JOIN pg_catalog.pg_locks x"
							  "  ON x.virtualtransaction OPERATOR(pg_catalog.=) r.virtualtransaction"
							  " WHERE r.pid IS NULL AND x.pid IS NULL"
							  " AND r.locktype OPERATOR(pg_catalog.=) 'relation' AND r.relation OPERATOR(pg_catalog.=) $1"
							  " AND r.database OPERATOR(pg_catalog.=) $2"
							  " AND r.mode OPERATOR(pg_catalog.<>) 'AccessShareLock' AND r.mode OPERATOR(pg_catalog.<>) 'RowShareLock'"
							  " AND x.locktype OPERATOR(pg_catalog.=) 'transactionid' AND x.transactionid IS NOT NULL",
							  2, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not list the prepared transactions");

	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		TransactionId xid = DatumGetTransactionId(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
		VsmPrepared prepared = vsm_prepared_entry(vsm_full_xid(xid), board, NULL, 0);

		/* the snapshot sees what has ended by now */
		if (fate_of(prepared.xid) == IN_PROGRESS)
			list_unknown(&prepared, 1, true);
	}
	SPI_finish();
}

/* Add to the board's counters what has committed, and drop what was rolled back. */
void
vsm_prepared_settle(VsmBoard *board)
{
	(void) settle_board(board);
}

/*
 * vsm_prepared_forget
 *		Drop the entries of a truncated table: TRUNCATE has waited until all of them ended.
 *
 * Under the board's lock, exclusive.
 */
void
vsm_prepared_forget(VsmBoard *board)
{
	if (pg_atomic_read_u32(&vsm_shared->prepared_count) == 0)
		return;
	LWLockAcquire(&vsm_shared->lock, LW_EXCLUSIVE);
	vsm_remove_prepared_of(board);
	LWLockRelease(&vsm_shared->lock);
}

/*
 * List entries that say "nobody knows what": there is room once those that have
 * ended are settled.
 */
static void
list_unknown(VsmPrepared *entries, int count, bool unless_listed)
{
	bool		settled = true;

	while (!append_entries(entries, count, vsm_shared->max_prepared, unless_listed))
	{
		if (!settled)
			ereport(ERROR,
					errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					errmsg("no room for what a prepared transaction changes in the WIP counters"),
					errdetail("There is room for %d changes.", vsm_shared->max_prepared),
					errhint("Commit prepared transactions, or raise max_prepared_transactions."));
		settled = settle_all_boards();
	}
}

/*
 * append_entries
 *		Add all the entries or none; false when that would make more than limit entries.
 *
 * unless_listed: nothing if the transaction has an entry of that board already.
 */
static bool
append_entries(const VsmPrepared *entries, int count, int limit, bool unless_listed)
{
	int			listed;
	bool		room;

	LWLockAcquire(&vsm_shared->lock, LW_EXCLUSIVE);
	listed = (int) pg_atomic_read_u32(&vsm_shared->prepared_count);
	Assert(listed <= vsm_shared->max_prepared);
	if (unless_listed && is_listed(entries))
		count = 0;
	room = count == 0 || count <= limit - listed;
	for (int i = 0; room && i < count; i++)
		vsm_prepared[listed++] = entries[i];
	pg_atomic_write_u32(&vsm_shared->prepared_count, (uint32) listed);
	LWLockRelease(&vsm_shared->lock);
	return room;
}

/*
 * Replace the entries by one for each board that says "nobody knows
 * what".  Returns how many there are.
 */
static int
make_unknown(VsmPrepared *entries, int count)
{
	int			boards = 0;

	for (int i = 0; i < count; i++)
	{
		bool		known = false;

		for (int j = 0; j < boards && !known; j++)
			known = entries[j].board == entries[i].board;
		if (known)
			continue;
		entries[boards] = entries[i];
		entries[boards].counter = -1;
		entries[boards].net = 0;
		boards++;
	}
	return boards;
}

/* Under vsm_shared->lock. */
static bool
is_listed(const VsmPrepared *prepared)
{
	int			count = (int) pg_atomic_read_u32(&vsm_shared->prepared_count);

	for (int i = 0; i < count; i++)
		if (FullTransactionIdEquals(vsm_prepared[i].xid, prepared->xid) && vsm_prepared[i].board == prepared->board)
			return true;
	return false;
}

/* Settle what has ended, in all databases; false: nothing had. */
static bool
settle_all_boards(void)
{
	bool		any = false;

	for (int i = 0; i < VSM_BOARDS; i++)
		any |= settle_board(&vsm_boards[i]);
	return any;
}

static bool
settle_board(VsmBoard *board)
{
	Copy	   *copies;
	int			count;
	bool		any = false;

	if (pg_atomic_read_u32(&vsm_shared->prepared_count) == 0)
		return false;
	copies = copy_entries(board, &count);
	if (find_fates(copies, count))
	{
		LWLockAcquire(&board->lock, LW_EXCLUSIVE);
		LWLockAcquire(&vsm_shared->lock, LW_EXCLUSIVE);
		for (int i = count - 1; i >= 0; i--)
		{
			int			place = copies[i].fate == IN_PROGRESS ? -1 : find_entry(&copies[i]);

			if (place < 0)
				continue;
			settle_entry(board, &copies[i]);
			vsm_remove_prepared(place);
			any = true;
		}
		LWLockRelease(&vsm_shared->lock);
		LWLockRelease(&board->lock);
	}
	pfree(copies);
	return any;
}

/*
 * All entries of the board.  Other sessions may add entries while this one
 * allocates memory: then it starts again.
 */
static Copy *
copy_entries(const VsmBoard *board, int *count)
{
	Copy	   *copies = NULL;
	bool		fits = false;

	while (!fits)
	{
		/* a few more, so that it seldom starts again */
		int			room = (int) pg_atomic_read_u32(&vsm_shared->prepared_count) + 8;

		if (copies)
			pfree(copies);
		copies = palloc(sizeof(Copy) * room);
		*count = 0;
		LWLockAcquire(&vsm_shared->lock, LW_SHARED);
		fits = (int) pg_atomic_read_u32(&vsm_shared->prepared_count) <= room;
		for (int i = 0; fits && i < (int) pg_atomic_read_u32(&vsm_shared->prepared_count); i++)
		{
			if (vsm_prepared[i].board != board - vsm_boards)
				continue;
			copies[*count].prepared = vsm_prepared[i];
			copies[(*count)++].place = i;
		}
		LWLockRelease(&vsm_shared->lock);
	}
	return copies;
}

/*
 * True: some have ended.  Most entries of a transaction follow one another, so
 * its fate is looked up once.
 */
static bool
find_fates(Copy *copies, int count)
{
	bool		any = false;

	for (int i = 0; i < count; i++)
	{
		if (i > 0 && FullTransactionIdEquals(copies[i].prepared.xid, copies[i - 1].prepared.xid))
			copies[i].fate = copies[i - 1].fate;
		else
			copies[i].fate = fate_of(copies[i].prepared.xid);
		any |= copies[i].fate != IN_PROGRESS;
	}
	return any;
}

/* The same way as pg_xact_status().  Must not be called under a lock of the counters. */
static Fate
fate_of(FullTransactionId xid)
{
	TransactionId id = XidFromFullTransactionId(xid);
	Fate		fate;

	LWLockAcquire(XactTruncationLock, LW_SHARED);
	if (FullTransactionIdPrecedes(xid, vsm_full_xid(VSM_OLDEST_CLOG_XID)))
		fate = FORGOTTEN;
	else if (TransactionIdIsInProgress(id))
		fate = IN_PROGRESS;
	else
		fate = TransactionIdDidCommit(id) ? COMMITTED : ABORTED;
	LWLockRelease(XactTruncationLock);
	return fate;
}

/*
 * Where the entry is now, since other sessions may have moved it; -1: it is
 * settled.  Under vsm_shared->lock.
 */
static int
find_entry(const Copy *copy)
{
	int			count = (int) pg_atomic_read_u32(&vsm_shared->prepared_count);

	if (copy->place < count && is_same_entry(&vsm_prepared[copy->place], &copy->prepared))
		return copy->place;
	for (int i = 0; i < count; i++)
		if (is_same_entry(&vsm_prepared[i], &copy->prepared))
			return i;
	return -1;
}

static bool
is_same_entry(const VsmPrepared *a, const VsmPrepared *b)
{
	return FullTransactionIdEquals(a->xid, b->xid) && a->board == b->board && a->generation == b->generation &&
		a->counter == b->counter;
}

/* Under the board's lock and vsm_shared->lock, both exclusive. */
static void
settle_entry(VsmBoard *board, const Copy *copy)
{
	const VsmPrepared *prepared = &copy->prepared;

	if (copy->fate == COMMITTED && prepared->counter >= 0)
		vsm_counter_add_committed(board, &vsm_counters[prepared->counter], prepared->net, prepared->xid);
	else if (copy->fate != ABORTED)
		for (int set = 0; set < VSM_SETS; set++)
			vsm_board_make_unknown(board, set, prepared->xid);
}
