/*
 * written_values.c
 *		What the values mean that a client writes into columns it does not decide.
 *
 * SQL lets a client leave a column out, but many programs write every column that
 * they know: object mappers, foreign tables, data APIs.  Such a program sends
 *
 * - null for what it does not know.  In a new row null means the default; in a
 *	 changed one, that the column stays.  started_at, completed_at, discarded_at and
 *	 furthest_stage_id may rightly be null: there null means "not known" only if
 *	 stage_entered_at, which no stored row has null, is null as well.
 * - what it has read, rounded or cut to milliseconds, as JavaScript keeps times.
 *	 A computed value that differs by less than a millisecond is unchanged.
 * - what it has read before the item moved.  That is a lost update (PT409), told by
 *	 an earlier stage_entered_at, and not an attempt to write computed columns.
 * - in INSERT ... ON CONFLICT DO UPDATE, what a new row would have had: EXCLUDED
 *	 shows the row as the BEFORE trigger has filled it in.  A value that the
 *	 trigger filled in is none of the client's, so the column stays.
 *
 * - in a row that is written back as a whole, the name of its stage (stage_name.c).  A
 *	 name may mean another stage by then; an updated_at from before the renaming tells.
 *
 * A row that is proposed for insertion is remembered in the executor's memory for
 * one row, which is reset before the next row and at the end of the statement.
 * An UPDATE trigger that finds one there, for the item that has the same key, was called
 * for that row's conflict.  A user's trigger that fires between the two may insert
 * further items, by statements of its own: the proposals form a list, newest first,
 * which each leaves when its memory is reset.
 */
#include "written_values.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "commands/sequence.h"
#include "datatype/timestamp.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "duration.h"
#include "errors.h"
#include "item_checks.h"

/* A client that keeps milliseconds may have rounded, or cut off. */
#define PRECISION_US	INT64CONST(1000)

typedef struct Proposal
{
	ItemRow		row;
	VsmGiven	given;
	MemoryContext of;			/* the executor's memory for one row */
	MemoryContextCallback end;
	struct Proposal *older;
} Proposal;

static const int computed[] = {
	ITEM_ID, ITEM_STREAM, ITEM_CREATED_AT, ITEM_STAGE_ENTERED_AT, ITEM_STARTED_AT,
	ITEM_COMPLETED_AT, ITEM_ACTIVE_TIME, ITEM_WAIT_TIME, ITEM_REOPENED, ITEM_BACKWARD_MOVES,
	ITEM_DISCARDED_AT, ITEM_DISCARDED, ITEM_FURTHEST_STAGE_ID
};

static Proposal *newest_proposal = NULL;

static void take_default(ItemRow *row, int column, Datum value);
static void take_json_null(ItemRow *row);
static void forget_proposal(void *arg);
static const Proposal *proposal_for(const ItemRow *item, TupleDesc desc);
static bool is_for(const Proposal *proposal, const ItemRow *item, TupleDesc desc);
static void keep(const ItemRow *old, ItemRow *new, int column);
static bool is_rounded(const ItemRow *old, const ItemRow *new, int column, TupleDesc desc);
static bool may_be_null(int column);
static void refuse_lost_update(const ItemRow *old, const ItemRow *new, Relation items);

/* The defaults of a new row's nulls; given: which columns had a value. */
void
vsm_take_defaults(Relation items, ItemRow *row, VsmGiven *given)
{
	take_json_null(row);
	for (int column = 1; column <= ITEM_COLUMNS; column++)
		given->columns[column] = !row->nulls[column];
	given->columns[ITEM_STAGE_ID] |= given->columns[ITEM_CURRENT_STAGE];
	given->columns[ITEM_CURRENT_STAGE] = given->columns[ITEM_STAGE_ID];
	if (row->nulls[ITEM_ID])
		take_default(row, ITEM_ID,
					 Int64GetDatum(nextval_internal(vsm_item_id_sequence(items), true)));
	if (row->nulls[ITEM_STREAM])
		take_default(row, ITEM_STREAM, CStringGetTextDatum("default"));
	if (row->nulls[ITEM_TYPE])
		take_default(row, ITEM_TYPE, CStringGetTextDatum("task"));
	if (row->nulls[ITEM_ATTRIBUTES])
		take_default(row, ITEM_ATTRIBUTES, DirectFunctionCall1(jsonb_in, CStringGetDatum("{}")));
}

static void
take_default(ItemRow *row, int column, Datum value)
{
	row->values[column] = value;
	row->nulls[column] = false;
}

/* Attributes that are null in JSON, as some programs write "no value", are null. */
static void
take_json_null(ItemRow *row)
{
	JsonbValue	value;

	if (!row->nulls[ITEM_ATTRIBUTES] &&
		JsonbExtractScalar(&DatumGetJsonbP(row->values[ITEM_ATTRIBUTES])->root, &value) && value.type == jbvNull)
		row->nulls[ITEM_ATTRIBUTES] = true;
}

/* Remember a row that is about to be inserted, until the executor comes to the next one. */
void
vsm_propose_row(const ItemRow *row, const VsmGiven *given, TupleDesc desc)
{
	Proposal   *proposal = palloc(sizeof(Proposal));

	vsm_copy_row(&proposal->row, row, desc);
	proposal->given = *given;
	proposal->of = CurrentMemoryContext;
	proposal->end.func = forget_proposal;
	proposal->end.arg = proposal;
	proposal->older = newest_proposal;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &proposal->end);
	newest_proposal = proposal;
}

static void
forget_proposal(void *arg)
{
	Proposal   *gone = arg;
	Proposal  **link = &newest_proposal;

	while (*link != NULL && *link != gone)
		link = &(*link)->older;
	if (*link != NULL)
		*link = gone->older;
	gone->older = NULL;
}

/*
 * vsm_settle_upsert
 *		Keep the columns of the item that an upsert writes with what the trigger filled in for the new row.
 */
void
vsm_settle_upsert(const ItemRow *old, ItemRow *new, TupleDesc desc)
{
	const Proposal *proposed = proposal_for(old, desc);

	for (int column = ITEM_TYPE; proposed != NULL && column < ITEM_ATTRIBUTES; column++)
		if (!proposed->given.columns[column] && vsm_same_column(&proposed->row, new, column, desc))
			keep(old, new, column);
}

/* The row whose insertion, by the statement that changes the item now, met the item; NULL: none. */
static const Proposal *
proposal_for(const ItemRow *item, TupleDesc desc)
{
	for (const Proposal *proposal = newest_proposal; proposal != NULL; proposal = proposal->older)
		if (proposal->of == CurrentMemoryContext)
			return is_for(proposal, item, desc) ? proposal : NULL;
	return NULL;
}

/* Has the item a key of the proposed row? */
static bool
is_for(const Proposal *proposal, const ItemRow *item, TupleDesc desc)
{
	return vsm_same_column(&proposal->row, item, ITEM_ID, desc) ||
		(!item->nulls[ITEM_EXTERNAL_ID] &&
		 vsm_same_column(&proposal->row, item, ITEM_EXTERNAL_ID, desc) &&
		 vsm_same_column(&proposal->row, item, ITEM_STREAM, desc));
}

/*
 * vsm_settle_written
 *		Keep what a client has not given or not changed, and refuse a change of what is computed.
 *
 * updated_at may be written: many tools do so, and the trigger always sets it.
 * PT409: the row was read before the item's last move.
 */
void
vsm_settle_written(const ItemRow *old, ItemRow *new, Relation items)
{
	TupleDesc	desc = RelationGetDescr(items);
	bool		unknown = new->nulls[ITEM_STAGE_ENTERED_AT];
	int			changed = 0;

	/* without a stream, which the owner may have taken away, no stage could be told from none */
	if (new->nulls[ITEM_STAGE_ID] && !old->nulls[ITEM_STREAM])
		keep(old, new, ITEM_STAGE_ID);
	if (new->nulls[ITEM_TYPE])
		keep(old, new, ITEM_TYPE);
	take_json_null(new);
	if (new->nulls[ITEM_ATTRIBUTES])
		take_default(new, ITEM_ATTRIBUTES, DirectFunctionCall1(jsonb_in, CStringGetDatum("{}")));
	for (int i = 0; i < (int) lengthof(computed); i++)
	{
		int			column = computed[i];

		if (vsm_same_column(old, new, column, desc))
			continue;
		if ((new->nulls[column] && (unknown || !may_be_null(column))) || is_rounded(old, new, column, desc))
			keep(old, new, column);
		else if (changed == 0)
			changed = column;
	}
	if (changed == ITEM_STAGE_ENTERED_AT)
		refuse_lost_update(old, new, items);
	if (changed != 0)
		vsm_refuse_computed_column(items, changed);
}

static void
keep(const ItemRow *old, ItemRow *new, int column)
{
	new->values[column] = old->values[column];
	new->nulls[column] = old->nulls[column];
}

/* Is the new value the old one to the millisecond? */
static bool
is_rounded(const ItemRow *old, const ItemRow *new, int column, TupleDesc desc)
{
	Datum		before = old->values[column];
	Datum		after = new->values[column];

	if (old->nulls[column] || new->nulls[column])
		return false;
	switch (TupleDescAttr(desc, column - 1)->atttypid)
	{
		case TIMESTAMPTZOID:
			if (TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(before)) || TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(after)))
				return false;
			return DatumGetTimestampTz(after) % PRECISION_US == 0 &&
				llabs(vsm_elapsed_us(DatumGetTimestampTz(before), DatumGetTimestampTz(after))) < PRECISION_US;
		case INTERVALOID:
			return vsm_interval_us(DatumGetIntervalP(after)) % PRECISION_US == 0 &&
				llabs(vsm_interval_us(DatumGetIntervalP(before)) - vsm_interval_us(DatumGetIntervalP(after))) < PRECISION_US;
		default:
			return false;
	}
}

/* May a stored item have null in that computed column? */
static bool
may_be_null(int column)
{
	return column == ITEM_STARTED_AT || column == ITEM_COMPLETED_AT || column == ITEM_DISCARDED_AT ||
		column == ITEM_FURTHEST_STAGE_ID;
}

/*
 * vsm_read_before
 *		Is the row that is written back as it was before that time, and the item was changed since?
 *
 * A client that writes updated_at by a clock of its own may be behind, so that is no conflict by itself.
 */
bool
vsm_read_before(const ItemRow *old, const ItemRow *new, TimestampTz at, TupleDesc desc)
{
	TimestampTz read;

	if (old->nulls[ITEM_UPDATED_AT] || new->nulls[ITEM_UPDATED_AT])
		return false;
	read = DatumGetTimestampTz(new->values[ITEM_UPDATED_AT]);
	return read < at && read < DatumGetTimestampTz(old->values[ITEM_UPDATED_AT]) && !is_rounded(old, new, ITEM_UPDATED_AT, desc);
}

/* A stage_entered_at that the item may have had before its last move: somebody moved it since the row was read. */
static void
refuse_lost_update(const ItemRow *old, const ItemRow *new, Relation items)
{
	TimestampTz created = DatumGetTimestampTz(old->values[ITEM_CREATED_AT]);
	TimestampTz last = DatumGetTimestampTz(old->values[ITEM_STAGE_ENTERED_AT]);
	TimestampTz read = DatumGetTimestampTz(new->values[ITEM_STAGE_ENTERED_AT]);
	char	   *last_text;

	if (read >= last || read < created - PRECISION_US)
		return;
	last_text = pstrdup(timestamptz_to_str(last));
	ereport(ERROR,
			errcode(VSM_CONFLICT),
			errmsg("work item " INT64_FORMAT " has moved since it was read", vsm_row_id(old)),
			errdetail("The row is written back as of its move at %s; the item's last move was at %s.",
					  timestamptz_to_str(read), last_text),
			errhint("Read the item again, and repeat the change."),
			errtablecol(items, ITEM_STAGE_ENTERED_AT));
}
