/*
 * stage_name.c
 *		current_stage: the name of the stage that an item is in, in the item's row.
 *
 * It stands in the row so that vsm_api.work_items, which shows it, is a view of one
 * table: PostgreSQL writes such a view itself, INSERT ... ON CONFLICT too.
 *
 * A client may write it in place of stage_id: the item is placed in, or moved
 * to, the stage of that name.  The BEFORE trigger fills it in whenever it stores a
 * row, also one that is not recorded.  When a stage is renamed, its items follow
 * (vsm._stage_renamed), as they do when a stream or type is.  No index has it, so
 * moves stay heap-only updates.
 *
 * Under replication the BEFORE trigger does not run: the publisher's rows have it.
 */
#include "stage_name.h"

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "errors.h"
#include "names.h"
#include "roles/stream_access.h"
#include "stage_cache.h"
#include "written_values.h"

static void refuse_former_name(Relation items, const ItemRow *old, const ItemRow *new, TimestampTz renamed_at);
static const VsmStage *stage_of_name(const char *stream, const char *name);
static void name_stage(ItemRow *row);

/*
 * vsm_take_stage_by_name
 *		Set the stage_id of a row whose current_stage a client has written.
 *
 * old: NULL for a new item.  A name that the item has already says nothing, and
 * neither does null for a new item, or from a client that does not know stage_entered_at
 * either.  PT404: no such stage; PT409: the row was read before it was changed last; PT422: null,
 * or stage_id is written too and is another stage.
 */
void
vsm_take_stage_by_name(Relation items, const ItemRow *old, ItemRow *new)
{
	TupleDesc	desc = RelationGetDescr(items);
	const VsmStage *named;
	char	   *name;
	bool		has_id;
	int64		id;

	if (new->nulls[ITEM_CURRENT_STAGE] && old && !old->nulls[ITEM_CURRENT_STAGE] && !new->nulls[ITEM_STAGE_ENTERED_AT])
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("a work item needs a stage"),
				errdetail("The stage's name is null."),
				errhint("%s.", vsm_stages_to_choose(vsm_row_text(old, ITEM_STREAM))),
				errtablecol(items, ITEM_CURRENT_STAGE));
	if (new->nulls[ITEM_CURRENT_STAGE] || (old && vsm_same_column(old, new, ITEM_CURRENT_STAGE, desc)))
		return;
	name = text_to_cstring(vsm_sought(DatumGetTextPP(new->values[ITEM_CURRENT_STAGE])));
	named = stage_of_name(vsm_row_text(old ? old : new, ITEM_STREAM), name);
	id = named->id;
	if (old)
		refuse_former_name(items, old, new, named->renamed_at);
	has_id = !new->nulls[ITEM_STAGE_ID] && !(old && vsm_same_column(old, new, ITEM_STAGE_ID, desc));
	if (has_id && DatumGetInt64(new->values[ITEM_STAGE_ID]) != id)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("stage_id and current_stage of a work item are different stages"),
				errdetail("Stage \"%s\" has the id " INT64_FORMAT ", and stage_id is " INT64_FORMAT ".",
						  name, id, DatumGetInt64(new->values[ITEM_STAGE_ID])),
				errhint("Write one of the two."),
				errtablecol(items, ITEM_CURRENT_STAGE));
	new->values[ITEM_STAGE_ID] = Int64GetDatum(id);
	new->nulls[ITEM_STAGE_ID] = false;
}

/*
 * refuse_former_name
 *		Refuse (PT409) a row that was read before the item's stage, or the one that it names, got its name.
 *
 * Renaming a stage changes its items, so the item has been changed since.
 */
static void
refuse_former_name(Relation items, const ItemRow *old, const ItemRow *new, TimestampTz renamed_at)
{
	const VsmStage *present = old->nulls[ITEM_STAGE_ID] ? NULL : vsm_stage(DatumGetInt64(old->values[ITEM_STAGE_ID]));

	if (present)
		renamed_at = Max(renamed_at, present->renamed_at);
	if (!vsm_read_before(old, new, renamed_at, RelationGetDescr(items)))
		return;
	ereport(ERROR,
			errcode(VSM_CONFLICT),
			errmsg("stages have got other names since work item " INT64_FORMAT " was read", vsm_row_id(old)),
			errdetail("The row is written back as of %s, when its stage had another name.",
					  timestamptz_to_str(DatumGetTimestampTz(new->values[ITEM_UPDATED_AT]))),
			errhint("Read the item again, and repeat the change."),
			errtablecol(items, ITEM_CURRENT_STAGE));
}

/* In the words of vsm_api, whose view is written by name. */
static const VsmStage *
stage_of_name(const char *stream, const char *name)
{
	bool		known = vsm_may(VSM_READER, stream) && vsm_first_stage(stream) != NULL;
	const VsmStage *stage = known ? vsm_stage_named(stream, name) : NULL;

	if (!known)
		ereport(ERROR,
				errcode(VSM_NOT_FOUND),
				errmsg("Stream '%s' not found", stream),
				errdetail("There is no stream of that name; names are case-sensitive."),
				errhint("%s.", vsm_streams_to_choose()),
				err_generic_string(PG_DIAG_COLUMN_NAME, "stream"));
	if (stage == NULL)
		ereport(ERROR,
				errcode(VSM_NOT_FOUND),
				errmsg("Stage '%s' not found", name),
				errdetail("Stream '%s' has no stage of that name; names are case-sensitive.", stream),
				errhint("%s.", vsm_stages_to_choose(stream)),
				err_generic_string(PG_DIAG_COLUMN_NAME, "current_stage"));
	return stage;
}

/* The row with that state and the name of its stage, which becomes its tuple and values. */
HeapTuple
vsm_named_row(ItemRow *row, const VsmItemState *state, TimestampTz now, TupleDesc desc)
{
	row->values[ITEM_STAGE_ID] = Int64GetDatum(state->stage_id);
	row->nulls[ITEM_STAGE_ID] = false;
	name_stage(row);
	return vsm_row_with_state(row, state, now, desc);
}

/* Set current_stage to the name of the row's stage; a stage that is not defined leaves it as it is. */
static void
name_stage(ItemRow *row)
{
	if (vsm_stage_is_named(row))
		return;
	row->values[ITEM_CURRENT_STAGE] = CStringGetTextDatum(vsm_stage(DatumGetInt64(row->values[ITEM_STAGE_ID]))->name);
	row->nulls[ITEM_CURRENT_STAGE] = false;
}

/* Is current_stage the name of the row's stage, if that is defined? */
bool
vsm_stage_is_named(const ItemRow *row)
{
	const VsmStage *stage = row->nulls[ITEM_STAGE_ID] ? NULL : vsm_stage(DatumGetInt64(row->values[ITEM_STAGE_ID]));
	struct varlena *name;

	if (stage == NULL)
		return true;
	if (row->nulls[ITEM_CURRENT_STAGE])
		return false;
	name = PG_DETOAST_DATUM_PACKED(row->values[ITEM_CURRENT_STAGE]);
	return VARSIZE_ANY_EXHDR(name) == strlen(stage->name) &&
		memcmp(VARDATA_ANY(name), stage->name, VARSIZE_ANY_EXHDR(name)) == 0;
}

/* The tuple of a row that is stored without recording: as it was given, with the name of its stage. */
HeapTuple
vsm_row_as_it_is(ItemRow *row, TupleDesc desc)
{
	int			column = ITEM_CURRENT_STAGE;

	if (vsm_stage_is_named(row))
		return row->tuple;
	name_stage(row);
	return heap_modify_tuple_by_cols(row->tuple, desc, 1, &column, &row->values[column], &row->nulls[column]);
}
