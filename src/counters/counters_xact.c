/*
 * counters_xact.c
 *		What this transaction will add to the counters.
 *
 * A change is only noted, in local memory, by subtransaction:
 *	 ROLLBACK TO	drops the level's notes and gives its reservations back
 *	 RELEASE		gives both to the parent
 *	 pre-commit		finds the counters; the last place that may raise an error
 *	 commit			adds to them; raises and allocates nothing, and waits only
 *					while somebody holds the board's lock for a few loops
 *	 abort			gives the reservations back
 *	 prepare		leaves the notes to whoever finishes the transaction
 *					(counters_prepared.c)
 * The server calls commit after the transaction has become visible and before
 * its locks are released.  So other sessions can see the row a moment before
 * the counter, and who holds a lock that excludes writers sees both.
 *
 * A kill -9 between the two restarts the server, and the counters start anew.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "counters.h"

typedef struct Note
{
	VsmKey		key;
	int64		net;			/* rows that are stored */
	int32		entering;		/* rows about to be stored, by the statement that runs */
	int32		reserved;		/* places in a stage with a limit */
	VsmCounter *counter;		/* where they are reserved */
	/* cppcheck-suppress unusedStructMember */
	char		status;			/* simplehash.h's */
} Note;

#define SH_PREFIX notes
#define SH_ELEMENT_TYPE Note
#define SH_KEY_TYPE VsmKey
#define SH_KEY key
#define SH_HASH_KEY(table, key) hash_bytes((const unsigned char *) &(key), sizeof(VsmKey))
#define SH_EQUAL(table, a, b) (memcmp(&(a), &(b), sizeof(VsmKey)) == 0)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* The notes of one subtransaction. */
typedef struct Level
{
	struct Level *outer;
	int			nest;			/* GetCurrentTransactionNestLevel() */
	notes_hash *notes;
	Oid			truncated;		/* this table, before what is noted of it here */
	Oid			unknown;		/* the totals of this table cannot be known from the notes */
} Level;

/* What pre-commit has found for commit. */
typedef struct Change
{
	VsmKey		key;
	VsmBoard   *board;
	VsmCounter *counter;		/* NULL: its stage is not defined */
	int64		net;
	int32		reserved;
} Change;

static Level *levels = NULL;	/* innermost first */
static bool ending PG_USED_FOR_ASSERTS_ONLY = false;	/* pre-commit has been here */

static Change *changes;
static int	change_count = 0;
static FullTransactionId changes_xid;
static VsmBoard *truncated_board;
static VsmBoard *unknown_board;

static Level *this_level(void);
static Note *note_in(Level *level, const VsmKey *key);
static void at_transaction_end(XactEvent event, void *arg);
static void at_subtransaction_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg);
static void merge_into_outer(Level *level);
static void give_back_reservations(const Level *level);
static void find_changes(void);
static void apply_changes(void);
static void hand_over_to_prepared(void);
static VsmBoard *board_that_stays(Oid items);
static void forget_notes(void);

void
vsm_xact_load(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}

/* Note that the counter changes by so much if this transaction commits. */
void
vsm_count(const VsmKey *key, int64 change)
{
	if (vsm_counters_possible())
		note_in(this_level(), key)->net += change;
}

/* Note rows that will be stored (+) or have been (-). */
void
vsm_count_entering(const VsmKey *key, int32 change)
{
	if (vsm_counters_possible())
		note_in(this_level(), key)->entering += change;
}

/* Note reservations just made, to be given back when this transaction ends.  Make room for the note first. */
void
vsm_count_reserved(const VsmKey *key, VsmCounter *counter, int32 places)
{
	Note	   *note = note_in(this_level(), key);

	note->reserved += places;
	note->counter = counter;
}

void
vsm_count_truncated(Oid items)
{
	Level	   *level;
	notes_iterator i;
	Note	   *note;

	if (!vsm_counters_possible())
		return;
	level = this_level();
	level->truncated = items;
	notes_start_iterate(level->notes, &i);
	while ((note = notes_iterate(level->notes, &i)) != NULL)
		if (note->key.items == items)
			note->net = 0;
}

void
vsm_count_unknown(Oid items)
{
	if (!vsm_counters_possible())
		return;
	this_level()->unknown = items;
}

/* What this transaction has changed so far and others cannot see. */
int64
vsm_own_change(const VsmKey *key)
{
	int64		sum = 0;

	for (const Level *level = levels; level; level = level->outer)
	{
		const Note *note = notes_lookup(level->notes, *key);

		if (note)
			sum += note->net;
		if (level->truncated == key->items)
			break;
	}
	return sum;
}

int32
vsm_own_entering(const VsmKey *key)
{
	int32		sum = 0;

	for (const Level *level = levels; level; level = level->outer)
	{
		const Note *note = notes_lookup(level->notes, *key);

		if (note)
			sum += note->entering;
	}
	return sum;
}

int32
vsm_own_reserved(const VsmKey *key)
{
	int32		sum = 0;

	for (const Level *level = levels; level; level = level->outer)
	{
		const Note *note = notes_lookup(level->notes, *key);

		if (note)
			sum += note->reserved;
	}
	return sum;
}

static Level *
this_level(void)
{
	int			nest = GetCurrentTransactionNestLevel();
	Level	   *level = levels;

	/* deferred triggers and held cursors run before pre-commit; after it, no code of a user's does */
	Assert(!ending);
	if (level && level->nest == nest)
		return level;
	level = MemoryContextAllocZero(TopTransactionContext, sizeof(Level));
	level->nest = nest;
	level->notes = notes_create(TopTransactionContext, 8, NULL);
	level->outer = levels;
	levels = level;
	return level;
}

static Note *
note_in(Level *level, const VsmKey *key)
{
	bool		there;
	Note	   *note = notes_insert(level->notes, *key, &there);

	if (!there)
	{
		note->net = 0;
		note->entering = 0;
		note->reserved = 0;
		note->counter = NULL;
	}
	return note;
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	ending = event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE;
	if (levels == NULL)
		return;
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			find_changes();
			break;
		case XACT_EVENT_COMMIT:
			apply_changes();
			forget_notes();
			break;
		case XACT_EVENT_PRE_PREPARE:
			hand_over_to_prepared();
			break;
		case XACT_EVENT_PREPARE:
			forget_notes();
			break;
		case XACT_EVENT_ABORT:
			for (const Level *level = levels; level; level = level->outer)
				give_back_reservations(level);
			forget_notes();
			break;
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
			break;
	}
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	int			nest = GetCurrentTransactionNestLevel();

	if (event == SUBXACT_EVENT_COMMIT_SUB && levels && levels->nest == nest)
		merge_into_outer(levels);
	else if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		while (levels && levels->nest >= nest)
		{
			give_back_reservations(levels);
			notes_destroy(levels->notes);
			levels = levels->outer;
		}
	}
}

static void
merge_into_outer(Level *level)
{
	Level	   *outer = level->outer;
	notes_iterator i;
	Note	   *note;

	if (outer == NULL || outer->nest < level->nest - 1)
	{
		level->nest--;
		return;
	}
	levels = outer;
	if (OidIsValid(level->truncated))
	{
		outer->truncated = level->truncated;
		notes_start_iterate(outer->notes, &i);
		while ((note = notes_iterate(outer->notes, &i)) != NULL)
			if (note->key.items == level->truncated)
				note->net = 0;
	}
	if (OidIsValid(level->unknown))
		outer->unknown = level->unknown;
	notes_start_iterate(level->notes, &i);
	while ((note = notes_iterate(level->notes, &i)) != NULL)
	{
		Note	   *sum = note_in(outer, &note->key);

		sum->net += note->net;
		sum->entering += note->entering;
		sum->reserved += note->reserved;
		if (note->counter)
			sum->counter = note->counter;
	}
	notes_destroy(level->notes);
}

static void
give_back_reservations(const Level *level)
{
	notes_iterator i;
	Note	   *note;

	notes_start_iterate(level->notes, &i);
	while ((note = notes_iterate(level->notes, &i)) != NULL)
		if (note->reserved > 0)
			vsm_counter_add_wip(note->counter, 0, -note->reserved);
}

/* At pre-commit all notes are in one level. */
static void
find_changes(void)
{
	notes_iterator i;
	Note	   *note;

	Assert(levels->outer == NULL);
	changes = MemoryContextAlloc(TopTransactionContext, sizeof(Change) * Max(levels->notes->members, 1));
	change_count = 0;
	changes_xid = GetTopFullTransactionIdIfAny();
	truncated_board = OidIsValid(levels->truncated) ? vsm_board(levels->truncated) : NULL;
	unknown_board = OidIsValid(levels->unknown) ? vsm_board(levels->unknown) : NULL;

	notes_start_iterate(levels->notes, &i);
	while ((note = notes_iterate(levels->notes, &i)) != NULL)
	{
		Change	   *change = &changes[change_count];

		if (note->net == 0 && note->reserved == 0)
			continue;
		change->counter = vsm_counter(&note->key, true);
		change->board = vsm_board(note->key.items);
		if (change->board == NULL || (change->counter == NULL && vsm_stages_defined(&note->key)))
			continue;
		change->key = note->key;
		change->net = note->net;
		change->reserved = note->reserved;
		change_count++;
	}
}

static void
apply_changes(void)
{
	VsmBoard   *board = NULL;

	if (truncated_board)
	{
		LWLockAcquire(&truncated_board->lock, LW_EXCLUSIVE);
		vsm_board_empty(truncated_board, changes_xid);
		vsm_prepared_forget(truncated_board);
		LWLockRelease(&truncated_board->lock);
	}
	if (unknown_board)
	{
		LWLockAcquire(&unknown_board->lock, LW_EXCLUSIVE);
		vsm_board_unknown(unknown_board, VSM_SET_TOTALS, changes_xid);
		LWLockRelease(&unknown_board->lock);
	}
	for (int i = 0; i < change_count; i++)
	{
		const Change *change = &changes[i];

		if (change->counter == NULL)
			continue;
		if (board != change->board)
		{
			if (board)
				LWLockRelease(&board->lock);
			board = change->board;
			LWLockAcquire(&board->lock, LW_SHARED);
		}
		vsm_counter_apply(board, change->counter, change->net, changes_xid);
		/* only now: until the entry counts, its place must be kept */
		if (change->reserved > 0)
			vsm_counter_add_wip(change->counter, 0, -change->reserved);
	}
	if (board)
		LWLockRelease(&board->lock);
	for (int i = 0; i < change_count; i++)
	{
		const Change *change = &changes[i];

		if (change->counter)
			continue;
		LWLockAcquire(&change->board->lock, LW_EXCLUSIVE);
		vsm_board_leave_out(change->board, &change->key, change->net, changes_xid);
		LWLockRelease(&change->board->lock);
	}
}

/*
 * hand_over_to_prepared
 *		Leave the notes in shared memory, where any session finds them.
 *
 * A reservation would be lost with a restart, and then the limit with it.
 */
static void
hand_over_to_prepared(void)
{
	FullTransactionId xid = GetTopFullTransactionIdIfAny();
	VsmPrepared *left;
	VsmBoard   *truncated;
	VsmBoard   *unknown;
	notes_iterator i;
	Note	   *note;
	int			count = 0;

	Assert(levels->outer == NULL);
	notes_start_iterate(levels->notes, &i);
	while ((note = notes_iterate(levels->notes, &i)) != NULL)
		if (note->reserved > 0)
			ereport(ERROR,
					errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("cannot PREPARE a transaction that has moved a work item into a stage with a WIP limit"),
					errdetail("The place it holds in the stage would not outlive a restart of the server."),
					errhint("Move such items in a transaction that commits in one phase."));

	left = palloc(sizeof(VsmPrepared) * (levels->notes->members + 2));
	notes_start_iterate(levels->notes, &i);
	while ((note = notes_iterate(levels->notes, &i)) != NULL)
	{
		VsmBoard   *board = note->net == 0 ? NULL : board_that_stays(note->key.items);
		VsmCounter *counter = board ? vsm_counter(&note->key, true) : NULL;

		/* without a place for its counter, it is counted from the table */
		if (board && (counter || !vsm_stages_defined(&note->key)))
			left[count++] = vsm_prepared_change(xid, board, counter, note->net);
	}
	if (OidIsValid(levels->truncated) && (truncated = board_that_stays(levels->truncated)) != NULL)
		left[count++] = vsm_prepared_change(xid, truncated, NULL, 0);
	if (OidIsValid(levels->unknown) && (unknown = board_that_stays(levels->unknown)) != NULL)
		left[count++] = vsm_prepared_change(xid, unknown, NULL, 0);
	if (count > 0)
		vsm_prepared_add(left, count);
	pfree(left);
}

/* The board of a table, unless this transaction has dropped the table. */
static VsmBoard *
board_that_stays(Oid items)
{
	return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(items)) ? vsm_board(items) : NULL;
}

/* Their memory goes with the transaction's. */
static void
forget_notes(void)
{
	levels = NULL;
	change_count = 0;
}
