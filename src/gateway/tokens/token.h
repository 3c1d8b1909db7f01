/*
 * token.h
 *		Checks JSON Web Tokens.
 */
#ifndef VSM_GATEWAY_TOKEN_H
#define VSM_GATEWAY_TOKEN_H

#include <jansson.h>
#include <stdbool.h>

typedef enum TokenOutcome
{
	TOKEN_VALID,
	TOKEN_REFUSED,
	TOKEN_WAITS,				/* for keys that vsm_keys_ask() has asked for */
	TOKEN_WITHOUT_KEYS			/* the keys could not be fetched so far */
} TokenOutcome;

extern TokenOutcome vsm_token_check(const char *token, bool may_wait, json_t **claims, const char **refusal);

#endif
