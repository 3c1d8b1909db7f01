/*
 * counters_lookup.c
 *		Finding the counter of a key, or taking one into use.
 *
 * Each backend remembers where it found a counter.
 *
 * A counter belongs to stages that are in vsm.stages, so nobody takes counters
 * by asking for stages that do not exist.  Replication may deliver an item
 * before its stage: such a change is left out, and the set remembers its stage
 * by one of the 64 bits of left_out.  Whoever takes a counter whose bit is set
 * has the set recounted.  Stages share bits, since ids grow without end; where
 * two share one, a recount was not needed and does no harm.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "common/hashfn.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "counters_shmem.h"
#include "move/stage_cache.h"

#define LEFT_OUT_BITS	64

/* Where this backend found a counter. */
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

/* of the board with this generation */
static found_hash *my_counters = NULL;
static uint64 my_generation;

static void remember_counters_of(const VsmBoard *board);
static VsmCounter *find_counter(const VsmBoard *board, const VsmKey *key);
static VsmCounter *take_counter_into_use(VsmBoard *board, const VsmKey *key);
static int	unused_counter(VsmSet set);
static void go_without_counter(VsmBoard *board, VsmSet set);
static uint64 stage_bits(const VsmKey *key);

/*
 * vsm_counter
 *		The counter of the key in its board; takes one into use if there is none.
 *
 * NULL when the stage is not defined, or when no counter is left, which stays so
 * until the server restarts.  May read the definitions: what vsm_stage()
 * returned before is not valid any more.
 */
VsmCounter *
vsm_counter(VsmBoard *board, const VsmKey *key)
{
	VsmCounter *counter;
	Found	   *known;
	bool		there;

	remember_counters_of(board);
	known = found_lookup(my_counters, *key);
	if (known)
		return known->counter;

	LWLockAcquire(&board->lock, LW_SHARED);
	counter = find_counter(board, key);
	LWLockRelease(&board->lock);
	if (counter == NULL && !vsm_stages_defined(key))
		return NULL;
	if (counter == NULL)
		counter = take_counter_into_use(board, key);
	if (counter == NULL && !board->sets[vsm_set_of(key->kind)].full)
	{
		if (vsm_give_back_dead_boards())
			counter = take_counter_into_use(board, key);
		if (counter == NULL)
			go_without_counter(board, vsm_set_of(key->kind));
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
 * Not when the key is of a vsm.work_items that this transaction has dropped.
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

/*
 * vsm_board_leave_out
 *		Leave out a committed change, or a row of a count, whose stage was not defined.
 *
 * Under the board's lock, exclusive.  Another session may have taken the counter
 * since it was looked up: then this adds the change and returns the counter.
 */
VsmCounter *
vsm_board_leave_out(VsmBoard *board, const VsmKey *key, int64 net, FullTransactionId xid)
{
	VsmCounter *counter = find_counter(board, key);

	if (counter)
		vsm_counter_add_committed(board, counter, net, xid);
	else
		board->sets[vsm_set_of(key->kind)].left_out |= stage_bits(key);
	return counter;
}

static void
remember_counters_of(const VsmBoard *board)
{
	if (my_counters == NULL)
		my_counters = found_create(TopMemoryContext, 64, NULL);
	else if (my_generation != board->generation)
		found_reset(my_counters);
	my_generation = board->generation;
}

/* Under the board's lock. */
static VsmCounter *
find_counter(const VsmBoard *board, const VsmKey *key)
{
	for (int i = board->sets[vsm_set_of(key->kind)].first; i >= 0; i = vsm_counters[i].next)
		if (memcmp(&vsm_counters[i].key, key, sizeof(VsmKey)) == 0)
			return &vsm_counters[i];
	return NULL;
}

/* Unless another session has done it meanwhile; NULL: no counter is left. */
static VsmCounter *
take_counter_into_use(VsmBoard *board, const VsmKey *key)
{
	VsmSetState *state = &board->sets[vsm_set_of(key->kind)];
	VsmCounter *counter;
	int			taken;

	LWLockAcquire(&board->lock, LW_EXCLUSIVE);
	counter = find_counter(board, key);
	if (counter == NULL && !state->full && (taken = unused_counter(vsm_set_of(key->kind))) >= 0)
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

/* A counter of the set's share that no board uses; -1: there is none. */
static int
unused_counter(VsmSet set)
{
	int			counter = -1;

	LWLockAcquire(&vsm_shared->lock, LW_EXCLUSIVE);
	if (vsm_shared->freed[set] >= 0)
	{
		counter = vsm_shared->freed[set];
		vsm_shared->freed[set] = vsm_counters[counter].next;
	}
	else if (vsm_shared->unused[set] < vsm_shared->end[set])
		counter = vsm_shared->unused[set]++;
	LWLockRelease(&vsm_shared->lock);
	return counter;
}

static void
go_without_counter(VsmBoard *board, VsmSet set)
{
	LWLockAcquire(&board->lock, LW_EXCLUSIVE);
	board->sets[set].full = true;
	LWLockRelease(&board->lock);
	ereport(LOG,
			errmsg("no room for another counter of stages"),
			errdetail("There is room for the counters of %d stages.", vsm_shared->max_stages),
			errhint("What has no counter is counted from the tables. Raise vsm.max_stages, "
					"with vsm in shared_preload_libraries, and restart the server."));
}

/* The bits that stand for the stages of the key. */
static uint64
stage_bits(const VsmKey *key)
{
	uint64		bits = UINT64CONST(1) << ((uint64) key->a % LEFT_OUT_BITS);

	if (key->kind == VSM_MOVED)
		bits |= UINT64CONST(1) << ((uint64) key->b % LEFT_OUT_BITS);
	return bits;
}
