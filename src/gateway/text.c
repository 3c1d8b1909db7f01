/*
 * text.c
 *		Growing text, JSON strings, clocks, and memory allocation that cannot fail.
 *
 * The program aborts if it runs out of memory; the service manager then restarts it.
 */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define FIRST_SIZE 256

static const char replacement[] = "\xEF\xBF\xBD";	/* U+FFFD */

static void text_addv(Text *text, const char *format, va_list arguments);
static void make_room(Text *text, size_t more);
static const char *skip_blanks(const char *text, const char *end);
static double quality_of(const char *text, const char *end);

void *
vsm_alloc(size_t size)
{
	void	   *block = calloc(1, size);

	if (block == NULL)
		abort();
	return block;
}

void *
vsm_grow(void *block, size_t size)
{
	void	   *bigger = realloc(block, size);

	if (bigger == NULL)
		abort();
	return bigger;
}

char *
vsm_copy_n(const char *bytes, size_t length)
{
	char	   *copy = vsm_alloc(length + 1);

	memcpy(copy, bytes, length);
	return copy;
}

/* A text of others for a message: if it is longer, its first bytes, of whole characters. */
char *
vsm_copy_cut(const char *string, size_t most)
{
	size_t		length = strnlen(string, most + 1);

	if (length <= most)
		return vsm_copy(string);
	while (most > 0 && ((unsigned char) string[most] & 0xC0) == 0x80)
		most--;
	return vsm_format("%.*s...", (int) most, string);
}

/* NULL stays NULL. */
char *
vsm_copy(const char *string)
{
	return string == NULL ? NULL : vsm_copy_n(string, strlen(string));
}

char *
vsm_format(const char *format, ...)
{
	Text		text = {0};
	va_list		arguments;

	va_start(arguments, format);
	text_addv(&text, format, arguments);
	va_end(arguments);
	return text.data;
}

void
vsm_text_add(Text *text, const char *bytes, size_t length)
{
	make_room(text, length);
	if (length > 0)
		memcpy(text->data + text->length, bytes, length);
	text->length += length;
	text->data[text->length] = '\0';
}

void
vsm_text_adds(Text *text, const char *string)
{
	vsm_text_add(text, string, strlen(string));
}

void
vsm_text_addc(Text *text, char c)
{
	vsm_text_add(text, &c, 1);
}

void
vsm_text_addf(Text *text, const char *format, ...)
{
	va_list		arguments;

	va_start(arguments, format);
	text_addv(text, format, arguments);
	va_end(arguments);
}

static void
text_addv(Text *text, const char *format, va_list arguments)
{
	va_list		again;
	int			length;

	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, arguments);
	if (length < 0)
		abort();
	make_room(text, (size_t) length);
	vsnprintf(text->data + text->length, (size_t) length + 1, format, again);
	va_end(again);
	text->length += (size_t) length;
}

static void
make_room(Text *text, size_t more)
{
	size_t		needed = text->length + more + 1;

	if (needed <= text->size)
		return;
	if (text->size == 0)
		text->size = FIRST_SIZE;
	while (text->size < needed)
		text->size *= 2;
	text->data = vsm_grow(text->data, text->size);
}

void
vsm_text_free(Text *text)
{
	free(text->data);
	*text = (Text){0};
}

/*
 * vsm_text_json
 *		Add a JSON string, with its quotes.  Bytes that are not UTF-8 become U+FFFD.
 */
void
vsm_text_json(Text *text, const char *bytes, size_t length)
{
	vsm_text_addc(text, '"');
	for (size_t i = 0; i < length;)
	{
		unsigned char c = (unsigned char) bytes[i];
		size_t		n = vsm_utf8_sequence(bytes + i, length - i);

		if (n == 0)
			vsm_text_adds(text, replacement);
		else if (c == '"' || c == '\\')
			vsm_text_addf(text, "\\%c", c);
		else if (c == '\n')
			vsm_text_adds(text, "\\n");
		else if (c == '\t')
			vsm_text_adds(text, "\\t");
		else if (c < 0x20 || c == 0x7f)
			vsm_text_addf(text, "\\u%04x", c);
		else
			vsm_text_add(text, bytes + i, n);
		i += n == 0 ? 1 : n;
	}
	vsm_text_addc(text, '"');
}

/* A copy in which U+FFFD replaces every byte that is not UTF-8. */
char *
vsm_utf8_repaired(const char *bytes, size_t length, size_t *repaired_length)
{
	Text		text = {0};

	vsm_text_add(&text, "", 0);
	for (size_t i = 0; i < length;)
	{
		size_t		n = vsm_utf8_sequence(bytes + i, length - i);

		if (n == 0)
			vsm_text_adds(&text, replacement);
		else
			vsm_text_add(&text, bytes + i, n);
		i += n == 0 ? 1 : n;
	}
	*repaired_length = text.length;
	return text.data;
}

/* The number of code points in valid UTF-8. */
size_t
vsm_utf8_characters(const char *bytes, size_t length)
{
	size_t		characters = 0;

	for (size_t i = 0; i < length; i++)
		if (((unsigned char) bytes[i] & 0xC0) != 0x80)
			characters++;
	return characters;
}

/* Is the word in this list, which commas and spaces separate? */
bool
vsm_text_lists(const char *list, const char *word)
{
	while (*list != '\0')
	{
		size_t		length;

		list += strspn(list, ", ");
		length = strcspn(list, ", ");
		if (length > 0 && length == strlen(word) && memcmp(list, word, length) == 0)
			return true;
		list += length;
	}
	return false;
}

/* Microseconds of a monotonic clock. */
int64_t
vsm_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* For request ids and jitter, not for secrets.  Any thread may call it. */
uint64_t
vsm_random(void)
{
	static _Thread_local uint64_t state;
	uint64_t	z;

	if (state == 0 && getrandom(&state, sizeof state, 0) != (ssize_t) sizeof state)
		state = (uint64_t) vsm_now_us();

	/* splitmix64 (Steele, Lea, Flood: OOPSLA 2014) */
	z = (state += UINT64_C(0x9E3779B97F4A7C15));
	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

/*
 * vsm_quality
 *		The q value of an item of an Accept header (RFC 9110, section 12.4.2); 1 if it has none.
 *
 * Blanks around the equals sign are not allowed there, but what they mean is plain.  Any other
 * malformed value is 0: what a client does not clearly accept is not sent.
 */
double
vsm_quality(const char *item, size_t length)
{
	const char *end = item + length;

	while ((item = memchr(item, ';', (size_t) (end - item))) != NULL)
	{
		item = skip_blanks(item + 1, end);
		if (item == end || (*item != 'q' && *item != 'Q'))
			continue;
		item = skip_blanks(item + 1, end);
		if (item < end && *item == '=')
			return quality_of(skip_blanks(item + 1, end), end);
	}
	return 1;
}

static const char *
skip_blanks(const char *text, const char *end)
{
	while (text < end && (*text == ' ' || *text == '\t'))
		text++;
	return text;
}

/* 0, 0.5, 1 or 1.000, and nothing but blanks before the end or the next parameter. */
static double
quality_of(const char *text, const char *end)
{
	const char *rest = text;
	double		value;

	if (rest >= end || (*rest != '0' && *rest != '1'))
		return 0;
	value = *rest++ - '0';
	if (rest < end && *rest == '.')
	{
		double		place = 1;

		for (rest++; rest < end && *rest >= '0' && *rest <= '9'; rest++)
			value += (*rest - '0') * (place /= 10);
	}
	rest = skip_blanks(rest, end);
	return (rest == end || *rest == ';') && value <= 1 ? value : 0;
}
