/*
 * live_inserts.c
 *		Which inserted rows of vsm.work_items the ledger has to note.
 *
 * A row may arrive with its state filled in (restore, replication, a copy); it
 * is taken as it is.  A live row arrives without, and the BEFORE trigger fills
 * it.  The AFTER trigger, which alone knows that the row was really stored
 * (ON CONFLICT), sees both filled, so BEFORE leaves a note for it here.
 *
 * A note carries the command in which it was made.  One whose row was never
 * stored stays behind until the transaction ends; it cannot be taken for a
 * later row of the same id, because that row belongs to a later command.
 */
#include "vsm.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

typedef struct LiveInsert
{
	int64		work_item_id;	/* key */
	CommandId	command;
} LiveInsert;

static HTAB *live_inserts = NULL;

static void forget_live_inserts(void *arg);

/* Note that this command is about to insert a live row. */
void
vsm_live_insert_note(int64 work_item_id)
{
	LiveInsert *note;

	if (live_inserts == NULL)
	{
		MemoryContextCallback *callback;
		HASHCTL		info = {
			.keysize = sizeof(int64),
			.entrysize = sizeof(LiveInsert),
			.hcxt = TopTransactionContext,
		};

		callback = MemoryContextAllocZero(TopTransactionContext, sizeof(MemoryContextCallback));
		callback->func = forget_live_inserts;
		MemoryContextRegisterResetCallback(TopTransactionContext, callback);
		live_inserts = hash_create("vsm live inserts", 64, &info,
								   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	note = hash_search(live_inserts, &work_item_id, HASH_ENTER, NULL);
	note->command = GetCurrentCommandId(false);
}

/* Was the stored row a live one?  The note is used up. */
bool
vsm_live_insert_take(int64 work_item_id, HeapTuple tuple)
{
	LiveInsert *note;

	if (live_inserts == NULL)
		return false;
	note = hash_search(live_inserts, &work_item_id, HASH_FIND, NULL);
	if (note == NULL || note->command < HeapTupleHeaderGetRawCommandId(tuple->t_data))
		return false;
	hash_search(live_inserts, &work_item_id, HASH_REMOVE, NULL);
	return true;
}

/* The table goes with the transaction's memory. */
static void
forget_live_inserts(void *arg)
{
	live_inserts = NULL;
}
