/*
 * base64url.h
 *		Decodes base64url, the encoding of tokens and of JSON Web Keys.
 */
#ifndef VSM_GATEWAY_BASE64URL_H
#define VSM_GATEWAY_BASE64URL_H

#include <stddef.h>

extern unsigned char *vsm_base64url(const char *text, size_t length, size_t *decoded_length);

#endif
