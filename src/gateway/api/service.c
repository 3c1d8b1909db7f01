/*
 * service.c
 *		Reports on the service itself: health, readiness, metrics.
 */
#include "service.h"

#include <string.h>

#include "answer.h"
#include "door.h"
#include "log.h"
#include "stats.h"

static void add_days_waiting(Text *body, const Request *request);

void
vsm_say_health(Request *request)
{
	bool		up = request->job.outcome == OUTCOME_ROWS || request->job.outcome == OUTCOME_ERROR;
	Text		body = {0};

	if (request->job.outcome == OUTCOME_ERROR)
		vsm_log_text(LOG_LEVEL_WARNING, "health_failed", "reason", PQresultErrorMessage(request->job.result));
	vsm_text_addf(&body, "{\"status\":\"%s\",\"service\":\"" SERVICE "\",\"version\":\"" VSM_VERSION "\",\"database_connected\":%s",
				  request->job.outcome == OUTCOME_ROWS ? "UP" : "DEGRADED",
				  up ? "true" : "false");
	add_days_waiting(&body, request);
	vsm_text_addc(&body, '}');
	vsm_answer(request, 200, "application/json", &body);
}

/* Null if the database has not told: with tokens it is not asked, since the gateway's user may lack the right. */
static void
add_days_waiting(Text *body, const Request *request)
{
	json_t	   *health = NULL;
	json_t	   *days;

	if (request->job.outcome == OUTCOME_ROWS)
		health = json_loadb(PQgetvalue(request->job.result, 0, 0), (size_t) PQgetlength(request->job.result, 0, 0), 0, NULL);
	days = json_object_get(health, "fold_days_waiting");
	if (json_is_integer(days))
		vsm_text_addf(body, ",\"fold_days_waiting\":%" JSON_INTEGER_FORMAT, json_integer_value(days));
	else
		vsm_text_adds(body, ",\"fold_days_waiting\":null");
	json_decref(health);
}

/* The first parameter is ?write. */
void
vsm_say_ready(Request *request)
{
	const char *write = request->values.text[0];
	bool		ready = request->job.outcome == OUTCOME_ROWS && !vsm_door.draining();
	bool		reader = ready && strcmp(PQgetvalue(request->job.result, 0, 0), "t") != 0;

	if (ready && !(reader && write != NULL && strcmp(write, "true") == 0))
	{
		vsm_answer_constant(request, 200, "application/json", "{\"status\":\"READY\"}", strlen("{\"status\":\"READY\"}"));
		return;
	}
	vsm_answer_header(request, "Retry-After", "1");
	vsm_answer_error(request, 503, NULL, NULL, ready ? "Service not ready: the database is read-only" : "Service not ready");
}

/* The database's metrics, if it has answered, followed by the gateway's own. */
void
vsm_say_metrics(Request *request)
{
	static const char plain[] = "text/plain; version=0.0.4; charset=utf-8";
	static const char open[] = "application/openmetrics-text; version=1.0.0; charset=utf-8";
	bool		openmetrics = vsm_accepts_rather(request, "application/openmetrics-text", "text/plain");
	bool		up = request->job.outcome == OUTCOME_ROWS;
	Text		body = {0};

	if (up)
		vsm_text_adds(&body, PQgetvalue(request->job.result, 0, 0));
	else if (request->job.outcome == OUTCOME_ERROR)
		vsm_log_text(LOG_LEVEL_WARNING, "prometheus_failed", "reason", PQresultErrorMessage(request->job.result));
	vsm_stats_write(&body, up);
	if (openmetrics)
		vsm_stats_to_openmetrics(&body);
	vsm_answer(request, 200, openmetrics ? open : plain, &body);
}
