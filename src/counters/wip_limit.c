/*
 * wip_limit.c
 *		WIP limits: no more items in a stage than its limit.
 *
 * An entry into a stage with a limit reserves a place, by compare-and-swap on
 * what is committed and what is reserved.  Commit turns the reservation into
 * the count; abort and ROLLBACK TO give it back.  So at every commit
 *
 *		items in the stage <= committed + reserved <= limit
 *
 * since the item counts as reserved until it counts as committed, and an item
 * that leaves counts until its departure has committed.  No session waits for
 * another transaction.
 *
 * A transaction reserves only its net gain in the stage: items that left it by
 * earlier statements of the same transaction make room.  Reservations only grow until the (sub)transaction
 * ends, because going back to a savepoint may need them again.
 *
 * An entry that is not checked (vsm.wip_limit_action, imports, restores,
 * replication) reserves a place too, so that checked entries see it.
 *
 * vsm.transition() also looks before it touches the row: a refusal then leaves
 * neither a row lock nor a transaction id behind, whereas the trigger of a plain
 * UPDATE runs when the row is locked.  Only the trigger reserves.
 *
 * Without counters an entry locks the rows of the stream's limited stages, in
 * one order, and counts the table.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "counters_recount.h"
#include "counters_xact.h"
#include "errors.h"
#include "move/request.h"
#include "owner.h"
#include "prepare.h"
#include "roles/stream_access.h"
#include "wip_limit.h"

int			vsm_wip_limit_action = VSM_LIMIT_REJECT;

static bool reserve_place(const VsmKey *key, VsmCounter *counter, int32 limit, VsmWip *found);
static bool reserve_noted(VsmNoted *note, VsmCounter *counter, int32 places, int32 limit, bool force,
						  VsmWip *found);
static bool looks_full(Relation items, const VsmStage *stage, VsmWip *found);
static VsmWip as_seen_by_transaction(VsmWip found, const VsmNoted *own);
static int32 count_in_turn(Relation items, const VsmStage *stage);
static void report_full(int level, const VsmStage *stage, VsmWip held);

PG_FUNCTION_INFO_V1(vsm__require_room);

/*
 * vsm._require_room(locker xid, present bigint, entered bigint) -> bigint
 *		The stage to enter, unless it is full (PT409).
 *
 * locker is the row's xmax, present the stage that the item is in.  Raises no
 * error where a check that the trigger makes before that of the limit could
 * raise another one: when a time or an expected stage was given, or when another
 * transaction has locked the row and may be moving the item to that very stage.
 */
Datum
vsm__require_room(PG_FUNCTION_ARGS)
{
	int64		entered = PG_GETARG_INT64(2);

	if (entered != PG_GETARG_INT64(1) && !TransactionIdIsValid(PG_GETARG_TRANSACTIONID(0)))
		vsm_limit_require_room(entered);
	PG_RETURN_INT64(entered);
}

/*
 * vsm_limit_require_room
 *		The same for an item that nobody has locked and that is in another stage.
 */
void
vsm_limit_require_room(int64 entered)
{
	bool		visible = vsm_may_see_stage(entered);	/* first: it may read the definitions again */
	const VsmStage *known = vsm_stage(entered);
	VsmStage	stage;
	Relation	items;
	VsmWip		held;

	if (known == NULL || known->wip_limit == 0 || known->retired || vsm_wip_limit_action != VSM_LIMIT_REJECT ||
		!visible || !vsm_request_gives_stage_only())
		return;
	stage = *known;
	stage.name = pstrdup(stage.name);
	items = vsm_open_table("work_items");
	if (looks_full(items, &stage, &held))
		report_full(ERROR, &stage, held);
	table_close(items, NoLock);
}

/* May an entry into the stage be refused for want of room? */
bool
vsm_limit_refuses(const VsmStage *stage)
{
	return stage->wip_limit != 0 && vsm_wip_limit_action == VSM_LIMIT_REJECT;
}

/*
 * vsm_limit_reserve_place
 *		Check that an item may enter the stage, and keep a place for it.
 *
 * stored: its row is in the table already.  When there is no room, raises PT409,
 * or warns and returns how many items the stage then holds; else 0.  When the
 * row is stored, vsm_wip_count_move() follows.
 */
int32
vsm_limit_reserve_place(Relation items, const VsmStage *entered, bool stored)
{
	VsmStage	stage = *entered;
	VsmKey		key = vsm_wip_key(RelationGetRelid(items), stage.id);
	VsmCounter *counter;
	VsmWip		held = {0};
	bool		room;

	if (stage.wip_limit == 0 || vsm_wip_limit_action == VSM_LIMIT_OFF)
		return 0;
	/* looking up the counter may read the definitions again */
	stage.name = pstrdup(stage.name);
	stage.stream = pstrdup(stage.stream);
	counter = vsm_current_wip_counter(items, &key);
	if (counter)
		room = reserve_place(&key, counter, stage.wip_limit, &held);
	else
	{
		held.committed = count_in_turn(items, &stage) - (stored ? 1 : 0);
		room = held.committed < stage.wip_limit;
	}
	if (room)
		return 0;
	report_full(vsm_wip_limit_action == VSM_LIMIT_REJECT ? ERROR : WARNING, &stage, held);
	return held.committed + held.reserved + 1;
}

/*
 * vsm_limit_reserve_stored
 *		Keep places for items that this transaction has stored in the stage.
 *
 * note: of this subtransaction, with the item that was stored last.  Items that
 * were checked have their places; others take places even beyond the limit.
 */
void
vsm_limit_reserve_stored(const VsmKey *key, VsmNoted *note)
{
	const VsmStage *stage = vsm_stage(key->a);
	VsmBoard   *board;
	VsmNoted	own;
	VsmWip		found;
	int32		limit;
	int32		places;

	if (stage == NULL || stage->wip_limit == 0)
		return;
	limit = stage->wip_limit;
	own = vsm_noted(key);
	if (own.entering > 0)
		note->entering--;
	places = (int32) own.net - own.reserved;
	if (places <= 0)
		return;
	if (own.counter == NULL && (board = vsm_board(key->items)) != NULL)
		own.counter = vsm_counter(board, key);
	if (own.counter)
		(void) reserve_noted(note, own.counter, places, limit, true, &found);
}

/* Reserve what the transaction needs for one item more; found: what it finds in the stage. */
static bool
reserve_place(const VsmKey *key, VsmCounter *counter, int32 limit, VsmWip *found)
{
	VsmNoted	own = vsm_noted(key);
	VsmNoted   *note = vsm_note(key);
	int32		places = (int32) own.net + own.entering + 1 - own.reserved;
	bool		room;

	note->entering++;
	room = reserve_noted(note, counter, places, limit, vsm_wip_limit_action != VSM_LIMIT_REJECT, found);
	*found = as_seen_by_transaction(*found, &own);
	return room;
}

/*
 * reserve_noted
 *		As vsm_counter_reserve(), until the (sub)transaction of the note ends.
 *
 * The note is there before, so no error can lose the reservation.
 */
static bool
reserve_noted(VsmNoted *note, VsmCounter *counter, int32 places, int32 limit, bool force, VsmWip *found)
{
	bool		room = vsm_counter_reserve(counter, places, limit, force, found);

	note->counter = counter;
	if (places > 0 && (room || force))
		note->reserved += places;
	return room;
}

/* Would reserve_place() find no room?  False also when there is no counter. */
static bool
looks_full(Relation items, const VsmStage *stage, VsmWip *found)
{
	VsmKey		key = vsm_wip_key(RelationGetRelid(items), stage->id);
	VsmCounter *counter = vsm_current_wip_counter(items, &key);
	VsmNoted	own;

	if (counter == NULL)
		return false;
	own = vsm_noted(&key);
	*found = as_seen_by_transaction(vsm_counter_wip(counter), &own);
	return found->committed + found->reserved >= stage->wip_limit;
}

/* Of the transaction itself, count what it holds in the stage and not what it has reserved. */
static VsmWip
as_seen_by_transaction(VsmWip found, const VsmNoted *own)
{
	found.committed += (int32) own->net + own->entering;
	found.reserved -= own->reserved;
	return found;
}

/*
 * count_in_turn
 *		How many items the stage holds, those of this transaction included.
 *
 * Other sessions that want to enter a limited stage of the stream wait until
 * this transaction ends; a session that moves an item out of one does not wait.
 */
static int32
count_in_turn(Relation items, const VsmStage *stage)
{
	static SPIPlanPtr lock = NULL;
	static SPIPlanPtr count = NULL;
	Datum		values[2] = {CStringGetTextDatum(stage->stream), Int64GetDatum(stage->id)};
	VsmOwner	before = vsm_become_owner(items->rd_rel->relowner);
	int64		held;
	bool		isnull;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (lock == NULL)
		lock = vsm_prepare("SELECT FROM vsm.stages WHERE stream OPERATOR(pg_catalog.=) $1 AND wip_limit IS NOT NULL"
						 " ORDER BY id FOR NO KEY UPDATE",
						   1, (Oid[]){TEXTOID});
	if (count == NULL)
		count = vsm_prepare("SELECT pg_catalog.count(*) FROM vsm.work_items WHERE stream OPERATOR(pg_catalog.=) $1"
							" AND stage_id OPERATOR(pg_catalog.=) $2 AND completed_at IS NULL AND discarded_at IS NULL",
							2, (Oid[]){TEXTOID, INT8OID});
	if (SPI_execute_plan(lock, values, NULL, false, 0) != SPI_OK_SELECT ||
		SPI_execute_snapshot(count, values, NULL, GetLatestSnapshot(), InvalidSnapshot, true, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not count work items: %s", SPI_result_code_string(SPI_result));
	held = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	vsm_leave_owner(before);
	return (int32) held;
}

static void
report_full(int level, const VsmStage *stage, VsmWip held)
{
	ereport(level,
			errcode(VSM_CONFLICT),
			errmsg("stage \"%s\" is full", stage->name),
			held.reserved > 0
				? errdetail("It holds %d work items, %d more are on their way in, and its limit is %d.",
							held.committed, held.reserved, stage->wip_limit)
				: errdetail_plural("It holds %d work item and its limit is %d.", "It holds %d work items and its limit is %d.",
								   held.committed, held.committed, stage->wip_limit),
			errhint("Finish or move an item out of the stage, or raise its wip_limit."),
			err_generic_string(PG_DIAG_CONSTRAINT_NAME, "wip_limit"));
}
