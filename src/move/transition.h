/*
 * transition.h
 *		Rules of a move: from a changed row to the item's new state.
 */
#ifndef VSM_TRANSITION_H
#define VSM_TRANSITION_H

#include "postgres.h"

#include "utils/relcache.h"

#include "item_row.h"

extern HeapTuple vsm_decide_change(Relation rel, ItemRow *old, ItemRow *new);

#endif							/* VSM_TRANSITION_H */
