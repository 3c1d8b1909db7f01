/*
 * hints.h
 *		Hints of the database in the words of HTTP.
 */
#ifndef VSM_GATEWAY_HINTS_H
#define VSM_GATEWAY_HINTS_H

extern char *vsm_http_hint(const char *hint);

#endif
