/*
 * import.c
 *		Rows on their way from an HTTP body to the database's COPY.
 *
 * At most MAX_WAITING bytes wait.  The http thread suspends the client when there
 * are more, and so no longer reads from its socket, until the database thread has
 * taken them.
 *
 * It belongs to both threads (holders), and the last one to let go frees it.  Both
 * sides may give up first: "abandoned" when the client went or sent nonsense,
 * "over" when the database has answered.
 *
 * Locks: lock covers all but job, which is the database thread's until over.
 */
#include "import.h"

#include <pthread.h>
#include <stdlib.h>

#include "pool.h"

#define MAX_WAITING (256 * 1024)
#define MAX_OWNED 8

struct Import
{
	Job			job;
	char	   *owned[MAX_OWNED];	/* strings that the job points to */
	int			n_owned;

	pthread_mutex_t lock;
	int			holders;
	Text		rows;
	bool		ended;
	bool		abandoned;
	bool		over;
	bool		taking;			/* the database waits for rows */
	bool		suspended;
	struct MHD_Connection *client;
};

static void resume(Import *import);
static void let_go(Import *import);

Import *
vsm_import_new(struct MHD_Connection *client)
{
	Import	   *import = vsm_alloc(sizeof *import);

	pthread_mutex_init(&import->lock, NULL);
	import->holders = 2;
	import->client = client;
	import->job.import = import;
	import->job.done = vsm_import_done;
	return import;
}

Job *
vsm_import_job(Import *import)
{
	return &import->job;
}

/* The string lives as long as the import. */
void
vsm_import_own(Import *import, char *text)
{
	import->owned[import->n_owned++] = text;
}

/* ---- The http thread ---- */

/* Is there room for more rows?  If not, the client is suspended now. */
ImportRoom
vsm_import_room(Import *import)
{
	ImportRoom	room = IMPORT_ROOM;

	pthread_mutex_lock(&import->lock);
	if (import->over)
		room = IMPORT_OVER;
	else if (import->rows.length >= MAX_WAITING)
	{
		room = IMPORT_FULL;
		import->suspended = true;
		MHD_suspend_connection(import->client);
	}
	pthread_mutex_unlock(&import->lock);
	return room;
}

/* Takes what is in rows. */
void
vsm_import_add(Import *import, Text *rows)
{
	bool		wake;

	if (rows->length == 0)
		return;
	pthread_mutex_lock(&import->lock);
	if (import->rows.length == 0)
	{
		Text		empty = import->rows;

		import->rows = *rows;
		*rows = empty;
	}
	else
		vsm_text_add(&import->rows, rows->data, rows->length);
	wake = import->taking;
	import->taking = false;
	pthread_mutex_unlock(&import->lock);
	rows->length = 0;
	if (wake)
		vsm_pool_wake();
}

/* All rows were added.  True: the outcome is there; false: the client is suspended until it is. */
bool
vsm_import_end(Import *import)
{
	bool		over;

	pthread_mutex_lock(&import->lock);
	over = import->over;
	import->ended = true;
	if (!over)
	{
		import->suspended = true;
		MHD_suspend_connection(import->client);
	}
	pthread_mutex_unlock(&import->lock);
	if (!over)
		vsm_pool_wake();
	return over;
}

/* Nothing of it is to stay in the database. */
void
vsm_import_abandon(Import *import)
{
	pthread_mutex_lock(&import->lock);
	import->abandoned = true;
	pthread_mutex_unlock(&import->lock);
	vsm_pool_wake();
}

void
vsm_import_release(Import *import)
{
	vsm_import_abandon(import);
	let_go(import);
}

/* ---- The database thread ---- */

/* False: there are no rows now.  *ended: there will be none any more. */
bool
vsm_import_take(Import *import, Text *rows, bool *ended, bool *abandoned)
{
	pthread_mutex_lock(&import->lock);
	*rows = import->rows;
	import->rows = (Text) {0};
	*abandoned = import->abandoned;
	*ended = import->ended;
	import->taking = rows->length == 0;
	resume(import);
	pthread_mutex_unlock(&import->lock);
	return rows->length > 0;
}

void
vsm_import_done(Job *job)
{
	Import	   *import = job->import;

	pthread_mutex_lock(&import->lock);
	import->over = true;
	import->ended = false;
	resume(import);
	pthread_mutex_unlock(&import->lock);
	let_go(import);
}

/* A client that waits for its answer is not resumed before there is one. */
static void
resume(Import *import)
{
	if (!import->suspended || import->ended)
		return;
	import->suspended = false;
	MHD_resume_connection(import->client);
}

static void
let_go(Import *import)
{
	int			left;

	pthread_mutex_lock(&import->lock);
	left = --import->holders;
	pthread_mutex_unlock(&import->lock);
	if (left > 0)
		return;
	pthread_mutex_destroy(&import->lock);
	vsm_text_free(&import->rows);
	PQclear(import->job.result);
	for (int i = 0; i < import->n_owned; i++)
		free(import->owned[i]);
	free(import);
}
