/*
 * request.c
 *		vsm.transition(): a move asked for by a function call.
 *
 * It is an UPDATE of stage_id.  What an UPDATE cannot say (time, reason, expected
 * stage) waits in vsm_request, which points to a variable of the call, for the
 * first change of that item's row; the triggers leave their answers there.
 */
#include "vsm.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "roles/stream_access.h"

VsmRequest *vsm_request = NULL;

static void run_request(int64 work_item_id, text *to_stage);
static void explain_no_move(int64 work_item_id);
static Datum transition_row(FunctionCallInfo fcinfo, const VsmRequest *request);
static Datum latest_transition(int64 work_item_id);

PG_FUNCTION_INFO_V1(vsm_transition);

/*
 * vsm.transition(work_item_id, to_stage, at, reason, expected_from) -> vsm.stage_transitions
 *		Move an item; returns the ledger row.
 *
 * to_stage is a name in the item's stream.  Moving an item to the stage it is
 * in records nothing and returns its latest transition.  PT404: no such item
 * or stage; PT409: not in expected_from; PT422: time or stage refused.
 */
Datum
vsm_transition(PG_FUNCTION_ARGS)
{
	VsmRequest *outer = vsm_request;
	VsmRequest	request = {0};

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("a transition needs a work item and a stage"),
				errdetail("The %s is null.", PG_ARGISNULL(0) ? "work item's id" : "stage's name"),
				errhint("Call vsm.transition(work_item_id, to_stage)."));
	request.work_item_id = PG_GETARG_INT64(0);
	request.has_at = !PG_ARGISNULL(2);
	if (request.has_at)
		request.at = PG_GETARG_TIMESTAMPTZ(2);
	if (!PG_ARGISNULL(3))
		request.reason = text_to_cstring(PG_GETARG_TEXT_PP(3));
	if (!PG_ARGISNULL(4))
		request.expected_from = text_to_cstring(PG_GETARG_TEXT_PP(4));

	PG_TRY();
	{
		vsm_request = &request;
		run_request(request.work_item_id, PG_GETARG_TEXT_PP(1));
	}
	PG_FINALLY();
	{
		vsm_request = outer;
	}
	PG_END_TRY();

	if (request.recorded)
		return transition_row(fcinfo, &request);
	return latest_transition(request.work_item_id);
}

/* The UPDATE; the triggers fill in vsm_request. */
static void
run_request(int64 work_item_id, text *to_stage)
{
	static SPIPlanPtr plan = NULL;
	Datum		values[2] = {Int64GetDatum(work_item_id), PointerGetDatum(to_stage)};
	int			result;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (plan == NULL)
	{
		Oid			types[2] = {INT8OID, TEXTOID};

		plan = SPI_prepare("UPDATE vsm.work_items SET stage_id = vsm._require_room(xmax, stage_id, vsm._stage_id(stream, $2))"
						   " WHERE id OPERATOR(pg_catalog.=) $1",
						   2, types);
		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not prepare the move: %s", SPI_result_code_string(SPI_result));
	}
	/* a rule may have made another statement of it, or none */
	result = SPI_execute_plan(plan, values, NULL, false, 0);
	if (result < 0)
		elog(ERROR, "could not run the move: %s", SPI_result_code_string(result));
	SPI_finish();

	if (!vsm_request->recorded && !vsm_request->stays)
		explain_no_move(work_item_id);
}

/* Nothing was recorded: there is no such item, or something kept its row as it was. */
static void
explain_no_move(int64 work_item_id)
{
	Datum		argument = Int64GetDatum(work_item_id);
	Oid			types[1] = {INT8OID};
	bool		exists;
	char	   *stream = NULL;

	if (SPI_connect() != SPI_OK_CONNECT ||
		SPI_execute_with_args("SELECT stream FROM vsm.work_items WHERE id OPERATOR(pg_catalog.=) $1", 1, types, &argument, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not look for work item " INT64_FORMAT, work_item_id);
	exists = SPI_processed > 0;
	if (exists)
		stream = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (stream)
		vsm_require_access(VSM_WRITER, stream);
	SPI_finish();

	if (exists)
		ereport(ERROR,
				errcode(VSM_CONFLICT),
				errmsg("work item " INT64_FORMAT " was not moved", work_item_id),
				errdetail("A trigger, rule or policy on vsm.work_items kept the row as it was."),
				errhint("Look at the triggers, rules and policies that were added to the table."));
	ereport(ERROR,
			errcode(VSM_NOT_FOUND),
			errmsg("work item " INT64_FORMAT " not found", work_item_id),
			errdetail("No work item has that id."),
			errhint("vsm.create_work_item() makes one; vsm.work_items has the ids."));
}

static Datum
transition_row(FunctionCallInfo fcinfo, const VsmRequest *request)
{
	TupleDesc	desc;
	Datum		values[LEDGER_COLUMNS];
	bool		nulls[LEDGER_COLUMNS] = {0};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE || desc->natts != LEDGER_COLUMNS)
		elog(ERROR, "return type must be vsm.stage_transitions");
	values[0] = Int64GetDatum(request->work_item_id);
	values[1] = Int64GetDatum(request->id);
	values[2] = Int64GetDatum(request->from_stage_id);
	values[3] = Int64GetDatum(request->to_stage_id);
	values[4] = TimestampTzGetDatum(request->at);
	values[5] = TimestampTzGetDatum(request->recorded_at);
	values[6] = IntervalPGetDatum(vsm_interval(request->time_in_stage_us));
	values[7] = request->reason ? CStringGetTextDatum(request->reason) : (Datum) 0;
	nulls[7] = request->reason == NULL;
	values[8] = CStringGetTextDatum(request->actor);
	nulls[9] = true;			/* it is not the item's first */
	nulls[10] = request->cycle_us < 0;
	values[10] = nulls[10] ? (Datum) 0 : IntervalPGetDatum(vsm_interval(request->cycle_us));
	nulls[11] = request->lead_us < 0;
	values[11] = nulls[11] ? (Datum) 0 : IntervalPGetDatum(vsm_interval(request->lead_us));
	nulls[12] = request->wip_breach == 0;
	values[12] = Int32GetDatum(request->wip_breach);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/* Read as the tables' owner: who may move an item may see where it came from. */
static Datum
latest_transition(int64 work_item_id)
{
	static SPIPlanPtr plan = NULL;
	Datum		argument = Int64GetDatum(work_item_id);
	Datum		row;
	bool		isnull;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (plan == NULL)
	{
		Oid			types[1] = {INT8OID};

		plan = SPI_prepare("SELECT vsm._latest_transition($1)", 1, types);
		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not prepare the look at the ledger: %s", SPI_result_code_string(SPI_result));
	}
	if (SPI_execute_plan(plan, &argument, NULL, false, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not read the latest transition of work item " INT64_FORMAT, work_item_id);
	row = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (isnull)
		ereport(ERROR,
				errcode(VSM_NOT_FOUND),
				errmsg("the ledger has no transition of work item " INT64_FORMAT, work_item_id),
				errhint("Restore vsm.stage_transitions; vsm.data_quality() lists such items."));
	row = SPI_datumTransfer(row, false, -1);
	SPI_finish();
	return row;
}
