/*
 * vsm.c
 *		Loading the module, and its settings.
 */
#include "vsm.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/guc.h"

#include "columns.h"
#include "compat.h"
#include "counters/counters.h"
#include "counters/wip_limit.h"
#include "name_rule.h"

VSM_MODULE_MAGIC;

bool		vsm_recording = true;
Oid			vsm_recording_role = InvalidOid;

static bool loading;			/* settings take up what the session set before */

static char *actor_setting;

static const struct config_enum_entry limit_actions[] = {
	{"reject", VSM_LIMIT_REJECT, false},
	{"warn", VSM_LIMIT_WARN, false},
	{"off", VSM_LIMIT_OFF, false},
	{NULL, 0, false}
};

void		_PG_init(void);
static bool check_actor(char **value, void **extra, GucSource source);
static bool check_recording(bool *value, void **extra, GucSource source);
static void assign_recording(bool value, void *extra);

void
_PG_init(void)
{
	DefineCustomStringVariable("vsm.actor",
							   "Name of the person for whom an application moves work items; recorded as actor.",
							   "Empty: the name of the role is recorded.",
							   &actor_setting,
							   "",
							   PGC_USERSET, /* applications set it for each of their users */
							   0,
							   check_actor, NULL, NULL);
	/* sized when the server starts; a session that loads the library later can only show it */
	DefineCustomIntVariable("vsm.max_stages",
							"Number of stages, of all databases, that have counters in shared memory.",
							"The work in progress of further stages is counted from the tables.",
							&vsm_max_stages,
							VSM_DEFAULT_STAGES, 16, 1024 * 1024,
							process_shared_preload_libraries_in_progress ? PGC_POSTMASTER : PGC_SIGHUP,
							0,
							NULL, NULL, NULL);
	loading = true;
	DefineCustomBoolVariable("vsm.recording",
							 "Records moves of work items in the ledger.",
							 "Off lets the owner of vsm's tables write computed columns and ledger rows, for repairs.",
							 &vsm_recording,
							 true,
							 PGC_USERSET,	/* the triggers check who set it, and who uses it */
							 0,
							 check_recording, assign_recording, NULL);
	loading = false;
	DefineCustomEnumVariable("vsm.wip_limit_action",
							 "What happens when an item enters a full stage.",
							 "reject refuses the entry (PT409); warn allows it, warns and records the breach; off allows it.",
							 &vsm_wip_limit_action,
							 VSM_LIMIT_REJECT,
							 limit_actions,
							 PGC_SUSET,		/* a limit holds for every role that moves items */
							 0,
							 NULL, NULL, NULL);
	MarkGUCPrefixReserved("vsm");
	vsm_counters_load();
	vsm_xact_load();
}

/* Anybody may read the ledger: what a name may not hold, an actor may not, and no texts.  Empty: none. */
static bool
check_actor(char **value, void **extra, GucSource source)
{
	uint32		character;
	VsmNameFault fault;

	if (strlen(*value) > VSM_MAX_ACTOR)
	{
		GUC_check_errdetail("It has %zu bytes; at most %d are allowed.", strlen(*value), VSM_MAX_ACTOR);
		return false;
	}
	if (**value == '\0')
		return true;
	/* when the server starts, there is no database yet, whose encoding would tell */
	fault = vsm_name_fault(*value, strlen(*value), GetDatabaseEncoding() == PG_UTF8, &character);
	if (fault == VSM_NAME_INVISIBLE)
		GUC_check_errdetail("It has no visible character.");
	else if (fault == VSM_NAME_CONTROL)
		GUC_check_errdetail("It has a control character.");
	else if (fault == VSM_NAME_DIRECTION)
		GUC_check_errdetail("It has a character that changes the direction of text.");
	return fault == VSM_NAME_GOOD;
}

/*
 * check_recording
 *		Remember the role that sets it.
 *
 * A session that calls a function of the owner's must not turn recording off in it.
 * Whoever set it before the library was loaded is not the owner of the function
 * that loads it.  Without a role, the server's configuration sets it.
 */
static bool
check_recording(bool *value, void **extra, GucSource source)
{
	Oid			current;
	int			context;
	Oid		   *role = vsm_guc_alloc(sizeof(Oid));

	if (role == NULL)
		return false;
	GetUserIdAndSecContext(&current, &context);
	*role = loading && OidIsValid(current) ? GetOuterUserId() : current;
	*extra = role;
	return true;
}

static void
assign_recording(bool value, void *extra)
{
	vsm_recording_role = *(Oid *) extra;
}

/*
 * vsm_role
 *		The role that logged in or was SET, not the owner of a function.
 */
const char *
vsm_role(void)
{
	return GetUserNameFromId(GetOuterUserId(), false);
}

/*
 * vsm_actor
 *		Who is recorded for what this session does now: the person of vsm.actor, or else the role.
 */
const char *
vsm_actor(void)
{
	return actor_setting != NULL && actor_setting[0] != '\0' ? actor_setting : vsm_role();
}
