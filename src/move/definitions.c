/*
 * definitions.c
 *		Reading the definitions of streams, stages and types, grants on streams, and how far streams are closed.
 *
 * They are read with the latest snapshot rather than the transaction's, so that a
 * REPEATABLE READ transaction also sees that a stage was retired or deleted since
 * it began.
 */
#include "definitions.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "owner.h"

static void read_stages(VsmDefinitions *defs);
static void read_types(VsmDefinitions *defs);
static void read_folds(VsmDefinitions *defs);
static void read_grants(VsmDefinitions *defs);
static SPITupleTable *run_latest(const char *query);
static VsmCategory category_of(const char *name);
static VsmLevel level_of(const char *name);
static int	compare_ids(const void *a, const void *b);

/*
 * vsm_read_definitions
 *		Read all definitions as the owner of the tables, into a memory context of their own.
 */
VsmDefinitions *
vsm_read_definitions(Oid owner)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "vsm definitions",
												  ALLOCSET_SMALL_SIZES);
	VsmDefinitions *defs = MemoryContextAllocZero(context, sizeof(VsmDefinitions));
	VsmOwner before = vsm_become_owner(owner);

	defs->context = context;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	read_stages(defs);
	read_types(defs);
	read_folds(defs);
	read_grants(defs);
	SPI_finish();
	vsm_leave_owner(before);

	MemoryContextSetParent(context, CacheMemoryContext);
	return defs;
}

static void
read_stages(VsmDefinitions *defs)
{
	SPITupleTable *table = run_latest("SELECT id, stream, name, category, started, retired_at IS NOT NULL, \"order\", wip_limit, stream_id, renamed_at"
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

		/* null without a commitment point: nothing counts as started */
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
		s->stream_id = DatumGetInt64(SPI_getbinval(row, desc, 9, &isnull));
		s->renamed_at = DatumGetTimestampTz(SPI_getbinval(row, desc, 10, &isnull));
		if (isnull)
			s->renamed_at = DT_NOBEGIN;
		defs->by_id[i] = s;
	}
	qsort(defs->by_id, defs->nstages, sizeof(VsmStage *), compare_ids);
	MemoryContextSwitchTo(caller);
}

static void
read_types(VsmDefinitions *defs)
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
read_folds(VsmDefinitions *defs)
{
	SPITupleTable *table = run_latest("SELECT stream_id, closed_until FROM vsm._folds ORDER BY stream_id");

	defs->nfolds = (int) table->numvals;
	defs->folds = MemoryContextAllocZero(defs->context, sizeof(VsmFold) * Max(defs->nfolds, 1));
	for (int i = 0; i < defs->nfolds; i++)
	{
		bool		isnull;

		defs->folds[i].stream_id = DatumGetInt64(SPI_getbinval(table->vals[i], table->tupdesc, 1, &isnull));
		defs->folds[i].closed_until = DatumGetTimestampTz(SPI_getbinval(table->vals[i], table->tupdesc, 2, &isnull));
	}
}

static void
read_grants(VsmDefinitions *defs)
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

	/* a parallel query cannot take another snapshot, and moves no items */
	Snapshot	snapshot = IsInParallelMode() ? GetActiveSnapshot() : GetLatestSnapshot();

	if (plan == NULL ||
		SPI_execute_snapshot(plan, NULL, NULL, snapshot, InvalidSnapshot,
							 true, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not run \"%s\": %s", query, SPI_result_code_string(SPI_result));
	return SPI_tuptable;
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
			return name[1] == 'i' ? VSM_DISCARDED : VSM_DONE;
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

static int
compare_ids(const void *a, const void *b)
{
	int64		left = (*(VsmStage *const *) a)->id;
	int64		right = (*(VsmStage *const *) b)->id;

	return (left > right) - (left < right);
}
