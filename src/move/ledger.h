/*
 * ledger.h
 *		Writing the ledger, vsm.stage_transitions.
 */
#ifndef VSM_LEDGER_H
#define VSM_LEDGER_H

#include "postgres.h"

#include "executor/spi.h"
#include "utils/relcache.h"

#include "ledger_row.h"
#include "request.h"

extern void vsm_write_ledger_row(VsmLedgerRow *row, const VsmRequest *request, Relation items);
extern void vsm_insert_ledger_row(int64 work_item_id, Datum *values, const bool *isnull);
extern void vsm_add_to_totals(const VsmLedgerRow *row, Oid items);
extern void vsm_empty_ledger(Relation items);
extern void vsm_run_unrecorded(SPIPlanPtr *plan, const char *query, Relation items, int nargs, Oid *types, Datum *arguments);

#endif							/* VSM_LEDGER_H */
