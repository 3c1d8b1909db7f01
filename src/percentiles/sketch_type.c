/*
 * sketch_type.c
 *		Input and output of vsm.sketch and vsm.interval_sketch, as text and binary.
 *
 * The text of a sketch is its version, its relative error and, where there are any,
 * the number of zeros and the counts of the negative and of the positive buckets,
 * from a first bucket on; n*count stands for n buckets with the same count:
 *
 *		1 0.01 zero=3 positive=51234:2,0*7,1
 *
 * The binary form has the same parts: see vsm_sketch_recv().
 *
 * Whatever comes in is checked and brought into its least shape, so equal sketches
 * are equal bytes.  A sketch whose number of values does not fit in a bigint is
 * refused.
 */
#include "sketch_sql.h"

#include <ctype.h>

#include "common/shortest_dec.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "compat.h"

/* A text, and how far it has been read. */
typedef struct Reader
{
	const char *text;
	const char *at;
} Reader;

static void write_buckets(StringInfo out, const VsmSketch *sketch, bool negative);
static VsmSketch *read_sketch(Reader *reader);
static void read_buckets(Reader *reader, int32 last, VsmBuckets *buckets, uint64 **counts);
static bool skip_word(Reader *reader, const char *word);
static uint64 read_number(Reader *reader, uint64 most);
static double read_rel_error(Reader *reader);
pg_noreturn static void refuse_text(const Reader *reader, const char *wanted);
static bool receive_buckets(StringInfo in, int width, int32 last, VsmBuckets *buckets, uint64 **counts);
static VsmSketch *from_counts(double rel_error, uint64 zeros, const VsmBuckets *buckets, uint64 *const *counts);

PG_FUNCTION_INFO_V1(vsm_sketch_in);
PG_FUNCTION_INFO_V1(vsm_sketch_out);
PG_FUNCTION_INFO_V1(vsm_sketch_recv);
PG_FUNCTION_INFO_V1(vsm_sketch_send);

/* ---- Text ---- */

/* vsm.sketch and vsm.interval_sketch from text; 22P02 */
Datum
vsm_sketch_in(PG_FUNCTION_ARGS)
{
	Reader		reader = {PG_GETARG_CSTRING(0), PG_GETARG_CSTRING(0)};

	VSM_RETURN_SKETCH(read_sketch(&reader));
}

/* The text of a sketch. */
Datum
vsm_sketch_out(PG_FUNCTION_ARGS)
{
	const VsmSketch *sketch = vsm_sketch_least(VSM_GETARG_SKETCH(0));
	StringInfoData out;
	char		rel_error[DOUBLE_SHORTEST_DECIMAL_LEN];

	/* exact, whatever extra_float_digits is */
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
			errdetail("Expected %s at byte %d.", wanted, (int) (reader->at - reader->text) + 1),
			errhint("Build sketches with vsm.percentile_agg(); their text is only for copying them."));
}

/*
 * A sketch in its least shape.  buckets and counts have those of the negative values,
 * then those of the positive values; without buckets, counts may be NULL.
 */
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
				vsm_sketch_refuse_more_values();
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

/*
 * ---- Binary ----
 *
 * Version, width, relative error, zeros; then for the negative values and for the
 * positive ones the first bucket, the number of cells, the cells.
 */

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
	uint64	   *counts[2];

	if (version != VSM_SKETCH_VERSION || width > 3 || zeros > PG_INT64_MAX ||
		!(rel_error >= VSM_SKETCH_MIN_ERROR && rel_error <= VSM_SKETCH_MAX_ERROR) ||
		!receive_buckets(in, width, vsm_sketch_last_bucket(rel_error), &buckets[0], &counts[0]) ||
		!receive_buckets(in, width, vsm_sketch_last_bucket(rel_error), &buckets[1], &counts[1]))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				errmsg("invalid binary sketch"),
				errhint("Build sketches with vsm.percentile_agg(); their binary form is only for copying them."));
	VSM_RETURN_SKETCH(from_counts(rel_error, zeros, buckets, counts));
}

/* False: they are not the buckets of a sketch whose last possible bucket this is. */
static bool
receive_buckets(StringInfo in, int width, int32 last, VsmBuckets *buckets, uint64 **counts)
{
	int			bytes = 1 << width;

	buckets->first = (int32) pq_getmsgint(in, 4);
	buckets->cells = (int32) pq_getmsgint(in, 4);
	if (buckets->first < 0 || buckets->first > last)
		return false;
	if (buckets->cells < 0 || buckets->cells > last - buckets->first + 1)
		return false;
	if (buckets->cells > (in->len - in->cursor) / bytes)
		return false;
	*counts = palloc(sizeof(uint64) * Max(buckets->cells, 1));
	for (int32 i = 0; i < buckets->cells; i++)
		(*counts)[i] = width == 3 ? (uint64) pq_getmsgint64(in) : (uint64) pq_getmsgint(in, bytes);
	return true;
}

/* The binary form of a sketch. */
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
