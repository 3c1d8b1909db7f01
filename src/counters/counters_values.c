/*
 * counters_values.c
 *		Reading a counter, setting it and adding to it.
 *
 * A WIP counter is two numbers in one atomic: committed in the low half, and
 * reserved, the places for items on their way into a stage with a limit, in the
 * high half.
 */
#include "postgres.h"

#include "counters_shmem.h"

static uint64 packed_wip(VsmWip wip);
static VsmWip unpacked_wip(uint64 value);
static void add_to_wip(VsmCounter *counter, int32 committed, int32 reserved);

VsmSet
vsm_set_of(int32 kind)
{
	return kind == VSM_WIP ? VSM_SET_WIP : VSM_SET_TOTALS;
}

VsmWip
vsm_counter_wip(VsmCounter *counter)
{
	return unpacked_wip(pg_atomic_read_u64(&counter->value));
}

/* Replace the committed count of a counter of either set; the reservations stay. */
void
vsm_counter_set_committed(VsmCounter *counter, int64 committed)
{
	uint64		value;

	if (counter->key.kind != VSM_WIP)
	{
		pg_atomic_write_u64(&counter->value, (uint64) committed);
		return;
	}
	value = pg_atomic_read_u64(&counter->value);
	while (!pg_atomic_compare_exchange_u64(&counter->value, &value,
										   packed_wip((VsmWip){(int32) committed, unpacked_wip(value).reserved})))
		;
}

/*
 * vsm_counter_reserve
 *		Reserve places in a stage; false when they would exceed its limit.
 *
 * places: 0 or less when the transaction has more reservations than it needs;
 * then this only looks.  force: reserve them even beyond the limit.  found: the
 * counter before.  Takes no lock: what counts for the limit, committed and
 * reserved together, changes in one step.
 */
bool
vsm_counter_reserve(VsmCounter *counter, int32 places, int32 limit, bool force, VsmWip *found)
{
	uint64		value = pg_atomic_read_u64(&counter->value);
	bool		room;

	do
	{
		*found = unpacked_wip(value);
		room = (int64) found->committed + found->reserved + places <= limit;
		if (places <= 0 || (!room && !force))
			return room;
	} while (!pg_atomic_compare_exchange_u64(&counter->value, &value,
											 packed_wip((VsmWip){found->committed, found->reserved + places})));
	return room;
}

/* Give reservations back. */
void
vsm_counter_release(VsmCounter *counter, int32 places)
{
	add_to_wip(counter, 0, -places);
}

/*
 * vsm_counter_add_committed
 *		Add what a committed transaction changed, unless a count has seen it.
 *
 * Under the board's lock.  Raises nothing and waits for nothing.  Committed WIP
 * may fall below 0 for a moment, when an item that just came in leaves again and
 * the callback of the second transaction comes first.
 */
void
vsm_counter_add_committed(VsmBoard *board, VsmCounter *counter, int64 net, FullTransactionId xid)
{
	VsmSet		set = vsm_set_of(counter->key.kind);
	VsmSetState *state = &board->sets[set];

	if (net == 0)
		return;
	if (!vsm_published_sees(board, set, state->live, xid))
	{
		if (set == VSM_SET_WIP)
			add_to_wip(counter, (int32) net, 0);
		else
			pg_atomic_fetch_add_u64(&counter->value, net);
	}
	if (state->recounting && !vsm_published_sees(board, set, 1 - state->live, xid))
		pg_atomic_fetch_add_u64(&counter->recount, net);
}

/* The transaction truncated work_items.  Under the board's lock, exclusive. */
void
vsm_board_set_to_zero(VsmBoard *board, FullTransactionId xid)
{
	for (int set = 0; set < VSM_SETS; set++)
	{
		VsmSetState *state = &board->sets[set];
		bool		live = !vsm_published_sees(board, set, state->live, xid);
		bool		recount = !vsm_published_sees(board, set, 1 - state->live, xid);

		for (int i = state->first; i >= 0; i = vsm_counters[i].next)
		{
			if (live)
				vsm_counter_set_committed(&vsm_counters[i], 0);
			if (recount)
				pg_atomic_write_u64(&vsm_counters[i].recount, 0);
		}
	}
}

/*
 * Nobody knows what the transaction changed: the set must be recounted.  Under
 * the board's lock, exclusive.
 */
void
vsm_board_make_unknown(VsmBoard *board, VsmSet set, FullTransactionId xid)
{
	VsmSetState *state = &board->sets[set];

	if (!vsm_published_sees(board, set, state->live, xid))
		state->ready = false;
	if (!vsm_published_sees(board, set, 1 - state->live, xid))
		state->spoiled = true;
}

static uint64
packed_wip(VsmWip wip)
{
	return (uint64) (uint32) wip.reserved << 32 | (uint32) wip.committed;
}

static VsmWip
unpacked_wip(uint64 value)
{
	return (VsmWip){(int32) (uint32) value, (int32) (value >> 32)};
}

static void
add_to_wip(VsmCounter *counter, int32 committed, int32 reserved)
{
	uint64		value = pg_atomic_read_u64(&counter->value);
	VsmWip		wip;

	do
	{
		wip = unpacked_wip(value);
		wip.committed += committed;
		wip.reserved += reserved;
	} while (!pg_atomic_compare_exchange_u64(&counter->value, &value, packed_wip(wip)));
}
