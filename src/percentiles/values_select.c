/*
 * values_select.c
 *		The values of given ranks among many, without sorting.
 *
 * The range from the smallest value to the greatest is divided into equal parts,
 * and the values in each part are counted.  A part that holds a wanted rank is
 * divided again if it holds many values; otherwise its values are picked out and
 * searched by Hoare's selection.  That takes two or three passes over the values,
 * in the order in which they lie in memory and in the file.  Whatever their
 * distribution, the number of passes is at most the bits of the range divided by
 * log2 of the number of parts.
 *
 * An interval is compared as the server compares intervals: a day has 24 hours, a
 * month 30 days.  What is found is one of the intervals that were given.  Its key
 * may have 74 bits, but the distance of two keys fits in 64 bits unless the
 * intervals lie more than 584,000 years apart.
 */
#include "values.h"

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#define MOST_PICKED		16384	/* values of one part that are picked out */
#define MOST_PICKED_AT_ONCE (4 * MOST_PICKED)

/* What the keys of the values fit in. */
typedef enum Kind
{
	NUMBERS,
	INTERVALS,
	WIDE_INTERVALS				/* their differences do not fit in 64 bits */
} Kind;

/* A range of keys that holds some of the wanted ranks, and what is known of it. */
typedef struct Range
{
	Kind		kind;
	int128		low;
	int128		high;			/* inclusive */
	int64		before;			/* values below low */
	int64		inside;
	const int64 *ranks;			/* wanted; among all values, from 0, ascending */
	int			nranks;
	char	   *found;			/* where the values of these ranks go */
	void	   *picked;			/* its values, when they are few; else NULL */
	int64		npicked;
	struct Range *next;			/* the next range to look at */
} Range;

static void find_range(VsmValues *values, Range *range);
static Range *divide_range(VsmValues *values, const Range *range, Range *later);
static int	part_bits(int64 inside);
static void count_parts(VsmValues *values, const Range *range, int shift, int64 *counts);
static int	wanted_parts(const VsmValues *values, const Range *range, int shift, const int64 *counts, Range *parts);
static void pick_values(VsmValues *values, const Range *range, int shift, int64 *slots, Range *parts, int nparts);
static void search_picked(VsmValues *values, const Range *range);
static void first_with_key(VsmValues *values, int128 key, void *found);
static void select_nth(VsmValues *values, void *array, int64 low, int64 high, int64 nth);

static inline int64
days_of(const Interval *interval)
{
	return (int64) interval->month * DAYS_PER_MONTH + interval->day;
}

/* The low 64 bits of the key of the nth interval of an array. */
static inline uint64
low_key_of(const void *array, int64 nth)
{
	const Interval *interval = (const Interval *) array + nth;

	return (uint64) days_of(interval) * (uint64) USECS_PER_DAY + (uint64) interval->time;
}

/* The key of the nth value of an array: keys have the order of the values. */
static inline int128
key_of(const void *array, int64 nth, bool intervals)
{
	const Interval *interval;

	if (!intervals)
		return (int128) ((const uint64 *) array)[nth];
	interval = (const Interval *) array + nth;
	return (int128) days_of(interval) * USECS_PER_DAY + interval->time;
}

/*
 * vsm_values_select
 *		The values of some ranks, counted from 0.
 *
 * ranks are ascending, each less than the number of values.  found has room for
 * a value of each rank.  The values stay as they are.
 */
void
vsm_values_select(VsmValues *values, const int64 *ranks, int nranks, void *found)
{
	Range all = {.inside = values->count, .ranks = ranks, .nranks = nranks, .found = found};
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "vsm selection", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);

	if (nranks > 0)
	{
		if (values->spilled == 0 && values->kept <= MOST_PICKED)
		{
			all.picked = palloc(values->kept * vsm_value_size(values));
			all.npicked = values->kept;
			memcpy(all.picked, values->values, values->kept * vsm_value_size(values));
		}
		else
			find_range(values, &all);
	}
	for (Range *range = nranks > 0 ? &all : NULL; range != NULL;)
	{
		Range	   *next = range->next;

		if (range->picked)
			search_picked(values, range);
		else if (range->low == range->high)
		{
			first_with_key(values, range->low, range->found);
			for (int i = 1; i < range->nranks; i++)
				memcpy(range->found + i * vsm_value_size(values), range->found, vsm_value_size(values));
		}
		else
			next = divide_range(values, range, next);
		if (range->picked)
			pfree(range->picked);
		range = next;
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
}

static pg_attribute_always_inline void
extend_range(Range *range, const void *piece, int64 n, bool intervals)
{
	int128		low = range->low;
	int128		high = range->high;

	for (int64 i = 0; i < n; i++)
	{
		int128		key = key_of(piece, i, intervals);

		low = Min(low, key);
		high = Max(high, key);
	}
	range->low = low;
	range->high = high;
}

static void
find_range(VsmValues *values, Range *range)
{
	VsmPieces	pieces;
	void	   *piece;
	int64		n;
	bool		first = true;

	vsm_pieces_begin(&pieces, values);
	while ((n = vsm_pieces_next(&pieces, &piece)) > 0)
	{
		if (first)
			range->low = range->high = key_of(piece, 0, values->intervals);
		first = false;
		if (values->intervals)
			extend_range(range, piece, n, true);
		else
			extend_range(range, piece, n, false);
	}
	vsm_pieces_end(&pieces);
	if (!values->intervals)
		range->kind = NUMBERS;
	else
		range->kind = range->high - range->low <= (int128) PG_UINT64_MAX ? INTERVALS : WIDE_INTERVALS;
}

/* The values of the range have been picked. */
static void
search_picked(VsmValues *values, const Range *range)
{
	Size		size = vsm_value_size(values);
	int64		below = 0;

	for (int i = 0; i < range->nranks; i++)
	{
		int64		nth = range->ranks[i] - range->before;

		CHECK_FOR_INTERRUPTS();
		select_nth(values, range->picked, below, range->npicked - 1, nth);
		memcpy(range->found + i * size, (char *) range->picked + nth * size, size);
		below = nth;
	}
}

/* The parts of the range that hold a wanted rank, linked to the ranges to look at later. */
static Range *
divide_range(VsmValues *values, const Range *range, Range *later)
{
	int			bits = part_bits(range->inside);
	int			shift = 0;
	int64	   *counts = palloc0(sizeof(int64) << bits);
	Range	   *parts = palloc0(sizeof(Range) * range->nranks);
	int			nparts;

	while ((uint128) (range->high - range->low) >> shift >> bits != 0)
		shift++;
	count_parts(values, range, shift, counts);
	nparts = wanted_parts(values, range, shift, counts, parts);
	memset(counts, 0, sizeof(int64) << bits);
	pick_values(values, range, shift, counts, parts, nparts);
	pfree(counts);
	for (int i = 0; i < nparts; i++)
		parts[i].next = i + 1 < nparts ? &parts[i + 1] : later;
	return parts;
}

/*
 * log2 of the number of parts: some eight values in each if they are spread evenly,
 * and counts that fit in a processor's cache.
 */
static int
part_bits(int64 inside)
{
	return Max(6, Min(14, pg_leftmost_one_pos64((uint64) inside) - 3));
}

/*
 * part_of
 *		The part of a range that the nth value of an array falls in; -1: not in the range.
 *
 * The subtraction of a value below the range wraps around to a number greater than
 * any in it, so one comparison finds values on either side of the range.
 */
static pg_attribute_always_inline int64
part_of(const Range *range, int shift, const void *array, int64 nth, Kind kind)
{
	if (kind == WIDE_INTERVALS)
	{
		uint128		offset = (uint128) (key_of(array, nth, true) - range->low);

		return offset <= (uint128) (range->high - range->low) ? (int64) (offset >> shift) : -1;
	}
	else
	{
		uint64		key = kind == NUMBERS ? ((const uint64 *) array)[nth] : low_key_of(array, nth);
		uint64		offset = key - (uint64) range->low;

		return offset <= (uint64) (range->high - range->low) ? (int64) (offset >> shift) : -1;
	}
}

static pg_attribute_always_inline void
count_piece(const Range *range, int shift, int64 *counts, const void *piece, int64 n, Kind kind)
{
	for (int64 i = 0; i < n; i++)
	{
		int64		part = part_of(range, shift, piece, i, kind);

		if (part >= 0)
			counts[part]++;
	}
}

static void
count_parts(VsmValues *values, const Range *range, int shift, int64 *counts)
{
	VsmPieces	pieces;
	void	   *piece;
	int64		n;

	vsm_pieces_begin(&pieces, values);
	while ((n = vsm_pieces_next(&pieces, &piece)) > 0)
		if (range->kind == NUMBERS)
			count_piece(range, shift, counts, piece, n, NUMBERS);
		else if (range->kind == INTERVALS)
			count_piece(range, shift, counts, piece, n, INTERVALS);
		else
			count_piece(range, shift, counts, piece, n, WIDE_INTERVALS);
	vsm_pieces_end(&pieces);
}

/* Puts the parts that hold wanted ranks into parts, in order; there is room for one part a rank. */
static int
wanted_parts(const VsmValues *values, const Range *range, int shift, const int64 *counts, Range *parts)
{
	int64		before = range->before;
	int			rank = 0;
	int			nparts = 0;

	for (int64 part = 0; rank < range->nranks; before += counts[part++])
	{
		Range	   *wanted = &parts[nparts];

		if (range->ranks[rank] >= before + counts[part])
			continue;
		wanted->kind = range->kind;
		wanted->low = range->low + ((int128) part << shift);
		wanted->high = Min(range->high, wanted->low + (((int128) 1 << shift) - 1));
		wanted->before = before;
		wanted->inside = counts[part];
		wanted->ranks = &range->ranks[rank];
		wanted->found = range->found + rank * vsm_value_size(values);
		while (rank < range->nranks && range->ranks[rank] < before + counts[part])
		{
			wanted->nranks++;
			rank++;
		}
		nparts++;
	}
	return nparts;
}

/*
 * slots has an entry for each part: 0, or the number, from 1, of the element of
 * parts that takes its values.
 */
static pg_attribute_always_inline void
pick_piece(const Range *range, int shift, const int64 *slots, Range *parts, const void *piece, int64 n, Kind kind)
{
	for (int64 i = 0; i < n; i++)
	{
		int64		part = part_of(range, shift, piece, i, kind);
		Range	   *into;

		if (part < 0 || slots[part] == 0)
			continue;
		into = &parts[slots[part] - 1];
		if (kind == NUMBERS)
			((uint64 *) into->picked)[into->npicked++] = ((const uint64 *) piece)[i];
		else
			((Interval *) into->picked)[into->npicked++] = ((const Interval *) piece)[i];
	}
}

/* Picks out the values of the small parts in one pass.  slots has a 0 for each part. */
static void
pick_values(VsmValues *values, const Range *range, int shift, int64 *slots, Range *parts, int nparts)
{
	int64		total = 0;
	VsmPieces	pieces;
	void	   *piece;
	int64		n;

	for (int i = 0; i < nparts; i++)
	{
		if (parts[i].inside > MOST_PICKED || total + parts[i].inside > MOST_PICKED_AT_ONCE)
			continue;
		total += parts[i].inside;
		parts[i].picked = palloc(parts[i].inside * vsm_value_size(values));
		slots[(int64) ((uint128) (parts[i].low - range->low) >> shift)] = i + 1;
	}
	if (total == 0)
		return;
	vsm_pieces_begin(&pieces, values);
	while ((n = vsm_pieces_next(&pieces, &piece)) > 0)
		if (range->kind == NUMBERS)
			pick_piece(range, shift, slots, parts, piece, n, NUMBERS);
		else if (range->kind == INTERVALS)
			pick_piece(range, shift, slots, parts, piece, n, INTERVALS);
		else
			pick_piece(range, shift, slots, parts, piece, n, WIDE_INTERVALS);
	vsm_pieces_end(&pieces);
}

/* Finds the first value with the key, which exists. */
static void
first_with_key(VsmValues *values, int128 key, void *found)
{
	VsmPieces	pieces;
	void	   *piece;
	int64		n;

	vsm_pieces_begin(&pieces, values);
	while ((n = vsm_pieces_next(&pieces, &piece)) > 0)
		for (int64 i = 0; i < n; i++)
			if (key_of(piece, i, values->intervals) == key)
			{
				memcpy(found, (char *) piece + i * vsm_value_size(values), vsm_value_size(values));
				vsm_pieces_end(&pieces);
				return;
			}
	elog(ERROR, "no value has the key that was counted");
}

/*
 * select_nth
 *		Put the nth smallest value in its place, with no greater value before it.
 *
 * Hoare's selection on array[low..high].  Equal values are divided evenly.
 */
static pg_attribute_always_inline void
select_nth_of(void *array, int64 low, int64 high, int64 nth, bool intervals)
{
	while (low < high)
	{
		int128		a = key_of(array, low, intervals);
		int128		b = key_of(array, low + (high - low) / 2, intervals);
		int128		c = key_of(array, high, intervals);
		int128		pivot = Max(Min(a, b), Min(Max(a, b), c));
		int64		left = low;
		int64		right = high;

		while (left <= right)
		{
			while (key_of(array, left, intervals) < pivot)
				left++;
			while (key_of(array, right, intervals) > pivot)
				right--;
			if (left > right)
				break;
			if (intervals)
			{
				Interval	swap = ((Interval *) array)[left];

				((Interval *) array)[left] = ((Interval *) array)[right];
				((Interval *) array)[right] = swap;
			}
			else
			{
				uint64		swap = ((uint64 *) array)[left];

				((uint64 *) array)[left] = ((uint64 *) array)[right];
				((uint64 *) array)[right] = swap;
			}
			left++;
			right--;
		}
		/* [low..right] <= pivot <= [left..high], and the values between equal the pivot */
		if (nth <= right)
			high = right;
		else if (nth >= left)
			low = left;
		else
			return;
	}
}

static void
select_nth(VsmValues *values, void *array, int64 low, int64 high, int64 nth)
{
	if (values->intervals)
		select_nth_of(array, low, high, nth, true);
	else
		select_nth_of(array, low, high, nth, false);
}
