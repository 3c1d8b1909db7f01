/*
 * import.c
 *		Passes rows from a request's body to COPY in the database.
 *
 * About MAX_WAITING bytes wait at most.  If more arrive, the client is suspended, so that nothing
 * is read from it, until the database has taken the rows.
 *
 * An import belongs to the request and to the job (holders); the last one to release it frees it.
 * Either may end first.  It is "abandoned" if the client disconnected or sent invalid rows, and
 * "over" if the database has answered.
 */
#include "import.h"

#include <stdlib.h>

#include "db/pool.h"
#include "door.h"

#define MAX_WAITING (256 * 1024)
#define MAX_OWNED 8

struct Import
{
	Job			job;
	char	   *owned[MAX_OWNED];	/* strings that the job points to */
	int			n_owned;

	int			holders;
	Text		rows;
	bool		ended;
	bool		abandoned;
	bool		over;
	bool		taking;			/* the database waits for more rows */
	bool		suspended;
	void	   *client;
};

static bool take_rows(Job *job, Text *rows, bool *ended, bool *abandoned);
static void note_done(Job *job);
static void resume(Import *import);
static void let_go(Import *import);

Import *
vsm_import_new(void *client)
{
	Import	   *import = vsm_alloc(sizeof *import);

	import->holders = 2;
	import->client = client;
	import->job.owner = import;
	import->job.take_rows = take_rows;
	import->job.address = vsm_door.address(client);
	import->job.done = note_done;
	return import;
}

Job *
vsm_import_job(Import *import)
{
	return &import->job;
}

/* The import frees the string when the import itself is freed. */
void
vsm_import_own(Import *import, char *text)
{
	import->owned[import->n_owned++] = text;
}

/* ---- For the request ---- */

/* Is there room for more rows?  If not, suspends the client. */
ImportRoom
vsm_import_room(Import *import)
{
	ImportRoom	room = IMPORT_ROOM;

	if (import->over)
		room = IMPORT_OVER;
	else if (import->rows.length >= MAX_WAITING)
	{
		room = IMPORT_FULL;
		import->suspended = true;
		vsm_door.suspend(import->client);
	}
	return room;
}

/* Takes the text of rows. */
void
vsm_import_add(Import *import, Text *rows)
{
	if (rows->length == 0)
		return;
	if (import->rows.length == 0)
	{
		Text		empty = import->rows;

		import->rows = *rows;
		*rows = empty;
	}
	else
		vsm_text_add(&import->rows, rows->data, rows->length);
	rows->length = 0;
	if (import->taking)
		vsm_pool_wake();
}

/* All rows were added.  False: the outcome is not known yet; the client is suspended until then. */
bool
vsm_import_end(Import *import)
{
	if (import->over)
		return true;
	import->ended = true;
	import->suspended = true;
	vsm_door.suspend(import->client);
	vsm_pool_wake();
	return false;
}

/* Has the database answered? */
bool
vsm_import_is_over(const Import *import)
{
	return import->over;
}

/* Does the client wait for the database? */
bool
vsm_import_waits(const Import *import)
{
	return import->suspended;
}

/* Cancel the import: the database must not keep any of its rows. */
void
vsm_import_abandon(Import *import)
{
	import->abandoned = true;
	vsm_pool_wake();
}

void
vsm_import_release(Import *import)
{
	vsm_import_abandon(import);
	let_go(import);
}

/* ---- For the connection ---- */

/* False means that no rows are available now.  *ended means that no more will come. */
static bool
take_rows(Job *job, Text *rows, bool *ended, bool *abandoned)
{
	Import	   *import = job->owner;

	*rows = import->rows;
	import->rows = (Text){0};
	*abandoned = import->abandoned;
	*ended = import->ended;
	import->taking = rows->length == 0;
	resume(import);
	return rows->length > 0;
}

static void
note_done(Job *job)
{
	Import	   *import = job->owner;

	import->over = true;
	import->ended = false;
	resume(import);
	let_go(import);
}

/* A client that waits for its answer is resumed only when the outcome is known. */
static void
resume(Import *import)
{
	if (!import->suspended || import->ended)
		return;
	import->suspended = false;
	vsm_door.resume(import->client);
}

static void
let_go(Import *import)
{
	if (--import->holders > 0)
		return;
	vsm_text_free(&import->rows);
	PQclear(import->job.result);
	for (int i = 0; i < import->n_owned; i++)
		free(import->owned[i]);
	free(import);
}
