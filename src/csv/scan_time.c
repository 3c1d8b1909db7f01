/*
 * scan_time.c
 *		The time of day in a text, and its offset from UTC or zone.
 */
#include <string.h>

#include "csv/fold.h"
#include "csv/scan.h"

#define SECOND INT64_C(1000000)

static bool read_compact_clock(Scanner *scanner, int64_t *time);
static bool read_half(Scanner *scanner, bool *afternoon);
static int64_t read_fraction(Scanner *scanner);
static bool read_offset(Scanner *scanner, int *offset);
static bool known_zone(const char *name, int *offset);

/* What may follow the date; the date alone is a time as well. */
bool
vsm_scan_time(Scanner *scanner, DateReading *reading)
{
	if (reading->has_time)
		return true;
	if (scanner->at == scanner->end)
		return true;
	if (vsm_scan(scanner, "t"))
	{
		Scanner		begin = *scanner;

		if (!vsm_scan_clock(scanner, &reading->time))
		{
			*scanner = begin;
			if (!read_compact_clock(scanner, &reading->time))
				return false;
		}
	}
	else
	{
		const char *next = scanner->at;

		if (vsm_scan(scanner, "z"))
		{
			reading->has_offset = true;
			return true;
		}
		if (!vsm_is_blank(vsm_utf8_read(&next, scanner->end)) && *scanner->at != ',' && *scanner->at != ';')
			return false;
		(void) (vsm_scan(scanner, ",") || vsm_scan(scanner, ";"));
		vsm_scan_blanks(scanner);
		if (vsm_scan(scanner, "at ") || vsm_scan(scanner, "um ") || vsm_scan(scanner, "a las ") || vsm_scan(scanner, "as ") || vsm_scan(scanner, "- ") ||
			vsm_scan(scanner, "\xC3\xA0 ") || vsm_scan(scanner, "\xC3\xA0s "))
			vsm_scan_blanks(scanner);
		if (!vsm_scan_clock(scanner, &reading->time))
			return false;
	}
	reading->has_time = true;
	return vsm_scan_zone(scanner, reading);
}

/* 14:05, 2:05:00.5 PM, 14.05.00, 14h05; with AM and PM in their many spellings. */
bool
vsm_scan_clock(Scanner *scanner, int64_t *time)
{
	int			hour;
	int			minute = 0;
	int			second = 0;
	int64_t		fraction = 0;
	char		colon;
	bool		afternoon;

	if (!vsm_scan_digits(scanner, 1, 2, &hour, NULL))
		return false;
	colon = scanner->at < scanner->end ? *scanner->at : '\0';
	if (colon == ':' || colon == '.' || colon == 'h')
	{
		scanner->at++;
		if (!vsm_scan_digits(scanner, 2, 2, &minute, NULL))
			return false;
		if (scanner->at < scanner->end && *scanner->at == colon && colon != 'h')
		{
			scanner->at++;
			if (!vsm_scan_digits(scanner, 2, 2, &second, NULL))
				return false;
			fraction = read_fraction(scanner);
		}
	}
	else
	{
		Scanner		next = *scanner;

		if (!read_half(&next, &afternoon))
			return false;
	}
	if (read_half(scanner, &afternoon))
	{
		if (hour == 0 && afternoon)
			return false;
		if (hour == 12)
			hour = afternoon ? 12 : 0;
		else if (hour < 12 && afternoon)
			hour += 12;
		else if (hour > 12 && !afternoon)
			return false;
	}
	else
	{
		vsm_scan_blanks(scanner);
		vsm_scan(scanner, "uhr");
	}
	if (hour > 24 || minute > 59 || second > 60 || (hour == 24 && minute + second > 0))
		return false;
	*time = ((hour * 60 + minute) * INT64_C(60) + second) * SECOND + fraction;
	return true;
}

/* 140500 or 1405, behind a T. */
static bool
read_compact_clock(Scanner *scanner, int64_t *time)
{
	int			number;
	int			digits;
	int			second = 0;

	if (!vsm_scan_digits(scanner, 4, 6, &number, &digits) || digits == 5)
		return false;
	if (digits == 6)
	{
		second = number % 100;
		number /= 100;
	}
	if (number / 100 > 23 || number % 100 > 59 || second > 60)
		return false;
	*time = ((number / 100 * 60 + number % 100) * INT64_C(60) + second) * SECOND + read_fraction(scanner);
	return true;
}

static bool
read_half(Scanner *scanner, bool *afternoon)
{
	Scanner		begin = *scanner;

	vsm_scan_blanks(scanner);
	if (vsm_scan(scanner, "am") || vsm_scan(scanner, "a.m.") || vsm_scan(scanner, "a. m.") || vsm_scan(scanner, "a.\xC2\xA0m."))
		*afternoon = false;
	else if (vsm_scan(scanner, "pm") || vsm_scan(scanner, "p.m.") || vsm_scan(scanner, "p. m.") || vsm_scan(scanner, "p.\xC2\xA0m."))
		*afternoon = true;
	else
	{
		*scanner = begin;
		return false;
	}
	/* "12:00 America/New_York" is no 12:00 AM. */
	if (scanner->at == scanner->end || (*scanner->at | 0x20) < 'a' || (*scanner->at | 0x20) > 'z')
		return true;
	*scanner = begin;
	return false;
}

/* In microseconds; further digits are cut. */
static int64_t
read_fraction(Scanner *scanner)
{
	int64_t		fraction = 0;
	int64_t		unit = SECOND / 10;
	const char *at = scanner->at;

	if (scanner->end - at < 2 || strchr(".,:", *at) == NULL || at[1] < '0' || at[1] > '9')
		return 0;
	for (at++; at < scanner->end && *at >= '0' && *at <= '9'; at++)
	{
		fraction += (*at - '0') * unit;
		unit /= 10;
	}
	scanner->at = at;
	return fraction;
}

/* Z, +02:00, +0200, +02, GMT+2, CEST, Europe/Berlin; what stands in brackets behind an offset repeats it. */
bool
vsm_scan_zone(Scanner *scanner, DateReading *reading)
{
	const char *begin;
	size_t		length = 0;
	char		name[DATE_ZONE_SIZE];

	vsm_scan_blanks(scanner);
	if (scanner->at == scanner->end)
		return true;
	if (vsm_scan(scanner, "utc") || vsm_scan(scanner, "gmt") || vsm_scan(scanner, "z"))
	{
		reading->has_offset = true;
		(void) read_offset(scanner, &reading->offset);
	}
	else if (read_offset(scanner, &reading->offset))
		reading->has_offset = true;
	vsm_scan_blanks(scanner);
	if (reading->has_offset && scanner->at < scanner->end && (*scanner->at == '(' || *scanner->at == '['))
	{
		char		closing = *scanner->at == '(' ? ')' : ']';

		while (scanner->at < scanner->end && *scanner->at != closing)
			scanner->at++;
		if (scanner->at < scanner->end)
			scanner->at++;
		return true;
	}
	begin = scanner->at;
	while (scanner->at < scanner->end && !(*scanner->at >= '0' && *scanner->at <= '9') &&
		   ((*scanner->at | 0x20) >= 'a' || strchr("/_+-", *scanner->at) != NULL) && *scanner->at != ' ')
		scanner->at++;
	length = (size_t) (scanner->at - begin);
	if (length == 0)
		return true;
	if (length >= sizeof name || reading->has_offset)
		return false;
	memcpy(name, begin, length);
	name[length] = '\0';
	if (known_zone(name, &reading->offset))
		reading->has_offset = true;
	else if (strchr(name, '/') != NULL)
		memcpy(reading->zone, name, length + 1);
	else
		return false;			/* no zone, or one that several countries call so */
	return true;
}

static bool
read_offset(Scanner *scanner, int *offset)
{
	Scanner		begin = *scanner;
	int			sign;
	int			hours;
	int			minutes = 0;
	int			digits;

	if (!(vsm_scan(scanner, "+") || vsm_scan(scanner, "-") || vsm_scan(scanner, "\xE2\x88\x92")))
		return false;
	sign = *begin.at == '+' ? 1 : -1;
	if (!vsm_scan_digits(scanner, 1, 4, &hours, &digits) || digits == 3)
	{
		*scanner = begin;
		return false;
	}
	if (digits == 4)
	{
		minutes = hours % 100;
		hours /= 100;
	}
	else if (vsm_scan(scanner, ":") && !vsm_scan_digits(scanner, 2, 2, &minutes, NULL))
	{
		*scanner = begin;
		return false;
	}
	if (hours > 15 || minutes > 59)
	{
		*scanner = begin;
		return false;
	}
	*offset = sign * (hours * 3600 + minutes * 60);
	return true;
}

/* Abbreviations that mean the same everywhere; not IST, CST or BST. */
static bool
known_zone(const char *name, int *offset)
{
	static const struct
	{
		const char *name;
		int			hours;
	}			zones[] = {
		{"EST", -5},
		{"EDT", -4},
		{"CDT", -5},
		{"MDT", -6},
		{"PST", -8},
		{"PDT", -7},
		{"AKST", -9},
		{"AKDT", -8},
		{"HST", -10},
		{"WET", 0},
		{"WEST", 1},
		{"CET", 1},
		{"CEST", 2},
		{"MEZ", 1},
		{"MESZ", 2},
		{"EET", 2},
		{"EEST", 3},
		{"MSK", 3},
		{"JST", 9},
		{"KST", 9},
		{"AEST", 10},
		{"AEDT", 11},
		{"NZST", 12},
		{"NZDT", 13},
		{"SGT", 8},
		{"HKT", 8},
		{"BRT", -3},
	};

	for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++)
		if (strcmp(name, zones[i].name) == 0)
		{
			*offset = zones[i].hours * 3600;
			return true;
		}
	return false;
}

/* ---- Text ---- */

bool
vsm_scan_digits(Scanner *scanner, int least, int most, int *value, int *n_digits)
{
	int			n = 0;

	*value = 0;
	while (scanner->at + n < scanner->end && n <= most && scanner->at[n] >= '0' && scanner->at[n] <= '9')
		*value = *value * 10 + (scanner->at[n++] - '0');
	if (n < least || n > most)
		return false;
	scanner->at += n;
	if (n_digits != NULL)
		*n_digits = n;
	return true;
}

void
vsm_scan_blanks(Scanner *scanner)
{
	while (scanner->at < scanner->end)
	{
		const char *next = scanner->at;

		if (!vsm_is_blank(vsm_utf8_read(&next, scanner->end)))
			return;
		scanner->at = next;
	}
}

bool
vsm_scan(Scanner *scanner, const char *text)
{
	size_t		length = strlen(text);

	if ((size_t) (scanner->end - scanner->at) < length)
		return false;
	for (size_t i = 0; i < length; i++)
	{
		char		c = scanner->at[i];

		if (c >= 'A' && c <= 'Z')
			c = (char) (c + ('a' - 'A'));
		if (c != text[i])
			return false;
	}
	scanner->at += length;
	return true;
}
