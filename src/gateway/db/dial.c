/*
 * dial.c
 *		How every connection to the database is begun.
 */
#include "dial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "options.h"
#include "text.h"

#define ELSEWHERE_PAUSE_US 1000000

static int	host_count(void);
static void quiet(void *unused, const PGresult *result);

/*
 * vsm_dial
 *		Begin to connect; PQconnectPoll() goes on.
 *
 * name: the application_name, unless DATABASE_URL has another.  tcp_user_timeout limits the wait
 * for a host that does not answer, so that the next of several hosts is tried in time.  It also
 * detects a server that has vanished.
 */
PGconn *
vsm_dial(const char *name)
{
	char		timeout[16];
	const char *const keywords[] = {"tcp_user_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count",
									"dbname", "fallback_application_name", "client_encoding", NULL};
	const char *const values[] = {timeout, "30", "10", "3", vsm_options.conninfo, name, "UTF8", NULL};
	PGconn	   *pg;

	snprintf(timeout, sizeof timeout, "%d", vsm_options.connect_timeout_ms);
	pg = PQconnectStartParams(keywords, values, 1);
	if (pg == NULL)
		abort();
	PQsetNoticeReceiver(pg, quiet, NULL);
	return pg;
}

/* How long connecting may take, for all hosts together. */
int64_t
vsm_dial_timeout_us(void)
{
	return ((int64_t) vsm_options.connect_timeout_ms * host_count() + 1000) * 1000;
}

/*
 * vsm_dial_elsewhere
 *		Is it worth to dial anew, since this server is read-only?
 *
 * Only with several hosts, and once a second: if no other takes writes either, they must not cause a connection each.
 */
bool
vsm_dial_elsewhere(void)
{
	static int64_t last_us = -ELSEWHERE_PAUSE_US;
	int64_t		now_us = vsm_now_us();

	if (now_us - last_us < ELSEWHERE_PAUSE_US || host_count() < 2)
		return false;
	last_us = now_us;
	return true;
}

static int
host_count(void)
{
	PQconninfoOption *parsed = PQconninfoParse(vsm_options.conninfo, NULL);
	int			hosts = 1;

	for (const PQconninfoOption *option = parsed; option != NULL && option->keyword != NULL; option++)
		if (strcmp(option->keyword, "host") == 0)
		{
			const char *list = option->val != NULL ? option->val : getenv(option->envvar);

			for (const char *c = list; c != NULL && *c != '\0'; c++)
				hosts += *c == ',';
		}
	PQconninfoFree(parsed);
	return hosts;
}

/* Without this, libpq would write notices to stderr, where the log is. */
static void
quiet(void *unused, const PGresult *result)
{
	(void) unused;
	if (PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) != NULL)
		vsm_log_text(LOG_LEVEL_DEBUG, "database_notice", "message", PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
}
