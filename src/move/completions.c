/*
 * completions.c
 *		Completions of an item by the reopen rules: the aggregate vsm._completions.
 *
 * The stream's reopen rule says how the cycle time of an item that left "done"
 * counts; doc/reference.md has the rules.
 */
#include "postgres.h"

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
#include "item_state.h"
#include "replay.h"

#define MOST_COMPLETIONS	5000000	/* an array is limited to 1 GB, and each takes some 100 bytes */

/* A completion by one of the reopen rules. */
typedef struct Completion
{
	TimestampTz created_at;
	VsmItemState span;			/* the state at the finish, since the start that the rule chooses */
	int64		cycle_us;
} Completion;

typedef struct VsmReopenRule
{
	const char *name;
	bool		last_run;		/* see find_last_completion() */
	bool		less_done;
	bool		episodes;
} VsmReopenRule;

static const VsmReopenRule rules[] = {
	{.name = "span_first_last"},
	{.name = "span_last", .last_run = true},
	{.name = "sum_active", .less_done = true},
	{.name = "episodes", .episodes = true},
};

static const VsmReopenRule *rule_named(const text *name);
static int64 find_completions(VsmMoves *moves, Completion *found);
static int64 find_last_completion(const VsmMoves *moves, Completion *found);
static int64 find_episodes(const VsmMoves *moves, Completion *found);
static void set_completion(Completion *completion, TimestampTz created_at, const VsmItemState *span);
static Datum completion_datum(const Completion *completion, TupleDesc desc);

PG_FUNCTION_INFO_V1(vsm__completions_step);
PG_FUNCTION_INFO_V1(vsm__completions_array);

/* vsm._completions(to_stage_id, "timestamp", id, rule): transition function */
Datum
vsm__completions_step(PG_FUNCTION_ARGS)
{
	VsmMoves	   *moves = vsm_collect_move(fcinfo);
	const VsmReopenRule *rule;

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
 * At most one element, except for "episodes", where each completion is one.
 */
Datum
vsm__completions_array(PG_FUNCTION_ARGS)
{
	VsmMoves	   *moves = PG_ARGISNULL(0) ? NULL : (VsmMoves *) PG_GETARG_POINTER(0);
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
	count = find_completions(moves, found);
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

static const VsmReopenRule *
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
find_completions(VsmMoves *moves, Completion *found)
{
	vsm_sort_moves(moves);
	return moves->rule->episodes ? find_episodes(moves, found) : find_last_completion(moves, found);
}

/*
 * find_last_completion
 *		The completion of an item that is finished now.
 *
 * last_run: the span begins where the last unbroken run of started stages
 * began; there is none if "done" was entered from a stage that is not started.
 * less_done: the cycle time leaves out the time in done stages.
 */
static int64
find_last_completion(const VsmMoves *moves, Completion *found)
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

		if (!vsm_copy_stage_entered(&moves->moves[i], &to))
			return 0;
		if (i == 0)
			vsm_state_create(&whole, &to, at);
		else
			vsm_state_move(&whole, &from, &to, at);

		if (running)
			vsm_state_move(&run, &from, &to, at);
		else
			vsm_state_create(&run, &to, at);	/* without a start unless "to" is a started stage */
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
 * find_episodes
 *		Every completion as an item of its own.
 *
 * What follows a completion is a new item, created by the move that left
 * "done", so it starts with the first started stage after it.
 */
static int64
find_episodes(const VsmMoves *moves, Completion *found)
{
	VsmItemState episode = {0};
	VsmStage	from = {0};
	VsmStage	to;
	int64		count = 0;

	for (int64 i = 0; i < moves->count; i++)
	{
		TimestampTz at = moves->moves[i].at;

		if (!vsm_copy_stage_entered(&moves->moves[i], &to))
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

static void
set_completion(Completion *completion, TimestampTz created_at, const VsmItemState *span)
{
	completion->created_at = created_at;
	completion->span = *span;
	completion->cycle_us = span->started_at == DT_NOBEGIN ? 0 : span->completed_at - span->started_at;
}

static Datum
completion_datum(const Completion *completion, TupleDesc desc)
{
	const VsmItemState *span = &completion->span;
	bool		never_started = span->started_at == DT_NOBEGIN;
	Datum		values[6];
	bool		nulls[6] = {0};

	values[0] = TimestampTzGetDatum(completion->created_at);
	values[1] = vsm_time_or_null(span->started_at, &nulls[1]);
	values[2] = TimestampTzGetDatum(span->completed_at);
	values[3] = Int64GetDatum(completion->cycle_us);
	nulls[3] = never_started;
	values[4] = Int64GetDatum(span->active_us);
	values[5] = Int64GetDatum(span->wait_us);
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}
