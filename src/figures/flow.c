/*
 * flow.c
 *		What the work items alone say about a window, in one pass over them.
 *
 * The aggregate vsm._flow_sums does for vsm.metrics what a dozen aggregates with
 * FILTER clauses would do, in a third of their time, most of which the server
 * spends on evaluating expressions for each row.
 *
 * An item whose moves all lie in the window has the counts of its reopenings and
 * backward moves in columns.  Other items are "cut" by a bound of the window: their
 * ids are returned, and the caller counts their ledger rows.  The ids of items that
 * were once done are returned too, because their stays there are not WIP.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "arguments.h"
#include "duration.h"
#include "percentiles/summary.h"
#include "roles/stream_access.h"

#define MOST_IDS	((int) (MaxAllocSize / sizeof(Datum)))	/* that an array can hold */

typedef struct Ids
{
	int			count;
	int			size;
	Datum	   *ids;
} Ids;

typedef struct FlowSums
{
	MemoryContext context;
	int64		arrivals;
	int64		open;
	int64		started;
	int128		wip_us;			/* area under the WIP curve: items times microseconds */
	int64		reopened;
	int64		backward_moves;
	int128		active_us;
	int128		wait_us;
	Ids			cut;			/* by a bound of the window */
	Ids			once_done;
	VsmDurations lead;
	VsmDurations cycle;
} FlowSums;

/* Arguments of the step, after the state. */
enum
{
	ARG_ID = 1,
	ARG_STAGE_ID,
	ARG_CREATED_AT,
	ARG_STAGE_ENTERED_AT,
	ARG_STARTED_AT,
	ARG_COMPLETED_AT,
	ARG_ACTIVE_TIME,
	ARG_WAIT_TIME,
	ARG_REOPENED,
	ARG_BACKWARD_MOVES,
	ARG_SINCE,
	ARG_BOUND,
	ARG_WIP_SINCE,
	ARG_WIP_UNTIL,
	ARG_LESS_DONE,
	ARG_EXACT
};

/* Columns of vsm._flow_sums. */
enum
{
	COLUMN_ARRIVALS,
	COLUMN_OPEN,
	COLUMN_STARTED,
	COLUMN_WIP_US,
	COLUMN_REOPENED,
	COLUMN_BACKWARD_MOVES,
	COLUMN_CUT,
	COLUMN_ONCE_DONE,
	COLUMN_LEAD,
	COLUMN_CYCLE,
	COLUMN_ACTIVE_US,
	COLUMN_WAIT_US,
	COLUMNS
};

/* The names of arguments in errors; an argument without a name may be null. */
static const char *const required[] = {
	[ARG_ID] = "the id of a work item",
	[ARG_STAGE_ID] = "the stage of a work item",
	[ARG_CREATED_AT] = "created_at of a work item",
	[ARG_STAGE_ENTERED_AT] = "stage_entered_at of a work item",
	[ARG_ACTIVE_TIME] = "active_time of a work item",
	[ARG_WAIT_TIME] = "wait_time of a work item",
	[ARG_REOPENED] = "reopened of a work item",
	[ARG_BACKWARD_MOVES] = "backward_moves of a work item",
	[ARG_SINCE] = "the start of the window",
	[ARG_BOUND] = "the end of the window",
	[ARG_WIP_SINCE] = "the start of WIP",
	[ARG_WIP_UNTIL] = "the end of WIP",
	[ARG_LESS_DONE] = "less_done",
	[ARG_EXACT] = "exact",
};

static inline void require_arguments(FunctionCallInfo fcinfo);
static void count_finished(FlowSums *sums, FunctionCallInfo fcinfo, TimestampTz completed_at);
static void count_wip(FlowSums *sums, FunctionCallInfo fcinfo, bool open, TimestampTz completed_at);
static void count_moves(FlowSums *sums, FunctionCallInfo fcinfo);
static void add_id(FlowSums *sums, Ids *ids, int64 id);
static Datum id_array(const Ids *ids);
static Datum numeric_of(int128 value);

PG_FUNCTION_INFO_V1(vsm__flow_sums_step);
PG_FUNCTION_INFO_V1(vsm__flow_sums_row);

/* vsm._flow_sums(...): transition function, called for each item */
Datum
vsm__flow_sums_step(PG_FUNCTION_ARGS)
{
	FlowSums   *sums = PG_ARGISNULL(0) ? NULL : (FlowSums *) PG_GETARG_POINTER(0);
	MemoryContext context = vsm_require_aggregate(fcinfo);
	bool		open = PG_ARGISNULL(ARG_COMPLETED_AT);
	TimestampTz completed_at = open ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(ARG_COMPLETED_AT);
	TimestampTz created_at;

	require_arguments(fcinfo);
	created_at = PG_GETARG_TIMESTAMPTZ(ARG_CREATED_AT);
	if (sums == NULL)
	{
		sums = MemoryContextAllocZero(context, sizeof(FlowSums));
		sums->context = context;
		vsm_durations_init(&sums->lead, context, PG_GETARG_BOOL(ARG_EXACT));
		vsm_durations_init(&sums->cycle, context, PG_GETARG_BOOL(ARG_EXACT));
	}

	if (created_at >= PG_GETARG_TIMESTAMPTZ(ARG_SINCE) && created_at < PG_GETARG_TIMESTAMPTZ(ARG_BOUND))
		sums->arrivals++;
	if (!open && completed_at >= PG_GETARG_TIMESTAMPTZ(ARG_SINCE) &&
		completed_at < PG_GETARG_TIMESTAMPTZ(ARG_BOUND))
		count_finished(sums, fcinfo, completed_at);
	count_wip(sums, fcinfo, open, completed_at);
	count_moves(sums, fcinfo);
	PG_RETURN_POINTER(sums);
}

/* vsm._flow_sums(...) -> vsm._flow_sums: final function; null without items */
Datum
vsm__flow_sums_row(PG_FUNCTION_ARGS)
{
	FlowSums   *sums = PG_ARGISNULL(0) ? NULL : (FlowSums *) PG_GETARG_POINTER(0);
	TupleDesc	desc;
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS] = {0};

	if (sums == NULL)
		PG_RETURN_NULL();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE || desc->natts != COLUMNS)
		elog(ERROR, "return type must be vsm._flow_sums");
	values[COLUMN_ARRIVALS] = Int64GetDatum(sums->arrivals);
	values[COLUMN_OPEN] = Int64GetDatum(sums->open);
	values[COLUMN_STARTED] = Int64GetDatum(sums->started);
	values[COLUMN_WIP_US] = numeric_of(sums->wip_us);
	values[COLUMN_REOPENED] = Int64GetDatum(sums->reopened);
	values[COLUMN_BACKWARD_MOVES] = Int64GetDatum(sums->backward_moves);
	values[COLUMN_CUT] = id_array(&sums->cut);
	values[COLUMN_ONCE_DONE] = id_array(&sums->once_done);
	values[COLUMN_LEAD] = vsm_durations_summary(&sums->lead, TupleDescAttr(desc, COLUMN_LEAD)->atttypid);
	values[COLUMN_CYCLE] = vsm_durations_summary(&sums->cycle, TupleDescAttr(desc, COLUMN_CYCLE)->atttypid);
	values[COLUMN_ACTIVE_US] = numeric_of(sums->active_us);
	values[COLUMN_WAIT_US] = numeric_of(sums->wait_us);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

static inline void
require_arguments(FunctionCallInfo fcinfo)
{
	for (int argument = 1; argument < (int) lengthof(required); argument++)
		if (required[argument])
			vsm_require_given(fcinfo, argument, required[argument]);
}

/* Cycle time by the rule sum_active if less_done, else by span_first_last. */
static void
count_finished(FlowSums *sums, FunctionCallInfo fcinfo, TimestampTz completed_at)
{
	int64		active_us = vsm_interval_us(PG_GETARG_INTERVAL_P(ARG_ACTIVE_TIME));
	int64		wait_us = vsm_interval_us(PG_GETARG_INTERVAL_P(ARG_WAIT_TIME));

	sums->active_us += active_us;
	sums->wait_us += wait_us;
	vsm_durations_add(&sums->lead, vsm_elapsed_us(PG_GETARG_TIMESTAMPTZ(ARG_CREATED_AT), completed_at));
	if (PG_ARGISNULL(ARG_STARTED_AT))
		return;
	if (PG_GETARG_BOOL(ARG_LESS_DONE))
		vsm_durations_add(&sums->cycle, active_us + wait_us);
	else
		vsm_durations_add(&sums->cycle, vsm_elapsed_us(PG_GETARG_TIMESTAMPTZ(ARG_STARTED_AT), completed_at));
}

/* Counts the item in WIP now, and in the area under the WIP curve. */
static void
count_wip(FlowSums *sums, FunctionCallInfo fcinfo, bool open, TimestampTz completed_at)
{
	TimestampTz from = Max(PG_GETARG_TIMESTAMPTZ(ARG_CREATED_AT), PG_GETARG_TIMESTAMPTZ(ARG_WIP_SINCE));
	TimestampTz until = Min(completed_at, PG_GETARG_TIMESTAMPTZ(ARG_WIP_UNTIL));

	if (open)
	{
		const VsmStage *stage = vsm_told_stage(PG_GETARG_INT64(ARG_STAGE_ID));

		sums->open++;
		if (stage && stage->started)
			sums->started++;
	}
	if (until > from)
		sums->wip_us += vsm_elapsed_us(from, until);
}

static void
count_moves(FlowSums *sums, FunctionCallInfo fcinfo)
{
	int32		reopened = PG_GETARG_INT32(ARG_REOPENED);
	bool		before = PG_GETARG_TIMESTAMPTZ(ARG_CREATED_AT) < PG_GETARG_TIMESTAMPTZ(ARG_SINCE);
	bool		after = PG_GETARG_TIMESTAMPTZ(ARG_STAGE_ENTERED_AT) >= PG_GETARG_TIMESTAMPTZ(ARG_BOUND);

	if (reopened > 0)
		add_id(sums, &sums->once_done, PG_GETARG_INT64(ARG_ID));
	if (!before && !after)
	{
		sums->reopened += reopened;
		sums->backward_moves += PG_GETARG_INT32(ARG_BACKWARD_MOVES);
	}
	else if (PG_GETARG_TIMESTAMPTZ(ARG_CREATED_AT) < PG_GETARG_TIMESTAMPTZ(ARG_BOUND) &&
			 PG_GETARG_TIMESTAMPTZ(ARG_STAGE_ENTERED_AT) >= PG_GETARG_TIMESTAMPTZ(ARG_SINCE))
		add_id(sums, &sums->cut, PG_GETARG_INT64(ARG_ID));
}

static void
add_id(FlowSums *sums, Ids *ids, int64 id)
{
	if (ids->size == 0)
	{
		ids->size = 64;
		ids->ids = MemoryContextAlloc(sums->context, sizeof(Datum) * ids->size);
	}
	else if (ids->count == ids->size)
	{
		if (ids->count > MOST_IDS)
			ereport(ERROR,
					errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					errmsg("too many work items have moves outside the window"),
					errdetail("Work items with moves both in the window and outside it are limited to %d.",
							  MOST_IDS),
					errhint("Choose another window, or a single type of work item."));
		ids->size *= 2;
		ids->ids = repalloc_huge(ids->ids, sizeof(Datum) * ids->size);
	}
	ids->ids[ids->count++] = Int64GetDatum(id);
}

static Datum
id_array(const Ids *ids)
{
	return PointerGetDatum(construct_array(ids->ids, ids->count, INT8OID, sizeof(int64),
										   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/*
 * The server has no such function.  Both parts fit in 64 bits for any number of
 * rows that a table can have.
 */
static Datum
numeric_of(int128 value)
{
	const int64 part = INT64CONST(1000000000000000000);
	Numeric		parts = int64_to_numeric((int64) (value / part));
	Numeric		rest = int64_to_numeric((int64) (value % part));
	Datum		us = DirectFunctionCall2(numeric_mul, NumericGetDatum(parts),
										 NumericGetDatum(int64_to_numeric(part)));

	return DirectFunctionCall2(numeric_add, us, NumericGetDatum(rest));
}
