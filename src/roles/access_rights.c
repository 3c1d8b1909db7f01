/*
 * access_rights.c
 *		Granting and revoking what vsm.grant_access() gives.
 *
 * The tables' owner asks for the rights, and the owner of the schemas grants them.
 * The grantor matters in a dump: a grant by another role than the object's owner
 * is repeated in that role's name, and the role has no grant option in a copy that
 * somebody else has restored.
 *
 * The owner of the schemas is a superuser (the bootstrap one, if the extension was
 * created by a role that is not a superuser).  So the statements that run here as
 * that superuser are fixed: GRANT or REVOKE of the rights that the superuser's
 * function vsm._rights_of_level() returns, and the role's quoted name.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "errors.h"
#include "access_rights.h"
#include "names.h"
#include "owner.h"
#include "trigger_guard.h"

static void refuse_owners(Oid role);
static void wait_for_turn(void);
static Oid	schemas_owner(void);
static char *quoted_role(Oid role);
static uint64 for_each_right(Oid grantor, const char *query, Datum level, const char *verb, const char *preposition, const char *role);

PG_FUNCTION_INFO_V1(vsm__take_turn);
PG_FUNCTION_INFO_V1(vsm__grant_rights);
PG_FUNCTION_INFO_V1(vsm__revoke_rights);

/* vsm._take_turn() -> void; 42501 */
Datum
vsm__take_turn(PG_FUNCTION_ARGS)
{
	vsm_require_owner("grant access");
	wait_for_turn();
	PG_RETURN_VOID();
}

/* vsm._grant_rights(role regrole, level text) -> void */
Datum
vsm__grant_rights(PG_FUNCTION_ARGS)
{
	Oid			role = PG_GETARG_OID(0);

	vsm_require_owner("grant access");
	refuse_owners(role);
	wait_for_turn();
	if (for_each_right(schemas_owner(), "SELECT r FROM vsm._rights_of_level($1) r", PG_GETARG_DATUM(1),
					   "GRANT", "TO", quoted_role(role)) == 0)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("access level \"%s\" is not known", vsm_cut(TextDatumGetCString(PG_GETARG_DATUM(1)))),
				errdetail("A level is a set of rights on the extension's objects."),
				errhint("Give reader, writer or admin."));
	PG_RETURN_VOID();
}

/*
 * vsm._revoke_rights(role regrole, kept_level text) -> void; null: nothing is kept
 *
 * In a database that the tables' owner has restored, that owner granted the rights
 * on schemas and views, and no other role can revoke them.
 */
Datum
vsm__revoke_rights(PG_FUNCTION_ARGS)
{
	Oid			role = PG_ARGISNULL(0) ? InvalidOid : PG_GETARG_OID(0);
	Oid			grantors[2] = {schemas_owner(), vsm_owner_of(vsm_relation(VSM_TABLE_ITEMS))};

	vsm_require_owner("grant access");
	refuse_owners(role);
	wait_for_turn();
	for (int i = 0; i < (grantors[0] == grantors[1] ? 1 : 2); i++)
		(void) for_each_right(grantors[i],
							  "SELECT r FROM vsm._rights_of_level('admin') r"
							  " EXCEPT SELECT r FROM vsm._rights_of_level($1) r",
							  PG_ARGISNULL(1) ? CStringGetTextDatum("none") : PG_GETARG_DATUM(1),
							  "REVOKE", "FROM", quoted_role(role));
	PG_RETURN_VOID();
}

/* Raise an error unless the user has the rights of the tables' owner.  purpose: "grant access" */
void
vsm_require_owner(const char *purpose)
{
	if (!has_privs_of_role(GetUserId(), vsm_owner_of(vsm_relation(VSM_TABLE_ITEMS))))
		ereport(ERROR,
				errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("permission denied to %s", purpose),
				errdetail("The rights of the owner of vsm's tables are needed."),
				errhint("Ask the owner, who created the extension."));
}

/* An owner of the tables or schemas has all rights by that; without them the extension would stop working. */
static void
refuse_owners(Oid role)
{
	if (role == vsm_owner_of(vsm_relation(VSM_TABLE_ITEMS)) || role == schemas_owner())
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("the access of role \"%s\" cannot be changed", GetUserNameFromId(role, false)),
				errdetail("It owns the extension's tables or schemas, and has all rights by that."),
				errhint("Name another role."));
}

/* Of two that change the same rights at once, GRANT and REVOKE let the second fail with an internal error. */
static void
wait_for_turn(void)
{
	LockDatabaseObject(NamespaceRelationId, get_namespace_oid("vsm", false), 0, ShareUpdateExclusiveLock);
}

static Oid
schemas_owner(void)
{
	Oid			schema = get_namespace_oid("vsm", false);
	HeapTuple	tuple = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(schema));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for schema %u", schema);
	owner = ((Form_pg_namespace) GETSTRUCT(tuple))->nspowner;
	ReleaseSysCache(tuple);
	return owner;
}

static char *
quoted_role(Oid role)
{
	char	   *name = OidIsValid(role) ? GetUserNameFromId(role, true) : NULL;

	if (name == NULL)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("role does not exist"),
				errdetail("No role has the object id %u.", role),
				errhint("Give the name of a role; CREATE ROLE creates one."));
	return pstrdup(quote_identifier(name));
}

/* Grant or revoke, as that role, the rights that the query returns; how many? */
static uint64
for_each_right(Oid grantor, const char *query, Datum level, const char *verb, const char *preposition, const char *role)
{
	Oid			types[1] = {TEXTOID};
	VsmOwner	before = vsm_become_owner(grantor);
	SPITupleTable *rights;
	uint64		count;

	if (SPI_connect() != SPI_OK_CONNECT ||
		SPI_execute_with_args(query, 1, types, &level, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not list the rights of a level");
	rights = SPI_tuptable;
	count = SPI_processed;
	for (uint64 i = 0; i < count; i++)
	{
		char	   *statement = psprintf("%s %s %s %s", verb, SPI_getvalue(rights->vals[i], rights->tupdesc, 1), preposition, role);

		if (SPI_execute(statement, false, 0) != SPI_OK_UTILITY)
			elog(ERROR, "could not run \"%s\"", statement);
	}
	SPI_finish();
	vsm_leave_owner(before);
	return count;
}
