/*
 * file_types.h
 *		Media types of files by file name extension.
 */
#ifndef VSM_GATEWAY_FILE_TYPES_H
#define VSM_GATEWAY_FILE_TYPES_H

#include <stddef.h>

typedef struct FileType
{
	const char *ending;			/* NULL: all other files; ends the list */
	const char *type;
} FileType;

static const FileType vsm_file_types[] = {
	{".html", "text/html; charset=utf-8"},
	{".js", "text/javascript; charset=utf-8"},
	{".css", "text/css; charset=utf-8"},
	{".svg", "image/svg+xml"},
	{".png", "image/png"},
	{".ico", "image/x-icon"},
	{".woff2", "font/woff2"},
	{".json", "application/json"},
	{NULL, "text/plain; charset=utf-8"},
};

#endif
