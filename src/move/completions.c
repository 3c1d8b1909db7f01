/*
 * completions.c
 *		Completions of an item by the reopen rules: the aggregates vsm._completions
 *		and vsm._paths.
 *
 * The stream's reopen rule says how the cycle time of an item that left "done"
 * counts; doc/reference.md has the rules.  The path of a completion is the stages
 * that the item entered up to it: by the rule episodes since it last left "done",
 * by the others since it was created.
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
#include "duration.h"
#include "errors.h"
#include "item_state.h"
#include "names.h"
#include "replay.h"

#define MOST_COMPLETIONS	5000000	/* an array is limited to 1 GB, and each takes some 100 bytes */
#define MOST_ON_PATH		10000000	/* of 8 bytes */

/* A completion by one of the reopen rules. */
typedef struct Completion
{
	TimestampTz created_at;
	VsmItemState span;			/* the state at the finish, since the start that the rule chooses */
	int64		cycle_us;
	TimestampTz undone_at;		/* when the item left "done" again; DT_NOBEGIN: it did not */
	int64		first_move;		/* of the path, as an index into the sorted moves */
	int64		last_move;		/* the one that finishes */
} Completion;

/* What a fold over the moves knows after each of them. */
typedef struct Walk
{
	VsmItemState whole;
	VsmItemState run;			/* since the last unbroken run of started stages began */
	VsmItemState episode;		/* since the item last left "done" */
	int64		started_us;		/* time in started stages */
	VsmStage	stage;			/* where the item is */
	int64		move;			/* the last one, as an index into the sorted moves */
	int64		episode_move;	/* the one with which the episode began */
} Walk;

typedef enum Start
{
	WHOLE,						/* the first start */
	LAST_RUN,					/* of the last unbroken run of started stages; none if "done" was entered from before it */
	EPISODE						/* the first start since the item last left "done" */
} Start;

typedef enum Clock
{
	SPAN,						/* from start to finish */
	IN_PROGRESS,				/* less the time in done and discarded stages */
	IN_STARTED					/* only the time in started stages */
} Clock;

typedef struct VsmReopenRule
{
	const char *name;
	Start		start;
	Clock		clock;
} VsmReopenRule;

static const VsmReopenRule rules[] = {
	{"span_first_last", WHOLE, SPAN},
	{"span_last", LAST_RUN, SPAN},
	{"sum_active", WHOLE, IN_PROGRESS},
	{"sum_started", WHOLE, IN_STARTED},
	{"episodes", EPISODE, SPAN},
};

static const VsmReopenRule *rule_named(const text *name);
static int64 find_completions(VsmMoves *moves, Completion *found);
static Datum array_of_found(FunctionCallInfo fcinfo, Datum (*element)(const VsmMoves *, const Completion *, TupleDesc));
static void begin_walk(Walk *walk, const VsmStage *to, TimestampTz at);
static void walk_on(Walk *walk, const VsmStage *to, TimestampTz at);
static void set_completion(Completion *completion, const Walk *walk, const VsmReopenRule *rule);
static Datum completion_datum(const VsmMoves *moves, const Completion *completion, TupleDesc desc);
static Datum path_datum(const VsmMoves *moves, const Completion *completion, TupleDesc desc);

PG_FUNCTION_INFO_V1(vsm__completions_step);
PG_FUNCTION_INFO_V1(vsm__completions_array);
PG_FUNCTION_INFO_V1(vsm__paths_array);

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
 *		Final function: all completions of an item, by the reopen rule, oldest first.
 */
Datum
vsm__completions_array(PG_FUNCTION_ARGS)
{
	return array_of_found(fcinfo, completion_datum);
}

/*
 * vsm._paths(...) -> vsm._path[]
 *		Final function: the paths of the completions that count: the last one,
 *		if the item has not left "done" since; by the rule episodes all.
 */
Datum
vsm__paths_array(PG_FUNCTION_ARGS)
{
	return array_of_found(fcinfo, path_datum);
}

/* Null elements are left out. */
static Datum
array_of_found(FunctionCallInfo fcinfo, Datum (*element)(const VsmMoves *, const Completion *, TupleDesc))
{
	VsmMoves   *moves = PG_ARGISNULL(0) ? NULL : (VsmMoves *) PG_GETARG_POINTER(0);
	Completion *found;
	Datum	   *elements;
	Oid			row_type = get_element_type(get_fn_expr_rettype(fcinfo->flinfo));
	TupleDesc	desc;
	int64		count;
	int			kept = 0;

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
				errhint("Divide the history among several work items."));

	desc = lookup_rowtype_tupdesc(row_type, -1);
	elements = palloc(sizeof(Datum) * count);
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		elements[kept] = element(moves, &found[i], desc);
		if (elements[kept] != (Datum) 0)
			kept++;
	}
	ReleaseTupleDesc(desc);
	if (kept == 0)
		PG_RETURN_NULL();
	PG_RETURN_ARRAYTYPE_P(construct_array(elements, kept, row_type, -1, false, TYPALIGN_DOUBLE));
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
			errmsg("reopen rule \"%s\" is not known", vsm_cut(text_to_cstring(name))),
			errhint("The rules are span_first_last, span_last, sum_active, sum_started and episodes."));
}

/* None if a stage is not defined. */
static int64
find_completions(VsmMoves *moves, Completion *found)
{
	Walk		walk = {0};
	VsmStage	to;
	int64		count = 0;

	vsm_sort_moves(moves);
	for (int64 i = 0; i < moves->count; i++)
	{
		TimestampTz at = moves->moves[i].at;
		bool		was_done = i > 0 && walk.stage.category == VSM_DONE;

		if (!vsm_copy_stage_entered(&moves->moves[i], &to))
			return 0;
		walk.move = i;
		if (i == 0)
			begin_walk(&walk, &to, at);
		else
			walk_on(&walk, &to, at);
		if (to.category == VSM_DONE && !was_done)
			set_completion(&found[count++], &walk, moves->rule);
		else if (to.category != VSM_DONE && was_done)
			found[count - 1].undone_at = at;
	}
	return count;
}

static void
begin_walk(Walk *walk, const VsmStage *to, TimestampTz at)
{
	vsm_state_create(&walk->whole, to, at);
	walk->run = walk->episode = walk->whole;
	walk->stage = *to;
}

static void
walk_on(Walk *walk, const VsmStage *to, TimestampTz at)
{
	const VsmStage *from = &walk->stage;

	if (from->started)
		walk->started_us += vsm_elapsed_us(walk->whole.stage_entered_at, at);
	vsm_state_move(&walk->whole, from, to, at);
	if (from->started)
		vsm_state_move(&walk->run, from, to, at);
	else
		vsm_state_create(&walk->run, to, at);	/* without a start unless "to" is a started stage */
	if (from->category == VSM_DONE && to->category != VSM_DONE)
	{
		vsm_state_create(&walk->episode, to, at);
		walk->episode_move = walk->move;
	}
	else
		vsm_state_move(&walk->episode, from, to, at);
	walk->stage = *to;
}

/* The completion that the item's last move is. */
static void
set_completion(Completion *completion, const Walk *walk, const VsmReopenRule *rule)
{
	const VsmItemState *span = rule->start == WHOLE ? &walk->whole : rule->start == LAST_RUN ? &walk->run
																							 : &walk->episode;
	bool		started = span->started_at != DT_NOBEGIN;

	completion->created_at = rule->start == EPISODE ? span->created_at : walk->whole.created_at;
	completion->span = *span;
	completion->undone_at = DT_NOBEGIN;
	completion->first_move = rule->start == EPISODE ? walk->episode_move : 0;
	completion->last_move = walk->move;
	if (!started)
		completion->cycle_us = 0;
	else if (rule->clock == SPAN)
		completion->cycle_us = span->completed_at - span->started_at;
	else
		completion->cycle_us = rule->clock == IN_STARTED ? walk->started_us : span->active_us + span->wait_us;
}

static Datum
completion_datum(const VsmMoves *moves, const Completion *completion, TupleDesc desc)
{
	const VsmItemState *span = &completion->span;
	bool		never_started = span->started_at == DT_NOBEGIN;
	Datum		values[7];
	bool		nulls[7] = {0};

	values[0] = TimestampTzGetDatum(completion->created_at);
	values[1] = vsm_time_or_null(span->started_at, &nulls[1]);
	values[2] = TimestampTzGetDatum(span->completed_at);
	values[3] = Int64GetDatum(completion->cycle_us);
	nulls[3] = never_started;
	values[4] = Int64GetDatum(span->active_us);
	values[5] = Int64GetDatum(span->wait_us);
	values[6] = vsm_time_or_null(completion->undone_at, &nulls[6]);
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

/* 0 for a completion that does not count: paths of all would take memory by the square of the moves. */
static Datum
path_datum(const VsmMoves *moves, const Completion *completion, TupleDesc desc)
{
	int64		length = completion->last_move - completion->first_move + 1;
	Datum	   *stages;
	Datum		values[3];
	bool		nulls[3] = {0};
	HeapTuple	tuple;

	if (completion->undone_at != DT_NOBEGIN && moves->rule->start != EPISODE)
		return (Datum) 0;
	if (length > MOST_ON_PATH)
		ereport(ERROR,
				errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("the path of a work item is too long"),
				errdetail("It has " INT64_FORMAT " moves; a path can have %d.", length, MOST_ON_PATH),
				errhint("Divide the history among several work items."));
	stages = palloc(sizeof(Datum) * length);
	for (int64 i = 0; i < length; i++)
		stages[i] = Int64GetDatum(moves->moves[completion->first_move + i].to_stage_id);
	values[0] = TimestampTzGetDatum(completion->span.completed_at);
	values[1] = Int64GetDatum(completion->cycle_us);
	nulls[1] = completion->span.started_at == DT_NOBEGIN;
	values[2] = PointerGetDatum(construct_array(stages, (int) length, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	tuple = heap_form_tuple(desc, values, nulls);
	pfree(DatumGetPointer(values[2]));
	pfree(stages);
	return HeapTupleGetDatum(tuple);
}
