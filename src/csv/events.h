/*
 * events.h
 *		Entries into stages, read from CSV or NDJSON.
 *
 * It is used as a CsvReader is: push, next until it is not CSV_RECORD, finish.
 */
#ifndef VSM_CSV_EVENTS_H
#define VSM_CSV_EVENTS_H

#include "csv/csv.h"

#define N_EVENT_COLUMNS 5		/* case_id, stage, entered_at, type, title */

/* NULL is null. */
typedef struct Event
{
	long		line;
	const char *column[N_EVENT_COLUMNS];
} Event;

/* What a JSON object has for a column. */
typedef enum EventKind
{
	EVENT_ABSENT,
	EVENT_NULL,
	EVENT_TEXT,
	EVENT_INTEGER,
	EVENT_OTHER
} EventKind;

typedef struct EventValue
{
	EventKind	kind;
	const char *text;			/* of EVENT_TEXT and EVENT_INTEGER; stays until the next object */
} EventValue;

typedef enum EventObject
{
	EVENT_OBJECT,
	EVENT_NOT_OBJECT,
	EVENT_NOT_JSON
} EventObject;

/* The caller's JSON parser: finds the values of these names in one JSON text, which ends with a NUL. */
typedef EventObject (*EventParser)(void *state, const char *json, const char *const *names, EventValue *values);

typedef struct EventReader EventReader;

extern EventReader *vsm_events_csv(void);
extern EventReader *vsm_events_ndjson(EventParser parser, void *state);
extern void vsm_events_free(EventReader *reader);
extern void vsm_events_push(EventReader *reader, const char *bytes, size_t length);
extern void vsm_events_finish(EventReader *reader);
extern CsvResult vsm_events_next(EventReader *reader, Event *event);

extern long vsm_events_line(const EventReader *reader);
extern const char *vsm_events_error(const EventReader *reader);

#endif
