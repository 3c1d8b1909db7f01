/*
 * stats.c
 *		The gateway's own metrics for Prometheus.
 *
 * Requests are counted by path in the table of routes, by method and by status, so that clients
 * cannot make the number of series grow without bound.  Paths that are not in the table count as
 * "other".  Only the working thread uses these counters, so they need no locks.
 */
#include "stats.h"

#include <stdlib.h>
#include <string.h>

#include "db/pool.h"
#include "door.h"
#include "request.h"

#define FIRST_STATUS 100
#define LAST_STATUS 599
#define N_METHODS 8

static const char *const method_names[N_METHODS] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "other"};

/* Upper bounds in microseconds. */
static const int64_t bounds[] = {500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000};

#define N_BOUNDS ((int) (sizeof bounds / sizeof bounds[0]))

typedef struct PathFigures
{
	long long	requests[N_METHODS][LAST_STATUS - FIRST_STATUS + 1];
	long long	faster[N_BOUNDS + 1];	/* not cumulative */
	long long	duration_us;
	long long	n;
} PathFigures;

/* By index of the first route with the path; entry vsm_route_count is for all other paths. */
static PathFigures *figures = NULL;

static PathFigures *figures_of(const Route *route);
static int	place_of(const Route *route);
static const char *path_name(int place);
static int	method_place(const char *method);
static void write_requests(Text *text);
static void write_durations(Text *text);
static void family(Text *text, const char *name, const char *type, const char *help);

void
vsm_stats_count(const Route *route, const char *method, int status, int64_t duration_us)
{
	PathFigures *path = figures_of(route);
	int			bucket = 0;

	if (status >= FIRST_STATUS && status <= LAST_STATUS)
		path->requests[method_place(method)][status - FIRST_STATUS]++;
	while (bucket < N_BOUNDS && duration_us > bounds[bucket])
		bucket++;
	path->faster[bucket]++;
	path->duration_us += duration_us;
	path->n++;
}

static PathFigures *
figures_of(const Route *route)
{
	if (figures == NULL)
		figures = vsm_alloc((vsm_route_count + 1) * sizeof *figures);
	return &figures[place_of(route)];
}

static int
place_of(const Route *route)
{
	if (route == NULL)
		return vsm_route_count;
	for (int i = 0; i < vsm_route_count; i++)
		if (strcmp(vsm_routes[i].path, route->path) == 0)
			return i;
	return vsm_route_count;
}

static const char *
path_name(int place)
{
	return place == vsm_route_count ? "other" : vsm_routes[place].path;
}

static int
method_place(const char *method)
{
	for (int i = 0; i < N_METHODS - 1; i++)
		if (strcmp(method, method_names[i]) == 0)
			return i;
	return N_METHODS - 1;
}

/* Writes the metrics in text format 0.0.4. */
void
vsm_stats_write(Text *text, bool database_up)
{
	static const char *const classes[N_CLASSES] = {"fast", "slow", "import"};
	PoolFigures pool = vsm_pool_figures();

	write_requests(text);
	write_durations(text);
	family(text, "vsm_requests_in_flight", "gauge", "Requests that have no answer yet.");
	vsm_text_addf(text, "vsm_requests_in_flight %d\n", vsm_requests_running());
	family(text, "vsm_clients", "gauge", "Open client connections.");
	vsm_text_addf(text, "vsm_clients %d\n", vsm_door.clients());
	family(text, "vsm_pool_connections", "gauge", "Connections to the database, by state.");
	vsm_text_addf(text, "vsm_pool_connections{state=\"idle\"} %d\nvsm_pool_connections{state=\"busy\"} %d\nvsm_pool_connections{state=\"down\"} %d\n",
				  pool.idle, pool.busy, pool.down);
	family(text, "vsm_queue_length", "gauge", "Requests that wait for a connection, by class.");
	for (int i = 0; i < N_CLASSES; i++)
		vsm_text_addf(text, "vsm_queue_length{class=\"%s\"} %d\n", classes[i], pool.queued[i]);
	family(text, "vsm_queue_refused_total", "counter", "Requests answered with 503 because too many waited, or one waited too long.");
	vsm_text_addf(text, "vsm_queue_refused_total %lld\n", pool.refused);
	family(text, "vsm_pool_connections_lost_total", "counter", "Connections to the database that broke.");
	vsm_text_addf(text, "vsm_pool_connections_lost_total %lld\n", pool.lost);
	family(text, "vsm_database_up", "gauge", "Whether the database answered this scrape.");
	vsm_text_addf(text, "vsm_database_up %d\n", database_up);
	family(text, "vsm_gateway_build_info", "gauge", "Version of the gateway.");
	vsm_text_adds(text, "vsm_gateway_build_info{version=\"" VSM_VERSION "\"} 1\n");
}

static void
write_requests(Text *text)
{
	family(text, "vsm_requests_total", "counter", "Answered requests, by route, method and status.");
	for (int place = 0; figures != NULL && place <= vsm_route_count; place++)
		for (int method = 0; figures[place].n > 0 && method < N_METHODS; method++)
			for (int status = 0; status <= LAST_STATUS - FIRST_STATUS; status++)
				if (figures[place].requests[method][status] > 0)
					vsm_text_addf(text, "vsm_requests_total{endpoint=\"%s\",method=\"%s\",status=\"%d\"} %lld\n",
								  path_name(place), method_names[method], status + FIRST_STATUS,
								  figures[place].requests[method][status]);
}

static void
write_durations(Text *text)
{
	family(text, "vsm_request_duration_seconds", "histogram", "Time from the request line to the end of the answer.");
	for (int place = 0; figures != NULL && place <= vsm_route_count; place++)
	{
		long long	n = 0;

		if (figures[place].n == 0)
			continue;
		for (int i = 0; i < N_BOUNDS; i++)
			vsm_text_addf(text, "vsm_request_duration_seconds_bucket{endpoint=\"%s\",le=\"%g\"} %lld\n",
						  path_name(place), (double) bounds[i] / 1e6, n += figures[place].faster[i]);
		vsm_text_addf(text, "vsm_request_duration_seconds_bucket{endpoint=\"%s\",le=\"+Inf\"} %lld\n"
					  "vsm_request_duration_seconds_sum{endpoint=\"%s\"} %.6f\n"
					  "vsm_request_duration_seconds_count{endpoint=\"%s\"} %lld\n",
					  path_name(place), figures[place].n, path_name(place), (double) figures[place].duration_us / 1e6,
					  path_name(place), figures[place].n);
	}
}

static void
family(Text *text, const char *name, const char *type, const char *help)
{
	vsm_text_addf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/*
 * vsm_stats_to_openmetrics
 *		Convert text format 0.0.4 to OpenMetrics.
 *
 * Counters lose _total in HELP and TYPE, and # EOF ends the text.
 */
void
vsm_stats_to_openmetrics(Text *text)
{
	Text		open = {0};

	for (char *line = text->data; *line != '\0';)
	{
		size_t		length = strcspn(line, "\n");
		size_t		name = strncmp(line, "# HELP ", 7) == 0 || strncmp(line, "# TYPE ", 7) == 0 ? 7 + strcspn(line + 7, " \n") : 0;

		if (name > 13 && strncmp(line + name - 6, "_total", 6) == 0)
		{
			vsm_text_add(&open, line, name - 6);
			vsm_text_add(&open, line + name, length - name);
		}
		else
			vsm_text_add(&open, line, length);
		vsm_text_addc(&open, '\n');
		line += length + (line[length] == '\n');
	}
	vsm_text_adds(&open, "# EOF\n");
	vsm_text_free(text);
	*text = open;
}
