/*
 * handle.c
 *		Handles a request that admit.c has accepted, and answers it.
 *
 * It checks the JSON first, then the values.
 */
#include "handle.h"

#include <stdlib.h>
#include <string.h>

#include "admit.h"
#include "answer.h"
#include "assets.h"
#include "db/pool.h"
#include "docs.h"
#include "door.h"
#include "errors.h"
#include "import_answer.h"
#include "import_request.h"
#include "limits.h"
#include "openapi.h"
#include "options.h"
#include "root.h"
#include "service.h"

#define LOST_WRITE "The connection to the database broke; whether the request took effect is unknown"

static void validate(Request *request);
static void call(Request *request);
static void submit(Request *request, Phase phase, const Statement *statement);
static void resume(Job *job);
static void say_invalid(Request *request);
static void say_types(Request *request);
static void say_outcome(Request *request, Job *job);

/* ---- The body ---- */

/*
 * vsm_handle_receive
 *		Take a part of the body.  Sets *length to the number of bytes not taken.
 *
 * False means: close the connection.
 */
bool
vsm_handle_receive(Request *request, const char *bytes, size_t *length)
{
	bool		wanted = request->refuse == NULL && request->match.route->handling != HANDLE_IMPORT;

	if (request->import != NULL && request->refuse == NULL)
		return vsm_import_receive(request, bytes, length);

	request->received += *length;
	if (wanted && request->received <= vsm_options.max_body_bytes)
		vsm_text_add(&request->body, bytes, *length);
	else if (wanted)
	{
		vsm_text_free(&request->body);
		request->refuse = vsm_refuse_size;
	}
	else if (request->received > MAX_UNWANTED)
		return false;
	*length = 0;
	return true;
}

void
vsm_handle_received(Request *request)
{
	json_t	   *body = NULL;
	bool		bad;

	if (request->refuse != NULL)
	{
		if (request->import != NULL)
			vsm_import_abandon(request->import);
		request->refuse(request);
		return;
	}
	if (request->import != NULL)
	{
		if (vsm_import_finish(request) && request->answer.status == 0)
			vsm_handle_outcome(request);
		return;
	}
	if (request->match.route->handling == HANDLE_IMPORT)
	{
		validate(request);
		return;
	}

	bad = vsm_route_has(request->match.route, IN_BODY) &&
		vsm_values_bad_body(&request->values, request->body.data, request->body.length, &body);
	if (!bad)
		vsm_values_read(&request->values, request->match.route, request->match.wildcards, request->query, body);
	json_decref(body);
	vsm_text_free(&request->body);
	validate(request);
}

static void
validate(Request *request)
{
	if (request->values.type_input != NULL)
		submit(request, PHASE_TYPES, vsm_statement_fixed(STATEMENT_TYPES));
	else if (request->values.errors != NULL)
		say_invalid(request);
	else if (request->values.missing != NULL)
	{
		bool		is_item = strcmp(request->values.missing->name, "work_item_id") == 0;
		char	   *id = vsm_copy_cut(request->values.missing_id, MAX_QUOTED);
		char	   *detail = vsm_format("%s %s not found", is_item ? "Work item" : "Stage", id);

		vsm_answer_error(request, 404, "PT404", NULL, detail);
		free(detail);
		free(id);
	}
	else
		call(request);
}

static void
call(Request *request)
{
	const Route *route = request->match.route;

	switch (route->handling)
	{
		case HANDLE_CALL:
		case HANDLE_METRICS:
		case HANDLE_IMPORT:
			submit(request, PHASE_CALL, vsm_statement_of(route));
			break;
		case HANDLE_READY:
			submit(request, PHASE_CALL, vsm_statement_fixed(STATEMENT_READY));
			break;
		case HANDLE_HEALTH:
			submit(request, PHASE_CALL, vsm_statement_fixed(STATEMENT_HEALTH));
			break;
		case HANDLE_LIVE:
			vsm_answer_constant(request, 200, "application/json", "{\"status\":\"LIVE\"}", strlen("{\"status\":\"LIVE\"}"));
			break;
		case HANDLE_ROOT:
			vsm_say_root(request);
			break;
		case HANDLE_OPENAPI:
			vsm_answer_constant(request, 200, "application/json", vsm_openapi(), strlen(vsm_openapi()));
			break;
		case HANDLE_DOCS:
			vsm_docs_page(request);
			break;
		case HANDLE_ASSET:
			vsm_asset_file(request);
			break;
	}
}

/* ---- The database ---- */

static void
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
	job->actor = request->who.actor;
	if (phase == PHASE_CALL)
	{
		job->writes = request->match.route->writes;
		for (int i = 0; i < statement->n_params; i++)
			job->values[i] = request->values.text[i];
	}
	request->phase = phase;
	vsm_door.suspend(request->client);
	vsm_pool_submit(job);
}

static void
resume(Job *job)
{
	Request    *request = job->owner;

	vsm_door.resume(request->client);
}

/* The job has ended: answer. */
void
vsm_handle_outcome(Request *request)
{
	const char *column = request->job.outcome == OUTCOME_ERROR ? PQresultErrorField(request->job.result, PG_DIAG_COLUMN_NAME) : NULL;

	if (request->import != NULL)
	{
		if (!vsm_import_answer(request))
			say_outcome(request, vsm_import_job(request->import));
	}
	else if (request->phase == PHASE_TYPES)
		say_types(request);
	else if (request->match.route->handling == HANDLE_HEALTH)
		vsm_say_health(request);
	else if (request->match.route->handling == HANDLE_READY)
		vsm_say_ready(request);
	else if (request->match.route->handling == HANDLE_METRICS && !(request->job.outcome == OUTCOME_ERROR && request->who.role != NULL))
		vsm_say_metrics(request);
	else if (column != NULL && strcmp(column, "type") == 0 && request->values.type != NULL &&
			 strcmp(PQresultErrorField(request->job.result, PG_DIAG_SQLSTATE), "PT422") == 0)
	{
		/* An unknown type is a validation error, which lists the types that exist. */
		int			n = (int) (request->values.type - request->match.route->params);

		request->values.type_input = json_string(request->values.text[n]);
		PQclear(request->job.result);
		submit(request, PHASE_TYPES, vsm_statement_fixed(STATEMENT_TYPES));
	}
	else
		say_outcome(request, &request->job);
}

static void
say_types(Request *request)
{
	json_t	   *types = NULL;

	if (request->job.outcome == OUTCOME_ROWS)
		types = json_loadb(PQgetvalue(request->job.result, 0, 0), (size_t) PQgetlength(request->job.result, 0, 0), 0, NULL);
	if (types == NULL && request->values.errors == NULL)
	{
		say_outcome(request, &request->job);
		return;
	}
	if (types != NULL)
		vsm_values_check_type(&request->values, types);
	json_decref(types);
	if (request->values.errors == NULL)
		vsm_answer_unavailable(request, "The types of work items are being changed");
	else
		say_invalid(request);
}

static void
say_invalid(Request *request)
{
	json_t	   *body = json_pack("{sOss}", "detail", request->values.errors, "code", "PT422");

	vsm_answer_json(request, 422, body);
	json_decref(body);
}

/* Takes ownership of the job's result. */
static void
say_outcome(Request *request, Job *job)
{
	PGresult   *result = job->result;
	int			status = request->match.route->status;

	job->result = NULL;
	switch (job->outcome)
	{
		case OUTCOME_ROWS:
			if (PQntuples(result) == 1 && !PQgetisnull(result, 0, 0))
			{
				vsm_answer_result(request, status == 0 ? 200 : status, result);
				return;
			}
			vsm_answer_error(request, 500, NULL, NULL, "Internal Server Error");
			break;
		case OUTCOME_ERROR:
			vsm_say_error(request, job, result);
			break;
		case OUTCOME_DOWN:
			vsm_answer_unavailable(request, "The database cannot be reached");
			break;
		case OUTCOME_BUSY:
			vsm_answer_unavailable(request, "Too many requests are waiting");
			break;
		case OUTCOME_LOST:
			vsm_answer_unavailable(request, job->writes ? LOST_WRITE : "The connection to the database broke");
			break;
	}
	PQclear(result);
}
