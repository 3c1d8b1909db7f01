/*
 * finished.c
 *		The times of what was finished in a window, from its pieces.
 *
 * The aggregates vsm._finished and vsm._finished_sums get, of each piece of the window, the
 * completions that no move of the piece undoes, and the earlier completions that a move
 * of it does undo, with the times that they were counted with.  A completion counts
 * unless another piece undoes it.  Pieces come in any order, so what they undo is taken
 * out when all are there.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "arguments.h"
#include "duration.h"
#include "errors.h"
#include "percentiles/summary.h"

/* Arguments of the step, after the state. */
enum
{
	ARG_NEVER_STARTED = 1,
	ARG_LEAD_US,				/* of the sketch, as ARG_CYCLE_US */
	ARG_CYCLE_US,
	ARG_ACTIVE_US,
	ARG_WAIT_US,
	ARG_LEAD_SKETCH,
	ARG_CYCLE_SKETCH,
	ARG_LEADS,
	ARG_CYCLES,
	ARG_UNDONE_AT,				/* this list and the next ones are equally long; null for none */
	ARG_UNDONE_LEADS,
	ARG_UNDONE_CYCLES,			/* an element may be null: never started; below 0: started, but no cycle time by the rule */
	ARG_UNDONE_ACTIVE,
	ARG_UNDONE_WAIT,
	ARG_SINCE,
	ARG_EXACT,
	ARGS
};

/* Durations that are counted, and those that will be taken out. */
typedef struct Times
{
	VsmDurations counted;
	VsmValues	undone;
} Times;

typedef struct Finished
{
	bool		exact;
	Times		lead;
	Times		cycle;
	int64		never_started;
	int128		active_us;
	int128		wait_us;
} Finished;

/* Columns of vsm._finished. */
enum
{
	ROW_LEAD,
	ROW_CYCLE,
	ROW_NEVER_STARTED,
	ROW_ACTIVE_US,
	ROW_WAIT_US,
	ROW_COLUMNS
};

/* Columns of vsm._finished_sums. */
enum
{
	SUMS_FINISHED,
	SUMS_CYCLES,
	SUMS_NEVER_STARTED,
	SUMS_LEAD_US,
	SUMS_CYCLE_US,
	SUMS_ACTIVE_US,
	SUMS_WAIT_US,
	SUMS_LEAD_SKETCH,
	SUMS_CYCLE_SKETCH,
	SUMS_COLUMNS
};

static const char *const names[ARGS] = {
	[ARG_LEADS] = "the lead times",
	[ARG_CYCLES] = "the cycle times",
	[ARG_UNDONE_AT] = "the times of undone completions",
	[ARG_UNDONE_LEADS] = "the lead times of undone completions",
	[ARG_UNDONE_CYCLES] = "the cycle times of undone completions",
	[ARG_UNDONE_ACTIVE] = "the active times of undone completions",
	[ARG_UNDONE_WAIT] = "the wait times of undone completions",
};

static Finished *new_state(MemoryContext context, bool exact);
static void count_times(FunctionCallInfo fcinfo, Times *times, bool exact, int sum, int sketch, int list);
static void note_undone(FunctionCallInfo fcinfo, Finished *finished);
static const int64 *undone_list(FunctionCallInfo fcinfo, int argument, int count);
static int	length_of(FunctionCallInfo fcinfo, int argument);
static Finished *settled(FunctionCallInfo fcinfo, int columns, TupleDesc *desc);

PG_FUNCTION_INFO_V1(vsm__finished_step);
PG_FUNCTION_INFO_V1(vsm__finished_row);
PG_FUNCTION_INFO_V1(vsm__finished_sums_row);

/* vsm._finished(...), vsm._finished_sums(...): transition function, called for each piece */
Datum
vsm__finished_step(PG_FUNCTION_ARGS)
{
	Finished   *finished = PG_ARGISNULL(0) ? NULL : (Finished *) PG_GETARG_POINTER(0);
	MemoryContext context = vsm_require_aggregate(fcinfo);

	vsm_require_given(fcinfo, ARG_SINCE, "the start of the window");
	vsm_require_given(fcinfo, ARG_EXACT, "exact");
	if (finished == NULL)
		finished = new_state(context, PG_GETARG_BOOL(ARG_EXACT));
	finished->never_started += PG_ARGISNULL(ARG_NEVER_STARTED) ? 0 : PG_GETARG_INT64(ARG_NEVER_STARTED);
	if (!PG_ARGISNULL(ARG_ACTIVE_US))
		finished->active_us += vsm_int128_of(PG_GETARG_NUMERIC(ARG_ACTIVE_US));
	if (!PG_ARGISNULL(ARG_WAIT_US))
		finished->wait_us += vsm_int128_of(PG_GETARG_NUMERIC(ARG_WAIT_US));
	count_times(fcinfo, &finished->lead, finished->exact, ARG_LEAD_US, ARG_LEAD_SKETCH, ARG_LEADS);
	count_times(fcinfo, &finished->cycle, finished->exact, ARG_CYCLE_US, ARG_CYCLE_SKETCH, ARG_CYCLES);
	note_undone(fcinfo, finished);
	PG_RETURN_POINTER(finished);
}

/* vsm._finished(...) -> vsm._finished: final function; null without pieces */
Datum
vsm__finished_row(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Finished   *finished = settled(fcinfo, ROW_COLUMNS, &desc);
	Datum		values[ROW_COLUMNS];
	bool		nulls[ROW_COLUMNS] = {0};

	if (finished == NULL)
		PG_RETURN_NULL();
	values[ROW_LEAD] = vsm_durations_summary(&finished->lead.counted, TupleDescAttr(desc, ROW_LEAD)->atttypid);
	values[ROW_CYCLE] = vsm_durations_summary(&finished->cycle.counted, TupleDescAttr(desc, ROW_CYCLE)->atttypid);
	values[ROW_NEVER_STARTED] = Int64GetDatum(finished->never_started);
	values[ROW_ACTIVE_US] = vsm_numeric_of(finished->active_us);
	values[ROW_WAIT_US] = vsm_numeric_of(finished->wait_us);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}

/* vsm._finished_sums(...) -> vsm._finished_sums: final function; null without pieces, the sketches null when exact */
Datum
vsm__finished_sums_row(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Finished   *finished = settled(fcinfo, SUMS_COLUMNS, &desc);
	Datum		values[SUMS_COLUMNS];
	bool		nulls[SUMS_COLUMNS] = {0};

	if (finished == NULL)
		PG_RETURN_NULL();
	values[SUMS_FINISHED] = Int64GetDatum(finished->lead.counted.count);
	values[SUMS_CYCLES] = Int64GetDatum(finished->cycle.counted.count);
	values[SUMS_NEVER_STARTED] = Int64GetDatum(finished->never_started);
	values[SUMS_LEAD_US] = vsm_numeric_of(finished->lead.counted.sum);
	values[SUMS_CYCLE_US] = vsm_numeric_of(finished->cycle.counted.sum);
	values[SUMS_ACTIVE_US] = vsm_numeric_of(finished->active_us);
	values[SUMS_WAIT_US] = vsm_numeric_of(finished->wait_us);
	nulls[SUMS_LEAD_SKETCH] = nulls[SUMS_CYCLE_SKETCH] = finished->exact;
	if (!finished->exact)
	{
		values[SUMS_LEAD_SKETCH] = PointerGetDatum(vsm_sketch_least(finished->lead.counted.sketch));
		values[SUMS_CYCLE_SKETCH] = PointerGetDatum(vsm_sketch_least(finished->cycle.counted.sketch));
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}

static Finished *
new_state(MemoryContext context, bool exact)
{
	Finished   *finished = MemoryContextAllocZero(context, sizeof(Finished));

	finished->exact = exact;
	vsm_durations_init(&finished->lead.counted, context, exact);
	vsm_durations_init(&finished->cycle.counted, context, exact);
	vsm_values_init(&finished->lead.undone, false, context, NULL);
	vsm_values_init(&finished->cycle.undone, false, context, NULL);
	return finished;
}

/* The durations of the list, or those of the sketch, whose sum is given, unless they have to be exact. */
static void
count_times(FunctionCallInfo fcinfo, Times *times, bool exact, int sum, int sketch, int list)
{
	const int64 *us;
	int			count;

	if (!exact && !PG_ARGISNULL(sketch) && !PG_ARGISNULL(sum))
		vsm_durations_merge(&times->counted, VSM_GETARG_SKETCH(sketch), vsm_int128_of(PG_GETARG_NUMERIC(sum)));
	else if (!PG_ARGISNULL(list))
	{
		us = vsm_require_list(PG_GETARG_ARRAYTYPE_P(list), INT8OID, 0, INT_MAX, names[list], &count);
		for (int i = 0; i < count; i++)
			vsm_durations_add(&times->counted, us[i]);
	}
}

/* Completions before the window are none of its own. */
static void
note_undone(FunctionCallInfo fcinfo, Finished *finished)
{
	int			count = length_of(fcinfo, ARG_UNDONE_AT);
	TimestampTz since = PG_GETARG_TIMESTAMPTZ(ARG_SINCE);
	const int64 *at;
	const int64 *leads;
	const int64 *active;
	const int64 *wait;
	ArrayIterator cycles;
	Datum		cycle;
	bool		never_started;

	if (count == 0)
		return;
	at = undone_list(fcinfo, ARG_UNDONE_AT, count);
	leads = undone_list(fcinfo, ARG_UNDONE_LEADS, count);
	active = undone_list(fcinfo, ARG_UNDONE_ACTIVE, count);
	wait = undone_list(fcinfo, ARG_UNDONE_WAIT, count);
	(void) length_of(fcinfo, ARG_UNDONE_CYCLES);
	cycles = array_create_iterator(PG_GETARG_ARRAYTYPE_P(ARG_UNDONE_CYCLES), 0, NULL);
	for (int i = 0; i < count && array_iterate(cycles, &cycle, &never_started); i++)
	{
		if (at[i] < since)
			continue;
		finished->active_us -= active[i];
		finished->wait_us -= wait[i];
		vsm_values_add(&finished->lead.undone, vsm_int64_key(leads[i]));
		if (never_started)
			finished->never_started--;
		else if (DatumGetInt64(cycle) >= 0)
			vsm_values_add(&finished->cycle.undone, vsm_int64_key(DatumGetInt64(cycle)));
	}
	array_free_iterator(cycles);
}

/* A list of so many elements, none of them null. */
static const int64 *
undone_list(FunctionCallInfo fcinfo, int argument, int count)
{
	int			length;
	Oid			type = argument == ARG_UNDONE_AT ? TIMESTAMPTZOID : INT8OID;

	vsm_require_given(fcinfo, argument, names[argument]);
	return vsm_require_list(PG_GETARG_ARRAYTYPE_P(argument), type, count, count, names[argument], &length);
}

/* Of the lists of undone completions, which are equally long; 0: none. */
static int
length_of(FunctionCallInfo fcinfo, int argument)
{
	int			length[2];

	for (int i = 0; i < 2; i++)
	{
		int			list = i == 0 ? ARG_UNDONE_AT : argument;
		ArrayType  *array;

		length[i] = 0;
		if (PG_ARGISNULL(list))
			continue;
		array = PG_GETARG_ARRAYTYPE_P(list);
		length[i] = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	}
	if (length[0] != length[1])
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("the lists of undone completions differ in length"),
				errdetail("Of %s there are %d, of %s %d.", names[ARG_UNDONE_AT], length[0], names[argument], length[1]),
				errhint("Give one element for each completion."));
	return length[0];
}

/* The state without what the pieces undo, and the row type, which has so many columns. */
static Finished *
settled(FunctionCallInfo fcinfo, int columns, TupleDesc *desc)
{
	Finished   *finished = PG_ARGISNULL(0) ? NULL : (Finished *) PG_GETARG_POINTER(0);

	(void) vsm_require_aggregate(fcinfo);
	if (get_call_result_type(fcinfo, NULL, desc) != TYPEFUNC_COMPOSITE || (*desc)->natts != columns)
		elog(ERROR, "return type must have %d columns", columns);
	BlessTupleDesc(*desc);
	if (finished == NULL)
		return NULL;
	vsm_durations_remove(&finished->lead.counted, &finished->lead.undone);
	vsm_durations_remove(&finished->cycle.counted, &finished->cycle.undone);
	return finished;
}
