/*
 * ndjson.c
 *		NDJSON as a source of CSV.
 *
 * src/csv reads the objects, one line at a time; this file provides the JSON parser that it needs, and writes what it has read
 * as CSV with the columns case_id, stage, entered_at, type and title, for the recognition.  A record has the line of its
 * object: blank lines stay, and in titles a line end is written as \n, which vsm_ndjson_title() takes back.
 */
#include "ndjson.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv/events.h"
#include "text.h"

#define PIECE (64 * 1024)
#define TITLE 4					/* place among the columns */

struct Ndjson
{
	const VsmSource *source;
	EventReader *events;
	bool		ended;
	long		line;			/* the last one written */
	Text		csv;
	size_t		taken;			/* bytes of csv */
	json_t	   *object;			/* the last line */
	char		integer[24];	/* the last integer value, as text */
	char	   *error;
	char		bytes[PIECE];
};

static long read_csv(void *state, char *buffer, size_t size);
static bool rewind_csv(void *state);
static bool make_more(Ndjson *ndjson);
static bool take_events(Ndjson *ndjson);
static void write_value(Text *csv, const char *value, bool is_title);
static EventObject parse_object(void *state, const char *json, const char *const *names, EventValue *values);
static EventValue value_of(Ndjson *ndjson, const json_t *value);

/* The source must stay. */
Ndjson *
vsm_ndjson_new(const VsmSource *source)
{
	Ndjson	   *ndjson = vsm_alloc(sizeof *ndjson);

	ndjson->source = source;
	return ndjson;
}

VsmSource
vsm_ndjson_csv(Ndjson *ndjson)
{
	return (VsmSource){read_csv, rewind_csv, ndjson};
}

/* A sentence; NULL: no error. */
const char *
vsm_ndjson_error(const Ndjson *ndjson)
{
	return ndjson->error;
}

void
vsm_ndjson_free(Ndjson *ndjson)
{
	if (ndjson == NULL)
		return;
	vsm_events_free(ndjson->events);
	json_decref(ndjson->object);
	vsm_text_free(&ndjson->csv);
	free(ndjson->error);
	free(ndjson);
}

/* ---- Reading ---- */

static bool
rewind_csv(void *state)
{
	Ndjson	   *ndjson = state;

	if (!ndjson->source->rewind(ndjson->source->state))
		return false;
	vsm_events_free(ndjson->events);
	ndjson->events = vsm_events_ndjson(parse_object, ndjson);
	if (ndjson->events == NULL)
		abort();
	ndjson->ended = false;
	ndjson->line = 1;
	ndjson->taken = ndjson->csv.length = 0;
	return true;
}

static long
read_csv(void *state, char *buffer, size_t size)
{
	Ndjson	   *ndjson = state;
	size_t		n;

	if (ndjson->events == NULL && !rewind_csv(ndjson))
		return -1;
	while (ndjson->taken == ndjson->csv.length && !ndjson->ended)
		if (!make_more(ndjson))
			return -1;
	n = ndjson->csv.length - ndjson->taken;
	n = n < size ? n : size;
	if (n > 0)
		memcpy(buffer, ndjson->csv.data + ndjson->taken, n);
	ndjson->taken += n;
	return (long) n;
}

/* The header stands in the first line, beside which the first object would. */
static bool
make_more(Ndjson *ndjson)
{
	long		n = ndjson->source->read(ndjson->source->state, ndjson->bytes, sizeof ndjson->bytes);

	if (n < 0)
		return false;
	ndjson->taken = ndjson->csv.length = 0;
	if (ndjson->line == 1)
	{
		vsm_text_adds(&ndjson->csv, "case_id,stage,entered_at,type,title\n");
		ndjson->line = 2;
	}
	ndjson->ended = n == 0;
	if (ndjson->ended)
		vsm_events_finish(ndjson->events);
	else
		vsm_events_push(ndjson->events, ndjson->bytes, (size_t) n);
	return take_events(ndjson);
}

static bool
take_events(Ndjson *ndjson)
{
	Event		event;
	CsvResult	result;

	while ((result = vsm_events_next(ndjson->events, &event)) == CSV_RECORD)
	{
		long		line = vsm_events_line(ndjson->events) + 1;	/* below the header */

		for (; ndjson->line < line; ndjson->line++)
			vsm_text_addc(&ndjson->csv, '\n');
		for (int i = 0; i < N_EVENT_COLUMNS; i++)
		{
			write_value(&ndjson->csv, event.column[i], i == TITLE);
			vsm_text_addc(&ndjson->csv, i < N_EVENT_COLUMNS - 1 ? ',' : '\n');
		}
		ndjson->line++;
	}
	if (result == CSV_ERROR && ndjson->error == NULL)
		ndjson->error = vsm_format("Line %ld: %s", vsm_events_line(ndjson->events), vsm_events_error(ndjson->events));
	return result != CSV_ERROR;
}

static void
write_value(Text *csv, const char *value, bool is_title)
{
	if (value == NULL)
		return;
	vsm_text_addc(csv, '"');
	while (*value != '\0')
	{
		size_t		plain = strcspn(value, is_title ? "\"\\\n\r" : "\"");

		vsm_text_add(csv, value, plain);
		value += plain;
		if (*value == '\0')
			break;
		vsm_text_addc(csv, *value == '"' ? '"' : '\\');
		vsm_text_addc(csv, *value == '\n' ? 'n' : *value == '\r' ? 'r'
																 : *value);
		value++;
	}
	vsm_text_addc(csv, '"');
}

/* A title as it was in the object, of what the CSV has.  To be freed. */
char *
vsm_ndjson_title(const char *csv)
{
	char	   *title = vsm_copy(csv);
	char	   *to = title;

	for (; *csv != '\0'; csv++)
	{
		if (*csv == '\\' && csv[1] != '\0')
			csv++;
		else
		{
			*to++ = *csv;
			continue;
		}
		*to++ = *csv == 'n' ? '\n' : *csv == 'r' ? '\r'
												 : *csv;
	}
	*to = '\0';
	return title;
}

/* ---- JSON ---- */

static EventObject
parse_object(void *state, const char *json, const char *const *names, EventValue *values)
{
	Ndjson	   *ndjson = state;

	json_decref(ndjson->object);
	ndjson->object = json_loads(json, JSON_DECODE_ANY, NULL);
	if (ndjson->object == NULL)
		return EVENT_NOT_JSON;
	if (!json_is_object(ndjson->object))
		return EVENT_NOT_OBJECT;
	for (int i = 0; i < N_EVENT_COLUMNS; i++)
		values[i] = value_of(ndjson, json_object_get(ndjson->object, names[i]));
	return EVENT_OBJECT;
}

static EventValue
value_of(Ndjson *ndjson, const json_t *value)
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
			snprintf(ndjson->integer, sizeof ndjson->integer, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
			return (EventValue){EVENT_INTEGER, ndjson->integer};
		default:
			return (EventValue){EVENT_OTHER, NULL};
	}
}
