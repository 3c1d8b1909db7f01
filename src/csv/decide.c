/*
 * decide.c
 *		Which form a log has, and which column is what.
 *
 * By the names of the columns, as far as their values agree; never by a name
 * alone.  Where two columns would do, the answer is a question.
 */
#include <string.h>

#include "csv/recognition.h"

static const char how_long[] = "A log has a line for each move, with the columns case_id, stage and entered_at or names like these; "
	"or a line for each item, with a column of dates for each stage.";

typedef struct Decision
{
	VsmRecognition *r;
	const VsmRecogniseOptions *options;
	const Profiles *profiles;
	bool	   *is_date;		/* of each column */
	int			n_dates;		/* of these, that may be stages of the wide form */
} Decision;

static bool find_dates(Decision *d);
static bool is_compact(const Decision *d, int column);
static bool may_be_times(const Decision *d, int column);
static bool is_stage_date(const Decision *d, int column);
static bool check_item(const Decision *d);
static bool choose_stage(const Decision *d);
static int	stage_rank(const Decision *d, int column);
static bool is_rival(int best, int rank);
static bool choose_time(const Decision *d);
static int	time_tier(const Decision *d, int column, bool must_change);
static bool choose_form(const Decision *d);
static bool dates_are_of_items(const Decision *d);
static bool decide_long(const Decision *d);
static bool decide_wide(const Decision *d);
static void look_for_more_dates(const Decision *d);
static bool is_given(const VsmRecogniseOptions *options, const char *stage);
static void choose_others(const Decision *d);
static int	best_by_name(const Decision *d, ColumnRole role, bool dates);
static bool is_used(const VsmRecognition *r, int column);
static bool choose_order(const Decision *d, const int *columns, int n);
static bool order_of_short_years(const Decision *d, const Profile *sum);

/* False: there is a question or a refusal now. */
bool
vsm_decide(VsmRecognition *r, const VsmRecogniseOptions *options, const Profiles *profiles)
{
	Decision	d = {r, options, profiles, NULL, 0};

	if (!vsm_given_column(r, options->stage, &r->stage) || !vsm_given_column(r, options->time, &r->time) ||
		!vsm_given_column(r, options->type, &r->type) || !vsm_given_column(r, options->title, &r->title))
		return false;
	if (profiles->rows == 0 && profiles->faults > 0)
		return vsm_refuse(r, "no_events", "no line of the file is an event",
						  vsm_arena_format(&r->private->arena, "Line %ld: %s.", profiles->fault_line, profiles->fault), how_long);
	if (profiles->rows == 0)
		return vsm_refuse(r, "no_rows", "there is nothing below the header line", NULL, how_long);
	return find_dates(&d) && check_item(&d) && choose_stage(&d) && choose_time(&d) && choose_form(&d) &&
		(r->form == VSM_LONG ? decide_long(&d) : decide_wide(&d));
}

/* ---- What the file has ---- */

static bool
find_dates(Decision *d)
{
	VsmRecognition *r = d->r;
	int			texts = 0;

	d->is_date = vsm_arena_alloc(&r->private->arena, (size_t) r->n_columns * sizeof(bool));
	for (int i = 0; i < r->n_columns; i++)
	{
		const Profile *profile = &d->profiles->column[i];
		bool		by_name = i == r->time || vsm_column_rank(r->private->headers[i], ROLE_TIME) < NO_RANK;

		d->is_date[i] = i != r->item && (by_name || profile->numbers <= profile->dates || is_compact(d, i)) && vsm_is_date_column(profile, by_name);
		texts += d->is_date[i];
	}
	/* Columns of plain numbers that are times of one unit, named after stages: only when there are several, and nothing else. */
	for (int i = 0; texts == 0 && i < r->n_columns; i++)
		d->is_date[i] = i != r->item && may_be_times(d, i);
	for (int i = 0; i < r->n_columns; i++)
		d->n_dates += is_stage_date(d, i);
	if (texts == 0 && d->n_dates < 2)
	{
		d->n_dates = 0;
		memset(d->is_date, 0, (size_t) r->n_columns * sizeof(bool));
	}
	return true;
}

/* Are its numbers dates as 20260131, or with a time of day 20260131140509? */
static bool
is_compact(const Decision *d, int column)
{
	return vsm_column_rank(d->r->private->headers[column], ROLE_ITEM) == NO_RANK && vsm_unit_of(&d->profiles->column[column]) == UNIT_YYYYMMDD;
}

/* Could its plain numbers be times of one unit? */
static bool
may_be_times(const Decision *d, int column)
{
	return vsm_column_rank(d->r->private->headers[column], ROLE_ITEM) == NO_RANK && vsm_is_date_column(&d->profiles->column[column], false);
}

/* May the column be a stage of the wide form? */
static bool
is_stage_date(const Decision *d, int column)
{
	char	  **headers = d->r->private->headers;

	if (!d->is_date[column] || column == d->r->stage || vsm_column_is_plan(headers[column]) || vsm_column_is_last_change(headers[column]))
		return false;
	/* Beside a due date, the start date is that of the plan. */
	for (int i = 0; i < d->r->n_columns && vsm_column_is_start_date(headers[column]); i++)
		if (vsm_column_is_plan(headers[i]))
			return false;
	return true;
}

static bool
check_item(const Decision *d)
{
	VsmRecognition *r = d->r;
	int			dates = 0;
	int			texts = 0;

	for (int i = 0; i < r->n_columns; i++)
	{
		const Profile *profile = &d->profiles->column[i];

		dates += d->is_date[i];
		texts += !d->is_date[i] && profile->filled > 0 && 10 * profile->numeric < 9 * profile->filled;
	}
	if (r->item >= 0 && 2 * d->profiles->column[r->item].filled >= d->profiles->rows)
		return true;
	if (r->item >= 0)
		return vsm_ask(r, "no_item", "item", "most lines have no item", vsm_arena_format(&r->private->arena, "Column \"%.100s\" is empty in most lines.", r->columns[r->item]),
					   "Name the column that tells which item a line is about.");
	if (dates == 0 || texts == 0 || (dates == 1 && texts == 1 && d->n_dates < 2))
		return vsm_refuse(r, "no_items", "no column tells which item a line is about, so this is no log of events", vsm_list_columns(r), how_long);
	return vsm_ask(r, "no_item", "item", "no column tells by its name which item a line is about", vsm_list_columns(r),
				   "Name the column that tells which item a line is about.");
}

/* ---- The stage and the time of the long form ---- */

/* Leaves r->stage at -1 when there is none. */
static bool
choose_stage(const Decision *d)
{
	VsmRecognition *r = d->r;
	int			best = -1;
	int			best_rank = NO_RANK;
	int			rival = -1;

	if (r->stage >= 0)
		return true;
	for (int i = 0; i < r->n_columns; i++)
	{
		int			rank = stage_rank(d, i);

		if (rank < best_rank)
		{
			best = i;
			best_rank = rank;
		}
	}
	r->stage = best;
	/* One line for each item with its dates: the stage of now does not matter. */
	if (best < 0 || d->options->form == VSM_WIDE || (d->profiles->repeated == 0 && d->n_dates >= 2))
		return true;
	for (int i = 0; i < r->n_columns && rival < 0; i++)
		if (i != best && is_rival(best_rank, stage_rank(d, i)) && d->profiles->column[i].contents != d->profiles->column[best].contents)
			rival = i;
	if (rival < 0)
		return true;
	r->form = VSM_LONG;
	r->stage = -1;
	return vsm_ask(r, "two_stage_columns", "stage", "two columns may be the stage",
				   vsm_arena_format(&r->private->arena, "Columns \"%.100s\" and \"%.100s\" hold different things.", r->columns[best], r->columns[rival]),
				   "Name the column of the stage that an item enters.");
}

/* First those that change within an item, then by name. */
static int
stage_rank(const Decision *d, int column)
{
	const VsmRecognition *r = d->r;
	const Profile *profile = &d->profiles->column[column];
	int			rank = vsm_column_rank(r->private->headers[column], ROLE_STAGE);

	if (rank == NO_RANK || column == r->item || column == r->time || column == r->type || column == r->title || d->is_date[column] ||
		profile->filled == 0)
		return NO_RANK;
	if (vsm_column_is_plain(r->private->headers[column], ROLE_STAGE))
		return rank - TIER_SIZE;
	return rank + (d->profiles->repeated > 0 && !vsm_changes(d->profiles, column) ? 50 * TIER_SIZE : 0);
}

/* As good as the best: of the same name, or it changes as well and its name is as good. */
static bool
is_rival(int best, int rank)
{
	if (rank == NO_RANK)
		return false;
	return rank == best || (rank / TIER_SIZE == best / TIER_SIZE && best >= 0 && rank < 2 * TIER_SIZE);
}

/* The best of the columns that change within an item; when none does, of all. */
static bool
choose_time(const Decision *d)
{
	VsmRecognition *r = d->r;
	int			best = -1;
	int			best_tier = NO_RANK;
	int			rival = -1;

	if (r->time >= 0)
	{
		if (d->is_date[r->time])
			return true;
		return vsm_refuse(r, "no_dates", vsm_arena_format(&r->private->arena, "column \"%.100s\" holds no dates", r->columns[r->time]),
						  d->profiles->column[r->time].example == NULL ? NULL : vsm_arena_format(&r->private->arena, "It holds such as \"%s\".", d->profiles->column[r->time].example),
						  "Write times as in 2026-01-31 14:05, 1/31/2026 2:05 PM or 31.01.2026 14:05.");
	}
	for (int must_change = 1; must_change >= 0 && best < 0; must_change--)
		for (int i = 0; i < r->n_columns; i++)
		{
			int			tier = time_tier(d, i, must_change);

			if (tier == NO_RANK)
				continue;
			if (best >= 0 && tier == best_tier && d->profiles->column[i].contents != d->profiles->column[best].contents)
				rival = i;
			if (tier < best_tier)
			{
				best = i;
				best_tier = tier;
				rival = -1;
			}
		}
	r->time = best;
	if (best >= 0 && rival >= 0 && r->stage >= 0 && !(d->profiles->repeated == 0 && d->n_dates >= 2) && d->options->form != VSM_WIDE)
	{
		r->form = VSM_LONG;
		r->time = -1;
		return vsm_ask(r, "two_time_columns", "time", "two columns may be the time of a move",
					   vsm_arena_format(&r->private->arena, "Columns \"%.100s\" and \"%.100s\" hold different times.", r->columns[best], r->columns[rival]),
					   "Name the column that tells when an item entered the stage.");
	}
	return true;
}

static int
time_tier(const Decision *d, int column, bool must_change)
{
	const char *name = d->r->private->headers[column];
	int			rank = vsm_column_rank(name, ROLE_TIME);

	if (!d->is_date[column] || column == d->r->stage || vsm_column_is_plan(name) ||
		(must_change && (d->profiles->repeated == 0 || !vsm_changes(d->profiles, column))))
		return NO_RANK;
	/* Created and updated are as good as each other when both change. */
	return rank == NO_RANK ? 9 : (rank / TIER_SIZE == 4 && must_change ? 3 : rank / TIER_SIZE);
}

/* ---- The form ---- */

static bool
choose_form(const Decision *d)
{
	VsmRecognition *r = d->r;
	const Profiles *profiles = d->profiles;
	bool		some_repeat = 100 * profiles->repeated > 5 * profiles->items;
	bool		many_repeat = 100 * profiles->repeated >= 15 * profiles->items;
	bool		changes = r->stage >= 0 && profiles->repeated > 0 && vsm_changes(profiles, r->stage);
	bool		plain = r->stage >= 0 && r->time >= 0 && vsm_column_is_plain(r->private->headers[r->stage], ROLE_STAGE) &&
		vsm_column_is_plain(r->private->headers[r->time], ROLE_TIME);

	r->form = d->options->form;
	if (r->form == VSM_FORM_ANY && (d->options->stage != NULL || d->options->time != NULL || plain))
		r->form = VSM_LONG;
	if (r->form != VSM_FORM_ANY)
		return true;
	if (r->time < 0 && d->n_dates == 0)
	{
		int			named = best_by_name(d, ROLE_TIME, false);

		return vsm_refuse(r, "no_dates", "no columns tell when an item entered which stage: none holds dates or times",
						  named >= 0 && d->profiles->column[named].example != NULL
							  ? vsm_arena_format(&r->private->arena, "Column \"%.100s\" holds no dates, but such as \"%s\".", r->columns[named], d->profiles->column[named].example)
							  : vsm_list_columns(r),
						  how_long);
	}
	if (r->stage >= 0 && r->time >= 0 && profiles->repeated > 0 && (d->n_dates < 2 || (many_repeat && changes)))
		r->form = VSM_LONG;
	else if (d->n_dates >= 2 && !some_repeat)
		r->form = VSM_WIDE;
	else if (d->n_dates >= 2 && r->stage < 0 && dates_are_of_items(d))
	{
		r->form = VSM_WIDE;
		vsm_remark(r, "Some items have several lines, all with the same dates.");
	}
	else if (profiles->repeated > 0 && r->stage < 0)
		return vsm_ask(r, "no_stage", "stage", "no column tells by its name which stage an item entered", vsm_list_columns(r),
					   "Name the column of the stage that an item enters.");
	else if (profiles->repeated > 0)
		return vsm_ask(r, "unclear_form", "time", "some items have several lines, and the lines have several dates",
					   "It may be a line for each move, or a line for each item with a date for each stage.",
					   "Name the column that tells when an item entered the stage.");
	else
		return vsm_refuse(r, "no_history", "each item has one line and one date, so nothing tells when it entered which stage",
						  vsm_list_columns(r), "If each line is a move all the same, name the columns of the stage and of the time.");
	return true;
}

/* Do several lines of an item have the same dates? */
static bool
dates_are_of_items(const Decision *d)
{
	for (int i = 0; i < d->r->n_columns; i++)
		if (is_stage_date(d, i) && d->profiles->column[i].varying > 0)
			return false;
	return true;
}

static bool
decide_long(const Decision *d)
{
	VsmRecognition *r = d->r;
	int			columns[2];
	int			n = 0;

	if (r->stage < 0)
		return vsm_ask(r, "no_stage", "stage", "no column tells by its name which stage an item entered", vsm_list_columns(r),
					   "Name the column of the stage that an item enters.");
	if (r->time < 0)
		return vsm_refuse(r, "no_dates", "no column tells when an item entered a stage: none holds dates or times", vsm_list_columns(r), how_long);
	r->field = best_by_name(d, ROLE_FIELD, false);
	if (r->field >= 0 && d->profiles->column[r->field].status_rows == 0)
	{
		if (d->options->stage == NULL && vsm_column_rank(r->private->headers[r->stage], ROLE_STAGE) < TIER_SIZE &&
			!vsm_column_is_plain(r->private->headers[r->stage], ROLE_STAGE))
			return vsm_refuse(r, "no_status_rows", "no line of the changelog is a change of the status",
							  vsm_arena_format(&r->private->arena, "Column \"%.100s\" never says status.", r->columns[r->field]), how_long);
		r->field = -1;
	}
	if (r->field >= 0)
		memcpy(r->private->field_value, d->profiles->column[r->field].status_key, sizeof r->private->field_value);
	r->from = best_by_name(d, ROLE_FROM, false);
	choose_others(d);
	columns[n++] = r->time;
	if (r->created >= 0)
		columns[n++] = r->created;
	return choose_order(d, columns, n);
}

static bool
decide_wide(const Decision *d)
{
	VsmRecognition *r = d->r;
	int		   *columns = vsm_arena_alloc(&r->private->arena, (size_t) r->n_columns * sizeof(int));
	int			n = 0;

	r->stage = r->time = -1;
	look_for_more_dates(d);
	for (int i = 0; i < r->n_columns; i++)
	{
		r->private->stage_of[i] = -1;
		if (is_stage_date(d, i))
			columns[n++] = i;
		else if (d->is_date[i] && i != r->item)
			vsm_remark(r, "Column \"%.100s\" has dates, but by its name they are of no stage, so it is not used.", r->columns[i]);
	}
	n = vsm_wide_stages(r, d->options, columns, n);
	if (n < 1)
		return vsm_refuse(r, "no_dates", "no columns tell when an item entered which stage: none holds dates or times", vsm_list_columns(r), how_long);
	if (r->n_stages > VSM_MAX_STAGES)
		return vsm_refuse(r, "too_many_stages", vsm_arena_format(&r->private->arena, "the file has %d columns of dates, each of a stage of its own", r->n_stages),
						  vsm_arena_format(&r->private->arena, "A file may have up to %d stages.", VSM_MAX_STAGES),
						  "Leave out the columns that are of no stage.");
	choose_others(d);
	return choose_order(d, columns, n);
}

/*
 * look_for_more_dates
 *		Columns beside those of dates, of which half the values are dates, or whose stage the caller gives.
 *
 * Their other values are refused with their lines.  That a column has fewer dates, or plain numbers that may be
 * times, is said.
 */
static void
look_for_more_dates(const Decision *d)
{
	VsmRecognition *r = d->r;

	for (int i = 0; i < r->n_columns; i++)
	{
		const Profile *profile = &d->profiles->column[i];
		const long	dates = profile->dates + profile->units[UNIT_YYYYMMDD];
		const char *stage;
		size_t		length = vsm_column_stage(r->columns[i], &stage);

		if (d->is_date[i] || dates + profile->numbers == 0 || i == r->item || i == r->type || i == r->title)
			continue;
		d->is_date[i] = (dates > 0 && 2 * dates >= profile->filled) || is_given(d->options, r->columns[i]) ||
			is_given(d->options, vsm_arena_text(&r->private->arena, stage, length));
		if (d->is_date[i])
			continue;
		if (dates == 0 && profile->numbers > 1 && 10 * profile->numbers >= 8 * profile->filled && vsm_column_rank(r->private->headers[i], ROLE_ITEM) == NO_RANK)
			vsm_remark(r, "Column \"%.100s\" has numbers such as %.60s, which may be times; it is not used, unless its stage is given.", r->columns[i], profile->example);
		else if (dates > 0)
			vsm_remark(r, "Column \"%.100s\" has %ld dates among %ld values, so it is not used.", r->columns[i], dates, profile->filled);
	}
}

static bool
is_given(const VsmRecogniseOptions *options, const char *stage)
{
	for (int i = 0; i < options->n_stages; i++)
		if (vsm_same_name(options->stages[i].name, strlen(options->stages[i].name), stage, strlen(stage)))
			return true;
	return false;
}

/* Type, title, and what helps to order the moves. */
static void
choose_others(const Decision *d)
{
	VsmRecognition *r = d->r;

	if (r->type < 0)
		r->type = best_by_name(d, ROLE_TYPE, false);
	if (r->title < 0)
		r->title = best_by_name(d, ROLE_TITLE, false);
	if (r->form != VSM_LONG)
		return;
	if (r->from >= 0)
		r->created = best_by_name(d, ROLE_CREATED, true);
	r->sequence = best_by_name(d, ROLE_SEQUENCE, false);
	if (r->sequence >= 0 && 10 * d->profiles->column[r->sequence].numeric < 9 * d->profiles->column[r->sequence].filled)
		r->sequence = -1;
	if (d->profiles->column[r->time].timed == 0 && d->profiles->column[r->time].numbers == 0)
		for (int i = 0; i < r->n_columns; i++)
			if (!is_used(r, i) && !d->is_date[i] && d->profiles->column[i].clocks > 0 &&
				10 * d->profiles->column[i].clocks >= 9 * d->profiles->column[i].filled &&
				vsm_column_rank(r->private->headers[i], ROLE_TIME) < NO_RANK)
				r->clock = i;
}

/* -1: none. */
static int
best_by_name(const Decision *d, ColumnRole role, bool dates)
{
	int			best = -1;
	int			best_rank = NO_RANK;

	for (int i = 0; i < d->r->n_columns; i++)
	{
		int			rank = vsm_column_rank(d->r->private->headers[i], role);

		if (rank < best_rank && !is_used(d->r, i) && d->is_date[i] == dates && d->profiles->column[i].filled > 0)
		{
			best = i;
			best_rank = rank;
		}
	}
	return best;
}

static bool
is_used(const VsmRecognition *r, int column)
{
	return column == r->item || column == r->stage || column == r->time || column == r->type || column == r->title ||
		column == r->field || column == r->from || (r->form == VSM_WIDE && r->private->stage_of[column] >= 0);
}

/* ---- Dates ---- */

/* In which order day, month and year stand, as the whole file proves; one order for all columns. */
static bool
choose_order(const Decision *d, const int *columns, int n)
{
	VsmRecognition *r = d->r;
	Profile		sum = {0};
	const char *example = NULL;

	for (int i = 0; i < n; i++)
	{
		const Profile *profile = &d->profiles->column[columns[i]];

		r->private->units[columns[i]] = profile->numbers > profile->dates ? vsm_unit_of(profile) : UNIT_NONE;
		r->has_local_times |= profile->local > 0;
		if (profile->open > 0 && example == NULL)
			example = profile->example;
		sum.open += profile->open;
		sum.dotted += profile->dotted;
		for (int order = VSM_DMY; order <= VSM_YMD; order++)
		{
			sum.fits[order] += profile->fits[order];
			sum.only[order] += profile->only[order];
		}
		for (int part = 0; part < 3 && profile->short_years > 0; part++)
		{
			if (sum.short_years == 0 || profile->least[part] < sum.least[part])
				sum.least[part] = profile->least[part];
			if (sum.short_years == 0 || profile->greatest[part] > sum.greatest[part])
				sum.greatest[part] = profile->greatest[part];
		}
		sum.short_years += profile->short_years;
	}
	r->dates = VSM_DATES_ANY;
	r->private->order = VSM_DMY;
	if (d->options->dates != VSM_DATES_ANY && sum.open > 0)
		r->dates = r->private->order = d->options->dates;
	if (sum.open == 0 || d->options->dates != VSM_DATES_ANY)
		return true;
	if (sum.short_years == sum.open && sum.fits[VSM_YMD] == sum.open && !order_of_short_years(d, &sum))
		return r->dates == VSM_YMD || vsm_ask(r, "ambiguous_dates", "dates", "the order of day, month and year is not certain",
											  vsm_arena_format(&r->private->arena, "Dates such as %s may begin with the day, the month or the year.", example),
											  "Say which it is: DMY, MDY or YMD.");
	if (sum.only[VSM_DMY] > 0 && sum.only[VSM_MDY] > 0)
		return vsm_ask(r, "mixed_dates", "dates", "some dates can only begin with the day and some only with the month",
					   vsm_arena_format(&r->private->arena, "%ld can only begin with the day, %ld only with the month; an example is %s.",
										sum.only[VSM_DMY], sum.only[VSM_MDY], example),
					   "Say which it is, DMY or MDY; lines that cannot be so are refused.");
	if (sum.only[VSM_DMY] == 0 && sum.only[VSM_MDY] == 0 && sum.dotted < sum.open)
		return vsm_ask(r, "ambiguous_dates", "dates", "the order of day and month is not certain",
					   vsm_arena_format(&r->private->arena, "Dates such as %s may begin with the day or the month, and none of the file tells.", example),
					   "Say which it is: DMY or MDY.");
	r->dates = r->private->order = sum.only[VSM_MDY] > 0 ? VSM_MDY : VSM_DMY;
	if (sum.only[VSM_DMY] + sum.only[VSM_MDY] == 0)
		vsm_remark(r, "Dates such as %s begin with the day, as dates with points do.", example);
	return true;
}

/*
 * All dates fit with the year first, too (24/01/15).  The place of the year is the one whose values are close to each
 * other; true: it is the last.  False: it is the first, and r->dates says so, or nobody knows.
 */
static bool
order_of_short_years(const Decision *d, const Profile *sum)
{
	int			first = sum->greatest[0] - sum->least[0];
	int			last = sum->greatest[2] - sum->least[2];

	if (last <= 5 && first > last)
		return true;
	if (first <= 5 && last > first)
		d->r->dates = d->r->private->order = VSM_YMD;
	return false;
}
