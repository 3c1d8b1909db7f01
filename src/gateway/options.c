/*
 * options.c
 *		Options from the command line and the environment.
 *
 * One table lists all options.  Each can be given on the command line, or in the environment as
 * VSM_GATEWAY_ and its name in capitals; the command line takes precedence.  An invalid option
 * ends the program with status 2 and a message.  No message contains a value that may be a secret.
 */
#include "options.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conninfo.h"
#include "text.h"

typedef enum Take
{
	TAKE_TEXT,
	TAKE_LIST,					/* separated by commas; repeated options add to it */
	TAKE_SECRET,				/* text that no message may contain */
	TAKE_FILE,					/* the contents of a file */
	TAKE_SECRET_FILE,			/* the same without trailing newlines */
	TAKE_NUMBER,				/* int */
	TAKE_SIZE,					/* size_t */
	TAKE_FLAG,
	TAKE_REQUEST_LOG
} Take;

typedef struct Option
{
	const char *name;
	const char *argument;		/* its name in --help; NULL for a flag */
	Take		take;
	void	   *target;
	long		least;
	long		most;
	const char *about;			/* for --help; the default in parentheses */
} Option;

Options vsm_options = {
	.host = "127.0.0.1",
	.port = 8000,
	.pool_size = 8,
	.queue_timeout_ms = 5000,
	.connect_timeout_ms = 5000,
	.statement_timeout_ms = {5000, 30000, 600000},
	.max_connections = 2000,
	.idle_timeout_s = 20,
	.header_timeout_s = 10,
	.body_timeout_s = 30,
	.min_rate = 1024,
	.max_body_bytes = 1024 * 1024,
	.max_header_bytes = 16 * 1024,
	.max_import_bytes = 4UL * 1024 * 1024 * 1024,
	.drain_timeout_s = 10,
	.fold_interval_s = 60,
	.jwt_role_claim = "role",
	.jwt_actor_claim = "email,sub",
};

static const Option options[] = {
	{"host", "ADDRESS", TAKE_TEXT, &vsm_options.host, 0, 0, "address to listen on (127.0.0.1)"},
	{"port", "PORT", TAKE_NUMBER, &vsm_options.port, 0, 65535, "port to listen on; 0 chooses a free one (8000)"},
	{"pool-size", "N", TAKE_NUMBER, &vsm_options.pool_size, 1, 64, "number of connections to the database (8)"},
	{"queue-size", "N", TAKE_NUMBER, &vsm_options.queue_size, 1, 100000, "maximum number of requests that wait for a connection to the database (--max-connections)"},
	{"queue-timeout", "MS", TAKE_NUMBER, &vsm_options.queue_timeout_ms, 1, 600000, "how long a request waits for a connection before the answer is 503 (5000)"},
	{"connect-timeout", "MS", TAKE_NUMBER, &vsm_options.connect_timeout_ms, 100, 600000, "timeout for connecting to each host of the database (5000)"},
	{"fast-timeout", "MS", TAKE_NUMBER, &vsm_options.statement_timeout_ms[CLASS_FAST], 1, 3600000, "statement_timeout of items, moves and stages (5000)"},
	{"slow-timeout", "MS", TAKE_NUMBER, &vsm_options.statement_timeout_ms[CLASS_SLOW], 1, 3600000, "statement_timeout of flow figures (30000)"},
	{"import-timeout", "MS", TAKE_NUMBER, &vsm_options.statement_timeout_ms[CLASS_IMPORT], 1, 86400000, "statement_timeout of imports (600000)"},
	{"max-connections", "N", TAKE_NUMBER, &vsm_options.max_connections, 1, 100000, "maximum number of client connections (2000)"},
	{"max-connections-per-address", "N", TAKE_NUMBER, &vsm_options.max_address_connections, 1, 100000, "the same for each address (half of --max-connections); behind a proxy, all clients have its address"},
	{"idle-timeout", "S", TAKE_NUMBER, &vsm_options.idle_timeout_s, 1, 86400, "how long a client connection may be idle before it is closed (20)"},
	{"header-timeout", "S", TAKE_NUMBER, &vsm_options.header_timeout_s, 1, 86400, "timeout for receiving the headers of a request (10)"},
	{"body-timeout", "S", TAKE_NUMBER, &vsm_options.body_timeout_s, 1, 86400, "timeout for receiving the body of a request, except an import (30)"},
	{"min-rate", "N", TAKE_NUMBER, &vsm_options.min_rate, 1, 1 << 20, "minimum bytes per second at which imports must arrive and answers be read (1024)"},
	{"max-body-bytes", "N", TAKE_SIZE, &vsm_options.max_body_bytes, 1, 1L << 30, "maximum size of a JSON body (1048576)"},
	{"max-header-bytes", "N", TAKE_SIZE, &vsm_options.max_header_bytes, 4096, 1L << 20, "maximum size of request line and headers (16384)"},
	{"max-import-bytes", "N", TAKE_SIZE, &vsm_options.max_import_bytes, 1, LONG_MAX, "maximum size of an imported file (4294967296)"},
	{"spool-dir", "DIRECTORY", TAKE_TEXT, &vsm_options.spool_dir, 0, 0, "where a file is kept while it is imported, without a name (TMPDIR, or else /var/tmp or /tmp)"},
	{"drain-timeout", "S", TAKE_NUMBER, &vsm_options.drain_timeout_s, 0, 3600, "how long running requests may take to end after SIGTERM (10)"},
	{"fold-interval", "S", TAKE_NUMBER, &vsm_options.fold_interval_s, 0, 86400, "pause between two runs of vsm.fold(), by one gateway at a time; 0: no runs (60)"},
	{"fold-role", "ROLE", TAKE_TEXT, &vsm_options.fold_role, 0, 0, "database role that runs vsm.fold(); a reader suffices (the user of the connection)"},
	{"insecure", NULL, TAKE_FLAG, &vsm_options.insecure, 0, 0, "allow addresses other than loopback without tokens"},
	{"jwt-secret", "SECRET", TAKE_SECRET, &vsm_options.jwt_secret, 0, 0, "require tokens signed with this secret (HS256, HS384, HS512); a file or the environment is safer than this option"},
	{"jwt-secret-file", "FILE", TAKE_SECRET_FILE, &vsm_options.jwt_secret, 0, 0, "read that secret from a file"},
	{"jwt-public-key-file", "FILE", TAKE_TEXT, &vsm_options.jwt_public_key_file, 0, 0, "require tokens signed by a key of this file: public keys or certificates, PEM (RSA: RS and PS, EC: ES)"},
	{"jwks-file", "FILE", TAKE_TEXT, &vsm_options.jwks_file, 0, 0, "the same for JSON Web Keys, a set or one; both files are read again when they change"},
	{"jwks-url", "URL", TAKE_TEXT, &vsm_options.jwks_url, 0, 0, "the same for the JSON Web Keys of a provider; needs --jwt-aud or --jwt-iss"},
	{"jwks-ca-file", "FILE", TAKE_TEXT, &vsm_options.jwks_ca_file, 0, 0, "certificates that vouch for --jwks-url, PEM (the system's)"},
	{"jwt-aud", "TEXT", TAKE_TEXT, &vsm_options.jwt_audience, 0, 0, "audience that tokens must contain"},
	{"jwt-iss", "TEXT", TAKE_TEXT, &vsm_options.jwt_issuer, 0, 0, "issuer that tokens must have"},
	{"jwt-role-claim", "PATH", TAKE_TEXT, &vsm_options.jwt_role_claim, 0, 0, "claim that names the database role, such as role, .app.roles[0] or .\"https://example.com/role\" (role)"},
	{"jwt-actor-claim", "PATHS", TAKE_TEXT, &vsm_options.jwt_actor_claim, 0, 0, "claims of which the first that is there names the person, who is recorded as actor of moves (email,sub)"},
	{"anonymous-role", "ROLE", TAKE_TEXT, &vsm_options.anonymous_role, 0, 0, "database role of requests without a token"},
	{"allowed-host", "NAME", TAKE_LIST, &vsm_options.allowed_hosts, 0, 0, "host name of this service besides localhost and --host; can be repeated; * allows any"},
	{"cors-origin", "ORIGINS", TAKE_TEXT, &vsm_options.cors_origins, 0, 0, "origins of web pages that may use this service, separated by commas; * allows all (none)"},
	{"tls-cert", "FILE", TAKE_FILE, &vsm_options.tls_certificate, 0, 0, "serve HTTPS with this certificate chain, PEM"},
	{"tls-key", "FILE", TAKE_FILE, &vsm_options.tls_key, 0, 0, "private key of the certificate, PEM"},
	{"log-requests", "WHICH", TAKE_REQUEST_LOG, &vsm_options.log_requests, 0, 0, "which requests to log: all, errors (5xx) or none (all)"},
	{"debug", NULL, TAKE_FLAG, &vsm_options.debug, 0, 0, "log debug messages, too"},
};

#define N_OPTIONS ((int) (sizeof options / sizeof options[0]))
#define HELP_OPTION N_OPTIONS
#define VERSION_OPTION (N_OPTIONS + 1)

static void read_environment(void);
static void read_arguments(int argc, char **argv);
static void take(const Option *option, const char *value);
static void add_to_list(char **list, const char *value);
static long number_of(const Option *option, const char *value);
static char *contents_of(const Option *option, const char *path);
static void check(void);
static void check_tokens(void);
static bool is_loopback(const char *host);
static void help(void);

void
vsm_options_read(int argc, char **argv)
{
	read_environment();
	read_arguments(argc, argv);
	check();
	if (vsm_options.max_address_connections == 0)
		vsm_options.max_address_connections = (vsm_options.max_connections + 1) / 2;
	/* A connection has one request at a time, so that by default only --queue-timeout ends the wait. */
	if (vsm_options.queue_size == 0)
		vsm_options.queue_size = vsm_options.max_connections;
	vsm_options.conninfo = vsm_conninfo_from_environment();
}

/* Are tokens checked?  Requests without a token then need --anonymous-role. */
bool
vsm_options_auth(void)
{
	return vsm_options.jwt_secret != NULL || vsm_options.jwt_public_key_file != NULL ||
		vsm_options.jwks_file != NULL || vsm_options.jwks_url != NULL;
}

static void
read_environment(void)
{
	for (int i = 0; i < N_OPTIONS; i++)
	{
		char		variable[64] = "VSM_GATEWAY_";
		size_t		length = strlen(variable);
		const char *value;

		for (const char *name = options[i].name; *name != '\0'; name++)
			variable[length++] = *name == '-' ? '_' : (char) toupper((unsigned char) *name);
		value = getenv(variable);
		if (value != NULL && value[0] != '\0')
			take(&options[i], value);
	}
}

static void
read_arguments(int argc, char **argv)
{
	struct option known[N_OPTIONS + 3] = {0};
	int			which;
	int			c;

	for (int i = 0; i < N_OPTIONS; i++)
	{
		known[i].name = options[i].name;
		known[i].has_arg = options[i].argument == NULL ? no_argument : required_argument;
	}
	known[HELP_OPTION].name = "help";
	known[VERSION_OPTION].name = "version";

	while ((c = getopt_long(argc, argv, "", known, &which)) != -1)
	{
		if (c != 0)
			exit(2);
		if (which == HELP_OPTION)
			help();
		if (which == VERSION_OPTION)
		{
			puts("vsm-gateway " VSM_VERSION);
			exit(0);
		}
		take(&options[which], optarg);
		/* Hide the secret from the list of processes. */
		if (options[which].take == TAKE_SECRET)
			memset(optarg, 'x', strlen(optarg));
	}
	if (optind < argc)
		vsm_options_refuse("unexpected argument \"%s\"", argv[optind]);
}

static void
take(const Option *option, const char *value)
{
	switch (option->take)
	{
		case TAKE_TEXT:
		case TAKE_SECRET:
			*(char **) option->target = vsm_copy(value);
			break;
		case TAKE_LIST:
			add_to_list(option->target, value);
			break;
		case TAKE_FILE:
		case TAKE_SECRET_FILE:
			*(char **) option->target = contents_of(option, value);
			break;
		case TAKE_NUMBER:
			*(int *) option->target = (int) number_of(option, value);
			break;
		case TAKE_SIZE:
			*(size_t *) option->target = (size_t) number_of(option, value);
			break;
		case TAKE_FLAG:
			*(bool *) option->target = value == NULL || (strcmp(value, "0") != 0 && strcmp(value, "false") != 0);
			break;
		case TAKE_REQUEST_LOG:
			if (strcmp(value, "all") == 0)
				vsm_options.log_requests = LOG_REQUESTS_ALL;
			else if (strcmp(value, "errors") == 0)
				vsm_options.log_requests = LOG_REQUESTS_ERRORS;
			else if (strcmp(value, "none") == 0)
				vsm_options.log_requests = LOG_REQUESTS_NONE;
			else
				vsm_options_refuse("--%s must be all, errors or none", option->name);
			break;
	}
}

static void
add_to_list(char **list, const char *value)
{
	char	   *longer = *list == NULL ? vsm_copy(value) : vsm_format("%s,%s", *list, value);

	free(*list);
	*list = longer;
}

static long
number_of(const Option *option, const char *value)
{
	char	   *end;
	long		number;

	errno = 0;
	number = strtol(value, &end, 10);
	if (end == value || *end != '\0' || errno != 0 || number < option->least || number > option->most)
		vsm_options_refuse("--%s must be a number from %ld to %ld", option->name, option->least, option->most);
	return number;
}

static char *
contents_of(const Option *option, const char *path)
{
	FILE	   *file = fopen(path, "r");
	Text		text = {0};
	char		bytes[4096];
	size_t		n;

	if (file == NULL)
		vsm_options_refuse("--%s: cannot read %s: %s", option->name, path, strerror(errno));
	do
	{
		n = fread(bytes, 1, sizeof bytes, file);
		vsm_text_add(&text, bytes, n);
	} while (n == sizeof bytes);
	if (ferror(file))
		vsm_options_refuse("--%s: cannot read %s: %s", option->name, path, strerror(errno));
	fclose(file);
	if (option->take == TAKE_SECRET_FILE)
		while (text.length > 0 && (text.data[text.length - 1] == '\n' || text.data[text.length - 1] == '\r'))
			text.data[--text.length] = '\0';
	if (text.length == 0)
		vsm_options_refuse("--%s: %s is empty", option->name, path);
	return text.data;
}

static void
check(void)
{
	check_tokens();
	if (!vsm_options_auth() && !vsm_options.insecure && !is_loopback(vsm_options.host))
		vsm_options_refuse("without tokens, only loopback addresses are allowed\n"
			   "Hint: use --jwt-secret-file, --jwt-public-key-file, --jwks-file or --jwks-url, or --insecure and --allowed-host behind a proxy that authenticates users");
	if ((vsm_options.tls_certificate == NULL) != (vsm_options.tls_key == NULL))
		vsm_options_refuse("--tls-cert and --tls-key must be used together");
}

static void
check_tokens(void)
{
	int			sources = (vsm_options.jwt_secret != NULL) + (vsm_options.jwt_public_key_file != NULL) +
		(vsm_options.jwks_file != NULL) + (vsm_options.jwks_url != NULL);

	if (sources > 1)
		vsm_options_refuse("only one of --jwt-secret, --jwt-public-key-file, --jwks-file and --jwks-url can be used");
	if (sources == 0 && (vsm_options.anonymous_role != NULL || vsm_options.jwt_audience != NULL || vsm_options.jwt_issuer != NULL))
		vsm_options_refuse("--anonymous-role, --jwt-aud and --jwt-iss need keys for tokens\n"
			   "Hint: use --jwt-secret-file, --jwt-public-key-file, --jwks-file or --jwks-url");
	if (vsm_options.jwks_ca_file != NULL && vsm_options.jwks_url == NULL)
		vsm_options_refuse("--jwks-ca-file needs --jwks-url");
	/* A provider signs tokens for all its applications with the same keys. */
	if (vsm_options.jwks_url != NULL && vsm_options.jwt_audience == NULL && vsm_options.jwt_issuer == NULL)
		vsm_options_refuse("--jwks-url needs --jwt-aud or --jwt-iss: the provider's keys may sign tokens for others, too");
}

static bool
is_loopback(const char *host)
{
	struct in_addr address;

	if (strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0)
		return true;
	return inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

static void
help(void)
{
	puts("vsm-gateway serves the REST interface of vsm, a value stream engine in PostgreSQL.\n\n"
		 "Usage:\n  vsm-gateway [OPTION]...\n\nOptions:");
	for (int i = 0; i < N_OPTIONS; i++)
	{
		char		left[48];

		snprintf(left, sizeof left, "--%s%s%s", options[i].name, options[i].argument ? "=" : "",
				 options[i].argument ? options[i].argument : "");
		printf("  %-33s  %s\n", left, options[i].about);
	}
	puts("  --help                             show this help\n"
		 "  --version                          show the version\n\n"
		 "Environment:\n"
		 "  DATABASE_URL                  the database: postgresql://USER@HOST/NAME or any libpq connection string\n"
		 "  DATABASE_HOST, DATABASE_PORT, DATABASE_NAME, DATABASE_USER, DATABASE_PASSWORD\n"
		 "                                the same in parts; libpq's variables, such as PGHOST, for those not set\n"
		 "  VSM_GATEWAY_OPTION            any option above, in capitals and with _ for -: VSM_GATEWAY_POOL_SIZE=16\n"
		 "  NOTIFY_SOCKET                 set by systemd for services with Type=notify");
	exit(0);
}

/* End the program with status 2 and a message. */
void
vsm_options_refuse(const char *format, ...)
{
	va_list		arguments;

	fputs("vsm-gateway: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(2);
}
