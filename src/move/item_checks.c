/*
 * item_checks.c
 *		What a client may write into a work item.
 *
 * The BEFORE trigger (transition.c) calls these checks before it decides upon a
 * row.
 */
#include "item_checks.h"

#include "access/htup_details.h"
#include "commands/sequence.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "known_names.h"
#include "names.h"
#include "stage_cache.h"

/* A title is one line of a board or a report. */
#define MAX_TITLE_CHARACTERS	500
/* A reason or a description: what people write, not a file. */
#define MAX_TEXT_CHARACTERS		10000
/* Attributes are few facts: they are shown with each item, and every value is compared with every one of a filter. */
#define MAX_ATTRIBUTE_VALUES	1000
#define MAX_ATTRIBUTE_BYTES		(64 * 1024)
/* Clocks of clients differ; a time further ahead is a mistake. */
#define MAX_AHEAD_US			(5 * USECS_PER_MINUTE)

/* 1970-01-01 00:00 UTC: a mistyped year would stretch every chart. */
#define EARLIEST_TIME			((TimestampTz) (UNIX_EPOCH_JDATE - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY)

/* JSON numbers are exact up to here: 2^53 - 1. */
#define GREATEST_ID				INT64CONST(9007199254740991)
/* An id that is further beyond the sequence is set, not drawn. */
#define FAR						10000

PG_FUNCTION_INFO_V1(vsm__attributes_fit);
PG_FUNCTION_INFO_V1(vsm__check_text);
PG_FUNCTION_INFO_V1(vsm__check_time);

static void check_time(TimestampTz at, TimestampTz now, const char *what, const char *happened);
static void move_sequence_on(Oid sequence, int64 id, int64 last);
static void check_title(const ItemRow *row);
static void check_attributes(Jsonb *attributes);
static bool fits(Jsonb *attributes);

/* The sequence that ids of work items come from. */
Oid
vsm_item_id_sequence(Relation items)
{
	return get_relname_relid("work_items_id_seq", RelationGetNamespace(items));
}

/*
 * vsm_require_issued_item_id
 *		Refuse an id that the sequence has not issued; for the owner, move the sequence on.
 *
 * Otherwise a later INSERT would fail that draws the id.
 */
void
vsm_require_issued_item_id(Relation items, int64 id)
{
	LOCAL_FCINFO(call, 1);
	Oid			sequence = vsm_item_id_sequence(items);
	Datum		last;

	if (id > GREATEST_ID || id < -GREATEST_ID)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("id " INT64_FORMAT " of a work item is out of range", id),
				errdetail("The greatest is " INT64_FORMAT ": beyond it numbers in JSON are not exact.", GREATEST_ID),
				errhint("Leave the id out; an id of your own goes into external_id."),
				errtablecol(items, ITEM_ID));
	InitFunctionCallInfoData(*call, NULL, 1, InvalidOid, NULL, NULL);
	call->args[0].value = ObjectIdGetDatum(sequence);
	call->args[0].isnull = false;
	last = pg_sequence_last_value(call);
	if (!call->isnull && id <= DatumGetInt64(last))
		return;
	if (has_privs_of_role(GetUserId(), items->rd_rel->relowner))
	{
		/* one that was set, and has issued no id since, does not tell its place before */
		move_sequence_on(sequence, id, call->isnull ? nextval_internal(sequence, true) : DatumGetInt64(last));
		return;
	}
	ereport(ERROR,
			errcode(VSM_UNPROCESSABLE),
			errmsg("id " INT64_FORMAT " of a work item has not been issued yet", id),
			errdetail("Ids come from the sequence vsm.work_items_id_seq."),
			errhint("Leave the id out; an id of your own goes into external_id."),
			errtablecol(items, ITEM_ID));
}

/*
 * move_sequence_on
 *		Let the sequence go on after that id.
 *
 * Setting a sequence could take it back, if others draw ids at the same time; drawing
 * ids cannot.  So a near id is drawn, and only a far one is set: others would have to draw
 * FAR ids between two statements.
 */
static void
move_sequence_on(Oid sequence, int64 id, int64 last)
{
	if (id <= last)
		return;
	if (id - last > FAR)
		DirectFunctionCall2(setval_oid, ObjectIdGetDatum(sequence), Int64GetDatum(id));
	else
		while (nextval_internal(sequence, true) < id)
			CHECK_FOR_INTERRUPTS();
}

/* Check the title, the external id and the attributes, if they are new or changed. */
void
vsm_check_item_texts(const ItemRow *row, const ItemRow *old, TupleDesc desc)
{
	if (old == NULL || !vsm_same_column(old, row, ITEM_TITLE, desc))
		check_title(row);
	if (!row->nulls[ITEM_EXTERNAL_ID] && (old == NULL || !vsm_same_column(old, row, ITEM_EXTERNAL_ID, desc)))
		(void) vsm_external_id(DatumGetTextPP(row->values[ITEM_EXTERNAL_ID]));
	if (!row->nulls[ITEM_ATTRIBUTES] && (old == NULL || !vsm_same_column(old, row, ITEM_ATTRIBUTES, desc)))
		check_attributes(DatumGetJsonbP(row->values[ITEM_ATTRIBUTES]));
}

static void
check_title(const ItemRow *row)
{
	text	   *title;
	int			characters;

	if (row->nulls[ITEM_TITLE])
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("a work item needs a title"),
				errdetail("The title is null."),
				errhint("Give a title of 1 to %d characters.", MAX_TITLE_CHARACTERS),
				err_generic_string(PG_DIAG_COLUMN_NAME, "title"));
	title = DatumGetTextPP(row->values[ITEM_TITLE]);
	characters = pg_mbstrlen_with_len(VARDATA_ANY(title), VARSIZE_ANY_EXHDR(title));
	if (characters < 1 || characters > MAX_TITLE_CHARACTERS)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg(characters == 0 ? "the title of a work item is empty" : "the title of a work item is too long"),
				errdetail("It has %d characters.", characters),
				errhint("Give a title of 1 to %d characters.", MAX_TITLE_CHARACTERS),
				err_generic_string(PG_DIAG_COLUMN_NAME, "title"));
}

static void
check_attributes(Jsonb *attributes)
{
	if (!JB_ROOT_IS_OBJECT(attributes))
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("the attributes of a work item must be a JSON object"),
				errdetail("The value given is no object."),
				errhint("For example {\"team\": \"red\"}; {} for none."),
				err_generic_string(PG_DIAG_COLUMN_NAME, "attributes"));
	if (!fits(attributes))
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("the attributes of a work item are too large"),
				errdetail("They have more than %d keys and values, or more than %d bytes as text.",
						  MAX_ATTRIBUTE_VALUES, MAX_ATTRIBUTE_BYTES),
				errhint("Keep what is long elsewhere, and a link to it here."),
				err_generic_string(PG_DIAG_COLUMN_NAME, "attributes"));
}

/* vsm._attributes_fit(attributes jsonb) -> boolean: are they as few and short as those of an item must be? */
Datum
vsm__attributes_fit(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(fits(PG_GETARG_JSONB_P(0)));
}

/* A number such as 1e-16383 is longer as text than it is stored. */
static bool
fits(Jsonb *attributes)
{
	JsonbIterator *iterator = JsonbIteratorInit(&attributes->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	int			values = 0;
	size_t		bytes = 0;

	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		if (token == WJB_KEY || token == WJB_VALUE || token == WJB_ELEM)
		{
			values++;
			if (value.type == jbvString)
				bytes += value.val.string.len;
			else if (value.type == jbvNumeric)
			{
				char	   *number = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value.val.numeric)));

				bytes += strlen(number);
				pfree(number);
			}
		}
		else if (token == WJB_BEGIN_ARRAY || token == WJB_BEGIN_OBJECT)
			values++;
		if (values > MAX_ATTRIBUTE_VALUES || bytes > MAX_ATTRIBUTE_BYTES)
			return false;
	}
	return true;
}

void
vsm_check_item_type(const char *type)
{
	if (!vsm_type_known(type))
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("work item type \"%s\" is not defined", type),
				errdetail("There is no type of that name; names are case-sensitive."),
				errhint("%s; vsm.work_item_types takes another one.", vsm_known_types()),
				err_generic_string(PG_DIAG_COLUMN_NAME, "type"));
}

void
vsm_check_move_time(TimestampTz at, TimestampTz now)
{
	check_time(at, now, "a move", "the item moved");
}

/*
 * vsm_check_text
 *		Refuse a text that is too long for a reason or a description.
 *
 * Else one row could keep the whole table from being dumped.
 */
void
vsm_check_text(const text *value, const char *what, const char *column)
{
	int			characters = pg_mbstrlen_with_len(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));

	if (characters > MAX_TEXT_CHARACTERS)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("%s is too long", what),
				errdetail("It has %d characters.", characters),
				errhint("Give at most %d characters.", MAX_TEXT_CHARACTERS),
				err_generic_string(PG_DIAG_COLUMN_NAME, column));
}

/* vsm._check_text(value text, what text, "column" text) -> void */
Datum
vsm__check_text(PG_FUNCTION_ARGS)
{
	vsm_check_text(PG_GETARG_TEXT_PP(0), text_to_cstring(PG_GETARG_TEXT_PP(1)), text_to_cstring(PG_GETARG_TEXT_PP(2)));
	PG_RETURN_VOID();
}

/* vsm._check_time(at timestamptz, what text, happened text) -> void */
Datum
vsm__check_time(PG_FUNCTION_ARGS)
{
	check_time(PG_GETARG_TIMESTAMPTZ(0), GetCurrentTimestamp(), text_to_cstring(PG_GETARG_TEXT_PP(1)), text_to_cstring(PG_GETARG_TEXT_PP(2)));
	PG_RETURN_VOID();
}

/* Refuse a time that must be a mistake: infinity, before 1970, more than 5 minutes ahead. */
static void
check_time(TimestampTz at, TimestampTz now, const char *what, const char *happened)
{
	char	   *now_text;

	if (TIMESTAMP_NOT_FINITE(at))
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("the time of %s cannot be infinite", what),
				errdetail("The time given is \"%s\".", TIMESTAMP_IS_NOBEGIN(at) ? "-infinity" : "infinity"),
				errhint("Give the time at which %s, or none for now.", happened));
	if (at < EARLIEST_TIME)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("the time of %s lies before 1970", what),
				errdetail("The time given is %s.", timestamptz_to_str(at)),
				errhint("Give a time from 1970-01-01 00:00 UTC on, or none for now."));
	if (at <= now + MAX_AHEAD_US)
		return;
	now_text = pstrdup(timestamptz_to_str(now));
	ereport(ERROR,
			errcode(VSM_UNPROCESSABLE),
			errmsg("the time of %s lies in the future", what),
			errdetail("The time given is %s; the server's clock shows %s.", timestamptz_to_str(at), now_text),
			errhint("Give a time at most 5 minutes ahead, or none for now."));
}

/* A row that is inserted with its state filled in would have no history. */
void
vsm_refuse_given_state(Relation rel)
{
	if (!has_privs_of_role(GetUserId(), rel->rd_rel->relowner))
		vsm_refuse_computed_column(rel, ITEM_STAGE_ENTERED_AT);
	ereport(ERROR,
			errcode(VSM_UNPROCESSABLE),
			errmsg("cannot insert a work item with its state filled in"),
			errdetail("It would have no history: the ledger has a row for each move that is made or imported."),
			errhint("Leave out the columns from stage_entered_at on, or import the moves with vsm.import_events(); "
					"to store the row as it is, without history, set vsm.recording = off."),
			errtablecol(rel, ITEM_STAGE_ENTERED_AT));
}

void
vsm_refuse_computed_column(Relation rel, int column)
{
	const char *name = NameStr(TupleDescAttr(RelationGetDescr(rel), column - 1)->attname);

	if (column == ITEM_ID || column == ITEM_STREAM)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("column \"%s\" of a work item cannot be changed", name),
				errdetail("The ledger refers to the item as it was created."),
				errhint("Delete the item and create it again."),
				errtablecol(rel, column));
	ereport(ERROR,
			errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			errmsg("column \"%s\" of a work item is computed", name),
			errdetail("It follows from the item's moves."),
			errhint("Move the item with vsm.transition() or by its stage_id; import past moves with vsm.import_events()."),
			errtablecol(rel, column));
}
