/*
 * ledger_guard.h
 *		Keeps the ledger append-only.
 */
#ifndef VSM_LEDGER_GUARD_H
#define VSM_LEDGER_GUARD_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "executor/spi.h"

extern TimestampTz vsm_superseding_at(void);
extern int	vsm_run_on_ledger(SPIPlanPtr plan, Datum *values, const char *nulls, bool latest);

#endif							/* VSM_LEDGER_GUARD_H */
