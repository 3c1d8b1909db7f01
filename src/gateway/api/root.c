/*
 * root.c
 *		GET /: the dashboard for browsers, a description of the service for programs.
 */
#include "root.h"

#include <string.h>

#include "answer.h"
#include "assets.h"
#include "docs.h"
#include "service.h"

void
vsm_say_root(Request *request)
{
	Text		body = {0};

	vsm_answer_header(request, "Vary", "Accept");
	if (vsm_accepts_rather(request, "text/html", "application/json"))
	{
		/* A build without the dashboard shows the documentation. */
		if (vsm_asset("web/index.html") != NULL)
			vsm_asset_answer(request, "web/index.html");
		else
			vsm_docs_page(request);
		return;
	}
	vsm_text_adds(&body, "{\"service\":\"" SERVICE "\",\"status\":\"running\",\"version\":\"" VSM_VERSION "\","
				  "\"integrations\":{\"prometheus\":\"/metrics\",\"openapi\":\"/openapi.json\",\"docs\":\"/docs\"},\"endpoints\":{");
	vsm_text_adds(&body, "\"work_items\":\"/api/v1/work-items\",\"transition\":\"/api/v1/work-items/{work_item_id}/transition\","
				  "\"metrics\":\"/api/v1/metrics\",\"history\":\"/api/v1/work-items/{work_item_id}/history\","
				  "\"stages\":\"/api/v1/stages\",\"health\":\"/api/v1/health\",\"prometheus\":\"/metrics\"");
	for (int i = 0; i < vsm_route_count; i++)
		if (vsm_routes[i].handling == HANDLE_CALL && strstr("work_items work_item transition metrics history stages", vsm_routes[i].name) == NULL)
			vsm_text_addf(&body, ",\"%s\":\"%s\"", vsm_routes[i].name, vsm_routes[i].path);
	vsm_text_adds(&body, "}}");
	vsm_answer(request, 200, "application/json", &body);
}
