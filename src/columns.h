/*
 * columns.h
 *		Columns of the tables that the library reads and writes by their place.
 *
 * They are in the order of sql/20_tables.sql.  Columns are only ever appended.
 */
#ifndef VSM_COLUMNS_H
#define VSM_COLUMNS_H

/* vsm.work_items, by attribute number */
enum
{
	ITEM_ID = 1,
	ITEM_STREAM,
	ITEM_EXTERNAL_ID,
	ITEM_TITLE,
	ITEM_TYPE,
	ITEM_CREATED_AT,
	ITEM_UPDATED_AT,
	ITEM_STAGE_ID,
	ITEM_STAGE_ENTERED_AT,
	ITEM_STARTED_AT,
	ITEM_COMPLETED_AT,
	ITEM_ACTIVE_TIME,
	ITEM_WAIT_TIME,
	ITEM_REOPENED,
	ITEM_BACKWARD_MOVES,
	ITEM_COLUMNS = ITEM_BACKWARD_MOVES
};

/* vsm.stage_transitions, by index in an array of values */
enum
{
	LEDGER_WORK_ITEM_ID,
	LEDGER_ID,
	LEDGER_FROM_STAGE_ID,
	LEDGER_TO_STAGE_ID,
	LEDGER_TIMESTAMP,
	LEDGER_RECORDED_AT,
	LEDGER_TIME_IN_STAGE,
	LEDGER_REASON,
	LEDGER_ACTOR,
	LEDGER_TYPE,
	LEDGER_CYCLE_TIME,
	LEDGER_LEAD_TIME,
	LEDGER_WIP_BREACH,
	LEDGER_COLUMNS
};

#endif							/* VSM_COLUMNS_H */
