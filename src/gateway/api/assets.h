/*
 * assets.h
 *		Answers with the files of the web pages.
 */
#ifndef VSM_GATEWAY_ASSETS_H
#define VSM_GATEWAY_ASSETS_H

#include "embedded.h"
#include "request.h"

extern void vsm_asset_file(Request *request);
extern void vsm_asset_answer(Request *request, const char *path);
extern void vsm_asset_protect(Request *request);

#endif
