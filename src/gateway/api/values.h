/*
 * values.h
 *		Reads and checks the values of a request's parameters.
 */
#ifndef VSM_GATEWAY_VALUES_H
#define VSM_GATEWAY_VALUES_H

#include <jansson.h>

#include "value_list.h"

extern void vsm_values_read(Values *values, const Route *route, const Segment *wildcards,
							const char *query, json_t *body);
extern bool vsm_values_bad_body(Values *values, const char *bytes, size_t length, json_t **body);
extern void vsm_values_check_type(Values *values, const json_t *types);
extern void vsm_values_free(Values *values);

#endif
