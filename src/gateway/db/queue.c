/*
 * queue.c
 *		Jobs that wait for a connection.
 */
#include "queue.h"

#include <string.h>

static void take_same_jobs(Queue *queue, Job *job);
static bool asks_same(const Job *job, const Job *other);
static bool same_text(const char *a, const char *b);

/* Add a job at the end. */
void
vsm_queue_last(Queue *queue, Job *job)
{
	job->next = NULL;
	*queue->last = job;
	queue->last = &job->next;
	queue->length++;
}

/* Add a job at the front. */
void
vsm_queue_first(Queue *queue, Job *job)
{
	job->next = queue->first;
	if (queue->first == NULL)
		queue->last = &job->next;
	queue->first = job;
	queue->length++;
}

/*
 * vsm_queue_take
 *		Remove the job at a place, and with it the waiting reads that are identical to it.
 */
Job *
vsm_queue_take(Queue *queue, Job **place)
{
	Job		   *job = *place;

	*place = job->next;
	if (*place == NULL)
		queue->last = place;
	queue->length--;
	job->next = NULL;
	if (!job->writes && !job->alone)
		take_same_jobs(queue, job);
	return job;
}

static void
take_same_jobs(Queue *queue, Job *job)
{
	for (Job **place = &queue->first; *place != NULL;)
	{
		Job		   *other = *place;

		if (!asks_same(job, other))
		{
			place = &other->next;
			continue;
		}
		*place = other->next;
		if (queue->last == &other->next)
			queue->last = place;
		queue->length--;
		other->next = NULL;
		other->same = job->same;
		job->same = other;
	}
}

static bool
asks_same(const Job *job, const Job *other)
{
	if (other->statement != job->statement || other->writes || other->alone ||
		!same_text(job->role, other->role) || !same_text(job->claims, other->claims))
		return false;
	for (int i = 0; i < job->statement->n_params; i++)
		if (!same_text(job->values[i], other->values[i]))
			return false;
	return true;
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}
