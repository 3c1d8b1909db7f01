/*
 * item.c
 *		Which column tells the item.
 *
 * By its name; but a column whose values are all different is the number of a
 * row, when another that may be the item has several rows for each.
 */
#include <string.h>

#include "csv/recognition.h"

#define MOST_TRIED 4

static int	next_item(const VsmRecognition *r, int least);
static bool is_filled(const Profiles *profiles, int column);
static bool is_log(const VsmRecognition *r, const Profiles *profiles);
static int	space_of_numbers(const VsmRecognition *r, const Profiles *profiles);
static int	rival_of(const VsmRecognition *r, const Profiles *profiles);

/* Sets r->item (-1: none is known) and the profiles for it; false: a question or refusal, or the source failed. */
bool
vsm_choose_item(VsmRecognition *r, const VsmSource *source, const VsmRecogniseOptions *options, Profiles *profiles)
{
	int			first;
	int			rival;

	if (!vsm_given_column(r, options->item, &r->item))
		return false;
	if (options->item == NULL)
		r->item = next_item(r, -1);
	first = r->item;
	for (int tried = 0; tried < MOST_TRIED; tried++)
	{
		int			next;

		if (!vsm_profile(source, r, profiles))
		{
			r->outcome = VSM_UNREADABLE;
			return false;
		}
		if (options->item != NULL || r->item < 0 || profiles->rows < 2)
			return true;
		if (is_filled(profiles, r->item) && (r->item == first ? profiles->repeated > 0 : is_log(r, profiles)))
			break;
		next = next_item(r, vsm_column_rank(r->private->headers[r->item], ROLE_ITEM));
		while (next >= 0 && (!is_filled(profiles, next) || vsm_is_date_column(&profiles->column[next], false)))
			next = next_item(r, vsm_column_rank(r->private->headers[next], ROLE_ITEM));
		if (next < 0 || tried == MOST_TRIED - 1)
		{
			/* None has several rows: the best that is filled. */
			if (r->item == first)
				break;
			r->item = first;
			if (!is_filled(profiles, first))
				for (r->item = next_item(r, -1); r->item >= 0 && !is_filled(profiles, r->item);)
					r->item = next_item(r, vsm_column_rank(r->private->headers[r->item], ROLE_ITEM));
			if (!vsm_profile(source, r, profiles))
				r->outcome = VSM_UNREADABLE;
			if (r->outcome == VSM_UNREADABLE)
				return false;
			break;
		}
		r->item = next;
	}
	if (r->item < 0)
		return true;
	if (r->item != first && is_filled(profiles, first))
		vsm_remark(r, "Column \"%.100s\" numbers the lines, so the item is column \"%.100s\".", r->columns[first], r->columns[r->item]);
	if ((rival = space_of_numbers(r, profiles)) >= 0)
		return vsm_ask(r, "numbers_repeat", "item", "the same number stands for several items",
					   vsm_arena_format(&r->private->arena, "Column \"%.100s\" differs between lines that have the same value of \"%.100s\".", r->columns[rival],
										r->columns[r->item]),
					   "Name a column whose values differ between items, or give each part of the file on its own.");
	rival = rival_of(r, profiles);
	return rival < 0 ||
		vsm_ask(r, "two_item_columns", "item", "two columns may tell which item a line is about",
				vsm_arena_format(&r->private->arena, "Columns \"%.100s\" and \"%.100s\" hold different things.", r->columns[r->item], r->columns[rival]),
				"Name the column that tells which item a line is about.");
}

/* The column whose name is the best one worse than least; -1: none. */
static int
next_item(const VsmRecognition *r, int least)
{
	int			best_rank = NO_RANK;
	int			best = -1;

	for (int i = 0; i < r->n_columns; i++)
	{
		int			rank = vsm_column_rank(r->private->headers[i], ROLE_ITEM);

		if (rank > least && rank < best_rank)
		{
			best = i;
			best_rank = rank;
		}
	}
	return best;
}

static bool
is_filled(const Profiles *profiles, int column)
{
	return 2 * profiles->column[column].filled >= profiles->rows;
}

/* Do items have several rows, in which a stage changes? */
static bool
is_log(const VsmRecognition *r, const Profiles *profiles)
{
	if (10 * profiles->repeated < 3 * profiles->items)
		return false;
	for (int i = 0; i < r->n_columns; i++)
		if (i != r->item && vsm_column_rank(r->private->headers[i], ROLE_STAGE) < NO_RANK && vsm_changes(profiles, i) &&
			!vsm_is_date_column(&profiles->column[i], false))
			return true;
	return false;
}

/* A column of repositories or projects in which items have equal numbers; -1: none. */
static int
space_of_numbers(const VsmRecognition *r, const Profiles *profiles)
{
	const Profile *item = &profiles->column[r->item];

	for (int i = 0; i < r->n_columns && 10 * item->numeric >= 9 * item->filled; i++)
	{
		Words		words;

		vsm_fold_words(r->private->headers[i], strlen(r->private->headers[i]), &words);
		if (profiles->repeated > 0 && vsm_changes(profiles, i) &&
			vsm_has_any_word(&words, "repository|repo|project|projectkey|projekt|projet|proyecto|projeto|progetto"))
			return i;
	}
	return -1;
}

/* Another column of the same name, or whose name is as vague, with other values; -1: none. */
static int
rival_of(const VsmRecognition *r, const Profiles *profiles)
{
	int			rank = vsm_column_rank(r->private->headers[r->item], ROLE_ITEM);

	for (int i = 0; i < r->n_columns; i++)
		if (i != r->item && vsm_column_rank(r->private->headers[i], ROLE_ITEM) == rank && is_filled(profiles, i) &&
			profiles->column[i].contents != profiles->column[r->item].contents && !vsm_is_date_column(&profiles->column[i], false))
			return i;
	return -1;
}

/* Of the items with several rows, three in ten have several values in it. */
bool
vsm_changes(const Profiles *profiles, int column)
{
	return 10 * profiles->column[column].varying >= 3 * profiles->repeated;
}

/* By its name as it is shown, or, when only one column has it, by its letters. */
bool
vsm_given_column(VsmRecognition *r, const char *name, int *column)
{
	char		wanted[128];
	char		key[128];
	int			found = -1;
	int			n = 0;

	if (name == NULL)
		return true;
	for (int i = 0; i < r->n_columns; i++)
		if (strcmp(r->columns[i], name) == 0)
		{
			*column = i;
			return true;
		}
	vsm_fold(name, strlen(name), FOLD_LETTERS, wanted, sizeof wanted);
	for (int i = 0; i < r->n_columns; i++)
	{
		vsm_fold(r->columns[i], strlen(r->columns[i]), FOLD_LETTERS, key, sizeof key);
		if (strcmp(key, wanted) == 0)
		{
			found = i;
			n++;
		}
	}
	if (n != 1)
		return vsm_refuse(r, "no_such_column", vsm_arena_format(&r->private->arena, "the file has no column \"%.100s\"", name),
						  vsm_list_columns(r), "Name a column as the header line does.");
	*column = found;
	return true;
}

/* A sentence. */
const char *
vsm_list_columns(VsmRecognition *r)
{
	char		list[900];
	size_t		n = 0;

	for (int i = 0; i < r->n_columns && n < sizeof list - 120; i++)
	{
		size_t		length = strlen(r->columns[i]);

		if (length > 60)
			for (length = 60; ((unsigned char) r->columns[i][length] & 0xC0) == 0x80; length--)
				;
		memcpy(list + n, i == 0 ? "" : ", ", i == 0 ? 0 : 2);
		n += i == 0 ? 0 : 2;
		memcpy(list + n, r->columns[i], length);
		n += length;
	}
	list[n] = '\0';
	return vsm_arena_format(&r->private->arena, "The columns are %s%s.", list, n < sizeof list - 120 ? "" : " ...");
}
