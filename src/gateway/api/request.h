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
#include "rows.h"
#include "text.h"
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

	Text		body;
	size_t		received;
	void (*refuse)(struct Request *request); /* decided before the end of the body; or NULL */
	Import	   *import;
	Rows	   *rows;
	Text		copy;

	Values		values;
	Phase		phase;
	Job			job;

	Answer		answer;
} Request;

/* request.c */
extern Request *vsm_request_new(void *client);
extern void vsm_request_free(Request *request);
extern const char *vsm_request_header(const Request *request, const char *name);
extern int	vsm_requests_running(void);

/* admit.c */
extern void vsm_admit(Request *request);
extern bool vsm_type_is(const Request *request, const char *type);
extern void vsm_refuse_size(Request *request);

/* handle.c: each sets an answer, or suspends the client until the job has ended. */
extern bool vsm_handle_receive(Request *request, const char *bytes, size_t *length);
extern void vsm_handle_received(Request *request);
extern void vsm_handle_outcome(Request *request);

/* answer.c */
extern void vsm_answer(Request *request, int status, const char *type, Text *body);
extern void vsm_answer_constant(Request *request, int status, const char *type, const char *body, size_t length);
extern void vsm_answer_result(Request *request, int status, PGresult *result);
extern void vsm_answer_json(Request *request, int status, const json_t *body);
extern void vsm_answer_error(Request *request, int status, const char *code, const char *hint, const char *detail);
extern void vsm_answer_unavailable(Request *request, const char *detail);
extern void vsm_answer_header(Request *request, const char *name, const char *value);
extern void vsm_answer_release(Answer *answer);
extern bool vsm_accepts_rather(const Request *request, const char *type, const char *other);

#endif
