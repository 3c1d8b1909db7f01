/*
 * http.h
 *		The http thread: clients, their requests, and the end of both.
 */
#ifndef VSM_GATEWAY_HTTP_H
#define VSM_GATEWAY_HTTP_H

extern void vsm_http_listen(void);
extern void vsm_http_start(void);
extern const char *vsm_http_url(void);
extern void vsm_http_sweep(void);
extern void vsm_http_drain(void);
extern int	vsm_http_running(void);
extern int	vsm_http_clients(void);
extern void vsm_http_stop(void);

#endif
