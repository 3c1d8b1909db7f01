/*
 * fold.h
 *		Runs vsm.fold() at intervals, in a thread and a connection of its own.
 */
#ifndef VSM_GATEWAY_FOLD_H
#define VSM_GATEWAY_FOLD_H

extern void vsm_fold_start(void);
extern void vsm_fold_end(void);
extern void vsm_fold_join(void);

#endif
