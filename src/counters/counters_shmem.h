/*
 * counters_shmem.h
 *		The counters in shared memory, and the functions that work on them.
 *
 * Locks, in the order in which they are taken:
 *	board->lock, shared		to add to counters, and to find them
 *	board->lock, exclusive	to add a counter to a set, to read all of a set at
 *							one instant, to publish a snapshot
 *	vsm_shared->lock		to take boards, counters and entries of prepared
 *							transactions into use
 * Each is held only for a few loops.  ProcArrayLock and XidGenLock may be taken
 * within.  Neither lock is held while a table is read.
 */
#ifndef VSM_COUNTERS_SHMEM_H
#define VSM_COUNTERS_SHMEM_H

#include "postgres.h"

#include "access/transam.h"
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

/*
 * Databases that can have counters at one time.  A board is some 300 bytes, and
 * 16 bytes for each backend in its published snapshots, so 64 boards are small.
 */
#define VSM_BOARDS			64

/*
 * Counters of totals for each of max_stages, as a pool.  A stage that items
 * leave uses 11 for the time in it (10 buckets and the sum), a done stage 11
 * each for the lead and the cycle time.  Pairs of stages that items move
 * between, and types in a first stage, take the rest: about 20 for each stage.
 */
#define VSM_TOTALS_PER_STAGE 31

typedef enum VsmSet
{
	VSM_SET_WIP,
	VSM_SET_TOTALS,
	VSM_SETS
} VsmSet;

/* What a counter counts.  The SQL view vsm._totals_counted uses the same numbers. */
typedef enum VsmKind
{
	VSM_WIP = 1,				/* a: stage; unfinished items in it */
	VSM_CREATED = 2,			/* a: first stage, b: hash of the type's name */
	VSM_MOVED = 3,				/* a: stage left, 0 for a new item, b: stage entered */
	VSM_STAY = 4,				/* a: stage left, b: bucket of the time in it */
	VSM_STAY_MS = 5,			/* a: stage left; milliseconds */
	VSM_CYCLE = 6,				/* a: done stage entered, b: bucket */
	VSM_CYCLE_MS = 7,			/* a: done stage entered; milliseconds */
	VSM_LEAD = 8,				/* a: done stage entered, b: bucket */
	VSM_LEAD_MS = 9				/* a: done stage entered; milliseconds */
} VsmKind;

/* Has no padding, since it is hashed and compared bytewise. */
typedef struct VsmKey
{
	int32		kind;
	Oid			items;			/* this database's vsm.work_items */
	int64		a;
	int64		b;
} VsmKey;

static inline VsmKey
vsm_wip_key(Oid items, int64 stage_id)
{
	return (VsmKey){.kind = VSM_WIP, .items = items, .a = stage_id};
}

typedef struct VsmCounter
{
	/*
	 * Written under board->lock, exclusive, when the counter is taken into use;
	 * constant until its board is given back.
	 */
	VsmKey		key;

	/*
	 * Next counter of the set, -1 for the last; under board->lock.  Of a counter
	 * that was given back, the next of those; under vsm_shared->lock.
	 */
	int			next;

	/*
	 * Totals: the count.  WIP: committed in the low half, reserved in the high
	 * half, so that one compare-and-swap changes or checks both.  Commits add
	 * under board->lock, shared, and a recount sets it under the lock,
	 * exclusive.  Reservations are made and given back without a lock.
	 */
	pg_atomic_uint64 value;

	/*
	 * What commits have added since the snapshot of a recount: under board->lock,
	 * shared.  The recount sets and reads it under the lock, exclusive.
	 */
	pg_atomic_uint64 recount;
} VsmCounter;

/* The two halves of a WIP counter. */
typedef struct VsmWip
{
	int32		committed;		/* may briefly be below 0: see vsm_counter_add_committed() */
	int32		reserved;		/* places for items on their way into a stage with a limit */
} VsmWip;

/* A published snapshot: which transactions a count has seen.  All under board->lock. */
typedef struct VsmPublished
{
	FullTransactionId xmin;		/* all transactions before it were seen */
	FullTransactionId xmax;		/* this one and later ones were not; invalid: none was seen */
	int			xcnt;			/* so many between were not: see counters_published.c */
} VsmPublished;

/*
 * One set of a board.  All under board->lock, except as said.  While a board is
 * taken into use or given back nobody else uses it, and vsm_shared->lock,
 * exclusive, is enough.
 */
typedef struct VsmSetState
{
	int			first;			/* counter; -1: none */

	/*
	 * No counter was left for some key: what has none is counted from the tables
	 * until a restart.  Also read without the lock, since it stays true.
	 */
	bool		full;

	/*
	 * The values are those of the tables.  Also read without the lock: whoever
	 * finds it false looks again under the recount's lock.
	 */
	bool		ready;

	bool		recounting;		/* a recount has published its snapshot */
	bool		spoiled;		/* the recount cannot know what happened: it must start again */
	uint64		left_out;		/* bits of stages not yet defined: see counters_lookup.c */
	int			live;			/* the values stand on this of published[], a recount on the other */
	VsmPublished published[2];
} VsmSetState;

/*
 * When and as which file a database's PG_VERSION was made: differs from that of
 * an earlier database with its oid.
 */
typedef struct VsmBirth
{
	uint64		inode;
	int64		seconds;
	int64		nanoseconds;
} VsmBirth;

/* The counters of one database's vsm.work_items. */
typedef struct VsmBoard
{
	/*
	 * Under vsm_shared->lock.  A session that has locked its work_items also reads
	 * them without the lock: they stay the same, see counters_boards.c.
	 */
	Oid			database;		/* invalid: the board is free */
	Oid			items;
	VsmBirth	born;			/* of the database */
	uint64		generation;		/* a new number each time a board is taken into use */

	LWLock		lock;
	VsmSetState sets[VSM_SETS]; /* under which lock: see there */
} VsmBoard;

/*
 * What a prepared transaction will add to a counter when it commits.  Under
 * vsm_shared->lock; removed with its board.
 */
typedef struct VsmPrepared
{
	FullTransactionId xid;
	int			board;			/* in vsm_boards */
	int			counter;		/* in vsm_counters; -1: nobody knows what it changed */
	uint64		generation;		/* of the board */
	int64		net;
} VsmPrepared;

typedef struct VsmShared
{
	/* constant after start */
	int			max_stages;
	int			max_xids;		/* of a published snapshot */
	int			max_prepared;	/* entries; max_xids of them are only for "nobody knows what" */
	int			tranche;
	int			end[VSM_SETS];	/* of each set's share of vsm_counters */

	LWLock		lock;

	/* under lock */
	bool		boards_full;	/* a database found no board: none are taken until a restart */
	uint64		generation;		/* the last one given to a board */
	int			unused[VSM_SETS];	/* first counter never used, of each set's share */
	int			freed[VSM_SETS];	/* first of those given back; -1: none */

	/*
	 * Entries in vsm_prepared.  Changed under lock, exclusive; also read without
	 * it, to see that there are none.
	 */
	pg_atomic_uint32 prepared_count;
} VsmShared;

/* counters_shmem.c */
extern VsmShared *vsm_shared;
extern VsmBoard *vsm_boards;
extern VsmCounter *vsm_counters;
extern VsmPrepared *vsm_prepared;
extern TransactionId *vsm_published_xids;

extern bool vsm_counters_possible(void);

/* counters_published.c */
extern FullTransactionId vsm_full_xid(TransactionId xid);
extern void vsm_publish(VsmBoard *board, VsmSet set, Snapshot snapshot);
extern bool vsm_published_sees(const VsmBoard *board, VsmSet set, int which, FullTransactionId xid);

/* counters_values.c */
extern VsmSet vsm_set_of(int32 kind);
extern VsmWip vsm_counter_wip(VsmCounter *counter);
extern void vsm_counter_set_committed(VsmCounter *counter, int64 committed);
extern bool vsm_counter_reserve(VsmCounter *counter, int32 places, int32 limit, bool force,
								VsmWip *found);
extern void vsm_counter_release(VsmCounter *counter, int32 places);
extern void vsm_counter_add_committed(VsmBoard *board, VsmCounter *counter, int64 net,
									  FullTransactionId xid);
extern void vsm_board_set_to_zero(VsmBoard *board, FullTransactionId xid);
extern void vsm_board_make_unknown(VsmBoard *board, VsmSet set, FullTransactionId xid);

/* counters_boards.c */
extern Relation vsm_open_table(const char *name);
extern VsmBoard *vsm_board(Oid items);
extern VsmBoard *vsm_board_of(Relation items);
extern bool vsm_has_new_storage(Relation rel);
extern bool vsm_give_back_dead_boards(void);
extern void vsm_remove_prepared(int i);
extern void vsm_remove_prepared_of(const VsmBoard *board);

/* counters_lookup.c */
extern VsmCounter *vsm_counter(VsmBoard *board, const VsmKey *key);
extern bool vsm_stages_defined(const VsmKey *key);
extern VsmCounter *vsm_board_leave_out(VsmBoard *board, const VsmKey *key, int64 net,
									   FullTransactionId xid);

#endif							/* VSM_COUNTERS_SHMEM_H */
