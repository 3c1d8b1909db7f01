/*
 * counters_xact.c
 *		What this transaction will add to the counters.
 *
 * A change is only noted, in local memory, by subtransaction:
 *	 ROLLBACK TO	drops the level's notes and gives its reservations back
 *	 RELEASE		gives both to the parent
 *	 pre-commit		finds the counters; the last place that may raise an error
 *	 commit			adds to them; raises and allocates nothing, and waits only
 *					while another session holds the board's lock for a few loops
 *	 abort			gives the reservations back
 *	 prepare		leaves the notes to whoever finishes the transaction
 *					(counters_prepared.c)
 * The server calls commit after the transaction has become visible and before
 * its locks are released.  So other sessions can see the row a moment before
 * they see the counter change, and a session whose lock excludes writers sees
 * both.
 *
 * A note keeps the counter once it is looked up, so an entry into a stage with a
 * limit looks it up once: to reserve.  The pointer stays good until the callbacks
 * at the end of the (sub)transaction have run, since whoever notes a change of
 * vsm.work_items holds a lock on it (see counters_boards.c).
 *
 * If a process is killed between becoming visible and the callback, the server
 * restarts, and the counters start anew.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "counters.h"
#include "counters_prepared.h"
#include "counters_xact.h"

/* What one subtransaction has noted of a key. */
typedef struct Note
{
	VsmKey		key;
	VsmNoted	sums;
	VsmBoard   *board;			/* found by pre-commit; NULL: commit has nothing to add */
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
	Oid			truncated;		/* work_items that was truncated before its notes here */
	Oid			unknown;		/* work_items whose totals the notes do not tell */
} Level;

static Level *levels = NULL;	/* innermost first */
static bool ending PG_USED_FOR_ASSERTS_ONLY = false;	/* pre-commit has been here */

/* what pre-commit has found for commit, beside the notes' counters and boards */
static FullTransactionId commit_xid;
static VsmBoard *truncated_board;
static VsmBoard *unknown_board;

static Level *this_level(void);
static Note *note_in(Level *level, const VsmKey *key);
static void forget_changes(const Level *level, Oid items);
static void at_transaction_end(XactEvent event, void *arg);
static void at_subtransaction_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg);
static void merge_into_outer(Level *level);
static void release_reservations(const Level *level);
static void find_counters(void);
static bool find_counter(VsmBoard *board, Note *note);
static void add_to_counters(void);
static void add_to_sets(void);
static void leave_out_unknown_stages(void);
static void list_as_prepared(void);
static void refuse_reservations(void);
static VsmBoard *board_that_stays(Oid items);

void
vsm_xact_load(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}

/*
 * vsm_note
 *		What this subtransaction has noted of the key, to be changed.
 *
 * Only where counters are possible.  Valid until the next note is taken.
 */
VsmNoted *
vsm_note(const VsmKey *key)
{
	return &note_in(this_level(), key)->sums;
}

/* Note that the counter changes by so much if this transaction commits. */
void
vsm_note_change(const VsmKey *key, int64 change)
{
	if (vsm_counters_possible())
		vsm_note(key)->net += change;
}

/* Note that work_items was truncated. */
void
vsm_count_truncated(Oid items)
{
	if (!vsm_counters_possible())
		return;
	this_level()->truncated = items;
	forget_changes(levels, items);
}

/* Note that the ledger was changed in a way that the notes do not tell. */
void
vsm_count_unknown(Oid items)
{
	if (!vsm_counters_possible())
		return;
	this_level()->unknown = items;
}

VsmNoted
vsm_noted(const VsmKey *key)
{
	VsmNoted	noted = {0};
	bool		truncated = false;

	for (const Level *level = levels; level; level = level->outer)
	{
		const Note *note = notes_lookup(level->notes, *key);

		if (note)
		{
			noted.net += truncated ? 0 : note->sums.net;
			noted.entering += note->sums.entering;
			noted.reserved += note->sums.reserved;
			if (note->sums.counter)
				noted.counter = note->sums.counter;
		}
		truncated |= level->truncated == key->items;
	}
	return noted;
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
		note->sums = (VsmNoted){0};
		note->board = NULL;
	}
	return note;
}

/* The table was truncated: what was changed before is gone, and the reservations are kept. */
static void
forget_changes(const Level *level, Oid items)
{
	notes_iterator i;
	Note	   *note;

	notes_start_iterate(level->notes, &i);
	while ((note = notes_iterate(level->notes, &i)) != NULL)
		if (note->key.items == items)
			note->sums.net = 0;
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
			find_counters();
			break;
		case XACT_EVENT_COMMIT:
			add_to_counters();
			levels = NULL;		/* their memory goes with the transaction's */
			break;
		case XACT_EVENT_PRE_PREPARE:
			refuse_reservations();
			list_as_prepared();
			break;
		case XACT_EVENT_PREPARE:
			levels = NULL;
			break;
		case XACT_EVENT_ABORT:
			for (const Level *level = levels; level; level = level->outer)
				release_reservations(level);
			levels = NULL;
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
			release_reservations(levels);
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
		forget_changes(outer, level->truncated);
	}
	if (OidIsValid(level->unknown))
		outer->unknown = level->unknown;
	notes_start_iterate(level->notes, &i);
	while ((note = notes_iterate(level->notes, &i)) != NULL)
	{
		VsmNoted   *into = &note_in(outer, &note->key)->sums;

		into->net += note->sums.net;
		into->entering += note->sums.entering;
		into->reserved += note->sums.reserved;
		if (note->sums.counter)
			into->counter = note->sums.counter;
	}
	notes_destroy(level->notes);
}

static void
release_reservations(const Level *level)
{
	notes_iterator i;
	Note	   *note;

	notes_start_iterate(level->notes, &i);
	while ((note = notes_iterate(level->notes, &i)) != NULL)
		if (note->sums.reserved > 0)
			vsm_counter_release(note->sums.counter, note->sums.reserved);
}

/* At pre-commit all notes are in one level. */
static void
find_counters(void)
{
	VsmBoard   *board = NULL;
	notes_iterator i;
	Note	   *note;

	Assert(levels->outer == NULL);
	commit_xid = GetTopFullTransactionIdIfAny();
	truncated_board = OidIsValid(levels->truncated) ? vsm_board(levels->truncated) : NULL;
	unknown_board = OidIsValid(levels->unknown) ? vsm_board(levels->unknown) : NULL;

	notes_start_iterate(levels->notes, &i);
	while ((note = notes_iterate(levels->notes, &i)) != NULL)
	{
		if (note->sums.net == 0 && note->sums.reserved == 0)
			continue;
		if (board == NULL || board->items != note->key.items)
			board = vsm_board(note->key.items);
		if (board && find_counter(board, note))
			note->board = board;
	}
}

/*
 * find_counter
 *		Find the note's counter, unless it was found before to reserve.
 *
 * False when a defined stage finds no counter left: it is counted from the
 * tables.  Of a stage that is not defined the change is left out, without a
 * counter.
 */
static bool
find_counter(VsmBoard *board, Note *note)
{
	if (note->sums.counter == NULL)
		note->sums.counter = vsm_counter(board, &note->key);
	return note->sums.counter || !vsm_stages_defined(&note->key);
}

static void
add_to_counters(void)
{
	VsmBoard   *board = NULL;
	bool		left_out = false;
	notes_iterator i;
	Note	   *note;

	add_to_sets();
	notes_start_iterate(levels->notes, &i);
	while ((note = notes_iterate(levels->notes, &i)) != NULL)
	{
		VsmCounter *counter = note->sums.counter;

		if (note->board == NULL || counter == NULL)
		{
			left_out |= note->board != NULL;
			continue;
		}
		if (board != note->board)
		{
			if (board)
				LWLockRelease(&board->lock);
			board = note->board;
			LWLockAcquire(&board->lock, LW_SHARED);
		}
		Assert(memcmp(&counter->key, &note->key, sizeof(VsmKey)) == 0);
		vsm_counter_add_committed(board, counter, note->sums.net, commit_xid);
		/* only now: until the entry counts, its place must be kept */
		if (note->sums.reserved > 0)
			vsm_counter_release(counter, note->sums.reserved);
	}
	if (board)
		LWLockRelease(&board->lock);
	if (left_out)
		leave_out_unknown_stages();
}

/* What changes all counters of a set comes before what is noted of single ones. */
static void
add_to_sets(void)
{
	if (truncated_board)
	{
		LWLockAcquire(&truncated_board->lock, LW_EXCLUSIVE);
		vsm_board_set_to_zero(truncated_board, commit_xid);
		vsm_prepared_forget(truncated_board);
		LWLockRelease(&truncated_board->lock);
	}
	if (unknown_board)
	{
		LWLockAcquire(&unknown_board->lock, LW_EXCLUSIVE);
		vsm_board_make_unknown(unknown_board, VSM_SET_TOTALS, commit_xid);
		LWLockRelease(&unknown_board->lock);
	}
}

/* Under the exclusive lock the counter is looked for once more: see vsm_board_leave_out(). */
static void
leave_out_unknown_stages(void)
{
	notes_iterator i;
	Note	   *note;

	notes_start_iterate(levels->notes, &i);
	while ((note = notes_iterate(levels->notes, &i)) != NULL)
	{
		if (note->board == NULL || note->sums.counter)
			continue;
		LWLockAcquire(&note->board->lock, LW_EXCLUSIVE);
		(void) vsm_board_leave_out(note->board, &note->key, note->sums.net, commit_xid);
		LWLockRelease(&note->board->lock);
	}
}

/* Leave the notes in shared memory, where any session finds them. */
static void
list_as_prepared(void)
{
	FullTransactionId xid = GetTopFullTransactionIdIfAny();
	VsmPrepared *entries = palloc(sizeof(VsmPrepared) * (levels->notes->members + 2));
	VsmBoard   *truncated = board_that_stays(levels->truncated);
	VsmBoard   *unknown = board_that_stays(levels->unknown);
	notes_iterator i;
	Note	   *note;
	int			count = 0;

	Assert(levels->outer == NULL);
	notes_start_iterate(levels->notes, &i);
	while ((note = notes_iterate(levels->notes, &i)) != NULL)
	{
		VsmBoard   *board = note->sums.net == 0 ? NULL : board_that_stays(note->key.items);

		if (board && find_counter(board, note))
			entries[count++] = vsm_prepared_entry(xid, board, note->sums.counter, note->sums.net);
	}
	if (truncated)
		entries[count++] = vsm_prepared_entry(xid, truncated, NULL, 0);
	if (unknown)
		entries[count++] = vsm_prepared_entry(xid, unknown, NULL, 0);
	if (count > 0)
		vsm_prepared_list(entries, count);
	pfree(entries);
}

/* A reservation would be lost with a restart, and then the limit would not hold. */
static void
refuse_reservations(void)
{
	notes_iterator i;
	Note	   *note;

	notes_start_iterate(levels->notes, &i);
	while ((note = notes_iterate(levels->notes, &i)) != NULL)
		if (note->sums.reserved > 0)
			ereport(ERROR,
					errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("cannot PREPARE a transaction that has moved a work item into a stage with a WIP limit"),
					errdetail("The place it holds in the stage would not outlive a restart of the server."),
					errhint("Move such items in a transaction that commits in one phase."));
}

/* The board of a table; NULL when there is no table, or when this transaction has dropped it. */
static VsmBoard *
board_that_stays(Oid items)
{
	return OidIsValid(items) && SearchSysCacheExists1(RELOID, ObjectIdGetDatum(items)) ? vsm_board(items) : NULL;
}
