/*
 * shape_verdict.c
 *		Errors and warnings about changes that a dump does not carry.
 */
#include "shape.h"

void
vsm_shape_refuse(ShapeVerdict verdict, const char *object)
{
	switch (verdict)
	{
		case SHAPE_REFUSED_COLUMN:
			ereport(ERROR,
					errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("the columns of %s are part of extension vsm", object),
					errdetail("A dump does not carry them, so restoring it would lose the table's rows."),
					errhint("Keep your own fields in vsm.work_items.attributes, or in a table of your own with a foreign key to vsm.work_items (id)."));
			break;
		case SHAPE_REFUSED_ACCESS:
			ereport(ERROR,
					errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("row security of %s is part of extension vsm", object),
					errdetail("A dump does not carry it, so a restored database would lack its protection."),
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

void
vsm_shape_warn(const char *object)
{
	ereport(WARNING,
			errcode(ERRCODE_WARNING),
			errmsg("a dump will not carry this change of %s", object),
			errdetail("Of the objects of extension vsm, a dump carries only rows and grants."),
			errhint("Keep the statement with your migrations and run it again after a restore."));
}
