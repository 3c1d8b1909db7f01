/*
 * stage_cache.h
 *		Definitions of streams, stages and types, and grants on streams, cached per backend.
 */
#ifndef VSM_STAGE_CACHE_H
#define VSM_STAGE_CACHE_H

#include "postgres.h"

#include "roles/stream_grant.h"

typedef enum VsmCategory
{
	VSM_WAIT,
	VSM_ACTIVE,
	VSM_DONE
} VsmCategory;

typedef struct VsmStage
{
	int64		id;
	char	   *name;
	char	   *stream;
	VsmCategory category;
	int32		order;
	int32		wip_limit;		/* 0: none */
	bool		started;		/* at or after the commitment point, not done */
	bool		retired;
} VsmStage;

extern bool vsm_definitions_valid;
extern uint64 vsm_definitions_generation;	/* another one each time the definitions are read */

extern const VsmStage *vsm_stage(int64 id);
extern const VsmStage *vsm_stage_named(const char *stream, const char *name);
extern const VsmStage *vsm_first_stage(const char *stream);
extern bool vsm_type_known(const char *type);
extern bool vsm_any_stage(void);
extern const VsmGrant *vsm_grants(int *count, uint64 *generation);

#endif							/* VSM_STAGE_CACHE_H */
