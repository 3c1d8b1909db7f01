/*
 * key_source.c
 *		Where the keys of tokens come from, and the set that is valid now.
 *
 *	 --jwt-secret, --jwt-secret-file	read once
 *	 --jwt-public-key-file, --jwks-file	read again when the file changes
 *	 --jwks-url							fetched again when the answer's max-age has passed, and when a token
 *										names a key that the set does not have
 *
 * A thread reads and fetches, and hands each new set to the working thread, which alone uses it; so
 * no request waits for a file or for the network, except those that need a key that is not there.
 * These are suspended until the fetch that was begun for them has ended.  At most one such fetch
 * begins in ASK_INTERVAL_US, whatever keys tokens name.  A file or an answer that cannot be used
 * leaves the set as it is, and is logged.
 *
 * What the operator has written must be right when the gateway starts: a secret, a file, a URL.  What a
 * provider answers is not the operator's to correct: until an answer can be used, tokens get a 503, and
 * the fetch is repeated every RETRY_US.
 *
 * Locks: "lock" guards the members that both threads use; it is held for assignments only.
 */
#include "key_source.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fetch.h"
#include "key_set.h"
#include "log.h"
#include "options.h"
#include "text.h"

#define LOOK_AT_FILE_US 1000000
#define ASK_INTERVAL_US 10000000
#define RETRY_US 10000000		/* after a fetch that failed */
#define LEAST_AGE_S 60
#define USUAL_AGE_S 3600		/* if the answer does not say */
#define MOST_AGE_S 86400
#define MAX_FILE (1024 * 1024)

static struct
{
	/* the working thread's */
	KeySet	   *current;		/* NULL: none was fetched yet */
	KeyWaiter  *waiting;
	int64_t		asked_us;		/* when a fetch was last asked for; 0: never */

	/* the reading thread's, after the start */
	struct stat seen;			/* of the file that was read last */
	int64_t		due_us;			/* when to look at the file, or to fetch */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	KeySet	   *arrived;		/* for the working thread; NULL: none */
	bool		asked;			/* for a fetch, and it has not begun */
	bool		asking;			/* asked, and it has not ended */
	bool		answered;		/* the fetch asked for has ended: resume those who wait */

	atomic_bool news;			/* arrived or answered has changed */
	atomic_bool stopping;
	atomic_bool tried;			/* the thread has fetched once, or tried to */
	bool		running;		/* there is a thread */
	pthread_t	thread;
	int			wake;			/* eventfd for the working thread; -1: the keys never change */
} keys = {.wake = -1, .lock = PTHREAD_MUTEX_INITIALIZER};

static KeySet *read_at_start(char **wrong);
static void *run(void *unused);
static void wait_until_due(bool *asked);
static KeySet *read_file(char **wrong);
static bool file_has_changed(void);
static KeySet *fetch_keys(char **wrong);
static void hand_over(KeySet *set, bool answers);
static const char *file(void);
static void forget_secret(void);

/*
 * vsm_keys_start
 *		Read the keys.  Returns what is wrong with them, to be freed; NULL: nothing.
 *
 * Those of a URL are fetched by the thread: vsm_keys_tried().
 */
char *
vsm_keys_start(void)
{
	char	   *wrong = NULL;
	pthread_condattr_t clock;

	if (!vsm_options_auth())
		return NULL;
	keys.current = read_at_start(&wrong);
	if (wrong != NULL || (file() == NULL && vsm_options.jwks_url == NULL))
		return wrong;
	keys.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&keys.changed, &clock);
	pthread_condattr_destroy(&clock);
	if (keys.wake < 0 || pthread_create(&keys.thread, NULL, run, NULL) != 0)
		abort();
	keys.running = true;
	return NULL;
}

static KeySet *
read_at_start(char **wrong)
{
	KeySet	   *set = NULL;
	char	   *why = NULL;
	const char *option;

	if (vsm_options.jwt_secret != NULL)
	{
		option = "jwt-secret";
		set = vsm_key_set_of_secret(vsm_options.jwt_secret, &why);
		forget_secret();
	}
	else if (vsm_options.jwks_url != NULL)
	{
		option = "jwks-url";
		vsm_fetch_start();
		why = vsm_fetch_refuses(vsm_options.jwks_url);
	}
	else
	{
		option = vsm_options.jwks_file != NULL ? "jwks-file" : "jwt-public-key-file";
		set = read_file(&why);
	}
	if (why != NULL)
		*wrong = vsm_format("--%s: %s", option, why);
	free(why);
	return set;
}

static void
forget_secret(void)
{
	explicit_bzero(vsm_options.jwt_secret, strlen(vsm_options.jwt_secret));
}

/* Has the gateway the keys that it can have when it starts? */
bool
vsm_keys_tried(void)
{
	return !keys.running || vsm_options.jwks_url == NULL || keys.tried;
}

/*
 * vsm_keys_end
 *		Let the thread end; does not wait.
 *
 * A fetch is broken off, within a second or so, and those who wait for it are resumed.
 */
void
vsm_keys_end(void)
{
	if (!keys.running)
		return;
	pthread_mutex_lock(&keys.lock);
	keys.stopping = true;
	pthread_cond_signal(&keys.changed);
	pthread_mutex_unlock(&keys.lock);
}

/* Call vsm_keys_end() before. */
void
vsm_keys_join(void)
{
	if (keys.running)
		pthread_join(keys.thread, NULL);
	keys.running = false;
}

/* ---- The working thread ---- */

/* The keys that are valid now, until the next vsm_keys_run(); NULL: none were fetched yet. */
const KeySet *
vsm_keys(void)
{
	return keys.current;
}

/*
 * vsm_keys_ask
 *		Have the keys fetched, if that may bring new ones.  True: vsm_keys_wait() for them.
 */
bool
vsm_keys_ask(void)
{
	int64_t		now_us = vsm_now_us();
	bool		asking;

	if (vsm_options.jwks_url == NULL || !keys.running || keys.stopping)
		return false;
	pthread_mutex_lock(&keys.lock);
	asking = keys.asking;
	if (!asking && !keys.stopping && (keys.asked_us == 0 || now_us - keys.asked_us >= ASK_INTERVAL_US))
	{
		keys.asked_us = now_us;
		keys.asked = keys.asking = asking = true;
		pthread_cond_signal(&keys.changed);
	}
	pthread_mutex_unlock(&keys.lock);
	return asking;
}

void
vsm_keys_wait(KeyWaiter *waiter)
{
	waiter->next = keys.waiting;
	keys.waiting = waiter;
}

/* A file descriptor that is readable when vsm_keys_run() must be called; -1: never. */
int
vsm_keys_fd(void)
{
	return keys.wake;
}

void
vsm_keys_run(void)
{
	uint64_t	n;
	KeySet	   *arrived;
	bool		answered;

	if (!keys.news)
		return;
	keys.news = false;
	while (read(keys.wake, &n, sizeof n) < 0 && errno == EINTR)
		;
	pthread_mutex_lock(&keys.lock);
	arrived = keys.arrived;
	answered = keys.answered;
	keys.arrived = NULL;
	keys.answered = false;
	pthread_mutex_unlock(&keys.lock);
	if (arrived != NULL)
	{
		vsm_key_set_free(keys.current);
		keys.current = arrived;
	}
	while (answered && keys.waiting != NULL)
	{
		KeyWaiter  *waiter = keys.waiting;

		keys.waiting = waiter->next;
		waiter->resume(waiter);
	}
}

/* ---- The reading thread ---- */

static void *
run(void *unused)
{
	(void) unused;
	while (!keys.stopping)
	{
		bool		asked = false;
		char	   *wrong = NULL;
		KeySet	   *set = NULL;

		wait_until_due(&asked);
		if (keys.stopping)
			break;
		if (file() != NULL)
		{
			keys.due_us = vsm_now_us() + LOOK_AT_FILE_US;
			if (!file_has_changed())
				continue;
			set = read_file(&wrong);
		}
		else
			set = fetch_keys(&wrong);
		if (wrong != NULL && !keys.stopping)
			vsm_log_text(LOG_LEVEL_WARNING, "keys_not_read", "reason", wrong);
		else if (set != NULL)
			vsm_log(LOG_LEVEL_INFO, "keys_read", "\"keys\":%d", set->n);
		free(wrong);
		hand_over(set, asked);
		keys.tried = true;
	}
	hand_over(NULL, true);
	return NULL;
}

static void
wait_until_due(bool *asked)
{
	pthread_mutex_lock(&keys.lock);
	while (!keys.stopping && !keys.asked)
	{
		struct timespec due = {.tv_sec = keys.due_us / 1000000, .tv_nsec = keys.due_us % 1000000 * 1000};

		if (pthread_cond_timedwait(&keys.changed, &keys.lock, &due) == ETIMEDOUT)
			break;
	}
	*asked = keys.asked;
	keys.asked = false;
	pthread_mutex_unlock(&keys.lock);
}

static void
hand_over(KeySet *set, bool answers)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&keys.lock);
	if (set != NULL)
	{
		vsm_key_set_free(keys.arrived);
		keys.arrived = set;
	}
	if (answers)
	{
		keys.asking = false;
		keys.answered = true;
	}
	pthread_mutex_unlock(&keys.lock);
	keys.news = true;
	while (write(keys.wake, &one, sizeof one) < 0 && errno == EINTR)
		;
}

/* ---- Files ---- */

/* The file that may change; NULL: there is none. */
static const char *
file(void)
{
	return vsm_options.jwks_file != NULL ? vsm_options.jwks_file : vsm_options.jwt_public_key_file;
}

/* A file that is gone has not changed: it is being replaced.  A pipe has none to read twice. */
static bool
file_has_changed(void)
{
	struct stat now;

	return stat(file(), &now) == 0 && S_ISREG(now.st_mode) &&
		(now.st_mtim.tv_sec != keys.seen.st_mtim.tv_sec || now.st_mtim.tv_nsec != keys.seen.st_mtim.tv_nsec ||
		 now.st_ino != keys.seen.st_ino || now.st_dev != keys.seen.st_dev || now.st_size != keys.seen.st_size);
}

static KeySet *
read_file(char **wrong)
{
	FILE	   *stream = fopen(file(), "re");
	Text		text = {0};
	char		bytes[4096];
	size_t		n = sizeof bytes;
	KeySet	   *set = NULL;

	/* Looked at before it is read: what changes meanwhile is read once more. */
	if (stream != NULL && fstat(fileno(stream), &keys.seen) == 0)
		while (n == sizeof bytes && text.length <= MAX_FILE)
		{
			n = fread(bytes, 1, sizeof bytes, stream);
			vsm_text_add(&text, bytes, n);
		}
	if (stream == NULL || ferror(stream))
		*wrong = vsm_format("cannot read %s: %s", file(), strerror(errno));
	else if (text.length > MAX_FILE)
		*wrong = vsm_format("%s is longer than 1 MB", file());
	else
	{
		char	   *why = NULL;

		if (vsm_options.jwks_file != NULL)
			set = vsm_key_set_of_jwks(text.data == NULL ? "" : text.data, text.length, true, &why);
		else
			set = vsm_key_set_of_pem(text.data == NULL ? "" : text.data, text.length, &why);
		if (set == NULL)
			*wrong = vsm_format("%s: %s", file(), why);
		free(why);
	}
	if (stream != NULL)
		fclose(stream);
	if (text.data != NULL)
		explicit_bzero(text.data, text.length);
	vsm_text_free(&text);
	return set;
}

/* ---- URLs ---- */

static KeySet *
fetch_keys(char **wrong)
{
	Text		text = {0};
	KeySet	   *set = NULL;
	long		age_s;
	char	   *why = vsm_fetch(vsm_options.jwks_url, vsm_options.jwks_ca_file, &keys.stopping, &text, &age_s);

	if (why == NULL)
		set = vsm_key_set_of_jwks(text.data, text.length, false, &why);
	if (set == NULL)
		*wrong = vsm_format("%s: %s", vsm_options.jwks_url, why);
	free(why);
	vsm_text_free(&text);
	if (age_s < 0)
		age_s = USUAL_AGE_S;
	else if (age_s < LEAST_AGE_S)
		age_s = LEAST_AGE_S;
	else if (age_s > MOST_AGE_S)
		age_s = MOST_AGE_S;
	keys.due_us = vsm_now_us() + (set == NULL ? RETRY_US : (int64_t) age_s * 1000000);
	return set;
}
