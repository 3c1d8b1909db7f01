/*
 * check.c
 *		What holds for every sketch that was let in.
 */
#include "server.h"

#include <math.h>

#define MOST_CELLS 300			/* that are worth a walk: to find bounds takes time */

static const VsmSketch *binary_copy(const VsmSketch *sketch);
static bool same_bytes(const VsmSketch *a, const VsmSketch *b);

void
fuzz_require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "this does not hold: %s\n", what);
	abort();
}

/* b is not used by functions of one argument. */
Datum
fuzz_call(PGFunction function, Datum a, Datum b)
{
	LOCAL_FCINFO(fcinfo, 2);

	InitFunctionCallInfoData(*fcinfo, NULL, 2, InvalidOid, NULL, NULL);
	fcinfo->args[0] = (NullableDatum){.value = a};
	fcinfo->args[1] = (NullableDatum){.value = b};
	return function(fcinfo);
}

/* One that came from vsm_sketch_in() or vsm_sketch_recv(). */
void
fuzz_check(const VsmSketch *sketch)
{
	Datum		datum = PointerGetDatum(sketch);
	Datum		text = fuzz_call(vsm_sketch_out, datum, 0);
	const VsmSketch *again = (const VsmSketch *) DatumGetPointer(fuzz_call(vsm_sketch_in, text, 0));
	const VsmSketch *rest;

	fuzz_require(vsm_sketch_objection(sketch, VARSIZE(sketch)) == NULL, "nothing is wrong with it");
	fuzz_require(vsm_sketch_is_least(sketch), "it is in its least shape");
	fuzz_require(same_bytes(sketch, again), "it comes back from its text");
	fuzz_require(same_bytes(sketch, binary_copy(sketch)), "it comes back from its binary form");
	fuzz_require(DatumGetBool(fuzz_call(vsm__sketch_eq, datum, PointerGetDatum(again))), "equal bytes are equal");
	fuzz_require(fuzz_call(vsm__sketch_hash, datum, 0) == fuzz_call(vsm__sketch_hash, PointerGetDatum(again), 0), "equal sketches have the same hash");

	rest = (const VsmSketch *) DatumGetPointer(fuzz_call(vsm__sketch_minus, datum, datum));
	fuzz_require(rest->count == 0 && VARSIZE(rest) == sizeof(VsmSketch), "all can be taken away");
	if (sketch->count <= INT64_MAX / 2)
	{
		Datum		twice = fuzz_call(vsm__sketch_plus, datum, datum);

		fuzz_require(((VsmSketch *) DatumGetPointer(twice))->count == 2 * sketch->count, "with itself it holds twice as many");
		again = (const VsmSketch *) DatumGetPointer(fuzz_call(vsm__sketch_minus, twice, datum));
		fuzz_require(same_bytes(sketch, again), "what was added can be taken away");
	}
	fuzz_walk(sketch);
}

static const VsmSketch *
binary_copy(const VsmSketch *sketch)
{
	bytea	   *bytes = (bytea *) DatumGetPointer(fuzz_call(vsm_sketch_send, PointerGetDatum(sketch), 0));
	StringInfoData message = {.data = VARDATA(bytes), .len = (int) (VARSIZE(bytes) - VARHDRSZ)};
	Datum		copy = fuzz_call(vsm_sketch_recv, PointerGetDatum(&message), 0);

	fuzz_require(message.cursor == message.len, "its binary form is read to the end");
	return (const VsmSketch *) DatumGetPointer(copy);
}

static bool
same_bytes(const VsmSketch *a, const VsmSketch *b)
{
	return VARSIZE(a) == VARSIZE(b) && memcmp(a, b, VARSIZE(a)) == 0;
}

/* The readers agree with each other. */
void
fuzz_walk(const VsmSketch *sketch)
{
	VsmSketchCursor cursor;
	uint64		count = 0;
	double		before = -INFINITY;
	double		sum = 0;
	double		gamma = (1 + sketch->rel_error) / (1 - sketch->rel_error);

	if (sketch->negative.cells + sketch->positive.cells > MOST_CELLS)
		return;
	for (vsm_sketch_begin(&cursor, sketch); vsm_sketch_next(&cursor);)
	{
		double		lower;
		double		upper;
		double		inner;
		double		outer;

		vsm_sketch_bounds(&cursor, &lower, &upper);
		vsm_sketch_add_to_sum(&cursor, &sum);
		inner = lower < 0 ? -upper : lower;
		outer = lower < 0 ? -lower : upper;
		fuzz_require(before <= lower && lower <= upper, "buckets ascend");
		fuzz_require(inner < 1e-307 || isinf(outer) || outer / inner <= gamma * (1 + 1e-12), "buckets are narrow");
		count += cursor.count;
		/* at the lower end of double there are buckets between two neighbours */
		fuzz_require((lower == upper && lower != 0) || vsm_sketch_rank(sketch, lower < 0 ? upper : lower) == count,
					 "a bucket's values are at or below it");
		before = upper;
	}
	fuzz_require(count == sketch->count, "the counts are those of all values");
	if (count > 0)
		fuzz_require(vsm_sketch_percentile(sketch, 0) <= vsm_sketch_percentile(sketch, 0.5) &&
					 vsm_sketch_percentile(sketch, 0.5) <= vsm_sketch_percentile(sketch, 1) &&
					 vsm_sketch_percentile(sketch, 1) <= before, "percentiles ascend");
}
