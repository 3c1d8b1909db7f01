/*
 * notify.c
 *		Tells systemd the state of a service with Type=notify.
 *
 * Sends one datagram to the socket that NOTIFY_SOCKET names (sd_notify(3), "Notes").  A name that
 * begins with @ is in the abstract namespace.  Without the variable, nothing is sent.
 */
#include "notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

/* state: for example READY=1 */
void
vsm_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t	length;
	int			fd;

	if (path == NULL || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof address.sun_path)
		return;
	memcpy(address.sun_path, path, strlen(path));
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	length = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + strlen(path));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *) &address, length) < 0)
		vsm_log(LOG_LEVEL_WARNING, "notify_failed", NULL);
	if (fd >= 0)
		close(fd);
}
