/*
 * shape_members.c
 *		What belongs to the extension.
 *
 * Membership is asked of pg_depend, never of a name.  Indexes, constraints,
 * triggers and policies are not members: the install script lists those of its
 * tables in the materialized view vsm._shape.  Any other one is a user's.
 *
 * Catalogs and vsm._shape are read as the server reads catalogs for itself, not
 * by a query: no right, operator or search_path of whoever runs the command
 * matters.
 */
#include "shape.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/dependency.h"
#include "catalog/index.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_trigger.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Columns of vsm._shape. */
#define SHAPE_RELATION			1
#define SHAPE_KIND				2
#define SHAPE_NAME				3

/* False: the function is no member of an extension any more. */
bool
vsm_shape_find_home(ShapeHome *home, Oid function)
{
	home->extension = getExtensionOfObject(ProcedureRelationId, function);
	home->schema = get_func_namespace(function);
	return OidIsValid(home->extension);
}

bool
vsm_shape_is_member(Oid classid, Oid objid, const ShapeHome *home)
{
	return OidIsValid(objid) && getExtensionOfObject(classid, objid) == home->extension;
}

/*
 * is_own_part
 *		Did the install script make this index, constraint, trigger or policy?
 *
 * relation NULL: of whatever table.  vsm._shape has a few dozen rows.
 */
bool
vsm_shape_is_own_part(const ShapeHome *home, const char *relation, const char *kind, const char *name)
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

/* Does the relation inherit from a table of ours? */
bool
vsm_shape_has_member_parent(Oid relation, const ShapeHome *home)
{
	Relation	inherits = table_open(InheritsRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
	scan = systable_beginscan(inherits, InheritsRelidSeqnoIndexId, true, NULL, 1, &key);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
		found = vsm_shape_is_member(RelationRelationId, ((Form_pg_inherits) GETSTRUCT(tuple))->inhparent, home);
	systable_endscan(scan);
	table_close(inherits, AccessShareLock);
	return found;
}

/* Is a table of ours a partition of the relation? */
bool
vsm_shape_has_member_child(Oid relation, const ShapeHome *home)
{
	ListCell   *cell;

	foreach(cell, find_inheritance_children(relation, NoLock))
		if (vsm_shape_is_member(RelationRelationId, lfirst_oid(cell), home))
			return true;
	return false;
}

/* The relation that a part belongs to, or InvalidOid: what kind of part, and its name. */
Oid
vsm_shape_relation_of(const ObjectAddress *address, const char **kind, char **name)
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
