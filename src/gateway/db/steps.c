/*
 * steps.c
 *		Which steps a job takes, and the SQL of each.
 *
 * All SQL is constant.  Data from clients is only passed as parameters.
 *
 * Statements are prepared by name, with exceptions.  An import sends its statements without names, since an error would lose
 * its rows.  So does a job whose named statement failed because the session has no such name, or has it already: it cannot
 * fail again for that reason.  A pooler that keeps no prepared statements for its clients, such as PgBouncer before 1.21,
 * makes both happen all the time, so the first time behind a pooler is the last: from then on, names are not used there.
 */
#include "connection.h"

#include <assert.h>
#include <stdio.h>

#include "log.h"
#include "options.h"

static bool nameless = false;	/* the pooler does not keep prepared statements */

static void add_step(Connection *connection, Step step);
static const char *begin_of(const Connection *connection, const Job *job);
static bool send_prepare(Connection *connection, const Statement *statement);
static bool send_statement(Connection *connection, const Statement *statement, const char *const *values);
static bool send_timeout(Connection *connection, const Job *job);
static bool send_settings(Connection *connection, const Job *job);

/* Plan the steps of a job; begin_steps() sends them. */
void
vsm_steps_plan(Connection *connection, const Job *job)
{
	bool		sets = job->role != NULL || connection->pooled;
	bool		in_transaction = sets || job->take_rows != NULL;

	connection->by_name = job->take_rows == NULL && !job->whole && !(connection->pooled && nameless);
	if (!sets && connection->timeout_class != (int) job->class)
		add_step(connection, STEP_TIMEOUT);
	if (in_transaction)
		add_step(connection, STEP_BEGIN);
	if (sets)
	{
		if (connection->by_name && !connection->prepared[vsm_statement_settings(connection->pooled)->id])
			add_step(connection, STEP_PREPARE_SETTINGS);
		add_step(connection, STEP_SETTINGS);
	}
	if (job->take_rows != NULL)
	{
		add_step(connection, STEP_IMPORT_BEGIN);
		add_step(connection, STEP_COPY);
	}
	if (connection->by_name && !connection->prepared[job->statement->id])
		add_step(connection, STEP_PREPARE);
	add_step(connection, STEP_EXECUTE);
	if (in_transaction)
		add_step(connection, STEP_COMMIT);
}

static void
add_step(Connection *connection, Step step)
{
	connection->steps[connection->n_steps++] = step;
}

/* Pass a step to libpq.  False means that the connection is broken. */
bool
vsm_step_send(Connection *connection, Step step)
{
	PGconn	   *pg = connection->pg;
	Job		   *job = connection->job;

	assert(job != NULL || step == STEP_SESSION || step == STEP_STYLES || step == STEP_DEFAULTS || step == STEP_ROLLBACK);
	switch (step)
	{
		case STEP_SESSION:
			return vsm_session_ask(pg);
		case STEP_STYLES:
			return PQsendQuery(pg, "SELECT set_config('TimeZone', 'UTC', false), set_config('DateStyle', 'ISO', false),"
								   " set_config('IntervalStyle', 'postgres', false)");
		case STEP_DEFAULTS:
			return PQsendQuery(pg, "SELECT vsm._prepare()");
		case STEP_TIMEOUT:
			return send_timeout(connection, job);
		case STEP_BEGIN:
			return PQsendQueryParams(pg, begin_of(connection, job), 0, NULL, NULL, NULL, NULL, 0);
		case STEP_PREPARE_SETTINGS:
			return send_prepare(connection, vsm_statement_settings(connection->pooled));
		case STEP_SETTINGS:
			return send_settings(connection, job);
		case STEP_PREPARE:
			return send_prepare(connection, job->statement);
		case STEP_EXECUTE:
			return send_statement(connection, job->statement, job->values);
		case STEP_IMPORT_BEGIN:
			return PQsendQuery(pg, "SELECT vsm_api.import_begin()");
		case STEP_COPY:
			return PQsendQuery(pg, "COPY pg_temp.vsm_import_rows (case_id, stage, entered_at, type, title, sequence, line, refused) FROM STDIN");
		case STEP_COMMIT:
			return PQsendQueryParams(pg, "COMMIT", 0, NULL, NULL, NULL, NULL, 0);
		case STEP_ROLLBACK:
			return PQsendQuery(pg, "ROLLBACK");
	}
	return false;
}

/*
 * begin_of
 *		BEGIN, also against what another client of a pooler has made the default of the session.
 *
 * READ WRITE fails on a standby, so it is only for what writes.  Where the administrator has made read-only the default, it stays.
 */
static const char *
begin_of(const Connection *connection, const Job *job)
{
	if (!connection->pooled)
		return "BEGIN";
	return job->writes && connection->writable ? "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE" : "BEGIN ISOLATION LEVEL READ COMMITTED";
}

static bool
send_prepare(Connection *connection, const Statement *statement)
{
	return PQsendPrepare(connection->pg, statement->name, statement->sql, 0, NULL);
}

static bool
send_timeout(Connection *connection, const Job *job)
{
	char		sql[64];

	snprintf(sql, sizeof sql, "SET statement_timeout = %d", vsm_options.statement_timeout_ms[job->class]);
	return PQsendQuery(connection->pg, sql);
}

static bool
send_settings(Connection *connection, const Job *job)
{
	char		timeout[16];
	const char *values[] = {timeout, job->role, job->claims, job->actor, connection->settings};

	snprintf(timeout, sizeof timeout, "%d", vsm_options.statement_timeout_ms[job->class]);
	return send_statement(connection, vsm_statement_settings(connection->pooled), values);
}

static bool
send_statement(Connection *connection, const Statement *statement, const char *const *values)
{
	if (connection->by_name)
		return PQsendQueryPrepared(connection->pg, statement->name, statement->n_params, values, NULL, NULL, 0);
	return PQsendQueryParams(connection->pg, statement->sql, statement->n_params, NULL, values, NULL, NULL, 0);
}

/* Behind a pooler: stop using names.  sqlstate: of the error that a name caused. */
void
vsm_steps_forget_names(const char *sqlstate)
{
	if (!nameless)
		vsm_log(LOG_LEVEL_INFO, "database_pooler_loses_names",
				"\"sqlstate\":\"%s\",\"detail\":\"The connection pooler keeps no prepared statements for its clients, so none are used.\"", sqlstate);
	nameless = true;
}
