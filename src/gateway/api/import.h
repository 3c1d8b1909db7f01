/*
 * import.h
 *		An import: its file, what is done with it in the background, and its jobs for the database.
 */
#ifndef VSM_GATEWAY_IMPORT_H
#define VSM_GATEWAY_IMPORT_H

#include "db/job.h"
#include "import_file.h"
#include "text.h"

typedef struct Import Import;

typedef enum ImportRoom
{
	IMPORT_ROOM,
	IMPORT_FULL,				/* the client was suspended until there is room */
	IMPORT_OVER					/* nothing more is taken */
} ImportRoom;

/* How an import has ended. */
typedef enum ImportEnd
{
	IMPORT_RUNNING,
	IMPORT_ANSWERED,			/* by the database: see the job */
	IMPORT_READ,				/* without the database: see the file */
	IMPORT_TOO_LARGE,
	IMPORT_UNKEPT,				/* the file cannot be kept: see its spool */
	IMPORT_UNREADABLE,			/* the file cannot be read again */
	IMPORT_STOPPED				/* the program ends */
} ImportEnd;

extern Import *vsm_import_new(void *client, ImportPlan *plan);
extern Job *vsm_import_job(Import *import);
extern ImportFile *vsm_import_file(Import *import);
extern void vsm_import_caller(Import *import, char *role, char *claims, char *actor);
extern void vsm_import_statement(Import *import, const Statement *statement, char **values);
extern ImportRoom vsm_import_room(Import *import);
extern void vsm_import_add(Import *import, const char *bytes, size_t length);
extern bool vsm_import_end(Import *import);
extern ImportEnd vsm_import_has_ended(const Import *import);
extern bool vsm_import_waits(const Import *import);
extern void vsm_import_abandon(Import *import);
extern void vsm_import_release(Import *import);

#endif
