/*
 * item_state.c
 *		The state of a work item as a fold over its moves.
 *
 * One rule, three users: the row trigger applies it to one live move, and the
 * aggregates replay whole histories, for imports and repairs (vsm._replay) and
 * for the reopen rules (vsm._completions).  So what is stored in
 * vsm.work_items is what the ledger says, by construction.
 *
 * An aggregate's input may come in any order: the moves are sorted by time,
 * equal times by ledger id, before the fold.
 */
#include "item_state.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "arguments.h"
#include "errors.h"
#include "figures/duration.h"
#include "roles/stream_access.h"

#define MOST_COMPLETIONS	5000000	/* some 100 bytes each in an array, which 1 GB limits */

typedef struct Move
{
	int64		to_stage_id;
	TimestampTz at;
	int64		id;
} Move;

typedef struct Moves
{
	int64		count;
	int64		size;
	Move	   *moves;
	const struct Rule *rule;	/* of vsm._completions */
} Moves;

/* A completion by one of the reopen rules of the reference. */
typedef struct Completion
{
	TimestampTz created_at;
	VsmItemState span;			/* what lies between start and finish */
	int64		cycle_us;
} Completion;

/* The reopen rules. */
typedef struct Rule
{
	const char *name;
	bool		last_run;		/* see last_completion() */
	bool		less_done;
	bool		episodes;
} Rule;

static const Rule rules[] = {
	{.name = "span_first_last"},
	{.name = "span_last", .last_run = true},
	{.name = "sum_active", .less_done = true},
	{.name = "episodes", .episodes = true},
};

static Moves *collect_move(FunctionCallInfo fcinfo);
static void sort_moves(Moves *moves);
static int	compare_moves(const void *a, const void *b, void *arg);
static bool replay(const Moves *moves, VsmItemState *state);
static const Rule *rule_named(const text *name);
static int64 completions(const Moves *moves, Completion *found);
static int64 last_completion(const Moves *moves, Completion *found);
static int64 episode_completions(const Moves *moves, Completion *found);
static bool find_stage(const Move *move, VsmStage *stage);
static void set_completion(Completion *completion, TimestampTz created_at, const VsmItemState *span);
static Datum state_datum(const VsmItemState *state, TupleDesc desc);
static Datum completion_datum(const Completion *completion, TupleDesc desc);
static Datum time_or_null(TimestampTz at, bool *isnull);

PG_FUNCTION_INFO_V1(vsm__replay_step);
PG_FUNCTION_INFO_V1(vsm__replay_state);
PG_FUNCTION_INFO_V1(vsm__completions_step);
PG_FUNCTION_INFO_V1(vsm__completions_array);

/* The state after an item's first entry. */
void
vsm_state_create(VsmItemState *state, const VsmStage *first, TimestampTz at)
{
	state->stage_id = first->id;
	state->created_at = at;
	state->stage_entered_at = at;
	state->started_at = first->started ? at : DT_NOBEGIN;
	state->completed_at = first->category == VSM_DONE ? at : DT_NOBEGIN;
	state->active_us = 0;
	state->wait_us = 0;
	state->reopened = 0;
	state->backward_moves = 0;
}

/*
 * vsm_state_move
 *		The state after a move to another stage.
 *
 * Time before the start and time in done stages is neither active nor wait.
 * A move between two done stages is no new completion.
 */
void
vsm_state_move(VsmItemState *state, const VsmStage *from, const VsmStage *to, TimestampTz at)
{
	int64		stay_us = vsm_elapsed_us(state->stage_entered_at, at);

	if (state->started_at != DT_NOBEGIN)
	{
		if (from->category == VSM_ACTIVE)
			state->active_us += stay_us;
		else if (from->category == VSM_WAIT)
			state->wait_us += stay_us;
	}

	if (to->category == VSM_DONE && from->category != VSM_DONE)
		state->completed_at = at;
	else if (to->category != VSM_DONE && from->category == VSM_DONE)
	{
		state->completed_at = DT_NOBEGIN;
		state->reopened++;
	}

	if (to->order < from->order)
		state->backward_moves++;
	if (to->started && state->started_at == DT_NOBEGIN)
		state->started_at = at;
	state->stage_id = to->id;
	state->stage_entered_at = at;
}

/* vsm._replay(to_stage_id, "timestamp", id): transition function */
Datum
vsm__replay_step(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(collect_move(fcinfo));
}

/*
 * vsm._replay(...) -> vsm._item_state
 *		Final function; null when a move names a stage that is not defined.
 */
Datum
vsm__replay_state(PG_FUNCTION_ARGS)
{
	Moves	   *moves = PG_ARGISNULL(0) ? NULL : (Moves *) PG_GETARG_POINTER(0);
	VsmItemState state;
	TupleDesc	desc;

	if (moves == NULL || !replay(moves, &state))
		PG_RETURN_NULL();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	PG_RETURN_DATUM(state_datum(&state, BlessTupleDesc(desc)));
}

/* vsm._completions(to_stage_id, "timestamp", id, rule): transition function */
Datum
vsm__completions_step(PG_FUNCTION_ARGS)
{
	Moves	   *moves = collect_move(fcinfo);
	const Rule *rule;

	vsm_require_given(fcinfo, 4, "the reopen rule");
	rule = rule_named(PG_GETARG_TEXT_PP(4));
	if (moves->rule == NULL)
		moves->rule = rule;
	if (moves->rule != rule)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("the reopen rule changes within an item"),
				errdetail("It is %s for some moves and %s for others.", moves->rule->name, rule->name),
				errhint("Give the same rule for all moves of an item."));
	PG_RETURN_POINTER(moves);
}

/*
 * vsm._completions(...) -> vsm._completion[]
 *		Final function: an item's completions by the reopen rule, oldest first.
 *
 * One element at most, but for "episodes", where each completion is one.
 */
Datum
vsm__completions_array(PG_FUNCTION_ARGS)
{
	Moves	   *moves = PG_ARGISNULL(0) ? NULL : (Moves *) PG_GETARG_POINTER(0);
	Completion *found;
	Datum	   *elements;
	Oid			row_type = get_element_type(get_fn_expr_rettype(fcinfo->flinfo));
	TupleDesc	desc;
	int64		count;

	if (moves == NULL)
		PG_RETURN_NULL();
	if (!OidIsValid(row_type))
		elog(ERROR, "return type must be an array of rows");

	found = palloc_extended(sizeof(Completion) * moves->count, MCXT_ALLOC_HUGE);
	count = completions(moves, found);
	if (count == 0)
		PG_RETURN_NULL();
	if (count > MOST_COMPLETIONS)
		ereport(ERROR,
				errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("an item has too many completions"),
				errdetail("It has " INT64_FORMAT "; an array can hold %d of them.", count, MOST_COMPLETIONS),
				errhint("Use another reopen rule than episodes."));

	desc = lookup_rowtype_tupdesc(row_type, -1);
	elements = palloc(sizeof(Datum) * count);
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		elements[i] = completion_datum(&found[i], desc);
	}
	ReleaseTupleDesc(desc);
	PG_RETURN_ARRAYTYPE_P(construct_array(elements, (int) count, row_type, -1, false, TYPALIGN_DOUBLE));
}

static Moves *
collect_move(FunctionCallInfo fcinfo)
{
	Moves	   *moves = PG_ARGISNULL(0) ? NULL : (Moves *) PG_GETARG_POINTER(0);
	MemoryContext aggregate = vsm_require_aggregate(fcinfo);
	Move	   *move;

	vsm_require_given(fcinfo, 1, "the stage of a move");
	vsm_require_given(fcinfo, 2, "the time of a move");
	vsm_require_given(fcinfo, 3, "the id of a move");
	(void) vsm_require_finite(PG_GETARG_TIMESTAMPTZ(2), "the time of a move");

	if (moves == NULL)
	{
		moves = MemoryContextAllocZero(aggregate, sizeof(Moves));
		moves->size = 8;
		moves->moves = MemoryContextAlloc(aggregate, sizeof(Move) * moves->size);
	}
	else if (moves->count == moves->size)
	{
		moves->size *= 2;
		moves->moves = repalloc_huge(moves->moves, sizeof(Move) * moves->size);
	}
	move = &moves->moves[moves->count++];
	move->to_stage_id = PG_GETARG_INT64(1);
	move->at = PG_GETARG_TIMESTAMPTZ(2);
	move->id = PG_GETARG_INT64(3);
	return moves;
}

/* Sorting twice does no harm, so aggregates may share one collection. */
static void
sort_moves(Moves *moves)
{
	qsort_interruptible(moves->moves, moves->count, sizeof(Move), compare_moves, NULL);
}

static int
compare_moves(const void *a, const void *b, void *arg)
{
	const Move *left = a;
	const Move *right = b;

	if (left->at != right->at)
		return left->at < right->at ? -1 : 1;
	return (left->id > right->id) - (left->id < right->id);
}

/* False when a stage is not defined. */
static bool
replay(const Moves *moves, VsmItemState *state)
{
	VsmStage	from;
	VsmStage	to;

	sort_moves((Moves *) moves);
	for (int64 i = 0; i < moves->count; i++)
	{
		const Move *move = &moves->moves[i];

		if (!find_stage(move, &to))
			return false;
		if (i == 0)
			vsm_state_create(state, &to, move->at);
		else
			vsm_state_move(state, &from, &to, move->at);
		from = to;
	}
	return moves->count > 0;
}

static const Rule *
rule_named(const text *name)
{
	for (int i = 0; i < (int) lengthof(rules); i++)
		if (strlen(rules[i].name) == VARSIZE_ANY_EXHDR(name) &&
			memcmp(rules[i].name, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)) == 0)
			return &rules[i];
	ereport(ERROR,
			errcode(VSM_UNPROCESSABLE),
			errmsg("reopen rule \"%s\" is not known", text_to_cstring(name)),
			errhint("The rules are span_first_last, span_last, sum_active and episodes."));
}

static int64
completions(const Moves *moves, Completion *found)
{
	sort_moves((Moves *) moves);
	return moves->rule->episodes ? episode_completions(moves, found) : last_completion(moves, found);
}

/*
 * last_completion
 *		The completion of an item that is finished now.
 *
 * last_run: the span begins where the last unbroken run of started stages
 * began, and there is none when "done" was entered from elsewhere.
 * less_done: the time in done stages in between is left out.
 */
static int64
last_completion(const Moves *moves, Completion *found)
{
	VsmItemState whole = {0};
	VsmItemState run = {0};
	VsmItemState finished = {0};	/* the run at the last finish */
	bool		running = false;
	VsmStage	from = {0};
	VsmStage	to;

	for (int64 i = 0; i < moves->count; i++)
	{
		TimestampTz at = moves->moves[i].at;

		if (!find_stage(&moves->moves[i], &to))
			return 0;
		if (i == 0)
			vsm_state_create(&whole, &to, at);
		else
			vsm_state_move(&whole, &from, &to, at);

		if (running)
			vsm_state_move(&run, &from, &to, at);
		else
			vsm_state_create(&run, &to, at);	/* no start unless "to" is one */
		if (to.category == VSM_DONE && (i == 0 || from.category != VSM_DONE))
			finished = run;
		running = to.started;
		from = to;
	}
	if (whole.completed_at == DT_NOBEGIN)
		return 0;

	set_completion(found, whole.created_at, moves->rule->last_run ? &finished : &whole);
	if (moves->rule->less_done)
		found->cycle_us = whole.active_us + whole.wait_us;
	return 1;
}

/*
 * episode_completions
 *		Every completion as an item of its own.
 *
 * What follows a completion is a new item, created by the move that left
 * "done", so it starts with the first started stage after it.
 */
static int64
episode_completions(const Moves *moves, Completion *found)
{
	VsmItemState episode = {0};
	VsmStage	from = {0};
	VsmStage	to;
	int64		count = 0;

	for (int64 i = 0; i < moves->count; i++)
	{
		TimestampTz at = moves->moves[i].at;

		if (!find_stage(&moves->moves[i], &to))
			return 0;
		if (i == 0 || (from.category == VSM_DONE && to.category != VSM_DONE))
			vsm_state_create(&episode, &to, at);
		else
			vsm_state_move(&episode, &from, &to, at);
		if (to.category == VSM_DONE && (i == 0 || from.category != VSM_DONE))
			set_completion(&found[count++], episode.created_at, &episode);
		from = to;
	}
	return count;
}

/* Copies, since a pointer into the cache does not outlive the next look-up. */
static bool
find_stage(const Move *move, VsmStage *stage)
{
	const VsmStage *known;

	CHECK_FOR_INTERRUPTS();
	known = vsm_told_stage(move->to_stage_id);

	if (known == NULL)
		return false;
	*stage = *known;
	return true;
}

static void
set_completion(Completion *completion, TimestampTz created_at, const VsmItemState *span)
{
	completion->created_at = created_at;
	completion->span = *span;
	completion->cycle_us = span->started_at == DT_NOBEGIN ? 0 : span->completed_at - span->started_at;
}

static Datum
state_datum(const VsmItemState *state, TupleDesc desc)
{
	Datum		values[9];
	bool		nulls[9] = {0};

	values[0] = Int64GetDatum(state->stage_id);
	values[1] = TimestampTzGetDatum(state->created_at);
	values[2] = TimestampTzGetDatum(state->stage_entered_at);
	values[3] = time_or_null(state->started_at, &nulls[3]);
	values[4] = time_or_null(state->completed_at, &nulls[4]);
	values[5] = IntervalPGetDatum(vsm_interval(state->active_us));
	values[6] = IntervalPGetDatum(vsm_interval(state->wait_us));
	values[7] = Int32GetDatum(state->reopened);
	values[8] = Int32GetDatum(state->backward_moves);
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

static Datum
completion_datum(const Completion *completion, TupleDesc desc)
{
	const VsmItemState *span = &completion->span;
	bool		never_started = span->started_at == DT_NOBEGIN;
	Datum		values[6];
	bool		nulls[6] = {0};

	values[0] = TimestampTzGetDatum(completion->created_at);
	values[1] = time_or_null(span->started_at, &nulls[1]);
	values[2] = TimestampTzGetDatum(span->completed_at);
	values[3] = Int64GetDatum(completion->cycle_us);
	nulls[3] = never_started;
	values[4] = Int64GetDatum(span->active_us);
	values[5] = Int64GetDatum(span->wait_us);
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

static Datum
time_or_null(TimestampTz at, bool *isnull)
{
	*isnull = at == DT_NOBEGIN;
	return TimestampTzGetDatum(at);
}
