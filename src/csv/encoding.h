/*
 * encoding.h
 *		UTF-8, and bytes of an encoding that a byte order mark names.
 */
#ifndef VSM_CSV_ENCODING_H
#define VSM_CSV_ENCODING_H

#include <stdbool.h>
#include <stddef.h>

#define VSM_MAX_DECODED 4		/* bytes of text that one more byte of input can complete */

typedef enum Encoding
{
	ENCODING_UNKNOWN,			/* so far the input is empty, or the beginning of a byte order mark */
	ENCODING_UTF8,
	ENCODING_UTF16_LE,
	ENCODING_UTF16_BE,
	ENCODING_WINDOWS_1252		/* only when the caller says so: no mark names it */
} Encoding;

/* Starts as {0}. */
typedef struct Decoder
{
	Encoding	encoding;
	int			n_held;
	unsigned char held[VSM_MAX_DECODED];	/* bytes that are not yet a character */
} Decoder;

extern int	vsm_decoder_read(Decoder *decoder, unsigned char byte, char text[VSM_MAX_DECODED]);
extern int	vsm_decoder_end(Decoder *decoder, char text[VSM_MAX_DECODED]);

extern size_t vsm_utf8_sequence(const char *bytes, size_t length);
extern size_t vsm_ascii_run(const char *bytes, size_t length);
extern bool vsm_utf8_valid(const char *bytes, size_t length);

#endif
