/*
 * totals.c
 *		Totals for monitoring: what the ledger has recorded so far.
 *
 * Each ledger row adds to some totals: items created by type, moves by (from,
 * to), time in the stage left, and for a row that finishes an item its lead and
 * cycle time.  What a row adds depends only on the row, so the totals can be
 * counted from the ledger at any time (vsm._totals_counted), together with the
 * rows that were deleted or corrected (vsm.superseded_transitions).  So the totals
 * never fall, and are the same after a restart.
 *
 * Sums of durations are in milliseconds: in microseconds, 64 bits would be full
 * after some 300,000 years of waiting, which 300,000 items reach in a year.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "counters.h"
#include "counters_prepared.h"
#include "counters_recount.h"
#include "counters_xact.h"
#include "errors.h"
#include "owner.h"
#include "roles/access_rights.h"
#include "roles/stream_access.h"
#include "trigger_guard.h"

/*
 * Upper bounds of the histograms' buckets, in seconds: 1, 4 and 8 hours, 1, 2,
 * 3, 7, 14 and 30 days.  One more is infinite.
 */
static const int32 bucket_bounds[] = {3600, 14400, 28800, 86400, 172800, 259200, 604800, 1209600, 2592000};

static void count_total(Oid items, VsmKind kind, int64 a, int64 b, int64 change);
static int	bucket_of(int64 us);
static void add_duration(Oid items, VsmKind kind, VsmKind sum, int64 stage_id, int64 us);
static VsmRecounted *read_totals(VsmBoard *board, int *count);
static void put_total(ReturnSetInfo *result, const VsmRecounted *total);

PG_FUNCTION_INFO_V1(vsm__bucket);
PG_FUNCTION_INFO_V1(vsm__bucket_bounds);
PG_FUNCTION_INFO_V1(vsm__totals_now);
PG_FUNCTION_INFO_V1(vsm__totals_unknown);
PG_FUNCTION_INFO_V1(vsm__totals_add);

/*
 * vsm._bucket(us bigint) -> integer: the histograms' bucket of a duration in
 * microseconds, from 0
 */
Datum
vsm__bucket(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(bucket_of(PG_GETARG_INT64(0)));
}

/*
 * vsm._bucket_bounds() -> double precision[]: upper bounds of the buckets, in
 * seconds, the last one infinite
 */
Datum
vsm__bucket_bounds(PG_FUNCTION_ARGS)
{
	Datum		bounds[lengthof(bucket_bounds) + 1];

	for (int i = 0; i < (int) lengthof(bucket_bounds); i++)
		bounds[i] = Float8GetDatum(bucket_bounds[i]);
	bounds[lengthof(bucket_bounds)] = Float8GetDatum(get_float8_infinity());
	PG_RETURN_ARRAYTYPE_P(construct_array(bounds, lengthof(bounds), FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/*
 * vsm._totals_now() -> setof (kind, a, b, n)
 *		The totals of all committed transactions, at one instant.
 */
Datum
vsm__totals_now(PG_FUNCTION_ARGS)
{
	/* locked before a recount publishes its snapshot, so that nobody rewrites them afterwards */
	Relation	items = vsm_open_table("work_items");
	Relation	ledger = vsm_open_table("stage_transitions");
	Relation	superseded = vsm_open_table("superseded_transitions");
	VsmBoard   *board = vsm_board_of(items);
	VsmRecounted *totals;
	int			count;

	vsm_require_reading(RelationGetRelid(items));
	if (vsm_has_new_storage(ledger) || vsm_has_new_storage(superseded))
		board = NULL;
	if (board && !board->sets[VSM_SET_TOTALS].full)
		vsm_recount_if_needed(items, board, VSM_SET_TOTALS);
	/* the recount may have found no counter left */
	if (board && !board->sets[VSM_SET_TOTALS].full)
		totals = read_totals(board, &count);
	else
		totals = vsm_count_tables(items, VSM_SET_TOTALS, InvalidSnapshot, &count);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < count; i++)
		put_total((ReturnSetInfo *) fcinfo->resultinfo, &totals[i]);
	table_close(superseded, NoLock);
	table_close(ledger, NoLock);
	table_close(items, NoLock);
	PG_RETURN_NULL();
}

/*
 * vsm._totals_unknown() -> trigger
 *		The ledger was changed other than by the row triggers: have the totals recounted.
 */
Datum
vsm__totals_unknown(PG_FUNCTION_ARGS)
{
	(void) vsm_trigger_data(fcinfo, VSM_AFTER_ANY, VSM_TABLE_LEDGER, VSM_TABLE_LEDGER);
	vsm_count_unknown(get_relname_relid("work_items", get_namespace_oid("vsm", false)));
	return PointerGetDatum(NULL);
}

/*
 * vsm._totals_add(kind integer, a bigint, b bigint, n bigint) -> void
 *		Add what a statement that wrote the ledger adds; see vsm._totals_of().
 *
 * PT422: kind, n; 42501: the caller lacks the rights of the tables' owner.
 */
Datum
vsm__totals_add(PG_FUNCTION_ARGS)
{
	int32		kind = PG_GETARG_INT32(0);
	int64		n = PG_GETARG_INT64(3);

	vsm_require_owner("add to the totals");
	if (kind < VSM_CREATED || kind > VSM_LEAD_MS)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("there are no totals of kind %d", kind),
				errdetail("The kinds are %d to %d.", VSM_CREATED, VSM_LEAD_MS),
				errhint("Call the function with what vsm._totals_of() returns."));
	if (n < 0)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("totals never fall"),
				errdetail("The number to add is " INT64_FORMAT ".", n),
				errhint("Call the function with what vsm._totals_of() returns."));
	count_total(vsm_relation(VSM_TABLE_ITEMS), (VsmKind) kind, PG_GETARG_INT64(1), PG_GETARG_INT64(2), n);
	PG_RETURN_VOID();
}

/* A row without from_stage_id. */
void
vsm_total_created(Oid items, int64 stage_id, const char *type)
{
	count_total(items, VSM_CREATED, stage_id, (int64) hash_bytes_extended((const unsigned char *) type, (int) strlen(type), 0), 1);
	count_total(items, VSM_MOVED, 0, stage_id, 1);
}

void
vsm_total_moved(Oid items, int64 left, int64 entered, int64 stay_us)
{
	count_total(items, VSM_MOVED, left, entered, 1);
	add_duration(items, VSM_STAY, VSM_STAY_MS, left, stay_us);
}

/* cycle_us: -1 when the item never started. */
void
vsm_total_finished(Oid items, int64 stage_id, int64 lead_us, int64 cycle_us)
{
	add_duration(items, VSM_LEAD, VSM_LEAD_MS, stage_id, lead_us);
	if (cycle_us >= 0)
		add_duration(items, VSM_CYCLE, VSM_CYCLE_MS, stage_id, cycle_us);
}

static void
count_total(Oid items, VsmKind kind, int64 a, int64 b, int64 change)
{
	VsmKey		key = {.kind = kind, .items = items, .a = a, .b = b};

	vsm_note_change(&key, change);
}

static int
bucket_of(int64 us)
{
	int			bucket = 0;

	while (bucket < (int) lengthof(bucket_bounds) && us > bucket_bounds[bucket] * USECS_PER_SEC)
		bucket++;
	return bucket;
}

static void
add_duration(Oid items, VsmKind kind, VsmKind sum, int64 stage_id, int64 us)
{
	count_total(items, kind, stage_id, bucket_of(us), 1);
	count_total(items, sum, stage_id, 0, us / 1000);
}

/* Other sessions may add counters while this one allocates memory: then it starts again. */
static VsmRecounted *
read_totals(VsmBoard *board, int *count)
{
	const VsmSetState *state = &board->sets[VSM_SET_TOTALS];
	VsmRecounted *totals = NULL;
	int			room = 0;
	bool		fits = false;

	while (!fits)
	{
		/* at first enough for the totals of a few streams */
		room = room * 2 + 256;
		totals = palloc(sizeof(VsmRecounted) * room);
		*count = 0;
		LWLockAcquire(&board->lock, LW_EXCLUSIVE);
		for (int i = state->first; i >= 0; i = vsm_counters[i].next)
		{
			if (*count < room)
			{
				totals[*count].key = vsm_counters[i].key;
				totals[*count].after = (int64) pg_atomic_read_u64(&vsm_counters[i].value);
			}
			(*count)++;
		}
		LWLockRelease(&board->lock);
		fits = *count <= room;
	}
	return totals;
}

/* Unless its stage is no longer defined, or is of a stream that the user may not see. */
static void
put_total(ReturnSetInfo *result, const VsmRecounted *total)
{
	const VsmKey *key = &total->key;
	int64		stage_id = key->kind == VSM_MOVED && key->a == 0 ? key->b : key->a;
	Datum		values[4] = {Int32GetDatum(key->kind), Int64GetDatum(key->a), Int64GetDatum(key->b), Int64GetDatum(total->after)};
	bool		nulls[4] = {0};

	if (total->after == 0 || !vsm_stages_defined(key) || !vsm_may_see_stage(stage_id))
		return;
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}
