/*
 * counters_shmem.c
 *		Makes the shared memory of the counters.
 *
 * Boards, published snapshots, counters and entries of prepared transactions
 * are arrays of a fixed size.  They are made at server start with
 * shared_preload_libraries = 'vsm', and otherwise, from PostgreSQL 17 on, by the
 * first backend that needs them.  When they do not suffice, what found no place
 * is counted from the tables, until a restart.
 *
 * counters_shmem.h shows the layout and says which lock covers which field.
 */
#include "postgres.h"

#include "access/twophase.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"

#include "compat.h"
#include "counters.h"
#include "counters_shmem.h"

/* Longer than any version, as "0.1.0". */
#define VERSION_LENGTH 32

/* Where each array begins. */
typedef struct Layout
{
	Size		boards;
	Size		xids;
	Size		counters;
	Size		prepared;
	Size		end;
} Layout;

int			vsm_max_stages = VSM_DEFAULT_STAGES;
VsmShared  *vsm_shared = NULL;
VsmBoard   *vsm_boards;
VsmCounter *vsm_counters;
VsmPrepared *vsm_prepared;
TransactionId *vsm_published_xids;

static bool preloaded = false;
static shmem_request_hook_type earlier_request_hook = NULL;
static shmem_startup_hook_type earlier_startup_hook = NULL;

static int	xids_at_once(void);
static int	prepared_entries(void);
static void request_shared_memory(void);
static void make_shared_memory(void);
static Size array_size(Size count, Size element);
static Layout layout_for(int max_stages);
static void init_version(void *memory);
static void init_shared(void *memory);
static void point_into(VsmShared *memory);

/* At loading: ask for shared memory while the server starts. */
void
vsm_counters_load(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	preloaded = true;
	earlier_request_hook = shmem_request_hook;
	shmem_request_hook = request_shared_memory;
	earlier_startup_hook = shmem_startup_hook;
	shmem_startup_hook = make_shared_memory;
}

/*
 * vsm_counters_possible
 *		Do this server and this backend have counters in shared memory?
 *
 * The answer is the same in all backends of a server.
 */
bool
vsm_counters_possible(void)
{
	if (vsm_shared == NULL && IsUnderPostmaster)
	{
		const char *version = vsm_named_memory("vsm", VERSION_LENGTH, init_version);

		if (version == NULL)
			return false;
		if (strcmp(version, VSM_VERSION) != 0)
			ereport(ERROR,
					errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("the server uses version %s of library vsm, and this session uses version %s", version, VSM_VERSION),
					errdetail("The counters of the two versions differ in shared memory."),
					errhint("Restart the server."));
		point_into(vsm_named_memory("vsm " VSM_VERSION, layout_for(VSM_DEFAULT_STAGES).end, init_shared));
	}
	return vsm_shared != NULL && IsUnderPostmaster;
}

/* At most so many transactions are in progress: in backends, and prepared. */
static int
xids_at_once(void)
{
	return MaxBackends + max_prepared_xacts;
}

/*
 * A prepared transaction has an entry for each counter that it changes: a move
 * changes up to 9.  On average each has room for as many as a stage has counters;
 * beyond that, entries say "nobody knows what": see counters_prepared.c.
 */
static int
prepared_entries(void)
{
	return max_prepared_xacts == 0 ? 0 : max_prepared_xacts * (VSM_TOTALS_PER_STAGE + 1) + xids_at_once();
}

static void
request_shared_memory(void)
{
	if (earlier_request_hook)
		earlier_request_hook();
	RequestAddinShmemSpace(layout_for(vsm_max_stages).end);
}

static void
make_shared_memory(void)
{
	bool		found;
	void	   *memory;

	if (earlier_startup_hook)
		earlier_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	memory = ShmemInitStruct("vsm", layout_for(vsm_max_stages).end, &found);
	if (!found)
		init_shared(memory);
	LWLockRelease(AddinShmemInitLock);
	point_into(memory);
}

static Size
array_size(Size count, Size element)
{
	return MAXALIGN(mul_size(count, element));
}

static Layout
layout_for(int max_stages)
{
	Layout		at;

	at.boards = MAXALIGN(sizeof(VsmShared));
	at.xids = add_size(at.boards, array_size(VSM_BOARDS, sizeof(VsmBoard)));
	/* each set publishes two snapshots */
	at.counters = add_size(at.xids, array_size(mul_size(VSM_BOARDS * VSM_SETS * 2, xids_at_once()), sizeof(TransactionId)));
	at.prepared = add_size(at.counters, array_size(mul_size(max_stages, 1 + VSM_TOTALS_PER_STAGE), sizeof(VsmCounter)));
	at.end = add_size(at.prepared, array_size(prepared_entries(), sizeof(VsmPrepared)));
	return at;
}

static void
init_version(void *memory)
{
	strlcpy(memory, VSM_VERSION, VERSION_LENGTH);
}

/* Called once in the life of the memory. */
static void
init_shared(void *memory)
{
	VsmShared  *shared = memory;

	memset(shared, 0, sizeof(VsmShared));
	shared->max_stages = preloaded ? vsm_max_stages : VSM_DEFAULT_STAGES;
	shared->max_xids = xids_at_once();
	shared->max_prepared = prepared_entries();
	shared->tranche = LWLockNewTrancheId();
	LWLockInitialize(&shared->lock, shared->tranche);
	pg_atomic_init_u32(&shared->prepared_count, 0);

	/* one counter of each stage for WIP, then the totals */
	shared->end[VSM_SET_WIP] = shared->max_stages;
	shared->end[VSM_SET_TOTALS] = shared->max_stages * (1 + VSM_TOTALS_PER_STAGE);
	shared->unused[VSM_SET_WIP] = 0;
	shared->unused[VSM_SET_TOTALS] = shared->end[VSM_SET_WIP];
	shared->freed[VSM_SET_WIP] = -1;
	shared->freed[VSM_SET_TOTALS] = -1;

	point_into(shared);
	memset(vsm_boards, 0, VSM_BOARDS * sizeof(VsmBoard));
	for (int i = 0; i < VSM_BOARDS; i++)
		LWLockInitialize(&vsm_boards[i].lock, shared->tranche);
	for (int i = 0; i < shared->end[VSM_SET_TOTALS]; i++)
	{
		pg_atomic_init_u64(&vsm_counters[i].value, 0);
		pg_atomic_init_u64(&vsm_counters[i].recount, 0);
	}
}

static void
point_into(VsmShared *memory)
{
	Layout		at;

	vsm_shared = memory;
	if (memory == NULL)
		return;
	LWLockRegisterTranche(memory->tranche, "VsmWip");
	at = layout_for(memory->max_stages);
	vsm_boards = (VsmBoard *) ((char *) memory + at.boards);
	vsm_published_xids = (TransactionId *) ((char *) memory + at.xids);
	vsm_counters = (VsmCounter *) ((char *) memory + at.counters);
	vsm_prepared = (VsmPrepared *) ((char *) memory + at.prepared);
}
