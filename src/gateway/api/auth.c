/*
 * auth.c
 *		Authenticates requests: a JSON Web Token gives a database role, and names a person.
 *
 * This works as in PostgREST: --jwt-role-claim is the path to the claim that names the role; without
 * a token, the role is --anonymous-role.  One rule is stricter: with --jwt-aud, a token must contain
 * the audience.  The database decides what a role may do.
 *
 * --jwt-actor-claim lists paths to claims that name the person; the first one that leads to a usable
 * name counts.  The ledger shows it as actor.  tokens/ checks the token itself.
 */
#include "auth.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "name_rule.h"
#include "options.h"
#include "text.h"
#include "tokens/claim_path.h"
#include "tokens/key_source.h"
#include "tokens/token.h"

#define MAX_ACTOR_CLAIMS 8
#define MAX_ACTOR 255			/* bytes; as the extension has it */

static ClaimPath *role_path;
static ClaimPath *actor_paths[MAX_ACTOR_CLAIMS];
static int	n_actor_paths;

static char *read_paths(void);
static void take_role(Identity *who, const json_t *claims);
static char *actor_of(const json_t *claims);
static bool is_name(const json_t *claim);
static bool is_unverified_email(const json_t *claims, const ClaimPath *path);

/*
 * vsm_auth_start
 *		Read the keys and the paths.  Returns what is wrong with them, to be freed; NULL: nothing.
 */
char *
vsm_auth_start(void)
{
	char	   *wrong = read_paths();

	return wrong == NULL ? vsm_keys_start() : wrong;
}

static char *
read_paths(void)
{
	const char *text = vsm_options.jwt_role_claim;
	char	   *why = NULL;
	char	   *wrong;

	role_path = vsm_claim_path(&text, &why);
	if (role_path == NULL || *text != '\0')
	{
		wrong = vsm_format("--jwt-role-claim: %s", why == NULL ? "it must be one path, without commas" : why);
		free(why);
		return wrong;
	}
	for (text = vsm_options.jwt_actor_claim; n_actor_paths == 0 || *text == ','; n_actor_paths++)
	{
		text += n_actor_paths > 0;
		if (n_actor_paths == MAX_ACTOR_CLAIMS)
			return vsm_format("--jwt-actor-claim: at most %d paths are allowed", MAX_ACTOR_CLAIMS);
		actor_paths[n_actor_paths] = vsm_claim_path(&text, &why);
		if (actor_paths[n_actor_paths] == NULL)
		{
			wrong = vsm_format("--jwt-actor-claim: %s", why);
			free(why);
			return wrong;
		}
	}
	return NULL;
}

/*
 * vsm_auth
 *		authorization: the value of the header; NULL: there is none.
 *
 * may_wait: the answer may be that new keys must be waited for.
 */
Identity
vsm_auth(const char *authorization, bool may_wait)
{
	Identity	who = {0};
	json_t	   *claims = NULL;

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
	{
		TokenOutcome outcome = vsm_token_check(authorization + 7 + strspn(authorization + 7, " "), may_wait, &claims, &who.refusal);

		who.waits = outcome == TOKEN_WAITS;
		who.unavailable = outcome == TOKEN_WITHOUT_KEYS;
	}
	if (who.refusal == NULL)
		take_role(&who, claims);
	if (who.refusal == NULL)
	{
		who.actor = actor_of(claims);
		if (!json_object_get(claims, "role"))
			json_object_set_new(claims, "role", json_string(who.role));
		who.claims = json_dumps(claims, JSON_COMPACT);
	}
	json_decref(claims);
	return who;
}

static void
take_role(Identity *who, const json_t *claims)
{
	const json_t *claimed = vsm_claim(claims, role_path);
	const char *role = vsm_options.anonymous_role;

	if (json_is_string(claimed) && strlen(json_string_value(claimed)) == json_string_length(claimed))
		role = json_string_value(claimed);
	else if (claimed != NULL)
		who->refusal = "The token's role is not a string";
	/* SET ROLE NONE gives the rights of the user that the gateway connects as. */
	if (role != NULL && strcmp(role, "none") == 0)
		who->refusal = "The token's role is none";
	if (role == NULL)
		who->refusal = who->anonymous ? "A token is required" : "The token names no role";
	who->role = vsm_copy(role);
}

static char *
actor_of(const json_t *claims)
{
	for (int i = 0; i < n_actor_paths; i++)
	{
		const json_t *claim = vsm_claim(claims, actor_paths[i]);

		if (is_name(claim) && !is_unverified_email(claims, actor_paths[i]))
			return vsm_copy(json_string_value(claim));
	}
	return NULL;
}

/* May it be recorded as a name?  The setting vsm.actor has the same rule. */
static bool
is_name(const json_t *claim)
{
	size_t		length = json_string_length(claim);
	uint32_t	character;

	return json_is_string(claim) && length <= MAX_ACTOR &&
		vsm_name_fault(json_string_value(claim), length, true, &character) == VSM_NAME_GOOD;
}

/* Some providers let users choose any address, and say so.  Cognito writes the boolean as a string. */
static bool
is_unverified_email(const json_t *claims, const ClaimPath *path)
{
	const json_t *verified = json_object_get(claims, "email_verified");

	return vsm_claim_path_is(path, "email") && verified != NULL && !json_is_true(verified) &&
		!(json_is_string(verified) && strcmp(json_string_value(verified), "true") == 0);
}

void
vsm_identity_free(Identity *identity)
{
	free(identity->role);
	free(identity->actor);
	free(identity->claims);
}
