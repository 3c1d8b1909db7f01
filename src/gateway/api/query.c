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

/* The last value of that name, decoded; NULL if there is none.  The caller must free it. */
char *
vsm_query_value(const char *query, const char *name, size_t *length)
{
	char	   *value = NULL;

	while (query != NULL && *query != '\0')
	{
		size_t		pair = strcspn(query, "&");
		const char *equals = memchr(query, '=', pair);
		size_t		n = equals == NULL ? pair : (size_t) (equals - query);
		size_t		name_length;
		char	   *decoded = vsm_decode(query, n, true, &name_length);

		if (name_length == strlen(name) && memcmp(decoded, name, name_length) == 0)
		{
			free(value);
			value = vsm_decode(query + n + (equals != NULL), pair - n - (equals != NULL), true, length);
		}
		free(decoded);
		query += pair;
		if (*query == '&')
			query++;
	}
	return value;
}
