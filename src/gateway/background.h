/*
 * background.h
 *		Runs what would hold up the working thread in threads of their own.
 */
#ifndef VSM_GATEWAY_BACKGROUND_H
#define VSM_GATEWAY_BACKGROUND_H

#include <stdbool.h>

/* The caller's, but while it is submitted: then it belongs to background.c until done is called. */
typedef struct Task
{
	struct Task *next;
	bool		heavy;			/* takes seconds and memory: few of these run at once */
	void (*run)(struct Task *task); /* in another thread */
	void (*done)(struct Task *task); /* in the working thread */
	bool		canceled;		/* run was not called: the program ends */
	void	   *owner;
} Task;

extern void vsm_background_start(void);
extern void vsm_background_submit(Task *task);
extern int	vsm_background_fd(void);
extern void vsm_background_run(void);
extern bool vsm_background_stopping(void);
extern void vsm_background_stop(void);

#endif
