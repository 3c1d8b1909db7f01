/*
 * request.h
 *		A request from its first line to its answer.
 *
 *	admit.c		what can be refused before the body is there
 *	handle.c	what is to be done, and with the database's answer what to say
 *	answer.c	the answer, which the layer above sends
 *
 * While job is with the pool the request is suspended.
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
	PHASE_TYPES					/* the job asks which types there are */
} Phase;

/* What is to be sent, and what gives it back then. */
typedef struct Answer
{
	int			status;			/* 0: none yet */
	const char *type;			/* NULL: no body */
	const char *bytes;
	size_t		length;
	void (*release)(void *owner); /* NULL: the bytes stay */
	void	   *owner;
	Header		headers[MAX_HEADERS];
	int			n_headers;
	int64_t		decided_us;
} Answer;

typedef struct Request
{
	void	   *client;			/* see door.h */
	char	   *target;			/* path and query as they came */
	char	   *host;			/* of a target http://host/path; NULL: that of the Host header counts */
	size_t		path_length;
	const char *query;			/* in target; "" when there is none */
	const char *method;
	char		id[MAX_REQUEST_ID + 1];
	int64_t		started_us;
	bool		begun;			/* its headers are there */
	bool		last;			/* close the connection after it */
	bool		too_long;		/* its body, by its Content-Length, to be read to its end */
	Match		match;
	Identity	who;

	Text		body;
	size_t		received;
	void (*refuse)(struct Request *request); /* the answer was decided before the body came */
	Import	   *import;
	Rows	   *rows;
	Text		copy;

	Values		values;
	Phase		phase;
	Job			job;

	Answer		answer;
} Request;

extern Request *vsm_request_new(void *client);
extern void vsm_request_free(Request *request);
extern const char *vsm_request_header(const Request *request, const char *name);
extern bool vsm_request_has_type(const Request *request, const char *type);
extern void vsm_request_drop_answer(Request *request);
extern int	vsm_requests_running(void);

#endif
