/*
 * values.c
 *		Many values, in the order in which they were added.
 *
 * A number takes 8 bytes, an interval 16.  When the values of an aggregate, all
 * its groups together, take more than half of work_mem, the group that needs more
 * memory writes its values to a temporary file and goes on in the memory it has.
 */
#include "values.h"

#include "commands/tablespace.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#define FIRST_ROOM		64		/* values */
#define LEAST_SPILL		65536	/* bytes: fewer are not worth a file, whose buffer alone takes 8 kB */
#define CHUNK			8192	/* bytes read at once */

static void make_room(VsmValues *values);
static void spill(VsmValues *values);

/* The values live in context; budget is shared by the groups of an aggregate. */
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

/* Doubles the memory, or empties it into the file. */
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
	BufFileWrite(values->file, values->values, values->kept * vsm_value_size(values));
	values->spilled += values->kept;
	values->kept = 0;
}

/* The memory goes with its context; the file must be closed. */
void
vsm_values_close(VsmValues *values)
{
	if (values->file)
		BufFileClose(values->file);
	values->file = NULL;
	if (values->budget)
		values->budget->used -= values->room * vsm_value_size(values);
	values->budget = NULL;
}

/* ---- Passes over the values ---- */

void
vsm_pieces_begin(VsmPieces *pieces, VsmValues *values)
{
	memset(pieces, 0, sizeof(VsmPieces));
	pieces->values = values;
	pieces->left = values->spilled;
	if (values->spilled == 0)
		return;
	pieces->buffer = palloc(CHUNK);
	if (BufFileSeek(values->file, 0, 0, SEEK_SET) != 0)
		ereport(ERROR, errcode_for_file_access(), errmsg("could not rewind a temporary file: %m"));
}

/* The number of values at *piece; 0 after the last. */
int64
vsm_pieces_next(VsmPieces *pieces, void **piece)
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
	if (pieces->memory_done)
		return 0;
	pieces->memory_done = true;
	*piece = values->values;
	return values->kept;
}

void
vsm_pieces_end(VsmPieces *pieces)
{
	if (pieces->buffer)
		pfree(pieces->buffer);
}
