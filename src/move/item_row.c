/*
 * item_row.c
 *		A row of vsm.work_items as the triggers see it.
 *
 * The columns' places and types were checked when the table was first seen
 * (trigger_guard.c).  Nulls are checked here: BEFORE triggers run before the
 * constraints are checked, and the owner may drop those.
 */
#include "item_row.h"

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "duration.h"
#include "names.h"

static const int state_columns[] = {
	ITEM_STAGE_ID, ITEM_CREATED_AT, ITEM_STAGE_ENTERED_AT, ITEM_ACTIVE_TIME, ITEM_WAIT_TIME,
	ITEM_REOPENED, ITEM_BACKWARD_MOVES, ITEM_DISCARDED
};

static void make_row(ItemRow *row, HeapTuple tuple, TupleDesc desc);
static void set_value(ItemRow *row, int column, Datum value);
static void set_time(ItemRow *row, int column, TimestampTz time);
static TimestampTz time_or_none(const ItemRow *row, int column);
static void require_not_null(const ItemRow *row, int column);

/* The row points into itself and to the tuple, so it is copied by vsm_copy_row() only. */
void
vsm_read_row(ItemRow *row, HeapTuple tuple, TupleDesc desc)
{
	make_row(row, tuple, desc);
	heap_deform_tuple(tuple, desc, row->values + 1, row->nulls + 1);
}

/* Another row with these values, which may be changed; they are those of the same tuple. */
void
vsm_copy_row(ItemRow *copy, const ItemRow *row, TupleDesc desc)
{
	make_row(copy, row->tuple, desc);
	memcpy(copy->values, row->values, sizeof(Datum) * (desc->natts + 1));
	memcpy(copy->nulls, row->nulls, sizeof(bool) * (desc->natts + 1));
}

int64
vsm_row_id(const ItemRow *row)
{
	require_not_null(row, ITEM_ID);
	return DatumGetInt64(row->values[ITEM_ID]);
}

/* The stage in which the item counts as work in progress; 0 if it is finished, discarded or has no stage. */
int64
vsm_row_counted_in(const ItemRow *row)
{
	bool		open = row->nulls[ITEM_COMPLETED_AT] && row->nulls[ITEM_DISCARDED_AT];

	return open && !row->nulls[ITEM_STAGE_ID] ? DatumGetInt64(row->values[ITEM_STAGE_ID]) : 0;
}

/* Can vsm_row_state() read the state, without an error? */
bool
vsm_row_has_state(const ItemRow *row)
{
	for (int i = 0; i < (int) lengthof(state_columns); i++)
		if (row->nulls[state_columns[i]])
			return false;
	return true;
}

void
vsm_row_state(VsmItemState *state, const ItemRow *row)
{
	for (int i = 0; i < (int) lengthof(state_columns); i++)
		require_not_null(row, state_columns[i]);
	memset(state, 0, sizeof(*state));
	state->stage_id = DatumGetInt64(row->values[ITEM_STAGE_ID]);
	state->created_at = DatumGetTimestampTz(row->values[ITEM_CREATED_AT]);
	state->stage_entered_at = DatumGetTimestampTz(row->values[ITEM_STAGE_ENTERED_AT]);
	state->started_at = time_or_none(row, ITEM_STARTED_AT);
	state->completed_at = time_or_none(row, ITEM_COMPLETED_AT);
	state->discarded_at = time_or_none(row, ITEM_DISCARDED_AT);
	state->furthest_stage_id = row->nulls[ITEM_FURTHEST_STAGE_ID] ? 0 : DatumGetInt64(row->values[ITEM_FURTHEST_STAGE_ID]);
	state->active_us = vsm_interval_us(DatumGetIntervalP(row->values[ITEM_ACTIVE_TIME]));
	state->wait_us = vsm_interval_us(DatumGetIntervalP(row->values[ITEM_WAIT_TIME]));
	state->reopened = DatumGetInt32(row->values[ITEM_REOPENED]);
	state->backward_moves = DatumGetInt32(row->values[ITEM_BACKWARD_MOVES]);
	state->discarded = DatumGetInt32(row->values[ITEM_DISCARDED]);
}

bool
vsm_same_column(const ItemRow *old, const ItemRow *new, int column, TupleDesc desc)
{
	Form_pg_attribute attribute = TupleDescAttr(desc, column - 1);

	if (old->nulls[column] || new->nulls[column])
		return old->nulls[column] == new->nulls[column];
	if (old->values[column] == new->values[column])
		return true;
	return datum_image_eq(old->values[column], new->values[column],
						  attribute->attbyval, attribute->attlen);
}

char *
vsm_row_text(const ItemRow *row, int column)
{
	if (row->nulls[column])
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("a work item needs a %s", column == ITEM_STREAM ? "stream" : "type"),
				errdetail("The value given is null."),
				errhint("Leave the column out to get its default."));
	return TextDatumGetCString(row->values[column]);
}

/* Bring the names that it has into their normal form; the tuple stays as it is. */
void
vsm_row_normalize(ItemRow *row)
{
	static const int sought[] = {ITEM_STREAM, ITEM_TYPE};

	for (int i = 0; i < (int) lengthof(sought); i++)
		if (!row->nulls[sought[i]])
			row->values[sought[i]] = PointerGetDatum(vsm_sought(DatumGetTextPP(row->values[sought[i]])));
	if (!row->nulls[ITEM_EXTERNAL_ID])
		row->values[ITEM_EXTERNAL_ID] = PointerGetDatum(vsm_nfc(DatumGetTextPP(row->values[ITEM_EXTERNAL_ID])));
}

/* The row with that state, which becomes its tuple and values. */
HeapTuple
vsm_row_with_state(ItemRow *row, const VsmItemState *state, TimestampTz now, TupleDesc desc)
{
	HeapTuple	old = row->tuple;

	set_value(row, ITEM_CREATED_AT, TimestampTzGetDatum(state->created_at));
	set_value(row, ITEM_UPDATED_AT, TimestampTzGetDatum(now));
	set_value(row, ITEM_STAGE_ID, Int64GetDatum(state->stage_id));
	set_value(row, ITEM_STAGE_ENTERED_AT, TimestampTzGetDatum(state->stage_entered_at));
	set_time(row, ITEM_STARTED_AT, state->started_at);
	set_time(row, ITEM_COMPLETED_AT, state->completed_at);
	set_value(row, ITEM_ACTIVE_TIME, IntervalPGetDatum(vsm_interval(state->active_us)));
	set_value(row, ITEM_WAIT_TIME, IntervalPGetDatum(vsm_interval(state->wait_us)));
	set_value(row, ITEM_REOPENED, Int32GetDatum(state->reopened));
	set_value(row, ITEM_BACKWARD_MOVES, Int32GetDatum(state->backward_moves));
	set_time(row, ITEM_DISCARDED_AT, state->discarded_at);
	set_value(row, ITEM_DISCARDED, Int32GetDatum(state->discarded));
	set_value(row, ITEM_FURTHEST_STAGE_ID, Int64GetDatum(state->furthest_stage_id));
	row->nulls[ITEM_FURTHEST_STAGE_ID] = state->furthest_stage_id == 0;

	row->tuple = heap_form_tuple(desc, row->values + 1, row->nulls + 1);
	row->tuple->t_data->t_ctid = old->t_data->t_ctid;
	row->tuple->t_self = old->t_self;
	row->tuple->t_tableOid = old->t_tableOid;
	return row->tuple;
}

/* A row without values. */
static void
make_row(ItemRow *row, HeapTuple tuple, TupleDesc desc)
{
	row->tuple = tuple;
	row->values = row->own_values;
	row->nulls = row->own_nulls;
	if (desc->natts <= ITEM_COLUMNS)
		return;
	row->values = palloc0(sizeof(Datum) * (desc->natts + 1));
	row->nulls = palloc0(sizeof(bool) * (desc->natts + 1));
}

static void
set_value(ItemRow *row, int column, Datum value)
{
	row->values[column] = value;
	row->nulls[column] = false;
}

static void
set_time(ItemRow *row, int column, TimestampTz time)
{
	row->values[column] = TimestampTzGetDatum(time);
	row->nulls[column] = time == DT_NOBEGIN;
}

static TimestampTz
time_or_none(const ItemRow *row, int column)
{
	return row->nulls[column] ? DT_NOBEGIN : DatumGetTimestampTz(row->values[column]);
}

static void
require_not_null(const ItemRow *row, int column)
{
	static const char *const names[ITEM_COLUMNS + 1] = {
		[ITEM_ID] = "id", [ITEM_CREATED_AT] = "created_at", [ITEM_STAGE_ID] = "stage_id", [ITEM_STAGE_ENTERED_AT] = "stage_entered_at", [ITEM_ACTIVE_TIME] = "active_time", [ITEM_WAIT_TIME] = "wait_time", [ITEM_REOPENED] = "reopened", [ITEM_BACKWARD_MOVES] = "backward_moves", [ITEM_DISCARDED] = "discarded"
	};

	if (!row->nulls[column])
		return;
	ereport(ERROR,
			errcode(ERRCODE_NOT_NULL_VIOLATION),
			errmsg("column \"%s\" of a work item is null", names[column]),
			errdetail("The state of an item cannot be known without it."),
			errhint("Fill it in with vsm.recording = off, and set the column NOT NULL again."),
			err_generic_string(PG_DIAG_COLUMN_NAME, names[column]));
}
