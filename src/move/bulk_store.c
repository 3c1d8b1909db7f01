/*
 * bulk_store.c
 *		Storing many new rows without a statement, as COPY does.
 *
 * Rows go into the table page by page, with one WAL record for each, and then into
 * one index after the other.  The table and its indexes are plain (row_store.c),
 * which the caller has checked.
 */
#include "bulk_store.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/tuptable.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "row_store.h"

#define ROWS_AT_ONCE	1000	/* as COPY */

struct VsmBulk
{
	Relation	table;
	BulkInsertState state;
	int			nindexes;
	Relation   *indexes;
	List	  **conditions;		/* of each index: its predicate */
	MemoryContext context;		/* of the rows that are not stored yet */
	int			nrows;
	TupleTableSlot *rows[ROWS_AT_ONCE];
};

static void store_rows(VsmBulk *bulk);

/* The caller keeps the table open and locked. */
VsmBulk *
vsm_bulk_begin(Relation table)
{
	VsmBulk    *bulk = palloc0(sizeof(VsmBulk));
	List	   *indexes = RelationGetIndexList(table);
	ListCell   *cell;

	bulk->table = table;
	bulk->state = GetBulkInsertState();
	bulk->context = AllocSetContextCreate(CurrentMemoryContext, "vsm rows to store", ALLOCSET_DEFAULT_SIZES);
	bulk->indexes = palloc(sizeof(Relation) * Max(list_length(indexes), 1));
	bulk->conditions = palloc(sizeof(List *) * Max(list_length(indexes), 1));
	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), RowExclusiveLock);

		if (!index->rd_index->indisready)
		{
			index_close(index, RowExclusiveLock);
			continue;
		}
		bulk->conditions[bulk->nindexes] = RelationGetIndexPredicate(index);
		bulk->indexes[bulk->nindexes++] = index;
	}
	for (int i = 0; i < ROWS_AT_ONCE; i++)
		bulk->rows[i] = MakeSingleTupleTableSlot(RelationGetDescr(table), &TTSOpsVirtual);
	return bulk;
}

/* What the values of a row point to must be here, or live until vsm_bulk_end(). */
MemoryContext
vsm_bulk_context(const VsmBulk *bulk)
{
	return bulk->context;
}

void
vsm_bulk_add(VsmBulk *bulk, const Datum *values, const bool *nulls)
{
	TupleTableSlot *row = bulk->rows[bulk->nrows++];
	int			natts = RelationGetDescr(bulk->table)->natts;

	ExecClearTuple(row);
	memcpy(row->tts_values, values, sizeof(Datum) * natts);
	memcpy(row->tts_isnull, nulls, sizeof(bool) * natts);
	ExecStoreVirtualTuple(row);
	vsm_require_values(bulk->table, row, nulls);
	if (bulk->nrows == ROWS_AT_ONCE)
		store_rows(bulk);
}

/* Stores the rest; later commands of the transaction see the rows. */
void
vsm_bulk_end(VsmBulk *bulk)
{
	store_rows(bulk);
	for (int i = 0; i < bulk->nindexes; i++)
		index_close(bulk->indexes[i], NoLock);
	for (int i = 0; i < ROWS_AT_ONCE; i++)
		ExecDropSingleTupleTableSlot(bulk->rows[i]);
	FreeBulkInsertState(bulk->state);
	MemoryContextDelete(bulk->context);
	pfree(bulk);
	CommandCounterIncrement();
}

static void
store_rows(VsmBulk *bulk)
{
	MemoryContext caller = MemoryContextSwitchTo(bulk->context);

	if (bulk->nrows > 0)
		table_multi_insert(bulk->table, bulk->rows, bulk->nrows, GetCurrentCommandId(true), 0, bulk->state);
	for (int i = 0; i < bulk->nindexes; i++)
		for (int j = 0; j < bulk->nrows; j++)
		{
			TupleTableSlot *row = bulk->rows[j];

			vsm_enter_into_index(bulk->table, &row->tts_tid, bulk->indexes[i], bulk->conditions[i], row->tts_values,
								 row->tts_isnull, 0);
		}
	bulk->nrows = 0;
	MemoryContextSwitchTo(caller);
	MemoryContextReset(bulk->context);
}
