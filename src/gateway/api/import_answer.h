/*
 * import_answer.h
 *		Answers a request whose import has ended.
 */
#ifndef VSM_GATEWAY_IMPORT_ANSWER_H
#define VSM_GATEWAY_IMPORT_ANSWER_H

#include "request.h"

extern bool vsm_import_answer(Request *request);

#endif
