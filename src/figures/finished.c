/*
 * finished.c
 *		The times of what was finished in a window, from lists of completions.
 *
 * The aggregate vsm._finished gets, of each piece of the window, the completions that no
 * move of the piece undoes, and the earlier completions that a move of it does undo.
 * A completion counts unless another piece undoes it.  So it cannot be counted before
 * all pieces are there: the lists are kept until then.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "arguments.h"
#include "duration.h"
#include "errors.h"
#include "percentiles/summary.h"

/* Arguments of the step, after the state; the lists are equally long, null for none. */
enum
{
	ARG_ITEMS = 1,
	ARG_COMPLETED_AT,
	ARG_LEAD_US,
	ARG_CYCLE_US,				/* an element may be null: never started; below 0: started, but no cycle time by the rule */
	ARG_ACTIVE_US,
	ARG_WAIT_US,
	ARG_UNDONE_ITEMS,
	ARG_UNDONE_AT,
	ARG_SINCE,
	ARG_EXACT,
	ARGS
};
#define LISTS ARG_UNDONE_ITEMS

typedef struct List64
{
	const int64 *next;
	const bits8 *there;			/* which elements are not null, of which next has those only; NULL: all */
} List64;

typedef struct Piece
{
	int			count;
	List64		list[LISTS];	/* by argument; timestamps as their microseconds */
} Piece;

typedef struct UndoneKey
{
	int64		work_item_id;
	TimestampTz at;
} UndoneKey;

typedef struct Undone
{
	UndoneKey	key;
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

typedef struct Finished
{
	bool		exact;
	List	   *pieces;
	undone_hash *undone;
} Finished;

typedef struct Sums
{
	VsmDurations lead;
	VsmDurations cycle;
	int64		never_started;
	int128		active_us;
	int128		wait_us;
} Sums;

/* Columns of vsm._finished. */
enum
{
	COLUMN_LEAD,
	COLUMN_CYCLE,
	COLUMN_NEVER_STARTED,
	COLUMN_ACTIVE_US,
	COLUMN_WAIT_US,
	COLUMNS
};

static const char *const names[ARGS] = {
	[ARG_ITEMS] = "the items",
	[ARG_COMPLETED_AT] = "the times of completions",
	[ARG_LEAD_US] = "the lead times",
	[ARG_CYCLE_US] = "the cycle times",
	[ARG_ACTIVE_US] = "the active times",
	[ARG_WAIT_US] = "the wait times",
	[ARG_UNDONE_ITEMS] = "the items of undone completions",
	[ARG_UNDONE_AT] = "the times of undone completions",
};

static List64 read_list(FunctionCallInfo fcinfo, int argument, int count);
static void count_piece(Piece *piece, undone_hash *undone, Sums *sums);
static int	length_of(FunctionCallInfo fcinfo, int argument);
static void note_undone(Finished *finished, FunctionCallInfo fcinfo);

PG_FUNCTION_INFO_V1(vsm__finished_step);
PG_FUNCTION_INFO_V1(vsm__finished_row);

/* vsm._finished(...): transition function, called for each piece */
Datum
vsm__finished_step(PG_FUNCTION_ARGS)
{
	Finished   *finished = PG_ARGISNULL(0) ? NULL : (Finished *) PG_GETARG_POINTER(0);
	MemoryContext context = vsm_require_aggregate(fcinfo);
	MemoryContext caller;

	vsm_require_given(fcinfo, ARG_SINCE, "the start of the window");
	vsm_require_given(fcinfo, ARG_EXACT, "exact");
	caller = MemoryContextSwitchTo(context);
	if (finished == NULL)
	{
		finished = palloc0(sizeof(Finished));
		finished->exact = PG_GETARG_BOOL(ARG_EXACT);
		finished->undone = undone_create(context, 64, NULL);	/* grows */
	}
	if (length_of(fcinfo, ARG_ITEMS) > 0)
	{
		Piece	   *piece = palloc0(sizeof(Piece));

		piece->count = length_of(fcinfo, ARG_ITEMS);
		for (int argument = ARG_ITEMS; argument < LISTS; argument++)
			piece->list[argument] = read_list(fcinfo, argument, piece->count);
		finished->pieces = lappend(finished->pieces, piece);
	}
	note_undone(finished, fcinfo);
	MemoryContextSwitchTo(caller);
	PG_RETURN_POINTER(finished);
}

/* vsm._finished(...) -> vsm._finished: final function; null without pieces */
Datum
vsm__finished_row(PG_FUNCTION_ARGS)
{
	Finished   *finished = PG_ARGISNULL(0) ? NULL : (Finished *) PG_GETARG_POINTER(0);
	Sums		sums = {0};
	TupleDesc	desc;
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS] = {0};
	ListCell   *cell;

	if (finished == NULL)
		PG_RETURN_NULL();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE || desc->natts != COLUMNS)
		elog(ERROR, "return type must be vsm._finished");
	vsm_durations_init(&sums.lead, CurrentMemoryContext, finished->exact);
	vsm_durations_init(&sums.cycle, CurrentMemoryContext, finished->exact);
	foreach(cell, finished->pieces)
	{
		Piece		piece = *(const Piece *) lfirst(cell);	/* a copy, as a final function may be called again */

		CHECK_FOR_INTERRUPTS();
		count_piece(&piece, finished->undone, &sums);
	}
	values[COLUMN_LEAD] = vsm_durations_summary(&sums.lead, TupleDescAttr(desc, COLUMN_LEAD)->atttypid);
	values[COLUMN_CYCLE] = vsm_durations_summary(&sums.cycle, TupleDescAttr(desc, COLUMN_CYCLE)->atttypid);
	values[COLUMN_NEVER_STARTED] = Int64GetDatum(sums.never_started);
	values[COLUMN_ACTIVE_US] = vsm_numeric_of(sums.active_us);
	values[COLUMN_WAIT_US] = vsm_numeric_of(sums.wait_us);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* Counts the completions of a piece that are not undone, and uses its lists up. */
static void
count_piece(Piece *piece, undone_hash *undone, Sums *sums)
{
	for (int i = 0; i < piece->count; i++)
	{
		UndoneKey	key = {*piece->list[ARG_ITEMS].next++, *piece->list[ARG_COMPLETED_AT].next++};
		int64		lead_us = *piece->list[ARG_LEAD_US].next++;
		int64		active_us = *piece->list[ARG_ACTIVE_US].next++;
		int64		wait_us = *piece->list[ARG_WAIT_US].next++;
		bool		started = piece->list[ARG_CYCLE_US].there == NULL || (piece->list[ARG_CYCLE_US].there[i / 8] & (1 << i % 8));
		int64		cycle_us = started ? *piece->list[ARG_CYCLE_US].next++ : 0;

		if (undone->members > 0 && undone_lookup(undone, key) != NULL)
			continue;
		sums->active_us += active_us;
		sums->wait_us += wait_us;
		vsm_durations_add(&sums->lead, lead_us);
		if (!started)
			sums->never_started++;
		else if (cycle_us >= 0)
			vsm_durations_add(&sums->cycle, cycle_us);
	}
}

/* A list of so many elements, copied to the current context. */
static List64
read_list(FunctionCallInfo fcinfo, int argument, int count)
{
	List64		list = {0};
	int			length = length_of(fcinfo, argument);
	ArrayType  *array;

	if (length != count)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("the lists of a piece differ in length"),
				errdetail("There are %d items, and of %s %d.", count, names[argument], length),
				errhint("Give one element for each item."));
	array = PG_GETARG_ARRAYTYPE_P_COPY(argument);
	if (argument == ARG_CYCLE_US)
		list.there = ARR_NULLBITMAP(array);
	else if (array_contains_nulls(array))
		vsm_refuse_null(argument, names[argument]);
	list.next = (const int64 *) ARR_DATA_PTR(array);
	return list;
}

/* Of a list that is not unpacked yet; lists of one dimension only. */
static int
length_of(FunctionCallInfo fcinfo, int argument)
{
	ArrayType  *head;

	if (PG_ARGISNULL(argument))
		return 0;
	head = (ArrayType *) PG_DETOAST_DATUM_SLICE(PG_GETARG_DATUM(argument), 0, ARR_OVERHEAD_NONULLS(1) - VARHDRSZ);
	if (ARR_NDIM(head) > 1)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("%s must be a list", names[argument]),
				errdetail("The array has %d dimensions.", ARR_NDIM(head)),
				errhint("Give an array of one dimension."));
	return ARR_NDIM(head) == 0 ? 0 : ARR_DIMS(head)[0];
}

/* Completions before the window are none of its own. */
static void
note_undone(Finished *finished, FunctionCallInfo fcinfo)
{
	int			count = length_of(fcinfo, ARG_UNDONE_ITEMS);
	List64		items;
	List64		at;

	if (count == 0)
		return;
	items = read_list(fcinfo, ARG_UNDONE_ITEMS, count);
	at = read_list(fcinfo, ARG_UNDONE_AT, count);
	for (int i = 0; i < count; i++)
	{
		UndoneKey	key = {items.next[i], at.next[i]};
		bool		there;

		if (at.next[i] >= PG_GETARG_TIMESTAMPTZ(ARG_SINCE))
			(void) undone_insert(finished->undone, key, &there);
	}
}
