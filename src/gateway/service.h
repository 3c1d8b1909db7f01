/*
 * service.h
 *		What the service says of itself: health, readiness, metrics, where things are.
 *
 * All but the root are called with the outcome of the request's job.
 */
#ifndef VSM_GATEWAY_SERVICE_H
#define VSM_GATEWAY_SERVICE_H

#include "request.h"

extern enum MHD_Result vsm_say_health(Request *request);
extern enum MHD_Result vsm_say_ready(Request *request);
extern enum MHD_Result vsm_say_metrics(Request *request);
extern enum MHD_Result vsm_say_root(Request *request);

#endif
