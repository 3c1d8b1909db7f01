/*
 * prepare.h
 *		Statements that are prepared once per session.
 */
#ifndef VSM_PREPARE_H
#define VSM_PREPARE_H

#include "postgres.h"

#include "executor/spi.h"

extern SPIPlanPtr vsm_prepare(const char *statement, int nargs, Oid *types);

#endif							/* VSM_PREPARE_H */
