/*
 * fold.c
 *		Names compared without case, accents and blanks.
 *
 * Of Latin letters the accents go, and upper case becomes lower case in Latin,
 * Greek and Cyrillic; combining marks go too, so that both normal forms are the
 * same.  Other characters stand for themselves.
 */
#include "csv/fold.h"

#include <string.h>

#include "csv/encoding.h"

static unsigned int fold_character(unsigned int c);
static bool is_word(unsigned int c);
static bool is_ascii_letter(char c);
static bool is_visible_ascii(char c);
static size_t put(unsigned int c, char *out);

/* Lower-case letters for U+00C0 ... U+017F; '*': the character stands for itself. */
static const char latin[] =
	"aaaaaaaceeeeiiii*nooooo*ouuuuy*saaaaaaaceeeeiiii*nooooo*ouuuuy*y"
	"aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiii**jjkk*llllll*"
	"*llnnnnnn***oooooo**rrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

/*
 * vsm_fold
 *		The folded name, with a NUL behind it; its length.
 */
size_t
vsm_fold(const char *text, size_t length, FoldKind kind, char *folded, size_t size)
{
	const char *end = text + length;
	size_t		n = 0;
	bool		gap = false;

	while (text < end)
	{
		unsigned int c = fold_character(vsm_utf8_read(&text, end));
		char		bytes[4];
		size_t		width;

		if (c == 0)
			continue;
		if (vsm_is_blank(c) || c == '_' || c == '-' || (kind != FOLD_STAGE && !is_word(c)))
		{
			gap = n > 0;
			continue;
		}
		width = put(c, bytes);
		if (gap && (kind == FOLD_WORDS ||
					(kind == FOLD_STAGE && !(is_ascii_letter(folded[n - 1]) && is_ascii_letter(bytes[0])))))
		{
			if (n + 1 >= size)
				break;
			folded[n++] = ' ';
		}
		gap = false;
		if (n + width >= size)
			break;
		memcpy(folded + n, bytes, width);
		n += width;
	}
	folded[n] = '\0';
	return n;
}

void
vsm_fold_words(const char *text, size_t length, Words *words)
{
	/* cppcheck-suppress ctuuninitvar ; it is filled here */
	size_t		n = vsm_fold(text, length, FOLD_WORDS, words->text + 1, sizeof words->text - 2);

	words->text[0] = ' ';
	words->text[n + 1] = ' ';
	words->text[n + 2 < sizeof words->text ? n + 2 : n + 1] = '\0';
}

/* word: one or several, folded; a * at its end stands for any letters. */
bool
vsm_has_word(const Words *words, const char *word)
{
	size_t		length = strlen(word);
	bool		prefix = length > 0 && word[length - 1] == '*';

	length -= prefix;
	for (const char *at = words->text; (at = strchr(at, ' ')) != NULL; at++)
		if (strncmp(at + 1, word, length) == 0 && length > 0 && (prefix || at[1 + length] == ' '))
			return true;
	return false;
}

/* list: words divided by |. */
bool
vsm_has_any_word(const Words *words, const char *list)
{
	while (*list != '\0')
	{
		size_t		length = strcspn(list, "|");
		char		word[64];

		if (length < sizeof word)
		{
			memcpy(word, list, length);
			word[length] = '\0';
			if (vsm_has_word(words, word))
				return true;
		}
		list += length + (list[length] == '|');
	}
	return false;
}

/* The next character, or U+FFFD for a byte that is none; text goes on behind it. */
unsigned int
vsm_utf8_read(const char **text, const char *end)
{
	const unsigned char *s = (const unsigned char *) *text;
	size_t		n = *text < end && *s < 0x80 ? 1 : vsm_utf8_sequence(*text, (size_t) (end - *text));

	*text += n == 0 ? 1 : n;
	switch (n)
	{
		case 1:
			return s[0];
		case 2:
			return (s[0] & 0x1FU) << 6 | (s[1] & 0x3FU);
		case 3:
			return (s[0] & 0x0FU) << 12 | (s[1] & 0x3FU) << 6 | (s[2] & 0x3FU);
		case 4:
			return (s[0] & 0x07U) << 18 | (s[1] & 0x3FU) << 12 | (s[2] & 0x3FU) << 6 | (s[3] & 0x3FU);
		default:
			return 0xFFFD;
	}
}

bool
vsm_is_blank(unsigned int c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200B) ||
		c == 0x202F || c == 0x205F || c == 0x3000 || c == 0xFEFF;
}

static bool
is_visible_ascii(char c)
{
	return c > ' ' && c < 0x7F;
}

/* Leaves out the blanks around it. */
void
vsm_trim(const char **text, size_t *length)
{
	const char *begin = *text;
	const char *end = begin + *length;
	const char *last;

	if (begin < end && is_visible_ascii(*begin) && is_visible_ascii(end[-1]))
		return;
	while (begin < end)
	{
		const char *next = begin;

		if (!vsm_is_blank(vsm_utf8_read(&next, end)))
			break;
		begin = next;
	}
	while (end > begin)
	{
		last = end - 1;
		while (last > begin && end - last < 4 && ((unsigned char) *last & 0xC0) == 0x80)
			last--;
		{
			const char *next = last;

			if (!vsm_is_blank(vsm_utf8_read(&next, end)) || next != end)
				break;
		}
		end = last;
	}
	*text = begin;
	*length = (size_t) (end - begin);
}

/* As FNV-1a, but of eight bytes at a time; its bits are mixed once more. */
uint64_t
vsm_hash(const char *bytes, size_t length)
{
	uint64_t	hash = UINT64_C(14695981039346656037) ^ length;
	uint64_t	word;

	for (; length >= sizeof word; length -= sizeof word, bytes += sizeof word)
	{
		memcpy(&word, bytes, sizeof word);
		hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
		hash ^= hash >> 32;
	}
	word = 0;
	memcpy(&word, bytes, length);
	hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
	hash ^= hash >> 32;
	hash *= UINT64_C(0x9E3779B97F4A7C15);
	return hash ^ hash >> 29;
}

/* 0: a combining mark, or an apostrophe, which some write and some do not. */
static unsigned int
fold_character(unsigned int c)
{
	if (c < 0x80)
		return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : (c == '\'' || c == '`' ? 0 : c);
	if (c >= 0xC0 && c < 0xC0 + sizeof latin - 1 && latin[c - 0xC0] != '*')
		return (unsigned char) latin[c - 0xC0];
	if (c >= 0x300 && c <= 0x36F)
		return 0;
	if (c == 0x2018 || c == 0x2019 || c == 0xB4 || c == 0x200B || c == 0xFEFF)
		return 0;
	if (c >= 0x391 && c <= 0x3A9)
		return c + 0x20;
	if (c >= 0x410 && c <= 0x42F)
		return c + 0x20;
	if (c == 0x401 || c == 0x451)	/* Ё is mostly written as Е */
		return 0x435;
	return c;
}

/* A letter or digit of any script; a mark or a symbol is not. */
static bool
is_word(unsigned int c)
{
	if (c < 0x80)
		return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
	return c >= 0xAA && c != 0xAB && c != 0xAC && c != 0xAE && c != 0xAF && c != 0xB0 && c != 0xB1 && c != 0xB6 && c != 0xB7 &&
		c != 0xBB && c != 0xBF && c != 0xD7 && c != 0xF7 && !(c >= 0x2000 && c <= 0x2BFF) && !(c >= 0x3000 && c <= 0x303F) &&
		!(c >= 0xFF00 && c <= 0xFF0F) && c != 0xFFFD && !(c >= 0xFE00 && c <= 0xFE0F) && !(c >= 0x1F000 && c <= 0x1FAFF);
}

static bool
is_ascii_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (unsigned char) c >= 0x80;
}

static size_t
put(unsigned int c, char *out)
{
	if (c < 0x80)
	{
		out[0] = (char) c;
		return 1;
	}
	if (c < 0x800)
	{
		out[0] = (char) (0xC0 | c >> 6);
		out[1] = (char) (0x80 | (c & 0x3F));
		return 2;
	}
	if (c < 0x10000)
	{
		out[0] = (char) (0xE0 | c >> 12);
		out[1] = (char) (0x80 | (c >> 6 & 0x3F));
		out[2] = (char) (0x80 | (c & 0x3F));
		return 3;
	}
	out[0] = (char) (0xF0 | c >> 18);
	out[1] = (char) (0x80 | (c >> 12 & 0x3F));
	out[2] = (char) (0x80 | (c >> 6 & 0x3F));
	out[3] = (char) (0x80 | (c & 0x3F));
	return 4;
}
