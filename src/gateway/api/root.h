/*
 * root.h
 *		GET /: the dashboard for browsers, a description of the service for programs.
 */
#ifndef VSM_GATEWAY_ROOT_H
#define VSM_GATEWAY_ROOT_H

#include "request.h"

extern void vsm_say_root(Request *request);

#endif
