/*
 * hosts.h
 *		Is the host that a request names one of ours?
 */
#ifndef VSM_GATEWAY_HOSTS_H
#define VSM_GATEWAY_HOSTS_H

#include <stdbool.h>

extern bool vsm_host_is_ours(const char *host);

#endif
