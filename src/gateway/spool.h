/*
 * spool.h
 *		A temporary file without a name.
 */
#ifndef VSM_GATEWAY_SPOOL_H
#define VSM_GATEWAY_SPOOL_H

#include <stdbool.h>
#include <stddef.h>

/* Initialize with {.fd = -1}. */
typedef struct Spool
{
	int			fd;
	int			error;			/* errno of what failed; 0: nothing */
} Spool;

extern bool vsm_spool_write(Spool *spool, const char *bytes, size_t length);
extern long vsm_spool_read(Spool *spool, char *buffer, size_t size);
extern bool vsm_spool_rewind(Spool *spool);
extern bool vsm_spool_is_full(const Spool *spool);
extern void vsm_spool_close(Spool *spool);

#endif
