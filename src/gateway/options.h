/*
 * options.h
 *		Options from the command line and the environment.
 */
#ifndef VSM_GATEWAY_OPTIONS_H
#define VSM_GATEWAY_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* How much of the pool and of the server's time a request may take. */
typedef enum Class
{
	CLASS_FAST,
	CLASS_SLOW,
	CLASS_IMPORT
} Class;

#define N_CLASSES 3

typedef enum RequestLog
{
	LOG_REQUESTS_ALL,
	LOG_REQUESTS_ERRORS,
	LOG_REQUESTS_NONE
} RequestLog;

typedef struct Options
{
	const char *host;
	int			port;
	char	   *conninfo;		/* holds a password: never logged */
	bool		insecure;

	int			pool_size;
	int			queue_size;
	int			queue_timeout_ms;
	int			connect_timeout_ms;
	int			statement_timeout_ms[N_CLASSES];

	int			max_connections;
	int			max_address_connections;
	int			idle_timeout_s;
	int			header_timeout_s;
	int			body_timeout_s;
	int			min_rate;		/* bytes per second */
	size_t		max_body_bytes;
	size_t		max_header_bytes;
	size_t		max_import_bytes;
	const char *spool_dir;		/* NULL: the usual ones */
	int			drain_timeout_s;
	int			fold_interval_s;	/* 0: never */
	const char *fold_role;		/* NULL: the user of the connection */

	char	   *jwt_secret;
	const char *jwt_public_key_file;
	const char *jwks_file;
	const char *jwks_url;
	const char *jwks_ca_file;
	const char *jwt_audience;
	const char *jwt_issuer;
	const char *jwt_role_claim;
	const char *jwt_actor_claim;	/* paths, separated by commas */
	const char *anonymous_role;

	char	   *allowed_hosts;	/* separated by commas, or *; NULL: only localhost and host */
	const char *cors_origins;	/* separated by commas, or *; NULL: none */
	char	   *tls_certificate;
	char	   *tls_key;
	RequestLog	log_requests;
	bool		debug;
} Options;

extern Options vsm_options;

extern void vsm_options_read(int argc, char **argv);
extern bool vsm_options_auth(void);
extern void vsm_options_refuse(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
