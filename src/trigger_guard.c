/*
 * trigger_guard.c
 *		Our relations, and when a trigger function is made for one of them.
 *
 * Whoever may execute a trigger function can put it on a table of his own, of
 * any shape, and fire it at any event.  Ours read columns by their place, and
 * act as the owner of vsm's tables.  So each one first asks here, and refuses
 * all tables but its own: the ones of their names in schema vsm, which only the
 * owner of the extension can make.  The columns that the triggers read are
 * compared as well, since the owner may have changed them.
 *
 * What was found is remembered until the relation changes, so that a move pays
 * a comparison.
 */
#include "trigger_guard.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "columns.h"

#define TIMING_BITS (TRIGGER_EVENT_ROW | TRIGGER_EVENT_BEFORE | TRIGGER_EVENT_INSTEAD)

static const struct
{
	const char *words;
	TriggerEvent bits;			/* those of TIMING_BITS that are set */
	TriggerEvent any;			/* those that do not matter */
	bool		truncate;		/* for TRUNCATE and nothing else */
}			times[] = {
	[VSM_BEFORE_ROW] = {.words = "BEFORE row", .bits = TRIGGER_EVENT_BEFORE | TRIGGER_EVENT_ROW},
	[VSM_AFTER_ROW] = {.words = "AFTER row", .bits = TRIGGER_EVENT_AFTER | TRIGGER_EVENT_ROW},
	[VSM_BEFORE_STATEMENT] = {.words = "BEFORE statement", .bits = TRIGGER_EVENT_BEFORE},
	[VSM_AFTER_TRUNCATE] = {.words = "AFTER TRUNCATE", .bits = TRIGGER_EVENT_AFTER, .truncate = true},
	[VSM_AFTER_ANY] = {.words = "AFTER", .bits = TRIGGER_EVENT_AFTER, .any = TRIGGER_EVENT_ROW},
};

static const char *const names[VSM_RELATIONS] = {
	"work_items", "stage_transitions", "_merged_events", "value_streams", "stages", "work_item_types",
	"stream_access",
	"stage_transitions_id_seq"
};

static const struct
{
	const char *name;
	Oid			type;
}			item_columns[ITEM_COLUMNS] = {
	{"id", INT8OID},
	{"stream", TEXTOID},
	{"external_id", TEXTOID},
	{"title", TEXTOID},
	{"type", TEXTOID},
	{"created_at", TIMESTAMPTZOID},
	{"updated_at", TIMESTAMPTZOID},
	{"stage_id", INT8OID},
	{"stage_entered_at", TIMESTAMPTZOID},
	{"started_at", TIMESTAMPTZOID},
	{"completed_at", TIMESTAMPTZOID},
	{"active_time", INTERVALOID},
	{"wait_time", INTERVALOID},
	{"reopened", INT4OID},
	{"backward_moves", INT4OID},
};

/* Those that have been found; invalid: not looked for since they changed. */
static Oid	known[VSM_RELATIONS];

static bool is_table(Relation rel, VsmRelation table);
static void remember(VsmRelation relation, Oid relid);
static void check_item_columns(TupleDesc desc);
static bool is_called_in_time(TriggerEvent event, VsmTriggerTime time);
static char *function_name(FunctionCallInfo fcinfo);
static char *made_for(VsmTriggerTime time, VsmRelation first, VsmRelation last);
static void relation_changed(Datum arg, Oid relid);

PG_FUNCTION_INFO_V1(vsm__refuse_other_table);

/* The relation of that name in schema vsm; not for work_items, whose columns are checked first. */
Oid
vsm_relation(VsmRelation relation)
{
	Assert(relation != VSM_TABLE_ITEMS);
	if (!OidIsValid(known[relation]))
	{
		Oid			relid = get_relname_relid(names[relation], get_namespace_oid("vsm", false));

		if (!OidIsValid(relid))
			ereport(ERROR,
					errcode(ERRCODE_UNDEFINED_TABLE),
					errmsg("relation \"vsm.%s\" does not exist", names[relation]),
					errhint("Run CREATE EXTENSION vsm in this database."));
		remember(relation, relid);
	}
	return known[relation];
}

/*
 * vsm_trigger_data
 *		What the trigger was fired by.
 *
 * An error unless the function was called by a trigger, at the time that it is
 * made for, of one of the tables from first to last.
 */
TriggerData *
vsm_trigger_data(FunctionCallInfo fcinfo, VsmTriggerTime time, VsmRelation first, VsmRelation last)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				errmsg("function \"vsm.%s\" was not called by a trigger", function_name(fcinfo)),
				errdetail("It is made for %s.", made_for(time, first, last)),
				errhint("Change the table itself; its triggers call the function."));
	for (VsmRelation table = first; table <= last; table++)
		if (is_table(trigdata->tg_relation, table))
		{
			if (is_called_in_time(trigdata->tg_event, time))
				return trigdata;
			ereport(ERROR,
					errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
					errmsg("trigger \"%s\" calls function \"vsm.%s\" at another time than it is made for",
						   trigdata->tg_trigger->tgname, function_name(fcinfo)),
					errdetail("It is made for %s.", made_for(time, first, last)),
					errhint("Drop the trigger; CREATE EXTENSION has made those that are needed."));
		}
	ereport(ERROR,
			errcode(ERRCODE_WRONG_OBJECT_TYPE),
			errmsg("trigger function \"vsm.%s\" cannot be used on table \"%s\"",
				   function_name(fcinfo), RelationGetRelationName(trigdata->tg_relation)),
			errdetail("It is made for %s.", made_for(time, first, last)),
			errhint("Drop trigger \"%s\".", trigdata->tg_trigger->tgname));
}

/*
 * vsm._refuse_other_table(relation oid, made_for text) -> void
 *		The same for trigger functions in PL/pgSQL, which have looked at tg_relid.
 */
Datum
vsm__refuse_other_table(PG_FUNCTION_ARGS)
{
	char	   *name = PG_ARGISNULL(0) ? NULL : get_rel_name(PG_GETARG_OID(0));

	ereport(ERROR,
			errcode(ERRCODE_WRONG_OBJECT_TYPE),
			errmsg("a trigger function of extension vsm cannot be used on table \"%s\"", name ? name : "?"),
			errdetail("It is made for %s.", PG_ARGISNULL(1) ? "?" : text_to_cstring(PG_GETARG_TEXT_PP(1))),
			errhint("Drop the trigger."));
	PG_RETURN_VOID();
}

static bool
is_table(Relation rel, VsmRelation table)
{
	if (RelationGetRelid(rel) == known[table])
		return true;
	if (RelationGetNamespace(rel) != get_namespace_oid("vsm", true) ||
		strcmp(RelationGetRelationName(rel), names[table]) != 0)
		return false;
	if (table == VSM_TABLE_ITEMS)
		check_item_columns(RelationGetDescr(rel));
	remember(table, RelationGetRelid(rel));
	return true;
}

static void
remember(VsmRelation relation, Oid relid)
{
	static bool registered = false;

	if (!registered)
	{
		CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
		registered = true;
	}
	known[relation] = relid;
}

static void
check_item_columns(TupleDesc desc)
{
	if (desc->natts < ITEM_COLUMNS)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("the tables of extension vsm are older than its library"),
				errdetail("Table vsm.work_items has %d columns, not %d.", desc->natts, ITEM_COLUMNS),
				errhint("Run \"ALTER EXTENSION vsm UPDATE\"."));
	for (int i = 0; i < ITEM_COLUMNS; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (!attribute->attisdropped && attribute->atttypid == item_columns[i].type &&
			strcmp(NameStr(attribute->attname), item_columns[i].name) == 0)
			continue;
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("table vsm.work_items is not as extension vsm made it"),
				attribute->attisdropped ? errdetail("Column %d was dropped; it is to be \"%s\" of type %s.",
													i + 1, item_columns[i].name, format_type_be(item_columns[i].type))
										: errdetail("Column %d is \"%s\" of type %s; it is to be \"%s\" of type %s.",
							i + 1, NameStr(attribute->attname), format_type_be(attribute->atttypid),
							item_columns[i].name, format_type_be(item_columns[i].type)),
				errhint("Change the column back with ALTER TABLE, or restore the table from a dump."));
	}
}

static bool
is_called_in_time(TriggerEvent event, VsmTriggerTime time)
{
	return (event & TIMING_BITS & ~times[time].any) == times[time].bits &&
		(!times[time].truncate || TRIGGER_FIRED_BY_TRUNCATE(event));
}

static char *
function_name(FunctionCallInfo fcinfo)
{
	char	   *name = get_func_name(fcinfo->flinfo->fn_oid);

	return name ? name : pstrdup("?");
}

/* In words: "AFTER triggers on tables vsm.a, vsm.b and vsm.c". */
static char *
made_for(VsmTriggerTime time, VsmRelation first, VsmRelation last)
{
	StringInfoData words;

	initStringInfo(&words);
	appendStringInfo(&words, "%s triggers on table%s", times[time].words, first == last ? "" : "s");
	for (VsmRelation table = first; table <= last; table++)
		appendStringInfo(&words, "%svsm.%s", table == first ? " " : table == last ? " and "
																				  : ", ",
						 names[table]);
	return words.data;
}

/* Relcache callback: may come at any time. */
static void
relation_changed(Datum arg, Oid relid)
{
	for (int i = 0; i < VSM_RELATIONS; i++)
		if (relid == InvalidOid || relid == known[i])
			known[i] = InvalidOid;
}
