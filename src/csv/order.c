/*
 * order.c
 *		In which order the moves of an item happened.
 *
 * By their times.  Moves at the same time happened as the file has them: from
 * the first line to the last, or from the last to the first, as the moves of the
 * item with different times show, or those of all items.  Better than the place
 * in the file are a column that numbers the moves, and one that tells the stage
 * that each move left.
 */
#include <string.h>

#include "csv/moves.h"

#define MOST_CHAINED 8			/* moves at one time, of which all orders are tried */

typedef struct TieWork
{
	VsmRecognition *r;
	Moves	   *moves;
	Precedence	before;			/* by different times only */
	int			direction;		/* of the file: 1, -1; 0: none */
	bool		by_item;		/* each item has one direction, its own */
	bool		both;			/* some items go forth and some back */
	size_t		n_room;			/* of r->private->ties */
	long		by_stage;		/* ties that only the order of the stages decided */
	long		unknown;		/* ties that nothing decides */
	bool		depends;		/* on the direction */
} TieWork;

static void sort_slice(const Moves *moves, uint32_t *place, uint32_t *spare, size_t n);
static int	direction_of_times(const Moves *moves, long *up, long *down);
static bool items_have_directions(const Moves *moves);
static void item_direction(const Moves *moves, const uint32_t *place, size_t n, long *up, long *down);
static int	direction_of_ties(VsmRecognition *r, const Moves *moves);
static int	direction_of_file(const Moves *moves);
static void resolve_item(TieWork *work, uint32_t item, int direction);
static bool resolve_group(TieWork *work, uint32_t *place, size_t n, uint16_t before, const uint32_t *last, int direction, bool weak);
static bool is_tie(const Moves *moves, const uint32_t *place, size_t n);
static bool follow_chain(const VsmRecognition *r, const Moves *moves, uint32_t *place, size_t n, uint16_t before, const uint32_t *next,
						 const uint32_t *last);
static bool may_follow(const VsmRecognition *r, const Moves *moves, int stage, const uint32_t *next, const uint32_t *last);
static int	stage_left(const VsmRecognition *r, const Move *move);
static int	chain_direction(const VsmRecognition *r, const Moves *moves, const uint32_t *place, size_t n);
static int	direction_by_stages(const TieWork *work, const uint32_t *place, size_t n);
static void note_order(TieWork *work, const uint32_t *place, size_t n);
static void reverse(uint32_t *place, size_t n);
static void sort_ties(TieOrder *ties, size_t n, TieOrder *spare);
static bool check_sequence(VsmRecognition *r, const Moves *moves);

/* Fills place and begin: by item, then by time, then by line. */
void
vsm_order_moves(Moves *moves, Arena *arena)
{
	uint32_t   *spare;

	moves->place = vsm_arena_alloc(arena, (moves->n + 1) * sizeof(uint32_t));
	moves->begin = vsm_arena_alloc(arena, ((size_t) moves->n_items + 2) * sizeof(uint32_t));
	spare = vsm_arena_alloc(arena, (moves->n + 1) * sizeof(uint32_t));
	for (size_t i = 0; i < moves->n; i++)
		moves->begin[moves->moves[i].item + 2]++;
	for (uint32_t i = 2; i <= moves->n_items + 1; i++)
		moves->begin[i] += moves->begin[i - 1];
	for (size_t i = 0; i < moves->n; i++)
		moves->place[moves->begin[moves->moves[i].item + 1]++] = (uint32_t) i;
	for (uint32_t item = 0; item < moves->n_items; item++)
		sort_slice(moves, moves->place + moves->begin[item], spare, moves->begin[item + 1] - moves->begin[item]);
	vsm_arena_release(arena, spare);
}

/* A stable merge sort by time. */
static void
sort_slice(const Moves *moves, uint32_t *place, uint32_t *spare, size_t n)
{
	for (size_t width = 1; width < n; width *= 2)
	{
		for (size_t low = 0; low < n; low += 2 * width)
		{
			size_t		middle = low + width < n ? low + width : n;
			size_t		high = low + 2 * width < n ? low + 2 * width : n;
			size_t		a = low;
			size_t		b = middle;

			for (size_t to = low; to < high; to++)
				spare[to] = b >= high || (a < middle && moves->moves[place[a]].at <= moves->moves[place[b]].at) ? place[a++] : place[b++];
		}
		memcpy(place, spare, n * sizeof *place);
	}
}

/*
 * vsm_resolve_ties
 *		Bring moves at one time into the order in which they happened; tell pass 2 how.
 *
 * False: nobody knows, and it is asked.
 */
bool
vsm_resolve_ties(VsmRecognition *r, Moves *moves, const VsmRecogniseOptions *options, int n_names)
{
	TieWork		work = {.r = r, .moves = moves};
	long		up;
	long		down;
	int			of_times;

	r->private->sign = 1;
	if (r->form != VSM_LONG)
		return true;			/* the stages' order decides */
	if (r->sequence >= 0 && !check_sequence(r, moves))
		r->sequence = -1;
	of_times = direction_of_times(moves, &up, &down);
	if (options->direction != VSM_DIRECTION_ANY)
		work.direction = options->direction == VSM_NEWEST_FIRST ? -1 : 1;
	else if (up + down > 0)
		work.direction = of_times;
	else
	{
		work.direction = direction_of_ties(r, moves);
		if (work.direction == 0)
			work.direction = direction_of_file(moves);
	}
	r->private->sign = work.direction < 0 ? -1 : 1;
	work.by_item = items_have_directions(moves);
	work.both = up > 0 && down > 0;
	work.before = (Precedence){n_names, vsm_arena_alloc(&r->private->arena, (size_t) n_names * (size_t) n_names * sizeof(uint32_t))};
	vsm_count_precedence(r, moves, &work.before, false);
	for (uint32_t item = 0; item < moves->n_items; item++)
		resolve_item(&work, item, options->direction != VSM_DIRECTION_ANY ? work.direction : 0);
	vsm_arena_release(&r->private->arena, work.before.count);

	if (r->sequence >= 0)
		r->direction = VSM_BY_SEQUENCE;
	else if (up + down == 0 && !work.depends && work.unknown == 0)
		r->direction = VSM_DIRECTION_ANY;
	else
		r->direction = work.direction == 0 ? VSM_DIRECTION_ANY : (work.direction > 0 ? VSM_OLDEST_FIRST : VSM_NEWEST_FIRST);
	if (work.unknown > 0)
		return vsm_ask(r, "unknown_direction", "direction", "some moves of an item have the same time, and nothing tells which was first",
					   vsm_arena_format(&r->private->arena, "So it is at %ld times; the lines of the file stand in no order.", work.unknown),
					   "Say how the lines stand: oldest_first or newest_first.");
	if (r->sampled && work.direction == 0 && work.by_stage > 0)
		return vsm_ask(r, "unknown_direction", "direction", "some moves of an item have the same time, and the lines stand in no order", NULL,
					   "Sort the lines by time, and say how they stand: oldest_first or newest_first.");
	if (work.by_stage > 0)
		vsm_remark(r, "The lines stand in no order; %ld times several moves of an item have the same time, and are taken in the order of their stages.", work.by_stage);
	if (r->private->n_ties > 1)
		sort_ties(r->private->ties, r->private->n_ties,
				  vsm_arena_alloc(&r->private->arena, r->private->n_ties * sizeof(TieOrder)));
	return true;
}

/* ---- The direction of the file ---- */

/* By moves of an item that follow each other in the file; 0 when they go both ways. */
static int
direction_of_times(const Moves *moves, long *up, long *down)
{
	*up = *down = 0;
	for (uint32_t item = 0; item < moves->n_items; item++)
	{
		long		of_item[2];

		item_direction(moves, moves->place + moves->begin[item], moves->begin[item + 1] - moves->begin[item], &of_item[0], &of_item[1]);
		*up += of_item[0];
		*down += of_item[1];
	}
	if (*up + *down == 0)
		return 0;
	return *up >= 9 * *down ? 1 : (*down >= 9 * *up ? -1 : 0);
}

/* Of nearly all items the rows go one way, be it not the same for all. */
static bool
items_have_directions(const Moves *moves)
{
	long		one_way = 0;
	long		both_ways = 0;

	for (uint32_t item = 0; item < moves->n_items; item++)
	{
		long		up;
		long		down;

		item_direction(moves, moves->place + moves->begin[item], moves->begin[item + 1] - moves->begin[item], &up, &down);
		if (up + down < 2)
			continue;
		one_way += up == 0 || down == 0;
		both_ways += up > 0 && down > 0;
	}
	return one_way > 19 * both_ways;
}

/* Pairs of moves, next to each other in time, whose lines go forth and back. */
static void
item_direction(const Moves *moves, const uint32_t *place, size_t n, long *up, long *down)
{
	*up = *down = 0;
	for (size_t i = 1; i < n; i++)
	{
		const Move *a = &moves->moves[place[i - 1]];
		const Move *b = &moves->moves[place[i]];

		*up += a->at != b->at && a->line < b->line;
		*down += a->at != b->at && a->line > b->line;
	}
}

/* When no item has moves at different times: by the stages that each row left, or by what the stages are called. */
static int
direction_of_ties(VsmRecognition *r, const Moves *moves)
{
	long		score = 0;
	long		named = 0;

	for (uint32_t item = 0; item < moves->n_items; item++)
	{
		const uint32_t *place = moves->place + moves->begin[item];
		size_t		n = moves->begin[item + 1] - moves->begin[item];

		if (n < 2)
			continue;
		score += chain_direction(r, moves, place, n);
		{
			VsmCategory first = r->private->category[moves->moves[place[0]].stage];
			VsmCategory last = r->private->category[moves->moves[place[n - 1]].stage];

			named += (last == VSM_DONE || last == VSM_DISCARDED) && first == VSM_WAIT;
			named -= (first == VSM_DONE || first == VSM_DISCARDED) && last == VSM_WAIT;
		}
	}
	return score != 0 ? (score > 0 ? 1 : -1) : (named > 0 ? 1 : (named < 0 ? -1 : 0));
}

/* By all rows, when they go one way throughout. */
static int
direction_of_file(const Moves *moves)
{
	size_t		up = 0;
	size_t		down = 0;

	for (size_t i = 1; i < moves->n; i++)
	{
		up += moves->moves[i].at > moves->moves[i - 1].at;
		down += moves->moves[i].at < moves->moves[i - 1].at;
	}
	return (down == 0) == (up == 0) ? 0 : (up > 0 ? 1 : -1);
}

/* ---- Ties ---- */

static void
resolve_item(TieWork *work, uint32_t item, int direction)
{
	Moves	   *moves = work->moves;
	uint32_t   *place = moves->place + moves->begin[item];
	size_t		n = moves->begin[item + 1] - moves->begin[item];
	long		up;
	long		down;
	bool		weak;

	/* The item's own rows say more than the others', except in a file without order, where they stand so by chance. */
	item_direction(moves, place, n, &up, &down);
	if (direction == 0 && work->by_item && (up > 0) != (down > 0))
		direction = up > 0 ? 1 : -1;
	/* The others' rows say little when they do not all go one way. */
	weak = direction == 0 && work->both;
	if (direction == 0)
		direction = work->direction;
	for (size_t begin = 0, end; begin < n; begin = end)
	{
		for (end = begin + 1; end < n && moves->moves[place[end]].at == moves->moves[place[begin]].at; end++)
			;
		if (end - begin > 1 && is_tie(moves, place + begin, end - begin) &&
			!resolve_group(work, place + begin, end - begin, begin > 0 ? moves->moves[place[begin - 1]].stage : NO_STAGE,
						   place + n, direction, weak))
			work->unknown++;
	}
}

/* The group stands in the order of its lines. */
static bool
resolve_group(TieWork *work, uint32_t *place, size_t n, uint16_t before, const uint32_t *last, int direction, bool weak)
{
	VsmRecognition *r = work->r;
	int			by_chain;
	int			by_stages;

	if (r->sequence >= 0)
	{
		for (size_t i = 1; i < n; i++)
			for (size_t j = i; j > 0 && work->moves->moves[place[j]].sequence < work->moves->moves[place[j - 1]].sequence; j--)
			{
				uint32_t	swap = place[j];

				place[j] = place[j - 1];
				place[j - 1] = swap;
			}
		return true;			/* pass 2 reads the sequence, too */
	}
	/* Of several such orders, that of the file. */
	if (r->from >= 0 && direction < 0)
		reverse(place, n);
	if (r->from >= 0 && follow_chain(r, work->moves, place, n, before, place + n, last))
	{
		note_order(work, place, n);
		return true;
	}
	if (r->from >= 0 && direction < 0)
		reverse(place, n);
	by_chain = chain_direction(r, work->moves, place, n);
	if (by_chain != 0)
		direction = by_chain;
	by_stages = by_chain == 0 && (direction == 0 || weak) ? direction_by_stages(work, place, n) : 0;
	if (direction == 0 && by_stages == 0)
		return false;
	if (by_stages != 0)
	{
		direction = by_stages;
		work->by_stage++;
	}
	else if (by_chain == 0)
		work->depends = true;
	if (direction < 0)
		reverse(place, n);
	note_order(work, place, n);
	return true;
}

/* Into different stages. */
static bool
is_tie(const Moves *moves, const uint32_t *place, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (moves->moves[place[i]].stage != moves->moves[place[0]].stage)
			return true;
	return false;
}

/*
 * Each move leaves the stage that the one before it entered: puts them so that all do, and one of those at the next time, which
 * stand from next to last.  False: they cannot stand so.
 */
static bool
follow_chain(const VsmRecognition *r, const Moves *moves, uint32_t *place, size_t n, uint16_t before, const uint32_t *next, const uint32_t *last)
{
	uint32_t	chosen[MOST_CHAINED];
	size_t		choice[MOST_CHAINED + 1] = {0};
	unsigned int used = 0;
	size_t		depth = 0;

	if (n > MOST_CHAINED)
		return false;
	for (;;)
	{
		const Move *last_move = depth > 0 ? &moves->moves[chosen[depth - 1]] : NULL;
		int			now = last_move != NULL ? (int) last_move->stage : (before == NO_STAGE ? -1 : (int) before);
		size_t		i = choice[depth];

		if (depth == n && may_follow(r, moves, now, next, last))
			break;
		/* At the beginning of an item, any stage may have been left. */
		while (i < n && ((used >> i & 1) != 0 || (stage_left(r, &moves->moves[place[i]]) != now &&
												   !(now == -1 && moves->moves[place[i]].from != NO_STAGE))))
			i++;
		if (depth < n && i < n)
		{
			choice[depth] = i;
			chosen[depth++] = place[i];
			used |= 1U << i;
			choice[depth] = 0;
			continue;
		}
		if (depth == 0)
			return false;
		depth--;
		used &= ~(1U << choice[depth]);
		choice[depth]++;
	}
	memcpy(place, chosen, n * sizeof *place);
	return true;
}

/* Is there nothing behind, or a move at the next time that leaves this stage? */
static bool
may_follow(const VsmRecognition *r, const Moves *moves, int stage, const uint32_t *next, const uint32_t *last)
{
	for (const uint32_t *place = next; place < last && moves->moves[*place].at == moves->moves[*next].at; place++)
		if (stage_left(r, &moves->moves[*place]) == stage)
			return true;
	return next >= last;
}

static int
stage_left(const VsmRecognition *r, const Move *move)
{
	return move->from == NO_STAGE ? -1 : r->private->from_stage[move->from];
}

/* Of rows that follow each other: 1 when each leaves what the one above entered, -1 the other way round. */
static int
chain_direction(const VsmRecognition *r, const Moves *moves, const uint32_t *place, size_t n)
{
	int			score = 0;

	for (size_t i = 1; r->from >= 0 && i < n; i++)
	{
		const Move *a = &moves->moves[place[i - 1]];
		const Move *b = &moves->moves[place[i]];

		score += b->from != NO_STAGE && r->private->from_stage[b->from] == (int) a->stage;
		score -= a->from != NO_STAGE && r->private->from_stage[a->from] == (int) b->stage;
	}
	return score > 0 ? 1 : (score < 0 ? -1 : 0);
}

/* As nine in ten of the items with different times do; 0 when the stages of the group have no such order. */
static int
direction_by_stages(const TieWork *work, const uint32_t *place, size_t n)
{
	int			direction = 0;

	for (size_t i = 1; i < n; i++)
	{
		size_t		a = work->moves->moves[place[i - 1]].stage;
		size_t		b = work->moves->moves[place[i]].stage;
		uint64_t	forth = work->before.count[a * (size_t) work->before.n + b];
		uint64_t	back = work->before.count[b * (size_t) work->before.n + a];
		int			step = forth > 9 * back ? 1 : (back > 9 * forth ? -1 : 0);

		if (step != 0 && direction != 0 && step != direction)
			return 0;
		direction = step != 0 ? step : direction;
	}
	return direction;
}

/* Unless pass 2 finds it by the lines. */
static void
note_order(TieWork *work, const uint32_t *place, size_t n)
{
	struct VsmPrivate *inner = work->r->private;
	bool		by_lines = true;

	for (size_t i = 1; i < n; i++)
		by_lines &= (work->moves->moves[place[i - 1]].line < work->moves->moves[place[i]].line) == (inner->sign > 0);
	if (by_lines)
		return;

	if (inner->n_ties + n > work->n_room)
	{
		work->n_room = 2 * work->n_room + n + 64;
		inner->ties = vsm_arena_resize(&inner->arena, inner->ties, work->n_room * sizeof(TieOrder));
	}
	for (size_t i = 0; i < n; i++)
		inner->ties[inner->n_ties++] = (TieOrder){(long) work->moves->moves[place[i]].line, (int64_t) i};
}

static void
reverse(uint32_t *place, size_t n)
{
	for (size_t i = 0; i < n / 2; i++)
	{
		uint32_t	swap = place[i];

		place[i] = place[n - 1 - i];
		place[n - 1 - i] = swap;
	}
}

/* By line. */
static void
sort_ties(TieOrder *ties, size_t n, TieOrder *spare)
{
	for (size_t width = 1; width < n; width *= 2)
	{
		for (size_t low = 0; low < n; low += 2 * width)
		{
			size_t		middle = low + width < n ? low + width : n;
			size_t		high = low + 2 * width < n ? low + 2 * width : n;
			size_t		a = low;
			size_t		b = middle;

			for (size_t to = low; to < high; to++)
				spare[to] = b >= high || (a < middle && ties[a].line <= ties[b].line) ? ties[a++] : ties[b++];
		}
		memcpy(ties, spare, n * sizeof *ties);
	}
}

void
vsm_sort_lines(long *lines, size_t n, long *spare)
{
	for (size_t width = 1; width < n; width *= 2)
	{
		for (size_t low = 0; low < n; low += 2 * width)
		{
			size_t		middle = low + width < n ? low + width : n;
			size_t		high = low + 2 * width < n ? low + 2 * width : n;
			size_t		a = low;
			size_t		b = middle;

			for (size_t to = low; to < high; to++)
				spare[to] = b >= high || (a < middle && lines[a] <= lines[b]) ? lines[a++] : lines[b++];
		}
		memcpy(lines, spare, n * sizeof *lines);
	}
}

/* Does the column number the moves?  Then it grows with the time within an item. */
static bool
check_sequence(VsmRecognition *r, const Moves *moves)
{
	long		with = 0;
	long		against = 0;

	for (uint32_t item = 0; item < moves->n_items; item++)
		for (uint32_t i = moves->begin[item] + 1; i < moves->begin[item + 1]; i++)
		{
			const Move *a = &moves->moves[moves->place[i - 1]];
			const Move *b = &moves->moves[moves->place[i]];

			if (a->at == b->at)
				continue;
			with += a->sequence < b->sequence;
			against += a->sequence >= b->sequence;
		}
	if (20 * against <= with || with + against == 0)
		return true;
	vsm_remark(r, "Column \"%.100s\" does not number the moves of an item in the order of their times, so it is not used.", r->columns[r->sequence]);
	return false;
}

/* The stage in which an item was created before its first move, this one; -1: the move itself is all that is known. */
int
vsm_birth_stage(const VsmRecognition *r, const Move *first)
{
	return first->born == NOT_BORN || first->from == NO_STAGE || r->sampled ? -1 : r->private->from_stage[first->from];
}

/* In how many items a stage is entered, for the first time, before another. */
void
vsm_count_precedence(const VsmRecognition *r, const Moves *moves, Precedence *precedence, bool ties_too)
{
	for (uint32_t item = 0; item < moves->n_items; item++)
	{
		int			stage[VSM_MAX_STAGES + 1];
		int64_t		at[VSM_MAX_STAGES + 1];
		int			n = 0;

		if (moves->begin[item] < moves->begin[item + 1])
		{
			const Move *first = &moves->moves[moves->place[moves->begin[item]]];

			stage[0] = vsm_birth_stage(r, first);
			at[0] = first->born;
			n = stage[0] >= 0;
		}
		for (uint32_t i = moves->begin[item]; i < moves->begin[item + 1] && n <= VSM_MAX_STAGES; i++)
		{
			const Move *move = &moves->moves[moves->place[i]];
			bool		again = false;

			for (int k = 0; k < n && !again; k++)
				again = stage[k] == move->stage;
			if (again)
				continue;
			for (int k = 0; k < n; k++)
				if (ties_too || at[k] < move->at)
					precedence->count[stage[k] * precedence->n + move->stage]++;
			stage[n] = move->stage;
			at[n++] = move->at;
		}
	}
}
