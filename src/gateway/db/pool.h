/*
 * pool.h
 *		The working thread: queues of jobs, and the connections that run them.
 */
#ifndef VSM_GATEWAY_POOL_H
#define VSM_GATEWAY_POOL_H

#include "job.h"

typedef struct PoolFigures
{
	int			idle;
	int			busy;
	int			down;
	int			queued[N_CLASSES];
	long long	refused;		/* jobs that ended with OUTCOME_BUSY */
	long long	lost;			/* connections that broke */
} PoolFigures;

/* What the working thread serves besides the database: the clients. */
typedef struct PoolGuest
{
	int			fd;				/* readable when run() must be called */
	int (*timeout_ms)(void); /* until run() must be called even without input; -1: never */
	void (*run)(void);
} PoolGuest;

extern void vsm_pool_start(PoolGuest guest);
extern void vsm_pool_submit(Job *job);
extern void vsm_pool_wake(void);
extern void vsm_pool_stop(void);
extern bool vsm_pool_up(void);
extern PoolFigures vsm_pool_figures(void);

#endif
