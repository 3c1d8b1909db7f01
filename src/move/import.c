/*
 * import.c
 *		The aggregates of an import: which events are moves, and the latest texts.
 *
 * The aggregate vsm._sequence runs as a window over the events of each item, in
 * the order of time, known ones before new ones.  The server calls the step for
 * each event and the final function after each step, so one walk tells what each
 * event is (sequence.c).  Plain SQL would need three passes of window functions.
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
#include "ledger_row.h"
#include "sequence.h"

/* The last value given; of equal times, the bytewise greater text. */
typedef struct Latest
{
	TimestampTz at;
	text	   *value;
} Latest;

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
	VsmSequence *sequence;
	int64		stage_id;
	TimestampTz at;
	bool		is_new;

	vsm_require_given(fcinfo, 1, "the stage of an event");
	vsm_require_given(fcinfo, 2, "the time of an event");
	vsm_require_given(fcinfo, 3, "whether an event is new");
	stage_id = PG_GETARG_INT64(1);
	at = vsm_require_finite(PG_GETARG_TIMESTAMPTZ(2), "the time of an event");
	is_new = PG_GETARG_BOOL(3);
	sequence = PG_ARGISNULL(0) ? vsm_sequence_begin(context) : (VsmSequence *) PG_GETARG_POINTER(0);

	vsm_sequence_add(sequence, stage_id, at, is_new);
	PG_RETURN_POINTER(sequence);
}

/* vsm._sequence(...) -> vsm._sequence_step: final function; null without events */
Datum
vsm__sequence_step(PG_FUNCTION_ARGS)
{
	VsmSequence *sequence = PG_ARGISNULL(0) ? NULL : (VsmSequence *) PG_GETARG_POINTER(0);
	TupleDesc	desc = fcinfo->flinfo->fn_extra;
	Datum		values[13];
	bool		nulls[13] = {0};

	if (sequence == NULL)
		PG_RETURN_NULL();
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
	nulls[4] = sequence->cycle_us < 0;
	values[4] = nulls[4] ? (Datum) 0 : IntervalPGetDatum(vsm_interval(sequence->cycle_us));
	nulls[5] = sequence->lead_us < 0;
	values[5] = nulls[5] ? (Datum) 0 : IntervalPGetDatum(vsm_interval(sequence->lead_us));
	vsm_effect_values(&sequence->effect, values + 6, nulls + 6);
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
