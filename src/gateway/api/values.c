/*
 * values.c
 *		Reads and checks the values of a request's parameters.
 *
 * Every invalid value is reported: path before query before body, then unknown parameters of the
 * query and unknown keys of the body, in the entries of invalid.c.
 * Only the database knows whether a type of work item exists.  Such a value stays in type_input until vsm_values_check_type() gets the
 * types that are defined then.
 */
#include "values.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "invalid.h"
#include "kinds.h"
#include "query.h"
#include "text.h"

/* Unknown parameters and unknown keys that are reported, of each: an answer must not be many times longer than its request. */
#define MAX_UNKNOWN 20

#define BYTE_ORDER_MARK "\xEF\xBB\xBF"

static void refuse_parameters(Values *values, const Route *route, const char *query);
static void refuse_keys(Values *values, const Route *route, json_t *body);
static json_t *names_of(const Route *route, Where where);
static void refuse_unknown(Values *values, const char *place, const json_t *known, json_t *name, json_t *input);
static void read_text(Values *values, int n, const Param *param, const char *bytes, size_t length, json_t *input);
static void read_integer(Values *values, int n, const Param *param, const char *bytes, size_t length, json_t *input);
static void read_string(Values *values, int n, const Param *param, const char *bytes, size_t length, json_t *input);
static void read_body(Values *values, int n, const Param *param, json_t *body);
static void read_share(Values *values, int n, const Param *param, json_t *value);
static char *read_moment(const char *bytes, size_t length);
static void read_number(Values *values, int n, const Param *param, json_t *value);
static bool is_string(const json_t *value);
static void keep_or_fail(Values *values, int n, const Param *param, char *read, json_t *input);
static void fail_step(Values *values, const Param *param, json_t *input);
static void fail_object(Values *values, const Param *param, json_t *input);

/*
 * vsm_values_read
 *		Read and check every parameter of a route.
 *
 * wildcards and query are still percent-encoded; body is what vsm_values_bad_body() has parsed, or
 * NULL.  The caller initializes values with {0}.
 */
void
vsm_values_read(Values *values, const Route *route, const Segment *wildcards, const char *query, json_t *body)
{
	bool		wants_body = vsm_route_has(route, IN_BODY);
	bool		needs_body = vsm_route_needs_body(route);

	for (int n = 0; route->params[n].name != NULL; n++)
	{
		const Param *param = &route->params[n];
		size_t		length = 0;
		char	   *bytes = NULL;

		if (param->where == IN_BODY)
		{
			if (json_is_object(body))
				read_body(values, n, param, body);
			continue;
		}
		if (param->where == IN_PATH)
		{
			bytes = vsm_decode(wildcards->bytes, wildcards->length, false, &length);
			wildcards++;
		}
		else
			bytes = vsm_query_value(query, param->name, &length);

		if (bytes != NULL)
		{
			json_t	   *input = vsm_json_string(bytes, length);

			read_text(values, n, param, bytes, length, input);
			json_decref(input);
		}
		else if (param->required)
			vsm_invalid(values, param, "missing", "Field required", json_null(), NULL);
		free(bytes);
	}
	values->body = NULL;
	if (!route->lenient)
	{
		refuse_parameters(values, route, query);
		refuse_keys(values, route, body);
	}
	if (needs_body && body == NULL)
		vsm_invalid(values, NULL, "missing", "Field required", json_null(), NULL);
	else if (wants_body && body != NULL && !json_is_object(body))
		vsm_invalid(values, NULL, "model_attributes_type",
			 "Input should be a valid dictionary or object to extract fields from", body, NULL);

	/* Without other errors, the statement itself finds out whether the type exists. */
	if (values->type_input != NULL && values->errors == NULL && is_string(values->type_input))
	{
		json_decref(values->type_input);
		values->type_input = NULL;
	}
}

/* Report parameters of the query that the route does not have.  Empty names count as well. */
static void
refuse_parameters(Values *values, const Route *route, const char *query)
{
	json_t	   *known = names_of(route, IN_QUERY);
	Pair		pair;

	for (int n = 0; n < MAX_UNKNOWN && vsm_query_next(&query, &pair);)
	{
		size_t		length;
		char	   *name = vsm_decode(pair.name, pair.name_length, true, &length);
		json_t	   *name_json = vsm_json_string(name, length);

		if (!vsm_json_contains(known, name_json))
		{
			char	   *value = vsm_decode(pair.value, pair.value_length, true, &length);
			json_t	   *input = vsm_json_string(value, length);

			refuse_unknown(values, "query", known, name_json, input);
			json_decref(input);
			free(value);
			n++;
		}
		json_decref(name_json);
		free(name);
	}
	json_decref(known);
}

/* Report keys of the body that the route does not have.  A route without keys ignores its body. */
static void
refuse_keys(Values *values, const Route *route, json_t *body)
{
	json_t	   *known = names_of(route, IN_BODY);
	const char *name;
	json_t	   *input;
	int			n = 0;

	if (json_array_size(known) == 0)
		body = NULL;
	json_object_foreach(body, name, input)
	{
		json_t	   *name_json = json_string(name);

		if (n < MAX_UNKNOWN && !vsm_json_contains(known, name_json))
		{
			refuse_unknown(values, "body", known, name_json, input);
			n++;
		}
		json_decref(name_json);
	}
	json_decref(known);
}

static json_t *
names_of(const Route *route, Where where)
{
	json_t	   *names = json_array();

	for (const Param *param = route->params; param->name != NULL; param++)
		if (param->where == where)
			json_array_append_new(names, json_string(param->name));
	return names;
}

static void
refuse_unknown(Values *values, const char *place, const json_t *known, json_t *name, json_t *input)
{
	Text		list = {0};

	vsm_list_choices(&list, known);
	vsm_invalid_add(values, vsm_invalid_entry("extra_forbidden", json_pack("[so]", place, vsm_invalid_input(name)), "Extra inputs are not permitted", input,
							list.length == 0 ? NULL : json_pack("{ss}", "expected", list.data)));
	vsm_text_free(&list);
}

/* Check a value given as text. */
static void
read_text(Values *values, int n, const Param *param, const char *bytes, size_t length, json_t *input)
{
	switch (param->kind)
	{
		case KIND_ID:
		case KIND_INTEGER:
			read_integer(values, n, param, bytes, length, input);
			break;
		case KIND_STRING:
		case KIND_TYPE:
			if (!vsm_utf8_valid(bytes, length))
				vsm_invalid_string(values, param, input);
			else
				read_string(values, n, param, bytes, length, input);
			break;
		case KIND_TIME:
			keep_or_fail(values, n, param, param->where == IN_BODY ? read_moment(bytes, length) : vsm_read_time(bytes, length), input);
			break;
		case KIND_INSTANT:
			keep_or_fail(values, n, param, vsm_read_instant(bytes, length), input);
			break;
		case KIND_OBJECT:
			keep_or_fail(values, n, param, vsm_read_object(bytes, length), input);
			break;
		case KIND_LIST:
			keep_or_fail(values, n, param, vsm_read_list(bytes, length), input);
			break;
		case KIND_PERCENTILES:
			keep_or_fail(values, n, param, vsm_read_percentiles(bytes, length), input);
			break;
		case KIND_SHARE:
			keep_or_fail(values, n, param, vsm_read_share(bytes, length), input);
			break;
		case KIND_DATE:
			keep_or_fail(values, n, param, vsm_read_date(bytes, length), input);
			break;
		case KIND_FLAG:
			keep_or_fail(values, n, param, vsm_copy(length == 0 ? "true" : vsm_read_boolean(bytes, length)), input);
			break;
		case KIND_BOOLEAN:
			keep_or_fail(values, n, param, vsm_copy(vsm_read_boolean(bytes, length)), input);
			break;
		case KIND_STEP:
			keep_or_fail(values, n, param, vsm_read_step(bytes, length), input);
			break;
		case KIND_CHOICE:
			if (vsm_read_choice(param->choices, bytes, length))
				values->text[n] = vsm_copy_n(bytes, length);
			else
			{
				json_t	   *choices = vsm_split_choices(param->choices);

				vsm_invalid_choice(values, json_array_size(values->errors), param, "literal_error", choices, input);
				json_decref(choices);
			}
			break;
	}
}

static void
read_integer(Values *values, int n, const Param *param, const char *bytes, size_t length, json_t *input)
{
	int64_t		number;
	Number		verdict = vsm_read_integer(bytes, length, &number);

	if (verdict == NUMBER_NONE)
		vsm_invalid(values, param, "int_parsing", "Input should be a valid integer, unable to parse string as an integer", input, NULL);
	else if (verdict != NUMBER_OK && param->where == IN_PATH)
	{
		values->missing = param;
		values->missing_id = vsm_copy_n(bytes, length);
	}
	else if (verdict != NUMBER_OK)
		vsm_invalid_range(values, param, verdict == NUMBER_TOO_GREAT, input);
	else if (param->kind == KIND_INTEGER && (number < param->least || number > param->most))
		vsm_invalid_range(values, param, number > param->most, input);
	else
		values->text[n] = vsm_format("%lld", (long long) number);
}

/* bytes must be valid UTF-8. */
static void
read_string(Values *values, int n, const Param *param, const char *bytes, size_t length, json_t *input)
{
	size_t		characters = vsm_utf8_characters(bytes, length);

	if (memchr(bytes, '\0', length) != NULL)
		vsm_invalid_string(values, param, input);
	else if (characters < (size_t) param->least)
		vsm_invalid(values, param, "string_too_short", "String should have at least 1 character", input,
			 json_pack("{sI}", "min_length", (json_int_t) param->least));
	else if (param->most > 0 && characters > (size_t) param->most)
	{
		char	   *message = vsm_format("String should have at most %lld characters", (long long) param->most);

		vsm_invalid(values, param, "string_too_long", message, input, json_pack("{sI}", "max_length", (json_int_t) param->most));
		free(message);
	}
	else
		values->text[n] = vsm_copy_n(bytes, length);
}

static void
read_body(Values *values, int n, const Param *param, json_t *body)
{
	json_t	   *value = json_object_get(body, param->name);

	if (value == NULL || (json_is_null(value) && !param->required))
	{
		if (param->required)
			vsm_invalid(values, param, "missing", "Field required", body, NULL);
		return;
	}
	if (param->kind == KIND_TYPE)
	{
		values->type = param;
		values->type_place = json_array_size(values->errors);
		values->type_input = json_incref(value);
		if (is_string(value))
			values->text[n] = vsm_copy(json_string_value(value));
		return;
	}
	if (param->kind == KIND_OBJECT || param->kind == KIND_LIST)
	{
		size_t		length;
		const char *text = vsm_json_member(values->body, values->body_length, param->name, &length);

		if (text == NULL)
			keep_or_fail(values, n, param, NULL, value);
		else
			read_text(values, n, param, text, length, value);
	}
	else if (json_is_string(value))
		read_text(values, n, param, json_string_value(value), json_string_length(value), value);
	else if (param->kind == KIND_INTEGER)
		read_number(values, n, param, value);
	else if (param->kind == KIND_SHARE)
		read_share(values, n, param, value);
	else if (param->kind == KIND_BOOLEAN)
		keep_or_fail(values, n, param, json_is_boolean(value) ? vsm_copy(json_is_true(value) ? "true" : "false") : NULL, value);
	else if (param->kind == KIND_TIME)
		vsm_invalid(values, param, "datetime_type", "Input should be a valid datetime", value, NULL);
	else
		vsm_invalid(values, param, "string_type", "Input should be a valid string", value, NULL);
}

/* When something happened.  A date alone is refused: only the database knows the zone of the stream, whose day it would be. */
static char *
read_moment(const char *bytes, size_t length)
{
	char	   *date = vsm_read_date(bytes, length);

	if (date == NULL)
		return vsm_read_time(bytes, length);
	free(date);
	return NULL;
}

/* A number of JSON; an integer beyond 64 bits is a real by now, and out of any range. */
static void
read_number(Values *values, int n, const Param *param, json_t *value)
{
	double		number = json_number_value(value);

	if (!json_is_number(value) || (json_is_real(value) && number != floor(number)))
		vsm_invalid(values, param, "int_type", "Input should be a valid integer", value, NULL);
	else if (number < (double) param->least || number > (double) param->most)
		vsm_invalid_range(values, param, number > 0, value);
	else
		values->text[n] = vsm_format("%lld", json_is_integer(value) ? (long long) json_integer_value(value) : (long long) number);
}

/* A number of JSON above 0 and below 1. */
static void
read_share(Values *values, int n, const Param *param, json_t *value)
{
	double		share = json_number_value(value);

	keep_or_fail(values, n, param, share > 0 && share < 1 ? vsm_format("%.17g", share) : NULL, value);
}

/* Is it a string that the database can store, without NUL? */
static bool
is_string(const json_t *value)
{
	return json_is_string(value) && strlen(json_string_value(value)) == json_string_length(value);
}

static void
keep_or_fail(Values *values, int n, const Param *param, char *read, json_t *input)
{
	values->text[n] = read;
	if (read != NULL)
		return;
	if (param->kind == KIND_TIME && param->where == IN_BODY)
		vsm_invalid(values, param, "datetime_parsing", "Input should be a valid datetime, as in RFC 3339, such as 2026-01-31T09:30:00Z; a date alone is none", input, NULL);
	else if (param->kind == KIND_TIME || param->kind == KIND_INSTANT)
		vsm_invalid(values, param, "datetime_parsing", "Input should be a valid datetime, as in RFC 3339", input, NULL);
	else if (param->kind == KIND_DATE)
		vsm_invalid(values, param, "date_parsing", "Input should be a valid date in the format YYYY-MM-DD", input, NULL);
	else if (param->kind == KIND_OBJECT)
		fail_object(values, param, input);
	else if (param->kind == KIND_LIST)
		vsm_invalid(values, param, "list_type", "Input should be a valid list of objects", input, NULL);
	else if (param->kind == KIND_PERCENTILES)
		vsm_invalid(values, param, "list_type", "Input should be at most 20 numbers in percent, from 1 to below 100, such as 50,85,95", input, NULL);
	else if (param->kind == KIND_SHARE)
		vsm_invalid(values, param, "float_parsing", "Input should be a valid number above 0 and below 1, such as 0.85", input, NULL);
	else if (param->kind == KIND_BOOLEAN || param->kind == KIND_FLAG)
		vsm_invalid(values, param, "bool_parsing", "Input should be a valid boolean, unable to interpret input", input, NULL);
	else
		fail_step(values, param, input);
}

/* Between the points of a series it is a step, elsewhere a duration. */
static void
fail_step(Values *values, const Param *param, json_t *input)
{
	char	   *message = vsm_format("Input should be a valid %s, a number of minutes, hours, days, weeks or months, such as 10 days",
								 strcmp(param->name, "step") == 0 ? "step" : "duration");

	vsm_invalid(values, param, "time_delta_parsing", message, input, NULL);
	free(message);
}

static void
fail_object(Values *values, const Param *param, json_t *input)
{
	char	   *message = vsm_format("Input should be a valid JSON object, such as %s", param->example == NULL ? "{\"team\": \"red\"}" : param->example);

	vsm_invalid(values, param, "dict_type", message, input, NULL);
	free(message);
}

/*
 * vsm_values_check_type
 *		Report the type as an error unless it is defined.
 *
 * types is a JSON array of strings.
 */
void
vsm_values_check_type(Values *values, const json_t *types)
{
	json_t	   *input = values->type_input;

	if (input == NULL)
		return;
	values->type_input = NULL;
	if (!vsm_json_contains(types, input))
		vsm_invalid_choice(values, values->type_place, values->type, "enum", types, input);
	json_decref(input);
}

/*
 * vsm_values_bad_body
 *		Parse the body.  True: it is not JSON, which is then the only error.
 *
 * *body is NULL if the body is empty.  A byte order mark before it does not count.  Integers that do not fit into 64 bits become reals.  That is
 * harmless: keys are ignored, refuse a real, or are read from the bytes, which must stay where they
 * are until vsm_values_read() returns.
 */
bool
vsm_values_bad_body(Values *values, const char *bytes, size_t length, json_t **body)
{
	const size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
	json_error_t error;
	json_t	   *input;

	if (length >= strlen(BYTE_ORDER_MARK) && memcmp(bytes, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
	{
		bytes += strlen(BYTE_ORDER_MARK);
		length -= strlen(BYTE_ORDER_MARK);
	}
	*body = NULL;
	values->body = bytes;
	values->body_length = length;
	if (length == 0)
		return false;
	*body = json_loadb(bytes, length, flags, &error);
	if (*body == NULL && json_error_code(&error) == json_error_numeric_overflow)
		*body = json_loadb(bytes, length, flags | JSON_DECODE_INT_AS_REAL, &error);
	if (*body != NULL)
		return false;

	input = json_object();
	values->errors = json_array();
	json_array_append_new(values->errors,
						  vsm_invalid_entry("json_invalid", json_pack("[si]", "body", error.position), "JSON decode error", input,
								json_pack("{so}", "error", vsm_json_string(error.text, strlen(error.text)))));
	json_decref(input);
	return true;
}

void
vsm_values_free(Values *values)
{
	for (int i = 0; i < MAX_PARAMS; i++)
		free(values->text[i]);
	json_decref(values->errors);
	json_decref(values->type_input);
	free(values->missing_id);
	*values = (Values){0};
}
