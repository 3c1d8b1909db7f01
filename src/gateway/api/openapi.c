/*
 * openapi.c
 *		/openapi.json: the document written by openapi/make.c, with tokens added if required.
 */
#include "openapi.h"

#include <jansson.h>
#include <stdlib.h>
#include <strings.h>

#include "embedded.h"
#include "log.h"
#include "options.h"
#include "routes.h"

static const char *document;

static void add_tokens(json_t *root);
static void add_token_to(json_t *operation);
static json_t *error_response(const char *description);

void
vsm_openapi_start(void)
{
	const Asset *asset = vsm_asset("openapi.json");
	json_t	   *root = asset == NULL ? NULL : json_loadb(asset->bytes, vsm_asset_length(asset), 0, NULL);

	if (root == NULL)
	{
		vsm_log_text(LOG_LEVEL_ERROR, "openapi", "error", "the program was built without its OpenAPI document");
		exit(1);
	}
	if (vsm_options_auth())
		add_tokens(root);
	document = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	if (document == NULL)
		abort();
}

const char *
vsm_openapi(void)
{
	return document;
}

static void
add_tokens(json_t *root)
{
	json_object_set_new(json_object_get(root, "components"), "securitySchemes",
						json_pack("{s{ssssss}}", "token", "type", "http", "scheme", "bearer", "bearerFormat", "JWT"));
	for (int i = 0; i < vsm_route_count; i++)
	{
		const Route *route = &vsm_routes[i];
		json_t	   *path = json_object_get(json_object_get(root, "paths"), route->path);
		const char *name;
		json_t	   *operation;

		if (route->function == NULL)
			continue;
		json_object_foreach(path, name, operation) if (strcasecmp(name, route->method) == 0)
			add_token_to(operation);
	}
}

static void
add_token_to(json_t *operation)
{
	json_t	   *responses = json_object_get(operation, "responses");

	json_object_set_new(operation, "security", json_pack(vsm_options.anonymous_role != NULL ? "[{}{s[]}]" : "[{s[]}]", "token"));
	json_object_set_new(responses, "401", error_response("The token is missing or was refused"));
	json_object_set_new(responses, "403", error_response("The token's role lacks the required privilege"));
}

static json_t *
error_response(const char *description)
{
	return json_pack("{sss{s{s{ss}}}}", "description", description, "content", "application/json", "schema",
					 "$ref", "#/components/schemas/Error");
}
