/*
 * docs.c
 *		/docs: the API viewer, or in builds without it a plain list of the routes.
 */
#include "docs.h"

#include "answer.h"
#include "assets.h"

static void list_routes(Text *html);

void
vsm_docs_page(Request *request)
{
	const Asset *head = vsm_asset("docs/list.html");
	Text		html = {0};

	if (vsm_asset("docs/swagger-ui-bundle.js") != NULL)
	{
		vsm_asset_answer(request, "docs/index.html");
		return;
	}
	if (head != NULL)
		vsm_text_add(&html, head->bytes, vsm_asset_length(head));
	list_routes(&html);
	vsm_asset_protect(request);
	vsm_answer(request, 200, "text/html; charset=utf-8", &html);
}

static void
list_routes(Text *html)
{
	static const char *const places[] = {"path", "query", "body"};

	for (int i = 0; i < vsm_route_count; i++)
	{
		const Route *route = &vsm_routes[i];

		vsm_text_addf(html, "<h2><code>%s %s</code></h2>\n<p>%s</p>\n", route->method, route->path, route->summary);
		if (route->params[0].name == NULL)
			continue;
		vsm_text_adds(html, "<table>\n");
		for (const Param *param = route->params; param->name != NULL; param++)
			vsm_text_addf(html, "<tr><td><code>%s</code></td><td>%s</td><td>%s%s%s%s</td></tr>\n", param->name,
						  places[param->where], param->about,
						  param->required ? "" : " (optional)", param->fallback == NULL ? "" : ", default ",
						  param->fallback == NULL ? "" : param->fallback);
		vsm_text_adds(html, "</table>\n");
	}
	vsm_text_adds(html, "</body>\n</html>\n");
}
