/*
 * scan_date.c
 *		Day, month and year in a text.
 *
 * Three numbers, or two and the name of a month in one of the languages below; a
 * weekday may stand before.
 */
#include <stdio.h>
#include <string.h>

#include "csv/fold.h"
#include "csv/scan.h"

static bool read_year_first(Scanner *scanner, int year, DateReading *reading);
static bool read_year_last(Scanner *scanner, int first, int digits, DateReading *reading);
static bool read_month_first(Scanner *scanner, int month, DateReading *reading);
static void skip_weekday(Scanner *scanner);
static bool read_month_name(Scanner *scanner, int *month);
static bool read_word(Scanner *scanner, char *folded, size_t size);
static int	month_of(const char *word);
static void skip_separator(Scanner *scanner);

bool
vsm_scan_date(Scanner *scanner, DateReading *reading)
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
	if (vsm_scan_digits(scanner, 8, 8, &number, NULL))
	{
		reading->part[0] = number / 10000;
		reading->part[1] = number / 100 % 100;
		reading->part[2] = number % 100;
		return true;
	}
	*scanner = begin;
	if (!vsm_scan_digits(scanner, 1, 4, &number, &digits) || digits == 3)
		return false;
	return digits == 4 ? read_year_first(scanner, number, reading) : read_year_last(scanner, number, digits, reading);
}

/* 2026-01-31, 2026/1/31, 2026.01.31, 2026-Jan-31, 2026年1月31日 */
static bool
read_year_first(Scanner *scanner, int year, DateReading *reading)
{
	char		separator = scanner->at < scanner->end ? *scanner->at : '\0';

	reading->part[0] = year;
	if (vsm_scan(scanner, "\xE5\xB9\xB4") || vsm_scan(scanner, "\xEB\x85\x84"))		/* year, in Chinese and Korean */
	{
		vsm_scan_blanks(scanner);
		if (!vsm_scan_digits(scanner, 1, 2, &reading->part[1], NULL) ||
			!(vsm_scan(scanner, "\xE6\x9C\x88") || vsm_scan(scanner, "\xEC\x9B\x94")))
			return false;
		vsm_scan_blanks(scanner);
		return vsm_scan_digits(scanner, 1, 2, &reading->part[2], NULL) &&
			(vsm_scan(scanner, "\xE6\x97\xA5") || vsm_scan(scanner, "\xEC\x9D\xBC"));
	}
	if (strchr("-/. ", separator) == NULL || separator == '\0')
		return false;
	scanner->at++;
	if (!vsm_scan_digits(scanner, 1, 2, &reading->part[1], NULL))
	{
		if (!read_month_name(scanner, &reading->part[1]))
			return false;
		reading->named_month = true;
	}
	if (scanner->at == scanner->end || (*scanner->at != separator && *scanner->at != ' '))
		return false;
	scanner->at++;
	return vsm_scan_digits(scanner, 1, 2, &reading->part[2], NULL);
}

/* 31/01/2026, 1-31-26, 31.01.2026, 31.Jan.26, 31 January 2026, 31 de enero de 2026, 26-01-31 */
static bool
read_year_last(Scanner *scanner, int first, int digits, DateReading *reading)
{
	char		separator;
	int			year_digits;

	reading->part[0] = first;
	if (vsm_scan(scanner, "st") || vsm_scan(scanner, "nd") || vsm_scan(scanner, "rd") || vsm_scan(scanner, "th") || vsm_scan(scanner, "er") || vsm_scan(scanner, "\xC2\xBA"))
		digits = 1;
	separator = scanner->at < scanner->end ? *scanner->at : '\0';
	if (strchr("-/. ", separator) == NULL || separator == '\0')
		return false;
	skip_separator(scanner);
	if (vsm_scan_digits(scanner, 1, 2, &reading->part[1], NULL))
	{
		if (scanner->at == scanner->end || *scanner->at != separator || separator == ' ')
			return false;
		scanner->at++;
		if (separator == '.')
			vsm_scan_blanks(scanner);
	}
	else
	{
		if (!read_month_name(scanner, &reading->part[1]))
			return false;
		reading->named_month = true;
		skip_separator(scanner);
	}
	if (!vsm_scan_digits(scanner, 2, 4, &reading->part[2], &year_digits))
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
	if (!vsm_scan_digits(scanner, 1, 2, &day, NULL))
		return false;
	(void) (vsm_scan(scanner, "st") || vsm_scan(scanner, "nd") || vsm_scan(scanner, "rd") || vsm_scan(scanner, "th"));
	here = *scanner;
	skip_separator(scanner);
	reading->part[1] = month;
	reading->part[2] = day;
	if (vsm_scan_digits(scanner, 4, 4, &reading->part[0], NULL))
		return true;
	*scanner = here;
	skip_separator(scanner);
	if (vsm_scan_digits(scanner, 2, 2, &reading->part[0], &digits) && (scanner->at == scanner->end || *scanner->at != ':'))
	{
		reading->part[0] += reading->part[0] < 70 ? 2000 : 1900;
		return true;
	}
	*scanner = here;
	vsm_scan_blanks(scanner);
	if (!vsm_scan_clock(scanner, &reading->time))
		return false;
	reading->has_time = true;
	return vsm_scan_zone(scanner, reading) && (vsm_scan_blanks(scanner), vsm_scan_digits(scanner, 4, 4, &reading->part[0], NULL));
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
	vsm_scan(scanner, ".");
	vsm_scan(scanner, ",");
	vsm_scan_blanks(scanner);
	/* "mar 5 2024" is a month: a weekday stands before another word or before a number and a month. */
	if (month_of(word) > 0)
	{
		Scanner		next = *scanner;

		if (vsm_scan_digits(&next, 1, 2, &ignored, NULL))
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
	vsm_scan_blanks(scanner);
	(void) (vsm_scan(scanner, "-") || vsm_scan(scanner, "/") || vsm_scan(scanner, ".") || vsm_scan(scanner, ","));
	vsm_scan_blanks(scanner);
	(void) (vsm_scan(scanner, ",") || vsm_scan(scanner, "de ") || vsm_scan(scanner, "of ") || vsm_scan(scanner, "/") || vsm_scan(scanner, "-"));
	vsm_scan_blanks(scanner);
}
