/*
 * docs.c
 *		Pages and their files: the API viewer and the dashboard.
 *
 * All files are in the program: docs/... is the viewer, web/... the dashboard.  The
 * content security policy lets a page load nothing from elsewhere.  A browser keeps
 * them, and asks each time whether they are still the same.
 */
#include "docs.h"

#include <stdlib.h>
#include <string.h>

#include "assets.h"
#include "openapi.h"
#include "options.h"

#define POLICY "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

const FileType vsm_docs_types[] = {
	{".html", "text/html; charset=utf-8"},
	{".js", "text/javascript; charset=utf-8"},
	{".css", "text/css; charset=utf-8"},
	{".svg", "image/svg+xml"},
	{".png", "image/png"},
	{".ico", "image/x-icon"},
	{".woff2", "font/woff2"},
	{".json", "application/json"},
	{NULL, "text/plain; charset=utf-8"},
};

static enum MHD_Result send_asset(Request *request, const char *path);
static const char *type_of(const char *path);
static bool has_tag(const char *tags, const char *tag);
static void protect(Request *request);

enum MHD_Result
vsm_docs_page(Request *request)
{
	const Asset *head = vsm_asset("docs/list.html");
	Text		html = {0};

	if (vsm_asset("docs/swagger-ui-bundle.js") != NULL)
		return send_asset(request, "docs/index.html");
	if (head != NULL)
		vsm_text_add(&html, head->bytes, vsm_asset_length(head));
	vsm_openapi_list(&html);
	protect(request);
	return vsm_answer(request, 200, "text/html; charset=utf-8", &html);
}

/* /docs/{file} is docs/file, /assets/{file} is web/assets/file. */
enum MHD_Result
vsm_docs_asset(Request *request)
{
	const char *directory = strncmp(request->match.route->path, "/docs/", 6) == 0 ? "docs" : "web/assets";
	char	   *path = vsm_format("%s/%s", directory, request->values.text[0]);
	enum MHD_Result result = send_asset(request, path);

	free(path);
	return result;
}

/* Until there is one, the documentation. */
enum MHD_Result
vsm_docs_dashboard(Request *request)
{
	return vsm_asset("web/index.html") != NULL ? send_asset(request, "web/index.html") : vsm_docs_page(request);
}

static enum MHD_Result
send_asset(Request *request, const char *path)
{
	const Asset *asset = vsm_asset(path);

	if (asset == NULL)
		return vsm_answer_error(request, 404, "PT404", NULL, "Not Found");
	protect(request);
	vsm_answer_header(request, "ETag", asset->tag);
	if (has_tag(vsm_request_header(request, "If-None-Match"), asset->tag))
		return vsm_answer_constant(request, 304, NULL, "", 0);
	return vsm_answer_constant(request, 200, type_of(path), asset->bytes, vsm_asset_length(asset));
}

/* Is it among the tags of what the client has?  They are in quotes, so none is a part of another. */
static bool
has_tag(const char *tags, const char *tag)
{
	return tags != NULL && (strcmp(tags, "*") == 0 || strstr(tags, tag) != NULL);
}

static void
protect(Request *request)
{
	vsm_answer_header(request, "Content-Security-Policy", POLICY);
	vsm_answer_header(request, "Cache-Control", "no-cache");
	vsm_answer_header(request, "Referrer-Policy", "no-referrer");
}

static const char *
type_of(const char *path)
{
	const char *end = strrchr(path, '.');
	const FileType *type = vsm_docs_types;

	while (type->ending != NULL && (end == NULL || strcmp(end, type->ending) != 0))
		type++;
	return type->type;
}
