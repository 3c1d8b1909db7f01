/*
 * sketch_walk.c
 *		What a sketch says about its values, by a walk through its buckets.
 *
 * The walk goes from the lowest value to the highest: the negative cells backwards,
 * because they are in the order of their magnitudes, then the zeros, then the
 * positive cells.
 */
#include "sketch_walk.h"

#include <float.h>
#include <math.h>

#include "rank.h"
#include "sketch_bucket.h"

static double value_of(const VsmSketchCursor *cursor);

/*
 * vsm_sketch_percentile
 *		A value within the relative error of the one with that rank.
 *
 * The sketch is not empty.
 */
double
vsm_sketch_percentile(const VsmSketch *sketch, double fraction)
{
	uint64_t	wanted = vsm_percentile_rank(fraction, sketch->count);
	VsmSketchCursor cursor;

	for (vsm_sketch_begin(&cursor, sketch); vsm_sketch_next(&cursor) && cursor.count < wanted;)
		wanted -= cursor.count;
	return value_of(&cursor);
}

/* The number of values at or below a value; those in its bucket count. */
uint64_t
vsm_sketch_rank(const VsmSketch *sketch, double value)
{
	int64_t		place = sketch->negative.cells;
	uint64_t	rank = 0;
	VsmSketchCursor cursor;

	if (value != 0)
	{
		int64_t		bucket = isinf(value) ? INT32_MAX : sketch_bucket_of_value(value, sketch->rel_error);

		place += value < 0 ? sketch->negative.first - 1 - bucket : 1 + bucket - sketch->positive.first;
		if (value > 0 && place <= sketch->negative.cells)
			place = sketch->negative.cells;
		else if (value < 0 && place >= sketch->negative.cells)
			place = sketch->negative.cells - 1;
	}
	for (vsm_sketch_begin(&cursor, sketch); vsm_sketch_next(&cursor) && cursor.place <= place;)
		rank += cursor.count;
	return rank;
}

/*
 * Adds the values of the bucket.  A sum over the walk is within the relative error
 * when all values have one sign.
 */
void
vsm_sketch_add_to_sum(const VsmSketchCursor *cursor, double *sum)
{
	*sum += value_of(cursor) * (double) cursor->count;
}

/* Before the first bucket. */
void
vsm_sketch_begin(VsmSketchCursor *cursor, const VsmSketch *sketch)
{
	cursor->sketch = sketch;
	cursor->place = -1;
	cursor->count = 0;
}

/* Moves to the next bucket that holds values; false after the last. */
bool
vsm_sketch_next(VsmSketchCursor *cursor)
{
	const VsmSketch *sketch = cursor->sketch;
	int64_t		negative = sketch->negative.cells;
	int64_t		end = negative + 1 + sketch->positive.cells;

	while (++cursor->place < end)
	{
		if (cursor->place == negative)
			cursor->count = sketch->zeros;
		else if (cursor->place < negative)
			cursor->count = vsm_sketch_cell(sketch, true, (int32_t) (negative - 1 - cursor->place));
		else
			cursor->count = vsm_sketch_cell(sketch, false, (int32_t) (cursor->place - negative - 1));
		if (cursor->count > 0)
			return true;
	}
	return false;
}

/*
 * The values of the bucket lie from lower to upper; of the bounds, only the one
 * with the smaller magnitude is in it.
 */
void
vsm_sketch_bounds(const VsmSketchCursor *cursor, double *lower, double *upper)
{
	const VsmSketch *sketch = cursor->sketch;
	int64_t		place = cursor->place - sketch->negative.cells;
	double		multiplier = sketch_multiplier_of(sketch->rel_error);
	int32_t		bucket;

	*lower = *upper = 0;
	if (place == 0)
		return;
	bucket = place < 0 ? sketch->negative.first - 1 - (int32_t) place
					   : sketch->positive.first + (int32_t) place - 1;
	*lower = sketch_lower_bound(bucket, multiplier);
	*upper = sketch_lower_bound(bucket + 1, multiplier);
	if (place < 0)
	{
		double		swap = *lower;

		*lower = -*upper;
		*upper = -swap;
	}
}

/* No farther from either bound than the relative error. */
static double
value_of(const VsmSketchCursor *cursor)
{
	double		lower;
	double		upper;

	vsm_sketch_bounds(cursor, &lower, &upper);
	/* the last bucket ends where double does */
	lower = fmax(lower, -DBL_MAX);
	upper = fmin(upper, DBL_MAX);
	if (lower < 0)
		return upper * (2.0 / (1.0 + upper / lower));
	return upper == 0 ? lower : lower * (2.0 / (1.0 + lower / upper));
}
