/*
 * duration.c
 *		Elapsed time: a day always has 24 hours.
 *
 * The server subtracts "1 day" from a timestamptz by the calendar of the session's
 * time zone, in which a day has 23 or 25 hours twice a year.  Durations in the
 * ledger are elapsed time, so figures count microseconds.  They become intervals
 * only to be shown, in the form of "timestamptz - timestamptz".
 */
#include "duration.h"

#include "common/int.h"
#include "fmgr.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "arguments.h"
#include "compat.h"
#include "errors.h"
#include "names.h"

pg_noreturn static void refuse_times(TimestampTz from, TimestampTz until);
static int	day_of(TimestampTz at, pg_tz *zone);

PG_FUNCTION_INFO_V1(vsm__elapsed_us);
PG_FUNCTION_INFO_V1(vsm__interval_us);
PG_FUNCTION_INFO_V1(vsm__interval);
PG_FUNCTION_INFO_V1(vsm__entered_at);
PG_FUNCTION_INFO_V1(vsm_cycle_time_days);

/* vsm._elapsed_us(from timestamptz, until timestamptz) -> bigint: microseconds */
Datum
vsm__elapsed_us(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(vsm_elapsed_us(PG_GETARG_TIMESTAMPTZ(0), PG_GETARG_TIMESTAMPTZ(1)));
}

/* vsm._interval_us(interval) -> bigint: microseconds; a day has 24 hours, a month 30 days */
Datum
vsm__interval_us(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(vsm_interval_us(PG_GETARG_INTERVAL_P(0)));
}

/* vsm._interval(bigint) -> interval: days and time of that many microseconds */
Datum
vsm__interval(PG_FUNCTION_ARGS)
{
	PG_RETURN_INTERVAL_P(vsm_interval(PG_GETARG_INT64(0)));
}

/*
 * vsm._entered_at(left_at timestamptz, stay interval) -> timestamptz: when a visit
 * to a stage began
 */
Datum
vsm__entered_at(PG_FUNCTION_ARGS)
{
	TimestampTz left_at = vsm_require_finite(PG_GETARG_TIMESTAMPTZ(0), "the end of a visit");
	TimestampTz entered_at;

	if (pg_sub_s64_overflow(left_at, vsm_interval_us(PG_GETARG_INTERVAL_P(1)), &entered_at) ||
		!IS_VALID_TIMESTAMP(entered_at))
		ereport(ERROR,
				errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				errmsg("timestamp out of range"),
				errdetail("A visit of that length that ended at %s would begin outside the range of timestamptz.",
						  timestamptz_to_str(left_at)),
				errhint("Give the time that was spent in the stage."));
	PG_RETURN_TIMESTAMPTZ(entered_at);
}

/*
 * vsm.cycle_time_days(started_at timestamptz, completed_at timestamptz, time_zone text) -> integer
 *		The days of the zone's calendar from one to the other, both counted; null where a time is infinite.
 */
Datum
vsm_cycle_time_days(PG_FUNCTION_ARGS)
{
	TimestampTz started_at = PG_GETARG_TIMESTAMPTZ(0);
	TimestampTz completed_at = PG_GETARG_TIMESTAMPTZ(1);
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(2));
	pg_tz	   *zone = pg_tzset(name);

	if (zone == NULL)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("time zone \"%s\" is not known", vsm_cut(name)),
				errdetail("Days are those of a zone's calendar."),
				errhint("Give a name from pg_timezone_names, such as Europe/Berlin."),
				err_generic_string(PG_DIAG_COLUMN_NAME, "time_zone"));
	if (TIMESTAMP_NOT_FINITE(started_at) || TIMESTAMP_NOT_FINITE(completed_at))
		PG_RETURN_NULL();
	PG_RETURN_INT32(day_of(completed_at, zone) - day_of(started_at, zone) + 1);
}

/* Refuses infinite times. */
int64
vsm_elapsed_us(TimestampTz from, TimestampTz until)
{
	int64		us;

	if (unlikely(TIMESTAMP_NOT_FINITE(from) || TIMESTAMP_NOT_FINITE(until) ||
				 pg_sub_s64_overflow(until, from, &us)))
		refuse_times(from, until);
	return us;
}

static void
refuse_times(TimestampTz from, TimestampTz until)
{
	char	   *first = pstrdup(timestamptz_to_str(from));

	ereport(ERROR,
			errcode(VSM_UNPROCESSABLE),
			errmsg("elapsed time needs two finite times that are less than 292,000 years apart"),
			errdetail("The times are %s and %s.", first, timestamptz_to_str(until)),
			errhint("Give finite times as the bounds of the window."));
}

Interval *
vsm_interval(int64 us)
{
	Interval   *result = palloc(sizeof(Interval));

	result->month = 0;
	result->day = (int32) (us / USECS_PER_DAY);
	result->time = us % USECS_PER_DAY;
	return result;
}

int64
vsm_interval_us(const Interval *interval)
{
	int64		days = (int64) interval->month * DAYS_PER_MONTH + interval->day;
	int64		us;

	if (pg_mul_s64_overflow(days, USECS_PER_DAY, &us) ||
		pg_add_s64_overflow(us, interval->time, &us))
		ereport(ERROR,
				errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				errmsg("interval out of range"),
				errdetail("The microseconds of a duration must fit in a bigint."),
				errhint("Give a duration of less than 290,000 years."));
	return us;
}

/*
 * A numeric; the server has no such function.  Both parts fit in 64 bits for any number of
 * rows that a table can have.
 */
Datum
vsm_numeric_of(int128 value)
{
	const int64 part = INT64CONST(1000000000000000000);
	Numeric		parts = int64_to_numeric((int64) (value / part));
	Numeric		rest = int64_to_numeric((int64) (value % part));
	Datum		us = DirectFunctionCall2(numeric_mul, NumericGetDatum(parts),
										 NumericGetDatum(int64_to_numeric(part)));

	return DirectFunctionCall2(numeric_add, us, NumericGetDatum(rest));
}

/* A whole number; 22003 where it has more than 36 digits. */
int128
vsm_int128_of(Numeric number)
{
	const int64 part = INT64CONST(1000000000000000000);
	Datum		divisor = NumericGetDatum(int64_to_numeric(part));
	Datum		parts;
	Datum		rest;

	/* nearly always: dividing takes longer */
	if (DatumGetBool(DirectFunctionCall2(numeric_lt, NumericGetDatum(number), divisor)) &&
		DatumGetBool(DirectFunctionCall2(numeric_gt, NumericGetDatum(number), NumericGetDatum(int64_to_numeric(-part)))))
		return DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(number)));
	parts = DirectFunctionCall2(numeric_div_trunc, NumericGetDatum(number), divisor);
	rest = DirectFunctionCall2(numeric_mod, NumericGetDatum(number), divisor);
	return (int128) DatumGetInt64(DirectFunctionCall1(numeric_int8, parts)) * part +
		DatumGetInt64(DirectFunctionCall1(numeric_int8, rest));
}

/* By the calendar of the zone, in which a time within the limits has a day, also where that lies beyond them. */
static int
day_of(TimestampTz at, pg_tz *zone)
{
	struct pg_tm tm;
	fsec_t		fraction;
	int			offset;

	if (timestamp2tm(at, &offset, &tm, &fraction, NULL, zone) != 0)
		elog(ERROR, "a time is out of range");
	return date2j(tm.tm_year, tm.tm_mon, tm.tm_mday);
}
