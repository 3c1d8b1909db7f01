/*
 * wip.c
 *		Work in progress: counting moves; reading, checking and recounting.
 *
 * The counters are counted from the tables when they are first needed after a
 * start, a crash or a promotion: by a reader of vsm.wip, or by a move into a
 * stage with a limit.  What this transaction has changed and not yet committed
 * is added for itself alone.
 *
 * Where there are no counters (see vsm_board_of()), and for stages for which no
 * counter was left, the tables are counted by the index work_items_open, with the
 * caller's snapshot.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "arguments.h"
#include "counters.h"
#include "counters_recount.h"
#include "counters_xact.h"
#include "errors.h"
#include "owner.h"
#include "prepare.h"
#include "roles/stream_access.h"
#include "wip_limit.h"

/* Far more stages than anybody defines.  Their counters are read at one instant, under a lock. */
#define MAX_ASKED		100000

static int	keep_visible(int64 *ids, int count);
static ArrayType *stage_array(const int64 *ids, int count);
static int	put_counters(ReturnSetInfo *result, Relation items, VsmBoard *board, int64 *ids, int count);
static void put_counted(ReturnSetInfo *result, Relation items, ArrayType *stages);
static void put_stage(ReturnSetInfo *result, int64 stage_id, int64 wip, const char *source);
static void require_definer(void);
static void put_recounted(ReturnSetInfo *out, const VsmRecounted *row);
static void recount_rows(FunctionCallInfo fcinfo, VsmRecountMode mode);

PG_FUNCTION_INFO_V1(vsm__wip_now);
PG_FUNCTION_INFO_V1(vsm__wip_recount);

/*
 * vsm._wip_now(stages bigint[]) -> setof (stage_id, wip, source)
 *		Unfinished items in each of these stages, at one instant.
 */
Datum
vsm__wip_now(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int			count;
	const int64 *asked = vsm_require_list(PG_GETARG_ARRAYTYPE_P(0), INT8OID, 0, MAX_ASKED, "the stages", &count);
	int64	   *ids = palloc(sizeof(int64) * Max(count, 1));
	Relation	items = vsm_open_table("work_items");
	VsmBoard   *board = vsm_board_of(items);

	memcpy(ids, asked, sizeof(int64) * count);
	count = keep_visible(ids, count);
	vsm_require_reading(RelationGetRelid(items));
	InitMaterializedSRF(fcinfo, 0);
	if (board)
		count = put_counters(result, items, board, ids, count);
	if (count > 0)
		put_counted(result, items, stage_array(ids, count));
	table_close(items, NoLock);
	PG_RETURN_NULL();
}

/*
 * vsm._wip_recount(apply boolean) -> setof (stage_id, before, after, reserved)
 *		Recount WIP while other sessions go on; apply: and take the result.
 *
 * before and reserved are null for a stage that has no counter.  Returns no rows
 * where there are no counters.  apply needs an admin's rights (42501).
 */
Datum
vsm__wip_recount(PG_FUNCTION_ARGS)
{
	if (PG_GETARG_BOOL(0))
		require_definer();
	InitMaterializedSRF(fcinfo, 0);
	recount_rows(fcinfo, PG_GETARG_BOOL(0) ? VSM_RECOUNT_AGAIN : VSM_RECOUNT_CHECK);
	PG_RETURN_NULL();
}

/*
 * vsm_wip_count_move
 *		Note a stored row: the item left one stage and entered another.
 *
 * 0: no stage, or one whose items are not in progress.
 */
void
vsm_wip_count_move(Relation items, int64 left, int64 entered)
{
	if (left == entered || !vsm_counters_possible())
		return;
	if (left != 0)
	{
		VsmKey		key = vsm_wip_key(RelationGetRelid(items), left);

		vsm_note(&key)->net--;
	}
	if (entered != 0)
	{
		VsmKey		key = vsm_wip_key(RelationGetRelid(items), entered);
		VsmNoted   *note = vsm_note(&key);

		note->net++;
		vsm_limit_reserve_stored(&key, note);
	}
}

/* Keep the stages whose streams the user may see; returns how many there are. */
static int
keep_visible(int64 *ids, int count)
{
	int			visible = 0;

	for (int i = 0; i < count; i++)
		if (vsm_may_see_stage(ids[i]))
			ids[visible++] = ids[i];
	return visible;
}

static ArrayType *
stage_array(const int64 *ids, int count)
{
	Datum	   *elements = palloc(sizeof(Datum) * count);

	for (int i = 0; i < count; i++)
		elements[i] = Int64GetDatum(ids[i]);
	return construct_array(elements, count, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
}

/* Put the stages that have counters; keeps the others in ids and returns how many there are. */
static int
put_counters(ReturnSetInfo *result, Relation items, VsmBoard *board, int64 *ids, int count)
{
	VsmCounter **counters = palloc(sizeof(VsmCounter *) * Max(count, 1));
	int32	   *committed = palloc(sizeof(int32) * Max(count, 1));
	int			without = 0;

	for (int i = 0; i < count; i++)
	{
		VsmKey		key = vsm_wip_key(RelationGetRelid(items), ids[i]);

		CHECK_FOR_INTERRUPTS();
		counters[i] = vsm_current_wip_counter(items, &key);
	}

	/* all at one instant, between two commits */
	LWLockAcquire(&board->lock, LW_EXCLUSIVE);
	for (int i = 0; i < count; i++)
		if (counters[i])
			committed[i] = vsm_counter_wip(counters[i]).committed;
	LWLockRelease(&board->lock);

	for (int i = 0; i < count; i++)
	{
		VsmKey		key = vsm_wip_key(RelationGetRelid(items), ids[i]);

		if (counters[i])
			put_stage(result, ids[i], committed[i] + vsm_noted(&key).net, "shared memory");
		else
			ids[without++] = ids[i];
	}
	return without;
}

static void
put_counted(ReturnSetInfo *result, Relation items, ArrayType *stages)
{
	static SPIPlanPtr plan = NULL;
	Datum		argument = PointerGetDatum(stages);
	VsmOwner before = vsm_become_owner(items->rd_rel->relowner);

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (plan == NULL)
	{
		Oid			types[1] = {INT8ARRAYOID};

		plan = vsm_prepare("SELECT s.id, pg_catalog.count(w.stage_id) FROM pg_catalog.unnest($1) s (id)"
						   " LEFT JOIN vsm.stages g ON g.id OPERATOR(pg_catalog.=) s.id"
						   " LEFT JOIN vsm.work_items w ON w.stream OPERATOR(pg_catalog.=) g.stream"
						   " AND w.stage_id OPERATOR(pg_catalog.=) s.id AND w.completed_at IS NULL AND w.discarded_at IS NULL"
						   " GROUP BY s.id",
						   1, types);
	}
	if (SPI_execute_plan(plan, &argument, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not count work items: %s", SPI_result_code_string(SPI_result));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		bool		isnull;

		put_stage(result, DatumGetInt64(SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &isnull)),
				  DatumGetInt64(SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &isnull)), "table");
	}
	SPI_finish();
	vsm_leave_owner(before);
}

static void
put_stage(ReturnSetInfo *result, int64 stage_id, int64 wip, const char *source)
{
	Datum		values[3] = {Int64GetDatum(stage_id), Int64GetDatum(wip), CStringGetTextDatum(source)};
	bool		nulls[3] = {0};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * The counters are what limits are checked against, so only roles that may set
 * limits, in all streams, may set them.
 */
static void
require_definer(void)
{
	Oid			stages = get_relname_relid("stages", get_namespace_oid("vsm", false));

	if (pg_class_aclcheck(stages, GetUserId(), ACL_UPDATE) != ACLCHECK_OK || !vsm_may(VSM_ADMIN, NULL))
		ereport(ERROR,
				errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("permission denied to set the counters of work in progress"),
				errdetail("The right to update table vsm.stages in all streams is needed."),
				errhint("Call vsm.wip_rebuild() as a role that has vsm.grant_access(..., 'admin')."));
}

static void
put_recounted(ReturnSetInfo *out, const VsmRecounted *row)
{
	bool		has = row->counter != NULL;
	Datum		values[4] = {Int64GetDatum(row->key.a), Int64GetDatum(row->before),
	Int64GetDatum(row->after), Int64GetDatum(row->reserved)};
	bool		nulls[4] = {false, !has, false, !has};

	tuplestore_putvalues(out->setResult, out->setDesc, values, nulls);
}

static void
recount_rows(FunctionCallInfo fcinfo, VsmRecountMode mode)
{
	ReturnSetInfo *out = (ReturnSetInfo *) fcinfo->resultinfo;
	Relation	items = vsm_open_table("work_items");
	VsmBoard   *board = vsm_board_of(items);

	vsm_require_reading(RelationGetRelid(items));
	if (board)
	{
		VsmRecounted *rows;
		int			count;

		vsm_recount_if_needed(items, board, VSM_SET_WIP);
		rows = vsm_recount(items, board, VSM_SET_WIP, mode, &count);
		for (int i = 0; i < count; i++)
		{
			if (vsm_may_see_stage(rows[i].key.a))
				put_recounted(out, &rows[i]);
		}
	}
	table_close(items, NoLock);
}
