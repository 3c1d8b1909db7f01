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

extern int	vsm_wip_limit_action;

extern int32 vsm_wip_enter(Relation items, const VsmStage *stage, bool stored);
extern void vsm_wip_changed(Relation items, int64 left, int64 entered);

#endif							/* VSM_WIP_LIMIT_H */
