/*
 * handle.h
 *		What is to be done for a request, and what to say when it is done.
 *
 * Each sets an answer, or suspends the client until the job has ended.
 */
#ifndef VSM_GATEWAY_HANDLE_H
#define VSM_GATEWAY_HANDLE_H

#include "request.h"

extern bool vsm_handle_receive(Request *request, const char *bytes, size_t *length);
extern void vsm_handle_received(Request *request);
extern void vsm_handle_outcome(Request *request);

#endif
