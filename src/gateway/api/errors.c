/*
 * errors.c
 *		Answers with errors from the database.
 *
 * A table gives the status for each SQLSTATE; the first match counts.  PTxyz means status xyz, as
 * in PostgREST, and its message comes from vsm and is written for users.  For all other errors the
 * client gets a message from this file, and the server's message goes to the log.  A missing right has a hint, which
 * names the level that is needed.
 */
#include "errors.h"

#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "hints.h"
#include "invalid.h"
#include "log.h"

typedef struct Meaning
{
	const char *sqlstate;		/* or its first characters */
	int			status;
	const char *detail;
} Meaning;

#define READ_ONLY "25006"
#define NO_RIGHT "42501"

static const Meaning meanings[] = {
	{"57014", 504, "The database took too long"},
	{NO_RIGHT, 403, "Permission denied"},
	{"40", 503, "The database could not serialize this request with others"},
	{"55P03", 503, "A lock was not available in time"},
	{"53", 503, "The database is out of resources"},
	{"57P", 503, "The database is shutting down"},
	{READ_ONLY, 503, "The database is read-only; nothing was written"},
	{"22", 422, "A value was refused"},
	{"23505", 409, "Such an entry already exists"},
	{"23", 422, "A value was refused"},
	{"", 500, "Internal Server Error"},
};

static void say_field(Request *request, const Param *param, const char *code, const char *message, const char *hint);
static void say_refusal(Request *request, int status, const PGresult *error);
static const char *level_hint(const Request *request, const Job *job, const char *hint);
static const Param *param_named(const Route *route, const char *name);
static int	pt_status(const char *code);

void
vsm_say_error(Request *request, const Job *job, const PGresult *error)
{
	const char *code = PQresultErrorField(error, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(error, PG_DIAG_MESSAGE_PRIMARY);
	const char *hint = PQresultErrorField(error, PG_DIAG_MESSAGE_HINT);
	const char *column = PQresultErrorField(error, PG_DIAG_COLUMN_NAME);
	const Meaning *meaning = meanings;
	int			status;

	if (code == NULL || message == NULL)
	{
		vsm_answer_error(request, 500, NULL, NULL, "Internal Server Error");
		return;
	}
	status = pt_status(code);
	if (status != 0)
	{
		if (status == 422 && column != NULL && param_named(request->match.route, column) != NULL)
			say_field(request, param_named(request->match.route, column), code, message, hint);
		else
			say_refusal(request, status, error);
		return;
	}

	vsm_log_text(LOG_LEVEL_WARNING, "database_error", "message", PQresultErrorMessage(error));
	/* BEGIN READ WRITE, on a standby */
	if (job->in_begin && strcmp(code, "0A000") == 0)
		code = READ_ONLY;
	while (strncmp(code, meaning->sqlstate, strlen(meaning->sqlstate)) != 0)
		meaning++;
	status = meaning->status;
	/* A token with an unknown role does not authenticate anyone. */
	if ((job->in_settings && strcmp(code, "22023") == 0) || (status == 403 && request->who.anonymous))
	{
		vsm_answer_header(request, "WWW-Authenticate", "Bearer");
		vsm_answer_error(request, 401, code, NULL, request->who.anonymous ? "A token is required" : "The token's role is unknown");
		return;
	}
	if (status == 503)
		vsm_answer_header(request, "Retry-After", "1");
	vsm_answer_error(request, status, code, strcmp(code, NO_RIGHT) == 0 ? level_hint(request, job, hint) : NULL, meaning->detail);
}

/*
 * level_hint
 *		Which level of access the request needs.
 *
 * hint is the database's, which names the level where vsm has checked the access, and may be NULL.  The answer is one of
 * these constants: it must not tell what there is.
 */
static const char *
level_hint(const Request *request, const Job *job, const char *hint)
{
	if (job->in_settings)
		return "The service may not take the role that the token names; its administrator makes the service's user a member of it.";
	if (hint != NULL && strstr(hint, "create_types") != NULL)
		return "Import without create_types, or with a role that has level admin of all streams; an administrator gives roles their level.";
	if (hint != NULL && strstr(hint, "create_stages") != NULL)
		return "Import without create_stages, or with a role that has level admin; an administrator gives roles their level.";
	if (request->match.route->defines || (hint != NULL && strstr(hint, "admin") != NULL))
		return "This needs a role with level admin, for types and new streams of all streams; an administrator gives roles their level.";
	if (request->match.route->handling == HANDLE_IMPORT)
		return "This needs a role with level writer or admin of the stream that may make temporary tables, or with dry_run level reader; an administrator gives roles their level.";
	if (request->match.route->writes)
		return "This needs a role with level writer or admin of the stream; an administrator gives roles their level.";
	return "This needs a role with level reader, writer or admin; an administrator gives roles their level.";
}

/* Clients rely on the fixed messages of 404; all other answers add the error's DETAIL. */
static void
say_refusal(Request *request, int status, const PGresult *error)
{
	const char *facts = PQresultErrorField(error, PG_DIAG_MESSAGE_DETAIL);
	const char *message = PQresultErrorField(error, PG_DIAG_MESSAGE_PRIMARY);
	char	   *detail = status == 404 || facts == NULL ? vsm_copy(message) : vsm_format("%s. %s", message, facts);
	char	   *hint = vsm_http_hint(PQresultErrorField(error, PG_DIAG_MESSAGE_HINT));

	vsm_answer_error(request, status, PQresultErrorField(error, PG_DIAG_SQLSTATE), hint, detail);
	free(hint);
	free(detail);
}

/* Report a value that the database refused, in the form of the gateway's own validation errors. */
static void
say_field(Request *request, const Param *param, const char *code, const char *message, const char *sql_hint)
{
	static const char *const places[] = {"path", "query", "body"};
	const char *value = request->values.text[param - request->match.route->params];
	json_t	   *body = json_pack("{s[{sss[ss]sssO}]ss}", "detail",
								 "type", "value_error", "loc", places[param->where], param->name, "msg", message,
								 "input", json_null(), "code", code);
	char	   *hint = vsm_http_hint(sql_hint);

	if (body == NULL)
	{
		vsm_answer_error(request, 422, code, hint, message);
		free(hint);
		return;
	}
	if (value != NULL)
	{
		json_t	   *input = json_string(value);

		json_object_set_new(json_array_get(json_object_get(body, "detail"), 0), "input", vsm_invalid_input(input));
		json_decref(input);
	}
	if (hint != NULL)
		json_object_set_new(body, "hint", json_string(hint));
	vsm_answer_json(request, 422, body);
	json_decref(body);
	free(hint);
}

/* A parameter of the function: the database knows no other. */
static const Param *
param_named(const Route *route, const char *name)
{
	for (const Param *param = route->params; param->name != NULL && !param->here; param++)
		if (strcmp(param->name, name) == 0)
			return param;
	return NULL;
}

/* Returns 0 if code is not PTxyz, or xyz is not an error status. */
static int
pt_status(const char *code)
{
	long		status = strncmp(code, "PT", 2) == 0 ? strtol(code + 2, NULL, 10) : 0;

	return status >= 400 && status <= 599 ? (int) status : 0;
}
