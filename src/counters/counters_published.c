/*
 * counters_published.c
 *		Published snapshots: which transactions a count has seen.
 *
 * A recount counts the tables under a snapshot, and publishes the snapshot in
 * shared memory.  Whoever then adds what a transaction changed first asks
 * whether the count has seen that transaction.  counters_recount.c says why the
 * result is right.
 *
 * Each set keeps two snapshots: the one that its values stand on and the one of
 * a recount that is under way.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "utils/snapmgr.h"

#include "counters_shmem.h"

static TransactionId *unseen_xids(const VsmBoard *board, VsmSet set, int which);

/* The 64-bit id of a transaction that has begun, or of the next one to begin. */
FullTransactionId
vsm_full_xid(TransactionId xid)
{
	FullTransactionId next = ReadNextFullTransactionId();
	uint32		epoch = EpochFromFullTransactionId(next);

	return FullTransactionIdFromEpochAndXid(xid > XidFromFullTransactionId(next) ? epoch - 1 : epoch, xid);
}

/*
 * vsm_publish
 *		Publish the snapshot of a recount, in place of the last recount's.
 *
 * Under the board's lock, exclusive.  A snapshot does not list the transaction
 * that takes it, so this adds that one.
 */
void
vsm_publish(VsmBoard *board, VsmSet set, Snapshot snapshot)
{
	int			which = 1 - board->sets[set].live;
	VsmPublished *published = &board->sets[set].published[which];
	TransactionId *xids = unseen_xids(board, set, which);
	TransactionId mine = GetTopTransactionIdIfAny();
	TransactionId xmin = snapshot->xmin;

	published->xcnt = 0;
	for (uint32 i = 0; i < snapshot->xcnt; i++)
		xids[published->xcnt++] = snapshot->xip[i];
	if (TransactionIdIsValid(mine))
	{
		xids[published->xcnt++] = mine;
		if (TransactionIdPrecedes(mine, xmin))
			xmin = mine;
	}
	Assert(published->xcnt <= vsm_shared->max_xids);
	published->xmin = vsm_full_xid(xmin);
	published->xmax = vsm_full_xid(snapshot->xmax);
}

/*
 * vsm_published_sees
 *		Has the count under that snapshot seen the transaction?
 *
 * Under the board's lock.  The transaction has ended by now, so the snapshot has
 * seen it unless it is listed as running, or is later than the snapshot.
 */
bool
vsm_published_sees(const VsmBoard *board, VsmSet set, int which, FullTransactionId xid)
{
	const VsmPublished *published = &board->sets[set].published[which];
	const TransactionId *xids = unseen_xids(board, set, which);

	if (!FullTransactionIdIsValid(published->xmax) || !FullTransactionIdPrecedes(xid, published->xmax))
		return false;
	if (FullTransactionIdPrecedes(xid, published->xmin))
		return true;
	for (int i = 0; i < published->xcnt; i++)
		if (xids[i] == XidFromFullTransactionId(xid))
			return false;
	return true;
}

/* The transactions that a published snapshot lists as running: room for max_xids. */
static TransactionId *
unseen_xids(const VsmBoard *board, VsmSet set, int which)
{
	int			place = ((int) (board - vsm_boards) * VSM_SETS + set) * 2 + which;

	return vsm_published_xids + (Size) place * vsm_shared->max_xids;
}
