/*
 * recognise_file.c
 *		What a file is, from the command line: for the tests, and to look at a file.
 *
 *	recognise [OPTION...] FILE				prints the recognition as JSON
 *	recognise --question [OPTION...] FILE	prints what is asked or refused: message, detail, option and hint, a line each; or nothing
 *	recognise --events [OPTION...] FILE		prints the events as CSV: line, item, stage, entered_at, order, type, title, refused
 *
 *	--item --stage --time --type --title NAME	which column is what
 *	--form long|wide   --dates DMY|MDY|YMD   --direction oldest_first|newest_first   --time-zone NAME
 *	--alias NAME=STAGE (an empty STAGE: no move)   --stages NAME[:CATEGORY],...
 *
 * Exit status: 0 a proposal, 1 a question, 2 a refusal, 3 anything else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "csv/recognise.h"

#define MOST 300

typedef struct Request
{
	VsmRecogniseOptions options;
	VsmAlias	aliases[MOST];
	VsmGivenStage stages[MOST];
	bool		events;
	bool		question;
	const char *file;
} Request;

static void read_arguments(Request *request, int argc, char **argv);
static bool read_option(Request *request, const char *name, char *value);
static void read_stages(Request *request, char *list);
static long read_file(void *state, char *buffer, size_t size);
static bool rewind_file(void *state);
static bool resolve_zone(void *state, const char *zone, int64_t local, int64_t *instant);
static bool write_out(void *state, const char *text, size_t length);
static int	print_events(const VsmSource *source, const VsmRecognition *recognition);
static void print_value(const char *value, const char *behind);
static void print_question(const VsmRecognition *recognition);
static void print_line(const char *text);
static void usage(void);

int
main(int argc, char **argv)
{
	static Request request;
	VsmSource	source = {read_file, rewind_file, NULL};
	VsmRecognition *recognition;
	int			status = 3;

	read_arguments(&request, argc, argv);
	source.state = fopen(request.file, "rb");
	if (source.state == NULL)
	{
		perror(request.file);
		return 3;
	}
	recognition = vsm_recognise(&source, &request.options);
	if (recognition != NULL && recognition->outcome == VSM_PROPOSAL)
		status = 0;
	else if (recognition != NULL && recognition->outcome <= VSM_REFUSAL)
		status = recognition->outcome == VSM_QUESTION ? 1 : 2;
	if (recognition != NULL && request.events && status == 0)
		status = print_events(&source, recognition);
	else if (recognition != NULL && request.question)
		print_question(recognition);
	else if (recognition != NULL)
	{
		(void) vsm_recognition_json(recognition, write_out, NULL);
		putchar('\n');
	}
	vsm_recognition_free(recognition);
	fclose(source.state);
	return fflush(stdout) == 0 ? status : 3;
}

static void
read_arguments(Request *request, int argc, char **argv)
{
	request->options.aliases = request->aliases;
	request->options.stages = request->stages;
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--events") == 0)
			request->events = true;
		else if (strcmp(argv[i], "--question") == 0)
			request->question = true;
		else if (strncmp(argv[i], "--", 2) == 0 && i + 1 < argc)
		{
			if (!read_option(request, argv[i] + 2, argv[i + 1]))
				usage();
			i++;
		}
		else if (request->file == NULL)
			request->file = argv[i];
		else
			usage();
	if (request->file == NULL)
		usage();
}

static bool
read_option(Request *request, const char *name, char *value)
{
	VsmRecogniseOptions *options = &request->options;

	if (strcmp(name, "item") == 0)
		options->item = value;
	else if (strcmp(name, "stage") == 0)
		options->stage = value;
	else if (strcmp(name, "time") == 0)
		options->time = value;
	else if (strcmp(name, "type") == 0)
		options->type = value;
	else if (strcmp(name, "title") == 0)
		options->title = value;
	else if (strcmp(name, "time-zone") == 0)
		options->time_zone = value;
	else if (strcmp(name, "form") == 0)
		return vsm_form_named(value, &options->form);
	else if (strcmp(name, "dates") == 0)
		return vsm_date_order_named(value, &options->dates);
	else if (strcmp(name, "direction") == 0)
		return vsm_direction_named(value, &options->direction);
	else if (strcmp(name, "alias") == 0 && strchr(value, '=') != NULL && options->n_aliases < MOST)
	{
		char	   *equals = strchr(value, '=');

		*equals = '\0';
		request->aliases[options->n_aliases++] = (VsmAlias){value, equals + 1};
	}
	else if (strcmp(name, "stages") == 0)
		read_stages(request, value);
	else
		return false;
	return true;
}

static void
read_stages(Request *request, char *list)
{
	for (char *entry = strtok(list, ","); entry != NULL && request->options.n_stages < MOST; entry = strtok(NULL, ","))
	{
		VsmGivenStage *stage = &request->stages[request->options.n_stages++];
		char	   *colon = strrchr(entry, ':');

		stage->name = entry;
		if (colon != NULL && vsm_category_named(colon + 1, &stage->category))
			*colon = '\0';
	}
}

static long
read_file(void *state, char *buffer, size_t size)
{
	size_t		n = fread(buffer, 1, size, state);

	return n == 0 && ferror((FILE *) state) ? -1 : (long) n;
}

static bool
rewind_file(void *state)
{
	return fseek(state, 0, SEEK_SET) == 0;
}

/* By the C library. */
static bool
resolve_zone(void *state, const char *zone, int64_t local, int64_t *instant)
{
	time_t		seconds = (time_t) (local / 1000000 - (local % 1000000 < 0));
	char		file[300];
	struct tm	parts;

	(void) state;
	snprintf(file, sizeof file, "/usr/share/zoneinfo/%s", zone);
	if (strstr(zone, "..") != NULL || access(file, R_OK) != 0 || gmtime_r(&seconds, &parts) == NULL)
		return false;
	setenv("TZ", zone, 1);
	tzset();
	parts.tm_isdst = -1;
	*instant = (int64_t) mktime(&parts) * 1000000 + local - (int64_t) seconds * 1000000;
	return true;
}

static bool
write_out(void *state, const char *text, size_t length)
{
	(void) state;
	return fwrite(text, 1, length, stdout) == length;
}

static int
print_events(const VsmSource *source, const VsmRecognition *recognition)
{
	VsmLog	   *log = vsm_log_open(source, recognition, resolve_zone, NULL);
	VsmLogEvent event;
	VsmLogResult result;

	if (log == NULL)
		return 3;
	puts("line,item,stage,entered_at,order,type,title,refused");
	while ((result = vsm_log_next(log, &event)) == VSM_LOG_EVENT)
	{
		printf("%ld,", event.line);
		print_value(event.item, ",");
		print_value(event.stage, ",");
		print_value(event.at_text, ",");
		printf("%lld,", (long long) event.order);
		print_value(event.type, ",");
		print_value(event.title, ",");
		print_value(event.refused, "\n");
	}
	vsm_log_close(log);
	return result == VSM_LOG_END ? 0 : 3;
}

static void
print_value(const char *value, const char *behind)
{
	if (value != NULL)
	{
		putchar('"');
		for (; *value != '\0'; value++)
		{
			if (*value == '"')
				putchar('"');
			putchar(*value);
		}
		putchar('"');
	}
	fputs(behind, stdout);
}

static void
print_question(const VsmRecognition *recognition)
{
	if (recognition->outcome == VSM_PROPOSAL)
		return;
	print_line(recognition->message);
	print_line(recognition->detail);
	print_line(recognition->option);
	print_line(recognition->hint);
}

static void
print_line(const char *text)
{
	for (; text != NULL && *text != '\0'; text++)
		putchar((unsigned char) *text < ' ' ? ' ' : *text);
	putchar('\n');
}

static void
usage(void)
{
	fputs("usage: recognise [--events | --question] [--item NAME] [--stage NAME] [--time NAME] [--type NAME] [--title NAME] [--form long|wide]\n"
		  "       [--dates DMY|MDY|YMD] [--direction oldest_first|newest_first] [--time-zone NAME] [--alias NAME=STAGE]\n"
		  "       [--stages NAME[:CATEGORY],...] FILE\n",
		  stderr);
	exit(3);
}
