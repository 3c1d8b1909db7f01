/*
 * recognised.c
 *		Files of delimited text: what they are, and their events, for SQL.
 *
 * src/csv recognises and reads them; see csv/recognise.h.  Here are its source of
 * bytes, which is a bytea in memory, its options, which are a jsonb, time zones as
 * PostgreSQL knows them, and the conversion from and to the encoding of the database:
 * src/csv knows UTF-8 only.
 *
 * What src/csv holds is malloc()'s, and a jump out of it would lose it.  So the
 * source does not raise errors: when the query is cancelled it stops the reader,
 * and the error comes when src/csv has returned.  What src/csv has returned is
 * freed on errors too.
 */
#include "postgres.h"

#include "datatype/timestamp.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "csv/recognise.h"
#include "errors.h"
#include "names.h"

#define MOST_ALIASES 10000
#define UNIX_EPOCH_US ((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)	/* 2000 from 1970 */

enum
{
	RESULT_LINE,
	RESULT_CASE_ID,
	RESULT_STAGE,
	RESULT_ENTERED_AT,
	RESULT_ENTERED_TEXT,
	RESULT_TYPE,
	RESULT_TITLE,
	RESULT_SEQUENCE,
	RESULT_REFUSED,
	N_RESULTS
};

/* A VsmMemory whose reading ends when the query is cancelled. */
typedef struct Content
{
	VsmMemory	memory;
	VsmSource	inner;
} Content;

static VsmSource source_of(Content *content, bytea *bytes);
static long read_content(void *state, char *buffer, size_t size);
static bool rewind_content(void *state);
static VsmRecognition *recognise(const VsmSource *source, const VsmRecogniseOptions *options);
static void put_events(const VsmSource *source, const VsmRecognition *recognition, ReturnSetInfo *result);
static void put_event(const VsmLogEvent *event, ReturnSetInfo *result);
static bool resolve_zone(void *state, const char *zone, int64_t local, int64_t *instant);
static bool append_text(void *state, const char *text, size_t length);
static void read_options(Jsonb *given, VsmRecogniseOptions *options);
static void read_option(const char *name, const JsonbValue *value, VsmRecogniseOptions *options);
static void read_aliases(const JsonbValue *value, VsmRecogniseOptions *options);
static void read_categories(const JsonbValue *value, VsmRecogniseOptions *options);
static void read_stages(const JsonbValue *value, VsmRecogniseOptions *options);
static char *text_of(const JsonbValue *value, const char *name);
static const JsonbValue *container_of(const JsonbValue *value, const char *name, bool array);
static Datum text_from_utf8(const char *text);
pg_noreturn static void refuse_option(const char *name, const char *value, const char *hint);
pg_noreturn static void out_of_memory(void);

PG_FUNCTION_INFO_V1(vsm__recognise);
PG_FUNCTION_INFO_V1(vsm__recognised_events);

/*
 * vsm._recognise(content bytea, options jsonb) -> json
 *		What a file is: a proposal, a question or a refusal.
 *
 * Errors: PT422 for options that cannot be read.
 */
Datum
vsm__recognise(PG_FUNCTION_ARGS)
{
	Content		content;
	VsmSource	source = source_of(&content, PG_GETARG_BYTEA_PP(0));
	VsmRecogniseOptions options;
	VsmRecognition *recognition;
	StringInfoData json;

	read_options(PG_GETARG_JSONB_P(1), &options);
	initStringInfo(&json);
	recognition = recognise(&source, &options);
	PG_TRY();
	{
		(void) vsm_recognition_json(recognition, append_text, &json);
	}
	PG_FINALLY();
	{
		vsm_recognition_free(recognition);
	}
	PG_END_TRY();
	PG_RETURN_DATUM(DirectFunctionCall1(json_in, CStringGetDatum(pg_any_to_server(json.data, json.len, PG_UTF8))));
}

/*
 * vsm._recognised_events(content bytea, options jsonb) -> setof (line, case_id, stage, entered_at, entered_text, type, title, sequence, refused)
 *		The events of a file that vsm._recognise() proposes to read, and its rows that are refused.
 *
 * Errors: PT422 for options that cannot be read, and for a file that is a question
 * or a refusal.
 */
Datum
vsm__recognised_events(PG_FUNCTION_ARGS)
{
	Content		content;
	VsmSource	source = source_of(&content, PG_GETARG_BYTEA_PP(0));
	VsmRecogniseOptions options;
	VsmRecognition *recognition;

	read_options(PG_GETARG_JSONB_P(1), &options);
	InitMaterializedSRF(fcinfo, 0);
	recognition = recognise(&source, &options);
	PG_TRY();
	{
		if (recognition->outcome != VSM_PROPOSAL)
			ereport(ERROR,
					errcode(VSM_UNPROCESSABLE),
					errmsg("the content cannot be read as a log"),
					errdetail("vsm._recognise() has no proposal for it, but the answer %s.", recognition->code),
					errhint("Ask vsm._recognise() what is wrong."));
		put_events(&source, recognition, (ReturnSetInfo *) fcinfo->resultinfo);
	}
	PG_FINALLY();
	{
		vsm_recognition_free(recognition);
	}
	PG_END_TRY();
	PG_RETURN_NULL();
}

static VsmSource
source_of(Content *content, bytea *bytes)
{
	content->memory = (VsmMemory){VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes), 0};
	content->inner = vsm_memory_source(&content->memory);
	return (VsmSource){read_content, rewind_content, content};
}

static long
read_content(void *state, char *buffer, size_t size)
{
	Content    *content = state;

	if (INTERRUPTS_PENDING_CONDITION())
		return -1;
	return content->inner.read(content->inner.state, buffer, size);
}

static bool
rewind_content(void *state)
{
	Content    *content = state;

	return content->inner.rewind(content->inner.state);
}

static VsmRecognition *
recognise(const VsmSource *source, const VsmRecogniseOptions *options)
{
	VsmRecognition *recognition = vsm_recognise(source, options);
	VsmOutcome	outcome = recognition ? recognition->outcome : VSM_NO_MEMORY;

	if (outcome == VSM_NO_MEMORY || outcome == VSM_UNREADABLE)
	{
		vsm_recognition_free(recognition);
		CHECK_FOR_INTERRUPTS();
		out_of_memory();
	}
	return recognition;
}

static void
put_events(const VsmSource *source, const VsmRecognition *recognition, ReturnSetInfo *result)
{
	VsmLog	   *log = vsm_log_open(source, recognition, resolve_zone, NULL);
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "vsm event", ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(scratch);
	VsmLogEvent event;
	VsmLogResult found;

	if (log == NULL)
		out_of_memory();
	PG_TRY();
	{
		while ((found = vsm_log_next(log, &event)) == VSM_LOG_EVENT)
		{
			put_event(&event, result);
			MemoryContextReset(scratch);
			CHECK_FOR_INTERRUPTS();
		}
		CHECK_FOR_INTERRUPTS();
		if (found == VSM_LOG_ERROR)
			out_of_memory();
	}
	PG_FINALLY();
	{
		vsm_log_close(log);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(before);
	MemoryContextDelete(scratch);
}

static void
put_event(const VsmLogEvent *event, ReturnSetInfo *result)
{
	Datum		values[N_RESULTS] = {0};
	bool		nulls[N_RESULTS] = {false};
	TimestampTz at = event->at - UNIX_EPOCH_US;

	values[RESULT_LINE] = Int64GetDatum(event->line);
	values[RESULT_CASE_ID] = text_from_utf8(event->item);
	values[RESULT_STAGE] = text_from_utf8(event->stage);
	values[RESULT_ENTERED_AT] = TimestampTzGetDatum(at);
	values[RESULT_ENTERED_TEXT] = text_from_utf8(event->refused ? event->at_text : NULL);
	values[RESULT_TYPE] = text_from_utf8(event->type);
	values[RESULT_TITLE] = text_from_utf8(event->title);
	values[RESULT_SEQUENCE] = Int64GetDatum(event->order);
	values[RESULT_REFUSED] = text_from_utf8(event->refused);
	nulls[RESULT_CASE_ID] = event->item == NULL;
	nulls[RESULT_STAGE] = event->stage == NULL;
	nulls[RESULT_ENTERED_AT] = event->refused != NULL || event->local || !IS_VALID_TIMESTAMP(at);
	nulls[RESULT_ENTERED_TEXT] = event->refused == NULL || event->at_text[0] == '\0';
	nulls[RESULT_TYPE] = event->type == NULL;
	nulls[RESULT_TITLE] = event->title == NULL;
	nulls[RESULT_REFUSED] = event->refused == NULL;
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* An hour that the clocks repeat is that of standard time, as everywhere in PostgreSQL. */
static bool
resolve_zone(void *state, const char *zone, int64_t local, int64_t *instant)
{
	pg_tz	   *tz = pg_tzset(zone);
	Timestamp	at = local - UNIX_EPOCH_US;
	struct pg_tm tm;
	fsec_t		fraction;

	if (tz == NULL || !IS_VALID_TIMESTAMP(at) || timestamp2tm(at, NULL, &tm, &fraction, NULL, NULL) != 0)
		return false;
	*instant = local + (int64) DetermineTimeZoneOffset(&tm, tz) * USECS_PER_SEC;
	return true;
}

static bool
append_text(void *state, const char *text, size_t length)
{
	appendBinaryStringInfo((StringInfo) state, text, (int) length);
	return true;
}

static Datum
text_from_utf8(const char *text)
{
	if (text == NULL)
		return (Datum) 0;
	return CStringGetTextDatum(pg_any_to_server(text, (int) strlen(text), PG_UTF8));
}

/* ---- Options; their memory is palloc()'s, and stays as long as the call ---- */

static void
read_options(Jsonb *given, VsmRecogniseOptions *options)
{
	JsonbIterator *iterator;
	JsonbValue	key;
	JsonbValue	value;

	memset(options, 0, sizeof *options);
	if (!JB_ROOT_IS_OBJECT(given))
		refuse_option("options", "", "Give an object.");
	iterator = JsonbIteratorInit(&given->root);
	(void) JsonbIteratorNext(&iterator, &key, false);
	while (JsonbIteratorNext(&iterator, &key, true) == WJB_KEY)
	{
		(void) JsonbIteratorNext(&iterator, &value, true);
		if (value.type != jbvNull)
			read_option(pnstrdup(key.val.string.val, key.val.string.len), &value, options);
	}
}

static void
read_option(const char *name, const JsonbValue *value, VsmRecogniseOptions *options)
{
	const char *text;

	if (strcmp(name, "aliases") == 0)
	{
		read_aliases(container_of(value, name, false), options);
		return;
	}
	if (strcmp(name, "categories") == 0)
	{
		read_categories(container_of(value, name, false), options);
		return;
	}
	if (strcmp(name, "stages") == 0)
	{
		read_stages(container_of(value, name, true), options);
		return;
	}
	text = text_of(value, name);
	if (strcmp(name, "item") == 0)
		options->item = text;
	else if (strcmp(name, "stage") == 0)
		options->stage = text;
	else if (strcmp(name, "time") == 0)
		options->time = text;
	else if (strcmp(name, "type") == 0)
		options->type = text;
	else if (strcmp(name, "title") == 0)
		options->title = text;
	else if (strcmp(name, "time_zone") == 0)
		options->time_zone = text;
	else if (strcmp(name, "form") == 0)
	{
		if (!vsm_form_named(text, &options->form))
			refuse_option(name, text, "Give long or wide.");
	}
	else if (strcmp(name, "dates") == 0)
	{
		if (!vsm_date_order_named(text, &options->dates))
			refuse_option(name, text, "Give DMY, MDY or YMD.");
	}
	else if (strcmp(name, "direction") == 0)
	{
		if (!vsm_direction_named(text, &options->direction))
			refuse_option(name, text, "Give oldest_first or newest_first.");
	}
	else
		refuse_option(name, text, "The options are item, stage, time, type, title, form, dates, direction, time_zone, aliases, categories and stages.");
}

static void
read_aliases(const JsonbValue *value, VsmRecogniseOptions *options)
{
	int			n = JsonContainerSize(value->val.binary.data);
	VsmAlias   *aliases;
	JsonbIterator *iterator = JsonbIteratorInit(value->val.binary.data);
	JsonbValue	key;
	JsonbValue	stage;

	if (n > MOST_ALIASES)
		refuse_option("aliases", "", "Give at most 10000 aliases.");
	aliases = palloc0(sizeof(VsmAlias) * Max(n, 1));
	(void) JsonbIteratorNext(&iterator, &key, false);
	while (JsonbIteratorNext(&iterator, &key, true) == WJB_KEY && options->n_aliases < n)
	{
		(void) JsonbIteratorNext(&iterator, &stage, true);
		aliases[options->n_aliases++] = (VsmAlias){text_of(&key, "aliases"), stage.type == jbvNull ? "" : text_of(&stage, "aliases")};
	}
	options->aliases = aliases;
}

/* Of the stages that the stream has. */
static void
read_categories(const JsonbValue *value, VsmRecogniseOptions *options)
{
	VsmGivenStage *stages = palloc0(sizeof(VsmGivenStage) * Max(JsonContainerSize(value->val.binary.data), 1));
	JsonbIterator *iterator = JsonbIteratorInit(value->val.binary.data);
	JsonbValue	key;
	JsonbValue	category;

	(void) JsonbIteratorNext(&iterator, &key, false);
	while (JsonbIteratorNext(&iterator, &key, true) == WJB_KEY)
	{
		VsmGivenStage *stage = &stages[options->n_defined++];

		(void) JsonbIteratorNext(&iterator, &category, true);
		stage->name = text_of(&key, "categories");
		if (!vsm_category_named(text_of(&category, "categories"), &stage->category))
			refuse_option("categories", text_of(&category, "categories"), "A category is wait, active, done or discarded.");
	}
	options->defined = stages;
}

static void
read_stages(const JsonbValue *value, VsmRecogniseOptions *options)
{
	JsonbContainer *list = value->val.binary.data;
	int			n = JsonContainerSize(list);
	VsmGivenStage *stages;

	if (n == 0 || n > VSM_MAX_STAGES)
		refuse_option("stages", "", "Give a list of 1 to 200 stages.");
	stages = palloc0(sizeof(VsmGivenStage) * n);
	for (int i = 0; i < n; i++)
	{
		const JsonbValue *stage = container_of(getIthJsonbValueFromContainer(list, (uint32) i), "stages", false);
		JsonbValue	part;

		if (getKeyJsonValueFromContainer(stage->val.binary.data, "name", 4, &part) == NULL)
			refuse_option("stages", "", "Each stage has a name.");
		stages[i].name = text_of(&part, "stages");
		if (getKeyJsonValueFromContainer(stage->val.binary.data, "category", 8, &part) != NULL && part.type != jbvNull)
		{
			char	   *category = text_of(&part, "stages");

			if (!vsm_category_named(category, &stages[i].category))
				refuse_option("stages", category, "A category is wait, active, done or discarded.");
		}
	}
	options->stages = stages;
	options->n_stages = n;
}

/* As UTF-8. */
static char *
text_of(const JsonbValue *value, const char *name)
{
	char	   *text;

	if (value->type != jbvString)
		refuse_option(name, "", "Its value is a text.");
	text = pnstrdup(value->val.string.val, value->val.string.len);
	return pg_server_to_any(text, value->val.string.len, PG_UTF8);
}

/* The value is an object or, if wanted, an array; an empty one is binary too. */
static const JsonbValue *
container_of(const JsonbValue *value, const char *name, bool array)
{
	if (value == NULL || value->type != jbvBinary ||
		(array ? !JsonContainerIsArray(value->val.binary.data) : !JsonContainerIsObject(value->val.binary.data)))
		refuse_option(name, "", array ? "Give a list of objects with name and category." : "Give an object.");
	return value;
}

static void
refuse_option(const char *name, const char *value, const char *hint)
{
	ereport(ERROR,
			errcode(VSM_UNPROCESSABLE),
			*value == '\0' ? errmsg("%s cannot be read", name) : errmsg("%s cannot be \"%s\"", name, vsm_cut(value)),
			errdetail("It says how to read the content."),
			errhint("%s", hint),
			err_generic_string(PG_DIAG_COLUMN_NAME, name));
}

static void
out_of_memory(void)
{
	ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
}
