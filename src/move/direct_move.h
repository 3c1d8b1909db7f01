/*
 * direct_move.h
 *		Storing a move without a statement.
 */
#ifndef VSM_DIRECT_MOVE_H
#define VSM_DIRECT_MOVE_H

#include "postgres.h"

#include "request.h"

extern bool vsm_move_directly(VsmRequest *request, const text *to_stage);

#endif							/* VSM_DIRECT_MOVE_H */
