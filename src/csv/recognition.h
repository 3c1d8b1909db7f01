/*
 * recognition.h
 *		What the parts of the recognition share.
 */
#ifndef VSM_CSV_RECOGNITION_H
#define VSM_CSV_RECOGNITION_H

#include "csv/arena.h"
#include "csv/columns.h"
#include "csv/dates.h"
#include "csv/fold.h"
#include "csv/recognise.h"
#include "csv/rows.h"

/* A spelling of the file, folded, and what it means. */
typedef struct Spelling
{
	char	   *text;			/* as in the file, without blanks around it */
	char	   *key;
	uint64_t	hash;			/* of text */
	long		count;
	int			name;			/* index of the names that are the same when folded */
	struct Spelling *next;		/* another of the same name */
} Spelling;

/* Names with their spellings, in the order of their appearance. */
typedef struct Names
{
	Spelling   *spellings;
	int			n_spellings;
	int			room;
	int			n_names;
	int		   *slots;			/* hash table of indexes into spellings, plus one */
	int			n_slots;
	int			most;			/* names; more are not taken */
	bool		full;
} Names;

/* A row whose place among the moves of its item at the same time is not that of the file. */
typedef struct TieOrder
{
	long		line;
	int64_t		order;
} TieOrder;

struct VsmPrivate
{
	Arena		arena;
	RowFormat	format;
	RowReader  *reading;		/* open, to be closed should memory fail; else NULL */
	char	  **headers;		/* as in the file */
	DateUnit   *units;			/* of each column: which plain numbers are times of it */
	int		   *stage_of;		/* wide form: index into stages for each column; -1: no stage */
	Names		stage_names;	/* long form: spellings; name is an index into stages once they are in order */
	int		   *stage_index;	/* from a name of stage_names to stages; -1: no move */
	Names		from_names;		/* of the stages that moves leave */
	int		   *from_stage;		/* from a name of from_names to the stage that moves into it have; -1: none */
	VsmCategory *category;		/* of each stage that moves have, by its name */
	char		field_value[40];	/* the field whose rows are moves, folded; empty: all rows */
	int		   *rank;			/* of each stage, among the moves */
	VsmDateOrder order;			/* of dates that are open */
	int64_t		sign;			/* 1: of two rows at one time the first was first; -1: the last */
	bool		ties_by_stage;	/* wide form: the stage's place decides */
	TieOrder   *ties;			/* sorted by line */
	size_t		n_ties;
	long	   *births;			/* lines of items' first moves that tell when the item was created; sorted */
	size_t		n_births;
	long		n_unsaid;		/* remarks that the last notice stands for */
};

/* What the file's cells say of a column. */
typedef struct Profile
{
	long		filled;
	long		placeholders;
	long		dates;			/* as texts */
	long		numbers;		/* of any unit, among units */
	long		units[N_DATE_UNITS];
	long		numeric;		/* any number */
	long		clocks;
	long		timed;			/* dates with a time of day */
	long		open;			/* dates whose order is open */
	long		fits[VSM_YMD + 1];	/* of these, how many each order fits */
	long		only[VSM_YMD + 1];	/* of these, how many fit no other */
	long		dotted;
	long		short_years;
	int			least[3];		/* parts of dates with short years */
	int			greatest[3];
	long		local;			/* without an offset */
	uint64_t	contents;		/* hash of all cells */
	long		varying;		/* items in whose rows it has several values */
	char	   *example;		/* of an open date, or else the first value */
	bool		is_field;		/* by its name */
	long		status_rows;	/* of a field: that are of a status */
	char		status_key[40];
} Profile;

typedef struct Profiles
{
	Profile    *column;
	long		rows;			/* without a fault */
	long		faults;			/* rows with a fault; the first one and its line */
	const char *fault;
	long		fault_line;
	long		items;			/* of the sample */
	long		repeated;		/* of these, with several rows */
	long		item_rows;		/* rows of these */
	const char *error;			/* what is wrong with the file, at error_line */
	long		error_line;
} Profiles;

extern bool vsm_profile(const VsmSource *source, VsmRecognition *r, Profiles *profiles);
extern bool vsm_choose_item(VsmRecognition *r, const VsmSource *source, const VsmRecogniseOptions *options, Profiles *profiles);
extern bool vsm_changes(const Profiles *profiles, int column);
extern bool vsm_is_date_column(const Profile *profile, bool by_name);
extern DateUnit vsm_unit_of(const Profile *profile);

extern int	vsm_name_of(Arena *arena, Names *names, const char *text, size_t length);
extern bool vsm_same_name(const char *a, size_t a_length, const char *b, size_t b_length);
extern int	vsm_spelling_of(const Names *names, const char *text, size_t length);

/* One row, read by a proposal. */
typedef struct RowEvent
{
	const char *item;
	size_t		item_length;
	const char *stage_text;		/* long form: as in the file */
	size_t		stage_length;
	int			stage;			/* wide form: index into stages */
	const char *time_text;
	size_t		time_length;
	int64_t		at;
	bool		has_offset;
	char		zone[DATE_ZONE_SIZE];
	const char *refused;
} RowEvent;

typedef enum RowKind
{
	ROW_EVENTS,
	ROW_NO_MOVE,
	ROW_REFUSED
} RowKind;

/* Starts with column = 0 for each row. */
typedef struct RowCursor
{
	int			column;			/* wide form: the next one */
	int			events;			/* that the row gave */
} RowCursor;

extern RowKind vsm_row_begin(const VsmRecognition *r, const RowReader *rows, RowEvent *event);
extern bool vsm_row_event(const VsmRecognition *r, const RowReader *rows, RowCursor *cursor, RowEvent *event);

extern bool vsm_row_birth(const VsmRecognition *r, const RowReader *rows, RowEvent *event);
extern int64_t vsm_row_sequence(const VsmRecognition *r, const RowReader *rows);

extern bool vsm_given_column(VsmRecognition *r, const char *name, int *column);
extern const char *vsm_list_columns(VsmRecognition *r);
extern bool vsm_decide(VsmRecognition *r, const VsmRecogniseOptions *options, const Profiles *profiles);
extern int	vsm_wide_stages(VsmRecognition *r, const VsmRecogniseOptions *options, int *columns, int n);
extern const char *vsm_alias_of(const VsmRecogniseOptions *options, const char *name, bool *found);
extern bool vsm_read_moves(const VsmSource *source, VsmRecognition *r, const VsmRecogniseOptions *options);
extern VsmCategory vsm_category_of(const char *name, bool *certain);
extern bool vsm_category_may_return(const char *name);
extern bool vsm_category_is_approval(const char *name);
extern bool vsm_category_is_surely_done(const char *name);

extern void vsm_remark(VsmRecognition *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
extern bool vsm_refuse(VsmRecognition *r, const char *code, const char *message, const char *detail, const char *hint);
extern bool vsm_ask(VsmRecognition *r, const char *code, const char *option, const char *message, const char *detail, const char *hint);
extern void vsm_refuse_row(VsmRecognition *r, long line, const char *reason, const char *value, size_t length);

#endif
