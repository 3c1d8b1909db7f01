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
#include "csv/scan.h"

extern bool vsm_date_read(const char *text, size_t length, DateReading *reading);
extern bool vsm_date_instant(const DateReading *reading, VsmDateOrder order, int64_t *local);
extern bool vsm_is_clock(const char *text, size_t length);
extern bool vsm_is_placeholder(const char *text, size_t length);
extern void vsm_date_text(int64_t at, bool local, char text[VSM_TIME_TEXT]);

#endif
