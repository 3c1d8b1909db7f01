/*
 * request.c
 *		A request, from its first line to its answer.
 */
#include "request.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "door.h"

Door		vsm_door;

static atomic_int running;

Request *
vsm_request_new(void *client)
{
	Request    *request = vsm_alloc(sizeof *request);

	request->client = client;
	request->phase = PHASE_RECEIVE;
	request->started_us = vsm_now_us();
	running++;
	return request;
}

void
vsm_request_free(Request *request)
{
	if (request->import != NULL)
		vsm_import_release(request->import);
	PQclear(request->job.result);
	vsm_text_free(&request->body);
	vsm_values_free(&request->values);
	vsm_identity_free(&request->who);
	vsm_request_drop_answer(request);
	for (int i = 0; i < request->answer.n_headers; i++)
		free(request->answer.headers[i].value);
	free(request->target);
	free(request->host);
	free(request);
	running--;
}

/* Release the body of an answer that will not be sent. */
void
vsm_request_drop_answer(Request *request)
{
	if (request->answer.release != NULL)
		request->answer.release(request->answer.owner);
	request->answer.release = NULL;
}

/* The number of requests that have not ended. */
int
vsm_requests_running(void)
{
	return running;
}

const char *
vsm_request_header(const Request *request, const char *name)
{
	return vsm_door.header(request->client, name);
}

/* Is its body of that media type, whatever the parameters of the type? */
bool
vsm_request_has_type(const Request *request, const char *type)
{
	const char *given = vsm_request_header(request, "Content-Type");
	size_t		length = strlen(type);

	if (given == NULL || strncasecmp(given, type, length) != 0)
		return false;
	return strchr("; \t", given[length]) != NULL;
}

/* Is its body JSON?  application/json, or application/anything+json such as application/merge-patch+json. */
bool
vsm_request_has_json(const Request *request)
{
	const char *given = vsm_request_header(request, "Content-Type");
	size_t		length = given == NULL ? 0 : strcspn(given, "; \t");

	if (vsm_request_has_type(request, "application/json"))
		return true;
	return length > strlen("application/+json") && strncasecmp(given, "application/", strlen("application/")) == 0 &&
		strncasecmp(given + length - strlen("+json"), "+json", strlen("+json")) == 0;
}
