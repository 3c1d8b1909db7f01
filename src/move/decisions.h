/*
 * decisions.h
 *		What the BEFORE trigger decided, until the AFTER trigger records it.
 */
#ifndef VSM_DECISIONS_H
#define VSM_DECISIONS_H

#include "postgres.h"

#include "item_state.h"
#include "request.h"

typedef enum VsmDecided
{
	VSM_DECIDED_INSERT,
	VSM_DECIDED_MOVE,
	VSM_DECIDED_DELETE
} VsmDecided;

typedef struct VsmDecision
{
	int64		ledger_id;		/* of the row to be */
	const VsmRequest *request;	/* that it answers, or NULL; it may have ended */
} VsmDecision;

extern void vsm_note_decision(VsmDecided what, int64 work_item_id, const VsmItemState *state, const VsmRequest *request);
extern bool vsm_take_decision(VsmDecided what, int64 work_item_id, const VsmItemState *state, VsmDecision *decision);
extern bool vsm_decided_insert_since(int64 ledger_id);

#endif							/* VSM_DECISIONS_H */
