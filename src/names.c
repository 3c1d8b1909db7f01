/*
 * names.c
 *		Names of streams, stages and types, and external ids: their form, what they may be, and looking for them.
 *
 * Form.  A letter with an accent is one character or two, depending on the keyboard,
 * the file system or the program that a name comes from; both look the same.  Names
 * are therefore stored in Unicode's normalization form C, in which it is one, and
 * what is looked for is brought into that form first.  Other encodings than UTF-8
 * have one form only.
 *
 * What they may be.  Names stand in indexes, two of them at most: a stream's and
 * another one.  A row of a B-tree holds 2704 bytes, so the greatest pair, of 4 bytes a
 * character, must be shorter: 4 * (150 + 500) = 2600.  What a name may hold
 * is said in name_rule.c.
 *
 * Looking for them.  No name has more than MOST_SOUGHT characters, so a longer text is
 * cut before it is looked for: it is found as little as before, and the error that says
 * so repeats what a reader can take in, not a megabyte of somebody else's.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "compat.h"
#include "errors.h"
#include "name_rule.h"
#include "names.h"

#define MOST_OF_A_NAME	150		/* characters */
#define MOST_OF_AN_ID	500
#define MOST_SOUGHT		200		/* more than a name has */
#define MOST_PARTS		4		/* characters of which form C makes one */
#define ELLIPSIS		"..."

typedef struct Kind
{
	const char *name;
	const char *subject;
	int			most;			/* characters */
	bool		in_paths;		/* is it a segment of paths of the REST interface? */
	bool		required;		/* or may it be null? */
	const char *detail;			/* of an empty one */
	const char *hint;
	const char *column;
} Kind;

static const Kind kinds[] = {
	{"value stream", "the name of a value stream", MOST_OF_A_NAME, true, true, "A stream is referred to by its name.", "Give it a name.", NULL},
	{"stage", "the name of a stage", MOST_OF_A_NAME, true, true, "A stage is referred to by its name.", "Give each stage a name.", NULL},
	{"work item type", "the name of a work item type", MOST_OF_A_NAME, true, true, "A type is referred to by its name.", "Give it a name.", NULL},
	{"alias", "an alias", MOST_OF_AN_ID, false, true, "It is what the source of an import calls a stage.",
	"Give the name of a stage as the source of an import writes it.", "aliases"},
	{"external id", "the external id of a work item", MOST_OF_AN_ID, false, false, "An item without an external id has null there.",
	"Give the id that another system knows the item by, or null.", "external_id"},
	{"deployment", "the external id of a deployment", MOST_OF_AN_ID, false, false, "A deployment without an external id has null there.",
	"Give the id that another system knows the deployment by, or null.", "external_id"},
	{"incident", "the external id of an incident", MOST_OF_AN_ID, false, false, "An incident without an external id has null there.",
	"Give the id that another system knows the incident by, or null.", "external_id"},
	{"deployment of incident", "the deployment of an incident", MOST_OF_AN_ID, false, false, "An incident that no deployment is known for has null there.",
	"Give the external id of the deployment that failed, or null.", "deployment"},
};

static text *checked(text *given, const Kind *kind);
static const Kind *kind_named(const text *name);
static int	characters_of(const text *name);
pg_noreturn static void refuse_nothing(const Kind *kind, const char *fault);
pg_noreturn static void refuse_character(const Kind *kind, VsmNameFault fault, uint32 character);
static text *cut_text(text *given, int most);
static bool is_ascii_only(const text *name);

PG_FUNCTION_INFO_V1(vsm__nfc);
PG_FUNCTION_INFO_V1(vsm__sought);
PG_FUNCTION_INFO_V1(vsm__cut);
PG_FUNCTION_INFO_V1(vsm__name);
PG_FUNCTION_INFO_V1(vsm__name_fault);

/* vsm._nfc(name text) -> text */
Datum
vsm__nfc(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(vsm_nfc(PG_GETARG_TEXT_PP(0)));
}

/* vsm._sought(name text) -> text: what names are compared with */
Datum
vsm__sought(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(vsm_sought(PG_GETARG_TEXT_PP(0)));
}

/* vsm._cut(value text) -> text: for a message */
Datum
vsm__cut(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cut_text(PG_GETARG_TEXT_PP(0), MOST_SOUGHT));
}

/*
 * vsm._name(name text, kind text) -> text
 *		A new name in form C; null if it may be.
 *
 * PT422: it cannot be a name of that kind.
 */
Datum
vsm__name(PG_FUNCTION_ARGS)
{
	const Kind *kind = kind_named(PG_ARGISNULL(1) ? cstring_to_text("") : PG_GETARG_TEXT_PP(1));

	if (!PG_ARGISNULL(0))
		PG_RETURN_TEXT_P(checked(PG_GETARG_TEXT_PP(0), kind));
	if (kind->required)
		refuse_nothing(kind, "is null");
	PG_RETURN_NULL();
}

/* vsm._name_fault(name text, kind text) -> text: why vsm._name() would refuse it, with the name as the subject; null: it would not */
Datum
vsm__name_fault(PG_FUNCTION_ARGS)
{
	text	   *name = vsm_nfc(PG_GETARG_TEXT_PP(0));
	const Kind *kind = kind_named(PG_GETARG_TEXT_PP(1));
	uint32		character = 0;

	if (characters_of(name) > kind->most)
		PG_RETURN_TEXT_P(cstring_to_text(psprintf("has more than %d characters", kind->most)));
	switch (vsm_name_fault(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), GetDatabaseEncoding() == PG_UTF8, &character))
	{
		case VSM_NAME_INVISIBLE:
			PG_RETURN_TEXT_P(cstring_to_text("has no visible character"));
		case VSM_NAME_CONTROL:
			PG_RETURN_TEXT_P(cstring_to_text(psprintf("holds the control character U+%04X", character)));
		case VSM_NAME_DIRECTION:
			PG_RETURN_TEXT_P(cstring_to_text(psprintf("holds U+%04X, which changes the direction of text", character)));
		case VSM_NAME_GOOD:
			break;
	}
	if (kind->in_paths && vsm_name_is_dots(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)))
		PG_RETURN_TEXT_P(cstring_to_text("would be lost from the paths of URLs"));
	PG_RETURN_NULL();
}

/* The name in form C; the name itself if there is nothing to change. */
text *
vsm_nfc(text *name)
{
	if (GetDatabaseEncoding() != PG_UTF8 || is_ascii_only(name))
		return name;
	return DatumGetTextPP(DirectFunctionCall2(unicode_normalize_func, PointerGetDatum(name), CStringGetTextDatum("NFC")));
}

/*
 * vsm_sought
 *		What is to be compared with names: the text in form C.
 *
 * A text that is much longer than any name is not brought into form C as a whole.
 */
text *
vsm_sought(text *name)
{
	return cut_text(vsm_nfc(cut_text(name, MOST_SOUGHT * MOST_PARTS)), MOST_SOUGHT);
}

/* A text of a user's for a message: its beginning, if it is long. */
char *
vsm_cut(const char *text)
{
	return text_to_cstring(cut_text(cstring_to_text(text), MOST_SOUGHT));
}

/* The external id of a new or changed item in form C.  PT422: it cannot be one. */
text *
vsm_external_id(text *id)
{
	return checked(id, kind_named(cstring_to_text("external id")));
}

static text *
checked(text *given, const Kind *kind)
{
	text	   *name = vsm_nfc(given);
	int			characters = characters_of(name);
	uint32		character = 0;
	VsmNameFault fault;

	if (characters > kind->most)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("%s is too long", kind->subject),
				errdetail("It has %d characters.", characters),
				errhint("Give at most %d characters.", kind->most),
				kind->column ? err_generic_string(PG_DIAG_COLUMN_NAME, kind->column) : 0);
	fault = vsm_name_fault(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), GetDatabaseEncoding() == PG_UTF8, &character);
	if (fault == VSM_NAME_INVISIBLE)
		refuse_nothing(kind, characters == 0 ? "is empty" : "has no visible character");
	if (fault != VSM_NAME_GOOD)
		refuse_character(kind, fault, character);
	if (kind->in_paths && vsm_name_is_dots(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)))
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("%s cannot be \"%s\"", kind->subject, text_to_cstring(name)),
				errdetail("HTTP clients remove it from the paths of URLs."),
				errhint("Give another name, such as \"...\"."),
				kind->column ? err_generic_string(PG_DIAG_COLUMN_NAME, kind->column) : 0);
	return name;
}

static void
refuse_nothing(const Kind *kind, const char *fault)
{
	ereport(ERROR,
			errcode(VSM_UNPROCESSABLE),
			errmsg("%s %s", kind->subject, fault),
			errdetail("%s", kind->detail),
			errhint("%s", kind->hint),
			kind->column ? err_generic_string(PG_DIAG_COLUMN_NAME, kind->column) : 0);
}

static void
refuse_character(const Kind *kind, VsmNameFault fault, uint32 character)
{
	bool		control = fault == VSM_NAME_CONTROL;

	ereport(ERROR,
			errcode(VSM_UNPROCESSABLE),
			control ? errmsg("%s holds a control character", kind->subject)
					: errmsg("%s holds a character that changes the direction of text", kind->subject),
			errdetail("The character is U+%04X.", character),
			control ? errhint("Leave out line breaks, tabs and other control characters.")
					: errhint("Leave it out: it would be shown in another order than it is written."),
			kind->column ? err_generic_string(PG_DIAG_COLUMN_NAME, kind->column) : 0);
}

static const Kind *
kind_named(const text *name)
{
	StringInfoData all;

	for (int i = 0; i < (int) lengthof(kinds); i++)
		if (strlen(kinds[i].name) == VARSIZE_ANY_EXHDR(name) && memcmp(kinds[i].name, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)) == 0)
			return &kinds[i];
	initStringInfo(&all);
	for (int i = 0; i < (int) lengthof(kinds); i++)
	{
		if (i > 0)
			appendStringInfoString(&all, i + 1 < (int) lengthof(kinds) ? ", " : " or ");
		appendStringInfoString(&all, kinds[i].name);
	}
	ereport(ERROR,
			errcode(VSM_UNPROCESSABLE),
			errmsg("kind of name is not known"),
			errdetail("It is \"%s\".", vsm_cut(text_to_cstring(name))),
			errhint("Give %s.", all.data));
}

static int
characters_of(const text *name)
{
	return pg_mbstrlen_with_len(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
}

/* The text itself if it has at most that many characters. */
static text *
cut_text(text *given, int most)
{
	int			bytes = VARSIZE_ANY_EXHDR(given);
	int			kept;
	text	   *cut;

	if (bytes <= most)
		return given;
	kept = pg_mbcharcliplen(VARDATA_ANY(given), bytes, most);
	if (kept == bytes)
		return given;
	cut = palloc(VARHDRSZ + kept + strlen(ELLIPSIS));
	SET_VARSIZE(cut, VARHDRSZ + kept + strlen(ELLIPSIS));
	memcpy(VARDATA(cut), VARDATA_ANY(given), kept);
	memcpy(VARDATA(cut) + kept, ELLIPSIS, strlen(ELLIPSIS));
	return cut;
}

static bool
is_ascii_only(const text *name)
{
	const char *bytes = VARDATA_ANY(name);

	for (Size i = 0; i < VARSIZE_ANY_EXHDR(name); i++)
		if (IS_HIGHBIT_SET(bytes[i]))
			return false;
	return true;
}
