/*
 * values.c
 *		Reads and checks the values of a request's parameters.
 *
 * Every invalid value is reported: path before query before body, then unknown parameters of the
 * query, in the form that clients of the old service know (CONTRACT: type, loc, msg, input, ctx).
 * Only the database knows whether a type of work item exists.  Such a value stays in type_input until vsm_values_check_type() gets the
 * types that are defined then.
 */
#include "values.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kinds.h"
#include "query.h"
#include "text.h"

/* Unknown parameters that are reported: an answer must not be many times longer than its request. */
#define MAX_UNKNOWN 20

#define BYTE_ORDER_MARK "\xEF\xBB\xBF"

static void refuse_unknown(Values *values, const Route *route, const char *query);
static void read_text(Values *values, int n, const Param *param, const char *bytes, size_t length, json_t *input);
static void read_integer(Values *values, int n, const Param *param, const char *bytes, size_t length, json_t *input);
static void read_string(Values *values, int n, const Param *param, const char *bytes, size_t length, json_t *input);
static void read_body(Values *values, int n, const Param *param, json_t *body);
static void read_number(Values *values, int n, const Param *param, json_t *value);
static bool is_string(const json_t *value);
static void not_a_string(Values *values, const Param *param, json_t *input);
static void keep_or_fail(Values *values, int n, const Param *param, char *read, json_t *input);
static void out_of_range(Values *values, const Param *param, bool too_great, json_t *input);
static void expect_one_of(Values *values, size_t place, const Param *param, const char *type, const json_t *choices, json_t *input);
static bool contains(const json_t *list, const json_t *value);
static void list_choices(Text *list, const json_t *choices);
static json_t *split_choices(const char *choices);
static void add_entry(Values *values, json_t *made);
static void fail(Values *values, const Param *param, const char *type, const char *message, json_t *input, json_t *ctx);
static json_t *entry(const char *type, json_t *loc, const char *message, json_t *input, json_t *ctx);
static json_t *loc_of(const Param *param);
static json_t *string_of(const char *bytes, size_t length);

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
			json_t	   *input = string_of(bytes, length);

			read_text(values, n, param, bytes, length, input);
			json_decref(input);
		}
		else if (param->required)
			fail(values, param, "missing", "Field required", json_null(), NULL);
		free(bytes);
	}
	values->body = NULL;
	if (!route->lenient)
		refuse_unknown(values, route, query);
	if (wants_body && body == NULL)
		fail(values, NULL, "missing", "Field required", json_null(), NULL);
	else if (wants_body && !json_is_object(body))
		fail(values, NULL, "model_attributes_type",
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
refuse_unknown(Values *values, const Route *route, const char *query)
{
	json_t	   *known = json_array();
	Text		list = {0};
	Pair		pair;

	for (const Param *param = route->params; param->name != NULL; param++)
		if (param->where == IN_QUERY)
			json_array_append_new(known, json_string(param->name));
	list_choices(&list, known);
	for (int n = 0; n < MAX_UNKNOWN && vsm_query_next(&query, &pair);)
	{
		size_t		length;
		char	   *name = vsm_decode(pair.name, pair.name_length, true, &length);
		json_t	   *name_json = string_of(name, length);

		if (!contains(known, name_json))
		{
			char	   *value = vsm_decode(pair.value, pair.value_length, true, &length);
			json_t	   *input = string_of(value, length);

			add_entry(values, entry("extra_forbidden", json_pack("[sO]", "query", name_json), "Extra inputs are not permitted", input,
									list.length == 0 ? NULL : json_pack("{ss}", "expected", list.data)));
			json_decref(input);
			free(value);
			n++;
		}
		json_decref(name_json);
		free(name);
	}
	vsm_text_free(&list);
	json_decref(known);
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
				not_a_string(values, param, input);
			else
				read_string(values, n, param, bytes, length, input);
			break;
		case KIND_TIME:
			keep_or_fail(values, n, param, vsm_read_time(bytes, length), input);
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
		case KIND_DATE:
			keep_or_fail(values, n, param, vsm_read_date(bytes, length), input);
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
				json_t	   *choices = split_choices(param->choices);

				expect_one_of(values, json_array_size(values->errors), param, "literal_error", choices, input);
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
		fail(values, param, "int_parsing", "Input should be a valid integer, unable to parse string as an integer", input, NULL);
	else if (verdict != NUMBER_OK && param->where == IN_PATH)
	{
		values->missing = param;
		values->missing_id = vsm_copy_n(bytes, length);
	}
	else if (verdict != NUMBER_OK)
		out_of_range(values, param, verdict == NUMBER_TOO_GREAT, input);
	else if (param->kind == KIND_INTEGER && (number < param->least || number > param->most))
		out_of_range(values, param, number > param->most, input);
	else
		values->text[n] = vsm_format("%lld", (long long) number);
}

/* bytes must be valid UTF-8. */
static void
read_string(Values *values, int n, const Param *param, const char *bytes, size_t length, json_t *input)
{
	size_t		characters = vsm_utf8_characters(bytes, length);

	if (memchr(bytes, '\0', length) != NULL)
		not_a_string(values, param, input);
	else if (characters < (size_t) param->least)
		fail(values, param, "string_too_short", "String should have at least 1 character", input,
			 json_pack("{sI}", "min_length", (json_int_t) param->least));
	else if (param->most > 0 && characters > (size_t) param->most)
	{
		char	   *message = vsm_format("String should have at most %lld characters", (long long) param->most);

		fail(values, param, "string_too_long", message, input, json_pack("{sI}", "max_length", (json_int_t) param->most));
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
			fail(values, param, "missing", "Field required", body, NULL);
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
	else if (param->kind == KIND_BOOLEAN)
		keep_or_fail(values, n, param, json_is_boolean(value) ? vsm_copy(json_is_true(value) ? "true" : "false") : NULL, value);
	else if (param->kind == KIND_TIME)
		fail(values, param, "datetime_type", "Input should be a valid datetime", value, NULL);
	else
		fail(values, param, "string_type", "Input should be a valid string", value, NULL);
}

/* A number of JSON; an integer beyond 64 bits is a real by now, and out of any range. */
static void
read_number(Values *values, int n, const Param *param, json_t *value)
{
	double		number = json_number_value(value);

	if (!json_is_number(value) || (json_is_real(value) && number != floor(number)))
		fail(values, param, "int_type", "Input should be a valid integer", value, NULL);
	else if (number < (double) param->least || number > (double) param->most)
		out_of_range(values, param, number > 0, value);
	else
		values->text[n] = vsm_format("%lld", json_is_integer(value) ? (long long) json_integer_value(value) : (long long) number);
}

/* Is it a string that the database can store, without NUL? */
static bool
is_string(const json_t *value)
{
	return json_is_string(value) && strlen(json_string_value(value)) == json_string_length(value);
}

static void
not_a_string(Values *values, const Param *param, json_t *input)
{
	fail(values, param, "string_unicode",
		 "Input should be a valid string, unable to parse raw data as a unicode string", input, NULL);
}

static void
keep_or_fail(Values *values, int n, const Param *param, char *read, json_t *input)
{
	values->text[n] = read;
	if (read != NULL)
		return;
	if (param->kind == KIND_TIME || param->kind == KIND_INSTANT)
		fail(values, param, "datetime_parsing", "Input should be a valid datetime, as in RFC 3339", input, NULL);
	else if (param->kind == KIND_DATE)
		fail(values, param, "date_parsing", "Input should be a valid date in the format YYYY-MM-DD", input, NULL);
	else if (param->kind == KIND_OBJECT)
		fail(values, param, "dict_type", "Input should be a valid JSON object, such as {\"team\": \"red\"}", input, NULL);
	else if (param->kind == KIND_LIST)
		fail(values, param, "list_type", "Input should be a valid list of objects", input, NULL);
	else if (param->kind == KIND_PERCENTILES)
		fail(values, param, "list_type", "Input should be at most 20 numbers in percent, from 1 to below 100, such as 50,85,95", input, NULL);
	else if (param->kind == KIND_BOOLEAN)
		fail(values, param, "bool_parsing", "Input should be a valid boolean, unable to interpret input", input, NULL);
	else
		fail(values, param, "time_delta_parsing",
			 "Input should be a valid step, a number of minutes, hours, days, weeks or months", input, NULL);
}

static void
out_of_range(Values *values, const Param *param, bool too_great, json_t *input)
{
	bool		has_limits = param->kind == KIND_INTEGER;
	int64_t		least = has_limits ? param->least : INT64_MIN;
	int64_t		most = has_limits ? param->most : INT64_MAX;
	int64_t		bound = too_great ? most : least;
	char	   *message = vsm_format("Input should be %s than or equal to %lld", too_great ? "less" : "greater", (long long) bound);

	fail(values, param, too_great ? "less_than_equal" : "greater_than_equal", message, input,
		 json_pack("{sI}", too_great ? "le" : "ge", (json_int_t) bound));
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
	if (!contains(types, input))
		expect_one_of(values, values->type_place, values->type, "enum", types, input);
	json_decref(input);
}

static bool
contains(const json_t *list, const json_t *value)
{
	size_t		i;
	json_t	   *item;

	json_array_foreach(list, i, item)
		if (json_equal(item, value))
			return true;
	return false;
}

/* The message is: Input should be 'a', 'b' or 'c' */
static void
expect_one_of(Values *values, size_t place, const Param *param, const char *type, const json_t *choices, json_t *input)
{
	Text		expected = {0};
	char	   *message;

	vsm_text_adds(&expected, "");
	list_choices(&expected, choices);
	message = vsm_format("Input should be %s", expected.data);
	if (values->errors == NULL)
		values->errors = json_array();
	json_array_insert_new(values->errors, place,
						  entry(type, loc_of(param), message, input, json_pack("{ss}", "expected", expected.data)));
	free(message);
	vsm_text_free(&expected);
}

/* 'a', 'b' or 'c' */
static void
list_choices(Text *list, const json_t *choices)
{
	size_t		n = json_array_size(choices);
	size_t		i;
	json_t	   *choice;

	json_array_foreach(choices, i, choice)
	{
		if (i > 0)
			vsm_text_adds(list, i + 1 < n ? ", " : " or ");
		vsm_text_addf(list, "'%s'", json_string_value(choice));
	}
}

static json_t *
split_choices(const char *choices)
{
	json_t	   *list = json_array();

	while (*choices != '\0')
	{
		size_t		n = strcspn(choices, "|");

		json_array_append_new(list, json_stringn(choices, n));
		choices += n + (choices[n] == '|');
	}
	return list;
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
						  entry("json_invalid", json_pack("[si]", "body", error.position), "JSON decode error", input,
								json_pack("{so}", "error", string_of(error.text, strlen(error.text)))));
	json_decref(input);
	return true;
}

/* param NULL: the body as a whole.  Takes ownership of ctx. */
static void
fail(Values *values, const Param *param, const char *type, const char *message, json_t *input, json_t *ctx)
{
	add_entry(values, entry(type, param == NULL ? json_pack("[s]", "body") : loc_of(param), message, input, ctx));
}

/* Takes ownership of the entry. */
static void
add_entry(Values *values, json_t *made)
{
	if (values->errors == NULL)
		values->errors = json_array();
	json_array_append_new(values->errors, made);
}

/* Takes ownership of loc and of ctx, which may be NULL. */
static json_t *
entry(const char *type, json_t *loc, const char *message, json_t *input, json_t *ctx)
{
	json_t	   *error = json_object();

	json_object_set_new(error, "type", json_string(type));
	json_object_set_new(error, "loc", loc);
	json_object_set_new(error, "msg", string_of(message, strlen(message)));
	json_object_set(error, "input", input);
	if (ctx != NULL)
		json_object_set_new(error, "ctx", ctx);
	return error;
}

static json_t *
loc_of(const Param *param)
{
	static const char *const places[] = {"path", "query", "body"};

	return json_pack("[ss]", places[param->where], param->name);
}

static json_t *
string_of(const char *bytes, size_t length)
{
	json_t	   *string = json_stringn(bytes, length);

	if (string == NULL)
	{
		size_t		n;
		char	   *repaired = vsm_utf8_repaired(bytes, length, &n);

		string = json_stringn(repaired, n);
		free(repaired);
	}
	return string;
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
