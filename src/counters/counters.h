/*
 * counters.h
 *		What other parts of the extension ask of the counters.
 *
 * The counters are in shared memory and follow the tables through transactions.
 * There are two sets, which work in the same way: WIP per stage (wip.c,
 * wip_limit.c) and totals for monitoring (totals.c).  The tables are the truth,
 * and each set can be recounted from them at any time.
 *
 * Each file calls only those above it in this list; wip.c, wip_limit.c and
 * totals.c call them all:
 *
 *	counters_shmem.c		makes the shared memory; its layout is in the header
 *	counters_published.c	which transactions a count has seen
 *	counters_values.c		reads, sets and adds to a counter
 *	counters_boards.c		the counters of one database: a board
 *	counters_lookup.c		finds the counter of a key, or takes one into use
 *	counters_prepared.c		two-phase commit
 *	counters_recount.c		recounts a set while other sessions go on
 *	counters_xact.c			what the current transaction will add; its callbacks
 */
#ifndef VSM_COUNTERS_H
#define VSM_COUNTERS_H

#include "postgres.h"

#include "utils/relcache.h"

#define VSM_DEFAULT_STAGES	1024

/* counters_shmem.c */
extern int	vsm_max_stages;
extern void vsm_counters_load(void);

/* counters_xact.c */
extern void vsm_xact_load(void);
extern void vsm_count_truncated(Oid items);
extern void vsm_count_unknown(Oid items);

/* wip.c: what a stored work item changes */
extern void vsm_wip_count_move(Relation items, int64 left, int64 entered);

/* totals.c: what a ledger row adds */
extern void vsm_total_created(Oid items, int64 stage_id, const char *type);
extern void vsm_total_moved(Oid items, int64 left, int64 entered, int64 stay_us);
extern void vsm_total_finished(Oid items, int64 stage_id, int64 lead_us, int64 cycle_us);

#endif							/* VSM_COUNTERS_H */
