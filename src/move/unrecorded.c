/*
 * unrecorded.c
 *		Who may change items and ledger without recording.
 *
 * Items that are inserted with their state, and ledger rows that the triggers do
 * not write, are stored without recording.  A copied item would have no history,
 * and a ledger row might not agree with its item.  So they are accepted only from
 * the owner of the tables, in two cases:
 *
 * - The owner, or a function of the owner's, has set vsm.recording to off.
 * - The session restores a dump.  Items and ledger are then loaded separately, in
 *	 any order and in several sessions, by COPY or INSERT as any other rows are.
 *	 What they have in common are the settings with which each script of pg_dump
 *	 and each connection of pg_restore begins: check_function_bodies = off, which
 *	 has no other use here, and an empty search_path.
 *
 * Under replication the BEFORE triggers do not run.
 */
#include "unrecorded.h"

#include "catalog/namespace.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/rel.h"

#include "vsm.h"

static bool is_off_by(Oid owner);
static bool is_restore_by(Oid owner);

/*
 * vsm_require_recording_right
 *		Refuse vsm.recording = off to everybody but the owner of the table.
 */
void
vsm_require_recording_right(Relation rel)
{
	if (vsm_recording || is_off_by(rel->rd_rel->relowner))
		return;
	ereport(ERROR,
			errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			errmsg("vsm.recording is off for a role that may not turn it off"),
			errdetail("Only the owner of table \"%s\" can change it without recording.",
					  RelationGetRelationName(rel)),
			errhint("Run \"RESET vsm.recording\" and try again."));
}

/* Are rows that the current user inserts stored as they are, without recording? */
bool
vsm_takes_rows_as_they_are(Relation rel)
{
	Oid			owner = rel->rd_rel->relowner;

	return is_off_by(owner) || is_restore_by(owner);
}

/* Has the owner turned recording off, and is it the owner who writes? */
static bool
is_off_by(Oid owner)
{
	return !vsm_recording && has_privs_of_role(GetUserId(), owner) &&
		(!OidIsValid(vsm_recording_role) || has_privs_of_role(vsm_recording_role, owner));
}

/* A restore is no function's work, so the session's role must be the owner as well. */
static bool
is_restore_by(Oid owner)
{
	return !check_function_bodies && (namespace_search_path[0] == '\0' || strcmp(namespace_search_path, "\"\"") == 0) &&
		has_privs_of_role(GetUserId(), owner) && has_privs_of_role(GetOuterUserId(), owner);
}
