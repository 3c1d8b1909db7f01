/*
 * ledger_store.c
 *		Storing a ledger row without a statement.
 *
 * An INSERT through SPI costs a move as much as all else together: most of it is
 * setting up the executor for one row.  So the row goes into the table and its
 * indexes directly, as a logical replication worker stores rows, as long as that
 * runs only the server's code and ours.  If the ledger has a trigger, a rule, a
 * check, a default or an index expression of a user's, the INSERT is used, which
 * runs all that as the tables' owner.
 */
#include "ledger_store.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "ledger_row.h"
#include "row_store.h"
#include "trigger_guard.h"

/* Is the ledger plain?  Kept until it changes; an answer during which it has changed is used once. */
static struct
{
	Oid			ledger;
	bool		known;
	bool		changed;		/* the ledger, since it was looked at */
	bool		plain;
}			answer;

static bool is_plain(Relation ledger);
static bool has_our_shape(Relation ledger);
static bool has_other_triggers(TriggerDesc *of_table);
static bool has_other_indexes(Relation ledger);
static void insert_row(Relation ledger, Datum *values, bool *nulls);
static void relation_changed(Datum arg, Oid relid);

/*
 * vsm_store_ledger_row
 *		Store a row; false: the table needs an INSERT.
 *
 * values and nulls have LEDGER_COLUMNS elements.  Later commands of the
 * transaction see the row.
 */
bool
vsm_store_ledger_row(Datum *values, bool *nulls)
{
	Relation	ledger = table_open(vsm_relation(VSM_TABLE_LEDGER), RowExclusiveLock);

	if (!is_plain(ledger))
	{
		table_close(ledger, NoLock);
		return false;
	}
	insert_row(ledger, values, nulls);
	table_close(ledger, NoLock);
	CommandCounterIncrement();
	return true;
}

/* Will vsm_store_ledger_row() store the rows of this transaction, whose lock keeps the table as it is? */
bool
vsm_ledger_is_plain(void)
{
	Relation	ledger = table_open(vsm_relation(VSM_TABLE_LEDGER), RowExclusiveLock);
	bool		plain = is_plain(ledger);

	table_close(ledger, NoLock);
	return plain;
}

static bool
is_plain(Relation ledger)
{
	static bool registered = false;

	if (!registered)
		CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	registered = true;
	if (answer.known && !answer.changed && RelationGetRelid(ledger) == answer.ledger)
		return answer.plain;
	answer.ledger = RelationGetRelid(ledger);
	answer.known = answer.changed = false;
	answer.plain = has_our_shape(ledger) && !has_other_triggers(ledger->trigdesc) && !has_other_indexes(ledger);
	answer.known = true;
	return answer.plain;
}

static bool
has_our_shape(Relation ledger)
{
	TupleDesc	desc = RelationGetDescr(ledger);

	if (ledger->rd_rel->relkind != RELKIND_RELATION || ledger->rd_rel->relispartition || ledger->rd_rules ||
		desc->natts != LEDGER_COLUMNS)
		return false;
	for (int i = 0; i < LEDGER_COLUMNS; i++)
		if (TupleDescAttr(desc, i)->attisdropped || TupleDescAttr(desc, i)->atttypid != vsm_ledger_columns[i].type)
			return false;
	return desc->constr == NULL || (desc->constr->num_check == 0 && !desc->constr->has_generated_stored);
}

/*
 * has_other_triggers
 *		Are there triggers on INSERT other than vsm_guard, which has nothing to do for a row that is stored here?
 *
 * Those that fire under replication only do not: no move is recorded then.  Only
 * the superuser can create functions in schema vsm.
 */
static bool
has_other_triggers(TriggerDesc *of_table)
{
	/* a look-up may have the table's cache entry built anew */
	const TriggerDesc *triggers = CopyTriggerDesc(of_table);
	Oid			schema = get_namespace_oid("vsm", false);

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (!TRIGGER_FOR_INSERT(trigger->tgtype) ||
			trigger->tgenabled == TRIGGER_FIRES_ON_REPLICA || trigger->tgenabled == TRIGGER_DISABLED)
			continue;
		if (strcmp(trigger->tgname, "vsm_guard") != 0 || get_func_namespace(trigger->tgfoid) != schema)
			return true;
	}
	return false;
}

/* Is there an index that a row cannot be entered into without the executor? */
static bool
has_other_indexes(Relation ledger)
{
	List	   *indexes = RelationGetIndexList(ledger);
	ListCell   *cell;
	bool		found = false;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		found |= !vsm_plain_index(index);
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return found;
}

static void
insert_row(Relation ledger, Datum *values, bool *nulls)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(ledger), &TTSOpsHeapTuple);

	ExecStoreHeapTuple(heap_form_tuple(RelationGetDescr(ledger), values, nulls), slot, true);
	vsm_require_values(ledger, slot, nulls);
	table_tuple_insert(ledger, slot, GetCurrentCommandId(true), 0, NULL);
	vsm_enter_into_indexes(ledger, &slot->tts_tid, values, nulls, 0);
	ExecDropSingleTupleTableSlot(slot);
}

/* Relcache callback: may come at any time. */
static void
relation_changed(Datum arg, Oid relid)
{
	if (relid == InvalidOid || relid == answer.ledger)
		answer.changed = true;
}
