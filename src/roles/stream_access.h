/*
 * stream_access.h
 *		Which streams a role may see, write and define.
 */
#ifndef VSM_STREAM_ACCESS_H
#define VSM_STREAM_ACCESS_H

#include "postgres.h"

#include "vsm.h"

/* Each includes the ones before it. */
typedef enum VsmLevel
{
	VSM_NO_ACCESS,
	VSM_READER,
	VSM_WRITER,
	VSM_ADMIN
} VsmLevel;

/* A row of vsm.stream_access. */
typedef struct VsmGrant
{
	char	   *role;
	char	   *stream;			/* NULL: all */
	VsmLevel	level;
} VsmGrant;

extern bool vsm_may(VsmLevel level, const char *stream);
extern bool vsm_may_see_stage(int64 stage_id);
extern const VsmStage *vsm_visible_stage(int64 stage_id);
extern const VsmStage *vsm_told_stage(int64 stage_id);
extern void vsm_require_reading(Oid table);
extern void vsm_require_access(VsmLevel level, const char *stream);

/* stage_cache.c */
extern bool vsm_definitions_valid;
extern uint64 vsm_definitions_generation;
extern const VsmGrant *vsm_grants(int *count, uint64 *generation);

#endif							/* VSM_STREAM_ACCESS_H */
