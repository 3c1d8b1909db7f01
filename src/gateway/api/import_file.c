/*
 * import_file.c
 *		A file that is imported: kept, recognised, and turned into rows for COPY.
 *
 * src/csv reads the file several times, so it is kept in a spool.  NDJSON is read as CSV with the columns of an event.
 */
#include "import_file.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "background.h"
#include "ndjson.h"

#define PIECE (192 * 1024)		/* rows that are made at a time, in bytes */

static long read_bytes(void *state, char *buffer, size_t size);
static bool rewind_bytes(void *state);
static void count_from_first(ImportFile *file);
static bool has_column(const VsmRecognition *recognition, const char *name);
static void add_row(ImportFile *file, const VsmLogEvent *event, Text *rows);
static void copy_value(Text *copy, const char *value);

/* Takes ownership of the plan. */
ImportFile *
vsm_import_file_new(ImportPlan *plan)
{
	ImportFile *file = vsm_alloc(sizeof *file);

	file->plan = plan;
	file->spool.fd = -1;
	file->bytes = (VsmSource){read_bytes, rewind_bytes, file};
	file->text = file->bytes;
	return file;
}

void
vsm_import_file_free(ImportFile *file)
{
	vsm_log_close(file->log);
	vsm_recognition_free(file->recognition);
	vsm_ndjson_free(file->ndjson);
	vsm_spool_close(&file->spool);
	vsm_import_plan_free(file->plan);
	free(file->detail);
	free(file);
}

static long
read_bytes(void *state, char *buffer, size_t size)
{
	ImportFile *file = state;

	return file->abandoned || vsm_background_stopping() ? -1 : vsm_spool_read(&file->spool, buffer, size);
}

static bool
rewind_bytes(void *state)
{
	ImportFile *file = state;

	return vsm_spool_rewind(&file->spool);
}

/* ---- Recognition ---- */

/* Sets recognition, error or failed. */
void
vsm_import_file_recognise(ImportFile *file)
{
	VsmRecogniseOptions *options = &file->plan->options;

	if (file->plan->ndjson)
	{
		file->ndjson = vsm_ndjson_new(&file->bytes);
		file->text = vsm_ndjson_csv(file->ndjson);
		options->item = options->item == NULL ? "case_id" : options->item;
		options->stage = options->stage == NULL ? "stage" : options->stage;
		options->time = options->time == NULL ? "entered_at" : options->time;
		options->type = options->type == NULL ? "type" : options->type;
		options->title = options->title == NULL ? "title" : options->title;
	}
	file->failed = !vsm_spool_rewind(&file->spool);
	if (!file->failed)
		file->recognition = vsm_recognise(&file->text, options);
	malloc_trim(0);
	if (file->ndjson != NULL && vsm_ndjson_error(file->ndjson) != NULL)
		file->error = vsm_ndjson_error(file->ndjson);
	else if (file->recognition == NULL || file->recognition->outcome > VSM_REFUSAL)
		file->failed = true;
	else if (file->ndjson != NULL)
		count_from_first(file);
}

/* NDJSON has no header: its lines count from the first object. */
static void
count_from_first(ImportFile *file)
{
	VsmRecognition *r = file->recognition;

	r->header_line = 0;
	for (int i = 0; i < VSM_SHOWN_REFUSALS; i++)
		r->refused[i].line--;
	if (r->outcome == VSM_REFUSAL && strcmp(r->code, "no_events") == 0 && r->refused[0].reason != NULL)
		r->detail = file->detail = vsm_format("Line %ld: %s.", r->refused[0].line, r->refused[0].reason);
}

/* Is it a log without events: nothing is wrong with it, and there is nothing to import? */
bool
vsm_import_file_is_empty(const ImportFile *file)
{
	const VsmRecognition *r = file->recognition;

	return r->outcome == VSM_REFUSAL && strcmp(r->code, "no_rows") == 0 && has_column(r, "case_id") && has_column(r, "stage") &&
		has_column(r, "entered_at");
}

static bool
has_column(const VsmRecognition *recognition, const char *name)
{
	for (int i = 0; i < recognition->n_columns; i++)
		if (strcasecmp(recognition->columns[i], name) == 0)
			return true;
	return false;
}

/* ---- Rows ---- */

/*
 * vsm_import_file_rows
 *		Add the next rows, in the text format of COPY: case_id, stage, entered_at, type, title, sequence, line, refused.
 *
 * Sets ended when all were made, or failed when the file cannot be read.
 */
void
vsm_import_file_rows(ImportFile *file, Text *rows)
{
	VsmLogEvent event;
	VsmLogResult result = VSM_LOG_EVENT;

	if (file->log == NULL)
		file->log = vsm_log_open(&file->text, file->recognition, NULL, NULL);
	while (file->log != NULL && rows->length < PIECE && (result = vsm_log_next(file->log, &event)) == VSM_LOG_EVENT)
		add_row(file, &event, rows);
	file->failed = file->log == NULL || result == VSM_LOG_ERROR;
	file->ended = result == VSM_LOG_END;
}

static void
add_row(ImportFile *file, const VsmLogEvent *event, Text *rows)
{
	char	   *title = file->ndjson != NULL && event->title != NULL ? vsm_ndjson_title(event->title) : NULL;

	copy_value(rows, event->item);
	vsm_text_addc(rows, '\t');
	copy_value(rows, event->stage);
	vsm_text_addc(rows, '\t');
	copy_value(rows, event->at_text);
	vsm_text_addc(rows, '\t');
	copy_value(rows, event->type);
	vsm_text_addc(rows, '\t');
	copy_value(rows, title != NULL ? title : event->title);
	vsm_text_addf(rows, "\t%lld\t%ld\t", (long long) event->order, event->line - (file->ndjson != NULL));
	copy_value(rows, event->refused);
	vsm_text_addc(rows, '\n');
	free(title);
}

/* Writes a value in the text format of COPY; NULL becomes \N. */
static void
copy_value(Text *copy, const char *value)
{
	if (value == NULL)
	{
		vsm_text_adds(copy, "\\N");
		return;
	}
	while (*value != '\0')
	{
		size_t		plain = strcspn(value, "\\\n\r\t");

		vsm_text_add(copy, value, plain);
		value += plain;
		if (*value == '\0')
			break;
		vsm_text_addc(copy, '\\');
		vsm_text_addc(copy, *value == '\n' ? 'n' : *value == '\r' ? 'r'
											   : *value == '\t'	  ? 't'
																  : '\\');
		value++;
	}
}
