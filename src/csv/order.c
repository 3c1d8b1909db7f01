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

typedef struct TieWork
{
	VsmRecognition *r;
	Moves	   *moves;
	Precedence	before;			/* by different times only */
	int			direction;		/* of the file: 1, -1; 0: none */
	size_t		n_room;			/* of r->private->ties */
	long		by_stage;		/* ties that only the order of the stages decided */
	long		unknown;		/* ties that nothing decides */
	bool		depends;		/* on the direction */
} TieWork;

static void sort_slice(const Moves *moves, uint32_t *place, uint32_t *spare, size_t n);
static int	direction_of_times(const Moves *moves, long *up, long *down);
static int	direction_of_ties(VsmRecognition *r, const Moves *moves);
static int	direction_of_file(const Moves *moves);
static void resolve_item(TieWork *work, uint32_t item, int direction);
static bool resolve_group(TieWork *work, uint32_t *place, size_t n, uint16_t before, int direction);
static bool is_tie(const Moves *moves, const uint32_t *place, size_t n);
static bool follow_chain(const VsmRecognition *r, const Moves *moves, uint32_t *place, size_t n, uint16_t before);
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
		vsm_note(r, "The lines stand in no order; %ld times several moves of an item have the same time, and are taken in the order of their stages.", work.by_stage);
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
	uint32_t   *last;
	uint32_t	items = moves->n_items;

	*up = *down = 0;
	/* place is sorted by time: whether lines grow with it. */
	last = moves->place;
	for (uint32_t item = 0; item < items; item++)
		for (uint32_t i = moves->begin[item] + 1; i < moves->begin[item + 1]; i++)
		{
			const Move *a = &moves->moves[last[i - 1]];
			const Move *b = &moves->moves[last[i]];

			if (a->at == b->at)
				continue;
			*up += a->line < b->line;
			*down += a->line > b->line;
		}
	if (*up + *down == 0)
		return 0;
	return 10 * *up >= 9 * (*up + *down) ? 1 : (10 * *down >= 9 * (*up + *down) ? -1 : 0);
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
	return up > 0 && down == 0 ? 1 : (down > 0 && up == 0 ? -1 : 0);
}

/* ---- Ties ---- */

static void
resolve_item(TieWork *work, uint32_t item, int direction)
{
	Moves	   *moves = work->moves;
	uint32_t   *place = moves->place + moves->begin[item];
	size_t		n = moves->begin[item + 1] - moves->begin[item];
	long		up = 0;
	long		down = 0;

	for (size_t i = 1; i < n; i++)
		if (moves->moves[place[i - 1]].at != moves->moves[place[i]].at)
		{
			up += moves->moves[place[i - 1]].line < moves->moves[place[i]].line;
			down += moves->moves[place[i - 1]].line > moves->moves[place[i]].line;
		}
	/* The item's own rows say more than the others'. */
	if (direction == 0 && (up > 0) != (down > 0))
		direction = up > 0 ? 1 : -1;
	if (direction == 0)
		direction = work->direction;
	/* In a file without order, one pair that happens to stand so says nothing. */
	if (work->direction == 0 && up + down < 3)
		direction = 0;
	for (size_t begin = 0, end; begin < n; begin = end)
	{
		for (end = begin + 1; end < n && moves->moves[place[end]].at == moves->moves[place[begin]].at; end++)
			;
		if (end - begin > 1 && is_tie(moves, place + begin, end - begin) &&
			!resolve_group(work, place + begin, end - begin, begin > 0 ? moves->moves[place[begin - 1]].stage : NO_STAGE, direction))
			work->unknown++;
	}
}

/* The group stands in the order of its lines. */
static bool
resolve_group(TieWork *work, uint32_t *place, size_t n, uint16_t before, int direction)
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
	if (r->from >= 0 && follow_chain(r, work->moves, place, n, before))
	{
		note_order(work, place, n);
		return true;
	}
	by_chain = chain_direction(r, work->moves, place, n);
	if (by_chain != 0)
		direction = by_chain;
	if (direction == 0)
	{
		by_stages = direction_by_stages(work, place, n);
		if (by_stages == 0)
			return false;
		direction = by_stages;
		work->by_stage++;
	}
	else if (by_chain == 0)
		work->depends = true;
	if (direction < 0)
		reverse(place, n);
	if (direction != r->private->sign)
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

/* Each move leaves the stage that the one before it entered: true when that gives all of them one order. */
static bool
follow_chain(const VsmRecognition *r, const Moves *moves, uint32_t *place, size_t n, uint16_t before)
{
	uint16_t	now = before == NO_STAGE ? NO_STAGE : before;

	if (n > 64)
		return false;
	for (size_t i = 0; i < n; i++)
	{
		size_t		next = n;
		int			fitting = 0;

		for (size_t j = i; j < n; j++)
		{
			uint16_t	from = moves->moves[place[j]].from;
			bool		fits = from == NO_STAGE ? now == NO_STAGE : r->private->from_stage[from] == (now == NO_STAGE ? -1 : (int) now);

			if (fits && next == n)
				next = j;
			fitting += fits;
		}
		if (next == n || (fitting > 1 && n > 2))
			return false;
		{
			uint32_t	chosen = place[next];

			memmove(place + i + 1, place + i, (next - i) * sizeof *place);
			place[i] = chosen;
			now = moves->moves[chosen].stage;
		}
	}
	return true;
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

		if (step == 0 || (direction != 0 && step != direction))
			return 0;
		direction = step;
	}
	return direction;
}

static void
note_order(TieWork *work, const uint32_t *place, size_t n)
{
	struct VsmPrivate *private = work->r->private;

	if (private->n_ties + n > work->n_room)
	{
		work->n_room = 2 * work->n_room + n + 64;
		private->ties = vsm_arena_resize(&private->arena, private->ties, work->n_room * sizeof(TieOrder));
	}
	for (size_t i = 0; i < n; i++)
	private->ties[private->n_ties++] = (TieOrder){(long) work->moves->moves[place[i]].line, (int64_t) i};
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
	vsm_note(r, "Column \"%.100s\" does not number the moves of an item in the order of their times, so it is not used.", r->columns[r->sequence]);
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
