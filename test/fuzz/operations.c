/*
 * operations.c
 *		Compares src/sketch*.c with a list of counts, after any operations.
 *
 * Each byte of input chooses an operation on one of three sketches, the next
 * ones its value.  Sketches lie in memory of just their size.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "percentiles/sketch.h"
#include "percentiles/sketch_change.h"
#include "percentiles/sketch_walk.h"
#include "percentiles/sketch_bucket.h"

#define SKETCHES	3
#define MOST_PLACES 600

/* How many values there are at a place: a bucket from 1, with the sign of its values, or 0. */
typedef struct Count
{
	int64_t		place;
	uint64_t	count;
} Count;

typedef struct Model
{
	Count		counts[MOST_PLACES];
	int			places;
	uint64_t	total;
} Model;

typedef struct Input
{
	const uint8_t *data;
	size_t		left;
} Input;

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what);
static uint8_t next_byte(Input *input);
static double next_value(Input *input, double rel_error);
static int64_t place_of(const VsmSketch *sketch, double value);
static uint64_t *count_at(Model *model, int64_t place);
static VsmSketch *shaped(const VsmSketch *sketch, VsmSketchShape shape);
static VsmSketch *empty(double rel_error);
static void reshape(VsmSketch **sketch, VsmSketchShape shape);
static void add(VsmSketch **sketch, Model *model, double value);
static void take_out(VsmSketch *sketch, Model *model, double value);
static void merge(VsmSketch **sketch, Model *model, const VsmSketch *other, const Model *other_model);
static void subtract(VsmSketch *sketch, Model *model, const VsmSketch *other, const Model *other_model);
static void ask(const VsmSketch *sketch, Model *model, double fraction, double value);
static void compare(const VsmSketch *sketch, Model *model);
static int	compare_places(const void *a, const void *b);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const double errors[] = {0.01, 0.2, 0.03, 0.05};
	static Model models[SKETCHES];
	VsmSketch  *sketches[SKETCHES];
	Input		input = {data, size};
	double		rel_error = errors[next_byte(&input) % 4];

	for (int i = 0; i < SKETCHES; i++)
	{
		sketches[i] = empty(rel_error);
		models[i].places = 0;
		models[i].total = 0;
	}
	while (input.left > 0)
	{
		uint8_t		byte = next_byte(&input);
		int			i = byte % SKETCHES;
		int			other = byte / SKETCHES % SKETCHES;
		VsmSketch **sketch = &sketches[i];

		switch (byte / SKETCHES / SKETCHES % 9)
		{
			case 0:
			case 1:
			case 2:
				if (models[i].places < MOST_PLACES / 2)
					add(sketch, &models[i], next_value(&input, rel_error));
				break;
			case 3:
				take_out(*sketch, &models[i], next_value(&input, rel_error));
				break;
			case 4:
				merge(sketch, &models[i], sketches[other], &models[other]);
				break;
			case 5:
				subtract(*sketch, &models[i], sketches[other], &models[other]);
				break;
			case 6:
				reshape(sketch, vsm_sketch_least_shape(*sketch));
				require(vsm_sketch_is_least(*sketch), "the least shape is the least one");
				break;
			case 7:
				ask(*sketch, &models[i], next_byte(&input) / 255.0, next_value(&input, rel_error));
				break;
			default:
				/* in any shape it equals itself */
				{
					VsmSketch  *copy = shaped(*sketch, vsm_sketch_least_shape(*sketch));

					require(vsm_sketch_equal(*sketch, copy) && vsm_sketch_equal(copy, *sketch), "equal counts are equal");
					if (copy->count > 0)
						require(!vsm_sketch_equal(*sketch, sketches[other]) || models[i].total == models[other].total, "other counts are others");
					free(copy);
				}
		}
		compare(*sketch, &models[i]);
	}
	for (int i = 0; i < SKETCHES; i++)
		free(sketches[i]);
	return 0;
}

static void
require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "this does not hold: %s\n", what);
	abort();
}

static uint8_t
next_byte(Input *input)
{
	if (input->left == 0)
		return 0;
	input->left--;
	return *input->data++;
}

/* Finite; of any magnitude only where there are few buckets, since each operation looks at all of them. */
static double
next_value(Input *input, double rel_error)
{
	uint8_t		kind = next_byte(input);
	uint64_t	bits = 0;

	if (kind < 128)
		return (kind % 64 - 20) * (kind < 64 ? 1 : 0.3);
	if (kind < 192 || rel_error < 0.1)
		return (next_byte(input) - 100) * pow(2, kind % 16);
	for (int i = 0; i < 8; i++)
		bits = bits << 8 | next_byte(input);
	if ((bits & INFINITY_BITS) == INFINITY_BITS)
		bits ^= UINT64_C(1) << MANTISSA_BITS;
	return sketch_double_of(bits);
}

/* And the bucket's bounds hold the value. */
static int64_t
place_of(const VsmSketch *sketch, double value)
{
	double		multiplier = sketch_multiplier_of(sketch->rel_error);
	double		gamma = (1 + sketch->rel_error) / (1 - sketch->rel_error);
	int32_t		bucket;
	double		lower;
	double		upper;

	if (value == 0)
		return 0;
	bucket = sketch_bucket_of(sketch_bits_of(fabs(value)), multiplier);
	lower = sketch_lower_bound(bucket, multiplier);
	upper = sketch_lower_bound(bucket + 1, multiplier);
	require(bucket >= 0 && bucket <= vsm_sketch_last_bucket(sketch->rel_error), "there is such a bucket");
	require(lower <= fabs(value) && fabs(value) < upper, "the bounds of a bucket hold its values");
	require(lower < 1e-307 || isinf(upper) || upper / lower <= gamma * (1 + 1e-12), "buckets are narrow");
	return value < 0 ? -1 - (int64_t) bucket : 1 + (int64_t) bucket;
}

static uint64_t *
count_at(Model *model, int64_t place)
{
	for (int i = 0; i < model->places; i++)
		if (model->counts[i].place == place)
			return &model->counts[i].count;
	require(model->places < MOST_PLACES, "the model is large enough");
	model->counts[model->places] = (Count){place, 0};
	return &model->counts[model->places++].count;
}

static VsmSketch *
shaped(const VsmSketch *sketch, VsmSketchShape shape)
{
	VsmSketch  *result = calloc(1, vsm_sketch_size(&shape));

	vsm_sketch_reshape(result, sketch, &shape);
	return result;
}

static VsmSketch *
empty(double rel_error)
{
	VsmSketch  *sketch = calloc(1, sizeof(VsmSketch));

	vsm_sketch_init(sketch, rel_error);
	return sketch;
}

static void
reshape(VsmSketch **sketch, VsmSketchShape shape)
{
	VsmSketch  *old = *sketch;

	*sketch = shaped(old, shape);
	require(vsm_sketch_fits(*sketch, &shape), "it fits the shape it was given");
	require(vsm_sketch_equal(old, *sketch), "a shape changes no counts");
	free(old);
}

static void
add(VsmSketch **sketch, Model *model, double value)
{
	if (model->total == INT64_MAX)
		return;
	if (!vsm_sketch_add(*sketch, value))
	{
		reshape(sketch, vsm_sketch_shape_to_add(*sketch, value));
		require(vsm_sketch_add(*sketch, value), "there is room for the value");
	}
	(*count_at(model, place_of(*sketch, value)))++;
	model->total++;
}

static void
take_out(VsmSketch *sketch, Model *model, double value)
{
	int64_t		place = place_of(sketch, value);
	bool		there = false;

	for (int i = 0; i < model->places && !there; i++)
		if (model->counts[i].place == place && model->counts[i].count > 0)
		{
			model->counts[i].count--;
			model->total--;
			there = true;
		}
	require(vsm_sketch_remove(sketch, value) == there, "a value is taken out where there is one");
}

static void
merge(VsmSketch **sketch, Model *model, const VsmSketch *other, const Model *other_model)
{
	VsmSketchShape shape;
	VsmSketch  *copy;
	Model		more = *other_model;

	if (model->total > INT64_MAX - more.total || model->places + more.places > MOST_PLACES)
		return;
	copy = shaped(other, vsm_sketch_shape(other));
	shape = vsm_sketch_shape_to_merge(*sketch, copy);
	if (!vsm_sketch_fits(*sketch, &shape))
		reshape(sketch, shape);
	vsm_sketch_merge(*sketch, copy);
	free(copy);
	for (int i = 0; i < more.places; i++)
		*count_at(model, more.counts[i].place) += more.counts[i].count;
	model->total += more.total;
}

static void
subtract(VsmSketch *sketch, Model *model, const VsmSketch *other, const Model *other_model)
{
	VsmSketch  *copy = shaped(other, vsm_sketch_shape(other));
	Model		less = *other_model;
	bool		part = true;

	for (int i = 0; i < less.places; i++)
		if (less.counts[i].count > 0)
		{
			int			j = 0;

			while (j < model->places && model->counts[j].place != less.counts[i].place)
				j++;
			part &= j < model->places && model->counts[j].count >= less.counts[i].count;
		}
	require(vsm_sketch_subtract(sketch, copy) == part, "what is part of a sketch can be subtracted, and nothing else");
	free(copy);
	for (int i = 0; part && i < less.places; i++)
		if (less.counts[i].count > 0)
			*count_at(model, less.counts[i].place) -= less.counts[i].count;
	if (part)
		model->total -= less.total;
}

/* compare() has sorted the model. */
static void
ask(const VsmSketch *sketch, Model *model, double fraction, double value)
{
	int64_t		asked = place_of(sketch, value);
	uint64_t	wanted = (uint64_t) fmax(1, ceil(fraction * (double) model->total));
	uint64_t	rank = 0;
	int64_t		place = 0;
	bool		found = false;
	double		told;

	compare(sketch, model);
	for (int i = 0; i < model->places; i++)
		if (model->counts[i].place <= asked)
			rank += model->counts[i].count;
	require(vsm_sketch_rank(sketch, value) == rank, "the rank is the number of values at or below the bucket");
	require(vsm_sketch_rank(sketch, INFINITY) == model->total && vsm_sketch_rank(sketch, -INFINITY) == 0, "all are below infinity");
	if (model->total == 0 || model->total > UINT64_C(1) << 50)
		return;
	rank = 0;
	for (int i = 0; i < model->places && !found; i++)
	{
		rank += model->counts[i].count;
		place = model->counts[i].place;
		found = rank >= wanted;
	}
	told = vsm_sketch_percentile(sketch, fraction);
	require(isfinite(told) && place_of(sketch, told) == place, "the percentile lies in the bucket of its rank");
}

static void
compare(const VsmSketch *sketch, Model *model)
{
	VsmSketchShape shape = vsm_sketch_shape(sketch);
	VsmSketchCursor cursor;
	const char *objection = vsm_sketch_objection(sketch, vsm_sketch_size(&shape));
	int			i = 0;

	require(objection == NULL, objection);
	require(sketch->count == model->total, "it has as many values as were added");
	qsort(model->counts, (size_t) model->places, sizeof(Count), compare_places);
	for (vsm_sketch_begin(&cursor, sketch); vsm_sketch_next(&cursor);)
	{
		int64_t		place = cursor.place - sketch->negative.cells;

		place = place < 0 ? place - sketch->negative.first : place > 0 ? place + sketch->positive.first : 0;
		while (i < model->places && model->counts[i].count == 0)
			i++;
		require(i < model->places && model->counts[i].place == place, "there is a value where one was added");
		require(model->counts[i].count == cursor.count, "and as many as were added");
		i++;
	}
	while (i < model->places && model->counts[i].count == 0)
		i++;
	require(i == model->places, "no value is lost");
}

static int
compare_places(const void *a, const void *b)
{
	int64_t		first = ((const Count *) a)->place;
	int64_t		second = ((const Count *) b)->place;

	return first < second ? -1 : first > second;
}
