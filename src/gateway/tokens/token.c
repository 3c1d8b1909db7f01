/*
 * token.c
 *		Checks JSON Web Tokens (RFC 7519) in the compact form of signatures (RFC 7515).
 *
 * The signature, exp, nbf, iat (with LEEWAY_S), aud and iss are checked.  Until the signature has
 * been verified, only alg, kid and crit of the header are looked at: alg chooses among the
 * algorithms of a key, kid among the keys.  Headers that bring or name keys (jwk, jku, x5c, x5u)
 * have no effect, and one with crit, whatever it demands, is refused.
 *
 * Members that occur twice are refused, since two readers could take different ones.
 */
#include "token.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base64url.h"
#include "key_source.h"
#include "options.h"
#include "text.h"

#define LEEWAY_S 30
#define MALFORMED "The token is malformed"

/* A token in its parts. */
typedef struct Parts
{
	const char *text;			/* that is signed */
	size_t		length;
	const Algorithm *algorithm;
	char	   *key_id;			/* NULL: any key */
	unsigned char *signature;
	size_t		signature_length;
	json_t	   *claims;			/* not to be trusted yet */
} Parts;

typedef enum Signature
{
	SIGNATURE_VALID,
	SIGNATURE_WRONG,
	SIGNATURE_OF_OTHER_ALGORITHM,
	SIGNATURE_OF_OTHER_KEY
} Signature;

static const char *take_apart(const char *token, Parts *parts);
static const char *read_header(json_t *header, Parts *parts);
static json_t *json_part(const char *part, size_t length);
static void free_parts(Parts *parts);
static Signature verify(const Parts *parts);
static const char *check_claims(const json_t *claims);
static const char *check_times(const json_t *claims);
static bool time_claim(const json_t *claims, const char *name, double *seconds, bool *malformed);
static bool names_audience(const json_t *claims);
static bool is(const json_t *claim, const char *wanted);

/*
 * vsm_token_check
 *		TOKEN_VALID: the caller owns *claims.  TOKEN_REFUSED: *refusal is a sentence for the client.
 *
 * may_wait: new keys may be asked for.
 */
TokenOutcome
vsm_token_check(const char *token, bool may_wait, json_t **claims, const char **refusal)
{
	static const char *const refusals[] = {
		[SIGNATURE_WRONG] = "The token's signature is wrong",
		[SIGNATURE_OF_OTHER_ALGORITHM] = "The token is signed by another algorithm",
		[SIGNATURE_OF_OTHER_KEY] = "The token is signed by an unknown key",
	};
	Parts		parts = {0};
	TokenOutcome outcome = TOKEN_REFUSED;

	*refusal = take_apart(token, &parts);
	if (*refusal == NULL)
	{
		Signature	signature = verify(&parts);

		*refusal = refusals[signature];
		if (signature == SIGNATURE_VALID)
		{
			*refusal = check_claims(parts.claims);
			if (*refusal == NULL)
			{
				*claims = json_incref(parts.claims);
				outcome = TOKEN_VALID;
			}
		}
		else if (signature == SIGNATURE_OF_OTHER_KEY && may_wait && vsm_keys_ask())
			outcome = TOKEN_WAITS;
		else if (vsm_keys() == NULL)
			outcome = TOKEN_WITHOUT_KEYS;
	}
	free_parts(&parts);
	return outcome;
}

/* ---- Parts ---- */

/* Returns what is wrong with the token.  Call free_parts() in any case. */
static const char *
take_apart(const char *token, Parts *parts)
{
	size_t		header_length = strcspn(token, ".");
	const char *claims = token + header_length + 1;
	size_t		claims_length = token[header_length] == '.' ? strcspn(claims, ".") : 0;
	const char *signature = claims + claims_length + 1;
	json_t	   *header;
	const char *refusal;

	if (claims_length == 0 || claims[claims_length] != '.')
		return MALFORMED;
	parts->text = token;
	parts->length = (size_t) (claims - token) + claims_length;
	header = json_part(token, header_length);
	refusal = read_header(header, parts);
	json_decref(header);
	if (refusal != NULL)
		return refusal;
	parts->signature = vsm_base64url(signature, strlen(signature), &parts->signature_length);
	parts->claims = json_part(claims, claims_length);
	return parts->signature == NULL || parts->claims == NULL ? MALFORMED : NULL;
}

static const char *
read_header(json_t *header, Parts *parts)
{
	const json_t *id = json_object_get(header, "kid");

	if (header == NULL || (id != NULL && !json_is_string(id)))
		return MALFORMED;
	if (json_object_get(header, "crit") != NULL)
		return "The token has a crit header, which is not supported";
	parts->algorithm = vsm_algorithm(json_string_value(json_object_get(header, "alg")));
	if (parts->algorithm == NULL)
		return "The token is signed by another algorithm";
	parts->key_id = vsm_copy(json_string_value(id));
	return NULL;
}

/* The JSON object that is encoded in a part; NULL: there is none. */
static json_t *
json_part(const char *part, size_t length)
{
	size_t		decoded_length;
	unsigned char *decoded = vsm_base64url(part, length, &decoded_length);
	json_t	   *json = decoded == NULL ? NULL : json_loadb((const char *) decoded, decoded_length, JSON_REJECT_DUPLICATES, NULL);

	free(decoded);
	if (json_is_object(json))
		return json;
	json_decref(json);
	return NULL;
}

static void
free_parts(Parts *parts)
{
	free(parts->key_id);
	free(parts->signature);
	json_decref(parts->claims);
}

/* ---- Signature ---- */

/* A key without an id, such as a secret, is tried for every token, as is every key for a token without kid. */
static Signature
verify(const Parts *parts)
{
	const KeySet *set = vsm_keys();
	Signature	result = SIGNATURE_OF_OTHER_KEY;

	for (int i = 0; set != NULL && i < set->n; i++)
	{
		const Key  *key = &set->keys[i];

		if (key->id != NULL && parts->key_id != NULL && strcmp(key->id, parts->key_id) != 0)
			continue;
		if (!vsm_key_may(key, parts->algorithm))
		{
			if (result == SIGNATURE_OF_OTHER_KEY)
				result = SIGNATURE_OF_OTHER_ALGORITHM;
			continue;
		}
		if (vsm_key_verify(key, parts->algorithm, parts->text, parts->length, parts->signature, parts->signature_length))
			return SIGNATURE_VALID;
		result = SIGNATURE_WRONG;
	}
	/* Without kid, none of the keys may be the token's. */
	return result == SIGNATURE_WRONG && parts->key_id == NULL && vsm_options.jwks_url != NULL ? SIGNATURE_OF_OTHER_KEY : result;
}

/* ---- Claims ---- */

static const char *
check_claims(const json_t *claims)
{
	const char *refusal = check_times(claims);

	if (refusal == NULL && vsm_options.jwt_issuer != NULL && !is(json_object_get(claims, "iss"), vsm_options.jwt_issuer))
		refusal = "The token is from another issuer";
	if (refusal == NULL && vsm_options.jwt_audience != NULL && !names_audience(claims))
		refusal = "The token is for another audience";
	return refusal;
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

	if (is(claim, vsm_options.jwt_audience))
		return true;
	json_array_foreach(claim, i, one)
		if (is(one, vsm_options.jwt_audience))
			return true;
	return false;
}

static bool
is(const json_t *claim, const char *wanted)
{
	return json_is_string(claim) && strcmp(json_string_value(claim), wanted) == 0;
}
