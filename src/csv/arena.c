/*
 * arena.c
 *		Memory that is given back all at once.
 *
 * What is allocated is zero.  For want of memory it goes to arena->failure, so
 * that callers need not look.
 */
#include "csv/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ArenaBlock
{
	ArenaBlock *next;
	ArenaBlock **link;			/* what points to this one */
	size_t		size;
	_Alignas(max_align_t) char data[];
};

static ArenaBlock *block_of(void *data);

void *
vsm_arena_alloc(Arena *arena, size_t size)
{
	ArenaBlock *block = calloc(1, sizeof *block + size);

	if (block == NULL)
		longjmp(*arena->failure, 1);
	block->size = size;
	block->next = arena->blocks;
	block->link = &arena->blocks;
	if (block->next != NULL)
		block->next->link = &block->next;
	arena->blocks = block;
	return block->data;
}

/* Grows or makes (old is NULL); what is new is zero. */
void *
vsm_arena_resize(Arena *arena, void *old, size_t size)
{
	void	   *data = vsm_arena_alloc(arena, size);

	if (old != NULL)
	{
		size_t		before = block_of(old)->size;

		memcpy(data, old, before < size ? before : size);
		vsm_arena_release(arena, old);
	}
	return data;
}

void
vsm_arena_release(Arena *arena, void *old)
{
	ArenaBlock *block;

	(void) arena;
	if (old == NULL)
		return;
	block = block_of(old);
	*block->link = block->next;
	if (block->next != NULL)
		block->next->link = block->link;
	free(block);
}

char *
vsm_arena_text(Arena *arena, const char *text, size_t length)
{
	char	   *copy = vsm_arena_alloc(arena, length + 1);

	memcpy(copy, text, length);
	return copy;
}

char *
vsm_arena_format(Arena *arena, const char *format, ...)
{
	char		text[1000];
	va_list		arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	return vsm_arena_text(arena, text, strlen(text));
}

void
vsm_arena_free(Arena *arena)
{
	ArenaBlock *block = arena->blocks;

	while (block != NULL)
	{
		ArenaBlock *next = block->next;

		free(block);
		block = next;
	}
	arena->blocks = NULL;
}

static ArenaBlock *
block_of(void *data)
{
	return (ArenaBlock *) ((char *) data - offsetof(ArenaBlock, data));
}
