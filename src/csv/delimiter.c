/*
 * delimiter.c
 *		Which delimiter a file has, by its first lines.
 */
#include "csv/delimiter.h"

#include <stddef.h>
#include <string.h>

/* A line of blanks and delimiters only.  delimiter: one more than the usual; NUL: none. */
bool
vsm_delimiter_blank(const char *line, char delimiter)
{
	for (; *line != '\0'; line++)
		if (strchr(" \t,;|", *line) == NULL && *line != delimiter)
			return false;
	return true;
}

/* The delimiter that a line sep=; names; NUL for any other line. */
char
vsm_delimiter_named(const char *line)
{
	bool		quoted = *line == '"';

	line += quoted;
	if (strncmp(line, "sep=", 4) != 0 || line[4] == '\0' || line[4] == '"' || (unsigned char) line[4] >= 0x80)
		return '\0';
	return strcmp(line + 5, quoted ? "\"" : "") == 0 ? line[4] : '\0';
}

/* The one that stands most often outside of quotes; a comma when there is none. */
char
vsm_delimiter_found(const char *header)
{
	static const char candidates[] = ",;\t|";
	size_t		count[sizeof candidates] = {0};
	size_t		best = 0;
	bool		quoted = false;

	for (; *header != '\0'; header++)
	{
		const char *found = strchr(candidates, *header);

		quoted ^= *header == '"';
		if (found != NULL && !quoted)
			count[found - candidates]++;
	}
	for (size_t i = 1; i < sizeof candidates - 1; i++)
		if (count[i] > count[best])
			best = i;
	return candidates[best];
}
