/*
 * connection.c
 *		A connection to the database, which runs one job at a time.
 *
 * A job is a list of steps (steps.c).  Without a role, most jobs are one step: the execution of a
 * prepared statement in its own transaction.  Another step, such as preparing the statement the
 * first time, is a separate round trip before that.  With a role, and behind a pooler (session.c),
 * all steps are sent as one pipeline:
 *
 *		BEGIN, settings, role and claims, (prepare), execute, COMMIT
 *
 * An import sends each step after the previous one has succeeded: BEGIN, (settings), a temporary
 * table, COPY, execute, COMMIT.  No function here blocks: the socket is non-blocking, and epoll
 * tells when to continue.
 *
 * A job that failed because a name was not that of a prepared statement starts again, once.  It
 * was one transaction, which the error has rolled back, so no write is repeated that took effect.
 */
#include "connection.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "dial.h"
#include "options.h"
#include "text.h"

#define GRACE_US 5000000		/* beyond statement_timeout; then the server counts as lost */

static void watch(Connection *connection, uint32_t events);
static void poll_open(Connection *connection);
static void begin_steps(Connection *connection, const Step *steps, int n);
static void send_more(Connection *connection);
static void read_results(Connection *connection);
static bool copy_rows(Connection *connection);
static void take_result(Connection *connection, PGresult *result);
static void step_succeeded(Connection *connection, Step step, PGresult *result);
static void steps_over(Connection *connection);
static void finish_job(Connection *connection);
static void start_again(Connection *connection);
static void broken(Connection *connection);

void
vsm_connection_start(Connection *connection, int epoll, const ConnectionOwner *owner)
{
	connection->owner = owner;
	connection->epoll = epoll;
	connection->fd = -1;
	connection->prepared = vsm_alloc(sizeof(bool) * (size_t) vsm_statement_count());
}

/* ---- Opening ---- */

/* Begin to connect.  Ends with a call of owner->opened() or owner->broken(). */
void
vsm_connection_open(Connection *connection)
{
	memset(connection->prepared, 0, sizeof(bool) * (size_t) vsm_statement_count());
	connection->state = CONNECTION_OPENING;
	connection->timeout_class = -1;
	connection->n_steps = 0;
	connection->deadline_us = vsm_now_us() + vsm_dial_timeout_us();
	connection->pg = vsm_dial("vsm-gateway");
	if (PQstatus(connection->pg) == CONNECTION_BAD)
		broken(connection);
	else
		watch(connection, EPOLLOUT);
}

static void
poll_open(Connection *connection)
{
	static const Step first[] = {STEP_SESSION};

	switch (PQconnectPoll(connection->pg))
	{
		case PGRES_POLLING_READING:
			watch(connection, EPOLLIN);
			break;
		case PGRES_POLLING_WRITING:
			watch(connection, EPOLLOUT);
			break;
		case PGRES_POLLING_OK:
			PQsetnonblocking(connection->pg, 1);
			begin_steps(connection, first, 1);
			break;
		case PGRES_POLLING_FAILED:
		case PGRES_POLLING_ACTIVE:
			broken(connection);
			break;
	}
}

/* While it connects, libpq may open another socket, which epoll does not know yet. */
static void
watch(Connection *connection, uint32_t events)
{
	int			fd = PQsocket(connection->pg);
	struct epoll_event event = {.events = events, .data.ptr = connection};

	if (fd == connection->fd && events == connection->events && connection->state != CONNECTION_OPENING)
		return;
	if (fd < 0)
		return;
	if (epoll_ctl(connection->epoll, EPOLL_CTL_MOD, fd, &event) < 0)
		epoll_ctl(connection->epoll, EPOLL_CTL_ADD, fd, &event);
	connection->fd = fd;
	connection->events = events;
}

void
vsm_connection_close(Connection *connection)
{
	if (connection->pg != NULL)
	{
		if (connection->fd >= 0)
			epoll_ctl(connection->epoll, EPOLL_CTL_DEL, connection->fd, NULL);
		PQfinish(connection->pg);
	}
	PQclear(connection->error);
	connection->pg = NULL;
	connection->error = NULL;
	connection->fd = -1;
	connection->state = CONNECTION_DOWN;
	connection->deadline_us = 0;
	connection->copying = false;
	connection->spoke = false;
	connection->again = false;
	connection->stale = false;
	connection->job = NULL;
}

/* ---- Steps ---- */

void
vsm_connection_run(Connection *connection, Job *job)
{
	connection->job = job;
	connection->state = CONNECTION_BUSY;
	connection->n_steps = 0;
	connection->pipelined = (job->role != NULL || connection->pooled) && job->take_rows == NULL;
	connection->deadline_us = 0;
	if (job->take_rows == NULL)
		connection->deadline_us = vsm_now_us() + (int64_t) vsm_options.statement_timeout_ms[job->class] * 1000 + GRACE_US;
	vsm_steps_plan(connection, job);
	begin_steps(connection, connection->steps, connection->n_steps);
}

static void
begin_steps(Connection *connection, const Step *steps, int n)
{
	bool		sent = true;

	memmove(connection->steps, steps, sizeof *steps * (size_t) n);
	connection->n_steps = n;
	connection->sent = 0;
	connection->answered = 0;
	if (!connection->pipelined)
		sent = vsm_step_send(connection, connection->steps[connection->sent++]);
	else
	{
		sent = PQenterPipelineMode(connection->pg) == 1;
		while (sent && connection->sent < n)
			sent = vsm_step_send(connection, connection->steps[connection->sent++]);
		sent = sent && PQpipelineSync(connection->pg) == 1;
	}
	if (!sent)
		broken(connection);
	else
		send_more(connection);
}

static void
send_more(Connection *connection)
{
	int			left = PQflush(connection->pg);

	if (left < 0)
		broken(connection);
	else
		watch(connection, left > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* ---- Answers ---- */

/* events: from epoll */
void
vsm_connection_event(Connection *connection, uint32_t events)
{
	if (connection->state == CONNECTION_DOWN)
		return;
	if (connection->state == CONNECTION_OPENING && connection->n_steps == 0)
	{
		poll_open(connection);
		return;
	}
	if (PQconsumeInput(connection->pg) != 1)
	{
		broken(connection);
		return;
	}
	if (connection->state == CONNECTION_IDLE)
	{
		/* An idle session gets a message when the server ends it; the next read finds the end. */
		if (PQconsumeInput(connection->pg) != 1)
			broken(connection);
		return;
	}
	if (connection->copying)
	{
		connection->spoke = connection->spoke || (events & EPOLLIN) != 0;
		vsm_connection_copy(connection);
	}
	else
	{
		send_more(connection);
		if (connection->state != CONNECTION_DOWN)
			read_results(connection);
	}
}

static void
read_results(Connection *connection)
{
	while (connection->state != CONNECTION_DOWN && connection->n_steps > 0 && !connection->copying &&
		   !PQisBusy(connection->pg))
	{
		PGresult   *result = PQgetResult(connection->pg);

		if (result != NULL)
		{
			take_result(connection, result);
			continue;
		}
		connection->answered++;
		if (connection->pipelined)
			continue;
		if (connection->error == NULL && connection->sent < connection->n_steps)
		{
			if (!vsm_step_send(connection, connection->steps[connection->sent++]))
				broken(connection);
			else
				send_more(connection);
		}
		else
			steps_over(connection);
	}
}

static void
take_result(Connection *connection, PGresult *result)
{
	Step		step = connection->steps[connection->answered < connection->n_steps ? connection->answered : connection->n_steps - 1];

	switch (PQresultStatus(result))
	{
		case PGRES_COMMAND_OK:
		case PGRES_TUPLES_OK:
			step_succeeded(connection, step, result);
			break;
		case PGRES_COPY_IN:
			PQclear(result);
			connection->copying = true;
			(void) copy_rows(connection);
			break;
		case PGRES_PIPELINE_SYNC:
			PQclear(result);
			if (PQexitPipelineMode(connection->pg) != 1)
				broken(connection);
			else
				steps_over(connection);
			break;
		case PGRES_PIPELINE_ABORTED:
			PQclear(result);
			break;
		default:
			if (connection->error != NULL)
				PQclear(result);
			else
			{
				connection->error = result;
				if (connection->job != NULL)
				{
					connection->job->in_settings = step == STEP_SETTINGS;
					connection->job->in_begin = step == STEP_BEGIN;
				}
			}
			break;
	}
}

/* Takes ownership of the result. */
static void
step_succeeded(Connection *connection, Step step, PGresult *result)
{
	Job		   *job = connection->job;

	if (step == STEP_EXECUTE)
	{
		PQclear(job->result);
		job->result = result;
		return;
	}
	if (step == STEP_SESSION)
		vsm_session_known(connection, result);
	else if (step == STEP_TIMEOUT)
		connection->timeout_class = (int) job->class;
	else if (step == STEP_PREPARE)
		connection->prepared[job->statement->id] = true;
	else if (step == STEP_PREPARE_SETTINGS)
		connection->prepared[vsm_statement_settings(connection->pooled)->id] = true;
	PQclear(result);
}

/*
 * vsm_connection_copy
 *		Send the server the rows of an import that have arrived, as far as it accepts them.
 *
 * While libpq still holds unsent rows, no more are taken from the import, so that memory stays
 * bounded.  If the server sends anything during COPY, the COPY has failed.
 */
void
vsm_connection_copy(Connection *connection)
{
	if (connection->copying && copy_rows(connection))
		read_results(connection);
}

/* True: the COPY has ended, and all that the server says may have been read already, so that no event will tell of it. */
static bool
copy_rows(Connection *connection)
{
	bool		ended = connection->spoke;
	bool		abandoned = false;
	int			left;

	while ((left = PQflush(connection->pg)) == 0 && !ended)
	{
		Text		rows = {0};
		bool		more = connection->job->take_rows(connection->job, &rows, &ended, &abandoned);
		int			put = more && !abandoned ? PQputCopyData(connection->pg, rows.data, (int) rows.length) : 1;

		vsm_text_free(&rows);
		if (put < 0)
			ended = true;
		if (abandoned || !more)
			break;
	}
	if (left < 0)
	{
		broken(connection);
		return false;
	}
	if (left == 0 && (ended || abandoned))
	{
		bool		spoke = connection->spoke;

		connection->copying = false;
		connection->spoke = false;
		connection->deadline_us = vsm_now_us() + (int64_t) vsm_options.statement_timeout_ms[CLASS_IMPORT] * 1000 + GRACE_US;
		if (PQputCopyEnd(connection->pg, abandoned ? "the client canceled the import" : NULL) < 0)
			broken(connection);
		else
			send_more(connection);
		return spoke && connection->state != CONNECTION_DOWN;
	}
	watch(connection, left > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
	return false;
}

static void
steps_over(Connection *connection)
{
	static const Step rollback[] = {STEP_ROLLBACK};
	PGTransactionStatusType status = PQtransactionStatus(connection->pg);

	connection->n_steps = 0;
	connection->pipelined = false;
	if (vsm_error_ends_session(connection->error))
	{
		broken(connection);
		return;
	}
	if (connection->state == CONNECTION_OPENING)
	{
		PQclear(connection->error);
		connection->error = NULL;
		connection->state = CONNECTION_IDLE;
		connection->deadline_us = 0;
		connection->owner->opened(connection);
		return;
	}
	if (vsm_error_of_name(connection))
		start_again(connection);
	if (status == PQTRANS_INTRANS || status == PQTRANS_INERROR)
	{
		Job		   *job = connection->again ? NULL : connection->job;

		/* The answer need not wait for the rollback. */
		if (job != NULL)
			finish_job(connection);
		begin_steps(connection, rollback, 1);
		return;
	}
	if (connection->again)
	{
		connection->again = false;
		PQclear(connection->error);
		connection->error = NULL;
		vsm_connection_run(connection, connection->job);
		return;
	}
	connection->state = CONNECTION_IDLE;
	connection->deadline_us = 0;
	finish_job(connection);
}

/* Also called without a job, after a rollback whose job has ended before. */
static void
finish_job(Connection *connection)
{
	Job		   *job = connection->job;
	PGresult   *error = connection->error;
	PGresult   *result = NULL;

	connection->job = NULL;
	connection->error = NULL;
	if (job == NULL)
	{
		PQclear(error);
		connection->owner->finished(connection, NULL, OUTCOME_ROWS, NULL);
		return;
	}
	if (error != NULL)
	{
		/* The function was replaced: reconnect. */
		if (connection->by_name && connection->prepared[job->statement->id] && vsm_error_is(error, "42883"))
			connection->stale = true;
		/* Perhaps another of several servers takes writes. */
		if (vsm_error_is(error, "25006"))
			connection->stale = connection->stale || vsm_dial_elsewhere();
		PQclear(job->result);
		result = error;
	}
	else
		result = job->result;
	job->result = NULL;
	connection->owner->finished(connection, job, error != NULL ? OUTCOME_ERROR : OUTCOME_ROWS, result);
}

/* Once the transaction is over. */
static void
start_again(Connection *connection)
{
	if (connection->pooled && !vsm_error_is(connection->error, "0A000"))
		vsm_steps_forget_names(PQresultErrorField(connection->error, PG_DIAG_SQLSTATE));
	else if (!connection->pooled)
		connection->stale = true;
	PQclear(connection->error);
	PQclear(connection->job->result);
	connection->error = NULL;
	connection->job->result = NULL;
	connection->job->whole = true;
	connection->again = true;
}

void
vsm_connection_expire(Connection *connection, int64_t now_us)
{
	if (connection->deadline_us != 0 && now_us >= connection->deadline_us)
		broken(connection);
}

static void
broken(Connection *connection)
{
	Job		   *job = connection->job;
	bool		was_open = connection->state != CONNECTION_OPENING;
	char	   *reason = vsm_copy(connection->error != NULL ? PQresultErrorMessage(connection->error) : PQerrorMessage(connection->pg));

	if (job != NULL)
	{
		PQclear(job->result);
		job->result = NULL;
	}
	vsm_connection_close(connection);
	connection->n_steps = 0;
	connection->pipelined = false;
	connection->owner->broken(connection, job, was_open, reason);
	free(reason);
}
