/*
 * auth.h
 *		Who asks: a JSON Web Token becomes a database role.
 */
#ifndef VSM_GATEWAY_AUTH_H
#define VSM_GATEWAY_AUTH_H

#include <stdbool.h>

typedef struct Identity
{
	char	   *role;			/* NULL: the user of the connection, as nobody must show a token */
	char	   *claims;			/* JSON */
	bool		anonymous;		/* no token */
	const char *refusal;		/* a sentence for the client; NULL: welcome */
} Identity;

extern Identity vsm_auth(const char *authorization);
extern void vsm_identity_free(Identity *identity);

#endif
