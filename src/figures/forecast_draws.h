/*
 * forecast_draws.h
 *		Days to come, drawn from the days of the past.
 */
#ifndef VSM_FORECAST_DRAWS_H
#define VSM_FORECAST_DRAWS_H

#include "postgres.h"

#include "common/pg_prng.h"
#include "utils/array.h"

#define VSM_HORIZON_DAYS	3653	/* ten years: a trial that takes longer has no date */
#define VSM_BEYOND			(VSM_HORIZON_DAYS + 1)
#define VSM_GUIDE_SIZE		256

/* Days of the past, by the items finished on each. */
typedef struct VsmPastDays
{
	const int64 *samples;
	int			count;
} VsmPastDays;

/* How many days pass before one that finishes something. */
typedef struct VsmIdleDays
{
	VsmPastDays busy;			/* the days that finished something */
	uint64	   *more;			/* [n]: 2^64 times the probability that more than n days are idle */
	uint16		guide[VSM_GUIDE_SIZE];	/* by the first byte of a draw, the fewest that it can stand for */
	int32	   *working;		/* [n]: the day to come that is the n-th working day, from 1 */
	int			nworking;		/* up to the horizon */
} VsmIdleDays;

typedef struct VsmDraws
{
	VsmPastDays working;
	VsmPastDays off;
	const bool *is_off;			/* by day to come, from 1 to VSM_HORIZON_DAYS; NULL: none is off */
	VsmIdleDays *idle;			/* NULL: each day is drawn */
	pg_prng_state random;
} VsmDraws;

extern void vsm_begin_draws(VsmDraws *draws, ArrayType *samples, int64 seed, ArrayType *off_samples, ArrayType *days_off);
extern int64 vsm_days_for(VsmDraws *draws, int64 items);
extern int64 vsm_items_in(VsmDraws *draws, int32 days);

/* One of the days.  The bias of the multiplication is below samples / 2^32. */
static inline int64
vsm_draw_from(const VsmPastDays *past, pg_prng_state *random)
{
	return past->samples[((pg_prng_uint64(random) >> 32) * (uint64) past->count) >> 32];
}

/* The items of a random day of the past, for a day to come. */
static inline int64
vsm_draw_day(VsmDraws *draws, int day)
{
	const VsmPastDays *past = draws->is_off != NULL && draws->is_off[day] ? &draws->off : &draws->working;

	return past->count == 0 ? 0 : vsm_draw_from(past, &draws->random);
}

#endif							/* VSM_FORECAST_DRAWS_H */
