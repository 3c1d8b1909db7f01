/*
 * service.c
 *		What the service says of itself: health, readiness, metrics, where things are.
 */
#include "service.h"

#include <string.h>

#include "docs.h"
#include "log.h"
#include "options.h"
#include "stats.h"

#define SERVICE "vsm-service"

enum MHD_Result
vsm_say_health(Request *request)
{
	bool		up = request->job.outcome == OUTCOME_ROWS || request->job.outcome == OUTCOME_ERROR;
	Text		body = {0};

	if (request->job.outcome == OUTCOME_ERROR)
		vsm_log_text(LOG_LEVEL_WARNING, "health_failed", "reason", PQresultErrorMessage(request->job.result));
	vsm_text_addf(&body, "{\"status\":\"%s\",\"service\":\"" SERVICE "\",\"version\":\"" VSM_VERSION "\",\"database_connected\":%s}",
				  request->job.outcome == OUTCOME_ROWS ? "UP" : "DEGRADED",
				  up ? "true" : "false");
	return vsm_answer(request, 200, "application/json", &body);
}

enum MHD_Result
vsm_say_ready(Request *request)
{
	bool		ready = request->job.outcome == OUTCOME_ROWS;

	if (ready && !vsm_http_draining())
		return vsm_answer_constant(request, 200, "application/json", "{\"status\":\"READY\"}", strlen("{\"status\":\"READY\"}"));
	vsm_answer_header(request, "Retry-After", "1");
	return vsm_answer_error(request, 503, NULL, NULL, "Service not ready");
}

/* The gateway's own figures, behind the database's if it can be asked. */
enum MHD_Result
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
	return vsm_answer(request, 200, openmetrics ? open : plain, &body);
}

enum MHD_Result
vsm_say_root(Request *request)
{
	Text		body = {0};

	vsm_answer_header(request, "Vary", "Accept");
	if (vsm_accepts_rather(request, "text/html", "application/json"))
		return vsm_docs_dashboard(request);
	vsm_text_adds(&body, "{\"service\":\"" SERVICE "\",\"status\":\"running\",\"version\":\"" VSM_VERSION "\","
				  "\"integrations\":{\"prometheus\":\"/metrics\",\"openapi\":\"/openapi.json\",\"docs\":\"/docs\"},\"endpoints\":{");
	vsm_text_adds(&body, "\"work_items\":\"/api/v1/work-items\",\"transition\":\"/api/v1/work-items/{work_item_id}/transition\","
				  "\"metrics\":\"/api/v1/metrics\",\"history\":\"/api/v1/work-items/{work_item_id}/history\","
				  "\"stages\":\"/api/v1/stages\",\"health\":\"/api/v1/health\",\"prometheus\":\"/metrics\"");
	for (int i = 0; i < vsm_route_count; i++)
		if (vsm_routes[i].handling == HANDLE_CALL && strstr("work_items work_item transition metrics history stages", vsm_routes[i].name) == NULL)
			vsm_text_addf(&body, ",\"%s\":\"%s\"", vsm_routes[i].name, vsm_routes[i].path);
	vsm_text_adds(&body, "}}");
	return vsm_answer(request, 200, "application/json", &body);
}
