/*
 * assets.c
 *		Answers with the files of the web pages, which are embedded in the program.
 *
 * docs/... is the API viewer, web/... the dashboard.  The content security policy does not let a
 * page load anything from another origin.  Browsers may cache the files, but must revalidate them
 * each time.
 */
#include "assets.h"

#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "file_types.h"

#define POLICY "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

static const char *type_of(const char *path);
static bool has_tag(const char *tags, const char *tag);

/* /docs/{file} is docs/file, /assets/{file} is web/assets/file. */
void
vsm_asset_file(Request *request)
{
	const char *directory = strncmp(request->match.route->path, "/docs/", 6) == 0 ? "docs" : "web/assets";
	char	   *path = vsm_format("%s/%s", directory, request->values.text[0]);

	vsm_asset_answer(request, path);
	free(path);
}

/* Answer with the file at that path, or with 404. */
void
vsm_asset_answer(Request *request, const char *path)
{
	const Asset *asset = vsm_asset(path);

	if (asset == NULL)
	{
		vsm_answer_error(request, 404, "PT404", NULL, "Not Found");
		return;
	}
	vsm_asset_protect(request);
	vsm_answer_header(request, "ETag", asset->tag);
	if (has_tag(vsm_request_header(request, "If-None-Match"), asset->tag))
		vsm_answer_constant(request, 304, NULL, "", 0);
	else
		vsm_answer_constant(request, 200, type_of(path), asset->bytes, vsm_asset_length(asset));
}

/* Is tag in the list of tags?  Each tag has quotes, so no tag is a part of another. */
static bool
has_tag(const char *tags, const char *tag)
{
	return tags != NULL && (strcmp(tags, "*") == 0 || strstr(tags, tag) != NULL);
}

/* Add the security and cache headers of pages and their files. */
void
vsm_asset_protect(Request *request)
{
	vsm_answer_header(request, "Content-Security-Policy", POLICY);
	vsm_answer_header(request, "Cache-Control", "no-cache");
	vsm_answer_header(request, "Referrer-Policy", "no-referrer");
}

static const char *
type_of(const char *path)
{
	const char *end = strrchr(path, '.');
	const FileType *type = vsm_file_types;

	while (type->ending != NULL && (end == NULL || strcmp(end, type->ending) != 0))
		type++;
	return type->type;
}
