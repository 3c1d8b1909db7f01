/*
 * stream_grant.h
 *		A row of vsm.stream_access: a role, its stream and its level of access.
 */
#ifndef VSM_STREAM_GRANT_H
#define VSM_STREAM_GRANT_H

/* Each level includes the ones before it. */
typedef enum VsmLevel
{
	VSM_NO_ACCESS,
	VSM_READER,
	VSM_WRITER,
	VSM_ADMIN
} VsmLevel;

typedef struct VsmGrant
{
	char	   *role;
	char	   *stream;			/* NULL: all */
	VsmLevel	level;
} VsmGrant;

#endif							/* VSM_STREAM_GRANT_H */
