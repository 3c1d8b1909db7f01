/*
 * wip.c
 *		Work in progress: reading, checking and recounting its counters.
 *
 * The counters are counted from the tables when somebody needs them for the
 * first time after a start, a crash or a promotion: a reader of vsm.wip, or a
 * move into a stage with a limit.  What this transaction has changed and not
 * yet committed is added for itself alone.
 *
 * Where there are no counters (see vsm_board_of(), and stages for which there
 * was no place), the tables are counted by the index work_items_open, with the
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
#include "errors.h"
#include "owner.h"
#include "roles/stream_access.h"

/* Far more than anybody defines; their counters are read at one instant, under a lock. */
#define MAX_ASKED		100000

static ArrayType *visible_stages(const int64 *ids, int *count);
static void put_counters(ReturnSetInfo *result, Relation items, VsmBoard *board, const int64 *ids, int count);
static void put_counted(ReturnSetInfo *result, Relation items, ArrayType *stages);
static void put_stage(ReturnSetInfo *result, int64 stage_id, int64 wip, bool counter);
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
	int			count;
	const int64 *asked = vsm_require_list(PG_GETARG_ARRAYTYPE_P(0), INT8OID, 0, MAX_ASKED, "the stages", &count);
	ArrayType  *stages = visible_stages(asked, &count);
	const int64 *ids = (const int64 *) ARR_DATA_PTR(stages);
	Relation	items = vsm_open_items();
	VsmBoard   *board = vsm_board_of(items);

	vsm_require_reading(RelationGetRelid(items));
	InitMaterializedSRF(fcinfo, 0);
	if (board)
		put_counters((ReturnSetInfo *) fcinfo->resultinfo, items, board, ids, count);
	else
		put_counted((ReturnSetInfo *) fcinfo->resultinfo, items, stages);
	table_close(items, NoLock);
	PG_RETURN_NULL();
}

/*
 * vsm._wip_recount(apply boolean) -> setof (stage_id, before, after, reserved)
 *		Count the tables while others go on; apply: and take the result.
 *
 * before and reserved are null of a stage that has no counter.  No rows without
 * counters.  To apply takes an admin's rights.
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
 * vsm_wip_counter
 *		The counter of a stage, right by now; NULL: count the table.
 */
VsmCounter *
vsm_wip_counter(Relation items, int64 stage_id)
{
	VsmKey		key = {.kind = VSM_WIP, .items = RelationGetRelid(items), .a = stage_id};
	VsmBoard   *board = vsm_board_of(items);
	VsmCounter *counter;
	int			count;

	if (board == NULL)
		return NULL;
	counter = vsm_counter(&key, true);
	if (counter == NULL)
		return NULL;
	vsm_prepared_settle(board);
	if (!board->sets[VSM_SET_WIP].ready)
		(void) vsm_recount(items, board, VSM_SET_WIP, VSM_RECOUNT_FIRST, &count);
	return counter;
}

/* vsm.work_items, locked until the transaction ends, as a query would. */
Relation
vsm_open_items(void)
{
	Oid			schema = get_namespace_oid("vsm", false);
	Oid			items = get_relname_relid("work_items", schema);

	if (!OidIsValid(items))
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_TABLE),
				errmsg("table \"vsm.work_items\" does not exist"),
				errhint("Run CREATE EXTENSION vsm in this database."));
	return table_open(items, AccessShareLock);
}

/* Of these stages those whose streams the user may see; count: before and after. */
static ArrayType *
visible_stages(const int64 *ids, int *count)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(*count, 1));
	int			visible = 0;

	for (int i = 0; i < *count; i++)
		if (vsm_may_see_stage(ids[i]))
			elements[visible++] = Int64GetDatum(ids[i]);
	*count = visible;
	return construct_array(elements, visible, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
}

static void
put_counters(ReturnSetInfo *result, Relation items, VsmBoard *board, const int64 *ids, int count)
{
	VsmCounter **counters = palloc0(sizeof(VsmCounter *) * Max(count, 1));
	int32	   *committed = palloc0(sizeof(int32) * Max(count, 1));
	int64	   *without = palloc(sizeof(int64) * Max(count, 1));
	int			nwithout = 0;
	int32		reserved;

	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		counters[i] = vsm_wip_counter(items, ids[i]);
	}

	/* all at one instant between two commits */
	LWLockAcquire(&board->lock, LW_EXCLUSIVE);
	for (int i = 0; i < count; i++)
		if (counters[i])
			vsm_counter_wip(counters[i], &committed[i], &reserved);
	LWLockRelease(&board->lock);

	for (int i = 0; i < count; i++)
	{
		VsmKey		key = {.kind = VSM_WIP, .items = RelationGetRelid(items), .a = ids[i]};

		if (counters[i])
			put_stage(result, ids[i], committed[i] + vsm_own_change(&key), true);
		else
			without[nwithout++] = ids[i];
	}
	if (nwithout > 0)
	{
		Datum	   *elements = palloc(sizeof(Datum) * nwithout);

		for (int i = 0; i < nwithout; i++)
			elements[i] = Int64GetDatum(without[i]);
		put_counted(result, items, construct_array(elements, nwithout, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	}
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

		plan = SPI_prepare("SELECT s.id, pg_catalog.count(w.stage_id) FROM pg_catalog.unnest($1) s (id)"
						   " LEFT JOIN vsm.work_items w ON w.stage_id OPERATOR(pg_catalog.=) s.id AND w.completed_at IS NULL"
						   " GROUP BY s.id",
						   1, types);
		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not prepare the count: %s", SPI_result_code_string(SPI_result));
	}
	if (SPI_execute_plan(plan, &argument, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not count work items: %s", SPI_result_code_string(SPI_result));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		bool		isnull;

		put_stage(result, DatumGetInt64(SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &isnull)),
				  DatumGetInt64(SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &isnull)), false);
	}
	SPI_finish();
	vsm_leave_owner(before);
}

static void
put_stage(ReturnSetInfo *result, int64 stage_id, int64 wip, bool counter)
{
	Datum		values[3] = {Int64GetDatum(stage_id), Int64GetDatum(wip),
	CStringGetTextDatum(counter ? "shared memory" : "table")};
	bool		nulls[3] = {0};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* Taking over a count changes what limits are checked against: it is for those who may set them, of all streams. */
static void
require_definer(void)
{
	Oid			stages = get_relname_relid("stages", get_namespace_oid("vsm", false));

	if (pg_class_aclcheck(stages, GetUserId(), ACL_UPDATE) != ACLCHECK_OK || !vsm_may(VSM_ADMIN, NULL))
		ereport(ERROR,
				errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("permission denied to set the counters of work in progress"),
				errdetail("It takes the right to update table vsm.stages, for all streams."),
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
	Relation	items = vsm_open_items();
	VsmBoard   *board = vsm_board_of(items);
	VsmRecounted *rows;
	int			count;

	vsm_require_reading(RelationGetRelid(items));
	if (board && !board->sets[VSM_SET_WIP].ready)
		(void) vsm_recount(items, board, VSM_SET_WIP, VSM_RECOUNT_FIRST, &count);
	if (board)
	{
		rows = vsm_recount(items, board, VSM_SET_WIP, mode, &count);
		for (int i = 0; i < count; i++)
		{
			if (vsm_may_see_stage(rows[i].key.a))
				put_recounted(out, &rows[i]);
		}
	}
	table_close(items, NoLock);
}
