/*
 * ledger_store.c
 *		Storing a ledger row without a statement.
 *
 * An INSERT through SPI costs a move as much as all else together: most of it is
 * setting up the executor for one row.  So the row goes into the table and its
 * indexes directly, as a logical replication worker stores rows, as long as the
 * table is as the extension made it.  If a user has added a trigger, a rule, a check
 * or an index that evaluates something, the statement is used, which runs all that
 * as the tables' owner; here nothing of a user's runs.
 */
#include "ledger_store.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "nodes/execnodes.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "ledger_row.h"
#include "trigger_guard.h"

static bool is_plain_table(Relation ledger);
static bool has_plain_indexes(const ResultRelInfo *target);
static void insert_row(Relation ledger, ResultRelInfo *target, EState *estate, Datum *values, bool *nulls);

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
	EState	   *estate;
	ResultRelInfo *target;
	bool		plain = is_plain_table(ledger);

	if (plain)
	{
		estate = CreateExecutorState();
		target = makeNode(ResultRelInfo);
		InitResultRelInfo(target, ledger, 0, NULL, 0);
		ExecOpenIndices(target, false);
		plain = has_plain_indexes(target);
		if (plain)
			insert_row(ledger, target, estate, values, nulls);
		ExecCloseIndices(target);
		FreeExecutorState(estate);
	}
	table_close(ledger, NoLock);
	if (plain)
		CommandCounterIncrement();
	return plain;
}

/* Has it our columns, and nothing but our triggers, none of which has anything to do for our INSERTs? */
static bool
is_plain_table(Relation ledger)
{
	TupleDesc	desc = RelationGetDescr(ledger);
	const TriggerDesc *triggers = ledger->trigdesc;

	if (ledger->rd_rel->relkind != RELKIND_RELATION || ledger->rd_rules || ledger->rd_rel->relispartition ||
		desc->natts != LEDGER_COLUMNS || (desc->constr && (desc->constr->num_check > 0 || desc->constr->has_generated_stored)))
		return false;
	for (int i = 0; i < LEDGER_COLUMNS; i++)
		if (TupleDescAttr(desc, i)->attisdropped || TupleDescAttr(desc, i)->atttypid != vsm_ledger_columns[i].type)
			return false;
	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (TRIGGER_FOR_INSERT(trigger->tgtype) && trigger->tgenabled != TRIGGER_DISABLED &&
			trigger->tgenabled != TRIGGER_FIRES_ON_REPLICA && strcmp(trigger->tgname, "vsm_guard") != 0)
			return false;
	}
	return true;
}

/* No index runs a function of a user's; the one with a predicate is ours. */
static bool
has_plain_indexes(const ResultRelInfo *target)
{
	for (int i = 0; i < target->ri_NumIndices; i++)
	{
		const IndexInfo *info = target->ri_IndexRelationInfo[i];

		if (info->ii_Expressions ||
			(info->ii_Predicate && strcmp(RelationGetRelationName(target->ri_IndexRelationDescs[i]), "stage_transitions_undoes") != 0))
			return false;
	}
	return true;
}

static void
insert_row(Relation ledger, ResultRelInfo *target, EState *estate, Datum *values, bool *nulls)
{
	TupleTableSlot *slot = table_slot_create(ledger, NULL);

	memcpy(slot->tts_values, values, sizeof(Datum) * LEDGER_COLUMNS);
	memcpy(slot->tts_isnull, nulls, sizeof(bool) * LEDGER_COLUMNS);
	ExecStoreVirtualTuple(slot);
	if (ledger->rd_att->constr)
		ExecConstraints(target, slot, estate);
	table_tuple_insert(ledger, slot, GetCurrentCommandId(true), 0, NULL);
	if (target->ri_NumIndices > 0)
		(void) VSM_INSERT_INDEX_TUPLES(target, slot, estate);
	ExecDropSingleTupleTableSlot(slot);
}
