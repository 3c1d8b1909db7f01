/*
 * read_events.c
 *		Events to import, read from CSV or NDJSON in a text.
 *
 * src/csv reads them.  Here are its JSON parser, which is that of jsonb, and the
 * conversion from and to the encoding of the database: src/csv knows UTF-8 only.
 * The reader's memory is malloc()'s, so it is freed on errors too.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "compat.h"
#include "csv/events.h"
#include "errors.h"
#include "names.h"

#define PIECE (64 * 1024)		/* bytes between two looks for interrupts */
#define N_RESULTS (1 + N_EVENT_COLUMNS)

static bool is_csv(const text *format);
static void put_events(EventReader *reader, bool csv, text *content, MemoryContext scratch, ReturnSetInfo *result);
static bool put_piece(EventReader *reader, MemoryContext scratch, ReturnSetInfo *result);
static void put_event(const Event *event, ReturnSetInfo *result);
pg_noreturn static void refuse_content(const EventReader *reader, bool csv);
static EventObject parse_object(void *state, const char *json, const char *const *names, EventValue *values);
static Jsonb *parse_json(char *json, MemoryContext scratch);
static EventValue value_of(Jsonb *object, const char *name);
static EventValue value_of_number(Numeric number);

PG_FUNCTION_INFO_V1(vsm__read_events);

/*
 * vsm._read_events(content text, format text) -> setof (line, case_id, stage, entered_at, type, title)
 *		The events of a text; line is where an event begins, from 1.
 *
 * Errors: PT422 for another format than csv and ndjson, and for a text that is
 * not what the format says.
 */
Datum
vsm__read_events(PG_FUNCTION_ARGS)
{
	text	   *content = PG_GETARG_TEXT_PP(0);
	bool		csv = is_csv(PG_GETARG_TEXT_PP(1));
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "vsm event", ALLOCSET_DEFAULT_SIZES);
	EventReader *reader;

	InitMaterializedSRF(fcinfo, 0);
	reader = csv ? vsm_events_csv() : vsm_events_ndjson(parse_object, scratch);
	if (reader == NULL)
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
	PG_TRY();
	{
		put_events(reader, csv, content, scratch, (ReturnSetInfo *) fcinfo->resultinfo);
	}
	PG_FINALLY();
	{
		vsm_events_free(reader);
	}
	PG_END_TRY();
	PG_RETURN_NULL();
}

static bool
is_csv(const text *format)
{
	char	   *name = text_to_cstring(format);
	bool		csv = strcmp(name, "csv") == 0;

	if (!csv && strcmp(name, "ndjson") != 0)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("format cannot be \"%s\"", vsm_cut(name)),
				errdetail("format says how to read the content."),
				errhint("Give csv or ndjson."),
				err_generic_string(PG_DIAG_COLUMN_NAME, "format"));
	return csv;
}

static void
put_events(EventReader *reader, bool csv, text *content, MemoryContext scratch, ReturnSetInfo *result)
{
	char	   *given = VARDATA_ANY(content);
	int			length = VARSIZE_ANY_EXHDR(content);
	char	   *bytes = pg_server_to_any(given, length, PG_UTF8);
	bool		good = true;

	if (bytes != given)
		length = (int) strlen(bytes);
	for (int i = 0; i < length && good; i += PIECE)
	{
		vsm_events_push(reader, bytes + i, (size_t) Min(length - i, PIECE));
		good = put_piece(reader, scratch, result);
	}
	vsm_events_finish(reader);
	if (!good || !put_piece(reader, scratch, result))
		refuse_content(reader, csv);
}

/* False: the piece has an error. */
static bool
put_piece(EventReader *reader, MemoryContext scratch, ReturnSetInfo *result)
{
	MemoryContext before = MemoryContextSwitchTo(scratch);
	Event		event;
	CsvResult	found;

	CHECK_FOR_INTERRUPTS();
	while ((found = vsm_events_next(reader, &event)) == CSV_RECORD)
	{
		put_event(&event, result);
		MemoryContextReset(scratch);
		CHECK_FOR_INTERRUPTS();
	}
	MemoryContextSwitchTo(before);
	return found != CSV_ERROR;
}

static void
put_event(const Event *event, ReturnSetInfo *result)
{
	Datum		values[N_RESULTS] = {Int64GetDatum(event->line)};
	bool		nulls[N_RESULTS] = {false};

	for (int i = 0; i < N_EVENT_COLUMNS; i++)
	{
		const char *value = event->column[i];

		nulls[i + 1] = value == NULL;
		if (value != NULL)
			values[i + 1] = CStringGetTextDatum(pg_any_to_server(value, (int) strlen(value), PG_UTF8));
	}
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
refuse_content(const EventReader *reader, bool csv)
{
	const char *hint = "Give one JSON object a line: "
		"{\"case_id\":\"A-1\",\"stage\":\"Backlog\",\"entered_at\":\"2026-01-05T09:00:00Z\"}.";

	if (csv)
		hint = "Name the columns case_id, stage, entered_at and, as needed, type and title in the first line, "
			"and put fields that hold delimiters, quotes or line ends in quotes.";
	ereport(ERROR,
			errcode(VSM_UNPROCESSABLE),
			errmsg("the content cannot be read as %s", csv ? "CSV" : "NDJSON"),
			errdetail("Line %ld: %s.", vsm_events_line(reader), vsm_events_error(reader)),
			errhint("%s", hint),
			err_generic_string(PG_DIAG_COLUMN_NAME, "content"));
}

/* ---- JSON; state is the memory context ---- */

static EventObject
parse_object(void *state, const char *json, const char *const *names, EventValue *values)
{
	Jsonb	   *object = parse_json(pg_any_to_server(json, (int) strlen(json), PG_UTF8), state);

	if (object == NULL)
		return EVENT_NOT_JSON;
	if (!JB_ROOT_IS_OBJECT(object))
		return EVENT_NOT_OBJECT;
	for (int i = 0; i < N_EVENT_COLUMNS; i++)
		values[i] = value_of(object, names[i]);
	return EVENT_OBJECT;
}

/* NULL: it is not JSON.  The caller raises an error then, so no subtransaction is needed. */
static Jsonb *
parse_json(char *json, MemoryContext scratch)
{
	Jsonb	   *volatile parsed = NULL;

	PG_TRY();
	{
		parsed = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
	}
	PG_CATCH();
	{
		int			code = geterrcode();

		if (ERRCODE_TO_CATEGORY(code) != ERRCODE_DATA_EXCEPTION && code != ERRCODE_STATEMENT_TOO_COMPLEX)
			PG_RE_THROW();
		MemoryContextSwitchTo(scratch);
		FlushErrorState();
	}
	PG_END_TRY();
	return parsed;
}

static EventValue
value_of(Jsonb *object, const char *name)
{
	JsonbValue	value;

	if (getKeyJsonValueFromContainer(&object->root, name, (int) strlen(name), &value) == NULL)
		return (EventValue){EVENT_ABSENT, NULL};
	switch (value.type)
	{
		case jbvNull:
			return (EventValue){EVENT_NULL, NULL};
		case jbvString:
		{
			char	   *text = pnstrdup(value.val.string.val, value.val.string.len);

			return (EventValue){EVENT_TEXT, pg_server_to_any(text, value.val.string.len, PG_UTF8)};
		}
		case jbvNumeric:
			return value_of_number(value.val.numeric);
		default:
			return (EventValue){EVENT_OTHER, NULL};
	}
}

/* Whole numbers of 64 bits, as in the gateway. */
static EventValue
value_of_number(Numeric number)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
	char	   *end;

	errno = 0;
	(void) strtoll(text, &end, 10);
	if (errno != 0 || *end != '\0')
		return (EventValue){EVENT_OTHER, NULL};
	return (EventValue){EVENT_INTEGER, text};
}
