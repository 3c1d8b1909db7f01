/*
 * value_list.h
 *		The values of a request's parameters, and what is wrong with them.
 */
#ifndef VSM_GATEWAY_VALUE_LIST_H
#define VSM_GATEWAY_VALUE_LIST_H

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

#endif
