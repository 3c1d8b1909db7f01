/*
 * hints.c
 *		Hints of the database in the words of HTTP.
 *
 * The database writes its hints for users of SQL.  A client of the gateway can call no function and
 * run no statement, so the table below has the requests that do the same.  This is the only place
 * where that is decided: a hint that speaks SQL and is not in the table is left out.  What is an argument there and a
 * parameter of the query here may stand in any hint.
 */
#include "hints.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define TELL_ADMINISTRATOR "Tell the administrator of the database; the log of the service has the details."

typedef struct Hint
{
	const char *begins;			/* with which the database's hint begins */
	const char *http;
} Hint;

/* clang-format would spread the table over more lines. */
/* clang-format off */

static const Hint hints[] = {
	/* work items and their moves */
	{"vsm.create_work_item() creates one", "GET /api/v1/work-items lists the work items."},
	{"vsm.work_items has the ids", "GET /api/v1/work-items lists the work items."},
	{"Look at vsm.history(", "GET the history of the work item, and move it again from where it is."},
	{"Give a later time,", "Give a later time, or POST past moves to /api/v1/import."},
	{"Use another stage, or bring this one back", "Use another stage, or bring this one back: PUT it to /api/v1/stages/{stage_id}."},
	/* streams and stages */
	{"Retire it instead: UPDATE", "Retire it instead: PUT it to /api/v1/stages/{stage_id} with \"retired\": true."},
	{"Name another commitment_stage in vsm.value_streams", "Give the stream another commitment_stage first."},
	{"Give each stage an order of its own", "Give each stage an order of its own, or PUT the stream with its stages in order."},
	{"Give a name from pg_timezone_names", "Give the name of a time zone, such as Europe/Berlin."},
	/* imports */
	{"Define them with vsm.define_stream()", "Say which stage another spelling means by aliases, add stages with POST /api/v1/stages, or import with create_stages=true or on_error=skip."},
	{"Add them to vsm.work_item_types", "Add them with POST /api/v1/types, or import with create_types=true or on_error=skip."},
	{"Correct the rows, or skip them", "Correct the rows, or skip them with on_error=skip."},
	/* access */
	{"Ask for vsm.grant_access(", "Ask for access to the stream."},
	/* what no request can mend */
	{"Restore vsm.", TELL_ADMINISTRATOR},
	{"vsm.cells_check() shows", TELL_ADMINISTRATOR},
};

/* clang-format on */

static bool speaks_sql(const char *hint);

/* The hint for a client of HTTP, which the caller must free; NULL: none. */
char *
vsm_http_hint(const char *hint)
{
	static const char argument[] = "create_stages => true";
	const char *found;
	char	   *said;

	if (hint == NULL)
		return NULL;
	for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++)
		if (strncmp(hint, hints[i].begins, strlen(hints[i].begins)) == 0)
			return vsm_copy(hints[i].http);

	found = strstr(hint, argument);
	said = found == NULL ? vsm_copy(hint) : vsm_format("%.*screate_stages=true%s", (int) (found - hint), hint, found + strlen(argument));
	if (!speaks_sql(said))
		return said;
	free(said);
	return NULL;
}

/* Does it name an object, call a function, give an argument by name, or begin a statement? */
static bool
speaks_sql(const char *hint)
{
	static const char *const signs[] = {
		"vsm.", "vsm_api.", "pg_", "=>", "::",
		"ALTER ", "CALL ", "COMMIT ", "COPY ", "CREATE ", "DELETE ", "DROP ", "GRANT ", "INSERT ", "NOTIFY ", "NULL", "RESET ",
		"REVOKE ", "SELECT ", "SET ", "TRUNCATE ", "UPDATE ", "VACUUM ", "stage_columns", "wip_rebuild"
	};

	for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
		if (strstr(hint, signs[i]) != NULL)
			return true;
	for (const char *c = strchr(hint, '('); c != NULL; c = strchr(c + 1, '('))
		if (c > hint && (isalnum((unsigned char) c[-1]) || c[-1] == '_'))
			return true;
	return false;
}
