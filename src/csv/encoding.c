/*
 * encoding.c
 *		UTF-8, and bytes of an encoding that a byte order mark names.
 *
 * Without a byte order mark the input is UTF-8.  The mark itself is not part of
 * the text.  UTF-16 becomes UTF-8; whether UTF-8 is valid is left to the caller,
 * who can check a whole field at a time.
 */
#include "csv/encoding.h"

#include <stdint.h>
#include <string.h>

static int	match_mark(Decoder *decoder, char text[VSM_MAX_DECODED]);
static int	decode_utf16(Decoder *decoder, char text[VSM_MAX_DECODED]);
static int	decode_windows_1252(unsigned char byte, char text[VSM_MAX_DECODED]);
static unsigned int code_unit(const Decoder *decoder, int place);
static int	encode(unsigned int character, char text[VSM_MAX_DECODED]);

/*
 * vsm_decoder_read
 *		Take one byte of input; the number of bytes of UTF-8 that it completes, or -1 for invalid UTF-16.
 */
int
vsm_decoder_read(Decoder *decoder, unsigned char byte, char text[VSM_MAX_DECODED])
{
	if (decoder->encoding == ENCODING_UTF8)
	{
		text[0] = (char) byte;
		return 1;
	}
	if (decoder->encoding == ENCODING_WINDOWS_1252)
		return decode_windows_1252(byte, text);
	decoder->held[decoder->n_held++] = byte;
	return decoder->encoding == ENCODING_UNKNOWN ? match_mark(decoder, text) : decode_utf16(decoder, text);
}

/* At the end of the input.  -1: it ends within a character of UTF-16. */
int
vsm_decoder_end(Decoder *decoder, char text[VSM_MAX_DECODED])
{
	int			n = decoder->n_held;

	if (n > 0 && decoder->encoding != ENCODING_UNKNOWN)
		return -1;
	memcpy(text, decoder->held, sizeof decoder->held);
	decoder->n_held = 0;
	return n;
}

static int
match_mark(Decoder *decoder, char text[VSM_MAX_DECODED])
{
	static const struct
	{
		Encoding	encoding;
		int			length;
		unsigned char bytes[3];
	}			marks[] = {
		{ENCODING_UTF8, 3, {0xEF, 0xBB, 0xBF}},
		{ENCODING_UTF16_LE, 2, {0xFF, 0xFE, 0}},
		{ENCODING_UTF16_BE, 2, {0xFE, 0xFF, 0}},
	};
	int			n = decoder->n_held;

	for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
	{
		if (n > marks[i].length || memcmp(decoder->held, marks[i].bytes, (size_t) n) != 0)
			continue;
		if (n == marks[i].length)
		{
			decoder->encoding = marks[i].encoding;
			decoder->n_held = 0;
		}
		return 0;
	}
	memcpy(text, decoder->held, sizeof decoder->held);
	decoder->encoding = ENCODING_UTF8;
	decoder->n_held = 0;
	return n;
}

static int
decode_utf16(Decoder *decoder, char text[VSM_MAX_DECODED])
{
	unsigned int character;

	if (decoder->n_held % 2 != 0)
		return 0;
	character = code_unit(decoder, 0);
	if (character >= 0xDC00 && character <= 0xDFFF)
		return -1;
	if (character >= 0xD800 && character <= 0xDBFF)
	{
		unsigned int low;

		if (decoder->n_held < 4)
			return 0;
		low = code_unit(decoder, 2);
		if (low < 0xDC00 || low > 0xDFFF)
			return -1;
		character = 0x10000 + ((character - 0xD800) << 10) + (low - 0xDC00);
	}
	decoder->n_held = 0;
	return encode(character, text);
}

/* As browsers read it: a byte that has no character is the control character of its number. */
static int
decode_windows_1252(unsigned char byte, char text[VSM_MAX_DECODED])
{
	static const unsigned short characters[] = {
		0x20AC,
		0x81,
		0x201A,
		0x0192,
		0x201E,
		0x2026,
		0x2020,
		0x2021,
		0x02C6,
		0x2030,
		0x0160,
		0x2039,
		0x0152,
		0x8D,
		0x017D,
		0x8F,
		0x90,
		0x2018,
		0x2019,
		0x201C,
		0x201D,
		0x2022,
		0x2013,
		0x2014,
		0x02DC,
		0x2122,
		0x0161,
		0x203A,
		0x0153,
		0x9D,
		0x017E,
		0x0178,
	};

	return encode(byte >= 0x80 && byte < 0xA0 ? characters[byte - 0x80] : byte, text);
}

static unsigned int
code_unit(const Decoder *decoder, int place)
{
	unsigned int first = decoder->held[place];
	unsigned int second = decoder->held[place + 1];

	return decoder->encoding == ENCODING_UTF16_LE ? second << 8 | first : first << 8 | second;
}

static int
encode(unsigned int character, char text[VSM_MAX_DECODED])
{
	int			n = 1 + (character >= 0x80) + (character >= 0x800) + (character >= 0x10000);

	if (n == 1)
	{
		text[0] = (char) character;
		return 1;
	}
	for (int i = n - 1; i > 0; i--)
	{
		text[i] = (char) (0x80 | (character & 0x3F));
		character >>= 6;
	}
	text[0] = (char) ((0xF00 >> n & 0xFF) | character);
	return n;
}

/*
 * vsm_utf8_sequence
 *		Bytes of the character that begins here; 0 when none does.
 *
 * By table 3-7 of the Unicode standard: no overlong forms, no surrogates,
 * nothing above U+10FFFF.  NUL is a character of one byte.
 */
size_t
vsm_utf8_sequence(const char *bytes, size_t length)
{
	const unsigned char *s = (const unsigned char *) bytes;
	unsigned char low = 0x80;
	unsigned char high = 0xBF;
	size_t		n;

	if (length == 0)
		return 0;
	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xC2 && s[0] <= 0xDF)
		n = 2;
	else if (s[0] >= 0xE0 && s[0] <= 0xEF)
		n = 3;
	else if (s[0] >= 0xF0 && s[0] <= 0xF4)
		n = 4;
	else
		return 0;
	if (length < n)
		return 0;

	if (s[0] == 0xE0)
		low = 0xA0;
	else if (s[0] == 0xED)
		high = 0x9F;
	else if (s[0] == 0xF0)
		low = 0x90;
	else if (s[0] == 0xF4)
		high = 0x8F;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (s[i] < 0x80 || s[i] > 0xBF)
			return 0;
	return n;
}

/* How many bytes of ASCII the text begins with, in eights: most text is. */
size_t
vsm_ascii_run(const char *bytes, size_t length)
{
	size_t		run = 0;
	uint64_t	eight;

	while (length - run >= sizeof eight)
	{
		memcpy(&eight, bytes + run, sizeof eight);
		if (eight & UINT64_C(0x8080808080808080))
			break;
		run += sizeof eight;
	}
	return run;
}

bool
vsm_utf8_valid(const char *bytes, size_t length)
{
	size_t		i = vsm_ascii_run(bytes, length);

	while (i < length)
	{
		size_t		n = vsm_utf8_sequence(bytes + i, length - i);

		if (n == 0)
			return false;
		i += n;
		i += vsm_ascii_run(bytes + i, length - i);
	}
	return true;
}
