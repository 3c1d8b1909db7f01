/*
 * import.c
 *		The aggregates of an import: which events are moves, and the latest texts.
 *
 * The aggregate vsm._sequence runs as a window over the events of each item, in
 * the order of time, known ones before new ones.  The server calls the step for
 * each event and the final function after each step, so one walk tells whether an
 * event is
 *	 a copy		a new event with item, stage and time of an earlier one
 *	 merged		the item is in its stage already
 *	 a move		from which stage, after how long a visit, and what it adds to the
 *				figures; if it finishes the item, also its cycle time and lead time
 * Plain SQL would need three passes of window functions.
 *
 * The aggregate vsm._latest finds the last type or title that the log gives for
 * an item.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "arguments.h"
#include "duration.h"
#include "item_state.h"
#include "ledger_row.h"
#include "roles/stream_access.h"

typedef struct Sequence
{
	int			moves;			/* so far */
	int64		stage_id;		/* where the item is */
	TimestampTz entered_at;		/* when it came there */
	bool		known;			/* all stages so far are defined, so state and stage are right */
	VsmItemState state;
	VsmStage	stage;			/* its texts must not be read: the cache may have dropped them */

	/* stages entered at the instant of the last event, to find copies */
	TimestampTz instant;
	int			count;
	int			size;
	int64	   *stages;

	/* what the last event is */
	bool		copy;
	bool		keep;
	bool		first;
	int64		from_stage_id;
	int64		time_in_stage_us;
	VsmMoveEffect effect;
} Sequence;

/* The last value given; of equal times, the bytewise greater text. */
typedef struct Latest
{
	TimestampTz at;
	text	   *value;
} Latest;

static Sequence *begin_sequence(MemoryContext context);
static void follow_state(Sequence *sequence);
static bool seen_stage_at_instant(const Sequence *sequence, int64 stage_id);
static void add_stage_at_instant(Sequence *sequence, int64 stage_id);
static int	compare_texts(const text *a, const text *b);

PG_FUNCTION_INFO_V1(vsm__sequence_next);
PG_FUNCTION_INFO_V1(vsm__sequence_step);
PG_FUNCTION_INFO_V1(vsm__latest_step);
PG_FUNCTION_INFO_V1(vsm__latest_value);

/* vsm._sequence(stage_id, at, new): transition function */
Datum
vsm__sequence_next(PG_FUNCTION_ARGS)
{
	MemoryContext context = vsm_require_aggregate(fcinfo);
	Sequence   *sequence;
	int64		stage_id;
	TimestampTz at;
	bool		is_new;

	vsm_require_given(fcinfo, 1, "the stage of an event");
	vsm_require_given(fcinfo, 2, "the time of an event");
	vsm_require_given(fcinfo, 3, "whether an event is new");
	stage_id = PG_GETARG_INT64(1);
	at = vsm_require_finite(PG_GETARG_TIMESTAMPTZ(2), "the time of an event");
	is_new = PG_GETARG_BOOL(3);
	sequence = PG_ARGISNULL(0) ? begin_sequence(context) : (Sequence *) PG_GETARG_POINTER(0);

	if (at != sequence->instant)
	{
		sequence->instant = at;
		sequence->count = 0;
	}
	/* a known event is no copy: a live item may return to a stage within a microsecond */
	sequence->copy = is_new && seen_stage_at_instant(sequence, stage_id);
	if (sequence->copy)
		PG_RETURN_POINTER(sequence);
	add_stage_at_instant(sequence, stage_id);

	sequence->first = sequence->moves == 0;
	sequence->from_stage_id = sequence->stage_id;
	sequence->time_in_stage_us = sequence->first ? 0 : vsm_elapsed_us(sequence->entered_at, at);
	sequence->keep = sequence->first || stage_id != sequence->stage_id;
	if (sequence->keep)
	{
		sequence->moves++;
		sequence->stage_id = stage_id;
		sequence->entered_at = at;
		follow_state(sequence);
	}
	PG_RETURN_POINTER(sequence);
}

/* vsm._sequence(...) -> vsm._sequence_step: final function; null without events */
Datum
vsm__sequence_step(PG_FUNCTION_ARGS)
{
	Sequence   *sequence = PG_ARGISNULL(0) ? NULL : (Sequence *) PG_GETARG_POINTER(0);
	TupleDesc	desc = fcinfo->flinfo->fn_extra;
	const VsmMoveEffect *effect;
	bool		finishes;
	Datum		values[13];
	bool		nulls[13] = {0};

	if (sequence == NULL)
		PG_RETURN_NULL();
	effect = &sequence->effect;
	finishes = sequence->keep && effect->finishes;
	if (desc == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		desc = BlessTupleDesc(desc);
		MemoryContextSwitchTo(caller);
		fcinfo->flinfo->fn_extra = desc;
	}
	values[0] = BoolGetDatum(sequence->copy);
	values[1] = BoolGetDatum(sequence->keep);
	values[2] = Int64GetDatum(sequence->from_stage_id);
	nulls[2] = nulls[3] = sequence->first;
	values[3] = sequence->first ? (Datum) 0 : IntervalPGetDatum(vsm_interval(sequence->time_in_stage_us));
	nulls[4] = !finishes || effect->started_at == DT_NOBEGIN;
	values[4] = nulls[4] ? (Datum) 0 : IntervalPGetDatum(vsm_interval(vsm_elapsed_us(effect->started_at, sequence->entered_at)));
	nulls[5] = !finishes;
	values[5] = nulls[5] ? (Datum) 0 : IntervalPGetDatum(vsm_interval(vsm_elapsed_us(effect->created_at, sequence->entered_at)));
	vsm_effect_values(effect, values + 6, nulls + 6);
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

/* vsm._latest(value, at): transition function; null and empty texts do not count */
Datum
vsm__latest_step(PG_FUNCTION_ARGS)
{
	Latest	   *latest = PG_ARGISNULL(0) ? NULL : (Latest *) PG_GETARG_POINTER(0);
	TimestampTz at = PG_ARGISNULL(2) ? DT_NOBEGIN : PG_GETARG_TIMESTAMPTZ(2);
	MemoryContext context = vsm_require_aggregate(fcinfo);
	MemoryContext caller;
	text	   *value;
	int			order;

	if (latest == NULL)
		latest = MemoryContextAllocZero(context, sizeof(Latest));
	if (PG_ARGISNULL(1))
		PG_RETURN_POINTER(latest);
	value = PG_GETARG_TEXT_PP(1);
	if (VARSIZE_ANY_EXHDR(value) == 0)
		PG_RETURN_POINTER(latest);

	order = latest->value ? compare_texts(value, latest->value) : 1;
	if (latest->value && (at < latest->at || (at == latest->at && order < 0)))
		PG_RETURN_POINTER(latest);
	latest->at = at;
	if (order == 0)
		PG_RETURN_POINTER(latest);
	if (latest->value)
		pfree(latest->value);
	caller = MemoryContextSwitchTo(context);
	latest->value = (text *) PG_DETOAST_DATUM_COPY(PG_GETARG_DATUM(1));
	MemoryContextSwitchTo(caller);
	PG_RETURN_POINTER(latest);
}

/* vsm._latest(value, at) -> text: final function; null when no value was given */
Datum
vsm__latest_value(PG_FUNCTION_ARGS)
{
	Latest	   *latest = PG_ARGISNULL(0) ? NULL : (Latest *) PG_GETARG_POINTER(0);

	if (latest == NULL || latest->value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(latest->value);
}

static Sequence *
begin_sequence(MemoryContext context)
{
	Sequence   *sequence = MemoryContextAllocZero(context, sizeof(Sequence));

	sequence->instant = DT_NOBEGIN;
	sequence->size = 4;			/* few events of an item have the same time; doubled as needed */
	sequence->stages = MemoryContextAlloc(context, sizeof(int64) * sequence->size);
	return sequence;
}

/* The item's state after the move, as the trigger would compute it. */
static void
follow_state(Sequence *sequence)
{
	const VsmStage *to = vsm_told_stage(sequence->stage_id);

	VsmItemState before = sequence->state;
	VsmStage	entered;

	sequence->known = to && (sequence->first || sequence->known);
	memset(&sequence->effect, 0, sizeof(VsmMoveEffect));
	sequence->effect.undoes = DT_NOBEGIN;
	if (!sequence->known)
		return;
	entered = *to;
	if (sequence->first)
		vsm_state_create(&sequence->state, &entered, sequence->entered_at);
	else
		vsm_state_move(&sequence->state, &sequence->stage, &entered, sequence->entered_at);
	vsm_move_effect(&sequence->effect, sequence->first ? NULL : &before, sequence->first ? NULL : &sequence->stage,
					&sequence->state, &entered);
	sequence->stage = entered;
}

static bool
seen_stage_at_instant(const Sequence *sequence, int64 stage_id)
{
	for (int i = 0; i < sequence->count; i++)
		if (sequence->stages[i] == stage_id)
			return true;
	return false;
}

static void
add_stage_at_instant(Sequence *sequence, int64 stage_id)
{
	if (seen_stage_at_instant(sequence, stage_id))
		return;
	if (sequence->count == sequence->size)
	{
		sequence->size *= 2;
		sequence->stages = repalloc_huge(sequence->stages, sizeof(int64) * sequence->size);
	}
	sequence->stages[sequence->count++] = stage_id;
}

static int
compare_texts(const text *a, const text *b)
{
	size_t		a_length = VARSIZE_ANY_EXHDR(a);
	size_t		b_length = VARSIZE_ANY_EXHDR(b);
	int			order = memcmp(VARDATA_ANY(a), VARDATA_ANY(b), Min(a_length, b_length));

	if (order != 0)
		return order;
	return (a_length > b_length) - (a_length < b_length);
}
