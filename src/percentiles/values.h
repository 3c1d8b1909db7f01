/*
 * values.h
 *		Many values, and those of given ranks among them.
 */
#ifndef VSM_VALUES_H
#define VSM_VALUES_H

#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "storage/buffile.h"
#include "storage/fileset.h"
#include "utils/array.h"
#include "utils/timestamp.h"

#define VSM_MOST_FRACTIONS	10000	/* asked for at once */

/* What the values of one aggregate take together, in all its groups; in bytes. */
typedef struct VsmValuesBudget
{
	Size		used;
} VsmValuesBudget;

/* A file on its way from a parallel worker to its leader. */
typedef struct VsmHandover
{
	FileSet		place;
	char		name[16];
} VsmHandover;

typedef struct VsmValues
{
	bool		intervals;		/* values are Interval; else uint64, in their order */
	MemoryContext context;
	VsmValuesBudget *budget;	/* NULL: all stay in memory */
	int64		count;			/* of all */

	/* those in memory */
	int64		kept;
	int64		room;
	void	   *values;

	/* those before them, in a file */
	int64		spilled;
	BufFile    *file;
	bool		rewound;		/* it does not stand at its end */
	VsmHandover *received;		/* it came from a worker */
} VsmValues;

/* The values, one piece after the other. */
typedef struct VsmPieces
{
	VsmValues  *values;
	int64		left;			/* in the file */
	bool		at_memory;		/* the file's are through, and those in memory given */
	void	   *buffer;
} VsmPieces;

extern void vsm_values_init(VsmValues *values, bool intervals, MemoryContext context, VsmValuesBudget *budget);
extern void vsm_values_add(VsmValues *values, uint64 value);
extern void vsm_values_add_interval(VsmValues *values, const Interval *value);
extern void vsm_values_add_all(VsmValues *values, VsmValues *others);
extern void vsm_values_select(VsmValues *values, const int64 *ranks, int nranks, void *found);
extern void vsm_values_copy(VsmValues *values, void *into);
extern Size vsm_values_bytes(const VsmValues *values);
extern void vsm_values_close(VsmValues *values);

extern void vsm_values_hand_over(VsmValues *values, VsmHandover *handover);
extern void vsm_values_receive(VsmValues *values, const VsmHandover *handover, int64 count);
extern void vsm_values_remove_received(VsmValues *values);
extern void vsm_values_expect_handover(void);

extern void vsm_values_begin(VsmPieces *pieces, VsmValues *values);
extern int64 vsm_values_next(VsmPieces *pieces, void **piece);
extern void vsm_values_end(VsmPieces *pieces);

extern uint64 vsm_float8_key(double value);
extern double vsm_float8_of_key(uint64 key);
extern double vsm_require_fraction(double fraction);
extern void vsm_require_few_fractions(const ArrayType *fractions);

static inline Size
vsm_value_size(const VsmValues *values)
{
	return values->intervals ? sizeof(Interval) : sizeof(uint64);
}

/* An int64 as a value in its order, and back. */
#define VSM_INT64_KEY(number)	((uint64) (number) ^ (UINT64CONST(1) << 63))
#define VSM_INT64_OF_KEY(key)	((int64) ((key) ^ (UINT64CONST(1) << 63)))

/* The rank of percentile_disc, from 0: the smallest value such that at least that share is at or below it. */
static inline int64
vsm_rank_of(double fraction, int64 count)
{
	double		rank = ceil(fraction * (double) count);

	return rank < 1 ? 0 : rank >= (double) count ? count - 1
												 : (int64) rank - 1;
}

#endif							/* VSM_VALUES_H */
