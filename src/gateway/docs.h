/*
 * docs.h
 *		Pages and their files: the API viewer and the dashboard.
 */
#ifndef VSM_GATEWAY_DOCS_H
#define VSM_GATEWAY_DOCS_H

#include "request.h"

typedef struct FileType
{
	const char *ending;			/* NULL: any other, and the list's end */
	const char *type;
} FileType;

extern const FileType vsm_docs_types[];

extern enum MHD_Result vsm_docs_page(Request *request);
extern enum MHD_Result vsm_docs_asset(Request *request);
extern enum MHD_Result vsm_docs_dashboard(Request *request);

#endif
