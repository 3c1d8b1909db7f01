/*
 * plain_items.c
 *		Is vsm.work_items as the extension made it?
 *
 * Then an UPDATE of the table runs the server's code and ours and nothing else,
 * and direct_move.c may do the same without a statement.  What a user may have
 * added and what the answer is about: triggers, rules, checks, generated columns,
 * row policies, children, indexes that evaluate something or that a move changes,
 * another access method.  Columns may have been added, and foreign keys to the
 * table, which look at nothing that a move changes.
 *
 * The answer is kept until the table changes, whether it is yes or no.  The lock of
 * an UPDATE holds back most changes, but not a new index, child or publication: an
 * answer during which the table has changed is used once and not kept.
 */
#include "plain_items.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "nodes/primnodes.h"
#include "rewrite/rowsecurity.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "columns.h"
#include "compat.h"
#include "row_store.h"
#include "trigger_guard.h"

static struct
{
	Oid			table;			/* that the answer is about */
	bool		known;
	bool		changed;		/* the table, since it was looked at */
	bool		plain;
	Oid			primary_key;
}			answer;

static void look_at(Relation items);
static bool is_plain(Relation items, Oid *by_id);
static bool has_other_constraints(TupleDesc desc);
static bool has_other_triggers(TriggerDesc *of_table);
static bool is_our_function(Oid function, const char *name);
static bool has_our_policies(Relation items);
static bool is_for_everybody(const RowSecurityPolicy *policy);
static bool is_our_call(const Expr *qual, const char *function, Oid table, const char *command);
static bool is_true(const Expr *qual);
static bool has_plain_indexes(Relation items, Oid *by_id);
static bool is_primary_key(Relation index);
static bool has_changed_column(const FormData_pg_index *index);
static void relation_changed(Datum arg, Oid relid);

/*
 * vsm_plain_items
 *		Is the table plain, and which index is its primary key?
 */
bool
vsm_plain_items(Relation items, Oid *by_id)
{
	static bool registered = false;

	if (!registered)
		CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	registered = true;
	if (!answer.known || answer.changed || RelationGetRelid(items) != answer.table)
		look_at(items);
	*by_id = answer.primary_key;
	return answer.plain;
}

static void
look_at(Relation items)
{
	answer.table = RelationGetRelid(items);
	answer.known = answer.changed = false;
	answer.plain = is_plain(items, &answer.primary_key);
	answer.known = true;
}

static bool
is_plain(Relation items, Oid *by_id)
{
	if (items->rd_rel->relkind != RELKIND_RELATION || items->rd_rel->relam != HEAP_TABLE_AM_OID ||
		items->rd_rel->relispartition || items->rd_rel->relhassubclass || items->rd_rules ||
		has_other_constraints(RelationGetDescr(items)) || has_other_triggers(items->trigdesc) ||
		!has_our_policies(items) || !has_plain_indexes(items, by_id))
		return false;
	return vsm_is_table(items, VSM_TABLE_ITEMS);
}

/* NOT NULL is checked for each row. */
static bool
has_other_constraints(TupleDesc desc)
{
	return desc->constr && (desc->constr->num_check > 0 || VSM_HAS_GENERATED(desc->constr));
}

/*
 * has_other_triggers
 *		Are there triggers on UPDATE other than our two, or are these disabled?
 *
 * Those that fire under replication only do not matter, since the UPDATE is used
 * then.  Those of foreign keys that refer to the table do nothing while the columns of
 * its unique indexes stay as they are.  Only the superuser can create functions in
 * schema vsm.
 */
static bool
has_other_triggers(TriggerDesc *of_table)
{
	/* a look-up may have the table's cache entry built anew */
	const TriggerDesc *triggers = CopyTriggerDesc(of_table);
	bool		decides = false;
	bool		records = false;

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];
		bool		ours = TRIGGER_FOR_ROW(trigger->tgtype) && trigger->tgnattr == 0 && trigger->tgqual == NULL &&
			trigger->tgoldtable == NULL && trigger->tgnewtable == NULL && !trigger->tgdeferrable;

		if (!TRIGGER_FOR_UPDATE(trigger->tgtype) ||
			trigger->tgenabled == TRIGGER_FIRES_ON_REPLICA || trigger->tgenabled == TRIGGER_DISABLED ||
			(trigger->tgisinternal && RI_FKey_trigger_type(trigger->tgfoid) == RI_TRIGGER_PK))
			continue;
		if (ours && TRIGGER_FOR_BEFORE(trigger->tgtype) && !decides && is_our_function(trigger->tgfoid, "_work_item_before"))
			decides = true;
		else if (ours && TRIGGER_FOR_AFTER(trigger->tgtype) && !records && is_our_function(trigger->tgfoid, "_work_item_after"))
			records = true;
		else
			return true;
	}
	return !decides || !records;
}

static bool
is_our_function(Oid function, const char *name)
{
	char	   *found = get_func_name(function);

	return found && strcmp(found, name) == 0 && get_func_namespace(function) == get_namespace_oid("vsm", false);
}

/*
 * has_our_policies
 *		Do the policies "seen" and "changed" of sql/96_access.sql decide about an UPDATE, and nothing else?
 */
static bool
has_our_policies(Relation items)
{
	bool		seen = false;
	bool		changed = false;
	ListCell   *cell;

	if (!items->rd_rel->relrowsecurity || items->rd_rsdesc == NULL)
		return false;
	foreach(cell, items->rd_rsdesc->policies)
	{
		const RowSecurityPolicy *policy = lfirst(cell);

		if (policy->polcmd == ACL_INSERT_CHR || policy->polcmd == ACL_DELETE_CHR)
			continue;
		if (!policy->permissive || !is_for_everybody(policy))
			return false;
		if (policy->polcmd == ACL_SELECT_CHR && !seen && is_our_call(policy->qual, "_may_see", RelationGetRelid(items), NULL))
			seen = true;
		else if (policy->polcmd == ACL_UPDATE_CHR && !changed && is_our_call(policy->qual, "_may_write", RelationGetRelid(items), "UPDATE") &&
				 is_true(policy->with_check_qual))
			changed = true;
		else
			return false;
	}
	return seen && changed;
}

static bool
is_for_everybody(const RowSecurityPolicy *policy)
{
	return ARR_DIMS(policy->roles)[0] == 1 && ((Oid *) ARR_DATA_PTR(policy->roles))[0] == ACL_ID_PUBLIC;
}

/* Is it vsm.function(stream, 'vsm.work_items'), or with a command vsm.function(stream, 'vsm.work_items', command)? */
static bool
is_our_call(const Expr *qual, const char *function, Oid table, const char *command)
{
	const FuncExpr *call = (const FuncExpr *) qual;
	const Var  *stream;
	const Const *on_table;
	const Const *named;

	if (qual == NULL || !IsA(qual, FuncExpr) || list_length(call->args) != (command ? 3 : 2) ||
		!IsA(linitial(call->args), Var) || !IsA(lsecond(call->args), Const))
		return false;
	stream = linitial(call->args);
	on_table = lsecond(call->args);
	if (stream->varattno != ITEM_STREAM || on_table->constisnull || DatumGetObjectId(on_table->constvalue) != table ||
		!is_our_function(call->funcid, function))
		return false;
	if (command == NULL)
		return true;
	named = lthird(call->args);
	return IsA(named, Const) && named->consttype == TEXTOID && !named->constisnull &&
		strcmp(TextDatumGetCString(named->constvalue), command) == 0;
}

static bool
is_true(const Expr *qual)
{
	const Const *value = (const Const *) qual;

	return qual && IsA(qual, Const) && !value->constisnull && DatumGetBool(value->constvalue);
}

/*
 * has_plain_indexes
 *		Can the item be found by its id, and be entered into all indexes without the executor?
 *
 * A unique index with a column that a move changes would need a stronger lock.
 */
static bool
has_plain_indexes(Relation items, Oid *by_id)
{
	List	   *indexes = RelationGetIndexList(items);
	ListCell   *cell;
	bool		all = true;

	*by_id = InvalidOid;
	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (!vsm_plain_index(index) || (index->rd_index->indisunique && has_changed_column(index->rd_index)))
			all = false;
		if (is_primary_key(index))
			*by_id = lfirst_oid(cell);
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return all && OidIsValid(*by_id);
}

static bool
is_primary_key(Relation index)
{
	const FormData_pg_index *form = index->rd_index;

	return form->indisprimary && form->indisvalid && !form->indcheckxmin && form->indnkeyatts == 1 &&
		form->indkey.values[0] == ITEM_ID;
}

static bool
has_changed_column(const FormData_pg_index *index)
{
	for (int i = 0; i < index->indnkeyatts; i++)
		if (index->indkey.values[i] >= ITEM_CREATED_AT && index->indkey.values[i] <= ITEM_CURRENT_STAGE)
			return true;
	return false;
}

/* Relcache callback: may come at any time. */
static void
relation_changed(Datum arg, Oid relid)
{
	if (relid == InvalidOid || relid == answer.table)
		answer.changed = true;
}
