/*
 * http.c
 *		Serves HTTP: clients and their requests, with libmicrohttpd.
 *
 * libmicrohttpd has no thread of its own.  The working thread (db/pool.c) calls vsm_http_run()
 * when a client has sent something or a job is done.  A request that needs the database is
 * suspended until its job is done, so no function here blocks.
 *
 * Every byte from a client passes through clients.c first.
 */
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/admit.h"
#include "api/door.h"
#include "api/handle.h"
#include "api/stats.h"
#include "background.h"
#include "clients.h"
#include "log.h"
#include "options.h"
#include "send.h"
#include "tokens/key_source.h"

#define BACKLOG 1024
#define ROOM_PER_FIELD 96		/* that libmicrohttpd needs for a header in a connection's memory */
#define ROOM_FOR_ANSWER 8192
#define REFUSED_AT_A_TIME 64	/* connections beyond the limit that get a 503 */
#define SWEEP_MS 500

static struct
{
	struct MHD_Daemon *daemon;
	int			socket;
	int			epoll;			/* of the daemon's own, of the background, and of the keys of tokens */
	char	   *url;
	atomic_bool draining;
	bool		quiet;			/* the listening socket was closed */
	int64_t		swept_us;
} http;

static void note_url(void);
static void watch(int fd);
static size_t memory_of_connection(void);
static void fail_to_start(const char *what, const char *why);
static void *begin_request(void *unused, const char *target, struct MHD_Connection *client);
static void take_target(Request *request, const char *target);
static void hide_query(const char *query);
static size_t leave_escapes(void *unused, struct MHD_Connection *client, char *text);
static enum MHD_Result handle(void *unused, struct MHD_Connection *client, const char *url, const char *method,
							  const char *version, const char *bytes, size_t *length, void **context);
static bool has_body(const Request *request);
static void take_headers(Request *request, const char *method);
static void take_id(Request *request, const char *given);
static void end_request(void *unused, struct MHD_Connection *client, void **context, enum MHD_RequestTerminationCode how);
static void log_request(const Request *request, int64_t duration_us);
static void log_message(void *unused, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));

static const char *client_header(void *client, const char *name);
static void suspend_client(void *client);
static void resume_client(void *client);
static const void *client_address(void *client);
static bool is_draining(void);

static const Door door = {client_header, suspend_client, resume_client, client_address, vsm_clients_count, is_draining};

/* ---- Start and end ---- */

/*
 * vsm_http_listen
 *		Bind the address and listen.  Exits if that fails.
 *
 * Clients are not served before vsm_http_start().
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

	vsm_door = door;
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
								   MHD_OPTION_NOTIFY_CONNECTION, vsm_client_notify, NULL,
								   MHD_OPTION_CONNECTION_LIMIT, (unsigned int) (vsm_options.max_connections + REFUSED_AT_A_TIME),
								   MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int) (vsm_options.idle_timeout_s + 2),
								   MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory_of_connection(),
								   MHD_OPTION_STRICT_FOR_CLIENT, 1,
								   MHD_OPTION_ARRAY, tls,
								   MHD_OPTION_END);
	if (http.daemon == NULL)
		fail_to_start("http", "could not start libmicrohttpd; the log lines above give the reason");
	http.epoll = epoll_create1(EPOLL_CLOEXEC);
	watch(MHD_get_daemon_info(http.daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
	watch(vsm_background_fd());
	if (vsm_keys_fd() >= 0)
		watch(vsm_keys_fd());
}

/*
 * memory_of_connection
 *		Enough memory that libmicrohttpd never refuses a request that framing.c accepts.
 *
 * One half holds the bytes read.  The other half holds the parsed headers and the headers of the
 * answer.  Unused memory is not resident.
 */
static size_t
memory_of_connection(void)
{
	return 2 * (vsm_options.max_header_bytes + MAX_FIELDS * ROOM_PER_FIELD + ROOM_FOR_ANSWER);
}

/* A file descriptor that is readable when a client has sent something, or keys of tokens have arrived. */
int
vsm_http_fd(void)
{
	return http.epoll;
}

static void
watch(int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	if (epoll_ctl(http.epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		fail_to_start("epoll", strerror(errno));
}

/* Milliseconds until vsm_http_run() must be called even without input; -1: never. */
int
vsm_http_timeout_ms(void)
{
	MHD_UNSIGNED_LONG_LONG ms;

	if (vsm_clients_count() == 0)
		return -1;
	return MHD_get_timeout(http.daemon, &ms) == MHD_YES && ms < SWEEP_MS ? (int) ms : SWEEP_MS;
}

/* Serve the clients that are ready, and those whose job is done. */
void
vsm_http_run(void)
{
	int64_t		now_us = vsm_now_us();

	if (http.draining && !http.quiet)
	{
		MHD_socket	socket = MHD_quiesce_daemon(http.daemon);

		http.quiet = true;
		if (socket != MHD_INVALID_SOCKET)
			close(socket);
	}
	if (now_us - http.swept_us >= SWEEP_MS * 1000)
	{
		http.swept_us = now_us;
		vsm_clients_sweep(now_us);
	}
	vsm_keys_run();
	vsm_background_run();
	MHD_run(http.daemon);
}

/*
 * vsm_http_drain
 *		From the next vsm_http_run() on, accept no new clients.
 *
 * Connected clients get their answers; then their connections are closed.
 */
void
vsm_http_drain(void)
{
	http.draining = true;
}

static bool
is_draining(void)
{
	return http.draining;
}

/* To be called when no request waits for the database any more. */
void
vsm_http_stop(void)
{
	MHD_stop_daemon(http.daemon);
	free(http.url);
}

/* ---- Requests ---- */

/* The request line has arrived.  Returns the request's context until end_request(). */
static void *
begin_request(void *unused, const char *target, struct MHD_Connection *client)
{
	Request    *request = vsm_request_new(client);
	const char *query;

	(void) unused;
	take_target(request, target);
	query = strchr(request->target, '?');
	request->path_length = query == NULL ? strlen(request->target) : (size_t) (query - request->target);
	request->query = query == NULL ? "" : query + 1;
	vsm_client_of(client)->request = request;
	hide_query(target + strcspn(target, "?"));
	return request;
}

/* The host of http://host/path overrides the Host header (RFC 9112, section 3.2.2). */
static void
take_target(Request *request, const char *target)
{
	const char *host = target[0] == '/' ? NULL : strstr(target, "://");
	size_t		length;

	if (host == NULL)
	{
		request->target = vsm_copy(target);
		return;
	}
	host += 3;
	length = strcspn(host, "/?");
	request->host = vsm_copy_n(host, length);
	request->target = host[length] == '/' ? vsm_copy(host + length) : vsm_format("/%s", host + length);
}

/*
 * hide_query
 *		Leave libmicrohttpd at most one parameter to parse; query.c parses the whole query.
 *
 * libmicrohttpd would store each parameter in the connection's memory.  The text changed here is
 * libmicrohttpd's own buffer.
 */
static void
hide_query(const char *query)
{
	for (char *c = (char *) (uintptr_t) query; *c != '\0'; c++)
		if (*c == '?' || *c == '&')
			*c = '_';
}

/* routes.c decodes the path; libmicrohttpd 1.0 would itself answer malformed escapes. */
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
		/* A libmicrohttpd that does not read through clients.c would get unchecked requests. */
		if (vsm_client_of(client)->framing.started == 0)
			fail_to_start("http", "libmicrohttpd does not read with recv() or gnutls_record_recv()");
		take_headers(request, method);
		return MHD_YES;
	}
	if (request->phase == PHASE_KEYS)
	{
		vsm_admit_again(request);
		/* libmicrohttpd repeats the call for which the client was suspended; the body is yet to come. */
		if (*length == 0 && has_body(request))
			return MHD_YES;
	}
	if (*length > 0)
		return vsm_handle_receive(request, bytes, length) ? MHD_YES : MHD_NO;
	if (request->phase == PHASE_RECEIVE)
	{
		request->phase = PHASE_RECEIVED;
		vsm_handle_received(request);
	}
	else
		vsm_handle_outcome(request);
	/* A client without an answer is suspended. */
	return request->answer.status != 0 ? vsm_send(request, http.draining) : MHD_YES;
}

static bool
has_body(const Request *request)
{
	const char *length = vsm_request_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return vsm_request_header(request, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL ||
		(length != NULL && strtoull(length, NULL, 10) > 0);
}

static void
take_headers(Request *request, const char *method)
{
	const char *expect = vsm_request_header(request, MHD_HTTP_HEADER_EXPECT);

	request->begun = true;
	request->method = method;
	take_id(request, vsm_request_header(request, "X-Request-Id"));
	vsm_admit(request);
	/* Answer at once if the client asked before sending the body, or the body is too long. */
	if (request->refuse != NULL && (expect != NULL || request->too_long))
	{
		request->last = true;
		request->refuse(request);
		(void) vsm_send(request, http.draining);
	}
}

/* Use the client's id if it is safe to log, otherwise a new one. */
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

/* The request was answered, or the client has disconnected.  Status 499 means no answer. */
static void
end_request(void *unused, struct MHD_Connection *client, void **context, enum MHD_RequestTerminationCode how)
{
	Request    *request = *context;
	int64_t		duration_us;

	(void) unused;
	if (request == NULL)
		return;
	duration_us = vsm_now_us() - request->started_us;
	if (request->answer.status == 0 || how != MHD_REQUEST_TERMINATED_COMPLETED_OK)
		request->answer.status = request->answer.status == 0 ? 499 : request->answer.status;
	if (request->begun)
	{
		vsm_stats_count(request->match.path, request->method, request->answer.status, duration_us);
		log_request(request, duration_us);
	}
	vsm_request_free(request);
	*context = NULL;
	vsm_client_ended(vsm_client_of(client));
}

static void
log_request(const Request *request, int64_t duration_us)
{
	Text		method = {0};

	if (vsm_options.log_requests == LOG_REQUESTS_NONE ||
		(vsm_options.log_requests == LOG_REQUESTS_ERRORS && request->answer.status < 500))
		return;
	vsm_text_json(&method, request->method, strlen(request->method));
	vsm_log(LOG_LEVEL_INFO, "request", "\"request_id\":\"%s\",\"method\":%s,\"route\":\"%s\",\"status\":%d,\"duration_ms\":%lld.%03lld",
			request->id, method.data, request->match.path == NULL ? "" : request->match.path->path, request->answer.status,
			(long long) duration_us / 1000, (long long) duration_us % 1000);
	vsm_text_free(&method);
}

/* ---- Log ---- */

static void
log_message(void *unused, const char *format, va_list arguments)
{
	char		message[512];

	(void) unused;
	vsnprintf(message, sizeof message, format, arguments);
	vsm_log_text(LOG_LEVEL_DEBUG, "http", "message", message);
}

/* ---- Callbacks for the layer below (door.h) ---- */

static const char *
client_header(void *client, const char *name)
{
	return MHD_lookup_connection_value(client, MHD_HEADER_KIND, name);
}

static void
suspend_client(void *client)
{
	MHD_suspend_connection(client);
}

static void
resume_client(void *client)
{
	MHD_resume_connection(client);
}

static const void *
client_address(void *client)
{
	return vsm_client_of(client)->peer;
}
