/*
 * recording.h
 *		From a changed item to its ledger row.
 */
#ifndef VSM_RECORDING_H
#define VSM_RECORDING_H

#include "postgres.h"

#include "utils/relcache.h"

#include "item_row.h"

extern void vsm_record_change(Relation items, const ItemRow *old, const ItemRow *new);

#endif							/* VSM_RECORDING_H */
