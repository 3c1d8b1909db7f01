/*
 * conninfo.c
 *		Where the database is, in the settings of the old service or of libpq.
 *
 * DATABASE_URL may be a libpq URL or connection string, or the URL of an
 * SQLAlchemy engine (postgresql+asyncpg://...), whose "ssl" is libpq's "sslmode".
 * Without DATABASE_URL, the variables DATABASE_HOST, _PORT, _NAME, _USER and _PASSWORD are used.
 * For those not set, libpq uses PGHOST and its other variables.
 */
#include "conninfo.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

static void add_setting(Text *conninfo, const char *keyword, const char *variable);
static void add_query(Text *url, const char *query);

char *
vsm_conninfo_from_environment(void)
{
	const char *url = getenv("DATABASE_URL");
	Text		conninfo = {0};

	if (url != NULL && url[0] != '\0')
		return vsm_conninfo_from_url(url);

	vsm_text_adds(&conninfo, "");
	add_setting(&conninfo, "host", "DATABASE_HOST");
	add_setting(&conninfo, "port", "DATABASE_PORT");
	add_setting(&conninfo, "dbname", "DATABASE_NAME");
	add_setting(&conninfo, "user", "DATABASE_USER");
	add_setting(&conninfo, "password", "DATABASE_PASSWORD");
	return conninfo.data;
}

static void
add_setting(Text *conninfo, const char *keyword, const char *variable)
{
	const char *value = getenv(variable);

	if (value == NULL || value[0] == '\0')
		return;
	vsm_text_addf(conninfo, "%s='", keyword);
	for (; *value != '\0'; value++)
	{
		if (*value == '\'' || *value == '\\')
			vsm_text_addc(conninfo, '\\');
		vsm_text_addc(conninfo, *value);
	}
	vsm_text_adds(conninfo, "' ");
}

/* Removes the driver from postgresql+driver://, which libpq does not accept. */
char *
vsm_conninfo_from_url(const char *url)
{
	const char *rest = strstr(url, "://");
	const char *query;
	Text		plain = {0};

	if (rest == NULL || (strncmp(url, "postgresql+", 11) != 0 && strncmp(url, "postgres+", 9) != 0))
		return vsm_copy(url);
	vsm_text_adds(&plain, "postgresql");
	query = strchr(rest, '?');
	if (query == NULL)
		vsm_text_adds(&plain, rest);
	else
	{
		vsm_text_add(&plain, rest, (size_t) (query - rest));
		add_query(&plain, query + 1);
	}
	return plain.data;
}

static void
add_query(Text *url, const char *query)
{
	char		separator = '?';

	while (*query != '\0')
	{
		size_t		length = strcspn(query, "&");

		vsm_text_addc(url, separator);
		if (strncmp(query, "ssl=", 4) == 0)
		{
			vsm_text_adds(url, "sslmode=");
			query += 4;
			length -= 4;
		}
		vsm_text_add(url, query, length);
		separator = '&';
		query += length;
		if (*query == '&')
			query++;
	}
}
