/*
 * plain_items.h
 *		Is vsm.work_items as the extension made it?
 */
#ifndef VSM_PLAIN_ITEMS_H
#define VSM_PLAIN_ITEMS_H

#include "postgres.h"

#include "utils/relcache.h"

/* Indexes of a table that is as it was made. */
typedef struct VsmPlainItems
{
	Oid			by_id;			/* the primary key */
	Oid			of_open_items;	/* the one with a predicate; invalid: dropped */
} VsmPlainItems;

extern bool vsm_plain_items(Relation items, VsmPlainItems *found);

#endif							/* VSM_PLAIN_ITEMS_H */
