/*
 * values.h
 *		Many values in memory or in a temporary file, and the selection of ranks among them.
 */
#ifndef VSM_VALUES_H
#define VSM_VALUES_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "storage/buffile.h"
#include "utils/float.h"

/* Bytes that the values of one aggregate take in memory, all its groups together. */
typedef struct VsmValuesBudget
{
	Size		used;
} VsmValuesBudget;

typedef struct VsmValues
{
	bool		intervals;		/* values are Interval; else uint64, which sort as the values do */
	MemoryContext context;
	VsmValuesBudget *budget;	/* NULL: all values stay in memory */
	int64		count;			/* in memory and in the file */

	/* in memory: the latest values */
	int64		kept;
	int64		room;			/* values that fit */
	void	   *values;

	/* in the file: the values before those */
	int64		spilled;
	BufFile    *file;			/* NULL: none */
} VsmValues;

/* A pass over all values, piece by piece.  No value is added once the first pass has begun. */
typedef struct VsmPieces
{
	VsmValues  *values;
	int64		left;			/* values of the file that are still to come */
	bool		memory_done;
	void	   *buffer;
} VsmPieces;

extern void vsm_values_init(VsmValues *values, bool intervals, MemoryContext context, VsmValuesBudget *budget);
extern void vsm_values_add(VsmValues *values, uint64 value);
extern void vsm_values_add_interval(VsmValues *values, const Interval *value);
extern void vsm_values_select(VsmValues *values, const int64 *ranks, int nranks, void *found);
extern void vsm_values_close(VsmValues *values);

extern void vsm_pieces_begin(VsmPieces *pieces, VsmValues *values);
extern int64 vsm_pieces_next(VsmPieces *pieces, void **piece);
extern void vsm_pieces_end(VsmPieces *pieces);

static inline Size
vsm_value_size(const VsmValues *values)
{
	return values->intervals ? sizeof(Interval) : sizeof(uint64);
}

/* A number as an unsigned integer of the same order, and back. */

static inline uint64
vsm_int64_key(int64 number)
{
	return (uint64) number ^ (UINT64CONST(1) << 63);
}

static inline int64
vsm_int64_of_key(uint64 key)
{
	return (int64) (key ^ (UINT64CONST(1) << 63));
}

/* Every NaN has one key, the greatest: PostgreSQL sorts it last. */
static inline uint64
vsm_float8_key(double value)
{
	uint64		bits;

	if (unlikely(isnan(value)))
		value = get_float8_nan();
	memcpy(&bits, &value, sizeof(bits));
	return bits >> 63 ? ~bits : bits | UINT64CONST(1) << 63;
}

static inline double
vsm_float8_of_key(uint64 key)
{
	uint64		bits = key >> 63 ? key & ~(UINT64CONST(1) << 63) : ~key;
	double		value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

#endif							/* VSM_VALUES_H */
