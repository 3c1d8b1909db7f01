/*
 * row_store.h
 *		What stores a row, other than the executor, needs beside the table.
 */
#ifndef VSM_ROW_STORE_H
#define VSM_ROW_STORE_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "nodes/pg_list.h"
#include "storage/itemptr.h"
#include "utils/relcache.h"

extern bool vsm_plain_index(Relation index);
extern void vsm_require_values(Relation table, TupleTableSlot *row, const bool *nulls);
extern void vsm_enter_into_index(Relation table, ItemPointer place, Relation index, const List *conditions, const Datum *values, const bool *nulls, AttrNumber changed);
extern void vsm_enter_into_indexes(Relation table, ItemPointer place, const Datum *values, const bool *nulls, AttrNumber changed);

#endif							/* VSM_ROW_STORE_H */
