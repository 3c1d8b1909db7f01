/*
 * hosts.h
 *		Checks that a request names a host of this service.
 */
#ifndef VSM_GATEWAY_HOSTS_H
#define VSM_GATEWAY_HOSTS_H

#include <stdbool.h>

extern bool vsm_host_is_ours(const char *host);

#endif
