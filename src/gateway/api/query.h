/*
 * query.h
 *		Percent-encoding and query strings.
 */
#ifndef VSM_GATEWAY_QUERY_H
#define VSM_GATEWAY_QUERY_H

#include <stdbool.h>
#include <stddef.h>

extern char *vsm_decode(const char *bytes, size_t length, bool plus_is_space, size_t *decoded_length);
/* A pair of a query string, still percent-encoded; without "=", the value is empty. */
typedef struct Pair
{
	const char *name;
	size_t		name_length;
	const char *value;
	size_t		value_length;
} Pair;

extern bool vsm_query_next(const char **query, Pair *pair);
extern char *vsm_query_value(const char *query, const char *name, size_t *length);

#endif
