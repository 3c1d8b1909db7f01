/*
 * simulate_item.h
 *		A simulated work item: what it is, and its moves through the stages.
 */
#ifndef VSM_SIMULATE_ITEM_H
#define VSM_SIMULATE_ITEM_H

#include "postgres.h"

#include "common/pg_prng.h"
#include "datatype/timestamp.h"

#define SIM_STAGES	6
#define SIM_TYPES	4

typedef struct VsmSimItem
{
	pg_prng_state random;
	int			type;
	char		case_id[16];
	char		title[80];

	/* where it is */
	int			stage;
	int64		entered_us;		/* working time, see simulate_calendar.h */
	int			visits[SIM_STAGES]; /* that have ended */
} VsmSimItem;

extern const char *vsm_sim_stage_name(int stage);
extern const char *vsm_sim_type_name(int type);
extern void vsm_sim_item_draw(VsmSimItem *item, int64 seed, int32 nth, int32 items);
extern void vsm_sim_item_arrive(VsmSimItem *item, TimestampTz at);
extern bool vsm_sim_item_move(VsmSimItem *item);

#endif							/* VSM_SIMULATE_ITEM_H */
