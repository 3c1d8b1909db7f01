/*
 * admit.c
 *		Checks a request before its body arrives.
 *
 * Checked in this order: host, path, method, origin, token, content encoding and type, size.  A refusal is
 * decided at once, but sent only after the client has sent the body.  A client that is still
 * sending could otherwise lose the answer to a connection reset.
 */
#include "admit.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "answer.h"
#include "door.h"
#include "hosts.h"
#include "import_request.h"
#include "limits.h"
#include "options.h"

static void admit_caller(Request *request, bool may_wait);
static void resume(KeyWaiter *waiter);
static void refuse_host(Request *request);
static void refuse_path(Request *request);
static void say_all_methods(Request *request);
static void refuse_method(Request *request);
static void say_allow(Request *request);
static void refuse_origin(Request *request);
static void refuse_token(Request *request);
static void refuse_without_keys(Request *request);
static void refuse_encoding(Request *request);
static void refuse_type(Request *request);
static bool origin_is_ours(const Request *request);
static bool is_encoded(const Request *request);
static bool has_wrong_type(const Request *request);

/*
 * vsm_admit
 *		Check a request whose headers have arrived.  Sets request->refuse if the request is refused.
 */
void
vsm_admit(Request *request)
{
	const char *length = vsm_request_header(request, "Content-Length");
	bool		unsafe;

	request->match = vsm_route_match(request->method, request->target, request->path_length);
	unsafe = request->match.route != NULL && request->match.route->writes;
	if (!vsm_host_is_ours(request->host != NULL ? request->host : vsm_request_header(request, "Host")))
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
		admit_caller(request, true);
	request->too_long = length != NULL && strtoull(length, NULL, 10) > MAX_UNWANTED;
	if (request->refuse != NULL)
		return;
	if (request->match.route->handling == HANDLE_IMPORT)
		request->too_long = length != NULL && strtoull(length, NULL, 10) > vsm_options.max_import_bytes;
	if (request->too_long)
		request->refuse = request->match.route->handling == HANDLE_IMPORT ? vsm_refuse_import_size : vsm_refuse_size;
}

static void
admit_caller(Request *request, bool may_wait)
{
	request->who = vsm_auth(vsm_request_header(request, "Authorization"), may_wait);
	if (request->who.waits)
	{
		request->phase = PHASE_KEYS;
		request->waiter.resume = resume;
		vsm_door.suspend(request->client);
		vsm_keys_wait(&request->waiter);
	}
	else if (request->who.unavailable)
		request->refuse = refuse_without_keys;
	else if (request->who.refusal != NULL)
		request->refuse = refuse_token;
	else if (is_encoded(request))
		request->refuse = refuse_encoding;
	else if (has_wrong_type(request))
		request->refuse = refuse_type;
	else if (request->match.route->handling == HANDLE_IMPORT)
		vsm_import_begin(request);
}

static void
resume(KeyWaiter *waiter)
{
	vsm_door.resume(((Request *) (void *) ((char *) waiter - offsetof(Request, waiter)))->client);
}

/*
 * vsm_admit_again
 *		Check the token of a request that waited for keys.  The body has not begun to arrive.
 */
void
vsm_admit_again(Request *request)
{
	request->phase = PHASE_RECEIVE;
	admit_caller(request, false);
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
	vsm_answer_error(request, 403, "PT403", "Serve the page from this service, or allow its origin with --cors-origin.",
					 "A page from another origin may not write");
}

static void
refuse_token(Request *request)
{
	vsm_answer_header(request, "WWW-Authenticate", request->who.anonymous ? "Bearer" : "Bearer error=\"invalid_token\"");
	vsm_answer_error(request, 401, "PT401", NULL, request->who.refusal);
}

static void
refuse_without_keys(Request *request)
{
	vsm_answer_unavailable(request, "The keys that tokens are signed by cannot be fetched at the moment");
}

/* RFC 9110, section 12.5.3: the header says which encodings would be accepted. */
static void
refuse_encoding(Request *request)
{
	vsm_answer_header(request, "Accept-Encoding", "identity");
	vsm_answer_error(request, 415, "PT415", "Send the body without Content-Encoding.", "The body is encoded");
}

static void
refuse_type(Request *request)
{
	bool		import = request->match.route->handling == HANDLE_IMPORT;

	vsm_answer_error(request, 415, "PT415", import ? "Send text/csv or application/x-ndjson." : "Send application/json.",
					 "Unsupported Media Type");
}

void
vsm_refuse_size(Request *request)
{
	vsm_answer_error(request, 413, "PT413", "POST /api/v1/import takes any number of moves.", "Request body too large");
}

void
vsm_refuse_import_size(Request *request)
{
	vsm_answer_error(request, 413, "PT413", "Import the file in parts, in any order, or raise --max-import-bytes.", "The file is too large");
}

/* Without tokens, any web page could make a browser write here; browsers send its origin. */
static bool
origin_is_ours(const Request *request)
{
	const char *origin = vsm_request_header(request, "Origin");
	const char *host = request->host != NULL ? request->host : vsm_request_header(request, "Host");
	const char *origin_host = origin == NULL ? NULL : strstr(origin, "://");

	if (origin == NULL)
		return true;
	if (vsm_options.cors_origins != NULL &&
		(strcmp(vsm_options.cors_origins, "*") == 0 || vsm_text_lists(vsm_options.cors_origins, origin)))
		return true;
	return origin_host != NULL && host != NULL && strcasecmp(origin_host + 3, host) == 0;
}

/* Bodies are not decompressed: a small one could become very large. */
static bool
is_encoded(const Request *request)
{
	const char *encoding = vsm_request_header(request, "Content-Encoding");

	return encoding != NULL && encoding[0] != '\0' && strcasecmp(encoding, "identity") != 0 &&
		(request->match.route->handling == HANDLE_IMPORT || vsm_route_has(request->match.route, IN_BODY));
}

/* JSON may be sent without a content type, or with one that ends in +json, since the old service accepted that. */
static bool
has_wrong_type(const Request *request)
{
	if (request->match.route->handling == HANDLE_IMPORT)
		return !vsm_request_has_type(request, "text/csv") && !vsm_request_has_type(request, "application/x-ndjson") && !vsm_request_has_type(request, "application/ndjson");
	if (!vsm_route_has(request->match.route, IN_BODY))
		return false;
	return vsm_request_header(request, "Content-Type") != NULL && !vsm_request_has_json(request);
}
