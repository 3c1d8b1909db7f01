/*
 * errors.h
 *		Answers with errors from the database.
 */
#ifndef VSM_GATEWAY_ERRORS_H
#define VSM_GATEWAY_ERRORS_H

#include "request.h"

extern void vsm_say_error(Request *request, const Job *job, const PGresult *error);

#endif
