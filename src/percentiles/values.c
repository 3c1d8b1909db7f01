/*
 * values.c
 *		Many values, kept as they come.
 *
 * They take 8 bytes each (numbers whose order is that of unsigned integers) or
 * 16 (intervals).  When those of an aggregate, in all its groups, take more than
 * half of work_mem, the group that grows writes its own to a temporary file.
 */
#include "values.h"

#include "commands/tablespace.h"
#include "miscadmin.h"
#include "utils/float.h"
#include "utils/memutils.h"

#include "errors.h"

#define FIRST_ROOM		64
#define LEAST_SPILL		65536	/* bytes: less is not worth a file, whose buffer alone takes 8 kB */
#define CHUNK			8192	/* bytes read at once */

static void make_room(VsmValues *values);
static void spill(VsmValues *values);

/* NaN is the greatest, as the server has it. */
uint64
vsm_float8_key(double value)
{
	uint64		bits;

	if (unlikely(isnan(value)))
		value = get_float8_nan();
	memcpy(&bits, &value, sizeof(bits));
	return bits >> 63 ? ~bits : bits | UINT64CONST(1) << 63;
}

double
vsm_float8_of_key(uint64 key)
{
	uint64		bits = key >> 63 ? key & ~(UINT64CONST(1) << 63) : ~key;
	double		value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* A fraction that names a percentile. */
double
vsm_require_fraction(double fraction)
{
	if (!(fraction >= 0 && fraction <= 1))
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("percentile %g is not between 0 and 1", fraction),
				errhint("Give it as a fraction: 0.85 for the 85th percentile."));
	return fraction;
}

/* Of any shape and with nulls; but each one takes memory and a look. */
void
vsm_require_few_fractions(const ArrayType *fractions)
{
	int			count = ArrayGetNItems(ARR_NDIM(fractions), ARR_DIMS(fractions));

	if (count > VSM_MOST_FRACTIONS)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("there are too many percentiles"),
				errdetail("The array has %d elements.", count),
				errhint("Ask for %d at a time at most.", VSM_MOST_FRACTIONS));
}

/* ---- Keeping them ---- */

/* They live in context; budget is shared by the groups of an aggregate. */
void
vsm_values_init(VsmValues *values, bool intervals, MemoryContext context, VsmValuesBudget *budget)
{
	memset(values, 0, sizeof(VsmValues));
	values->intervals = intervals;
	values->context = context;
	values->budget = budget;
}

void
vsm_values_add(VsmValues *values, uint64 value)
{
	if (unlikely(values->kept == values->room))
		make_room(values);
	((uint64 *) values->values)[values->kept++] = value;
	values->count++;
}

void
vsm_values_add_interval(VsmValues *values, const Interval *value)
{
	if (unlikely(values->kept == values->room))
		make_room(values);
	((Interval *) values->values)[values->kept++] = *value;
	values->count++;
}

/* The others are of the same kind. */
void
vsm_values_add_all(VsmValues *values, VsmValues *others)
{
	Size		size = vsm_value_size(values);
	VsmPieces		pieces;
	void	   *piece;
	int64		n;

	vsm_values_begin(&pieces, others);
	while ((n = vsm_values_next(&pieces, &piece)) > 0)
		for (int64 done = 0; done < n;)
		{
			int64		some;

			if (values->kept == values->room)
				make_room(values);
			some = Min(n - done, values->room - values->kept);
			memcpy((char *) values->values + values->kept * size, (char *) piece + done * size, some * size);
			values->kept += some;
			values->count += some;
			done += some;
		}
	vsm_values_end(&pieces);
}

/* Twice the memory, or a file. */
static void
make_room(VsmValues *values)
{
	Size		size = vsm_value_size(values);
	int64		room = Max(FIRST_ROOM, values->room * 2);
	Size		more = (room - values->room) * size;

	if (values->budget && values->room * size >= LEAST_SPILL &&
		values->budget->used + more > (Size) work_mem * 1024 / 2)
	{
		spill(values);
		return;
	}
	if (values->values == NULL)
		values->values = MemoryContextAlloc(values->context, room * size);
	else
		values->values = repalloc_huge(values->values, room * size);
	if (values->budget)
		values->budget->used += more;
	values->room = room;
}

static void
spill(VsmValues *values)
{
	if (values->file == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(values->context);

		PrepareTempTablespaces();
		values->file = BufFileCreateTemp(false);
		MemoryContextSwitchTo(old);
	}
	if (values->rewound && BufFileSeek(values->file, 0, 0, SEEK_END) != 0)
		ereport(ERROR, errcode_for_file_access(), errmsg("could not seek in a temporary file: %m"));
	values->rewound = false;
	BufFileWrite(values->file, values->values, values->kept * vsm_value_size(values));
	values->spilled += values->kept;
	values->kept = 0;
}

/* Bytes that vsm_values_copy() writes. */
Size
vsm_values_bytes(const VsmValues *values)
{
	return values->count * vsm_value_size(values);
}

void
vsm_values_copy(VsmValues *values, void *into)
{
	VsmPieces		pieces;
	void	   *piece;
	int64		n;

	vsm_values_begin(&pieces, values);
	while ((n = vsm_values_next(&pieces, &piece)) > 0)
	{
		memcpy(into, piece, n * vsm_value_size(values));
		into = (char *) into + n * vsm_value_size(values);
	}
	vsm_values_end(&pieces);
}

/* Their memory goes with its context, the file does not. */
void
vsm_values_close(VsmValues *values)
{
	if (values->file)
		BufFileClose(values->file);
	values->file = NULL;
	if (values->received)
		vsm_values_remove_received(values);
	if (values->budget)
		values->budget->used -= values->room * vsm_value_size(values);
	values->budget = NULL;
}

/* ---- Looking at them ---- */

void
vsm_values_begin(VsmPieces *pieces, VsmValues *values)
{
	memset(pieces, 0, sizeof(VsmPieces));
	pieces->values = values;
	pieces->left = values->spilled;
	if (values->spilled == 0)
		return;
	pieces->buffer = palloc(CHUNK);
	values->rewound = true;
	if (BufFileSeek(values->file, 0, 0, SEEK_SET) != 0)
		ereport(ERROR, errcode_for_file_access(), errmsg("could not rewind a temporary file: %m"));
}

/* How many values there are at *piece; 0: no more. */
int64
vsm_values_next(VsmPieces *pieces, void **piece)
{
	VsmValues  *values = pieces->values;
	Size		size = vsm_value_size(values);

	CHECK_FOR_INTERRUPTS();
	if (pieces->left > 0)
	{
		int64		n = Min(pieces->left, CHUNK / (int64) size);

		if (BufFileRead(values->file, pieces->buffer, n * size) != n * size)
			ereport(ERROR, errcode_for_file_access(), errmsg("could not read from a temporary file: %m"));
		pieces->left -= n;
		*piece = pieces->buffer;
		return n;
	}
	if (pieces->at_memory)
		return 0;
	pieces->at_memory = true;
	*piece = values->values;
	return values->kept;
}

void
vsm_values_end(VsmPieces *pieces)
{
	if (pieces->buffer)
		pfree(pieces->buffer);
}
