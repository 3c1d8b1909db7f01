/*
 * simulate_random.h
 *		The random numbers of a simulation: the same on every platform and server.
 *
 * Of the server's generator only the seeding and the raw 64-bit draws are used;
 * the rest is integer arithmetic.
 */
#ifndef VSM_SIMULATE_RANDOM_H
#define VSM_SIMULATE_RANDOM_H

#include "postgres.h"

#include "common/pg_prng.h"

/*
 * seed_random
 *		Start the generator of one part of a simulation.
 *
 * Parts are numbered; the multiplier, 2^64 divided by the golden ratio, keeps the
 * seeds of neighbouring parts far apart.
 */
static inline void
seed_random(pg_prng_state *random, int64 seed, uint64 part)
{
	pg_prng_seed(random, (uint64) seed ^ (part + 1) * UINT64CONST(0x9E3779B97F4A7C15));
}

/* A number from 0 to limit - 1; 0 when limit is not positive.  limit < 2^32. */
static inline int64
random_below(pg_prng_state *random, int64 limit)
{
	Assert(limit <= PG_UINT32_MAX);
	return (int64) (((pg_prng_uint64(random) >> 32) * (uint64) Max(limit, 0)) >> 32);
}

#endif							/* VSM_SIMULATE_RANDOM_H */
