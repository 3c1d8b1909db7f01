/*
 * rows.h
 *		Converts CSV or NDJSON to rows for COPY as it arrives.
 */
#ifndef VSM_GATEWAY_ROWS_H
#define VSM_GATEWAY_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

typedef struct Rows Rows;

extern Rows *vsm_rows_new(bool csv);
extern bool vsm_rows_read(Rows *rows, const char *bytes, size_t length, Text *copy);
extern bool vsm_rows_end(Rows *rows, Text *copy);
extern const char *vsm_rows_error(const Rows *rows);
extern void vsm_rows_free(Rows *rows);

#endif
