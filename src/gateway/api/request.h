/*
 * request.h
 *		A request, from its first line to its answer.
 *
 *	admit.c		checks the request before its body arrives
 *	handle.c	handles the request, and answers when the database has
 *	answer.c	sets the answer, which the layer above sends
 *
 * The request is suspended while its job belongs to the pool.
 */
#ifndef VSM_GATEWAY_REQUEST_H
#define VSM_GATEWAY_REQUEST_H

#include <jansson.h>

#include "auth.h"
#include "import.h"
#include "db/job.h"
#include "routes.h"
#include "text.h"
#include "tokens/key_source.h"
#include "values.h"

#define MAX_HEADERS 6
#define MAX_REQUEST_ID 64

typedef struct Header
{
	const char *name;
	char	   *value;
} Header;

typedef enum Phase
{
	PHASE_KEYS,					/* waits for keys that its token may be signed by */
	PHASE_RECEIVE,
	PHASE_RECEIVED,
	PHASE_CALL,					/* the job is the route's statement */
	PHASE_TYPES					/* the job reads the types that exist */
} Phase;

/* The answer to send.  release(owner) frees its bytes afterwards. */
typedef struct Answer
{
	int			status;			/* 0: none yet */
	const char *type;			/* NULL: no body */
	const char *bytes;
	size_t		length;
	void (*release)(void *owner); /* NULL: the bytes are constant */
	void	   *owner;
	Header		headers[MAX_HEADERS];
	int			n_headers;
	int64_t		decided_us;		/* when it was set */
} Answer;

typedef struct Request
{
	void	   *client;			/* see door.h */
	char	   *target;			/* path and query, as received */
	char	   *host;			/* of a target http://host/path; NULL: use the Host header */
	size_t		path_length;
	const char *query;			/* points into target; "": there is none */
	const char *method;
	char		id[MAX_REQUEST_ID + 1];
	int64_t		started_us;
	bool		begun;			/* its headers have arrived */
	bool		last;			/* close the connection after the answer */
	bool		too_long;		/* by Content-Length, the body is too long to be read completely */
	Match		match;
	Identity	who;
	KeyWaiter	waiter;

	Text		body;
	size_t		received;
	void (*refuse)(struct Request *request); /* decided before the end of the body; or NULL */
	Import	   *import;

	Values		values;
	Phase		phase;
	Job			job;

	Answer		answer;
} Request;

extern Request *vsm_request_new(void *client);
extern void vsm_request_free(Request *request);
extern const char *vsm_request_header(const Request *request, const char *name);
extern bool vsm_request_has_type(const Request *request, const char *type);
extern bool vsm_request_has_json(const Request *request);
extern void vsm_request_drop_answer(Request *request);
extern int	vsm_requests_running(void);

#endif
