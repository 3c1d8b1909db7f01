/*
 * duration.h
 *		Elapsed time: a day always has 24 hours.
 */
#ifndef VSM_DURATION_H
#define VSM_DURATION_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/numeric.h"

extern Interval *vsm_interval(int64 us);
extern int64 vsm_interval_us(const Interval *interval);
extern int64 vsm_elapsed_us(TimestampTz from, TimestampTz until);

extern Datum vsm_numeric_of(int128 value);
extern int128 vsm_int128_of(Numeric number);

#endif							/* VSM_DURATION_H */
