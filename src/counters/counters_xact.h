/*
 * counters_xact.h
 *		What the current transaction will add to the counters.
 */
#ifndef VSM_COUNTERS_XACT_H
#define VSM_COUNTERS_XACT_H

#include "counters_shmem.h"

/* What one subtransaction, or the transaction with all of them, has noted of a key. */
typedef struct VsmNoted
{
	int64		net;			/* rows that are stored; others do not see them yet */
	int32		entering;		/* rows about to be stored by the statement that runs */
	int32		reserved;		/* places in a stage with a limit */
	VsmCounter *counter;		/* NULL: not looked up yet */
} VsmNoted;

extern VsmNoted *vsm_note(const VsmKey *key);
extern void vsm_note_change(const VsmKey *key, int64 change);
extern VsmNoted vsm_noted(const VsmKey *key);

#endif							/* VSM_COUNTERS_XACT_H */
