/*
 * openapi.h
 *		/openapi.json, made from the table of routes.
 */
#ifndef VSM_GATEWAY_OPENAPI_H
#define VSM_GATEWAY_OPENAPI_H

#include "text.h"

extern void vsm_openapi_start(void);
extern const char *vsm_openapi(void);
extern void vsm_openapi_list(Text *html);

#endif
