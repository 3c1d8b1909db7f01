/*
 * clients.h
 *		The connections of clients: what each may send, how many there may be, and for how long.
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
	struct Client **place;		/* that points to this one */
	int			socket;
	void	   *tls;			/* gnutls_session_t; NULL without TLS */
	struct Peer *peer;			/* counts the connections of its address */
	struct Request *request;	/* that was begun and not ended */

	Framing		framing;
	unsigned int ended;			/* of framing.started requests: those whose answer was sent */
	int64_t		since_us;		/* since when framing.phase is what it is, or the answer before it was sent */
	int64_t		last_us;		/* when something came */
	int64_t		window_us;		/* since when bytes are counted, for --min-rate */
	size_t		window_bytes;
	int64_t		refused_us;		/* 0: framing.refusal is NULL */
	bool		said;			/* the refusal was answered */
} Client;

extern void vsm_client_notify(void *unused, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode what);
extern Client *vsm_client_of(struct MHD_Connection *connection);
extern void vsm_client_ended(Client *client);
extern void vsm_clients_sweep(int64_t now_us);
extern int	vsm_clients_count(void);

#endif
