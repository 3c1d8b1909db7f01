/*
 * wip_limit.h
 *		What happens when a stage is full.
 */
#ifndef VSM_WIP_LIMIT_H
#define VSM_WIP_LIMIT_H

#include "postgres.h"

#include "utils/relcache.h"

#include "move/stage_cache.h"

/* vsm.wip_limit_action */
typedef enum VsmLimitAction
{
	VSM_LIMIT_REJECT,
	VSM_LIMIT_WARN,
	VSM_LIMIT_OFF
} VsmLimitAction;

struct VsmKey;
struct VsmNoted;

extern int	vsm_wip_limit_action;

extern void vsm_limit_require_room(int64 entered);
extern bool vsm_limit_refuses(const VsmStage *stage);
extern int32 vsm_limit_reserve_place(Relation items, const VsmStage *entered, bool stored);
extern void vsm_limit_reserve_stored(const struct VsmKey *key, struct VsmNoted *note);

#endif							/* VSM_WIP_LIMIT_H */
