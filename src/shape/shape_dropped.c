/*
 * shape_dropped.c
 *		Which parts of the extension's tables may be dropped.
 *
 * A dropped object is in no catalog any more, but its table still is.  So the
 * object is known by what pg_event_trigger_dropped_objects() tells of it.
 */
#include "shape.h"

#include "catalog/namespace.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* Columns of what pg_event_trigger_dropped_objects() returns. */
#define DROPPED_CLASSID			1
#define DROPPED_OBJID			2
#define DROPPED_OBJSUBID		3
#define DROPPED_TYPE			7
#define DROPPED_ADDRESS_NAMES	11

static Oid named_relation(const ArrayType *names, Oid *schema, char **part);

/* Refuse to drop a part of one of our tables. */
void
vsm_shape_judge_dropped(TupleTableSlot *slot, const ShapeHome *home)
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
		/* the names are those of the schema and the index; the table is not known */
		if (strcmp(kind, "index") == 0 && schema == home->schema && vsm_shape_is_own_part(home, NULL, kind, part))
			vsm_shape_refuse(SHAPE_REFUSED_OWN, psprintf("index \"%s\"", part));
		return;
	}
	if (classid == RelationRelationId)
		relation = objid;
	if (!OidIsValid(relation) || !vsm_shape_is_member(RelationRelationId, relation, home))
		return;
	if (classid == RelationRelationId || classid == AttrDefaultRelationId)
		vsm_shape_refuse(SHAPE_REFUSED_COLUMN, psprintf("\"%s\"", get_rel_name(relation)));
	if (classid == PolicyRelationId)
		vsm_shape_refuse(SHAPE_REFUSED_ACCESS, psprintf("policy \"%s\" of \"%s\"", part, get_rel_name(relation)));
	kind = classid == TriggerRelationId ? "trigger" : "constraint";
	if (vsm_shape_is_own_part(home, get_rel_name(relation), kind, part))
		vsm_shape_refuse(SHAPE_REFUSED_OWN, psprintf("%s \"%s\" of \"%s\"", kind, part, get_rel_name(relation)));
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
