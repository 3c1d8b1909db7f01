/*
 * import.c
 *		An import: its file, what is done with it in the background, and its job for the database.
 *
 *	keeping		the client's bytes are written to the file
 *	reading		the body is complete; the file is recognised
 *	making		rows are made of the file, and go to COPY in the database
 *
 * Each is a background task (background.c), one at a time.  About MAX_WAITING bytes wait for a task or for the database at
 * most: a client is suspended, so that nothing is read from it, while its bytes cannot be kept, and from the end of its body
 * until the outcome is known; no rows are made while some wait.  The database is asked only when a file was understood.
 *
 * An import belongs to the request, to the task and to the job (holders); the last one to release it frees it.  A request that
 * ends before has abandoned it: the database keeps none of its rows.  Only the working thread uses an import, except for the
 * file and "part", which are the task's while there is one.
 */
#include "import.h"

#include <stdlib.h>

#include "background.h"
#include "db/pool.h"
#include "door.h"
#include "options.h"

#define MAX_WAITING (256 * 1024)
#define MAX_OWNED (MAX_PARAMS + 5)

typedef enum Doing
{
	KEEPING,
	READING,
	MAKING
} Doing;

struct Import
{
	Job			job;
	Task		task;
	char	   *owned[MAX_OWNED];	/* strings that the job points to */
	int			n_owned;
	ImportFile *file;
	size_t		size;			/* bytes that have arrived */

	int			holders;
	Doing		doing;			/* of the task */
	bool		working;		/* there is a task */
	Text		arrived;		/* from the client */
	Text		part;			/* the task's: bytes to keep, or rows that it made */
	Text		rows;			/* for the database */
	bool		complete;		/* the body is */
	bool		submitted;		/* the job is */
	bool		made;			/* no more rows will be made */
	bool		taking;			/* the database waits for more rows */
	bool		abandoned;
	bool		suspended;
	ImportEnd	failure;		/* why COPY is canceled; IMPORT_RUNNING: it is not */
	ImportEnd	end;
	void	   *client;			/* NULL: the request has ended */
};

static void begin(Import *import, Doing doing);
static void run_task(Task *task);
static void note_task(Task *task);
static void note_kept(Import *import);
static void note_read(Import *import);
static void note_made(Import *import);
static bool take_rows(Job *job, Text *rows, bool *ended, bool *abandoned);
static void note_done(Job *job);
static void end(Import *import, ImportEnd how);
static void resume(Import *import);
static void let_go(Import *import);

/* Takes ownership of the plan. */
Import *
vsm_import_new(void *client, ImportPlan *plan)
{
	Import	   *import = vsm_alloc(sizeof *import);

	import->holders = 1;
	import->client = client;
	import->file = vsm_import_file_new(plan);
	import->task.owner = import;
	import->task.run = run_task;
	import->task.done = note_task;
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

/* To be read when the import has ended. */
ImportFile *
vsm_import_file(Import *import)
{
	return import->file;
}

/* The import frees the string when the import itself is freed. */
void
vsm_import_own(Import *import, char *text)
{
	import->owned[import->n_owned++] = text;
}

/* ---- For the request ---- */

/* Is there room for more bytes?  If not, suspends the client. */
ImportRoom
vsm_import_room(Import *import)
{
	ImportRoom	room = IMPORT_ROOM;

	if (import->end != IMPORT_RUNNING)
		room = IMPORT_OVER;
	else if (import->arrived.length >= MAX_WAITING)
	{
		room = IMPORT_FULL;
		import->suspended = true;
		vsm_door.suspend(import->client);
	}
	return room;
}

void
vsm_import_add(Import *import, const char *bytes, size_t length)
{
	import->size += length;
	if (import->size > vsm_options.max_import_bytes)
	{
		end(import, IMPORT_TOO_LARGE);
		return;
	}
	vsm_text_add(&import->arrived, bytes, length);
	if (!import->working)
		begin(import, KEEPING);
}

/* The body is complete.  False: the outcome is not known yet; the client is suspended until then. */
bool
vsm_import_end(Import *import)
{
	if (import->end != IMPORT_RUNNING)
		return true;
	import->complete = true;
	import->suspended = true;
	vsm_door.suspend(import->client);
	if (!import->working)
		begin(import, READING);
	return false;
}

/* IMPORT_RUNNING: it has not. */
ImportEnd
vsm_import_has_ended(const Import *import)
{
	return import->end;
}

/* Does the client wait? */
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
	import->file->abandoned = true;
	if (import->submitted)
		vsm_pool_wake();
}

void
vsm_import_release(Import *import)
{
	import->client = NULL;
	vsm_import_abandon(import);
	let_go(import);
}

/* ---- Tasks ---- */

static void
begin(Import *import, Doing doing)
{
	if (doing == KEEPING)
	{
		Text		empty = import->part;

		import->part = import->arrived;
		import->arrived = empty;
		import->arrived.length = 0;
	}
	import->doing = doing;
	import->working = true;
	import->holders++;
	import->task.heavy = doing == READING;
	vsm_background_submit(&import->task);
}

/* In another thread. */
static void
run_task(Task *task)
{
	Import	   *import = task->owner;

	switch (import->doing)
	{
		case KEEPING:
			(void) vsm_spool_write(&import->file->spool, import->part.data, import->part.length);
			break;
		case READING:
			vsm_import_file_recognise(import->file);
			break;
		case MAKING:
			(void) vsm_import_file_rows(import->file, &import->part);
			break;
	}
}

static void
note_task(Task *task)
{
	Import	   *import = task->owner;

	import->working = false;
	if (task->canceled)
		end(import, IMPORT_STOPPED);
	else if (import->doing == MAKING)
		note_made(import);
	else if (import->abandoned)
		end(import, IMPORT_STOPPED);
	else if (import->end == IMPORT_RUNNING)
		(import->doing == KEEPING ? note_kept : note_read)(import);
	let_go(import);
}

static void
note_kept(Import *import)
{
	if (import->file->spool.error != 0)
	{
		end(import, IMPORT_UNKEPT);
		return;
	}
	if (import->arrived.length > 0)
		begin(import, KEEPING);
	else if (import->complete)
	{
		vsm_text_free(&import->part);
		vsm_text_free(&import->arrived);
		begin(import, READING);
	}
	resume(import);
}

/* Ask the database only with a file that was understood. */
static void
note_read(Import *import)
{
	ImportFile *file = import->file;

	if (file->failed)
		end(import, vsm_background_stopping() ? IMPORT_STOPPED : IMPORT_UNREADABLE);
	else if (file->error != NULL || file->plan->dry_run || file->recognition->outcome != VSM_PROPOSAL ||
			 (file->recognition->n_refused > 0 && !file->plan->skip))
		end(import, IMPORT_READ);
	else
	{
		import->submitted = true;
		import->holders++;
		begin(import, MAKING);
		vsm_import_own(import, vsm_import_stages(file->recognition));
		import->job.values[file->plan->stages_place] = import->owned[import->n_owned - 1];
		vsm_import_own(import, vsm_import_aliases(file->recognition, file->plan));
		import->job.values[file->plan->aliases_place] = import->owned[import->n_owned - 1];
		vsm_pool_submit(&import->job);
	}
}

static void
note_made(Import *import)
{
	ImportFile *file = import->file;

	import->made = file->ended;
	if (file->failed)
		import->failure = vsm_background_stopping() ? IMPORT_STOPPED : IMPORT_UNREADABLE;
	else if (file->refused_count > 0 && !file->plan->skip)
		import->failure = IMPORT_READ;
	vsm_text_free(&import->rows);
	import->rows = import->part;
	import->part = (Text){0};
	if (import->taking)
		vsm_pool_wake();
}

/* ---- For the connection ---- */

/* False means that no rows are available now.  *ended means that no more will come. */
static bool
take_rows(Job *job, Text *rows, bool *ended, bool *abandoned)
{
	Import	   *import = job->owner;

	*rows = import->rows;
	import->rows = (Text){0};
	*abandoned = import->abandoned || import->failure != IMPORT_RUNNING;
	*ended = import->made;
	import->taking = rows->length == 0;
	if (!import->made && !*abandoned && !import->working)
		begin(import, MAKING);
	return rows->length > 0;
}

static void
note_done(Job *job)
{
	Import	   *import = job->owner;

	end(import, import->failure != IMPORT_RUNNING ? import->failure : IMPORT_ANSWERED);
	let_go(import);
}

static void
end(Import *import, ImportEnd how)
{
	if (import->end == IMPORT_RUNNING)
		import->end = how;
	resume(import);
}

/* A client that waits for its answer is resumed only when the outcome is known. */
static void
resume(Import *import)
{
	if (!import->suspended || import->client == NULL || (import->complete && import->end == IMPORT_RUNNING))
		return;
	import->suspended = false;
	vsm_door.resume(import->client);
}

static void
let_go(Import *import)
{
	if (--import->holders > 0)
		return;
	vsm_text_free(&import->arrived);
	vsm_text_free(&import->part);
	vsm_text_free(&import->rows);
	PQclear(import->job.result);
	for (int i = 0; i < import->n_owned; i++)
		free(import->owned[i]);
	vsm_import_file_free(import->file);
	free(import);
}
