/*
 * pool.c
 *		The working thread: queues of jobs, and the connections that run them.
 *
 * One thread with one epoll serves the database and the clients (PoolGuest).  Switching between
 * two threads would cost more than the work for a request.
 *
 * Each class of jobs has a queue.  Fast jobs may use every connection, slow jobs half of them and
 * imports a quarter, so that slow jobs and imports do not block fast ones.  A job waits for at
 * most --queue-timeout, and at most --queue-size jobs wait.  Waiting reads that are identical, as
 * those of many dashboards are, run as one query.  The query starts after all of them arrived, so
 * no result is older than its request.
 *
 * While no connection can be opened, jobs fail at once (OUTCOME_DOWN).  One connection keeps
 * trying, and the others follow when it has succeeded.  The time between tries doubles from 0.1
 * to 5 seconds; half of it is random, so that many gateways do not all try at the same time.
 *
 * Only the working thread uses this state, with two exceptions: any thread may set "stopping",
 * and vsm_pool_stop() joins the thread before it cleans up.
 */
#include "pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "connection.h"
#include "log.h"
#include "options.h"
#include "queue.h"
#include "text.h"

#define FIRST_BACKOFF_US 100000
#define LAST_BACKOFF_US 5000000
#define MAX_EVENTS 64

static struct
{
	pthread_t	thread;
	int			epoll;
	int			wake;			/* eventfd */
	atomic_bool stopping;
	bool		up;				/* connected, or not yet known to be down */
	bool		told;			/* a job ended since the clients were last served */

	Queue		queues[N_CLASSES];
	Connection *connections;
	int			failures;		/* to connect, in a row */
	int64_t		retry_us;
	long long	refused;
	long long	lost;
	PoolGuest	guest;
} pool = {.up = true};

static char guest_mark;			/* marks epoll events of the guest */

static void *run_pool(void *unused);
static void serve(const struct epoll_event *events, int n);
static Job **first_to_run(Queue *queue);
static int	running_of(const void *address);
static void dispatch(void);
static Connection *idle_connection(Class class);
static void expire_queued(int64_t now_us);
static void fail_queued(Outcome outcome);
static void open_connections(int64_t now_us);
static int	wait_ms(int64_t now_us);
static int	sooner(int ms, int other_ms);
static int	count_connections(ConnectionState state);
static int	count_waiting(void);
static void finish_job(Job *job, Outcome outcome, PGresult *result);
static void tell_owner(Job *job, Outcome outcome, PGresult *result);
static PGresult *copy_of(const PGresult *result);
static void note_opened(Connection *connection);
static void note_finished(Connection *connection, Job *job, Outcome outcome, PGresult *result);
static void note_broken(Connection *connection, Job *job, bool was_open, const char *reason);

static const ConnectionOwner owner = {note_opened, note_finished, note_broken};

void
vsm_pool_start(PoolGuest guest)
{
	static const int share[N_CLASSES] = {1, 2, 4};
	struct epoll_event event = {.events = EPOLLIN};
	struct epoll_event guests = {.events = EPOLLIN, .data.ptr = &guest_mark};

	pool.guest = guest;
	pool.epoll = epoll_create1(EPOLL_CLOEXEC);
	pool.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (pool.epoll < 0 || pool.wake < 0 || epoll_ctl(pool.epoll, EPOLL_CTL_ADD, pool.wake, &event) < 0 ||
		epoll_ctl(pool.epoll, EPOLL_CTL_ADD, guest.fd, &guests) < 0)
		abort();
	for (int i = 0; i < N_CLASSES; i++)
	{
		pool.queues[i].last = &pool.queues[i].first;
		pool.queues[i].most_running = (vsm_options.pool_size + share[i] - 1) / share[i];
	}
	pool.connections = vsm_alloc(sizeof *pool.connections * (size_t) vsm_options.pool_size);
	for (int i = 0; i < vsm_options.pool_size; i++)
		vsm_connection_start(&pool.connections[i], pool.epoll, &owner);
	if (pthread_create(&pool.thread, NULL, run_pool, NULL) != 0)
		abort();
}

/*
 * vsm_pool_submit
 *		Run a job.  job->done is called when it has ended, perhaps before this returns.
 */
void
vsm_pool_submit(Job *job)
{
	job->queued_us = vsm_now_us();
	if (pool.stopping || !pool.up)
		finish_job(job, OUTCOME_DOWN, NULL);
	else if (count_waiting() >= vsm_options.queue_size)
	{
		pool.refused++;
		finish_job(job, OUTCOME_BUSY, NULL);
	}
	else
		vsm_queue_last(&pool.queues[job->class], job);
}

/* Call this when an import has more rows, or has ended. */
void
vsm_pool_wake(void)
{
	for (int i = 0; i < vsm_options.pool_size; i++)
		vsm_connection_copy(&pool.connections[i]);
}

/* Waiting and later jobs end with OUTCOME_DOWN, running jobs with OUTCOME_LOST. */
void
vsm_pool_stop(void)
{
	const uint64_t one = 1;

	pool.stopping = true;
	while (write(pool.wake, &one, sizeof one) < 0 && errno == EINTR)
		;
	pthread_join(pool.thread, NULL);
	for (int i = 0; i < vsm_options.pool_size; i++)
	{
		Job		   *job = pool.connections[i].job;

		if (job != NULL)
			PQclear(job->result);
		vsm_connection_close(&pool.connections[i]);
		if (job != NULL)
			finish_job(job, OUTCOME_LOST, NULL);
	}
}

bool
vsm_pool_up(void)
{
	return pool.up;
}

PoolFigures
vsm_pool_figures(void)
{
	PoolFigures figures = {0};

	figures.idle = count_connections(CONNECTION_IDLE);
	figures.busy = count_connections(CONNECTION_BUSY);
	figures.down = vsm_options.pool_size - figures.idle - figures.busy;
	for (int i = 0; i < N_CLASSES; i++)
		figures.queued[i] = pool.queues[i].length;
	figures.refused = pool.refused;
	figures.lost = pool.lost;
	return figures;
}

/* ---- The thread ---- */

static void *
run_pool(void *unused)
{
	struct epoll_event events[MAX_EVENTS];

	(void) unused;
	while (!pool.stopping)
	{
		int64_t		now_us = vsm_now_us();
		int			n;

		open_connections(now_us);
		n = epoll_wait(pool.epoll, events, MAX_EVENTS, sooner(wait_ms(now_us), pool.guest.timeout_ms()));
		vsm_log_hold();
		serve(events, n);
		now_us = vsm_now_us();
		for (int i = 0; i < vsm_options.pool_size; i++)
			vsm_connection_expire(&pool.connections[i], now_us);
		expire_queued(now_us);
		if (!pool.up)
			fail_queued(OUTCOME_DOWN);
		dispatch();
		vsm_log_release();
	}
	fail_queued(OUTCOME_DOWN);
	return NULL;
}

/* Serve the database first, so that its answers can be sent in the same round. */
static void
serve(const struct epoll_event *events, int n)
{
	for (int i = 0; i < n; i++)
		if (events[i].data.ptr != NULL && events[i].data.ptr != &guest_mark)
			vsm_connection_event(events[i].data.ptr, events[i].events);
	dispatch();
	pool.told = false;
	pool.guest.run();
}

static void
dispatch(void)
{
	for (int i = 0; i < N_CLASSES; i++)
	{
		Queue	   *queue = &pool.queues[i];
		Connection *connection;
		Job		  **place;

		while (queue->running < queue->most_running && (place = first_to_run(queue)) != NULL &&
			   (connection = idle_connection((Class) i)) != NULL)
		{
			queue->running++;
			vsm_connection_run(connection, vsm_queue_take(queue, place));
		}
	}
}

/*
 * first_to_run
 *		The first job whose address may have another connection.
 *
 * If the class has several connections, one address never gets all of them.  A stalled import
 * therefore leaves at least one connection to other clients.
 */
static Job **
first_to_run(Queue *queue)
{
	int			share = queue->most_running > 1 ? queue->most_running - 1 : 1;

	for (Job **place = &queue->first; *place != NULL; place = &(*place)->next)
		if ((*place)->address == NULL || running_of((*place)->address) < share)
			return place;
	return NULL;
}

static int
running_of(const void *address)
{
	int			running = 0;

	for (int i = 0; i < vsm_options.pool_size; i++)
		if (pool.connections[i].job != NULL && pool.connections[i].job->address == address)
			running++;
	return running;
}

/* Prefers a session that already has the class's statement_timeout. */
static Connection *
idle_connection(Class class)
{
	Connection *found = NULL;

	for (int i = 0; i < vsm_options.pool_size; i++)
	{
		Connection *connection = &pool.connections[i];

		if (connection->state != CONNECTION_IDLE)
			continue;
		if (connection->timeout_class == (int) class)
			return connection;
		if (found == NULL || connection->timeout_class == -1)
			found = connection;
	}
	return found;
}

static void
expire_queued(int64_t now_us)
{
	const int64_t limit_us = (int64_t) vsm_options.queue_timeout_ms * 1000;

	for (int i = 0; i < N_CLASSES; i++)
	{
		while (pool.queues[i].first != NULL && now_us - pool.queues[i].first->queued_us >= limit_us)
		{
			pool.refused++;
			finish_job(vsm_queue_take(&pool.queues[i], &pool.queues[i].first), OUTCOME_BUSY, NULL);
		}
	}
}

static void
fail_queued(Outcome outcome)
{
	for (int i = 0; i < N_CLASSES; i++)
		while (pool.queues[i].first != NULL)
			finish_job(vsm_queue_take(&pool.queues[i], &pool.queues[i].first), outcome, NULL);
}

static void
open_connections(int64_t now_us)
{
	bool		alone = count_connections(CONNECTION_IDLE) + count_connections(CONNECTION_BUSY) == 0;

	if (now_us < pool.retry_us)
		return;
	if (alone && pool.failures > 0 && count_connections(CONNECTION_OPENING) > 0)
		return;
	for (int i = 0; i < vsm_options.pool_size && now_us >= pool.retry_us; i++)
	{
		if (pool.connections[i].state != CONNECTION_DOWN)
			continue;
		vsm_connection_open(&pool.connections[i]);
		if (alone && pool.failures > 0)
			break;
	}
}

/* Milliseconds until the next deadline; -1: none. */
static int
wait_ms(int64_t now_us)
{
	int64_t		next_us = INT64_MAX;

	if (count_connections(CONNECTION_DOWN) > 0 && pool.retry_us > now_us)
		next_us = pool.retry_us;
	for (int i = 0; i < vsm_options.pool_size; i++)
		if (pool.connections[i].deadline_us != 0 && pool.connections[i].deadline_us < next_us)
			next_us = pool.connections[i].deadline_us;
	for (int i = 0; i < N_CLASSES; i++)
	{
		const Job  *job = pool.queues[i].first;
		int64_t		end_us = job == NULL ? INT64_MAX : job->queued_us + (int64_t) vsm_options.queue_timeout_ms * 1000;

		if (end_us < next_us)
			next_us = end_us;
	}
	if (next_us == INT64_MAX)
		return -1;
	return next_us <= now_us ? 0 : (int) ((next_us - now_us) / 1000) + 1;
}

static int
count_connections(ConnectionState state)
{
	int			n = 0;

	for (int i = 0; i < vsm_options.pool_size; i++)
		n += pool.connections[i].state == state;
	return n;
}

/* Jobs that wait for a connection. */
static int
count_waiting(void)
{
	int			n = 0;

	for (int i = 0; i < N_CLASSES; i++)
		n += pool.queues[i].length;
	return n;
}

/* The shorter of two timeouts; -1: never. */
static int
sooner(int ms, int other_ms)
{
	if (pool.told)
		return 0;
	if (ms < 0 || (other_ms >= 0 && other_ms < ms))
		return other_ms;
	return ms;
}

/* ---- Callbacks of connections ---- */

static void
note_opened(Connection *connection)
{
	(void) connection;
	if (!pool.up || pool.failures > 0)
		vsm_log(LOG_LEVEL_INFO, "database_connected", "\"failures\":%d", pool.failures);
	pool.failures = 0;
	pool.retry_us = 0;
	pool.up = true;
}

/* job NULL: its outcome was reported before. */
static void
note_finished(Connection *connection, Job *job, Outcome outcome, PGresult *result)
{
	if (job != NULL)
	{
		pool.queues[job->class].running--;
		finish_job(job, outcome, result);
	}
	if (connection->state == CONNECTION_IDLE && connection->stale)
		vsm_connection_close(connection);
}

/*
 * note_broken
 *		A connection could not be opened, or broke.
 *
 * A job that only reads is run once more.  Whether a job that writes was committed is unknown, so
 * it ends with OUTCOME_LOST.
 */
static void
note_broken(Connection *connection, Job *job, bool was_open, const char *reason)
{
	(void) connection;
	vsm_log_text(LOG_LEVEL_WARNING, was_open ? "database_connection_lost" : "database_connection_failed", "reason", reason);
	if (was_open)
		pool.lost++;
	else
	{
		int64_t		pause_us = FIRST_BACKOFF_US << (pool.failures < 6 ? pool.failures : 6);

		if (pause_us > LAST_BACKOFF_US)
			pause_us = LAST_BACKOFF_US;
		pool.failures++;
		pool.retry_us = vsm_now_us() + pause_us / 2 + (int64_t) (vsm_random() % (uint64_t) (pause_us / 2));
		if (count_connections(CONNECTION_IDLE) + count_connections(CONNECTION_BUSY) == 0)
			pool.up = false;
	}
	if (job == NULL)
		return;
	pool.queues[job->class].running--;
	if (!job->writes && !job->repeated)
	{
		job->repeated = true;
		vsm_queue_first(&pool.queues[job->class], job);
	}
	else
		finish_job(job, OUTCOME_LOST, NULL);
}

/* libpq cannot copy an error, so after an error each identical job runs alone. */
static void
finish_job(Job *job, Outcome outcome, PGresult *result)
{
	Job		   *next;

	for (Job *other = job->same; other != NULL; other = next)
	{
		next = other->same;
		other->same = NULL;
		if (outcome == OUTCOME_ERROR)
		{
			other->alone = true;
			vsm_queue_first(&pool.queues[other->class], other);
		}
		else
			tell_owner(other, outcome, outcome == OUTCOME_ROWS ? copy_of(result) : NULL);
	}
	job->same = NULL;
	tell_owner(job, outcome, result);
}

static void
tell_owner(Job *job, Outcome outcome, PGresult *result)
{
	job->outcome = outcome;
	job->result = result;
	pool.told = true;
	job->done(job);
}

static PGresult *
copy_of(const PGresult *result)
{
	PGresult   *copy = PQcopyResult(result, PG_COPYRES_ATTRS | PG_COPYRES_TUPLES);

	if (copy == NULL)
		abort();
	return copy;
}
