/*
 * invalid.c
 *		The entries of a 422 answer, one for each refused value.
 *
 * Their form is the one that clients of the old service know: type, loc, msg, input, ctx.
 */
#include "invalid.h"

#include <stdlib.h>
#include <string.h>

#include "limits.h"

static json_t *loc_of(const Param *param);

/* param NULL: the body as a whole.  Takes ownership of ctx. */
void
vsm_invalid(Values *values, const Param *param, const char *type, const char *message, json_t *input, json_t *ctx)
{
	vsm_invalid_add(values, vsm_invalid_entry(type, param == NULL ? json_pack("[s]", "body") : loc_of(param), message, input, ctx));
}

void
vsm_invalid_string(Values *values, const Param *param, json_t *input)
{
	vsm_invalid(values, param, "string_unicode",
		 "Input should be a valid string, unable to parse raw data as a unicode string", input, NULL);
}

void
vsm_invalid_range(Values *values, const Param *param, bool too_great, json_t *input)
{
	bool		has_limits = param->kind == KIND_INTEGER;
	int64_t		least = has_limits ? param->least : INT64_MIN;
	int64_t		most = has_limits ? param->most : INT64_MAX;
	int64_t		bound = too_great ? most : least;
	char	   *message = vsm_format("Input should be %s than or equal to %lld", too_great ? "less" : "greater", (long long) bound);

	vsm_invalid(values, param, too_great ? "less_than_equal" : "greater_than_equal", message, input,
		 json_pack("{sI}", too_great ? "le" : "ge", (json_int_t) bound));
	free(message);
}

/* The message is: Input should be 'a', 'b' or 'c' */
void
vsm_invalid_choice(Values *values, size_t place, const Param *param, const char *type, const json_t *choices, json_t *input)
{
	Text		expected = {0};
	char	   *message;

	vsm_text_adds(&expected, "");
	vsm_list_choices(&expected, choices);
	message = vsm_format("Input should be %s", expected.data);
	if (values->errors == NULL)
		values->errors = json_array();
	json_array_insert_new(values->errors, place,
						  vsm_invalid_entry(type, loc_of(param), message, input, json_pack("{ss}", "expected", expected.data)));
	free(message);
	vsm_text_free(&expected);
}

/* 'a', 'b' or 'c' */
void
vsm_list_choices(Text *list, const json_t *choices)
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

json_t *
vsm_split_choices(const char *choices)
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

bool
vsm_json_contains(const json_t *list, const json_t *value)
{
	size_t		i;
	json_t	   *item;

	json_array_foreach(list, i, item)
		if (json_equal(item, value))
			return true;
	return false;
}

/* Takes ownership of the entry. */
void
vsm_invalid_add(Values *values, json_t *made)
{
	if (values->errors == NULL)
		values->errors = json_array();
	json_array_append_new(values->errors, made);
}

/* Takes ownership of loc and of ctx, which may be NULL. */
json_t *
vsm_invalid_entry(const char *type, json_t *loc, const char *message, json_t *input, json_t *ctx)
{
	json_t	   *error = json_object();

	json_object_set_new(error, "type", json_string(type));
	json_object_set_new(error, "loc", loc);
	json_object_set_new(error, "msg", vsm_json_string(message, strlen(message)));
	json_object_set_new(error, "input", vsm_invalid_input(input));
	if (ctx != NULL)
		json_object_set_new(error, "ctx", ctx);
	return error;
}

/* The refused value as the answer repeats it: a long text is cut. */
json_t *
vsm_invalid_input(json_t *input)
{
	char	   *cut;
	json_t	   *shown;

	if (!json_is_string(input) || json_string_length(input) <= MAX_REPEATED)
		return json_incref(input);
	cut = vsm_copy_cut(json_string_value(input), MAX_REPEATED);
	shown = vsm_json_string(cut, strlen(cut));
	free(cut);
	return shown;
}

static json_t *
loc_of(const Param *param)
{
	static const char *const places[] = {"path", "query", "body"};

	return json_pack("[ss]", places[param->where], param->name);
}

json_t *
vsm_json_string(const char *bytes, size_t length)
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
