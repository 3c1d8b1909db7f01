/*
 * import_plan.h
 *		What a request says of the file that it imports.
 */
#ifndef VSM_GATEWAY_IMPORT_PLAN_H
#define VSM_GATEWAY_IMPORT_PLAN_H

#include "csv/recognise.h"
#include "values.h"

typedef struct ImportPlan
{
	bool		ndjson;
	bool		skip;			/* rows that are refused do not refuse the import */
	bool		dry_run;
	VsmRecogniseOptions options;	/* points into what follows */
	char	   *texts[MAX_PARAMS];
	json_t	   *given_stages;
	json_t	   *given_aliases;
	VsmAlias   *aliases;
	VsmGivenStage *stages;
	int			stages_place;	/* among the parameters of the route, and of its statement */
	int			aliases_place;
} ImportPlan;

extern ImportPlan *vsm_import_plan_read(Values *values, const Route *route);
extern char *vsm_import_stages(const VsmRecognition *proposal);
extern char *vsm_import_aliases(const VsmRecognition *proposal, const ImportPlan *plan);
extern void vsm_import_plan_free(ImportPlan *plan);

#endif
