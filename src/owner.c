/*
 * owner.c
 *		Acting as the owner of the tables.
 *
 * A role that moves an item has no right on the ledger, and need not have one on
 * the definitions: triggers and counters read and write them as the tables'
 * owner, as referential integrity checks do.  Code that runs as the owner must not
 * depend on anything that the caller can choose.  So three things change together:
 *
 *	identity		the owner's rights, and no SET ROLE out of them; policies that
 *					the owner forces on the table do not filter.  Not a "security-
 *					restricted operation": imports create temporary tables
 *	search_path		pg_catalog, pg_temp: a name finds the server's own function
 *					or operator, whatever the caller's schemas hold
 *	row_security	off: a policy that would filter raises an error instead
 *
 * vsm_leave_owner() restores them; after an error, the end of the transaction or
 * subtransaction does.  Nothing else in the extension changes the identity.
 *
 * Changing the settings costs more than the rest of a short statement.  So they
 * are not changed if they have these values already.
 */
#include "owner.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/rls.h"
#include "utils/syscache.h"

#define OWNERS_SEARCH_PATH "pg_catalog, pg_temp"

static VsmOwner change_identity(Oid owner);
static void set_option(const char *name, const char *value);

Oid
vsm_owner_of(Oid relation)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relation);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* Act as that role, which owns the tables. */
VsmOwner
vsm_become_owner(Oid owner)
{
	VsmOwner	before = change_identity(owner);

	if (strcmp(namespace_search_path, OWNERS_SEARCH_PATH) != 0 || row_security)
	{
		before.guc_nest_level = NewGUCNestLevel();
		set_option("search_path", OWNERS_SEARCH_PATH);
		set_option("row_security", "off");
	}
	return before;
}

/* Act as the role for whom the owner works, to see what it may see. */
VsmOwner
vsm_become_caller(Oid role)
{
	return change_identity(role);
}

void
vsm_leave_owner(VsmOwner before)
{
	if (before.guc_nest_level != 0)
		AtEOXact_GUC(true, before.guc_nest_level);
	SetUserIdAndSecContext(before.user, before.sec_context);
}

static VsmOwner
change_identity(Oid owner)
{
	VsmOwner	before = {.guc_nest_level = 0};

	GetUserIdAndSecContext(&before.user, &before.sec_context);
	SetUserIdAndSecContext(owner, before.sec_context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);
	return before;
}

/* Until the nest level ends.  The values are constants: the role needs no right to set them. */
static void
set_option(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}
