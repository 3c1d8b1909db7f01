/*
 * ledger_row.c
 *		A row of the ledger, vsm.stage_transitions: its columns and its id.
 *
 * The rows that the triggers store and those that vsm.transition() returns are
 * formed here.
 */
#include "ledger_row.h"

#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "duration.h"
#include "trigger_guard.h"

const VsmLedgerColumn vsm_ledger_columns[LEDGER_COLUMNS] = {
	[LEDGER_WORK_ITEM_ID] = {"work_item_id", INT8OID},
	[LEDGER_ID] = {"id", INT8OID},
	[LEDGER_FROM_STAGE_ID] = {"from_stage_id", INT8OID},
	[LEDGER_TO_STAGE_ID] = {"to_stage_id", INT8OID},
	[LEDGER_TIMESTAMP] = {"\"timestamp\"", TIMESTAMPTZOID},
	[LEDGER_RECORDED_AT] = {"recorded_at", TIMESTAMPTZOID},
	[LEDGER_TIME_IN_STAGE] = {"time_in_stage", INTERVALOID},
	[LEDGER_REASON] = {"reason", TEXTOID},
	[LEDGER_ACTOR] = {"actor", TEXTOID},
	[LEDGER_TYPE] = {"type", TEXTOID},
	[LEDGER_CYCLE_TIME] = {"cycle_time", INTERVALOID},
	[LEDGER_LEAD_TIME] = {"lead_time", INTERVALOID},
	[LEDGER_WIP_BREACH] = {"wip_breach", INT4OID},
	[LEDGER_STREAM_ID] = {"stream_id", INT8OID},
	[LEDGER_UNDOES] = {"undoes", TIMESTAMPTZOID},
	[LEDGER_FURTHEST_BEFORE] = {"furthest_before", INT8OID},
	[LEDGER_STARTED_CHANGE] = {"started_change", INT2OID},
	[LEDGER_ITEM_CREATED_AT] = {"item_created_at", TIMESTAMPTZOID},
	[LEDGER_ITEM_STARTED_AT] = {"item_started_at", TIMESTAMPTZOID},
	[LEDGER_ACTIVE_TIME] = {"active_time", INTERVALOID},
	[LEDGER_WAIT_TIME] = {"wait_time", INTERVALOID},
};

static Datum text_or_null(const char *text, bool *isnull);
static Datum interval_or_null(int64 us, bool *isnull);

/*
 * vsm_next_ledger_id
 *		Draw the id of a ledger row, as the column's default would.
 *
 * Not by the statement that stores the row: ids must be in the order of the
 * decisions, and RETURNING costs more than the rest of the statement's overhead.
 */
int64
vsm_next_ledger_id(void)
{
	return nextval_internal(vsm_relation(VSM_LEDGER_IDS), false);
}

/* Both arrays have LEDGER_COLUMNS elements. */
void
vsm_ledger_row_values(const VsmLedgerRow *row, Datum *values, bool *nulls)
{
	memset(nulls, 0, sizeof(bool) * LEDGER_COLUMNS);
	values[LEDGER_WORK_ITEM_ID] = Int64GetDatum(row->work_item_id);
	values[LEDGER_ID] = Int64GetDatum(row->id);
	values[LEDGER_FROM_STAGE_ID] = Int64GetDatum(row->from_stage_id);
	nulls[LEDGER_FROM_STAGE_ID] = row->first;
	values[LEDGER_TO_STAGE_ID] = Int64GetDatum(row->to_stage_id);
	values[LEDGER_TIMESTAMP] = TimestampTzGetDatum(row->at);
	values[LEDGER_RECORDED_AT] = TimestampTzGetDatum(row->recorded_at);
	values[LEDGER_TIME_IN_STAGE] = interval_or_null(row->first ? -1 : row->time_in_stage_us, &nulls[LEDGER_TIME_IN_STAGE]);
	values[LEDGER_REASON] = text_or_null(row->reason, &nulls[LEDGER_REASON]);
	values[LEDGER_ACTOR] = CStringGetTextDatum(row->actor);
	values[LEDGER_TYPE] = text_or_null(row->type, &nulls[LEDGER_TYPE]);
	values[LEDGER_CYCLE_TIME] = interval_or_null(row->cycle_us, &nulls[LEDGER_CYCLE_TIME]);
	values[LEDGER_LEAD_TIME] = interval_or_null(row->lead_us, &nulls[LEDGER_LEAD_TIME]);
	values[LEDGER_WIP_BREACH] = Int32GetDatum(row->wip_breach);
	nulls[LEDGER_WIP_BREACH] = row->wip_breach == 0;
	values[LEDGER_STREAM_ID] = Int64GetDatum(row->stream_id);
	vsm_effect_values(&row->effect, values + LEDGER_UNDOES, nulls + LEDGER_UNDOES);
}

/* The columns from "undoes" on. */
void
vsm_effect_values(const VsmMoveEffect *effect, Datum *values, bool *nulls)
{
	values[0] = TimestampTzGetDatum(effect->undoes);
	nulls[0] = effect->undoes == DT_NOBEGIN;
	values[1] = Int64GetDatum(effect->furthest_before);
	nulls[1] = effect->furthest_before == 0;
	values[2] = Int16GetDatum(effect->started_change);
	nulls[2] = effect->started_change == 0;
	values[3] = TimestampTzGetDatum(effect->created_at);
	nulls[3] = !effect->finishes;
	values[4] = TimestampTzGetDatum(effect->started_at);
	nulls[4] = !effect->finishes || effect->started_at == DT_NOBEGIN;
	values[5] = interval_or_null(effect->finishes ? effect->active_us : -1, &nulls[5]);
	values[6] = interval_or_null(effect->finishes ? effect->wait_us : -1, &nulls[6]);
}

static Datum
text_or_null(const char *text, bool *isnull)
{
	*isnull = text == NULL;
	return text ? CStringGetTextDatum(text) : (Datum) 0;
}

static Datum
interval_or_null(int64 us, bool *isnull)
{
	*isnull = us < 0;
	return us < 0 ? (Datum) 0 : IntervalPGetDatum(vsm_interval(us));
}
