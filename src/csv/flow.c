/*
 * flow.c
 *		The cumulative flow of a file: how many items had reached each stage, day by day.
 *
 * The rule is that of vsm.cumulative_flow(): an item counts in the furthest stage
 * that it has ever reached and in all before, so a line never falls.  Discarded
 * stages are no further on than others; an item counts in the one that it was
 * discarded in first.
 *
 * A long log has a point for several days, so that there are at most
 * VSM_MOST_FLOW_POINTS.  Of a file that is sampled, the flow is that of the sample.
 */
#include "csv/moves.h"

#define DAY INT64_C(86400000000)

/* Where an item has got to so far. */
typedef struct Reached
{
	int			furthest;		/* stage, none of them discarded; -1: none */
	bool		discarded;
} Reached;

static const int *places_of(const VsmRecognition *r, char *const *names, int n);
static void lay_out(VsmRecognition *r);
static int64_t start_of_day(int64_t at);
static void count_item(VsmRecognition *r, const Moves *moves, const int *now, uint32_t item);
static void enter(VsmRecognition *r, Reached *reached, int stage, int64_t at);

/*
 * vsm_count_flow
 *		Set the flow of a proposal whose stages are in their final order.
 *
 * names: of the n stages that the moves have, which may have changed their places since.
 */
void
vsm_count_flow(VsmRecognition *r, const Moves *moves, char *const *names, int n)
{
	VsmFlow    *flow = &r->flow;
	const int  *now = places_of(r, names, n);

	lay_out(r);
	for (uint32_t item = 0; item < moves->n_items; item++)
		count_item(r, moves, now, item);
	for (int i = r->n_stages; i < flow->n_points * r->n_stages; i++)
		flow->items[i] += flow->items[i - r->n_stages];
}

/* Where the stages that had these names stand now; -1: nowhere. */
static const int *
places_of(const VsmRecognition *r, char *const *names, int n)
{
	int		   *place = vsm_arena_alloc(&r->private->arena, ((size_t) n + 1) * sizeof(int));

	for (int i = 0; i < n; i++)
	{
		place[i] = -1;
		for (int k = 0; k < r->n_stages && place[i] < 0; k++)
			if (r->stages[k].name == names[i])
				place[i] = k;
	}
	return place;
}

static void
lay_out(VsmRecognition *r)
{
	VsmFlow    *flow = &r->flow;
	int64_t		days;

	flow->since = start_of_day(r->first);
	days = (r->last - flow->since + DAY - 1) / DAY;
	flow->days = (int) ((days + VSM_MOST_FLOW_POINTS - 2) / (VSM_MOST_FLOW_POINTS - 1));
	if (flow->days == 0)
		flow->days = 1;
	flow->n_points = (int) ((days + flow->days - 1) / flow->days) + 1;
	flow->items = vsm_arena_alloc(&r->private->arena, ((size_t) flow->n_points * (size_t) r->n_stages + 1) * sizeof(long));
}

/* Also before 1970. */
static int64_t
start_of_day(int64_t at)
{
	int64_t		rest = at % DAY;

	return at - rest - (rest < 0 ? DAY : 0);
}

static void
count_item(VsmRecognition *r, const Moves *moves, const int *now, uint32_t item)
{
	uint32_t	begin = moves->begin[item];
	uint32_t	end = moves->begin[item + 1];
	Reached		reached = {.furthest = -1};

	for (uint32_t i = begin; i < end; i++)
	{
		const Move *move = &moves->moves[moves->place[i]];

		if (i == begin && vsm_birth_stage(r, move) >= 0)
			enter(r, &reached, vsm_birth_stage(r, move), move->born);
		enter(r, &reached, now[move->stage], move->at);
	}
}

/* Notes the change at the first point that sees it: an instant sees the moves up to and including it. */
static void
enter(VsmRecognition *r, Reached *reached, int stage, int64_t at)
{
	VsmFlow    *flow = &r->flow;
	int64_t		step = flow->days * DAY;
	long	   *change = &flow->items[(at - flow->since + step - 1) / step * r->n_stages];

	if (stage < 0)
		return;
	if (r->stages[stage].category == VSM_DISCARDED)
	{
		change[stage] += !reached->discarded;
		reached->discarded = true;
		return;
	}
	for (int i = reached->furthest + 1; i <= stage; i++)
		change[i] += r->stages[i].category != VSM_DISCARDED;
	if (stage > reached->furthest)
		reached->furthest = stage;
}
