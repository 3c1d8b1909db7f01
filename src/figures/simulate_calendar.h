/*
 * simulate_calendar.h
 *		The working time of a simulation: Monday to Friday, 09:00 to 17:00 UTC.
 *
 * Working time is counted in microseconds from the first Monday of PostgreSQL's
 * epoch, nights and weekends left out.
 */
#ifndef VSM_SIMULATE_CALENDAR_H
#define VSM_SIMULATE_CALENDAR_H

#include "postgres.h"

#include "datatype/timestamp.h"

#define SECOND			USECS_PER_SEC
#define MINUTE			USECS_PER_MINUTE
#define HOUR			USECS_PER_HOUR
#define DAY				USECS_PER_DAY

#define WORKDAYS		5		/* of a week of 7 days */
#define WORKDAY			(8 * HOUR)
#define WORKDAY_STARTS	(9 * HOUR)
#define FIRST_MONDAY	(2 * DAY)	/* 2000-01-03: the epoch was a Saturday */

/* Division that rounds down, also before the year 2000. */
static inline int64
floor_div(int64 dividend, int64 divisor)
{
	return dividend / divisor - (dividend % divisor < 0);
}

/*
 * The working time at an instant.  Nights and weekends count as the beginning of
 * the next working day.
 */
static inline int64
work_time(TimestampTz at)
{
	int64		day = floor_div(at - FIRST_MONDAY, DAY);
	int64		time_of_day = at - FIRST_MONDAY - day * DAY;
	int64		week = floor_div(day, 7);
	int64		weekday = day - week * 7;

	if (weekday >= WORKDAYS)
		return (week + 1) * WORKDAYS * WORKDAY;
	return (week * WORKDAYS + weekday) * WORKDAY +
		Min(Max(time_of_day - WORKDAY_STARTS, 0), WORKDAY);
}

/* The instant at which so much working time has passed. */
static inline TimestampTz
calendar_time(int64 work_us)
{
	int64		workday = floor_div(work_us, WORKDAY);
	int64		week = floor_div(workday, WORKDAYS);

	return FIRST_MONDAY + (week * 7 + workday - week * WORKDAYS) * DAY +
		WORKDAY_STARTS + work_us - workday * WORKDAY;
}

#endif							/* VSM_SIMULATE_CALENDAR_H */
