/*
 * failure.c
 *		What an error of the server means for the connection that got it.
 */
#include "connection.h"

#include <string.h>

/* Has the server ended the session, so that the gateway must reconnect? */
bool
vsm_error_ends_session(const PGresult *error)
{
	const char *sqlstate = error == NULL ? NULL : PQresultErrorField(error, PG_DIAG_SQLSTATE);

	if (error == NULL)
		return false;
	return sqlstate == NULL || strncmp(sqlstate, "57P", 3) == 0 || strncmp(sqlstate, "08", 2) == 0;
}

/*
 * vsm_error_of_name
 *		Has the job failed because of the name of its prepared statement?
 *
 * 42P05: there is one already; 26000: there is none; 0A000: it cannot be planned anew after a change of the function.  Only the
 * first try counts, so an error of the same code that the function itself raises is reported after the second one.
 */
bool
vsm_error_of_name(const Connection *connection)
{
	const PGresult *error = connection->error;

	return connection->job != NULL && connection->by_name && !connection->job->whole &&
		(vsm_error_is(error, "42P05") || vsm_error_is(error, "26000") || vsm_error_is(error, "0A000"));
}

bool
vsm_error_is(const PGresult *error, const char *sqlstate)
{
	const char *state = error == NULL ? NULL : PQresultErrorField(error, PG_DIAG_SQLSTATE);

	return state != NULL && strcmp(state, sqlstate) == 0;
}
