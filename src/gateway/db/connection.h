/*
 * connection.h
 *		A connection to the database that does one job at a time.
 *
 * Only the working thread calls these.
 */
#ifndef VSM_GATEWAY_CONNECTION_H
#define VSM_GATEWAY_CONNECTION_H

#include "job.h"

typedef enum ConnectionState
{
	CONNECTION_DOWN,
	CONNECTION_OPENING,
	CONNECTION_IDLE,
	CONNECTION_BUSY
} ConnectionState;

/* A round trip, or in a pipeline a part of one. */
typedef enum Step
{
	STEP_SESSION,				/* time zone and the like, once; tells whether the next step may be taken */
	STEP_DEFAULTS,				/* the default stream, when there is none yet */
	STEP_TIMEOUT,
	STEP_BEGIN,
	STEP_SETTINGS,
	STEP_PREPARE_SETTINGS,
	STEP_PREPARE,
	STEP_EXECUTE,
	STEP_IMPORT_BEGIN,
	STEP_COPY,
	STEP_COMMIT,
	STEP_ROLLBACK
} Step;

#define MAX_STEPS 10

typedef struct Connection Connection;

/* Who is told what becomes of a connection and its job. */
typedef struct ConnectionOwner
{
	void (*opened)(Connection *connection);
	void (*finished)(Connection *connection, Job *job, Outcome outcome, PGresult *result);
	void (*broken)(Connection *connection, Job *job, bool was_open, const char *reason);
} ConnectionOwner;

struct Connection
{
	const ConnectionOwner *owner;
	PGconn	   *pg;
	ConnectionState state;
	int			epoll;
	int			fd;				/* that epoll watches; -1: none */
	uint32_t	events;
	int64_t		deadline_us;	/* of opening, or of the answer to a job; 0: none */
	bool	   *prepared;		/* by id of statement */
	int			timeout_class;	/* whose statement_timeout the session has; -1: nobody knows */
	Job		   *job;
	Step		steps[MAX_STEPS];
	int			n_steps;
	int			sent;			/* of steps */
	int			answered;
	bool		pipelined;
	bool		copying;
	bool		spoke;			/* the server, while it should only listen to COPY */
	bool		stale;			/* what it has prepared is of no use any more */
	PGresult   *error;			/* the job's first */
};

extern void vsm_connection_start(Connection *connection, int epoll, const ConnectionOwner *owner);
extern void vsm_connection_open(Connection *connection);
extern void vsm_connection_run(Connection *connection, Job *job);
extern void vsm_connection_event(Connection *connection, uint32_t events);
extern void vsm_connection_copy(Connection *connection);
extern void vsm_connection_expire(Connection *connection, int64_t now_us);
extern void vsm_connection_close(Connection *connection);

/* steps.c */
extern void vsm_steps_plan(Connection *connection, const Job *job);
extern bool vsm_step_send(Connection *connection, Step step);

#endif
