/*
 * answer.c
 *		Answers and the headers they all have.
 */
#include "request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "options.h"

#define JSON_TYPE "application/json"

static enum MHD_Result queue(Request *request, int status, const char *type, size_t length, struct MHD_Response *response);
static void add_cors(Request *request, struct MHD_Response *response);
static double quality(const char *accept, const char *type);
static void clear_result(void *result);

/* Sent with the answer, which comes later.  A value is copied; NULL: no header. */
void
vsm_answer_header(Request *request, const char *name, const char *value)
{
	if (value == NULL || request->n_headers >= MAX_HEADERS)
		return;
	request->headers[request->n_headers].name = name;
	request->headers[request->n_headers++].value = vsm_copy(value);
}

/* Takes what is in body. */
enum MHD_Result
vsm_answer(Request *request, int status, const char *type, Text *body)
{
	char	   *bytes = body->data;
	size_t		length = body->length;

	*body = (Text){0};
	return queue(request, status, type, length,
				 MHD_create_response_from_buffer_with_free_callback(length, bytes == NULL ? vsm_alloc(1) : bytes, free));
}

enum MHD_Result
vsm_answer_constant(Request *request, int status, const char *type, const char *body, size_t length)
{
	return queue(request, status, type, length,
				 MHD_create_response_from_buffer(length, (void *) (uintptr_t) body, MHD_RESPMEM_PERSISTENT));
}

/* The JSON that the database gave, as it is.  Takes the result. */
enum MHD_Result
vsm_answer_result(Request *request, int status, PGresult *result)
{
	size_t		length = (size_t) PQgetlength(result, 0, 0);

	return queue(request, status, JSON_TYPE, length,
				 MHD_create_response_from_buffer_with_free_callback_cls(length, PQgetvalue(result, 0, 0),
																		clear_result, result));
}

static void
clear_result(void *result)
{
	PQclear(result);
}

enum MHD_Result
vsm_answer_json(Request *request, int status, const json_t *body)
{
	Text		text = {0};
	char	   *dump = json_dumps(body, JSON_COMPACT);

	if (dump == NULL)
		abort();
	vsm_text_adds(&text, dump);
	free(dump);
	return vsm_answer(request, status, JSON_TYPE, &text);
}

/* code and hint may be NULL. */
enum MHD_Result
vsm_answer_error(Request *request, int status, const char *code, const char *hint, const char *detail)
{
	Text		body = {0};

	vsm_text_adds(&body, "{\"detail\":");
	vsm_text_json(&body, detail, strlen(detail));
	if (code != NULL)
	{
		vsm_text_adds(&body, ",\"code\":");
		vsm_text_json(&body, code, strlen(code));
	}
	if (hint != NULL)
	{
		vsm_text_adds(&body, ",\"hint\":");
		vsm_text_json(&body, hint, strlen(hint));
	}
	vsm_text_addc(&body, '}');
	return vsm_answer(request, status, JSON_TYPE, &body);
}

enum MHD_Result
vsm_answer_unavailable(Request *request, const char *detail)
{
	vsm_answer_header(request, "Retry-After", "1");
	return vsm_answer_error(request, 503, "PT503", NULL, detail);
}

/* type NULL: an answer without a body. */
static enum MHD_Result
queue(Request *request, int status, const char *type, size_t length, struct MHD_Response *response)
{
	enum MHD_Result result;

	if (response == NULL)
		return MHD_NO;
	if (type != NULL)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, "X-Request-Id", request->id);
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	for (int i = 0; i < request->n_headers; i++)
		MHD_add_response_header(response, request->headers[i].name, request->headers[i].value);
	if (vsm_options.cors_origins != NULL)
		add_cors(request, response);
	if (request->last || vsm_http_draining())
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	request->status = status;
	request->answered_us = vsm_now_us();
	request->answer_bytes = length;
	result = MHD_queue_response(request->client, (unsigned int) status, response);
	MHD_destroy_response(response);
	return result;
}

static void
add_cors(Request *request, struct MHD_Response *response)
{
	const char *origin = vsm_request_header(request, "Origin");
	bool		any = strcmp(vsm_options.cors_origins, "*") == 0;

	if (!any)
		MHD_add_response_header(response, "Vary", "Origin");
	if (origin == NULL || (!any && !vsm_text_lists(vsm_options.cors_origins, origin)))
		return;
	MHD_add_response_header(response, "Access-Control-Allow-Origin", any ? "*" : origin);
	MHD_add_response_header(response, "Access-Control-Expose-Headers", "X-Request-Id, Retry-After, Allow");
	if (strcmp(request->method, "OPTIONS") == 0)
	{
		MHD_add_response_header(response, "Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE, OPTIONS");
		MHD_add_response_header(response, "Access-Control-Allow-Headers", "Authorization, Content-Type, X-Request-Id");
		MHD_add_response_header(response, "Access-Control-Max-Age", "600");
	}
}

/* Does the client like one media type better than the other? */
bool
vsm_accepts_rather(Request *request, const char *type, const char *other)
{
	const char *accept = vsm_request_header(request, MHD_HTTP_HEADER_ACCEPT);

	return accept != NULL && quality(accept, type) > quality(accept, other);
}

/* By the most specific range of RFC 9110, section 12.5.1. */
static double
quality(const char *accept, const char *type)
{
	double		best = 0;
	int			best_rank = -1;
	size_t		group = strcspn(type, "/");

	while (*accept != '\0')
	{
		size_t		length = strcspn(accept, ",");
		size_t		skip = strspn(accept, " \t");
		size_t		name = strcspn(accept + skip, ",; \t");
		const char *range = accept + skip;
		const char *end = accept + length;
		const char *q = NULL;
		int			rank = -1;

		if (name == strlen(type) && strncasecmp(range, type, name) == 0)
			rank = 2;
		else if (name == group + 2 && strncasecmp(range, type, group + 1) == 0 && range[group + 1] == '*')
			rank = 1;
		else if (name == 3 && strncmp(range, "*/*", 3) == 0)
			rank = 0;
		for (const char *c = range; c + 2 < end && q == NULL; c++)
			if (*c == ';' && strncasecmp(c + 1 + strspn(c + 1, " \t"), "q=", 2) == 0)
				q = c + 3 + strspn(c + 1, " \t");
		if (rank > best_rank)
		{
			best_rank = rank;
			best = q == NULL ? 1 : strtod(q, NULL);
		}
		accept = end + (*end == ',');
	}
	return best;
}
