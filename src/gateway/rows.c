/*
 * rows.c
 *		CSV or NDJSON, as it arrives, becomes rows for COPY.
 *
 * CSV is RFC 4180: the first line names the columns, in any order and case; an
 * empty field without quotes is null; lines end with LF, CR LF or CR.  NDJSON has
 * an object per line.  Either way case_id, stage and entered_at must be there,
 * type and title may, and others are ignored.  Blank lines are, too.
 *
 * Of the input only one record is held, of at most MAX_RECORD bytes.  Times and
 * names are judged by the database; what cannot be a row at all is an error that
 * names its line, and nothing may be read after it.
 */
#include "rows.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define N_COLUMNS 5
#define N_REQUIRED 3
#define MAX_RECORD (1024 * 1024)
#define MAX_CSV_COLUMNS 1024

static const char *const column_names[N_COLUMNS] = {"case_id", "stage", "entered_at", "type", "title"};

typedef enum CsvState
{
	CSV_FIELD_BEGINS,
	CSV_PLAIN,
	CSV_QUOTED,
	CSV_QUOTE_IN_QUOTED			/* the field's end, or half of a doubled quote */
} CsvState;

struct Rows
{
	bool		csv;
	bool		after_cr;
	long		line;			/* of the input, from 1 */
	long		record_line;	/* where the record began */
	char	   *error;
	Text		record;			/* NDJSON: the line.  CSV: the fields, each with its NUL */
	CsvState	state;
	bool		quoted;			/* the field was */
	size_t		field;			/* where it begins in record */
	int			n_fields;
	int			n_columns;		/* of the header; 0: not read yet */
	int			column_of[MAX_CSV_COLUMNS];	/* the header's fields, -1 for one that is ignored */
	size_t		value[N_COLUMNS];	/* where it begins in record, plus one; 0: null */
};

static bool csv_byte(Rows *rows, char c, Text *copy);
static bool csv_end_field(Rows *rows);
static bool csv_end_record(Rows *rows, Text *copy);
static bool csv_header_field(Rows *rows, const char *name, size_t length);
static bool csv_header(Rows *rows);
static bool json_line(Rows *rows, Text *copy);
static bool json_value(Rows *rows, const json_t *row, int column, Text *copy);
static void copy_value(Text *copy, const char *bytes, size_t length);
static bool bad(Rows *rows, const char *format, ...) __attribute__((format(printf, 2, 3)));

Rows *
vsm_rows_new(bool csv)
{
	Rows	   *rows = vsm_alloc(sizeof *rows);

	rows->csv = csv;
	rows->line = 1;
	rows->record_line = 1;
	return rows;
}

/* A sentence; NULL while all is well. */
const char *
vsm_rows_error(const Rows *rows)
{
	return rows->error;
}

void
vsm_rows_free(Rows *rows)
{
	if (rows == NULL)
		return;
	vsm_text_free(&rows->record);
	free(rows->error);
	free(rows);
}

/* Adds whole rows to copy.  False: see vsm_rows_error(). */
bool
vsm_rows_read(Rows *rows, const char *bytes, size_t length, Text *copy)
{
	for (size_t i = 0; i < length; i++)
	{
		if (rows->record.length > MAX_RECORD)
			return bad(rows, "it is longer than %d bytes", MAX_RECORD);
		if (rows->csv)
		{
			if (!csv_byte(rows, bytes[i], copy))
				return false;
		}
		else if (bytes[i] != '\n')
			vsm_text_addc(&rows->record, bytes[i]);
		else if (!json_line(rows, copy))
			return false;
	}
	return true;
}

/* The last line needs no newline. */
bool
vsm_rows_end(Rows *rows, Text *copy)
{
	if (!rows->csv)
		return json_line(rows, copy);
	if (rows->state == CSV_QUOTED)
		return bad(rows, "its quote is not closed");
	if ((rows->record.length > 0 || rows->n_fields > 0 || rows->quoted) && !csv_end_record(rows, copy))
		return false;
	return rows->n_columns > 0 || bad(rows, "there is no header line");
}

/* ---- CSV ---- */

static bool
csv_byte(Rows *rows, char c, Text *copy)
{
	if (c == '\n' && rows->after_cr)
	{
		rows->after_cr = false;
		if (rows->state != CSV_QUOTED)
			return true;
	}
	rows->after_cr = c == '\r';
	if (c == '\n' || (c == '\r' && rows->state != CSV_QUOTED))
		rows->line++;
	if (c == '\0')
		return bad(rows, "it has a NUL byte");

	if (rows->state == CSV_QUOTED)
	{
		if (c == '"')
			rows->state = CSV_QUOTE_IN_QUOTED;
		else
			vsm_text_addc(&rows->record, c);
		return true;
	}
	if (c == '"')
	{
		if (rows->state == CSV_PLAIN && rows->n_columns == 0 && rows->n_fields == 0 &&
			rows->record.length == 3 && memcmp(rows->record.data, "\xEF\xBB\xBF", 3) == 0)
			rows->record.length = 0;
		else if (rows->state == CSV_PLAIN)
			return bad(rows, "it has a quote inside a field without quotes");
		if (rows->state == CSV_QUOTE_IN_QUOTED)
			vsm_text_addc(&rows->record, '"');
		rows->state = CSV_QUOTED;
		rows->quoted = true;
		return true;
	}
	if (c == ',')
		return csv_end_field(rows);
	if (c == '\n' || c == '\r')
		return csv_end_record(rows, copy);
	if (rows->state == CSV_QUOTE_IN_QUOTED)
		return bad(rows, "it has text behind a closing quote");
	rows->state = CSV_PLAIN;
	vsm_text_addc(&rows->record, c);
	return true;
}

static bool
csv_end_field(Rows *rows)
{
	size_t		length = rows->record.length - rows->field;
	const char *bytes = rows->record.data == NULL ? "" : rows->record.data + rows->field;
	bool		header = rows->n_columns == 0;

	if (!vsm_utf8_valid(bytes, length))
		return bad(rows, "it is not UTF-8");
	if (header)
	{
		if (!csv_header_field(rows, bytes, length))
			return false;
	}
	else if (rows->n_fields >= rows->n_columns)
		return bad(rows, "it has more fields than the header's %d", rows->n_columns);
	else if (rows->column_of[rows->n_fields] >= 0 && (length > 0 || rows->quoted))
		rows->value[rows->column_of[rows->n_fields]] = rows->field + 1;
	vsm_text_addc(&rows->record, '\0');
	rows->field = rows->record.length;
	rows->n_fields++;
	rows->quoted = false;
	rows->state = CSV_FIELD_BEGINS;
	return true;
}

static bool
csv_header_field(Rows *rows, const char *name, size_t length)
{
	if (rows->n_fields >= MAX_CSV_COLUMNS)
		return bad(rows, "it has more than %d columns", MAX_CSV_COLUMNS);
	if (rows->n_fields == 0 && length >= 3 && memcmp(name, "\xEF\xBB\xBF", 3) == 0)
	{
		name += 3;
		length -= 3;
	}
	while (length > 0 && (*name == ' ' || *name == '\t'))
	{
		name++;
		length--;
	}
	while (length > 0 && (name[length - 1] == ' ' || name[length - 1] == '\t'))
		length--;

	rows->column_of[rows->n_fields] = -1;
	for (int i = 0; i < N_COLUMNS; i++)
	{
		if (strlen(column_names[i]) != length || strncasecmp(column_names[i], name, length) != 0)
			continue;
		rows->column_of[rows->n_fields] = i;
		if (rows->value[i] != 0)
			return bad(rows, "it names the column %s twice", column_names[i]);
		rows->value[i] = 1;
	}
	return true;
}

static bool
csv_end_record(Rows *rows, Text *copy)
{
	bool		blank = rows->n_fields == 0 && rows->record.length == 0 && !rows->quoted;
	bool		good = true;

	if (!blank)
	{
		good = csv_end_field(rows);
		if (good && rows->n_columns == 0)
			good = csv_header(rows);
		else if (good && rows->n_fields < rows->n_columns)
			good = bad(rows, "it has %d fields and the header %d", rows->n_fields, rows->n_columns);
		else if (good)
		{
			for (int i = 0; i < N_COLUMNS; i++)
			{
				const char *value = rows->value[i] == 0 ? NULL : rows->record.data + rows->value[i] - 1;

				if (i > 0)
					vsm_text_addc(copy, '\t');
				copy_value(copy, value, value == NULL ? 0 : strlen(value));
			}
			vsm_text_addc(copy, '\n');
		}
	}
	if (!good)
		return false;
	rows->record.length = 0;
	rows->field = 0;
	rows->n_fields = 0;
	rows->record_line = rows->line;
	memset(rows->value, 0, sizeof rows->value);
	return true;
}

static bool
csv_header(Rows *rows)
{
	for (int i = 0; i < N_REQUIRED; i++)
		if (rows->value[i] == 0)
			return bad(rows, "the header lacks the column %s", column_names[i]);
	rows->n_columns = rows->n_fields;
	return true;
}

/* ---- NDJSON ---- */

static bool
json_line(Rows *rows, Text *copy)
{
	const char *bytes = rows->record.data;
	size_t		length = rows->record.length;
	bool		good = true;

	if (length > 0 && strspn(bytes, " \t\r") < length)
	{
		json_error_t error;
		json_t	   *row = json_loadb(bytes, length, 0, &error);

		if (row == NULL)
			return bad(rows, "it is no JSON");
		if (!json_is_object(row))
			good = bad(rows, "it is no object");
		for (int i = 0; i < N_COLUMNS && good; i++)
			good = json_value(rows, row, i, copy);
		json_decref(row);
	}
	rows->record.length = 0;
	rows->record_line = ++rows->line;
	return good;
}

static bool
json_value(Rows *rows, const json_t *row, int column, Text *copy)
{
	const json_t *value = json_object_get(row, column_names[column]);

	if (column > 0)
		vsm_text_addc(copy, '\t');
	if (value == NULL && column < N_REQUIRED)
		return bad(rows, "it lacks %s", column_names[column]);
	if (value == NULL || json_is_null(value))
		copy_value(copy, NULL, 0);
	else if (json_is_string(value))
		copy_value(copy, json_string_value(value), json_string_length(value));
	else if (json_is_integer(value) && column == 0)
		vsm_text_addf(copy, "%lld", (long long) json_integer_value(value));
	else
		return bad(rows, "%s is no string", column_names[column]);
	if (column == N_COLUMNS - 1)
		vsm_text_addc(copy, '\n');
	return true;
}

/* NULL is null.  The text format of COPY. */
static void
copy_value(Text *copy, const char *bytes, size_t length)
{
	if (bytes == NULL)
	{
		vsm_text_adds(copy, "\\N");
		return;
	}
	for (size_t i = 0; i < length; i++)
	{
		char		c = bytes[i];

		if (c != '\\' && c != '\n' && c != '\r' && c != '\t')
			vsm_text_addc(copy, c);
		else
		{
			vsm_text_addc(copy, '\\');
			if (c == '\n')
				c = 'n';
			else if (c == '\r')
				c = 'r';
			else if (c == '\t')
				c = 't';
			vsm_text_addc(copy, c);
		}
	}
}

static bool
bad(Rows *rows, const char *format, ...)
{
	Text		reason = {0};
	char	   *message = NULL;
	va_list		arguments;

	va_start(arguments, format);
	if (vasprintf(&message, format, arguments) < 0)
		abort();
	va_end(arguments);
	vsm_text_addf(&reason, "Line %ld: %s", rows->record_line, message);
	free(message);
	free(rows->error);
	rows->error = reason.data;
	return false;
}
