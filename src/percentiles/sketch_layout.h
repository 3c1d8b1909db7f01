/*
 * sketch_layout.h
 *		How a sketch lies in tables and in memory: a header, then its cells.
 *
 * Plain C.  A cell is the count of a bucket, and the cells of a sketch are as wide
 * as its largest count needs: 1 << width bytes.  Those of the negative values come
 * first, then those of the positive ones, each in the order of magnitude.
 */
#ifndef VSM_SKETCH_LAYOUT_H
#define VSM_SKETCH_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VSM_SKETCH_VERSION		1

/* The buckets that have a cell. */
typedef struct VsmBuckets
{
	int32_t		first;			/* 0 when there is none */
	int32_t		cells;
} VsmBuckets;

typedef struct VsmSketch
{
	int32_t		vl_len_;		/* PostgreSQL's; not touched here */
	uint8_t		version;
	uint8_t		width;			/* 0 to 3 */
	uint16_t	unused;			/* 0 */
	double		rel_error;
	uint64_t	count;			/* of all values, at most INT64_MAX */
	uint64_t	zeros;
	VsmBuckets	negative;		/* by magnitude */
	VsmBuckets	positive;
	uint64_t	cells[];		/* of any width */
} VsmSketch;

static inline const VsmBuckets *
vsm_sketch_buckets(const VsmSketch *sketch, bool negative)
{
	return negative ? &sketch->negative : &sketch->positive;
}

static inline void *
vsm_sketch_cells(const VsmSketch *sketch, bool negative)
{
	size_t		before = negative ? 0 : (size_t) sketch->negative.cells << sketch->width;

	return (char *) (uintptr_t) sketch->cells + before;
}

static inline uint64_t
vsm_sketch_cell(const VsmSketch *sketch, bool negative, int32_t cell)
{
	const void *cells = vsm_sketch_cells(sketch, negative);

	switch (sketch->width)
	{
		case 0:
			return ((const uint8_t *) cells)[cell];
		case 1:
			return ((const uint16_t *) cells)[cell];
		case 2:
			return ((const uint32_t *) cells)[cell];
		default:
			return ((const uint64_t *) cells)[cell];
	}
}

static inline void
vsm_cells_write(void *cells, int width, int32_t cell, uint64_t count)
{
	switch (width)
	{
		case 0:
			((uint8_t *) cells)[cell] = (uint8_t) count;
			break;
		case 1:
			((uint16_t *) cells)[cell] = (uint16_t) count;
			break;
		case 2:
			((uint32_t *) cells)[cell] = (uint32_t) count;
			break;
		default:
			((uint64_t *) cells)[cell] = count;
	}
}

/* The count fits in the width of the sketch. */
static inline void
vsm_sketch_set_cell(VsmSketch *sketch, bool negative, int32_t cell, uint64_t count)
{
	vsm_cells_write(vsm_sketch_cells(sketch, negative), sketch->width, cell, count);
}

/* The count of a bucket, which may have no cell. */
static inline uint64_t
vsm_sketch_bucket_count(const VsmSketch *sketch, bool negative, int32_t bucket)
{
	const VsmBuckets *buckets = vsm_sketch_buckets(sketch, negative);

	if (bucket < buckets->first || bucket - buckets->first >= buckets->cells)
		return 0;
	return vsm_sketch_cell(sketch, negative, bucket - buckets->first);
}

#endif							/* VSM_SKETCH_LAYOUT_H */
