/*
 * spool.c
 *		A temporary file without a name.
 *
 * It lies in --spool-dir, has no name from the start where the file system allows that, and is gone when it is closed,
 * also when the program is killed.
 */
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "options.h"
#include "text.h"

static int	open_spool(void);
static int	open_in(const char *folder);

/* Appends; the file is made at the first call.  False: spool->error says why. */
bool
vsm_spool_write(Spool *spool, const char *bytes, size_t length)
{
	if (spool->fd < 0 && spool->error == 0)
	{
		spool->fd = open_spool();
		spool->error = spool->fd < 0 ? errno : 0;
	}
	while (length > 0 && spool->error == 0)
	{
		ssize_t		n = write(spool->fd, bytes, length);

		if (n < 0 && errno != EINTR)
			spool->error = errno;
		else if (n > 0)
		{
			bytes += n;
			length -= (size_t) n;
		}
	}
	return spool->error == 0;
}

static int
open_spool(void)
{
	static const char *const usual[] = {"/var/tmp", "/tmp"};
	const char *folder = vsm_options.spool_dir != NULL ? vsm_options.spool_dir : getenv("TMPDIR");
	int			fd = -1;

	if (folder != NULL && folder[0] != '\0')
		return open_in(folder);
	for (size_t i = 0; i < sizeof usual / sizeof usual[0] && fd < 0; i++)
		fd = open_in(usual[i]);
	return fd;
}

static int
open_in(const char *folder)
{
	int			fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
	char	   *name;

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd;
	name = vsm_format("%s/vsm-gateway-XXXXXX", folder);
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		unlink(name);
	free(name);
	return fd;
}

/* Bytes from where the last read ended; 0 at the end; -1: spool->error says why. */
long
vsm_spool_read(Spool *spool, char *buffer, size_t size)
{
	ssize_t		n = 0;

	while (spool->fd >= 0 && (n = read(spool->fd, buffer, size)) < 0 && errno == EINTR)
		;
	if (n < 0)
		spool->error = errno;
	return (long) n;
}

/* A file that nothing was written to is empty. */
bool
vsm_spool_rewind(Spool *spool)
{
	return spool->fd < 0 || lseek(spool->fd, 0, SEEK_SET) == 0;
}

/* Is there no room for more? */
bool
vsm_spool_is_full(const Spool *spool)
{
	return spool->error == ENOSPC || spool->error == EDQUOT || spool->error == EFBIG;
}

void
vsm_spool_close(Spool *spool)
{
	if (spool->fd >= 0)
		close(spool->fd);
	spool->fd = -1;
}
