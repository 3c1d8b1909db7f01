/*
 * sketch_walk.h
 *		What a sketch says about its values.  Plain C.
 */
#ifndef VSM_SKETCH_WALK_H
#define VSM_SKETCH_WALK_H

#include "sketch_layout.h"

/* A walk through the buckets that hold values, in the order of the values. */
typedef struct VsmSketchCursor
{
	const VsmSketch *sketch;
	int64_t		place;			/* of a bucket, from 0 for the lowest; -1: before the first */
	uint64_t	count;			/* values in this bucket */
} VsmSketchCursor;

extern double vsm_sketch_percentile(const VsmSketch *sketch, double fraction);
extern uint64_t vsm_sketch_rank(const VsmSketch *sketch, double value);
extern double vsm_sketch_sum(const VsmSketch *sketch);

extern void vsm_sketch_begin(VsmSketchCursor *cursor, const VsmSketch *sketch);
extern bool vsm_sketch_next(VsmSketchCursor *cursor);
extern void vsm_sketch_bounds(const VsmSketchCursor *cursor, double *lower, double *upper);
extern void vsm_sketch_add_to_sum(const VsmSketchCursor *cursor, double *sum);

#endif							/* VSM_SKETCH_WALK_H */
