/*
 * clock.c
 *		When the clocks of items start and stop: the aggregate vsm._clocks.
 *
 * Some moves of an item can start its clock, some can stop it.  It stops at the
 * first or the last such move that does not come before the first start; and it
 * starts with the first start, or with the last one up to where it stops.
 *
 * One aggregate takes the moves of all items, in any order: items are many, and have
 * two or three marks each, so a hash table of them takes less time than to group
 * their moves.  An item has its marks in a chain, the latest first.
 *
 * The clock of an item whose creation is not among the moves may have started, or
 * stopped, before them.  Such items are listed, for all their moves to be read.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/timestamp.h"

#include "arguments.h"
#include "compat.h"
#include "hash.h"

/* Arguments of the step, after the state. */
enum
{
	ARG_ITEM = 1,
	ARG_AT,
	ARG_ID,
	ARG_STARTS,
	ARG_STOPS,
	ARG_COMPLETE,
	ARG_LAST_START,
	ARG_LAST_STOP
};

/* Columns of vsm._clock_times. */
enum
{
	COLUMN_ITEMS,
	COLUMN_STARTED_AT,
	COLUMN_STOPPED_AT,
	COLUMN_CUT,
	COLUMNS
};

#define FIRST_ITEMS	64
#define FIRST_MARKS	256
#define NONE		(-1)

/* A move that starts the clock, or stops it, or both. */
typedef struct Mark
{
	TimestampTz at;
	int64		id;				/* its order among moves of one instant */
	int64		before;			/* the item's mark that came before it, or NONE */
	bool		starts;
	bool		stops;
} Mark;

typedef struct ClockedItem
{
	int64		id;
	int64		latest;			/* the first mark of its chain, or NONE */
	bool		complete;		/* are all its moves here? */
	bool		stops;			/* can one of them stop the clock? */
	/* cppcheck-suppress unusedStructMember */
	char		status;			/* simplehash.h's */
} ClockedItem;

#define SH_PREFIX items
#define SH_ELEMENT_TYPE ClockedItem
#define SH_KEY_TYPE int64
#define SH_KEY id
#define SH_HASH_KEY(table, key) vsm_hash_key((uint64) (key))
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

typedef struct Clocks
{
	items_hash *items;
	bool		last_start;
	bool		last_stop;
	int64		nmarks;
	int64		size;
	Mark	   *marks;
} Clocks;

typedef struct Times
{
	int64		item;
	TimestampTz started_at;
	TimestampTz stopped_at;
} Times;

/* The marks of one item in the order of time; room for the next one. */
typedef struct Chain
{
	Mark	   *marks;
	int64		size;
} Chain;

static Clocks *begin_clocks(FunctionCallInfo fcinfo, MemoryContext context);
static void add_mark(Clocks *clocks, ClockedItem *item, const Mark *mark);
static bool run_clock(const Clocks *clocks, const ClockedItem *item, Chain *chain, Times *times);
static int64 unchain(const Clocks *clocks, const ClockedItem *item, Chain *chain);
static Datum make_list(const int64 *values, int64 count, size_t stride, Oid type);
static int	by_time(const void *a, const void *b);
static int	by_item(const void *a, const void *b);

PG_FUNCTION_INFO_V1(vsm__clocks_step);
PG_FUNCTION_INFO_V1(vsm__clocks_times);

/* vsm._clocks(item, "at", id, starts, stops, complete, last_start, last_stop): transition function */
Datum
vsm__clocks_step(PG_FUNCTION_ARGS)
{
	MemoryContext context = vsm_require_aggregate(fcinfo);
	Clocks	   *clocks = PG_ARGISNULL(0) ? begin_clocks(fcinfo, context) : (Clocks *) PG_GETARG_POINTER(0);
	ClockedItem	   *item;
	Mark		mark;
	bool		found;

	vsm_require_given(fcinfo, ARG_ITEM, "the item of a move");
	vsm_require_given(fcinfo, ARG_AT, "the time of a move");
	vsm_require_given(fcinfo, ARG_ID, "the id of a move");
	mark.at = PG_GETARG_TIMESTAMPTZ(ARG_AT);
	mark.id = PG_GETARG_INT64(ARG_ID);
	mark.starts = !PG_ARGISNULL(ARG_STARTS) && PG_GETARG_BOOL(ARG_STARTS);
	mark.stops = !PG_ARGISNULL(ARG_STOPS) && PG_GETARG_BOOL(ARG_STOPS);
	item = items_insert(clocks->items, PG_GETARG_INT64(ARG_ITEM), &found);
	if (!found)
	{
		item->latest = NONE;
		item->complete = item->stops = false;
	}
	item->complete |= !PG_ARGISNULL(ARG_COMPLETE) && PG_GETARG_BOOL(ARG_COMPLETE);
	item->stops |= mark.stops;
	if (mark.starts || mark.stops)
		add_mark(clocks, item, &mark);
	PG_RETURN_POINTER(clocks);
}

/*
 * vsm._clocks(...) -> vsm._clock_times: final function
 *		The items whose clock has stopped, in order, and when it started and stopped; and those that can have stopped
 *		but of which moves may be missing.
 */
Datum
vsm__clocks_times(PG_FUNCTION_ARGS)
{
	const Clocks *clocks = PG_ARGISNULL(0) ? NULL : (const Clocks *) PG_GETARG_POINTER(0);
	TupleDesc	desc;
	Chain		chain = {0};
	Times	   *times;
	int64	   *cut;
	int64		ntimes = 0;
	int64		ncut = 0;
	items_iterator at;
	const ClockedItem *item;
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS] = {0};

	(void) vsm_require_aggregate(fcinfo);
	if (clocks == NULL)
		PG_RETURN_NULL();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE || desc->natts != COLUMNS)
		elog(ERROR, "return type must be vsm._clock_times");
	times = palloc_extended(sizeof(Times) * (clocks->items->members + 1), MCXT_ALLOC_HUGE);
	cut = palloc_extended(sizeof(int64) * (clocks->items->members + 1), MCXT_ALLOC_HUGE);
	items_start_iterate(clocks->items, &at);
	while ((item = items_iterate(clocks->items, &at)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (!item->stops)
			continue;
		if (!item->complete)
			cut[ncut++] = item->id;
		else if (run_clock(clocks, item, &chain, &times[ntimes]))
			ntimes++;
	}
	/* in order, who looks them up finds them side by side */
	qsort(times, ntimes, sizeof(Times), by_item);
	qsort(cut, ncut, sizeof(int64), by_item);
	values[COLUMN_ITEMS] = make_list(&times->item, ntimes, sizeof(Times), INT8OID);
	values[COLUMN_STARTED_AT] = make_list(&times->started_at, ntimes, sizeof(Times), TIMESTAMPTZOID);
	values[COLUMN_STOPPED_AT] = make_list(&times->stopped_at, ntimes, sizeof(Times), TIMESTAMPTZOID);
	values[COLUMN_CUT] = make_list(cut, ncut, sizeof(int64), INT8OID);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

static Clocks *
begin_clocks(FunctionCallInfo fcinfo, MemoryContext context)
{
	Clocks	   *clocks;

	vsm_require_given(fcinfo, ARG_LAST_START, "which start");
	vsm_require_given(fcinfo, ARG_LAST_STOP, "which stop");
	clocks = MemoryContextAllocZero(context, sizeof(Clocks));
	clocks->items = items_create(context, FIRST_ITEMS, NULL);
	clocks->last_start = PG_GETARG_BOOL(ARG_LAST_START);
	clocks->last_stop = PG_GETARG_BOOL(ARG_LAST_STOP);
	clocks->size = FIRST_MARKS;
	clocks->marks = MemoryContextAlloc(context, sizeof(Mark) * clocks->size);
	return clocks;
}

static void
add_mark(Clocks *clocks, ClockedItem *item, const Mark *mark)
{
	if (clocks->nmarks == clocks->size)
	{
		clocks->size *= 2;
		clocks->marks = repalloc_huge(clocks->marks, sizeof(Mark) * clocks->size);
	}
	clocks->marks[clocks->nmarks] = *mark;
	clocks->marks[clocks->nmarks].before = item->latest;
	item->latest = clocks->nmarks++;
}

/* False: it never stops. */
static bool
run_clock(const Clocks *clocks, const ClockedItem *item, Chain *chain, Times *times)
{
	const int64 nmarks = unchain(clocks, item, chain);
	TimestampTz start = 0;
	bool		started = false;
	bool		stopped = false;

	for (int64 i = 0; i < nmarks && !(stopped && !clocks->last_stop); i++)
	{
		const Mark *mark = &chain->marks[i];

		if (mark->starts && (!started || clocks->last_start))
			start = mark->at;
		started = started || mark->starts;
		if (mark->stops && started)
		{
			times->started_at = start;
			times->stopped_at = mark->at;
			stopped = true;
		}
	}
	times->item = item->id;
	return stopped;
}

/* How many there are. */
static int64
unchain(const Clocks *clocks, const ClockedItem *item, Chain *chain)
{
	int64		count = 0;
	bool		in_order = true;

	for (int64 i = item->latest; i != NONE; i = clocks->marks[i].before)
		count++;
	if (chain->size < count)
	{
		chain->size = Max(count, FIRST_MARKS);
		chain->marks = chain->marks == NULL ? palloc_extended(sizeof(Mark) * chain->size, MCXT_ALLOC_HUGE)
											: repalloc_huge(chain->marks, sizeof(Mark) * chain->size);
	}
	for (int64 i = item->latest, place = count; i != NONE; i = clocks->marks[i].before)
	{
		chain->marks[--place] = clocks->marks[i];
		in_order = in_order && (place + 1 == count || by_time(&chain->marks[place], &chain->marks[place + 1]) <= 0);
	}
	if (!in_order)
		qsort(chain->marks, count, sizeof(Mark), by_time);
	return count;
}

/* Times are 64-bit integers too. */
static Datum
make_list(const int64 *values, int64 count, size_t stride, Oid type)
{
	Datum	   *elements = palloc_extended(sizeof(Datum) * (count + 1), MCXT_ALLOC_HUGE);

	for (int64 i = 0; i < count; i++)
		elements[i] = Int64GetDatum(*(const int64 *) ((const char *) values + i * stride));
	return PointerGetDatum(construct_array(elements, (int) Min(count, PG_INT32_MAX), type, sizeof(int64), true, TYPALIGN_DOUBLE));
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

/* Of ids, and of what begins with one. */
static int
by_item(const void *a, const void *b)
{
	const int64 left = *(const int64 *) a;
	const int64 right = *(const int64 *) b;

	return left < right ? -1 : left > right;
}
