/*
 * door.h
 *		What this layer needs of the one that clients come through.
 *
 * It is installed at the start, so that nothing here knows how clients are served.
 * A client is what Request.client points to.
 */
#ifndef VSM_GATEWAY_DOOR_H
#define VSM_GATEWAY_DOOR_H

#include <stdbool.h>

typedef struct Door
{
	const char *(*header)(void *client, const char *name); /* of the request; NULL: it has none */
	void (*suspend)(void *client); /* nothing is read from it, and its request does not go on */
	void (*resume)(void *client);
	const void *(*address)(void *client); /* the same for all clients of an address */
	int (*clients)(void);
	bool (*draining)(void); /* the program is ending */
} Door;

extern Door vsm_door;

#endif
