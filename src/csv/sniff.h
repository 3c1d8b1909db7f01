/*
 * sniff.h
 *		How a file is written: its encoding, its delimiter and where its header is.
 */
#ifndef VSM_CSV_SNIFF_H
#define VSM_CSV_SNIFF_H

#include "csv/arena.h"
#include "csv/rows.h"

typedef enum SniffResult
{
	SNIFF_OK,
	SNIFF_EMPTY,				/* nothing but blank lines */
	SNIFF_ONE_COLUMN,
	SNIFF_GZIP,
	SNIFF_NOT_TEXT,
	SNIFF_FAILED
} SniffResult;

extern SniffResult vsm_sniff(const VsmSource *source, Arena *arena, RowFormat *format, const char **encoding);

#endif
