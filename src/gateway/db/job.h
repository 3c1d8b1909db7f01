/*
 * job.h
 *		The work of one request for the database.
 *
 * A request fills in a job and passes it to vsm_pool_submit().  From then on the job belongs to the
 * pool, until the pool calls done.  After that it belongs to the request again.
 */
#ifndef VSM_GATEWAY_JOB_H
#define VSM_GATEWAY_JOB_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "options.h"
#include "statement.h"
#include "text.h"

typedef enum Outcome
{
	OUTCOME_ROWS,				/* committed; result holds one value */
	OUTCOME_ERROR,				/* rolled back; result holds the server's error */
	OUTCOME_DOWN,				/* not started: there is no connection */
	OUTCOME_BUSY,				/* not started: it waited too long, or too many jobs wait */
	OUTCOME_LOST				/* the connection broke; whether the job was committed is unknown */
} Outcome;

typedef struct Job
{
	struct Job *next;
	const Statement *statement;
	const char *values[MAX_PARAMS];
	Class		class;
	bool		writes;
	const char *role;			/* NULL: the user of the connection */
	const char *claims;			/* of a token, as JSON; only with a role */
	const char *actor;			/* the person that the token names; NULL: none */
	/*
	 * Returns rows to COPY before the statement; NULL: the job has none.  False means that no rows
	 * are available now.  *ended means that no more will come.
	 */
	bool (*take_rows)(struct Job *job, Text *rows, bool *ended, bool *abandoned);
	const void *address;		/* of the client, to limit its connections; NULL: no limit */
	int64_t		queued_us;
	bool		repeated;		/* runs again after a lost connection */
	bool		alone;			/* must not share its result with identical jobs */
	struct Job *same;			/* the next identical job, which gets the same result */
	bool		whole;			/* sends its statements without names; see steps.c */
	bool		in_settings;	/* the error came from setting the role */
	bool		in_begin;		/* the error came from BEGIN */
	void (*done)(struct Job *job); /* called once */
	void	   *owner;

	Outcome		outcome;
	PGresult   *result;			/* cleared together with the job's request */
} Job;

#endif
