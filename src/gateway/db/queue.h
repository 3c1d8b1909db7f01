/*
 * queue.h
 *		Jobs that wait for a connection.
 */
#ifndef VSM_GATEWAY_QUEUE_H
#define VSM_GATEWAY_QUEUE_H

#include "job.h"

typedef struct Queue
{
	Job		   *first;
	Job		  **last;			/* where the pointer to the next job goes */
	int			length;
	int			running;		/* jobs of this queue that have a connection */
	int			most_running;
} Queue;

extern void vsm_queue_last(Queue *queue, Job *job);
extern void vsm_queue_first(Queue *queue, Job *job);
extern Job *vsm_queue_take(Queue *queue, Job **place);

#endif
