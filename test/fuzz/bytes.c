/*
 * bytes.c
 *		Fuzzes src/sketch*.c with bytes that a damaged table may hold.
 *
 * Whatever the cells hold, nothing may read or write elsewhere as long as
 * vsm_sketch_header_objection() has none.  What comes out may be nonsense.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "percentiles/sketch.h"
#include "percentiles/sketch_change.h"
#include "percentiles/sketch_walk.h"

#define MOST_BYTES	100000		/* that are worth the time */

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static VsmSketch *shaped(const VsmSketch *sketch, VsmSketchShape shape);
static void read_all(const VsmSketch *sketch);
static void change_all(const VsmSketch *sketch, const VsmSketch *other);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VsmSketch  *sketch = malloc(size > sizeof(VsmSketch) ? size : sizeof(VsmSketch));
	VsmSketch	none;
	VsmSketch  *other;

	memset(sketch, 0, sizeof(VsmSketch));
	memcpy(sketch, data, size);
	/* A length that does not fit says little about the rest. */
	if (size >= sizeof(VsmSketch) && data[0] % 8 != 0)
	{
		int32_t		cells = (int32_t) ((size - sizeof(VsmSketch)) >> (sketch->width &= 3));

		size = sizeof(VsmSketch) + ((size_t) cells << sketch->width);
		sketch->version = VSM_SKETCH_VERSION;
		sketch->unused = 0;
		if (!(sketch->rel_error >= VSM_SKETCH_MIN_ERROR && sketch->rel_error <= VSM_SKETCH_MAX_ERROR))
			sketch->rel_error = data[1] % 2 ? VSM_SKETCH_DEFAULT_ERROR : 0.15;
		sketch->negative.cells = cells == 0 ? 0 : (int32_t) ((uint32_t) sketch->negative.cells % ((uint32_t) cells + 1));
		sketch->positive.cells = cells - sketch->negative.cells;
		if (data[2] % 4 != 0)
		{
			sketch->negative.first = sketch->negative.cells ? (int32_t) ((uint32_t) sketch->negative.first % 4000) : 0;
			sketch->positive.first = sketch->positive.cells ? (int32_t) ((uint32_t) sketch->positive.first % 4000) : 0;
		}
	}
	if (vsm_sketch_header_objection(sketch, size) == NULL)
	{
		vsm_sketch_init(&none, sketch->rel_error);
		other = shaped(&none, vsm_sketch_shape_to_add(&none, 12));
		for (int i = 0; i < 40; i++)
			(void) vsm_sketch_add(other, 12 + i % 2);
		(void) vsm_sketch_objection(sketch, size);
		read_all(sketch);
		change_all(sketch, other);
		change_all(other, sketch);
		change_all(sketch, sketch);
		free(other);
	}
	free(sketch);
	return 0;
}

static VsmSketch *
shaped(const VsmSketch *sketch, VsmSketchShape shape)
{
	VsmSketch  *result = calloc(1, vsm_sketch_size(&shape));

	vsm_sketch_reshape(result, sketch, &shape);
	return result;
}

static void
read_all(const VsmSketch *sketch)
{
	static const double values[] = {0, 1, -1, 1e300, -1e300, 5e-324, INFINITY, -INFINITY};
	VsmSketchCursor cursor;
	double		lower;
	double		upper;
	double		sum = 0;
	int			left = 10;

	for (double fraction = 0; fraction <= 1; fraction += 0.5)
		(void) vsm_sketch_percentile(sketch, fraction);
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		(void) vsm_sketch_rank(sketch, values[i]);
	for (vsm_sketch_begin(&cursor, sketch); left-- > 0 && vsm_sketch_next(&cursor);)
	{
		vsm_sketch_bounds(&cursor, &lower, &upper);
		vsm_sketch_add_to_sum(&cursor, &sum);
	}
	(void) vsm_sketch_is_least(sketch);
	(void) vsm_sketch_equal(sketch, sketch);
}

/* What the aggregates and the operators do. */
static void
change_all(const VsmSketch *sketch, const VsmSketch *other)
{
	VsmSketch  *copy = shaped(sketch, vsm_sketch_shape(sketch));
	VsmSketch  *least;

	if (!vsm_sketch_add(copy, -0.5))
	{
		VsmSketch  *larger = shaped(copy, vsm_sketch_shape_to_add(copy, -0.5));

		(void) vsm_sketch_add(larger, -0.5);
		free(larger);
	}
	(void) vsm_sketch_remove(copy, 12);
	(void) vsm_sketch_remove(copy, 0);
	(void) vsm_sketch_subtract(copy, other);
	free(copy);
	if (sketch->count <= INT64_MAX && other->count <= INT64_MAX - sketch->count)
	{
		VsmSketchShape shape = vsm_sketch_shape_to_merge(sketch, other);

		if (vsm_sketch_size(&shape) > MOST_BYTES)
			return;
		copy = shaped(sketch, shape);
		vsm_sketch_merge(copy, other);
		read_all(copy);
		least = shaped(copy, vsm_sketch_least_shape(copy));
		read_all(least);
		free(least);
		free(copy);
	}
}
