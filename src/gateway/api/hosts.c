/*
 * hosts.c
 *		Checks that a request names a host of this service.
 *
 * Without tokens, everyone who can reach the gateway may write.  Any web page can reach it through
 * a visitor's browser if the page's host name is made to resolve to the gateway (DNS rebinding).
 * The browser then sends that name, so only known names are accepted: localhost, --host and
 * --allowed-host.  An address cannot be rebound.  All addresses are accepted, so that probes and
 * scrapers may use them.
 */
#include "hosts.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "options.h"
#include "text.h"

static char *name_of(const char *host);
static bool is_address(const char *name);
static bool is_allowed(const char *name);

/*
 * vsm_host_is_ours
 *		host comes from the request target or the Host header, with or without a port.
 *
 * NULL is accepted: only a client of HTTP/1.0 sends no host, and that is not a browser.
 */
bool
vsm_host_is_ours(const char *host)
{
	char	   *name;
	bool		ours;

	if ((vsm_options_auth() && vsm_options.allowed_hosts == NULL) || host == NULL)
		return true;
	name = name_of(host);
	ours = name != NULL && (is_address(name) || (host[0] != '[' && (strcasecmp(name, "localhost") == 0 || strcasecmp(name, vsm_options.host) == 0 || is_allowed(name))));
	free(name);
	return ours;
}

/* Removes the port, brackets and a trailing dot.  Returns NULL if host is malformed. */
static char *
name_of(const char *host)
{
	bool		bracketed = host[0] == '[';
	size_t		length = strcspn(host + bracketed, bracketed ? "]" : ":");
	const char *rest = host + bracketed + length;

	if (bracketed && *rest++ != ']')
		return NULL;
	if (*rest == ':')
		rest += 1 + strspn(rest + 1, "0123456789");
	if (*rest != '\0' || length == 0)
		return NULL;
	if (!bracketed && length > 1 && host[length - 1] == '.')
		length--;
	return vsm_copy_n(host + bracketed, length);
}

static bool
is_address(const char *name)
{
	unsigned char address[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

static bool
is_allowed(const char *name)
{
	const char *list = vsm_options.allowed_hosts;

	while (list != NULL && *list != '\0')
	{
		size_t		length;

		list += strspn(list, ", ");
		length = strcspn(list, ", ");
		if ((length == 1 && *list == '*') || (length == strlen(name) && strncasecmp(list, name, length) == 0))
			return true;
		list += length;
	}
	return false;
}
