/*
 * counters_recount.c
 *		Recounting a set of counters from the tables while other sessions go on.
 *
 * Under the board's lock, and so between the callbacks of commits, a recount
 * takes and publishes a snapshot S.  From then on a commit also adds to the
 * counters' field recount, unless S sees its transaction.  Then the tables are
 * counted under S.  Each transaction falls in one of three cases:
 *
 *	 S sees it			it is in the count; its callback, even if it comes late,
 *						asks S and so adds nothing
 *	 S does not see it	it is not in the count; it ended after S was taken, so its
 *						callback comes after that, and adds to recount
 *	 it aborted			it is in neither
 *
 * So at every instant after the count, count + recount is what the tables hold
 * by the commits whose callbacks have run.  Under the board's lock the sum
 * replaces the values, and S replaces the snapshot that they stand on, so that
 * callbacks that come still later ask S.  A check compares instead.
 *
 * What this transaction itself has changed is in neither: the count uses S as of
 * the transaction's first command.  Its callback adds the changes, since S does
 * not see the transaction.
 *
 * A recount that a user asked for works only a quarter of the time, so that
 * sessions that move items keep the processors.  The first one does not pause,
 * because other sessions wait for it.
 *
 * Recounts of a set exclude one another by a lock of the lock manager, so a
 * session that waits for the first recount is seen by the deadlock detector.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "counters_prepared.h"
#include "counters_recount.h"
#include "owner.h"

/* What counts each set: kind, a, b, count. */
static const char *const counting[VSM_SETS] = {
	"SELECT 1, stage_id, 0::bigint, items FROM vsm._wip_counted",
	"SELECT kind, a, b, n FROM vsm._totals_counted"
};

/*
 * A recount that a user asked for works and rests in turn.  The clock is read
 * once in so many rows, so that reading it costs little beside the rows.
 */
#define ROWS_PER_LOOK	512
#define WORK_US			1000
#define REST_MS			3

/* SQL's advisory locks are of classes 1 and 2, so no user can take a lock of this one. */
#define RECOUNT_LOCK_CLASS 3

static bool pausing = false;
static instr_time work_began;

static void lock_recount(LOCKTAG *tag, const VsmBoard *board, VsmSet set);
static Snapshot publish_snapshot(VsmBoard *board, VsmSet set);
static VsmRecounted *count_paced(Relation items, VsmSet set, Snapshot snapshot, bool pauses, int *count);
static void find_counters(VsmBoard *board, VsmRecounted *rows, int count);
static bool take_result(VsmBoard *board, VsmSet set, VsmRecountMode mode, VsmRecounted *rows, int *count);
static VsmRecounted *row_of(const VsmCounter *counter, VsmRecounted *rows, int *count, int counted);
static void report_wip(VsmCounter *counter, VsmRecounted *row);

PG_FUNCTION_INFO_V1(vsm__recount_row);

/*
 * vsm_recount
 *		Recount a set, and take the result or only check it.
 *
 * Returns what the tables hold (after) and, of WIP, what the counters held
 * (before); of the totals, what the tables held by the snapshot.  NULL in mode
 * FIRST when another session has done it.
 */
VsmRecounted *
vsm_recount(Relation items, VsmBoard *board, VsmSet set, VsmRecountMode mode, int *count)
{
	VsmRecounted *rows = NULL;
	LOCKTAG		tag;
	bool		done = false;

	lock_recount(&tag, board, set);
	while (!done)
	{
		Snapshot	snapshot;

		vsm_prepared_settle(board);
		if (mode == VSM_RECOUNT_FIRST && board->sets[set].ready)
			break;
		vsm_prepared_list_old(board);
		snapshot = publish_snapshot(board, set);
		rows = count_paced(items, set, snapshot, mode != VSM_RECOUNT_FIRST, count);
		find_counters(board, rows, *count);
		UnregisterSnapshot(snapshot);
		vsm_prepared_settle(board);
		done = take_result(board, set, mode, rows, count);
	}
	LockRelease(&tag, ExclusiveLock, false);
	return rows;
}

/*
 * Bring the counters up to date for a reader: settle prepared transactions, and
 * recount a set that is not ready.
 */
void
vsm_recount_if_needed(Relation items, VsmBoard *board, VsmSet set)
{
	int			count;

	vsm_prepared_settle(board);
	if (!board->sets[set].ready)
		(void) vsm_recount(items, board, set, VSM_RECOUNT_FIRST, &count);
}

/* The counter of a stage, up to date; NULL: count the table. */
VsmCounter *
vsm_current_wip_counter(Relation items, const VsmKey *key)
{
	VsmBoard   *board = vsm_board_of(items);
	VsmCounter *counter = board ? vsm_counter(board, key) : NULL;

	if (counter)
		vsm_recount_if_needed(items, board, VSM_SET_WIP);
	return counter;
}

/*
 * vsm._recount_row() -> boolean
 *		Always true; called for each row that is counted, to pause from time to time.
 */
Datum
vsm__recount_row(PG_FUNCTION_ARGS)
{
	static int	rows = 0;
	instr_time	worked;

	if (!pausing || ++rows % ROWS_PER_LOOK != 0)
		PG_RETURN_BOOL(true);
	INSTR_TIME_SET_CURRENT(worked);
	INSTR_TIME_SUBTRACT(worked, work_began);
	if (INSTR_TIME_GET_MICROSEC(worked) >= WORK_US)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, REST_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		INSTR_TIME_SET_CURRENT(work_began);
	}
	PG_RETURN_BOOL(true);
}

static void
lock_recount(LOCKTAG *tag, const VsmBoard *board, VsmSet set)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, board->items, (uint32) set, RECOUNT_LOCK_CLASS);
	(void) LockAcquire(tag, ExclusiveLock, false, false);
}

static Snapshot
publish_snapshot(VsmBoard *board, VsmSet set)
{
	VsmSetState *state = &board->sets[set];
	Snapshot	snapshot;

	LWLockAcquire(&board->lock, LW_EXCLUSIVE);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	vsm_publish(board, set, snapshot);
	for (int i = state->first; i >= 0; i = vsm_counters[i].next)
		pg_atomic_write_u64(&vsm_counters[i].recount, 0);
	state->spoiled = false;
	state->recounting = true;
	LWLockRelease(&board->lock);

	snapshot->curcid = FirstCommandId;	/* nothing of this transaction */
	return snapshot;
}

static VsmRecounted *
count_paced(Relation items, VsmSet set, Snapshot snapshot, bool pauses, int *count)
{
	VsmRecounted *rows;

	PG_TRY();
	{
		pausing = pauses;
		INSTR_TIME_SET_CURRENT(work_began);
		rows = vsm_count_tables(items, set, snapshot, count);
	}
	PG_FINALLY();
	{
		pausing = false;
	}
	PG_END_TRY();
	return rows;
}

/*
 * vsm_count_tables
 *		Count a set from the tables, as their owner.
 *
 * By the snapshot, or the active one if it is invalid.  The result has room for a
 * row more for each WIP counter, which a recount adds for stages without items.
 */
VsmRecounted *
vsm_count_tables(Relation items, VsmSet set, Snapshot snapshot, int *count)
{
	MemoryContext caller = CurrentMemoryContext;
	VsmOwner	before = vsm_become_owner(items->rd_rel->relowner);
	VsmRecounted *rows;
	SPIPlanPtr	plan;
	int			room = set == VSM_SET_WIP && vsm_shared ? vsm_shared->max_stages : 0;

	if (SPI_connect() != SPI_OK_CONNECT ||
		(plan = SPI_prepare(counting[set], 0, NULL)) == NULL ||
		SPI_execute_snapshot(plan, NULL, NULL, snapshot, InvalidSnapshot, true, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not run \"%s\": %s", counting[set], SPI_result_code_string(SPI_result));
	vsm_leave_owner(before);

	*count = (int) SPI_processed;
	rows = MemoryContextAllocZero(caller, sizeof(VsmRecounted) * Max(*count + room, 1));
	for (int i = 0; i < *count; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;

		rows[i].key.kind = DatumGetInt32(SPI_getbinval(row, desc, 1, &isnull));
		rows[i].key.items = RelationGetRelid(items);
		rows[i].key.a = DatumGetInt64(SPI_getbinval(row, desc, 2, &isnull));
		rows[i].key.b = DatumGetInt64(SPI_getbinval(row, desc, 3, &isnull));
		rows[i].after = DatumGetInt64(SPI_getbinval(row, desc, 4, &isnull));
	}
	SPI_finish();
	return rows;
}

/*
 * Find or take a counter for each row.  Whoever takes the counter of a row that
 * is left out recounts the set.
 */
static void
find_counters(VsmBoard *board, VsmRecounted *rows, int count)
{
	for (int i = 0; i < count; i++)
	{
		rows[i].counter = vsm_counter(board, &rows[i].key);
		if (rows[i].counter || vsm_stages_defined(&rows[i].key))
			continue;
		LWLockAcquire(&board->lock, LW_EXCLUSIVE);
		rows[i].counter = vsm_board_leave_out(board, &rows[i].key, 0, InvalidFullTransactionId);
		LWLockRelease(&board->lock);
	}
}

/* False: the set must be counted once more. */
static bool
take_result(VsmBoard *board, VsmSet set, VsmRecountMode mode, VsmRecounted *rows, int *count)
{
	VsmSetState *state = &board->sets[set];
	int			counted = *count;
	bool		good;

	LWLockAcquire(&board->lock, LW_EXCLUSIVE);
	good = !state->spoiled;
	state->recounting = false;
	if (good)
	{
		for (int i = 0; i < counted; i++)
			if (rows[i].counter)
				pg_atomic_fetch_add_u64(&rows[i].counter->recount, rows[i].after);
		for (int i = state->first; i >= 0; i = vsm_counters[i].next)
		{
			VsmCounter *counter = &vsm_counters[i];

			if (set == VSM_SET_WIP)
				report_wip(counter, row_of(counter, rows, count, counted));
			if (mode != VSM_RECOUNT_CHECK)
				vsm_counter_set_committed(counter, (int64) pg_atomic_read_u64(&counter->recount));
		}
		if (mode != VSM_RECOUNT_CHECK)
		{
			state->live = 1 - state->live;
			state->ready = true;
		}
	}
	LWLockRelease(&board->lock);
	return good;
}

/* The row that was counted for the counter, or a new one: its stage has no items. */
static VsmRecounted *
row_of(const VsmCounter *counter, VsmRecounted *rows, int *count, int counted)
{
	for (int i = 0; i < counted; i++)
		if (rows[i].counter == counter)
			return &rows[i];
	return &rows[(*count)++];
}

/* Say what the counter held, before it is set to what the tables hold. */
static void
report_wip(VsmCounter *counter, VsmRecounted *row)
{
	VsmWip		wip = vsm_counter_wip(counter);

	row->key = counter->key;
	row->counter = counter;
	row->before = wip.committed;
	row->reserved = wip.reserved;
	row->after = (int64) pg_atomic_read_u64(&counter->recount);
}
