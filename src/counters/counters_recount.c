/*
 * counters_recount.c
 *		Counting a set of counters anew, while others go on.
 *
 * Under the board's lock, so between the callbacks of commits, a snapshot S is
 * taken and published.  From then on a commit also adds to the counters'
 * recount, unless S sees its transaction.  Then the tables are counted under S.
 * Each transaction falls in one of three cases:
 *
 *	 S sees it			it is in the count; its callback adds nothing, also when
 *						it comes late, because it asks S
 *	 S does not see it	it is not in the count; it ended after S was taken, so its
 *						callback comes after, and adds to recount
 *	 it aborted			it is in neither
 *
 * So count + recount is what the tables hold by the commits whose callbacks
 * have run, at every instant after the count.  Under the board's lock it takes
 * the place of the values, and S the place of the snapshot that they stand on:
 * callbacks that come still later ask S.  A check compares instead.
 *
 * What this transaction itself has changed is in neither: S is used as of its
 * first command.  Its callback adds it, since S does not see it.
 *
 * A recount that somebody asked for works a quarter of the time only, so that
 * those who move items keep the processors.  The first one does not pause:
 * everybody waits for it.
 *
 * Recounts of a set follow one another by a lock of the lock manager, so whoever
 * needs the counters for the first time waits where deadlocks are found.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
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

#include "counters.h"
#include "owner.h"

/* What each set is counted by: kind, a, b, count. */
static const char *const counting[VSM_SETS] = {
	"SELECT 1, stage_id, 0::bigint, items FROM vsm._wip_counted",
	"SELECT kind, a, b, n FROM vsm._totals_counted"
};

/* Working and resting in turn. */
#define ROWS_A_LOOK		512		/* between two looks at the clock */
#define WORK_US			1000
#define REST_MS			3

static bool pausing = false;
static instr_time work_began;

static void lock_recount(LOCKTAG *tag, const VsmBoard *board, VsmSet set);
static Snapshot publish_snapshot(VsmBoard *board, VsmSet set);
static void publish(VsmBoard *board, VsmSet set, Snapshot snapshot);
static VsmRecounted *count_in_time(VsmBoard *board, VsmSet set, Oid owner, Snapshot snapshot, bool pauses, int *count);
static VsmRecounted *count_tables(VsmBoard *board, VsmSet set, Oid owner, Snapshot snapshot, int *count);
static void leave_out(VsmBoard *board, VsmRecounted *counted);
static bool take_result(VsmBoard *board, VsmSet set, VsmRecountMode mode, VsmRecounted *result, int *count);
static void take_counted(VsmCounter *counter, VsmSet set, VsmRecountMode mode, VsmRecounted *into);

PG_FUNCTION_INFO_V1(vsm__recount_row);

/*
 * vsm_recount
 *		Count a set anew, and take or check the result.
 *
 * Returns what the tables hold (after) and what the counters held (before); of
 * the totals, what the tables hold by the snapshot only.  NULL in mode FIRST
 * when somebody else has done it.
 */
VsmRecounted *
vsm_recount(Relation items, VsmBoard *board, VsmSet set, VsmRecountMode mode, int *count)
{
	VsmRecounted *result = NULL;
	LOCKTAG		tag;
	bool		done = false;

	lock_recount(&tag, board, set);
	while (!done)
	{
		Snapshot	snapshot;

		vsm_prepared_settle(board);
		if (mode == VSM_RECOUNT_FIRST && board->sets[set].ready)
			break;
		vsm_prepared_add_old(board);
		snapshot = publish_snapshot(board, set);
		result = count_in_time(board, set, items->rd_rel->relowner, snapshot, mode != VSM_RECOUNT_FIRST, count);
		UnregisterSnapshot(snapshot);
		vsm_prepared_settle(board);
		done = take_result(board, set, mode, result, count);
	}
	LockRelease(&tag, ExclusiveLock, false);
	return result;
}

/*
 * vsm._recount_row() -> boolean
 *		True; called for each row that is counted, it rests now and then.
 */
Datum
vsm__recount_row(PG_FUNCTION_ARGS)
{
	static int	rows = 0;
	instr_time	worked;

	if (!pausing || ++rows % ROWS_A_LOOK != 0)
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

/* The numbers of an advisory lock, in a class that SQL cannot reach. */
static void
lock_recount(LOCKTAG *tag, const VsmBoard *board, VsmSet set)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, board->items, (uint32) set, 3);
	(void) LockAcquire(tag, ExclusiveLock, false, false);
}

static Snapshot
publish_snapshot(VsmBoard *board, VsmSet set)
{
	VsmSetState *state = &board->sets[set];
	Snapshot	snapshot;

	LWLockAcquire(&board->lock, LW_EXCLUSIVE);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	publish(board, set, snapshot);
	for (int i = state->first; i >= 0; i = vsm_counters[i].next)
		pg_atomic_write_u64(&vsm_counters[i].recount, 0);
	state->spoiled = false;
	state->recounting = true;
	LWLockRelease(&board->lock);

	snapshot->curcid = FirstCommandId;	/* nothing of this transaction */
	return snapshot;
}

static void
publish(VsmBoard *board, VsmSet set, Snapshot snapshot)
{
	int			which = 1 - board->sets[set].live;
	VsmPublished *published = &board->sets[set].published[which];
	TransactionId *xids = vsm_published_xids(board, set, which);
	TransactionId mine = GetTopTransactionIdIfAny();

	published->xcnt = 0;
	for (uint32 i = 0; i < snapshot->xcnt; i++)
		xids[published->xcnt++] = snapshot->xip[i];
	/* a snapshot leaves out the transaction that takes it */
	if (TransactionIdIsValid(mine))
		xids[published->xcnt++] = mine;
	Assert(published->xcnt <= vsm_shared->max_xids);
	published->xmin = vsm_full_xid(TransactionIdIsValid(mine) && TransactionIdPrecedes(mine, snapshot->xmin) ? mine : snapshot->xmin);
	published->xmax = vsm_full_xid(snapshot->xmax);
}

/* Of a transaction that has begun, or the next to come. */
FullTransactionId
vsm_full_xid(TransactionId xid)
{
	FullTransactionId next = ReadNextFullTransactionId();
	uint32		epoch = EpochFromFullTransactionId(next);

	return FullTransactionIdFromEpochAndXid(xid > XidFromFullTransactionId(next) ? epoch - 1 : epoch, xid);
}

static VsmRecounted *
count_in_time(VsmBoard *board, VsmSet set, Oid owner, Snapshot snapshot, bool pauses, int *count)
{
	VsmRecounted *result;

	PG_TRY();
	{
		pausing = pauses;
		INSTR_TIME_SET_CURRENT(work_began);
		result = count_tables(board, set, owner, snapshot, count);
	}
	PG_FINALLY();
	{
		pausing = false;
	}
	PG_END_TRY();
	return result;
}

static VsmRecounted *
count_tables(VsmBoard *board, VsmSet set, Oid owner, Snapshot snapshot, int *count)
{
	MemoryContext caller = CurrentMemoryContext;
	VsmOwner before = vsm_become_owner(owner);
	VsmRecounted *result;
	SPIPlanPtr	plan;

	if (SPI_connect() != SPI_OK_CONNECT ||
		(plan = SPI_prepare(counting[set], 0, NULL)) == NULL ||
		SPI_execute_snapshot(plan, NULL, NULL, snapshot, InvalidSnapshot, true, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not run \"%s\": %s", counting[set], SPI_result_code_string(SPI_result));

	*count = (int) SPI_processed;
	result = MemoryContextAllocZero(caller, sizeof(VsmRecounted) * (*count + vsm_shared->max_stages));
	for (int i = 0; i < *count; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;

		result[i].key.kind = DatumGetInt32(SPI_getbinval(row, desc, 1, &isnull));
		result[i].key.items = board->items;
		result[i].key.a = DatumGetInt64(SPI_getbinval(row, desc, 2, &isnull));
		result[i].key.b = DatumGetInt64(SPI_getbinval(row, desc, 3, &isnull));
		result[i].after = DatumGetInt64(SPI_getbinval(row, desc, 4, &isnull));
		result[i].counter = vsm_counter(&result[i].key, true);
		if (result[i].counter == NULL && !vsm_stages_defined(&result[i].key))
			leave_out(board, &result[i]);
	}
	SPI_finish();
	vsm_leave_owner(before);
	return result;
}

/* Who takes the counter from now on has the set counted once more; it may have been taken just now. */
static void
leave_out(VsmBoard *board, VsmRecounted *counted)
{
	LWLockAcquire(&board->lock, LW_EXCLUSIVE);
	vsm_board_leave_out(board, &counted->key, 0, InvalidFullTransactionId);
	LWLockRelease(&board->lock);
	counted->counter = vsm_counter(&counted->key, false);
}

/* False: it must be counted once more. */
static bool
take_result(VsmBoard *board, VsmSet set, VsmRecountMode mode, VsmRecounted *result, int *count)
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
			if (result[i].counter)
				pg_atomic_fetch_add_u64(&result[i].counter->recount, result[i].after);
		for (int i = state->first; i >= 0; i = vsm_counters[i].next)
		{
			VsmRecounted *into = NULL;

			for (int j = 0; set == VSM_SET_WIP && j < counted && into == NULL; j++)
				if (result[j].counter == &vsm_counters[i])
					into = &result[j];
			if (set == VSM_SET_WIP && into == NULL)
				into = &result[(*count)++];
			take_counted(&vsm_counters[i], set, mode, into);
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

/* Now recount is what the tables hold. */
static void
take_counted(VsmCounter *counter, VsmSet set, VsmRecountMode mode, VsmRecounted *into)
{
	int64		after = (int64) pg_atomic_read_u64(&counter->recount);
	int32		committed;

	if (into)
	{
		vsm_counter_wip(counter, &committed, &into->reserved);
		into->key = counter->key;
		into->counter = counter;
		into->before = committed;
		into->after = after;
	}
	if (mode == VSM_RECOUNT_CHECK)
		return;
	if (set == VSM_SET_WIP)
		vsm_counter_set_wip(counter, (int32) after);
	else
		pg_atomic_write_u64(&counter->value, (uint64) after);
}
