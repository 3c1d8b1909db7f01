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
 * is within rel_error of each value in the bucket.  A sketch is its counts:
 * merging adds them and removing subtracts them, in any order with the same
 * result.  No bucket is ever collapsed into another.
 *
 * The bucket of a value is a sum and three products on the exponent and the
 * mantissa m of the double.  A cubic in m stands for log2(1 + m): it agrees at
 * both ends with the same slope, and its slope is nowhere less than 10/7 / (1 + m),
 * which decides how many buckets there are: 1 % more than with logarithms.  Only
 * IEEE arithmetic is used, no library function and no fused multiply-add (see the
 * Makefile), so a value falls in the same bucket on every machine.
 *
 * The least shape has no empty cells at the ends and the narrowest cells that hold
 * the counts.  A sketch is stored and shown in its least shape, so equal counts are
 * equal bytes.  The state of an aggregate has empty cells to grow into.  The callers
 * allocate; what changes a sketch in place (sketch_change.c) reports that it does
 * not fit.
 *
 * At 1 %, some 71,000 buckets cover all doubles; 1,250 of them cover the durations
 * from a microsecond to a thousand years.
 */
#include "sketch.h"

#include <string.h>

#include "sketch_bucket.h"

#define LEAST_GROWTH	8		/* cells */

static VsmBuckets used_buckets(const VsmSketch *sketch, bool negative, uint64_t *highest);
static VsmBuckets with_bucket(VsmBuckets buckets, int32_t bucket, int32_t last);
static VsmBuckets bucket_union(VsmBuckets a, VsmBuckets b);
static bool has_buckets(VsmBuckets buckets, VsmBuckets wanted);
static bool same_buckets(VsmBuckets a, VsmBuckets b);
static void copy_cells(VsmSketch *into, const VsmSketch *sketch, bool negative);
static bool equal_cells(const VsmSketch *a, const VsmSketch *b, bool negative);
static bool within_range(VsmBuckets buckets, int32_t last);

/* ---- Shapes ---- */

/* The narrowest cells that hold the count. */
int
vsm_sketch_width_for(uint64_t count)
{
	return count <= UINT8_MAX ? 0 : count <= UINT16_MAX ? 1
								: count <= UINT32_MAX	? 2
														: 3;
}

/* An empty sketch without cells, where there is room for a VsmSketch. */
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
	size_t		cells = (size_t) shape->negative.cells + (size_t) shape->positive.cells;

	return sizeof(VsmSketch) + (cells << shape->width);
}

VsmSketchShape
vsm_sketch_shape(const VsmSketch *sketch)
{
	return (VsmSketchShape){.width = sketch->width, .negative = sketch->negative, .positive = sketch->positive};
}

/* The shape in which the sketch is stored. */
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

/* A shape with room for the value, which the sketch has not, and more to grow into. */
VsmSketchShape
vsm_sketch_shape_to_add(const VsmSketch *sketch, double value)
{
	VsmSketchShape shape = vsm_sketch_shape(sketch);
	bool		negative = value < 0;
	VsmBuckets *buckets = negative ? &shape.negative : &shape.positive;
	int32_t		bucket = sketch_bucket_of_value(value, sketch->rel_error);

	if (buckets->cells > 0 && bucket >= buckets->first && bucket - buckets->first < buckets->cells)
		shape.width++;
	else
		*buckets = with_bucket(*buckets, bucket, vsm_sketch_last_bucket(sketch->rel_error));
	return shape;
}

/*
 * A shape for the values of both.  Its cells hold the number of all values, so no
 * sum of two cells is too large.
 */
VsmSketchShape
vsm_sketch_shape_to_merge(const VsmSketch *sketch, const VsmSketch *other)
{
	VsmSketchShape shape;
	int			width = vsm_sketch_width_for(sketch->count + other->count);

	shape.negative = bucket_union(sketch->negative, other->negative);
	shape.positive = bucket_union(sketch->positive, other->positive);
	shape.width = width > sketch->width ? width : sketch->width;
	return shape;
}

bool
vsm_sketch_fits(const VsmSketch *sketch, const VsmSketchShape *shape)
{
	return shape->width <= sketch->width && has_buckets(sketch->negative, shape->negative) &&
		has_buckets(sketch->positive, shape->positive);
}

/*
 * Copies the sketch to vsm_sketch_size() bytes in another shape, which has a cell
 * for each value it holds.
 */
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

/*
 * From the first bucket that holds a value to the last; *highest becomes the
 * largest count if it is smaller.
 */
static VsmBuckets
used_buckets(const VsmSketch *sketch, bool negative, uint64_t *highest)
{
	const VsmBuckets *buckets = vsm_sketch_buckets(sketch, negative);
	int32_t		first = -1;
	int32_t		last = -1;

	for (int32_t i = 0; i < buckets->cells; i++)
	{
		uint64_t	count = vsm_sketch_cell(sketch, negative, i);

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

/* Adds the bucket, and half as many cells as there are on its side. */
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
bucket_union(VsmBuckets a, VsmBuckets b)
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
has_buckets(VsmBuckets buckets, VsmBuckets wanted)
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
		vsm_sketch_set_cell(into, negative, used.first + i - vsm_sketch_buckets(into, negative)->first,
							vsm_sketch_bucket_count(sketch, negative, used.first + i));
}

/* ---- Equality ---- */

bool
vsm_sketch_equal(const VsmSketch *a, const VsmSketch *b)
{
	return a->rel_error == b->rel_error && a->count == b->count && a->zeros == b->zeros &&
		equal_cells(a, b, true) && equal_cells(a, b, false);
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
		if (vsm_sketch_bucket_count(a, negative, used.first + i) !=
			vsm_sketch_bucket_count(b, negative, used.first + i))
			return false;
	return true;
}

/* ---- Validity of bytes from outside ---- */

int32_t
vsm_sketch_last_bucket(double rel_error)
{
	return sketch_bucket_of(INFINITY_BITS - 1, sketch_multiplier_of(rel_error));
}

/*
 * vsm_sketch_header_objection
 *		What is wrong with the header of a sketch of that many bytes; NULL: nothing.
 *
 * Given a valid header, no function here reads or writes beyond these bytes.
 */
const char *
vsm_sketch_header_objection(const VsmSketch *sketch, size_t size)
{
	VsmSketchShape shape;
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
	if (!within_range(sketch->negative, last) || !within_range(sketch->positive, last))
		return "its buckets are out of range";
	shape = vsm_sketch_shape(sketch);
	if (size != vsm_sketch_size(&shape))
		return "its length does not fit its buckets";
	return NULL;
}

/*
 * vsm_sketch_objection
 *		What is wrong with a sketch of that many bytes, header and counts; NULL: nothing.
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
		/* the cells of the positive buckets follow those of the negative ones */
		uint64_t	more = vsm_sketch_cell(sketch, true, i);

		count = more > INT64_MAX ? more : count + more;
	}
	if (count > INT64_MAX)
		return "it holds too many values";
	return count == sketch->count ? NULL : "its number of values is not the sum of its counts";
}

static bool
within_range(VsmBuckets buckets, int32_t last)
{
	if (buckets.cells == 0)
		return buckets.first == 0;
	return buckets.first >= 0 && buckets.cells > 0 &&
		buckets.first <= last && buckets.cells - 1 <= last - buckets.first;
}

/* Whether the sketch is in its least shape, as it must be when it is stored. */
bool
vsm_sketch_is_least(const VsmSketch *sketch)
{
	VsmSketchShape shape = vsm_sketch_least_shape(sketch);

	return shape.width == sketch->width && same_buckets(shape.negative, sketch->negative) &&
		same_buckets(shape.positive, sketch->positive);
}
