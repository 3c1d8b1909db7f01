/*
 * statement.h
 *		The statements that the gateway runs, most of them prepared by name.
 */
#ifndef VSM_GATEWAY_STATEMENT_H
#define VSM_GATEWAY_STATEMENT_H

#include <stdbool.h>

#define MAX_PARAMS 16

/* Does the server take writes, whatever another client of a pooler has set? */
#define SERVER_WRITABLE_SQL \
	"NOT pg_catalog.pg_is_in_recovery() AND (SELECT s.reset_val = 'off' FROM pg_catalog.pg_settings AS s" \
	" WHERE s.name = 'default_transaction_read_only')"

/* id is its index in Connection.prepared. */
typedef struct Statement
{
	int			id;
	char		name[24];		/* from a hash of sql */
	char	   *sql;
	int			n_params;
} Statement;

extern const Statement *vsm_statement_new(char *sql, int n_params);
extern int	vsm_statement_count(void);
extern const Statement *vsm_statement_settings(bool pooled);

#endif
