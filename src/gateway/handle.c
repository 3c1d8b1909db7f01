/*
 * handle.c
 *		What is to be done for a request, and what to say when it is done.
 *
 * Refusals come in this order: host, path, method, origin, token, content type, size,
 * JSON, values.  What can be refused before the body is there is decided at once,
 * and said when the client has sent it, so that no reset connection swallows the
 * answer.
 */
#include "request.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "docs.h"
#include "errors.h"
#include "hosts.h"
#include "openapi.h"
#include "options.h"
#include "pool.h"
#include "service.h"

#define MAX_UNWANTED (64 * 1024 * 1024)	/* of a refused body that is still listened to */
#define LOST_WRITE "The connection to the database broke; whether the request took effect is unknown"

static void refuse_host(Request *request);
static void refuse_path(Request *request);
static void say_all_methods(Request *request);
static void refuse_method(Request *request);
static void say_allow(Request *request);
static void refuse_origin(Request *request);
static void refuse_token(Request *request);
static void refuse_type(Request *request);
static void refuse_size(Request *request);
static bool origin_is_ours(Request *request);
static bool type_is(Request *request, const char *type);
static bool has_wrong_type(Request *request);
static void begin_import(Request *request);
static bool receive_import(Request *request, const char *bytes, size_t *length);
static enum MHD_Result end_import(Request *request);
static enum MHD_Result validate(Request *request);
static enum MHD_Result call(Request *request);
static enum MHD_Result submit(Request *request, Phase phase, const Statement *statement);
static void resume(Job *job);
static enum MHD_Result say_invalid(Request *request);
static enum MHD_Result say_types(Request *request);
static enum MHD_Result say_outcome(Request *request, Job *job);

/* ---- Before the body ---- */

void
vsm_handle_begin(Request *request)
{
	const char *length = vsm_request_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
	bool		unsafe;

	request->match = vsm_route_match(request->method, request->target, request->path_length);
	unsafe = request->match.route != NULL && request->match.route->writes;
	if (!vsm_host_is_ours(request->host != NULL ? request->host : vsm_request_header(request, MHD_HTTP_HEADER_HOST)))
		request->refuse = refuse_host;
	else if (strcmp(request->method, "OPTIONS") == 0 && strcmp(request->target, "*") == 0)
		request->refuse = say_all_methods;
	else if (request->match.path == NULL)
		request->refuse = refuse_path;
	else if (strcmp(request->method, "OPTIONS") == 0)
		request->refuse = say_allow;
	else if (request->match.route == NULL)
		request->refuse = refuse_method;
	else if (unsafe && !vsm_options_auth() && !origin_is_ours(request))
		request->refuse = refuse_origin;
	else if (request->match.route->function != NULL)
	{
		request->who = vsm_auth(vsm_request_header(request, MHD_HTTP_HEADER_AUTHORIZATION));
		if (request->who.refusal != NULL)
			request->refuse = refuse_token;
		else if (has_wrong_type(request))
			request->refuse = refuse_type;
		else if (request->match.route->handling == HANDLE_IMPORT)
			begin_import(request);
	}
	request->too_long = length != NULL && strtoull(length, NULL, 10) > MAX_UNWANTED;
	if (request->too_long && request->refuse == NULL && request->match.route->handling != HANDLE_IMPORT)
		request->refuse = refuse_size;
}

static void
refuse_host(Request *request)
{
	vsm_answer_error(request, 421, "PT421", "Use localhost or an address, or allow the name with --allowed-host.",
					 "The Host header names another host");
}

static void
say_all_methods(Request *request)
{
	vsm_answer_header(request, "Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS");
	vsm_answer_constant(request, 204, NULL, "", 0);
}

static void
refuse_path(Request *request)
{
	vsm_answer_error(request, 404, "PT404", NULL, "Not Found");
}

static void
refuse_method(Request *request)
{
	char		allow[128];

	vsm_route_allow(request->match.path, allow, sizeof allow);
	vsm_answer_header(request, "Allow", allow);
	vsm_answer_error(request, 405, "PT405", NULL, "Method Not Allowed");
}

static void
say_allow(Request *request)
{
	char		allow[128];

	vsm_route_allow(request->match.path, allow, sizeof allow);
	vsm_answer_header(request, "Allow", allow);
	vsm_answer_constant(request, 204, NULL, "", 0);
}

static void
refuse_origin(Request *request)
{
	vsm_answer_error(request, 403, "PT403", "Serve the page from here, or allow its origin with --cors-origin.",
					 "A page of another origin may not write");
}

static void
refuse_token(Request *request)
{
	vsm_answer_header(request, "WWW-Authenticate", request->who.anonymous ? "Bearer" : "Bearer error=\"invalid_token\"");
	vsm_answer_error(request, 401, "PT401", NULL, request->who.refusal);
}

static void
refuse_type(Request *request)
{
	bool		import = request->match.route->handling == HANDLE_IMPORT;

	vsm_answer_error(request, 415, "PT415", import ? "Send text/csv or application/x-ndjson." : "Send application/json.",
					 "Unsupported Media Type");
}

static void
refuse_size(Request *request)
{
	vsm_answer_error(request, 413, "PT413", "POST /api/v1/import takes any number of moves.", "Request body too large");
}

/* Without tokens a page from anywhere could have a browser write here; browsers name its origin. */
static bool
origin_is_ours(Request *request)
{
	const char *origin = vsm_request_header(request, "Origin");
	const char *host = request->host != NULL ? request->host : vsm_request_header(request, MHD_HTTP_HEADER_HOST);
	const char *origin_host = origin == NULL ? NULL : strstr(origin, "://");

	if (origin == NULL)
		return true;
	if (vsm_options.cors_origins != NULL &&
		(strcmp(vsm_options.cors_origins, "*") == 0 || vsm_text_lists(vsm_options.cors_origins, origin)))
		return true;
	return origin_host != NULL && host != NULL && strcasecmp(origin_host + 3, host) == 0;
}

/* JSON may come without a content type, as the old service took it. */
static bool
has_wrong_type(Request *request)
{
	if (request->match.route->handling == HANDLE_IMPORT)
		return !type_is(request, "text/csv") && !type_is(request, "application/x-ndjson") && !type_is(request, "application/ndjson");
	if (!vsm_route_has(request->match.route, IN_BODY))
		return false;
	return vsm_request_header(request, MHD_HTTP_HEADER_CONTENT_TYPE) != NULL && !type_is(request, "application/json");
}

static bool
type_is(Request *request, const char *type)
{
	const char *given = vsm_request_header(request, MHD_HTTP_HEADER_CONTENT_TYPE);
	size_t		length = strlen(type);

	if (given == NULL || strncasecmp(given, type, length) != 0)
		return false;
	return strchr("; \t", given[length]) != NULL;
}

/* ---- The body ---- */

/*
 * vsm_handle_receive
 *		Take a part of the body; *length becomes what was not taken.
 *
 * False: leave this client.
 */
bool
vsm_handle_receive(Request *request, const char *bytes, size_t *length)
{
	bool		wanted = request->refuse == NULL && request->match.route->handling != HANDLE_IMPORT;

	if (request->import != NULL && request->refuse == NULL)
		return receive_import(request, bytes, length);

	request->received += *length;
	if (wanted && request->received <= vsm_options.max_body_bytes)
		vsm_text_add(&request->body, bytes, *length);
	else if (wanted)
	{
		vsm_text_free(&request->body);
		request->refuse = refuse_size;
	}
	else if (request->received > MAX_UNWANTED)
		return false;
	*length = 0;
	return true;
}

enum MHD_Result
vsm_handle_received(Request *request)
{
	json_t	   *body = NULL;
	bool		bad;

	if (request->refuse != NULL)
	{
		if (request->import != NULL)
			vsm_import_abandon(request->import);
		request->refuse(request);
		return request->status != 0 ? MHD_YES : MHD_NO;
	}
	if (request->import != NULL)
		return end_import(request);
	if (request->match.route->handling == HANDLE_IMPORT)
		return validate(request);

	bad = vsm_route_has(request->match.route, IN_BODY) &&
		vsm_values_bad_body(&request->values, request->body.data, request->body.length, &body);
	if (!bad)
		vsm_values_read(&request->values, request->match.route, request->match.wildcards, request->query, body);
	json_decref(body);
	vsm_text_free(&request->body);
	return validate(request);
}

static enum MHD_Result
validate(Request *request)
{
	if (request->values.type_input != NULL)
		return submit(request, PHASE_TYPES, vsm_statement(STATEMENT_TYPES));
	if (request->values.errors != NULL)
		return say_invalid(request);
	if (request->values.missing_item != NULL)
	{
		char	   *detail = vsm_format("Work item %s not found", request->values.missing_item);
		enum MHD_Result result = vsm_answer_error(request, 404, "PT404", NULL, detail);

		free(detail);
		return result;
	}
	return call(request);
}

static enum MHD_Result
call(Request *request)
{
	const Route *route = request->match.route;

	switch (route->handling)
	{
		case HANDLE_CALL:
		case HANDLE_METRICS:
		case HANDLE_IMPORT:
			return submit(request, PHASE_CALL, vsm_statement_of(route));
		case HANDLE_HEALTH:
		case HANDLE_READY:
			return submit(request, PHASE_CALL, vsm_statement(STATEMENT_HEALTH));
		case HANDLE_LIVE:
			return vsm_answer_constant(request, 200, "application/json", "{\"status\":\"LIVE\"}", strlen("{\"status\":\"LIVE\"}"));
		case HANDLE_ROOT:
			return vsm_say_root(request);
		case HANDLE_OPENAPI:
			return vsm_answer_constant(request, 200, "application/json", vsm_openapi(), strlen(vsm_openapi()));
		case HANDLE_DOCS:
			return vsm_docs_page(request);
		case HANDLE_ASSET:
			return vsm_docs_asset(request);
	}
	return MHD_NO;
}

/* ---- The database ---- */

static enum MHD_Result
submit(Request *request, Phase phase, const Statement *statement)
{
	Job		   *job = &request->job;

	*job = (Job){0};
	job->statement = statement;
	job->class = request->match.route->class;
	job->done = resume;
	job->owner = request;
	job->role = request->who.role;
	job->claims = request->who.claims;
	if (phase == PHASE_CALL)
	{
		job->writes = request->match.route->writes;
		for (int i = 0; i < statement->n_params; i++)
			job->values[i] = request->values.text[i];
	}
	request->phase = phase;
	MHD_suspend_connection(request->client);
	vsm_pool_submit(job);
	return MHD_YES;
}

static void
resume(Job *job)
{
	Request    *request = job->owner;

	MHD_resume_connection(request->client);
}

/* The job is done. */
enum MHD_Result
vsm_handle_outcome(Request *request)
{
	const char *column = request->job.outcome == OUTCOME_ERROR ? PQresultErrorField(request->job.result, PG_DIAG_COLUMN_NAME) : NULL;

	if (request->import != NULL)
		return say_outcome(request, vsm_import_job(request->import));
	if (request->phase == PHASE_TYPES)
		return say_types(request);
	if (request->match.route->handling == HANDLE_HEALTH)
		return vsm_say_health(request);
	if (request->match.route->handling == HANDLE_READY)
		return vsm_say_ready(request);
	if (request->match.route->handling == HANDLE_METRICS && !(request->job.outcome == OUTCOME_ERROR && request->who.role != NULL))
		return vsm_say_metrics(request);

	/* An unknown type is said in the words of validation, which need the types that there are. */
	if (column != NULL && strcmp(column, "type") == 0 && request->values.type != NULL &&
		strcmp(PQresultErrorField(request->job.result, PG_DIAG_SQLSTATE), "PT422") == 0)
	{
		int			n = (int) (request->values.type - request->match.route->params);

		request->values.type_input = json_string(request->values.text[n]);
		PQclear(request->job.result);
		return submit(request, PHASE_TYPES, vsm_statement(STATEMENT_TYPES));
	}
	return say_outcome(request, &request->job);
}

static enum MHD_Result
say_types(Request *request)
{
	json_t	   *types = NULL;

	if (request->job.outcome == OUTCOME_ROWS)
		types = json_loadb(PQgetvalue(request->job.result, 0, 0), (size_t) PQgetlength(request->job.result, 0, 0), 0, NULL);
	if (types == NULL && request->values.errors == NULL)
		return say_outcome(request, &request->job);
	if (types != NULL)
		vsm_values_check_type(&request->values, types);
	json_decref(types);
	if (request->values.errors == NULL)
		return vsm_answer_unavailable(request, "The types of work items are being changed");
	return say_invalid(request);
}

static enum MHD_Result
say_invalid(Request *request)
{
	json_t	   *body = json_pack("{sOss}", "detail", request->values.errors, "code", "PT422");
	enum MHD_Result result = vsm_answer_json(request, 422, body);

	json_decref(body);
	return result;
}

/* Takes the job's result. */
static enum MHD_Result
say_outcome(Request *request, Job *job)
{
	PGresult   *result = job->result;
	int			status = request->match.route->status;
	enum MHD_Result queued;

	job->result = NULL;
	switch (job->outcome)
	{
		case OUTCOME_ROWS:
			if (PQntuples(result) == 1 && !PQgetisnull(result, 0, 0))
				return vsm_answer_result(request, status == 0 ? 200 : status, result);
			queued = vsm_answer_error(request, 500, NULL, NULL, "Internal Server Error");
			break;
		case OUTCOME_ERROR:
			queued = vsm_say_error(request, job, result);
			break;
		case OUTCOME_DOWN:
			return vsm_answer_unavailable(request, "The database cannot be reached");
		case OUTCOME_BUSY:
			return vsm_answer_unavailable(request, "Too many requests are waiting");
		case OUTCOME_LOST:
		default:
			return vsm_answer_unavailable(request, job->writes ? LOST_WRITE : "The connection to the database broke");
	}
	PQclear(result);
	return queued;
}

/* ---- Imports ---- */

/* The rows flow while they arrive, so the values in the query are checked first. */
static void
begin_import(Request *request)
{
	const Route *route = request->match.route;
	Job		   *job;

	vsm_values_read(&request->values, route, request->match.wildcards, request->query, NULL);
	if (request->values.errors != NULL)
		return;
	request->rows = vsm_rows_new(type_is(request, "text/csv"));
	request->import = vsm_import_new(request->client);
	job = vsm_import_job(request->import);
	job->statement = vsm_statement_of(route);
	job->class = route->class;
	job->writes = true;
	for (int i = 0; i < job->statement->n_params; i++)
	{
		vsm_import_own(request->import, request->values.text[i]);
		job->values[i] = request->values.text[i];
		request->values.text[i] = NULL;
	}
	vsm_import_own(request->import, request->who.role);
	vsm_import_own(request->import, request->who.claims);
	job->role = request->who.role;
	job->claims = request->who.claims;
	request->who.role = NULL;
	request->who.claims = NULL;
	vsm_pool_submit(job);
}

static void
refuse_row(Request *request)
{
	vsm_answer_error(request, 422, "PT422", "Nothing was imported.", vsm_rows_error(request->rows));
}

static bool
receive_import(Request *request, const char *bytes, size_t *length)
{
	switch (vsm_import_room(request->import))
	{
		case IMPORT_FULL:
			return true;
		case IMPORT_OVER:
			request->received += *length;
			*length = 0;
			return request->received <= MAX_UNWANTED;
		case IMPORT_ROOM:
			break;
	}
	if (vsm_rows_read(request->rows, bytes, *length, &request->copy))
		vsm_import_add(request->import, &request->copy);
	else
	{
		request->refuse = refuse_row;
		vsm_import_abandon(request->import);
	}
	*length = 0;
	return true;
}

static enum MHD_Result
end_import(Request *request)
{
	if (!vsm_rows_end(request->rows, &request->copy))
	{
		vsm_import_abandon(request->import);
		refuse_row(request);
		return request->status != 0 ? MHD_YES : MHD_NO;
	}
	request->phase = PHASE_CALL;
	vsm_import_add(request->import, &request->copy);
	return vsm_import_end(request->import) ? vsm_handle_outcome(request) : MHD_YES;
}
