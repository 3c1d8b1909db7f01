/*
 * prepare.c
 *		Statements that are prepared once per session.
 */
#include "prepare.h"

#include "fmgr.h"
#include "utils/guc.h"

static void set(const char *name, const char *value);

PG_FUNCTION_INFO_V1(vsm__plan);

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
 * vsm._plan(by_cells boolean, filtered boolean) -> void
 *		How the statements of the calling function are planned.
 *
 * The function has settings, so these end with it.  As its own, and unlike
 * set_config(), they are also allowed beside parallel workers.
 */
Datum
vsm__plan(PG_FUNCTION_ARGS)
{
	bool		by_cells = PG_GETARG_BOOL(0);

	set("plan_cache_mode", by_cells || PG_GETARG_BOOL(1) ? "force_generic_plan" : "force_custom_plan");
	if (by_cells)
		set("max_parallel_workers_per_gather", "0");
	PG_RETURN_VOID();
}

static void
set(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}
