/*
 * openapi.h
 *		/openapi.json.
 */
#ifndef VSM_GATEWAY_OPENAPI_H
#define VSM_GATEWAY_OPENAPI_H

extern void vsm_openapi_start(void);
extern const char *vsm_openapi(void);

#endif
