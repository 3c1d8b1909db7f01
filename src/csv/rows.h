/*
 * rows.h
 *		The rows of a file whose encoding, delimiter and header are known.
 */
#ifndef VSM_CSV_ROWS_H
#define VSM_CSV_ROWS_H

#include "csv/csv.h"
#include "csv/encoding.h"
#include "csv/recognise.h"

/* How the file is written. */
typedef struct RowFormat
{
	Encoding	encoding;		/* ENCODING_UNKNOWN: by its mark, or UTF-8 */
	char		delimiter;
	long		header_line;	/* rows are below it; 0: from the first line */
	int			n_columns;		/* 0: rows have any number of fields */
} RowFormat;

typedef struct RowReader
{
	const VsmSource *source;
	RowFormat	format;
	CsvReader  *csv;
	bool		failed;			/* the source, or memory */
	bool		ended;
	const char *fault;			/* of the row: it is none to use; NULL: nothing */
	long		line;
	char		bytes[64 * 1024];
} RowReader;

extern bool vsm_rows_open(RowReader *rows, const VsmSource *source, const RowFormat *format);
extern bool vsm_rows_next(RowReader *rows);
extern const char *vsm_rows_field(const RowReader *rows, int column, size_t *length);
extern void vsm_rows_close(RowReader *rows);

#endif
