/*
 * http.h
 *		Serves HTTP: clients and their requests, with libmicrohttpd.
 *
 * The working thread calls run, fd and timeout_ms; the main thread calls all others.
 */
#ifndef VSM_GATEWAY_HTTP_H
#define VSM_GATEWAY_HTTP_H

extern void vsm_http_listen(void);
extern void vsm_http_start(void);
extern const char *vsm_http_url(void);
extern int	vsm_http_fd(void);
extern int	vsm_http_timeout_ms(void);
extern void vsm_http_run(void);
extern void vsm_http_drain(void);
extern void vsm_http_stop(void);

#endif
