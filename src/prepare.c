/*
 * prepare.c
 *		Statements that are prepared once per session.
 */
#include "prepare.h"

/* A plan that outlives the SPI connection that is open. */
SPIPlanPtr
vsm_prepare(const char *statement, int nargs, Oid *types)
{
	SPIPlanPtr	plan = SPI_prepare(statement, nargs, types);

	if (plan == NULL || SPI_keepplan(plan) != 0)
		elog(ERROR, "could not prepare \"%s\": %s", statement, SPI_result_code_string(SPI_result));
	return plan;
}
