/*
 * job.h
 *		One request's work for the database.
 *
 * A request fills it and gives it to vsm_pool_submit(); from then on it is the
 * pool's, until that calls done, after which it is the request's again.
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
	OUTCOME_ROWS,				/* committed; result holds the one value */
	OUTCOME_ERROR,				/* rolled back; result holds the server's error */
	OUTCOME_DOWN,				/* not begun: there is no connection */
	OUTCOME_BUSY,				/* not begun: waited too long, or too many wait */
	OUTCOME_LOST				/* the connection broke: whether it committed is unknown */
} Outcome;

typedef struct Job
{
	struct Job *next;
	const Statement *statement;
	const char *values[MAX_PARAMS];
	Class		class;
	bool		writes;
	const char *role;			/* NULL: as the user of the connection */
	const char *claims;			/* of a token, JSON; with role only */
	/* Rows to COPY before the statement; NULL: none.  False: there are none now; *ended: and never will be. */
	bool (*take_rows)(struct Job *job, Text *rows, bool *ended, bool *abandoned);
	const void *address;		/* of the client, which may not have all connections of the class; NULL: any may */
	int64_t		queued_us;
	bool		repeated;
	bool		alone;			/* is to be run for itself */
	struct Job *same;			/* the next one that asks the same and gets the same answer */
	bool		in_settings;	/* it was the role that failed */
	void (*done)(struct Job *job); /* called once */
	void	   *owner;

	Outcome		outcome;
	PGresult   *result;			/* cleared with the request that has the job */
} Job;

#endif
