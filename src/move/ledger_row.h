/*
 * ledger_row.h
 *		A row of the ledger, vsm.stage_transitions.
 */
#ifndef VSM_LEDGER_ROW_H
#define VSM_LEDGER_ROW_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "columns.h"
#include "item_state.h"

typedef struct VsmLedgerRow
{
	int64		work_item_id;
	int64		id;
	bool		first;			/* the item's first row: it has left no stage */
	int64		from_stage_id;
	int64		to_stage_id;
	TimestampTz at;				/* column "timestamp" */
	TimestampTz recorded_at;
	int64		time_in_stage_us;
	const char *reason;			/* or NULL */
	char		actor[VSM_MAX_ACTOR + 1];
	const char *type;			/* of the item, in its first row; else NULL */
	int64		cycle_us;		/* -1: none */
	int64		lead_us;		/* -1: the move does not finish the item */
	int32		wip_breach;		/* items in the stage, when they exceed its limit; else 0 */
	int64		stream_id;
	VsmMoveEffect effect;
} VsmLedgerRow;

typedef struct VsmLedgerColumn
{
	const char *name;			/* quoted if it must be */
	Oid			type;
} VsmLedgerColumn;

extern const VsmLedgerColumn vsm_ledger_columns[LEDGER_COLUMNS];

extern int64 vsm_next_ledger_id(void);
extern void vsm_effect_values(const VsmMoveEffect *effect, Datum *values, bool *nulls);
extern void vsm_ledger_row_values(const VsmLedgerRow *row, Datum *values, bool *nulls);

#endif							/* VSM_LEDGER_ROW_H */
