/*
 * sketch_change.c
 *		Adding values to a sketch and removing them, one by one or all those of another sketch.
 *
 * A sketch is changed in place.  The callers allocate: what finds no room in the
 * cells of the sketch says so, or asks for a shape that has room (sketch.c).
 */
#include "sketch_change.h"

#include <string.h>

#include "sketch_bucket.h"

/* In merge_cells(): adds the cells of the other sketch, of other_type, to those of the sketch. */
#define ADD_CELLS(other_type) \
	do \
	{\
		if (sketch->width == 0) \
			ADD_TO_CELLS(uint8_t, other_type); \
		else if (sketch->width == 1) \
			ADD_TO_CELLS(uint16_t, other_type); \
		else if (sketch->width == 2) \
			ADD_TO_CELLS(uint32_t, other_type); \
		else \
			ADD_TO_CELLS(uint64_t, other_type); \
	} while (0)
#define ADD_TO_CELLS(type, other_type) \
	for (int32_t i = 0; i < buckets->cells; i++) \
	((type *) cells)[i + shift] = (type) (((type *) cells)[i + shift] + ((const other_type *) more)[i])

static inline int32_t cell_of(const VsmSketch *sketch, bool negative, uint64_t magnitude);
static inline bool increment_cell(void *cells, int width, int32_t cell);
static void merge_cells(VsmSketch *sketch, const VsmSketch *other, bool negative);
static bool holds_cells(const VsmSketch *sketch, const VsmSketch *other, bool negative);
static void subtract_cells(VsmSketch *sketch, const VsmSketch *other, bool negative);

/*
 * The value is finite.  False: there is no room; reshape the sketch to
 * vsm_sketch_shape_to_add() and add again.
 */
bool
vsm_sketch_add(VsmSketch *sketch, double value)
{
	uint64_t	bits = sketch_bits_of(value);
	uint64_t	magnitude = bits & ~SIGN_BIT;
	bool		negative = bits != magnitude;
	int32_t		cell;

	if (magnitude == 0)
	{
		sketch->count++;
		sketch->zeros++;
		return true;
	}
	cell = cell_of(sketch, negative, magnitude);
	if (cell < 0 || !increment_cell(vsm_sketch_cells(sketch, negative), sketch->width, cell))
		return false;
	sketch->count++;
	return true;
}

/* False: the sketch does not hold such a value. */
bool
vsm_sketch_remove(VsmSketch *sketch, double value)
{
	bool		negative = value < 0;

	if (value == 0)
	{
		if (sketch->zeros == 0)
			return false;
		sketch->zeros--;
	}
	else
	{
		int32_t		cell = cell_of(sketch, negative, sketch_bits_of(value) & ~SIGN_BIT);
		uint64_t	count = cell < 0 ? 0 : vsm_sketch_cell(sketch, negative, cell);

		if (count == 0)
			return false;
		vsm_sketch_set_cell(sketch, negative, cell, count - 1);
	}
	sketch->count--;
	return true;
}

/* -1: the bucket of the value has no cell. */
static inline int32_t
cell_of(const VsmSketch *sketch, bool negative, uint64_t magnitude)
{
	const VsmBuckets *buckets = vsm_sketch_buckets(sketch, negative);
	int32_t		cell = sketch_bucket_of(magnitude, sketch_multiplier_of(sketch->rel_error)) - buckets->first;

	return cell < buckets->cells && cell >= 0 ? cell : -1;
}

/* False: the cell has the highest count of its width. */
static inline bool
increment_cell(void *cells, int width, int32_t cell)
{
	switch (width)
	{
		case 0:
			return ((uint8_t *) cells)[cell] != UINT8_MAX && (++((uint8_t *) cells)[cell], true);
		case 1:
			return ((uint16_t *) cells)[cell] != UINT16_MAX && (++((uint16_t *) cells)[cell], true);
		case 2:
			return ((uint32_t *) cells)[cell] != UINT32_MAX && (++((uint32_t *) cells)[cell], true);
		default:
			return ((uint64_t *) cells)[cell] != INT64_MAX && (++((uint64_t *) cells)[cell], true);
	}
}

/* The sketch fits vsm_sketch_shape_to_merge(); both have the same relative error. */
void
vsm_sketch_merge(VsmSketch *sketch, const VsmSketch *other)
{
	sketch->count += other->count;
	sketch->zeros += other->zeros;
	merge_cells(sketch, other, true);
	merge_cells(sketch, other, false);
}

/* False, and nothing has changed: the other sketch holds a value that this one does not hold. */
bool
vsm_sketch_subtract(VsmSketch *sketch, const VsmSketch *other)
{
	if (other->zeros > sketch->zeros ||
		!holds_cells(sketch, other, true) || !holds_cells(sketch, other, false))
		return false;
	sketch->count -= other->count;
	sketch->zeros -= other->zeros;
	subtract_cells(sketch, other, true);
	subtract_cells(sketch, other, false);
	return true;
}

static void
merge_cells(VsmSketch *sketch, const VsmSketch *other, bool negative)
{
	const VsmBuckets *buckets = vsm_sketch_buckets(other, negative);
	int32_t		shift = buckets->first - vsm_sketch_buckets(sketch, negative)->first;
	void	   *cells = vsm_sketch_cells(sketch, negative);
	const void *more = vsm_sketch_cells(other, negative);

	switch (other->width)
	{
		case 0:
			ADD_CELLS(uint8_t);
			break;
		case 1:
			ADD_CELLS(uint16_t);
			break;
		case 2:
			ADD_CELLS(uint32_t);
			break;
		default:
			ADD_CELLS(uint64_t);
	}
}

static bool
holds_cells(const VsmSketch *sketch, const VsmSketch *other, bool negative)
{
	const VsmBuckets *buckets = vsm_sketch_buckets(other, negative);

	for (int32_t i = 0; i < buckets->cells; i++)
		if (vsm_sketch_cell(other, negative, i) >
			vsm_sketch_bucket_count(sketch, negative, buckets->first + i))
			return false;
	return true;
}

static void
subtract_cells(VsmSketch *sketch, const VsmSketch *other, bool negative)
{
	const VsmBuckets *buckets = vsm_sketch_buckets(other, negative);
	int32_t		shift = buckets->first - vsm_sketch_buckets(sketch, negative)->first;

	for (int32_t i = 0; i < buckets->cells; i++)
	{
		uint64_t	count = vsm_sketch_cell(other, negative, i);

		if (count > 0)
			vsm_sketch_set_cell(sketch, negative, i + shift,
								vsm_sketch_cell(sketch, negative, i + shift) - count);
	}
}
