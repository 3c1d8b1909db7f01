/*
 * row.c
 *		What one row says, by a proposal.
 *
 * The recognition and the reading of events ask the same questions here, so that
 * both count the same rows.
 */
#include <string.h>

#include "csv/recognition.h"

static bool read_when(const VsmRecognition *r, const RowReader *rows, int column, int clock, RowEvent *event);
static bool is_move(const VsmRecognition *r, const RowReader *rows);

/* Whether the row has events; a row that is refused has none, and event->refused says why. */
RowKind
vsm_row_begin(const VsmRecognition *r, const RowReader *rows, RowEvent *event)
{
	int			dates = 0;

	memset(event, 0, sizeof *event);
	event->stage = -1;
	event->item = vsm_rows_field(rows, r->item, &event->item_length);
	event->refused = rows->fault;
	if (event->refused == NULL && r->form == VSM_LONG)
	{
		event->stage_text = vsm_rows_field(rows, r->stage, &event->stage_length);
		event->time_text = vsm_rows_field(rows, r->time, &event->time_length);
		if (!is_move(r, rows))
			return ROW_NO_MOVE;
		if (event->item == NULL)
			event->refused = "there is no item";
		else if (event->stage_text == NULL)
			event->refused = "there is no stage";
		else
			(void) read_when(r, rows, r->time, r->clock, event);
	}
	else if (event->refused == NULL && event->item == NULL)
		event->refused = "there is no item";
	else if (event->refused == NULL)
	{
		for (int i = 0; i < r->n_columns && event->refused == NULL; i++)
			if (r->private->stage_of[i] >= 0)
			{
				event->time_text = vsm_rows_field(rows, i, &event->time_length);
				if (event->time_text == NULL || vsm_is_placeholder(event->time_text, event->time_length))
					continue;
				dates++;
				(void) read_when(r, rows, i, -1, event);
			}
		if (event->refused == NULL && dates == 0)
			event->refused = "no stage has a date";
	}
	return event->refused == NULL ? ROW_EVENTS : ROW_REFUSED;
}

/* The row's next event; false: there are no more. */
bool
vsm_row_event(const VsmRecognition *r, const RowReader *rows, RowCursor *cursor, RowEvent *event)
{
	if (r->form == VSM_LONG)
		return cursor->events++ == 0;
	for (; cursor->column < r->n_columns; cursor->column++)
	{
		int			column = cursor->column;

		if (r->private->stage_of[column] < 0)
			continue;
		event->time_text = vsm_rows_field(rows, column, &event->time_length);
		if (event->time_text == NULL || vsm_is_placeholder(event->time_text, event->time_length) ||
			!read_when(r, rows, column, -1, event))
			continue;
		event->stage = r->private->stage_of[column];
		cursor->column++;
		cursor->events++;
		return true;
	}
	return false;
}

/* When the item was created, beside its first move; false: nobody says. */
bool
vsm_row_birth(const VsmRecognition *r, const RowReader *rows, RowEvent *event)
{
	RowEvent	birth = *event;

	if (r->created < 0 || r->from < 0)
		return false;
	birth.stage_text = vsm_rows_field(rows, r->from, &birth.stage_length);
	birth.time_text = vsm_rows_field(rows, r->created, &birth.time_length);
	if (birth.stage_text == NULL || vsm_is_placeholder(birth.stage_text, birth.stage_length) || birth.time_text == NULL ||
		vsm_is_placeholder(birth.time_text, birth.time_length) || !read_when(r, rows, r->created, -1, &birth) ||
		birth.at >= event->at || birth.has_offset != event->has_offset)
		return false;
	*event = birth;
	return true;
}

/* The number of a move among those of its item; 0: none. */
int64_t
vsm_row_sequence(const VsmRecognition *r, const RowReader *rows)
{
	size_t		length;
	const char *text = vsm_rows_field(rows, r->sequence, &length);
	int64_t		number = 0;

	for (size_t i = 0; text != NULL && i < length && i < 18 && text[i] >= '0' && text[i] <= '9'; i++)
		number = number * 10 + (text[i] - '0');
	return number;
}

static bool
read_when(const VsmRecognition *r, const RowReader *rows, int column, int clock, RowEvent *event)
{
	DateReading reading;
	char		joined[128];
	const char *text = event->time_text;
	size_t		length = event->time_length;
	size_t		of_clock = 0;
	const char *time = clock >= 0 ? vsm_rows_field(rows, clock, &of_clock) : NULL;

	event->at = 0;
	if (text == NULL || vsm_is_placeholder(text, length))
		event->refused = "there is no time";
	if (event->refused != NULL)
		return false;
	if (time != NULL && vsm_is_clock(time, of_clock) && length + of_clock + 2 <= sizeof joined)
	{
		memcpy(joined, text, length);
		joined[length] = ' ';
		memcpy(joined + length + 1, time, of_clock);
		joined[length + 1 + of_clock] = '\0';
		text = joined;
		length += of_clock + 1;
	}
	if (!vsm_date_read(text, length, &reading) ||
		(reading.unit != UNIT_NONE && reading.unit != UNIT_YYYYMMDD && reading.unit != r->private->units[column]))
		event->refused = "the time cannot be read";
	else if (!vsm_date_instant(&reading, r->private->order, &event->at))
		event->refused = "the time is no date in the order of the file";
	event->has_offset = reading.has_offset;
	memcpy(event->zone, reading.zone, sizeof event->zone);
	return event->refused == NULL;
}

/* Of a changelog of all fields, only the changes of the status are; of a timeline, only what has a stage. */
static bool
is_move(const VsmRecognition *r, const RowReader *rows)
{
	size_t		length;

	if (r->private->field_value[0] != '\0')
	{
		const char *text = vsm_rows_field(rows, r->field, &length);
		char		key[40];

		if (text == NULL || length >= sizeof key)
			return false;
		vsm_fold(text, length, FOLD_LETTERS, key, sizeof key);
		if (strcmp(key, r->private->field_value) != 0)
			return false;
	}
	return r->from < 0 || vsm_rows_field(rows, r->stage, &length) != NULL;
}
