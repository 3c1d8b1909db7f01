/*
 * stream_access.c
 *		Which streams a role may see, write and define.
 *
 * vsm.stream_access has a row for each grant of vsm.grant_access(): role, stream
 * (null: all) and level.  A role is limited to the streams of its rows, which are
 * its own and those of roles whose rights it has.  A role without any row is not
 * limited: plain grants on the tables say what it may do.  Roles that bypass row
 * security are not limited either: superusers, roles with BYPASSRLS, and roles
 * with the rights of the tables' owner.
 *
 * In a view, rights on the tables are those of the view's owner, but the current
 * user here is the reader of the view.  A limited role must not be able to lend
 * its rights to a role without rows, which would see all streams.  So a role
 * without rows needs the right on the table itself.
 *
 * Row policies call these functions for each row, so the access of a role is kept
 * until the rows or the memberships change.  The answers concern the current user
 * only, so anybody may call.
 */
#include "stream_access.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "compat.h"
#include "errors.h"
#include "move/known_names.h"
#include "names.h"
#include "owner.h"
#include "trigger_guard.h"

/* Which of SELECT, INSERT, UPDATE and DELETE a role has on a whole table. */
typedef struct TableRights
{
	Oid			table;
	AclMode		rights;
} TableRights;

/* Whom hints name streams and stages to; InvalidOid: the current user. */
static Oid	listener = InvalidOid;

#define KEPT_TABLES 24			/* 18 tables have policies; others are not kept */
#define ACL_WRITE (ACL_INSERT | ACL_UPDATE | ACL_DELETE)

typedef struct Access
{
	Oid			role;			/* key */
	bool		limited;
	bool		exempt;			/* from row security */
	bool		enters;			/* has USAGE of schema vsm */
	VsmLevel	all;			/* on every stream */
	int			count;			/* of the grants on single streams */
	const VsmGrant **grants;
	int			ntables;
	TableRights tables[KEPT_TABLES];	/* those asked about */
} Access;

static MemoryContext access_context = NULL;
static HTAB *accesses = NULL;	/* by role */
static Access *last_access = NULL;	/* in it, of the role that asked last */
static uint64 accesses_generation = 0;	/* of the rows they follow from */
static bool roles_changed = true;
static TimestampTz news_heard_at = 0;	/* start of the statement that last read invalidations */
static Oid	asked_tables[KEPT_TABLES];	/* whose rights are kept */
static int	nasked_tables = 0;

static inline Access *access_of_user(void);
static Access *look_up_access(Oid role);
static bool may_on_table(FunctionCallInfo fcinfo, VsmLevel level, AclMode right);
static AclMode right_to_write(FunctionCallInfo fcinfo);
static bool has_right(Access *access, Oid table, AclMode right);
static AclMode rights_on_table(Access *access, Oid table);
static bool watch_table(Oid table);
static void refuse_borrowed_right(Oid table);
static bool may_read_names(void);
static bool sees(const char *stream);
static void forget_accesses(void);
static void compute_access(Access *access, const VsmGrant *grants, int count);
static bool passes_row_security(Oid role);
static void memberships_changed(Datum arg, int cache, uint32 hash);
static void relation_changed(Datum arg, Oid relid);

PG_FUNCTION_INFO_V1(vsm__may_see);
PG_FUNCTION_INFO_V1(vsm__may_see_stage);
PG_FUNCTION_INFO_V1(vsm__may_write);
PG_FUNCTION_INFO_V1(vsm__may_define);
PG_FUNCTION_INFO_V1(vsm__has_rights_of);
PG_FUNCTION_INFO_V1(vsm__streams_to_choose);
PG_FUNCTION_INFO_V1(vsm__stages_to_choose);

/* vsm._may_see(stream text, on_table regclass) -> boolean; stream null: every stream */
Datum
vsm__may_see(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(may_on_table(fcinfo, VSM_READER, ACL_SELECT));
}

/* vsm._may_see_stage(stage_id bigint, on_table regclass) -> boolean: may the user see the stage's stream? */
Datum
vsm__may_see_stage(PG_FUNCTION_ARGS)
{
	Access	   *access = access_of_user();

	if (access->all >= VSM_READER || PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_BOOL(access->all >= VSM_READER);
	if (access->limited)
		PG_RETURN_BOOL(vsm_may_see_stage(PG_GETARG_INT64(0)));
	if (!has_right(access, PG_GETARG_OID(1), ACL_SELECT))
		refuse_borrowed_right(PG_GETARG_OID(1));
	PG_RETURN_BOOL(true);
}

/* vsm._may_write(stream text, on_table regclass, command text) -> boolean; stream null: every stream */
Datum
vsm__may_write(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(may_on_table(fcinfo, VSM_WRITER, right_to_write(fcinfo)));
}

/* vsm._may_define(stream text, on_table regclass, command text) -> boolean; stream null: every stream, and types */
Datum
vsm__may_define(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(may_on_table(fcinfo, VSM_ADMIN, right_to_write(fcinfo)));
}

/* vsm._has_rights_of(role name) -> boolean; false when there is no such role */
Datum
vsm__has_rights_of(PG_FUNCTION_ARGS)
{
	Oid			role = PG_ARGISNULL(0) ? InvalidOid : get_role_oid(NameStr(*PG_GETARG_NAME(0)), true);

	PG_RETURN_BOOL(OidIsValid(role) && has_privs_of_role(GetUserId(), role));
}

/* Answers a row policy: the stream is argument 0, the table argument 1. */
static bool
may_on_table(FunctionCallInfo fcinfo, VsmLevel level, AclMode right)
{
	Access	   *access = access_of_user();

	if (access->all >= level)
		return true;
	if (access->limited)
		return !PG_ARGISNULL(0) && vsm_may(level, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	if (PG_ARGISNULL(1))
		return false;
	if (!has_right(access, PG_GETARG_OID(1), right))
		refuse_borrowed_right(PG_GETARG_OID(1));
	return true;
}

/* The right to the policy's command, which is argument 2; no right for any other text. */
static AclMode
right_to_write(FunctionCallInfo fcinfo)
{
	const text *command = PG_ARGISNULL(2) ? NULL : PG_GETARG_TEXT_PP(2);

	if (command == NULL || VARSIZE_ANY_EXHDR(command) != 6)
		return ACL_NO_RIGHTS;
	switch (*VARDATA_ANY(command))
	{
		case 'I':
			return ACL_INSERT;
		case 'U':
			return ACL_UPDATE;
		case 'D':
			return ACL_DELETE;
		default:
			return ACL_NO_RIGHTS;
	}
}

/*
 * has_right
 *		Has the role that right on the whole table?
 *
 * Rights on columns do not count: through another role's view, a query may use
 * all columns, and a policy cannot tell which.
 */
static bool
has_right(Access *access, Oid table, AclMode right)
{
	return access->exempt || (rights_on_table(access, table) & right) != 0;
}

/* Which of SELECT, INSERT, UPDATE and DELETE the role has on the whole table. */
static AclMode
rights_on_table(Access *access, Oid table)
{
	AclMode		has;

	for (int i = 0; i < access->ntables; i++)
		if (access->tables[i].table == table)
			return access->tables[i].rights;
	has = pg_class_aclmask(table, access->role, ACL_SELECT | ACL_WRITE, ACLMASK_ALL);
	/* not kept if rights changed during the look-up, or if there is no place */
	if (!roles_changed && access->ntables < KEPT_TABLES && watch_table(table))
		access->tables[access->ntables++] = (TableRights){.table = table, .rights = has};
	return has;
}

/* Have relation_changed() look at this table; false if there is no place for it. */
static bool
watch_table(Oid table)
{
	for (int i = 0; i < nasked_tables; i++)
		if (asked_tables[i] == table)
			return true;
	if (nasked_tables == KEPT_TABLES)
		return false;
	asked_tables[nasked_tables++] = table;
	return true;
}

/* Without a right on the whole table, a role gets here by a right on columns, or through another role's view. */
static void
refuse_borrowed_right(Oid table)
{
	char	   *user = GetUserNameFromId(GetUserId(), false);
	char	   *name = get_rel_name(table);

	ereport(ERROR,
			errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			errmsg("permission denied for table %s", name ? name : "of vsm"),
			errdetail("Role \"%s\" has no such right of its own on the whole table; rights on columns, and those of a view's owner, do not count.", user),
			errhint("Ask for vsm.grant_access(role, level, stream), or let the owner of the table own the view."));
}

/* Has the current user the right to name an object of schema vsm? */
bool
vsm_may_enter_schema(void)
{
	return access_of_user()->enters;
}

/*
 * vsm_has_rights_on
 *		Has the current user these rights on the whole table, of SELECT, INSERT, UPDATE and DELETE?
 *
 * By GRANT alone: row policies are another question, and so are rights on columns.
 */
bool
vsm_has_rights_on(Oid table, AclMode rights)
{
	return (rights_on_table(access_of_user(), table) & rights) == rights;
}

/*
 * vsm_may
 *		Has the current user that level of access to the stream, or with NULL to all streams?
 */
bool
vsm_may(VsmLevel level, const char *stream)
{
	const Access *access = access_of_user();

	if (!access->limited || access->all >= level)
		return true;
	for (int i = 0; stream && i < access->count; i++)
		if (access->grants[i]->level >= level && strcmp(access->grants[i]->stream, stream) == 0)
			return true;
	return false;
}

/*
 * vsm_may_see_stage
 *		May the current user see the stage's stream?  For counters, which no policy protects.
 *
 * A limited role does not see a stage that is not defined.
 */
bool
vsm_may_see_stage(int64 stage_id)
{
	const Access *access = access_of_user();
	const VsmStage *stage;

	if (!access->limited || access->all >= VSM_READER)
		return true;
	stage = vsm_stage(stage_id);
	return stage && vsm_may(VSM_READER, stage->stream);
}

/* The stage, or NULL if the user may not see its stream. */
const VsmStage *
vsm_visible_stage(int64 stage_id)
{
	return vsm_may_see_stage(stage_id) ? vsm_stage(stage_id) : NULL;
}

/*
 * vsm_told_stage
 *		The stage of an id that the caller gives; NULL if its stream is hidden from the user.
 *
 * Raises 42501 if the user may not read stages at all.
 */
const VsmStage *
vsm_told_stage(int64 stage_id)
{
	vsm_require_reading(vsm_relation(VSM_TABLE_STAGES));
	return vsm_visible_stage(stage_id);
}

/*
 * vsm_require_stage
 *		The stage of that stream and name; PT404 when there is none that the user may see.
 */
const VsmStage *
vsm_require_stage(const char *stream, const char *name)
{
	const VsmStage *stage;

	vsm_require_reading(vsm_relation(VSM_TABLE_STAGES));
	stage = vsm_may(VSM_READER, stream) ? vsm_stage_named(stream, name) : NULL;
	if (stage == NULL)
		ereport(ERROR,
				errcode(VSM_NOT_FOUND),
				errmsg("stage \"%s\" not found", vsm_cut(name)),
				errdetail("Stream \"%s\" has no stage of that name; names are case-sensitive.", stream),
				errhint("%s; vsm.define_stream() adds a stage.", vsm_stages_to_choose(stream)));
	return stage;
}

/* From now on hints name what that role may see, whoever the current user is; InvalidOid: the current user.  Who it was before. */
Oid
vsm_tell_names_to(Oid role)
{
	Oid			before = listener;

	listener = role;
	return before;
}

/* The names of the streams that the user may see, as a clause of a hint. */
char *
vsm_streams_to_choose(void)
{
	return vsm_stages_to_choose("");
}

/*
 * vsm_stages_to_choose
 *		The names of the stages of a stream that are in use; if the user may not see it, of the streams.
 *
 * NULL: of the stages of all streams that the user may see.
 */
char *
vsm_stages_to_choose(const char *stream)
{
	VsmOwner	before = vsm_become_caller(OidIsValid(listener) ? listener : GetUserId());
	char	   *names;

	if (!may_read_names())
		names = pstrdup("You may not see the names");
	else if (stream == NULL)
		names = vsm_known_stages_of(sees);
	else
		names = stream[0] != '\0' && sees(stream) ? vsm_known_stages(stream) : vsm_known_streams(sees);
	vsm_leave_owner(before);
	return names;
}

static bool
may_read_names(void)
{
	Access	   *access = access_of_user();

	return access->limited || has_right(access, vsm_relation(VSM_TABLE_STAGES), ACL_SELECT);
}

static bool
sees(const char *stream)
{
	return vsm_may(VSM_READER, stream);
}

/* vsm._streams_to_choose() -> text */
Datum
vsm__streams_to_choose(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(vsm_streams_to_choose()));
}

/* vsm._stages_to_choose(stream text) -> text */
Datum
vsm__stages_to_choose(PG_FUNCTION_ARGS)
{
	const char *stream = PG_ARGISNULL(0) ? NULL : text_to_cstring(vsm_sought(PG_GETARG_TEXT_PP(0)));

	PG_RETURN_TEXT_P(cstring_to_text(vsm_stages_to_choose(stream)));
}

/*
 * vsm_require_reading
 *		Raise the error of a role that has no access to any stream and no right to read the table.
 */
void
vsm_require_reading(Oid table)
{
	Access	   *access = access_of_user();

	if (!access->limited && !has_right(access, table, ACL_SELECT))
		refuse_borrowed_right(table);
}

/*
 * vsm_require_access
 *		Raise the error of a stream that the current user may not write or define.
 *
 * A stream that the user may not see gets the error of one that does not exist.
 */
void
vsm_require_access(VsmLevel level, const char *stream)
{
	if (vsm_may(level, stream))
		return;
	if (!vsm_may(VSM_READER, stream))
		ereport(ERROR,
				errcode(VSM_NOT_FOUND),
				errmsg("stream \"%s\" not found", vsm_cut(stream)),
				errdetail("There is no stream of that name; names are case-sensitive."),
				errhint("%s.", vsm_streams_to_choose()));
	ereport(ERROR,
			errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			errmsg("permission denied for stream \"%s\"", stream),
			level == VSM_ADMIN ? errdetail("Role \"%s\" may not define it.", GetUserNameFromId(GetUserId(), false))
							   : errdetail("Role \"%s\" may see its work items and not change them.", GetUserNameFromId(GetUserId(), false)),
			errhint("Ask for vsm.grant_access(role, '%s', stream).", level == VSM_ADMIN ? "admin" : "writer"));
}

/*
 * access_of_user
 *		The access of the current user: a few comparisons while nothing has changed.
 *
 * A transaction that already holds its locks reads no invalidations, so each
 * statement reads them once.
 */
static inline Access *
access_of_user(void)
{
	if (news_heard_at != GetCurrentStatementStartTimestamp())
	{
		news_heard_at = GetCurrentStatementStartTimestamp();
		AcceptInvalidationMessages();
	}
	if (last_access && last_access->role == GetUserId() && !roles_changed &&
		accesses_generation == vsm_definitions_generation)
		return last_access;
	return look_up_access(GetUserId());
}

static Access *
look_up_access(Oid role)
{
	uint64		generation;
	int			count;
	const VsmGrant *grants = vsm_grants(&count, &generation);
	Access	   *access;
	bool		found;

	if (roles_changed || generation != accesses_generation)
	{
		forget_accesses();
		accesses_generation = generation;
	}
	access = hash_search(accesses, &role, HASH_FIND, NULL);
	if (access == NULL)
	{
		Access		fresh = {.role = role};

		/* reads catalogs, which may raise an error or process an invalidation */
		compute_access(&fresh, grants, count);
		access = hash_search(accesses, &role, HASH_ENTER, &found);
		*access = fresh;
	}
	/* if a membership changed during the look-up, the answer is outdated and not kept */
	last_access = roles_changed ? NULL : access;
	return access;
}

static void
forget_accesses(void)
{
	HASHCTL		info = {.keysize = sizeof(Oid), .entrysize = sizeof(Access)};

	if (access_context == NULL)
	{
		access_context = AllocSetContextCreate(CacheMemoryContext, "vsm stream access", ALLOCSET_SMALL_SIZES);
		CacheRegisterSyscacheCallback(AUTHOID, memberships_changed, (Datum) 0);
		CacheRegisterSyscacheCallback(AUTHMEMMEMROLE, memberships_changed, (Datum) 0);
		CacheRegisterSyscacheCallback(NAMESPACEOID, memberships_changed, (Datum) 0);
		CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	}
	MemoryContextReset(access_context);
	last_access = NULL;
	info.hcxt = access_context;
	/* a session acts as a few roles; the table grows */
	accesses = hash_create("vsm stream access", 16, &info, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	roles_changed = false;
}

static void
compute_access(Access *access, const VsmGrant *grants, int count)
{
	access->exempt = passes_row_security(access->role);
	access->enters = VSM_HAS_USAGE_OF_SCHEMA(get_namespace_oid("vsm", false), access->role);
	if (access->exempt)
		access->all = VSM_ADMIN;
	if (count == 0 || access->exempt)
		return;
	access->grants = MemoryContextAlloc(access_context, sizeof(VsmGrant *) * count);
	for (int i = 0; i < count; i++)
	{
		Oid			role = get_role_oid(grants[i].role, true);

		if (!OidIsValid(role) || !has_privs_of_role(access->role, role))
			continue;
		access->limited = true;
		if (grants[i].stream == NULL)
			access->all = Max(access->all, grants[i].level);
		else
			access->grants[access->count++] = &grants[i];
	}
}

/* As the server's check_enable_rls() decides for the owner's tables. */
static bool
passes_row_security(Oid role)
{
	return has_bypassrls_privilege(role) || has_privs_of_role(role, vsm_owner_of(vsm_relation(VSM_TABLE_ITEMS)));
}

/* Syscache callback: only marks, since it may come at any time. */
static void
memberships_changed(Datum arg, int cache, uint32 hash)
{
	roles_changed = true;
}

/* Relcache callback: GRANT and REVOKE invalidate too. */
static void
relation_changed(Datum arg, Oid relid)
{
	if (!OidIsValid(relid))
		roles_changed = true;
	for (int i = 0; i < nasked_tables; i++)
		if (asked_tables[i] == relid)
			roles_changed = true;
}
