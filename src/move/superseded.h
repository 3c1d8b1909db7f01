/*
 * superseded.h
 *		Ledger rows that are taken away or changed.
 */
#ifndef VSM_SUPERSEDED_H
#define VSM_SUPERSEDED_H

#include "postgres.h"

#include "utils/relcache.h"

#include "item_row.h"

extern void vsm_note_deleted_item(const ItemRow *item, int64 decided_by);
extern void vsm_forget_deleted_items(Relation items);
extern void vsm_note_retype(Relation items, int64 stream_id, const ItemRow *before, const ItemRow *after);

#endif							/* VSM_SUPERSEDED_H */
