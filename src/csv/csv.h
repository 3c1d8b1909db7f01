/*
 * csv.h
 *		Delimited text, read as it arrives.
 *
 *	vsm_csv_push() lends the next piece of the input, which may end anywhere.
 *	vsm_csv_next() is then called until it does not return CSV_RECORD any more.
 *	vsm_csv_finish() says that the last piece was the last.
 */
#ifndef VSM_CSV_CSV_H
#define VSM_CSV_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "csv/encoding.h"

#define VSM_CSV_MAX_RECORD (1024 * 1024)	/* bytes, as UTF-8 */
#define VSM_CSV_MAX_COLUMNS 1024

typedef enum CsvResult
{
	CSV_RECORD,					/* its fields stay until the next call */
	CSV_WANTS_MORE,
	CSV_END,
	CSV_ERROR					/* final: the reader can only be freed */
} CsvResult;

typedef enum CsvForm
{
	CSV_DELIMITED,
	CSV_LINES					/* each line is a record of one field */
} CsvForm;

typedef struct CsvReader CsvReader;

extern CsvReader *vsm_csv_new(CsvForm form, char delimiter);
extern void vsm_csv_tolerate(CsvReader *csv, Encoding encoding);
extern void vsm_csv_free(CsvReader *csv);
extern void vsm_csv_push(CsvReader *csv, const char *bytes, size_t length);
extern void vsm_csv_finish(CsvReader *csv);
extern CsvResult vsm_csv_next(CsvReader *csv);

extern long vsm_csv_line(const CsvReader *csv);
extern int	vsm_csv_fields(const CsvReader *csv);
extern const char *vsm_csv_field(const CsvReader *csv, int field);
extern const char *vsm_csv_error(const CsvReader *csv);
extern const char *vsm_csv_fault(const CsvReader *csv);

#endif
