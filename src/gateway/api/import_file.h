/*
 * import_file.h
 *		A file that is imported: kept, recognised, and turned into rows for COPY.
 *
 * Knows neither a client nor the database.  These functions block, so they are called in background tasks, one at a time.
 */
#ifndef VSM_GATEWAY_IMPORT_FILE_H
#define VSM_GATEWAY_IMPORT_FILE_H

#include <stdatomic.h>

#include "import_plan.h"
#include "spool.h"
#include "text.h"

typedef struct ImportFile
{
	ImportPlan *plan;
	Spool		spool;
	atomic_bool abandoned;		/* nobody wants it any more: reading ends early */
	VsmSource	bytes;			/* of the spool */
	struct Ndjson *ndjson;		/* NULL: delimited text */
	VsmSource	text;			/* CSV, or bytes itself */
	VsmRecognition *recognition;	/* NULL: there is none yet */
	const char *error;			/* of NDJSON that cannot be read, a sentence; NULL: none */
	VsmLog	   *log;
	bool		ended;			/* all rows were made */
	bool		failed;			/* the file could not be read */
	char	   *detail;			/* of the recognition, if it was replaced */
} ImportFile;

extern ImportFile *vsm_import_file_new(ImportPlan *plan);
extern void vsm_import_file_recognise(ImportFile *file);
extern bool vsm_import_file_is_empty(const ImportFile *file);
extern void vsm_import_file_rows(ImportFile *file, Text *rows);
extern void vsm_import_file_free(ImportFile *file);

#endif
