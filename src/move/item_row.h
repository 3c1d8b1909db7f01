/*
 * item_row.h
 *		A row of vsm.work_items as the triggers see it.
 */
#ifndef VSM_ITEM_ROW_H
#define VSM_ITEM_ROW_H

#include "postgres.h"

#include "access/htup.h"
#include "access/tupdesc.h"

#include "columns.h"
#include "item_state.h"

/* Values that do not move while they are looked at. */
typedef struct ItemRow
{
	HeapTuple	tuple;
	Datum	   *values;			/* by column number; there may be more than ours */
	bool	   *nulls;
	Datum		own_values[ITEM_COLUMNS + 1];
	bool		own_nulls[ITEM_COLUMNS + 1];
} ItemRow;

extern void vsm_read_row(ItemRow *row, HeapTuple tuple, TupleDesc desc);
extern void vsm_copy_row(ItemRow *copy, const ItemRow *row, TupleDesc desc);
extern int64 vsm_row_id(const ItemRow *row);
extern int64 vsm_row_counted_in(const ItemRow *row);
extern bool vsm_row_has_state(const ItemRow *row);
extern void vsm_row_state(VsmItemState *state, const ItemRow *row);
extern bool vsm_same_column(const ItemRow *old, const ItemRow *new, int column, TupleDesc desc);
extern void vsm_row_normalize(ItemRow *row);
extern char *vsm_row_text(const ItemRow *row, int column);
extern HeapTuple vsm_row_with_state(ItemRow *row, const VsmItemState *state, TimestampTz now, TupleDesc desc);

#endif							/* VSM_ITEM_ROW_H */
