/*
 * notify.h
 *		What systemd wants to hear of a service of Type=notify.
 */
#ifndef VSM_GATEWAY_NOTIFY_H
#define VSM_GATEWAY_NOTIFY_H

extern void vsm_notify(const char *state);

#endif
