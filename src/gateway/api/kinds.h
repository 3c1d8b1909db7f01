/*
 * kinds.h
 *		Checks strings that should be integers, times, dates and so on, and converts them for SQL.
 */
#ifndef VSM_GATEWAY_KINDS_H
#define VSM_GATEWAY_KINDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum Number
{
	NUMBER_OK,
	NUMBER_NONE,
	NUMBER_TOO_SMALL,
	NUMBER_TOO_GREAT
} Number;

extern Number vsm_read_integer(const char *bytes, size_t length, int64_t *value);
extern char *vsm_read_time(const char *bytes, size_t length);
extern char *vsm_read_instant(const char *bytes, size_t length);
extern char *vsm_read_date(const char *bytes, size_t length);
extern const char *vsm_read_boolean(const char *bytes, size_t length);
extern char *vsm_read_step(const char *bytes, size_t length);
extern char *vsm_read_object(const char *bytes, size_t length);
extern char *vsm_read_list(const char *bytes, size_t length);
extern const char *vsm_json_member(const char *bytes, size_t length, const char *name, size_t *member_length);
extern char *vsm_read_share(const char *bytes, size_t length);
extern char *vsm_read_percentiles(const char *bytes, size_t length);
extern bool vsm_read_choice(const char *choices, const char *bytes, size_t length);

#endif
