/*
 * rows.c
 *		Converts CSV or NDJSON to rows for COPY as it arrives.
 *
 * src/csv reads the events; it holds only one record of the input at a time.  This file provides
 * the JSON parser that src/csv needs, and writes the text format of COPY.
 */
#include "rows.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv/events.h"

struct Rows
{
	EventReader *events;
	json_t	   *object;			/* the last line of NDJSON */
	char		integer[24];	/* the last integer value, as text */
	char	   *error;
};

static bool read_events(Rows *rows, Text *copy);
static EventObject parse_object(void *state, const char *json, const char *const *names, EventValue *values);
static EventValue value_of(Rows *rows, const json_t *value);
static void copy_value(Text *copy, const char *value);

Rows *
vsm_rows_new(bool csv)
{
	Rows	   *rows = vsm_alloc(sizeof *rows);

	rows->events = csv ? vsm_events_csv() : vsm_events_ndjson(parse_object, rows);
	if (rows->events == NULL)
		abort();
	return rows;
}

/* A sentence; NULL: no error. */
const char *
vsm_rows_error(const Rows *rows)
{
	return rows->error;
}

void
vsm_rows_free(Rows *rows)
{
	if (rows == NULL)
		return;
	vsm_events_free(rows->events);
	json_decref(rows->object);
	free(rows->error);
	free(rows);
}

/* Adds complete rows to copy.  If this returns false, vsm_rows_error() tells why. */
bool
vsm_rows_read(Rows *rows, const char *bytes, size_t length, Text *copy)
{
	vsm_events_push(rows->events, bytes, length);
	return read_events(rows, copy);
}

/* Adds the last row, which may lack its newline. */
bool
vsm_rows_end(Rows *rows, Text *copy)
{
	vsm_events_finish(rows->events);
	return read_events(rows, copy);
}

static bool
read_events(Rows *rows, Text *copy)
{
	Event		event;
	CsvResult	result;

	while ((result = vsm_events_next(rows->events, &event)) == CSV_RECORD)
		for (int i = 0; i < N_EVENT_COLUMNS; i++)
		{
			copy_value(copy, event.column[i]);
			vsm_text_addc(copy, i < N_EVENT_COLUMNS - 1 ? '\t' : '\n');
		}
	if (result == CSV_ERROR && rows->error == NULL)
		rows->error = vsm_format("Line %ld: %s", vsm_events_line(rows->events), vsm_events_error(rows->events));
	return result != CSV_ERROR;
}

static EventObject
parse_object(void *state, const char *json, const char *const *names, EventValue *values)
{
	Rows	   *rows = state;

	json_decref(rows->object);
	rows->object = json_loads(json, JSON_DECODE_ANY, NULL);
	if (rows->object == NULL)
		return EVENT_NOT_JSON;
	if (!json_is_object(rows->object))
		return EVENT_NOT_OBJECT;
	for (int i = 0; i < N_EVENT_COLUMNS; i++)
		values[i] = value_of(rows, json_object_get(rows->object, names[i]));
	return EVENT_OBJECT;
}

static EventValue
value_of(Rows *rows, const json_t *value)
{
	if (value == NULL)
		return (EventValue){EVENT_ABSENT, NULL};
	switch (json_typeof(value))
	{
		case JSON_NULL:
			return (EventValue){EVENT_NULL, NULL};
		case JSON_STRING:
			return (EventValue){EVENT_TEXT, json_string_value(value)};
		case JSON_INTEGER:
			snprintf(rows->integer, sizeof rows->integer, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
			return (EventValue){EVENT_INTEGER, rows->integer};
		default:
			return (EventValue){EVENT_OTHER, NULL};
	}
}

/* Writes a value in the text format of COPY; NULL becomes \N. */
static void
copy_value(Text *copy, const char *value)
{
	static const char special[] = "\\\n\r\t";
	static const char letters[] = "\\nrt";

	if (value == NULL)
	{
		vsm_text_adds(copy, "\\N");
		return;
	}
	for (; *value != '\0'; value++)
	{
		const char *found = strchr(special, *value);

		if (found != NULL)
			vsm_text_addc(copy, '\\');
		vsm_text_addc(copy, found != NULL ? letters[found - special] : *value);
	}
}
