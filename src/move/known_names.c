/*
 * known_names.c
 *		Names of streams, stages and types, for the hint of an error about one that does not exist.
 *
 * Each function returns a clause such as "The streams are a, b, c", with as many
 * names as a hint can hold.  Who may see a stream is for the caller to say
 * (roles/stream_access.c).
 */
#include "known_names.h"

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

#include "stage_cache.h"

#define MOST_NAMES	20

static bool is_among(const char *name, const List *names);
static char *clause(const char *kind, const List *names);

char *
vsm_known_streams(bool (*sees)(const char *stream))
{
	const VsmDefinitions *defs = vsm_all_definitions();
	List	   *all = NIL;
	List	   *seen = NIL;
	ListCell   *cell;

	/* a copy, as sees() may read the definitions anew */
	for (int i = 0; i < defs->nstages; i++)
		if (i == 0 || strcmp(defs->stages[i].stream, defs->stages[i - 1].stream) != 0)
			all = lappend(all, pstrdup(defs->stages[i].stream));
	foreach(cell, all)
		if (sees(lfirst(cell)))
			seen = lappend(seen, lfirst(cell));
	return clause("stream", seen);
}

/* Those that are in use. */
char *
vsm_known_stages(const char *stream)
{
	const VsmDefinitions *defs = vsm_all_definitions();
	List	   *names = NIL;

	for (int i = 0; i < defs->nstages; i++)
		if (strcmp(defs->stages[i].stream, stream) == 0 && !defs->stages[i].retired)
			names = lappend(names, pstrdup(defs->stages[i].name));
	return clause("stage", names);
}

/* Those that are in use, of the streams that are seen; a name that several streams have once. */
char *
vsm_known_stages_of(bool (*sees)(const char *stream))
{
	const VsmDefinitions *defs = vsm_all_definitions();
	List	   *streams = NIL;
	List	   *all = NIL;
	List	   *names = NIL;
	ListCell   *stream;
	ListCell   *cell;

	/* a copy, as sees() may read the definitions anew */
	for (int i = 0; i < defs->nstages; i++)
		if (!defs->stages[i].retired)
		{
			streams = lappend(streams, pstrdup(defs->stages[i].stream));
			all = lappend(all, pstrdup(defs->stages[i].name));
		}
	forboth(stream, streams, cell, all)
		if (!is_among(lfirst(cell), names) && sees(lfirst(stream)))
			names = lappend(names, lfirst(cell));
	return clause("stage", names);
}

static bool
is_among(const char *name, const List *names)
{
	ListCell   *cell;

	foreach(cell, names)
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	return false;
}

char *
vsm_known_types(void)
{
	const VsmDefinitions *defs = vsm_all_definitions();
	List	   *names = NIL;

	for (int i = 0; i < defs->ntypes; i++)
		names = lappend(names, pstrdup(defs->types[i]));
	return clause("type", names);
}

static char *
clause(const char *kind, const List *names)
{
	StringInfoData text;
	int			n = list_length(names);

	initStringInfo(&text);
	if (n == 0)
		appendStringInfo(&text, "There is no %s yet", kind);
	else
		appendStringInfo(&text, n == 1 ? "The only %s is " : "The %ss are ", kind);
	for (int i = 0; i < Min(n, MOST_NAMES); i++)
		appendStringInfo(&text, "%s%s", i == 0 ? "" : ", ", (char *) list_nth(names, i));
	if (n > MOST_NAMES)
		appendStringInfo(&text, " and %d more", n - MOST_NAMES);
	return text.data;
}
