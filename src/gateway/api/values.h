/*
 * values.h
 *		The values of a request's parameters, and what is wrong with them.
 */
#ifndef VSM_GATEWAY_VALUES_H
#define VSM_GATEWAY_VALUES_H

#include <jansson.h>

#include "routes.h"

typedef struct Values
{
	char	   *text[MAX_PARAMS];	/* what the statement takes; NULL: left out */
	json_t	   *errors;			/* array of CONTRACT's 422 entries; NULL: none */
	const Param *type;			/* a type to look up; where in errors its entry belongs, and the value */
	size_t		type_place;
	json_t	   *type_input;
	char	   *missing_item;	/* an id beyond bigint, as it was given */
} Values;

extern void vsm_values_read(Values *values, const Route *route, const Segment *wildcards,
							const char *query, json_t *body);
extern bool vsm_values_bad_body(Values *values, const char *bytes, size_t length, json_t **body);
extern void vsm_values_check_type(Values *values, const json_t *types);
extern void vsm_values_free(Values *values);

#endif
