/*
 * transition.c
 *		Rules of a move: from a changed row to the item's new state.
 *
 * The BEFORE row trigger on vsm.work_items sees every INSERT and UPDATE, from
 * any client.  It knows the row as it is after the wait for its lock, so the
 * stage left is the true one, and it fills in the computed columns.  The ledger
 * row is written by the AFTER trigger (ledger.c), once the row is stored.
 *
 * Taken as they are, and recorded nowhere: rows inserted with their state
 * filled in by the owner of the tables when he restores a dump, and whatever he
 * writes with vsm.recording = off (repairs, imports); see unrecorded.c.
 *
 * What is decided is noted (decisions.c).  The AFTER trigger compares it with
 * what was stored, since BEFORE triggers that fire later may change the row.
 *
 * What an UPDATE cannot say (time, reason, expected stage) vsm.transition()
 * hands over in a request (request.c).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "mb/pg_wchar.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "counters/wip_limit.h"
#include "decisions.h"
#include "errors.h"
#include "item_row.h"
#include "item_state.h"
#include "owner.h"
#include "request.h"
#include "roles/stream_access.h"
#include "stage_cache.h"
#include "trigger_guard.h"
#include "unrecorded.h"
#include "vsm.h"

#define MAX_TITLE_CHARACTERS	500
#define MAX_AHEAD_US			(5 * USECS_PER_MINUTE)

/* 1970-01-01 00:00 UTC: a mistyped year would stretch every chart */
#define EARLIEST_TIME			((TimestampTz) (UNIX_EPOCH_JDATE - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY)

static HeapTuple place_item(TriggerData *trigdata);
static void require_issued_id(Relation rel, int64 id);
static HeapTuple change_item(TriggerData *trigdata);
static HeapTuple delete_item(TriggerData *trigdata);
static HeapTuple move_item(Relation rel, VsmRequest *request, ItemRow *old, ItemRow *new);
static bool same_column(const ItemRow *old, const ItemRow *new, int column, TupleDesc desc);
static void refuse_computed_columns(const ItemRow *old, const ItemRow *new, Relation rel);
static void refuse_state(Relation rel);
static void refuse_computed_column(Relation rel, int column);
static void check_text_columns(const ItemRow *row, const ItemRow *old, TupleDesc desc);
static void check_title(const ItemRow *row);
static void check_type(const char *type);
static const VsmStage *stage_to_enter(const ItemRow *row, Oid owner);
static void seed_default(Oid owner);
static void check_expected_stage(const VsmRequest *request, const VsmStage *from);
static TimestampTz time_of_move(const VsmRequest *request, TimestampTz last, TimestampTz now, int64 work_item_id);
static void check_time(TimestampTz at, TimestampTz now);

PG_FUNCTION_INFO_V1(vsm__work_item_before);

/* vsm._work_item_before() -> trigger: BEFORE INSERT OR UPDATE OR DELETE, for each row, last by name */
Datum
vsm__work_item_before(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = vsm_trigger_data(fcinfo, VSM_BEFORE_ROW, VSM_TABLE_ITEMS, VSM_TABLE_ITEMS);

	if (TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
		return PointerGetDatum(place_item(trigdata));
	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
		return PointerGetDatum(change_item(trigdata));
	return PointerGetDatum(delete_item(trigdata));
}

/* A new item: as it is when its state came with it, else in its first stage. */
static HeapTuple
place_item(TriggerData *trigdata)
{
	Relation	rel = trigdata->tg_relation;
	TupleDesc	desc = RelationGetDescr(rel);
	TimestampTz now = GetCurrentTimestamp();
	const VsmStage *stage;
	VsmItemState state;
	ItemRow		row;

	vsm_require_recording_right(rel);
	vsm_read_row(&row, trigdata->tg_trigtuple, desc);
	if (!row.nulls[ITEM_STREAM])
		vsm_require_access(VSM_WRITER, vsm_row_text(&row, ITEM_STREAM));
	check_text_columns(&row, NULL, desc);

	if (!row.nulls[ITEM_STAGE_ENTERED_AT])
	{
		if (!vsm_takes_rows_as_they_are(rel))
			refuse_state(rel);
		return trigdata->tg_trigtuple;
	}
	for (int column = ITEM_STARTED_AT; column <= ITEM_BACKWARD_MOVES; column++)
		if (!row.nulls[column])
			refuse_computed_column(rel, column);
	if (!row.nulls[ITEM_ID])
		require_issued_id(rel, vsm_row_id(&row));

	/* created_at, when given, is when the item came to be */
	if (!row.nulls[ITEM_CREATED_AT])
		check_time(DatumGetTimestampTz(row.values[ITEM_CREATED_AT]), now);
	stage = stage_to_enter(&row, rel->rd_rel->relowner);
	vsm_state_create(&state, stage,
					 row.nulls[ITEM_CREATED_AT] ? now : DatumGetTimestampTz(row.values[ITEM_CREATED_AT]));
	check_type(vsm_row_text(&row, ITEM_TYPE));
	if (!row.nulls[ITEM_ID])
		vsm_decide(VSM_DECIDED_INSERT, vsm_row_id(&row), &state, NULL);
	return vsm_row_with_state(&row, &state, now, desc);
}

/* An id that its sequence has not issued would make the INSERT of somebody else fail. */
static void
require_issued_id(Relation rel, int64 id)
{
	LOCAL_FCINFO(call, 1);
	Datum		last;

	if (has_privs_of_role(GetUserId(), rel->rd_rel->relowner))
		return;
	InitFunctionCallInfoData(*call, NULL, 1, InvalidOid, NULL, NULL);
	call->args[0].value = ObjectIdGetDatum(get_relname_relid("work_items_id_seq", RelationGetNamespace(rel)));
	call->args[0].isnull = false;
	last = pg_sequence_last_value(call);
	if (!call->isnull && id <= DatumGetInt64(last))
		return;
	ereport(ERROR,
			errcode(VSM_UNPROCESSABLE),
			errmsg("id " INT64_FORMAT " of a work item has not been issued yet", id),
			errdetail("Ids come from the sequence vsm.work_items_id_seq."),
			errhint("Leave the id out; an id of your own goes into external_id."),
			errtablecol(rel, ITEM_ID));
}

/* A changed item: columns users may change, then the move if there is one. */
static HeapTuple
change_item(TriggerData *trigdata)
{
	Relation	rel = trigdata->tg_relation;
	TupleDesc	desc = RelationGetDescr(rel);
	ItemRow		old;
	ItemRow		new;
	VsmRequest *request;
	VsmItemState state;

	vsm_require_recording_right(rel);
	if (!vsm_recording)
		return trigdata->tg_newtuple;

	vsm_read_row(&old, trigdata->tg_trigtuple, desc);
	vsm_read_row(&new, trigdata->tg_newtuple, desc);
	refuse_computed_columns(&old, &new, rel);
	check_text_columns(&new, &old, desc);
	if (!new.nulls[ITEM_TYPE] && !same_column(&old, &new, ITEM_TYPE, desc))
		check_type(vsm_row_text(&new, ITEM_TYPE));

	request = vsm_request_claim(vsm_row_id(&old));
	if (request || !same_column(&old, &new, ITEM_STAGE_ID, desc))
		return move_item(rel, request, &old, &new);

	vsm_row_state(&state, &new);
	return vsm_row_with_state(&new, &state, GetCurrentTimestamp(), desc);
}

/* An item that goes: what the ledger has of it up to now goes too. */
static HeapTuple
delete_item(TriggerData *trigdata)
{
	ItemRow		row;
	VsmItemState state;

	vsm_require_recording_right(trigdata->tg_relation);
	vsm_read_row(&row, trigdata->tg_trigtuple, RelationGetDescr(trigdata->tg_relation));
	if (!vsm_row_has_state(&row))
		return trigdata->tg_trigtuple;
	vsm_row_state(&state, &row);
	vsm_decide(VSM_DECIDED_DELETE, vsm_row_id(&row), &state, NULL);
	return trigdata->tg_trigtuple;
}

/* The row after a move; NULL, which leaves the row alone, when it is there already. */
static HeapTuple
move_item(Relation rel, VsmRequest *request, ItemRow *old, ItemRow *new)
{
	int64		work_item_id = vsm_row_id(old);
	TimestampTz now = GetCurrentTimestamp();
	const VsmStage *known;
	VsmStage	from;
	VsmStage	to;
	VsmItemState state;
	TimestampTz at;

	vsm_row_state(&state, old);
	known = vsm_stage(state.stage_id);
	if (known == NULL)
		ereport(ERROR,
				errcode(VSM_NOT_FOUND),
				errmsg("work item " INT64_FORMAT " is in a stage that is not defined", work_item_id),
				errdetail("Stage " INT64_FORMAT " is not in vsm.stages.", state.stage_id),
				errhint("Restore vsm.stages; vsm.data_quality() lists such items."));
	from = *known;
	if (request && request->expected_from)
		check_expected_stage(request, &from);
	if (request && !new->nulls[ITEM_STAGE_ID] &&
		DatumGetInt64(new->values[ITEM_STAGE_ID]) == from.id)
	{
		request->stays = true;
		return NULL;
	}
	to = *stage_to_enter(new, rel->rd_rel->relowner);

	at = time_of_move(request, state.stage_entered_at, now, work_item_id);
	if (to.category != VSM_DONE && vsm_wip_limit_action == VSM_LIMIT_REJECT)
		(void) vsm_limit_reserve_place(rel, &to, false);
	vsm_state_move(&state, &from, &to, at);
	vsm_decide(VSM_DECIDED_MOVE, work_item_id, &state, request);
	return vsm_row_with_state(new, &state, now, RelationGetDescr(rel));
}

static bool
same_column(const ItemRow *old, const ItemRow *new, int column, TupleDesc desc)
{
	Form_pg_attribute attribute = TupleDescAttr(desc, column - 1);

	if (old->nulls[column] || new->nulls[column])
		return old->nulls[column] == new->nulls[column];
	return datum_image_eq(old->values[column], new->values[column],
						  attribute->attbyval, attribute->attlen);
}

/* updated_at is not among them: it is always set here, and tools that write it mean no harm. */
static void
refuse_computed_columns(const ItemRow *old, const ItemRow *new, Relation rel)
{
	static const int computed[] = {
		ITEM_ID, ITEM_STREAM, ITEM_CREATED_AT, ITEM_STAGE_ENTERED_AT, ITEM_STARTED_AT,
		ITEM_COMPLETED_AT, ITEM_ACTIVE_TIME, ITEM_WAIT_TIME, ITEM_REOPENED, ITEM_BACKWARD_MOVES
	};

	for (int i = 0; i < (int) lengthof(computed); i++)
		if (!same_column(old, new, computed[i], RelationGetDescr(rel)))
			refuse_computed_column(rel, computed[i]);
}

/* A row that comes with its state filled in would have no history. */
static void
refuse_state(Relation rel)
{
	if (!has_privs_of_role(GetUserId(), rel->rd_rel->relowner))
		refuse_computed_column(rel, ITEM_STAGE_ENTERED_AT);
	ereport(ERROR,
			errcode(VSM_UNPROCESSABLE),
			errmsg("a work item cannot come with its state filled in"),
			errdetail("It would have no history: the ledger has a row for each move that is made or imported."),
			errhint("Leave out the columns from stage_entered_at on, or import the moves with vsm.import_events(); "
					"to store the row as it is, without history, set vsm.recording = off."),
			errtablecol(rel, ITEM_STAGE_ENTERED_AT));
}

static void
refuse_computed_column(Relation rel, int column)
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

/* Title and external id, when new or changed. */
static void
check_text_columns(const ItemRow *row, const ItemRow *old, TupleDesc desc)
{
	if (old == NULL || !same_column(old, row, ITEM_TITLE, desc))
		check_title(row);
	if (!row->nulls[ITEM_EXTERNAL_ID] && VARSIZE_ANY_EXHDR(DatumGetPointer(row->values[ITEM_EXTERNAL_ID])) == 0)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("the external id of a work item is empty"),
				errdetail("An item without one has the null value there."),
				errhint("Give the id that another system knows the item by, or null."),
				err_generic_string(PG_DIAG_COLUMN_NAME, "external_id"));
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
check_type(const char *type)
{
	if (!vsm_type_known(type))
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("work item type \"%s\" is not defined", type),
				errdetail("The types are in vsm.work_item_types; names are case-sensitive."),
				errhint("Use a defined type, or add one: INSERT INTO vsm.work_item_types VALUES (%s).",
						quote_literal_cstr(type)),
				err_generic_string(PG_DIAG_COLUMN_NAME, "type"));
}

/*
 * stage_to_enter
 *		The stage a row names, or the first of its stream.
 *
 * The default stream comes into being here when there is no stream yet.
 */
static const VsmStage *
stage_to_enter(const ItemRow *row, Oid owner)
{
	char	   *stream = vsm_row_text(row, ITEM_STREAM);
	const VsmStage *stage;

	if (row->nulls[ITEM_STAGE_ID])
	{
		stage = vsm_first_stage(stream);
		if (stage == NULL && strcmp(stream, "default") == 0)
		{
			seed_default(owner);
			stage = vsm_first_stage(stream);
		}
		if (stage == NULL)
			ereport(ERROR,
					errcode(VSM_NOT_FOUND),
					errmsg("stream \"%s\" not found", stream),
					errdetail("There is no stream of that name with a stage to begin in."),
					errhint("The streams are in vsm.value_streams; vsm.define_stream() defines one."));
	}
	else
	{
		int64		id = DatumGetInt64(row->values[ITEM_STAGE_ID]);

		stage = vsm_visible_stage(id);
		if (stage == NULL || strcmp(stage->stream, stream) != 0)
			ereport(ERROR,
					errcode(VSM_NOT_FOUND),
					errmsg("stage " INT64_FORMAT " not found in stream \"%s\"", id, stream),
					stage == NULL ? errdetail("No stage has that id.")
								  : errdetail("It is stage \"%s\" of stream \"%s\".", stage->name, stage->stream),
					errhint("The stages of each stream are in vsm.stages."));
	}
	if (stage->retired)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("stage \"%s\" is retired", stage->name),
				errdetail("A retired stage keeps its history and takes no new entries."),
				errhint("Use another stage, or bring this one back: UPDATE vsm.stages SET retired_at = NULL WHERE id = " INT64_FORMAT ".",
						stage->id));
	return stage;
}

/* First use: default stream and types, once, also when two sessions come together. */
static void
seed_default(Oid owner)
{
	VsmOwner before = vsm_become_owner(owner);

	if (SPI_connect() != SPI_OK_CONNECT ||
		SPI_execute("SELECT vsm._seed_default()", false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not define the default stream");
	SPI_finish();
	vsm_leave_owner(before);
}

static void
check_expected_stage(const VsmRequest *request, const VsmStage *from)
{
	if (strcmp(request->expected_from, from->name) == 0)
		return;
	ereport(ERROR,
			errcode(VSM_CONFLICT),
			errmsg("work item " INT64_FORMAT " is not in stage \"%s\"",
				   request->work_item_id, request->expected_from),
			errdetail("It is in stage \"%s\": somebody else moved it.", from->name),
			errhint("Look at vsm.history(" INT64_FORMAT ") and move it again from where it is.",
					request->work_item_id));
}

/*
 * time_of_move
 *		The time given, checked, or the clock since the row is locked.
 *
 * The clock may have been set back since the last move; time does not.
 */
static TimestampTz
time_of_move(const VsmRequest *request, TimestampTz last, TimestampTz now, int64 work_item_id)
{
	if (request == NULL || !request->has_at)
		return Max(now, last);

	check_time(request->at, now);
	if (request->at < last)
	{
		char	   *last_text = pstrdup(timestamptz_to_str(last));

		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("work item " INT64_FORMAT " has moved since that time", work_item_id),
				errdetail("The move is given as of %s; its last move was at %s.",
						  timestamptz_to_str(request->at), last_text),
				errhint("Give a later time, or bring past moves in with vsm.import_events()."));
	}
	return request->at;
}

/* What nobody can mean is refused: infinity, before 1970, more than 5 minutes ahead. */
static void
check_time(TimestampTz at, TimestampTz now)
{
	char	   *now_text;

	if (TIMESTAMP_NOT_FINITE(at))
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("the time of a move cannot be infinite"),
				errdetail("The time given is \"%s\".", TIMESTAMP_IS_NOBEGIN(at) ? "-infinity" : "infinity"),
				errhint("Give the time at which the item moved, or none for now."));
	if (at < EARLIEST_TIME)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("the time of a move lies before 1970"),
				errdetail("The time given is %s.", timestamptz_to_str(at)),
				errhint("Give a time from 1970-01-01 00:00 UTC on, or none for now."));
	if (at <= now + MAX_AHEAD_US)
		return;
	now_text = pstrdup(timestamptz_to_str(now));
	ereport(ERROR,
			errcode(VSM_UNPROCESSABLE),
			errmsg("the time of a move lies in the future"),
			errdetail("The time given is %s; the server's clock shows %s.", timestamptz_to_str(at), now_text),
			errhint("Give a time at most 5 minutes ahead, or none for now."));
}
