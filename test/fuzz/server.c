/*
 * server.c
 *		The functions of the server that src/percentiles/sketch_{sql,type,operators}.c call, as far as they can tell.
 */
#include "server.h"

#include "common/hashfn.h"
#include "common/shortest_dec.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "duration.h"

/* Each piece of memory, in a list; its bytes follow. */
typedef union Piece
{
	union Piece *next;
	max_align_t align;
} Piece;

sigjmp_buf	fuzz_refused;

static Piece *pieces = NULL;
static int	level;

pg_noreturn static void refuse(void);

static void
refuse(void)
{
	siglongjmp(fuzz_refused, 1);
}

/* After each input. */
void
fuzz_end(void)
{
	while (pieces)
	{
		Piece	   *next = pieces->next;

		free(pieces);
		pieces = next;
	}
}

/* ---- Memory ---- */

void *
palloc(Size size)
{
	Piece	   *piece;

	if (!AllocSizeIsValid(size))
		refuse();
	piece = malloc(sizeof(Piece) + size);
	if (piece == NULL)
		abort();
	piece->next = pieces;
	pieces = piece;
	return piece + 1;
}

/* Always somewhere else, so that a pointer to the old place shows. */
void *
repalloc(void *pointer, Size size)
{
	Piece	  **link = &pieces;
	Piece	   *old = (Piece *) pointer - 1;

	if (!AllocSizeIsValid(size))
		refuse();
	while (*link != old)
		link = &(*link)->next;
	*link = realloc(old, sizeof(Piece) + size);
	if (*link == NULL)
		abort();
	return *link + 1;
}

struct varlena *
pg_detoast_datum(struct varlena *datum)
{
	return datum;
}

/* ---- Errors ---- */

bool
errstart(int elevel, const char *domain)
{
	level = elevel;
	return true;
}

bool
errstart_cold(int elevel, const char *domain)
{
	return errstart(elevel, domain);
}

void
errfinish(const char *filename, int lineno, const char *funcname)
{
	if (level >= ERROR)
		refuse();
}

int
errcode(int sqlerrcode)
{
	return 0;
}

/* The message is made, since that may be wrong too. */
#define MESSAGE(name) \
int \
name(const char *fmt,...) \
{ \
	char		message[1024]; \
	va_list		arguments; \
	\
	va_start(arguments, fmt); \
	vsnprintf(message, sizeof(message), fmt, arguments); \
	va_end(arguments); \
	return 0; \
}

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
MESSAGE(errmsg)
MESSAGE(errmsg_internal)
MESSAGE(errdetail)
MESSAGE(errhint)

void
ExceptionalCondition(const char *conditionName,
#if PG_VERSION_NUM < 160000
					 const char *errorType,
#endif
					 const char *fileName, int lineNumber)
{
	fprintf(stderr, "%s:%d: %s does not hold\n", fileName, lineNumber, conditionName);
	abort();
}

/* ---- Strings and messages ---- */

void
initStringInfo(StringInfo str)
{
	str->maxlen = 64;
	str->data = palloc(str->maxlen);
	str->data[0] = '\0';
	str->len = str->cursor = 0;
}

void
enlargeStringInfo(StringInfo str, int needed)
{
	if (needed < 0 || (Size) needed >= MaxAllocSize - str->len)
		refuse();
	if (str->len + needed + 1 <= str->maxlen)
		return;
	str->maxlen = Max(2 * str->maxlen, str->len + needed + 1);
	str->data = repalloc(str->data, str->maxlen);
}

void
appendStringInfo(StringInfo str, const char *fmt,...)
{
	char		piece[1024];
	va_list		arguments;
	int			length;

	va_start(arguments, fmt);
	length = vsnprintf(piece, sizeof(piece), fmt, arguments);
	va_end(arguments);
	fuzz_require(length >= 0 && length < (int) sizeof(piece), "a piece of text is short");
	enlargeStringInfo(str, length);
	memcpy(str->data + str->len, piece, length + 1);
	str->len += length;
}

void
appendStringInfoChar(StringInfo str, char ch)
{
	enlargeStringInfo(str, 1);
	str->data[str->len++] = ch;
	str->data[str->len] = '\0';
}

int
double_to_shortest_decimal_buf(double f, char *result)
{
	int			length = 0;

	for (int digits = 1; digits <= 17; digits++)
	{
		length = sprintf(result, "%.*g", digits, f);
		if (strtod(result, NULL) == f)
			break;
	}
	return length;
}

static void
copy_message(StringInfo msg, void *into, int size)
{
	if (size > msg->len - msg->cursor)
		refuse();
	memcpy(into, msg->data + msg->cursor, size);
	msg->cursor += size;
}

int
pq_getmsgbyte(StringInfo msg)
{
	unsigned char byte;

	copy_message(msg, &byte, 1);
	return byte;
}

unsigned int
pq_getmsgint(StringInfo msg, int b)
{
	unsigned char bytes[4];
	unsigned int number = 0;

	copy_message(msg, bytes, b);
	for (int i = 0; i < b; i++)
		number = number << 8 | bytes[i];
	return number;
}

int64
pq_getmsgint64(StringInfo msg)
{
	uint64		high = pq_getmsgint(msg, 4);

	return (int64) (high << 32 | pq_getmsgint(msg, 4));
}

float8
pq_getmsgfloat8(StringInfo msg)
{
	int64		bits = pq_getmsgint64(msg);
	float8		number;

	memcpy(&number, &bits, sizeof(number));
	return number;
}

void
pq_begintypsend(StringInfo buf)
{
	initStringInfo(buf);
	buf->len = VARHDRSZ;
}

bytea *
pq_endtypsend(StringInfo buf)
{
	SET_VARSIZE(buf->data, buf->len);
	return (bytea *) buf->data;
}

void
pq_sendfloat8(StringInfo buf, float8 f)
{
	int64		bits;

	memcpy(&bits, &f, sizeof(bits));
	pq_sendint64(buf, bits);
}

uint32
hash_bytes(const unsigned char *k, int keylen)
{
	uint32		hash = 2166136261;

	for (int i = 0; i < keylen; i++)
		hash = (hash ^ k[i]) * 16777619;
	return hash;
}

/* Of src/duration.c. */
Interval *
vsm_interval(int64 us)
{
	Interval   *result = palloc(sizeof(Interval));

	*result = (Interval){.time = us};
	return result;
}

/* ---- Interrupts: nobody sends any ---- */

volatile sig_atomic_t InterruptPending = false;

void
ProcessInterrupts(void)
{
}
