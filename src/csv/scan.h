/*
 * scan.h
 *		The parts of a time's text.
 */
#ifndef VSM_CSV_SCAN_H
#define VSM_CSV_SCAN_H

#include "csv/dates.h"

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
