/*
 * main.c
 *		vsm-gateway: the REST interface of vsm.
 *
 *	main thread		starts the gateway, waits for signals, stops the gateway
 *	working thread	serves clients (http/), their requests (api/) and the database (db/)
 *	background threads	keep and read files that are imported (background.c)
 *	folding thread	runs vsm.fold() now and then (db/fold.c)
 *	reading thread	reads keys of tokens that may change (tokens/key_source.c)
 *
 * After SIGTERM or SIGINT the gateway accepts no new clients.  It lets running requests end, for
 * at most --drain-timeout, and exits with status 0.
 */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "api/auth.h"
#include "api/openapi.h"
#include "api/request.h"
#include "api/routes.h"
#include "background.h"
#include "db/fold.h"
#include "db/pool.h"
#include "http/http.h"
#include "log.h"
#include "notify.h"
#include "options.h"
#include "text.h"
#include "tokens/key_source.h"

#define LAST_WORDS_US 500000
#define KEYS_POLL_MS 10

static void spare_memory(void);
static void raise_limits(void);
static int	wait_for_signal(const sigset_t *signals, long ms);
static void drain(const sigset_t *signals);

int
main(int argc, char **argv)
{
	sigset_t	signals;
	int			signal_number;
	char	   *wrong;

	spare_memory();
	vsm_options_read(argc, argv);
	vsm_log_set_level(vsm_options.debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	raise_limits();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);	/* a file that is imported may reach a limit; writing it fails */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);		/* threads inherit the mask */

	wrong = vsm_auth_start();
	if (wrong != NULL)
		vsm_options_refuse("%s", wrong);
	while (!vsm_keys_tried())
		if (wait_for_signal(&signals, KEYS_POLL_MS) != 0)
			return 0;
	vsm_routes_start();
	vsm_openapi_start();
	vsm_http_listen();
	vsm_background_start();
	vsm_http_start();
	vsm_pool_start((PoolGuest){.fd = vsm_http_fd(), .timeout_ms = vsm_http_timeout_ms, .run = vsm_http_run});
	vsm_fold_start();
	vsm_log(LOG_LEVEL_INFO, "listening", "\"version\":\"" VSM_VERSION "\",\"url\":\"%s\",\"tokens\":%s",
			vsm_http_url(), vsm_options_auth() ? "true" : "false");
	printf("%s\n", vsm_http_url());
	fflush(stdout);
	vsm_notify("READY=1");

	do
		signal_number = wait_for_signal(&signals, 3600 * 1000);
	while (signal_number == 0);
	vsm_log(LOG_LEVEL_INFO, "stopping", "\"signal\":%d", signal_number);
	vsm_notify("STOPPING=1");
	drain(&signals);
	return 0;
}

/*
 * What threads free goes back to the system, or to the next import: with an arena of its own for each thread, and large pieces
 * that stay in the heap once one was freed, an import would add to the memory of those before.
 */
static void
spare_memory(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
}

/* Raise the limit of open files: every client needs a file descriptor. */
static void
raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
	{
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Returns 0 if no signal arrived in that time. */
static int
wait_for_signal(const sigset_t *signals, long ms)
{
	struct timespec limit = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	int			signal_number = sigtimedwait(signals, NULL, &limit);

	return signal_number > 0 ? signal_number : 0;
}

/* A second signal ends the wait. */
static void
drain(const sigset_t *signals)
{
	int64_t		end_us = vsm_now_us() + (int64_t) vsm_options.drain_timeout_s * 1000000;

	vsm_fold_end();
	vsm_keys_end();
	vsm_http_drain();
	while (vsm_requests_running() > 0 && vsm_now_us() < end_us && wait_for_signal(signals, 20) == 0)
		;
	vsm_pool_stop();
	vsm_background_stop();
	vsm_keys_join();
	/* Requests whose jobs or tasks were stopped by that get a 503. */
	end_us = vsm_now_us() + LAST_WORDS_US;
	while (vsm_requests_running() > 0 && vsm_now_us() < end_us)
	{
		vsm_http_run();
		wait_for_signal(signals, 1);
	}
	vsm_http_stop();
	vsm_fold_join();
	vsm_log(LOG_LEVEL_INFO, "stopped", NULL);
}
