/*
 * clock.c
 *		When the clock of an item starts and stops: the aggregate vsm._clock.
 *
 * Some moves of the item can start the clock, some can stop it.  It stops at the
 * first or the last such move that does not come before the first start; and it
 * starts with the first start, or with the last one up to where it stops.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/timestamp.h"

#include "arguments.h"

/* Arguments of the step, after the state. */
enum
{
	ARG_AT = 1,
	ARG_ID,
	ARG_STARTS,
	ARG_STOPS,
	ARG_LAST_START,
	ARG_LAST_STOP
};

#define FIRST_MARKS	4

/* A move that starts the clock, or stops it, or both. */
typedef struct Mark
{
	TimestampTz at;
	int64		id;				/* its order among moves of one instant */
	bool		starts;
	bool		stops;
} Mark;

typedef struct Clock
{
	MemoryContext context;
	bool		last_start;
	bool		last_stop;
	int64		nmarks;
	int64		size;
	Mark	   *marks;
} Clock;

static void add_mark(Clock *clock, const Mark *mark);
static int	by_time(const void *a, const void *b);

PG_FUNCTION_INFO_V1(vsm__clock_step);
PG_FUNCTION_INFO_V1(vsm__clock_times);

/* vsm._clock("at", id, starts, stops, last_start, last_stop): transition function */
Datum
vsm__clock_step(PG_FUNCTION_ARGS)
{
	MemoryContext context = vsm_require_aggregate(fcinfo);
	Clock	   *clock = PG_ARGISNULL(0) ? NULL : (Clock *) PG_GETARG_POINTER(0);
	Mark		mark;

	vsm_require_given(fcinfo, ARG_AT, "the time of a move");
	vsm_require_given(fcinfo, ARG_ID, "the id of a move");
	mark.at = PG_GETARG_TIMESTAMPTZ(ARG_AT);
	mark.id = PG_GETARG_INT64(ARG_ID);
	mark.starts = !PG_ARGISNULL(ARG_STARTS) && PG_GETARG_BOOL(ARG_STARTS);
	mark.stops = !PG_ARGISNULL(ARG_STOPS) && PG_GETARG_BOOL(ARG_STOPS);
	if (clock == NULL)
	{
		vsm_require_given(fcinfo, ARG_LAST_START, "which start");
		vsm_require_given(fcinfo, ARG_LAST_STOP, "which stop");
		clock = MemoryContextAllocZero(context, sizeof(Clock));
		clock->context = context;
		clock->last_start = PG_GETARG_BOOL(ARG_LAST_START);
		clock->last_stop = PG_GETARG_BOOL(ARG_LAST_STOP);
	}
	if (mark.starts || mark.stops)
		add_mark(clock, &mark);
	PG_RETURN_POINTER(clock);
}

/* vsm._clock(...) -> timestamptz[]: final function, {started, stopped}; null if it never stops */
Datum
vsm__clock_times(PG_FUNCTION_ARGS)
{
	const Clock *clock = PG_ARGISNULL(0) ? NULL : (const Clock *) PG_GETARG_POINTER(0);
	TimestampTz start = 0;
	TimestampTz times[2];
	bool		started = false;
	bool		stopped = false;
	Datum		elements[2];

	(void) vsm_require_aggregate(fcinfo);
	if (clock == NULL)
		PG_RETURN_NULL();
	if (clock->nmarks > 1)
		qsort(clock->marks, clock->nmarks, sizeof(Mark), by_time);
	for (int64 i = 0; i < clock->nmarks && !(stopped && !clock->last_stop); i++)
	{
		const Mark *mark = &clock->marks[i];

		if (mark->starts && (!started || clock->last_start))
			start = mark->at;
		started = started || mark->starts;
		if (mark->stops && started)
		{
			times[0] = start;
			times[1] = mark->at;
			stopped = true;
		}
	}
	if (!stopped)
		PG_RETURN_NULL();
	elements[0] = TimestampTzGetDatum(times[0]);
	elements[1] = TimestampTzGetDatum(times[1]);
	PG_RETURN_ARRAYTYPE_P(construct_array(elements, 2, TIMESTAMPTZOID, sizeof(TimestampTz), true, TYPALIGN_DOUBLE));
}

static void
add_mark(Clock *clock, const Mark *mark)
{
	if (clock->nmarks == clock->size)
	{
		clock->size = clock->size == 0 ? FIRST_MARKS : clock->size * 2;
		clock->marks = clock->marks == NULL ? MemoryContextAlloc(clock->context, sizeof(Mark) * clock->size)
											: repalloc_huge(clock->marks, sizeof(Mark) * clock->size);
	}
	clock->marks[clock->nmarks++] = *mark;
}

static int
by_time(const void *a, const void *b)
{
	const Mark *left = a;
	const Mark *right = b;

	if (left->at != right->at)
		return left->at < right->at ? -1 : 1;
	return left->id < right->id ? -1 : left->id > right->id;
}
