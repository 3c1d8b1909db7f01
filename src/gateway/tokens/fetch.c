/*
 * fetch.c
 *		Gets a document over HTTPS, with libcurl.
 *
 * Blocks for at most TIMEOUT_MS.  Redirects are not followed: the address of a provider's keys is
 * in its documentation, and whoever can redirect could choose the keys.
 */
#include "fetch.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONNECT_TIMEOUT_MS 3000L
#define TIMEOUT_MS 5000L
#define MAX_LENGTH (1024 * 1024)

static size_t take_body(char *bytes, size_t size, size_t n, void *body);
static size_t take_header(char *line, size_t size, size_t n, void *max_age_s);
static int	look_up(void *stop, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d);
static bool is_loopback(const char *host);

/* To be called before there is a second thread. */
void
vsm_fetch_start(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort();
}

/*
 * vsm_fetch_refuses
 *		Why the URL is not fetched, to be freed; NULL: it may be.
 *
 * Without TLS anybody on the way could put in keys of his own.
 */
char *
vsm_fetch_refuses(const char *url)
{
	CURLU	   *parts = curl_url();
	char	   *scheme = NULL;
	char	   *host = NULL;
	char	   *user = NULL;
	char	   *why = NULL;

	if (curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK || curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
		curl_url_get(parts, CURLUPART_HOST, &host, 0) != CURLUE_OK)
		why = vsm_copy("it is not a URL");
	else if (strcmp(scheme, "https") != 0 && !(strcmp(scheme, "http") == 0 && is_loopback(host)))
		why = vsm_copy("it must begin with https://");
	else if (curl_url_get(parts, CURLUPART_USER, &user, 0) == CURLUE_OK || curl_url_get(parts, CURLUPART_PASSWORD, &user, 0) == CURLUE_OK)
		why = vsm_copy("it must not hold a user or password, which would be logged; keys are public");
	curl_free(scheme);
	curl_free(host);
	curl_free(user);
	curl_url_cleanup(parts);
	return why;
}

static bool
is_loopback(const char *host)
{
	return strcmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0 || strcmp(host, "[::1]") == 0;
}

/*
 * vsm_fetch
 *		Get the document into body.  Returns what went wrong, to be freed; NULL: nothing.
 *
 * authorities: a file of certificates to trust instead of the system's; or NULL.  The fetch ends
 * when *stop is true.  *max_age_s is how long the answer may be kept; -1: it does not say.
 */
char *
vsm_fetch(const char *url, const char *authorities, const atomic_bool *stop, Text *body, long *max_age_s)
{
	CURL	   *curl = curl_easy_init();
	char		message[CURL_ERROR_SIZE] = "";
	CURLcode	code;
	long		status = 0;
	char	   *wrong = NULL;

	*max_age_s = -1;
	if (curl == NULL)
		abort();
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "vsm-gateway/" VSM_VERSION);
	curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "");
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, max_age_s);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_up);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, stop);
#if LIBCURL_VERSION_NUM >= 0x075700
	curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L); /* do not wait for the resolver */
#endif
	if (authorities != NULL)
		curl_easy_setopt(curl, CURLOPT_CAINFO, authorities);
	code = curl_easy_perform(curl);
	if (code != CURLE_OK)
		wrong = vsm_copy(message[0] != '\0' ? message : curl_easy_strerror(code));
	else if (curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK || status != 200)
		wrong = vsm_format("the answer has status %ld", status);
	else if (body->data == NULL)
		wrong = vsm_copy("the answer is empty");
	curl_easy_cleanup(curl);
	return wrong;
}

static size_t
take_body(char *bytes, size_t size, size_t n, void *body)
{
	Text	   *text = body;

	if (text->length + size * n > MAX_LENGTH)
		return 0;
	vsm_text_add(text, bytes, size * n);
	return size * n;
}

static size_t
take_header(char *line, size_t size, size_t n, void *max_age_s)
{
	static const char name[] = "cache-control:";
	char	   *header = vsm_copy_n(line, size * n);
	const char *age = strncasecmp(header, name, strlen(name)) == 0 ? strcasestr(header, "max-age=") : NULL;

	if (age != NULL)
		*(long *) max_age_s = strtol(age + strlen("max-age="), NULL, 10);
	free(header);
	return size * n;
}

static int
look_up(void *stop, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	(void) a;
	(void) b;
	(void) c;
	(void) d;
	return *(const atomic_bool *) stop;
}
