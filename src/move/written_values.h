/*
 * written_values.h
 *		What the values mean that a client writes into columns it does not decide.
 */
#ifndef VSM_WRITTEN_VALUES_H
#define VSM_WRITTEN_VALUES_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "datatype/timestamp.h"
#include "utils/relcache.h"

#include "item_row.h"

/* Which columns of a new row were given; the others were null. */
typedef struct VsmGiven
{
	bool		columns[ITEM_COLUMNS + 1];
} VsmGiven;

extern void vsm_take_defaults(Relation items, ItemRow *row, VsmGiven *given);
extern void vsm_propose_row(const ItemRow *row, const VsmGiven *given, TupleDesc desc);
extern void vsm_settle_upsert(const ItemRow *old, ItemRow *new, TupleDesc desc);
extern bool vsm_read_before(const ItemRow *old, const ItemRow *new, TimestampTz at, TupleDesc desc);
extern void vsm_settle_written(const ItemRow *old, ItemRow *new, Relation items);

#endif							/* VSM_WRITTEN_VALUES_H */
