/*
 * log.c
 *		The events of a file, by a proposal.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv/recognition.h"

struct VsmLog
{
	const VsmRecognition *r;
	VsmZoneResolver resolver;
	void	   *state;
	RowReader	rows;
	RowEvent	row;
	RowCursor	cursor;
	bool		in_row;			/* the row may have more events */
	bool		open;
	bool		born;			/* the next event is the row's own, behind the item's creation */
	RowEvent	own;
	char		item[1024];
	char		stage[1024];
	char		type[1024];
	char	   *title;
	size_t		title_room;
};

static bool next_of_row(VsmLog *log, VsmLogEvent *event);
static void fill(VsmLog *log, const RowEvent *row, int stage, VsmLogEvent *event);
static void refuse(VsmLog *log, const RowEvent *row, const char *reason, VsmLogEvent *event);
static bool is_birth(const VsmRecognition *r, long line);
static int64_t order_of(const VsmLog *log, int stage);
static const char *keep(const char *text, size_t length, char *room, size_t size);
static const char *keep_title(VsmLog *log);

/* NULL for want of memory, or when the source cannot be read. */
VsmLog *
vsm_log_open(const VsmSource *source, const VsmRecognition *recognition, VsmZoneResolver resolver, void *state)
{
	VsmLog	   *log = calloc(1, sizeof *log);

	if (log == NULL)
		return NULL;
	log->r = recognition;
	log->resolver = resolver;
	log->state = state;
	log->open = vsm_rows_open(&log->rows, source, &recognition->private->format);
	if (!log->open)
	{
		vsm_log_close(log);
		return NULL;
	}
	return log;
}

void
vsm_log_close(VsmLog *log)
{
	if (log == NULL)
		return;
	vsm_rows_close(&log->rows);
	free(log->title);
	free(log);
}

VsmLogResult
vsm_log_next(VsmLog *log, VsmLogEvent *event)
{
	memset(event, 0, sizeof *event);
	for (;;)
	{
		if (log->in_row && next_of_row(log, event))
			return VSM_LOG_EVENT;
		if (!vsm_rows_next(&log->rows))
			return log->rows.failed || vsm_csv_error(log->rows.csv)[0] != '\0' ? VSM_LOG_ERROR : VSM_LOG_END;
		log->in_row = false;
		log->cursor = (RowCursor){0};
		switch (vsm_row_begin(log->r, &log->rows, &log->row))
		{
			case ROW_NO_MOVE:
				break;
			case ROW_REFUSED:
				refuse(log, &log->row, log->row.refused, event);
				return VSM_LOG_EVENT;
			case ROW_EVENTS:
			default:
				log->in_row = true;
				break;
		}
	}
}

static bool
next_of_row(VsmLog *log, VsmLogEvent *event)
{
	const VsmRecognition *r = log->r;
	int			stage;

	if (log->born)
	{
		log->born = false;
		log->in_row = false;
		log->row = log->own;
	}
	else if (!vsm_row_event(r, &log->rows, &log->cursor, &log->row))
	{
		log->in_row = false;
		return false;
	}
	else if (r->form == VSM_LONG && is_birth(r, log->rows.line))
	{
		log->own = log->row;
		if (vsm_row_birth(r, &log->rows, &log->row))
		{
			int			name = vsm_spelling_of(&r->private->from_names, log->row.stage_text, log->row.stage_length);

			log->born = true;
			fill(log, &log->row, name < 0 ? -1 : r->private->from_stage[name], event);
			return true;
		}
	}
	stage = log->row.stage;
	if (r->form == VSM_LONG)
	{
		int			name = vsm_spelling_of(&r->private->stage_names, log->row.stage_text, log->row.stage_length);

		stage = name < 0 ? -1 : r->private->stage_index[name];
	}
	if (stage < 0)
		return false;			/* an alias says that it is no move */
	fill(log, &log->row, stage, event);
	return true;
}

static void
fill(VsmLog *log, const RowEvent *row, int stage, VsmLogEvent *event)
{
	const VsmRecognition *r = log->r;
	const char *zone = row->zone[0] != '\0' ? row->zone : r->time_zone;
	bool		is_local = !row->has_offset && (row->zone[0] != '\0' || strcmp(r->time_zone, "UTC") != 0);
	size_t		length;
	const char *type = vsm_rows_field(&log->rows, r->type, &length);

	if (stage < 0)
	{
		refuse(log, row, "the stage is not known", event);
		return;
	}
	event->at = row->at;
	if (is_local && log->resolver != NULL)
	{
		if (!log->resolver(log->state, zone, row->at, &event->at))
		{
			refuse(log, row, "the time is none in its time zone", event);
			return;
		}
		is_local = false;
	}
	event->line = log->rows.line;
	event->local = is_local;
	event->item = keep(row->item, row->item_length, log->item, sizeof log->item);
	event->stage = r->stages[stage].name;
	vsm_date_text(event->at, is_local, event->at_text);
	if (is_local && row->zone[0] != '\0')
		snprintf(event->at_text + strlen(event->at_text), sizeof event->at_text - strlen(event->at_text), " %s", row->zone);
	event->order = order_of(log, stage);
	event->type = keep(type, length, log->type, sizeof log->type);
	event->title = keep_title(log);
}

static void
refuse(VsmLog *log, const RowEvent *row, const char *reason, VsmLogEvent *event)
{
	event->line = log->rows.line;
	event->refused = reason;
	event->item = keep(row->item, row->item_length, log->item, sizeof log->item);
	event->stage = keep(row->stage_text, row->stage_length, log->stage, sizeof log->stage);
	keep(row->time_text, row->time_length, event->at_text, sizeof event->at_text);
}

/* Is this the first move of an item, whose row says when the item was created? */
static bool
is_birth(const VsmRecognition *r, long line)
{
	size_t		low = 0;
	size_t		high = r->private->n_births;

	while (low < high)
	{
		size_t		middle = (low + high) / 2;

		if (r->private->births[middle] < line)
			low = middle + 1;
		else
			high = middle;
	}
	return low < r->private->n_births && r->private->births[low] == line;
}

static int64_t
order_of(const VsmLog *log, int stage)
{
	const struct VsmPrivate *inner = log->r->private;
	size_t		low = 0;
	size_t		high = inner->n_ties;

	if (log->r->form == VSM_WIDE)
		return stage;
	if (log->r->sequence >= 0)
		return vsm_row_sequence(log->r, &log->rows);
	while (low < high)
	{
		size_t		middle = (low + high) / 2;

		if (inner->ties[middle].line < log->rows.line)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < inner->n_ties && inner->ties[low].line == log->rows.line)
		return inner->ties[low].order;
	return inner->sign * (int64_t) log->rows.line;
}

/* Without what does not fit, cut between characters. */
static const char *
keep(const char *text, size_t length, char *room, size_t size)
{
	if (text == NULL)
		return NULL;
	if (length >= size)
		for (length = size - 1; length > 0 && ((unsigned char) text[length] & 0xC0) == 0x80; length--)
			;
	memcpy(room, text, length);
	room[length] = '\0';
	return room;
}

static const char *
keep_title(VsmLog *log)
{
	size_t		length;
	const char *title = vsm_rows_field(&log->rows, log->r->title, &length);

	if (title == NULL)
		return NULL;
	if (length >= log->title_room)
	{
		char	   *room = realloc(log->title, 2 * length + 256);

		if (room == NULL)
			return NULL;
		log->title = room;
		log->title_room = 2 * length + 256;
	}
	return keep(title, length, log->title, log->title_room);
}
