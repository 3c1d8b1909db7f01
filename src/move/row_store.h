/*
 * row_store.h
 *		What stores a row, other than the executor, needs beside the table.
 */
#ifndef VSM_ROW_STORE_H
#define VSM_ROW_STORE_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "nodes/primnodes.h"
#include "utils/relcache.h"

extern bool vsm_plain_index(Relation index);
extern bool vsm_predicate_is(Relation index, NullTestType test, const AttrNumber *columns, int count);
extern void vsm_require_values(Relation table, TupleTableSlot *row, const bool *nulls);
extern void vsm_enter_into_indexes(Relation table, TupleTableSlot *row, Oid left_out, AttrNumber changed);

#endif							/* VSM_ROW_STORE_H */
