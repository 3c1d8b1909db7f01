/*
 * clients.c
 *		Client connections: what each may send, how many are allowed, and for how long.
 *
 * libmicrohttpd has no hook for the bytes that it reads, nor for the answers that it makes itself.
 * It reads with recv(), or with TLS with gnutls_record_recv().  The dynamic linker finds the
 * definitions of both in this file first.  They pass every byte of a client to framing.c and leave
 * all other sockets alone.  A refused client gets its answer from this file, after its earlier
 * requests have got theirs.  What the client sends from then on is read and discarded, because
 * closing the socket with unread data would reset the connection and lose the answer.  The
 * connection is closed after LINGER_US.
 *
 * vsm_clients_sweep() closes connections that exceed these limits:
 *	 between requests    --idle-timeout
 *	 headers             --header-timeout in total
 *	 body                --body-timeout in total; an import: --min-rate in each interval of that
 *	                     length; in both cases --idle-timeout without a byte
 *	 reading an answer   --idle-timeout plus the time that its length takes at --min-rate
 * The time in which the database works, or in which an import waits for it, does not count.  Each
 * address (for IPv6, each /64 network) may have --max-connections-per-address connections.
 *
 * All functions here run in the working thread, except that recv() and gnutls_record_recv() serve
 * every library of the program.
 */
#include "clients.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "api/request.h"
#include "api/stats.h"
#include "log.h"
#include "options.h"

#define LINGER_US 2000000
#define MAX_DISCARDED (1024 * 1024)	/* bytes at a time */
#define TLS_AGAIN (-28)			/* GNUTLS_E_AGAIN */
#define N_PEERS 1024			/* buckets of the hash table */

typedef struct Peer
{
	struct Peer *next;
	unsigned char address[16];
	unsigned int place;			/* in the hash table */
	int			connections;
} Peer;

typedef ssize_t (*TlsReceive)(void *session, void *buffer, size_t size);
typedef ssize_t (*TlsSend)(void *session, const void *bytes, size_t length);

static _Thread_local bool working; /* this thread has the clients; other threads' libraries call recv(), too */
static Client *list;
static int	n_clients;
static Client **by_socket;
static int	n_sockets;
static Peer *peers[N_PEERS];

extern ssize_t gnutls_record_recv(void *session, void *buffer, size_t size);

static Client *start(struct MHD_Connection *connection);
static void end(Client *client);
static Peer *peer_of(const struct sockaddr *address);
static void leave_peer(Peer *peer);
static bool has_ended(const Client *client);
static ssize_t receive(Client *client, char *bytes, ssize_t n);
static ssize_t discard(const Client *client);
static ssize_t again(const Client *client);
static void refuse(Client *client, const Refusal *refusal);
static void say_refusal(Client *client);
static void send_refusal(const Client *client, const Refusal *refusal);
static void leave(const Client *client);
static void check_time(Client *client, int64_t now_us);
static void check_phase(Client *client, int64_t now_us);
static bool is_slow(Client *client, int64_t now_us);
static int64_t seconds(int64_t s);

/* ---- Reading for libmicrohttpd ---- */

ssize_t
recv(int fd, void *buffer, size_t size, int flags)
{
	ssize_t		n = recvfrom(fd, buffer, size, flags, NULL, NULL);
	Client	   *client = working && fd >= 0 && fd < n_sockets ? by_socket[fd] : NULL;

	/* With TLS these bytes are encrypted; gnutls_record_recv() checks the plain ones. */
	if (client == NULL || client->tls != NULL || n < 0)
		return n;
	if (n > 0)
		n = receive(client, buffer, n);
	if (client->framing.phase != FRAMING_IDLE && client->refused_us == 0 && has_ended(client))
	{
		refuse(client, &vsm_refuse_incomplete);
		leave(client);
	}
	return n;
}

/* epoll reports the end only once, so libmicrohttpd might not read again to find it. */
static bool
has_ended(const Client *client)
{
	char		byte;

	return recvfrom(client->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT, NULL, NULL) == 0;
}

ssize_t
gnutls_record_recv(void *session, void *buffer, size_t size)
{
	static TlsReceive real;
	ssize_t		n;

	if (real == NULL && (real = (TlsReceive) dlsym(RTLD_NEXT, "gnutls_record_recv")) == NULL)
		abort();
	n = real(session, buffer, size);
	for (Client *client = working ? list : NULL; client != NULL && n > 0; client = client->next)
		if (client->tls == session)
			return receive(client, buffer, n);
	return n;
}

static ssize_t
receive(Client *client, char *bytes, ssize_t n)
{
	FramingPhase phase = client->framing.phase;
	unsigned int started = client->framing.started;
	const Refusal *refusal;
	size_t		passed;

	if (client->refused_us != 0)
		return discard(client);
	client->last_us = vsm_now_us();
	client->window_bytes += (size_t) n;
	passed = vsm_framing_check(&client->framing, bytes, (size_t) n, vsm_options.max_header_bytes);
	if (client->framing.phase != phase || client->framing.started != started)
	{
		client->since_us = client->window_us = client->last_us;
		client->window_bytes = 0;
	}
	refusal = client->framing.refusal;
	if (refusal != NULL)
		refuse(client, refusal);
	return passed > 0 ? (ssize_t) passed : again(client);
}

/* Discard everything that has arrived, since epoll does not report it again. */
static ssize_t
discard(const Client *client)
{
	static char sink[65536];
	ssize_t		n = 1;

	for (size_t all = 0; client->tls == NULL && n > 0 && all < MAX_DISCARDED; all += (size_t) n)
		n = recvfrom(client->socket, sink, sizeof sink, MSG_DONTWAIT, NULL, NULL);
	return client->tls != NULL || (n < 0 && errno == EAGAIN) ? again(client) : 0;
}

/* Report "nothing to read now" as recv() or gnutls_record_recv() does. */
static ssize_t
again(const Client *client)
{
	errno = EAGAIN;
	return client->tls != NULL ? TLS_AGAIN : -1;
}

/* ---- Refusals ---- */

static void
refuse(Client *client, const Refusal *refusal)
{
	client->framing.refusal = refusal;
	client->refused_us = vsm_now_us();
	if (client->request != NULL && client->request->import != NULL)
		vsm_import_abandon(client->request->import);
	say_refusal(client);
}

/* Waits for the answers to earlier requests.  A request that has an answer gets no refusal. */
static void
say_refusal(Client *client)
{
	int			before = (int) (client->framing.started - client->ended) - 1;

	if (client->said || before > 0)
		return;
	client->said = true;
	if (before == 0 && (client->request == NULL || client->request->answer.status == 0))
		send_refusal(client, client->framing.refusal);
	shutdown(client->socket, SHUT_WR);
}

/*
 * send_refusal
 *		Send an error of the same form as vsm_answer_error() makes.
 *
 * The answer is sent once and not retried: a socket without room for 500 bytes belongs to a client
 * that does not read.
 */
static void
send_refusal(const Client *client, const Refusal *refusal)
{
	Text		body = {0};
	Text		answer = {0};
	char		date[64];
	time_t		now = time(NULL);
	struct tm	utc;
	TlsSend		send_tls = client->tls == NULL ? NULL : (TlsSend) dlsym(RTLD_DEFAULT, "gnutls_record_send");

	gmtime_r(&now, &utc);
	strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
	vsm_text_addf(&body, "{\"detail\":\"%s\",\"code\":\"PT%d\"", refusal->detail, refusal->status);
	if (refusal->hint != NULL)
		vsm_text_addf(&body, ",\"hint\":\"%s\"", refusal->hint);
	vsm_text_addc(&body, '}');
	vsm_text_addf(&answer, "HTTP/1.1 %d %s\r\nDate: %s\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
						   "X-Content-Type-Options: nosniff\r\n",
				  refusal->status, refusal->reason, date, body.length);
	if (refusal->allow != NULL)
		vsm_text_addf(&answer, "Allow: %s\r\n", refusal->allow);
	if (refusal->status == 503)
		vsm_text_adds(&answer, "Retry-After: 1\r\n");
	vsm_text_addf(&answer, "\r\n%s", body.data);
	if (send_tls != NULL)
		send_tls(client->tls, answer.data, answer.length);
	else if (client->tls == NULL && send(client->socket, answer.data, answer.length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		vsm_log_text(LOG_LEVEL_DEBUG, "refusal_not_sent", "reason", strerror(errno));
	vsm_text_free(&answer);
	vsm_text_free(&body);
	vsm_stats_count(NULL, "other", refusal->status, 0);
	if (vsm_options.log_requests == LOG_REQUESTS_ALL || (vsm_options.log_requests == LOG_REQUESTS_ERRORS && refusal->status >= 500))
		vsm_log(LOG_LEVEL_INFO, "refused", "\"status\":%d,\"reason\":\"%s\"", refusal->status, refusal->detail);
}

/* Shut the socket down; libmicrohttpd then finds the connection closed. */
static void
leave(const Client *client)
{
	shutdown(client->socket, SHUT_RDWR);
}

/* ---- Start and end of connections ---- */

void
vsm_client_notify(void *unused, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode what)
{
	(void) unused;
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		*context = start(connection);
	else if (*context != NULL)
	{
		end(*context);
		*context = NULL;
	}
}

Client *
vsm_client_of(struct MHD_Connection *connection)
{
	return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

int
vsm_clients_count(void)
{
	return n_clients;
}

static Client *
start(struct MHD_Connection *connection)
{
	Client	   *client = vsm_alloc(sizeof *client);
	int			share = vsm_options.max_address_connections;

	working = true;
	client->socket = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	if (vsm_options.tls_certificate != NULL)
		client->tls = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;
	client->peer = peer_of(MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
	client->since_us = client->last_us = vsm_now_us();
	client->next = list;
	client->place = &list;
	if (list != NULL)
		list->place = &client->next;
	list = client;
	n_clients++;
	while (client->socket >= n_sockets)
	{
		int			n = n_sockets == 0 ? 256 : n_sockets * 2;

		by_socket = vsm_grow(by_socket, sizeof(Client *) * (size_t) n);
		memset(by_socket + n_sockets, 0, sizeof(Client *) * (size_t) (n - n_sockets));
		n_sockets = n;
	}
	by_socket[client->socket] = client;

	if (client->peer->connections > share || n_clients > vsm_options.max_connections)
	{
		client->framing.started = 1;
		refuse(client, client->peer->connections > share ? &vsm_refuse_address : &vsm_refuse_full);
	}
	return client;
}

static void
end(Client *client)
{
	*client->place = client->next;
	if (client->next != NULL)
		client->next->place = client->place;
	by_socket[client->socket] = NULL;
	/* libmicrohttpd does not report a request that ended before its headers were complete. */
	if (client->request != NULL)
		vsm_request_free(client->request);
	leave_peer(client->peer);
	free(client);
	n_clients--;
}

/* The client's oldest unanswered request has ended, with or without an answer. */
void
vsm_client_ended(Client *client)
{
	client->request = NULL;
	client->ended++;
	client->since_us = client->last_us = client->window_us = vsm_now_us();
	client->window_bytes = 0;
	if (client->refused_us != 0)
		say_refusal(client);
}

/* ---- Connections per address ---- */

/* Find or add the entry of an address, and count one connection more. */
static Peer *
peer_of(const struct sockaddr *address)
{
	unsigned char key[16] = {0};
	unsigned int hash = 2166136261u;	/* FNV-1a */
	Peer	  **place;

	if (address->sa_family == AF_INET6)
	{
		const struct in6_addr *ip = &((const struct sockaddr_in6 *) (const void *) address)->sin6_addr;

		memcpy(key, ip, IN6_IS_ADDR_V4MAPPED(ip) ? 16 : 8);
	}
	else if (address->sa_family == AF_INET)
		memcpy(key, &((const struct sockaddr_in *) (const void *) address)->sin_addr, 4);
	for (size_t i = 0; i < sizeof key; i++)
		hash = (hash ^ key[i]) * 16777619u;
	place = &peers[hash % N_PEERS];
	while (*place != NULL && memcmp((*place)->address, key, sizeof key) != 0)
		place = &(*place)->next;
	if (*place == NULL)
	{
		*place = vsm_alloc(sizeof(Peer));
		memcpy((*place)->address, key, sizeof key);
		(*place)->place = hash % N_PEERS;
	}
	(*place)->connections++;
	return *place;
}

static void
leave_peer(Peer *peer)
{
	Peer	  **place = &peers[peer->place];

	if (--peer->connections > 0)
		return;
	while (*place != peer)
		place = &(*place)->next;
	*place = peer->next;
	free(peer);
}

/* ---- Time ---- */

void
vsm_clients_sweep(int64_t now_us)
{
	for (Client *client = list; client != NULL; client = client->next)
		check_time(client, now_us);
}

static void
check_time(Client *client, int64_t now_us)
{
	const Request *request = client->request;
	bool		partial = client->framing.phase != FRAMING_IDLE;

	if (client->refused_us != 0)
	{
		if (now_us - client->refused_us > LINGER_US && client->said)
			leave(client);
	}
	else if (request != NULL && request->answer.decided_us != 0)
	{
		if (now_us - request->answer.decided_us > seconds(vsm_options.idle_timeout_s + (int64_t) request->answer.length / vsm_options.min_rate))
			leave(client);
	}
	else if ((int) (client->framing.started - client->ended) <= partial)
		check_phase(client, now_us);
}

/* Check a client that is idle or sends a request, while no earlier request is unanswered. */
static void
check_phase(Client *client, int64_t now_us)
{
	const Refusal *slow = NULL;

	switch (client->framing.phase)
	{
		case FRAMING_IDLE:
			if (now_us - client->since_us > seconds(vsm_options.idle_timeout_s))
				leave(client);
			return;
		case FRAMING_HEAD:
			if (now_us - client->since_us > seconds(vsm_options.header_timeout_s))
				slow = &vsm_refuse_slow_head;
			break;
		case FRAMING_BODY:
			if (is_slow(client, now_us))
				slow = &vsm_refuse_slow_body;
			break;
	}
	if (slow == NULL)
		return;
	refuse(client, slow);
	leave(client);
}

static bool
is_slow(Client *client, int64_t now_us)
{
	Import	   *import = client->request == NULL ? NULL : client->request->import;
	int64_t		limit_us = seconds(vsm_options.body_timeout_s);

	if (import != NULL && vsm_import_waits(import))
	{
		client->last_us = client->window_us = now_us;
		client->window_bytes = 0;
		return false;
	}
	if (now_us - client->last_us > seconds(vsm_options.idle_timeout_s))
		return true;
	if (import == NULL)
		return now_us - client->since_us > limit_us;
	if (now_us - client->window_us <= limit_us)
		return false;
	if (client->window_bytes < (size_t) vsm_options.min_rate * (size_t) vsm_options.body_timeout_s)
		return true;
	client->window_us = now_us;
	client->window_bytes = 0;
	return false;
}

static int64_t
seconds(int64_t s)
{
	return s * 1000000;
}
