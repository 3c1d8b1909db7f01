/*
 * fold.c
 *		Runs vsm.fold() at intervals, in a thread and a connection of its own.
 *
 * Folding only makes figures faster, so nothing here may disturb requests.  The thread shares no
 * state with the working thread, takes no connection of the pool, and every stream is a
 * transaction of its own.  A round is
 *
 *		not on a standby -> may the role fold? -> advisory lock -> each stream -> unlock
 *
 * The lock is the session's.  It is held during a round only, so a gateway that hangs between two
 * rounds holds up nobody, and the server releases it with the session.  A gateway that does not
 * get it tries again after the next interval.  Others than gateways, such as pg_cron, need not
 * take it: vsm.fold() itself lets only one session fold a stream.
 *
 * vsm_fold_end() ends the thread at once, also during a fold.  The server notices within a second
 * that its client has gone, and rolls the transaction back: client_connection_check_interval.
 */
#include "fold.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dial.h"
#include "log.h"
#include "options.h"
#include "text.h"

#define FIRST_BACKOFF_US 500000
#define LAST_BACKOFF_US 60000000

/* A backlog may take minutes.  Behind somebody's lock, the next interval does as well. */
#define SESSION_SQL \
	"SELECT pg_catalog.set_config('statement_timeout', '0', false), pg_catalog.set_config('lock_timeout', '5000', false)," \
	" pg_catalog.set_config('idle_session_timeout', '0', false)," \
	" pg_catalog.set_config('default_transaction_isolation', 'read committed', false)"
#define CHECK_CLIENT_SQL "SELECT pg_catalog.set_config('client_connection_check_interval', '1000', false)"

/* Rights are asked of the catalogs, since the server would log a refusal at every interval. */
#define SERVER_SQL \
	"SELECT pg_catalog.pg_is_in_recovery(), $1::pg_catalog.text IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_roles AS r" \
	" WHERE r.rolname = $1 AND pg_catalog.pg_has_role(session_user, r.oid, $2))"
#define ROLE_SQL "SELECT pg_catalog.set_config('role', $1, false)"
#define RIGHTS_SQL \
	"SELECT p.oid IS NOT NULL, pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE')" \
	" AND pg_catalog.has_table_privilege(s.oid, 'SELECT') AND pg_catalog.has_table_privilege(t.oid, 'SELECT'), current_user" \
	" FROM (SELECT) AS one LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = 'vsm'" \
	" LEFT JOIN pg_catalog.pg_proc AS p ON p.pronamespace = n.oid AND p.proname = 'fold' AND p.pronargs = 2" \
	" LEFT JOIN pg_catalog.pg_class AS s ON s.relnamespace = n.oid AND s.relname = 'value_streams'" \
	" LEFT JOIN pg_catalog.pg_class AS t ON t.relnamespace = n.oid AND t.relname = 'stage_transitions' LIMIT 1"
#define LOCK_KEY "(pg_catalog.hashtextextended('vsm-gateway fold', 0))"
#define LOCK_SQL "SELECT pg_catalog.pg_try_advisory_lock" LOCK_KEY
#define UNLOCK_SQL "SELECT pg_catalog.pg_advisory_unlock" LOCK_KEY
#define STREAMS_SQL "SELECT name FROM vsm.value_streams ORDER BY id"
#define FOLD_SQL "SELECT days_folded, days_waiting FROM vsm.fold($1)"

#define NO_FUNCTION_HINT "Run CREATE EXTENSION vsm, or ALTER EXTENSION vsm UPDATE, or start the gateway with --fold-interval=0."
#define NO_RIGHT_HINT \
	"Give --fold-role a role that has vsm.grant_access(..., 'reader') and that the gateway's user is a member of, or let another" \
	" scheduler run vsm.fold() and start the gateway with --fold-interval=0."

/* What a round adds up. */
typedef struct Sum
{
	int			streams;
	long long	days_folded;
	long long	days_waiting;	/* of the stream with the most */
} Sum;

static struct
{
	pthread_t	thread;
	bool		started;
	int			wake;			/* eventfd, readable once ending */
	atomic_bool ending;
	PGconn	   *pg;				/* NULL: not connected */
	int			failures;		/* to connect or to complete a round, in a row */
	bool		refused;		/* the log says that folding is not allowed */
} fold;

static void *run_fold(void *unused);
static bool open_connection(void);
static bool run_round(void);
static bool may_fold(bool *may);
static void refuse(const char *reason, const char *hint);
static bool fold_streams(void);
static bool fold_stream(const char *stream, Sum *sum);
static PGresult *ask(const char *sql, const char *first, const char *second);
static PGresult *rows_of(const char *sql, const char *first, const char *second);
static bool is_true(const char *sql);
static bool wait_for(int fd, short events, int64_t until_us);
static int64_t pause_us(void);
static void lost(const char *reason);

void
vsm_fold_start(void)
{
	if (vsm_options.fold_interval_s == 0)
		return;
	fold.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fold.wake < 0 || pthread_create(&fold.thread, NULL, run_fold, NULL) != 0)
		abort();
	fold.started = true;
}

/* Does not wait. */
void
vsm_fold_end(void)
{
	const uint64_t one = 1;

	if (!fold.started)
		return;
	fold.ending = true;
	while (write(fold.wake, &one, sizeof one) < 0 && errno == EINTR)
		;
}

/* Call vsm_fold_end() before. */
void
vsm_fold_join(void)
{
	if (fold.started)
		pthread_join(fold.thread, NULL);
}

/* ---- The thread ---- */

static void *
run_fold(void *unused)
{
	(void) unused;
	while (!fold.ending)
	{
		if ((fold.pg != NULL || open_connection()) && run_round())
			fold.failures = 0;
		wait_for(-1, 0, vsm_now_us() + pause_us());
	}
	PQfinish(fold.pg);
	return NULL;
}

static bool
open_connection(void)
{
	int64_t		until_us = vsm_now_us() + vsm_dial_timeout_us();
	PostgresPollingStatusType next = PGRES_POLLING_WRITING;
	PGresult   *result;

	fold.pg = vsm_dial("vsm-gateway fold");
	if (PQstatus(fold.pg) == CONNECTION_BAD)
		next = PGRES_POLLING_FAILED;
	while (next == PGRES_POLLING_READING || next == PGRES_POLLING_WRITING)
	{
		if (!wait_for(PQsocket(fold.pg), next == PGRES_POLLING_READING ? POLLIN : POLLOUT, until_us))
		{
			lost("timeout while connecting");
			return false;
		}
		next = PQconnectPoll(fold.pg);
	}
	if (next != PGRES_POLLING_OK)
	{
		lost(PQerrorMessage(fold.pg));
		return false;
	}
	result = rows_of(SESSION_SQL, NULL, NULL);
	PQclear(result);
	if (result == NULL)
		return false;
	/* Not every operating system can do that: then a fold of a client that has gone runs to its end. */
	PQclear(ask(CHECK_CLIENT_SQL, NULL, NULL));
	return fold.pg != NULL;
}

/* False: the connection was closed, or the thread is ending. */
static bool
run_round(void)
{
	bool		may = false;

	if (!may_fold(&may))
		return false;
	if (!may)
		return true;
	fold.refused = false;
	if (!is_true(LOCK_SQL))
	{
		vsm_log(LOG_LEVEL_DEBUG, "fold_elsewhere", NULL);
		return fold.pg != NULL;
	}
	return fold_streams() && is_true(UNLOCK_SQL);
}

/* Sets the role, too. */
static bool
may_fold(bool *may)
{
	PGresult   *server = rows_of(SERVER_SQL, vsm_options.fold_role, PQserverVersion(fold.pg) >= 160000 ? "SET" : "MEMBER");
	bool		standby = server != NULL && strcmp(PQgetvalue(server, 0, 0), "t") == 0;
	bool		member = server != NULL && strcmp(PQgetvalue(server, 0, 1), "t") == 0;
	PGresult   *rights;

	PQclear(server);
	if (server == NULL)
		return false;
	if (standby)
		return true;
	if (!member)
	{
		refuse("The gateway's user cannot become the role that --fold-role names.", NO_RIGHT_HINT);
		return true;
	}
	if (vsm_options.fold_role != NULL)
	{
		PGresult   *role = rows_of(ROLE_SQL, vsm_options.fold_role, NULL);

		PQclear(role);
		if (role == NULL)
			return false;
	}
	rights = rows_of(RIGHTS_SQL, NULL, NULL);
	if (rights == NULL)
		return false;
	if (strcmp(PQgetvalue(rights, 0, 0), "t") != 0)
		refuse("The database has no function vsm.fold(text, boolean).", NO_FUNCTION_HINT);
	else if (strcmp(PQgetvalue(rights, 0, 1), "t") != 0)
	{
		char	   *reason = vsm_format("Role \"%s\" has no access to vsm.", PQgetvalue(rights, 0, 2));

		refuse(reason, NO_RIGHT_HINT);
		free(reason);
	}
	else
		*may = true;
	PQclear(rights);
	return true;
}

/* Once, until folding has been allowed again. */
static void
refuse(const char *reason, const char *hint)
{
	Text		quoted = {0};

	if (!fold.refused)
	{
		vsm_text_json(&quoted, reason, strlen(reason));
		vsm_log(LOG_LEVEL_WARNING, "fold_not_allowed", "\"reason\":%s,\"hint\":\"%s\"", quoted.data, hint);
		vsm_text_free(&quoted);
	}
	fold.refused = true;
}

static bool
fold_streams(void)
{
	int64_t		start_us = vsm_now_us();
	PGresult   *streams = rows_of(STREAMS_SQL, NULL, NULL);
	Sum			sum = {0};
	bool		connected = streams != NULL;

	for (int i = 0; connected && i < PQntuples(streams); i++)
		connected = fold_stream(PQgetvalue(streams, i, 0), &sum);
	PQclear(streams);
	if (connected)
		vsm_log(LOG_LEVEL_DEBUG, "folded", "\"streams\":%d,\"days_folded\":%lld,\"days_waiting\":%lld,\"duration_ms\":%.3f",
				sum.streams, sum.days_folded, sum.days_waiting, (double) (vsm_now_us() - start_us) / 1000);
	return connected;
}

/* An error of one stream does not keep the others from being folded. */
static bool
fold_stream(const char *stream, Sum *sum)
{
	PGresult   *result = ask(FOLD_SQL, stream, NULL);
	const char *sqlstate;

	if (result == NULL)
		return false;
	sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1)
	{
		long long	waiting = strtoll(PQgetvalue(result, 0, 1), NULL, 10);

		sum->streams++;
		sum->days_folded += strtoll(PQgetvalue(result, 0, 0), NULL, 10);
		if (waiting > sum->days_waiting)
			sum->days_waiting = waiting;
	}
	else
	{
		/* somebody else folds it or changes its definition, or it has just been deleted */
		bool		put_off = sqlstate != NULL && (strcmp(sqlstate, "55P03") == 0 || strcmp(sqlstate, "40001") == 0 || strcmp(sqlstate, "PT404") == 0);
		Text		name = {0};
		Text		reason = {0};

		vsm_text_json(&name, stream, strlen(stream));
		vsm_text_json(&reason, PQresultErrorMessage(result), strcspn(PQresultErrorMessage(result), "\n"));
		vsm_log(put_off ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, put_off ? "fold_put_off" : "fold_failed",
				"\"stream\":%s,\"sqlstate\":\"%s\",\"reason\":%s", name.data, sqlstate == NULL ? "" : sqlstate, reason.data);
		vsm_text_free(&name);
		vsm_text_free(&reason);
	}
	PQclear(result);
	return true;
}

/* ---- Statements ---- */

/* A parameter that is NULL is null, or is not used.  Returns NULL if the connection is closed, or the thread is ending. */
static PGresult *
ask(const char *sql, const char *first, const char *second)
{
	const char *const values[] = {first, second};
	int n = strstr(sql, "$2") != NULL ? 2 : strstr(sql, "$1") != NULL ? 1
																	  : 0;
	PGresult   *last = NULL;
	PGresult   *result;

	if (PQsendQueryParams(fold.pg, sql, n, NULL, values, NULL, NULL, 0) != 1)
	{
		lost(PQerrorMessage(fold.pg));
		return NULL;
	}
	do
	{
		while (PQisBusy(fold.pg))
		{
			if (!wait_for(PQsocket(fold.pg), POLLIN, INT64_MAX))
			{
				PQclear(last);
				return NULL;
			}
			if (PQconsumeInput(fold.pg) != 1)
				break;
		}
		result = PQgetResult(fold.pg);
		if (result != NULL)
		{
			PQclear(last);
			last = result;
		}
	} while (result != NULL);
	if (PQstatus(fold.pg) == CONNECTION_BAD)
	{
		lost(PQerrorMessage(fold.pg));
		PQclear(last);
		return NULL;
	}
	return last;
}

/* Any error closes the connection; the next one may be better. */
static PGresult *
rows_of(const char *sql, const char *first, const char *second)
{
	PGresult   *result = ask(sql, first, second);

	if (result == NULL || PQresultStatus(result) == PGRES_TUPLES_OK)
		return result;
	lost(PQresultErrorMessage(result));
	PQclear(result);
	return NULL;
}

static bool
is_true(const char *sql)
{
	PGresult   *result = rows_of(sql, NULL, NULL);
	bool		yes = result != NULL && strcmp(PQgetvalue(result, 0, 0), "t") == 0;

	PQclear(result);
	return yes;
}

/*
 * wait_for
 *		Wait for events of a file descriptor; -1: only for the time.
 *
 * False: it is time, or the thread is ending.
 */
static bool
wait_for(int fd, short events, int64_t until_us)
{
	struct pollfd fds[] = {{.fd = fold.wake, .events = POLLIN}, {.fd = fd, .events = events}};

	while (!fold.ending)
	{
		int64_t		left_us = until_us - vsm_now_us();
		int			n;

		if (left_us <= 0)
			return false;
		n = poll(fds, 2, left_us > 3600000000 ? 3600000 : (int) (left_us / 1000) + 1);
		if (n > 0 && fds[1].revents != 0)
			return !fold.ending;
	}
	return false;
}

/* Until the next round, or the next try to connect: that time doubles, and half of it is random. */
static int64_t
pause_us(void)
{
	int64_t		most_us = FIRST_BACKOFF_US << (fold.failures < 8 ? fold.failures : 8);

	if (fold.failures == 0)
		return (int64_t) vsm_options.fold_interval_s * 1000000;
	if (most_us > LAST_BACKOFF_US)
		most_us = LAST_BACKOFF_US;
	return most_us / 2 + (int64_t) (vsm_random() % (uint64_t) (most_us / 2));
}

/* Log why, and close the connection. */
static void
lost(const char *reason)
{
	if (!fold.ending)
		vsm_log_text(LOG_LEVEL_WARNING, "fold_connection_lost", "reason", reason);
	PQfinish(fold.pg);
	fold.pg = NULL;
	fold.failures++;
}
