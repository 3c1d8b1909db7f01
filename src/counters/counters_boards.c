/*
 * counters_boards.c
 *		Boards: the counters of one database's vsm.work_items.
 *
 * A session takes a board when it first needs one.  A board is given back when
 * its database or its vsm.work_items is gone; that is looked for only when
 * boards or counters run out, or when a database finds the board of an earlier
 * database that had its oid.
 *
 * A pointer to a board, or to one of its counters, stays good for as long as the
 * session holds a lock on the board's vsm.work_items:
 *	- Another session gives the board back only when the table's row in pg_class
 *	  is gone and the table's lock is free.  A session that drops the table keeps
 *	  its lock until its callbacks have run.
 *	- This session does not give it back while it has a transaction id, and so
 *	  may have dropped the table itself.
 *	- The database cannot be dropped, or be moved, while a session is connected.
 * So whoever has noted a change in a transaction may keep the pointer until the
 * callbacks at its end have run.
 */
#include "postgres.h"

#include <sys/stat.h>

#include "access/table.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "compat.h"
#include "counters_shmem.h"

/* the board used last */
static VsmBoard *my_board = NULL;
static uint64 my_generation;
static VsmBirth my_birth;

static VsmBoard *find_board(Oid items);
static void note_birth(void);
static bool is_mine(const VsmBoard *board);
static VsmBoard *take_board(Oid items);
static void go_without_board(void);
static bool board_is_dead(Oid database, Oid items);
static void give_back_board(VsmBoard *board);

/* A table of schema vsm, locked until the transaction ends, as a query locks it. */
Relation
vsm_open_table(const char *name)
{
	Oid			table = get_relname_relid(name, get_namespace_oid("vsm", false));

	if (!OidIsValid(table))
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_TABLE),
				errmsg("table \"vsm.%s\" does not exist", name),
				errhint("Run CREATE EXTENSION vsm in this database."));
	return table_open(table, AccessShareLock);
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
	if (board == NULL && vsm_give_back_dead_boards())
		board = take_board(items);
	if (board == NULL)
	{
		go_without_board();
		return NULL;
	}
	my_board = board;
	my_generation = board->generation;
	return board;
}

/* The same, but NULL also when this transaction gave the table new storage. */
VsmBoard *
vsm_board_of(Relation items)
{
	return vsm_has_new_storage(items) ? NULL : vsm_board(RelationGetRelid(items));
}

/*
 * After TRUNCATE, and after what rewrites a table, a snapshot does not show
 * what was there before.
 */
bool
vsm_has_new_storage(Relation rel)
{
	return rel->rd_createSubid != InvalidSubTransactionId || VSM_NEW_STORAGE(rel);
}

/*
 * vsm_give_back_dead_boards
 *		Free the boards of databases and tables that are gone; false: there were none.
 *
 * Reads catalogs between two holds of the lock, not under it.
 */
bool
vsm_give_back_dead_boards(void)
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

/* Remove an entry; the last one takes its place.  Under vsm_shared->lock, exclusive. */
void
vsm_remove_prepared(int i)
{
	uint32		last = pg_atomic_read_u32(&vsm_shared->prepared_count) - 1;

	vsm_prepared[i] = vsm_prepared[last];
	pg_atomic_write_u32(&vsm_shared->prepared_count, last);
}

/* Remove all entries of the board.  Under vsm_shared->lock, exclusive. */
void
vsm_remove_prepared_of(const VsmBoard *board)
{
	for (int i = (int) pg_atomic_read_u32(&vsm_shared->prepared_count) - 1; i >= 0; i--)
		if (vsm_prepared[i].board == board - vsm_boards)
			vsm_remove_prepared(i);
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

/*
 * A move to another tablespace makes the file anew, but no session is connected
 * to the database then.
 */
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

/* Does the board belong to this database, and not to an earlier one with its oid? */
static bool
is_mine(const VsmBoard *board)
{
	return board->database == MyDatabaseId && board->born.inode == my_birth.inode &&
		board->born.seconds == my_birth.seconds && board->born.nanoseconds == my_birth.nanoseconds;
}

/*
 * Take a new board, unless another session has taken one for the table
 * meanwhile; NULL: none is free.
 */
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
		/* once a database had to go without, none may change over to counters later */
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

static void
go_without_board(void)
{
	static bool told = false;

	LWLockAcquire(&vsm_shared->lock, LW_EXCLUSIVE);
	vsm_shared->boards_full = true;
	LWLockRelease(&vsm_shared->lock);
	if (!told)
		ereport(LOG,
				errmsg("no room for the WIP counters of this database"),
				errdetail("There is room for the counters of %d databases.", VSM_BOARDS),
				errhint("Its WIP is counted from the tables until the server restarts."));
	told = true;
}

/*
 * A table that only seems gone may be one that another transaction is making,
 * or that we dropped and may get back.
 */
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

/*
 * Another board may take its counters next, so the entries of prepared
 * transactions that refer to them go with it.  Under vsm_shared->lock, exclusive.
 */
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
	vsm_remove_prepared_of(board);
	board->database = InvalidOid;
	board->items = InvalidOid;
}
