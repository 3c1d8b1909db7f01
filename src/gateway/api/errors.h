/*
 * errors.h
 *		What a client is told of the database's errors.
 */
#ifndef VSM_GATEWAY_ERRORS_H
#define VSM_GATEWAY_ERRORS_H

#include "request.h"

extern void vsm_say_error(Request *request, const Job *job, const PGresult *error);

#endif
