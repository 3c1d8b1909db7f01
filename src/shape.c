/*
 * shape.c
 *		The shape of the extension's objects is the extension's own.
 *
 * A dump holds of them what CREATE EXTENSION cannot know: rows, the standing of
 * sequences, and grants.  A column that somebody added is not in it, but the
 * COPY of the table's rows names it, so a restore fails there and every row is
 * lost; row security is not in it, and the copy is open.  The event triggers
 * vsm_shape and vsm_shape_dropped, both made by the install script, refuse such
 * changes, and warn of those that a restored database merely lacks.
 *
 * What is the extension's is asked of pg_depend, never of a name.  Indexes,
 * constraints, triggers and policies are no members of their own: the install
 * script lists its own in the materialized view vsm._shape, whatever else a
 * table of ours has is its user's.
 *
 * The scripts of extensions may change everything (ALTER EXTENSION ... UPDATE),
 * and so may pg_upgrade, which makes each object by itself.  A superuser who
 * wants to do what is refused disables the event triggers.
 *
 * The functions must belong to a superuser: an event trigger runs in the
 * sessions of everybody who changes a definition.  They only read catalogs and
 * vsm._shape, as the server does for itself: no query, so no right, operator or
 * search_path of whoever runs the command matters.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/dependency.h"
#include "catalog/index.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/deparse_utility.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"

#include "compat.h"

/* What a change of a member comes to once the database has been dumped and restored. */
typedef enum ShapeVerdict
{
	SHAPE_KEPT,					/* it is in the dump, or no part of the shape */
	SHAPE_FORGOTTEN,			/* the copy lacks it, and has all rows: a warning */
	SHAPE_REFUSED_COLUMN,		/* rows would be lost */
	SHAPE_REFUSED_ACCESS,		/* the copy would show rows that the original hides */
	SHAPE_REFUSED_INHERITANCE,	/* rows outside the triggers, or the table would be no more what it is */
	SHAPE_REFUSED_OWN			/* something that the extension needs */
} ShapeVerdict;

/* Whose shape it is: the extension that the event trigger's function is a member of, and the function's schema. */
typedef struct ShapeHome
{
	Oid			extension;
	Oid			schema;
} ShapeHome;

/* Columns of what pg_event_trigger_ddl_commands() and pg_event_trigger_dropped_objects() return. */
#define COMMANDS_COMMAND		9
#define DROPPED_CLASSID			1
#define DROPPED_OBJID			2
#define DROPPED_OBJSUBID		3
#define DROPPED_TYPE			7
#define DROPPED_ADDRESS_NAMES	11

/* Columns of vsm._shape. */
#define SHAPE_RELATION			1
#define SHAPE_KIND				2
#define SHAPE_NAME				3

static bool find_home(ShapeHome *home, Oid function);
static bool cannot_matter(const Node *parsetree);
static TupleTableSlot *open_facts(Oid function, Tuplestorestate **facts);
static void judge_command(const CollectedCommand *command, const ShapeHome *home, ShapeVerdict *worst, char **object);
static ShapeVerdict judge_simple(const CollectedCommand *command, const ShapeHome *home, char **object);
static ShapeVerdict judge_relation(const CollectedCommand *command, Oid relation, const ShapeHome *home, char **object);
static ShapeVerdict judge_sequence(const Node *parsetree);
static ShapeVerdict judge_part(const CollectedCommand *command, const ShapeHome *home, Oid relation, const char *kind, const char *name);
static ShapeVerdict judge_alter_table(const CollectedCommand *command, const ShapeHome *home, char **object);
static ShapeVerdict judge_subcommand(const AlterTableCmd *subcommand);
static bool has_member_parent(Oid relation, const ShapeHome *home);
static bool has_member_child(Oid relation, const ShapeHome *home);
static void judge_dropped(TupleTableSlot *slot, const ShapeHome *home);
static Oid relation_of(const ObjectAddress *address, const char **kind, char **name);
static bool is_member(Oid classid, Oid objid, const ShapeHome *home);
static bool is_own_part(const ShapeHome *home, const char *relation, const char *kind, const char *name);
static Oid named_relation(const ArrayType *names, Oid *schema, char **part);
static void refuse(ShapeVerdict verdict, const char *object);
static void warn(const char *object);

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

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				errmsg("function \"%s\" was not called by an event trigger", "vsm._shape_kept"),
				errhint("It is called by itself when a definition changes."));
	if (creating_extension || IsBinaryUpgrade || cannot_matter(((EventTriggerData *) fcinfo->context)->parsetree))
		PG_RETURN_NULL();
	if (!find_home(&home, fcinfo->flinfo->fn_oid))
		PG_RETURN_NULL();

	slot = open_facts(F_PG_EVENT_TRIGGER_DDL_COMMANDS, &facts);
	while (tuplestore_gettupleslot(facts, true, false, slot))
	{
		bool		isnull;
		Datum		command = slot_getattr(slot, COMMANDS_COMMAND, &isnull);

		if (!isnull)
			judge_command((const CollectedCommand *) DatumGetPointer(command), &home, &worst, &object);
	}
	ExecDropSingleTupleTableSlot(slot);
	tuplestore_end(facts);

	if (worst == SHAPE_FORGOTTEN)
		warn(object);
	else if (worst != SHAPE_KEPT)
		refuse(worst, object);
	PG_RETURN_NULL();
}

/* vsm._shape_dropped() -> event_trigger: on sql_drop, which sees what any command drops, by CASCADE too */
Datum
vsm__shape_dropped(PG_FUNCTION_ARGS)
{
	ShapeHome	home;
	Tuplestorestate *facts;
	TupleTableSlot *slot;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				errmsg("function \"%s\" was not called by an event trigger", "vsm._shape_dropped"),
				errhint("It is called by itself when something is dropped."));
	if (creating_extension || IsBinaryUpgrade)
		PG_RETURN_NULL();
	if (!find_home(&home, fcinfo->flinfo->fn_oid))
		PG_RETURN_NULL();

	slot = open_facts(F_PG_EVENT_TRIGGER_DROPPED_OBJECTS, &facts);
	while (tuplestore_gettupleslot(facts, true, false, slot))
		judge_dropped(slot, &home);
	ExecDropSingleTupleTableSlot(slot);
	tuplestore_end(facts);
	PG_RETURN_NULL();
}

/* False: the function is no member of an extension any more. */
static bool
find_home(ShapeHome *home, Oid function)
{
	home->extension = getExtensionOfObject(ProcedureRelationId, function);
	home->schema = get_func_namespace(function);
	return OidIsValid(home->extension);
}

/* Commands that make something new of the user's own, told by their looks: most of what runs. */
static bool
cannot_matter(const Node *parsetree)
{
	switch (nodeTag(parsetree))
	{
		case T_CreateStmt:
			return ((const CreateStmt *) parsetree)->inhRelations == NIL;
		case T_CreateFunctionStmt:
			return !((const CreateFunctionStmt *) parsetree)->replace;
		case T_ViewStmt:
			return !((const ViewStmt *) parsetree)->replace;
		default:
			return false;
	}
}

/*
 * open_facts
 *		What the event is about, by one of the server's functions.
 *
 * They tell it to queries only, so the call is made as the executor makes it.
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

/* Keeps the gravest verdict so far and the object it is about. */
static void
judge_command(const CollectedCommand *command, const ShapeHome *home, ShapeVerdict *worst, char **object)
{
	ShapeVerdict verdict = SHAPE_KEPT;
	char	   *of_verdict = NULL;

	if (command->in_extension)
		return;
	if (command->type == SCT_AlterTable)
		verdict = judge_alter_table(command, home, &of_verdict);
	else if (command->type == SCT_Simple)
		verdict = judge_simple(command, home, &of_verdict);
	if (verdict > *worst)
	{
		*worst = verdict;
		*object = of_verdict;
	}
}

/* A command that made or changed one object. */
static ShapeVerdict
judge_simple(const CollectedCommand *command, const ShapeHome *home, char **object)
{
	const ObjectAddress *address = &command->d.simple.address;
	const char *kind = NULL;
	char	   *name = NULL;
	Oid			relation;

	if (IsA(command->parsetree, AlterExtensionContentsStmt))
	{
		/* what is added has no place in a dump any more, and what is taken out has one there twice */
		*object = psprintf("extension \"vsm\"");
		return address->objectId == home->extension ? SHAPE_REFUSED_OWN : SHAPE_KEPT;
	}
	if (address->classId == ExtensionRelationId)
		return SHAPE_KEPT;
	if (address->classId == RelationRelationId && get_rel_relkind(address->objectId) != RELKIND_INDEX)
		return judge_relation(command, address->objectId, home, object);

	relation = relation_of(address, &kind, &name);
	if (OidIsValid(relation) && is_member(RelationRelationId, relation, home))
	{
		*object = psprintf("%s \"%s\" of \"%s\"", kind, name, get_rel_name(relation));
		return judge_part(command, home, relation, kind, name);
	}
	if (!is_member(address->classId, address->objectId, home) &&
		!(address->classId == NamespaceRelationId && address->objectId == home->schema))
		return SHAPE_KEPT;
	*object = getObjectDescription(address, true);
	return IsA(command->parsetree, RenameStmt) || IsA(command->parsetree, AlterObjectSchemaStmt)
			   ? SHAPE_REFUSED_OWN
			   : SHAPE_FORGOTTEN;
}

/* A table, view, sequence or composite type, other than by ALTER TABLE's actions. */
static ShapeVerdict
judge_relation(const CollectedCommand *command, Oid relation, const ShapeHome *home, char **object)
{
	if (!is_member(RelationRelationId, relation, home))
	{
		if (!IsA(command->parsetree, CreateStmt) && !IsA(command->parsetree, CreateForeignTableStmt))
			return SHAPE_KEPT;
		*object = psprintf("table \"%s\"", get_rel_name(relation));
		return has_member_parent(relation, home) ? SHAPE_REFUSED_INHERITANCE : SHAPE_KEPT;
	}
	*object = psprintf("\"%s\"", get_rel_name(relation));
	if (IsA(command->parsetree, RenameStmt))
		return ((const RenameStmt *) command->parsetree)->renameType == OBJECT_COLUMN ? SHAPE_REFUSED_COLUMN : SHAPE_REFUSED_OWN;
	if (IsA(command->parsetree, AlterObjectSchemaStmt))
		return SHAPE_REFUSED_OWN;
	return judge_sequence(command->parsetree);
}

/* Where a sequence goes on is in a dump; how it counts is not. */
static ShapeVerdict
judge_sequence(const Node *parsetree)
{
	ListCell   *cell;

	if (!IsA(parsetree, AlterSeqStmt))
		return SHAPE_FORGOTTEN;
	foreach(cell, ((const AlterSeqStmt *) parsetree)->options)
		if (strcmp(lfirst_node(DefElem, cell)->defname, "restart") != 0)
			return SHAPE_FORGOTTEN;
	return SHAPE_KEPT;
}

/* An index, trigger, policy and the like of a table of ours. */
static ShapeVerdict
judge_part(const CollectedCommand *command, const ShapeHome *home, Oid relation, const char *kind, const char *name)
{
	if (strcmp(kind, "policy") == 0)
		return SHAPE_REFUSED_ACCESS;
	if (IsA(command->parsetree, RenameStmt))
	{
		const RenameStmt *rename = (const RenameStmt *) command->parsetree;

		/* the old name; statistics are no relation, and none is ours */
		name = rename->subname ? rename->subname : rename->relation ? rename->relation->relname
																	: name;
	}
	return is_own_part(home, get_rel_name(relation), kind, name) ? SHAPE_REFUSED_OWN : SHAPE_FORGOTTEN;
}

/* ALTER TABLE and its kin: all actions of one command. */
static ShapeVerdict
judge_alter_table(const CollectedCommand *command, const ShapeHome *home, char **object)
{
	Oid			relation = command->d.alterTable.objectId;
	ShapeVerdict worst = SHAPE_KEPT;
	char		relkind = get_rel_relkind(relation);
	bool		member;
	ListCell   *cell;

	if (relkind == RELKIND_INDEX)
		member = is_member(RelationRelationId, IndexGetRelation(relation, true), home);
	else if (relkind == RELKIND_COMPOSITE_TYPE)
		member = is_member(TypeRelationId, get_rel_type_id(relation), home);
	else
		member = is_member(RelationRelationId, relation, home);
	*object = psprintf("\"%s\"", get_rel_name(relation));

	foreach(cell, command->d.alterTable.subcmds)
	{
		const CollectedATSubcmd *collected = lfirst(cell);
		const AlterTableCmd *subcommand = castNode(AlterTableCmd, collected->parsetree);
		ShapeVerdict verdict = SHAPE_KEPT;

		if (member)
			verdict = relkind == RELKIND_RELATION ? judge_subcommand(subcommand) : SHAPE_FORGOTTEN;
		else if ((subcommand->subtype == AT_AddInherit && has_member_parent(relation, home)) ||
				 (subcommand->subtype == AT_AttachPartition && has_member_child(relation, home)))
			verdict = SHAPE_REFUSED_INHERITANCE;
		worst = Max(worst, verdict);
	}
	return worst;
}

/* One action on a table of ours.  What is not known to be harmless is refused, actions of later servers too. */
static ShapeVerdict
judge_subcommand(const AlterTableCmd *subcommand)
{
	switch (subcommand->subtype)
	{
		/* as a restore with --disable-triggers does; the promises end there, not the rows */
		case AT_SetLogged:
		case AT_EnableTrig:
		case AT_EnableAlwaysTrig:
		case AT_EnableReplicaTrig:
		case AT_DisableTrig:
		case AT_EnableTrigAll:
		case AT_DisableTrigAll:
		case AT_EnableTrigUser:
		case AT_DisableTrigUser:
		/* which of its own constraints, _shape_dropped() says */
		case AT_DropConstraint:
		VSM_CASE_DROP_CONSTRAINT_RECURSE
			return SHAPE_KEPT;

		case AT_AddConstraint:
		VSM_CASE_CONSTRAINT_RECURSE
		case AT_AddIndex:
		case AT_AddIndexConstraint:
		case AT_AlterConstraint:
		case AT_ValidateConstraint:
		case AT_ChangeOwner:
		case AT_ClusterOn:
		case AT_DropCluster:
		case AT_EnableRule:
		case AT_EnableAlwaysRule:
		case AT_EnableReplicaRule:
		case AT_DisableRule:
		case AT_ReplicaIdentity:
		case AT_SetAccessMethod:
		case AT_SetCompression:
		case AT_SetOptions:
		case AT_ResetOptions:
		case AT_SetRelOptions:
		case AT_ResetRelOptions:
		case AT_ReplaceRelOptions:
		case AT_SetStatistics:
		case AT_SetStorage:
		case AT_SetTableSpace:
		case AT_SetUnLogged:
			return SHAPE_FORGOTTEN;

		case AT_EnableRowSecurity:
		case AT_DisableRowSecurity:
		case AT_ForceRowSecurity:
		case AT_NoForceRowSecurity:
			return SHAPE_REFUSED_ACCESS;

		case AT_AddInherit:
		case AT_DropInherit:
		case AT_AttachPartition:
		case AT_DetachPartition:
		case AT_DetachPartitionFinalize:
		case AT_AddOf:
		case AT_DropOf:
			return SHAPE_REFUSED_INHERITANCE;

		default:
			return SHAPE_REFUSED_COLUMN;
	}
}

/* Does the relation inherit from a table of ours? */
static bool
has_member_parent(Oid relation, const ShapeHome *home)
{
	Relation	inherits = table_open(InheritsRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
	scan = systable_beginscan(inherits, InheritsRelidSeqnoIndexId, true, NULL, 1, &key);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
		found = is_member(RelationRelationId, ((Form_pg_inherits) GETSTRUCT(tuple))->inhparent, home);
	systable_endscan(scan);
	table_close(inherits, AccessShareLock);
	return found;
}

/* Is a table of ours a partition of the relation? */
static bool
has_member_child(Oid relation, const ShapeHome *home)
{
	ListCell   *cell;

	foreach(cell, find_inheritance_children(relation, NoLock))
		if (is_member(RelationRelationId, lfirst_oid(cell), home))
			return true;
	return false;
}

/* A dropped object, by what the server remembers of it: it is in no catalog any more, but its table is. */
static void
judge_dropped(TupleTableSlot *slot, const ShapeHome *home)
{
	bool		isnull;
	Oid			classid = DatumGetObjectId(slot_getattr(slot, DROPPED_CLASSID, &isnull));
	Oid			objid = DatumGetObjectId(slot_getattr(slot, DROPPED_OBJID, &isnull));
	int32		column = DatumGetInt32(slot_getattr(slot, DROPPED_OBJSUBID, &isnull));
	char	   *part = NULL;
	char	   *kind;
	Datum		names;
	Oid			schema;
	Oid			relation;
	bool		no_names;

	if (classid != RelationRelationId && classid != AttrDefaultRelationId && classid != PolicyRelationId &&
		classid != TriggerRelationId && classid != ConstraintRelationId)
		return;
	names = slot_getattr(slot, DROPPED_ADDRESS_NAMES, &no_names);
	if (no_names)
		return;
	kind = TextDatumGetCString(slot_getattr(slot, DROPPED_TYPE, &isnull));
	relation = named_relation(DatumGetArrayTypeP(names), &schema, &part);

	if (classid == RelationRelationId && column == 0)
	{
		/* its names are its schema's and its own; which table it was on is not told */
		if (strcmp(kind, "index") == 0 && schema == home->schema && is_own_part(home, NULL, kind, part))
			refuse(SHAPE_REFUSED_OWN, psprintf("index \"%s\"", part));
		return;
	}
	if (classid == RelationRelationId)
		relation = objid;
	if (!OidIsValid(relation) || !is_member(RelationRelationId, relation, home))
		return;
	if (classid == RelationRelationId || classid == AttrDefaultRelationId)
		refuse(SHAPE_REFUSED_COLUMN, psprintf("\"%s\"", get_rel_name(relation)));
	if (classid == PolicyRelationId)
		refuse(SHAPE_REFUSED_ACCESS, psprintf("policy \"%s\" of \"%s\"", part, get_rel_name(relation)));
	kind = classid == TriggerRelationId ? "trigger" : "constraint";
	if (is_own_part(home, get_rel_name(relation), kind, part))
		refuse(SHAPE_REFUSED_OWN, psprintf("%s \"%s\" of \"%s\"", kind, part, get_rel_name(relation)));
}

/* The relation that a part belongs to, or InvalidOid: what kind of part, and its name. */
static Oid
relation_of(const ObjectAddress *address, const char **kind, char **name)
{
	static const struct
	{
		Oid			catalog;
		Oid			index;		/* of its OIDs */
		AttrNumber	oid;
		AttrNumber	relation;
		AttrNumber	name;
		const char *kind;
	}			catalogs[] = {
		{TriggerRelationId, TriggerOidIndexId, Anum_pg_trigger_oid, Anum_pg_trigger_tgrelid, Anum_pg_trigger_tgname, "trigger"},
		{ConstraintRelationId, ConstraintOidIndexId, Anum_pg_constraint_oid, Anum_pg_constraint_conrelid, Anum_pg_constraint_conname,
		"constraint"},
		{PolicyRelationId, PolicyOidIndexId, Anum_pg_policy_oid, Anum_pg_policy_polrelid, Anum_pg_policy_polname, "policy"},
		{RewriteRelationId, RewriteOidIndexId, Anum_pg_rewrite_oid, Anum_pg_rewrite_ev_class, Anum_pg_rewrite_rulename, "rule"},
		{StatisticExtRelationId, StatisticExtOidIndexId, Anum_pg_statistic_ext_oid, Anum_pg_statistic_ext_stxrelid,
		Anum_pg_statistic_ext_stxname, "statistics"},
	};

	if (address->classId == RelationRelationId)
	{
		*kind = "index";
		*name = get_rel_name(address->objectId);
		return IndexGetRelation(address->objectId, true);
	}
	for (int i = 0; i < (int) lengthof(catalogs); i++)
	{
		Relation	catalog;
		ScanKeyData key;
		SysScanDesc scan;
		HeapTuple	tuple;
		bool		isnull;
		Oid			relation = InvalidOid;

		if (address->classId != catalogs[i].catalog)
			continue;
		catalog = table_open(catalogs[i].catalog, AccessShareLock);
		ScanKeyInit(&key, catalogs[i].oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(address->objectId));
		scan = systable_beginscan(catalog, catalogs[i].index, true, NULL, 1, &key);
		tuple = systable_getnext(scan);
		if (HeapTupleIsValid(tuple))
		{
			relation = DatumGetObjectId(heap_getattr(tuple, catalogs[i].relation, RelationGetDescr(catalog), &isnull));
			*kind = catalogs[i].kind;
			*name = pstrdup(NameStr(*DatumGetName(heap_getattr(tuple, catalogs[i].name, RelationGetDescr(catalog), &isnull))));
		}
		systable_endscan(scan);
		table_close(catalog, AccessShareLock);
		return relation;
	}
	return InvalidOid;
}

static bool
is_member(Oid classid, Oid objid, const ShapeHome *home)
{
	return OidIsValid(objid) && getExtensionOfObject(classid, objid) == home->extension;
}

/*
 * is_own_part
 *		Did the install script make this index, constraint, trigger or policy?
 *
 * relation NULL: of whatever table.  vsm._shape has a few dozen rows.
 */
static bool
is_own_part(const ShapeHome *home, const char *relation, const char *kind, const char *name)
{
	Oid			shape = get_relname_relid("_shape", home->schema);
	Relation	rel;
	TableScanDesc scan;
	Snapshot	snapshot;
	HeapTuple	tuple;
	bool		found = false;

	if (!OidIsValid(shape))
		return false;
	rel = table_open(shape, AccessShareLock);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	scan = table_beginscan(rel, snapshot, 0, NULL);
	while (!found && HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
	{
		bool		isnull;

		found = strcmp(TextDatumGetCString(heap_getattr(tuple, SHAPE_NAME, RelationGetDescr(rel), &isnull)), name) == 0 &&
			strcmp(TextDatumGetCString(heap_getattr(tuple, SHAPE_KIND, RelationGetDescr(rel), &isnull)), kind) == 0 &&
			(relation == NULL ||
			 strcmp(TextDatumGetCString(heap_getattr(tuple, SHAPE_RELATION, RelationGetDescr(rel), &isnull)), relation) == 0);
	}
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
	return found;
}

/* The relation of {schema, relation, part}, and the last name. */
static Oid
named_relation(const ArrayType *names, Oid *schema, char **part)
{
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	deconstruct_array(unconstify(ArrayType *, names), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	*part = n > 0 && !nulls[n - 1] ? TextDatumGetCString(elements[n - 1]) : pstrdup("");
	*schema = n > 0 && !nulls[0] ? get_namespace_oid(TextDatumGetCString(elements[0]), true) : InvalidOid;
	if (!OidIsValid(*schema) || n < 3 || nulls[1])
		return InvalidOid;
	return get_relname_relid(TextDatumGetCString(elements[1]), *schema);
}

static void
refuse(ShapeVerdict verdict, const char *object)
{
	switch (verdict)
	{
		case SHAPE_REFUSED_COLUMN:
			ereport(ERROR,
					errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("the columns of %s are part of extension vsm", object),
					errdetail("A dump does not carry them, so restoring it would lose the table's rows."),
					errhint("Keep your own fields in a table of your own, with a foreign key to vsm.work_items (id)."));
			break;
		case SHAPE_REFUSED_ACCESS:
			ereport(ERROR,
					errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("row security of %s is part of extension vsm", object),
					errdetail("A dump does not carry it, so a restored database would not be protected as this one."),
					errhint("Limit a role to a stream: vsm.grant_access(role, level, stream)."));
			break;
		case SHAPE_REFUSED_INHERITANCE:
			ereport(ERROR,
					errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("%s cannot inherit between tables of extension vsm and others", object),
					errdetail("Triggers, counters and ledger follow the rows of the extension's own tables only, and a dump "
							  "does not carry the link."),
					errhint("Use a view over both tables, or a table of your own with a foreign key to vsm.work_items (id)."));
			break;
		default:
			ereport(ERROR,
					errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("%s is part of extension vsm and stays as the extension made it", object),
					errdetail("The extension relies on it, and a dump carries what CREATE EXTENSION makes."),
					errhint("Add an object of your own beside it; ALTER EXTENSION vsm UPDATE brings newer ones."));
	}
}

static void
warn(const char *object)
{
	ereport(WARNING,
			errcode(ERRCODE_WARNING),
			errmsg("a dump will not carry this change of %s", object),
			errdetail("It is part of, or on, an object of extension vsm; of these a dump carries rows and grants."),
			errhint("Keep the statement with your migrations and run it again after a restore."));
}
