/*
 * values_handover.c
 *		Values that a parallel worker hands to its leader in a file.
 *
 * A state travels from a worker to its leader as one message, which both hold in
 * memory and the server limits to 1 GB.  Values that have outgrown the memory they
 * may take go by a file instead: the worker writes it, the message names it, and
 * the leader reads it piece by piece and removes it.
 *
 * The server removes a temporary file with the process that made it, but these
 * outlive the worker.  So their directories bear the leader's process id, and a
 * number from FIRST_NUMBER up, which the server's own do not reach:
 *		read		the leader removes the file
 *		not read	(an error, a LIMIT): the leader removes what bears its id when
 *					its transaction ends
 *		leader died	the next worker that hands values over removes them
 *		crash		the server removes all temporary files when it starts again
 */
#include "values.h"

#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#include "access/xact.h"
#include "common/file_utils.h"
#include "miscadmin.h"
#include "storage/proc.h"

#define FIRST_NUMBER	((uint32) 1 << 31)	/* and a worker's process id */

static FileSet expected;		/* where workers may leave something for this process */
static bool expecting = false;

static void sweep_at_end(XactEvent event, void *arg);
static void sweep(const FileSet *places, bool (*whose)(pid_t leader));
static pid_t leader_of(const char *name);
static bool is_mine(pid_t leader);
static bool is_dead(pid_t leader);
static void remove_directory(const char *directory);

/*
 * vsm_values_hand_over
 *		Write the values to a file for the leader; handover says which.
 *
 * The leader itself does so too, when it works beside its workers, and so does
 * a session without workers that aggregates the partitions of a table one by one.
 */
void
vsm_values_hand_over(VsmValues *values, VsmHandover *handover)
{
	static uint32 files = 0;
	static bool swept = false;
	PGPROC	   *leader = MyProc->lockGroupLeader;
	BufFile    *file;
	VsmPieces	pieces;
	void	   *piece;
	int64		n;

	if (leader == NULL || leader == MyProc)
		vsm_values_expect_handover();
	memset(handover, 0, sizeof(VsmHandover));
	FileSetInit(&handover->place);
	if (!swept)
		sweep(&handover->place, is_dead);
	swept = true;
	handover->place.creator_pid = leader ? leader->pid : MyProcPid;
	handover->place.number = FIRST_NUMBER + (uint32) MyProcPid;
	snprintf(handover->name, sizeof(handover->name), "%u", files++);

	file = BufFileCreateFileSet(&handover->place, handover->name);
	vsm_values_begin(&pieces, values);
	while ((n = vsm_values_next(&pieces, &piece)) > 0)
		BufFileWrite(file, piece, n * vsm_value_size(values));
	vsm_values_end(&pieces);
	BufFileExportFileSet(file);
	BufFileClose(file);
}

/* In the leader: values, which has none, gets those that were handed over. */
void
vsm_values_receive(VsmValues *values, const VsmHandover *handover, int64 count)
{
	vsm_values_expect_handover();
	values->received = palloc(sizeof(VsmHandover));
	*values->received = *handover;
	values->file = BufFileOpenFileSet(&values->received->place, handover->name, O_RDONLY, false);
	values->count = values->spilled = count;
}

/* The file is closed. */
void
vsm_values_remove_received(VsmValues *values)
{
	BufFileDeleteFileSet(&values->received->place, values->received->name, false);
	values->received = NULL;
}

/*
 * vsm_values_expect_handover
 *		Remove at the transaction's end what workers leave for this process.
 *
 * For a leader to call before they may do so.
 */
void
vsm_values_expect_handover(void)
{
	static bool registered = false;

	if (expecting)
		return;
	if (!registered)
		RegisterXactCallback(sweep_at_end, NULL);
	registered = true;
	FileSetInit(&expected);
	expecting = true;
}

/* Raises no error and reads no catalogue: the transaction has committed, or failed. */
static void
sweep_at_end(XactEvent event, void *arg)
{
	if (!expecting || (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE))
		return;
	expecting = false;
	sweep(&expected, is_mine);
}

/* ---- Removing what is left ---- */

/* Remove the directories whose leader it is, in the tablespaces of a set. */
static void
sweep(const FileSet *places, bool (*whose)(pid_t leader))
{
	for (int i = 0; i < places->ntablespaces; i++)
	{
		char		place[MAXPGPATH];
		struct dirent *entry;
		DIR		   *dir;

		TempTablespacePath(place, places->tablespaces[i]);
		dir = opendir(place);
		while (dir && (entry = readdir(dir)) != NULL)
		{
			char		directory[MAXPGPATH * 2];
			pid_t		leader = leader_of(entry->d_name);

			if (leader == 0 || !whose(leader))
				continue;
			snprintf(directory, sizeof(directory), "%s/%s", place, entry->d_name);
			remove_directory(directory);
		}
		if (dir)
			closedir(dir);
	}
}

/* For whom the directory was made; 0: it is none of ours. */
static pid_t
leader_of(const char *name)
{
	unsigned long leader;
	unsigned long number;
	char	   *end;

	if (strncmp(name, PG_TEMP_FILE_PREFIX, strlen(PG_TEMP_FILE_PREFIX)) != 0)
		return 0;
	leader = strtoul(name + strlen(PG_TEMP_FILE_PREFIX), &end, 10);
	if (*end != '.')
		return 0;
	number = strtoul(end + 1, &end, 10);
	return number >= FIRST_NUMBER && strcmp(end, ".fileset") == 0 ? (pid_t) leader : 0;
}

static bool
is_mine(pid_t leader)
{
	return leader == MyProcPid;
}

static bool
is_dead(pid_t leader)
{
	return kill(leader, 0) != 0 && errno == ESRCH;
}

/* What cannot be removed, the server's next start removes. */
static void
remove_directory(const char *directory)
{
	struct dirent *entry;
	DIR		   *dir = opendir(directory);

	while (dir && (entry = readdir(dir)) != NULL)
	{
		char		file[MAXPGPATH * 3];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", directory, entry->d_name);
		(void) unlink(file);
	}
	if (dir)
		closedir(dir);
	(void) rmdir(directory);
}
