/*
 * import_plan.c
 *		What a request says of the file that it imports.
 */
#include "import_plan.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "invalid.h"

typedef struct Field
{
	const char *name;
	size_t		place;			/* of a const char * in the options */
} Field;

static const Field fields[] = {
	{"item", offsetof(VsmRecogniseOptions, item)},
	{"stage", offsetof(VsmRecogniseOptions, stage)},
	{"time", offsetof(VsmRecogniseOptions, time)},
	{"type", offsetof(VsmRecogniseOptions, type)},
	{"title", offsetof(VsmRecogniseOptions, title)},
	{"time_zone", offsetof(VsmRecogniseOptions, time_zone)},
};

static void read_param(ImportPlan *plan, Values *values, const Param *param, char *text);
static void read_stages(ImportPlan *plan, Values *values, const Param *param);
static void read_aliases(ImportPlan *plan, Values *values, const Param *param);
static void add_alias(ImportPlan *plan, const char *name, const json_t *stage);

/* Adds to values->errors what is wrong; the values stay as they are. */
ImportPlan *
vsm_import_plan_read(Values *values, const Route *route)
{
	ImportPlan *plan = vsm_alloc(sizeof *plan);

	for (int n = 0; route->params[n].name != NULL; n++)
	{
		if (strcmp(route->params[n].name, "stages") == 0)
			plan->stages_place = n;
		else if (strcmp(route->params[n].name, "stream") == 0)
			plan->stream_place = n;
		if (values->text[n] != NULL)
		{
			plan->texts[n] = vsm_copy(values->text[n]);
			read_param(plan, values, &route->params[n], plan->texts[n]);
		}
	}
	return plan;
}

void
vsm_import_plan_free(ImportPlan *plan)
{
	if (plan == NULL)
		return;
	for (int n = 0; n < MAX_PARAMS; n++)
		free(plan->texts[n]);
	json_decref(plan->given_stages);
	json_decref(plan->given_aliases);
	json_decref(plan->settings);
	free(plan->aliases);
	free(plan->defined);
	free(plan->stages);
	free(plan);
}

static void
read_param(ImportPlan *plan, Values *values, const Param *param, char *text)
{
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		if (strcmp(param->name, fields[i].name) == 0)
			memcpy((char *) &plan->options + fields[i].place, &text, sizeof text);
	if (strcmp(param->name, "on_error") == 0)
		plan->skip = strcmp(text, "skip") == 0;
	else if (strcmp(param->name, "dry_run") == 0)
		plan->dry_run = strcmp(text, "true") == 0;
	else if (strcmp(param->name, "dates") == 0)
		vsm_date_order_named(text, &plan->options.dates);
	else if (strcmp(param->name, "direction") == 0)
		vsm_direction_named(text, &plan->options.direction);
	else if (strcmp(param->name, "stages") == 0)
	{
		plan->given_stages = json_loads(text, JSON_DECODE_INT_AS_REAL, NULL);
		read_stages(plan, values, param);
	}
	else if (strcmp(param->name, "aliases") == 0)
	{
		plan->given_aliases = json_loads(text, JSON_DECODE_INT_AS_REAL, NULL);
		read_aliases(plan, values, param);
	}
}

/* A list of objects with name and category, as in a proposal. */
static void
read_stages(ImportPlan *plan, Values *values, const Param *param)
{
	size_t		i;
	json_t	   *stage;

	plan->stages = vsm_alloc((json_array_size(plan->given_stages) + 1) * sizeof *plan->stages);
	json_array_foreach(plan->given_stages, i, stage)
	{
		VsmGivenStage *given = &plan->stages[i];
		const json_t *category = json_object_get(stage, "category");

		given->name = json_string_value(json_object_get(stage, "name"));
		if (given->name == NULL || given->name[0] == '\0' || json_array_size(plan->given_stages) > VSM_MAX_STAGES ||
			(category != NULL && !json_is_null(category) &&
			 !(json_is_string(category) && vsm_category_named(json_string_value(category), &given->category))))
		{
			vsm_invalid(values, param, "value_error",
						"Input should be a list of up to 200 objects with a name and a category: wait, active, done or discarded", plan->given_stages, NULL);
			return;
		}
	}
	plan->options.stages = plan->stages;
	plan->options.n_stages = (int) json_array_size(plan->given_stages);
}

/* An object: names as the file writes them, and the stages that they mean. */
static void
read_aliases(ImportPlan *plan, Values *values, const Param *param)
{
	plan->aliases = vsm_alloc((json_object_size(plan->given_aliases) + 1) * sizeof *plan->aliases);
	for (void *at = json_object_iter(plan->given_aliases); at != NULL; at = json_object_iter_next(plan->given_aliases, at))
	{
		const json_t *stage = json_object_iter_value(at);

		if (!json_is_string(stage) && !json_is_null(stage))
		{
			vsm_invalid(values, param, "value_error", "Input should be an object whose values are names of stages, such as {\"Fertig\": \"Done\"}, or null",
						plan->given_aliases, NULL);
			return;
		}
		add_alias(plan, json_object_iter_key(at), stage);
	}
	plan->options.aliases = plan->aliases;
}

/* No stage: rows with that name are no moves. */
static void
add_alias(ImportPlan *plan, const char *name, const json_t *stage)
{
	plan->aliases[plan->options.n_aliases++] = (VsmAlias){name, json_is_string(stage) ? json_string_value(stage) : ""};
}

/*
 * vsm_import_plan_add
 *		Add what is kept for the stream: aliases, behind those of the request, which are found first, the categories of its
 *		stages, and its time zone.
 */
void
vsm_import_plan_add(ImportPlan *plan, const char *settings)
{
	json_t	   *aliases;
	json_t	   *categories;

	plan->settings = json_loads(settings, 0, NULL);
	aliases = json_object_get(plan->settings, "aliases");
	plan->aliases = vsm_grow(plan->aliases, ((size_t) plan->options.n_aliases + json_object_size(aliases) + 1) * sizeof *plan->aliases);
	for (void *at = json_object_iter(aliases); at != NULL; at = json_object_iter_next(aliases, at))
		add_alias(plan, json_object_iter_key(at), json_object_iter_value(at));
	plan->options.aliases = plan->aliases;
	categories = json_object_get(plan->settings, "categories");
	plan->defined = vsm_alloc((json_object_size(categories) + 1) * sizeof *plan->defined);
	for (void *at = json_object_iter(categories); at != NULL; at = json_object_iter_next(categories, at))
	{
		const json_t *category = json_object_iter_value(at);
		VsmGivenStage *stage = &plan->defined[plan->options.n_defined];

		stage->name = json_object_iter_key(at);
		if (json_is_string(category) && vsm_category_named(json_string_value(category), &stage->category))
			plan->options.n_defined++;
	}
	plan->options.defined = plan->defined;
	plan->options.time_zone = json_string_value(json_object_get(plan->settings, "time_zone"));
}

/* ---- For the database ---- */

/* The stages of a proposal as JSON, in order: [{"name", "category"}].  To be freed. */
char *
vsm_import_stages(const VsmRecognition *proposal)
{
	static const char *const categories[] = {[VSM_CATEGORY_ANY] = "active", [VSM_WAIT] = "wait", [VSM_ACTIVE] = "active", [VSM_DONE] = "done", [VSM_DISCARDED] = "discarded"};
	json_t	   *list = json_array();
	char	   *json;

	for (int i = 0; i < proposal->n_stages; i++)
		json_array_append_new(list, json_pack("{ssss}", "name", proposal->stages[i].name, "category", categories[proposal->stages[i].category]));
	json = json_dumps(list, JSON_COMPACT);
	json_decref(list);
	if (json == NULL)
		abort();
	return json;
}

/* Its types likewise: [{"name"}] */
char *
vsm_import_types(const VsmRecognition *proposal)
{
	json_t	   *list = json_array();
	char	   *json;

	for (int i = 0; i < proposal->n_types; i++)
		json_array_append_new(list, json_pack("{ss}", "name", proposal->types[i].name));
	json = json_dumps(list, JSON_COMPACT);
	json_decref(list);
	if (json == NULL)
		abort();
	return json;
}
