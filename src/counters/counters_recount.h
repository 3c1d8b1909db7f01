/*
 * counters_recount.h
 *		Recounts of a set of counters from the tables.
 */
#ifndef VSM_COUNTERS_RECOUNT_H
#define VSM_COUNTERS_RECOUNT_H

#include "counters_shmem.h"

typedef enum VsmRecountMode
{
	VSM_RECOUNT_FIRST,			/* unless another session has done it meanwhile */
	VSM_RECOUNT_AGAIN,
	VSM_RECOUNT_CHECK			/* change nothing */
} VsmRecountMode;

/* What the tables hold of a key. */
typedef struct VsmRecounted
{
	VsmKey		key;
	VsmCounter *counter;		/* NULL: there was none left for the key */
	int64		before;			/* these two of WIP only */
	int32		reserved;
	int64		after;
} VsmRecounted;

extern VsmRecounted *vsm_recount(Relation items, VsmBoard *board, VsmSet set, VsmRecountMode mode,
								 int *count);
extern void vsm_recount_if_needed(Relation items, VsmBoard *board, VsmSet set);
extern VsmRecounted *vsm_count_tables(Relation items, VsmSet set, Snapshot snapshot, int *count);
extern VsmCounter *vsm_current_wip_counter(Relation items, const VsmKey *key);

#endif							/* VSM_COUNTERS_RECOUNT_H */
