/*
 * stages.c
 *		The stages of a log: their names, their order and their categories.
 *
 * The order is that in which most items enter them: a stage stands behind those
 * that more items enter before it than after it.  Done stages follow, then
 * discarded ones.  A stage that the stream has defined has its category there.  Where
 * neither a stage's name nor what items do in it tells its category, it is guessed
 * from its place, and marked so.
 */
#include <string.h>

#include "csv/moves.h"

/* What items do in a stage, of those looked at. */
typedef struct StageUse
{
	long		items;			/* that entered it */
	long		starts;			/* that began in it */
	long		remain;
} StageUse;

static void say_guesses(VsmRecognition *r);
static bool name_stages(VsmRecognition *r);
static bool is_respelt(const char *spelling, const char *name);
static int	stage_named(VsmRecognition *r, const char *name, size_t length, bool may_add);
static void add_spellings(VsmRecognition *r, const VsmRecogniseOptions *options);
static void map_moves(VsmRecognition *r, Moves *moves);
static void find_births(VsmRecognition *r, const Moves *moves);
static void look_at_use(const VsmRecognition *r, const Moves *moves, StageUse *use);
static void order_stages(VsmRecognition *r, const Moves *moves);
static void sort_wide_ties(const VsmRecognition *r, Moves *moves);
static VsmCategory category_of(const VsmRecogniseOptions *options, const char *name, bool *certain, bool *defined);
static void choose_categories(VsmRecognition *r, const VsmRecogniseOptions *options, const StageUse *use, long items);
static void accept_last(VsmRecognition *r, const StageUse *use);
static void choose_ends(VsmRecognition *r, const VsmRecogniseOptions *options, const StageUse *use);
static bool apply_given(VsmRecognition *r, const VsmRecogniseOptions *options);
static void move_stages(VsmRecognition *r, const int *from, int n);
static void drop_unused(VsmRecognition *r);

bool
vsm_stages_in_order(VsmRecognition *r, Moves *moves, const VsmRecogniseOptions *options)
{
	Arena	   *arena = &r->private->arena;
	StageUse   *use;
	char	  **names;
	int			n;

	if (r->form == VSM_LONG)
	{
		add_spellings(r, options);
		if (!name_stages(r))
			return false;
		map_moves(r, moves);
	}
	else
		for (size_t i = 0; i < moves->n; i++)
			r->stages[moves->moves[i].stage].moves++;
	n = r->n_stages;
	names = vsm_arena_alloc(arena, ((size_t) n + 1) * sizeof(char *));
	r->private->category = vsm_arena_alloc(arena, ((size_t) n + 1) * sizeof(VsmCategory));
	for (int i = 0; i < n; i++)
	{
		names[i] = r->stages[i].name;
		r->private->category[i] = category_of(options, names[i], &(bool){0}, &(bool){0});
	}
	vsm_order_moves(moves, arena);
	if (!vsm_resolve_ties(r, moves, options, r->n_stages))
		return false;
	if (r->form == VSM_LONG)
		find_births(r, moves);
	order_stages(r, moves);
	if (r->form == VSM_WIDE)
		sort_wide_ties(r, moves);
	use = vsm_arena_alloc(arena, ((size_t) r->n_stages + 1) * sizeof(StageUse));
	look_at_use(r, moves, use);
	choose_categories(r, options, use, (long) moves->n_items);
	if (r->form == VSM_LONG)
		drop_unused(r);
	if (!apply_given(r, options))
		return false;
	say_guesses(r);
	vsm_count_flow(r, moves, names, n);
	return true;
}

static void
say_guesses(VsmRecognition *r)
{
	for (int i = 0; i < r->n_stages; i++)
		if (r->stages[i].guessed)
			vsm_remark(r, "The category of stage \"%.100s\" is guessed: %s.", r->stages[i].name,
					 r->stages[i].category == VSM_WAIT ? "wait" : (r->stages[i].category == VSM_DONE ? "done" : "active"));
}

/* ---- Names ---- */

/* A stage for each name, and aliases before that. */
static void
add_spellings(VsmRecognition *r, const VsmRecogniseOptions *options)
{
	struct VsmPrivate *inner = r->private;
	Names	   *names = &inner->stage_names;
	Names	   *from = &inner->from_names;

	r->stages = vsm_arena_alloc(&inner->arena, ((size_t) names->n_names + (size_t) from->n_names + 1) * sizeof(VsmStage));
	inner->stage_index = vsm_arena_alloc(&inner->arena, ((size_t) names->n_names + 1) * sizeof(int));
	inner->from_stage = vsm_arena_alloc(&inner->arena, ((size_t) from->n_names + 1) * sizeof(int));
	for (int name = 0; name < names->n_names; name++)
	{
		const Spelling *best = NULL;
		const char *alias;
		bool		found;

		for (int i = 0; i < names->n_spellings; i++)
			if (names->spellings[i].name == name && (best == NULL || names->spellings[i].count > best->count))
				best = &names->spellings[i];
		if (best == NULL)
			continue;
		alias = vsm_alias_of(options, best->text, &found);
		if (found && (alias == NULL || alias[0] == '\0'))
			inner->stage_index[name] = -1;
		else if (found)
			inner->stage_index[name] = stage_named(r, alias, strlen(alias), true);
		else
			inner->stage_index[name] = stage_named(r, best->text, strlen(best->text), true);
	}
	for (int name = 0; name < from->n_names; name++)
		for (int i = 0; i < from->n_spellings; i++)
			if (from->spellings[i].name == name)
			{
				const Spelling *spelling = &from->spellings[i];
				bool		found;
				const char *alias = vsm_alias_of(options, spelling->text, &found);

				if (found && (alias == NULL || alias[0] == '\0'))
					inner->from_stage[name] = -1;
				else
					inner->from_stage[name] = stage_named(r, found ? alias : spelling->text, strlen(found ? alias : spelling->text), r->created >= 0);
				break;
			}
}

/* Compared when folded; -1: there is none, and none is added. */
static int
stage_named(VsmRecognition *r, const char *name, size_t length, bool may_add)
{
	char		wanted[512];
	char		key[512];

	vsm_fold(name, length, FOLD_STAGE, wanted, sizeof wanted);
	for (int i = 0; i < r->n_stages; i++)
	{
		vsm_fold(r->stages[i].name, strlen(r->stages[i].name), FOLD_STAGE, key, sizeof key);
		if (strcmp(key, wanted) == 0 && (key[0] != '\0' || strcmp(r->stages[i].name, name) == 0))
			return i;
	}
	if (!may_add)
		return -1;
	r->stages[r->n_stages].name = vsm_arena_text(&r->private->arena, name, length);
	r->stages[r->n_stages].column = -1;
	return r->n_stages++;
}

/* What a name means; an empty text: rows with this name are no moves.  Names of marks only are compared as they are. */
const char *
vsm_alias_of(const VsmRecogniseOptions *options, const char *name, bool *found)
{
	char		wanted[512];

	*found = false;
	vsm_fold(name, strlen(name), FOLD_STAGE, wanted, sizeof wanted);
	for (int i = 0; i < options->n_aliases; i++)
	{
		char		key[512];

		vsm_fold(options->aliases[i].name, strlen(options->aliases[i].name), FOLD_STAGE, key, sizeof key);
		if (strcmp(key, wanted) == 0 && (key[0] != '\0' || strcmp(options->aliases[i].name, name) == 0))
		{
			*found = true;
			return options->aliases[i].stage;
		}
	}
	return NULL;
}

/* Counts the moves by stage, and keeps the other spellings. */
static bool
name_stages(VsmRecognition *r)
{
	struct VsmPrivate *inner = r->private;
	Names	   *names = &inner->stage_names;
	int			respelt = 0;
	int			used = 0;

	for (int i = 0; i < names->n_spellings; i++)
	{
		const Spelling *spelling = &names->spellings[i];
		int			index = inner->stage_index[spelling->name];
		VsmStage   *stage;

		if (index < 0)
		{
			r->moves -= spelling->count;
			r->passed_over += spelling->count;
			continue;
		}
		stage = &r->stages[index];
		used += stage->moves == 0;
		stage->moves += spelling->count;
		if (strcmp(spelling->text, stage->name) == 0)
			continue;
		stage->spellings = vsm_arena_resize(&inner->arena, stage->spellings, ((size_t) stage->n_spellings + 1) * sizeof(char *));
		stage->spellings[stage->n_spellings++] = spelling->text;
		respelt += is_respelt(spelling->text, stage->name);
	}
	if (used > VSM_MAX_STAGES || r->n_stages > VSM_MAX_STAGES + 50)
		return vsm_refuse(r, "too_many_stages", vsm_arena_format(&inner->arena, "column \"%.100s\" has %d different values", r->columns[r->stage], used),
						  "A file may have up to 200 stages.", "Name the column of the stages.");
	if (used == 0)
		return vsm_refuse(r, "no_events", "no line of the file is an event", "By the aliases, no name in the file is that of a stage.",
						  "Let names of stages in the file mean stages.");
	if (respelt == 1)
		vsm_remark(r, "One name differs from that of a stage in capitals and blanks only, and counts as it.");
	else if (respelt > 1)
		vsm_remark(r, "%d names differ from that of a stage in capitals and blanks only, and count as it.", respelt);
	return true;
}

/* Not another name, which an alias gives to the stage. */
static bool
is_respelt(const char *spelling, const char *name)
{
	char		a[512];
	char		b[512];

	vsm_fold(spelling, strlen(spelling), FOLD_STAGE, a, sizeof a);
	vsm_fold(name, strlen(name), FOLD_STAGE, b, sizeof b);
	return strcmp(a, b) == 0;
}

static void
map_moves(VsmRecognition *r, Moves *moves)
{
	size_t		all = moves->n;
	size_t		n = 0;

	for (size_t i = 0; i < moves->n; i++)
	{
		int			stage = r->private->stage_index[moves->moves[i].stage];

		if (stage < 0)
			continue;
		moves->moves[n] = moves->moves[i];
		moves->moves[n++].stage = (uint16_t) stage;
	}
	moves->n = n;
	/* What aliases say is no move may have been the first or the last one. */
	for (size_t i = 0; i < n && n < all && !r->sampled; i++)
	{
		if (i == 0 || moves->moves[i].at < r->first)
			r->first = moves->moves[i].at;
		if (i == 0 || moves->moves[i].at > r->last)
			r->last = moves->moves[i].at;
	}
}

/* ---- Items that were created before their first move ---- */

static void
find_births(VsmRecognition *r, const Moves *moves)
{
	struct VsmPrivate *inner = r->private;
	long		unknown = 0;

	inner->births = vsm_arena_alloc(&inner->arena, ((size_t) moves->n_items + 1) * sizeof(long));
	for (uint32_t item = 0; item < moves->n_items; item++)
	{
		const Move *first;
		int			stage;

		if (moves->begin[item] == moves->begin[item + 1])
			continue;
		first = &moves->moves[moves->place[moves->begin[item]]];
		stage = vsm_birth_stage(r, first);
		if (stage < 0)
		{
			unknown += first->from != NO_STAGE;
			continue;
		}
		inner->births[inner->n_births++] = (long) first->line;
		r->stages[stage].moves++;
		r->moves++;
		if (first->born < r->first)
			r->first = first->born;
	}
	for (size_t i = 1; i < inner->n_births; i++)
		if (inner->births[i] < inner->births[i - 1])
		{
			vsm_sort_lines(inner->births, inner->n_births, vsm_arena_alloc(&inner->arena, inner->n_births * sizeof(long)));
			break;
		}
	if (inner->n_births > 0)
		vsm_remark(r, "%ld items were created, by column \"%.100s\", in the stage that their first move leaves.", (long) inner->n_births, r->columns[r->created]);
	if (unknown > 0 && r->sampled && r->created >= 0)
		vsm_remark(r, "The file is so long that items begin with their first move, not when they were created; import it in parts.");
	else if (unknown > 0)
		vsm_remark(r, "The first move of %ld items leaves a stage; nothing tells when they entered that, so they begin with the move.", unknown);
}

/* ---- Order ---- */

static void
look_at_use(const VsmRecognition *r, const Moves *moves, StageUse *use)
{
	int		   *seen = vsm_arena_alloc(&r->private->arena, ((size_t) r->n_stages + 1) * sizeof(int));

	for (uint32_t item = 0; item < moves->n_items; item++)
	{
		uint32_t	begin = moves->begin[item];
		uint32_t	end = moves->begin[item + 1];
		int			birth;

		if (begin == end)
			continue;
		birth = vsm_birth_stage(r, &moves->moves[moves->place[begin]]);
		if (birth >= 0)
		{
			seen[birth] = (int) item + 1;
			use[birth].items++;
		}
		use[birth >= 0 ? birth : moves->moves[moves->place[begin]].stage].starts++;
		use[moves->moves[moves->place[end - 1]].stage].remain++;
		for (uint32_t i = begin; i < end; i++)
		{
			int			stage = moves->moves[moves->place[i]].stage;

			use[stage].items += seen[stage] != (int) item + 1;
			seen[stage] = (int) item + 1;
		}
	}
}

/* Into inner->rank: by how many stages most items enter before. */
static void
order_stages(VsmRecognition *r, const Moves *moves)
{
	Arena	   *arena = &r->private->arena;
	int			n = r->n_stages;
	Precedence	before = {n, vsm_arena_alloc(arena, (size_t) n * (size_t) n * sizeof(uint32_t) + 1)};
	int		   *score = vsm_arena_alloc(arena, ((size_t) n + 1) * sizeof(int));
	int		   *order = vsm_arena_alloc(arena, ((size_t) n + 1) * sizeof(int));

	vsm_count_precedence(r, moves, &before, r->form == VSM_LONG);
	for (int a = 0; a < n; a++)
	{
		order[a] = a;
		for (int b = 0; b < n; b++)
			score[a] += before.count[b * n + a] > before.count[a * n + b];
	}
	/* Equal ones: the one that is mostly first of the two; else as they appear. */
	for (int i = 1; i < n; i++)
		for (int j = i; j > 0; j--)
		{
			int			a = order[j - 1];
			int			b = order[j];

			if (score[a] < score[b] || (score[a] == score[b] && before.count[b * n + a] <= before.count[a * n + b]))
				break;
			order[j - 1] = b;
			order[j] = a;
		}
	r->private->rank = vsm_arena_alloc(arena, ((size_t) n + 1) * sizeof(int));
	for (int i = 0; i < n; i++)
		r->private->rank[order[i]] = i;
	vsm_arena_release(arena, before.count);
}

/* Dates of one item that are equal: its stages in their order, those that end it last. */
static void
sort_wide_ties(const VsmRecognition *r, Moves *moves)
{
	for (uint32_t item = 0; item < moves->n_items; item++)
		for (uint32_t i = moves->begin[item] + 1; i < moves->begin[item + 1]; i++)
			for (uint32_t j = i; j > moves->begin[item]; j--)
			{
				const Move *a = &moves->moves[moves->place[j - 1]];
				const Move *b = &moves->moves[moves->place[j]];
				uint32_t	swap = moves->place[j];

				if (a->at != b->at || r->private->rank[a->stage] <= r->private->rank[b->stage])
					break;
				moves->place[j] = moves->place[j - 1];
				moves->place[j - 1] = swap;
			}
}

/* ---- Categories ---- */

/* As the stream has defined it, else by the name. */
static VsmCategory
category_of(const VsmRecogniseOptions *options, const char *name, bool *certain, bool *defined)
{
	for (int i = 0; i < options->n_defined; i++)
		if (strcmp(options->defined[i].name, name) == 0)
		{
			*certain = *defined = true;
			return options->defined[i].category;
		}
	*defined = false;
	return vsm_category_of(name, certain);
}

/* By name, and by where items stay; then the stages stand in order. */
static void
choose_categories(VsmRecognition *r, const VsmRecogniseOptions *options, const StageUse *use, long items)
{
	int			n = r->n_stages;
	int		   *order = vsm_arena_alloc(&r->private->arena, ((size_t) n + 1) * sizeof(int));
	int			first = -1;
	int			active = 0;

	for (int i = 0; i < n; i++)
	{
		VsmStage   *stage = &r->stages[i];
		bool		certain;

		stage->category = category_of(options, stage->name, &certain, &stage->defined);
		stage->guessed = !certain;
		stage->remain = use[i].remain;
		if (stage->defined)
			continue;
		if (stage->category == VSM_DISCARDED && 2 * use[i].remain < use[i].items && vsm_category_may_return(stage->name))
			stage->category = VSM_WAIT;
		if (stage->category == VSM_DONE && 2 * use[i].remain < use[i].items && !vsm_category_is_surely_done(stage->name))
			stage->category = VSM_WAIT;
	}
	accept_last(r, use);
	choose_ends(r, options, use);
	for (int i = 0; i < n; i++)
	{
		active += r->stages[i].category == VSM_ACTIVE;
		if (first < 0 || r->private->rank[i] < r->private->rank[first])
			first = i;
	}
	/* Where nearly all items begin they wait, unless it is the only stage of work. */
	if (first >= 0 && r->stages[first].guessed && r->stages[first].category == VSM_ACTIVE && active > 1 && 10 * use[first].starts >= 8 * items)
		r->stages[first].category = VSM_WAIT;
	for (int i = 0; i < n; i++)
	{
		int			place = 0;

		for (int k = 0; k < n; k++)
		{
			int			mine = (r->stages[i].category == VSM_DONE) + 2 * (r->stages[i].category == VSM_DISCARDED);
			int			other = (r->stages[k].category == VSM_DONE) + 2 * (r->stages[k].category == VSM_DISCARDED);

			place += other < mine || (other == mine && r->private->rank[k] < r->private->rank[i]);
		}
		order[place] = i;
	}
	move_stages(r, order, n);
}

/* Accepted, behind all others but what is given up, ends the work when most items stay in it. */
static void
accept_last(VsmRecognition *r, const StageUse *use)
{
	int			last = -1;

	for (int i = 0; i < r->n_stages; i++)
		if (r->stages[i].category != VSM_DISCARDED && (last < 0 || r->private->rank[i] > r->private->rank[last]))
			last = i;
	if (last >= 0 && r->n_stages > 2 && !r->stages[last].defined && r->stages[last].category == VSM_WAIT && 2 * use[last].remain >= use[last].items &&
		vsm_category_is_approval(r->stages[last].name))
	{
		r->stages[last].category = VSM_DONE;
		r->stages[last].guessed = true;
	}
}

/* When no name says done: a stage of unknown name in which most items stay, or what is abandoned when nothing else ends. */
static void
choose_ends(VsmRecognition *r, const VsmRecogniseOptions *options, const StageUse *use)
{
	int			best = -1;

	for (int i = 0; i < r->n_stages; i++)
		if (r->stages[i].category == VSM_DONE)
			return;
	for (int i = 0; i < r->n_stages; i++)
		if (r->stages[i].guessed && r->stages[i].category == VSM_ACTIVE && 2 * use[i].remain >= use[i].items && use[i].remain > 0 &&
			use[i].starts < use[i].items && (best < 0 || use[i].remain > use[best].remain))
			best = i;
	for (int i = 0; best < 0 && i < r->n_stages; i++)
		if (r->stages[i].category == VSM_DISCARDED && !r->stages[i].defined)
			best = i;
	if (best < 0)
	{
		for (int i = 0; i < options->n_defined; i++)
			if (options->defined[i].category == VSM_DONE)
				return;
		vsm_remark(r, "No stage is done by its name, so no item has finished.");
		return;
	}
	r->stages[best].category = VSM_DONE;
	r->stages[best].guessed = true;
}

/* stages[i] becomes what stages[from[i]] was; the maps follow. */
static void
move_stages(VsmRecognition *r, const int *from, int n)
{
	struct VsmPrivate *inner = r->private;
	VsmStage   *old = r->stages;
	int		   *to = vsm_arena_alloc(&inner->arena, ((size_t) r->n_stages + 1) * sizeof(int));

	for (int i = 0; i < r->n_stages; i++)
		to[i] = -1;
	r->stages = vsm_arena_alloc(&inner->arena, ((size_t) n + 1) * sizeof(VsmStage));
	for (int i = 0; i < n; i++)
	{
		r->stages[i] = old[from[i]];
		to[from[i]] = i;
	}
	for (int i = 0; r->form == VSM_LONG && i < inner->stage_names.n_names; i++)
		inner->stage_index[i] = inner->stage_index[i] < 0 ? -1 : to[inner->stage_index[i]];
	for (int i = 0; r->form == VSM_LONG && i < inner->from_names.n_names; i++)
		inner->from_stage[i] = inner->from_stage[i] < 0 ? -1 : to[inner->from_stage[i]];
	for (int i = 0; r->form == VSM_WIDE && i < r->n_columns; i++)
		inner->stage_of[i] = inner->stage_of[i] < 0 ? -1 : to[inner->stage_of[i]];
	r->n_stages = n;
}

/* Stages that moves only leave. */
static void
drop_unused(VsmRecognition *r)
{
	int		   *kept = vsm_arena_alloc(&r->private->arena, ((size_t) r->n_stages + 1) * sizeof(int));
	int			n = 0;

	for (int i = 0; i < r->n_stages; i++)
		if (r->stages[i].moves > 0)
			kept[n++] = i;
	if (n < r->n_stages)
		move_stages(r, kept, n);
}

/* The order and the categories that the caller gives. */
static bool
apply_given(VsmRecognition *r, const VsmRecogniseOptions *options)
{
	Arena	   *arena = &r->private->arena;
	int			old = r->n_stages;
	int		   *order;
	bool	   *used;
	int			n = 0;

	if (options->n_stages == 0)
		return true;
	order = vsm_arena_alloc(arena, ((size_t) options->n_stages + 1) * sizeof(int));
	used = vsm_arena_alloc(arena, ((size_t) old + (size_t) options->n_stages + 1) * sizeof(bool));
	r->stages = vsm_arena_resize(arena, r->stages, ((size_t) old + (size_t) options->n_stages + 1) * sizeof(VsmStage));
	for (int i = 0; i < options->n_stages; i++)
	{
		const VsmGivenStage *given = &options->stages[i];
		int			stage = stage_named(r, given->name, strlen(given->name), r->form == VSM_LONG && given->category != VSM_CATEGORY_ANY);

		if (stage < 0)
			return vsm_refuse(r, "no_such_stage", vsm_arena_format(arena, "the file has no stage \"%.100s\"", given->name), NULL,
							  "Name the stages as the file does, and those that it does not have with their category.");
		if (used[stage])
			return vsm_refuse(r, "stage_twice", vsm_arena_format(arena, "stage \"%.100s\" is given twice", given->name), NULL, "Name each stage once.");
		used[stage] = true;
		order[n++] = stage;
		if (given->category != VSM_CATEGORY_ANY)
		{
			r->stages[stage].category = given->category;
			r->stages[stage].guessed = false;
		}
	}
	for (int i = 0; i < old; i++)
		if (!used[i] && r->form == VSM_LONG)
			return vsm_refuse(r, "stage_not_given", vsm_arena_format(arena, "the file has a stage \"%.100s\" that is not given", r->stages[i].name), NULL,
							  "Name all stages, each with its category.");
	for (int i = 0; i < old; i++)
		if (!used[i])
		{
			vsm_remark(r, "Column \"%.100s\" is not given as a stage, so it is not used.", r->columns[r->stages[i].column]);
			r->moves -= r->stages[i].moves;
		}
	move_stages(r, order, n);
	return true;
}
