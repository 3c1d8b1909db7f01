/*
 * profile.c
 *		What the cells of a file say about its columns.
 *
 * One reading of the whole file.  It counts for each column what its values look
 * like, and for the columns that may be the stage or the time whether they
 * change within an item.  Of a long file only some items are looked at for that.
 */
#include <string.h>

#include "csv/recognition.h"

#define MOST_CANDIDATES 16
#define ITEM_SLOTS 32768		/* a power of two; half of them are used */
#define IGNORE_AFTER 2000		/* values without a date: no more are tried */

typedef struct ItemSlot
{
	uint64_t	hash;			/* 0: free */
	uint32_t	rows;
	uint32_t	varies;			/* bit: candidate */
	uint32_t	value[MOST_CANDIDATES];
} ItemSlot;

typedef struct Items
{
	ItemSlot   *slots;
	size_t		used;
	uint64_t	mask;			/* only items whose hash has none of these bits are looked at */
	int			candidate[MOST_CANDIDATES];
	int			n_candidates;
} Items;

static void choose_candidates(const VsmRecognition *r, Items *items);
static void look_at_row(VsmRecognition *r, const RowReader *rows, Profiles *profiles, Items *items);
static void look_at_cell(VsmRecognition *r, Profile *profile, const char *text, size_t length);
static void look_at_date(VsmRecognition *r, Profile *profile, const DateReading *reading, const char *text, size_t length);
static void look_at_field(Profile *profile, const char *text, size_t length);
static bool is_numeric(const char *text, size_t length);
static void look_at_item(Items *items, Arena *arena, const RowReader *rows, int item_column);
static ItemSlot *find_item(Items *items, uint64_t hash);
static void thin_out(Items *items, Arena *arena);
static void count_items(const Items *items, Profiles *profiles);

/* False: the source or memory failed.  What is wrong with the file is in profiles. */
bool
vsm_profile(const VsmSource *source, VsmRecognition *r, Profiles *profiles)
{
	Arena	   *arena = &r->private->arena;
	RowReader  *rows = vsm_arena_alloc(arena, sizeof *rows);
	Items		items = {.slots = vsm_arena_alloc(arena, ITEM_SLOTS * sizeof(ItemSlot))};
	bool		fine;

	memset(profiles, 0, sizeof *profiles);
	profiles->column = vsm_arena_alloc(arena, (size_t) r->n_columns * sizeof(Profile));
	choose_candidates(r, &items);
	for (int i = 0; i < r->n_columns; i++)
		profiles->column[i].is_field = vsm_column_rank(r->private->headers[i], ROLE_FIELD) < NO_RANK;
	r->private->reading = rows;
	fine = vsm_rows_open(rows, source, &r->private->format);
	while (fine && vsm_rows_next(rows))
	{
		if (rows->fault != NULL && profiles->faults++ == 0)
		{
			profiles->fault = rows->fault;
			profiles->fault_line = rows->line;
		}
		else if (rows->fault == NULL)
			look_at_row(r, rows, profiles, &items);
	}
	fine = fine && !rows->failed;
	if (fine && vsm_csv_error(rows->csv)[0] != '\0')
	{
		profiles->error = vsm_arena_text(arena, vsm_csv_error(rows->csv), strlen(vsm_csv_error(rows->csv)));
		profiles->error_line = rows->line;
	}
	vsm_rows_close(rows);
	r->private->reading = NULL;
	count_items(&items, profiles);
	for (size_t s = 0; s < ITEM_SLOTS; s++)
		for (int i = 0; i < items.n_candidates; i++)
			profiles->column[items.candidate[i]].varying += items.slots[s].varies >> i & 1;
	vsm_arena_release(arena, items.slots);
	vsm_arena_release(arena, rows);
	return fine;
}

/* Columns that may be the stage, by their names, then those that may be the time, then others. */
static void
choose_candidates(const VsmRecognition *r, Items *items)
{
	for (int pass = 0; pass < 3; pass++)
		for (int i = 0; i < r->n_columns && items->n_candidates < MOST_CANDIDATES; i++)
		{
			bool		stage = vsm_column_rank(r->private->headers[i], ROLE_STAGE) < NO_RANK;
			bool		time = vsm_column_rank(r->private->headers[i], ROLE_TIME) < NO_RANK;

			if (i != r->item && pass == (stage ? 0 : (time ? 1 : 2)))
				items->candidate[items->n_candidates++] = i;
		}
}

static void
look_at_row(VsmRecognition *r, const RowReader *rows, Profiles *profiles, Items *items)
{
	profiles->rows++;
	for (int i = 0; i < r->n_columns; i++)
	{
		size_t		length;
		const char *text = vsm_rows_field(rows, i, &length);
		Profile    *profile = &profiles->column[i];

		if (text == NULL)
			profile->contents = profile->contents * 31 + 1;
		else
			look_at_cell(r, profile, text, length);
	}
	if (r->item >= 0)
		look_at_item(items, &r->private->arena, rows, r->item);
}

static void
look_at_cell(VsmRecognition *r, Profile *profile, const char *text, size_t length)
{
	DateReading reading;
	bool		has_digit = false;

	profile->contents = profile->contents * 31 + vsm_hash(text, length);
	for (size_t i = 0; i < length && i < 80 && !has_digit; i++)
		has_digit = text[i] >= '0' && text[i] <= '9';
	if ((!has_digit || length < 12) && vsm_is_placeholder(text, length))
	{
		profile->placeholders++;
		profile->numeric += has_digit;
		return;
	}
	profile->filled++;
	if (profile->example == NULL)
		profile->example = vsm_arena_text(&r->private->arena, text, length < 60 ? length : 60);
	if (profile->is_field && vsm_field_is_status(text, length))
		look_at_field(profile, text, length);
	if (!has_digit || (profile->dates + profile->numbers == 0 && profile->clocks == 0 && profile->filled > IGNORE_AFTER))
		return;
	profile->numeric += is_numeric(text, length);
	if (vsm_date_read(text, length, &reading))
		look_at_date(r, profile, &reading, text, length);
	else
		profile->clocks += vsm_is_clock(text, length);
}

static void
look_at_date(VsmRecognition *r, Profile *profile, const DateReading *reading, const char *text, size_t length)
{
	profile->local += !reading->has_offset && reading->zone[0] == '\0';
	if (reading->unit != UNIT_NONE)
	{
		profile->numbers++;
		profile->units[reading->unit]++;
		return;
	}
	profile->dates++;
	profile->timed += reading->has_time;
	if (!reading->open)
		return;
	if (reading->short_year)
	{
		for (int i = 0; i < 3; i++)
		{
			if (profile->short_years == 0 || reading->part[i] < profile->least[i])
				profile->least[i] = reading->part[i];
			if (profile->short_years == 0 || reading->part[i] > profile->greatest[i])
				profile->greatest[i] = reading->part[i];
		}
		profile->short_years++;
	}
	if (reading->named_month)
		return;
	if (profile->open == 0)
		profile->example = vsm_arena_text(&r->private->arena, text, length < 60 ? length : 60);
	profile->open++;
	profile->dotted += reading->dotted;
	for (int order = VSM_DMY; order <= VSM_YMD; order++)
	{
		unsigned int bit = 1U << order;

		profile->fits[order] += (reading->orders & bit) != 0;
		/* Years of two digits that come first are another question: see the spread of the parts. */
		profile->only[order] += (reading->orders & bit) != 0 &&
			(reading->orders & (1U << VSM_DMY | 1U << VSM_MDY) & ~bit) == 0;
	}
}

/* Of several fields that may be the stage, the status is preferred to a board's column. */
static void
look_at_field(Profile *profile, const char *text, size_t length)
{
	char		key[sizeof profile->status_key];
	bool		better;

	profile->status_rows++;
	vsm_fold(text, length, FOLD_LETTERS, key, sizeof key);
	if (strcmp(key, profile->status_key) == 0)
		return;
	better = profile->status_key[0] == '\0' || (strstr(key, "stat") != NULL && strstr(profile->status_key, "stat") == NULL);
	if (better)
		memcpy(profile->status_key, key, sizeof key);
}

static bool
is_numeric(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if ((text[i] < '0' || text[i] > '9') && strchr(".,-+ %", text[i]) == NULL)
			return false;
	return true;
}

/* Four in five of the values are times, or half of them where the name, or the caller, says that it is one. */
bool
vsm_is_date_column(const Profile *profile, bool by_name)
{
	long		dates = profile->dates;

	if (vsm_unit_of(profile) != UNIT_NONE && (by_name || profile->units[vsm_unit_of(profile)] > 1))
		dates += profile->units[vsm_unit_of(profile)];
	return dates > 0 && 10 * dates >= (by_name ? 5 : 8) * profile->filled;
}

/* The unit that most of its numbers have. */
DateUnit
vsm_unit_of(const Profile *profile)
{
	DateUnit	best = UNIT_NONE;

	for (int unit = UNIT_SECONDS; unit < N_DATE_UNITS; unit++)
		if (profile->units[unit] > profile->units[best])
			best = (DateUnit) unit;
	return best;
}

/* ---- Which columns change within an item ---- */

static void
look_at_item(Items *items, Arena *arena, const RowReader *rows, int item_column)
{
	size_t		length;
	const char *text = vsm_rows_field(rows, item_column, &length);
	uint64_t	hash;
	ItemSlot   *slot;

	if (text == NULL)
		return;
	hash = vsm_hash(text, length) | 1;
	if (((hash >> 1) & items->mask) != 0)
		return;
	slot = find_item(items, hash);
	if (slot->hash == 0)
	{
		if (items->used >= ITEM_SLOTS / 2)
		{
			thin_out(items, arena);
			if (((hash >> 1) & items->mask) != 0)
				return;
			slot = find_item(items, hash);
		}
		slot->hash = hash;
		items->used++;
	}
	slot->rows++;
	for (int i = 0; i < items->n_candidates; i++)
	{
		const char *value = vsm_rows_field(rows, items->candidate[i], &length);
		uint32_t	now = value == NULL ? 0 : (uint32_t) (vsm_hash(value, length) >> 16) | 1;

		if (slot->value[i] == 0)
			slot->value[i] = now;
		else if (value != NULL && slot->value[i] != now)
			slot->varies |= 1U << i;
	}
}

static ItemSlot *
find_item(Items *items, uint64_t hash)
{
	size_t		place = (size_t) (hash >> 20) % ITEM_SLOTS;

	while (items->slots[place].hash != 0 && items->slots[place].hash != hash)
		place = (place + 1) % ITEM_SLOTS;
	return &items->slots[place];
}

/* Forgets half of the items, by one more bit of their hash, until there is room. */
static void
thin_out(Items *items, Arena *arena)
{
	while (items->used >= ITEM_SLOTS / 2)
	{
		ItemSlot   *old = items->slots;

		items->slots = vsm_arena_alloc(arena, ITEM_SLOTS * sizeof(ItemSlot));
		items->mask = items->mask * 2 + 1;
		items->used = 0;
		for (size_t i = 0; i < ITEM_SLOTS; i++)
			if (old[i].hash != 0 && ((old[i].hash >> 1) & items->mask) == 0)
			{
				*find_item(items, old[i].hash) = old[i];
				items->used++;
			}
		vsm_arena_release(arena, old);
	}
}

static void
count_items(const Items *items, Profiles *profiles)
{
	for (size_t i = 0; i < ITEM_SLOTS; i++)
		if (items->slots[i].hash != 0)
		{
			profiles->items++;
			profiles->repeated += items->slots[i].rows > 1;
			profiles->item_rows += items->slots[i].rows;
		}
}
