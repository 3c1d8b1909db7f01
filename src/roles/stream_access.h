/*
 * stream_access.h
 *		Which streams a role may see, write and define.
 */
#ifndef VSM_STREAM_ACCESS_H
#define VSM_STREAM_ACCESS_H

#include "postgres.h"

#include "nodes/parsenodes.h"

#include "move/stage_cache.h"
#include "stream_grant.h"

extern bool vsm_may_enter_schema(void);
extern bool vsm_has_rights_on(Oid table, AclMode rights);
extern bool vsm_may(VsmLevel level, const char *stream);
extern bool vsm_may_see_stage(int64 stage_id);
extern const VsmStage *vsm_visible_stage(int64 stage_id);
extern const VsmStage *vsm_told_stage(int64 stage_id);
extern const VsmStage *vsm_require_stage(const char *stream, const char *name);
extern Oid	vsm_tell_names_to(Oid role);
extern char *vsm_streams_to_choose(void);
extern char *vsm_stages_to_choose(const char *stream);
extern void vsm_require_reading(Oid table);
extern void vsm_require_access(VsmLevel level, const char *stream);

#endif							/* VSM_STREAM_ACCESS_H */
