/*
 * shape.h
 *		The shape of the extension's objects is the extension's own: see shape.c.
 */
#ifndef VSM_SHAPE_H
#define VSM_SHAPE_H

#include "postgres.h"

#include "catalog/objectaddress.h"
#include "executor/tuptable.h"
#include "tcop/deparse_utility.h"

/* What a change comes to once the database has been dumped and restored; the gravest comes last. */
typedef enum ShapeVerdict
{
	SHAPE_KEPT,					/* the dump has it, or it is not part of the shape */
	SHAPE_FORGOTTEN,			/* the copy lacks it, and has all rows: a warning */
	SHAPE_REFUSED_COLUMN,		/* rows would be lost */
	SHAPE_REFUSED_ACCESS,		/* the copy would show rows that the original hides */
	SHAPE_REFUSED_INHERITANCE,	/* rows would pass by the triggers, or the link would be lost */
	SHAPE_REFUSED_OWN			/* the extension needs it */
} ShapeVerdict;

/* The extension that the event trigger's function is a member of, and the function's schema. */
typedef struct ShapeHome
{
	Oid			extension;
	Oid			schema;
} ShapeHome;

/* shape_members.c */
extern bool vsm_shape_find_home(ShapeHome *home, Oid function);
extern bool vsm_shape_is_member(Oid classid, Oid objid, const ShapeHome *home);
extern bool vsm_shape_is_own_part(const ShapeHome *home, const char *relation, const char *kind, const char *name);
extern bool vsm_shape_has_member_parent(Oid relation, const ShapeHome *home);
extern bool vsm_shape_has_member_child(Oid relation, const ShapeHome *home);
extern Oid	vsm_shape_relation_of(const ObjectAddress *address, const char **kind, char **name);

/* shape_commands.c */
extern bool vsm_shape_cannot_matter(const Node *parsetree);
extern void vsm_shape_judge_command(const CollectedCommand *command, const ShapeHome *home, ShapeVerdict *worst, char **object);

/* shape_dropped.c */
extern void vsm_shape_judge_dropped(TupleTableSlot *slot, const ShapeHome *home);

/* shape_verdict.c */
extern void vsm_shape_refuse(ShapeVerdict verdict, const char *object);
extern void vsm_shape_warn(const char *object);

#endif							/* VSM_SHAPE_H */
