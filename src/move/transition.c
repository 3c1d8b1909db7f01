/*
 * transition.c
 *		Rules of a move: from a changed row to the item's new state.
 *
 * The BEFORE row trigger on vsm.work_items sees every INSERT and UPDATE, from
 * any client.  It gets the row as it is after the wait for its lock, so the stage
 * that the item leaves is the true one, and it fills in the computed columns.  The
 * AFTER trigger writes the ledger row once the row is stored (recording.c).
 *
 * Rows that the owner of the tables inserts with their state filled in while a
 * dump is restored, and whatever the owner writes with vsm.recording = off
 * (repairs, imports), are taken as they are and not recorded: see unrecorded.c.
 *
 * Decisions are noted (decisions.c), and the AFTER trigger compares them with what
 * was stored, since BEFORE triggers that fire later may change the row.
 *
 * vsm.transition() hands over what an UPDATE cannot say (time, reason, expected
 * stage) in a request (request.c).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "counters/wip_limit.h"
#include "decisions.h"
#include "errors.h"
#include "item_checks.h"
#include "item_row.h"
#include "item_state.h"
#include "owner.h"
#include "request.h"
#include "roles/stream_access.h"
#include "stage_cache.h"
#include "stage_name.h"
#include "transition.h"
#include "trigger_guard.h"
#include "unrecorded.h"
#include "vsm.h"
#include "written_values.h"

static HeapTuple place_item(TriggerData *trigdata);
static HeapTuple change_item(TriggerData *trigdata);
static HeapTuple delete_item(TriggerData *trigdata);
static HeapTuple move_item(Relation rel, VsmRequest *request, ItemRow *old, ItemRow *new);
static const VsmStage *stage_to_enter(const ItemRow *row, Oid owner);
static void seed_default(Oid owner);
static void check_expected_stage(const VsmRequest *request, const VsmStage *from);
static TimestampTz time_of_move(const VsmRequest *request, TimestampTz last, TimestampTz now, int64 work_item_id);

PG_FUNCTION_INFO_V1(vsm__work_item_before);

/* vsm._work_item_before() -> trigger: BEFORE INSERT OR UPDATE OR DELETE, for each row, last */
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

/* A new item: taken as it is if its state is filled in, else placed in its stage. */
static HeapTuple
place_item(TriggerData *trigdata)
{
	Relation	rel = trigdata->tg_relation;
	TupleDesc	desc = RelationGetDescr(rel);
	TimestampTz now = GetCurrentTimestamp();
	const VsmStage *stage;
	VsmItemState state;
	VsmGiven	given;
	ItemRow		row;
	HeapTuple	stored;

	vsm_require_recording_right(rel);
	vsm_read_row(&row, trigdata->tg_trigtuple, desc);
	vsm_row_normalize(&row);
	if (row.nulls[ITEM_STAGE_ENTERED_AT])
		vsm_take_defaults(rel, &row, &given);
	if (!row.nulls[ITEM_STREAM])
		vsm_require_access(VSM_WRITER, vsm_row_text(&row, ITEM_STREAM));
	vsm_check_item_texts(&row, NULL, desc);

	if (!row.nulls[ITEM_STAGE_ENTERED_AT])
	{
		if (!vsm_takes_rows_as_they_are(rel))
			vsm_refuse_given_state(rel);
		return vsm_row_as_it_is(&row, desc);
	}
	for (int column = ITEM_STARTED_AT; column <= ITEM_FURTHEST_STAGE_ID; column++)
		if (!row.nulls[column])
			vsm_refuse_computed_column(rel, column);
	if (given.columns[ITEM_ID])
		vsm_require_issued_item_id(rel, vsm_row_id(&row));

	/* created_at, if given, is the time of the first transition */
	if (!row.nulls[ITEM_CREATED_AT])
		vsm_check_move_time(DatumGetTimestampTz(row.values[ITEM_CREATED_AT]), now);
	if (!row.nulls[ITEM_CURRENT_STAGE] && !vsm_any_stage())
		seed_default(rel->rd_rel->relowner);
	vsm_take_stage_by_name(rel, NULL, &row);
	stage = stage_to_enter(&row, rel->rd_rel->relowner);
	vsm_state_create(&state, stage,
					 row.nulls[ITEM_CREATED_AT] ? now : DatumGetTimestampTz(row.values[ITEM_CREATED_AT]));
	vsm_check_item_type(vsm_row_text(&row, ITEM_TYPE));
	vsm_note_decision(VSM_DECIDED_INSERT, vsm_row_id(&row), &state, NULL);
	stored = vsm_named_row(&row, &state, now, desc);
	vsm_propose_row(&row, &given, desc);
	return stored;
}

static HeapTuple
change_item(TriggerData *trigdata)
{
	Relation	rel = trigdata->tg_relation;
	TupleDesc	desc = RelationGetDescr(rel);
	ItemRow		old;
	ItemRow		new;

	vsm_require_recording_right(rel);
	vsm_read_row(&new, trigdata->tg_newtuple, desc);
	if (!vsm_recording)
		return vsm_row_as_it_is(&new, desc);

	vsm_read_row(&old, trigdata->tg_trigtuple, desc);
	vsm_row_normalize(&new);
	vsm_settle_upsert(&old, &new, desc);
	return vsm_decide_change(rel, &old, &new);
}

/*
 * vsm_decide_change
 *		The row to be stored for a changed item; NULL, which cancels the UPDATE, if it stays where it is.
 *
 * Checks the columns that users may change, then moves the item if its stage
 * differs.  new gets the values of the row that is returned.
 */
HeapTuple
vsm_decide_change(Relation rel, ItemRow *old, ItemRow *new)
{
	TupleDesc	desc = RelationGetDescr(rel);
	VsmRequest *request;
	VsmItemState state;

	vsm_take_stage_by_name(rel, old, new);
	vsm_settle_written(old, new, rel);
	vsm_check_item_texts(new, old, desc);
	if (!new->nulls[ITEM_TYPE] && !vsm_same_column(old, new, ITEM_TYPE, desc))
		vsm_check_item_type(vsm_row_text(new, ITEM_TYPE));

	request = vsm_request_claim(vsm_row_id(old));
	if (request || !vsm_same_column(old, new, ITEM_STAGE_ID, desc))
		return move_item(rel, request, old, new);

	vsm_row_state(&state, new);
	return vsm_named_row(new, &state, GetCurrentTimestamp(), desc);
}

/* A deleted item: the AFTER trigger deletes its ledger rows up to this decision. */
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
	vsm_note_decision(VSM_DECIDED_DELETE, vsm_row_id(&row), &state, NULL);
	return trigdata->tg_trigtuple;
}

/* The row after a move; NULL, which cancels the UPDATE, if the item is in that stage already. */
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
	if (vsm_in_progress(to.category) && vsm_wip_limit_action == VSM_LIMIT_REJECT)
		(void) vsm_limit_reserve_place(rel, &to, false);
	vsm_state_move(&state, &from, &to, at);
	vsm_note_decision(VSM_DECIDED_MOVE, work_item_id, &state, request);
	return vsm_named_row(new, &state, now, RelationGetDescr(rel));
}

/*
 * stage_to_enter
 *		The stage that a row names, or the first of its stream.
 *
 * Creates the default stream if there is no stream yet.
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
					errdetail("No stream of that name has a stage in use."),
					errhint("%s; vsm.define_stream() defines one.", vsm_streams_to_choose()));
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
					errhint("%s; their ids are in vsm.stages.", vsm_stages_to_choose(stream)));
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

/* First use: define the default stream and types, only once even if two sessions do so at once. */
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
	char	   *name = pstrdup(from->name);

	if (strcmp(request->expected_from, name) == 0)
		return;
	(void) vsm_require_stage(pstrdup(from->stream), request->expected_from);
	ereport(ERROR,
			errcode(VSM_CONFLICT),
			errmsg("work item " INT64_FORMAT " is not in stage \"%s\"",
				   request->work_item_id, request->expected_from),
			errdetail("It is in stage \"%s\": somebody else moved it.", name),
			errhint("Look at vsm.history(" INT64_FORMAT ") and move it again from where it is.",
					request->work_item_id));
}

/*
 * time_of_move
 *		The time given, checked, or else the clock.
 *
 * The clock may have been set back, so it is not used before the last move.
 */
static TimestampTz
time_of_move(const VsmRequest *request, TimestampTz last, TimestampTz now, int64 work_item_id)
{
	if (request == NULL || !request->has_at)
		return Max(now, last);

	vsm_check_move_time(request->at, now);
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
