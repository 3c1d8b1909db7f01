/*
 * row_store.c
 *		What storing a row without the executor needs beside the table.
 *
 * ExecInsertIndexTuples() enters a row into any index, and spends half of its time
 * on setting up what a B-tree over columns does not need.  The caller has checked,
 * once until the table changes, that all indexes are plain.
 */
#include "row_store.h"

#include "access/genam.h"
#include "catalog/pg_am.h"
#include "executor/executor.h"
#include "nodes/execnodes.h"
#include "nodes/nodeFuncs.h"
#include "nodes/primnodes.h"
#include "utils/rel.h"

static bool asks_for_nulls(const List *conditions);
static bool is_null_test(const Node *condition);
static bool is_met(const List *conditions, const bool *nulls);
static bool is_true_of(const NullTest *test, const bool *nulls);
static bool has_column(const FormData_pg_index *form, AttrNumber column);

/*
 * vsm_plain_index
 *		Is this a B-tree over columns, whose uniqueness is checked at once?
 *
 * It may have a predicate that asks which columns are null.
 */
bool
vsm_plain_index(Relation index)
{
	Form_pg_index form = index->rd_index;

	return index->rd_rel->relam == BTREE_AM_OID && form->indimmediate && !form->indisexclusion &&
		RelationGetIndexExpressions(index) == NIL && asks_for_nulls(RelationGetIndexPredicate(index));
}

/* Are all conditions "column IS [NOT] NULL", or several such with OR? */
static bool
asks_for_nulls(const List *conditions)
{
	ListCell   *cell;
	ListCell   *part;

	foreach(cell, conditions)
	{
		if (is_null_test(lfirst(cell)))
			continue;
		if (!is_orclause(lfirst(cell)))
			return false;
		foreach(part, ((const BoolExpr *) lfirst(cell))->args)
			if (!is_null_test(lfirst(part)))
				return false;
	}
	return true;
}

static bool
is_null_test(const Node *condition)
{
	const NullTest *test = (const NullTest *) condition;

	return IsA(condition, NullTest) && !test->argisrow && IsA(test->arg, Var) && ((const Var *) test->arg)->varattno > 0;
}

/* Does a row with these nulls meet all conditions? */
static bool
is_met(const List *conditions, const bool *nulls)
{
	ListCell   *cell;
	ListCell   *part;

	foreach(cell, conditions)
	{
		bool		met = is_null_test(lfirst(cell)) && is_true_of(lfirst(cell), nulls);
		if (is_orclause(lfirst(cell)))
			foreach(part, ((const BoolExpr *) lfirst(cell))->args)
				met |= is_true_of(lfirst(part), nulls);
		if (!met)
			return false;
	}
	return true;
}

static bool
is_true_of(const NullTest *test, const bool *nulls)
{
	return nulls[((const Var *) test->arg)->varattno - 1] == (test->nulltesttype == IS_NULL);
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
 * place: where the row was stored.
 * values, nulls: of its columns, in their order.
 * changed: the column that an UPDATE changes; 0: the row is new.
 */
void
vsm_enter_into_indexes(Relation table, ItemPointer place, const Datum *values, const bool *nulls, AttrNumber changed)
{
	List	   *indexes = RelationGetIndexList(table);
	ListCell   *cell;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), RowExclusiveLock);

		if (index->rd_index->indisready)
			vsm_enter_into_index(table, place, index, RelationGetIndexPredicate(index), values, nulls, changed);
		index_close(index, RowExclusiveLock);
	}
	list_free(indexes);
}

/* The same with one of them.  conditions: its predicate; a row that does not meet it is not entered. */
void
vsm_enter_into_index(Relation table, ItemPointer place, Relation index, const List *conditions, const Datum *values, const bool *nulls, AttrNumber changed)
{
	const FormData_pg_index *form = index->rd_index;
	IndexInfo	unused = {.type = T_IndexInfo};	/* a B-tree asks the relation */
	Datum		keys[INDEX_MAX_KEYS];
	bool		null_keys[INDEX_MAX_KEYS];

	if (!is_met(conditions, nulls))
		return;
	for (int i = 0; i < form->indnatts; i++)
	{
		keys[i] = values[form->indkey.values[i] - 1];
		null_keys[i] = nulls[form->indkey.values[i] - 1];
	}
	(void) index_insert(index, keys, null_keys, place, table, form->indisunique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO,
						changed != 0 && !has_column(form, changed), &unused);
}

/* Among the columns that order the index? */
static bool
has_column(const FormData_pg_index *form, AttrNumber column)
{
	for (int i = 0; i < form->indnkeyatts; i++)
		if (form->indkey.values[i] == column)
			return true;
	return false;
}
