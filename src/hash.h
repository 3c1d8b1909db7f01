/*
 * hash.h
 *		The hash of a 64-bit key, for tables by simplehash.h.
 */
#ifndef VSM_HASH_H
#define VSM_HASH_H

#include "postgres.h"

#include "common/hashfn.h"

static inline uint32
vsm_hash_key(uint64 key)
{
	return hash_combine(murmurhash32((uint32) key), murmurhash32((uint32) (key >> 32)));
}

#endif							/* VSM_HASH_H */
