/*
 * arena.h
 *		Memory that is given back all at once.
 */
#ifndef VSM_CSV_ARENA_H
#define VSM_CSV_ARENA_H

#include <setjmp.h>
#include <stddef.h>

typedef struct ArenaBlock ArenaBlock;

/* Starts as {0}. */
typedef struct Arena
{
	ArenaBlock *blocks;
	jmp_buf    *failure;		/* where to go for want of memory; never NULL while something is allocated */
} Arena;

extern void *vsm_arena_alloc(Arena *arena, size_t size);
extern void *vsm_arena_resize(Arena *arena, void *old, size_t size);
extern void vsm_arena_release(Arena *arena, void *old);
extern char *vsm_arena_text(Arena *arena, const char *text, size_t length);
extern char *vsm_arena_format(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
extern void vsm_arena_free(Arena *arena);

#endif
