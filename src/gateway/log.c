/*
 * log.c
 *		Writes one line of JSON to stderr for each event.
 *
 * Each line is one write(2), so that lines of several threads do not mix.  Callers must not pass
 * secrets.  Text from outside goes through vsm_text_json().
 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

static const char *const level_names[] = {"debug", "info", "warning", "error"};
static LogLevel least_level = LOG_LEVEL_INFO;

static void begin_line(Text *line, LogLevel level, const char *event);
static void end_line(Text *line);

/* To be called before threads are started. */
void
vsm_log_set_level(LogLevel least)
{
	least_level = least;
}

void
vsm_log(LogLevel level, const char *event, const char *fields, ...)
{
	Text		line = {0};

	if (level < least_level)
		return;
	begin_line(&line, level, event);
	if (fields != NULL)
	{
		char	   *members = NULL;
		va_list		arguments;

		va_start(arguments, fields);
		if (vasprintf(&members, fields, arguments) < 0)
			abort();
		va_end(arguments);
		vsm_text_addf(&line, ",%s", members);
		free(members);
	}
	end_line(&line);
}

void
vsm_log_text(LogLevel level, const char *event, const char *name, const char *value)
{
	Text		line = {0};
	size_t		length = strlen(value);

	if (level < least_level)
		return;
	begin_line(&line, level, event);
	vsm_text_addf(&line, ",\"%s\":", name);
	while (length > 0 && value[length - 1] == '\n')
		length--;
	vsm_text_json(&line, value, length);
	end_line(&line);
}

static void
begin_line(Text *line, LogLevel level, const char *event)
{
	struct timespec now;
	struct tm	utc;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	vsm_text_addf(line, "{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%06ldZ\",\"level\":\"%s\",\"event\":\"%s\"",
				  utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
				  now.tv_nsec / 1000, level_names[level], event);
}

static void
end_line(Text *line)
{
	vsm_text_adds(line, "}\n");
	/* If stderr is closed, there is nowhere to report it. */
	if (write(STDERR_FILENO, line->data, line->length) < 0)
		line->length = 0;
	vsm_text_free(line);
}
