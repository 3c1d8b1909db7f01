/*
 * delimiter.h
 *		Which delimiter a file has, by its first lines.  A line has neither NUL nor line end.
 */
#ifndef VSM_CSV_DELIMITER_H
#define VSM_CSV_DELIMITER_H

#include <stdbool.h>

extern bool vsm_delimiter_blank(const char *line, char delimiter);
extern char vsm_delimiter_named(const char *line);
extern char vsm_delimiter_found(const char *header);

#endif
