/*
 * fold.c
 *		Runs vsm.fold() at intervals, in a thread and a connection of its own.
 *
 * Folding only makes figures faster, so nothing here may disturb requests.  The thread shares no
 * state with the working thread, takes no connection of the pool, and every stream is a
 * transaction of its own.  A round is
 *
 *		does the server take writes? -> may the role fold? -> each stream: our turn?, fold
 *
 * The turn is the transaction's, as are role and timeouts: behind a pooler, the next transaction
 * may be in another session, and this session belongs to other clients, too.  It is a lock that only
 * roles can take that may fold, so no stranger keeps all gateways from it.  A gateway that does
 * not get it tries again after the next interval.  Others than gateways, such as pg_cron,
 * need not take it: vsm.fold() itself lets only one session fold a stream.
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
#include "statement.h"
#include "text.h"

#define FIRST_BACKOFF_US 500000
#define LAST_BACKOFF_US 60000000

/* Between two rounds.  Behind a pooler no session waits for the next round, and none may keep a setting. */
#define SESSION_SQL "SELECT pg_catalog.pg_backend_pid()"
#define IDLE_SQL "SELECT pg_catalog.set_config('idle_session_timeout', '0', false)"
#define CHECK_CLIENT_SQL "SELECT pg_catalog.set_config('client_connection_check_interval', '1000', true)"

/* A backlog may take minutes.  Behind somebody's lock, the next interval does as well. */
#define BEGIN_SQL \
	"BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE; SELECT pg_catalog.set_config('role', %s, true)," \
	" pg_catalog.set_config('statement_timeout', '0', true), pg_catalog.set_config('lock_timeout', '5000', true)," \
	" pg_catalog.set_config('client_connection_check_interval', '%s', true)"

/* Rights are asked of the catalogs, since the server would log a refusal at every interval. */
#define SERVER_SQL \
	"SELECT " SERVER_WRITABLE_SQL ", $1::pg_catalog.text IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_roles AS r" \
	" WHERE r.rolname = $1 AND pg_catalog.pg_has_role(session_user, r.oid, $2))"
#define RIGHTS_SQL \
	"SELECT p.oid IS NOT NULL, pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE')" \
	" AND pg_catalog.has_table_privilege(s.oid, 'SELECT') AND pg_catalog.has_table_privilege(t.oid, 'SELECT'), current_user" \
	" FROM (SELECT) AS one LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = 'vsm'" \
	" LEFT JOIN pg_catalog.pg_proc AS p ON p.pronamespace = n.oid AND p.proname = 'fold' AND p.pronargs = 2" \
	" LEFT JOIN pg_catalog.pg_class AS s ON s.relnamespace = n.oid AND s.relname = 'value_streams'" \
	" LEFT JOIN pg_catalog.pg_class AS t ON t.relnamespace = n.oid AND t.relname = 'stage_transitions' LIMIT 1"
#define LOCK_SQL "SELECT vsm._fold_turn()"
#define STREAMS_SQL "SELECT name FROM vsm.value_streams ORDER BY id"
#define FOLD_SQL "SELECT days_folded, days_waiting FROM vsm.fold($1)"

#define NO_FUNCTION_HINT "Run CREATE EXTENSION vsm, or ALTER EXTENSION vsm UPDATE, or start the gateway with --fold-interval=0."
#define NO_RIGHT_HINT \
	"Give --fold-role a role that has vsm.grant_access(..., 'reader') and that the gateway's user is a member of, or let another" \
	" scheduler run vsm.fold() and start the gateway with --fold-interval=0."

typedef enum Fate
{
	FOLDED,						/* or put off, or failed */
	ELSEWHERE,					/* another gateway folds */
	CLOSED						/* the connection was closed, or the thread is ending */
} Fate;

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
	char	   *begin;			/* BEGIN_SQL */
	int			failures;		/* to connect or to complete a round, in a row */
	bool		refused;		/* the log says that folding is not allowed */
} fold;

static void *run_fold(void *unused);
static bool open_connection(void);
static bool know_session(void);
static bool run_round(void);
static bool may_fold(PGresult **streams);
static bool has_rights(PGresult **streams);
static void refuse(const char *reason, const char *hint);
static Fate fold_stream(const char *stream, Sum *sum);
static void say_failed(const char *stream, const PGresult *error);
static PGresult *ask(const char *sql, const char *first, const char *second);
static PGresult *answer(bool sent);
static PGresult *rows_of(const char *sql, const char *first, const char *second);
static bool done(const char *sql);
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
	free(fold.begin);
	return NULL;
}

static bool
open_connection(void)
{
	int64_t		until_us = vsm_now_us() + vsm_dial_timeout_us();
	PostgresPollingStatusType next = PGRES_POLLING_WRITING;

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
	return know_session();
}

/* Is a pooler in between?  And what will BEGIN be? */
static bool
know_session(void)
{
	PGresult   *session = rows_of(SESSION_SQL, NULL, NULL);
	bool		pooled = session != NULL && strtol(PQgetvalue(session, 0, 0), NULL, 10) != PQbackendPID(fold.pg);
	PGresult   *checks;
	char	   *role;

	PQclear(session);
	if (session == NULL || (!pooled && !done(IDLE_SQL)))
		return false;
	/* Not every operating system can do that: then a fold of a client that has gone runs to its end. */
	checks = ask(CHECK_CLIENT_SQL, NULL, NULL);
	if (checks == NULL)
		return false;
	role = PQescapeLiteral(fold.pg, vsm_options.fold_role == NULL ? "none" : vsm_options.fold_role,
						   vsm_options.fold_role == NULL ? 4 : strlen(vsm_options.fold_role));
	if (role == NULL)
		abort();
	free(fold.begin);
	fold.begin = vsm_format(BEGIN_SQL, role, PQresultStatus(checks) == PGRES_TUPLES_OK ? "1000" : "0");
	PQfreemem(role);
	PQclear(checks);
	return true;
}

/* False: the connection was closed, or the thread is ending. */
static bool
run_round(void)
{
	int64_t		start_us = vsm_now_us();
	PGresult   *streams = NULL;
	Sum			sum = {0};
	Fate		fate = FOLDED;

	if (!may_fold(&streams))
		return false;
	if (streams == NULL)
		return true;
	fold.refused = false;
	for (int i = 0; fate == FOLDED && i < PQntuples(streams); i++)
		fate = fold_stream(PQgetvalue(streams, i, 0), &sum);
	PQclear(streams);
	if (fate == FOLDED)
		vsm_log(LOG_LEVEL_DEBUG, "folded", "\"streams\":%d,\"days_folded\":%lld,\"days_waiting\":%lld,\"duration_ms\":%.3f",
				sum.streams, sum.days_folded, sum.days_waiting, (double) (vsm_now_us() - start_us) / 1000);
	else if (fate == ELSEWHERE)
		vsm_log(LOG_LEVEL_DEBUG, "fold_elsewhere", NULL);
	return fate != CLOSED;
}

/* Sets *streams to the names of the streams if the role may fold.  False as in run_round(). */
static bool
may_fold(PGresult **streams)
{
	PGresult   *server = rows_of(SERVER_SQL, vsm_options.fold_role, PQserverVersion(fold.pg) >= 160000 ? "SET" : "MEMBER");
	bool		writable = server != NULL && strcmp(PQgetvalue(server, 0, 0), "t") == 0;
	bool		member = server != NULL && strcmp(PQgetvalue(server, 0, 1), "t") == 0;

	PQclear(server);
	if (server == NULL)
		return false;
	if (!writable)
		return true;
	if (!member)
	{
		refuse("The gateway's user cannot become the role that --fold-role names.", NO_RIGHT_HINT);
		return true;
	}
	if (!done(fold.begin) || !has_rights(streams))
		return false;
	if (done("COMMIT"))
		return true;
	PQclear(*streams);
	return false;
}

static bool
has_rights(PGresult **streams)
{
	PGresult   *rights = rows_of(RIGHTS_SQL, NULL, NULL);
	bool		connected = rights != NULL;

	if (!connected)
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
	{
		*streams = rows_of(STREAMS_SQL, NULL, NULL);
		connected = *streams != NULL;
	}
	PQclear(rights);
	return connected;
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

/* An error of one stream does not keep the others from being folded. */
static Fate
fold_stream(const char *stream, Sum *sum)
{
	PGresult   *lock = done(fold.begin) ? rows_of(LOCK_SQL, NULL, NULL) : NULL;
	bool		locked = lock != NULL && strcmp(PQgetvalue(lock, 0, 0), "t") == 0;
	PGresult   *result = locked ? ask(FOLD_SQL, stream, NULL) : NULL;
	bool		folded = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;

	PQclear(lock);
	if (lock == NULL || (locked && result == NULL))
		return CLOSED;
	if (folded)
	{
		long long	waiting = strtoll(PQgetvalue(result, 0, 1), NULL, 10);

		sum->streams++;
		sum->days_folded += strtoll(PQgetvalue(result, 0, 0), NULL, 10);
		if (waiting > sum->days_waiting)
			sum->days_waiting = waiting;
	}
	else if (locked)
		say_failed(stream, result);
	PQclear(result);
	if (!done(folded ? "COMMIT" : "ROLLBACK"))
		return CLOSED;
	return locked ? FOLDED : ELSEWHERE;
}

static void
say_failed(const char *stream, const PGresult *error)
{
	/* somebody else folds it or changes its definition, it has just been deleted, or the server has become read-only */
	static const char *const put_offs[] = {"55P03", "40001", "PT404", "25006"};
	const char *sqlstate = PQresultErrorField(error, PG_DIAG_SQLSTATE);
	bool		put_off = false;
	Text		name = {0};
	Text		reason = {0};

	for (size_t i = 0; i < sizeof put_offs / sizeof put_offs[0]; i++)
		put_off = put_off || (sqlstate != NULL && strcmp(sqlstate, put_offs[i]) == 0);
	vsm_text_json(&name, stream, strlen(stream));
	vsm_text_json(&reason, PQresultErrorMessage(error), strcspn(PQresultErrorMessage(error), "\n"));
	vsm_log(put_off ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, put_off ? "fold_put_off" : "fold_failed",
			"\"stream\":%s,\"sqlstate\":\"%s\",\"reason\":%s", name.data, sqlstate == NULL ? "" : sqlstate, reason.data);
	vsm_text_free(&name);
	vsm_text_free(&reason);
}

/* ---- Statements ---- */

/* A parameter that is NULL is null.  Returns as answer(). */
static PGresult *
ask(const char *sql, const char *first, const char *second)
{
	const char *const values[] = {first, second};
	int n = strstr(sql, "$2") != NULL ? 2 : strstr(sql, "$1") != NULL ? 1
																	  : 0;

	return answer(PQsendQueryParams(fold.pg, sql, n, NULL, values, NULL, NULL, 0) == 1);
}

/* The last result, or an error.  NULL: the connection is closed, or the thread is ending. */
static PGresult *
answer(bool sent)
{
	PGresult   *last = NULL;
	PGresult   *result;

	if (!sent)
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

/* Run one or several statements whose rows do not matter.  False as in run_round(). */
static bool
done(const char *sql)
{
	PGresult   *result = answer(PQsendQuery(fold.pg, sql) == 1);
	bool		good = PQresultStatus(result) == PGRES_TUPLES_OK || PQresultStatus(result) == PGRES_COMMAND_OK;

	if (!good && result != NULL)
		lost(PQresultErrorMessage(result));
	PQclear(result);
	return good;
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
