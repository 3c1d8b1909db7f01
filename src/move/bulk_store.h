/*
 * bulk_store.h
 *		Storing many new rows without a statement.
 */
#ifndef VSM_BULK_STORE_H
#define VSM_BULK_STORE_H

#include "postgres.h"

#include "utils/relcache.h"

typedef struct VsmBulk VsmBulk;

extern VsmBulk *vsm_bulk_begin(Relation table);
extern MemoryContext vsm_bulk_context(const VsmBulk *bulk);
extern void vsm_bulk_add(VsmBulk *bulk, const Datum *values, const bool *nulls);
extern void vsm_bulk_end(VsmBulk *bulk);

#endif							/* VSM_BULK_STORE_H */
