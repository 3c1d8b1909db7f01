/*
 * key_set.c
 *		Reads sets of keys: PEM, and JSON Web Keys (RFC 7517).
 *
 * A set of JSON Web Keys may hold keys for other purposes, such as encryption, and keys of kinds
 * that are unknown here; these are skipped (RFC 7517, section 5).  A key for signatures that cannot
 * be used refuses the set where it comes from a file of the operator's (strict).  In the set of a
 * provider it is skipped, too, since it is not the operator who could correct it; so are those that
 * follow the first MAX_KEYS.
 */
#include "key_set.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base64url.h"
#include "text.h"

#define MAX_NUMBER 4096			/* bytes of a number in a key */
#define MAX_EXPONENT 8			/* bytes of the public exponent of RSA */

static EVP_PKEY *public_key_of(const char *name, const unsigned char *der, long length);
static bool add_web_key(KeySet *set, const json_t *key, bool strict, char **wrong);
static bool is_for_signatures(const json_t *key);
static const char *read_web_key(Key *key, const json_t *json, bool strict, bool *skip);
static const char *read_secret(Key *key, const json_t *json);
static EVP_PKEY *rsa_of(const json_t *json);
static EVP_PKEY *curve_of(const json_t *json, bool *unknown);
static EVP_PKEY *build(const char *kind, OSSL_PARAM_BLD *builder);
static unsigned char *bytes_of(const json_t *json, const char *member, size_t *length);
static KeySet *refuse(KeySet *set, char **wrong, char *why);

/* Each of these returns NULL and sets *wrong, which is to be freed, if a key cannot be used. */

KeySet *
vsm_key_set_of_secret(const char *secret, char **wrong)
{
	KeySet	   *set = vsm_alloc(sizeof *set);
	const char *refusal;

	/* The public key of a provider as a secret would let everybody sign. */
	if (strstr(secret, "-----BEGIN ") != NULL)
		return refuse(set, wrong, vsm_copy("it holds PEM, which is no secret: use --jwt-public-key-file"));
	if (secret[strspn(secret, " \t\r\n")] == '{')
		return refuse(set, wrong, vsm_copy("it holds JSON, which is no secret: use --jwks-file"));
	refusal = vsm_key_secret(&set->keys[0], secret, strlen(secret));
	if (refusal != NULL)
		return refuse(set, wrong, vsm_copy(refusal));
	set->n = 1;
	return set;
}

/* Public keys and certificates, of which only the keys count. */
KeySet *
vsm_key_set_of_pem(const char *text, size_t length, char **wrong)
{
	KeySet	   *set = vsm_alloc(sizeof *set);
	BIO		   *bio = BIO_new_mem_buf(text, (int) length);
	char	   *name;
	char	   *header;
	unsigned char *der;
	long		der_length;
	const char *refusal = bio == NULL ? "there is no memory" : NULL;

	while (refusal == NULL && PEM_read_bio(bio, &name, &header, &der, &der_length) == 1)
	{
		EVP_PKEY   *key = public_key_of(name, der, der_length);

		if (set->n == MAX_KEYS)
			refusal = "it holds too many keys";
		else if (strstr(name, "PRIVATE KEY") != NULL)
			refusal = "it holds a private key; give the public one";
		else if (key == NULL)
			refusal = "it holds PEM that is no public key or certificate";
		else
		{
			refusal = vsm_key_public(&set->keys[set->n], key);
			set->n += refusal == NULL;
			key = NULL;
		}
		EVP_PKEY_free(key);
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_clear_free(der, (size_t) der_length);
	}
	if (refusal == NULL && set->n == 0)
		refusal = "it holds no public key in PEM";
	BIO_free(bio);
	ERR_clear_error();
	return refusal == NULL ? set : refuse(set, wrong, vsm_copy(refusal));
}

static EVP_PKEY *
public_key_of(const char *name, const unsigned char *der, long length)
{
	EVP_PKEY   *key = NULL;
	X509	   *certificate;

	if (strcmp(name, "PUBLIC KEY") == 0)
		return d2i_PUBKEY(NULL, &der, length);
	if (strcmp(name, "RSA PUBLIC KEY") == 0)
		return d2i_PublicKey(EVP_PKEY_RSA, NULL, &der, length);
	if (strcmp(name, "CERTIFICATE") != 0)
		return NULL;
	certificate = d2i_X509(NULL, &der, length);
	if (certificate != NULL)
		key = X509_get_pubkey(certificate);
	X509_free(certificate);
	return key;
}

/* {"keys": [...]}, or one key.  strict: secrets are allowed, and a key that cannot be used refuses the set. */
KeySet *
vsm_key_set_of_jwks(const char *text, size_t length, bool strict, char **wrong)
{
	KeySet	   *set = vsm_alloc(sizeof *set);
	json_error_t error;
	json_t	   *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
	const json_t *list = json_object_get(json, "keys");
	const json_t *key;
	size_t		i;
	bool		usable = true;

	if (json == NULL)
		return refuse(set, wrong, vsm_format("it is not JSON: %s (line %d)", error.text, error.line));
	if (list == NULL && json_object_get(json, "kty") != NULL)
		usable = add_web_key(set, json, strict, wrong);
	else if (json_is_array(list))
	{
		json_array_foreach(list, i, key)
			usable = usable && add_web_key(set, key, strict, wrong);
	}
	json_decref(json);
	if (usable && set->n > 0)
		return set;
	return refuse(set, wrong, usable ? vsm_copy("it holds no key that tokens can be signed by") : *wrong);
}

static bool
add_web_key(KeySet *set, const json_t *key, bool strict, char **wrong)
{
	const char *id = json_string_value(json_object_get(key, "kid"));
	const char *algorithm = json_string_value(json_object_get(key, "alg"));
	Key		   *place = &set->keys[set->n];
	bool		skip = false;
	const char *refusal;

	if (set->n == MAX_KEYS && !strict)
		return true;
	if (set->n == MAX_KEYS)
	{
		*wrong = vsm_format("it holds more than %d keys", MAX_KEYS);
		return false;
	}
	if (json_is_object(key) && !is_for_signatures(key))
		return true;
	refusal = read_web_key(place, key, strict, &skip);
	if (refusal == NULL && !skip && algorithm != NULL && !vsm_key_allow_only(place, algorithm))
	{
		vsm_key_free(place);
		/* such as RSA-OAEP: the key is for encryption */
		skip = vsm_algorithm(algorithm) == NULL;
		refusal = skip ? NULL : "its alg is not for keys of this kind";
	}
	if (refusal == NULL && !skip)
	{
		place->id = vsm_copy(id);
		set->n++;
	}
	if (refusal == NULL || !strict)
		return true;
	*wrong = vsm_format("key %s: %s", id == NULL ? "without kid" : id, refusal);
	return false;
}

static bool
is_for_signatures(const json_t *key)
{
	const char *use = json_string_value(json_object_get(key, "use"));
	const json_t *operations = json_object_get(key, "key_ops");
	const json_t *one;
	size_t		i;

	if (use != NULL && strcmp(use, "sig") != 0)
		return false;
	if (!json_is_array(operations))
		return true;
	json_array_foreach(operations, i, one)
		if (json_is_string(one) && strcmp(json_string_value(one), "verify") == 0)
			return true;
	return false;
}

/* Returns what is wrong with the key; NULL: key has it, or *skip is set. */
static const char *
read_web_key(Key *key, const json_t *json, bool strict, bool *skip)
{
	const char *kind = json_string_value(json_object_get(json, "kty"));
	EVP_PKEY   *public_key;

	if (kind == NULL)
		return "it has no kty";
	if (strcmp(kind, "oct") == 0)
		/* Everybody can read what a provider publishes. */
		return strict ? read_secret(key, json) : "it is a secret";
	if (strcmp(kind, "RSA") == 0)
		public_key = rsa_of(json);
	else if (strcmp(kind, "EC") == 0)
		public_key = curve_of(json, skip);
	else
	{
		*skip = true;
		return NULL;
	}
	if (*skip)
		return NULL;
	if (json_object_get(json, "d") != NULL)
	{
		EVP_PKEY_free(public_key);
		return "it holds a private key; give the public one";
	}
	return public_key == NULL ? "its numbers are malformed" : vsm_key_public(key, public_key);
}

static const char *
read_secret(Key *key, const json_t *json)
{
	size_t		length = 0;
	unsigned char *secret = bytes_of(json, "k", &length);
	const char *wrong = secret == NULL ? "its k is malformed" : vsm_key_secret(key, (const char *) secret, length);

	if (secret != NULL)
		OPENSSL_cleanse(secret, length);
	free(secret);
	return wrong;
}

static EVP_PKEY *
rsa_of(const json_t *json)
{
	size_t		n_length = 0;
	size_t		e_length = 0;
	unsigned char *n = bytes_of(json, "n", &n_length);
	unsigned char *e = bytes_of(json, "e", &e_length);
	BIGNUM	   *modulus = n == NULL ? NULL : BN_bin2bn(n, (int) n_length, NULL);
	BIGNUM	   *exponent = e == NULL || e_length > MAX_EXPONENT ? NULL : BN_bin2bn(e, (int) e_length, NULL);
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	EVP_PKEY   *key = NULL;

	if (modulus != NULL && exponent != NULL && BN_is_odd(exponent) && !BN_is_one(exponent) &&
		OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
		OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
		key = build("RSA", builder);
	OSSL_PARAM_BLD_free(builder);
	BN_free(modulus);
	BN_free(exponent);
	free(n);
	free(e);
	return key;
}

static EVP_PKEY *
curve_of(const json_t *json, bool *unknown)
{
	static const struct
	{
		const char *name;
		const char *group;
		size_t		size;		/* of a coordinate, bytes */
	}			curves[] = {{"P-256", "prime256v1", 32}, {"P-384", "secp384r1", 48}, {"P-521", "secp521r1", 66}};
	const char *name = json_string_value(json_object_get(json, "crv"));
	size_t		x_length = 0;
	size_t		y_length = 0;
	unsigned char *x = bytes_of(json, "x", &x_length);
	unsigned char *y = bytes_of(json, "y", &y_length);
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	EVP_PKEY   *key = NULL;

	*unknown = name != NULL;
	for (size_t i = 0; name != NULL && i < sizeof curves / sizeof curves[0]; i++)
	{
		unsigned char point[1 + 2 * 66] = {4};	/* uncompressed */

		if (strcmp(name, curves[i].name) != 0)
			continue;
		*unknown = false;
		if (x == NULL || y == NULL || x_length != curves[i].size || y_length != curves[i].size)
			break;
		memcpy(point + 1, x, x_length);
		memcpy(point + 1 + x_length, y, y_length);
		if (OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, curves[i].group, 0) == 1 &&
			OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * x_length) == 1)
			key = build("EC", builder);		/* while point is there */
	}
	OSSL_PARAM_BLD_free(builder);
	free(x);
	free(y);
	return key;
}

static EVP_PKEY *
build(const char *kind, OSSL_PARAM_BLD *builder)
{
	OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
	EVP_PKEY   *key = NULL;

	if (parameters == NULL || context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
		EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(context);
	OSSL_PARAM_free(parameters);
	ERR_clear_error();
	return key;
}

static unsigned char *
bytes_of(const json_t *json, const char *member, size_t *length)
{
	const json_t *value = json_object_get(json, member);

	if (!json_is_string(value) || json_string_length(value) == 0 || json_string_length(value) > MAX_NUMBER)
		return NULL;
	return vsm_base64url(json_string_value(value), json_string_length(value), length);
}

void
vsm_key_set_free(KeySet *set)
{
	for (int i = 0; set != NULL && i < set->n; i++)
		vsm_key_free(&set->keys[i]);
	free(set);
}

/* Takes ownership of both. */
static KeySet *
refuse(KeySet *set, char **wrong, char *why)
{
	*wrong = why;
	vsm_key_set_free(set);
	return NULL;
}
