/*
 * wide.c
 *		The stages of the wide form: a column of dates for each.
 *
 * A stage is named after its column, or as an alias of that name or of the column's says.  Columns whose names
 * mean one stage by an alias are that stage; an item with dates in several of
 * them entered it several times.  An alias without a stage leaves its column out.
 */
#include <string.h>

#include "csv/recognition.h"

static const char *name_of(VsmRecognition *r, const int *columns, int i);
static int	stage_named(const VsmRecognition *r, const char *name);
static void add_spelling(VsmRecognition *r, VsmStage *stage, const char *spelling);

/* Sets stages and stage_of by n columns, and gives the number of columns that are used, which then stand first. */
int
vsm_wide_stages(VsmRecognition *r, const VsmRecogniseOptions *options, int *columns, int n)
{
	Arena	   *arena = &r->private->arena;
	const char **names = vsm_arena_alloc(arena, ((size_t) n + 1) * sizeof(char *));
	int			used = 0;

	for (int i = 0; i < n; i++)
		names[i] = name_of(r, columns, i);
	r->n_stages = 0;
	r->stages = vsm_arena_alloc(arena, ((size_t) n + 1) * sizeof(VsmStage));
	for (int i = 0; i < n; i++)
	{
		bool		found;
		const char *alias = vsm_alias_of(options, r->columns[columns[i]], &found);
		const char *name;
		int			stage;

		/* the stream's stages are aliases of themselves, so the column's whole name comes first */
		if (!found)
			alias = vsm_alias_of(options, names[i], &found);
		name = found ? alias : names[i];
		if (name == NULL || name[0] == '\0')
		{
			vsm_remark(r, "Column \"%.100s\" is of no stage, as an alias says, so it is not used.", r->columns[columns[i]]);
			continue;
		}
		stage = stage_named(r, name);
		if (stage < 0)
		{
			stage = r->n_stages++;
			r->stages[stage].name = vsm_arena_text(arena, name, strlen(name));
			r->stages[stage].column = columns[i];
		}
		if (strcmp(names[i], r->stages[stage].name) != 0)
			add_spelling(r, &r->stages[stage], names[i]);
		r->private->stage_of[columns[i]] = stage;
		columns[used++] = columns[i];
	}
	return used;
}

/* Without words such as "Date"; but "Closed Date" and "Closed at" keep their whole names. */
static const char *
name_of(VsmRecognition *r, const int *columns, int i)
{
	const char *name;
	size_t		length = vsm_column_stage(r->columns[columns[i]], &name);

	for (int k = 0; k < i; k++)
	{
		const char *other;
		size_t		other_length = vsm_column_stage(r->columns[columns[k]], &other);

		if (vsm_same_name(other, other_length, name, length))
			return r->columns[columns[i]];
	}
	return vsm_arena_text(&r->private->arena, name, length);
}

/* -1: there is none yet. */
static int
stage_named(const VsmRecognition *r, const char *name)
{
	for (int i = 0; i < r->n_stages; i++)
		if (vsm_same_name(r->stages[i].name, strlen(r->stages[i].name), name, strlen(name)))
			return i;
	return -1;
}

static void
add_spelling(VsmRecognition *r, VsmStage *stage, const char *spelling)
{
	Arena	   *arena = &r->private->arena;

	stage->spellings = vsm_arena_resize(arena, stage->spellings, ((size_t) stage->n_spellings + 1) * sizeof(char *));
	stage->spellings[stage->n_spellings++] = vsm_arena_text(arena, spelling, strlen(spelling));
}
