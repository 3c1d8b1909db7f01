/*
 * answer.c
 *		Sets the answers to requests; the layer above sends them.
 */
#include "answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "limits.h"

#define JSON_TYPE "application/json"

static void decide(Request *request, int status, const char *type, const char *bytes, size_t length);
static double quality(const char *accept, const char *type);
static void clear_result(void *result);

/* Add a header to the answer, which is set later.  Copies the value; NULL adds no header. */
void
vsm_answer_header(Request *request, const char *name, const char *value)
{
	if (value == NULL || request->answer.n_headers >= MAX_HEADERS)
		return;
	request->answer.headers[request->answer.n_headers].name = name;
	request->answer.headers[request->answer.n_headers++].value = vsm_copy(value);
}

/* Takes ownership of the text in body. */
void
vsm_answer(Request *request, int status, const char *type, Text *body)
{
	decide(request, status, type, body->data == NULL ? "" : body->data, body->length);
	request->answer.release = free;
	request->answer.owner = body->data;
	*body = (Text){0};
}

/* The body must stay valid as long as the program runs. */
void
vsm_answer_constant(Request *request, int status, const char *type, const char *body, size_t length)
{
	decide(request, status, type, body, length);
}

/* Answer with the JSON of the database, unchanged.  Takes ownership of the result. */
void
vsm_answer_result(Request *request, int status, PGresult *result)
{
	decide(request, status, JSON_TYPE, PQgetvalue(result, 0, 0), (size_t) PQgetlength(result, 0, 0));
	request->answer.release = clear_result;
	request->answer.owner = result;
}

static void
clear_result(void *result)
{
	PQclear(result);
}

static void
decide(Request *request, int status, const char *type, const char *bytes, size_t length)
{
	vsm_request_drop_answer(request);
	request->answer.status = status;
	request->answer.type = type;
	request->answer.bytes = bytes;
	request->answer.length = length;
	request->answer.decided_us = vsm_now_us();
}

void
vsm_answer_json(Request *request, int status, const json_t *body)
{
	Text		text = {0};
	char	   *dump = json_dumps(body, JSON_COMPACT);

	if (dump == NULL)
		abort();
	vsm_text_adds(&text, dump);
	free(dump);
	vsm_answer(request, status, JSON_TYPE, &text);
}

/* code and hint may be NULL. */
void
vsm_answer_error(Request *request, int status, const char *code, const char *hint, const char *detail)
{
	Text		body = {0};
	char	   *cut = vsm_copy_cut(detail, MAX_DETAIL);

	vsm_text_adds(&body, "{\"detail\":");
	vsm_text_json(&body, cut, strlen(cut));
	free(cut);
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
	vsm_answer(request, status, JSON_TYPE, &body);
}

void
vsm_answer_unavailable(Request *request, const char *detail)
{
	vsm_answer_header(request, "Retry-After", "1");
	vsm_answer_error(request, 503, "PT503", NULL, detail);
}

/* Does the client prefer type to other? */
bool
vsm_accepts_rather(const Request *request, const char *type, const char *other)
{
	const char *accept = vsm_request_header(request, "Accept");

	return accept != NULL && quality(accept, type) > quality(accept, other);
}

/* The q value of the most specific matching media range (RFC 9110, section 12.5.1). */
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
		int			rank = -1;

		if (name == strlen(type) && strncasecmp(range, type, name) == 0)
			rank = 2;
		else if (name == group + 2 && strncasecmp(range, type, group + 1) == 0 && range[group + 1] == '*')
			rank = 1;
		else if (name == 3 && strncmp(range, "*/*", 3) == 0)
			rank = 0;
		if (rank > best_rank)
		{
			best_rank = rank;
			best = vsm_quality(accept, length);
		}
		accept = end + (*end == ',');
	}
	return best;
}
