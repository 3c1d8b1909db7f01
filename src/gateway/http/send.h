/*
 * send.h
 *		Sends answers.
 */
#ifndef VSM_GATEWAY_SEND_H
#define VSM_GATEWAY_SEND_H

#include <microhttpd.h>

#include "api/request.h"

extern enum MHD_Result vsm_send(Request *request, bool last);

#endif
