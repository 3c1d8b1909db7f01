/*
 * on_behalf.c
 *		Work that a role asks for and the tables' owner does.
 *
 * An import, or a refresh of kept figures, writes to tables on which the caller
 * has no rights, and must see all rows of its stream.  A SECURITY DEFINER function
 * cannot tell who called it.  So the functions here check the caller's rights and
 * access to the stream, and then run the owner's part as the owner.  That part is
 * PL/pgSQL without rights of its own: called directly, it can do only what its
 * caller may do.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "move/marks.h"
#include "names.h"
#include "owner.h"
#include "stream_access.h"
#include "trigger_guard.h"

static void require_right(VsmRelation table, AclMode right);
static void require_stream(FunctionCallInfo fcinfo, VsmLevel level);
static void require_definer(FunctionCallInfo fcinfo);
static Datum run_as_owner(FunctionCallInfo fcinfo, const char *query, int nargs, Oid *types, Datum *values, const char *nulls);
static Datum run_query(FunctionCallInfo fcinfo, const char *query, int nargs, Oid *types, Datum *values, const char *nulls);
static Datum name_of_user(void);

PG_FUNCTION_INFO_V1(vsm__import_begin);
PG_FUNCTION_INFO_V1(vsm__import_apply);
PG_FUNCTION_INFO_V1(vsm_refresh_flow_metrics);
PG_FUNCTION_INFO_V1(vsm__fold);
PG_FUNCTION_INFO_V1(vsm__prepare);
PG_FUNCTION_INFO_V1(vsm__stage_id_used);
PG_FUNCTION_INFO_V1(vsm__stream_id_used);
PG_FUNCTION_INFO_V1(vsm__hold_stream);
PG_FUNCTION_INFO_V1(vsm__keep_stream);

/*
 * vsm._import_begin(stream text, on_error text, create_stages boolean) -> text
 *		First step of an import: creates the table for its rows; returns the stream's time zone.
 *
 * PT404: stream; PT422: on_error; 42501: no right to create items, or none in that stream.
 */
Datum
vsm__import_begin(PG_FUNCTION_ARGS)
{
	Oid			types[4] = {TEXTOID, TEXTOID, TEXTOID, BOOLOID};
	Datum		values[4] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1), name_of_user(), PG_GETARG_DATUM(2)};
	char		nulls[5] = {PG_ARGISNULL(0) ? 'n' : ' ', PG_ARGISNULL(1) ? 'n' : ' ', ' ', PG_ARGISNULL(2) ? 'n' : ' ', '\0'};

	require_right(VSM_TABLE_ITEMS, ACL_INSERT);
	require_right(VSM_TABLE_ITEMS, ACL_UPDATE);	/* events of existing items move them */
	require_stream(fcinfo, VSM_WRITER);
	return run_as_owner(fcinfo, "SELECT vsm._import_prepare($1, $2, $3, $4)", 4, types, values, nulls);
}

/*
 * vsm._import_apply(stream text, source text, create_stages boolean, on_error text) -> vsm.import_result
 *		Second step of an import: imports the rows of pg_temp.vsm_import.
 *
 * create_stages needs the right to define the stream; the import then adds types
 * only for a role that may define all streams.
 */
Datum
vsm__import_apply(PG_FUNCTION_ARGS)
{
	Oid			types[5] = {TEXTOID, TEXTOID, BOOLOID, TEXTOID, BOOLOID};
	Datum		values[5] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1), PG_GETARG_DATUM(2), PG_GETARG_DATUM(3)};
	char		nulls[6] = {PG_ARGISNULL(0) ? 'n' : ' ', PG_ARGISNULL(1) ? 'n' : ' ', PG_ARGISNULL(2) ? 'n' : ' ',
	PG_ARGISNULL(3) ? 'n' : ' ', ' ', '\0'};

	require_right(VSM_TABLE_ITEMS, ACL_INSERT);
	require_right(VSM_TABLE_ITEMS, ACL_UPDATE);
	require_stream(fcinfo, VSM_WRITER);
	if (!PG_ARGISNULL(2) && PG_GETARG_BOOL(2))
		require_definer(fcinfo);
	values[4] = BoolGetDatum(vsm_may(VSM_ADMIN, NULL));
	return run_as_owner(fcinfo, "SELECT vsm._import_run($1, $2, $3, $4, $5)", 5, types, values, nulls);
}

/* vsm.refresh_flow_metrics(stream text, since timestamptz, until timestamptz) -> bigint: rows written or removed */
Datum
vsm_refresh_flow_metrics(PG_FUNCTION_ARGS)
{
	Oid			types[3] = {TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum		values[3] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1), PG_GETARG_DATUM(2)};
	char		nulls[4] = {PG_ARGISNULL(0) ? 'n' : ' ', PG_ARGISNULL(1) ? 'n' : ' ', PG_ARGISNULL(2) ? 'n' : ' ', '\0'};

	require_right(VSM_TABLE_METRICS, ACL_DELETE);
	require_stream(fcinfo, VSM_WRITER);
	return run_as_owner(fcinfo, "SELECT vsm._refresh_flow_metrics($1, $2, $3)", 3, types, values, nulls);
}

/*
 * vsm._fold(stream text, rebuild boolean) -> vsm.fold_result
 *		Folding a stream, for anybody who may see it; anew only for its writers.
 *
 * It deletes marks, of this transaction too.
 */
Datum
vsm__fold(PG_FUNCTION_ARGS)
{
	Oid			types[2] = {TEXTOID, BOOLOID};
	Datum		values[2] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
	char		nulls[3] = {PG_ARGISNULL(0) ? 'n' : ' ', PG_ARGISNULL(1) ? 'n' : ' ', '\0'};

	PreventCommandIfReadOnly("vsm.fold()");
	PreventCommandDuringRecovery("vsm.fold()");
	require_right(VSM_TABLE_LEDGER, ACL_SELECT);
	require_stream(fcinfo, !PG_ARGISNULL(1) && PG_GETARG_BOOL(1) ? VSM_WRITER : VSM_READER);
	vsm_forget_marks();
	return run_as_owner(fcinfo, "SELECT vsm._fold_stream($1, $2)", 2, types, values, nulls);
}

/* vsm._prepare() -> void: defines the default stream, as its first item would */
Datum
vsm__prepare(PG_FUNCTION_ARGS)
{
	if (!vsm_any_stage() && vsm_may(VSM_WRITER, "default"))
	{
		require_right(VSM_TABLE_ITEMS, ACL_INSERT);
		(void) run_as_owner(fcinfo, "SELECT vsm._seed_default()", 0, NULL, NULL, NULL);
	}
	PG_RETURN_VOID();
}

/*
 * vsm._stage_id_used(stage_id bigint) -> boolean
 *		Is there a stage of that id, or do the totals remember one?  It may be one of another stream.
 *
 * While its deletion is not committed the stage is seen, and from then on its
 * totals are.
 */
Datum
vsm__stage_id_used(PG_FUNCTION_ARGS)
{
	Oid			types[1] = {INT8OID};
	Datum		values[1] = {PG_GETARG_DATUM(0)};

	require_right(VSM_TABLE_STAGES, ACL_INSERT);
	return run_as_owner(fcinfo, "SELECT EXISTS (SELECT FROM vsm.stages s WHERE s.id = $1)"
						" OR EXISTS (SELECT FROM vsm.superseded_transitions t WHERE $1 IN (t.from_stage_id, t.to_stage_id))",
						1, types, values, NULL);
}

/*
 * vsm._stream_id_used(stream_id bigint) -> boolean
 *		Had a stream that id which has been deleted?
 */
Datum
vsm__stream_id_used(PG_FUNCTION_ARGS)
{
	Oid			types[1] = {INT8OID};
	Datum		values[1] = {PG_GETARG_DATUM(0)};

	require_right(VSM_TABLE_STREAMS, ACL_INSERT);
	return run_as_owner(fcinfo, "SELECT EXISTS (SELECT FROM vsm.superseded_transitions t WHERE t.stream_id = $1)"
						" OR EXISTS (SELECT FROM vsm.stage_transitions t WHERE t.stream_id = $1)",
						1, types, values, NULL);
}

/*
 * vsm._hold_stream(stream text) -> boolean
 *		Lock the stream's row until the end of the transaction; false when there is none.
 */
Datum
vsm__hold_stream(PG_FUNCTION_ARGS)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {PG_GETARG_DATUM(0)};

	require_right(VSM_TABLE_STAGES, ACL_INSERT);
	vsm_require_access(VSM_ADMIN, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	return run_as_owner(fcinfo, "SELECT count(*) > 0 FROM (SELECT FROM vsm.value_streams v WHERE v.name = $1 FOR NO KEY UPDATE) held",
						1, types, values, NULL);
}

/*
 * vsm._keep_stream(stream text, defines boolean) -> boolean
 *		Keep the stream from being renamed or deleted until the end of the transaction; false when there is none.
 *
 * defines: what is added is part of the stream's definition.  As the check of a
 * foreign key does, it waits for nobody else.
 */
Datum
vsm__keep_stream(PG_FUNCTION_ARGS)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {PG_GETARG_DATUM(0)};

	vsm_require_access(PG_GETARG_BOOL(1) ? VSM_ADMIN : VSM_WRITER, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	return run_as_owner(fcinfo, "SELECT count(*) > 0 FROM (SELECT FROM vsm.value_streams v WHERE v.name = $1 FOR KEY SHARE) kept",
						1, types, values, NULL);
}

/* Raise an error unless the caller has the right on the table. */
static void
require_right(VsmRelation table, AclMode right)
{
	Oid			relid = vsm_relation(table);
	AclResult	result = pg_class_aclcheck(relid, GetUserId(), right);

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_TABLE, get_rel_name(relid));
}

/* The first argument is the stream; if it is null, the owner's part raises the error. */
static void
require_stream(FunctionCallInfo fcinfo, VsmLevel level)
{
	if (!PG_ARGISNULL(0))
		vsm_require_access(level, text_to_cstring(vsm_sought(PG_GETARG_TEXT_PP(0))));
}

static void
require_definer(FunctionCallInfo fcinfo)
{
	const char *user = GetUserNameFromId(GetUserId(), false);

	if (pg_class_aclcheck(vsm_relation(VSM_TABLE_STAGES), GetUserId(), ACL_INSERT) != ACLCHECK_OK)
		ereport(ERROR,
				errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("role \"%s\" may not define stages and types", user),
				errdetail("It lacks the right to insert into vsm.stages."),
				errhint("Import without create_stages, or as a role that has vsm.grant_access(..., 'admin')."));
	require_stream(fcinfo, VSM_ADMIN);
}

/* Returns the one value of the query's one row.  Errors name to the caller what the caller may see. */
static Datum
run_as_owner(FunctionCallInfo fcinfo, const char *query, int nargs, Oid *types, Datum *values, const char *nulls)
{
	Oid			listener = vsm_tell_names_to(GetUserId());
	volatile Datum result = (Datum) 0;

	PG_TRY();
	{
		VsmOwner	before = vsm_become_owner(vsm_owner_of(vsm_relation(VSM_TABLE_ITEMS)));

		result = run_query(fcinfo, query, nargs, types, values, nulls);
		vsm_leave_owner(before);
	}
	PG_FINALLY();
	{
		(void) vsm_tell_names_to(listener);
	}
	PG_END_TRY();
	return result;
}

static Datum
run_query(FunctionCallInfo fcinfo, const char *query, int nargs, Oid *types, Datum *values, const char *nulls)
{
	Form_pg_attribute attribute;
	Datum		result;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute_with_args(query, nargs, types, values, nulls, false, 0) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not run \"%s\"", query);
	attribute = TupleDescAttr(SPI_tuptable->tupdesc, 0);
	result = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &fcinfo->isnull);
	if (!fcinfo->isnull && attribute->atttypid != VOIDOID)
		result = SPI_datumTransfer(result, attribute->attbyval, attribute->attlen);
	SPI_finish();
	return result;
}

static Datum
name_of_user(void)
{
	return CStringGetTextDatum(GetUserNameFromId(GetUserId(), false));
}
