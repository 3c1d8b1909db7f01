/*
 * counters.h
 *		Counters in shared memory that follow the tables through transactions.
 *
 * Two sets of counters, one mechanism: WIP per stage (wip.c, wip_limit.c) and
 * totals for monitoring (totals.c).  The tables are the truth, and each set can
 * be counted anew from them at any time.
 *
 *	counters_shmem.c	what is in shared memory, and under which lock
 *	counters_xact.c		what this transaction will add to it
 *	counters_prepared.c the same for transactions that end in another session
 *	counters_recount.c	counting anew while others go on
 */
#ifndef VSM_COUNTERS_H
#define VSM_COUNTERS_H

#include "postgres.h"

#include "access/transam.h"
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "utils/relcache.h"

typedef enum VsmSet
{
	VSM_SET_WIP,
	VSM_SET_TOTALS,
	VSM_SETS
} VsmSet;

/* What a counter counts; the numbers are those of vsm._totals_counted. */
typedef enum VsmKind
{
	VSM_WIP = 1,				/* a: stage; unfinished items in it */
	VSM_CREATED = 2,			/* a: first stage, b: hash of the type's name */
	VSM_MOVED = 3,				/* a: stage left, 0 at first, b: stage entered */
	VSM_STAY = 4,				/* a: stage left, b: bucket of the time in it */
	VSM_STAY_MS = 5,			/* a: stage left; milliseconds */
	VSM_CYCLE = 6,				/* a: done stage entered, b: bucket */
	VSM_CYCLE_MS = 7,
	VSM_LEAD = 8,				/* the same for the lead time */
	VSM_LEAD_MS = 9
} VsmKind;

/* Without padding, since it is hashed and compared bytewise. */
typedef struct VsmKey
{
	int32		kind;
	Oid			items;			/* this database's vsm.work_items */
	int64		a;
	int64		b;
} VsmKey;

/*
 * A counter.  key, set when it is taken into use, does not change while the
 * board is; next is read and written under the board's lock.
 */
typedef struct VsmCounter
{
	VsmKey		key;
	int			next;			/* in the set; -1: the last */
	pg_atomic_uint64 value;		/* totals: the count; WIP: see vsm_counter_wip() */
	pg_atomic_uint64 recount;	/* what commits added since the snapshot of a recount */
} VsmCounter;

/* A published snapshot: which transactions a count has seen. */
typedef struct VsmPublished
{
	FullTransactionId xmin;		/* seen, all before it */
	FullTransactionId xmax;		/* not seen, this one and later; invalid: none is */
	int			xcnt;			/* and not seen, these; in vsm_published_xids() */
} VsmPublished;

/*
 * One set of a board.  Written under the board's lock, exclusive; read under
 * it, shared, but for ready, which may be looked at before.
 */
typedef struct VsmSetState
{
	int			first;			/* counter; -1: none */
	bool		full;			/* a counter did not fit in: count from the tables, until a restart */
	bool		ready;			/* the values are those of the tables */
	bool		recounting;		/* a recount has published its snapshot */
	bool		spoiled;		/* something happened that it cannot know */
	uint64		left_out;		/* stages that were not defined when something of them was counted; see stage_bits() */
	int			live;			/* which of published[] the values stand on; the other one is the recount's */
	VsmPublished published[2];
} VsmSetState;

/* Tells a database from another that had its oid: when its file PG_VERSION was made. */
typedef struct VsmBirth
{
	uint64		inode;
	int64		seconds;
	int64		nanoseconds;
} VsmBirth;

/* The counters of one database's vsm.work_items. */
typedef struct VsmBoard
{
	Oid			database;		/* invalid: free; both under vsm_shared->lock */
	Oid			items;
	VsmBirth	born;			/* the database, whose oid another may have had */
	uint64		generation;		/* another one each time it is taken into use */
	LWLock		lock;
	VsmSetState sets[VSM_SETS];
} VsmBoard;

/* What a transaction that is prepared will add when it commits.  Under vsm_shared->lock, and removed with its board. */
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
	int			max_stages;
	int			max_xids;		/* of a published snapshot */
	int			max_prepared;	/* places, max_xids of them for "nobody knows what" */
	int			tranche;

	/* under lock */
	LWLock		lock;
	bool		boards_full;	/* sticky, as VsmSetState.full */
	uint64		generation;
	int			unused[VSM_SETS];	/* first counter never used, of each set's share */
	int			freed[VSM_SETS];	/* first of those given back; -1: none */
	pg_atomic_uint32 prepared_count;	/* also read without */
} VsmShared;

/* counters_shmem.c */
#define VSM_BOARDS			64
#define VSM_TOTALS_PER_STAGE 31
#define VSM_DEFAULT_STAGES	1024

extern int	vsm_max_stages;
extern VsmShared *vsm_shared;
extern VsmBoard *vsm_boards;
extern VsmCounter *vsm_counters;
extern VsmPrepared *vsm_prepared;

extern void vsm_counters_load(void);
extern bool vsm_counters_possible(void);
extern VsmBoard *vsm_board(Oid items);
extern VsmBoard *vsm_board_of(Relation items);
extern bool vsm_has_new_storage(Relation rel);
extern VsmCounter *vsm_counter(const VsmKey *key, bool create);
extern bool vsm_stages_defined(const VsmKey *key);
extern VsmSet vsm_set_of(int32 kind);
extern TransactionId *vsm_published_xids(const VsmBoard *board, VsmSet set, int which);
extern bool vsm_published_sees(const VsmBoard *board, VsmSet set, int which, FullTransactionId xid);
extern void vsm_counter_wip(VsmCounter *counter, int32 *committed, int32 *reserved);
extern void vsm_counter_set_wip(VsmCounter *counter, int32 committed);
extern void vsm_counter_add_wip(VsmCounter *counter, int32 committed, int32 reserved);
extern bool vsm_counter_reserve(VsmCounter *counter, int32 places, int32 limit, bool force, int32 *committed, int32 *reserved);
extern void vsm_counter_apply(VsmBoard *board, VsmCounter *counter, int64 net, FullTransactionId xid);
extern void vsm_board_empty(VsmBoard *board, FullTransactionId xid);
extern void vsm_board_leave_out(VsmBoard *board, const VsmKey *key, int64 net, FullTransactionId xid);
extern void vsm_board_unknown(VsmBoard *board, VsmSet set, FullTransactionId xid);

/* counters_xact.c */
extern void vsm_xact_load(void);
extern void vsm_count(const VsmKey *key, int64 change);
extern void vsm_count_entering(const VsmKey *key, int32 change);
extern void vsm_count_reserved(const VsmKey *key, VsmCounter *counter, int32 places);
extern void vsm_count_truncated(Oid items);
extern void vsm_count_unknown(Oid items);
extern int64 vsm_own_change(const VsmKey *key);
extern int32 vsm_own_entering(const VsmKey *key);
extern int32 vsm_own_reserved(const VsmKey *key);

/* counters_prepared.c */
extern VsmPrepared vsm_prepared_change(FullTransactionId xid, const VsmBoard *board, const VsmCounter *counter, int64 net);
extern void vsm_prepared_add(VsmPrepared *changes, int count);
extern void vsm_prepared_add_old(VsmBoard *board);
extern void vsm_prepared_settle(VsmBoard *board);
extern void vsm_prepared_forget(VsmBoard *board);
extern void vsm_prepared_remove(const VsmBoard *board);

/* counters_recount.c */
typedef enum VsmRecountMode
{
	VSM_RECOUNT_FIRST,			/* unless somebody has done it meanwhile */
	VSM_RECOUNT_AGAIN,
	VSM_RECOUNT_CHECK			/* change nothing */
} VsmRecountMode;

typedef struct VsmRecounted
{
	VsmKey		key;
	VsmCounter *counter;		/* NULL: there was no place for one */
	int64		before;
	int64		after;
	int32		reserved;
} VsmRecounted;

extern FullTransactionId vsm_full_xid(TransactionId xid);
extern VsmRecounted *vsm_recount(Relation items, VsmBoard *board, VsmSet set, VsmRecountMode mode, int *count);

/* wip.c */
extern Relation vsm_open_items(void);
extern VsmCounter *vsm_wip_counter(Relation items, int64 stage_id);

/* totals.c: what a ledger row adds */
extern void vsm_total_created(Oid items, int64 stage_id, const char *type);
extern void vsm_total_moved(Oid items, int64 left, int64 entered, int64 stay_us);
extern void vsm_total_finished(Oid items, int64 stage_id, int64 lead_us, int64 cycle_us);

#endif							/* VSM_COUNTERS_H */
