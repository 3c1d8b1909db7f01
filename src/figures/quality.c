/*
 * quality.c
 *		What vsm.data_quality() looks for in every item and move of a stream.
 *
 * The moves are read once, in the order in which they happened, item by item, and
 * each is compared with what the moves before it give.  Memory holds one move and
 * the state of one item, however many there are: the rows come from the executor
 * one at a time, and if they have to be sorted, the server sorts them on disk.
 *
 * The statements run with the caller's rights, so a role sees findings in the
 * items and moves that it may read.  A stream of at least LONG_STREAM moves takes
 * seconds: like a long import, it says with notices how far it is.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "arguments.h"
#include "duration.h"
#include "move/item_state.h"
#include "move/ledger_row.h"
#include "move/replay.h"

#define LONG_STREAM		100000	/* moves; as many rows make an import long */
#define NOTICES			10		/* of a long stream */
#define EXAMPLES		5

#define LEDGER_EFFECTS	(LEDGER_COLUMNS - LEDGER_UNDOES)
#define ITEM_STATE		12		/* columns, in the order of vsm._item_state */

/* As vsm.data_quality() numbers them; it looks for the others itself. */
typedef enum Finding
{
	FINISHED_NEVER_STARTED = 1,
	MOVES_AT_ONE_INSTANT,
	MOVED_BEFORE_THE_CLOCK,
	RECORDED_LATE,
	SILENT,
	LEDGER_GAP,
	NO_LEDGER,
	UNDEFINED_STAGE,
	STATE_DIFFERS,
	BEFORE_1970 = 12,
	FINDINGS
} Finding;

/* Columns of the statement in compare_items(). */
enum
{
	ROW_ITEM_ID,
	ROW_STATE,
	ROW_MOVE_ID = ROW_STATE + ITEM_STATE,
	ROW_FROM_STAGE_ID,
	ROW_TO_STAGE_ID,
	ROW_AT,
	ROW_RECORDED_AT,
	ROW_TIME_IN_STAGE,
	ROW_STREAM_ID,
	ROW_EFFECTS,
	ROW_COLUMNS = ROW_EFFECTS + LEDGER_EFFECTS
};

/* Columns of the state, from ROW_STATE on. */
enum
{
	STATE_STAGE_ID,
	STATE_CREATED_AT,
	STATE_STAGE_ENTERED_AT,
	STATE_STARTED_AT,
	STATE_COMPLETED_AT,
	STATE_ACTIVE_TIME,
	STATE_WAIT_TIME,
	STATE_REOPENED,
	STATE_BACKWARD_MOVES,
	STATE_DISCARDED_AT,
	STATE_DISCARDED,
	STATE_FURTHEST_STAGE_ID
};

typedef struct Found
{
	int64		items;
	Datum		examples[EXAMPLES]; /* the least ids */
} Found;

/* What a statement's rows are handed to, one by one. */
typedef struct Reader
{
	DestReceiver pub;			/* must be first */
	void (*take)(struct Reader *reader, TupleTableSlot *slot);
} Reader;

typedef struct GapReader
{
	Reader		reader;
	int64		moves;
	TimestampTz before;			/* the longest gap; if there is none, moves < 2 */
	TimestampTz after;
	TimestampTz last;
} GapReader;

typedef struct ItemReader
{
	Reader		reader;
	MemoryContext each_row;
	const char *stream;
	int64		stream_id;
	TimestampTz silent_before;
	Found		found[FINDINGS];
	int64		all;			/* moves that the stream has, about */
	int64		moves;			/* of them, compared */
	int64		moves_of_stream;	/* likewise, those with its id */

	/* the item whose moves come */
	bool		any_item;
	int64		item_id;
	bool		findings[FINDINGS];
	Datum		stored[ITEM_STATE];
	bool		stored_null[ITEM_STATE];
	Interval	active_time;	/* what two of them point to */
	Interval	wait_time;

	/* its last move, and what it has become by it */
	bool		any_move;
	bool		defined;		/* all stages so far */
	int64		last_stage_id;
	TimestampTz last_at;
	VsmStage	last_stage;
	VsmItemState state;
} ItemReader;

static void find_gap(GapReader *gap, int64 stream_id);
static void take_time(Reader *reader, TupleTableSlot *slot);
static void compare_items(ItemReader *walk);
static void take_row(Reader *reader, TupleTableSlot *slot);
static void begin_item(ItemReader *walk, const TupleTableSlot *slot);
static void compare_move(ItemReader *walk, const TupleTableSlot *slot);
static bool effect_differs(ItemReader *walk, const TupleTableSlot *slot);
static void end_item(ItemReader *walk);
static bool state_differs(const ItemReader *walk);
static bool interval_is(Datum stored, int64 us);
static bool time_is(const ItemReader *walk, int column, TimestampTz at);
static void read_rows(Reader *reader, const char *query, Oid type, Datum argument);
static bool receive(TupleTableSlot *slot, DestReceiver *self);
static void start_up(DestReceiver *self, int operation, TupleDesc desc);
static void shut_down(DestReceiver *self);
static void put_finding(ReturnSetInfo *result, int place, const Found *found);

PG_FUNCTION_INFO_V1(vsm__quality_of_gap);
PG_FUNCTION_INFO_V1(vsm__quality_of_items);

/*
 * vsm._quality_of_gap(stream_id bigint, OUT moves bigint, OUT before timestamptz, OUT after timestamptz)
 *		How many moves a stream has, and the longest time without any; null with fewer than two moves.
 */
Datum
vsm__quality_of_gap(PG_FUNCTION_ARGS)
{
	GapReader	gap = {.reader.take = take_time};
	TupleDesc	desc;
	Datum		values[3];
	bool		nulls[3] = {0};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	find_gap(&gap, PG_GETARG_INT64(0));
	values[0] = Int64GetDatum(gap.moves);
	values[1] = TimestampTzGetDatum(gap.before);
	values[2] = TimestampTzGetDatum(gap.after);
	nulls[1] = nulls[2] = gap.moves < 2;
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/*
 * vsm._quality_of_items(stream text, stream_id bigint, silent_before timestamptz, moves bigint)
 *		-> setof (place integer, items bigint, examples bigint[])
 *
 * moves: how many there are, for the notices.  Place 0 counts the moves that have
 * the stream's id.
 */
Datum
vsm__quality_of_items(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ItemReader *walk = palloc0(sizeof(ItemReader));

	InitMaterializedSRF(fcinfo, 0);
	walk->reader.take = take_row;
	walk->stream = text_to_cstring(PG_GETARG_TEXT_PP(0));
	walk->stream_id = PG_GETARG_INT64(1);
	walk->silent_before = PG_GETARG_TIMESTAMPTZ(2);
	walk->all = PG_GETARG_INT64(3);
	walk->each_row = AllocSetContextCreate(CurrentMemoryContext, "vsm data quality", ALLOCSET_SMALL_SIZES);
	compare_items(walk);

	walk->found[0].items = walk->moves_of_stream;
	for (int place = 0; place < FINDINGS; place++)
		if (place <= STATE_DIFFERS || place == BEFORE_1970)
			put_finding(result, place, &walk->found[place]);
	MemoryContextDelete(walk->each_row);
	PG_RETURN_NULL();
}

/* ---- The longest gap ---- */

/* Index-only, if the table is vacuumed; a window function would take twice as long. */
static void
find_gap(GapReader *gap, int64 stream_id)
{
	read_rows(&gap->reader, "SELECT t.\"timestamp\" FROM vsm.stage_transitions t WHERE t.stream_id = $1 ORDER BY t.\"timestamp\"",
			  INT8OID, Int64GetDatum(stream_id));
}

/* Of equal gaps, the first. */
static void
take_time(Reader *reader, TupleTableSlot *slot)
{
	GapReader  *gap = (GapReader *) reader;
	bool		isnull;
	TimestampTz at = DatumGetTimestampTz(slot_getattr(slot, 1, &isnull));

	gap->moves++;
	if (gap->moves == 2 ||
		(gap->moves > 2 && vsm_elapsed_us(gap->last, at) > vsm_elapsed_us(gap->before, gap->after)))
	{
		gap->before = gap->last;
		gap->after = at;
		/* refuses infinite times */
		(void) vsm_elapsed_us(gap->before, gap->after);
	}
	gap->last = at;
}

/* ---- Items and their moves ---- */

static void
compare_items(ItemReader *walk)
{
	read_rows(&walk->reader,
			  "SELECT i.id, i.stage_id, i.created_at, i.stage_entered_at, i.started_at, i.completed_at, i.active_time, i.wait_time,"
			  " i.reopened, i.backward_moves, i.discarded_at, i.discarded, i.furthest_stage_id,"
			  " t.id, t.from_stage_id, t.to_stage_id, t.\"timestamp\", t.recorded_at, t.time_in_stage, t.stream_id,"
			  " t.undoes, t.furthest_before, t.started_change, t.item_created_at, t.item_started_at, t.active_time, t.wait_time"
			  " FROM vsm.work_items i LEFT JOIN vsm.stage_transitions t ON t.work_item_id = i.id"
			  " WHERE i.stream = $1 ORDER BY i.id, t.\"timestamp\", t.id",
			  TEXTOID, CStringGetTextDatum(walk->stream));
	if (walk->any_item)
		end_item(walk);
}

static void
take_row(Reader *reader, TupleTableSlot *slot)
{
	ItemReader *walk = (ItemReader *) reader;
	MemoryContext caller = MemoryContextSwitchTo(walk->each_row);
	int64		item_id;

	slot_getallattrs(slot);
	item_id = DatumGetInt64(slot->tts_values[ROW_ITEM_ID]);
	if (!walk->any_item || walk->item_id != item_id)
	{
		if (walk->any_item)
			end_item(walk);
		begin_item(walk, slot);
	}
	if (slot->tts_isnull[ROW_MOVE_ID])
		walk->findings[NO_LEDGER] = true;
	else
		compare_move(walk, slot);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(walk->each_row);
}

static void
begin_item(ItemReader *walk, const TupleTableSlot *slot)
{
	const Datum *stored = slot->tts_values + ROW_STATE;
	bool		is_open;

	walk->any_item = true;
	walk->item_id = DatumGetInt64(slot->tts_values[ROW_ITEM_ID]);
	walk->any_move = false;
	walk->defined = true;
	memset(walk->findings, 0, sizeof(walk->findings));
	memcpy(walk->stored, stored, sizeof(walk->stored));
	memcpy(walk->stored_null, slot->tts_isnull + ROW_STATE, sizeof(walk->stored_null));
	walk->active_time = *DatumGetIntervalP(stored[STATE_ACTIVE_TIME]);
	walk->wait_time = *DatumGetIntervalP(stored[STATE_WAIT_TIME]);
	walk->stored[STATE_ACTIVE_TIME] = IntervalPGetDatum(&walk->active_time);
	walk->stored[STATE_WAIT_TIME] = IntervalPGetDatum(&walk->wait_time);

	is_open = walk->stored_null[STATE_COMPLETED_AT] && walk->stored_null[STATE_DISCARDED_AT];
	walk->findings[FINISHED_NEVER_STARTED] = !walk->stored_null[STATE_COMPLETED_AT] && walk->stored_null[STATE_STARTED_AT];
	walk->findings[SILENT] = is_open && DatumGetTimestampTz(stored[STATE_STAGE_ENTERED_AT]) < walk->silent_before;
}

static void
compare_move(ItemReader *walk, const TupleTableSlot *slot)
{
	const Datum *values = slot->tts_values;
	const bool *nulls = slot->tts_isnull;
	bool	   *findings = walk->findings;
	TimestampTz at = vsm_require_finite(DatumGetTimestampTz(values[ROW_AT]), "the time of a move");
	TimestampTz recorded_at = DatumGetTimestampTz(values[ROW_RECORDED_AT]);
	bool		continues = !nulls[ROW_FROM_STAGE_ID];
	bool		has_stay = !nulls[ROW_TIME_IN_STAGE];

	findings[MOVES_AT_ONE_INSTANT] |= has_stay && interval_is(values[ROW_TIME_IN_STAGE], 0);
	findings[MOVED_BEFORE_THE_CLOCK] |= at - USECS_PER_SEC > recorded_at;
	findings[RECORDED_LATE] |= recorded_at > at + USECS_PER_DAY;
	findings[BEFORE_1970] |= at < (UNIX_EPOCH_JDATE - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY;
	if (continues != walk->any_move || has_stay != walk->any_move)
		findings[LEDGER_GAP] = true;
	else if (walk->any_move)
		findings[LEDGER_GAP] |= DatumGetInt64(values[ROW_FROM_STAGE_ID]) != walk->last_stage_id ||
			!interval_is(values[ROW_TIME_IN_STAGE], vsm_elapsed_us(walk->last_at, at));
	/* known of every row, even if nobody knows its effect */
	findings[STATE_DIFFERS] |= DatumGetInt64(values[ROW_STREAM_ID]) != walk->stream_id;
	if (effect_differs(walk, slot))
		findings[STATE_DIFFERS] = true;
	walk->any_move = true;
	walk->last_stage_id = DatumGetInt64(values[ROW_TO_STAGE_ID]);
	walk->last_at = at;

	walk->moves++;
	walk->moves_of_stream += DatumGetInt64(values[ROW_STREAM_ID]) == walk->stream_id;
	if (walk->all >= LONG_STREAM && walk->moves * NOTICES / walk->all > (walk->moves - 1) * NOTICES / walk->all)
		ereport(NOTICE, errmsg(INT64_FORMAT " of " INT64_FORMAT " moves compared", walk->moves, walk->all));
}

/*
 * effect_differs
 *		Does the row say of its move something else than the moves before it give?
 *
 * Also makes the state what it is after the move.  After a stage that is not
 * defined nobody knows what it is, nor what the moves do.
 */
static bool
effect_differs(ItemReader *walk, const TupleTableSlot *slot)
{
	const Datum *stored = slot->tts_values + ROW_EFFECTS;
	const bool *stored_null = slot->tts_isnull + ROW_EFFECTS;
	VsmMove		move = {.to_stage_id = DatumGetInt64(slot->tts_values[ROW_TO_STAGE_ID]),
	.at = DatumGetTimestampTz(slot->tts_values[ROW_AT])};
	VsmItemState before = walk->state;
	VsmMoveEffect effect;
	VsmStage	to;
	Datum		values[LEDGER_EFFECTS];
	bool		nulls[LEDGER_EFFECTS] = {0};

	if (!vsm_copy_stage_entered(&move, &to))
		walk->defined = false;
	if (!walk->defined || strcmp(to.stream, walk->stream) != 0)
		walk->findings[UNDEFINED_STAGE] = true;
	if (!walk->defined)
		return false;

	if (walk->any_move)
		vsm_state_move(&walk->state, &walk->last_stage, &to, move.at);
	else
		vsm_state_create(&walk->state, &to, move.at);
	vsm_move_effect(&effect, walk->any_move ? &before : NULL, walk->any_move ? &walk->last_stage : NULL, &walk->state, &to);
	walk->last_stage = to;

	vsm_effect_values(&effect, values, nulls);
	for (int i = 0; i < LEDGER_EFFECTS; i++)
	{
		bool		is_interval = i >= LEDGER_ACTIVE_TIME - LEDGER_UNDOES;

		if (nulls[i] != stored_null[i])
			return true;
		if (!nulls[i] && (is_interval ? !interval_is(stored[i], vsm_interval_us(DatumGetIntervalP(values[i]))) : values[i] != stored[i]))
			return true;
	}
	return false;
}

static void
end_item(ItemReader *walk)
{
	if (walk->any_move && walk->defined && state_differs(walk))
		walk->findings[STATE_DIFFERS] = true;
	for (int place = 1; place < FINDINGS; place++)
	{
		Found	   *found = &walk->found[place];

		if (!walk->findings[place])
			continue;
		if (found->items < EXAMPLES)
			found->examples[found->items] = Int64GetDatum(walk->item_id);
		found->items++;
	}
}

static bool
state_differs(const ItemReader *walk)
{
	const VsmItemState *state = &walk->state;
	const Datum *stored = walk->stored;
	bool		nowhere = walk->stored_null[STATE_FURTHEST_STAGE_ID];

	return DatumGetInt64(stored[STATE_STAGE_ID]) != state->stage_id ||
		!time_is(walk, STATE_CREATED_AT, state->created_at) ||
		!time_is(walk, STATE_STAGE_ENTERED_AT, state->stage_entered_at) ||
		!time_is(walk, STATE_STARTED_AT, state->started_at) ||
		!time_is(walk, STATE_COMPLETED_AT, state->completed_at) ||
		!interval_is(stored[STATE_ACTIVE_TIME], state->active_us) ||
		!interval_is(stored[STATE_WAIT_TIME], state->wait_us) ||
		DatumGetInt32(stored[STATE_REOPENED]) != state->reopened ||
		DatumGetInt32(stored[STATE_BACKWARD_MOVES]) != state->backward_moves ||
		!time_is(walk, STATE_DISCARDED_AT, state->discarded_at) ||
		DatumGetInt32(stored[STATE_DISCARDED]) != state->discarded ||
		(nowhere ? 0 : DatumGetInt64(stored[STATE_FURTHEST_STAGE_ID])) != state->furthest_stage_id;
}

static bool
interval_is(Datum stored, int64 us)
{
	return vsm_interval_us(DatumGetIntervalP(stored)) == us;
}

/* DT_NOBEGIN stands for null. */
static bool
time_is(const ItemReader *walk, int column, TimestampTz at)
{
	if (walk->stored_null[column])
		return at == DT_NOBEGIN;
	return at != DT_NOBEGIN && DatumGetTimestampTz(walk->stored[column]) == at;
}

/* ---- Reading ---- */

/*
 * read_rows
 *		Hand each row of a query with one argument to a reader, by the snapshot of the caller's statement.
 */
static void
read_rows(Reader *reader, const char *query, Oid type, Datum argument)
{
	ParamListInfo params = makeParamList(1);
	SPIExecuteOptions options = {.params = params, .read_only = true, .dest = &reader->pub};
	int			code;

	/* a constant for the planner: a stream may have ten items or all of them */
	params->params[0] = (ParamExternData){.value = argument, .pflags = PARAM_FLAG_CONST, .ptype = type};
	/* the executor asks only whether it is DestNone, which would discard the rows */
	reader->pub = (DestReceiver){.receiveSlot = receive, .rStartup = start_up, .rShutdown = shut_down, .rDestroy = shut_down, .mydest = DestTuplestore};
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	code = SPI_execute_extended(query, &options);
	if (code != SPI_OK_SELECT)
		elog(ERROR, "could not run \"%s\": %s", query, SPI_result_code_string(code));
	SPI_finish();
}

static bool
receive(TupleTableSlot *slot, DestReceiver *self)
{
	Reader	   *reader = (Reader *) self;

	CHECK_FOR_INTERRUPTS();
	reader->take(reader, slot);
	return true;
}

static void
start_up(DestReceiver *self, int operation, TupleDesc desc)
{
}

static void
shut_down(DestReceiver *self)
{
}

static void
put_finding(ReturnSetInfo *result, int place, const Found *found)
{
	int			count = (int) Min(found->items, EXAMPLES);
	Datum		values[3] = {Int32GetDatum(place), Int64GetDatum(found->items)};
	bool		nulls[3] = {false, false, place == 0 || count == 0};

	if (!nulls[2])
		values[2] = PointerGetDatum(construct_array((Datum *) found->examples, count, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
													TYPALIGN_DOUBLE));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}
