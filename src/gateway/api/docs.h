/*
 * docs.h
 *		/docs: the API viewer, or a plain list of the routes.
 */
#ifndef VSM_GATEWAY_DOCS_H
#define VSM_GATEWAY_DOCS_H

#include "request.h"

extern void vsm_docs_page(Request *request);

#endif
