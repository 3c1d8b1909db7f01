/*
 * key_set.h
 *		Reads sets of keys: PEM, and JSON Web Keys.
 */
#ifndef VSM_GATEWAY_KEY_SET_H
#define VSM_GATEWAY_KEY_SET_H

#include "key.h"

extern KeySet *vsm_key_set_of_secret(const char *secret, char **wrong);
extern KeySet *vsm_key_set_of_pem(const char *text, size_t length, char **wrong);
extern KeySet *vsm_key_set_of_jwks(const char *text, size_t length, bool strict, char **wrong);
extern void vsm_key_set_free(KeySet *set);

#endif
