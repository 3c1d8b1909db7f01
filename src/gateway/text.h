/*
 * text.h
 *		Growing text, JSON strings, clocks, and memory allocation that cannot fail.
 */
#ifndef VSM_GATEWAY_TEXT_H
#define VSM_GATEWAY_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "csv/encoding.h"

/* Initialize with {0}.  data is NULL until text is added; length does not count its final NUL. */
typedef struct Text
{
	char	   *data;
	size_t		length;
	size_t		size;
} Text;

extern void *vsm_alloc(size_t size);
extern void *vsm_grow(void *block, size_t size);
extern char *vsm_copy(const char *string);
extern char *vsm_copy_n(const char *bytes, size_t length);
extern char *vsm_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

extern void vsm_text_add(Text *text, const char *bytes, size_t length);
extern void vsm_text_adds(Text *text, const char *string);
extern void vsm_text_addc(Text *text, char c);
extern void vsm_text_addf(Text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
extern void vsm_text_json(Text *text, const char *bytes, size_t length);
extern void vsm_text_free(Text *text);

extern char *vsm_utf8_repaired(const char *bytes, size_t length, size_t *repaired_length);
extern size_t vsm_utf8_characters(const char *bytes, size_t length);
extern char *vsm_copy_cut(const char *string, size_t most);

extern bool vsm_text_lists(const char *list, const char *word);
extern double vsm_quality(const char *item, size_t length);

extern int64_t vsm_now_us(void);
extern uint64_t vsm_random(void);

#endif
