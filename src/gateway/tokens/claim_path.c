/*
 * claim_path.c
 *		Paths to claims of a token, as PostgREST writes them.
 *
 *	 .name  ."any name"		a member of an object; the first dot may be left out
 *	 [0]					an element of an array
 *	 [?(@ == "text")]		the first string in an array that is equal to the text; also
 *							!= not equal, ^== begins with, ==^ ends with, *== contains
 *
 * A path that leads nowhere gives no claim, and a filter no string that does not match.
 */
#include "claim_path.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

#define MAX_DEPTH 32
#define MAX_INDEX_DIGITS 6

typedef enum PartKind
{
	PART_NAME,
	PART_INDEX,
	PART_EQUAL,
	PART_UNEQUAL,
	PART_BEGINS,
	PART_ENDS,
	PART_CONTAINS
} PartKind;

typedef struct Part
{
	PartKind	kind;
	char	   *text;			/* NULL: of an index */
	size_t		index;
} Part;

struct ClaimPath
{
	Part		parts[MAX_DEPTH];
	int			n;
};

static const char *read_part(Part *part, const char **at, bool first);
static const char *read_name(Part *part, const char **at);
static const char *read_bracket(Part *part, const char **at);
static const char *read_filter(Part *part, const char **at);
static bool read_quoted(Part *part, const char **at);
static const json_t *first_match(const json_t *array, const Part *part);
static bool matches(const json_t *value, const Part *part);

/*
 * vsm_claim_path
 *		Read a path, up to the end of *text or a comma, and move *text there.
 *
 * Returns NULL and sets *wrong, which is to be freed, if it is malformed.
 */
ClaimPath *
vsm_claim_path(const char **text, char **wrong)
{
	ClaimPath  *path = vsm_alloc(sizeof *path);
	const char *at = *text;
	const char *expected = *at == '\0' || *at == ',' ? "the name of a claim" : NULL;

	while (expected == NULL && *at != '\0' && *at != ',')
	{
		expected = path->n == MAX_DEPTH ? "at most 32 parts" : read_part(&path->parts[path->n], &at, path->n == 0);
		path->n += path->n < MAX_DEPTH;
	}
	if (expected == NULL)
	{
		*text = at;
		return path;
	}
	*wrong = vsm_format("expected %s at \"%s\"", expected, at);
	vsm_claim_path_free(path);
	return NULL;
}

/* These return what was expected at *at; NULL: they have read it. */

static const char *
read_part(Part *part, const char **at, bool first)
{
	if (**at == '[' && !first)
		return read_bracket(part, at);
	if (**at == '.')
		++*at;
	else if (!first)
		return "a dot or a bracket";
	return read_name(part, at);
}

static const char *
read_name(Part *part, const char **at)
{
	size_t		length = strcspn(*at, ".[]()\"', \t");

	part->kind = PART_NAME;
	if (**at == '"')
		return read_quoted(part, at) ? NULL : "the end of a name in quotation marks";
	if (length == 0)
		return "the name of a claim";
	part->text = vsm_copy_n(*at, length);
	*at += length;
	return NULL;
}

static const char *
read_bracket(Part *part, const char **at)
{
	const char *digits = *at + 1;
	size_t		length = strspn(digits, "0123456789");

	if (*digits == '?')
		return read_filter(part, at);
	if (length == 0 || length > MAX_INDEX_DIGITS || digits[length] != ']')
		return "an index such as [0], or a filter such as [?(@ == \"text\")]";
	part->kind = PART_INDEX;
	part->index = strtoul(digits, NULL, 10);
	*at = digits + length + 1;
	return NULL;
}

static const char *
read_filter(Part *part, const char **at)
{
	static const struct
	{
		const char *sign;
		PartKind	kind;
	}			signs[] = {{"==^", PART_ENDS}, {"^==", PART_BEGINS}, {"*==", PART_CONTAINS}, {"==", PART_EQUAL}, {"!=", PART_UNEQUAL}};
	size_t		i = 0;

	if (strncmp(*at, "[?(@", 4) != 0)
		return "a filter such as [?(@ == \"text\")]";
	*at += 4;
	*at += strspn(*at, " ");
	while (i < sizeof signs / sizeof signs[0] && strncmp(*at, signs[i].sign, strlen(signs[i].sign)) != 0)
		i++;
	if (i == sizeof signs / sizeof signs[0])
		return "one of == != ^== ==^ *==";
	part->kind = signs[i].kind;
	*at += strlen(signs[i].sign);
	*at += strspn(*at, " ");
	if (!read_quoted(part, at))
		return "a text in quotation marks";
	*at += strspn(*at, " ");
	if (strncmp(*at, ")]", 2) != 0)
		return ")]";
	*at += 2;
	return NULL;
}

static bool
read_quoted(Part *part, const char **at)
{
	const char *end = **at == '"' ? strchr(*at + 1, '"') : NULL;

	if (end == NULL)
		return false;
	part->text = vsm_copy_n(*at + 1, (size_t) (end - *at) - 1);
	*at = end + 1;
	return true;
}

/* The claim that a path leads to; NULL: there is none. */
const json_t *
vsm_claim(const json_t *claims, const ClaimPath *path)
{
	const json_t *value = claims;

	for (int i = 0; i < path->n && value != NULL; i++)
	{
		const Part *part = &path->parts[i];

		if (part->kind == PART_NAME)
			value = json_object_get(value, part->text);
		else if (part->kind == PART_INDEX)
			value = json_array_get(value, part->index);
		else
			value = first_match(value, part);
	}
	return value;
}

static const json_t *
first_match(const json_t *array, const Part *part)
{
	const json_t *value;
	size_t		i;

	json_array_foreach(array, i, value)
		if (matches(value, part))
			return value;
	return NULL;
}

static bool
matches(const json_t *value, const Part *part)
{
	const char *text = json_string_value(value);
	size_t		length = json_string_length(value);
	size_t		wanted = strlen(part->text);

	if (text == NULL)
		return false;
	switch (part->kind)
	{
		case PART_EQUAL:
			return strcmp(text, part->text) == 0;
		case PART_UNEQUAL:
			return strcmp(text, part->text) != 0;
		case PART_BEGINS:
			return strncmp(text, part->text, wanted) == 0;
		case PART_ENDS:
			return length >= wanted && strcmp(text + length - wanted, part->text) == 0;
		case PART_CONTAINS:
			return strstr(text, part->text) != NULL;
		case PART_NAME:
		case PART_INDEX:
			break;
	}
	return false;
}

/* Is the path only that name? */
bool
vsm_claim_path_is(const ClaimPath *path, const char *name)
{
	return path->n == 1 && path->parts[0].kind == PART_NAME && strcmp(path->parts[0].text, name) == 0;
}

void
vsm_claim_path_free(ClaimPath *path)
{
	for (int i = 0; path != NULL && i < MAX_DEPTH; i++)
		free(path->parts[i].text);
	free(path);
}
