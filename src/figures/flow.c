/*
 * flow.c
 *		What moves say about a window, in one pass.
 *
 * The aggregate vsm._flow_sums does for vsm.metrics what a dozen aggregates with
 * FILTER clauses would do, in a third of their time, most of which the server
 * spends on evaluating expressions for each row.
 *
 * Moves may come in any order.  Those in the window are counted.  Each
 * change of WIP adds to the area under its curve for the time from the move to the
 * window's end, so the caller adds what was there at the beginning.  Moves outside
 * the window only say what they change, so that the caller can count on from the
 * stream's first move, or back from now, whichever is nearer.
 *
 * An item counts once, at its last completion in the window: the caller gives the
 * completions that were undone there, and each takes one of that item and time away.
 * Of several completions of an item at one instant only the last can stand, so it is
 * known once one more has come than were undone.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "arguments.h"
#include "duration.h"
#include "errors.h"
#include "percentiles/summary.h"
#include "roles/stream_access.h"

#define KNOWN_STAGES	64		/* a power of 2; few streams have as many */

typedef struct UndoneKey
{
	int64		work_item_id;
	TimestampTz at;
} UndoneKey;

/* Durations in microseconds. */
typedef struct Completion
{
	int64		id;				/* of the move */
	int64		lead;
	int64		cycle;
	int64		active;
	int64		wait;
	bool		started;		/* else there is no cycle time */
} Completion;

typedef struct Undone
{
	UndoneKey	key;
	int64		count;
	int64		seen;			/* completions */
	Completion	last;			/* of them, by id */
	/* cppcheck-suppress unusedStructMember */
	char		status;			/* simplehash.h's */
} Undone;

#define SH_PREFIX undone
#define SH_ELEMENT_TYPE Undone
#define SH_KEY_TYPE UndoneKey
#define SH_KEY key
#define SH_HASH_KEY(table, key) hash_bytes((const unsigned char *) &(key), sizeof(UndoneKey))
#define SH_EQUAL(table, a, b) ((a).work_item_id == (b).work_item_id && (a).at == (b).at)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* What matters of a stage. */
typedef struct StageKind
{
	int64		id;				/* 0: not looked up */
	VsmCategory category;
	int32		order;
} StageKind;

typedef struct FlowSums
{
	MemoryContext context;
	StageKind	stages[KNOWN_STAGES];
	undone_hash *undone;		/* NULL: none */
	int64		arrivals;
	int64		departures;
	int64		returns;
	int64		discarded;
	int64		reopened;
	int64		backward_moves;
	int64		open_change;
	int64		started_change;
	int64		open_outside;
	int64		started_outside;
	int128		open_us;		/* items times microseconds */
	int128		started_us;
	int128		active_us;
	int128		wait_us;
	VsmDurations lead;
	VsmDurations cycle;
} FlowSums;

/* Arguments of the step, after the state. */
enum
{
	ARG_WORK_ITEM_ID = 1,
	ARG_ID,
	ARG_TIMESTAMP,
	ARG_FROM_STAGE_ID,
	ARG_TO_STAGE_ID,
	ARG_STARTED_CHANGE,
	ARG_ITEM_CREATED_AT,
	ARG_ITEM_STARTED_AT,
	ARG_ACTIVE_TIME,
	ARG_WAIT_TIME,
	ARG_SINCE,
	ARG_BOUND,
	ARG_WIP_UNTIL,
	ARG_LESS_DONE,
	ARG_EXACT,
	ARG_UNDONE_ITEMS,
	ARG_UNDONE_AT
};

/* Columns of vsm._flow_sums. */
enum
{
	COLUMN_ARRIVALS,
	COLUMN_DEPARTURES,
	COLUMN_RETURNS,
	COLUMN_DISCARDED,
	COLUMN_REOPENED,
	COLUMN_BACKWARD_MOVES,
	COLUMN_OPEN_CHANGE,
	COLUMN_STARTED_CHANGE,
	COLUMN_OPEN_OUTSIDE,
	COLUMN_STARTED_OUTSIDE,
	COLUMN_OPEN_US,
	COLUMN_STARTED_US,
	COLUMN_LEAD,
	COLUMN_CYCLE,
	COLUMN_ACTIVE_US,
	COLUMN_WAIT_US,
	COLUMNS
};

/* The names of arguments in errors; an argument without a name may be null. */
static const char *const required[] = {
	[ARG_WORK_ITEM_ID] = "the work item of a move",
	[ARG_ID] = "the id of a move",
	[ARG_TIMESTAMP] = "the time of a move",
	[ARG_TO_STAGE_ID] = "the stage of a move",
	[ARG_SINCE] = "the start of the window",
	[ARG_BOUND] = "the end of the window",
	[ARG_WIP_UNTIL] = "the end of WIP",
	[ARG_LESS_DONE] = "less_done",
	[ARG_EXACT] = "exact",
};

static inline void require_arguments(FunctionCallInfo fcinfo);
static FlowSums *begin_sums(FunctionCallInfo fcinfo, MemoryContext context);
static undone_hash *read_undone(FunctionCallInfo fcinfo, MemoryContext context);
static StageKind stage_kind(FlowSums *sums, int64 id);
static void count_move(FlowSums *sums, FunctionCallInfo fcinfo, const StageKind *from, const StageKind *to);
static void count_completion(FlowSums *sums, FunctionCallInfo fcinfo, TimestampTz completed_at);
static bool take_undone(FlowSums *sums, int64 work_item_id, TimestampTz at, Completion *completion);

PG_FUNCTION_INFO_V1(vsm__flow_sums_step);
PG_FUNCTION_INFO_V1(vsm__flow_sums_row);

/* vsm._flow_sums(...): transition function, called for each move */
Datum
vsm__flow_sums_step(PG_FUNCTION_ARGS)
{
	FlowSums   *sums = PG_ARGISNULL(0) ? NULL : (FlowSums *) PG_GETARG_POINTER(0);
	MemoryContext context = vsm_require_aggregate(fcinfo);
	TimestampTz at;
	TimestampTz wip_until;
	StageKind	from = {0};
	StageKind	to;
	int			open_change;
	int			started_change;

	require_arguments(fcinfo);
	at = vsm_require_finite(PG_GETARG_TIMESTAMPTZ(ARG_TIMESTAMP), "the time of a move");
	wip_until = vsm_require_finite(PG_GETARG_TIMESTAMPTZ(ARG_WIP_UNTIL), "the end of WIP");
	if (sums == NULL)
		sums = begin_sums(fcinfo, context);

	to = stage_kind(sums, PG_GETARG_INT64(ARG_TO_STAGE_ID));
	if (!PG_ARGISNULL(ARG_FROM_STAGE_ID))
		from = stage_kind(sums, PG_GETARG_INT64(ARG_FROM_STAGE_ID));
	open_change = vsm_in_progress(to.category) - (!PG_ARGISNULL(ARG_FROM_STAGE_ID) && vsm_in_progress(from.category));
	started_change = PG_ARGISNULL(ARG_STARTED_CHANGE) ? 0 : PG_GETARG_INT16(ARG_STARTED_CHANGE);
	if (at < PG_GETARG_TIMESTAMPTZ(ARG_SINCE) || at >= PG_GETARG_TIMESTAMPTZ(ARG_BOUND))
	{
		sums->open_outside += open_change;
		sums->started_outside += started_change;
		PG_RETURN_POINTER(sums);
	}
	sums->open_change += open_change;
	sums->started_change += started_change;
	if (at < wip_until)
	{
		int64		left_us = vsm_elapsed_us(at, wip_until);

		sums->open_us += (int128) open_change * left_us;
		sums->started_us += (int128) started_change * left_us;
	}
	count_move(sums, fcinfo, PG_ARGISNULL(ARG_FROM_STAGE_ID) ? NULL : &from, &to);
	if (!PG_ARGISNULL(ARG_ITEM_CREATED_AT))
		count_completion(sums, fcinfo, at);
	PG_RETURN_POINTER(sums);
}

/* vsm._flow_sums(...) -> vsm._flow_sums: final function; null without moves */
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
	values[COLUMN_DEPARTURES] = Int64GetDatum(sums->departures);
	values[COLUMN_RETURNS] = Int64GetDatum(sums->returns);
	values[COLUMN_DISCARDED] = Int64GetDatum(sums->discarded);
	values[COLUMN_REOPENED] = Int64GetDatum(sums->reopened);
	values[COLUMN_BACKWARD_MOVES] = Int64GetDatum(sums->backward_moves);
	values[COLUMN_OPEN_CHANGE] = Int64GetDatum(sums->open_change);
	values[COLUMN_STARTED_CHANGE] = Int64GetDatum(sums->started_change);
	values[COLUMN_OPEN_OUTSIDE] = Int64GetDatum(sums->open_outside);
	values[COLUMN_STARTED_OUTSIDE] = Int64GetDatum(sums->started_outside);
	values[COLUMN_OPEN_US] = vsm_numeric_of(sums->open_us);
	values[COLUMN_STARTED_US] = vsm_numeric_of(sums->started_us);
	values[COLUMN_LEAD] = vsm_durations_summary(&sums->lead, TupleDescAttr(desc, COLUMN_LEAD)->atttypid);
	values[COLUMN_CYCLE] = vsm_durations_summary(&sums->cycle, TupleDescAttr(desc, COLUMN_CYCLE)->atttypid);
	values[COLUMN_ACTIVE_US] = vsm_numeric_of(sums->active_us);
	values[COLUMN_WAIT_US] = vsm_numeric_of(sums->wait_us);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

static inline void
require_arguments(FunctionCallInfo fcinfo)
{
	for (int argument = 1; argument < (int) lengthof(required); argument++)
		if (required[argument])
			vsm_require_given(fcinfo, argument, required[argument]);
}

static FlowSums *
begin_sums(FunctionCallInfo fcinfo, MemoryContext context)
{
	FlowSums   *sums = MemoryContextAllocZero(context, sizeof(FlowSums));

	sums->context = context;
	vsm_durations_init(&sums->lead, context, PG_GETARG_BOOL(ARG_EXACT));
	vsm_durations_init(&sums->cycle, context, PG_GETARG_BOOL(ARG_EXACT));
	if (!PG_ARGISNULL(ARG_UNDONE_ITEMS) && !PG_ARGISNULL(ARG_UNDONE_AT))
		sums->undone = read_undone(fcinfo, context);
	return sums;
}

static undone_hash *
read_undone(FunctionCallInfo fcinfo, MemoryContext context)
{
	Datum	   *items;
	Datum	   *times;
	bool	   *null_items;
	bool	   *null_times;
	int			nitems;
	int			ntimes;
	undone_hash *undone;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(ARG_UNDONE_ITEMS), INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &items, &null_items, &nitems);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(ARG_UNDONE_AT), TIMESTAMPTZOID, sizeof(TimestampTz), FLOAT8PASSBYVAL,
					  TYPALIGN_DOUBLE, &times, &null_times, &ntimes);
	if (nitems != ntimes)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("items and times of undone completions differ in number"),
				errdetail("There are %d items and %d times.", nitems, ntimes),
				errhint("Give one time for each item."));
	undone = undone_create(context, 64, NULL);	/* grows */
	for (int i = 0; i < nitems; i++)
	{
		UndoneKey	key = {DatumGetInt64(items[i]), DatumGetTimestampTz(times[i])};
		Undone	   *entry;
		bool		there;

		if (null_items[i] || null_times[i])
			continue;
		entry = undone_insert(undone, key, &there);
		if (!there)
			entry->count = entry->seen = 0;
		entry->count++;
	}
	return undone;
}

/* A stage that is not defined, or that the caller may not see, counts as a wait stage. */
static StageKind
stage_kind(FlowSums *sums, int64 id)
{
	StageKind  *kind = &sums->stages[id & (KNOWN_STAGES - 1)];
	const VsmStage *stage;

	if (kind->id == id && id != 0)
		return *kind;
	stage = vsm_told_stage(id);
	kind->id = id;
	kind->category = stage ? stage->category : VSM_WAIT;
	kind->order = stage ? stage->order : 0;
	return *kind;
}

/* from: NULL for a new item. */
static void
count_move(FlowSums *sums, FunctionCallInfo fcinfo, const StageKind *from, const StageKind *to)
{
	if (from == NULL)
		sums->arrivals++;
	else if (to->order < from->order)
		sums->backward_moves++;
	if (from && from->category == to->category)
		return;
	if (to->category == VSM_DONE)
		sums->departures++;
	else if (to->category == VSM_DISCARDED)
		sums->discarded++;
	if (from && !vsm_in_progress(from->category))
		sums->returns++;
	if (from && from->category == VSM_DONE)
		sums->reopened++;
}

/* Cycle time by the rule sum_active if less_done, else by span_first_last. */
static void
count_completion(FlowSums *sums, FunctionCallInfo fcinfo, TimestampTz completed_at)
{
	Completion	completion = {.id = PG_GETARG_INT64(ARG_ID)};

	completion.lead = vsm_elapsed_us(PG_GETARG_TIMESTAMPTZ(ARG_ITEM_CREATED_AT), completed_at);
	completion.active = PG_ARGISNULL(ARG_ACTIVE_TIME) ? 0 : vsm_interval_us(PG_GETARG_INTERVAL_P(ARG_ACTIVE_TIME));
	completion.wait = PG_ARGISNULL(ARG_WAIT_TIME) ? 0 : vsm_interval_us(PG_GETARG_INTERVAL_P(ARG_WAIT_TIME));
	completion.started = !PG_ARGISNULL(ARG_ITEM_STARTED_AT);
	if (completion.started)
		completion.cycle = PG_GETARG_BOOL(ARG_LESS_DONE) ? completion.active + completion.wait
														 : vsm_elapsed_us(PG_GETARG_TIMESTAMPTZ(ARG_ITEM_STARTED_AT), completed_at);
	if (take_undone(sums, PG_GETARG_INT64(ARG_WORK_ITEM_ID), completed_at, &completion))
		return;
	sums->active_us += completion.active;
	sums->wait_us += completion.wait;
	vsm_durations_add(&sums->lead, completion.lead);
	if (completion.started)
		vsm_durations_add(&sums->cycle, completion.cycle);
}

/* completion: may become another one of the same item and time, the one that stands. */
static bool
take_undone(FlowSums *sums, int64 work_item_id, TimestampTz at, Completion *completion)
{
	UndoneKey	key = {work_item_id, at};
	Undone	   *entry = sums->undone ? undone_lookup(sums->undone, key) : NULL;

	if (entry == NULL)
		return false;
	if (entry->seen == 0 || completion->id > entry->last.id)
		entry->last = *completion;
	entry->seen++;
	*completion = entry->last;
	return entry->seen <= entry->count;
}
