/*
 * events.c
 *		Entries into stages, read from CSV or NDJSON.
 *
 * The first line of CSV names the columns, in any order and case; NDJSON has an
 * object a line.  case_id, stage and entered_at must be there, type and title
 * may be, and all else is ignored.  Names and times are judged by the database;
 * what cannot be a row at all is an error.
 */
#include "csv/events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_REQUIRED 3

static const char *const names[N_EVENT_COLUMNS] = {"case_id", "stage", "entered_at", "type", "title"};

struct EventReader
{
	CsvReader  *csv;
	EventParser parser;			/* NULL: CSV */
	void	   *state;
	bool		has_header;
	int			field[N_EVENT_COLUMNS]; /* of CSV: which holds the column; -1: none */
	char		error[100];
};

static EventReader *new_reader(CsvForm form);
static bool read_header(EventReader *reader);
static bool is_name(const char *field, const char *name);
static void read_fields(const EventReader *reader, Event *event);
static bool read_object(EventReader *reader, Event *event);
static bool read_value(EventReader *reader, int column, const EventValue *value, Event *event);
static bool fail(EventReader *reader, const char *before, const char *name, const char *after);

/* A reader, or NULL for want of memory. */
EventReader *
vsm_events_csv(void)
{
	return new_reader(CSV_DELIMITED);
}

/* The same; state is the parser's. */
EventReader *
vsm_events_ndjson(EventParser parser, void *state)
{
	EventReader *reader = new_reader(CSV_LINES);

	if (reader != NULL)
	{
		reader->parser = parser;
		reader->state = state;
	}
	return reader;
}

void
vsm_events_free(EventReader *reader)
{
	if (reader == NULL)
		return;
	vsm_csv_free(reader->csv);
	free(reader);
}

void
vsm_events_push(EventReader *reader, const char *bytes, size_t length)
{
	vsm_csv_push(reader->csv, bytes, length);
}

void
vsm_events_finish(EventReader *reader)
{
	vsm_csv_finish(reader->csv);
}

/* CSV_RECORD: an event, whose texts stay until the next call. */
CsvResult
vsm_events_next(EventReader *reader, Event *event)
{
	CsvResult	result = CSV_ERROR;

	if (reader->error[0] != '\0')
		return CSV_ERROR;
	while ((result = vsm_csv_next(reader->csv)) == CSV_RECORD)
	{
		event->line = vsm_csv_line(reader->csv);
		if (reader->parser != NULL)
			return read_object(reader, event) ? CSV_RECORD : CSV_ERROR;
		if (reader->has_header)
		{
			read_fields(reader, event);
			return CSV_RECORD;
		}
		if (!read_header(reader))
			return CSV_ERROR;
	}
	if (result == CSV_END && reader->parser == NULL && !reader->has_header)
	{
		fail(reader, "there is no header line", "", "");
		return CSV_ERROR;
	}
	return result;
}

/* Where the last record began. */
long
vsm_events_line(const EventReader *reader)
{
	return vsm_csv_line(reader->csv);
}

/* What is wrong, as a clause without a full stop. */
const char *
vsm_events_error(const EventReader *reader)
{
	return reader->error[0] != '\0' ? reader->error : vsm_csv_error(reader->csv);
}

static EventReader *
new_reader(CsvForm form)
{
	EventReader *reader = calloc(1, sizeof *reader);

	if (reader == NULL)
		return NULL;
	reader->csv = vsm_csv_new(form, '\0');
	if (reader->csv == NULL)
	{
		free(reader);
		return NULL;
	}
	return reader;
}

/* ---- CSV ---- */

static bool
read_header(EventReader *reader)
{
	for (int column = 0; column < N_EVENT_COLUMNS; column++)
	{
		reader->field[column] = -1;
		for (int i = 0; i < vsm_csv_fields(reader->csv); i++)
		{
			if (!is_name(vsm_csv_field(reader->csv, i), names[column]))
				continue;
			if (reader->field[column] >= 0)
				return fail(reader, "the header names the column ", names[column], " twice");
			reader->field[column] = i;
		}
	}
	for (int column = 0; column < N_REQUIRED; column++)
		if (reader->field[column] < 0)
			return fail(reader, "the header lacks the column ", names[column], "");
	reader->has_header = true;
	return true;
}

/* In upper or lower case, with blanks around it; whatever the locale. */
static bool
is_name(const char *field, const char *name)
{
	if (field == NULL)
		return false;
	field += strspn(field, " \t");
	for (; *name != '\0'; name++, field++)
		if (*field != *name && !(*field >= 'A' && *field <= 'Z' && *field - 'A' + 'a' == *name))
			return false;
	return field[strspn(field, " \t")] == '\0';
}

static void
read_fields(const EventReader *reader, Event *event)
{
	for (int i = 0; i < N_EVENT_COLUMNS; i++)
		event->column[i] = reader->field[i] < 0 ? NULL : vsm_csv_field(reader->csv, reader->field[i]);
}

/* ---- NDJSON ---- */

static bool
read_object(EventReader *reader, Event *event)
{
	EventValue	values[N_EVENT_COLUMNS] = {0};

	switch (reader->parser(reader->state, vsm_csv_field(reader->csv, 0), names, values))
	{
		case EVENT_NOT_JSON:
			return fail(reader, "the line is not JSON", "", "");
		case EVENT_NOT_OBJECT:
			return fail(reader, "the line is not a JSON object", "", "");
		case EVENT_OBJECT:
		default:
			break;
	}
	for (int i = 0; i < N_EVENT_COLUMNS; i++)
		if (!read_value(reader, i, &values[i], event))
			return false;
	return true;
}

/* An id may be a number. */
static bool
read_value(EventReader *reader, int column, const EventValue *value, Event *event)
{
	if (value->kind == EVENT_ABSENT && column < N_REQUIRED)
		return fail(reader, "the object lacks ", names[column], "");
	if (value->kind == EVENT_OTHER || (value->kind == EVENT_INTEGER && column > 0))
		return fail(reader, "", names[column], " is not a string");
	event->column[column] = value->kind == EVENT_TEXT || value->kind == EVENT_INTEGER ? value->text : NULL;
	return true;
}

/* Always false. */
static bool
fail(EventReader *reader, const char *before, const char *name, const char *after)
{
	snprintf(reader->error, sizeof reader->error, "%s%s%s", before, name, after);
	return false;
}
