/*
 * import_request.h
 *		Handles a request to import the rows in its body.
 */
#ifndef VSM_GATEWAY_IMPORT_REQUEST_H
#define VSM_GATEWAY_IMPORT_REQUEST_H

#include "request.h"

extern void vsm_import_begin(Request *request);
extern bool vsm_import_receive(Request *request, const char *bytes, size_t *length);
extern bool vsm_import_finish(Request *request);

#endif
