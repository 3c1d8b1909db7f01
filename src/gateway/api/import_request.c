/*
 * import_request.c
 *		Handles a request to import the file in its body.
 */
#include "import_request.h"

#include <string.h>

#include "limits.h"

/* The file is kept as it arrives, so the query's values are checked first. */
void
vsm_import_begin(Request *request)
{
	const Route *route = request->match.route;
	ImportPlan *plan;

	vsm_values_read(&request->values, route, request->match.wildcards, request->query, NULL);
	if (request->values.errors != NULL)
		return;
	plan = vsm_import_plan_read(&request->values, route);
	plan->ndjson = !vsm_request_has_type(request, "text/csv");
	if (request->values.errors != NULL)
	{
		vsm_import_plan_free(plan);
		return;
	}
	request->import = vsm_import_new(request->client, plan);
	/* What the import owns itself, since it may outlive the request. */
	vsm_import_statement(request->import, vsm_statement_of(route), request->values.text);
	memset(request->values.text, 0, sizeof request->values.text[0] * (size_t) vsm_statement_of(route)->n_params);
	vsm_import_caller(request->import, request->who.role, request->who.claims, request->who.actor);
	request->who.role = NULL;
	request->who.claims = NULL;
	request->who.actor = NULL;
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
	vsm_import_add(request->import, bytes, *length);
	*length = 0;
	return true;
}

/* The body is complete.  True: there is an outcome; false: the client is suspended until there is. */
bool
vsm_import_finish(Request *request)
{
	request->phase = PHASE_CALL;
	return vsm_import_end(request->import);
}
