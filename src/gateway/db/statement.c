/*
 * statement.c
 *		The statements that the gateway runs, most of them prepared by name.
 *
 * Behind a pooler, a session of the server may have a statement that another gateway has prepared, perhaps of another version.
 * So the name of a statement is made from its text: the same name is the same statement.
 *
 * All are created before the first connection is opened, and live as long as the program.
 */
#include "statement.h"

#include <inttypes.h>
#include <stdio.h>

#include "text.h"

static int	n_statements = 0;

static uint64_t hash(const char *text);

/* Takes ownership of sql. */
const Statement *
vsm_statement_new(char *sql, int n_params)
{
	Statement  *statement = vsm_alloc(sizeof *statement);

	statement->id = n_statements++;
	snprintf(statement->name, sizeof statement->name, "vsm_%016" PRIx64, hash(sql));
	statement->sql = sql;
	statement->n_params = n_params;
	return statement;
}

int
vsm_statement_count(void)
{
	return n_statements;
}

/*
 * vsm_statement_settings
 *		Sets statement_timeout ($1), role ($2), token claims ($3) and actor ($4) until the end of the transaction.
 *
 * Behind a pooler the session belongs to others, too: whatever they have set must not reach this transaction.  Without a role,
 * the role is that of the connection again; $5 is a JSON object of the other settings, see STEP_SESSION.
 */
const Statement *
vsm_statement_settings(bool pooled)
{
	static const Statement *own = NULL;
	static const Statement *shared = NULL;

	if (own == NULL)
	{
		own = vsm_statement_new(vsm_copy("SELECT set_config('statement_timeout', $1, true), set_config('role', $2, true),"
										 " set_config('request.jwt.claims', $3, true), set_config('vsm.actor', coalesce($4, ''), true)"),
								4);
		shared = vsm_statement_new(vsm_copy("SELECT pg_catalog.set_config('statement_timeout', $1, true),"
											" pg_catalog.set_config('role', coalesce($2, 'none'), true),"
											" CASE WHEN $3::pg_catalog.text IS NOT NULL OR pg_catalog.current_setting('request.jwt.claims', true) <> ''"
											" THEN pg_catalog.set_config('request.jwt.claims', coalesce($3, ''), true) END,"
											" (SELECT pg_catalog.count(pg_catalog.set_config(s.key, s.value, true))"
											" FROM pg_catalog.json_each_text($5::pg_catalog.json) AS s),"
											" pg_catalog.set_config('vsm.actor', coalesce($4, ''), true)"),
								   5);
	}
	return pooled ? shared : own;
}

/* FNV-1a.  Statements of one name have one text, whichever gateway of whichever version has prepared them. */
static uint64_t
hash(const char *text)
{
	uint64_t	value = 14695981039346656037U;

	for (; *text != '\0'; text++)
		value = (value ^ (unsigned char) *text) * 1099511628211U;
	return value;
}
