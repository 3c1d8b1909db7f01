/*
 * stage_cache.c
 *		Definitions of streams, stages and types, and access to streams, cached per backend.
 *
 * A move looks up two stages and nothing else, so the definitions of all
 * streams are read once and kept.  Triggers on the three tables send a relcache
 * invalidation at commit (and at the end of the command to their own session);
 * the callback marks the cache stale and the next lookup reads again.
 *
 * It reads with the latest snapshot, not the transaction's: a stage that was
 * retired or deleted a moment ago is seen as such also by a REPEATABLE READ
 * transaction that began earlier.  It reads as the owner of the tables.
 *
 * A pointer handed out is good until the next call of a function of this file.
 */
#include "stage_cache.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "owner.h"
#include "trigger_guard.h"

/* in the order of the tables' names in definition_tables */
#define DEFINITION_TABLES 4
static const char *const definition_tables[DEFINITION_TABLES] = {
	"stages", "value_streams", "work_item_types", "stream_access"
};

typedef struct Definitions
{
	MemoryContext context;
	int			nstages;
	VsmStage   *stages;			/* by stream (bytewise), then order */
	VsmStage  **by_id;
	int			ntypes;
	char	  **types;			/* bytewise */
	int			ngrants;
	VsmGrant   *grants;
} Definitions;

static Definitions *definitions = NULL;
bool		vsm_definitions_valid = false;
uint64		vsm_definitions_generation = 0;	/* another one each time they are read */
static Oid	definition_oids[DEFINITION_TABLES];

static Definitions *current_definitions(void);
static Definitions *read_definitions(void);
static void read_stages(Definitions *defs);
static void read_types(Definitions *defs);
static void read_grants(Definitions *defs);
static VsmLevel level_of(const char *name);
static SPITupleTable *run_latest(const char *query);
static Oid	find_definition_tables(void);
static VsmCategory category_of(const char *name);
static void definitions_changed(Datum arg, Oid relid);
static int	compare_ids(const void *a, const void *b);
static int	compare_id_key(const void *key, const void *stage);
static int	compare_type_key(const void *key, const void *type);
static const VsmStage *first_of_stream(Definitions *defs, const char *stream);

PG_FUNCTION_INFO_V1(vsm__definitions_changed);
PG_FUNCTION_INFO_V1(vsm__require_current_snapshot);

/*
 * vsm._definitions_changed() -> trigger
 *		Tells every session that streams, stages, types or access to streams have changed.
 *
 * After each statement on the four tables.  Transactional: a rollback sends
 * nothing to others.
 */
Datum
vsm__definitions_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = vsm_trigger_data(fcinfo, VSM_AFTER_ANY, VSM_TABLE_STREAMS, VSM_TABLE_ACCESS);

	CacheInvalidateRelcache(trigdata->tg_relation);
	return PointerGetDatum(NULL);
}

/*
 * vsm._require_current_snapshot() -> void
 *		Refuse (40001) a snapshot older than the end of another transaction.
 *
 * Whoever changes a definition has to see all items that refer to it.  After
 * taking a lock a READ COMMITTED transaction does; one that keeps its snapshot
 * does when no transaction has ended since.
 */
Datum
vsm__require_current_snapshot(PG_FUNCTION_ARGS)
{
	Snapshot	mine = GetTransactionSnapshot();
	Snapshot	latest = GetLatestSnapshot();

	if (IsolationUsesXactSnapshot() && (mine->xmax != latest->xmax || mine->xcnt != latest->xcnt))
		ereport(ERROR,
				errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				errmsg("could not change definitions because another transaction ended meanwhile"),
				errdetail("This transaction does not see the work items as they are now."),
				errhint("Change definitions in a READ COMMITTED transaction, or try again."));
	PG_RETURN_VOID();
}

/* The stage of that id, or NULL. */
const VsmStage *
vsm_stage(int64 id)
{
	Definitions *defs = current_definitions();
	VsmStage  **found = bsearch(&id, defs->by_id, defs->nstages,
								sizeof(VsmStage *), compare_id_key);

	return found ? *found : NULL;
}

/* The stage of that stream and name, or NULL. */
const VsmStage *
vsm_stage_named(const char *stream, const char *name)
{
	Definitions *defs = current_definitions();
	const VsmStage *end = defs->stages + defs->nstages;

	for (const VsmStage *s = first_of_stream(defs, stream);
		 s != NULL && s < end && strcmp(s->stream, stream) == 0; s++)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

/* The stage in which items of a stream begin, or NULL when there is none. */
const VsmStage *
vsm_first_stage(const char *stream)
{
	Definitions *defs = current_definitions();
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
	Definitions *defs = current_definitions();

	return bsearch(type, defs->types, defs->ntypes, sizeof(char *), compare_type_key) != NULL;
}

/* Has any stream been defined? */
bool
vsm_any_stage(void)
{
	return current_definitions()->nstages > 0;
}

/* The rows of vsm.stream_access; they stay where they are for as long as generation stays the same. */
const VsmGrant *
vsm_grants(int *count, uint64 *generation)
{
	Definitions *defs = current_definitions();

	*count = defs->ngrants;
	*generation = vsm_definitions_generation;
	return defs->grants;
}

static Definitions *
current_definitions(void)
{
	static bool registered = false;

	if (!registered)
	{
		CacheRegisterRelcacheCallback(definitions_changed, (Datum) 0);
		registered = true;
	}

	/* An invalidation may arrive while we read: then read once more. */
	while (!vsm_definitions_valid)
	{
		Definitions *fresh;

		vsm_definitions_valid = true;
		PG_TRY();
		{
			fresh = read_definitions();
		}
		PG_CATCH();
		{
			vsm_definitions_valid = false;
			PG_RE_THROW();
		}
		PG_END_TRY();
		if (definitions)
			MemoryContextDelete(definitions->context);
		definitions = fresh;
		vsm_definitions_generation++;
	}
	return definitions;
}

static Definitions *
read_definitions(void)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "vsm definitions",
												  ALLOCSET_SMALL_SIZES);
	Definitions *defs = MemoryContextAllocZero(context, sizeof(Definitions));
	VsmOwner before = vsm_become_owner(find_definition_tables());

	defs->context = context;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	read_stages(defs);
	read_types(defs);
	read_grants(defs);
	SPI_finish();
	vsm_leave_owner(before);

	MemoryContextSetParent(context, CacheMemoryContext);
	return defs;
}

static void
read_stages(Definitions *defs)
{
	SPITupleTable *table = run_latest("SELECT id, stream, name, category, started, retired_at IS NOT NULL, \"order\", wip_limit"
									  " FROM vsm._stages ORDER BY stream COLLATE \"C\", \"order\", id");
	MemoryContext caller;

	defs->nstages = (int) table->numvals;
	caller = MemoryContextSwitchTo(defs->context);
	defs->stages = palloc0(sizeof(VsmStage) * Max(defs->nstages, 1));
	defs->by_id = palloc0(sizeof(VsmStage *) * Max(defs->nstages, 1));
	for (int i = 0; i < defs->nstages; i++)
	{
		HeapTuple	row = table->vals[i];
		TupleDesc	desc = table->tupdesc;
		VsmStage   *s = &defs->stages[i];
		bool		isnull;
		Datum		started = SPI_getbinval(row, desc, 5, &isnull);

		/* no commitment point: nothing counts as started */
		s->started = !isnull && DatumGetBool(started);
		s->id = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
		s->stream = TextDatumGetCString(SPI_getbinval(row, desc, 2, &isnull));
		s->name = TextDatumGetCString(SPI_getbinval(row, desc, 3, &isnull));
		s->category = category_of(TextDatumGetCString(SPI_getbinval(row, desc, 4, &isnull)));
		s->retired = DatumGetBool(SPI_getbinval(row, desc, 6, &isnull));
		s->order = DatumGetInt32(SPI_getbinval(row, desc, 7, &isnull));
		s->wip_limit = DatumGetInt32(SPI_getbinval(row, desc, 8, &isnull));
		if (isnull)
			s->wip_limit = 0;
		defs->by_id[i] = s;
	}
	qsort(defs->by_id, defs->nstages, sizeof(VsmStage *), compare_ids);
	MemoryContextSwitchTo(caller);
}

static void
read_types(Definitions *defs)
{
	SPITupleTable *table = run_latest("SELECT name FROM vsm.work_item_types ORDER BY name COLLATE \"C\"");
	MemoryContext caller;

	defs->ntypes = (int) table->numvals;
	caller = MemoryContextSwitchTo(defs->context);
	defs->types = palloc0(sizeof(char *) * Max(defs->ntypes, 1));
	for (int i = 0; i < defs->ntypes; i++)
	{
		bool		isnull;

		defs->types[i] = TextDatumGetCString(SPI_getbinval(table->vals[i], table->tupdesc, 1, &isnull));
	}
	MemoryContextSwitchTo(caller);
}

static void
read_grants(Definitions *defs)
{
	SPITupleTable *table = run_latest("SELECT role::pg_catalog.text, stream, level FROM vsm.stream_access");
	MemoryContext caller;

	defs->ngrants = (int) table->numvals;
	caller = MemoryContextSwitchTo(defs->context);
	defs->grants = palloc0(sizeof(VsmGrant) * Max(defs->ngrants, 1));
	for (int i = 0; i < defs->ngrants; i++)
	{
		HeapTuple	row = table->vals[i];
		TupleDesc	desc = table->tupdesc;
		bool		isnull;
		Datum		stream = SPI_getbinval(row, desc, 2, &isnull);

		defs->grants[i].stream = isnull ? NULL : TextDatumGetCString(stream);
		defs->grants[i].role = TextDatumGetCString(SPI_getbinval(row, desc, 1, &isnull));
		defs->grants[i].level = level_of(TextDatumGetCString(SPI_getbinval(row, desc, 3, &isnull)));
	}
	MemoryContextSwitchTo(caller);
}

static SPITupleTable *
run_latest(const char *query)
{
	SPIPlanPtr	plan = SPI_prepare(query, 0, NULL);

	/* a query that runs in parallel may not take another snapshot, nor does it move items */
	Snapshot	snapshot = IsInParallelMode() ? GetActiveSnapshot() : GetLatestSnapshot();

	if (plan == NULL ||
		SPI_execute_snapshot(plan, NULL, NULL, snapshot, InvalidSnapshot,
							 true, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not run \"%s\": %s", query, SPI_result_code_string(SPI_result));
	return SPI_tuptable;
}

/*
 * find_definition_tables
 *		Remember which relations to watch; returns their owner.
 */
static Oid
find_definition_tables(void)
{
	Oid			schema = get_namespace_oid("vsm", false);

	for (int i = 0; i < DEFINITION_TABLES; i++)
		definition_oids[i] = get_relname_relid(definition_tables[i], schema);
	return vsm_tables_owner();
}

static VsmCategory
category_of(const char *name)
{
	switch (name[0])
	{
		case 'w':
			return VSM_WAIT;
		case 'a':
			return VSM_ACTIVE;
		default:
			return VSM_DONE;
	}
}

static VsmLevel
level_of(const char *name)
{
	switch (name[0])
	{
		case 'a':
			return VSM_ADMIN;
		case 'w':
			return VSM_WRITER;
		default:
			return VSM_READER;
	}
}

/* Relcache callback: only marks, since it may come at any time. */
static void
definitions_changed(Datum arg, Oid relid)
{
	if (relid == InvalidOid)
		vsm_definitions_valid = false;
	for (int i = 0; i < DEFINITION_TABLES; i++)
		if (relid == definition_oids[i])
			vsm_definitions_valid = false;
}

static int
compare_ids(const void *a, const void *b)
{
	int64		left = (*(VsmStage *const *) a)->id;
	int64		right = (*(VsmStage *const *) b)->id;

	return (left > right) - (left < right);
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

/* The first stage row of a stream, retired or not, by binary search. */
static const VsmStage *
first_of_stream(Definitions *defs, const char *stream)
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
