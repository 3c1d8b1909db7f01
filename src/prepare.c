/*
 * prepare.c
 *		Statements that are prepared once per session.
 */
#include "prepare.h"

#include "fmgr.h"
#include "utils/guc.h"

PG_FUNCTION_INFO_V1(vsm__plan_for_values);

/* A plan that outlives the SPI connection that is open. */
SPIPlanPtr
vsm_prepare(const char *statement, int nargs, Oid *types)
{
	SPIPlanPtr	plan = SPI_prepare(statement, nargs, types);

	if (plan == NULL || SPI_keepplan(plan) != 0)
		elog(ERROR, "could not prepare \"%s\": %s", statement, SPI_result_code_string(SPI_result));
	return plan;
}

/*
 * vsm._plan_for_values() -> void
 *		Plans the statements of the calling function for the values of their parameters.
 *
 * The function has a setting of plan_cache_mode, which is restored at its end.  As
 * that one, and unlike set_config(), this is also allowed beside parallel workers.
 */
Datum
vsm__plan_for_values(PG_FUNCTION_ARGS)
{
	(void) set_config_option("plan_cache_mode", "force_custom_plan", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	PG_RETURN_VOID();
}
