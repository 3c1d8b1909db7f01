/*
 * notify.h
 *		Tells systemd the state of a service with Type=notify.
 */
#ifndef VSM_GATEWAY_NOTIFY_H
#define VSM_GATEWAY_NOTIFY_H

extern void vsm_notify(const char *state);

#endif
