/*
 * name_rule.c
 *		What a text holds that no name may hold.
 *
 * Names are looked at: on boards, in reports, in logs, in hints of errors.  So a
 * name has something that can be seen, stands on one line, and is shown in the
 * order in which it is written; a name with an override of direction (U+202E) can
 * look like another one.  Marks that letters of some scripts need, such as joiners
 * and the marks of direction U+200E and U+200F, are allowed beside visible
 * characters.
 *
 * Plain C, which knows neither PostgreSQL nor HTTP: the extension and the gateway
 * share it.
 */
#include "name_rule.h"

typedef struct Range
{
	uint32_t	first;
	uint32_t	last;
} Range;

/* In order.  Unicode's Cc, and the separators of lines and paragraphs. */
static const Range controls[] = {{0x0000, 0x001F}, {0x007F, 0x009F}, {0x2028, 0x2029}};

/* Embeddings, overrides and isolates (Unicode Standard Annex 9). */
static const Range directions[] = {{0x202A, 0x202E}, {0x2066, 0x2069}};

/* Blanks, and what is shown as nothing: Unicode's Z and Default_Ignorable_Code_Point, and the blank of Braille. */
/* clang-format off */
static const Range invisible[] = {
	{0x0020, 0x0020}, {0x00A0, 0x00A0}, {0x00AD, 0x00AD}, {0x034F, 0x034F}, {0x061C, 0x061C},
	{0x115F, 0x1160}, {0x1680, 0x1680}, {0x17B4, 0x17B5}, {0x180B, 0x180F}, {0x2000, 0x200F},
	{0x202F, 0x202F}, {0x205F, 0x206F}, {0x2800, 0x2800}, {0x3000, 0x3000}, {0x3164, 0x3164},
	{0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFFB}, {0x1BCA0, 0x1BCA3},
	{0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF}
};
/* clang-format on */

#define IS_IN(character, ranges) is_in(character, ranges, sizeof(ranges) / sizeof(ranges)[0])

static uint32_t next_character(const unsigned char *bytes, size_t length, size_t *taken);
static size_t bytes_of(unsigned char first);
static bool is_in(uint32_t character, const Range *ranges, size_t n);

/*
 * vsm_name_fault
 *		The first fault of a text as a name; *character is set to the character that is one.
 *
 * utf8: its encoding; of others, only ASCII is looked at.
 */
VsmNameFault
vsm_name_fault(const char *bytes, size_t length, bool utf8, uint32_t *character)
{
	const unsigned char *text = (const unsigned char *) bytes;
	bool		visible = false;
	size_t		taken = 1;

	for (size_t i = 0; i < length; i += taken)
	{
		*character = utf8 ? next_character(text + i, length - i, &taken) : text[i];
		if (!utf8 && *character >= 0x80)
		{
			visible = true;
			continue;
		}
		if (IS_IN(*character, controls))
			return VSM_NAME_CONTROL;
		if (IS_IN(*character, directions))
			return VSM_NAME_DIRECTION;
		visible = visible || !IS_IN(*character, invisible);
	}
	return visible ? VSM_NAME_GOOD : VSM_NAME_INVISIBLE;
}

/*
 * vsm_name_is_dots
 *		Is it . or .., which cannot be a segment of a path?
 *
 * HTTP clients remove these from the paths of URLs (RFC 3986, 5.2.4), percent-encoded
 * or not, and ask for something else.
 */
bool
vsm_name_is_dots(const char *bytes, size_t length)
{
	return (length == 1 || length == 2) && bytes[0] == '.' && bytes[length - 1] == '.';
}

/* The text is valid UTF-8; were it not, a byte would stand for itself. */
static uint32_t
next_character(const unsigned char *bytes, size_t length, size_t *taken)
{
	static const unsigned char masks[] = {0x7F, 0x7F, 0x1F, 0x0F, 0x07};
	size_t		n = bytes_of(bytes[0]);
	uint32_t	character = n == 1 || n > length ? bytes[0] : bytes[0] & masks[n];

	*taken = n > length ? 1 : n;
	for (size_t i = 1; i < *taken; i++)
		character = character << 6 | (bytes[i] & 0x3F);
	return character;
}

/* How many bytes a character has that begins with this one. */
static size_t
bytes_of(unsigned char first)
{
	if (first < 0xC0)
		return 1;
	if (first < 0xE0)
		return 2;
	return first < 0xF0 ? 3 : 4;
}

static bool
is_in(uint32_t character, const Range *ranges, size_t n)
{
	for (size_t i = 0; i < n && ranges[i].first <= character; i++)
		if (character <= ranges[i].last)
			return true;
	return false;
}
