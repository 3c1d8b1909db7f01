/*
 * http.c
 *		Clients, their requests, and the end of both.
 *
 * libmicrohttpd has no thread of its own: the working thread (pool.c) calls
 * vsm_http_run() whenever a client has something or a job is done.  A request that
 * needs the database is suspended until its job is done, so nothing here waits.
 *
 * libmicrohttpd leaves clients that are silent.  Those that send their headers or
 * bodies drop by drop are left by vsm_http_sweep(), which the main thread calls
 * every second: it shuts the socket down, and the working thread finds it closed.
 * The lock covers the list of clients, whose times both threads read.
 */
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "options.h"
#include "request.h"
#include "stats.h"

#define BACKLOG 1024
#define LEAST_ROOM 512			/* that a connection's memory must have beside the request line */

typedef struct Client
{
	struct Client *next;
	struct Client **place;		/* that points to this one */
	int			socket;
	int64_t		waiting_us;		/* since when for the next request's headers; 0: they are there */
	Request    *request;		/* that was begun and not ended */
} Client;

static struct
{
	struct MHD_Daemon *daemon;
	int			socket;
	char	   *url;
	atomic_bool draining;
	bool		quiet;			/* the listening socket was closed */
	atomic_int	running;
	atomic_int	clients;
	pthread_mutex_t lock;
	Client	   *list;
} http = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void note_url(void);
static void fail_to_start(const char *what, const char *why);
static void *begin_request(void *unused, const char *target, struct MHD_Connection *client);
static void hide_query(const char *query);
static size_t leave_escapes(void *unused, struct MHD_Connection *client, char *text);
static enum MHD_Result handle(void *unused, struct MHD_Connection *client, const char *url, const char *method,
							  const char *version, const char *bytes, size_t *length, void **context);
static void take_headers(Request *request, const char *method);
static void take_id(Request *request, const char *given);
static void end_request(void *unused, struct MHD_Connection *client, void **context, enum MHD_RequestTerminationCode how);
static void free_request(Request *request);
static void log_request(const Request *request, int64_t duration_us);
static void note_client(void *unused, struct MHD_Connection *client, void **context, enum MHD_ConnectionNotificationCode what);
static Client *client_of(struct MHD_Connection *client);
static void note_waiting(struct MHD_Connection *client, bool waiting);
static void log_message(void *unused, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));

/* ---- Start and end ---- */

/*
 * vsm_http_listen
 *		Take the address; nobody is answered yet.  Ends the program when it cannot be had.
 */
void
vsm_http_listen(void)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
	struct addrinfo *address;
	char		port[16];
	const int	yes = 1;
	int			error;

	snprintf(port, sizeof port, "%d", vsm_options.port);
	error = getaddrinfo(vsm_options.host, port, &hints, &address);
	if (error != 0)
		fail_to_start("address", gai_strerror(error));
	http.socket = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->ai_protocol);
	if (http.socket < 0 || setsockopt(http.socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0 ||
		bind(http.socket, address->ai_addr, address->ai_addrlen) < 0 || listen(http.socket, BACKLOG) < 0)
		fail_to_start("socket", strerror(errno));
	freeaddrinfo(address);
	note_url();
}

static void
note_url(void)
{
	struct sockaddr_storage address;
	socklen_t	length = sizeof address;
	char		host[NI_MAXHOST];
	char		port[NI_MAXSERV];

	if (getsockname(http.socket, (struct sockaddr *) &address, &length) < 0 ||
		getnameinfo((struct sockaddr *) &address, length, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		fail_to_start("socket", strerror(errno));
	http.url = vsm_format(strchr(host, ':') != NULL ? "%s://[%s]:%s" : "%s://%s:%s",
						  vsm_options.tls_certificate != NULL ? "https" : "http", host, port);
}

const char *
vsm_http_url(void)
{
	return http.url;
}

static void
fail_to_start(const char *what, const char *why)
{
	vsm_log_text(LOG_LEVEL_ERROR, "cannot_listen", what, why);
	exit(1);
}

void
vsm_http_start(void)
{
	struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_MEM_CERT, 0, vsm_options.tls_certificate},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, vsm_options.tls_key},
		{MHD_OPTION_END, 0, NULL}
	};
	unsigned int flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_TURBO;

	if (vsm_options.tls_certificate != NULL)
		flags |= MHD_USE_TLS;
	else
		tls[0].option = MHD_OPTION_END;
	http.daemon = MHD_start_daemon(flags, 0, NULL, NULL, handle, NULL,
								   MHD_OPTION_EXTERNAL_LOGGER, log_message, NULL,
								   MHD_OPTION_LISTEN_SOCKET, http.socket,
								   MHD_OPTION_URI_LOG_CALLBACK, begin_request, NULL,
								   MHD_OPTION_UNESCAPE_CALLBACK, leave_escapes, NULL,
								   MHD_OPTION_NOTIFY_COMPLETED, end_request, NULL,
								   MHD_OPTION_NOTIFY_CONNECTION, note_client, NULL,
								   MHD_OPTION_CONNECTION_LIMIT, (unsigned int) vsm_options.max_connections,
								   MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int) vsm_options.idle_timeout_s,
								   MHD_OPTION_CONNECTION_MEMORY_LIMIT, vsm_options.max_header_bytes,
								   MHD_OPTION_STRICT_FOR_CLIENT, 1,
								   MHD_OPTION_ARRAY, tls,
								   MHD_OPTION_END);
	if (http.daemon == NULL)
		fail_to_start("http", "libmicrohttpd does not start; its reason is in the lines above");
}

/* Readable when a client has something. */
int
vsm_http_fd(void)
{
	return MHD_get_daemon_info(http.daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

/* Milliseconds after which vsm_http_run() is due without that; -1: never. */
int
vsm_http_timeout_ms(void)
{
	MHD_UNSIGNED_LONG_LONG ms;

	if (MHD_get_timeout(http.daemon, &ms) != MHD_YES)
		return -1;
	return ms > INT32_MAX ? INT32_MAX : (int) ms;
}

/* Serve whoever is ready, also those whose job is done. */
void
vsm_http_run(void)
{
	if (http.draining && !http.quiet)
	{
		MHD_socket	socket = MHD_quiesce_daemon(http.daemon);

		http.quiet = true;
		if (socket != MHD_INVALID_SOCKET)
			close(socket);
	}
	MHD_run(http.daemon);
}

/* From the next vsm_http_run() on: no new clients; those that are there get their answers, and are then left. */
void
vsm_http_drain(void)
{
	http.draining = true;
}

bool
vsm_http_draining(void)
{
	return http.draining;
}

/* Requests that have no answer yet. */
int
vsm_http_running(void)
{
	return http.running;
}

int
vsm_http_clients(void)
{
	return http.clients;
}

/* No request may wait for the database any more. */
void
vsm_http_stop(void)
{
	MHD_stop_daemon(http.daemon);
	free(http.url);
}

/* ---- Requests ---- */

/* The request line is there.  What this returns is the request's context until end_request(). */
static void *
begin_request(void *unused, const char *target, struct MHD_Connection *client)
{
	Request    *request = vsm_alloc(sizeof *request);
	const char *query;

	(void) unused;
	request->client = client;
	request->target = vsm_copy(target);
	query = strchr(request->target, '?');
	request->path_length = query == NULL ? strlen(request->target) : (size_t) (query - request->target);
	request->query = query == NULL ? "" : query + 1;
	request->started_us = vsm_now_us();
	http.running++;
	client_of(client)->request = request;
	hide_query(target + request->path_length);
	/* Nor would it find room for that one. */
	if (strlen(target) + LEAST_ROOM > vsm_options.max_header_bytes)
		shutdown(client_of(client)->socket, SHUT_RDWR);
	return request;
}

/*
 * hide_query
 *		Leave libmicrohttpd one parameter to parse at most; query.c parses them all.
 *
 * It would put each parameter into the connection's memory, and when 0.9.75 has
 * filled that it neither answers nor closes.  The text is its own buffer.
 */
static void
hide_query(const char *query)
{
	for (char *c = (char *) (uintptr_t) query; *c != '\0'; c++)
		if (*c == '?' || *c == '&')
			*c = '_';
}

/* The path is taken from the request line, by routes.c; libmicrohttpd 1.0 would answer escapes that are none by itself. */
static size_t
leave_escapes(void *unused, struct MHD_Connection *client, char *text)
{
	(void) unused;
	(void) client;
	return strlen(text);
}

static enum MHD_Result
handle(void *unused, struct MHD_Connection *client, const char *url, const char *method,
	   const char *version, const char *bytes, size_t *length, void **context)
{
	Request    *request = *context;

	(void) unused;
	(void) client;
	(void) url;
	(void) version;
	if (!request->begun)
	{
		take_headers(request, method);
		return MHD_YES;
	}
	if (*length > 0)
		return vsm_handle_receive(request, bytes, length) ? MHD_YES : MHD_NO;
	if (request->phase == PHASE_RECEIVE)
	{
		request->phase = PHASE_RECEIVED;
		return vsm_handle_received(request);
	}
	return vsm_handle_outcome(request);
}

static void
take_headers(Request *request, const char *method)
{
	const char *expect = vsm_request_header(request, MHD_HTTP_HEADER_EXPECT);

	request->begun = true;
	request->method = method;
	note_waiting(request->client, false);
	take_id(request, vsm_request_header(request, "X-Request-Id"));
	vsm_handle_begin(request);
	/* Whoever asks before sending a body need not send it in vain. */
	if (request->refuse != NULL && expect != NULL)
	{
		request->last = true;
		request->refuse(request);
	}
}

/* The client's, if it can stand in a log, or a new one. */
static void
take_id(Request *request, const char *given)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t		length = given == NULL ? 0 : strlen(given);

	if (length > 0 && length <= MAX_REQUEST_ID && strspn(given, allowed) == length)
		memcpy(request->id, given, length + 1);
	else
		snprintf(request->id, sizeof request->id, "%016llx", (unsigned long long) vsm_random());
}

const char *
vsm_request_header(Request *request, const char *name)
{
	return MHD_lookup_connection_value(request->client, MHD_HEADER_KIND, name);
}

/* Answered, or the client has gone. */
static void
end_request(void *unused, struct MHD_Connection *client, void **context, enum MHD_RequestTerminationCode how)
{
	Request    *request = *context;
	int64_t		duration_us;

	(void) unused;
	if (request == NULL)
		return;
	duration_us = vsm_now_us() - request->started_us;
	if (request->status == 0 || how != MHD_REQUEST_TERMINATED_COMPLETED_OK)
		request->status = request->status == 0 ? 499 : request->status;
	if (request->begun)
	{
		vsm_stats_count(request->match.path, request->method, request->status, duration_us);
		log_request(request, duration_us);
	}
	note_waiting(client, true);
	client_of(client)->request = NULL;
	free_request(request);
	*context = NULL;
}

static void
free_request(Request *request)
{
	if (request->import != NULL)
		vsm_import_release(request->import);
	PQclear(request->job.result);
	vsm_rows_free(request->rows);
	vsm_text_free(&request->copy);
	vsm_text_free(&request->body);
	vsm_values_free(&request->values);
	vsm_identity_free(&request->who);
	for (int i = 0; i < request->n_headers; i++)
		free(request->headers[i].value);
	free(request->target);
	free(request);
	http.running--;
}

static void
log_request(const Request *request, int64_t duration_us)
{
	Text		method = {0};

	if (vsm_options.log_requests == LOG_REQUESTS_NONE ||
		(vsm_options.log_requests == LOG_REQUESTS_ERRORS && request->status < 500))
		return;
	vsm_text_json(&method, request->method, strlen(request->method));
	vsm_log(LOG_LEVEL_INFO, "request", "\"request_id\":\"%s\",\"method\":%s,\"route\":\"%s\",\"status\":%d,\"duration_ms\":%lld.%03lld",
			request->id, method.data, request->match.path == NULL ? "" : request->match.path->path, request->status,
			(long long) duration_us / 1000, (long long) duration_us % 1000);
	vsm_text_free(&method);
}

/* ---- Clients ---- */

static void
note_client(void *unused, struct MHD_Connection *client, void **context, enum MHD_ConnectionNotificationCode what)
{
	Client	   *noted = *context;

	(void) unused;
	pthread_mutex_lock(&http.lock);
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
	{
		noted = vsm_alloc(sizeof *noted);
		noted->socket = MHD_get_connection_info(client, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		noted->waiting_us = vsm_now_us();
		noted->next = http.list;
		noted->place = &http.list;
		if (noted->next != NULL)
			noted->next->place = &noted->next;
		http.list = noted;
		*context = noted;
		http.clients++;
	}
	else if (noted != NULL)
	{
		*noted->place = noted->next;
		if (noted->next != NULL)
			noted->next->place = noted->place;
		/* One that libmicrohttpd refused by itself: it does not say that it ended. */
		if (noted->request != NULL)
			free_request(noted->request);
		free(noted);
		*context = NULL;
		http.clients--;
	}
	pthread_mutex_unlock(&http.lock);
}

static Client *
client_of(struct MHD_Connection *client)
{
	return MHD_get_connection_info(client, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static void
note_waiting(struct MHD_Connection *client, bool waiting)
{
	Client	   *noted = client_of(client);

	pthread_mutex_lock(&http.lock);
	if (noted != NULL)
		noted->waiting_us = waiting ? vsm_now_us() : 0;
	pthread_mutex_unlock(&http.lock);
}

/*
 * vsm_http_sweep
 *		Leave clients whose headers have been coming for too long.
 *
 * One that waits for longer than the idle timeout cannot be idle, or libmicrohttpd
 * would have left it: it must be sending drops.
 */
void
vsm_http_sweep(void)
{
	int64_t		limit_us = ((int64_t) vsm_options.idle_timeout_s + vsm_options.body_timeout_s) * 1000000;
	int64_t		now_us = vsm_now_us();

	pthread_mutex_lock(&http.lock);
	for (Client *client = http.list; client != NULL; client = client->next)
		if (client->waiting_us != 0 && now_us - client->waiting_us > limit_us)
			shutdown(client->socket, SHUT_RDWR);
	pthread_mutex_unlock(&http.lock);
}

static void
log_message(void *unused, const char *format, va_list arguments)
{
	char		message[512];

	(void) unused;
	vsnprintf(message, sizeof message, format, arguments);
	vsm_log_text(LOG_LEVEL_DEBUG, "http", "message", message);
}
