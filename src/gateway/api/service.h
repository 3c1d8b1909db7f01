/*
 * service.h
 *		What the service says of itself: health, readiness, metrics.
 *
 * Each is called with the outcome of the request's job.
 */
#ifndef VSM_GATEWAY_SERVICE_H
#define VSM_GATEWAY_SERVICE_H

#include "request.h"

#define SERVICE "vsm-service"	/* as the service that vsm replaces called itself */

extern void vsm_say_health(Request *request);
extern void vsm_say_ready(Request *request);
extern void vsm_say_metrics(Request *request);

#endif
