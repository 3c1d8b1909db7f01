/*
 * query.c
 *		Percent-encoding and query strings.
 *
 * Input is treated as bytes.  NUL and invalid UTF-8 are passed on; the users of a value must check
 * it.
 */
#include "query.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

static int	hex(char c);

/* A % that is not followed by two hexadecimal digits is kept. */
char *
vsm_decode(const char *bytes, size_t length, bool plus_is_space, size_t *decoded_length)
{
	char	   *decoded = vsm_alloc(length + 1);
	size_t		n = 0;

	for (size_t i = 0; i < length; i++)
	{
		if (bytes[i] == '+' && plus_is_space)
			decoded[n++] = ' ';
		else if (bytes[i] == '%' && length - i > 2 && hex(bytes[i + 1]) >= 0 && hex(bytes[i + 2]) >= 0)
		{
			decoded[n++] = (char) (hex(bytes[i + 1]) * 16 + hex(bytes[i + 2]));
			i += 2;
		}
		else
			decoded[n++] = bytes[i];
	}
	*decoded_length = n;
	return decoded;
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Take the first pair off a query string, which may be NULL; false: none is left.  Skips empty pairs, as in "a=1&&b=2". */
bool
vsm_query_next(const char **query, Pair *pair)
{
	const char *at = *query;
	const char *equals;
	size_t		length;

	if (at == NULL)
		return false;
	at += strspn(at, "&");
	length = strcspn(at, "&");
	equals = memchr(at, '=', length);
	pair->name = at;
	pair->name_length = equals == NULL ? length : (size_t) (equals - at);
	pair->value = equals == NULL ? at + length : equals + 1;
	pair->value_length = (size_t) (at + length - pair->value);
	*query = at + length;
	return length > 0;
}

/* The last value of that name, decoded; NULL if there is none.  The caller must free it. */
char *
vsm_query_value(const char *query, const char *name, size_t *length)
{
	char	   *value = NULL;
	Pair		pair;

	while (vsm_query_next(&query, &pair))
	{
		size_t		name_length;
		char	   *decoded = vsm_decode(pair.name, pair.name_length, true, &name_length);

		if (name_length == strlen(name) && memcmp(decoded, name, name_length) == 0)
		{
			free(value);
			value = vsm_decode(pair.value, pair.value_length, true, length);
		}
		free(decoded);
	}
	return value;
}
