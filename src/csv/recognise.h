/*
 * recognise.h
 *		What a file of delimited text is, and its events.
 *
 * A file is read three times or more, so the caller keeps it: in memory, or as a
 * file.  All reading is by a VsmSource.
 *
 *	vsm_recognise()		reads the file and answers a VsmRecognition: a proposal that a person can see and change, a question,
 *						or a refusal.
 *	vsm_log_open()		reads the file once more, by a proposal; vsm_log_next() gives one event, or one row that is refused.
 *
 * A changed proposal goes back as VsmRecogniseOptions of another vsm_recognise(), whose answer is the proposal to read by.
 * What the options say is never guessed, and what contradicts the file is a refusal.
 *
 * Plain C: it knows no PostgreSQL and no HTTP.  Memory is malloc()'s; it does not grow with the file but for the names of
 * stages and types (up to VSM_MAX_STAGES and VSM_MAX_TYPES).  No global state: threads may recognise at once, and read
 * events by one recognition, each from a source of its own.
 */
#ifndef VSM_CSV_RECOGNISE_H
#define VSM_CSV_RECOGNISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VSM_MAX_STAGES 200
#define VSM_MAX_TYPES 200
#define VSM_SHOWN_REFUSALS 20
#define VSM_MOST_FLOW_POINTS 200

/* ---- The file ---- */

typedef struct VsmSource
{
	/* Up to size bytes from where the last read ended; 0 at the end; -1: it cannot be read, or the caller wants to stop.  It returns:
	 * an error that jumps past the reader would lose its memory. */
	long (*read)(void *state, char *buffer, size_t size);
	/* The next read is from the beginning; false: it cannot be. */
	bool (*rewind)(void *state);
	void	   *state;
} VsmSource;

/* A source of bytes in memory, which must stay as long as it is used. */
typedef struct VsmMemory
{
	const char *bytes;
	size_t		length;
	size_t		place;			/* starts as 0 */
} VsmMemory;

extern VsmSource vsm_memory_source(VsmMemory *memory);

/* ---- What the caller says; everything may be absent: NULL, 0 or VSM_..._ANY ---- */

typedef enum VsmForm
{
	VSM_FORM_ANY,
	VSM_LONG,					/* a line for each move */
	VSM_WIDE					/* a line for each item, a column of dates for each stage */
} VsmForm;

typedef enum VsmDateOrder
{
	VSM_DATES_ANY,				/* as option: by the file's proof.  In a proposal: no date of the file has an order to know */
	VSM_DMY,
	VSM_MDY,
	VSM_YMD
} VsmDateOrder;

typedef enum VsmDirection
{
	VSM_DIRECTION_ANY,			/* as option: by the file's proof.  In a proposal: nothing depends on it */
	VSM_OLDEST_FIRST,
	VSM_NEWEST_FIRST,
	VSM_BY_SEQUENCE				/* only in a proposal: a column numbers the moves of an item */
} VsmDirection;

typedef enum VsmCategory
{
	VSM_CATEGORY_ANY,
	VSM_WAIT,
	VSM_ACTIVE,
	VSM_DONE,
	VSM_DISCARDED
} VsmCategory;

/* The file's spelling, in any case, and the stage that it means; an empty stage: rows with this name are no moves. */
typedef struct VsmAlias
{
	const char *name;
	const char *stage;
} VsmAlias;

typedef struct VsmGivenStage
{
	const char *name;			/* in any case */
	VsmCategory category;		/* VSM_CATEGORY_ANY: as recognised */
} VsmGivenStage;

typedef struct VsmRecogniseOptions
{
	/*
	 * Names of columns as VsmRecognition shows them; in any case, blanks around them.  stage or time force the long form.
	 */
	const char *item;
	const char *stage;
	const char *time;
	const char *type;
	const char *title;
	VsmForm		form;
	VsmDateOrder dates;
	VsmDirection direction;		/* not VSM_BY_SEQUENCE */
	const char *time_zone;		/* of times without an offset; NULL: UTC.  Only shown and given to vsm_zone_resolver */
	const VsmAlias *aliases;
	int			n_aliases;
	const VsmGivenStage *stages;	/* the whole order.  Long form: stages of the file that are missing are a refusal; wide: such
									 * columns are not used.  Stages that the file does not have must have a category */
	int			n_stages;
	const VsmGivenStage *defined;	/* what the stream has defined: names, as they are there, and their categories */
	int			n_defined;
} VsmRecogniseOptions;

/* DMY, MDY or YMD; oldest_first or newest_first; wait, active ...; long or wide: in any case.  False: no such word. */
extern bool vsm_date_order_named(const char *word, VsmDateOrder *order);
extern bool vsm_direction_named(const char *word, VsmDirection *direction);
extern bool vsm_category_named(const char *word, VsmCategory *category);
extern bool vsm_form_named(const char *word, VsmForm *form);

/* ---- The answer ---- */

typedef enum VsmOutcome
{
	VSM_PROPOSAL,
	VSM_QUESTION,				/* code, message, detail, option, hint */
	VSM_REFUSAL,				/* code, message, detail, hint */
	VSM_NO_MEMORY,
	VSM_UNREADABLE				/* the source failed: read returned -1, or rewind false */
} VsmOutcome;

typedef struct VsmStage
{
	char	   *name;			/* the spelling that is most frequent, without blanks around it; or what an alias says */
	VsmCategory category;
	bool		guessed;		/* the category is by where the stage stands, not by its name */
	bool		defined;		/* the category is that of the stream's stage */
	int			column;			/* wide form: index into columns; else -1 */
	long		moves;			/* entries into it */
	long		remain;			/* items whose last move is into it (of those looked at: see sampled) */
	char	  **spellings;		/* as in the file, other than the name */
	int			n_spellings;
} VsmStage;

typedef struct VsmType
{
	char	   *name;			/* first spelling */
	long		rows;
} VsmType;

typedef struct VsmRefusedRow
{
	long		line;
	char	   *reason;			/* a clause without a full stop */
	char	   *value;			/* what is wrong, shortened; or NULL */
} VsmRefusedRow;

/* Items that had reached each stage or a later one, at since, since + days, ...; of a discarded stage: that were discarded there first. */
typedef struct VsmFlow
{
	int64_t		since;			/* midnight before the first event, microseconds since 1970; of local times as if of UTC */
	int			days;
	int			n_points;		/* 0: there is none */
	long	   *items;			/* n_points rows of n_stages */
} VsmFlow;

typedef struct VsmRecognition
{
	VsmOutcome	outcome;

	/* Of a question or a refusal; all static or owned by the recognition.  Words are those of no door: options are named as in the struct */
	const char *code;			/* for programs: ambiguous_dates, mixed_dates, two_stage_columns, no_dates ... */
	const char *message;		/* lower case, no full stop */
	const char *detail;			/* a sentence, or NULL */
	const char *option;			/* that decides a question: dates, item, stage, time, direction; NULL: none */
	const char *hint;			/* a sentence, or NULL */

	/* As far as it was understood, also of a question or a refusal */
	const char *encoding;		/* UTF-8, UTF-16LE, UTF-16BE, windows-1252 */
	char		delimiter;
	long		header_line;	/* from 1; 0: no header was found */
	char	  **columns;		/* each name once: the second Status is "Status 2" */
	int			n_columns;
	VsmForm		form;
	int			item;			/* index into columns; -1: none */
	int			stage;			/* long form */
	int			time;			/* long form */
	int			clock;			/* a column of times of day beside a time column of dates; -1: none */
	int			type;
	int			title;
	int			field;			/* a changelog's column of what was changed: only rows of the status are moves; -1: none */
	int			from;			/* the stage that the move leaves; -1: none */
	int			created;		/* with from: when the item was created, in the stage its first move leaves; -1: none */
	int			sequence;		/* numbers an item's moves; -1: none */
	VsmDateOrder dates;
	bool		has_local_times;	/* some times have no offset: they are of time_zone */
	char	   *time_zone;
	VsmDirection direction;

	VsmStage   *stages;			/* in order */
	int			n_stages;
	VsmType    *types;			/* most frequent first */
	int			n_types;

	long		rows;			/* below the header, without blank lines */
	long		items;
	bool		sampled;		/* the file is so long that items and remain are computed from some of its items */
	long		moves;			/* events that pass 2 gives, with those that repeat a stage */
	long		passed_over;	/* rows that are no moves, such as those of a changelog's other fields */
	long		n_refused;
	VsmRefusedRow refused[VSM_SHOWN_REFUSALS];
	int64_t		first;			/* microseconds since 1970, of the first and last event; local times as if of UTC */
	int64_t		last;
	VsmFlow		flow;

	char	  **notices;		/* sentences: what was decided that a person may want to know */
	int			n_notices;

	struct VsmPrivate *private;
} VsmRecognition;

/* Never NULL but for want of memory.  options: NULL for none. */
extern VsmRecognition *vsm_recognise(const VsmSource *source, const VsmRecogniseOptions *options);
extern void vsm_recognition_free(VsmRecognition *recognition);

/*
 * The recognition as a JSON object, in pieces.  write returns false to stop; false is then the result.
 *
 *	{"outcome": "proposal", "form": "long", "encoding": ..., "delimiter": ",", "header_line": 1, "columns": [...],
 *	 "item": "id", "stage": ..., "time": ..., "type": ..., "title": ..., "dates": "DMY", "direction": "newest_first",
 *	 "time_zone": "UTC", "stages": [{"name", "category", "moves", "remain", "guessed", "spellings", "column"}],
 *	 "types": [{"name", "rows"}], "rows", "items", "sampled", "moves", "passed_over", "first", "last",
 *	 "flow": {"since", "days", "points": [[items of each stage], ...]}, "refused_count", "refused": [{"line", "reason", "value"}],
 *	 "notices": [...]}
 *
 * A question or refusal has code, message, detail, option and hint as well, and no stages or types.  Times are ISO 8601,
 * with Z unless the file's times are local ones.
 */
typedef bool (*VsmWrite)(void *state, const char *text, size_t length);

extern bool vsm_recognition_json(const VsmRecognition *recognition, VsmWrite write, void *state);

/* ---- Pass 2: the events ---- */

/*
 * The instant of a local time (microseconds since 1970, as if of UTC) in the zone, which is time_zone of the options or a
 * name that stands beside the time in the file.  False: there is no such zone or time.
 */
typedef bool (*VsmZoneResolver)(void *state, const char *zone, int64_t local, int64_t *instant);

#define VSM_TIME_TEXT 128

typedef struct VsmLogEvent
{
	long		line;
	const char *refused;		/* NULL: an event.  Otherwise the reason; the texts below are as in the file, or NULL */
	const char *item;			/* texts stay until the next call */
	const char *stage;			/* the stage's name, not the file's spelling */
	int64_t		at;				/* microseconds since 1970; of local: as if of UTC */
	bool		local;			/* without an offset, and no resolver was given */
	char		at_text[VSM_TIME_TEXT];	/* ISO 8601, with Z, or the zone that the file names, or local; for COPY with any DateStyle */
	int64_t		order;			/* among events of one item at one time: the smaller was first */
	const char *type;			/* NULL: none */
	const char *title;
} VsmLogEvent;

typedef struct VsmLog VsmLog;

typedef enum VsmLogResult
{
	VSM_LOG_EVENT,				/* event, or a row that is refused */
	VSM_LOG_END,
	VSM_LOG_ERROR				/* the source failed, or memory */
} VsmLogResult;

/* The source and the recognition, a proposal, must stay.  resolver: NULL for none; without it zones are left to who reads at_text. */
extern VsmLog *vsm_log_open(const VsmSource *source, const VsmRecognition *recognition,
							VsmZoneResolver resolver, void *state);
extern VsmLogResult vsm_log_next(VsmLog *log, VsmLogEvent *event);
extern void vsm_log_close(VsmLog *log);

#endif
