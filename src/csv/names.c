/*
 * names.c
 *		The names of stages or types in a file, each with its spellings.
 */
#include <string.h>

#include "csv/recognition.h"

static int	find(const Names *names, const char *text, size_t length, uint64_t hash);
static int	add(Arena *arena, Names *names, const char *text, size_t length, uint64_t hash);
static void grow(Arena *arena, Names *names);

/* The number of the name with that spelling, which is counted; -1: there are too many. */
int
vsm_name_of(Arena *arena, Names *names, const char *text, size_t length)
{
	uint64_t	hash = vsm_hash(text, length);
	int			place = find(names, text, length, hash);

	if (place < 0)
		place = add(arena, names, text, length, hash);
	if (place < 0)
		return -1;
	names->spellings[place].count++;
	return names->spellings[place].name;
}

/* The same for a spelling that is known; -1: it is not. */
int
vsm_spelling_of(const Names *names, const char *text, size_t length)
{
	int			place = find(names, text, length, vsm_hash(text, length));

	return place < 0 ? -1 : names->spellings[place].name;
}

/* Is it the same name, when capitals, accents and blanks do not count? */
bool
vsm_same_name(const char *a, size_t a_length, const char *b, size_t b_length)
{
	char		a_key[512];
	char		b_key[512];

	vsm_fold(a, a_length, FOLD_STAGE, a_key, sizeof a_key);
	vsm_fold(b, b_length, FOLD_STAGE, b_key, sizeof b_key);
	return strcmp(a_key, b_key) == 0;
}

static int
find(const Names *names, const char *text, size_t length, uint64_t hash)
{
	if (names->n_slots == 0)
		return -1;
	for (size_t slot = (size_t) hash % (size_t) names->n_slots; names->slots[slot] != 0; slot = (slot + 1) % (size_t) names->n_slots)
	{
		const Spelling *spelling = &names->spellings[names->slots[slot] - 1];

		if (spelling->hash == hash && strncmp(spelling->text, text, length) == 0 && spelling->text[length] == '\0')
			return names->slots[slot] - 1;
	}
	return -1;
}

static int
add(Arena *arena, Names *names, const char *text, size_t length, uint64_t hash)
{
	char		key[512];
	size_t		n = vsm_fold(text, length, FOLD_STAGE, key, sizeof key);
	Spelling   *spelling;
	int			name = -1;

	/* Marks only: compared as they are. */
	if (n == 0 && length < sizeof key)
	{
		memcpy(key, text, length);
		key[n = length] = '\0';
	}
	for (int i = 0; i < names->n_spellings && name < 0; i++)
		if (strcmp(names->spellings[i].key, key) == 0)
			name = names->spellings[i].name;
	if ((name < 0 && names->n_names >= names->most) || names->n_spellings >= 10 * names->most)
	{
		names->full = true;
		return -1;
	}
	if (names->n_spellings >= names->room)
		grow(arena, names);
	spelling = &names->spellings[names->n_spellings];
	spelling->text = vsm_arena_text(arena, text, length);
	spelling->key = vsm_arena_text(arena, key, n);
	spelling->hash = hash;
	spelling->count = 0;
	spelling->name = name >= 0 ? name : names->n_names++;
	for (size_t slot = (size_t) hash % (size_t) names->n_slots;; slot = (slot + 1) % (size_t) names->n_slots)
		if (names->slots[slot] == 0)
		{
			names->slots[slot] = ++names->n_spellings;
			return names->n_spellings - 1;
		}
}

static void
grow(Arena *arena, Names *names)
{
	names->room = names->room == 0 ? 64 : 2 * names->room;
	names->spellings = vsm_arena_resize(arena, names->spellings, (size_t) names->room * sizeof(Spelling));
	vsm_arena_release(arena, names->slots);
	names->n_slots = 2 * names->room + 1;
	names->slots = vsm_arena_alloc(arena, (size_t) names->n_slots * sizeof(int));
	for (int i = 0; i < names->n_spellings; i++)
	{
		size_t		slot = (size_t) names->spellings[i].hash % (size_t) names->n_slots;

		while (names->slots[slot] != 0)
			slot = (slot + 1) % (size_t) names->n_slots;
		names->slots[slot] = i + 1;
	}
}
