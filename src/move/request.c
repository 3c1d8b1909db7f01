/*
 * request.c
 *		A move asked for by vsm.transition(), until it is recorded.
 *
 * What an UPDATE cannot say (time, reason, expected stage) waits in a VsmRequest,
 * a variable of the call.  The decision claims it for the first change of the
 * item's row, and the ledger row that is recorded becomes its answer.
 */
#include "request.h"

/* The request of the innermost vsm.transition() that runs; NULL: none. */
static VsmRequest *running = NULL;

/* From here on the request waits; returns the one that did so before, for vsm_request_end(). */
VsmRequest *
vsm_request_begin(VsmRequest *request)
{
	VsmRequest *outer = running;

	running = request;
	return outer;
}

void
vsm_request_end(VsmRequest *outer)
{
	running = outer;
}

/*
 * vsm_request_claim
 *		The request that asks for this row change, for the BEFORE trigger; NULL: none.
 *
 * It is the first change of the item's row; later ones are made by a user's
 * triggers and functions.
 */
VsmRequest *
vsm_request_claim(int64 work_item_id)
{
	if (running == NULL || running->claimed || running->work_item_id != work_item_id)
		return NULL;
	running->claimed = true;
	return running;
}

/*
 * vsm_request_to_answer
 *		The request that a decision was made for, if it still waits for its answer; else NULL.
 *
 * decided_for may point to a request that has ended.
 */
VsmRequest *
vsm_request_to_answer(const VsmRequest *decided_for, int64 work_item_id)
{
	if (running == NULL || running != decided_for || running->recorded || running->work_item_id != work_item_id)
		return NULL;
	return running;
}

/* Does vsm.transition() run, to be recorded, without a time or an expected stage? */
bool
vsm_request_gives_stage_only(void)
{
	return running && running->records && !running->has_at && running->expected_from == NULL;
}
