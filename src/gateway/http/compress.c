/*
 * compress.c
 *		Compresses answers with gzip, for clients that accept it (RFC 9110, section 12.5.3).
 *
 * Answers of the database are compressed fast, since other clients wait meanwhile, and none that are
 * longer than MAX_LENGTH.  Files that are embedded in the program are compressed well, once; the
 * result is kept as long as the program runs.
 *
 * Only the working thread calls this.
 */
#include "compress.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#define MIN_LENGTH 1024
#define MAX_LENGTH (4 * 1024 * 1024)
#define GZIP 16					/* added to the window's size: write a header of gzip */
#define MEMORY_LEVEL 8			/* zlib's default */

/* An embedded file, compressed. */
typedef struct Kept
{
	struct Kept *next;
	const char *bytes;			/* of the file itself */
	char	   *packed;			/* NULL: it does not get shorter */
	size_t		length;
} Kept;

static Kept *kept_files;

static bool is_text(const char *type);
static bool accepts_gzip(const char *accept);
static const Kept *keep(const char *bytes, size_t length);
static char *pack(const char *bytes, size_t length, int level, size_t *packed_length);

/* Compress the request's answer if its client accepts that.  Returns what was done. */
Coding
vsm_compress(Request *request)
{
	Answer	   *answer = &request->answer;
	const Kept *kept;
	char	   *packed;
	size_t		length;

	if (answer->length <= MIN_LENGTH || answer->length > MAX_LENGTH || !is_text(answer->type))
		return CODING_NEVER;
	if (!accepts_gzip(vsm_request_header(request, "Accept-Encoding")))
		return CODING_NONE;
	if (answer->release == NULL)
	{
		kept = keep(answer->bytes, answer->length);
		if (kept->packed == NULL)
			return CODING_NONE;
		answer->bytes = kept->packed;
		answer->length = kept->length;
		return CODING_GZIP;
	}
	packed = pack(answer->bytes, answer->length, Z_BEST_SPEED, &length);
	if (packed == NULL)
		return CODING_NONE;
	vsm_request_drop_answer(request);
	answer->bytes = packed;
	answer->length = length;
	answer->release = free;
	answer->owner = packed;
	return CODING_GZIP;
}

/* Pictures and fonts are compressed already. */
static bool
is_text(const char *type)
{
	static const char *const types[] = {"text/", "application/json", "application/javascript", "application/openmetrics-text", "image/svg+xml"};

	for (size_t i = 0; type != NULL && i < sizeof types / sizeof types[0]; i++)
		if (strncmp(type, types[i], strlen(types[i])) == 0)
			return true;
	return false;
}

/* The quality of gzip or x-gzip, or else of *, must not be 0. */
static bool
accepts_gzip(const char *accept)
{
	bool		any = false;

	while (accept != NULL && *accept != '\0')
	{
		size_t		length = strcspn(accept, ",");
		const char *name = accept + strspn(accept, " \t");
		size_t		name_length = strcspn(name, ",; \t");
		bool		accepted = vsm_quality(accept, length) > 0;

		if ((name_length == 4 && strncasecmp(name, "gzip", 4) == 0) || (name_length == 6 && strncasecmp(name, "x-gzip", 6) == 0))
			return accepted;
		if (name_length == 1 && *name == '*')
			any = accepted;
		accept += length;
		accept += *accept == ',';
	}
	return any;
}

static const Kept *
keep(const char *bytes, size_t length)
{
	Kept	   *kept = kept_files;

	while (kept != NULL && kept->bytes != bytes)
		kept = kept->next;
	if (kept != NULL)
		return kept;
	kept = vsm_alloc(sizeof *kept);
	kept->bytes = bytes;
	kept->packed = pack(bytes, length, Z_DEFAULT_COMPRESSION, &kept->length);
	kept->next = kept_files;
	kept_files = kept;
	return kept;
}

/* Returns NULL if the result is not shorter. */
static char *
pack(const char *bytes, size_t length, int level, size_t *packed_length)
{
	z_stream	stream = {0};
	char	   *packed;
	bool		complete;

	if (deflateInit2(&stream, level, Z_DEFLATED, MAX_WBITS + GZIP, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	packed = vsm_alloc(length);
	stream.next_in = (Bytef *) (uintptr_t) bytes;
	stream.avail_in = (uInt) length;
	stream.next_out = (Bytef *) packed;
	stream.avail_out = (uInt) length;
	complete = deflate(&stream, Z_FINISH) == Z_STREAM_END;
	*packed_length = stream.total_out;
	deflateEnd(&stream);
	if (complete)
		return vsm_grow(packed, *packed_length);
	free(packed);
	return NULL;
}
