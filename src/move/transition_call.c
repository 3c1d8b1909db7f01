/*
 * transition_call.c
 *		vsm.transition(): a move asked for by a function call.
 *
 * The move is stored directly (direct_move.c) or, if something of a user's could
 * see the difference, by an UPDATE of stage_id.  What an UPDATE cannot say (time,
 * reason, expected stage) waits in a VsmRequest (request.c), whose answer is the
 * ledger row that is recorded.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "direct_move.h"
#include "errors.h"
#include "item_checks.h"
#include "names.h"
#include "prepare.h"
#include "request.h"
#include "roles/stream_access.h"
#include "vsm.h"

static void run_request(VsmRequest *request, text *to_stage);
static void run_update(const VsmRequest *request, text *to_stage);
static void forget_update(void);
static void explain_no_move(int64 work_item_id);
static Datum transition_row(FunctionCallInfo fcinfo, const VsmLedgerRow *row);
static Datum latest_transition(int64 work_item_id);

static SPIPlanPtr update_plan = NULL;

PG_FUNCTION_INFO_V1(vsm_transition);
PG_FUNCTION_INFO_V1(vsm__stage_id);

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
	VsmRequest	request = {0};
	VsmRequest *outer;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("a transition needs a work item and a stage"),
				errdetail("The %s is null.", PG_ARGISNULL(0) ? "work item's id" : "stage's name"),
				errhint("Call vsm.transition(work_item_id, to_stage)."));
	request.work_item_id = PG_GETARG_INT64(0);
	request.records = vsm_recording && SessionReplicationRole != SESSION_REPLICATION_ROLE_REPLICA;
	request.has_at = !PG_ARGISNULL(2);
	if (request.has_at)
		request.at = PG_GETARG_TIMESTAMPTZ(2);
	if (!PG_ARGISNULL(3))
	{
		vsm_check_text(PG_GETARG_TEXT_PP(3), "the reason", "reason");
		request.reason = text_to_cstring(PG_GETARG_TEXT_PP(3));
	}
	if (!PG_ARGISNULL(4))
		request.expected_from = text_to_cstring(vsm_sought(PG_GETARG_TEXT_PP(4)));

	outer = vsm_request_begin(&request);
	PG_TRY();
	{
		run_request(&request, vsm_sought(PG_GETARG_TEXT_PP(1)));
	}
	PG_FINALLY();
	{
		vsm_request_end(outer);
	}
	PG_END_TRY();

	if (request.recorded)
		return transition_row(fcinfo, &request.row);
	return latest_transition(request.work_item_id);
}

/*
 * vsm._stage_id(stream text, stage text) -> bigint
 *		The id of a stage by its exact name; PT404 when there is none.
 */
Datum
vsm__stage_id(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(vsm_require_stage(text_to_cstring(vsm_sought(PG_GETARG_TEXT_PP(0))),
									  text_to_cstring(vsm_sought(PG_GETARG_TEXT_PP(1))))
						->id);
}

static void
run_request(VsmRequest *request, text *to_stage)
{
	if (!vsm_move_directly(request, to_stage))
		run_update(request, to_stage);
	if (request->recorded || request->stays)
		return;
	forget_update();
	explain_no_move(request->work_item_id);
}

/* The triggers fill in the request's answers. */
static void
run_update(const VsmRequest *request, text *to_stage)
{
	Datum		values[2] = {Int64GetDatum(request->work_item_id), PointerGetDatum(to_stage)};
	int			result;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (update_plan == NULL)
	{
		Oid			types[2] = {INT8OID, TEXTOID};

		update_plan = vsm_prepare("UPDATE vsm.work_items SET stage_id = vsm._require_room(xmax, stage_id, vsm._stage_id(stream, $2))"
						   " WHERE id OPERATOR(pg_catalog.=) $1",
						   2, types);
	}
	/* a rule may have replaced the statement, so the result code tells nothing else */
	result = SPI_execute_plan(update_plan, values, NULL, false, 0);
	if (result < 0)
		elog(ERROR, "could not run the move: %s", SPI_result_code_string(result));
	SPI_finish();
}

/*
 * forget_update
 *		Have the UPDATE planned anew.
 *
 * If a rule replaces it by nothing, its plan depends on no relation, so the server
 * would keep the plan when the rule is gone.
 */
static void
forget_update(void)
{
	if (update_plan && SPI_freeplan(update_plan) == 0)
		update_plan = NULL;
}

/* The error when nothing was recorded: there is no such item, or something cancelled the UPDATE. */
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
			errhint("vsm.create_work_item() creates one; vsm.work_items has the ids."));
}

static Datum
transition_row(FunctionCallInfo fcinfo, const VsmLedgerRow *row)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(get_func_rettype(fcinfo->flinfo->fn_oid), -1);
	Datum		values[LEDGER_COLUMNS];
	bool		nulls[LEDGER_COLUMNS];
	HeapTuple	tuple;

	if (desc->natts != LEDGER_COLUMNS)
		elog(ERROR, "return type must be vsm.stage_transitions");
	vsm_ledger_row_values(row, values, nulls);
	tuple = heap_form_tuple(desc, values, nulls);
	ReleaseTupleDesc(desc);
	return HeapTupleGetDatum(tuple);
}

/* The ledger row that put the item where it is. */
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

		plan = vsm_prepare("SELECT vsm._latest_transition($1)", 1, types);
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
