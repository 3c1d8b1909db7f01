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
	VsmGivenStage *defined;
	VsmGivenStage *stages;
	json_t	   *settings;		/* of the stream */
	int			stream_place;	/* among the parameters of the route, and of its statement */
	int			stages_place;
} ImportPlan;

extern ImportPlan *vsm_import_plan_read(Values *values, const Route *route);
extern void vsm_import_plan_add(ImportPlan *plan, const char *settings);
extern char *vsm_import_stages(const VsmRecognition *proposal);
extern char *vsm_import_types(const VsmRecognition *proposal);
extern void vsm_import_plan_free(ImportPlan *plan);

#endif
