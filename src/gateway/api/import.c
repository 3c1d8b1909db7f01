/*
 * import.c
 *		An import: its file, what is done with it in the background, and its jobs for the database.
 *
 *	task KEEPING		the client's bytes are written to the file
 *	job SETTINGS		the body is complete: what names of stages mean in the stream, and its time zone
 *	task READING		the file is recognised
 *	job ROWS			COPY and the import itself, or in a dry run what it would do, while
 *	task MAKING			makes rows of the file
 *
 * Tasks run in the background (background.c), one at a time.  About MAX_WAITING bytes wait for a task or for the database at
 * most: a client is suspended, so that nothing is read from it, while its bytes cannot be kept, and from the end of its body
 * until the outcome is known; no rows are made while some wait.  Rows go to the database only when a file was understood.
 *
 * An import belongs to the request, to its task and to its job (holders); the last one to release it frees it.  A request that
 * ends before has abandoned it: the database keeps none of its rows.  Only the working thread uses an import, except for the
 * file and "part", which are the task's while there is one.
 */
#include "import.h"

#include <stdlib.h>
#include <string.h>

#include "background.h"
#include "db/pool.h"
#include "door.h"
#include "options.h"

#define MAX_WAITING (256 * 1024)
#define MAX_OWNED (MAX_PARAMS + 6)

typedef enum Doing
{
	KEEPING,
	READING,
	MAKING
} Doing;

typedef enum Asking
{
	SETTINGS,
	ROWS
} Asking;

struct Import
{
	Job			job;
	Task		task;
	char	   *owned[MAX_OWNED];	/* strings that the jobs point to */
	int			n_owned;
	const Statement *statement;	/* of the import itself, and its values */
	const char *values[MAX_PARAMS];
	ImportFile *file;
	size_t		size;			/* bytes that have arrived */

	int			holders;
	Doing		doing;			/* of the task */
	bool		working;		/* there is a task */
	Text		arrived;		/* from the client */
	Text		part;			/* the task's: bytes to keep, or rows that it made */
	Text		rows;			/* for the database */
	bool		complete;		/* the body is */
	Asking		asking;			/* of the job */
	bool		copying;		/* the job is ROWS, and has not ended */
	bool		made;			/* no more rows will be made */
	bool		taking;			/* the database waits for more rows */
	bool		abandoned;
	bool		suspended;
	ImportEnd	failure;		/* why COPY is canceled; IMPORT_RUNNING: it is not */
	ImportEnd	end;
	void	   *client;			/* NULL: the request has ended */
};

static const char *own(Import *import, char *text);
static void begin(Import *import, Doing doing);
static void run_task(Task *task);
static void note_task(Task *task);
static void note_kept(Import *import);
static void note_complete(Import *import);
static void note_read(Import *import);
static void note_made(Import *import);
static void ask(Import *import, Asking what);
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
	import->job.done = note_done;
	return import;
}

/* The job that has ended last. */
Job *
vsm_import_job(Import *import)
{
	return &import->job;
}

/* Whose rights count.  Takes ownership of the texts, each of which may be NULL. */
void
vsm_import_caller(Import *import, char *role, char *claims, char *actor)
{
	own(import, role);
	own(import, claims);
	own(import, actor);
	import->job.role = role;
	import->job.claims = claims;
	import->job.actor = actor;
}

/* The statement that imports the rows.  Takes ownership of its values. */
void
vsm_import_statement(Import *import, const Statement *statement, char **values)
{
	import->statement = statement;
	for (int i = 0; i < statement->n_params; i++)
	{
		own(import, values[i]);
		import->values[i] = values[i];
	}
}

/* To be read when the import has ended. */
ImportFile *
vsm_import_file(Import *import)
{
	return import->file;
}

/* The import frees the string when the import itself is freed. */
static const char *
own(Import *import, char *text)
{
	import->owned[import->n_owned++] = text;
	return text;
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
		note_complete(import);
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
	if (import->copying)
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
			vsm_import_file_rows(import->file, &import->part);
			break;
	}
}

static void
note_task(Task *task)
{
	Import	   *import = task->owner;

	import->working = false;
	if (task->canceled || (import->abandoned && import->doing != MAKING))
		end(import, IMPORT_STOPPED);
	else if (import->doing == MAKING)
		note_made(import);
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
		note_complete(import);
	resume(import);
}

/* All of the file is kept. */
static void
note_complete(Import *import)
{
	vsm_text_free(&import->part);
	vsm_text_free(&import->arrived);
	ask(import, SETTINGS);
}

static void
note_read(Import *import)
{
	ImportFile *file = import->file;

	if (file->failed)
		end(import, vsm_background_stopping() ? IMPORT_STOPPED : IMPORT_UNREADABLE);
	else if (file->error != NULL || file->recognition->outcome != VSM_PROPOSAL)
		end(import, IMPORT_READ);
	else
	{
		begin(import, MAKING);
		ask(import, ROWS);
	}
}

static void
note_made(Import *import)
{
	ImportFile *file = import->file;

	import->made = file->ended;
	if (file->failed)
		import->failure = vsm_background_stopping() ? IMPORT_STOPPED : IMPORT_UNREADABLE;
	vsm_text_free(&import->rows);
	import->rows = import->part;
	import->part = (Text){0};
	if (import->taking)
		vsm_pool_wake();
}

/* ---- The database ---- */

static void
ask(Import *import, Asking what)
{
	const ImportPlan *plan = import->file->plan;
	Job		   *job = &import->job;

	PQclear(job->result);
	*job = (Job){.owner = import, .done = note_done, .role = job->role, .claims = job->claims, .actor = job->actor};
	job->class = what == ROWS ? CLASS_IMPORT : CLASS_FAST;
	if (what == SETTINGS)
	{
		job->statement = vsm_statement_fixed(STATEMENT_IMPORT_SETTINGS);
		job->values[0] = import->values[plan->stream_place];
		job->values[1] = plan->options.time_zone;
	}
	else
	{
		const char *stages = own(import, vsm_import_stages(import->file->recognition));

		if (plan->dry_run)
		{
			job->statement = vsm_statement_fixed(STATEMENT_IMPORT_REHEARSE);
			job->values[0] = import->values[plan->stream_place];
			job->values[1] = stages;
			job->values[2] = own(import, vsm_import_types(import->file->recognition));
		}
		else
		{
			job->statement = import->statement;
			memcpy(job->values, import->values, sizeof import->values);
			job->values[plan->stages_place] = stages;
		}
		job->writes = true;		/* at least the table of the rows */
		job->take_rows = take_rows;
		job->address = vsm_door.address(import->client);
	}
	import->asking = what;
	import->copying = what == ROWS;
	import->holders++;
	vsm_pool_submit(job);
}

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
	bool		answered = job->outcome == OUTCOME_ROWS && PQntuples(job->result) == 1 && !PQgetisnull(job->result, 0, 0);

	import->copying = false;
	if (import->failure != IMPORT_RUNNING)
		end(import, import->failure);
	else if (import->abandoned)
		end(import, IMPORT_STOPPED);
	else if (!answered || import->asking == ROWS)
		end(import, IMPORT_ANSWERED);
	else
	{
		vsm_import_plan_add(import->file->plan, PQgetvalue(job->result, 0, 0));
		begin(import, READING);
	}
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
