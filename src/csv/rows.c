/*
 * rows.c
 *		The rows of a file whose encoding, delimiter and header are known.
 *
 * Rows of empty cells are passed over.  A row with more or fewer fields than the
 * header has a fault; empty ones too many at its end do not matter.
 */
#include "csv/rows.h"

#include <string.h>

#include "csv/fold.h"

static bool is_blank(const RowReader *rows);
static void find_fault(RowReader *rows);

/* False: the source cannot be read, or there is no memory. */
bool
vsm_rows_open(RowReader *rows, const VsmSource *source, const RowFormat *format)
{
	rows->source = source;
	rows->format = *format;
	rows->failed = false;
	rows->ended = false;
	rows->fault = NULL;
	rows->line = 0;
	rows->csv = vsm_csv_new(CSV_DELIMITED, format->delimiter);
	if (rows->csv == NULL)
		return false;
	vsm_csv_tolerate(rows->csv, format->encoding);
	return source->rewind(source->state);
}

/* False at the end; then failed says why, or vsm_csv_error() of csv has what is wrong with the file. */
bool
vsm_rows_next(RowReader *rows)
{
	while (!rows->ended)
	{
		CsvResult	result = vsm_csv_next(rows->csv);
		long		length;

		rows->line = vsm_csv_line(rows->csv);
		if (result == CSV_RECORD)
		{
			if (rows->line <= rows->format.header_line || is_blank(rows))
				continue;
			find_fault(rows);
			return true;
		}
		if (result != CSV_WANTS_MORE)
			break;
		length = rows->source->read(rows->source->state, rows->bytes, sizeof rows->bytes);
		if (length < 0)
		{
			rows->failed = true;
			break;
		}
		if (length == 0)
			vsm_csv_finish(rows->csv);
		vsm_csv_push(rows->csv, rows->bytes, (size_t) length);
	}
	rows->ended = true;
	return false;
}

/* Without the blanks around it; NULL: there is none. */
const char *
vsm_rows_field(const RowReader *rows, int column, size_t *length)
{
	const char *text = column < 0 || column >= vsm_csv_fields(rows->csv) ? NULL : vsm_csv_field(rows->csv, column);

	*length = 0;
	if (text == NULL)
		return NULL;
	*length = strlen(text);
	vsm_trim(&text, length);
	return *length == 0 ? NULL : text;
}

void
vsm_rows_close(RowReader *rows)
{
	vsm_csv_free(rows->csv);
	rows->csv = NULL;
}

/* A spreadsheet exports its empty rows as delimiters. */
static bool
is_blank(const RowReader *rows)
{
	size_t		length;

	for (int i = 0; i < vsm_csv_fields(rows->csv); i++)
		if (vsm_rows_field(rows, i, &length) != NULL)
			return false;
	return true;
}

static void
find_fault(RowReader *rows)
{
	int			n = vsm_csv_fields(rows->csv);
	size_t		length;

	rows->fault = vsm_csv_fault(rows->csv);
	if (rows->fault != NULL || rows->format.n_columns == 0)
		return;
	if (n < rows->format.n_columns)
		rows->fault = "the line has fewer fields than the header";
	for (int i = rows->format.n_columns; i < n; i++)
		if (vsm_rows_field(rows, i, &length) != NULL)
			rows->fault = "the line has more fields than the header";
}
