/*
 * trigger_guard.c
 *		The extension's relations, and which of them each trigger function serves.
 *
 * A role that may execute a trigger function can attach it to a table of its own,
 * with any columns, and fire it at any event.  Our trigger functions read columns
 * by their place, and act as the owner of vsm's tables.  So each of them first
 * calls vsm_trigger_data(), which refuses all tables except those of the expected
 * names in schema vsm, where only the owner of the extension can create tables.
 * The columns that the triggers read are compared too, since the owner may have
 * changed them.
 *
 * The result is kept until the relation changes, so a move pays for a comparison.
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
#include "names.h"

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
	[VSM_AFTER_STATEMENT] = {.words = "AFTER statement", .bits = TRIGGER_EVENT_AFTER},
	[VSM_AFTER_TRUNCATE] = {.words = "AFTER TRUNCATE", .bits = TRIGGER_EVENT_AFTER, .truncate = true},
	[VSM_AFTER_ANY] = {.words = "AFTER", .bits = TRIGGER_EVENT_AFTER, .any = TRIGGER_EVENT_ROW},
};

static const char *const names[VSM_RELATIONS] = {
	"work_items", "stage_transitions", "_merged_events", "superseded_transitions", "value_streams", "stages", "work_item_types",
	"stream_access", "_folds", "flow_metrics",
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
	{"discarded_at", TIMESTAMPTZOID},
	{"discarded", INT4OID},
	{"furthest_stage_id", INT8OID},
	{"current_stage", TEXTOID},
	{"attributes", JSONBOID},
};

/* Invalid: not looked up since the relation changed. */
static Oid	known[VSM_RELATIONS];

static void remember_relation(VsmRelation relation, Oid relid);
static void check_item_columns(TupleDesc desc);
static bool is_called_in_time(TriggerEvent event, VsmTriggerTime time);
static char *function_name(FunctionCallInfo fcinfo);
static char *made_for(VsmTriggerTime time, VsmRelation first, VsmRelation last);
static void relation_changed(Datum arg, Oid relid);

PG_FUNCTION_INFO_V1(vsm__refuse_other_table);

/* The relation of that name in schema vsm. */
Oid
vsm_relation(VsmRelation relation)
{
	Oid			relid = known[relation];

	if (OidIsValid(relid))
		return relid;
	relid = get_relname_relid(names[relation], get_namespace_oid("vsm", false));
	if (!OidIsValid(relid))
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_TABLE),
				errmsg("relation \"vsm.%s\" does not exist", names[relation]),
				errhint("Run CREATE EXTENSION vsm in this database."));
	/* vsm.work_items is remembered only once its columns have been checked */
	if (relation != VSM_TABLE_ITEMS)
		remember_relation(relation, relid);
	return relid;
}

/*
 * vsm_trigger_data
 *		The data of the trigger that calls the function.
 *
 * An error unless a trigger calls it, at that time, on one of the tables from
 * first to last.
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
		if (vsm_is_table(trigdata->tg_relation, table))
		{
			if (is_called_in_time(trigdata->tg_event, time))
				return trigdata;
			ereport(ERROR,
					errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
					errmsg("trigger \"%s\" calls function \"vsm.%s\" at another time than it is made for",
						   trigdata->tg_trigger->tgname, function_name(fcinfo)),
					errdetail("It is made for %s.", made_for(time, first, last)),
					errhint("Drop the trigger; CREATE EXTENSION has created those that are needed."));
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
 *		Raises the same error for trigger functions in PL/pgSQL, which compare tg_relid.
 */
Datum
vsm__refuse_other_table(PG_FUNCTION_ARGS)
{
	char	   *name = PG_ARGISNULL(0) ? NULL : get_rel_name(PG_GETARG_OID(0));

	ereport(ERROR,
			errcode(ERRCODE_WRONG_OBJECT_TYPE),
			errmsg("a trigger function of extension vsm cannot be used on table \"%s\"", name ? name : "?"),
			errdetail("It is made for %s.", PG_ARGISNULL(1) ? "?" : vsm_cut(text_to_cstring(PG_GETARG_TEXT_PP(1)))),
			errhint("Drop the trigger."));
	PG_RETURN_VOID();
}

/* Is this the table of that name in schema vsm?  An error if the columns of vsm.work_items are not as they were made. */
bool
vsm_is_table(Relation rel, VsmRelation table)
{
	if (RelationGetRelid(rel) == known[table])
		return true;
	if (RelationGetNamespace(rel) != get_namespace_oid("vsm", true) ||
		strcmp(RelationGetRelationName(rel), names[table]) != 0)
		return false;
	if (table == VSM_TABLE_ITEMS)
		check_item_columns(RelationGetDescr(rel));
	remember_relation(table, RelationGetRelid(rel));
	return true;
}

static void
remember_relation(VsmRelation relation, Oid relid)
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
				attribute->attisdropped ? errdetail("Column %d was dropped; it must be \"%s\" of type %s.",
													i + 1, item_columns[i].name, format_type_be(item_columns[i].type))
										: errdetail("Column %d is \"%s\" of type %s; it must be \"%s\" of type %s.",
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
