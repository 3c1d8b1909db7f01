/*
 * pool.c
 *		The database thread: a queue of jobs and the connections that do them.
 *
 * Jobs wait in one queue per class.  Fast ones may use every connection, slow
 * ones half of them and imports a quarter, so that neither ever delays the fast.
 * A job waits for --queue-timeout at most, and no more than --queue-size wait.
 *
 * While no connection can be had, jobs fail at once (OUTCOME_DOWN), one
 * connection keeps trying, and the others follow when it has succeeded.  The time
 * between tries doubles from 0.1 to 5 seconds, half of it random, so that many
 * gateways do not all come at once.
 *
 * Locks: pool.lock covers inbox, stopping and the figures; the rest is the
 * thread's own.  pool.up and pool.waiting may be read by anybody.
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
#include "text.h"

#define FIRST_BACKOFF_US 100000
#define LAST_BACKOFF_US 5000000
#define MAX_EVENTS 64

typedef struct Queue
{
	Job		   *first;
	Job		  **last;			/* the place for the next one */
	int			length;
	int			running;
	int			most_running;
} Queue;

static struct
{
	pthread_t	thread;
	pthread_mutex_t lock;
	int			epoll;
	int			wake;			/* eventfd */
	Job		   *inbox;			/* newest first */
	bool		stopping;
	atomic_bool up;				/* connected, or not yet known not to be */
	atomic_int	waiting;		/* jobs that no connection has */
	PoolFigures figures;

	Queue		queues[N_CLASSES];
	Connection *connections;
	int			failures;		/* in a row */
	int64_t		retry_us;
	long long	refused;
	long long	lost;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .up = true};

static void *run_pool(void *unused);
static bool take_inbox(void);
static void put(Queue *queue, Job *job);
static void put_first(Queue *queue, Job *job);
static Job *take(Queue *queue);
static void dispatch(void);
static Connection *idle_connection(Class class);
static void expire_queued(int64_t now_us);
static void fail_queued(Outcome outcome);
static void open_connections(int64_t now_us);
static int	wait_ms(int64_t now_us);
static int	count(ConnectionState state);
static void note_figures(void);
static void finish(Job *job, Outcome outcome, PGresult *result);

void
vsm_pool_start(void)
{
	static const int share[N_CLASSES] = {1, 2, 4};
	struct epoll_event event = {.events = EPOLLIN};

	pool.epoll = epoll_create1(EPOLL_CLOEXEC);
	pool.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (pool.epoll < 0 || pool.wake < 0 || epoll_ctl(pool.epoll, EPOLL_CTL_ADD, pool.wake, &event) < 0)
		abort();
	for (int i = 0; i < N_CLASSES; i++)
	{
		pool.queues[i].last = &pool.queues[i].first;
		pool.queues[i].most_running = (vsm_options.pool_size + share[i] - 1) / share[i];
	}
	pool.connections = vsm_alloc(sizeof *pool.connections * (size_t) vsm_options.pool_size);
	for (int i = 0; i < vsm_options.pool_size; i++)
		vsm_connection_start(&pool.connections[i], pool.epoll);
	if (pthread_create(&pool.thread, NULL, run_pool, NULL) != 0)
		abort();
}

/*
 * vsm_pool_submit
 *		Have a job done; job->done is called by another thread, perhaps at once.
 */
void
vsm_pool_submit(Job *job)
{
	bool		first;
	Outcome		refusal = OUTCOME_BUSY;

	pthread_mutex_lock(&pool.lock);
	if (pool.stopping || !pool.up)
		refusal = OUTCOME_DOWN;
	else if (pool.waiting < vsm_options.queue_size)
	{
		first = pool.inbox == NULL;
		pool.waiting++;
		job->queued_us = vsm_now_us();
		job->next = pool.inbox;
		pool.inbox = job;
		pthread_mutex_unlock(&pool.lock);
		if (first)
			vsm_pool_wake();
		return;
	}
	else
		pool.figures.refused++;
	pthread_mutex_unlock(&pool.lock);
	job->outcome = refusal;
	job->done(job);
}

/* Something has come for an import, or a job. */
void
vsm_pool_wake(void)
{
	const uint64_t one = 1;

	while (write(pool.wake, &one, sizeof one) < 0 && errno == EINTR)
		;
}

/* Jobs that wait are OUTCOME_DOWN, those that run OUTCOME_LOST; later ones are refused. */
void
vsm_pool_stop(void)
{
	pthread_mutex_lock(&pool.lock);
	pool.stopping = true;
	pthread_mutex_unlock(&pool.lock);
	vsm_pool_wake();
	pthread_join(pool.thread, NULL);
	for (int i = 0; i < vsm_options.pool_size; i++)
	{
		Job		   *job = pool.connections[i].job;

		if (job != NULL)
			PQclear(job->result);
		vsm_connection_close(&pool.connections[i]);
		free(pool.connections[i].prepared);
		if (job != NULL)
			finish(job, OUTCOME_LOST, NULL);
	}
	free(pool.connections);
}

bool
vsm_pool_up(void)
{
	return pool.up;
}

PoolFigures
vsm_pool_figures(void)
{
	PoolFigures figures;

	pthread_mutex_lock(&pool.lock);
	figures = pool.figures;
	pthread_mutex_unlock(&pool.lock);
	return figures;
}

/* ---- The thread ---- */

static void *
run_pool(void *unused)
{
	struct epoll_event events[MAX_EVENTS];

	(void) unused;
	for (;;)
	{
		int64_t		now_us = vsm_now_us();
		int			n;

		open_connections(now_us);
		note_figures();
		n = epoll_wait(pool.epoll, events, MAX_EVENTS, wait_ms(now_us));
		for (int i = 0; i < n; i++)
		{
			uint64_t	ignored;

			if (events[i].data.ptr != NULL)
				vsm_connection_event(events[i].data.ptr, events[i].events);
			else if (read(pool.wake, &ignored, sizeof ignored) > 0)
				for (int c = 0; c < vsm_options.pool_size; c++)
					vsm_connection_copy(&pool.connections[c]);
		}
		now_us = vsm_now_us();
		for (int i = 0; i < vsm_options.pool_size; i++)
			vsm_connection_expire(&pool.connections[i], now_us);
		if (take_inbox())
			break;
		expire_queued(now_us);
		if (!pool.up)
			fail_queued(OUTCOME_DOWN);
		dispatch();
	}
	fail_queued(OUTCOME_DOWN);
	return NULL;
}

/* Is the pool to stop? */
static bool
take_inbox(void)
{
	Job		   *newest;
	Job		   *oldest = NULL;
	bool		stopping;

	pthread_mutex_lock(&pool.lock);
	newest = pool.inbox;
	pool.inbox = NULL;
	stopping = pool.stopping;
	pthread_mutex_unlock(&pool.lock);

	while (newest != NULL)
	{
		Job		   *next = newest->next;

		newest->next = oldest;
		oldest = newest;
		newest = next;
	}
	while (oldest != NULL)
	{
		Job		   *next = oldest->next;

		put(&pool.queues[oldest->class], oldest);
		oldest = next;
	}
	return stopping;
}

static void
put(Queue *queue, Job *job)
{
	job->next = NULL;
	*queue->last = job;
	queue->last = &job->next;
	queue->length++;
}

static void
put_first(Queue *queue, Job *job)
{
	job->next = queue->first;
	if (queue->first == NULL)
		queue->last = &job->next;
	queue->first = job;
	queue->length++;
	pool.waiting++;
}

static Job *
take(Queue *queue)
{
	Job		   *job = queue->first;

	queue->first = job->next;
	if (queue->first == NULL)
		queue->last = &queue->first;
	queue->length--;
	pool.waiting--;
	return job;
}

static void
dispatch(void)
{
	for (int class = 0; class < N_CLASSES; class++)
	{
		Queue	   *queue = &pool.queues[class];
		Connection *connection;

		while (queue->first != NULL && queue->running < queue->most_running &&
			   (connection = idle_connection((Class) class)) != NULL)
		{
			queue->running++;
			vsm_connection_run(connection, take(queue));
		}
	}
}

/* One whose session has the class's statement_timeout, if there is one. */
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
			finish(take(&pool.queues[i]), OUTCOME_BUSY, NULL);
		}
	}
}

static void
fail_queued(Outcome outcome)
{
	for (int i = 0; i < N_CLASSES; i++)
		while (pool.queues[i].first != NULL)
			finish(take(&pool.queues[i]), outcome, NULL);
}

static void
open_connections(int64_t now_us)
{
	bool		alone = count(CONNECTION_IDLE) + count(CONNECTION_BUSY) == 0;

	if (now_us < pool.retry_us)
		return;
	if (alone && pool.failures > 0 && count(CONNECTION_OPENING) > 0)
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

/* Until the next deadline; -1 when there is none. */
static int
wait_ms(int64_t now_us)
{
	int64_t		next_us = INT64_MAX;

	if (count(CONNECTION_DOWN) > 0 && pool.retry_us > now_us)
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
count(ConnectionState state)
{
	int			n = 0;

	for (int i = 0; i < vsm_options.pool_size; i++)
		n += pool.connections[i].state == state;
	return n;
}

static void
note_figures(void)
{
	pthread_mutex_lock(&pool.lock);
	pool.figures.idle = count(CONNECTION_IDLE);
	pool.figures.busy = count(CONNECTION_BUSY);
	pool.figures.down = vsm_options.pool_size - pool.figures.idle - pool.figures.busy;
	for (int i = 0; i < N_CLASSES; i++)
		pool.figures.queued[i] = pool.queues[i].length;
	pool.figures.refused += pool.refused;
	pool.figures.lost += pool.lost;
	pthread_mutex_unlock(&pool.lock);
	pool.refused = 0;
	pool.lost = 0;
}

/* ---- What connections tell ---- */

void
vsm_pool_opened(Connection *connection)
{
	(void) connection;
	if (!pool.up || pool.failures > 0)
		vsm_log(LOG_LEVEL_INFO, "database_connected", "\"failures\":%d", pool.failures);
	pool.failures = 0;
	pool.retry_us = 0;
	pool.up = true;
}

/* job NULL: its answer was told before. */
void
vsm_pool_finished(Connection *connection, Job *job, Outcome outcome, PGresult *result)
{
	if (job != NULL)
	{
		pool.queues[job->class].running--;
		finish(job, outcome, result);
	}
	if (connection->state == CONNECTION_IDLE && connection->stale)
		vsm_connection_close(connection);
}

/*
 * vsm_pool_broken
 *		A connection could not be opened, or broke.
 *
 * What only reads begins once more; of what writes nobody knows whether it was
 * committed, so the client is told.
 */
void
vsm_pool_broken(Connection *connection, Job *job, bool was_open, const char *reason)
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
		if (count(CONNECTION_IDLE) + count(CONNECTION_BUSY) == 0)
			pool.up = false;
	}
	if (job == NULL)
		return;
	pool.queues[job->class].running--;
	if (!job->writes && !job->repeated)
	{
		job->repeated = true;
		put_first(&pool.queues[job->class], job);
	}
	else
		finish(job, OUTCOME_LOST, NULL);
}

static void
finish(Job *job, Outcome outcome, PGresult *result)
{
	job->outcome = outcome;
	job->result = result;
	job->done(job);
}
