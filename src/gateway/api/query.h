/*
 * query.h
 *		Percent-encoding and query strings.
 */
#ifndef VSM_GATEWAY_QUERY_H
#define VSM_GATEWAY_QUERY_H

#include <stdbool.h>
#include <stddef.h>

extern char *vsm_decode(const char *bytes, size_t length, bool plus_is_space, size_t *decoded_length);
extern char *vsm_query_value(const char *query, const char *name, size_t *length);

#endif
