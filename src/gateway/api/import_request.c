/*
 * import_request.c
 *		Handles a request to import the rows in its body.
 */
#include "import_request.h"

#include "answer.h"
#include "db/pool.h"
#include "limits.h"

static void refuse_row(Request *request);

/* Rows go to the database as they arrive, so the query's values are checked first. */
void
vsm_import_begin(Request *request)
{
	const Route *route = request->match.route;
	Job		   *job;

	vsm_values_read(&request->values, route, request->match.wildcards, request->query, NULL);
	if (request->values.errors != NULL)
		return;
	request->rows = vsm_rows_new(vsm_request_has_type(request, "text/csv"));
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
	vsm_import_own(request->import, request->who.actor);
	job->role = request->who.role;
	job->claims = request->who.claims;
	job->actor = request->who.actor;
	request->who.role = NULL;
	request->who.claims = NULL;
	request->who.actor = NULL;
	vsm_pool_submit(job);
}

static void
refuse_row(Request *request)
{
	vsm_answer_error(request, 422, "PT422", "Nothing was imported.", vsm_rows_error(request->rows));
}

/* Like vsm_handle_receive(). */
bool
vsm_import_receive(Request *request, const char *bytes, size_t *length)
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

/* The body is complete.  True: there is an outcome or an answer; false: the client is suspended until there is. */
bool
vsm_import_finish(Request *request)
{
	request->phase = PHASE_CALL;
	/* The rows after the database's answer were not read, so the reader may be within a row. */
	if (vsm_import_is_over(request->import))
		return true;
	if (!vsm_rows_end(request->rows, &request->copy))
	{
		vsm_import_abandon(request->import);
		refuse_row(request);
		return true;
	}
	vsm_import_add(request->import, &request->copy);
	return vsm_import_end(request->import);
}
