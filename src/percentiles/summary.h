/*
 * summary.h
 *		Number, average and percentiles of durations.
 */
#ifndef VSM_SUMMARY_H
#define VSM_SUMMARY_H

#include "postgres.h"

#include "sketch_sql.h"
#include "values.h"

typedef struct VsmDurations
{
	MemoryContext context;
	int64		count;
	int128		sum;			/* microseconds */
	VsmSketch  *sketch;			/* of seconds; NULL: exact */
	VsmValues	values;			/* microseconds, by vsm_int64_key(); when exact */
} VsmDurations;

extern void vsm_durations_init(VsmDurations *durations, MemoryContext context, bool exact);
extern void vsm_durations_add(VsmDurations *durations, int64 us);
extern void vsm_durations_merge(VsmDurations *durations, const VsmSketch *sketch, int128 sum);
extern void vsm_durations_remove(VsmDurations *durations, VsmValues *removed);
extern Datum vsm_durations_summary(VsmDurations *durations, Oid row_type);

#endif							/* VSM_SUMMARY_H */
