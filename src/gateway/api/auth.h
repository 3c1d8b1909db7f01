/*
 * auth.h
 *		Authenticates requests: a JSON Web Token gives a database role.
 */
#ifndef VSM_GATEWAY_AUTH_H
#define VSM_GATEWAY_AUTH_H

#include <stdbool.h>

typedef struct Identity
{
	char	   *role;			/* NULL: the user of the connection; tokens are not required */
	char	   *claims;			/* JSON */
	bool		anonymous;		/* the request has no token */
	const char *refusal;		/* a sentence for the client; NULL: accepted */
} Identity;

extern Identity vsm_auth(const char *authorization);
extern void vsm_identity_free(Identity *identity);

#endif
