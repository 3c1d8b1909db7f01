/*
 * dates.c
 *		Times as trackers and spreadsheets write them.
 *
 * A date has three parts: numbers, or the name of a month in one of the
 * languages below.  Which order day, month and year have is left open where the
 * text does not tell (03/04/2026).  A time of day may follow, with AM or PM, and
 * an offset from UTC or the name of a zone.  A plain number is a
 * date without separators (20260131, 20260131140509), or counts seconds or
 * fractions of them since 1970, or a spreadsheet's days.
 *
 * What does not match to its last character is no time.
 */
#include "csv/dates.h"

#include <stdio.h>
#include <string.h>

#include "csv/fold.h"
#include "csv/scan.h"

#define SECOND INT64_C(1000000)
#define DAY (86400 * SECOND)
#define MIN_YEAR 1000
#define MAX_YEAR 9999

static bool read_number(const char *text, size_t length, DateReading *reading);
static bool read_compact(int64_t digits, size_t n, DateReading *reading);
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
	/* by which a spreadsheet knows a text */
	if (length > 0 && text[0] == '\'')
		text++, length--;
	if (length < 4 || length > 80)
		return false;
	if (read_number(text, length, reading))
		return true;
	scanner.at = text;
	scanner.end = text + length;
	if (!vsm_scan_date(&scanner, reading) || !vsm_scan_time(&scanner, reading) || scanner.at != scanner.end)
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
	return vsm_scan_clock(&scanner, &time) && scanner.at == scanner.end;
}

/* 20260131, 202601311405 or 20260131140509. */
static bool
read_compact(int64_t digits, size_t n, DateReading *reading)
{
	int64_t		day;
	int64_t		clock;

	if (n == 8)
		digits *= 1000000;
	else if (n == 12)
		digits *= 100;
	else if (n != 14)
		return false;
	day = digits / 1000000;
	clock = digits % 1000000;
	/* of twelve digits, others are milliseconds */
	if (n == 12 && (day < 19800000 || day > 21009999))
		return false;
	if (clock / 10000 > 23 || clock / 100 % 100 > 59 || clock % 100 > 59)
		return false;
	reading->unit = UNIT_YYYYMMDD;
	reading->part[0] = (int) (day / 10000);
	reading->part[1] = (int) (day / 100 % 100);
	reading->part[2] = (int) (day % 100);
	reading->time = ((clock / 10000 * 60 + clock / 100 % 100) * 60 + clock % 100) * SECOND;
	reading->has_time = n > 8;
	reading->orders = 1U << VSM_YMD;
	return vsm_date_instant(reading, VSM_YMD, &reading->number);
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
	if (i == n && read_compact(whole, n, reading))
		return true;
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
