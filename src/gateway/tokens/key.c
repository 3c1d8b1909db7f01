/*
 * key.c
 *		Keys that tokens are signed by, and the algorithms that each of them has.
 *
 * The kind of a key decides its algorithms (RFC 7518, section 3.1); a token only chooses among
 * them.  So a public key is never used as a secret, and "none" is no algorithm at all.
 * The signatures themselves are OpenSSL's work.
 */
#include "key.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define MIN_RSA_BITS 2048		/* RFC 7518, sections 3.3 and 3.5 */
#define MAX_RSA_BITS 16384		/* OpenSSL verifies no longer ones */

typedef enum KeyKind
{
	KEY_SECRET,
	KEY_RSA,
	KEY_RSA_PSS,
	KEY_EC
} KeyKind;

struct Algorithm
{
	const char *name;
	const EVP_MD *(*digest)(void);
	const char *curve;			/* as OpenSSL calls it */
	KeyKind		kind;
	int			bits;			/* of a secret: its least size; of a curve: the size of a coordinate */
};

static const Algorithm algorithms[] = {
	{"HS256", EVP_sha256, NULL, KEY_SECRET, 256},
	{"HS384", EVP_sha384, NULL, KEY_SECRET, 384},
	{"HS512", EVP_sha512, NULL, KEY_SECRET, 512},
	{"RS256", EVP_sha256, NULL, KEY_RSA, 0},
	{"RS384", EVP_sha384, NULL, KEY_RSA, 0},
	{"RS512", EVP_sha512, NULL, KEY_RSA, 0},
	{"PS256", EVP_sha256, NULL, KEY_RSA_PSS, 0},
	{"PS384", EVP_sha384, NULL, KEY_RSA_PSS, 0},
	{"PS512", EVP_sha512, NULL, KEY_RSA_PSS, 0},
	{"ES256", EVP_sha256, "prime256v1", KEY_EC, 256},
	{"ES384", EVP_sha384, "secp384r1", KEY_EC, 384},
	{"ES512", EVP_sha512, "secp521r1", KEY_EC, 521},
};

#define N_ALGORITHMS ((int) (sizeof algorithms / sizeof algorithms[0]))

static unsigned int bit_of(const Algorithm *algorithm);
static unsigned int algorithms_of_secret(size_t length);
static unsigned int algorithms_of_public(EVP_PKEY *public_key);
static unsigned int algorithms_of_kind(KeyKind kind, const char *curve);
static bool verify_secret(const Key *key, const Algorithm *algorithm, const char *text, size_t length,
						  const unsigned char *signature, size_t signature_length);
static bool verify_public(const Key *key, const Algorithm *algorithm, const char *text, size_t length,
						  const unsigned char *signature, size_t signature_length);
static int	der_of(const Algorithm *algorithm, const unsigned char *signature, size_t length, unsigned char **der);

/* ---- Algorithms ---- */

/* The algorithm that a token's header or a key names; NULL: none of ours. */
const Algorithm *
vsm_algorithm(const char *name)
{
	for (int i = 0; i < N_ALGORITHMS; i++)
		if (name != NULL && strcmp(algorithms[i].name, name) == 0)
			return &algorithms[i];
	return NULL;
}

bool
vsm_key_may(const Key *key, const Algorithm *algorithm)
{
	return (key->algorithms & bit_of(algorithm)) != 0;
}

static unsigned int
bit_of(const Algorithm *algorithm)
{
	return 1u << (algorithm - algorithms);
}

static unsigned int
algorithms_of_secret(size_t length)
{
	unsigned int mask = 0;

	for (const Algorithm *algorithm = algorithms; algorithm < algorithms + N_ALGORITHMS; algorithm++)
		if (algorithm->kind == KEY_SECRET && length >= (size_t) algorithm->bits / 8)
			mask |= bit_of(algorithm);
	return mask;
}

static unsigned int
algorithms_of_public(EVP_PKEY *public_key)
{
	char		curve[64] = "";

	if (EVP_PKEY_is_a(public_key, "RSA"))
		return algorithms_of_kind(KEY_RSA, curve) | algorithms_of_kind(KEY_RSA_PSS, curve);
	if (EVP_PKEY_is_a(public_key, "RSA-PSS"))
		return algorithms_of_kind(KEY_RSA_PSS, curve);
	if (EVP_PKEY_is_a(public_key, "EC") &&
		EVP_PKEY_get_utf8_string_param(public_key, OSSL_PKEY_PARAM_GROUP_NAME, curve, sizeof curve, NULL) == 1)
		return algorithms_of_kind(KEY_EC, curve);
	return 0;
}

static unsigned int
algorithms_of_kind(KeyKind kind, const char *curve)
{
	unsigned int mask = 0;

	for (const Algorithm *algorithm = algorithms; algorithm < algorithms + N_ALGORITHMS; algorithm++)
		if (algorithm->kind == kind && (algorithm->curve == NULL || strcmp(algorithm->curve, curve) == 0))
			mask |= bit_of(algorithm);
	return mask;
}

/* ---- Signatures ---- */

/* The caller has asked vsm_key_may(). */
bool
vsm_key_verify(const Key *key, const Algorithm *algorithm, const char *text, size_t length,
			   const unsigned char *signature, size_t signature_length)
{
	if (!vsm_key_may(key, algorithm))
		return false;
	if (key->public_key == NULL)
		return verify_secret(key, algorithm, text, length, signature, signature_length);
	return verify_public(key, algorithm, text, length, signature, signature_length);
}

static bool
verify_secret(const Key *key, const Algorithm *algorithm, const char *text, size_t length,
			  const unsigned char *signature, size_t signature_length)
{
	unsigned char expected[EVP_MAX_MD_SIZE];
	unsigned int expected_length;

	return HMAC(algorithm->digest(), key->secret, (int) key->secret_length, (const unsigned char *) text, length, expected, &expected_length) != NULL &&
		signature_length == expected_length && CRYPTO_memcmp(signature, expected, expected_length) == 0;
}

static bool
verify_public(const Key *key, const Algorithm *algorithm, const char *text, size_t length,
			  const unsigned char *signature, size_t signature_length)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *how;			/* owned by context */
	unsigned char *der = NULL;
	bool		valid = context != NULL && EVP_DigestVerifyInit(context, &how, algorithm->digest(), NULL, key->public_key) == 1;

	if (algorithm->kind == KEY_RSA_PSS)
		valid = valid && EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) == 1 &&
			EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_DIGEST) == 1;
	if (algorithm->kind == KEY_EC)
	{
		int			der_length = der_of(algorithm, signature, signature_length, &der);

		valid = valid && der_length > 0;
		signature = der;
		signature_length = (size_t) der_length;
	}
	valid = valid && EVP_DigestVerify(context, signature, signature_length, (const unsigned char *) text, length) == 1;
	OPENSSL_free(der);
	EVP_MD_CTX_free(context);
	ERR_clear_error();
	return valid;
}

/* A token has the two numbers of an ECDSA signature one after the other; OpenSSL wants them in DER. */
static int
der_of(const Algorithm *algorithm, const unsigned char *signature, size_t length, unsigned char **der)
{
	int			half = (algorithm->bits + 7) / 8;
	ECDSA_SIG  *numbers;
	int			der_length = 0;

	if (length != 2 * (size_t) half)
		return 0;
	numbers = ECDSA_SIG_new();
	if (numbers != NULL && ECDSA_SIG_set0(numbers, BN_bin2bn(signature, half, NULL), BN_bin2bn(signature + half, half, NULL)) == 1)
		der_length = i2d_ECDSA_SIG(numbers, der);
	ECDSA_SIG_free(numbers);
	return der_length;
}

/* ---- Keys ---- */

/* Returns what is wrong with the secret; NULL: key has it. */
const char *
vsm_key_secret(Key *key, const char *secret, size_t length)
{
	*key = (Key){0};
	key->algorithms = algorithms_of_secret(length);
	if (key->algorithms == 0)
		return "a secret must be at least 32 bytes long";		/* RFC 7518, section 3.2: as long as the hash */
	key->secret = (unsigned char *) vsm_copy_n(secret, length);
	key->secret_length = length;
	return NULL;
}

/* Takes ownership of public_key.  Returns what is wrong with it; NULL: key has it. */
const char *
vsm_key_public(Key *key, EVP_PKEY *public_key)
{
	EVP_PKEY_CTX *check = EVP_PKEY_CTX_new(public_key, NULL);
	int			bits = EVP_PKEY_get_bits(public_key);
	bool		rsa = !EVP_PKEY_is_a(public_key, "EC");
	const char *wrong = NULL;

	*key = (Key){.public_key = public_key, .algorithms = algorithms_of_public(public_key)};
	if (key->algorithms == 0)
		wrong = "a public key must be of RSA, or on the curve P-256, P-384 or P-521";
	else if (rsa && bits < MIN_RSA_BITS)
		wrong = "a key of RSA must have at least 2048 bits";
	else if (rsa && bits > MAX_RSA_BITS)
		wrong = "a key of RSA must have at most 16384 bits";
	else if (check == NULL || EVP_PKEY_public_check(check) != 1)
		wrong = "the numbers of a public key are not valid";
	EVP_PKEY_CTX_free(check);
	ERR_clear_error();
	if (wrong != NULL)
		vsm_key_free(key);
	return wrong;
}

/* Allow only one of the key's algorithms.  False: the key does not have it. */
bool
vsm_key_allow_only(Key *key, const char *algorithm)
{
	const Algorithm *only = vsm_algorithm(algorithm);

	key->algorithms &= only == NULL ? 0 : bit_of(only);
	return key->algorithms != 0;
}

void
vsm_key_free(Key *key)
{
	EVP_PKEY_free(key->public_key);
	if (key->secret != NULL)
		OPENSSL_cleanse(key->secret, key->secret_length);
	free(key->id);
	free(key->secret);
	*key = (Key){0};
}
