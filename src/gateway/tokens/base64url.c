/*
 * base64url.c
 *		Decodes base64url, the encoding of tokens and of JSON Web Keys (RFC 7515, appendix C).
 *
 * Each value has one encoding only: without padding, blanks and unused bits that are not zero.
 */
#include "base64url.h"

#include <stdlib.h>

#include "text.h"

static int	digit_of(char c);

/* Returns NULL if text is malformed.  The result has a NUL after its end, and is to be freed. */
unsigned char *
vsm_base64url(const char *text, size_t length, size_t *decoded_length)
{
	unsigned char *decoded = vsm_alloc(length / 4 * 3 + 3);
	unsigned int bits = 0;
	int			n_bits = 0;
	size_t		n = 0;

	for (size_t i = 0; i < length; i++)
	{
		int			digit = digit_of(text[i]);

		if (digit < 0)
		{
			free(decoded);
			return NULL;
		}
		bits = (bits << 6 | (unsigned int) digit) & 0xffff;
		n_bits += 6;
		if (n_bits >= 8)
		{
			n_bits -= 8;
			decoded[n++] = (unsigned char) (bits >> n_bits);
		}
	}
	if (length % 4 == 1 || (bits & ((1u << n_bits) - 1)) != 0)
	{
		free(decoded);
		return NULL;
	}
	decoded[n] = '\0';
	*decoded_length = n;
	return decoded;
}

/* The value of a digit; -1: it is none. */
static int
digit_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	return c == '_' ? 63 : -1;
}
