/*
 * ledger_guard.c
 *		Keeps the ledger append-only.
 *
 * A trigger on vsm.stage_transitions, vsm._merged_events and
 * vsm.superseded_transitions allows the statements that ledger.c and superseded.c
 * run, the owner's INSERTs while a dump is restored, and any statement of the
 * owner's with vsm.recording = off.  The totals cannot follow those, so they are
 * recounted, except after an import, which notes itself what it adds.
 */
#include "ledger_guard.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "counters/counters.h"
#include "marks.h"
#include "roles/access_rights.h"
#include "trigger_guard.h"
#include "unrecorded.h"
#include "vsm.h"

/* The next statement on the ledger is one of ours. */
static bool own_statement = false;

/* In this subtransaction, the next statement on the ledger is an import's, which adds to the totals itself. */
static TransactionId noted_xid = InvalidTransactionId;
static SubTransactionId noted_subid;
static TimestampTz noted_at;

/* When the rows of the statement that the guard saw last are superseded; DT_NOBEGIN: by the clock. */
static TimestampTz statement_at = DT_NOBEGIN;

PG_FUNCTION_INFO_V1(vsm__ledger_guard);
PG_FUNCTION_INFO_V1(vsm__totals_noted);

/* vsm._ledger_guard() -> trigger: BEFORE each statement */
Datum
vsm__ledger_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = vsm_trigger_data(fcinfo, VSM_BEFORE_STATEMENT, VSM_TABLE_LEDGER, VSM_TABLE_SUPERSEDED);
	Relation	rel = trigdata->tg_relation;
	bool		counted = strcmp(RelationGetRelationName(rel), "_merged_events") != 0;
	bool		own = counted && own_statement;
	bool		noted = counted && TransactionIdIsValid(noted_xid) && noted_xid == GetTopTransactionIdIfAny() &&
		noted_subid == GetCurrentSubTransactionId();

	/* the statements of other triggers that it fires are not ours */
	if (counted)
	{
		own_statement = false;
		noted_xid = InvalidTransactionId;
		statement_at = noted ? noted_at : DT_NOBEGIN;
	}
	if (own)
		return PointerGetDatum(NULL);
	vsm_require_recording_right(rel);
	if (!vsm_recording ||
		(TRIGGER_FIRED_BY_INSERT(trigdata->tg_event) && vsm_takes_rows_as_they_are(rel)))
	{
		if (counted && !noted)
		{
			vsm_count_unknown(get_relname_relid("work_items", RelationGetNamespace(rel)));
			vsm_mark_everything();
		}
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

/*
 * vsm._totals_noted(at timestamptz) -> void
 *		The next statement on the ledger is followed by calls of vsm._totals_add().
 *
 * at: when the rows that it deletes or changes are superseded; null: by the clock.
 * 42501: the caller lacks the rights of the tables' owner.
 */
Datum
vsm__totals_noted(PG_FUNCTION_ARGS)
{
	vsm_require_owner("change the ledger");
	noted_xid = GetTopTransactionId();
	noted_subid = GetCurrentSubTransactionId();
	noted_at = PG_ARGISNULL(0) ? DT_NOBEGIN : PG_GETARG_TIMESTAMPTZ(0);
	PG_RETURN_VOID();
}

/* When the rows are superseded that the statement on the ledger deletes or changes. */
TimestampTz
vsm_superseding_at(void)
{
	return statement_at == DT_NOBEGIN ? GetCurrentTimestamp() : statement_at;
}

/*
 * vsm_run_on_ledger
 *		Run a statement on the ledger, which the guard allows; returns SPI's result.
 *
 * latest: as the action of a foreign key does, it also finds rows that others have
 * added since the snapshot of a transaction that keeps it.  To delete such a row is
 * an error (40001); else it would be left.
 */
int
vsm_run_on_ledger(SPIPlanPtr plan, Datum *values, const char *nulls, bool latest)
{
	int			result = 0;

	PG_TRY();
	{
		own_statement = true;
		if (latest && IsolationUsesXactSnapshot())
			result = SPI_execute_snapshot(plan, values, nulls, GetLatestSnapshot(), GetTransactionSnapshot(), false, false, 0);
		else
			result = SPI_execute_plan(plan, values, nulls, false, 0);
	}
	PG_FINALLY();
	{
		own_statement = false;
	}
	PG_END_TRY();
	return result;
}
