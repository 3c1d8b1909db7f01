/*
 * background.c
 *		Runs what would hold up the working thread in threads of their own.
 *
 * A task waits in a queue, is run by one of N_THREADS threads, and comes back to the working thread, which calls its done().
 * Of heavy tasks at most MOST_HEAVY run at once; the others pass them by, so that writing a piece of a file never waits for
 * several files that are being read.
 *
 * Locks: "lock" guards all members but news and wake; it is held for assignments only.
 */
#include "background.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define N_THREADS 3
#define MOST_HEAVY 2

static struct
{
	pthread_mutex_t lock;
	pthread_cond_t changed;
	Task	   *queue;
	Task	  **last;			/* where the pointer to the next task goes */
	Task	   *done;			/* newest first */
	int			heavy;			/* such tasks that run */
	bool		stopping;
	pthread_t	threads[N_THREADS];
	atomic_bool news;			/* done has changed */
	int			wake;			/* eventfd for the working thread */
} background = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .last = &background.queue, .wake = -1};

static void *work(void *unused);
static Task *take(void);
static void give_back(Task *task);

void
vsm_background_start(void)
{
	background.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (background.wake < 0)
		abort();
	for (int i = 0; i < N_THREADS; i++)
		if (pthread_create(&background.threads[i], NULL, work, NULL) != 0)
			abort();
}

void
vsm_background_submit(Task *task)
{
	task->next = NULL;
	task->canceled = false;
	pthread_mutex_lock(&background.lock);
	if (background.stopping)
	{
		task->canceled = true;
		give_back(task);
	}
	else
	{
		*background.last = task;
		background.last = &task->next;
		pthread_cond_signal(&background.changed);
	}
	pthread_mutex_unlock(&background.lock);
}

/* A file descriptor that is readable when vsm_background_run() must be called. */
int
vsm_background_fd(void)
{
	return background.wake;
}

/* Calls done() of the tasks that have been run. */
void
vsm_background_run(void)
{
	uint64_t	n;
	Task	   *task;

	if (!background.news)
		return;
	background.news = false;
	while (read(background.wake, &n, sizeof n) < 0 && errno == EINTR)
		;
	pthread_mutex_lock(&background.lock);
	task = background.done;
	background.done = NULL;
	pthread_mutex_unlock(&background.lock);
	while (task != NULL)
	{
		Task	   *next = task->next;

		task->done(task);
		task = next;
	}
}

/* Any task may ask, to end early. */
bool
vsm_background_stopping(void)
{
	bool		stopping;

	pthread_mutex_lock(&background.lock);
	stopping = background.stopping;
	pthread_mutex_unlock(&background.lock);
	return stopping;
}

/* Ends the threads.  Tasks that were not run are canceled; the next vsm_background_run() has them all. */
void
vsm_background_stop(void)
{
	Task	   *task;

	pthread_mutex_lock(&background.lock);
	background.stopping = true;
	task = background.queue;
	background.queue = NULL;
	background.last = &background.queue;
	while (task != NULL)
	{
		Task	   *next = task->next;

		task->canceled = true;
		give_back(task);
		task = next;
	}
	pthread_cond_broadcast(&background.changed);
	pthread_mutex_unlock(&background.lock);
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(background.threads[i], NULL);
}

/* ---- The threads ---- */

static void *
work(void *unused)
{
	(void) unused;
	pthread_mutex_lock(&background.lock);
	while (!background.stopping)
	{
		Task	   *task = take();

		if (task == NULL)
		{
			pthread_cond_wait(&background.changed, &background.lock);
			continue;
		}
		background.heavy += task->heavy;
		pthread_mutex_unlock(&background.lock);
		task->run(task);
		pthread_mutex_lock(&background.lock);
		background.heavy -= task->heavy;
		/* Another heavy one may have waited for this. */
		pthread_cond_signal(&background.changed);
		give_back(task);
	}
	pthread_mutex_unlock(&background.lock);
	return NULL;
}

/* The first task that may run now, removed from the queue; NULL: none. */
static Task *
take(void)
{
	for (Task **place = &background.queue; *place != NULL; place = &(*place)->next)
	{
		Task	   *task = *place;

		if (task->heavy && background.heavy >= MOST_HEAVY)
			continue;
		*place = task->next;
		if (background.last == &task->next)
			background.last = place;
		return task;
	}
	return NULL;
}

/* With the lock held. */
static void
give_back(Task *task)
{
	const uint64_t one = 1;

	task->next = background.done;
	background.done = task;
	while (write(background.wake, &one, sizeof one) < 0 && errno == EINTR)
		;
	background.news = true;		/* after the write, which is read when there is news */
}
