/*
 * pool.h
 *		The working thread: a queue of jobs and the connections that do them.
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
	long long	refused;		/* jobs that were OUTCOME_BUSY */
	long long	lost;			/* connections that broke */
} PoolFigures;

/* What the working thread serves beside the database: clients. */
typedef struct PoolGuest
{
	int			fd;				/* readable when there is something to do */
	int (*timeout_ms)(void); /* after which run() is due without that; -1: never */
	void (*run)(void);
} PoolGuest;

extern void vsm_pool_start(PoolGuest guest);
extern void vsm_pool_submit(Job *job);
extern void vsm_pool_wake(void);
extern void vsm_pool_stop(void);
extern bool vsm_pool_up(void);
extern PoolFigures vsm_pool_figures(void);

#endif
