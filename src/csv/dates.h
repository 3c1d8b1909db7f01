/*
 * dates.h
 *		Times as trackers and spreadsheets write them.
 */
#ifndef VSM_CSV_DATES_H
#define VSM_CSV_DATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "csv/recognise.h"

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
	UNIT_YYYYMMDD,
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

extern bool vsm_date_read(const char *text, size_t length, DateReading *reading);
extern bool vsm_date_instant(const DateReading *reading, VsmDateOrder order, int64_t *local);
extern bool vsm_is_clock(const char *text, size_t length);
extern bool vsm_is_placeholder(const char *text, size_t length);
extern void vsm_date_text(int64_t at, bool local, char text[VSM_TIME_TEXT]);

#endif
