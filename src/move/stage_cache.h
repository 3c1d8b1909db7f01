/*
 * stage_cache.h
 *		Definitions of streams, stages and types, and grants on streams, cached per backend.
 */
#ifndef VSM_STAGE_CACHE_H
#define VSM_STAGE_CACHE_H

#include "postgres.h"

#include "definitions.h"

/* Another one each time the definitions are read; 0: they have changed since. */
extern uint64 vsm_definitions_generation;

extern const VsmStage *vsm_stage(int64 id);
extern const VsmStage *vsm_stage_named(const char *stream, const char *name);
extern const VsmStage *vsm_first_stage(const char *stream);
extern bool vsm_type_known(const char *type);
extern bool vsm_any_stage(void);
extern const VsmDefinitions *vsm_all_definitions(void);
extern TimestampTz vsm_closed_until(int64 stream_id);
extern bool vsm_any_closed(void);
extern const VsmGrant *vsm_grants(int *count, uint64 *generation);

#endif							/* VSM_STAGE_CACHE_H */
