/*
 * moves.c
 *		Reads the moves of a file by what is known of its columns.
 *
 * All rows are counted, and those that are refused are told.  The moves
 * themselves are kept to find their order; of a file with very many, those of
 * some items, chosen by their hash.
 */
#include "csv/moves.h"

#include <string.h>

#define MOST_MOVES 262144

static void read_rows(VsmRecognition *r, RowReader *rows, Moves *moves, Names *types);
static void take_event(VsmRecognition *r, const RowReader *rows, const RowEvent *event, Moves *moves);
static bool find_item(Moves *moves, Arena *arena, uint64_t hash, uint32_t *number);
static void grow_items(Moves *moves, Arena *arena);
static void thin_out(Moves *moves, Arena *arena);
static void list_types(VsmRecognition *r, const Names *types);

/* False: a question or refusal, or the outcome says what failed. */
bool
vsm_read_moves(const VsmSource *source, VsmRecognition *r, const VsmRecogniseOptions *options)
{
	Arena	   *arena = &r->private->arena;
	RowReader  *rows = vsm_arena_alloc(arena, sizeof *rows);
	Moves		moves = {0};
	Names		types = {.most = VSM_MAX_TYPES};
	bool		fine;

	r->private->stage_names.most = r->private->from_names.most = 2000;
	r->private->reading = rows;
	fine = vsm_rows_open(rows, source, &r->private->format);
	if (fine)
		read_rows(r, rows, &moves, &types);
	fine = fine && !rows->failed;
	vsm_rows_close(rows);
	r->private->reading = NULL;
	vsm_arena_release(arena, rows);
	if (!fine)
	{
		r->outcome = VSM_UNREADABLE;
		return false;
	}
	if (r->private->stage_names.full)
		return vsm_refuse(r, "too_many_stages", vsm_arena_format(arena, "column \"%.100s\" has more than %d different values", r->columns[r->stage], VSM_MAX_STAGES),
						  "A file may have up to 200 stages.", "Name the column of the stages.");
	if (r->moves == 0)
		return vsm_refuse(r, "no_events", "no line of the file is an event", r->refused[0].reason == NULL ? NULL : vsm_arena_format(arena, "Line %ld: %s.", r->refused[0].line, r->refused[0].reason),
						  "See the reasons of the lines, and correct the file or name its columns.");
	list_types(r, &types);
	r->sampled = moves.mask != 0;
	r->items = (long) moves.n_items * (long) (moves.mask + 1);
	return vsm_stages_in_order(r, &moves, options);
}

static void
read_rows(VsmRecognition *r, RowReader *rows, Moves *moves, Names *types)
{
	while (vsm_rows_next(rows))
	{
		RowEvent	event;
		RowCursor	cursor = {0};
		size_t		length;
		const char *type;

		r->rows++;
		switch (vsm_row_begin(r, rows, &event))
		{
			case ROW_NO_MOVE:
				r->passed_over++;
				continue;
			case ROW_REFUSED:
				vsm_refuse_row(r, rows->line, event.refused, event.time_text != NULL ? event.time_text : event.item,
							   event.time_text != NULL ? event.time_length : event.item_length);
				continue;
			case ROW_EVENTS:
			default:
				break;
		}
		while (vsm_row_event(r, rows, &cursor, &event))
			take_event(r, rows, &event, moves);
		if (r->type >= 0 && (type = vsm_rows_field(rows, r->type, &length)) != NULL)
			vsm_name_of(&r->private->arena, types, type, length);
	}
}

static void
take_event(VsmRecognition *r, const RowReader *rows, const RowEvent *event, Moves *moves)
{
	Arena	   *arena = &r->private->arena;
	Move		move = {.at = event->at, .line = (uint32_t) rows->line, .from = NO_STAGE, .born = NOT_BORN};
	int			stage = event->stage;
	uint64_t	hash;

	if (r->form == VSM_LONG)
	{
		size_t		length;
		const char *from = vsm_rows_field(rows, r->from, &length);
		RowEvent	birth = *event;

		stage = vsm_name_of(arena, &r->private->stage_names, event->stage_text, event->stage_length);
		if (from != NULL && !vsm_is_placeholder(from, length))
			move.from = (uint16_t) vsm_name_of(arena, &r->private->from_names, from, length);
		if (move.from != NO_STAGE && vsm_row_birth(r, rows, &birth))
			move.born = birth.at;
		if (r->sequence >= 0)
			move.sequence = vsm_row_sequence(r, rows);
	}
	if (stage < 0)
		return;
	r->moves++;
	if (r->moves == 1 || event->at < r->first)
		r->first = event->at;
	if (r->moves == 1 || event->at > r->last)
		r->last = event->at;
	move.stage = (uint16_t) stage;
	hash = vsm_hash(event->item, event->item_length) | 1;
	if (moves->n >= MOST_MOVES)
		thin_out(moves, arena);
	if (((hash >> 1) & moves->mask) != 0 || !find_item(moves, arena, hash, &move.item))
		return;
	if (moves->n >= moves->room)
	{
		moves->room = moves->room == 0 ? 1024 : 2 * moves->room;
		moves->moves = vsm_arena_resize(arena, moves->moves, moves->room * sizeof(Move));
	}
	moves->moves[moves->n++] = move;
}

/* ---- Items ---- */

static bool
find_item(Moves *moves, Arena *arena, uint64_t hash, uint32_t *number)
{
	size_t		slot;

	if (2 * ((size_t) moves->n_items + 1) > moves->n_slots)
		grow_items(moves, arena);
	for (slot = (size_t) (hash >> 20) & (moves->n_slots - 1); moves->hashes[slot] != 0; slot = (slot + 1) & (moves->n_slots - 1))
		if (moves->hashes[slot] == hash)
		{
			*number = moves->numbers[slot];
			return true;
		}
	moves->hashes[slot] = hash;
	*number = moves->numbers[slot] = moves->n_items++;
	return true;
}

static void
grow_items(Moves *moves, Arena *arena)
{
	uint64_t   *hashes = moves->hashes;
	uint32_t   *numbers = moves->numbers;
	size_t		n = moves->n_slots;

	moves->n_slots = n == 0 ? 1024 : 2 * n;
	moves->hashes = vsm_arena_alloc(arena, moves->n_slots * sizeof(uint64_t));
	moves->numbers = vsm_arena_alloc(arena, moves->n_slots * sizeof(uint32_t));
	for (size_t i = 0; i < n; i++)
		if (hashes[i] != 0)
		{
			size_t		slot = (size_t) (hashes[i] >> 20) & (moves->n_slots - 1);

			while (moves->hashes[slot] != 0)
				slot = (slot + 1) & (moves->n_slots - 1);
			moves->hashes[slot] = hashes[i];
			moves->numbers[slot] = numbers[i];
		}
	vsm_arena_release(arena, hashes);
	vsm_arena_release(arena, numbers);
}

/* Forgets the items with one more bit of their hash, and their moves, until there is room. */
static void
thin_out(Moves *moves, Arena *arena)
{
	/* One item that has nearly all moves cannot be thinned out: what comes then is forgotten. */
	for (int bit = 0; bit < 16 && moves->n >= MOST_MOVES / 2; bit++)
	{
		uint32_t   *renamed = vsm_arena_alloc(arena, ((size_t) moves->n_items + 1) * sizeof(uint32_t));
		Moves		old = *moves;
		size_t		n = 0;

		moves->mask = moves->mask * 2 + 1;
		moves->hashes = NULL;
		moves->numbers = NULL;
		moves->n_slots = 0;
		moves->n_items = 0;
		for (size_t i = 0; i < old.n_slots; i++)
			if (old.hashes[i] != 0 && ((old.hashes[i] >> 1) & moves->mask) == 0)
			{
				uint32_t	number;

				(void) find_item(moves, arena, old.hashes[i], &number);
				renamed[old.numbers[i]] = number + 1;
			}
		for (size_t i = 0; i < old.n; i++)
			if (renamed[old.moves[i].item] != 0)
			{
				moves->moves[n] = old.moves[i];
				moves->moves[n++].item = renamed[old.moves[i].item] - 1;
			}
		moves->n = n;
		vsm_arena_release(arena, old.hashes);
		vsm_arena_release(arena, old.numbers);
		vsm_arena_release(arena, renamed);
	}
}

/* ---- Types ---- */

static void
list_types(VsmRecognition *r, const Names *types)
{
	Arena	   *arena = &r->private->arena;

	if (types->full)
	{
		vsm_remark(r, "Column \"%.100s\" has more than %d different values, so it is not taken for the type.", r->columns[r->type], VSM_MAX_TYPES);
		r->type = -1;
		return;
	}
	r->types = vsm_arena_alloc(arena, ((size_t) types->n_names + 1) * sizeof(VsmType));
	r->n_types = types->n_names;
	for (int i = 0; i < types->n_spellings; i++)
	{
		VsmType    *type = &r->types[types->spellings[i].name];

		if (type->name == NULL)
			type->name = types->spellings[i].text;
		type->rows += types->spellings[i].count;
	}
	for (int i = 1; i < r->n_types; i++)
		for (int j = i; j > 0 && r->types[j].rows > r->types[j - 1].rows; j--)
		{
			VsmType		type = r->types[j];

			r->types[j] = r->types[j - 1];
			r->types[j - 1] = type;
		}
}
