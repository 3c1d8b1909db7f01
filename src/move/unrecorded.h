/*
 * unrecorded.h
 *		Who may change items and ledger without recording.
 */
#ifndef VSM_UNRECORDED_H
#define VSM_UNRECORDED_H

#include "postgres.h"

#include "utils/relcache.h"

extern void vsm_require_recording_right(Relation rel);
extern bool vsm_takes_rows_as_they_are(Relation rel);

#endif							/* VSM_UNRECORDED_H */
