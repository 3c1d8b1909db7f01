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
 *
 * The places are of a fixed number and there are always enough.  Whoever finds
 * none settles what has ended, of all databases.  When those in progress hold
 * the places, the transaction leaves one entry in place of all its changes:
 * nobody knows what it changed.  For these there are max_xids places of their
 * own, since one transaction changes one board and no more than max_xids can be
 * in progress: prepared, or in a backend that is about to prepare.
 *
 * An entry belongs to a board and is removed with it.
 *
 * pg_xact is never read under a lock of the counters: the entries are copied
 * under vsm_shared->lock, shared; then the fate of their transactions is looked
 * up; then those entries that are still there are settled.  What a transaction
 * that has ended did does not change, so nothing can come between.
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
#include "counters.h"

typedef enum Fate
{
	IN_PROGRESS,
	COMMITTED,
	ABORTED,
	FORGOTTEN					/* older than all that pg_xact knows */
} Fate;

/* A copy of an entry. */
typedef struct Copy
{
	VsmPrepared prepared;
	int			place;			/* where the entry was */
	Fate		fate;
} Copy;

static void require_place(VsmPrepared *changes, int count, bool unless_listed);
static bool append_changes(const VsmPrepared *changes, int count, int places, bool unless_listed);
static int	unknown_changes(VsmPrepared *changes, int count);
static bool is_listed(const VsmPrepared *prepared);
static bool settle_all_boards(void);
static bool settle_board(VsmBoard *board);
static Copy *copy_entries(const VsmBoard *board, int *count);
static bool find_fates(Copy *copies, int count);
static Fate fate_of(FullTransactionId xid);
static int	place_of(const Copy *copy);
static void settle_entry(VsmBoard *board, const Copy *copy);
static bool is_same_entry(const VsmPrepared *a, const VsmPrepared *b);
static void remove_entry(int i);

/* What a transaction changes in a board.  counter: NULL: nobody knows what. */
VsmPrepared
vsm_prepared_change(FullTransactionId xid, const VsmBoard *board, const VsmCounter *counter, int64 net)
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
 * vsm_prepared_add
 *		Leave the changes of the transaction that is about to be prepared.
 *
 * Overwrites them when there is no place for all.
 */
void
vsm_prepared_add(VsmPrepared *changes, int count)
{
	int			places = vsm_shared->max_prepared - vsm_shared->max_xids;

	/* then the server refuses to prepare */
	if (count == 0 || max_prepared_xacts == 0)
		return;
	if (append_changes(changes, count, places, false))
		return;
	(void) settle_all_boards();
	if (!append_changes(changes, count, places, false))
		require_place(changes, unknown_changes(changes, count), false);
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
		VsmPrepared prepared = vsm_prepared_change(vsm_full_xid(xid), board, NULL, 0);

		/* the snapshot sees what has ended by now */
		if (fate_of(prepared.xid) == IN_PROGRESS)
			require_place(&prepared, 1, true);
	}
	SPI_finish();
}

/* Add what has been committed to the board's counters, and drop what was rolled back. */
void
vsm_prepared_settle(VsmBoard *board)
{
	(void) settle_board(board);
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
	vsm_prepared_remove(board);
	LWLockRelease(&vsm_shared->lock);
}

/* Remove all entries of the board.  Under vsm_shared->lock, exclusive. */
void
vsm_prepared_remove(const VsmBoard *board)
{
	for (int i = (int) pg_atomic_read_u32(&vsm_shared->prepared_count) - 1; i >= 0; i--)
		if (vsm_prepared[i].board == board - vsm_boards)
			remove_entry(i);
}

/* Add entries that say "nobody knows what": there is a place as soon as those that have ended are settled. */
static void
require_place(VsmPrepared *changes, int count, bool unless_listed)
{
	bool		settled = true;

	while (!append_changes(changes, count, vsm_shared->max_prepared, unless_listed))
	{
		if (!settled)
			ereport(ERROR,
					errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					errmsg("no place for what a prepared transaction changes in the WIP counters"),
					errdetail("There are %d places.", vsm_shared->max_prepared),
					errhint("Commit prepared transactions, or raise max_prepared_transactions."));
		settled = settle_all_boards();
	}
}

/*
 * append_changes
 *		Add all the entries or none; false: fewer than count of so many places are free.
 *
 * unless_listed: not those whose transaction and board are there already.
 */
static bool
append_changes(const VsmPrepared *changes, int count, int places, bool unless_listed)
{
	int			listed;
	bool		room;

	LWLockAcquire(&vsm_shared->lock, LW_EXCLUSIVE);
	listed = (int) pg_atomic_read_u32(&vsm_shared->prepared_count);
	Assert(listed <= vsm_shared->max_prepared);
	if (unless_listed && is_listed(changes))
		count = 0;
	room = count == 0 || count <= places - listed;
	for (int i = 0; room && i < count; i++)
		vsm_prepared[listed++] = changes[i];
	pg_atomic_write_u32(&vsm_shared->prepared_count, (uint32) listed);
	LWLockRelease(&vsm_shared->lock);
	return room;
}

/* In place of the changes, one for each board: nobody knows what.  Returns how many there are. */
static int
unknown_changes(VsmPrepared *changes, int count)
{
	int			boards = 0;

	for (int i = 0; i < count; i++)
	{
		bool		known = false;

		for (int j = 0; j < boards && !known; j++)
			known = changes[j].board == changes[i].board;
		if (known)
			continue;
		changes[boards] = changes[i];
		changes[boards].counter = -1;
		changes[boards].net = 0;
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

/* Settle what has ended, whichever database it belongs to; false: nothing had. */
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
			int			place = copies[i].fate == IN_PROGRESS ? -1 : place_of(&copies[i]);

			if (place < 0)
				continue;
			settle_entry(board, &copies[i]);
			remove_entry(place);
			any = true;
		}
		LWLockRelease(&vsm_shared->lock);
		LWLockRelease(&board->lock);
	}
	pfree(copies);
	return any;
}

/* All entries of the board.  Others may add entries while memory for those there are is found. */
static Copy *
copy_entries(const VsmBoard *board, int *count)
{
	Copy	   *copies = NULL;
	bool		fits = false;

	while (!fits)
	{
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

/* Entries of one transaction follow one another, mostly.  True: some have ended. */
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

/* As pg_xact_status() finds it.  Under no lock of the counters. */
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

/* Where the entry is now, which others may have moved; -1: it is settled.  Under vsm_shared->lock. */
static int
place_of(const Copy *copy)
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

/* Under both locks. */
static void
settle_entry(VsmBoard *board, const Copy *copy)
{
	const VsmPrepared *prepared = &copy->prepared;

	if (copy->fate == COMMITTED && prepared->counter >= 0)
		vsm_counter_apply(board, &vsm_counters[prepared->counter], prepared->net, prepared->xid);
	else if (copy->fate != ABORTED)
		for (int set = 0; set < VSM_SETS; set++)
			vsm_board_unknown(board, set, prepared->xid);
}

/* The last one takes its place. */
static void
remove_entry(int i)
{
	uint32		last = pg_atomic_read_u32(&vsm_shared->prepared_count) - 1;

	vsm_prepared[i] = vsm_prepared[last];
	pg_atomic_write_u32(&vsm_shared->prepared_count, last);
}
