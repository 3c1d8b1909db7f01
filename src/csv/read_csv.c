/*
 * read_csv.c
 *		Reads a file of delimited text from standard input, for "make demo DATA=...".
 *
 *	read_csv --header NAME		prints the names of the columns, one a line
 *	read_csv NAME [BYTES]		prints the records below them as CSV for COPY: UTF-8, commas, quotes
 *								around all that is not null.  Reports its progress if BYTES says how
 *								long the file is.
 *
 * NAME is the file's, for error messages.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "csv/csv.h"
#include "csv/encoding.h"

#define MAX_COLUMNS 1000		/* of a table; PostgreSQL allows 1600, fewer of wide values */
#define NAME_BYTES 63
#define PIECE (64 * 1024)
#define SECONDS_BETWEEN_REPORTS 2

typedef struct Input
{
	const char *name;
	bool		header_only;
	bool		has_header;
	bool		ended;			/* what follows is not wanted */
	double		bytes;			/* in all; 0: not known */
	double		done;
	time_t		reported;
} Input;

static void read_all(CsvReader *csv, Input *input);
static void print_records(CsvReader *csv, Input *input);
static void report_progress(const CsvReader *csv, Input *input);
static bool is_blank(const CsvReader *csv);
static void print_record(const CsvReader *csv);
static void print_columns(const CsvReader *csv);
static void name_column(const CsvReader *csv, int column, char names[][NAME_BYTES + 1]);
static bool is_taken(const char *name, int columns, char names[][NAME_BYTES + 1]);
static size_t squeeze(char *name);
static size_t shorten(const char *name, size_t length, size_t most);
static void refuse(const char *message, const char *hint);

int
main(int argc, char **argv)
{
	Input		input = {.reported = time(NULL)};
	CsvReader  *csv = vsm_csv_new(CSV_DELIMITED, '\0');

	input.header_only = argc > 1 && strcmp(argv[1], "--header") == 0;
	argv += input.header_only;
	argc -= input.header_only;
	if (argc < 2 || csv == NULL)
		refuse("the reader of delimited text cannot start", "read_csv [--header] NAME [BYTES] <FILE");
	input.name = argv[1];
	if (argc > 2)
		input.bytes = strtod(argv[2], NULL);
	read_all(csv, &input);
	vsm_csv_free(csv);
	return fflush(stdout) == 0 ? 0 : 1;
}

static void
read_all(CsvReader *csv, Input *input)
{
	static char bytes[PIECE];
	size_t		length;

	while (!input->ended && (length = fread(bytes, 1, sizeof bytes, stdin)) > 0)
	{
		input->done += (double) length;
		vsm_csv_push(csv, bytes, length);
		print_records(csv, input);
		report_progress(csv, input);
	}
	vsm_csv_finish(csv);
	if (!input->ended)
		print_records(csv, input);
	if (!input->has_header)
	{
		fprintf(stderr, "demo: %s is empty\n", input->name);
		refuse(NULL, "give a file with a header line and one line for each event or item");
	}
}

static void
print_records(CsvReader *csv, Input *input)
{
	CsvResult	result;

	while ((result = vsm_csv_next(csv)) == CSV_RECORD)
	{
		if (input->has_header && !is_blank(csv))
			print_record(csv);
		input->has_header = true;
		if (input->header_only)
		{
			print_columns(csv);
			input->ended = true;
			return;
		}
	}
	if (result == CSV_ERROR)
	{
		fprintf(stderr, "demo: %s, line %ld: %s\n", input->name, vsm_csv_line(csv), vsm_csv_error(csv));
		refuse(NULL, "every line needs as many fields as the header line, and quotes in pairs");
	}
}

static void
report_progress(const CsvReader *csv, Input *input)
{
	char		lines[32];
	int			length = snprintf(lines, sizeof lines, "%ld", vsm_csv_line(csv) - 1);
	double		percent = input->bytes > 0 ? 100 * input->done / input->bytes : 0;

	if (input->bytes <= 0 || time(NULL) < input->reported + SECONDS_BETWEEN_REPORTS)
		return;
	input->reported = time(NULL);
	fprintf(stderr, "  read %3.0f %%, ", percent > 100 ? 100 : percent);
	for (int i = 0; i < length; i++)
		fprintf(stderr, "%s%c", i > 0 && (length - i) % 3 == 0 ? "," : "", lines[i]);
	fputs(" lines\n", stderr);
}

/* A spreadsheet exports its empty rows as delimiters. */
static bool
is_blank(const CsvReader *csv)
{
	for (int i = 0; i < vsm_csv_fields(csv); i++)
	{
		const char *value = vsm_csv_field(csv, i);

		if (value != NULL && value[strspn(value, " \t\r\n")] != '\0')
			return false;
	}
	return true;
}

static void
print_record(const CsvReader *csv)
{
	for (int i = 0; i < vsm_csv_fields(csv); i++)
	{
		const char *value = vsm_csv_field(csv, i);

		if (i > 0)
			putchar(',');
		if (value == NULL)
			continue;
		putchar('"');
		for (; *value != '\0'; value++)
		{
			if (*value == '"')
				putchar('"');
			putchar(*value);
		}
		putchar('"');
	}
	putchar('\n');
}

/* ---- Names of columns: each once, and none longer than PostgreSQL takes ---- */

static void
print_columns(const CsvReader *csv)
{
	static char names[MAX_COLUMNS][NAME_BYTES + 1];
	int			n = vsm_csv_fields(csv);

	if (n < 2)
	{
		fprintf(stderr, "demo: the first line has one column only: \"%.60s\"\n",
				vsm_csv_field(csv, 0) == NULL ? "" : vsm_csv_field(csv, 0));
		refuse(NULL, "separate the columns by comma, semicolon, tab or |");
	}
	if (n > MAX_COLUMNS)
		refuse("the first line has too many columns", "a table holds 1000; leave some out");
	for (int i = 0; i < n; i++)
	{
		name_column(csv, i, names);
		puts(names[i]);
	}
}

static void
name_column(const CsvReader *csv, int column, char names[][NAME_BYTES + 1])
{
	const char *given = vsm_csv_field(csv, column);
	char	   *base = strdup(given == NULL ? "" : given);
	char	   *name = names[column];
	size_t		length;

	if (base == NULL)
		exit(1);
	length = squeeze(base);
	if (length == 0)
		snprintf(name, NAME_BYTES + 1, "column %d", column + 1);
	else
		snprintf(name, NAME_BYTES + 1, "%.*s", (int) shorten(base, length, NAME_BYTES), base);
	length = shorten(name, strlen(name), NAME_BYTES - 5);	/* room for a number */
	for (int copy = 2; is_taken(name, column, names); copy++)
		snprintf(name + length, NAME_BYTES + 1 - length, " %d", copy);
	free(base);
}

static bool
is_taken(const char *name, int columns, char names[][NAME_BYTES + 1])
{
	static const char *const of_system[] = {"tableoid", "cmax", "xmax", "cmin", "xmin", "ctid"};

	for (size_t i = 0; i < sizeof of_system / sizeof of_system[0]; i++)
		if (strcmp(name, of_system[i]) == 0)
			return true;
	for (int i = 0; i < columns; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* One blank for many, and none around the name; its new length. */
static size_t
squeeze(char *name)
{
	static const char blanks[] = " \t\r\n\f\v";
	size_t		length = 0;

	for (const char *from = name; *from != '\0'; from++)
		if (strchr(blanks, *from) == NULL)
			name[length++] = *from;
		else if (length > 0 && name[length - 1] != ' ')
			name[length++] = ' ';
	if (length > 0 && name[length - 1] == ' ')
		length--;
	name[length] = '\0';
	return length;
}

/* The bytes of its whole characters that fit. */
static size_t
shorten(const char *name, size_t length, size_t most)
{
	size_t		fits = 0;
	size_t		next;

	while (fits < length && (next = vsm_utf8_sequence(name + fits, length - fits)) > 0 && fits + next <= most)
		fits += next;
	return fits;
}

/* NULL: the message is told already. */
static void
refuse(const char *message, const char *hint)
{
	if (message != NULL)
		fprintf(stderr, "demo: %s\n", message);
	fprintf(stderr, "Hint: %s\n", hint);
	exit(1);
}
