/*
 * request.h
 *		A move asked for by vsm.transition(), which the triggers read and answer.
 */
#ifndef VSM_REQUEST_H
#define VSM_REQUEST_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "ledger_row.h"

typedef struct VsmRequest
{
	int64		work_item_id;
	const char *expected_from;	/* name of a stage, or NULL */
	bool		records;		/* triggers will decide about it and record it */
	bool		has_at;
	TimestampTz at;
	const char *reason;			/* or NULL */

	bool		claimed;		/* a BEFORE trigger has found the row that it is about */
	bool		stays;			/* the item is in that stage already */
	bool		recorded;
	VsmLedgerRow row;			/* that was recorded */
} VsmRequest;

extern VsmRequest *vsm_request_begin(VsmRequest *request);
extern void vsm_request_end(VsmRequest *outer);
extern bool vsm_request_gives_stage_only(void);
extern VsmRequest *vsm_request_claim(int64 work_item_id);
extern VsmRequest *vsm_request_to_answer(const VsmRequest *decided_for, int64 work_item_id);

#endif							/* VSM_REQUEST_H */
