/*
 * row_store.c
 *		What storing a row without the executor needs beside the table.
 *
 * ExecInsertIndexTuples() enters a row into any index, and spends half of its time
 * on setting up what a B-tree over columns does not need.  The caller has checked,
 * once until the table changes, that all indexes are plain, and evaluates the one
 * predicate that it knows (vsm_predicate_is) by itself.
 */
#include "row_store.h"

#include "access/genam.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "executor/executor.h"
#include "nodes/execnodes.h"
#include "utils/rel.h"

static void enter_into_index(Relation table, TupleTableSlot *row, Relation index, AttrNumber changed);
static bool has_column(const IndexInfo *info, AttrNumber column);

/* Is this a B-tree over columns, whose uniqueness is checked at once?  It may have a predicate. */
bool
vsm_plain_index(Relation index)
{
	Form_pg_index form = index->rd_index;

	return index->rd_rel->relam == BTREE_AM_OID && form->indimmediate && !form->indisexclusion &&
		RelationGetIndexExpressions(index) == NIL;
}

/* Is the index's predicate "column IS [NOT] NULL", or that of several columns with AND? */
bool
vsm_predicate_is(Relation index, NullTestType test, const AttrNumber *columns, int count)
{
	List	   *predicate = RelationGetIndexPredicate(index);
	int			i = 0;
	ListCell   *cell;

	if (list_length(predicate) != count)
		return false;
	foreach(cell, predicate)
	{
		NullTest   *part = lfirst_node(NullTest, cell);

		if (!IsA(part, NullTest) || part->nulltesttype != test || part->argisrow ||
			!IsA(part->arg, Var) || ((Var *) part->arg)->varattno != columns[i++])
			return false;
	}
	return true;
}

/*
 * vsm_require_values
 *		Raise the error of a null in a column that is NOT NULL.
 *
 * The executor looks into the row's memory column by column, the caller knows.
 */
void
vsm_require_values(Relation table, TupleTableSlot *row, const bool *nulls)
{
	TupleDesc	desc = RelationGetDescr(table);
	ResultRelInfo *target;
	EState	   *estate;

	for (int i = 0; i < desc->natts; i++)
	{
		if (!nulls[i] || !TupleDescAttr(desc, i)->attnotnull)
			continue;
		estate = CreateExecutorState();
		target = makeNode(ResultRelInfo);
		InitResultRelInfo(target, table, 0, NULL, 0);
		ExecConstraints(target, row, estate);
		FreeExecutorState(estate);
		return;
	}
}

/*
 * vsm_enter_into_indexes
 *		What ExecInsertIndexTuples() does, with the same locks.
 *
 * left_out: the index whose predicate the row does not meet, or invalid.
 * changed: the column that an UPDATE changes; 0: the row is new.
 */
void
vsm_enter_into_indexes(Relation table, TupleTableSlot *row, Oid left_out, AttrNumber changed)
{
	List	   *indexes = RelationGetIndexList(table);
	ListCell   *cell;

	foreach(cell, indexes)
	{
		Relation	index;

		if (lfirst_oid(cell) == left_out)
			continue;
		index = index_open(lfirst_oid(cell), RowExclusiveLock);
		if (index->rd_index->indisready)
			enter_into_index(table, row, index, changed);
		index_close(index, RowExclusiveLock);
	}
	list_free(indexes);
}

static void
enter_into_index(Relation table, TupleTableSlot *row, Relation index, AttrNumber changed)
{
	IndexInfo  *info = BuildIndexInfo(index);
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS];

	FormIndexDatum(info, row, NULL, values, nulls);
	(void) index_insert(index, values, nulls, &row->tts_tid, table,
						info->ii_Unique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO,
						changed != 0 && !has_column(info, changed), info);
	pfree(info);
}

/* Among the columns that order the index? */
static bool
has_column(const IndexInfo *info, AttrNumber column)
{
	for (int i = 0; i < info->ii_NumIndexKeyAttrs; i++)
		if (info->ii_IndexAttrNumbers[i] == column)
			return true;
	return false;
}
