/*
 * sketch_type.c
 *		The types vsm.sketch and vsm.interval_sketch.
 *
 * Both are the bytes of sketch.c in a varlena.  What tells them apart is what
 * their values are to the readers: numbers, or intervals kept in seconds.
 *
 * As text, a sketch is its version, its relative error and, where there are any,
 * the number of zeros and the counts of the negative and of the positive
 * buckets, from a first one on; n*count stands for n buckets of the same count:
 *
 *		1 0.01 zero=3 positive=51234:2,0*7,1
 *
 * Whatever comes in is checked and brought into its least shape, so equal
 * sketches are equal bytes.  A sketch that holds less than nothing, or more than
 * bigint counts, is refused.
 */
#include "sketch_sql.h"

#include <ctype.h>
#include <math.h>

#include "common/hashfn.h"
#include "common/int.h"
#include "common/shortest_dec.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "compat.h"
#include "errors.h"
#include "figures/duration.h"

/* What is left of the text to read. */
typedef struct Reader
{
	const char *text;
	const char *at;
} Reader;

static VsmSketch *allocate(const VsmSketchShape *shape);
static void write_buckets(StringInfo out, const VsmSketch *sketch, bool negative);
static VsmSketch *read_sketch(Reader *reader);
static void read_buckets(Reader *reader, int32 last, VsmBuckets *buckets, uint64 **counts);
static bool skip_word(Reader *reader, const char *word);
static uint64 read_number(Reader *reader, uint64 most);
static double read_rel_error(Reader *reader);
pg_noreturn static void refuse_more_values(void);
pg_noreturn static void refuse_text(const Reader *reader, const char *wanted);
static VsmSketch *from_counts(double rel_error, uint64 zeros, const VsmBuckets *buckets, uint64 *const *counts);

PG_FUNCTION_INFO_V1(vsm_sketch_in);
PG_FUNCTION_INFO_V1(vsm_sketch_out);
PG_FUNCTION_INFO_V1(vsm_sketch_recv);
PG_FUNCTION_INFO_V1(vsm_sketch_send);
PG_FUNCTION_INFO_V1(vsm__sketch_eq);
PG_FUNCTION_INFO_V1(vsm__sketch_ne);
PG_FUNCTION_INFO_V1(vsm__sketch_hash);
PG_FUNCTION_INFO_V1(vsm__sketch_plus);
PG_FUNCTION_INFO_V1(vsm__sketch_minus);

/* ---- Memory ---- */

/* Detoasted.  What a table holds has been checked when it came in; a header that does not fit is damage. */
const VsmSketch *
vsm_sketch_of(Datum datum)
{
	const VsmSketch *sketch = (const VsmSketch *) PG_DETOAST_DATUM(datum);

	if (vsm_sketch_header_objection(sketch, VARSIZE(sketch)) != NULL)
		ereport(ERROR,
				errcode(ERRCODE_DATA_CORRUPTED),
				errmsg("a sketch is damaged, or of a later version of vsm"),
				errdetail("It has %zu bytes and version %d.", (size_t) VARSIZE(sketch),
						  VARSIZE(sketch) < sizeof(VsmSketch) ? 0 : (int) sketch->version),
				errhint("Build it again from the values."));
	return sketch;
}

VsmSketch *
vsm_sketch_empty(double rel_error)
{
	VsmSketchShape none = {0};
	VsmSketch  *sketch = allocate(&none);

	vsm_sketch_init(sketch, rel_error);
	return sketch;
}

VsmSketch *
vsm_sketch_with_shape(const VsmSketch *sketch, const VsmSketchShape *shape)
{
	VsmSketch  *result = allocate(shape);

	vsm_sketch_reshape(result, sketch, shape);
	return result;
}

/* A copy with the value, for which there was no room, and with room for more. */
VsmSketch *
vsm_sketch_larger(const VsmSketch *sketch, double value)
{
	VsmSketchShape shape;
	VsmSketch  *larger;

	if (sketch->count >= PG_INT64_MAX)
		refuse_more_values();
	shape = vsm_sketch_shape_to_add(sketch, value);
	larger = vsm_sketch_with_shape(sketch, &shape);
	if (!vsm_sketch_add(larger, value))
		elog(ERROR, "no room for %g in a sketch", value);
	return larger;
}

/* A copy as it is to be stored. */
VsmSketch *
vsm_sketch_least(const VsmSketch *sketch)
{
	VsmSketchShape shape = vsm_sketch_least_shape(sketch);
	VsmSketch  *result = vsm_sketch_with_shape(sketch, &shape);

	/* counts that a damaged table holds need not add up */
	Assert(vsm_sketch_objection(result, VARSIZE(result)) == NULL || vsm_sketch_objection(sketch, VARSIZE(sketch)) != NULL);
	Assert(vsm_sketch_is_least(result) && vsm_sketch_equal(sketch, result));
	return result;
}

static VsmSketch *
allocate(const VsmSketchShape *shape)
{
	size_t		size = vsm_sketch_size(shape);
	VsmSketch  *sketch;

	CHECK_FOR_INTERRUPTS();		/* it may take millions of cells to fill */
	if (size > MaxAllocSize)
		ereport(ERROR,
				errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("a sketch of %zu bytes is too large", size),
				errhint("Give percentile_agg() a larger relative error."));
	sketch = palloc(size);
	SET_VARSIZE(sketch, size);
	return sketch;
}

/* ---- Text ---- */

/* vsm.sketch and vsm.interval_sketch from text; 22P02 */
Datum
vsm_sketch_in(PG_FUNCTION_ARGS)
{
	Reader		reader = {PG_GETARG_CSTRING(0), PG_GETARG_CSTRING(0)};

	VSM_RETURN_SKETCH(read_sketch(&reader));
}

Datum
vsm_sketch_out(PG_FUNCTION_ARGS)
{
	const VsmSketch *sketch = vsm_sketch_least(VSM_GETARG_SKETCH(0));
	StringInfoData out;
	char		rel_error[DOUBLE_SHORTEST_DECIMAL_LEN];

	/* exact, whatever extra_float_digits says */
	double_to_shortest_decimal_buf(sketch->rel_error, rel_error);
	initStringInfo(&out);
	appendStringInfo(&out, "%d %s", VSM_SKETCH_VERSION, rel_error);
	if (sketch->zeros > 0)
		appendStringInfo(&out, " zero=" UINT64_FORMAT, sketch->zeros);
	write_buckets(&out, sketch, true);
	write_buckets(&out, sketch, false);
	PG_RETURN_CSTRING(out.data);
}

static void
write_buckets(StringInfo out, const VsmSketch *sketch, bool negative)
{
	const VsmBuckets *buckets = negative ? &sketch->negative : &sketch->positive;
	int32		next;

	if (buckets->cells == 0)
		return;
	appendStringInfo(out, " %s=%d:", negative ? "negative" : "positive", buckets->first);
	for (int32 i = 0; i < buckets->cells; i = next)
	{
		uint64		count = vsm_sketch_cell(sketch, negative, i);

		CHECK_FOR_INTERRUPTS();
		for (next = i + 1; next < buckets->cells && vsm_sketch_cell(sketch, negative, next) == count;)
			next++;
		if (next - i > 1)
			appendStringInfo(out, "%d*", next - i);
		appendStringInfo(out, UINT64_FORMAT, count);
		if (next < buckets->cells)
			appendStringInfoChar(out, ',');
	}
}

static VsmSketch *
read_sketch(Reader *reader)
{
	VsmBuckets	buckets[2] = {{0}};
	uint64	   *counts[2] = {NULL};
	uint64		zeros = 0;
	double		rel_error;
	int32		last;

	if (!skip_word(reader, "1 "))
		refuse_text(reader, "version 1");
	rel_error = read_rel_error(reader);
	last = vsm_sketch_last_bucket(rel_error);
	if (skip_word(reader, " zero="))
		zeros = read_number(reader, PG_INT64_MAX);
	if (skip_word(reader, " negative="))
		read_buckets(reader, last, &buckets[0], &counts[0]);
	if (skip_word(reader, " positive="))
		read_buckets(reader, last, &buckets[1], &counts[1]);
	while (isspace((unsigned char) *reader->at))
		reader->at++;
	if (*reader->at != '\0')
		refuse_text(reader, "the end");
	return from_counts(rel_error, zeros, buckets, counts);
}

static void
read_buckets(Reader *reader, int32 last, VsmBuckets *buckets, uint64 **counts)
{
	int32		size = 64;

	*counts = palloc(sizeof(uint64) * size);
	buckets->first = (int32) read_number(reader, last);
	if (!skip_word(reader, ":"))
		refuse_text(reader, "\":\"");
	do
	{
		int32		room = last - buckets->first - buckets->cells + 1;
		uint64		count = read_number(reader, PG_INT64_MAX);
		int32		times = 1;

		if (skip_word(reader, "*"))
		{
			if (count < 1 || count > (uint64) room)
				refuse_text(reader, "fewer buckets");
			times = (int32) count;
			count = read_number(reader, PG_INT64_MAX);
		}
		if (times > room)
			refuse_text(reader, "fewer buckets");
		if (size - buckets->cells < times)
		{
			size = Max(size * 2, buckets->cells + times);
			*counts = repalloc(*counts, sizeof(uint64) * size);
		}
		while (times-- > 0)
			(*counts)[buckets->cells++] = count;
	} while (skip_word(reader, ","));
}

static bool
skip_word(Reader *reader, const char *word)
{
	size_t		length = strlen(word);

	if (strncmp(reader->at, word, length) != 0)
		return false;
	reader->at += length;
	return true;
}

static uint64
read_number(Reader *reader, uint64 most)
{
	uint64		number = 0;

	if (!isdigit((unsigned char) *reader->at))
		refuse_text(reader, "a number");
	for (; isdigit((unsigned char) *reader->at); reader->at++)
	{
		uint64		digit = (uint64) (*reader->at - '0');

		if (number > (most - Min(digit, most)) / 10)
			refuse_text(reader, "a smaller number");
		number = number * 10 + digit;
	}
	if (number > most)
		refuse_text(reader, "a smaller number");
	return number;
}

static double
read_rel_error(Reader *reader)
{
	char	   *end;
	double		rel_error;

	if (!isdigit((unsigned char) *reader->at))
		refuse_text(reader, "a relative error");
	rel_error = strtod(reader->at, &end);
	if (!(rel_error >= VSM_SKETCH_MIN_ERROR && rel_error <= VSM_SKETCH_MAX_ERROR))
		refuse_text(reader, "a relative error between 0.0001 and 0.2");
	reader->at = end;
	return rel_error;
}

static void
refuse_text(const Reader *reader, const char *wanted)
{
	ereport(ERROR,
			errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			errmsg("invalid input syntax for a sketch"),
			errdetail("At byte %d: %s is expected.", (int) (reader->at - reader->text) + 1, wanted),
			errhint("Sketches are made by vsm.percentile_agg(); their text is only for copying them."));
}

/* Counts of the negative and of the positive buckets, either NULL; checked, in the least shape. */
static VsmSketch *
from_counts(double rel_error, uint64 zeros, const VsmBuckets *buckets, uint64 *const *counts)
{
	VsmSketchShape shape = {.width = 0, .negative = buckets[0], .positive = buckets[1]};
	uint64		total = zeros;
	uint64		highest = 0;
	VsmSketch  *sketch;

	for (int store = 0; store < 2; store++)
		for (int32 i = 0; i < buckets[store].cells; i++)
		{
			highest = Max(highest, counts[store][i]);
			if (counts[store][i] > PG_INT64_MAX - total)
				refuse_more_values();
			total += counts[store][i];
		}
	shape.width = vsm_sketch_width_for(highest);
	sketch = vsm_sketch_empty(rel_error);
	sketch = vsm_sketch_with_shape(sketch, &shape);
	sketch->count = total;
	sketch->zeros = zeros;
	for (int store = 0; store < 2; store++)
		for (int32 i = 0; i < buckets[store].cells; i++)
			vsm_sketch_set_cell(sketch, store == 0, i, counts[store][i]);
	return vsm_sketch_least(sketch);
}

/* ---- Binary: version, width, relative error, zeros; of both signs first bucket, number of cells, cells ---- */

/* vsm.sketch and vsm.interval_sketch from the wire; 22P03 */
Datum
vsm_sketch_recv(PG_FUNCTION_ARGS)
{
	StringInfo	in = (StringInfo) PG_GETARG_POINTER(0);
	int			version = pq_getmsgbyte(in);
	int			width = pq_getmsgbyte(in);
	double		rel_error = pq_getmsgfloat8(in);
	uint64		zeros = (uint64) pq_getmsgint64(in);
	VsmBuckets	buckets[2];
	uint64	   *counts[2] = {NULL};
	bool		good;

	good = version == VSM_SKETCH_VERSION && width <= 3 && zeros <= PG_INT64_MAX &&
		rel_error >= VSM_SKETCH_MIN_ERROR && rel_error <= VSM_SKETCH_MAX_ERROR;
	for (int store = 0; store < 2 && good; store++)
	{
		int32		last = vsm_sketch_last_bucket(rel_error);
		int			bytes = 1 << width;

		buckets[store].first = (int32) pq_getmsgint(in, 4);
		buckets[store].cells = (int32) pq_getmsgint(in, 4);
		good = buckets[store].first >= 0 && buckets[store].first <= last && buckets[store].cells >= 0 &&
			buckets[store].cells <= last - buckets[store].first + 1 && buckets[store].cells <= (in->len - in->cursor) / bytes;
		if (!good)
			break;
		counts[store] = palloc(sizeof(uint64) * Max(buckets[store].cells, 1));
		for (int32 i = 0; i < buckets[store].cells; i++)
			counts[store][i] = width == 3 ? (uint64) pq_getmsgint64(in) : (uint64) pq_getmsgint(in, bytes);
	}
	if (!good)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				errmsg("invalid binary sketch"),
				errhint("Sketches are made by vsm.percentile_agg(); their binary form is only for copying them."));
	VSM_RETURN_SKETCH(from_counts(rel_error, zeros, buckets, counts));
}

Datum
vsm_sketch_send(PG_FUNCTION_ARGS)
{
	const VsmSketch *sketch = vsm_sketch_least(VSM_GETARG_SKETCH(0));
	StringInfoData out;

	pq_begintypsend(&out);
	pq_sendbyte(&out, sketch->version);
	pq_sendbyte(&out, sketch->width);
	pq_sendfloat8(&out, sketch->rel_error);
	pq_sendint64(&out, sketch->zeros);
	for (int store = 0; store < 2; store++)
	{
		const VsmBuckets *buckets = store == 0 ? &sketch->negative : &sketch->positive;

		pq_sendint32(&out, (uint32) buckets->first);
		pq_sendint32(&out, (uint32) buckets->cells);
		for (int32 i = 0; i < buckets->cells; i++)
		{
			uint64		count = vsm_sketch_cell(sketch, store == 0, i);

			if (sketch->width == 3)
				pq_sendint64(&out, count);
			else
				pq_sendint(&out, (uint32) count, 1 << sketch->width);
		}
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&out));
}

/* ---- Operators ---- */

Datum
vsm__sketch_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(vsm_sketch_equal(VSM_GETARG_SKETCH(0), VSM_GETARG_SKETCH(1)));
}

Datum
vsm__sketch_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!vsm_sketch_equal(VSM_GETARG_SKETCH(0), VSM_GETARG_SKETCH(1)));
}

Datum
vsm__sketch_hash(PG_FUNCTION_ARGS)
{
	const VsmSketch *sketch = vsm_sketch_least(VSM_GETARG_SKETCH(0));

	return hash_any((const unsigned char *) VARDATA(sketch), (int) VARSIZE(sketch) - VARHDRSZ);
}

/* sketch + sketch: the values of both */
Datum
vsm__sketch_plus(PG_FUNCTION_ARGS)
{
	const VsmSketch *a = VSM_GETARG_SKETCH(0);
	const VsmSketch *b = VSM_GETARG_SKETCH(1);
	VsmSketchShape shape;
	VsmSketch  *sum;

	vsm_sketch_require_same_error(a, b);
	vsm_sketch_require_countable(a, b);
	shape = vsm_sketch_shape_to_merge(a, b);
	sum = vsm_sketch_with_shape(a, &shape);
	vsm_sketch_merge(sum, b);
	VSM_RETURN_SKETCH(vsm_sketch_least(sum));
}

/* sketch - sketch: the values of the first without those of the second; PT422 */
Datum
vsm__sketch_minus(PG_FUNCTION_ARGS)
{
	const VsmSketch *a = VSM_GETARG_SKETCH(0);
	const VsmSketch *b = VSM_GETARG_SKETCH(1);
	VsmSketchShape shape = vsm_sketch_shape(a);
	VsmSketch  *rest = vsm_sketch_with_shape(a, &shape);

	vsm_sketch_require_same_error(a, b);
	if (!vsm_sketch_subtract(rest, b))
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("cannot take values from a sketch that were never added to it"),
				errdetail("A bucket of the second sketch holds more values than that of the first."),
				errhint("Subtract only sketches whose values are part of the first one."));
	VSM_RETURN_SKETCH(vsm_sketch_least(rest));
}

void
vsm_sketch_require_same_error(const VsmSketch *a, const VsmSketch *b)
{
	if (a->rel_error != b->rel_error)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("sketches with different relative errors cannot be put together"),
				errdetail("They are %g and %g.", a->rel_error, b->rel_error),
				errhint("Build both with the same rel_error: percentile_agg(value, rel_error)."));
}

void
vsm_sketch_require_countable(const VsmSketch *a, const VsmSketch *b)
{
	if (a->count > PG_INT64_MAX - b->count)
		refuse_more_values();
}

static void
refuse_more_values(void)
{
	ereport(ERROR,
			errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			errmsg("a sketch holds too many values"),
			errdetail("It can hold as many as bigint counts."),
			errhint("Keep the values in several sketches."));
}

/* ---- Units of vsm.interval_sketch ---- */

/* As the server compares intervals: a day 24 hours, a month 30 days. */
double
vsm_sketch_seconds(const Interval *interval)
{
	int64		days = (int64) interval->month * DAYS_PER_MONTH + interval->day;
	int64		us;

	if (unlikely(VSM_INTERVAL_NOT_FINITE(interval)))
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("an infinite interval cannot be put into a sketch"),
				errdetail("The value is %s.", interval->month < 0 ? "-infinity" : "infinity"),
				errhint("Leave such values out: percentile_agg(x) FILTER (WHERE isfinite(x))."));
	if (likely(!pg_mul_s64_overflow(days, USECS_PER_DAY, &us) && !pg_add_s64_overflow(us, interval->time, &us)))
		return (double) us / USECS_PER_SEC;
	return (double) days * SECS_PER_DAY + (double) interval->time / USECS_PER_SEC;
}

/* To the nearest microsecond; with months only when days do not suffice. */
Interval *
vsm_sketch_interval(double seconds)
{
	double		us = rint(seconds * USECS_PER_SEC);
	double		months;
	Interval   *result;

	if (fabs(us) < (double) PG_INT64_MAX)
		return vsm_interval((int64) us);
	months = trunc(seconds / (DAYS_PER_MONTH * SECS_PER_DAY));
	if (!(fabs(months) < (double) PG_INT32_MAX))	/* NaN too: a sum of great values of both signs */
		ereport(ERROR,
				errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				errmsg("interval out of range"),
				errdetail("The value is %g seconds.", seconds),
				errhint("Keep such values as seconds, in a vsm.sketch."));
	result = vsm_interval((int64) rint((seconds - months * DAYS_PER_MONTH * SECS_PER_DAY) * USECS_PER_SEC));
	result->month = (int32) months;
	return result;
}
