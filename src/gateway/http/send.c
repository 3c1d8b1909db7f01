/*
 * send.c
 *		Sends answers, with the headers that all of them have.
 */
#include "send.h"

#include <stdlib.h>
#include <string.h>

#include "compress.h"
#include "options.h"

static void add_header(struct MHD_Response *response, const Header *header, Coding coding);
static void add_cors(Request *request, struct MHD_Response *response);

/* Queue the request's answer.  last: close the connection after it. */
enum MHD_Result
vsm_send(Request *request, bool last)
{
	Answer	   *answer = &request->answer;
	struct MHD_Response *response;
	enum MHD_Result result;
	Coding		coding = vsm_compress(request);

	if (answer->release == NULL)
		response = MHD_create_response_from_buffer(answer->length, (void *) (uintptr_t) answer->bytes, MHD_RESPMEM_PERSISTENT);
	else
		response = MHD_create_response_from_buffer_with_free_callback_cls(answer->length, (void *) (uintptr_t) answer->bytes,
																		  answer->release, answer->owner);
	if (response == NULL)
		return MHD_NO;
	answer->release = NULL;		/* the response releases the body now */
	if (answer->type != NULL)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
	MHD_add_response_header(response, "X-Request-Id", request->id);
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	for (int i = 0; i < answer->n_headers; i++)
		add_header(response, &answer->headers[i], coding);
	if (coding == CODING_GZIP)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
	if (coding != CODING_NEVER)
		MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept-Encoding");
	if (vsm_options.cors_origins != NULL)
		add_cors(request, response);
	if (request->last || last)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	result = MHD_queue_response(request->client, (unsigned int) answer->status, response);
	MHD_destroy_response(response);
	return result;
}

/* The tag of a file is that of its bytes: what was compressed is another form of the same (RFC 9110, section 8.8.1). */
static void
add_header(struct MHD_Response *response, const Header *header, Coding coding)
{
	char	   *weak = coding == CODING_GZIP && strcmp(header->name, "ETag") == 0 ? vsm_format("W/%s", header->value) : NULL;

	MHD_add_response_header(response, header->name, weak != NULL ? weak : header->value);
	free(weak);
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
