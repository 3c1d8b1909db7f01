/*
 * shape.c
 *		The shape of the extension's objects is the extension's own.
 *
 * Of these objects, a dump holds what CREATE EXTENSION cannot know: rows, where
 * sequences stand, and grants.  A column that somebody added is not in it, but
 * the COPY of the table's rows names the column, so a restore fails there and
 * every row is lost.  Row security is not in it either, and the copy is open.
 * The event triggers vsm_shape and vsm_shape_dropped refuse such changes, and
 * warn of those that a restored database merely lacks.
 *
 *	shape_commands.c	what a command that creates or alters may do
 *	shape_dropped.c		what may be dropped
 *	shape_members.c		what belongs to the extension
 *	shape_verdict.c		the errors and the warning
 *
 * The scripts of extensions may change everything (ALTER EXTENSION ... UPDATE),
 * and so may pg_upgrade, which makes each object by itself.  A superuser who
 * needs a change that is refused disables the event triggers.
 *
 * The functions must belong to a superuser: an event trigger runs in the
 * sessions of everybody who changes a definition.
 */
#include "shape.h"

#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/tuplestore.h"

/* Column of what pg_event_trigger_ddl_commands() returns. */
#define COMMANDS_COMMAND		9

static bool is_exempt(FunctionCallInfo fcinfo, const char *function);
static TupleTableSlot *open_facts(Oid function, Tuplestorestate **facts);

PG_FUNCTION_INFO_V1(vsm__shape_kept);
PG_FUNCTION_INFO_V1(vsm__shape_dropped);

/* vsm._shape_kept() -> event_trigger: on ddl_command_end */
Datum
vsm__shape_kept(PG_FUNCTION_ARGS)
{
	ShapeHome	home;
	Tuplestorestate *facts;
	TupleTableSlot *slot;
	ShapeVerdict worst = SHAPE_KEPT;
	char	   *object = NULL;

	if (is_exempt(fcinfo, "vsm._shape_kept") ||
		vsm_shape_cannot_matter(((EventTriggerData *) fcinfo->context)->parsetree) ||
		!vsm_shape_find_home(&home, fcinfo->flinfo->fn_oid))
		PG_RETURN_NULL();

	slot = open_facts(F_PG_EVENT_TRIGGER_DDL_COMMANDS, &facts);
	while (tuplestore_gettupleslot(facts, true, false, slot))
	{
		bool		isnull;
		Datum		command = slot_getattr(slot, COMMANDS_COMMAND, &isnull);

		if (!isnull)
			vsm_shape_judge_command((const CollectedCommand *) DatumGetPointer(command), &home, &worst, &object);
	}
	ExecDropSingleTupleTableSlot(slot);
	tuplestore_end(facts);

	if (worst == SHAPE_FORGOTTEN)
		vsm_shape_warn(object);
	else if (worst != SHAPE_KEPT)
		vsm_shape_refuse(worst, object);
	PG_RETURN_NULL();
}

/* vsm._shape_dropped() -> event_trigger: on sql_drop, which sees drops by CASCADE too */
Datum
vsm__shape_dropped(PG_FUNCTION_ARGS)
{
	ShapeHome	home;
	Tuplestorestate *facts;
	TupleTableSlot *slot;

	if (is_exempt(fcinfo, "vsm._shape_dropped") || !vsm_shape_find_home(&home, fcinfo->flinfo->fn_oid))
		PG_RETURN_NULL();

	slot = open_facts(F_PG_EVENT_TRIGGER_DROPPED_OBJECTS, &facts);
	while (tuplestore_gettupleslot(facts, true, false, slot))
		vsm_shape_judge_dropped(slot, &home);
	ExecDropSingleTupleTableSlot(slot);
	tuplestore_end(facts);
	PG_RETURN_NULL();
}

/* Does an extension's script or pg_upgrade make the change? */
static bool
is_exempt(FunctionCallInfo fcinfo, const char *function)
{
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				errmsg("function \"%s\" was not called by an event trigger", function),
				errhint("The server calls it when a definition changes or is dropped."));
	return creating_extension || IsBinaryUpgrade;
}

/*
 * open_facts
 *		The rows of one of the server's functions on the event.
 *
 * They return rows to queries only, so the call is made as the executor makes it.
 */
static TupleTableSlot *
open_facts(Oid function, Tuplestorestate **facts)
{
	LOCAL_FCINFO(call, 0);
	FmgrInfo	flinfo;
	ReturnSetInfo result = {.type = T_ReturnSetInfo};

	fmgr_info(function, &flinfo);
	result.econtext = CreateStandaloneExprContext();
	result.allowedModes = SFRM_Materialize;
	InitFunctionCallInfoData(*call, &flinfo, 0, InvalidOid, NULL, (Node *) &result);
	(void) FunctionCallInvoke(call);
	if (result.returnMode != SFRM_Materialize || result.setResult == NULL)
		elog(ERROR, "function %u returned no rows to read", function);
	*facts = result.setResult;
	return MakeSingleTupleTableSlot(result.setDesc, &TTSOpsMinimalTuple);
}
