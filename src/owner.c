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
 * are not changed if they have these values already, nor for the ledger's INSERT
 * if they cannot matter: see vsm_become_owner_to_record().
 */
#include "owner.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/syscache.h"

#include "columns.h"

#define OWNERS_SEARCH_PATH "pg_catalog, pg_temp"

/* The ledger, if storing a row runs only our code; invalid: not known since a relation changed. */
static Oid	plain_ledger = InvalidOid;

static VsmOwner change_identity(Oid owner);
static void set_option(const char *name, const char *value);
static bool ledger_is_plain(void);
static bool has_other_triggers(const TriggerDesc *triggers);
static bool has_index_expressions(Relation rel);
static void relation_changed(Datum arg, Oid relid);

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

/*
 * vsm_become_owner_to_record
 *		Act as the tables' owner for the INSERT of a ledger row.
 *
 * That statement gives each column a parameter of its type.  It names no
 * function, operator or type, so search_path does not matter to it.  Triggers,
 * rules and expressions of the table might run code that is not ours; if there are
 * any, the settings change as well.
 */
VsmOwner
vsm_become_owner_to_record(Oid owner)
{
	if (!ledger_is_plain())
		return vsm_become_owner(owner);
	return change_identity(owner);
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

/* Does storing a row in the ledger run only the server's code and ours? */
static bool
ledger_is_plain(void)
{
	static bool registered = false;
	Relation	ledger;
	Oid			relid;

	if (OidIsValid(plain_ledger))
		return true;
	if (!registered)
	{
		CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
		registered = true;
	}
	relid = get_relname_relid("stage_transitions", get_namespace_oid("vsm", false));
	ledger = table_open(relid, RowExclusiveLock);
	if (ledger->rd_rules == NULL && !has_other_triggers(ledger->trigdesc) &&
		ledger->rd_att->natts == LEDGER_COLUMNS &&	/* no added column, whose default could run code */
		(ledger->rd_att->constr == NULL || ledger->rd_att->constr->num_check == 0) &&
		!has_index_expressions(ledger))
		plain_ledger = relid;
	table_close(ledger, NoLock);
	return OidIsValid(plain_ledger);
}

/* Only the superuser who runs the extension's scripts can create functions in its schema. */
static bool
has_other_triggers(const TriggerDesc *triggers)
{
	Oid			schema = get_namespace_oid("vsm", false);

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (TRIGGER_FOR_INSERT(trigger->tgtype) && get_func_namespace(trigger->tgfoid) != schema)
			return true;
	}
	return false;
}

static bool
has_index_expressions(Relation rel)
{
	List	   *indexes = RelationGetIndexList(rel);
	ListCell   *cell;
	bool		found = false;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (RelationGetIndexExpressions(index) != NIL || RelationGetIndexPredicate(index) != NIL)
			found = true;
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return found;
}

/* Relcache callback: may come at any time. */
static void
relation_changed(Datum arg, Oid relid)
{
	if (relid == InvalidOid || relid == plain_ledger)
		plain_ledger = InvalidOid;
}
