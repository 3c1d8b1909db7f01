/*
 * crossing.c
 *		Which items have come into progress, and which are no longer in it, by what has been opened and closed.
 *
 * The aggregate vsm._crossing gets lists of items, of each piece of a time, in any order.
 * An item has come in if it was opened more often than closed, and has left if it was
 * closed more often.  One that was opened and closed as often is forgotten, so that of all
 * pieces up to an instant the table holds about as many items as are in progress, not all
 * that ever were.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"

#include "arguments.h"
#include "compat.h"
#include "hash.h"

/* Arguments of the step, after the state. */
enum
{
	ARG_OPENED = 1,
	ARG_CLOSED
};

/* Columns of vsm._crossing_items. */
enum
{
	COLUMN_OPENED,
	COLUMN_CLOSED,
	COLUMNS
};

typedef struct CrossingItem
{
	int64		id;
	int32		opened;			/* times more than closed */
	/* cppcheck-suppress unusedStructMember */
	char		status;			/* simplehash.h's */
} CrossingItem;

#define SH_PREFIX items
#define SH_ELEMENT_TYPE CrossingItem
#define SH_KEY_TYPE int64
#define SH_KEY id
#define SH_HASH_KEY(table, key) vsm_hash_key((uint64) (key))
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

static void count_list(FunctionCallInfo fcinfo, items_hash *items, int argument, int32 change);
static Datum make_list(items_hash *items, int32 sign, bool *isnull);
static int	compare_ids(const void *a, const void *b);

PG_FUNCTION_INFO_V1(vsm__crossing_step);
PG_FUNCTION_INFO_V1(vsm__crossing_items);

/* vsm._crossing(opened bigint[], closed bigint[]): transition function */
Datum
vsm__crossing_step(PG_FUNCTION_ARGS)
{
	items_hash *items = PG_ARGISNULL(0) ? NULL : (items_hash *) PG_GETARG_POINTER(0);
	MemoryContext context = vsm_require_aggregate(fcinfo);

	if (items == NULL)
		items = items_create(context, 1024, NULL);	/* grows */
	count_list(fcinfo, items, ARG_OPENED, 1);
	count_list(fcinfo, items, ARG_CLOSED, -1);
	PG_RETURN_POINTER(items);
}

/* vsm._crossing(...) -> vsm._crossing_items: final function, ids in order, null where there are none; null: no pieces */
Datum
vsm__crossing_items(PG_FUNCTION_ARGS)
{
	items_hash *items = PG_ARGISNULL(0) ? NULL : (items_hash *) PG_GETARG_POINTER(0);
	TupleDesc	desc;
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];

	(void) vsm_require_aggregate(fcinfo);
	if (items == NULL)
		PG_RETURN_NULL();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE || desc->natts != COLUMNS)
		elog(ERROR, "return type must be vsm._crossing_items");
	values[COLUMN_OPENED] = make_list(items, 1, &nulls[COLUMN_OPENED]);
	values[COLUMN_CLOSED] = make_list(items, -1, &nulls[COLUMN_CLOSED]);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

static void
count_list(FunctionCallInfo fcinfo, items_hash *items, int argument, int32 change)
{
	const int64 *ids;
	int			count;

	if (PG_ARGISNULL(argument))
		return;
	ids = vsm_require_list(PG_GETARG_ARRAYTYPE_P(argument), INT8OID, 0, PG_INT32_MAX, "the items", &count);
	for (int i = 0; i < count; i++)
	{
		bool		found;
		CrossingItem	   *item = items_insert(items, ids[i], &found);

		item->opened = (found ? item->opened : 0) + change;
		if (item->opened == 0)
			items_delete_item(items, item);
	}
}

/* Those that were opened more often than closed, or with sign -1 those that were closed more often. */
static Datum
make_list(items_hash *items, int32 sign, bool *isnull)
{
	Datum	   *ids = palloc_extended(sizeof(Datum) * (items->members + 1), MCXT_ALLOC_HUGE);
	items_iterator at;
	const CrossingItem *item;
	int			count = 0;

	items_start_iterate(items, &at);
	while ((item = items_iterate(items, &at)) != NULL)
		if (item->opened * sign > 0)
			ids[count++] = Int64GetDatum(item->id);
	*isnull = count == 0;
	qsort(ids, count, sizeof(Datum), compare_ids);
	return PointerGetDatum(construct_array(ids, count, INT8OID, sizeof(int64), true, TYPALIGN_DOUBLE));
}

static int
compare_ids(const void *a, const void *b)
{
	int64		left = DatumGetInt64(*(const Datum *) a);
	int64		right = DatumGetInt64(*(const Datum *) b);

	return (left > right) - (left < right);
}
