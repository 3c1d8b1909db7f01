/*
 * log.c
 *		Writes one line of JSON to stderr for each event.
 *
 * Each line is in one write(2), so that lines of several threads do not mix.  A thread that serves many
 * at a time may hold its lines until it has served them, and then write several at once: at most
 * PIPE_BUF bytes, which a pipe does not mix with those of others.  A warning or an error is written
 * without delay, after what is held.  Callers must not pass secrets.  Text from outside goes through
 * vsm_text_json().
 */
#include "log.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

static const char *const level_names[] = {"debug", "info", "warning", "error"};
static LogLevel least_level = LOG_LEVEL_INFO;
static _Thread_local bool holding;
static _Thread_local char held[PIPE_BUF];
static _Thread_local size_t n_held;

static void begin_line(Text *line, LogLevel level, const char *event);
static void end_line(Text *line, LogLevel level);
static void write_out(const char *bytes, size_t length);

/* To be called before threads are started. */
void
vsm_log_set_level(LogLevel least)
{
	least_level = least;
}

/* From now on this thread's lines wait for vsm_log_release(). */
void
vsm_log_hold(void)
{
	holding = true;
}

void
vsm_log_release(void)
{
	holding = false;
	write_out(held, n_held);
	n_held = 0;
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
	end_line(&line, level);
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
	end_line(&line, level);
}

static void
begin_line(Text *line, LogLevel level, const char *event)
{
	static _Thread_local char second[32];
	static _Thread_local time_t second_of = -1;
	struct timespec now;
	struct tm	utc;

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != second_of)
	{
		gmtime_r(&now.tv_sec, &utc);
		strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%S", &utc);
		second_of = now.tv_sec;
	}
	vsm_text_addf(line, "{\"time\":\"%s.%06ldZ\",\"level\":\"%s\",\"event\":\"%s\"", second, now.tv_nsec / 1000, level_names[level], event);
}

static void
end_line(Text *line, LogLevel level)
{
	bool		waits = holding && level < LOG_LEVEL_WARNING && line->length + 2 <= sizeof held;

	vsm_text_adds(line, "}\n");
	if (!waits || n_held + line->length > sizeof held)
	{
		write_out(held, n_held);
		n_held = 0;
	}
	if (waits)
	{
		memcpy(held + n_held, line->data, line->length);
		n_held += line->length;
	}
	else
		write_out(line->data, line->length);
	vsm_text_free(line);
}

static void
write_out(const char *bytes, size_t length)
{
	/* If stderr is closed, there is nowhere to report it. */
	if (length > 0 && write(STDERR_FILENO, bytes, length) < 0)
		return;
}
