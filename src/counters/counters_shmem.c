/*
 * counters_shmem.c
 *		The counters in shared memory.
 *
 * A board holds the counters of one database's vsm.work_items, in two sets.
 * Boards, counters and published snapshots are arrays of a fixed size, made at
 * server start with shared_preload_libraries = 'vsm' and otherwise, from
 * PostgreSQL 17 on, by the first backend that needs them.  When they do not
 * suffice, what found no place is counted from the tables, until a restart.
 *
 * Locks, in the order in which they are taken:
 *	board->lock, shared		to add to counters, and to find them
 *	board->lock, exclusive	to add a counter to a set, to read all of a set at
 *							one instant, to publish a snapshot
 *	vsm_shared->lock		to take boards, counters and places for prepared
 *							transactions into use
 * Each is held for the length of a few loops, and ProcArrayLock may be taken
 * within.  None is held while a table is read.
 *
 * A board is given back when its database or its vsm.work_items is gone, and
 * looked for only when boards or counters run out, or when a database finds that
 * of another one that had its oid.  Whoever changes work items locks the table,
 * so nobody holds a pointer into such a board.
 *
 * A counter is of stages that are in vsm.stages: nobody takes one by asking for
 * others.  What is left out so is counted when a stage's counter is taken later.
 *
 * WIP is two numbers in one atomic: committed in the low half, reserved (on
 * their way into a stage with a limit) in the high half.  Committed may be below
 * 0 for a moment, when an item that just came in leaves and the callback of the
 * second transaction comes first.
 */
#include "postgres.h"

#include <sys/stat.h>

#include "access/twophase.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "compat.h"
#include "counters.h"
#include "move/stage_cache.h"

/* Where a backend found a counter. */
typedef struct Found
{
	VsmKey		key;
	VsmCounter *counter;
	/* cppcheck-suppress unusedStructMember */
	char		status;			/* simplehash.h's */
} Found;

#define SH_PREFIX found
#define SH_ELEMENT_TYPE Found
#define SH_KEY_TYPE VsmKey
#define SH_KEY key
#define SH_HASH_KEY(table, key) hash_bytes((const unsigned char *) &(key), sizeof(VsmKey))
#define SH_EQUAL(table, a, b) (memcmp(&(a), &(b), sizeof(VsmKey)) == 0)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

#define VERSION_LENGTH 32

int			vsm_max_stages = VSM_DEFAULT_STAGES;
VsmShared  *vsm_shared = NULL;
VsmBoard   *vsm_boards;
VsmCounter *vsm_counters;
VsmPrepared *vsm_prepared;

static TransactionId *published_xids;
static bool preloaded = false;

/* the board used last, and where its counters are */
static VsmBoard *my_board = NULL;
static uint64 my_generation;
static VsmBirth my_birth;
static found_hash *my_counters = NULL;

static shmem_request_hook_type earlier_request_hook = NULL;
static shmem_startup_hook_type earlier_startup_hook = NULL;

static int	xids_at_once(void);
static int	prepared_changes(void);
static void request_shared_memory(void);
static void make_shared_memory(void);
static Size shared_size(int max_stages, int max_xids, int max_prepared);
static void init_version(void *memory);
static void init_shared(void *memory);
static void point_into(VsmShared *memory);
static VsmBoard *find_board(Oid items);
static void note_birth(void);
static bool is_mine(const VsmBoard *board);
static VsmBoard *take_board(Oid items);
static bool give_back_dead_boards(void);
static bool board_is_dead(Oid database, Oid items);
static void give_back_board(VsmBoard *board);
static VsmCounter *find_counter(VsmBoard *board, const VsmKey *key);
static VsmCounter *take_counter(VsmBoard *board, const VsmKey *key);
static uint64 stage_bits(const VsmKey *key);
static int	first_of(VsmSet set);
static int	end_of(VsmSet set);
static uint64 wip(int32 committed, int32 reserved);

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

static int
xids_at_once(void)
{
	return MaxBackends + max_prepared_xacts;
}

/* So many counters a prepared transaction may change, on average; then those of which nobody knows what they changed. */
static int
prepared_changes(void)
{
	return max_prepared_xacts == 0 ? 0 : max_prepared_xacts * (VSM_TOTALS_PER_STAGE + 1) + xids_at_once();
}

static void
request_shared_memory(void)
{
	if (earlier_request_hook)
		earlier_request_hook();
	RequestAddinShmemSpace(shared_size(vsm_max_stages, xids_at_once(), prepared_changes()));
}

static void
make_shared_memory(void)
{
	Size		size = shared_size(vsm_max_stages, xids_at_once(), prepared_changes());
	bool		found;
	void	   *memory;

	if (earlier_startup_hook)
		earlier_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	memory = ShmemInitStruct("vsm", size, &found);
	if (!found)
		init_shared(memory);
	LWLockRelease(AddinShmemInitLock);
	point_into(memory);
}

/*
 * vsm_counters_possible
 *		Has this server, and this backend, a place for counters?
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
					errmsg("the server uses version %s of library vsm, and this session version %s", version, VSM_VERSION),
					errdetail("Their counters in shared memory differ."),
					errhint("Restart the server."));
		point_into(vsm_named_memory("vsm " VSM_VERSION,
									shared_size(VSM_DEFAULT_STAGES, xids_at_once(), prepared_changes()),
									init_shared));
	}
	return vsm_shared != NULL && IsUnderPostmaster;
}

static void
init_version(void *memory)
{
	strlcpy(memory, VSM_VERSION, VERSION_LENGTH);
}

static Size
shared_size(int max_stages, int max_xids, int max_prepared)
{
	Size		size = MAXALIGN(sizeof(VsmShared));

	size = add_size(size, MAXALIGN(mul_size(VSM_BOARDS, sizeof(VsmBoard))));
	size = add_size(size, MAXALIGN(mul_size(VSM_BOARDS * VSM_SETS * 2, mul_size(max_xids, sizeof(TransactionId)))));
	size = add_size(size, MAXALIGN(mul_size(mul_size(max_stages, 1 + VSM_TOTALS_PER_STAGE), sizeof(VsmCounter))));
	return add_size(size, mul_size(max_prepared, sizeof(VsmPrepared)));
}

/* Called once in the life of the memory. */
static void
init_shared(void *memory)
{
	VsmShared  *shared = memory;

	memset(shared, 0, sizeof(VsmShared));
	shared->max_stages = preloaded ? vsm_max_stages : VSM_DEFAULT_STAGES;
	shared->max_xids = xids_at_once();
	shared->max_prepared = prepared_changes();
	shared->tranche = LWLockNewTrancheId();
	LWLockInitialize(&shared->lock, shared->tranche);
	pg_atomic_init_u32(&shared->prepared_count, 0);

	point_into(shared);
	for (int set = 0; set < VSM_SETS; set++)
	{
		shared->unused[set] = first_of(set);
		shared->freed[set] = -1;
	}
	for (int i = 0; i < VSM_BOARDS; i++)
	{
		memset(&vsm_boards[i], 0, sizeof(VsmBoard));
		LWLockInitialize(&vsm_boards[i].lock, shared->tranche);
	}
	for (int i = 0; i < end_of(VSM_SET_TOTALS); i++)
	{
		pg_atomic_init_u64(&vsm_counters[i].value, 0);
		pg_atomic_init_u64(&vsm_counters[i].recount, 0);
	}
}

static void
point_into(VsmShared *memory)
{
	char	   *at = (char *) memory;

	vsm_shared = memory;
	if (memory == NULL)
		return;
	LWLockRegisterTranche(memory->tranche, "VsmWip");
	at += MAXALIGN(sizeof(VsmShared));
	vsm_boards = (VsmBoard *) at;
	at += MAXALIGN(VSM_BOARDS * sizeof(VsmBoard));
	published_xids = (TransactionId *) at;
	at += MAXALIGN(VSM_BOARDS * VSM_SETS * 2 * memory->max_xids * sizeof(TransactionId));
	vsm_counters = (VsmCounter *) at;
	at += MAXALIGN((Size) end_of(VSM_SET_TOTALS) * sizeof(VsmCounter));
	vsm_prepared = (VsmPrepared *) at;
}

/*
 * vsm_board
 *		The board of this database's vsm.work_items; NULL: there are no counters.
 *
 * There are none on a standby either.
 */
VsmBoard *
vsm_board(Oid items)
{
	VsmBoard   *board;

	if (RecoveryInProgress() || !vsm_counters_possible())
		return NULL;
	if (my_board && my_board->database == MyDatabaseId && my_board->items == items &&
		my_board->generation == my_generation)
		return my_board;

	board = find_board(items);
	if (board == NULL)
		board = take_board(items);
	if (board == NULL && give_back_dead_boards())
		board = take_board(items);
	if (board == NULL)
	{
		static bool told = false;

		LWLockAcquire(&vsm_shared->lock, LW_EXCLUSIVE);
		vsm_shared->boards_full = true;
		LWLockRelease(&vsm_shared->lock);
		if (!told)
			ereport(LOG,
					errmsg("no place for the WIP counters of this database"),
					errdetail("There is place for those of %d databases.", VSM_BOARDS),
					errhint("Its WIP is counted from the tables until the server restarts."));
		told = true;
		return NULL;
	}
	if (my_counters)
		found_destroy(my_counters);
	my_counters = found_create(TopMemoryContext, 64, NULL);
	my_board = board;
	my_generation = board->generation;
	return board;
}

/* The same, unless this transaction gave the table new storage. */
VsmBoard *
vsm_board_of(Relation items)
{
	return vsm_has_new_storage(items) ? NULL : vsm_board(RelationGetRelid(items));
}

/* After TRUNCATE, and what rewrites a table, a snapshot does not show what was there before. */
bool
vsm_has_new_storage(Relation rel)
{
	return rel->rd_createSubid != InvalidSubTransactionId || VSM_NEW_STORAGE(rel);
}

static VsmBoard *
find_board(Oid items)
{
	VsmBoard   *found = NULL;

	note_birth();
	LWLockAcquire(&vsm_shared->lock, LW_SHARED);
	for (int i = 0; i < VSM_BOARDS && found == NULL; i++)
		if (is_mine(&vsm_boards[i]) && vsm_boards[i].items == items)
			found = &vsm_boards[i];
	LWLockRelease(&vsm_shared->lock);
	return found;
}

/* Nobody else is connected while a database moves to another tablespace, which makes the file anew. */
static void
note_birth(void)
{
	char		path[MAXPGPATH];
	struct stat made;

	if (my_birth.inode != 0)
		return;
	snprintf(path, sizeof(path), "%s/PG_VERSION", DatabasePath);
	if (stat(path, &made) != 0)
		ereport(ERROR, errcode_for_file_access(), errmsg("could not stat file \"%s\": %m", path));
	my_birth.inode = made.st_ino;
	my_birth.seconds = made.st_mtim.tv_sec;
	my_birth.nanoseconds = made.st_mtim.tv_nsec;
}

/* This database's, and not that of an earlier one with its oid. */
static bool
is_mine(const VsmBoard *board)
{
	return board->database == MyDatabaseId && board->born.inode == my_birth.inode &&
		board->born.seconds == my_birth.seconds && board->born.nanoseconds == my_birth.nanoseconds;
}

/* A new board, unless another backend was faster or there is none. */
static VsmBoard *
take_board(Oid items)
{
	VsmBoard   *taken = NULL;

	LWLockAcquire(&vsm_shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < VSM_BOARDS; i++)
	{
		VsmBoard   *board = &vsm_boards[i];

		if (is_mine(board) && board->items == items)
		{
			taken = board;
			break;
		}
		if (board->database == MyDatabaseId && !is_mine(board))
			give_back_board(board);
		/* once one had to go without, none may change over to counters later */
		if (taken == NULL && board->database == InvalidOid && !vsm_shared->boards_full)
			taken = board;
	}
	if (taken && taken->database == InvalidOid)
	{
		memset(taken->sets, 0, sizeof(taken->sets));
		for (int set = 0; set < VSM_SETS; set++)
			taken->sets[set].first = -1;
		taken->generation = ++vsm_shared->generation;
		taken->items = items;
		taken->born = my_birth;
		taken->database = MyDatabaseId;
	}
	LWLockRelease(&vsm_shared->lock);
	return taken;
}

/*
 * give_back_dead_boards
 *		Free what belongs to databases and tables that are gone.
 *
 * Catalogs are read between two holds of the lock, not under it.
 */
static bool
give_back_dead_boards(void)
{
	bool		any = false;

	for (int i = 0; i < VSM_BOARDS; i++)
	{
		VsmBoard   *board = &vsm_boards[i];
		uint64		generation;
		Oid			database;
		Oid			items;

		LWLockAcquire(&vsm_shared->lock, LW_SHARED);
		generation = board->generation;
		database = board->database;
		items = board->items;
		LWLockRelease(&vsm_shared->lock);
		if (database == InvalidOid || !board_is_dead(database, items))
			continue;

		LWLockAcquire(&vsm_shared->lock, LW_EXCLUSIVE);
		if (board->database == database && board->generation == generation)
		{
			give_back_board(board);
			any = true;
		}
		LWLockRelease(&vsm_shared->lock);
	}
	return any;
}

/* A table that only seems gone may be one that another transaction is making, or that we dropped and may get back. */
static bool
board_is_dead(Oid database, Oid items)
{
	bool		dead;

	if (database != MyDatabaseId)
		return !SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(database));
	if (TransactionIdIsValid(GetTopTransactionIdIfAny()) ||
		SearchSysCacheExists1(RELOID, ObjectIdGetDatum(items)) ||
		!ConditionalLockRelationOid(items, AccessShareLock))
		return false;
	dead = !SearchSysCacheExists1(RELOID, ObjectIdGetDatum(items));
	UnlockRelationOid(items, AccessShareLock);
	return dead;
}

/* Its counters may be another board's next, so what refers to them goes, too.  Under vsm_shared->lock, exclusive. */
static void
give_back_board(VsmBoard *board)
{
	for (int set = 0; set < VSM_SETS; set++)
	{
		for (int next, i = board->sets[set].first; i >= 0; i = next)
		{
			next = vsm_counters[i].next;
			vsm_counters[i].next = vsm_shared->freed[set];
			vsm_shared->freed[set] = i;
		}
	}
	vsm_prepared_remove(board);
	board->database = InvalidOid;
	board->items = InvalidOid;
}

/*
 * vsm_counter
 *		The counter of that key; NULL: there is none.
 *
 * create: take one into use; then NULL means that the stage is not defined, or
 * that there is no place for it, which stays so until the server restarts.  May
 * read the definitions: what vsm_stage() returned before is not good any more.
 */
VsmCounter *
vsm_counter(const VsmKey *key, bool create)
{
	VsmBoard   *board = vsm_board(key->items);
	VsmCounter *counter;
	Found	   *known;
	bool		there;

	if (board == NULL)
		return NULL;
	known = found_lookup(my_counters, *key);
	if (known)
		return known->counter;

	LWLockAcquire(&board->lock, LW_SHARED);
	counter = find_counter(board, key);
	LWLockRelease(&board->lock);
	if (counter == NULL && create && !vsm_stages_defined(key))
		return NULL;
	if (counter == NULL && create)
		counter = take_counter(board, key);
	if (counter == NULL && create && !board->sets[vsm_set_of(key->kind)].full)
	{
		if (give_back_dead_boards())
			counter = take_counter(board, key);
		if (counter == NULL)
		{
			LWLockAcquire(&board->lock, LW_EXCLUSIVE);
			board->sets[vsm_set_of(key->kind)].full = true;
			LWLockRelease(&board->lock);
			ereport(LOG,
					errmsg("no place for another counter of stages"),
					errdetail("There is place for those of %d stages.", vsm_shared->max_stages),
					errhint("What has none is counted from the tables. Raise vsm.max_stages, with vsm in shared_preload_libraries, and restart the server."));
		}
	}
	if (counter)
	{
		known = found_insert(my_counters, *key, &there);
		known->counter = counter;
	}
	return counter;
}

/*
 * vsm_stages_defined
 *		Are the stages of the key in this database's vsm.stages?
 *
 * Not those of a vsm.work_items that this transaction has dropped.
 */
bool
vsm_stages_defined(const VsmKey *key)
{
	Oid			schema = get_namespace_oid("vsm", true);

	if (!OidIsValid(schema) || get_relname_relid("work_items", schema) != key->items ||
		!OidIsValid(get_relname_relid("stages", schema)))
		return false;
	if (key->kind == VSM_MOVED)
		return vsm_stage(key->b) != NULL && (key->a == 0 || vsm_stage(key->a) != NULL);
	return vsm_stage(key->a) != NULL;
}

VsmSet
vsm_set_of(int32 kind)
{
	return kind == VSM_WIP ? VSM_SET_WIP : VSM_SET_TOTALS;
}

/* Under the board's lock. */
static VsmCounter *
find_counter(VsmBoard *board, const VsmKey *key)
{
	for (int i = board->sets[vsm_set_of(key->kind)].first; i >= 0; i = vsm_counters[i].next)
		if (memcmp(&vsm_counters[i].key, key, sizeof(VsmKey)) == 0)
			return &vsm_counters[i];
	return NULL;
}

static VsmCounter *
take_counter(VsmBoard *board, const VsmKey *key)
{
	VsmSet		set = vsm_set_of(key->kind);
	VsmSetState *state = &board->sets[set];
	VsmCounter *counter;
	int			taken = -1;

	LWLockAcquire(&board->lock, LW_EXCLUSIVE);
	counter = find_counter(board, key);
	if (counter == NULL && !state->full)
	{
		LWLockAcquire(&vsm_shared->lock, LW_EXCLUSIVE);
		if (vsm_shared->freed[set] >= 0)
		{
			taken = vsm_shared->freed[set];
			vsm_shared->freed[set] = vsm_counters[taken].next;
		}
		else if (vsm_shared->unused[set] < end_of(set))
			taken = vsm_shared->unused[set]++;
		LWLockRelease(&vsm_shared->lock);
	}
	if (taken >= 0)
	{
		counter = &vsm_counters[taken];
		counter->key = *key;
		pg_atomic_write_u64(&counter->value, 0);
		pg_atomic_write_u64(&counter->recount, 0);
		counter->next = state->first;
		state->first = taken;
		if (state->left_out & stage_bits(key))
		{
			state->ready = false;
			state->spoiled = true;
		}
	}
	LWLockRelease(&board->lock);
	return counter;
}

/* Of 64 bits, those that stand for the stages of the key, and for others, too. */
static uint64
stage_bits(const VsmKey *key)
{
	uint64		bits = UINT64CONST(1) << ((uint64) key->a % 64);

	if (key->kind == VSM_MOVED)
		bits |= UINT64CONST(1) << ((uint64) key->b % 64);
	return bits;
}

/* The sets' shares of the array: one counter per stage for WIP, then the totals. */
static int
first_of(VsmSet set)
{
	return set == VSM_SET_WIP ? 0 : vsm_shared->max_stages;
}

static int
end_of(VsmSet set)
{
	return vsm_shared->max_stages * (set == VSM_SET_WIP ? 1 : 1 + VSM_TOTALS_PER_STAGE);
}

/* Where the transactions of a published snapshot are, max_xids places. */
TransactionId *
vsm_published_xids(const VsmBoard *board, VsmSet set, int which)
{
	int			place = ((int) (board - vsm_boards) * VSM_SETS + set) * 2 + which;

	return published_xids + (Size) place * vsm_shared->max_xids;
}

/*
 * vsm_published_sees
 *		Has the count under that snapshot seen the transaction?
 *
 * Under the board's lock.  The transaction has ended by now, so it is either
 * in the snapshot as running or later than it, or was seen.
 */
bool
vsm_published_sees(const VsmBoard *board, VsmSet set, int which, FullTransactionId xid)
{
	const VsmPublished *published = &board->sets[set].published[which];
	const TransactionId *xids = vsm_published_xids(board, set, which);

	if (!FullTransactionIdIsValid(published->xmax) || !FullTransactionIdPrecedes(xid, published->xmax))
		return false;
	if (FullTransactionIdPrecedes(xid, published->xmin))
		return true;
	for (int i = 0; i < published->xcnt; i++)
		if (xids[i] == XidFromFullTransactionId(xid))
			return false;
	return true;
}

static uint64
wip(int32 committed, int32 reserved)
{
	return (uint64) (uint32) reserved << 32 | (uint32) committed;
}

void
vsm_counter_wip(VsmCounter *counter, int32 *committed, int32 *reserved)
{
	uint64		value = pg_atomic_read_u64(&counter->value);

	*committed = (int32) (uint32) value;
	*reserved = (int32) (value >> 32);
}

/* Put another count into the place of the present one; the reservations stay. */
void
vsm_counter_set_wip(VsmCounter *counter, int32 committed)
{
	uint64		value = pg_atomic_read_u64(&counter->value);

	while (!pg_atomic_compare_exchange_u64(&counter->value, &value, wip(committed, (int32) (value >> 32))))
		;
}

void
vsm_counter_add_wip(VsmCounter *counter, int32 committed, int32 reserved)
{
	uint64		value = pg_atomic_read_u64(&counter->value);

	while (!pg_atomic_compare_exchange_u64(&counter->value, &value,
										   wip((int32) (uint32) value + committed, (int32) (value >> 32) + reserved)))
		;
}

/*
 * vsm_counter_reserve
 *		Reserve places in a stage; false when they would exceed its limit.
 *
 * places: 0 or less when the transaction has more reservations than it needs;
 * then it only looks.  force: reserve them nevertheless.  Tells what it found.
 * Takes no lock: what counts for the limit, committed and reserved together,
 * changes in one step.
 */
bool
vsm_counter_reserve(VsmCounter *counter, int32 places, int32 limit, bool force, int32 *committed, int32 *reserved)
{
	uint64		value = pg_atomic_read_u64(&counter->value);
	bool		room;

	do
	{
		*committed = (int32) (uint32) value;
		*reserved = (int32) (value >> 32);
		room = (int64) *committed + *reserved + places <= limit;
		if (places <= 0 || (!room && !force))
			return room;
	} while (!pg_atomic_compare_exchange_u64(&counter->value, &value, wip(*committed, *reserved + places)));
	return room;
}

/*
 * vsm_counter_apply
 *		Add what a committed transaction changed, unless a count has seen it.
 *
 * Under the board's lock.  Raises nothing and waits for nothing.
 */
void
vsm_counter_apply(VsmBoard *board, VsmCounter *counter, int64 net, FullTransactionId xid)
{
	VsmSet		set = vsm_set_of(counter->key.kind);
	VsmSetState *state = &board->sets[set];

	if (net == 0)
		return;
	if (!vsm_published_sees(board, set, state->live, xid))
	{
		if (set == VSM_SET_WIP)
			vsm_counter_add_wip(counter, (int32) net, 0);
		else
			pg_atomic_fetch_add_u64(&counter->value, net);
	}
	if (state->recounting && !vsm_published_sees(board, set, 1 - state->live, xid))
		pg_atomic_fetch_add_u64(&counter->recount, net);
}

/* The transaction truncated the table.  Under the board's lock, exclusive. */
void
vsm_board_empty(VsmBoard *board, FullTransactionId xid)
{
	for (int set = 0; set < VSM_SETS; set++)
	{
		VsmSetState *state = &board->sets[set];
		bool		live = !vsm_published_sees(board, set, state->live, xid);
		bool		recount = !vsm_published_sees(board, set, 1 - state->live, xid);

		for (int i = state->first; i >= 0; i = vsm_counters[i].next)
		{
			if (live && set == VSM_SET_WIP)
				vsm_counter_set_wip(&vsm_counters[i], 0);
			else if (live)
				pg_atomic_write_u64(&vsm_counters[i].value, 0);
			if (recount)
				pg_atomic_write_u64(&vsm_counters[i].recount, 0);
		}
	}
}

/*
 * vsm_board_leave_out
 *		A committed change, or a count, of a stage that was not defined when its counter was looked for.
 *
 * When the counter is taken later, the set is counted anew.  Under the board's lock, exclusive.
 */
void
vsm_board_leave_out(VsmBoard *board, const VsmKey *key, int64 net, FullTransactionId xid)
{
	VsmCounter *counter = find_counter(board, key);

	if (counter)
		vsm_counter_apply(board, counter, net, xid);
	else
		board->sets[vsm_set_of(key->kind)].left_out |= stage_bits(key);
}

/* The transaction changed nobody knows what.  Under the board's lock, exclusive. */
void
vsm_board_unknown(VsmBoard *board, VsmSet set, FullTransactionId xid)
{
	VsmSetState *state = &board->sets[set];

	if (!vsm_published_sees(board, set, state->live, xid))
		state->ready = false;
	if (!vsm_published_sees(board, set, 1 - state->live, xid))
		state->spoiled = true;
}
