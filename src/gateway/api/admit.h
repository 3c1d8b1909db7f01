/*
 * admit.h
 *		What can be refused before the body of a request is there.
 */
#ifndef VSM_GATEWAY_ADMIT_H
#define VSM_GATEWAY_ADMIT_H

#include "request.h"

extern void vsm_admit(Request *request);
extern void vsm_admit_again(Request *request);
extern void vsm_refuse_size(Request *request);
extern void vsm_refuse_import_size(Request *request);

#endif
