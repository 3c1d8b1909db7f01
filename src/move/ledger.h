/*
 * ledger.h
 *		Writing the ledger, vsm.stage_transitions.
 */
#ifndef VSM_LEDGER_H
#define VSM_LEDGER_H

#include "postgres.h"

#include "utils/relcache.h"

#include "ledger_row.h"
#include "request.h"

extern void vsm_write_ledger_row(VsmLedgerRow *row, const VsmRequest *request, Relation items);
extern void vsm_forget_ledger_rows(Relation items, int64 work_item_id);
extern void vsm_forget_ledger_rows_before(Relation items, int64 work_item_id, int64 ledger_id);
extern void vsm_empty_ledger(Relation items);

#endif							/* VSM_LEDGER_H */
