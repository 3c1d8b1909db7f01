/*
 * counters_prepared.h
 *		Two-phase commit: what prepared transactions will add to the counters.
 */
#ifndef VSM_COUNTERS_PREPARED_H
#define VSM_COUNTERS_PREPARED_H

#include "counters_shmem.h"

extern VsmPrepared vsm_prepared_entry(FullTransactionId xid, const VsmBoard *board,
									  const VsmCounter *counter, int64 net);
extern void vsm_prepared_list(VsmPrepared *entries, int count);
extern void vsm_prepared_list_old(VsmBoard *board);
extern void vsm_prepared_settle(VsmBoard *board);
extern void vsm_prepared_forget(VsmBoard *board);

#endif							/* VSM_COUNTERS_PREPARED_H */
