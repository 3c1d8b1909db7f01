/*
 * statement.h
 *		The statements that are prepared once in each connection.
 */
#ifndef VSM_GATEWAY_STATEMENT_H
#define VSM_GATEWAY_STATEMENT_H

#define MAX_PARAMS 12

/* id is its index in Connection.prepared. */
typedef struct Statement
{
	int			id;
	char		name[12];
	char	   *sql;
	int			n_params;
} Statement;

extern const Statement *vsm_statement_new(char *sql, int n_params);
extern int	vsm_statement_count(void);
extern const Statement *vsm_statement_settings(void);

#endif
