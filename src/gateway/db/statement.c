/*
 * statement.c
 *		The statements that are prepared once in each connection.
 *
 * All are created before the first connection is opened, and live as long as the program.
 */
#include "statement.h"

#include <stdio.h>

#include "text.h"

static int	n_statements = 0;

/* Takes ownership of sql. */
const Statement *
vsm_statement_new(char *sql, int n_params)
{
	Statement  *statement = vsm_alloc(sizeof *statement);

	statement->id = n_statements++;
	snprintf(statement->name, sizeof statement->name, "vsm_%d", statement->id);
	statement->sql = sql;
	statement->n_params = n_params;
	return statement;
}

int
vsm_statement_count(void)
{
	return n_statements;
}

/* Sets statement_timeout, role, token claims and actor until the end of the transaction. */
const Statement *
vsm_statement_settings(void)
{
	static const Statement *settings = NULL;

	if (settings == NULL)
		settings = vsm_statement_new(vsm_copy("SELECT set_config('statement_timeout', $1, true), set_config('role', $2, true),"
											  " set_config('request.jwt.claims', $3, true), set_config('vsm.actor', coalesce($4, ''), true)"),
									 4);
	return settings;
}
