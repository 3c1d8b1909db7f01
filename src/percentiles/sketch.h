/*
 * sketch.h
 *		A sketch of a distribution: percentiles within a relative error.
 *
 * Plain C.  See sketch.c.
 */
#ifndef VSM_SKETCH_H
#define VSM_SKETCH_H

#include "sketch_layout.h"

#define VSM_SKETCH_MIN_ERROR	0.0001
#define VSM_SKETCH_MAX_ERROR	0.2
#define VSM_SKETCH_DEFAULT_ERROR 0.01

/* Which cells a sketch has, and how wide they are. */
typedef struct VsmSketchShape
{
	int			width;
	VsmBuckets	negative;
	VsmBuckets	positive;
} VsmSketchShape;

/* sketch.c: shapes, and what a valid sketch is */
extern void vsm_sketch_init(VsmSketch *sketch, double rel_error);
extern size_t vsm_sketch_size(const VsmSketchShape *shape);
extern VsmSketchShape vsm_sketch_shape(const VsmSketch *sketch);
extern VsmSketchShape vsm_sketch_least_shape(const VsmSketch *sketch);
extern VsmSketchShape vsm_sketch_shape_to_add(const VsmSketch *sketch, double value);
extern VsmSketchShape vsm_sketch_shape_to_merge(const VsmSketch *sketch, const VsmSketch *other);
extern bool vsm_sketch_fits(const VsmSketch *sketch, const VsmSketchShape *shape);
extern void vsm_sketch_reshape(VsmSketch *into, const VsmSketch *sketch, const VsmSketchShape *shape);
extern int	vsm_sketch_width_for(uint64_t count);
extern int32_t vsm_sketch_last_bucket(double rel_error);
extern bool vsm_sketch_equal(const VsmSketch *a, const VsmSketch *b);
extern bool vsm_sketch_is_least(const VsmSketch *sketch);
extern const char *vsm_sketch_header_objection(const VsmSketch *sketch, size_t size);
extern const char *vsm_sketch_objection(const VsmSketch *sketch, size_t size);

#endif							/* VSM_SKETCH_H */
