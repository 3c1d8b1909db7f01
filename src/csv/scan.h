/*
 * scan.h
 *		The parts of a time's text.
 */
#ifndef VSM_CSV_SCAN_H
#define VSM_CSV_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#define DATE_ZONE_SIZE 48

/* What a plain number counts. */
typedef enum DateUnit
{
	UNIT_NONE,
	UNIT_SECONDS,				/* since 1970 */
	UNIT_MILLISECONDS,
	UNIT_MICROSECONDS,
	UNIT_NANOSECONDS,
	UNIT_DAYS,					/* of a spreadsheet: since 1899-12-30 */
	UNIT_YYYYMMDD,				/* a time of day may follow */
	N_DATE_UNITS
} DateUnit;

/* A time as it stands: which of its numbers is the day may be open. */
typedef struct DateReading
{
	DateUnit	unit;			/* UNIT_NONE: numbers and names, as below */
	int64_t		number;			/* of a unit: microseconds since 1970 */
	int			part[3];		/* in the order of the text; a month's name as its number */
	bool		short_year;		/* of two digits */
	bool		year_may_lead;	/* the first number has two digits */
	bool		named_month;
	bool		dotted;
	unsigned int orders;		/* bit 1 << VsmDateOrder: this order makes it a date */
	bool		open;			/* the order is that of the file: numbers only, and the year does not come first */
	bool		has_time;
	int64_t		time;			/* microseconds of the day */
	bool		has_offset;
	int			offset;			/* seconds east of UTC */
	char		zone[DATE_ZONE_SIZE];	/* a name that only a time zone database knows; or empty */
} DateReading;

/* What is left of the text. */
typedef struct Scanner
{
	const char *at;
	const char *end;
} Scanner;

extern bool vsm_scan(Scanner *scanner, const char *text);
extern bool vsm_scan_digits(Scanner *scanner, int least, int most, int *value, int *n_digits);
extern void vsm_scan_blanks(Scanner *scanner);
extern bool vsm_scan_date(Scanner *scanner, DateReading *reading);
extern bool vsm_scan_time(Scanner *scanner, DateReading *reading);
extern bool vsm_scan_clock(Scanner *scanner, int64_t *time);
extern bool vsm_scan_zone(Scanner *scanner, DateReading *reading);

#endif
