/*
 * connection.h
 *		A connection to the database, which runs one job at a time.
 *
 * Only the working thread calls these functions.
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

/* A round trip; in a pipeline, a part of one. */
typedef enum Step
{
	STEP_SESSION,				/* asks what vsm_session_known() must know */
	STEP_STYLES,				/* time zone and styles */
	STEP_DEFAULTS,				/* create the default stream if it does not exist */
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

/* Callbacks that report what happened to a connection and its job. */
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
	int			fd;				/* the socket that epoll watches; -1: none */
	uint32_t	events;
	int64_t		deadline_us;	/* for connecting, or for the job; 0: none */
	bool	   *prepared;		/* by Statement.id */
	bool		pooled;			/* a pooler is in between: the next transaction may be in another session */
	bool		writable;		/* when it was opened, the server took writes */
	char	   *settings;		/* of each transaction, as JSON, if pooled */
	int			timeout_class;	/* class whose statement_timeout the session has; -1: unknown */
	Job		   *job;
	Step		steps[MAX_STEPS];
	int			n_steps;
	int			sent;			/* number of steps sent */
	int			answered;		/* number of steps answered */
	bool		pipelined;
	bool		copying;
	bool		spoke;			/* the server sent something during COPY */
	bool		by_name;		/* the job's statement is a prepared one */
	bool		again;			/* the job starts again after STEP_ROLLBACK */
	bool		stale;			/* close it after the job */
	PGresult   *error;			/* the first one of the job; or NULL */
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
extern void vsm_steps_forget_names(const char *sqlstate);

/* failure.c */
extern bool vsm_error_ends_session(const PGresult *error);
extern bool vsm_error_of_name(const Connection *connection);
extern bool vsm_error_is(const PGresult *error, const char *sqlstate);

/* session.c */
extern bool vsm_session_ask(PGconn *pg);
extern void vsm_session_known(Connection *connection, const PGresult *result);

#endif
