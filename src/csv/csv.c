/*
 * csv.c
 *		Delimited text, read as it arrives.
 *
 * The form is that of RFC 4180: a field in quotes may hold delimiters, line ends
 * and doubled quotes.  An empty field without quotes is null.  Lines end with
 * LF, CR LF or CR, and blank lines are skipped.  All records have as many fields
 * as the first, the header.  A delimiter that is not given is found in the
 * header; "sep=;" in a line before the header, as Excel writes it, names it.
 *
 * A tolerant reader has no header: each record has the fields it has.  A quote
 * within a field without quotes stands for itself, and what makes one record
 * doubtful is its fault and no error of the file.
 *
 * Files that were joined have a byte order mark where one of them begins: at the
 * beginning of a record it does not count.
 *
 * Only one record is held.  Memory is malloc()'s and belongs to the reader, so
 * that vsm_csv_free() can be called at any time.
 */
#include "csv/csv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv/delimiter.h"
#include "csv/encoding.h"

#define BYTE_ORDER_MARK "\xEF\xBB\xBF"

typedef enum CsvState
{
	CSV_HEAD,					/* the header is gathered as it is, until its delimiter is known */
	CSV_FIELD_BEGINS,
	CSV_PLAIN,
	CSV_QUOTED,
	CSV_QUOTE_IN_QUOTED			/* the end of the field, or half of a doubled quote */
} CsvState;

typedef struct Buffer
{
	char	   *data;
	size_t		length;
	size_t		size;
} Buffer;

struct CsvReader
{
	CsvForm		form;
	char		delimiter;		/* NUL: not yet known */
	bool		tolerant;
	bool		special[256];	/* bytes that may mean something */

	/* the input */
	const char *bytes;
	size_t		length;
	bool		finished;
	Decoder		decoder;
	long		line;			/* from 1 */
	bool		after_cr;
	CsvState	state;
	bool		head_quoted;	/* the header so far has an odd number of quotes */
	Buffer		head;			/* the header, to be read when its delimiter was found */

	/* the record */
	bool		complete;
	long		record_line;	/* where it began */
	Buffer		record;			/* its fields, each with a NUL behind it */
	int			n_fields;
	bool		quoted;			/* the present field has quotes */
	const char *fault;			/* of a tolerant reader: what is wrong with the record; NULL: nothing */
	size_t		begin;			/* of the present field in record */
	size_t		field[VSM_CSV_MAX_COLUMNS]; /* where it begins in record, plus one; 0: null */

	int			n_columns;		/* 0: the header is not read yet */
	char		error[100];
};

static bool decode(CsvReader *csv);
static void read_saved_head(CsvReader *csv);
static CsvResult end_input(CsvReader *csv);
static size_t read_text(CsvReader *csv, const char *text, size_t length);
static size_t plain_run(const CsvReader *csv, const char *text, size_t length);
static bool read_special(CsvReader *csv, char c);
static bool read_quote(CsvReader *csv);
static bool read_head(CsvReader *csv, char c);
static bool end_head(CsvReader *csv, const char *line_end);
static void set_delimiter(CsvReader *csv, char delimiter);
static bool end_field(CsvReader *csv);
static bool end_record(CsvReader *csv);
static void drop_mark(CsvReader *csv);
static bool field_is_blank(const CsvReader *csv);
static bool has_record(const CsvReader *csv);
static void forget_record(CsvReader *csv);
static bool append(CsvReader *csv, const char *bytes, size_t length);
static bool fail(CsvReader *csv, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * vsm_csv_new
 *		A reader, or NULL for want of memory.
 *
 * delimiter is a byte other than a quote, CR or LF; NUL: found in the header.
 */
CsvReader *
vsm_csv_new(CsvForm form, char delimiter)
{
	CsvReader  *csv = calloc(1, sizeof *csv);

	if (csv == NULL)
		return NULL;
	csv->form = form;
	csv->line = 1;
	csv->record_line = 1;
	csv->state = form == CSV_LINES ? CSV_FIELD_BEGINS : CSV_HEAD;
	csv->special['\0'] = true;
	csv->special['\n'] = true;
	csv->special['\r'] = true;
	csv->special['"'] = form == CSV_DELIMITED;
	csv->delimiter = delimiter;
	return csv;
}

/* The reader, new and with a delimiter, is tolerant; the text has this encoding (ENCODING_UNKNOWN: by its mark). */
void
vsm_csv_tolerate(CsvReader *csv, Encoding encoding)
{
	csv->tolerant = true;
	csv->decoder.encoding = encoding;
	csv->state = CSV_FIELD_BEGINS;
	csv->special[(unsigned char) csv->delimiter] = true;
}

void
vsm_csv_free(CsvReader *csv)
{
	if (csv == NULL)
		return;
	free(csv->record.data);
	free(csv->head.data);
	free(csv);
}

/* The bytes stay the caller's, and must stay, until vsm_csv_next() wants more. */
void
vsm_csv_push(CsvReader *csv, const char *bytes, size_t length)
{
	csv->bytes = bytes;
	csv->length = length;
}

/* There are no more bytes than those already pushed. */
void
vsm_csv_finish(CsvReader *csv)
{
	csv->finished = true;
}

CsvResult
vsm_csv_next(CsvReader *csv)
{
	if (csv->complete)
		forget_record(csv);
	while (csv->error[0] == '\0' && csv->length > 0 && !csv->complete)
		if (!decode(csv))
			return CSV_ERROR;
	if (csv->error[0] != '\0')
		return CSV_ERROR;
	if (csv->complete)
		return CSV_RECORD;
	return csv->finished ? end_input(csv) : CSV_WANTS_MORE;
}

/* Where the record began, or the record that is in error. */
long
vsm_csv_line(const CsvReader *csv)
{
	return csv->record_line;
}

int
vsm_csv_fields(const CsvReader *csv)
{
	return csv->n_fields;
}

/* NULL is null. */
const char *
vsm_csv_field(const CsvReader *csv, int field)
{
	return csv->field[field] == 0 ? NULL : csv->record.data + csv->field[field] - 1;
}

/* What is wrong, as a clause without a full stop. */
const char *
vsm_csv_error(const CsvReader *csv)
{
	return csv->error;
}

/* What is wrong with the record, of a tolerant reader; NULL: nothing. */
const char *
vsm_csv_fault(const CsvReader *csv)
{
	return csv->fault;
}

/* ---- The input ---- */

/* Takes some of the bytes. */
static bool
decode(CsvReader *csv)
{
	char		text[VSM_MAX_DECODED];
	size_t		taken = 1;
	int			n;

	if (csv->decoder.encoding == ENCODING_UTF8)
		taken = read_text(csv, csv->bytes, csv->length);
	else if ((n = vsm_decoder_read(&csv->decoder, (unsigned char) *csv->bytes, text)) >= 0)
		read_text(csv, text, (size_t) n);	/* only the last byte can end a record */
	else
		return fail(csv, "the text is not UTF-16");
	csv->bytes += taken;
	csv->length -= taken;
	read_saved_head(csv);
	return csv->error[0] == '\0';
}

/* Its line end, if it has one, ends the record. */
static void
read_saved_head(CsvReader *csv)
{
	Buffer		head = csv->head;

	if (head.data == NULL)
		return;
	csv->head = (Buffer){0};
	read_text(csv, head.data, head.length);
	free(head.data);
}

static CsvResult
end_input(CsvReader *csv)
{
	char		text[VSM_MAX_DECODED];
	int			n = vsm_decoder_end(&csv->decoder, text);

	if (n < 0)
		fail(csv, "the text is not UTF-16");
	else
		read_text(csv, text, (size_t) n);
	if (csv->error[0] == '\0' && csv->state == CSV_HEAD && csv->record.length > 0)
	{
		end_head(csv, "");
		read_saved_head(csv);
	}
	if (csv->error[0] == '\0' && csv->state == CSV_QUOTED)
		fail(csv, "a quoted field is not closed");
	if (csv->error[0] == '\0' && csv->state != CSV_HEAD)
		end_record(csv);
	if (csv->error[0] != '\0')
		return CSV_ERROR;
	return csv->complete ? CSV_RECORD : CSV_END;
}

/* Reads to the end of the text, of a record or of the header's line, or up to an error; how many bytes it took. */
static size_t
read_text(CsvReader *csv, const char *text, size_t length)
{
	size_t		i = 0;

	while (i < length && !csv->complete && csv->head.data == NULL)
	{
		size_t		run = plain_run(csv, text + i, length - i);

		if (run > 0)
		{
			if (csv->state == CSV_FIELD_BEGINS)
				csv->state = CSV_PLAIN;
			csv->after_cr = false;
			if (!append(csv, text + i, run))
				break;
			i += run;
		}
		else if (!read_special(csv, text[i++]))
			break;
	}
	return i;
}

/* Bytes that stand for themselves. */
static size_t
plain_run(const CsvReader *csv, const char *text, size_t length)
{
	size_t		run = 0;

	if (csv->state != CSV_QUOTE_IN_QUOTED)
		while (run < length && !csv->special[(unsigned char) text[run]])
			run++;
	return run;
}

static bool
read_special(CsvReader *csv, char c)
{
	bool		after_cr = csv->after_cr;

	csv->after_cr = c == '\r';
	if (c == '\0')
		return fail(csv, "there is a NUL byte");
	if (csv->state == CSV_HEAD)
		return c == '\n' && after_cr && csv->record.length == 0 ? true : read_head(csv, c);

	if (c == '\n' && after_cr && csv->state != CSV_QUOTED)
		return true;
	if (c == '\r' || (c == '\n' && !after_cr))
		csv->line++;
	if (csv->state == CSV_QUOTED && c != '"')
		return append(csv, &c, 1);
	if (c == '"')
		return read_quote(csv);
	if (c == '\n' || c == '\r')
		return end_record(csv);
	if (c == csv->delimiter)
		return end_field(csv);
	if (!csv->tolerant)
		return fail(csv, "text follows a closing quote");
	if (c == ' ')
		return true;
	csv->fault = "text follows a closing quote";
	csv->state = CSV_PLAIN;
	return append(csv, &c, 1);
}

static bool
read_quote(CsvReader *csv)
{
	switch (csv->state)
	{
		case CSV_PLAIN:
			drop_mark(csv);
			if (csv->record.length > csv->begin && !csv->tolerant)
				return fail(csv, "a field without quotes has a quote in it");
			if (!field_is_blank(csv))
				return append(csv, "\"", 1);
			csv->record.length = csv->begin;
			csv->state = CSV_QUOTED;
			csv->quoted = true;
			return true;
		case CSV_QUOTED:
			csv->state = CSV_QUOTE_IN_QUOTED;
			return true;
		case CSV_QUOTE_IN_QUOTED:
			csv->state = CSV_QUOTED;
			return append(csv, "\"", 1);
		case CSV_HEAD:
		case CSV_FIELD_BEGINS:
		default:
			csv->state = CSV_QUOTED;
			csv->quoted = true;
			return true;
	}
}

/* ---- The header, and what may stand before it ---- */

static bool
read_head(CsvReader *csv, char c)
{
	if ((c == '\n' || c == '\r') && !csv->head_quoted)
		return end_head(csv, c == '\n' ? "\n" : "\r");
	if (c == '"')
		csv->head_quoted = !csv->head_quoted;
	return append(csv, &c, 1);
}

/* Saves the header, to be read with its delimiter; line_end is empty at the end of the input. */
static bool
end_head(CsvReader *csv, const char *line_end)
{
	char	   *head;

	if (!append(csv, "", 1))
		return false;
	head = csv->record.data;
	csv->record.length--;
	if (vsm_delimiter_blank(head, csv->delimiter) || vsm_delimiter_named(head) != '\0')
	{
		if (vsm_delimiter_named(head) != '\0')
			csv->delimiter = vsm_delimiter_named(head);
		csv->record.length = 0;
		csv->record_line = ++csv->line;
		return true;
	}
	set_delimiter(csv, csv->delimiter != '\0' ? csv->delimiter : vsm_delimiter_found(head));
	if (!append(csv, line_end, strlen(line_end)))
		return false;
	csv->head = csv->record;
	csv->record = (Buffer){0};
	csv->state = CSV_FIELD_BEGINS;
	csv->after_cr = false;
	return true;
}

static void
set_delimiter(CsvReader *csv, char delimiter)
{
	csv->delimiter = delimiter;
	csv->special[(unsigned char) delimiter] = true;
}

/* ---- The record ---- */

static bool
end_field(CsvReader *csv)
{
	size_t		length;

	drop_mark(csv);
	length = csv->record.length - csv->begin;
	if (csv->n_columns > 0 && csv->n_fields >= csv->n_columns)
		return fail(csv, "the record has more than the header's %d fields", csv->n_columns);
	if (csv->n_fields >= VSM_CSV_MAX_COLUMNS && csv->tolerant)
	{
		csv->fault = "the record has too many fields";
		csv->record.length = csv->begin;
		csv->quoted = false;
		csv->state = CSV_FIELD_BEGINS;
		return true;
	}
	if (csv->n_fields >= VSM_CSV_MAX_COLUMNS)
		return fail(csv, "the header has more than %d columns", VSM_CSV_MAX_COLUMNS);
	if (!append(csv, "", 1))
		return false;
	if (!vsm_utf8_valid(csv->record.data + csv->begin, length))
	{
		if (!csv->tolerant)
			return fail(csv, "the text is not UTF-8");
		csv->fault = "the text is not UTF-8";
	}
	csv->field[csv->n_fields++] = length > 0 || csv->quoted ? csv->begin + 1 : 0;
	csv->begin = csv->record.length;
	csv->quoted = false;
	csv->state = CSV_FIELD_BEGINS;
	return true;
}

static bool
end_record(CsvReader *csv)
{
	if (!has_record(csv))
	{
		forget_record(csv);
		return true;
	}
	if (!end_field(csv))
		return false;
	if (csv->n_columns == 0 && !csv->tolerant)
		csv->n_columns = csv->n_fields;
	if (csv->n_fields < csv->n_columns)
		return fail(csv, "the record has %d of the header's %d fields", csv->n_fields, csv->n_columns);
	csv->complete = true;
	return true;
}

/* At the beginning of the record. */
static void
drop_mark(CsvReader *csv)
{
	size_t		length = strlen(BYTE_ORDER_MARK);

	if (csv->n_fields > 0 || csv->quoted || csv->record.length < length || memcmp(csv->record.data, BYTE_ORDER_MARK, length) != 0)
		return;
	memmove(csv->record.data, csv->record.data + length, csv->record.length - length);
	csv->record.length -= length;
}

/* So far it is empty or blank. */
static bool
field_is_blank(const CsvReader *csv)
{
	for (size_t i = csv->begin; i < csv->record.length; i++)
		if (csv->record.data[i] != ' ')
			return false;
	return true;
}

/* False: the line is empty or blank. */
static bool
has_record(const CsvReader *csv)
{
	if (csv->n_fields > 0 || csv->quoted)
		return true;
	if (csv->record.length == strlen(BYTE_ORDER_MARK) && memcmp(csv->record.data, BYTE_ORDER_MARK, csv->record.length) == 0)
		return false;
	for (size_t i = 0; i < csv->record.length; i++)
		if (csv->record.data[i] != ' ' && csv->record.data[i] != '\t')
			return true;
	return false;
}

static void
forget_record(CsvReader *csv)
{
	csv->complete = false;
	csv->fault = NULL;
	csv->record.length = 0;
	csv->begin = 0;
	csv->n_fields = 0;
	csv->record_line = csv->line;
	csv->state = CSV_FIELD_BEGINS;
}

static bool
append(CsvReader *csv, const char *bytes, size_t length)
{
	Buffer	   *record = &csv->record;

	if (length > VSM_CSV_MAX_RECORD - record->length)
		return fail(csv, "the record is longer than %d bytes", VSM_CSV_MAX_RECORD);
	if (length > record->size - record->length)
	{
		size_t		size = 2 * (record->length + length) + 256;
		char	   *data = realloc(record->data, size);

		if (data == NULL)
			return fail(csv, "there is not enough memory for the record");
		record->data = data;
		record->size = size;
	}
	memcpy(record->data + record->length, bytes, length);
	record->length += length;
	return true;
}

/* Always false. */
static bool
fail(CsvReader *csv, const char *format, ...)
{
	va_list		arguments;

	va_start(arguments, format);
	vsnprintf(csv->error, sizeof csv->error, format, arguments);
	va_end(arguments);
	return false;
}
