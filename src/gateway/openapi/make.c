/*
 * make.c
 *		Writes openapi.json when the gateway is built, from the table of routes.
 *
 *	make SCHEMAS >openapi.json
 *
 * The document is OpenAPI 3.1.  Parameters and request bodies come from the table that also
 * validates requests; the schemas of answers come from the file SCHEMAS.  The document describes a
 * gateway without tokens; api/openapi.c adds the tokens.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/file_types.h"
#include "api/routes.h"
#include "text.h"

static json_t *paths(void);
static json_t *operation(const Route *route);
static const char *group_of(const Route *route);
static json_t *parameters(const Route *route);
static json_t *request_body(const Route *route);
static json_t *responses(const Route *route);
static json_t *success(const Route *route);
static json_t *schema_ref(const char *name);
static json_t *value_schema(const Param *param);
static json_t *enumeration(const char *choices);
static void add_error(json_t *list, int status, const char *description, const char *schema);
static void add_default(json_t *schema, const Param *param);
static json_t *content(const char *type, json_t *schema);

int
main(int argc, char **argv)
{
	json_error_t error = {.text = "expected one argument, the file of schemas"};
	json_t	   *schemas = argc == 2 ? json_load_file(argv[1], 0, &error) : NULL;
	json_t	   *root;
	bool		written;

	if (schemas == NULL)
	{
		fprintf(stderr, "%s: %s\n", argv[argc - 1], error.text);
		return 1;
	}
	root = json_pack("{sss{ssssss s{ssss}}soso s{so}}", "openapi", "3.1.0", "info",
					 "title", "vsm", "version", VSM_VERSION,
					 "description", "Work items move through the stages of value streams. Every move is recorded, and all flow metrics are computed from these records.",
					 "license", "name", "PostgreSQL License", "identifier", "PostgreSQL",
					 "servers", json_pack("[{ss}]", "url", "/"),
					 "paths", paths(),
					 "components", "schemas", schemas);
	written = root != NULL && json_dumpf(root, stdout, JSON_COMPACT) == 0;
	json_decref(root);
	return written ? 0 : 1;
}

static json_t *
paths(void)
{
	json_t	   *all = json_object();

	for (int i = 0; i < vsm_route_count; i++)
	{
		const Route *route = &vsm_routes[i];
		json_t	   *path = json_object_get(all, route->path);
		char	   *method = vsm_copy(route->method);

		for (char *c = method; *c != '\0'; c++)
			*c = (char) (*c + 'a' - 'A');
		if (path == NULL)
			json_object_set_new(all, route->path, path = json_object());
		json_object_set_new(path, method, operation(route));
		free(method);
	}
	return all;
}

static json_t *
operation(const Route *route)
{
	json_t	   *made = json_pack("{s[s]ssss}", "tags", group_of(route), "operationId", route->name, "summary", route->summary);

	if (vsm_route_has(route, IN_PATH) || vsm_route_has(route, IN_QUERY))
		json_object_set_new(made, "parameters", parameters(route));
	if (vsm_route_has(route, IN_BODY) || route->handling == HANDLE_IMPORT)
		json_object_set_new(made, "requestBody", request_body(route));
	json_object_set_new(made, "responses", responses(route));
	json_object_set_new(made, "security", json_array());
	return made;
}

/* The heading under which a viewer shows the route. */
static const char *
group_of(const Route *route)
{
	if (route->handling != HANDLE_CALL && route->handling != HANDLE_IMPORT)
		return "Service";
	if (route->class == CLASS_SLOW)
		return "Figures";
	return strstr(route->path, "work-items") != NULL || route->handling == HANDLE_IMPORT ? "Work items" : "Streams";
}

static json_t *
parameters(const Route *route)
{
	json_t	   *list = json_array();

	for (const Param *param = route->params; param->name != NULL; param++)
		if (param->where != IN_BODY)
			json_array_append_new(list, json_pack("{sssssbsssO*}", "name", param->name, "in", param->where == IN_PATH ? "path" : "query",
												  "required", param->required, "description", param->about, "schema", NULL));
	for (size_t i = 0, n = 0; route->params[n].name != NULL; n++)
	{
		if (route->params[n].where == IN_BODY)
			continue;
		if (route->params[n].kind == KIND_FLAG)
			json_object_set_new(json_array_get(list, i), "allowEmptyValue", json_true());
		json_object_set_new(json_array_get(list, i++), "schema", value_schema(&route->params[n]));
	}
	return list;
}

static json_t *
request_body(const Route *route)
{
	json_t	   *schema;
	json_t	   *properties = json_object();
	json_t	   *required = json_array();

	if (route->handling == HANDLE_IMPORT)
	{
		json_t	   *rows;

		json_decref(properties);
		json_decref(required);
		rows = content("text/csv", json_pack("{ssss}", "type", "string", "description",
											 "Text with a header line and fields separated by commas, semicolons, tabs or pipes, in UTF-8, UTF-16 or Windows-1252: "
											 "a line for each move, such as case_id, stage, entered_at, type and title; or a line for each item, with a column of dates for each stage"));
		json_object_set_new(rows, "application/x-ndjson",
							json_pack("{s{ssss}}", "schema", "type", "string", "description", "One object with case_id, stage, entered_at and, optionally, type and title on each line"));
		return json_pack("{sbso}", "required", 1, "content", rows);
	}
	for (const Param *param = route->params; param->name != NULL; param++)
	{
		json_t	   *value;

		if (param->where != IN_BODY)
			continue;
		value = value_schema(param);
		json_object_set_new(value, "description", json_string(param->about));
		if (!param->required)
		{
			json_object_set_new(value, "type", json_pack("[Os]", json_object_get(value, "type"), "null"));
			json_array_append_new(json_object_get(value, "enum"), json_null());
		}
		else
			json_array_append_new(required, json_string(param->name));
		json_object_set_new(properties, param->name, value);
	}
	schema = json_pack("{sssoso}", "type", "object", "required", required, "properties", properties);
	if (!route->lenient)
		json_object_set_new(schema, "additionalProperties", json_false());
	return json_pack("{sbso}", "required", vsm_route_needs_body(route), "content", content("application/json", schema));
}

static json_t *
value_schema(const Param *param)
{
	json_t	   *schema = NULL;

	switch (param->kind)
	{
		case KIND_ID:
			schema = json_pack("{ssss}", "type", "integer", "format", "int64");
			break;
		case KIND_INTEGER:
			schema = json_pack("{sssIsI}", "type", "integer", "minimum", (json_int_t) param->least, "maximum", (json_int_t) param->most);
			break;
		case KIND_STRING:
		case KIND_TYPE:
			schema = json_pack("{ss}", "type", "string");
			if (param->least > 0)
				json_object_set_new(schema, "minLength", json_integer((json_int_t) param->least));
			if (param->most > 0)
				json_object_set_new(schema, "maxLength", json_integer((json_int_t) param->most));
			break;
		case KIND_TIME:
			schema = json_pack("{ssss}", "type", "string", "format", "date-time");
			break;
		case KIND_INSTANT:
			schema = json_pack("{ss}", "type", "string");
			break;
		case KIND_OBJECT:
			schema = json_pack("{ssss}", "type", param->where == IN_BODY ? "object" : "string", "description",
							   "A JSON object, such as {\"team\": \"red\"}");
			break;
		case KIND_LIST:
			if (param->where == IN_BODY)
				schema = json_pack("{sss{ss}}", "type", "array", "items", "$ref", "#/components/schemas/StageDefinition");
			else
				schema = json_pack("{ssss}", "type", "string", "description", "A JSON array of objects");
			break;
		case KIND_PERCENTILES:
			schema = json_pack("{ssss}", "type", "string", "pattern", "^[0-9.]+(,[0-9.]+)*$");
			break;
		case KIND_SHARE:
			schema = json_pack("{sssisi}", "type", "number", "exclusiveMinimum", 0, "exclusiveMaximum", 1);
			break;
		case KIND_DATE:
			schema = json_pack("{ssss}", "type", "string", "format", "date");
			break;
		case KIND_BOOLEAN:
		case KIND_FLAG:
			schema = json_pack("{ss}", "type", "boolean");
			break;
		case KIND_STEP:
			schema = json_pack("{ssss}", "type", "string", "pattern", "^([0-9]{1,5} ?)?(minute|hour|day|week|month)s?$");
			break;
		case KIND_CHOICE:
			schema = json_pack("{ssso}", "type", "string", "enum", enumeration(param->choices));
			break;
	}
	add_default(schema, param);
	return schema;
}

static void
add_default(json_t *schema, const Param *param)
{
	if (param->fallback == NULL)
		return;
	if (param->kind == KIND_INTEGER)
		json_object_set_new(schema, "default", json_integer(strtoll(param->fallback, NULL, 10)));
	else
		json_object_set_new(schema, "default", json_string(param->fallback));
}

static json_t *
enumeration(const char *choices)
{
	json_t	   *list = json_array();

	while (*choices != '\0')
	{
		size_t		length = strcspn(choices, "|");

		json_array_append_new(list, json_stringn(choices, length));
		choices += length + (choices[length] == '|');
	}
	return list;
}

static json_t *
responses(const Route *route)
{
	json_t	   *list = json_object();
	char		status[8];
	bool		has_body = vsm_route_has(route, IN_BODY) || route->handling == HANDLE_IMPORT;

	snprintf(status, sizeof status, "%d", route->status == 0 ? 200 : route->status);
	json_object_set_new(list, status, success(route));
	json_object_set_new(list, "4XX", json_pack("{ss}", "description", "The request is malformed, too large or too slow, or names another host"));
	if (route->handling == HANDLE_ASSET || route->handling == HANDLE_DOCS || route->handling == HANDLE_ROOT)
		json_object_set_new(list, "304", json_pack("{ss}", "description", "Not modified: If-None-Match contains the current ETag"));
	if (route->handling == HANDLE_READY)
	{
		add_error(list, 503, "The service is not ready", "Error");
		add_error(list, 422, "Invalid values, or unknown parameters", "ValidationError");
	}
	if (vsm_route_has(route, IN_PATH))
	{
		add_error(list, 404, "Not found", "Error");
		add_error(list, 422, "Invalid values", "ValidationError");
	}
	if (route->function == NULL)
		return list;

	if (route->writes)
		add_error(list, 403, "A page from another origin may not write", "Error");
	if (route->params[0].name != NULL)
		add_error(list, 404, "Not found", "Error");
	if (route->params[0].name != NULL || !route->lenient)
		add_error(list, 422, "Invalid values, or unknown parameters or keys", "ValidationError");
	if (route->writes)
		add_error(list, 409, "The request conflicts with existing data", "Error");
	if (has_body)
	{
		add_error(list, 413, "The body is too large", "Error");
		add_error(list, 415, "The media type of the body is not supported", "Error");
	}
	if (route->handling == HANDLE_IMPORT)
		add_error(list, 507, "There is no room to keep the file while it is imported", "Error");
	add_error(list, 500, "Internal error; see the log of the service", "Error");
	add_error(list, 503, "Temporarily unavailable; see Retry-After", "Error");
	add_error(list, 504, "The database took too long", "Error");
	return list;
}

static json_t *
success(const Route *route)
{
	const char *type = "application/json";
	json_t	   *schema = json_pack("{ss}", "type", "string");
	json_t	   *contents;

	if (route->answer != NULL)
	{
		json_decref(schema);
		schema = schema_ref(route->answer);
	}
	else if (route->handling == HANDLE_METRICS)
		type = "text/plain";
	else
		type = "text/html";
	contents = content(type, schema);
	for (const FileType *file = vsm_file_types; route->handling == HANDLE_ASSET && file->type != NULL; file++)
	{
		char	   *plain = vsm_copy_n(file->type, strcspn(file->type, ";"));

		json_object_set_new(contents, plain, json_pack("{s{ss}}", "schema", "type", "string"));
		free(plain);
		if (file->ending == NULL)
			break;
	}
	if (route->handling == HANDLE_METRICS)
		json_object_set_new(contents, "application/openmetrics-text", json_pack("{s{ss}}", "schema", "type", "string"));
	if (route->handling == HANDLE_ROOT)
		json_object_set_new(contents, "text/html", json_pack("{s{ss}}", "schema", "type", "string"));
	return json_pack("{ssso}", "description", "Success", "content", contents);
}

/* "Stage[]" means an array of Stage. */
static json_t *
schema_ref(const char *name)
{
	size_t		length = strcspn(name, "[");
	char	   *path = vsm_format("#/components/schemas/%.*s", (int) length, name);
	json_t	   *ref = json_pack("{ss}", "$ref", path);

	free(path);
	return name[length] == '[' ? json_pack("{ssso}", "type", "array", "items", ref) : ref;
}

static void
add_error(json_t *list, int status, const char *description, const char *schema)
{
	char		key[8];

	snprintf(key, sizeof key, "%d", status);
	json_object_set_new(list, key, json_pack("{ssso}", "description", description, "content", content("application/json", schema_ref(schema))));
}

static json_t *
content(const char *type, json_t *schema)
{
	return json_pack("{s{so}}", type, "schema", schema);
}
