/*
 * auth.c
 *		Authenticates requests: a JSON Web Token gives a database role.
 *
 * This works as in PostgREST.  The token's signature, exp, nbf, iat (with 30 seconds of leeway)
 * and aud are checked.  The role claim names the role; without a token, the role is
 * --anonymous-role.  One rule is stricter: with --jwt-aud, a token must contain the audience.
 * The database decides what a role may do.
 *
 * Only the algorithm of the configured key is accepted.  A token with "none", or with HS256 when
 * the key is a public one, is refused before its signature is checked.
 */
#include "auth.h"

#include <jansson.h>
#include <jwt.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "options.h"
#include "text.h"

#define LEEWAY_S 30

static const char *check_token(const char *token, json_t **claims);
static bool algorithm_is(const char *token, const char *wanted);
static const char *check_times(const json_t *claims);
static bool time_claim(const json_t *claims, const char *name, double *seconds, bool *malformed);
static bool names_audience(const json_t *claims);
static const json_t *role_claim(const json_t *claims);

/* authorization: the value of the header; NULL: there is none */
Identity
vsm_auth(const char *authorization)
{
	Identity	who = {0};
	json_t	   *claims = NULL;
	const char *role = vsm_options.anonymous_role;

	if (!vsm_options_auth())
		return who;
	if (authorization == NULL)
	{
		who.anonymous = true;
		claims = json_object();
	}
	else if (strncasecmp(authorization, "Bearer ", 7) != 0)
		who.refusal = "The authorization must be a bearer token";
	else
		who.refusal = check_token(authorization + 7 + strspn(authorization + 7, " "), &claims);

	if (who.refusal == NULL)
	{
		const json_t *claimed = role_claim(claims);

		if (json_is_string(claimed) && strlen(json_string_value(claimed)) == json_string_length(claimed))
			role = json_string_value(claimed);
		else if (claimed != NULL)
			who.refusal = "The token's role is not a string";
		if (role == NULL)
			who.refusal = who.anonymous ? "A token is required" : "The token names no role";
	}
	if (who.refusal == NULL)
	{
		who.role = vsm_copy(role);
		if (!json_object_get(claims, "role"))
			json_object_set_new(claims, "role", json_string(role));
		who.claims = json_dumps(claims, JSON_COMPACT);
	}
	json_decref(claims);
	return who;
}

void
vsm_identity_free(Identity *identity)
{
	free(identity->role);
	free(identity->claims);
}

/* Returns NULL if the token is valid; the caller then owns *claims. */
static const char *
check_token(const char *token, json_t **claims)
{
	const char *key = vsm_options.jwt_secret != NULL ? vsm_options.jwt_secret : vsm_options.jwt_public_key;
	jwt_alg_t	wanted = vsm_options.jwt_secret != NULL ? JWT_ALG_HS256 : JWT_ALG_RS256;
	jwt_t	   *jwt = NULL;
	char	   *text = NULL;
	const char *refusal = NULL;

	if (!algorithm_is(token, jwt_alg_str(wanted)))
		return "The token is malformed or signed by another algorithm";
	if (jwt_decode(&jwt, token, (const unsigned char *) key, (int) strlen(key)) != 0)
		return "The token's signature is wrong";
	if (jwt_get_alg(jwt) != wanted || (text = jwt_get_grants_json(jwt, NULL)) == NULL ||
		(*claims = json_loads(text, 0, NULL)) == NULL)
		refusal = "The token is malformed";
	else
		refusal = check_times(*claims);
	if (refusal == NULL && vsm_options.jwt_audience != NULL && !names_audience(*claims))
		refusal = "The token is for another audience";
	free(text);
	jwt_free(jwt);
	return refusal;
}

/* Reads the token's header before the signature is checked, so trust nothing else in it. */
static bool
algorithm_is(const char *token, const char *wanted)
{
	jwt_t	   *jwt = NULL;
	const char *named;
	bool		is;

	if (jwt_decode(&jwt, token, NULL, 0) != 0)
		return false;
	named = jwt_get_header(jwt, "alg");
	is = named != NULL && strcmp(named, wanted) == 0;
	jwt_free(jwt);
	return is;
}

static const char *
check_times(const json_t *claims)
{
	double		now = (double) time(NULL);
	double		seconds;
	bool		malformed = false;

	if (time_claim(claims, "exp", &seconds, &malformed) && now > seconds + LEEWAY_S)
		return "The token has expired";
	if (time_claim(claims, "nbf", &seconds, &malformed) && now < seconds - LEEWAY_S)
		return "The token is not valid yet";
	if (time_claim(claims, "iat", &seconds, &malformed) && now < seconds - LEEWAY_S)
		return "The token was issued in the future";
	return malformed ? "The token's exp, nbf or iat is not a number" : NULL;
}

static bool
time_claim(const json_t *claims, const char *name, double *seconds, bool *malformed)
{
	const json_t *claim = json_object_get(claims, name);

	if (claim == NULL)
		return false;
	*seconds = json_number_value(claim);
	*malformed = *malformed || !json_is_number(claim);
	return json_is_number(claim);
}

/* The aud claim is a string or an array of strings. */
static bool
names_audience(const json_t *claims)
{
	const json_t *claim = json_object_get(claims, "aud");
	const json_t *one;
	size_t		i;

	if (json_is_string(claim))
		return strcmp(json_string_value(claim), vsm_options.jwt_audience) == 0;
	json_array_foreach(claim, i, one)
		if (json_is_string(one) && strcmp(json_string_value(one), vsm_options.jwt_audience) == 0)
			return true;
	return false;
}

/* --jwt-role-claim is a path: role, .role, app.role */
static const json_t *
role_claim(const json_t *claims)
{
	const char *path = vsm_options.jwt_role_claim;
	const json_t *value = claims;

	while (value != NULL && *path != '\0')
	{
		size_t		length;
		char	   *name;

		path += *path == '.';
		length = strcspn(path, ".");
		name = vsm_copy_n(path, length);
		value = json_object_get(value, name);
		free(name);
		path += length;
	}
	return value;
}
