/*
 * decisions.c
 *		What the BEFORE trigger on vsm.work_items decided, until AFTER records it.
 *
 * Only the AFTER trigger knows that a row was really stored (ON CONFLICT, later
 * BEFORE triggers), and only the BEFORE trigger knows that the rules allow a new
 * item, a move or a deletion.  So BEFORE notes its decision here, and AFTER takes
 * the note that agrees with the stored row: the same item in the same state, in
 * every computed column.  Without a note, the row is not what was decided.
 * Neither command ids nor the order of triggers matter, so an item may be moved
 * or deleted between its INSERT and the INSERT's AFTER trigger.
 *
 * A note carries the id of the ledger row to be.  The id is drawn when the
 * decision is made, so that ids are in the order of the moves even if a user's
 * AFTER trigger moves the item on before the first move is recorded.
 *
 * A note whose row was never stored stays until the transaction ends.  It can
 * only be taken for a row of the same item in exactly the decided state, and the
 * ledger row is right for that row too.
 */
#include "decisions.h"

#include "common/hashfn.h"
#include "utils/memutils.h"

#include "ledger_row.h"

typedef struct DecisionKey
{
	int64		work_item_id;
	uint64		state;			/* hash of what was decided and the decided state */
} DecisionKey;

typedef struct Note
{
	DecisionKey key;
	VsmDecision decision;		/* the latest of the decisions counted */
	int32		count;			/* rows decided alike and not recorded yet */
	/* cppcheck-suppress unusedStructMember */
	char		status;			/* simplehash.h's */
} Note;

#define SH_PREFIX notes
#define SH_ELEMENT_TYPE Note
#define SH_KEY_TYPE DecisionKey
#define SH_KEY key
#define SH_HASH_KEY(table, key) ((uint32) ((key).state ^ ((key).state >> 32)))
#define SH_EQUAL(table, a, b) ((a).work_item_id == (b).work_item_id && (a).state == (b).state)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

static notes_hash *notes = NULL;
static int64 last_insert = 0;	/* ledger id of the latest new item of this transaction; 0: none */

static DecisionKey key_of(VsmDecided what, int64 work_item_id, const VsmItemState *state);
static void make_notes(void);
static void forget_notes(void *arg);

/*
 * vsm_note_decision
 *		Note that a row of this item in this state is about to be stored or deleted.
 *
 * request: the one that the move answers, or NULL.  Draws the ledger id.
 */
void
vsm_note_decision(VsmDecided what, int64 work_item_id, const VsmItemState *state, const VsmRequest *request)
{
	DecisionKey key = key_of(what, work_item_id, state);
	bool		there;
	Note	   *note;

	if (notes == NULL)
		make_notes();
	note = notes_insert(notes, key, &there);
	if (!there)
		note->count = 0;
	note->count++;
	note->decision.ledger_id = vsm_next_ledger_id();
	note->decision.request = request;
	if (what == VSM_DECIDED_INSERT)
		last_insert = note->decision.ledger_id;
}

/* Was this decided, and not taken yet? */
bool
vsm_take_decision(VsmDecided what, int64 work_item_id, const VsmItemState *state, VsmDecision *decision)
{
	Note	   *note;

	if (notes == NULL)
		return false;
	note = notes_lookup(notes, key_of(what, work_item_id, state));
	if (note == NULL)
		return false;
	*decision = note->decision;
	if (--note->count == 0)
		notes_delete_item(notes, note);
	else
	{
		/* the row that is left was decided first: it must not share a ledger id or a request with the one taken */
		note->decision.ledger_id = vsm_next_ledger_id();
		note->decision.request = NULL;
	}
	return true;
}

/* Has this transaction decided to insert an item since it drew this ledger id? */
bool
vsm_decided_insert_since(int64 ledger_id)
{
	return last_insert > ledger_id;
}

static DecisionKey
key_of(VsmDecided what, int64 work_item_id, const VsmItemState *state)
{
	DecisionKey key = {.work_item_id = work_item_id};

	/* hashed bytewise, so the struct may have no padding */
	StaticAssertStmt(sizeof(VsmItemState) == 9 * sizeof(int64) + 4 * sizeof(int32), "VsmItemState has padding");
	key.state = hash_bytes_extended((const unsigned char *) state, sizeof(VsmItemState), (uint64) what);
	return key;
}

static void
make_notes(void)
{
	MemoryContextCallback *callback = MemoryContextAllocZero(TopTransactionContext, sizeof(MemoryContextCallback));

	callback->func = forget_notes;
	MemoryContextRegisterResetCallback(TopTransactionContext, callback);
	/* a note is taken soon after it is made, so few exist at a time; the table grows */
	notes = notes_create(TopTransactionContext, 8, NULL);
}

/* The table goes with the transaction's memory. */
static void
forget_notes(void *arg)
{
	notes = NULL;
	last_insert = 0;
}
