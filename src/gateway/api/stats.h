/*
 * stats.h
 *		The gateway's own metrics for Prometheus.
 */
#ifndef VSM_GATEWAY_STATS_H
#define VSM_GATEWAY_STATS_H

#include "routes.h"
#include "text.h"

extern void vsm_stats_count(const Route *route, const char *method, int status, int64_t duration_us);
extern void vsm_stats_write(Text *text, bool database_up);
extern void vsm_stats_to_openmetrics(Text *text);

#endif
