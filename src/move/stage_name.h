/*
 * stage_name.h
 *		current_stage: the name of the stage that an item is in, in the item's row.
 */
#ifndef VSM_STAGE_NAME_H
#define VSM_STAGE_NAME_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "utils/relcache.h"

#include "item_row.h"

extern void vsm_take_stage_by_name(Relation items, const ItemRow *old, ItemRow *new);
extern HeapTuple vsm_named_row(ItemRow *row, const VsmItemState *state, TimestampTz now, TupleDesc desc);
extern bool vsm_stage_is_named(const ItemRow *row);
extern HeapTuple vsm_row_as_it_is(ItemRow *row, TupleDesc desc);

#endif							/* VSM_STAGE_NAME_H */
