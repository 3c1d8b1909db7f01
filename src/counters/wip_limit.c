/*
 * wip_limit.c
 *		WIP limits: no more items in a stage than its limit.
 *
 * An entry into a stage with a limit reserves a place, by compare-and-swap on
 * what is committed and what is reserved.  Commit turns the reservation into
 * the count, abort and ROLLBACK TO give it back.  So at every commit
 *
 *		items in the stage <= committed + reserved <= limit
 *
 * since the item counts as reserved until it counts as committed, and one that
 * left counts until its commit is done.  Nobody waits for another transaction.
 *
 * A transaction needs no more reservations than the items by which it will
 * have filled the stage: what left it by earlier statements of the same
 * transaction makes room.  Reservations grow only, until the (sub)transaction
 * ends, because going back to a savepoint may need them again.
 *
 * An entry that is not checked (vsm.wip_limit_action, imports, restores,
 * replication) reserves too, so that checked ones see it.
 *
 * vsm.transition() also looks before it touches the row: a refusal then leaves
 * nothing behind, neither a row lock nor a transaction id, whereas the trigger
 * of a plain UPDATE runs when the row is locked.  Only the trigger reserves.
 *
 * Without counters the entry locks the rows of the stream's limited stages, in
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

#include "counters.h"
#include "errors.h"
#include "move/request.h"
#include "owner.h"
#include "roles/stream_access.h"
#include "wip_limit.h"

int			vsm_wip_limit_action = VSM_LIMIT_REJECT;

static bool find_room(Relation items, const VsmStage *stage, const VsmKey *key, int32 *held, int32 *arriving);
static bool looks_full(Relation items, const VsmStage *stage, int32 *held, int32 *arriving);
static int32 count_in_turn(Relation items, const VsmStage *stage);
static void complain(int level, const VsmStage *stage, int32 held, int32 arriving);
static void changed(Relation items, int64 stage_id, int32 change);

PG_FUNCTION_INFO_V1(vsm__require_room);

/*
 * vsm._require_room(locker xid, present bigint, entered bigint) -> bigint
 *		The stage to enter, unless it is full (PT409).
 *
 * locker is the row's xmax, present the stage that the item is in.  Says nothing
 * where what comes before the limit in the trigger could say more: a time or an
 * expected stage was given, or somebody else has hold of the row, and may be
 * moving the item to that very stage.
 */
Datum
vsm__require_room(PG_FUNCTION_ARGS)
{
	int64		entered = PG_GETARG_INT64(2);
	bool		visible = vsm_may_see_stage(entered);	/* first: it may read the definitions anew */
	const VsmStage *known = vsm_stage(entered);
	VsmStage	stage;
	Relation	items;
	int32		held;
	int32		arriving;

	if (known == NULL || known->wip_limit == 0 || known->retired || entered == PG_GETARG_INT64(1) ||
		TransactionIdIsValid(PG_GETARG_TRANSACTIONID(0)) || vsm_wip_limit_action != VSM_LIMIT_REJECT ||
		!visible || !vsm_request_gives_stage_only())
		PG_RETURN_INT64(entered);

	stage = *known;
	stage.name = pstrdup(stage.name);
	items = vsm_open_items();
	if (looks_full(items, &stage, &held, &arriving))
		complain(ERROR, &stage, held, arriving);
	table_close(items, NoLock);
	PG_RETURN_INT64(entered);
}

/*
 * vsm_wip_enter
 *		Check that an item may enter the stage, and keep a place for it.
 *
 * stored: its row is in the table already.  Raises PT409 when there is no room,
 * or warns and returns how many items the stage then holds; else 0.  When the
 * row is stored, vsm_wip_changed() follows.
 */
int32
vsm_wip_enter(Relation items, const VsmStage *entered, bool stored)
{
	VsmStage	stage = *entered;
	VsmKey		key = {.kind = VSM_WIP, .items = RelationGetRelid(items), .a = stage.id};
	int32		held;
	int32		arriving = 0;
	bool		room;

	if (stage.wip_limit == 0 || vsm_wip_limit_action == VSM_LIMIT_OFF)
		return 0;
	stage.name = pstrdup(stage.name);
	stage.stream = pstrdup(stage.stream);
	if (vsm_wip_counter(items, stage.id))
		room = find_room(items, &stage, &key, &held, &arriving);
	else
	{
		held = count_in_turn(items, &stage) - (stored ? 1 : 0);
		room = held < stage.wip_limit;
	}
	if (room)
		return 0;
	complain(vsm_wip_limit_action == VSM_LIMIT_REJECT ? ERROR : WARNING, &stage, held, arriving);
	return held + arriving + 1;
}

/*
 * vsm_wip_changed
 *		Note a stored row: the item left one stage and entered another.
 *
 * 0: none, or one in which items are not in progress.
 */
void
vsm_wip_changed(Relation items, int64 left, int64 entered)
{
	if (left == entered || !vsm_counters_possible())
		return;
	if (left != 0)
		changed(items, left, -1);
	if (entered != 0)
		changed(items, entered, 1);
}

/* By the counter: held and arriving are what it said, as this transaction sees it. */
static bool
find_room(Relation items, const VsmStage *stage, const VsmKey *key, int32 *held, int32 *arriving)
{
	VsmCounter *counter = vsm_wip_counter(items, stage->id);
	int64		own = vsm_own_change(key) + vsm_own_entering(key);
	int32		own_reserved = vsm_own_reserved(key);
	bool		force = vsm_wip_limit_action != VSM_LIMIT_REJECT;
	int32		places = (int32) own + 1 - own_reserved;
	bool		room;

	vsm_count_entering(key, 1);
	room = vsm_counter_reserve(counter, places, stage->wip_limit, force, held, arriving);
	if (places > 0 && (room || force))
		vsm_count_reserved(key, counter, places);
	*held += (int32) own;
	*arriving -= own_reserved;
	return room;
}

/* As find_room(), without reserving; false also when there is no counter. */
static bool
looks_full(Relation items, const VsmStage *stage, int32 *held, int32 *arriving)
{
	VsmKey		key = {.kind = VSM_WIP, .items = RelationGetRelid(items), .a = stage->id};
	VsmCounter *counter = vsm_wip_counter(items, stage->id);

	if (counter == NULL)
		return false;
	vsm_counter_wip(counter, held, arriving);
	*held += (int32) (vsm_own_change(&key) + vsm_own_entering(&key));
	*arriving -= vsm_own_reserved(&key);
	return *held + *arriving >= stage->wip_limit;
}

/*
 * count_in_turn
 *		How many items the stage holds, those of this transaction included.
 *
 * Others who want to enter a limited stage of the stream wait until this
 * transaction ends; who leaves one need not.
 */
static int32
count_in_turn(Relation items, const VsmStage *stage)
{
	static SPIPlanPtr lock = NULL;
	static SPIPlanPtr count = NULL;
	Datum		stream = CStringGetTextDatum(stage->stream);
	Datum		id = Int64GetDatum(stage->id);
	VsmOwner before = vsm_become_owner(items->rd_rel->relowner);
	int64		held;
	bool		isnull;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (lock == NULL)
	{
		Oid			types[1] = {TEXTOID};

		lock = SPI_prepare("SELECT FROM vsm.stages WHERE stream OPERATOR(pg_catalog.=) $1 AND wip_limit IS NOT NULL"
						   " ORDER BY id FOR NO KEY UPDATE",
						   1, types);
		if (lock == NULL || SPI_keepplan(lock) != 0)
			elog(ERROR, "could not prepare the lock: %s", SPI_result_code_string(SPI_result));
	}
	if (count == NULL)
	{
		Oid			types[1] = {INT8OID};

		count = SPI_prepare("SELECT pg_catalog.count(*) FROM vsm.work_items WHERE stage_id OPERATOR(pg_catalog.=) $1"
							" AND completed_at IS NULL",
							1, types);
		if (count == NULL || SPI_keepplan(count) != 0)
			elog(ERROR, "could not prepare the count: %s", SPI_result_code_string(SPI_result));
	}
	if (SPI_execute_plan(lock, &stream, NULL, false, 0) != SPI_OK_SELECT ||
		SPI_execute_snapshot(count, &id, NULL, GetLatestSnapshot(), InvalidSnapshot, true, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not count work items: %s", SPI_result_code_string(SPI_result));
	held = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	vsm_leave_owner(before);
	return (int32) held;
}

static void
complain(int level, const VsmStage *stage, int32 held, int32 arriving)
{
	ereport(level,
			errcode(VSM_CONFLICT),
			errmsg("stage \"%s\" is full", stage->name),
			arriving > 0 ? errdetail("It holds %d work items, %d more are on their way in, and its limit is %d.", held, arriving, stage->wip_limit) : errdetail("It holds %d work items and its limit is %d.", held, stage->wip_limit),
			errhint("Finish or move an item out of the stage, or raise its wip_limit."),
			err_generic_string(PG_DIAG_CONSTRAINT_NAME, "wip_limit"));
}

static void
changed(Relation items, int64 stage_id, int32 change)
{
	VsmKey		key = {.kind = VSM_WIP, .items = RelationGetRelid(items), .a = stage_id};
	const VsmStage *stage;
	VsmCounter *counter;
	int32		limit;
	int32		places;
	int32		held;
	int32		arriving;

	vsm_count(&key, change);
	if (change < 0)
		return;
	stage = vsm_stage(stage_id);
	if (stage == NULL || stage->wip_limit == 0)
		return;
	limit = stage->wip_limit;
	if (vsm_own_entering(&key) > 0)
		vsm_count_entering(&key, -1);
	places = (int32) vsm_own_change(&key) - vsm_own_reserved(&key);
	if (places <= 0)
		return;
	counter = vsm_counter(&key, true);
	if (counter == NULL)
		return;
	(void) vsm_counter_reserve(counter, places, limit, true, &held, &arriving);
	vsm_count_reserved(&key, counter, places);
}
