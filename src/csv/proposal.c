/*
 * proposal.c
 *		A recognition as JSON, and the words of its options.
 */
#include <stdio.h>
#include <string.h>

#include "csv/recognition.h"

typedef struct Printer
{
	VsmWrite	write;
	void	   *state;
	bool		failed;
	bool		first;			/* nothing stands before in this object or list */
} Printer;

static void print(Printer *printer, const char *text);
static void print_text(Printer *printer, const char *text);
static void key(Printer *printer, const char *name);
static void open_list(Printer *printer, const char *bracket);
static void close_list(Printer *printer, const char *bracket);
static void text_member(Printer *printer, const char *name, const char *value);
static void number_member(Printer *printer, const char *name, long value);
static void column_member(Printer *printer, const char *name, const VsmRecognition *r, int column);
static void print_file(Printer *printer, const VsmRecognition *r);
static void print_stages(Printer *printer, const VsmRecognition *r);
static void print_flow(Printer *printer, const VsmRecognition *r);
static void print_refused(Printer *printer, const VsmRecognition *r);
static bool find_word(const char *word, const char *const *words, int *number);

static const char *const outcomes[] = {"proposal", "question", "refusal", "no_memory", "unreadable", NULL};
static const char *const forms[] = {"", "long", "wide", NULL};
static const char *const orders[] = {"", "DMY", "MDY", "YMD", NULL};
static const char *const directions[] = {"", "oldest_first", "newest_first", "by_sequence", NULL};
static const char *const categories[] = {"", "wait", "active", "done", "discarded", NULL};

bool
vsm_recognition_json(const VsmRecognition *r, VsmWrite write, void *state)
{
	Printer		printer = {write, state, false, true};

	open_list(&printer, "{");
	text_member(&printer, "outcome", outcomes[r->outcome]);
	if (r->outcome == VSM_QUESTION || r->outcome == VSM_REFUSAL)
	{
		text_member(&printer, "code", r->code);
		text_member(&printer, "message", r->message);
		text_member(&printer, "detail", r->detail);
		text_member(&printer, "option", r->option);
		text_member(&printer, "hint", r->hint);
	}
	print_file(&printer, r);
	if (r->outcome == VSM_PROPOSAL)
		print_stages(&printer, r);
	print_refused(&printer, r);
	close_list(&printer, "}");
	return !printer.failed;
}

static void
print_file(Printer *printer, const VsmRecognition *r)
{
	char		delimiter[2] = {r->delimiter, '\0'};

	text_member(printer, "form", r->form == VSM_FORM_ANY ? NULL : forms[r->form]);
	text_member(printer, "encoding", r->encoding);
	text_member(printer, "delimiter", r->delimiter == '\0' ? NULL : delimiter);
	number_member(printer, "header_line", r->header_line);
	key(printer, "columns");
	open_list(printer, "[");
	for (int i = 0; i < r->n_columns && r->columns != NULL; i++)
	{
		key(printer, NULL);
		print_text(printer, r->columns[i]);
	}
	close_list(printer, "]");
	column_member(printer, "item", r, r->item);
	column_member(printer, "stage", r, r->stage);
	column_member(printer, "time", r, r->time);
	column_member(printer, "clock", r, r->clock);
	column_member(printer, "type", r, r->type);
	column_member(printer, "title", r, r->title);
	column_member(printer, "field", r, r->field);
	column_member(printer, "from", r, r->from);
	column_member(printer, "created", r, r->created);
	column_member(printer, "sequence", r, r->sequence);
	text_member(printer, "dates", r->dates == VSM_DATES_ANY ? NULL : orders[r->dates]);
	text_member(printer, "direction", r->direction == VSM_DIRECTION_ANY ? NULL : directions[r->direction]);
	text_member(printer, "time_zone", r->time_zone);
	key(printer, "local_times");
	print(printer, r->has_local_times ? "true" : "false");
}

static void
print_stages(Printer *printer, const VsmRecognition *r)
{
	char		time[VSM_TIME_TEXT];

	key(printer, "stages");
	open_list(printer, "[");
	for (int i = 0; i < r->n_stages; i++)
	{
		const VsmStage *stage = &r->stages[i];

		key(printer, NULL);
		open_list(printer, "{");
		text_member(printer, "name", stage->name);
		text_member(printer, "category", categories[stage->category]);
		key(printer, "guessed");
		print(printer, stage->guessed ? "true" : "false");
		number_member(printer, "moves", stage->moves);
		number_member(printer, "remain", stage->remain);
		if (stage->column >= 0)
			column_member(printer, "column", r, stage->column);
		key(printer, "spellings");
		open_list(printer, "[");
		for (int k = 0; k < stage->n_spellings; k++)
		{
			key(printer, NULL);
			print_text(printer, stage->spellings[k]);
		}
		close_list(printer, "]");
		close_list(printer, "}");
	}
	close_list(printer, "]");
	key(printer, "types");
	open_list(printer, "[");
	for (int i = 0; i < r->n_types; i++)
	{
		key(printer, NULL);
		open_list(printer, "{");
		text_member(printer, "name", r->types[i].name);
		number_member(printer, "rows", r->types[i].rows);
		close_list(printer, "}");
	}
	close_list(printer, "]");
	vsm_date_text(r->first, r->has_local_times, time);
	text_member(printer, "first", r->moves > 0 ? time : NULL);
	vsm_date_text(r->last, r->has_local_times, time);
	text_member(printer, "last", r->moves > 0 ? time : NULL);
	print_flow(printer, r);
}

static void
print_flow(Printer *printer, const VsmRecognition *r)
{
	const VsmFlow *flow = &r->flow;
	char		time[VSM_TIME_TEXT];

	key(printer, "flow");
	open_list(printer, "{");
	vsm_date_text(flow->since, r->has_local_times, time);
	text_member(printer, "since", time);
	number_member(printer, "days", flow->days);
	key(printer, "points");
	open_list(printer, "[");
	for (int i = 0; i < flow->n_points; i++)
	{
		key(printer, NULL);
		open_list(printer, "[");
		for (int k = 0; k < r->n_stages; k++)
			number_member(printer, NULL, flow->items[i * r->n_stages + k]);
		close_list(printer, "]");
	}
	close_list(printer, "]");
	close_list(printer, "}");
}

static void
print_refused(Printer *printer, const VsmRecognition *r)
{
	number_member(printer, "rows", r->rows);
	number_member(printer, "items", r->items);
	key(printer, "sampled");
	print(printer, r->sampled ? "true" : "false");
	number_member(printer, "moves", r->moves);
	number_member(printer, "passed_over", r->passed_over);
	number_member(printer, "refused_count", r->n_refused);
	key(printer, "refused");
	open_list(printer, "[");
	for (int i = 0; i < r->n_refused && i < VSM_SHOWN_REFUSALS; i++)
	{
		key(printer, NULL);
		open_list(printer, "{");
		number_member(printer, "line", r->refused[i].line);
		text_member(printer, "reason", r->refused[i].reason);
		text_member(printer, "value", r->refused[i].value);
		close_list(printer, "}");
	}
	close_list(printer, "]");
	key(printer, "notices");
	open_list(printer, "[");
	for (int i = 0; i < r->n_notices; i++)
	{
		key(printer, NULL);
		print_text(printer, r->notices[i]);
	}
	close_list(printer, "]");
}

/* ---- JSON ---- */

static void
print(Printer *printer, const char *text)
{
	if (!printer->failed && *text != '\0' && !printer->write(printer->state, text, strlen(text)))
		printer->failed = true;
}

/* Escaped; what is not UTF-8 becomes U+FFFD. */
static void
print_text(Printer *printer, const char *text)
{
	const char *end = text + strlen(text);

	print(printer, "\"");
	while (text < end)
	{
		const char *begin = text;
		unsigned int c = vsm_utf8_read(&text, end);
		char		escaped[8];

		if (c == '"' || c == '\\')
			snprintf(escaped, sizeof escaped, "\\%c", (char) c);
		else if (c < 0x20 || c == 0x7F || (c == 0xFFFD && text - begin == 1))
			snprintf(escaped, sizeof escaped, "\\u%04x", c);
		else
		{
			memcpy(escaped, begin, (size_t) (text - begin));
			escaped[text - begin] = '\0';
		}
		print(printer, escaped);
	}
	print(printer, "\"");
}

/* A comma where one is needed, and the name, if it is a member of an object. */
static void
key(Printer *printer, const char *name)
{
	if (!printer->first)
		print(printer, ", ");
	printer->first = false;
	if (name != NULL)
	{
		print_text(printer, name);
		print(printer, ": ");
	}
}

static void
open_list(Printer *printer, const char *bracket)
{
	print(printer, bracket);
	printer->first = true;
}

static void
close_list(Printer *printer, const char *bracket)
{
	print(printer, bracket);
	printer->first = false;
}

static void
text_member(Printer *printer, const char *name, const char *value)
{
	key(printer, name);
	if (value == NULL)
		print(printer, "null");
	else
		print_text(printer, value);
}

static void
number_member(Printer *printer, const char *name, long value)
{
	char		text[24];

	snprintf(text, sizeof text, "%ld", value);
	key(printer, name);
	print(printer, text);
}

static void
column_member(Printer *printer, const char *name, const VsmRecognition *r, int column)
{
	text_member(printer, name, column < 0 || r->columns == NULL ? NULL : r->columns[column]);
}

/* ---- The words of options ---- */

bool
vsm_date_order_named(const char *word, VsmDateOrder *order)
{
	int			number;

	if (!find_word(word, orders, &number))
		return false;
	*order = (VsmDateOrder) number;
	return true;
}

bool
vsm_direction_named(const char *word, VsmDirection *direction)
{
	int			number;

	if (!find_word(word, directions, &number) || number == VSM_BY_SEQUENCE)
		return false;
	*direction = (VsmDirection) number;
	return true;
}

bool
vsm_category_named(const char *word, VsmCategory *category)
{
	int			number;

	if (!find_word(word, categories, &number))
		return false;
	*category = (VsmCategory) number;
	return true;
}

bool
vsm_form_named(const char *word, VsmForm *form)
{
	int			number;

	if (!find_word(word, forms, &number))
		return false;
	*form = (VsmForm) number;
	return true;
}

/* In any case; an empty one is none. */
static bool
find_word(const char *word, const char *const *words, int *number)
{
	for (int i = 1; words[i] != NULL; i++)
	{
		size_t		n = 0;

		while (word[n] != '\0' && ((unsigned char) word[n] | 0x20) == ((unsigned char) words[i][n] | 0x20))
			n++;
		if (word[n] == '\0' && words[i][n] == '\0' && n > 0)
		{
			*number = i;
			return true;
		}
	}
	return false;
}
