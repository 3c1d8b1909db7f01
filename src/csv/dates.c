/*
 * dates.c
 *		Times as trackers and spreadsheets write them.
 *
 * A date has three parts: numbers, or the name of a month in one of the
 * languages below.  Which order day, month and year have is left open where the
 * text does not tell (03/04/2026).  A time of day may follow, with AM or PM, and
 * an offset from UTC or the name of a zone.  A plain number counts seconds or
 * fractions of them since 1970, or a spreadsheet's days.
 *
 * What does not match to its last character is no time.
 */
#include "csv/dates.h"

#include <stdio.h>
#include <string.h>

#include "csv/fold.h"

#define SECOND INT64_C(1000000)
#define DAY (86400 * SECOND)
#define MIN_YEAR 1000
#define MAX_YEAR 9999

typedef struct Scanner
{
	const char *at;
	const char *end;
} Scanner;

static bool read_number(const char *text, size_t length, DateReading *reading);
static bool read_digits(Scanner *scanner, int least, int most, int *value, int *n_digits);
static bool read_date(Scanner *scanner, DateReading *reading);
static bool read_year_first(Scanner *scanner, int year, DateReading *reading);
static bool read_year_last(Scanner *scanner, int first, int digits, DateReading *reading);
static bool read_month_first(Scanner *scanner, int month, DateReading *reading);
static void skip_weekday(Scanner *scanner);
static bool read_month_name(Scanner *scanner, int *month);
static bool read_word(Scanner *scanner, char *folded, size_t size);
static int	month_of(const char *word);
static void skip_separator(Scanner *scanner);
static void skip_blanks(Scanner *scanner);
static bool take(Scanner *scanner, const char *text);
static bool read_time(Scanner *scanner, DateReading *reading);
static bool read_clock(Scanner *scanner, int64_t *time);
static bool read_compact_clock(Scanner *scanner, int64_t *time);
static bool read_half(Scanner *scanner, bool *afternoon);
static int64_t read_fraction(Scanner *scanner);
static bool read_zone(Scanner *scanner, DateReading *reading);
static bool read_offset(Scanner *scanner, int *offset);
static bool known_zone(const char *name, int *offset);
static void find_orders(DateReading *reading);
static bool parts_in(const DateReading *reading, VsmDateOrder order, int *year, int *month, int *day);
static int64_t days_from_civil(int year, int month, int day);

/* ---- Reading ---- */

bool
vsm_date_read(const char *text, size_t length, DateReading *reading)
{
	Scanner		scanner;

	memset(reading, 0, sizeof *reading);
	vsm_trim(&text, &length);
	if (length < 4 || length > 80)
		return false;
	if (read_number(text, length, reading))
		return true;
	scanner.at = text;
	scanner.end = text + length;
	if (!read_date(&scanner, reading) || !read_time(&scanner, reading) || scanner.at != scanner.end)
		return false;
	find_orders(reading);
	return reading->orders != 0;
}

/* A time of day alone, such as 14:05 or 2:05:00 PM. */
bool
vsm_is_clock(const char *text, size_t length)
{
	Scanner		scanner;
	int64_t		time;

	vsm_trim(&text, &length);
	scanner.at = text;
	scanner.end = text + length;
	return read_clock(&scanner, &time) && scanner.at == scanner.end;
}

/* Digits, which may have a fraction: the unit is the one in which the number lies between 1980 and 2100. */
static bool
read_number(const char *text, size_t length, DateReading *reading)
{
	static const struct
	{
		DateUnit	unit;
		int			digits;		/* before the point */
		int			digits_too;
		int64_t		micros;		/* a unit has; 0: less than one */
	}			units[] = {
		{UNIT_SECONDS, 9, 10, SECOND},
		{UNIT_MILLISECONDS, 12, 13, 1000},
		{UNIT_MICROSECONDS, 15, 16, 1},
		{UNIT_NANOSECONDS, 18, 19, 0},
		{UNIT_DAYS, 5, 5, DAY},
	};
	int64_t		whole = 0;
	int64_t		part = 0;
	int64_t		scale = 1;
	size_t		n = 0;
	size_t		i;

	for (; n < length && text[n] >= '0' && text[n] <= '9' && n < 19; n++)
		whole = whole * 10 + (text[n] - '0');
	i = n;
	if (n > 0 && i < length && (text[i] == '.' || text[i] == ','))
		for (i++; i < length && text[i] >= '0' && text[i] <= '9'; i++)
			if (scale < INT64_C(1000000000))
			{
				part = part * 10 + (text[i] - '0');
				scale *= 10;
			}
	if (i != length || n == 0 || text[n - 1] == '.')
		return false;
	if (n == 8 && i == n)
	{
		reading->unit = UNIT_YYYYMMDD;
		reading->part[0] = (int) (whole / 10000);
		reading->part[1] = (int) (whole / 100 % 100);
		reading->part[2] = (int) (whole % 100);
		reading->orders = 1U << VSM_YMD;
		return vsm_date_instant(reading, VSM_YMD, &reading->number);
	}
	for (size_t u = 0; u < sizeof units / sizeof units[0]; u++)
	{
		int64_t		at;

		if ((int) n != units[u].digits && (int) n != units[u].digits_too)
			continue;
		if (units[u].micros == 0)
			at = whole / 1000;
		else if (units[u].unit == UNIT_DAYS)
			at = (whole - 25569) * DAY + (int64_t) ((double) part / (double) scale * 86400.0 * (scale < 10000000 ? 1 : 1000) + 0.5) * (scale < 10000000 ? SECOND : 1000);
		else
			at = whole * units[u].micros + (int64_t) ((double) part / (double) scale * (double) units[u].micros + 0.5);
		if (at < INT64_C(315532800) * SECOND || at > INT64_C(4102444800) * SECOND)
			return false;
		reading->unit = units[u].unit;
		reading->number = at;
		reading->has_offset = units[u].unit != UNIT_DAYS;
		reading->has_time = true;
		reading->orders = 1U << VSM_DMY | 1U << VSM_MDY | 1U << VSM_YMD;
		return true;
	}
	return false;
}

static bool
read_digits(Scanner *scanner, int least, int most, int *value, int *n_digits)
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

/* ---- The date ---- */

static bool
read_date(Scanner *scanner, DateReading *reading)
{
	Scanner		begin;
	int			number;
	int			digits;
	int			month;

	skip_weekday(scanner);
	begin = *scanner;
	if (read_month_name(scanner, &month))
		return read_month_first(scanner, month, reading);
	*scanner = begin;
	if (read_digits(scanner, 8, 8, &number, NULL))
	{
		reading->part[0] = number / 10000;
		reading->part[1] = number / 100 % 100;
		reading->part[2] = number % 100;
		return true;
	}
	*scanner = begin;
	if (!read_digits(scanner, 1, 4, &number, &digits) || digits == 3)
		return false;
	return digits == 4 ? read_year_first(scanner, number, reading) : read_year_last(scanner, number, digits, reading);
}

/* 2026-01-31, 2026/1/31, 2026.01.31, 2026-Jan-31, 2026年1月31日 */
static bool
read_year_first(Scanner *scanner, int year, DateReading *reading)
{
	char		separator = scanner->at < scanner->end ? *scanner->at : '\0';

	reading->part[0] = year;
	if (take(scanner, "\xE5\xB9\xB4") || take(scanner, "\xEB\x85\x84"))		/* year, in Chinese and Korean */
	{
		skip_blanks(scanner);
		if (!read_digits(scanner, 1, 2, &reading->part[1], NULL) ||
			!(take(scanner, "\xE6\x9C\x88") || take(scanner, "\xEC\x9B\x94")))
			return false;
		skip_blanks(scanner);
		return read_digits(scanner, 1, 2, &reading->part[2], NULL) &&
			(take(scanner, "\xE6\x97\xA5") || take(scanner, "\xEC\x9D\xBC"));
	}
	if (strchr("-/. ", separator) == NULL || separator == '\0')
		return false;
	scanner->at++;
	if (!read_digits(scanner, 1, 2, &reading->part[1], NULL))
	{
		if (!read_month_name(scanner, &reading->part[1]))
			return false;
		reading->named_month = true;
	}
	if (scanner->at == scanner->end || (*scanner->at != separator && *scanner->at != ' '))
		return false;
	scanner->at++;
	return read_digits(scanner, 1, 2, &reading->part[2], NULL);
}

/* 31/01/2026, 1-31-26, 31.01.2026, 31.Jan.26, 31 January 2026, 31 de enero de 2026, 26-01-31 */
static bool
read_year_last(Scanner *scanner, int first, int digits, DateReading *reading)
{
	char		separator;
	int			year_digits;

	reading->part[0] = first;
	if (take(scanner, "st") || take(scanner, "nd") || take(scanner, "rd") || take(scanner, "th") || take(scanner, "er") || take(scanner, "\xC2\xBA"))
		digits = 1;
	separator = scanner->at < scanner->end ? *scanner->at : '\0';
	if (strchr("-/. ", separator) == NULL || separator == '\0')
		return false;
	skip_separator(scanner);
	if (read_digits(scanner, 1, 2, &reading->part[1], NULL))
	{
		if (scanner->at == scanner->end || *scanner->at != separator || separator == ' ')
			return false;
		scanner->at++;
		if (separator == '.')
			skip_blanks(scanner);
	}
	else
	{
		if (!read_month_name(scanner, &reading->part[1]))
			return false;
		reading->named_month = true;
		skip_separator(scanner);
	}
	if (!read_digits(scanner, 2, 4, &reading->part[2], &year_digits))
		return false;
	reading->short_year = year_digits == 2;
	reading->dotted = separator == '.';
	reading->year_may_lead = digits == 2;
	reading->open = true;
	return year_digits == 4 || (year_digits == 2 && digits <= 2);
}

/* Jan 31, 2026; January 31st 2026; Jan 31 14:05:00 UTC 2026 */
static bool
read_month_first(Scanner *scanner, int month, DateReading *reading)
{
	int			digits;
	int			day;
	Scanner		here;

	reading->named_month = true;
	skip_separator(scanner);
	if (!read_digits(scanner, 1, 2, &day, NULL))
		return false;
	(void) (take(scanner, "st") || take(scanner, "nd") || take(scanner, "rd") || take(scanner, "th"));
	here = *scanner;
	skip_separator(scanner);
	reading->part[1] = month;
	reading->part[2] = day;
	if (read_digits(scanner, 4, 4, &reading->part[0], NULL))
		return true;
	*scanner = here;
	skip_separator(scanner);
	if (read_digits(scanner, 2, 2, &reading->part[0], &digits) && (scanner->at == scanner->end || *scanner->at != ':'))
	{
		reading->part[0] += reading->part[0] < 70 ? 2000 : 1900;
		return true;
	}
	*scanner = here;
	skip_blanks(scanner);
	if (!read_clock(scanner, &reading->time))
		return false;
	reading->has_time = true;
	return read_zone(scanner, reading) && (skip_blanks(scanner), read_digits(scanner, 4, 4, &reading->part[0], NULL));
}

/* A word before the date: a weekday, or the first of two words (French "mar." is Tuesday before 5 mars). */
static void
skip_weekday(Scanner *scanner)
{
	static const char *const days =
		" mon tue wed thu fri sat sun tues weds thur thurs mo di mi do fr sa so mit don fre sam son die lun mar mer mie jeu jue ven vie "
		"dim sab dom seg ter qua qui sex gio ma wo vr za zo monday tuesday wednesday thursday friday saturday sunday montag dienstag "
		"mittwoch donnerstag freitag samstag sonnabend sonntag lundi mardi mercredi jeudi vendredi samedi dimanche lunes martes "
		"miercoles jueves viernes sabado domingo lunedi martedi mercoledi giovedi venerdi maandag dinsdag woensdag donderdag vrijdag "
		"zaterdag zondag ";
	Scanner		begin = *scanner;
	char		word[32];
	char		padded[36];
	int			ignored;

	if (!read_word(scanner, word, sizeof word))
		return;
	snprintf(padded, sizeof padded, " %s ", word);
	if (strstr(days, padded) == NULL)
	{
		*scanner = begin;
		return;
	}
	take(scanner, ".");
	take(scanner, ",");
	skip_blanks(scanner);
	/* "mar 5 2024" is a month: a weekday stands before another word or before a number and a month. */
	if (month_of(word) > 0)
	{
		Scanner		next = *scanner;

		if (read_digits(&next, 1, 2, &ignored, NULL))
		{
			skip_separator(&next);
			if (!read_month_name(&next, &ignored))
				*scanner = begin;
		}
		else if (!read_month_name(&next, &ignored))
			*scanner = begin;
	}
}

static bool
read_month_name(Scanner *scanner, int *month)
{
	Scanner		begin = *scanner;
	char		word[32];

	if (read_word(scanner, word, sizeof word) && (*month = month_of(word)) > 0)
		return true;
	*scanner = begin;
	return false;
}

static bool
read_word(Scanner *scanner, char *folded, size_t size)
{
	const char *begin = scanner->at;

	while (scanner->at < scanner->end &&
		   ((unsigned char) *scanner->at >= 0x80 || (*scanner->at | 0x20) >= 'a') && (unsigned char) (*scanner->at | 0x20) != 0x7F &&
		   ((unsigned char) *scanner->at >= 0x80 || (*scanner->at | 0x20) <= 'z'))
		scanner->at++;
	return scanner->at > begin && (size_t) (scanner->at - begin) < size &&
		vsm_fold(begin, (size_t) (scanner->at - begin), FOLD_LETTERS, folded, size) > 0;
}

/* By its first three letters, and then as far as one of its names goes. */
static int
month_of(const char *word)
{
	static const char *const names[12] = {
		"january|januar|janvier|janeiro|enero|gennaio|januari|styczen|stycznia|jan|janv|ene|gen|\xD1\x8F\xD0\xBD\xD0\xB2\xD0\xB0\xD1\x80\xD1\x8F",
		"february|februar|fevrier|fevereiro|febrero|febbraio|februari|luty|lutego|feb|fev|fevr|febr|\xD1\x84\xD0\xB5\xD0\xB2\xD1\x80\xD0\xB0\xD0\xBB\xD1\x8F",
		"march|marz|mars|marco|marzo|maart|marec|marca|mar|mrz|mrt|maerz|\xD0\xBC\xD0\xB0\xD1\x80\xD1\x82\xD0\xB0",
		"april|avril|abril|aprile|kwiecien|kwietnia|apr|avr|abr|kwi|\xD0\xB0\xD0\xBF\xD1\x80\xD0\xB5\xD0\xBB\xD1\x8F",
		"may|mai|maio|mayo|maggio|mei|maj|maja|mag|\xD0\xBC\xD0\xB0\xD1\x8F|\xD0\xBC\xD0\xB0\xD0\xB9",
		"june|juni|juin|junho|junio|giugno|czerwiec|czerwca|jun|giu|cze|\xD0\xB8\xD1\x8E\xD0\xBD\xD1\x8F",
		"july|juli|juillet|julho|julio|luglio|lipiec|lipca|jul|juil|lug|lip|\xD0\xB8\xD1\x8E\xD0\xBB\xD1\x8F",
		"august|aout|agosto|augustus|augusti|sierpien|sierpnia|aug|aou|ago|sie|\xD0\xB0\xD0\xB2\xD0\xB3\xD1\x83\xD1\x81\xD1\x82\xD0\xB0",
		"september|septembre|setembro|septiembre|settembre|wrzesien|wrzesnia|sep|sept|set|wrz|\xD1\x81\xD0\xB5\xD0\xBD\xD1\x82\xD1\x8F\xD0\xB1\xD1\x80\xD1\x8F",
		"october|oktober|octobre|outubro|octubre|ottobre|pazdziernik|pazdziernika|oct|okt|out|ott|paz|\xD0\xBE\xD0\xBA\xD1\x82\xD1\x8F\xD0\xB1\xD1\x80\xD1\x8F",
		"november|novembre|novembro|noviembre|listopad|listopada|nov|lis|\xD0\xBD\xD0\xBE\xD1\x8F\xD0\xB1\xD1\x80\xD1\x8F",
		"december|dezember|decembre|dezembro|diciembre|dicembre|grudzien|grudnia|dec|dez|dic|gru|\xD0\xB4\xD0\xB5\xD0\xBA\xD0\xB0\xD0\xB1\xD1\x80\xD1\x8F",
	};
	size_t		length = strlen(word);
	size_t		least = (unsigned char) word[0] >= 0x80 ? 6 : 3;

	if (length < least)
		return 0;
	for (int month = 0; month < 12; month++)
		for (const char *name = names[month]; *name != '\0';)
		{
			size_t		of_name = strcspn(name, "|");

			if (length <= of_name && strncmp(word, name, length) == 0)
				return month + 1;
			name += of_name + (name[of_name] == '|');
		}
	return 0;
}

/* Between the parts of a date: blanks, a point, a comma, a stroke, "de", "of". */
static void
skip_separator(Scanner *scanner)
{
	skip_blanks(scanner);
	(void) (take(scanner, "-") || take(scanner, "/") || take(scanner, ".") || take(scanner, ","));
	skip_blanks(scanner);
	(void) (take(scanner, ",") || take(scanner, "de ") || take(scanner, "of ") || take(scanner, "/") || take(scanner, "-"));
	skip_blanks(scanner);
}

static void
skip_blanks(Scanner *scanner)
{
	while (scanner->at < scanner->end)
	{
		const char *next = scanner->at;

		if (!vsm_is_blank(vsm_utf8_read(&next, scanner->end)))
			return;
		scanner->at = next;
	}
}

static bool
take(Scanner *scanner, const char *text)
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

/* ---- The time of day ---- */

/* What may follow the date; the date alone is a time as well. */
static bool
read_time(Scanner *scanner, DateReading *reading)
{
	Scanner		begin;

	if (reading->has_time)
		return true;
	if (scanner->at == scanner->end)
		return true;
	if (take(scanner, "t"))
	{
		begin = *scanner;
		if (!read_clock(scanner, &reading->time))
		{
			*scanner = begin;
			if (!read_compact_clock(scanner, &reading->time))
				return false;
		}
	}
	else
	{
		const char *next = scanner->at;

		if (take(scanner, "z"))
		{
			reading->has_offset = true;
			return true;
		}
		if (!vsm_is_blank(vsm_utf8_read(&next, scanner->end)) && *scanner->at != ',' && *scanner->at != ';')
			return false;
		(void) (take(scanner, ",") || take(scanner, ";"));
		skip_blanks(scanner);
		if (take(scanner, "at ") || take(scanner, "um ") || take(scanner, "a las ") || take(scanner, "as ") || take(scanner, "- ") ||
			take(scanner, "\xC3\xA0 ") || take(scanner, "\xC3\xA0s "))
			skip_blanks(scanner);
		if (!read_clock(scanner, &reading->time))
			return false;
	}
	reading->has_time = true;
	return read_zone(scanner, reading);
}

/* 14:05, 2:05:00.5 PM, 14.05.00, 14h05; with AM and PM in their many spellings. */
static bool
read_clock(Scanner *scanner, int64_t *time)
{
	int			hour;
	int			minute = 0;
	int			second = 0;
	int64_t		fraction = 0;
	char		colon;
	bool		afternoon;

	if (!read_digits(scanner, 1, 2, &hour, NULL))
		return false;
	colon = scanner->at < scanner->end ? *scanner->at : '\0';
	if (colon == ':' || colon == '.' || colon == 'h')
	{
		scanner->at++;
		if (!read_digits(scanner, 2, 2, &minute, NULL))
			return false;
		if (scanner->at < scanner->end && *scanner->at == colon && colon != 'h')
		{
			scanner->at++;
			if (!read_digits(scanner, 2, 2, &second, NULL))
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
		skip_blanks(scanner);
		take(scanner, "uhr");
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

	if (!read_digits(scanner, 4, 6, &number, &digits) || digits == 5)
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

	skip_blanks(scanner);
	if (take(scanner, "am") || take(scanner, "a.m.") || take(scanner, "a. m.") || take(scanner, "a.\xC2\xA0m."))
		*afternoon = false;
	else if (take(scanner, "pm") || take(scanner, "p.m.") || take(scanner, "p. m.") || take(scanner, "p.\xC2\xA0m."))
		*afternoon = true;
	else
	{
		*scanner = begin;
		return false;
	}
	return true;
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
static bool
read_zone(Scanner *scanner, DateReading *reading)
{
	const char *begin;
	size_t		length = 0;
	char		name[DATE_ZONE_SIZE];

	skip_blanks(scanner);
	if (scanner->at == scanner->end)
		return true;
	if (take(scanner, "utc") || take(scanner, "gmt") || take(scanner, "z"))
	{
		reading->has_offset = true;
		(void) read_offset(scanner, &reading->offset);
	}
	else if (read_offset(scanner, &reading->offset))
		reading->has_offset = true;
	skip_blanks(scanner);
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

	if (!(take(scanner, "+") || take(scanner, "-") || take(scanner, "\xE2\x88\x92")))
		return false;
	sign = *begin.at == '+' ? 1 : -1;
	if (!read_digits(scanner, 1, 4, &hours, &digits) || digits == 3)
	{
		*scanner = begin;
		return false;
	}
	if (digits == 4)
	{
		minutes = hours % 100;
		hours /= 100;
	}
	else if (take(scanner, ":") && !read_digits(scanner, 2, 2, &minutes, NULL))
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

/* ---- The instant ---- */

static void
find_orders(DateReading *reading)
{
	int64_t		ignored;

	if (!reading->open)
		reading->orders = vsm_date_instant(reading, VSM_YMD, &ignored) ? 1U << VSM_YMD : 0;
	else
		for (int order = VSM_DMY; order <= VSM_YMD; order++)
			if (vsm_date_instant(reading, (VsmDateOrder) order, &ignored))
				reading->orders |= 1U << order;
}

/*
 * vsm_date_instant
 *		Microseconds since 1970 when day, month and year are in this order; without an offset, as if of UTC.
 *
 * False: no such day.  An order that is not open is the text's own.
 */
bool
vsm_date_instant(const DateReading *reading, VsmDateOrder order, int64_t *local)
{
	int			year;
	int			month;
	int			day;

	if (reading->unit != UNIT_NONE && reading->unit != UNIT_YYYYMMDD)
	{
		*local = reading->number;
		return true;
	}
	if (!parts_in(reading, reading->open ? order : VSM_YMD, &year, &month, &day))
		return false;
	*local = days_from_civil(year, month, day) * DAY + reading->time - reading->offset * SECOND;
	return true;
}

static bool
parts_in(const DateReading *reading, VsmDateOrder order, int *year, int *month, int *day)
{
	static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	const int  *part = reading->part;

	switch (order)
	{
		case VSM_DMY:
			*day = part[0], *month = part[1], *year = part[2];
			break;
		case VSM_MDY:
			if (reading->named_month)
				return false;
			*month = part[0], *day = part[1], *year = part[2];
			break;
		case VSM_YMD:
			if (reading->open && !(reading->short_year && reading->year_may_lead))
				return false;
			*year = part[0], *month = part[1], *day = part[2];
			break;
		case VSM_DATES_ANY:
		default:
			return false;
	}
	if (reading->open && reading->short_year)
	{
		if (*year > 99)
			return false;
		*year += *year < 70 ? 2000 : 1900;
	}
	if (*year < MIN_YEAR || *year > MAX_YEAR || *month < 1 || *month > 12 || *day < 1 || *day > days[*month - 1])
		return false;
	return *month != 2 || *day < 29 || (*year % 4 == 0 && (*year % 100 != 0 || *year % 400 == 0));
}

/* Days since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
static int64_t
days_from_civil(int year, int month, int day)
{
	int			y = year - (month <= 2);
	int			era = y / 400;
	int			of_era = y - era * 400;
	int			of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return (int64_t) era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* ISO 8601, with Z unless local; microseconds only where there are any. */
void
vsm_date_text(int64_t at, bool local, char text[VSM_TIME_TEXT])
{
	int64_t		days = at / DAY - (at % DAY < 0);
	int64_t		time = at - days * DAY;
	int64_t		z = days + 719468;
	int64_t		era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t		of_era = z - era * 146097;
	int64_t		y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t		of_year = of_era - (365 * y + y / 4 - y / 100);
	int64_t		m = (5 * of_year + 2) / 153;
	int			month = (int) (m < 10 ? m + 3 : m - 9);
	int			year = (int) (y + era * 400 + (month <= 2));
	int			n = snprintf(text, VSM_TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d", year, month,
							 (int) (of_year - (153 * m + 2) / 5 + 1), (int) (time / (3600 * SECOND)),
							 (int) (time / (60 * SECOND) % 60), (int) (time / SECOND % 60));

	if (time % SECOND != 0)
		n += snprintf(text + n, VSM_TIME_TEXT - (size_t) n, ".%06d", (int) (time % SECOND));
	if (!local)
		snprintf(text + n, VSM_TIME_TEXT - (size_t) n, "Z");
}

/* ---- What stands where there is no value ---- */

/* Empty, N/A, -, NULL, 0000-00-00 and their like. */
bool
vsm_is_placeholder(const char *text, size_t length)
{
	static const char *const words =
		"|na|null|none|nil|nan|nat|empty|blank|undefined|unset|notset|unknown|never|tbd|ka|keine|keiner|leer|nv|entfallt|aucun|aucune|neant|"
		"ninguno|ninguna|nenhum|nenhuma|vacio|vazio|nessuno|geen|brak|0|00|value|ref|notavailable|notapplicable|";
	char		folded[24];
	char		padded[28];

	vsm_trim(&text, &length);
	if (length == 0)
		return true;
	if (length > 26)
		return false;
	if (strncmp(text, "0000-00-00", length < 10 ? length : 10) == 0 && length >= 8)
		return true;
	if (strncmp(text, "0001-01-01", 10) == 0 || strncmp(text, "9999-12-31", 10) == 0 || strncmp(text, "1900-01-00", 10) == 0 ||
		strncmp(text, "00/00/00", 8) == 0 || strncmp(text, "00.00.00", 8) == 0 || strncmp(text, "1/1/0001", 8) == 0 ||
		strncmp(text, "01/01/0001", 10) == 0 || strncmp(text, "01.01.0001", 10) == 0)
		return true;
	if (vsm_fold(text, length, FOLD_LETTERS, folded, sizeof folded) == 0)
		return true;			/* marks only: -, --, ?, ... */
	snprintf(padded, sizeof padded, "|%s|", folded);
	return strstr(words, padded) != NULL;
}
