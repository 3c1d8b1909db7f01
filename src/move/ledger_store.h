/*
 * ledger_store.h
 *		Storing a ledger row without a statement.
 */
#ifndef VSM_LEDGER_STORE_H
#define VSM_LEDGER_STORE_H

#include "postgres.h"

extern bool vsm_ledger_is_plain(void);
extern bool vsm_store_ledger_row(Datum *values, bool *nulls);

#endif							/* VSM_LEDGER_STORE_H */
