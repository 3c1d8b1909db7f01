/*
 * rank.h
 *		The one rule of percentiles, that of percentile_disc.  Plain C.
 */
#ifndef VSM_RANK_H
#define VSM_RANK_H

#include <math.h>
#include <stdint.h>

/*
 * The rank, from 1, of a percentile among count values in ascending order: the
 * smallest value such that at least that fraction of the values is at or below it.
 * There is at least one value, and fraction lies between 0 and 1.
 */
static inline uint64_t
vsm_percentile_rank(double fraction, uint64_t count)
{
	double		rank = ceil(fraction * (double) count);

	if (rank < 1)
		return 1;
	return rank < (double) count ? (uint64_t) rank : count;
}

#endif							/* VSM_RANK_H */
