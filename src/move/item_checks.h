/*
 * item_checks.h
 *		What a client may write into a work item.
 */
#ifndef VSM_ITEM_CHECKS_H
#define VSM_ITEM_CHECKS_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "datatype/timestamp.h"
#include "utils/relcache.h"

#include "item_row.h"

extern Oid vsm_item_id_sequence(Relation items);
extern void vsm_require_issued_item_id(Relation items, int64 id);
extern void vsm_check_item_texts(const ItemRow *row, const ItemRow *old, TupleDesc desc);
extern void vsm_check_item_type(const char *type);
extern void vsm_check_move_time(TimestampTz at, TimestampTz now);
extern void vsm_check_text(const text *value, const char *what, const char *column);
extern void vsm_refuse_given_state(Relation rel);
extern void vsm_refuse_computed_column(Relation rel, int column);

#endif							/* VSM_ITEM_CHECKS_H */
