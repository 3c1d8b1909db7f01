/*
 * import.h
 *		Passes rows from a request's body to COPY in the database.
 */
#ifndef VSM_GATEWAY_IMPORT_H
#define VSM_GATEWAY_IMPORT_H

#include "db/job.h"
#include "text.h"

typedef struct Import Import;

typedef enum ImportRoom
{
	IMPORT_ROOM,
	IMPORT_FULL,				/* the client was suspended until there is room */
	IMPORT_OVER					/* the database accepts no more rows; the job has the outcome */
} ImportRoom;

extern Import *vsm_import_new(void *client);
extern Job *vsm_import_job(Import *import);
extern void vsm_import_own(Import *import, char *text);
extern ImportRoom vsm_import_room(Import *import);
extern void vsm_import_add(Import *import, Text *rows);
extern bool vsm_import_end(Import *import);
extern bool vsm_import_is_over(const Import *import);
extern bool vsm_import_waits(const Import *import);
extern void vsm_import_abandon(Import *import);
extern void vsm_import_release(Import *import);

#endif
