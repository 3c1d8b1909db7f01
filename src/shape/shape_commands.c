/*
 * shape_commands.c
 *		What a command that creates or alters may do to the extension's objects.
 *
 * The server collects the parse tree of each such command.  An action that is
 * not known to be harmless is refused.
 */
#include "shape.h"

#include "catalog/index.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "utils/lsyscache.h"

#include "compat.h"

static ShapeVerdict judge_simple(const CollectedCommand *command, const ShapeHome *home, char **object);
static ShapeVerdict judge_relation(const CollectedCommand *command, Oid relation, const ShapeHome *home, char **object);
static ShapeVerdict judge_sequence(const Node *parsetree);
static ShapeVerdict judge_part(const CollectedCommand *command, const ShapeHome *home, Oid relation, const char *kind, const char *name);
static ShapeVerdict judge_alter_table(const CollectedCommand *command, const ShapeHome *home, char **object);
static ShapeVerdict judge_subcommand(const AlterTableCmd *subcommand);

/* Most commands make a new object of the user's, which the parse tree alone shows. */
bool
vsm_shape_cannot_matter(const Node *parsetree)
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

/* Keep the gravest verdict so far, and its object. */
void
vsm_shape_judge_command(const CollectedCommand *command, const ShapeHome *home, ShapeVerdict *worst, char **object)
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
		/* a dump leaves out an object that is added, and creates one that is removed twice */
		*object = psprintf("extension \"vsm\"");
		return address->objectId == home->extension ? SHAPE_REFUSED_OWN : SHAPE_KEPT;
	}
	if (address->classId == ExtensionRelationId)
		return SHAPE_KEPT;
	if (address->classId == RelationRelationId && get_rel_relkind(address->objectId) != RELKIND_INDEX)
		return judge_relation(command, address->objectId, home, object);

	relation = vsm_shape_relation_of(address, &kind, &name);
	if (OidIsValid(relation) && vsm_shape_is_member(RelationRelationId, relation, home))
	{
		*object = psprintf("%s \"%s\" of \"%s\"", kind, name, get_rel_name(relation));
		return judge_part(command, home, relation, kind, name);
	}
	if (!vsm_shape_is_member(address->classId, address->objectId, home) &&
		!(address->classId == NamespaceRelationId && address->objectId == home->schema))
		return SHAPE_KEPT;
	*object = getObjectDescription(address, true);
	return IsA(command->parsetree, RenameStmt) || IsA(command->parsetree, AlterObjectSchemaStmt)
			   ? SHAPE_REFUSED_OWN
			   : SHAPE_FORGOTTEN;
}

/* A command on a table, view, sequence or composite type, except for actions of ALTER TABLE. */
static ShapeVerdict
judge_relation(const CollectedCommand *command, Oid relation, const ShapeHome *home, char **object)
{
	if (!vsm_shape_is_member(RelationRelationId, relation, home))
	{
		if (!IsA(command->parsetree, CreateStmt) && !IsA(command->parsetree, CreateForeignTableStmt))
			return SHAPE_KEPT;
		*object = psprintf("table \"%s\"", get_rel_name(relation));
		return vsm_shape_has_member_parent(relation, home) ? SHAPE_REFUSED_INHERITANCE : SHAPE_KEPT;
	}
	*object = psprintf("\"%s\"", get_rel_name(relation));
	if (IsA(command->parsetree, RenameStmt))
		return ((const RenameStmt *) command->parsetree)->renameType == OBJECT_COLUMN ? SHAPE_REFUSED_COLUMN : SHAPE_REFUSED_OWN;
	if (IsA(command->parsetree, AlterObjectSchemaStmt))
		return SHAPE_REFUSED_OWN;
	return judge_sequence(command->parsetree);
}

/* A dump has the next value of a sequence, and not its other options. */
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

/* A command on an index, trigger, policy or other part of a table of ours. */
static ShapeVerdict
judge_part(const CollectedCommand *command, const ShapeHome *home, Oid relation, const char *kind, const char *name)
{
	if (strcmp(kind, "policy") == 0)
		return SHAPE_REFUSED_ACCESS;
	if (IsA(command->parsetree, RenameStmt))
	{
		const RenameStmt *rename = (const RenameStmt *) command->parsetree;

		/* the old name; the statement has none for statistics, which are never ours */
		name = rename->subname ? rename->subname : rename->relation ? rename->relation->relname
																	: name;
	}
	return vsm_shape_is_own_part(home, get_rel_name(relation), kind, name) ? SHAPE_REFUSED_OWN : SHAPE_FORGOTTEN;
}

/* ALTER TABLE, ALTER INDEX and so on: all actions of one command. */
static ShapeVerdict
judge_alter_table(const CollectedCommand *command, const ShapeHome *home, char **object)
{
	Oid			relation = command->d.alterTable.objectId;
	ShapeVerdict worst = SHAPE_KEPT;
	char		relkind = get_rel_relkind(relation);
	bool		member;
	ListCell   *cell;

	if (relkind == RELKIND_INDEX)
		member = vsm_shape_is_member(RelationRelationId, IndexGetRelation(relation, true), home);
	else if (relkind == RELKIND_COMPOSITE_TYPE)
		member = vsm_shape_is_member(TypeRelationId, get_rel_type_id(relation), home);
	else
		member = vsm_shape_is_member(RelationRelationId, relation, home);
	*object = psprintf("\"%s\"", get_rel_name(relation));

	foreach(cell, command->d.alterTable.subcmds)
	{
		const CollectedATSubcmd *collected = lfirst(cell);
		const AlterTableCmd *subcommand = castNode(AlterTableCmd, collected->parsetree);
		ShapeVerdict verdict = SHAPE_KEPT;

		if (member)
			verdict = relkind == RELKIND_RELATION ? judge_subcommand(subcommand) : SHAPE_FORGOTTEN;
		else if ((subcommand->subtype == AT_AddInherit && vsm_shape_has_member_parent(relation, home)) ||
				 (subcommand->subtype == AT_AttachPartition && vsm_shape_has_member_child(relation, home)))
			verdict = SHAPE_REFUSED_INHERITANCE;
		worst = Max(worst, verdict);
	}
	return worst;
}

/* One action on a table of ours.  The default refuses the actions of later servers. */
static ShapeVerdict
judge_subcommand(const AlterTableCmd *subcommand)
{
	switch (subcommand->subtype)
	{
		/* pg_restore --disable-triggers does so; rows are kept, even if the ledger misses moves */
		case AT_SetLogged:
		case AT_EnableTrig:
		case AT_EnableAlwaysTrig:
		case AT_EnableReplicaTrig:
		case AT_DisableTrig:
		case AT_EnableTrigAll:
		case AT_DisableTrigAll:
		case AT_EnableTrigUser:
		case AT_DisableTrigUser:
		/* vsm._shape_dropped() checks whether the constraint is ours */
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
