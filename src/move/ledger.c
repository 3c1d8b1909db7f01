/*
 * ledger.c
 *		Writing the ledger, vsm.stage_transitions.
 *
 * All statements run as the owner of the tables; most rows need none
 * (ledger_store.c).  A row that is stored is added to the totals
 * (counters/totals.c) and answers the request that asked for the move (request.c).
 * No foreign keys are needed: whoever changes an item holds its row lock, and
 * nothing but the row triggers and the import writes here.
 */
#include "ledger.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "counters/counters.h"
#include "ledger_guard.h"
#include "ledger_store.h"
#include "marks.h"
#include "owner.h"
#include "prepare.h"
#include "vsm.h"

static SPIPlanPtr prepare_insert(void);
static void refuse_lost_row(int64 work_item_id);

PG_FUNCTION_INFO_V1(vsm__actor);
PG_FUNCTION_INFO_V1(vsm__role);

/* vsm._actor() -> text: the person of vsm.actor, or else the role */
Datum
vsm__actor(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(vsm_actor()));
}

/* vsm._role() -> text: the role that logged in or was SET, not the owner of a function */
Datum
vsm__role(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(vsm_role()));
}

/*
 * vsm_write_ledger_row
 *		Store the row, and give it to the request that it answers.
 *
 * Fills in actor, reason and recorded_at.  request: the one that the move was
 * decided for, or NULL; it may have ended.
 */
void
vsm_write_ledger_row(VsmLedgerRow *row, const VsmRequest *request, Relation items)
{
	VsmRequest *asked = vsm_request_to_answer(request, row->work_item_id);
	Datum		values[LEDGER_COLUMNS];
	bool		nulls[LEDGER_COLUMNS];

	row->recorded_at = GetCurrentTimestamp();
	row->reason = asked ? asked->reason : NULL;
	strlcpy(row->actor, vsm_actor(), sizeof row->actor);

	vsm_mark_move(row->stream_id, row->at);
	vsm_ledger_row_values(row, values, nulls);
	if (!vsm_store_ledger_row(values, nulls))
	{
		VsmOwner	before = vsm_become_owner(items->rd_rel->relowner);

		vsm_insert_ledger_row(row->work_item_id, values, nulls);
		vsm_leave_owner(before);
	}
	vsm_add_to_totals(row, RelationGetRelid(items));

	if (asked)
	{
		asked->row = *row;
		asked->recorded = true;
	}
}

/* Delete all rows of all items. */
void
vsm_empty_ledger(Relation items)
{
	static SPIPlanPtr plan = NULL;

	vsm_run_unrecorded(&plan, "TRUNCATE vsm.stage_transitions, vsm._merged_events, vsm.superseded_transitions, vsm._retypes,"
							  " vsm._spans, vsm._stage_cells, vsm._item_cells, vsm._edge_cells, vsm._path_cells, vsm._marks, vsm.blocks, vsm.failures",
					   items,
					   0, NULL, NULL);
	vsm_forget_marks();
}

/* Run a query as the owner, with vsm.recording = off until it ends. */
void
vsm_run_unrecorded(SPIPlanPtr *plan, const char *query, Relation items, int nargs, Oid *types, Datum *arguments)
{
	VsmOwner	before = vsm_become_owner(items->rd_rel->relowner);
	int			nest = NewGUCNestLevel();

	(void) set_config_option("vsm.recording", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (*plan == NULL)
		*plan = vsm_prepare(query, nargs, types);
	if (vsm_run_on_ledger(*plan, arguments, NULL, true) < 0)
		elog(ERROR, "could not run \"%s\": %s", query, SPI_result_code_string(SPI_result));
	SPI_finish();
	AtEOXact_GUC(true, nest);
	vsm_leave_owner(before);
}

/* The statement, for a ledger to which a user has added something. */
void
vsm_insert_ledger_row(int64 work_item_id, Datum *values, const bool *isnull)
{
	static SPIPlanPtr plan = NULL;
	char		nulls[LEDGER_COLUMNS];

	for (int i = 0; i < LEDGER_COLUMNS; i++)
		nulls[i] = isnull[i] ? 'n' : ' ';
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (plan == NULL)
		plan = prepare_insert();
	if (vsm_run_on_ledger(plan, values, nulls, false) != SPI_OK_INSERT || SPI_processed != 1)
		refuse_lost_row(work_item_id);
	SPI_finish();
}

static SPIPlanPtr
prepare_insert(void)
{
	StringInfoData columns;
	StringInfoData parameters;
	Oid			types[LEDGER_COLUMNS];

	initStringInfo(&columns);
	initStringInfo(&parameters);
	for (int i = 0; i < LEDGER_COLUMNS; i++)
	{
		appendStringInfo(&columns, "%s%s", i > 0 ? ", " : "", vsm_ledger_columns[i].name);
		appendStringInfo(&parameters, "%s$%d", i > 0 ? ", " : "", i + 1);
		types[i] = vsm_ledger_columns[i].type;
	}
	return vsm_prepare(psprintf("INSERT INTO vsm.stage_transitions (%s) VALUES (%s)", columns.data, parameters.data),
					   LEDGER_COLUMNS, types);
}

/* Must agree with vsm._totals_counted. */
void
vsm_add_to_totals(const VsmLedgerRow *row, Oid items)
{
	if (row->first)
		vsm_total_created(items, row->to_stage_id, row->type);
	else
		vsm_total_moved(items, row->from_stage_id, row->to_stage_id, row->time_in_stage_us);
	if (row->lead_us >= 0)
		vsm_total_finished(items, row->to_stage_id, row->lead_us, row->cycle_us);
}

static void
refuse_lost_row(int64 work_item_id)
{
	ereport(ERROR,
			errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			errmsg("the ledger row of work item " INT64_FORMAT " was not stored", work_item_id),
			errdetail("A trigger or rule on vsm.stage_transitions discarded the row."),
			errhint("Look at the triggers and rules that were added to the table."));
}
