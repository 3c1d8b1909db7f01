/*
 * answer.h
 *		Sets the answers to requests.
 */
#ifndef VSM_GATEWAY_ANSWER_H
#define VSM_GATEWAY_ANSWER_H

#include "request.h"

extern void vsm_answer(Request *request, int status, const char *type, Text *body);
extern void vsm_answer_constant(Request *request, int status, const char *type, const char *body, size_t length);
extern void vsm_answer_result(Request *request, int status, PGresult *result);
extern void vsm_answer_json(Request *request, int status, const json_t *body);
extern void vsm_answer_error(Request *request, int status, const char *code, const char *hint, const char *detail);
extern void vsm_answer_unavailable(Request *request, const char *detail);
extern void vsm_answer_header(Request *request, const char *name, const char *value);
extern bool vsm_accepts_rather(const Request *request, const char *type, const char *other);

#endif
