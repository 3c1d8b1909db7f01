/*
 * recognition.c
 *		What a file of delimited text is.
 *
 * In the order of the questions: how it is written (sniff.c), what its columns
 * hold (profile.c) and which is the item (item.c), which column is what and which form it has (decide.c), and
 * which moves and stages it has, in which order (moves.c, order.c, stages.c).
 */
#include "csv/recognise.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv/recognition.h"
#include "csv/sniff.h"

#define MOST_NOTICES 50

static bool recognise_or_fail(VsmRecognition *r, const VsmSource *source, const VsmRecogniseOptions *options);
static void recognise(VsmRecognition *r, const VsmSource *source, const VsmRecogniseOptions *options);
static bool sniff(VsmRecognition *r, const VsmSource *source);
static bool read_header(VsmRecognition *r, const VsmSource *source);
static bool header_is_one(VsmRecognition *r);
static void name_columns(VsmRecognition *r);

static const char no_header_hint[] = "Give a file whose first line names the columns, such as case_id, stage, entered_at.";

VsmRecognition *
vsm_recognise(const VsmSource *source, const VsmRecogniseOptions *options)
{
	static const VsmRecogniseOptions none = {0};
	VsmRecognition *r = calloc(1, sizeof *r);

	if (r == NULL || (r->private = calloc(1, sizeof *r->private)) == NULL)
	{
		free(r);
		return NULL;
	}
	r->item = r->stage = r->time = r->clock = r->type = r->title = r->field = r->from = r->created = r->sequence = -1;
	r->outcome = VSM_PROPOSAL;
	if (!recognise_or_fail(r, source, options == NULL ? &none : options))
		r->outcome = VSM_NO_MEMORY;
	return r;
}

/* False for want of memory, wherever. */
static bool
recognise_or_fail(VsmRecognition *r, const VsmSource *source, const VsmRecogniseOptions *options)
{
	jmp_buf		failure;

	if (setjmp(failure) != 0)
	{
		if (r->private->reading != NULL)
			vsm_rows_close(r->private->reading);
		r->private->reading = NULL;
		return false;
	}
	r->private->arena.failure = &failure;
	recognise(r, source, options);
	r->private->arena.failure = NULL;
	return true;
}

void
vsm_recognition_free(VsmRecognition *r)
{
	if (r == NULL)
		return;
	vsm_arena_free(&r->private->arena);
	free(r->private);
	free(r);
}

static void
recognise(VsmRecognition *r, const VsmSource *source, const VsmRecogniseOptions *options)
{
	Profiles	profiles;
	const char *zone = options->time_zone == NULL || options->time_zone[0] == '\0' ? "UTC" : options->time_zone;

	r->time_zone = vsm_arena_text(&r->private->arena, zone, strlen(zone));
	if (!sniff(r, source) || !read_header(r, source) || !header_is_one(r) || !vsm_choose_item(r, source, options, &profiles))
		return;
	if (profiles.error != NULL)
	{
		vsm_refuse(r, "not_delimited_text", vsm_arena_format(&r->private->arena, "line %ld: %s", profiles.error_line, profiles.error), NULL,
				   "Every line needs as many fields as the header line, and quotes in pairs.");
		return;
	}
	if (vsm_decide(r, options, &profiles))
		(void) vsm_read_moves(source, r, options);
}

/* ---- How it is written ---- */

static bool
sniff(VsmRecognition *r, const VsmSource *source)
{
	struct VsmPrivate *inner = r->private;

	switch (vsm_sniff(source, &inner->arena, &inner->format, &r->encoding))
	{
		case SNIFF_EMPTY:
			return vsm_refuse(r, "empty", "the file is empty: there is no header line", NULL, no_header_hint);
		case SNIFF_ONE_COLUMN:
			return vsm_refuse(r, "one_column", "the lines have one column only", NULL, "Separate the columns by comma, semicolon, tab or |.");
		case SNIFF_GZIP:
			return vsm_refuse(r, "not_text", "the file is packed with gzip", NULL, "Unpack it, and import the file that is in it.");
		case SNIFF_NOT_TEXT:
			return vsm_refuse(r, "not_text", "the file is no text", "It has NUL bytes.", "Save it as CSV or as tab-separated text.");
		case SNIFF_FAILED:
			r->outcome = VSM_UNREADABLE;
			return false;
		case SNIFF_OK:
		default:
			break;
	}
	r->delimiter = inner->format.delimiter;
	r->header_line = inner->format.header_line;
	r->n_columns = inner->format.n_columns;
	if (inner->format.encoding == ENCODING_WINDOWS_1252)
		vsm_remark(r, "The file is not UTF-8, so it is read as Windows-1252.");
	return true;
}

static bool
read_header(VsmRecognition *r, const VsmSource *source)
{
	struct VsmPrivate *inner = r->private;
	RowFormat	format = inner->format;
	RowReader  *rows = vsm_arena_alloc(&inner->arena, sizeof *rows);
	bool		found = false;

	format.header_line--;
	format.n_columns = 0;
	inner->headers = vsm_arena_alloc(&inner->arena, ((size_t) r->n_columns + 1) * sizeof(char *));
	inner->units = vsm_arena_alloc(&inner->arena, ((size_t) r->n_columns + 1) * sizeof(DateUnit));
	inner->stage_of = vsm_arena_alloc(&inner->arena, ((size_t) r->n_columns + 1) * sizeof(int));
	for (int i = 0; i < r->n_columns; i++)
		inner->stage_of[i] = -1;
	inner->reading = rows;
	if (vsm_rows_open(rows, source, &format))
		found = vsm_rows_next(rows);
	for (int i = 0; i < r->n_columns; i++)
	{
		size_t		length = 0;
		const char *name = found ? vsm_rows_field(rows, i, &length) : NULL;

		inner->headers[i] = vsm_arena_text(&inner->arena, name == NULL ? "" : name, length);
	}
	vsm_rows_close(rows);
	inner->reading = NULL;
	vsm_arena_release(&inner->arena, rows);
	if (!found)
		r->outcome = VSM_UNREADABLE;
	else
		name_columns(r);
	return found;
}

/* A name is no date and no long number: then the first line is a row, and nothing says what the columns are. */
static bool
header_is_one(VsmRecognition *r)
{
	for (int i = 0; i < r->n_columns; i++)
	{
		const char *name = r->private->headers[i];
		DateReading reading;

		if (strlen(name) < 5 || !vsm_date_read(name, strlen(name), &reading))
			continue;
		r->header_line = 0;
		return vsm_refuse(r, "no_header", "there is no header line",
						  vsm_arena_format(&r->private->arena, "The first line has \"%.60s\", which is no name of a column.", name), no_header_hint);
	}
	return true;
}

/* Each name once: the second Status is "Status 2"; one blank for many. */
static void
name_columns(VsmRecognition *r)
{
	Arena	   *arena = &r->private->arena;

	r->columns = vsm_arena_alloc(arena, ((size_t) r->n_columns + 1) * sizeof(char *));
	for (int i = 0; i < r->n_columns; i++)
	{
		char	   *base = r->private->headers[i];
		size_t		n = 0;

		for (char *from = base; *from != '\0'; from++)
			if (strchr(" \t\r\n\f\v", *from) == NULL)
				base[n++] = *from;
			else if (n > 0 && base[n - 1] != ' ')
				base[n++] = ' ';
		base[n] = '\0';
		r->columns[i] = base[0] == '\0' ? vsm_arena_format(arena, "column %d", i + 1) : base;
		base = r->columns[i];
		for (int copy = 2, j = 0; j < i; j++)
			if (strcmp(r->columns[i], r->columns[j]) == 0)
			{
				r->columns[i] = vsm_arena_format(arena, "%.900s %d", base, copy++);
				j = -1;
			}
	}
}

/* ---- Answers ---- */

/* Always false, as the two below. */
bool
vsm_refuse(VsmRecognition *r, const char *code, const char *message, const char *detail, const char *hint)
{
	r->outcome = VSM_REFUSAL;
	r->code = code;
	r->message = message;
	r->detail = detail;
	r->hint = hint;
	return false;
}

bool
vsm_ask(VsmRecognition *r, const char *code, const char *option, const char *message, const char *detail, const char *hint)
{
	(void) vsm_refuse(r, code, message, detail, hint);
	r->outcome = VSM_QUESTION;
	r->option = option;
	return false;
}

void
vsm_refuse_row(VsmRecognition *r, long line, const char *reason, const char *value, size_t length)
{
	if (r->n_refused < VSM_SHOWN_REFUSALS)
	{
		VsmRefusedRow *row = &r->refused[r->n_refused];

		if (length > 80)
			for (length = 80; length > 0 && ((unsigned char) value[length] & 0xC0) == 0x80; length--)
				;
		row->line = line;
		row->reason = vsm_arena_text(&r->private->arena, reason, strlen(reason));
		row->value = value == NULL ? NULL : vsm_arena_text(&r->private->arena, value, length);
	}
	r->n_refused++;
}

/* A sentence.  Of too many, the last one says how many more there are. */
void
vsm_remark(VsmRecognition *r, const char *format, ...)
{
	Arena	   *arena = &r->private->arena;
	char		text[1000];
	va_list		arguments;

	if (r->n_notices > MOST_NOTICES)
	{
		r->private->n_unsaid++;
		r->notices[MOST_NOTICES] = vsm_arena_format(arena, "There is more to say: %ld remarks like these are left out.", r->private->n_unsaid);
		return;
	}
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	r->notices = vsm_arena_resize(arena, r->notices, ((size_t) r->n_notices + 1) * sizeof(char *));
	r->notices[r->n_notices++] = vsm_arena_text(arena, text, strlen(text));
	r->private->n_unsaid = 1;	/* the last one, if there are more */
}
