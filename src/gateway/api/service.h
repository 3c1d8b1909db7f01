/*
 * service.h
 *		Reports on the service itself: health, readiness, metrics.
 *
 * Each function is called when the request's job has an outcome.
 */
#ifndef VSM_GATEWAY_SERVICE_H
#define VSM_GATEWAY_SERVICE_H

#include "request.h"

#define SERVICE "vsm-service"	/* the name of the service that vsm replaces */

extern void vsm_say_health(Request *request);
extern void vsm_say_ready(Request *request);
extern void vsm_say_metrics(Request *request);

#endif
