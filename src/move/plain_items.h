/*
 * plain_items.h
 *		Is vsm.work_items as the extension made it?
 */
#ifndef VSM_PLAIN_ITEMS_H
#define VSM_PLAIN_ITEMS_H

#include "postgres.h"

#include "utils/relcache.h"

extern bool vsm_plain_items(Relation items, Oid *by_id);

#endif							/* VSM_PLAIN_ITEMS_H */
