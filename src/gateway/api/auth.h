/*
 * auth.h
 *		Authenticates requests: a JSON Web Token gives a database role, and names a person.
 */
#ifndef VSM_GATEWAY_AUTH_H
#define VSM_GATEWAY_AUTH_H

#include <stdbool.h>

typedef struct Identity
{
	char	   *role;			/* NULL: the user of the connection; tokens are not required */
	char	   *actor;			/* the person, for vsm.actor; NULL: the token names none */
	char	   *claims;			/* JSON */
	bool		anonymous;		/* the request has no token */
	bool		waits;			/* for keys: vsm_keys_wait(), then ask again */
	bool		unavailable;	/* there are no keys that the token could be checked with */
	const char *refusal;		/* a sentence for the client; NULL: accepted */
} Identity;

extern char *vsm_auth_start(void);
extern Identity vsm_auth(const char *authorization, bool may_wait);
extern void vsm_identity_free(Identity *identity);

#endif
