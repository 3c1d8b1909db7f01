/*
 * kinds.c
 *		Checks strings that should be integers, times, dates and so on, and converts them for SQL.
 *
 * Strings have a length and may contain NUL.  Every returned char * must be freed by the caller;
 * it is NULL if the string is not of that kind.
 */
#include "kinds.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "text.h"

typedef struct Reader
{
	const char *at;
	const char *end;
} Reader;

static bool read_day(Reader *reader);
static bool read_clock(Reader *reader);
static bool read_zone(Reader *reader, Text *zone);
static bool digits(Reader *reader, int n, int least, int most, int *value);
static bool one_of(Reader *reader, const char *characters);
static int	days_in(int year, int month);
static void skip_blanks(Reader *reader);
static void skip_json(Reader *reader);
static bool is_key(const char *json, size_t length, const char *name);

/*
 * vsm_read_integer
 *		Read an integer, which may have a sign and white space around it.
 *
 * NUMBER_TOO_SMALL and NUMBER_TOO_GREAT: the integer does not fit into 64 bits.
 */
Number
vsm_read_integer(const char *bytes, size_t length, int64_t *value)
{
	const char *end = bytes + length;
	bool		negative = false;
	bool		beyond = false;
	uint64_t	limit;
	uint64_t	n = 0;

	while (bytes < end && isspace((unsigned char) *bytes))
		bytes++;
	while (end > bytes && isspace((unsigned char) end[-1]))
		end--;
	if (bytes < end && (*bytes == '-' || *bytes == '+'))
		negative = *bytes++ == '-';
	if (bytes == end)
		return NUMBER_NONE;

	limit = (uint64_t) INT64_MAX + negative;
	for (; bytes < end; bytes++)
	{
		if (*bytes < '0' || *bytes > '9')
			return NUMBER_NONE;
		if (n > (limit - (uint64_t) (*bytes - '0')) / 10)
			beyond = true;
		else
			n = n * 10 + (uint64_t) (*bytes - '0');
	}
	if (beyond)
		return negative ? NUMBER_TOO_SMALL : NUMBER_TOO_GREAT;
	*value = negative ? (int64_t) (0 - n) : (int64_t) n;
	return NUMBER_OK;
}

/*
 * vsm_read_time
 *		Read a date, or a date and time; the zone is UTC unless given.
 *
 * In a query, "+" is decoded as a space, so a space before the hours of the zone means "+".
 */
char *
vsm_read_time(const char *bytes, size_t length)
{
	Reader		reader = {bytes, bytes + length};
	Text		zone = {0};
	char	   *time = NULL;
	int			local;

	if (!read_day(&reader))
		return NULL;
	if (reader.at == reader.end)
		return vsm_format("%.10sT00:00:00Z", bytes);
	if (!one_of(&reader, "Tt ") || !read_clock(&reader))
		return NULL;

	local = (int) (reader.at - bytes);
	if (reader.at == reader.end)
		vsm_text_addc(&zone, 'Z');
	if ((reader.at == reader.end || read_zone(&reader, &zone)) && reader.at == reader.end)
		time = vsm_format("%.*s%s", local, bytes, zone.data);
	vsm_text_free(&zone);
	return time;
}

/* A date stays one: only the database knows the stream's zone. */
char *
vsm_read_instant(const char *bytes, size_t length)
{
	char	   *date = vsm_read_date(bytes, length);

	return date != NULL ? date : vsm_read_time(bytes, length);
}

char *
vsm_read_date(const char *bytes, size_t length)
{
	Reader		reader = {bytes, bytes + length};

	return read_day(&reader) && reader.at == reader.end ? vsm_copy_n(bytes, length) : NULL;
}

static bool
read_day(Reader *reader)
{
	int			year;
	int			month;
	int			day;

	return digits(reader, 4, 1, 9999, &year) && one_of(reader, "-") &&
		digits(reader, 2, 1, 12, &month) && one_of(reader, "-") &&
		digits(reader, 2, 1, days_in(year, month), &day);
}

/* hh:mm, hh:mm:ss or hh:mm:ss.fraction */
static bool
read_clock(Reader *reader)
{
	int			ignored;

	if (!digits(reader, 2, 0, 23, &ignored) || !one_of(reader, ":") || !digits(reader, 2, 0, 59, &ignored))
		return false;
	if (!one_of(reader, ":"))
		return true;
	if (!digits(reader, 2, 0, 59, &ignored))
		return false;
	if (one_of(reader, "."))
	{
		const char *first = reader->at;

		while (reader->at < reader->end && isdigit((unsigned char) *reader->at))
			reader->at++;
		return reader->at > first && reader->at - first <= 9;
	}
	return true;
}

static bool
read_zone(Reader *reader, Text *zone)
{
	int			hours;
	int			minutes = 0;
	char		sign = *reader->at;

	if (one_of(reader, "Zz"))
	{
		vsm_text_addc(zone, 'Z');
		return true;
	}
	if (!one_of(reader, "+- ") || !digits(reader, 2, 0, 15, &hours))
		return false;
	if (reader->at < reader->end)
	{
		one_of(reader, ":");
		if (!digits(reader, 2, 0, 59, &minutes))
			return false;
	}
	vsm_text_addf(zone, "%c%02d:%02d", sign == '-' ? '-' : '+', hours, minutes);
	return true;
}

static bool
digits(Reader *reader, int n, int least, int most, int *value)
{
	*value = 0;
	if (reader->end - reader->at < n)
		return false;
	for (int i = 0; i < n; i++)
	{
		if (!isdigit((unsigned char) *reader->at))
			return false;
		*value = *value * 10 + (*reader->at++ - '0');
	}
	return *value >= least && *value <= most;
}

static bool
one_of(Reader *reader, const char *characters)
{
	if (reader->at == reader->end || *reader->at == '\0' || strchr(characters, *reader->at) == NULL)
		return false;
	reader->at++;
	return true;
}

static int
days_in(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool		leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

const char *
vsm_read_boolean(const char *bytes, size_t length)
{
	static const char *const words[] = {"true", "false", "1", "0", "t", "f", "yes", "no", "y", "n", "on", "off"};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strlen(words[i]) == length && strncasecmp(words[i], bytes, length) == 0)
			return i % 2 == 0 ? "true" : "false";
	return NULL;
}

/* Read a whole number and a unit; without a number it is 1. */
char *
vsm_read_step(const char *bytes, size_t length)
{
	static const char *const units[] = {"minute", "hour", "day", "week", "month"};
	Reader		reader = {bytes, bytes + length};
	int			n = 0;
	size_t		left;

	while (reader.at < reader.end && isdigit((unsigned char) *reader.at) && n < 100000)
		n = n * 10 + (*reader.at++ - '0');
	if (reader.at == bytes)
		n = 1;
	else
		one_of(&reader, " ");
	left = (size_t) (reader.end - reader.at);
	if (n == 0 || left == 0)
		return NULL;
	if (reader.at[left - 1] == 's')
		left--;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (strlen(units[i]) == left && memcmp(units[i], reader.at, left) == 0)
			return vsm_format("%d %s", n, units[i]);
	return NULL;
}

/*
 * vsm_read_object
 *		Read a JSON object that PostgreSQL can store: without NUL.
 *
 * The text stays as it is, since jansson would round its numbers.
 */
char *
vsm_read_object(const char *bytes, size_t length)
{
	json_t	   *value = json_loadb(bytes, length, JSON_DECODE_INT_AS_REAL, NULL);
	bool		is_object = json_is_object(value);

	json_decref(value);
	return is_object ? vsm_copy_n(bytes, length) : NULL;
}

/* Read a JSON array of objects likewise. */
char *
vsm_read_list(const char *bytes, size_t length)
{
	json_t	   *value = json_loadb(bytes, length, JSON_DECODE_INT_AS_REAL, NULL);
	bool		is_list = json_is_array(value);
	size_t		i;
	json_t	   *element;

	json_array_foreach(value, i, element)
		is_list &= json_is_object(element);
	json_decref(value);
	return is_list ? vsm_copy_n(bytes, length) : NULL;
}

/*
 * vsm_json_member
 *		Find the text of a member's value in a JSON object that jansson has accepted.
 *
 * If the object has several members of that name, the last one counts, as for jansson.  Returns
 * NULL if it has none.
 */
const char *
vsm_json_member(const char *bytes, size_t length, const char *name, size_t *member_length)
{
	Reader		reader = {bytes, bytes + length};
	const char *found = NULL;

	skip_blanks(&reader);
	if (!one_of(&reader, "{"))
		return NULL;
	do
	{
		const char *key;
		const char *key_end;
		const char *value;

		skip_blanks(&reader);
		key = reader.at;
		skip_json(&reader);
		key_end = reader.at;
		skip_blanks(&reader);
		if (!one_of(&reader, ":"))
			break;
		skip_blanks(&reader);
		value = reader.at;
		skip_json(&reader);
		if (is_key(key, (size_t) (key_end - key), name))
		{
			found = value;
			*member_length = (size_t) (reader.at - value);
		}
		skip_blanks(&reader);
	} while (one_of(&reader, ","));
	return found;
}

static void
skip_blanks(Reader *reader)
{
	while (one_of(reader, " \t\r\n"))
		;
}

/* Skip one value of valid JSON.  Never goes beyond the end, whatever the bytes are. */
static void
skip_json(Reader *reader)
{
	int			depth = 0;

	do
	{
		char		c;

		if (reader->at == reader->end)
			return;
		c = *reader->at++;
		if (c == '"')
		{
			while (reader->at < reader->end && *reader->at != '"')
				reader->at += *reader->at == '\\' && reader->end - reader->at > 1 ? 2 : 1;
			one_of(reader, "\"");
		}
		else if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']')
			depth--;
		else
			while (reader->at < reader->end && strchr(",:{}[]\" \t\r\n", *reader->at) == NULL)
				reader->at++;
	} while (depth > 0);
}

/* json is a string of JSON with its quotes; escapes are decoded. */
static bool
is_key(const char *json, size_t length, const char *name)
{
	json_t	   *key = json_loadb(json, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	bool		same = json_is_string(key) && json_string_length(key) == strlen(name) && strcmp(json_string_value(key), name) == 0;

	json_decref(key);
	return same;
}

/* Up to 20 percentages from 1 to below 100, as an array of the database.  Below 1, a fraction is meant. */
char *
vsm_read_percentiles(const char *bytes, size_t length)
{
	Reader		reader = {bytes, bytes + length};
	Text		array = {0};
	int			n = 0;

	vsm_text_addc(&array, '{');
	do
	{
		const char *first = reader.at;
		bool		positive = false;	/* the whole part */

		while (reader.at < reader.end && isdigit((unsigned char) *reader.at))
			positive |= *reader.at++ != '0';
		if (reader.at == first || reader.at - first > 2)
			break;
		if (one_of(&reader, "."))
		{
			const char *decimals = reader.at;

			while (reader.at < reader.end && isdigit((unsigned char) *reader.at))
				reader.at++;
			if (reader.at == decimals || reader.at - decimals > 9)
				break;
		}
		if (!positive)
			break;
		vsm_text_addf(&array, "%s%.*s", n > 0 ? "," : "", (int) (reader.at - first), first);
		if (++n <= 20 && reader.at == reader.end)
		{
			vsm_text_addc(&array, '}');
			return array.data;
		}
	} while (n < 20 && one_of(&reader, ","));
	vsm_text_free(&array);
	return NULL;
}

/* A decimal number above 0 and below 1. */
char *
vsm_read_share(const char *bytes, size_t length)
{
	Reader		reader = {bytes, bytes + length};
	const char *decimals;
	bool		positive = false;

	(void) one_of(&reader, "0");
	if (!one_of(&reader, "."))
		return NULL;
	decimals = reader.at;
	while (reader.at < reader.end && isdigit((unsigned char) *reader.at))
		positive |= *reader.at++ != '0';
	return positive && reader.at == reader.end && reader.at - decimals <= 17 ? vsm_copy_n(bytes, length) : NULL;
}

bool
vsm_read_choice(const char *choices, const char *bytes, size_t length)
{
	while (*choices != '\0')
	{
		size_t		n = strcspn(choices, "|");

		if (n == length && memcmp(choices, bytes, n) == 0)
			return true;
		choices += n + (choices[n] == '|');
	}
	return false;
}
