/*
 * clients.h
 *		Client connections: what each may send, how many are allowed, and for how long.
 */
#ifndef VSM_GATEWAY_CLIENTS_H
#define VSM_GATEWAY_CLIENTS_H

#include <microhttpd.h>
#include <stdint.h>

#include "framing.h"

struct Request;
struct Peer;

typedef struct Client
{
	struct Client *next;
	struct Client **place;		/* the pointer that points to this client */
	int			socket;
	void	   *tls;			/* gnutls_session_t; NULL without TLS */
	struct Peer *peer;			/* counts the connections of its address */
	struct Request *request;	/* the request that has begun and not ended; or NULL */

	Framing		framing;
	unsigned int ended;			/* of the framing.started requests, how many have ended */
	int64_t		since_us;		/* when framing.phase last changed, or the last request ended */
	int64_t		last_us;		/* when the last byte arrived */
	int64_t		window_us;		/* start of the interval in which --min-rate is measured */
	size_t		window_bytes;	/* that arrived in this interval */
	int64_t		refused_us;		/* when it was refused; 0: framing.refusal is NULL */
	bool		said;			/* the refusal was sent */
} Client;

extern void vsm_client_notify(void *unused, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode what);
extern Client *vsm_client_of(struct MHD_Connection *connection);
extern void vsm_client_ended(Client *client);
extern void vsm_clients_sweep(int64_t now_us);
extern int	vsm_clients_count(void);

#endif
