/*
 * in_progress.c
 *		Which items are in progress, by what has been opened and closed.
 *
 * The aggregate vsm._in_progress gets lists of items, of each piece of the time up to an
 * instant, in any order.  An item is in progress if it has been opened once more than
 * closed.  One that was opened and closed as often is forgotten, so that the table holds
 * about as many items as are in progress, not all that ever were.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
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

typedef struct Item
{
	int64		id;
	int32		opened;			/* times more than closed */
	/* cppcheck-suppress unusedStructMember */
	char		status;			/* simplehash.h's */
} Item;

#define SH_PREFIX items
#define SH_ELEMENT_TYPE Item
#define SH_KEY_TYPE int64
#define SH_KEY id
#define SH_HASH_KEY(table, key) vsm_hash_key((uint64) (key))
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

static void count_list(FunctionCallInfo fcinfo, items_hash *items, int argument, int32 change);
static int	compare_ids(const void *a, const void *b);

PG_FUNCTION_INFO_V1(vsm__in_progress_step);
PG_FUNCTION_INFO_V1(vsm__in_progress_list);

/* vsm._in_progress(opened bigint[], closed bigint[]): transition function */
Datum
vsm__in_progress_step(PG_FUNCTION_ARGS)
{
	items_hash *items = PG_ARGISNULL(0) ? NULL : (items_hash *) PG_GETARG_POINTER(0);
	MemoryContext context = vsm_require_aggregate(fcinfo);

	if (items == NULL)
		items = items_create(context, 1024, NULL);	/* grows */
	count_list(fcinfo, items, ARG_OPENED, 1);
	count_list(fcinfo, items, ARG_CLOSED, -1);
	PG_RETURN_POINTER(items);
}

/* vsm._in_progress(...) -> bigint[]: final function, ids in order; null: no pieces */
Datum
vsm__in_progress_list(PG_FUNCTION_ARGS)
{
	items_hash *items = PG_ARGISNULL(0) ? NULL : (items_hash *) PG_GETARG_POINTER(0);
	items_iterator at;
	Item	   *item;
	Datum	   *ids;
	int			count = 0;

	(void) vsm_require_aggregate(fcinfo);
	if (items == NULL)
		PG_RETURN_NULL();
	ids = palloc_extended(sizeof(Datum) * (items->members + 1), MCXT_ALLOC_HUGE);
	items_start_iterate(items, &at);
	while ((item = items_iterate(items, &at)) != NULL)
		if (item->opened > 0)
			ids[count++] = Int64GetDatum(item->id);
	qsort(ids, count, sizeof(Datum), compare_ids);
	PG_RETURN_ARRAYTYPE_P(construct_array(ids, count, INT8OID, sizeof(int64), true, TYPALIGN_DOUBLE));
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
		Item	   *item = items_insert(items, ids[i], &found);

		item->opened = (found ? item->opened : 0) + change;
		if (item->opened == 0)
			items_delete_item(items, item);
	}
}

static int
compare_ids(const void *a, const void *b)
{
	int64		left = DatumGetInt64(*(const Datum *) a);
	int64		right = DatumGetInt64(*(const Datum *) b);

	return (left > right) - (left < right);
}
