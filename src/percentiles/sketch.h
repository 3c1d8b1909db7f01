/*
 * sketch.h
 *		A sketch of a distribution: percentiles within a relative error.
 *
 * Plain C.  See sketch.c.
 */
#ifndef VSM_SKETCH_H
#define VSM_SKETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VSM_SKETCH_VERSION		1
#define VSM_SKETCH_MIN_ERROR	0.0001
#define VSM_SKETCH_MAX_ERROR	0.2
#define VSM_SKETCH_DEFAULT_ERROR 0.01

/* Which buckets have a cell: cells buckets from first on. */
typedef struct VsmBuckets
{
	int32_t		first;			/* 0 when there is none */
	int32_t		cells;
} VsmBuckets;

/*
 * As it lies in tables.  The cells of the negative values follow, then those of
 * the positive ones, 1 << width bytes each.
 */
typedef struct VsmSketch
{
	int32_t		vl_len_;		/* PostgreSQL's; not touched here */
	uint8_t		version;
	uint8_t		width;			/* of a cell: 1 << width bytes, 0 to 3 */
	uint16_t	unused;			/* 0 */
	double		rel_error;
	uint64_t	count;			/* of all values */
	uint64_t	zeros;
	VsmBuckets	negative;		/* by magnitude */
	VsmBuckets	positive;
	uint64_t	cells[];		/* of any width */
} VsmSketch;

/* How a sketch is laid out. */
typedef struct VsmSketchShape
{
	int			width;
	VsmBuckets	negative;
	VsmBuckets	positive;
} VsmSketchShape;

/* A walk through the buckets that hold values, in the order of the values. */
typedef struct VsmSketchCursor
{
	const VsmSketch *sketch;
	int64_t		place;			/* negative ones from the lowest, then zero, then positive ones; -1: before the first */
	uint64_t	count;			/* values in this bucket */
} VsmSketchCursor;

extern void vsm_sketch_init(VsmSketch *sketch, double rel_error);
extern size_t vsm_sketch_size(const VsmSketchShape *shape);
extern VsmSketchShape vsm_sketch_shape(const VsmSketch *sketch);
extern VsmSketchShape vsm_sketch_least_shape(const VsmSketch *sketch);
extern VsmSketchShape vsm_sketch_shape_to_add(const VsmSketch *sketch, double value);
extern VsmSketchShape vsm_sketch_shape_to_merge(const VsmSketch *sketch, const VsmSketch *other);
extern bool vsm_sketch_fits(const VsmSketch *sketch, const VsmSketchShape *shape);
extern void vsm_sketch_reshape(VsmSketch *into, const VsmSketch *sketch, const VsmSketchShape *shape);

extern bool vsm_sketch_add(VsmSketch *sketch, double value);
extern bool vsm_sketch_remove(VsmSketch *sketch, double value);
extern void vsm_sketch_merge(VsmSketch *sketch, const VsmSketch *other);
extern bool vsm_sketch_subtract(VsmSketch *sketch, const VsmSketch *other);

extern double vsm_sketch_percentile(const VsmSketch *sketch, double fraction);
extern uint64_t vsm_sketch_rank(const VsmSketch *sketch, double value);
extern double vsm_sketch_sum(const VsmSketch *sketch);
extern void vsm_sketch_add_to_sum(const VsmSketchCursor *cursor, double *sum);
extern bool vsm_sketch_equal(const VsmSketch *a, const VsmSketch *b);

extern void vsm_sketch_begin(VsmSketchCursor *cursor, const VsmSketch *sketch);
extern bool vsm_sketch_next(VsmSketchCursor *cursor);
extern void vsm_sketch_bounds(const VsmSketchCursor *cursor, double *lower, double *upper);

extern uint64_t vsm_sketch_cell(const VsmSketch *sketch, bool negative, int32_t cell);
extern void vsm_sketch_set_cell(VsmSketch *sketch, bool negative, int32_t cell, uint64_t count);
extern int	vsm_sketch_width_for(uint64_t count);
extern int32_t vsm_sketch_last_bucket(double rel_error);
extern const char *vsm_sketch_header_objection(const VsmSketch *sketch, size_t size);
extern const char *vsm_sketch_objection(const VsmSketch *sketch, size_t size);
extern bool vsm_sketch_is_least(const VsmSketch *sketch);

#endif							/* VSM_SKETCH_H */
