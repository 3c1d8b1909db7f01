/*
 * door.h
 *		What this layer needs from the layer that serves clients.
 *
 * That layer installs its functions at startup, so that this layer does not depend on it.
 * "client" is the pointer in Request.client.
 */
#ifndef VSM_GATEWAY_DOOR_H
#define VSM_GATEWAY_DOOR_H

#include <stdbool.h>

typedef struct Door
{
	const char *(*header)(void *client, const char *name); /* of the request; NULL: not sent */
	void (*suspend)(void *client); /* stops reading from it and handling its request */
	void (*resume)(void *client);
	const void *(*address)(void *client); /* equal for all clients of an address */
	int (*clients)(void); /* number of connected clients */
	bool (*draining)(void); /* is the program shutting down? */
} Door;

extern Door vsm_door;

#endif
