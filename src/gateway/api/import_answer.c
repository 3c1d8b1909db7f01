/*
 * import_answer.c
 *		Answers a request whose import has ended.
 *
 * A file that was understood is answered by the counts of the database, in a dry run of what it would do; "proposal" tells what
 * the file was understood as.  A question and a refusal are 422 and have it as well, as far as it goes.
 */
#include "import_answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "admit.h"
#include "answer.h"
#include "log.h"

static void say_file(Request *request, const ImportFile *file);
static void say_counts(Request *request, const ImportFile *file, json_t *counts);
static json_t *no_counts(const ImportFile *file);
static bool say_result(Request *request, const ImportFile *file, Job *job);
static json_t *refused_of(const ImportFile *file);
static void say_not_understood(Request *request, const ImportFile *file);
static char *hint_of(const VsmRecognition *r);
static void say_422(Request *request, const ImportFile *file, const char *detail, const char *hint);
static bool write_text(void *state, const char *text, size_t length);
static void say_unkept(Request *request, const ImportFile *file);

/* False: the database has answered, and its answer is an error. */
bool
vsm_import_answer(Request *request)
{
	const ImportFile *file = vsm_import_file(request->import);

	switch (vsm_import_has_ended(request->import))
	{
		case IMPORT_RUNNING:
		case IMPORT_STOPPED:
			vsm_answer_unavailable(request, "The service is shutting down; nothing was imported");
			break;
		case IMPORT_ANSWERED:
			return say_result(request, file, vsm_import_job(request->import));
		case IMPORT_READ:
			say_file(request, file);
			break;
		case IMPORT_TOO_LARGE:
			vsm_refuse_import_size(request);
			break;
		case IMPORT_UNKEPT:
			say_unkept(request, file);
			break;
		case IMPORT_UNREADABLE:
			vsm_log_text(LOG_LEVEL_ERROR, "import_not_read", "reason", file->spool.error != 0 ? strerror(file->spool.error) : "out of memory");
			vsm_answer_error(request, 500, NULL, NULL, "Internal Server Error");
			break;
	}
	return true;
}

/* ---- Counts ---- */

static bool
say_result(Request *request, const ImportFile *file, Job *job)
{
	json_t	   *counts = NULL;

	if (job->outcome == OUTCOME_ROWS && PQntuples(job->result) == 1 && !PQgetisnull(job->result, 0, 0))
		counts = json_loads(PQgetvalue(job->result, 0, 0), 0, NULL);
	if (counts == NULL)
		return false;
	say_counts(request, file, counts);
	return true;
}

static void
say_file(Request *request, const ImportFile *file)
{
	if (file->error != NULL)
		vsm_answer_error(request, 422, "PT422", "Nothing was imported.", file->error);
	else if (vsm_import_file_is_empty(file))
		say_counts(request, file, no_counts(file));
	else
		say_not_understood(request, file);
}

static json_t *
no_counts(const ImportFile *file)
{
	return json_pack("{sisisisisIsosi}", "items", 0, "transitions", 0, "merged", 0, "skipped", 0,
					 "refused_count", (json_int_t) file->recognition->n_refused, "refused", refused_of(file), "breaches", 0);
}

/* Takes the counts, which get the proposal as their last member. */
static void
say_counts(Request *request, const ImportFile *file, json_t *counts)
{
	Text		body = {0};
	char	   *dump = json_dumps(counts, JSON_COMPACT);

	if (dump == NULL)
		abort();
	vsm_text_add(&body, dump, strlen(dump) - 1);
	vsm_text_adds(&body, ",\"proposal\":");
	(void) vsm_recognition_json(file->recognition, write_text, &body);
	vsm_text_addc(&body, '}');
	free(dump);
	json_decref(counts);
	vsm_answer(request, 200, "application/json", &body);
}

static bool
write_text(void *state, const char *text, size_t length)
{
	vsm_text_add(state, text, length);
	return true;
}

/* ---- Refusals ---- */

static json_t *
refused_of(const ImportFile *file)
{
	const VsmRecognition *r = file->recognition;
	json_t	   *list = json_array();

	for (int i = 0; i < VSM_SHOWN_REFUSALS && i < r->n_refused; i++)
		json_array_append_new(list, json_pack("{sI ss ss?}", "line", (json_int_t) r->refused[i].line, "reason", r->refused[i].reason,
											  "value", r->refused[i].value));
	return list;
}

static void
say_not_understood(Request *request, const ImportFile *file)
{
	const VsmRecognition *r = file->recognition;
	char	   *detail = r->detail == NULL ? vsm_copy(r->message) : vsm_format("%s. %s", r->message, r->detail);
	char	   *hint = hint_of(r);

	say_422(request, file, detail, hint);
	free(detail);
	free(hint);
}

/* In the words of HTTP: which parameter of the query decides. */
static char *
hint_of(const VsmRecognition *r)
{
	static const struct
	{
		const char *option;
		const char *example;
	}			examples[] = {{"dates", "dates=DMY"}, {"direction", "direction=newest_first"}};
	const char *example = NULL;

	if (r->option == NULL)
		return r->hint == NULL ? NULL : vsm_copy(r->hint);
	for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++)
		if (strcmp(r->option, examples[i].option) == 0)
			example = examples[i].example;
	return example != NULL ? vsm_format("%s Add %s to the query.", r->hint, example)
						   : vsm_format("%s Add %s= and its name to the query.", r->hint, r->option);
}

static void
say_422(Request *request, const ImportFile *file, const char *detail, const char *hint)
{
	Text		body = {0};

	vsm_text_adds(&body, "{\"detail\":");
	vsm_text_json(&body, detail, strlen(detail));
	vsm_text_adds(&body, ",\"code\":\"PT422\"");
	if (hint != NULL)
	{
		vsm_text_adds(&body, ",\"hint\":");
		vsm_text_json(&body, hint, strlen(hint));
	}
	vsm_text_adds(&body, ",\"proposal\":");
	(void) vsm_recognition_json(file->recognition, write_text, &body);
	vsm_text_addc(&body, '}');
	vsm_answer(request, 422, "application/json", &body);
}

static void
say_unkept(Request *request, const ImportFile *file)
{
	vsm_log_text(LOG_LEVEL_ERROR, "import_not_kept", "reason", strerror(file->spool.error));
	if (vsm_spool_is_full(&file->spool))
		vsm_answer_error(request, 507, "PT507", "Import the file in parts, in any order, or ask the administrator of the service for room (--spool-dir).",
						 "There is no room to keep the file while it is imported; nothing was imported");
	else
		vsm_answer_unavailable(request, "The file cannot be kept while it is imported; nothing was imported");
}
