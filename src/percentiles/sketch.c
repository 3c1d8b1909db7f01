/*
 * sketch.c
 *		A sketch of a distribution: percentiles within a relative error.
 *
 * The DDSketch of Masson, Rim and Lee, "DDSketch: A Fast and Fully-Mergeable
 * Quantile Sketch with Relative-Error Guarantees" (VLDB 2019).  Buckets are so
 * narrow that their bounds differ by no more than the factor
 *
 *		gamma = (1 + rel_error) / (1 - rel_error)
 *
 * so the value between them that is returned, 2 lower upper / (lower + upper),
 * is within rel_error of each value in the bucket.  A sketch is its counts, so
 * merging adds and taking away subtracts, in any order with the same result; no
 * bucket is ever collapsed into another.
 *
 * Which bucket a value falls in is a sum and three products on the exponent and
 * the mantissa of the double.  The cubic in the mantissa stands for log2(1 + m):
 * it agrees at both ends with the same slope, and its slope is nowhere less than
 * 10/7 / (1 + m), which decides how many buckets there are: 1 % more than with
 * logarithms.  Only IEEE arithmetic, no library function (and no fused
 * multiply-add, see the Makefile), so a value is in the same bucket everywhere.
 *
 * Cells are as wide as the largest count needs.  The least shape, without empty
 * cells at the ends and with the narrowest cells, is what is stored and shown:
 * equal counts are equal bytes.  An aggregate's state has empty cells to grow
 * into.  Callers allocate; what changes a sketch in place says when it does not
 * fit.  All buckets of double are some 71,000 at 1 %; the durations between a
 * microsecond and a thousand years fall in 1,250.
 */
#include "sketch.h"

#include <string.h>

#include "sketch_bucket.h"

/* In merge_cells(): the cells of the other sketch, of a type, to those of the sketch. */
#define ADD_CELLS(type) \
	do \
	{\
		if (sketch->width == 0) \
			ADD_TO_CELLS(uint8_t, type); \
		else if (sketch->width == 1) \
			ADD_TO_CELLS(uint16_t, type); \
		else if (sketch->width == 2) \
			ADD_TO_CELLS(uint32_t, type); \
		else \
			ADD_TO_CELLS(uint64_t, type); \
	} while (0)
#define ADD_TO_CELLS(type, other_type) \
	for (int32_t i = 0; i < buckets->cells; i++) \
	((type *) cells)[i + shift] = (type) (((type *) cells)[i + shift] + ((const other_type *) more)[i])

/* Cells to grow into, at least. */
#define LEAST_GROWTH	8

static inline void *cells_of(const VsmSketch *sketch, bool negative);
static const VsmBuckets *buckets_of(const VsmSketch *sketch, bool negative);
static inline bool increment(void *cells, int width, int32_t cell);
static inline uint64_t read_cell(const void *cells, int width, int32_t cell);
static inline void write_cell(void *cells, int width, int32_t cell, uint64_t count);
static uint64_t bucket_count(const VsmSketch *sketch, bool negative, int32_t bucket);
static VsmBuckets used_buckets(const VsmSketch *sketch, bool negative, uint64_t *highest);
static VsmBuckets with_bucket(VsmBuckets buckets, int32_t bucket, int32_t last);
static VsmBuckets union_of(VsmBuckets a, VsmBuckets b);
static bool has_all(VsmBuckets buckets, VsmBuckets wanted);
static bool same_buckets(VsmBuckets a, VsmBuckets b);
static void copy_cells(VsmSketch *into, const VsmSketch *sketch, bool negative);
static void merge_cells(VsmSketch *sketch, const VsmSketch *other, bool negative);
static bool holds_cells(const VsmSketch *sketch, const VsmSketch *other, bool negative);
static void subtract_cells(VsmSketch *sketch, const VsmSketch *other, bool negative);
static bool equal_cells(const VsmSketch *a, const VsmSketch *b, bool negative);
static bool within(VsmBuckets buckets, int32_t last);

/* ---- Cells ---- */

static inline void *
cells_of(const VsmSketch *sketch, bool negative)
{
	size_t		before = negative ? 0 : (size_t) sketch->negative.cells << sketch->width;

	return (char *) (uintptr_t) sketch->cells + before;
}

static const VsmBuckets *
buckets_of(const VsmSketch *sketch, bool negative)
{
	return negative ? &sketch->negative : &sketch->positive;
}

/* False when the cell is at its highest count, or there is no such cell. */
static inline bool
increment(void *cells, int width, int32_t cell)
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

static inline uint64_t
read_cell(const void *cells, int width, int32_t cell)
{
	switch (width)
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
write_cell(void *cells, int width, int32_t cell, uint64_t count)
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

uint64_t
vsm_sketch_cell(const VsmSketch *sketch, bool negative, int32_t cell)
{
	return read_cell(cells_of(sketch, negative), sketch->width, cell);
}

void
vsm_sketch_set_cell(VsmSketch *sketch, bool negative, int32_t cell, uint64_t count)
{
	write_cell(cells_of(sketch, negative), sketch->width, cell, count);
}

static uint64_t
bucket_count(const VsmSketch *sketch, bool negative, int32_t bucket)
{
	const VsmBuckets *buckets = buckets_of(sketch, negative);

	if (bucket < buckets->first || bucket - buckets->first >= buckets->cells)
		return 0;
	return vsm_sketch_cell(sketch, negative, bucket - buckets->first);
}

int
vsm_sketch_width_for(uint64_t count)
{
	return count <= UINT8_MAX ? 0 : count <= UINT16_MAX ? 1
								: count <= UINT32_MAX	? 2
														: 3;
}

/* ---- Shapes ---- */

/* Without cells; sketch has room for a VsmSketch. */
void
vsm_sketch_init(VsmSketch *sketch, double rel_error)
{
	int32_t		vl_len_ = sketch->vl_len_;

	memset(sketch, 0, sizeof(VsmSketch));
	sketch->vl_len_ = vl_len_;
	sketch->version = VSM_SKETCH_VERSION;
	sketch->rel_error = rel_error;
}

/* In bytes. */
size_t
vsm_sketch_size(const VsmSketchShape *shape)
{
	return sizeof(VsmSketch) + (((size_t) shape->negative.cells + (size_t) shape->positive.cells) << shape->width);
}

VsmSketchShape
vsm_sketch_shape(const VsmSketch *sketch)
{
	return (VsmSketchShape){.width = sketch->width, .negative = sketch->negative, .positive = sketch->positive};
}

/* The one that is stored. */
VsmSketchShape
vsm_sketch_least_shape(const VsmSketch *sketch)
{
	VsmSketchShape shape;
	uint64_t	highest = 0;

	shape.negative = used_buckets(sketch, true, &highest);
	shape.positive = used_buckets(sketch, false, &highest);
	shape.width = vsm_sketch_width_for(highest);
	return shape;
}

/* What the sketch needs when there was no room for the value, and more to grow into. */
VsmSketchShape
vsm_sketch_shape_to_add(const VsmSketch *sketch, double value)
{
	VsmSketchShape shape = vsm_sketch_shape(sketch);
	bool		negative = value < 0;
	VsmBuckets *buckets = negative ? &shape.negative : &shape.positive;
	int32_t		bucket = sketch_bucket_of(sketch_bits_of(value) & ~SIGN_BIT, sketch_multiplier_of(sketch->rel_error));

	if (buckets->cells > 0 && bucket >= buckets->first && bucket - buckets->first < buckets->cells)
		shape.width++;
	else
		*buckets = with_bucket(*buckets, bucket, vsm_sketch_last_bucket(sketch->rel_error));
	return shape;
}

/* What both need together.  The cells are as wide as the number of values, so no sum of two is too large. */
VsmSketchShape
vsm_sketch_shape_to_merge(const VsmSketch *sketch, const VsmSketch *other)
{
	VsmSketchShape shape;
	int			width = vsm_sketch_width_for(sketch->count + other->count);

	shape.negative = union_of(sketch->negative, other->negative);
	shape.positive = union_of(sketch->positive, other->positive);
	shape.width = width > sketch->width ? width : sketch->width;
	return shape;
}

bool
vsm_sketch_fits(const VsmSketch *sketch, const VsmSketchShape *shape)
{
	return shape->width <= sketch->width && has_all(sketch->negative, shape->negative) && has_all(sketch->positive, shape->positive);
}

/* into has vsm_sketch_size() bytes; the shape has all that the sketch holds. */
void
vsm_sketch_reshape(VsmSketch *into, const VsmSketch *sketch, const VsmSketchShape *shape)
{
	vsm_sketch_init(into, sketch->rel_error);
	into->width = (uint8_t) shape->width;
	into->count = sketch->count;
	into->zeros = sketch->zeros;
	into->negative = shape->negative;
	into->positive = shape->positive;
	memset(into->cells, 0, vsm_sketch_size(shape) - sizeof(VsmSketch));
	copy_cells(into, sketch, true);
	copy_cells(into, sketch, false);
}

/* Those from the first that holds a value to the last; *highest grows with their counts. */
static VsmBuckets
used_buckets(const VsmSketch *sketch, bool negative, uint64_t *highest)
{
	const VsmBuckets *buckets = buckets_of(sketch, negative);
	const void *cells = cells_of(sketch, negative);
	int32_t		first = -1;
	int32_t		last = -1;

	for (int32_t i = 0; i < buckets->cells; i++)
	{
		uint64_t	count = read_cell(cells, sketch->width, i);

		if (count == 0)
			continue;
		if (first < 0)
			first = i;
		last = i;
		if (count > *highest)
			*highest = count;
	}
	if (first < 0)
		return (VsmBuckets){0, 0};
	return (VsmBuckets){buckets->first + first, last - first + 1};
}

/* Grows by half on the side where the bucket lies. */
static VsmBuckets
with_bucket(VsmBuckets buckets, int32_t bucket, int32_t last)
{
	int32_t		growth = buckets.cells / 2 > LEAST_GROWTH ? buckets.cells / 2 : LEAST_GROWTH;
	int32_t		from = bucket;
	int32_t		to = bucket;

	if (buckets.cells == 0)
	{
		from -= LEAST_GROWTH;
		to += LEAST_GROWTH;
	}
	else if (bucket < buckets.first)
	{
		from -= growth;
		to = buckets.first + buckets.cells - 1;
	}
	else
	{
		from = buckets.first;
		to += growth;
	}
	if (from < 0)
		from = 0;
	if (to > last)
		to = last;
	return (VsmBuckets){from, to - from + 1};
}

static VsmBuckets
union_of(VsmBuckets a, VsmBuckets b)
{
	int32_t		first = a.first < b.first ? a.first : b.first;
	int32_t		end = a.first + a.cells > b.first + b.cells ? a.first + a.cells : b.first + b.cells;

	if (a.cells == 0)
		return b;
	if (b.cells == 0)
		return a;
	return (VsmBuckets){first, end - first};
}

static bool
has_all(VsmBuckets buckets, VsmBuckets wanted)
{
	return wanted.cells == 0 ||
		(wanted.first >= buckets.first && wanted.first + wanted.cells <= buckets.first + buckets.cells);
}

static bool
same_buckets(VsmBuckets a, VsmBuckets b)
{
	return a.first == b.first && a.cells == b.cells;
}

static void
copy_cells(VsmSketch *into, const VsmSketch *sketch, bool negative)
{
	uint64_t	highest = 0;
	VsmBuckets	used = used_buckets(sketch, negative, &highest);

	for (int32_t i = 0; i < used.cells; i++)
		vsm_sketch_set_cell(into, negative, used.first + i - buckets_of(into, negative)->first,
							bucket_count(sketch, negative, used.first + i));
}

/* ---- What changes a sketch ---- */

/* value is finite.  False: reshape it to vsm_sketch_shape_to_add() and try again. */
bool
vsm_sketch_add(VsmSketch *sketch, double value)
{
	uint64_t	bits = sketch_bits_of(value);
	uint64_t	magnitude = bits & ~SIGN_BIT;
	bool		negative = bits != magnitude;
	const VsmBuckets *buckets = buckets_of(sketch, negative);
	int32_t		cell;

	if (magnitude == 0)
	{
		sketch->count++;
		sketch->zeros++;
		return true;
	}
	cell = sketch_bucket_of(magnitude, sketch_multiplier_of(sketch->rel_error)) - buckets->first;
	if (cell < 0 || cell >= buckets->cells)
		return false;
	if (!increment(cells_of(sketch, negative), sketch->width, cell))
		return false;
	sketch->count++;
	return true;
}

/* False: the sketch does not hold such a value. */
bool
vsm_sketch_remove(VsmSketch *sketch, double value)
{
	bool		negative = value < 0;
	const VsmBuckets *buckets = buckets_of(sketch, negative);

	if (value == 0)
	{
		if (sketch->zeros == 0)
			return false;
		sketch->zeros--;
	}
	else
	{
		int32_t		cell = sketch_bucket_of(sketch_bits_of(value) & ~SIGN_BIT, sketch_multiplier_of(sketch->rel_error)) - buckets->first;
		uint64_t	count = cell >= 0 && cell < buckets->cells ? vsm_sketch_cell(sketch, negative, cell) : 0;
		if (count == 0)
			return false;
		vsm_sketch_set_cell(sketch, negative, cell, count - 1);
	}
	sketch->count--;
	return true;
}

/* The sketch fits vsm_sketch_shape_to_merge(); both have the same error. */
void
vsm_sketch_merge(VsmSketch *sketch, const VsmSketch *other)
{
	sketch->count += other->count;
	sketch->zeros += other->zeros;
	merge_cells(sketch, other, true);
	merge_cells(sketch, other, false);
}

/* False, and nothing is changed: the other one holds a value that the sketch does not hold. */
bool
vsm_sketch_subtract(VsmSketch *sketch, const VsmSketch *other)
{
	if (other->zeros > sketch->zeros || !holds_cells(sketch, other, true) || !holds_cells(sketch, other, false))
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
	const VsmBuckets *buckets = buckets_of(other, negative);
	int32_t		shift = buckets->first - buckets_of(sketch, negative)->first;
	void	   *cells = cells_of(sketch, negative);
	const void *more = cells_of(other, negative);

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
	const VsmBuckets *buckets = buckets_of(other, negative);

	for (int32_t i = 0; i < buckets->cells; i++)
		if (vsm_sketch_cell(other, negative, i) > bucket_count(sketch, negative, buckets->first + i))
			return false;
	return true;
}

static void
subtract_cells(VsmSketch *sketch, const VsmSketch *other, bool negative)
{
	const VsmBuckets *buckets = buckets_of(other, negative);
	int32_t		shift = buckets->first - buckets_of(sketch, negative)->first;

	for (int32_t i = 0; i < buckets->cells; i++)
	{
		uint64_t	count = vsm_sketch_cell(other, negative, i);

		if (count > 0)
			vsm_sketch_set_cell(sketch, negative, i + shift, vsm_sketch_cell(sketch, negative, i + shift) - count);
	}
}

bool
vsm_sketch_equal(const VsmSketch *a, const VsmSketch *b)
{
	return a->rel_error == b->rel_error && a->count == b->count && a->zeros == b->zeros && equal_cells(a, b, true) && equal_cells(a, b, false);
}

static bool
equal_cells(const VsmSketch *a, const VsmSketch *b, bool negative)
{
	uint64_t	highest = 0;
	VsmBuckets	used = used_buckets(a, negative, &highest);
	uint64_t	unneeded = 0;

	if (!same_buckets(used, used_buckets(b, negative, &unneeded)))
		return false;
	for (int32_t i = 0; i < used.cells; i++)
		if (bucket_count(a, negative, used.first + i) != bucket_count(b, negative, used.first + i))
			return false;
	return true;
}

/* ---- What comes from outside ---- */

int32_t
vsm_sketch_last_bucket(double rel_error)
{
	return sketch_bucket_of(INFINITY_BITS - 1, sketch_multiplier_of(rel_error));
}

/*
 * vsm_sketch_header_objection
 *		What is wrong with the header of size bytes that are said to be a sketch; NULL: nothing.
 *
 * With a header that is right, none of the functions here leaves these bytes.
 */
const char *
vsm_sketch_header_objection(const VsmSketch *sketch, size_t size)
{
	int32_t		last;

	if (size < sizeof(VsmSketch))
		return "it is too short";
	if (sketch->version != VSM_SKETCH_VERSION)
		return "its version is not known";
	if (sketch->width > 3 || sketch->unused != 0)
		return "its header is not a sketch's";
	if (!(sketch->rel_error >= VSM_SKETCH_MIN_ERROR && sketch->rel_error <= VSM_SKETCH_MAX_ERROR))
		return "its relative error is out of range";
	last = vsm_sketch_last_bucket(sketch->rel_error);
	if (!within(sketch->negative, last) || !within(sketch->positive, last))
		return "its buckets are out of range";
	if (size != vsm_sketch_size(&(VsmSketchShape){.width = sketch->width, .negative = sketch->negative, .positive = sketch->positive}))
		return "its length does not fit its buckets";
	return NULL;
}

/*
 * vsm_sketch_objection
 *		What is wrong with size bytes that are said to be a sketch; NULL: nothing.
 */
const char *
vsm_sketch_objection(const VsmSketch *sketch, size_t size)
{
	const char *objection = vsm_sketch_header_objection(sketch, size);
	uint64_t	count;

	if (objection != NULL)
		return objection;
	count = sketch->zeros;
	for (int32_t i = 0; count <= INT64_MAX && i < sketch->negative.cells + sketch->positive.cells; i++)
	{
		uint64_t	more = read_cell(sketch->cells, sketch->width, i);

		count = more > INT64_MAX ? more : count + more;
	}
	if (count > INT64_MAX)
		return "it holds too many values";
	return count == sketch->count ? NULL : "its number of values is not the sum of its counts";
}

static bool
within(VsmBuckets buckets, int32_t last)
{
	if (buckets.cells == 0)
		return buckets.first == 0;
	return buckets.first >= 0 && buckets.cells > 0 && buckets.first <= last && buckets.cells - 1 <= last - buckets.first;
}

/* Is it in its least shape, as it is to be stored? */
bool
vsm_sketch_is_least(const VsmSketch *sketch)
{
	VsmSketchShape shape = vsm_sketch_least_shape(sketch);

	return shape.width == sketch->width && same_buckets(shape.negative, sketch->negative) &&
		same_buckets(shape.positive, sketch->positive);
}
