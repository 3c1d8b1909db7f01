/*
 * steps.c
 *		Which steps a job takes, and the SQL of each.
 *
 * All SQL is constant.  Data from clients is only passed as parameters.
 */
#include "connection.h"

#include <assert.h>
#include <stdio.h>

#include "options.h"

static void add_step(Connection *connection, Step step);
static bool send_prepare(Connection *connection, const Statement *statement);
static bool send_timeout(Connection *connection, const Job *job);
static bool send_settings(Connection *connection, const Job *job);

/* Plan the steps of a job; begin_steps() sends them. */
void
vsm_steps_plan(Connection *connection, const Job *job)
{
	bool		in_transaction = job->role != NULL || job->take_rows != NULL;

	if (job->role == NULL && connection->timeout_class != (int) job->class)
		add_step(connection, STEP_TIMEOUT);
	if (in_transaction)
		add_step(connection, STEP_BEGIN);
	if (job->role != NULL)
	{
		if (!connection->prepared[vsm_statement_settings()->id])
			add_step(connection, STEP_PREPARE_SETTINGS);
		add_step(connection, STEP_SETTINGS);
	}
	if (job->take_rows != NULL)
	{
		add_step(connection, STEP_IMPORT_BEGIN);
		add_step(connection, STEP_COPY);
	}
	if (!connection->prepared[job->statement->id])
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

	assert(job != NULL || step == STEP_SESSION || step == STEP_DEFAULTS || step == STEP_ROLLBACK);
	switch (step)
	{
		case STEP_SESSION:
			/* Ask the catalogs: a regprocedure fails without the USAGE privilege on its schema. */
			return PQsendQuery(pg, "SELECT EXISTS (SELECT FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace"
							   " WHERE n.nspname = 'vsm_api' AND p.proname = 'prepare' AND p.pronargs = 0"
							   " AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE')),"
							   " set_config('TimeZone', 'UTC', false), set_config('DateStyle', 'ISO', false),"
							   " set_config('IntervalStyle', 'postgres', false)");
		case STEP_DEFAULTS:
			return PQsendQuery(pg, "SELECT vsm_api.prepare()");
		case STEP_TIMEOUT:
			return send_timeout(connection, job);
		case STEP_BEGIN:
			return PQsendQueryParams(pg, "BEGIN", 0, NULL, NULL, NULL, NULL, 0);
		case STEP_PREPARE_SETTINGS:
			return send_prepare(connection, vsm_statement_settings());
		case STEP_SETTINGS:
			return send_settings(connection, job);
		case STEP_PREPARE:
			return send_prepare(connection, job->statement);
		case STEP_EXECUTE:
			return PQsendQueryPrepared(pg, job->statement->name, job->statement->n_params, job->values, NULL, NULL, 0);
		case STEP_IMPORT_BEGIN:
			return PQsendQuery(pg, "SELECT vsm_api.import_begin()");
		case STEP_COPY:
			return PQsendQuery(pg, "COPY pg_temp.import_rows (case_id, stage, entered_at, type, title) FROM STDIN");
		case STEP_COMMIT:
			return PQsendQueryParams(pg, "COMMIT", 0, NULL, NULL, NULL, NULL, 0);
		case STEP_ROLLBACK:
			return PQsendQuery(pg, "ROLLBACK");
	}
	return false;
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
	const Statement *settings = vsm_statement_settings();
	char		timeout[16];
	const char *values[] = {timeout, job->role, job->claims, job->actor};

	snprintf(timeout, sizeof timeout, "%d", vsm_options.statement_timeout_ms[job->class]);
	return PQsendQueryPrepared(connection->pg, settings->name, settings->n_params, values, NULL, NULL, 0);
}
