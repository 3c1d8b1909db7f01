/*
 * root.h
 *		GET /: the dashboard to a browser, and to programs what there is.
 */
#ifndef VSM_GATEWAY_ROOT_H
#define VSM_GATEWAY_ROOT_H

#include "request.h"

extern void vsm_say_root(Request *request);

#endif
