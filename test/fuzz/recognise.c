/*
 * recognise.c
 *		Fuzzes src/csv: files that are recognised, and their events.
 *
 * The first byte chooses options.  Whatever the file is: a proposal's events are
 * as many as it says, the JSON is written whole, a source that fails is no
 * proposal, and the same file gives the same answer.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv/recognise.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Text
{
	char	   *bytes;
	size_t		length;
} Text;

static void require(bool holds, const char *what);
static bool gather(void *state, const char *text, size_t length);
static void read_events(const VsmSource *source, const VsmRecognition *recognition);
static long fail_to_read(void *state, char *buffer, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const VsmAlias aliases[] = {{"done", "Finished"}, {"New", ""}};
	static const VsmGivenStage stages[] = {{"Open", VSM_WAIT}, {"Finished", VSM_DONE}};
	VsmRecogniseOptions options = {0};
	VsmMemory	memory = {.bytes = (const char *) data + 1, .length = size - 1};
	VsmSource	source = vsm_memory_source(&memory);
	VsmRecognition *recognition;
	VsmRecognition *again;
	Text		first = {0};
	Text		second = {0};

	if (size == 0)
		return 0;
	options.dates = (VsmDateOrder) (data[0] & 3);
	options.form = (VsmForm) ((data[0] >> 2 & 3) % 3);
	options.direction = (VsmDirection) ((data[0] >> 4 & 3) % 3);
	options.aliases = data[0] & 64 ? aliases : NULL;
	options.n_aliases = data[0] & 64 ? 2 : 0;
	options.stages = data[0] & 128 ? stages : NULL;
	options.n_stages = data[0] & 128 ? 2 : 0;

	recognition = vsm_recognise(&source, &options);
	require(recognition->outcome <= VSM_REFUSAL, "memory can be read");
	require(vsm_recognition_json(recognition, gather, &first), "the JSON is written whole");
	if (recognition->outcome == VSM_PROPOSAL)
		read_events(&source, recognition);
	else
		require(recognition->code != NULL && recognition->message != NULL, "what is no proposal says why");
	require(recognition->outcome != VSM_QUESTION || recognition->option != NULL, "a question names its option");

	again = vsm_recognise(&source, &options);
	require(vsm_recognition_json(again, gather, &second), "the JSON is written whole");
	require(first.length == second.length && memcmp(first.bytes, second.bytes, first.length) == 0, "the same file gives the same answer");
	vsm_recognition_free(again);
	vsm_recognition_free(recognition);
	free(first.bytes);
	free(second.bytes);

	source.read = fail_to_read;
	recognition = vsm_recognise(&source, &options);
	require(recognition->outcome == VSM_UNREADABLE, "a source that fails is told");
	vsm_recognition_free(recognition);
	return 0;
}

static void
read_events(const VsmSource *source, const VsmRecognition *recognition)
{
	VsmLog	   *log = vsm_log_open(source, recognition, NULL, NULL);
	VsmLogEvent event;
	VsmLogResult result;
	long		events = 0;
	long		refused = 0;

	require(log != NULL, "the events can be read");
	while ((result = vsm_log_next(log, &event)) == VSM_LOG_EVENT)
	{
		events += event.refused == NULL;
		refused += event.refused != NULL;
		if (event.refused == NULL)
			require(event.item != NULL && event.item[0] != '\0' && event.stage != NULL && event.at_text[0] != '\0' &&
					strlen(event.at_text) < sizeof event.at_text, "an event has an item, a stage and a time");
	}
	vsm_log_close(log);
	require(result == VSM_LOG_END, "the events end");
	/* zones that have names are left to who reads the times */
	require(events + refused == recognition->moves + recognition->n_refused, "the events are those of the proposal");
	require(refused >= recognition->n_refused, "and so are the refused lines");
}

static bool
gather(void *state, const char *text, size_t length)
{
	Text	   *all = state;
	char	   *bytes = realloc(all->bytes, all->length + length + 1);

	require(bytes != NULL, "memory");
	memcpy(bytes + all->length, text, length);
	all->bytes = bytes;
	all->length += length;
	return true;
}

static long
fail_to_read(void *state, char *buffer, size_t size)
{
	(void) state;
	(void) buffer;
	(void) size;
	return -1;
}

static void
require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "it does not hold that %s\n", what);
	abort();
}
