/*
 * session.c
 *		What the gateway must know of the session that a connection has opened.
 *
 * A pooler such as PgBouncer in transaction mode gives each transaction any session of the server, which other clients use
 * as well.  It tells its clients a process id that is not the session's; that is how the gateway recognises it.  Behind a
 * pooler the gateway leaves nothing in the session, and takes nothing from it: each transaction sets what it needs until its
 * end.  A session of its own keeps its settings.
 */
#include "connection.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "text.h"

/* What other clients may have set and would change an answer, a right or a promise; to the values that RESET gives. */
#define SHARED_SETTINGS \
	"'default_tablespace', 'extra_float_digits', 'idle_in_transaction_session_timeout', 'lock_timeout', 'row_security'," \
	" 'search_path', 'session_replication_role', 'synchronous_commit', 'temp_tablespaces', 'timezone_abbreviations', 'transaction_timeout'," \
	" 'transform_null_equals', 'vsm.actor', 'vsm.recording', 'vsm.wip_limit_action'"

static bool yes(const PGresult *result, int column);

/*
 * Asks the catalogs for the right to vsm._prepare(): a regprocedure fails without the USAGE privilege on its schema.
 *
 * vsm_api.prepare() would also list the streams, and so wait for whoever locks the ledger, on every connection.
 */
bool
vsm_session_ask(PGconn *pg)
{
	return PQsendQuery(pg, "SELECT EXISTS (SELECT FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace"
						   " WHERE n.nspname = 'vsm' AND p.proname = '_prepare' AND p.pronargs = 0"
						   " AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE')),"
						   " pg_catalog.pg_backend_pid(),"
						   " " SERVER_WRITABLE_SQL ","
						   " (SELECT pg_catalog.jsonb_object_agg(s.name, s.reset_val) FROM pg_catalog.pg_settings AS s"
						   " WHERE (s.context = 'user' OR pg_catalog.current_setting('is_superuser') = 'on') AND s.reset_val IS NOT NULL AND s.name IN (" SHARED_SETTINGS "))"
						   " || '{\"TimeZone\": \"UTC\", \"DateStyle\": \"ISO\", \"IntervalStyle\": \"postgres\"}'");
}

/* The session has answered: plan the next steps of opening the connection. */
void
vsm_session_known(Connection *connection, const PGresult *result)
{
	static bool told = false;

	if (PQntuples(result) != 1)
		return;
	connection->pooled = strtol(PQgetvalue(result, 0, 1), NULL, 10) != PQbackendPID(connection->pg);
	connection->writable = yes(result, 2);
	free(connection->settings);
	connection->settings = vsm_copy(PQgetvalue(result, 0, 3));
	if (connection->pooled && !told)
	{
		vsm_log(LOG_LEVEL_INFO, "database_pooler",
				"\"detail\":\"A connection pooler is in between. Each transaction sets what it needs until its end.\"");
		told = true;
	}
	if (!connection->pooled)
		connection->steps[connection->n_steps++] = STEP_STYLES;
	/* Without the privilege for it, since the server would log an error, STEP_DEFAULTS is left out. */
	if (yes(result, 0))
		connection->steps[connection->n_steps++] = STEP_DEFAULTS;
}

static bool
yes(const PGresult *result, int column)
{
	return strcmp(PQgetvalue(result, 0, column), "t") == 0;
}
