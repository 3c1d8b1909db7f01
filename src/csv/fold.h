/*
 * fold.h
 *		Names compared without case, accents and blanks.
 */
#ifndef VSM_CSV_FOLD_H
#define VSM_CSV_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Words
{
	char		text[256];		/* lower case, no accents, a blank between words and at both ends */
} Words;

/* A name in its least form; the result is at most as long as 255 bytes, and cut between characters. */
typedef enum FoldKind
{
	FOLD_LETTERS,				/* letters and digits only: names of columns */
	FOLD_WORDS,					/* letters and digits, a blank between words */
	FOLD_STAGE					/* the same, but marks stay, and no blank between letters: "In Progress" is inprogress */
} FoldKind;

extern size_t vsm_fold(const char *text, size_t length, FoldKind kind, char *folded, size_t size);
extern void vsm_fold_words(const char *text, size_t length, Words *words);
extern bool vsm_has_word(const Words *words, const char *word);
extern bool vsm_has_any_word(const Words *words, const char *list);

extern unsigned int vsm_utf8_read(const char **text, const char *end);
extern bool vsm_is_blank(unsigned int character);
extern void vsm_trim(const char **text, size_t *length);
extern uint64_t vsm_hash(const char *bytes, size_t length);

#endif
