/*
 * moves.h
 *		The moves of a file, as many as are needed to find their order.
 */
#ifndef VSM_CSV_MOVES_H
#define VSM_CSV_MOVES_H

#include "csv/recognition.h"

#define NO_STAGE UINT16_MAX
#define NOT_BORN INT64_MIN

typedef struct Move
{
	int64_t		at;
	int64_t		sequence;
	uint32_t	item;
	uint32_t	line;
	uint16_t	stage;			/* until the stages are in order: a name of stage_names, or the wide form's stage */
	uint16_t	from;
	int64_t		born;			/* when the item was created, if the row says so; else NOT_BORN */
} Move;

typedef struct Moves
{
	Move	   *moves;
	size_t		n;
	size_t		room;
	uint32_t   *place;			/* indexes into moves: by item, and within an item by time, then as they happened */
	uint32_t   *begin;			/* of each item in place; n_items + 1 of them */
	uint64_t   *hashes;			/* open-addressed: the items' hashes */
	uint32_t   *numbers;
	size_t		n_slots;
	uint32_t	n_items;
	uint64_t	mask;			/* only items whose hash has none of these bits are kept */
} Moves;

/* Whether one stage comes before another: in how many items it does. */
typedef struct Precedence
{
	int			n;
	uint32_t   *count;			/* n * n: of [a * n + b], items that enter a before b */
} Precedence;

extern void vsm_order_moves(Moves *moves, Arena *arena);
extern bool vsm_resolve_ties(VsmRecognition *r, Moves *moves, const VsmRecogniseOptions *options, int n_names);
extern bool vsm_stages_in_order(VsmRecognition *r, Moves *moves, const VsmRecogniseOptions *options);
extern void vsm_sort_lines(long *lines, size_t n, long *spare);
extern int	vsm_birth_stage(const VsmRecognition *r, const Move *first);
extern void vsm_count_flow(VsmRecognition *r, const Moves *moves, char *const *names, int n);
extern void vsm_count_precedence(const VsmRecognition *r, const Moves *moves, Precedence *precedence, bool ties_too);

#endif
