/*
 * ledger_guard.c
 *		Keeps the ledger append-only.
 *
 * A trigger on vsm.stage_transitions and vsm._merged_events allows the statements
 * that ledger.c runs, the owner's INSERTs while a dump is restored, and any
 * statement of the owner's with vsm.recording = off.  The totals cannot follow the
 * statements that ledger.c does not run, so they are recounted.
 */
#include "ledger_guard.h"

#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "counters/counters.h"
#include "trigger_guard.h"
#include "unrecorded.h"
#include "vsm.h"

/* The next statement on the ledger is one of ours. */
static bool own_statement = false;

PG_FUNCTION_INFO_V1(vsm__ledger_guard);

/* vsm._ledger_guard() -> trigger: BEFORE each statement */
Datum
vsm__ledger_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = vsm_trigger_data(fcinfo, VSM_BEFORE_STATEMENT, VSM_TABLE_LEDGER, VSM_TABLE_MERGED);
	Relation	rel = trigdata->tg_relation;
	bool		ledger = strcmp(RelationGetRelationName(rel), "stage_transitions") == 0;

	if (ledger && own_statement)
	{
		/* the statements of other triggers that it fires are not ours */
		own_statement = false;
		return PointerGetDatum(NULL);
	}
	vsm_require_recording_right(rel);
	if (!vsm_recording ||
		(TRIGGER_FIRED_BY_INSERT(trigdata->tg_event) && vsm_takes_rows_as_they_are(rel)))
	{
		if (ledger)
			vsm_count_unknown(get_relname_relid("work_items", RelationGetNamespace(rel)));
		return PointerGetDatum(NULL);
	}

	ereport(ERROR,
			errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			errmsg("the ledger \"%s\" is append-only", RelationGetRelationName(rel)),
			errdetail("Its rows are written when work items are created, moved, deleted or imported."),
			has_privs_of_role(GetUserId(), rel->rd_rel->relowner)
				? errhint("Move an item with vsm.transition(), bring past moves in with vsm.import_events(), "
					  "or delete the work item; to repair the ledger, set vsm.recording = off.")
				: errhint("Move an item with vsm.transition(), bring past moves in with vsm.import_events(), "
					  "or delete the work item."),
			errtable(rel));
}

/* Run a statement on the ledger, which the guard allows; returns SPI's result. */
int
vsm_run_on_ledger(SPIPlanPtr plan, Datum *values, const char *nulls)
{
	int			result = 0;

	PG_TRY();
	{
		own_statement = true;
		result = SPI_execute_plan(plan, values, nulls, false, 0);
	}
	PG_FINALLY();
	{
		own_statement = false;
	}
	PG_END_TRY();
	return result;
}
