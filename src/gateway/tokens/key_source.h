/*
 * key_source.h
 *		Where the keys of tokens come from, and the set that is valid now.
 *
 * The main thread calls start, end and join, the working thread all others.
 */
#ifndef VSM_GATEWAY_KEY_SOURCE_H
#define VSM_GATEWAY_KEY_SOURCE_H

#include <stdbool.h>

#include "key.h"

/* Somebody who waits until new keys have been asked for. */
typedef struct KeyWaiter
{
	struct KeyWaiter *next;
	void (*resume)(struct KeyWaiter *waiter); /* called once */
} KeyWaiter;

extern char *vsm_keys_start(void);
extern bool vsm_keys_tried(void);
extern void vsm_keys_end(void);
extern void vsm_keys_join(void);

extern const KeySet *vsm_keys(void);
extern bool vsm_keys_ask(void);
extern void vsm_keys_wait(KeyWaiter *waiter);
extern int	vsm_keys_fd(void);
extern void vsm_keys_run(void);

#endif
