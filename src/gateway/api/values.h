/*
 * values.h
 *		Reads and checks the values of a request's parameters.
 */
#ifndef VSM_GATEWAY_VALUES_H
#define VSM_GATEWAY_VALUES_H

#include <jansson.h>

#include "routes.h"

typedef struct Values
{
	char	   *text[MAX_PARAMS];	/* parameters of the statement; NULL: not given */
	json_t	   *errors;			/* array of 422 entries as in CONTRACT; NULL: none */
	const Param *type;			/* parameter with a type to look up in the database; or NULL */
	size_t		type_place;		/* index in errors for its entry */
	json_t	   *type_input;		/* its value */
	const Param *missing;		/* a parameter of the path whose id does not fit into bigint; or NULL */
	char	   *missing_id;		/* the id, as given */
	const char *body;			/* bytes of the body that was parsed, until vsm_values_read() returns */
	size_t		body_length;
} Values;

extern void vsm_values_read(Values *values, const Route *route, const Segment *wildcards,
							const char *query, json_t *body);
extern bool vsm_values_bad_body(Values *values, const char *bytes, size_t length, json_t **body);
extern void vsm_values_check_type(Values *values, const json_t *types);
extern void vsm_values_free(Values *values);

#endif
