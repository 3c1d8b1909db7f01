/*
 * fetch.h
 *		Gets a document over HTTPS.
 */
#ifndef VSM_GATEWAY_FETCH_H
#define VSM_GATEWAY_FETCH_H

#include <stdatomic.h>

#include "text.h"

extern void vsm_fetch_start(void);
extern char *vsm_fetch_refuses(const char *url);
extern char *vsm_fetch(const char *url, const char *authorities, const atomic_bool *stop, Text *body, long *max_age_s);

#endif
