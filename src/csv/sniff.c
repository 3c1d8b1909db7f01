/*
 * sniff.c
 *		How a file is written: its encoding, its delimiter and where its header is.
 *
 * The encoding is by the byte order mark; without one it is UTF-16 when the
 * zero bytes say so, UTF-8 when the whole file is that, and else Windows-1252.
 *
 * The first lines are read with each delimiter.  The right one gives most
 * records the same number of fields, and more than one.  The header is the first
 * record with that many, most of them filled: what stands before it is a title.
 */
#include "csv/sniff.h"

#include <string.h>

#include "csv/fold.h"

#define HEAD (64 * 1024)
#define HEAD_RECORDS 400

static const char gzip_magic[] = {'\x1f', '\x8b'};

/* What the whole file says. */
typedef struct Bytes
{
	long		zeros[2];		/* at even and odd places */
	long		total;
	long		characters;		/* of several bytes of UTF-8 */
	long		wrong;			/* bytes that are not UTF-8 */
	char		held[4];		/* the beginning of a character that goes on in the next piece */
	size_t		n_held;
} Bytes;

/* How well a delimiter fits. */
typedef struct Fit
{
	int			columns;
	int			records;		/* with so many fields */
	int			others;
	long		header_line;
} Fit;

static bool look_at_bytes(const VsmSource *source, char *head, size_t *head_length, Bytes *bytes);
static void count_bytes(Bytes *bytes, const char *piece, size_t length);
static void count_characters(Bytes *bytes, const char *text, size_t length, bool last);
static Encoding encoding_of(const char *head, size_t length, const Bytes *bytes, const char **name);
static bool fit_delimiter(const char *head, size_t length, Encoding encoding, char delimiter, Arena *arena, Fit *fit);
static bool is_better(const Fit *fit, const Fit *best);
static char named_delimiter(const char *head, size_t length, Encoding encoding);

SniffResult
vsm_sniff(const VsmSource *source, Arena *arena, RowFormat *format, const char **encoding)
{
	static const char delimiters[] = ",;\t|";
	char	   *head = vsm_arena_alloc(arena, HEAD + 1);
	size_t		length = 0;
	Bytes		bytes = {0};
	Fit			best = {0};
	char		named;
	bool		any = false;

	memset(format, 0, sizeof *format);
	*encoding = NULL;
	if (!look_at_bytes(source, head, &length, &bytes))
		return SNIFF_FAILED;
	if (length >= sizeof gzip_magic && memcmp(head, gzip_magic, sizeof gzip_magic) == 0)
		return SNIFF_GZIP;
	format->encoding = encoding_of(head, length, &bytes, encoding);
	format->delimiter = ',';
	if (*encoding == NULL)
		return bytes.total == 0 ? SNIFF_EMPTY : SNIFF_NOT_TEXT;
	named = named_delimiter(head, length, format->encoding);
	for (const char *d = named != '\0' ? &named : delimiters; *d != '\0'; d = named != '\0' ? "" : d + 1)
	{
		Fit			fit;

		any |= fit_delimiter(head, length, format->encoding, *d, arena, &fit);
		if (fit.columns > 1 && is_better(&fit, &best))
		{
			best = fit;
			format->delimiter = *d;
		}
	}
	vsm_arena_release(arena, head);
	format->n_columns = best.columns;
	format->header_line = best.header_line;
	if (!any)
		return SNIFF_EMPTY;
	return best.columns > 1 ? SNIFF_OK : SNIFF_ONE_COLUMN;
}

/* ---- The encoding ---- */

static bool
look_at_bytes(const VsmSource *source, char *head, size_t *head_length, Bytes *bytes)
{
	char		piece[16 * 1024];
	long		length;

	if (!source->rewind(source->state))
		return false;
	while ((length = source->read(source->state, piece, sizeof piece)) > 0)
	{
		size_t		room = HEAD - *head_length;
		size_t		n = (size_t) length < room ? (size_t) length : room;

		memcpy(head + *head_length, piece, n);
		*head_length += n;
		count_bytes(bytes, piece, (size_t) length);
	}
	count_characters(bytes, bytes->held, bytes->n_held, true);
	return length == 0;
}

static void
count_bytes(Bytes *bytes, const char *piece, size_t length)
{
	char		joined[8];

	for (const char *zero = piece; (zero = memchr(zero, '\0', length - (size_t) (zero - piece))) != NULL; zero++)
	{
		bytes->zeros[(bytes->total + (zero - piece)) % 2]++;
		if (zero + 1 == piece + length)
			break;
	}
	bytes->total += (long) length;
	/* The character that began in the piece before. */
	while (bytes->n_held > 0 && length > 0)
	{
		size_t		n = bytes->n_held;

		memcpy(joined, bytes->held, n);
		joined[n] = *piece++;
		length--;
		bytes->n_held = 0;
		count_characters(bytes, joined, n + 1, false);
	}
	count_characters(bytes, piece, length, false);
}

static void
count_characters(Bytes *bytes, const char *text, size_t length, bool last)
{
	size_t		i = vsm_ascii_run(text, length);

	while (i < length)
	{
		size_t		n = vsm_utf8_sequence(text + i, length - i);

		if (n == 0 && !last && length - i < 4 && (unsigned char) text[i] >= 0xC2 && length - i <= sizeof bytes->held)
		{
			char		padded[4] = {0};
			bool		may_go_on;

			/* Whether it is a beginning: with the least bytes that may follow. */
			memcpy(padded, text + i, length - i);
			may_go_on = length - i == 1 || ((unsigned char) text[i + 1] & 0xC0) == 0x80;
			if (may_go_on && (unsigned char) text[i] <= 0xF4)
			{
				memcpy(bytes->held, padded, length - i);
				bytes->n_held = length - i;
				return;
			}
		}
		bytes->characters += n > 1;
		bytes->wrong += n == 0;
		i += n == 0 ? 1 : n;
		i += vsm_ascii_run(text + i, length - i);
	}
}

/* The name is NULL when this is no text. */
static Encoding
encoding_of(const char *head, size_t length, const Bytes *bytes, const char **name)
{
	if (length >= 2 && (memcmp(head, "\xFF\xFE", 2) == 0 || memcmp(head, "\xFE\xFF", 2) == 0))
	{
		*name = head[0] == '\xFF' ? "UTF-16LE" : "UTF-16BE";
		return ENCODING_UNKNOWN;
	}
	for (int odd = 0; odd < 2; odd++)
		if (bytes->zeros[odd] > bytes->total / 20 && bytes->zeros[odd] > 50 * bytes->zeros[1 - odd])
		{
			*name = odd ? "UTF-16LE" : "UTF-16BE";
			return odd ? ENCODING_UTF16_LE : ENCODING_UTF16_BE;
		}
	if (bytes->total == 0 || bytes->zeros[0] + bytes->zeros[1] > 0)
		return ENCODING_UNKNOWN;
	if (bytes->wrong == 0 || bytes->characters > 20 * bytes->wrong || (length >= 3 && memcmp(head, "\xEF\xBB\xBF", 3) == 0))
	{
		*name = "UTF-8";
		return ENCODING_UNKNOWN;
	}
	*name = "windows-1252";
	return ENCODING_WINDOWS_1252;
}

/* ---- The delimiter and the header ---- */

/* False: there are blank lines only. */
static bool
fit_delimiter(const char *head, size_t length, Encoding encoding, char delimiter, Arena *arena, Fit *fit)
{
	VsmMemory	memory = {.bytes = head, .length = length};
	VsmSource	source = vsm_memory_source(&memory);
	RowFormat	format = {.encoding = encoding, .delimiter = delimiter};
	RowReader  *rows = vsm_arena_alloc(arena, sizeof *rows);
	int			n_fields[HEAD_RECORDS];
	int			n_filled[HEAD_RECORDS];
	bool		ends_empty[HEAD_RECORDS];
	long		line[HEAD_RECORDS];
	int			n = 0;

	memset(fit, 0, sizeof *fit);
	if (vsm_rows_open(rows, &source, &format))
		for (; n < HEAD_RECORDS && vsm_rows_next(rows); n++)
		{
			size_t		ignored;

			n_fields[n] = vsm_csv_fields(rows->csv);
			line[n] = rows->line;
			n_filled[n] = 0;
			for (int i = 0; i < n_fields[n]; i++)
				n_filled[n] += vsm_rows_field(rows, i, &ignored) != NULL;
			ends_empty[n] = vsm_rows_field(rows, n_fields[n] - 1, &ignored) == NULL;
		}
	vsm_rows_close(rows);
	vsm_arena_release(arena, rows);

	/* The header has more fields than most titles, and as many as most of the records below it. */
	for (int i = 0; i < n; i++)
	{
		int			same = 0;

		for (int j = i; j < n; j++)
			same += n_fields[j] == n_fields[i];
		if (n_fields[i] > 1 && 2 * n_filled[i] > n_fields[i] && (same > fit->records || fit->columns == 1))
		{
			*fit = (Fit){n_fields[i], same, n - i - same, line[i]};
			/* A delimiter too many at the end of each row, but not of the header. */
			for (int j = i; i > 0 && n_fields[i - 1] == n_fields[i] - 1 && n_filled[i - 1] == n_fields[i - 1] && n_fields[i] > 2; j++)
				if (j == n)
				{
					fit->columns--;
					fit->header_line = line[i - 1];
					break;
				}
				else if (n_fields[j] == n_fields[i] && !ends_empty[j])
					break;
		}
	}
	return n > 0 && strspn(head, " \t\r\n,;|\"") < length;
}

/* First by how many records agree, then by the number of fields. */
static bool
is_better(const Fit *fit, const Fit *best)
{
	double		mine = (double) fit->records / (fit->records + fit->others);
	double		other = best->records == 0 ? 0 : (double) best->records / (best->records + best->others);

	if (mine > other + 0.2 || mine < other - 0.2)
		return mine > other;
	return fit->columns > best->columns;
}

/* By a first line sep=; as Excel writes it; NUL: there is none. */
static char
named_delimiter(const char *head, size_t length, Encoding encoding)
{
	char		text[16] = {0};
	size_t		n = 0;

	for (size_t i = 0; i < length && n < sizeof text - 1; i++)
		if (head[i] != '\0' && ((unsigned char) head[i] < 0x80 || encoding == ENCODING_WINDOWS_1252))
			text[n++] = head[i];
	return strncmp(text, "sep=", 4) == 0 && text[4] != '\n' && text[4] != '\r' && text[4] != '"' ? text[4] : strncmp(text, "\"sep=", 5) == 0 && text[5] != '\n' && text[5] != '\r' && text[5] != '"' ? text[5]
																																																	 : '\0';
}

/* ---- Bytes in memory as a source ---- */

static long
read_memory(void *state, char *buffer, size_t size)
{
	VsmMemory  *memory = state;
	size_t		left = memory->length - memory->place;
	size_t		n = size < left ? size : left;

	memcpy(buffer, memory->bytes + memory->place, n);
	memory->place += n;
	return (long) n;
}

static bool
rewind_memory(void *state)
{
	((VsmMemory *) state)->place = 0;
	return true;
}

VsmSource
vsm_memory_source(VsmMemory *memory)
{
	return (VsmSource){read_memory, rewind_memory, memory};
}
