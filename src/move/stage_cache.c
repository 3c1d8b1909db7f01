/*
 * stage_cache.c
 *		Definitions of streams, stages and types, and grants on streams, cached per backend.
 *
 * A move looks up two stages and nothing else, so all definitions are read once
 * (definitions.c) and kept.  Triggers on their tables send a relcache
 * invalidation at commit, and to their own session at the end of the command.
 * The callback marks the cache stale, and the next look-up reads again.
 *
 * A pointer handed out is good until the next call of a function of this file.
 */
#include "stage_cache.h"

#include "access/xact.h"
#include "fmgr.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "owner.h"
#include "trigger_guard.h"

#define DEFINITION_TABLES	(VSM_TABLE_FOLDS - VSM_TABLE_STREAMS + 1)

uint64		vsm_definitions_generation = 0;

static VsmDefinitions *definitions = NULL;
static uint64 last_generation = 0;
static Oid	watched[DEFINITION_TABLES]; /* the tables that were read */

static VsmDefinitions *current_definitions(void);
static void definitions_changed(Datum arg, Oid relid);
static int	compare_id_key(const void *key, const void *stage);
static int	compare_type_key(const void *key, const void *type);
static int	compare_fold_key(const void *key, const void *fold);
static const VsmStage *first_of_stream(VsmDefinitions *defs, const char *stream);

PG_FUNCTION_INFO_V1(vsm__definitions_changed);
PG_FUNCTION_INFO_V1(vsm__read_definitions_anew);
PG_FUNCTION_INFO_V1(vsm__require_current_snapshot);

/*
 * vsm._definitions_changed() -> trigger
 *		Tells every session that streams, stages, types or access to streams have changed.
 *
 * After each statement on their tables.  Transactional: a rollback sends
 * nothing to others.
 */
Datum
vsm__definitions_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = vsm_trigger_data(fcinfo, VSM_AFTER_ANY, VSM_TABLE_STREAMS, VSM_TABLE_FOLDS);

	CacheInvalidateRelcache(trigdata->tg_relation);
	return PointerGetDatum(NULL);
}

/*
 * vsm._read_definitions_anew() -> void
 *		Between a commit and its message, the next look-up sees what the commit has changed.
 */
Datum
vsm__read_definitions_anew(PG_FUNCTION_ARGS)
{
	vsm_definitions_generation = 0;
	PG_RETURN_VOID();
}

/*
 * vsm._require_current_snapshot() -> void
 *		Refuse (40001) a snapshot older than the end of another transaction.
 *
 * Whoever changes a definition must see all items that refer to it, and who blocks
 * an item, all its blocks.  A READ COMMITTED transaction sees them after taking a
 * lock; one that keeps its snapshot sees them if no transaction has ended since.
 */
Datum
vsm__require_current_snapshot(PG_FUNCTION_ARGS)
{
	Snapshot	mine = GetTransactionSnapshot();
	Snapshot	latest = GetLatestSnapshot();

	if (IsolationUsesXactSnapshot() && (mine->xmax != latest->xmax || mine->xcnt != latest->xcnt))
		ereport(ERROR,
				errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				errmsg("could not serialize access because another transaction has ended since the snapshot"),
				errdetail("This transaction does not see definitions and work items as they are now."),
				errhint("Use a READ COMMITTED transaction, or try again."));
	PG_RETURN_VOID();
}

/* The stage of that id, or NULL. */
const VsmStage *
vsm_stage(int64 id)
{
	VsmDefinitions *defs = current_definitions();
	VsmStage  **found = bsearch(&id, defs->by_id, defs->nstages,
								sizeof(VsmStage *), compare_id_key);

	return found ? *found : NULL;
}

/* The stage of that stream and name, or NULL. */
const VsmStage *
vsm_stage_named(const char *stream, const char *name)
{
	VsmDefinitions *defs = current_definitions();
	const VsmStage *end = defs->stages + defs->nstages;

	for (const VsmStage *s = first_of_stream(defs, stream);
		 s != NULL && s < end && strcmp(s->stream, stream) == 0; s++)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

/* The stage in which items of a stream begin, or NULL. */
const VsmStage *
vsm_first_stage(const char *stream)
{
	VsmDefinitions *defs = current_definitions();
	const VsmStage *end = defs->stages + defs->nstages;

	for (const VsmStage *s = first_of_stream(defs, stream);
		 s != NULL && s < end && strcmp(s->stream, stream) == 0; s++)
		if (!s->retired)
			return s;
	return NULL;
}

bool
vsm_type_known(const char *type)
{
	VsmDefinitions *defs = current_definitions();

	return bsearch(type, defs->types, defs->ntypes, sizeof(char *), compare_type_key) != NULL;
}

/* Has any stream been defined? */
bool
vsm_any_stage(void)
{
	return current_definitions()->nstages > 0;
}

const VsmDefinitions *
vsm_all_definitions(void)
{
	return current_definitions();
}

/* The rows of vsm.stream_access; the pointer is good while the generation stays the same. */
const VsmGrant *
vsm_grants(int *count, uint64 *generation)
{
	VsmDefinitions *defs = current_definitions();

	*count = defs->ngrants;
	*generation = last_generation;
	return defs->grants;
}

/* Before this time, moves of a stream may have been folded; DT_NOBEGIN: none. */
TimestampTz
vsm_closed_until(int64 stream_id)
{
	VsmDefinitions *defs = current_definitions();
	VsmFold    *found = bsearch(&stream_id, defs->folds, defs->nfolds, sizeof(VsmFold), compare_fold_key);

	return found ? found->closed_until : DT_NOBEGIN;
}

/* Is any stream folded? */
bool
vsm_any_closed(void)
{
	return current_definitions()->nfolds > 0;
}

static VsmDefinitions *
current_definitions(void)
{
	static bool registered = false;

	if (!registered)
	{
		CacheRegisterRelcacheCallback(definitions_changed, (Datum) 0);
		registered = true;
	}

	/* An invalidation that arrives while we read sets the generation to 0: then we read again. */
	while (vsm_definitions_generation == 0)
	{
		VsmDefinitions *fresh;

		for (int i = 0; i < DEFINITION_TABLES; i++)
			watched[i] = vsm_relation(VSM_TABLE_STREAMS + i);
		vsm_definitions_generation = ++last_generation;
		PG_TRY();
		{
			fresh = vsm_read_definitions(vsm_owner_of(vsm_relation(VSM_TABLE_STAGES)));
		}
		PG_CATCH();
		{
			vsm_definitions_generation = 0;
			PG_RE_THROW();
		}
		PG_END_TRY();
		if (definitions)
			MemoryContextDelete(definitions->context);
		definitions = fresh;
	}
	return definitions;
}

/* Relcache callback: only marks, since it may come at any time. */
static void
definitions_changed(Datum arg, Oid relid)
{
	for (int i = 0; i < DEFINITION_TABLES; i++)
		if (relid == InvalidOid || relid == watched[i])
			vsm_definitions_generation = 0;
}

static int
compare_id_key(const void *key, const void *stage)
{
	int64		left = *(const int64 *) key;
	int64		right = (*(VsmStage *const *) stage)->id;

	return (left > right) - (left < right);
}

static int
compare_type_key(const void *key, const void *type)
{
	return strcmp((const char *) key, *(char *const *) type);
}

static int
compare_fold_key(const void *key, const void *fold)
{
	int64		left = *(const int64 *) key;
	int64		right = ((const VsmFold *) fold)->stream_id;

	return (left > right) - (left < right);
}

/* The first stage row of a stream, retired or not, by binary search. */
static const VsmStage *
first_of_stream(VsmDefinitions *defs, const char *stream)
{
	int			low = 0;
	int			high = defs->nstages;

	while (low < high)
	{
		int			mid = (low + high) / 2;

		if (strcmp(defs->stages[mid].stream, stream) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < defs->nstages ? &defs->stages[low] : NULL;
}
