/*
 * unrecorded.c
 *		Who may change items and ledger without recording.
 *
 * Rows that come with their state, and ledger rows by other hands than the
 * triggers', are stored and recorded nowhere.  So a copied item would have no
 * history, and a ledger row would not agree with its item.  They are taken from
 * the owner of the tables only, in two cases:
 *
 * - vsm.recording is off: the owner says so.
 * - the session restores a dump.  Items and ledger then come by themselves, in
 *	 any order and in sessions of their own, as rows of COPY or INSERT like any
 *	 other; what they have in common are the settings with which pg_dump begins
 *	 each script and pg_restore each connection: check_function_bodies = off,
 *	 which nobody else has a use for here, and an empty search_path.
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

static bool is_restore(void);

/*
 * vsm_require_recording_right
 *		Refuse vsm.recording = off to everybody but the owner of the table.
 */
void
vsm_require_recording_right(Relation rel)
{
	if (vsm_recording || has_privs_of_role(GetUserId(), rel->rd_rel->relowner))
		return;
	ereport(ERROR,
			errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			errmsg("vsm.recording is off for a role that may not turn it off"),
			errdetail("Only the owner of table \"%s\" can change it without recording.",
					  RelationGetRelationName(rel)),
			errhint("Run \"RESET vsm.recording\" and try again."));
}

/* Are inserted rows stored as they are, and recorded nowhere? */
bool
vsm_takes_rows_as_they_are(Relation rel)
{
	return (!vsm_recording || is_restore()) && has_privs_of_role(GetUserId(), rel->rd_rel->relowner);
}

static bool
is_restore(void)
{
	return !check_function_bodies && (namespace_search_path[0] == '\0' || strcmp(namespace_search_path, "\"\"") == 0);
}
