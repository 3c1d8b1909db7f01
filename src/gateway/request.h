/*
 * request.h
 *		A request from its first line to its answer.
 *
 *	http.c		receives it			handle.c	decides what is to be done, and with the
 *	answer.c	sends the answer				database's answer what to say
 *
 * While job is with the pool the request is suspended.
 */
#ifndef VSM_GATEWAY_REQUEST_H
#define VSM_GATEWAY_REQUEST_H

#include <microhttpd.h>

#include "auth.h"
#include "import.h"
#include "job.h"
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

typedef struct Request
{
	struct MHD_Connection *client;
	char	   *target;			/* path and query as they came */
	char	   *host;			/* of a target http://host/path; NULL: that of the Host header counts */
	size_t		path_length;
	const char *query;			/* in target; "" when there is none */
	const char *method;
	char		id[MAX_REQUEST_ID + 1];
	int64_t		started_us;
	bool		begun;			/* its headers are there */
	bool		last;			/* close the connection after it */
	bool		too_long;		/* its body, by what it says itself, to be heard out */
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

	Header		headers[MAX_HEADERS];	/* of the answer */
	int			n_headers;
	int			status;			/* 0: none yet */
	int64_t		answered_us;	/* when that was decided */
	size_t		answer_bytes;
} Request;

/* handle.c */
extern void vsm_handle_begin(Request *request);
extern bool vsm_handle_receive(Request *request, const char *bytes, size_t *length);
extern enum MHD_Result vsm_handle_received(Request *request);
extern enum MHD_Result vsm_handle_outcome(Request *request);

/* answer.c: each queues the answer. */
extern enum MHD_Result vsm_answer(Request *request, int status, const char *type, Text *body);
extern enum MHD_Result vsm_answer_constant(Request *request, int status, const char *type, const char *body, size_t length);
extern enum MHD_Result vsm_answer_result(Request *request, int status, PGresult *result);
extern enum MHD_Result vsm_answer_json(Request *request, int status, const json_t *body);
extern enum MHD_Result vsm_answer_error(Request *request, int status, const char *code, const char *hint, const char *detail);
extern enum MHD_Result vsm_answer_unavailable(Request *request, const char *detail);
extern void vsm_answer_header(Request *request, const char *name, const char *value);
extern bool vsm_accepts_rather(Request *request, const char *type, const char *other);

/* http.c */
extern void vsm_request_free(Request *request);
extern const char *vsm_request_header(Request *request, const char *name);
extern bool vsm_http_draining(void);

#endif
