/*
 * key.h
 *		Keys that tokens are signed by, and the algorithms that each of them has.
 */
#ifndef VSM_GATEWAY_KEY_H
#define VSM_GATEWAY_KEY_H

#include <jansson.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

#define MAX_KEYS 64				/* of a set */

typedef struct Algorithm Algorithm;

typedef struct Key
{
	char	   *id;				/* kid; NULL: it has none */
	unsigned int algorithms;	/* bits of those that tokens may be signed with */
	EVP_PKEY   *public_key;		/* NULL: the key is a secret */
	unsigned char *secret;
	size_t		secret_length;
} Key;

typedef struct KeySet
{
	Key			keys[MAX_KEYS];
	int			n;
} KeySet;

extern const Algorithm *vsm_algorithm(const char *name);
extern bool vsm_key_may(const Key *key, const Algorithm *algorithm);
extern bool vsm_key_verify(const Key *key, const Algorithm *algorithm, const char *text, size_t length,
						   const unsigned char *signature, size_t signature_length);

extern const char *vsm_key_secret(Key *key, const char *secret, size_t length);
extern const char *vsm_key_public(Key *key, EVP_PKEY *public_key);
extern bool vsm_key_allow_only(Key *key, const char *algorithm);
extern void vsm_key_free(Key *key);

#endif
