/*
 * framing.c
 *		Finds where a client's requests begin and end, and checks that they are valid HTTP.
 *
 * Every byte from a client passes through vsm_framing_check() before libmicrohttpd reads it
 * (clients.c).  The check follows RFC 9112 strictly.  It refuses a request whose end a proxy in
 * front of the gateway and libmicrohttpd could see differently, and everything that follows that
 * request on its connection.  libmicrohttpd is lenient: it accepts a bare LF, folded lines, blanks
 * before a colon and the first of two lengths, and reads a body with an unknown coding until the
 * connection ends.  The requests that it does refuse it answers in HTML.  After this check it
 * finds nothing to refuse.
 *
 *	 line       method SP target SP HTTP/1.0 or HTTP/1.1 CRLF
 *	 field      name ":" [blanks] value [blanks] CRLF; no blanks after values checked here
 *	 body       Content-Length bytes, or chunks: size CRLF bytes CRLF, ended by one of size 0, fields, CRLF.
 *	            Chunk extensions are refused: they are not used in practice, proxies disagree
 *	            about them, and libmicrohttpd 1.0 answers some in HTML that it should ignore
 *
 * The only text it keeps is the first bytes of a word, so its memory does not grow with the
 * input.
 */
#include "framing.h"

#include <string.h>

#define MAX_METHOD 32
#define MAX_BLANK_LINES 2
#define SIZE_DIGITS 15			/* hexadecimal; like 18 decimal digits, they stay below 2^63 */
#define LENGTH_DIGITS 18

enum
{
	START,
	START_LF,
	METHOD,
	TARGET,
	VERSION,
	LINE_LF,
	FIELD_START,
	NAME,
	VALUE,
	VALUE_LF,
	HEAD_LF,
	BODY,
	SIZE,
	SIZE_LF,
	CHUNK,
	CHUNK_CR,
	CHUNK_LF
};

enum
{
	FIELD_OTHER,
	FIELD_HOST,
	FIELD_LENGTH,
	FIELD_CODING,
	FIELD_EXPECT,
	/* their values are for the layers above, but two of one kind would be ambiguous */
	FIELD_AUTHORIZATION,
	FIELD_TYPE,
	FIELD_ENCODING,
	FIELD_ORIGIN
};

#define MALFORMED(text) \
	{\
		400, "Bad Request", text, NULL, NULL \
	}

static const Refusal bad_line = MALFORMED("Malformed request line");
static const Refusal bad_target = MALFORMED("Malformed request target");
static const Refusal bad_field = MALFORMED("Malformed header field");
static const Refusal folded_field = MALFORMED("A header field spans several lines");
static const Refusal bare_end = MALFORMED("A line does not end with CR LF");
static const Refusal no_host = MALFORMED("A Host header is missing");
static const Refusal two_hosts = MALFORMED("More than one Host header");
static const Refusal two_values[] = {
	[FIELD_AUTHORIZATION] = MALFORMED("More than one Authorization header"),
	[FIELD_TYPE] = MALFORMED("More than one Content-Type header"),
	[FIELD_ENCODING] = MALFORMED("More than one Content-Encoding header"),
	[FIELD_ORIGIN] = MALFORMED("More than one Origin header")
};
static const Refusal bad_host = MALFORMED("Malformed Host header");
static const Refusal two_lengths = MALFORMED("More than one Content-Length header");
static const Refusal bad_length = MALFORMED("Malformed Content-Length header");
static const Refusal two_framings = MALFORMED("Both Content-Length and Transfer-Encoding headers");
static const Refusal bad_coding = {400, "Bad Request", "Unknown Transfer-Encoding", "Send the body with Content-Length, or with Transfer-Encoding: chunked.", NULL};
static const Refusal bad_chunk = MALFORMED("Malformed chunk");
static const Refusal connect_method = {405, "Method Not Allowed", "Method Not Allowed", NULL, "GET, HEAD, POST, PUT, DELETE, OPTIONS"};
static const Refusal long_target = {414, "URI Too Long", "Request target too long", NULL, NULL};
static const Refusal unknown_expectation = {417, "Expectation Failed", "Unknown expectation", NULL, NULL};
static const Refusal large_head = {431, "Request Header Fields Too Large", "Request headers too large", NULL, NULL};
static const Refusal many_fields = {431, "Request Header Fields Too Large", "Too many request headers", NULL, NULL};
static const Refusal unknown_version = {505, "HTTP Version Not Supported", "HTTP Version Not Supported", "Use HTTP/1.1.", NULL};

const Refusal vsm_refuse_slow_head = {408, "Request Timeout", "The request's headers took too long", NULL, NULL};
const Refusal vsm_refuse_slow_body = {408, "Request Timeout", "The request's body took too long", NULL, NULL};
const Refusal vsm_refuse_incomplete = {400, "Bad Request", "The request is incomplete", NULL, NULL};
const Refusal vsm_refuse_address = {503, "Service Unavailable", "Too many connections from this address", "Reuse connections, or close some.", NULL};
const Refusal vsm_refuse_full = {503, "Service Unavailable", "Too many connections", NULL, NULL};

static const Refusal *step(Framing *framing, char *byte, size_t max_head);
static const Refusal *step_line(Framing *framing, unsigned char c);
static const Refusal *step_field(Framing *framing, char *byte);
static const Refusal *step_chunk(Framing *framing, unsigned char c);
static const Refusal *begin_target(Framing *framing);
static const Refusal *end_target(const Framing *framing);
static const Refusal *end_version(Framing *framing);
static const Refusal *begin_value(Framing *framing);
static const Refusal *end_value(Framing *framing);
static const Refusal *read_length(Framing *framing);
static const Refusal *end_head(Framing *framing);
static void begin_size(Framing *framing);
static const Refusal *end_size(Framing *framing);
static void end_request(Framing *framing);
static const Refusal *go_if(Framing *framing, bool expected, int state, const Refusal *otherwise);
static void add_to_word(Framing *framing, unsigned char c);
static bool word_is(const Framing *framing, const char *wanted);
static bool is_token(unsigned char c);

/*
 * vsm_framing_check
 *		Returns how many of these bytes may be passed on.
 *
 * These are all bytes, unless framing->refusal is set.  Then they are the bytes before the refused
 * request, or none if that request began in an earlier call.  The name of a Cookie header is
 * overwritten: the gateway does not use cookies, and libmicrohttpd would parse them in the
 * connection's memory.
 */
size_t
vsm_framing_check(Framing *framing, char *bytes, size_t length, size_t max_head)
{
	size_t		begun = 0;		/* where the current request begins */

	for (size_t i = 0; i < length;)
	{
		if (framing->state == BODY || framing->state == CHUNK)
		{
			uint64_t	n = length - i < framing->left ? length - i : framing->left;

			i += n;
			framing->left -= n;
			if (framing->left > 0)
				continue;
			if (framing->state == CHUNK)
				framing->state = CHUNK_CR;
			else
				end_request(framing);
			continue;
		}
		if (framing->state == START)
			begun = i;
		framing->refusal = step(framing, &bytes[i], max_head);
		if (framing->refusal != NULL)
			return begun;
		i++;
	}
	return length;
}

/* Handle a byte that is not body content. */
static const Refusal *
step(Framing *framing, char *byte, size_t max_head)
{
	if (framing->phase == FRAMING_HEAD || framing->trailers)
	{
		if (++framing->head_bytes > max_head)
			return framing->state == TARGET ? &long_target : &large_head;
	}
	if (framing->state < FIELD_START)
		return step_line(framing, (unsigned char) *byte);
	if (framing->state < BODY)
		return step_field(framing, byte);
	return step_chunk(framing, (unsigned char) *byte);
}

static const Refusal *
step_line(Framing *framing, unsigned char c)
{
	switch (framing->state)
	{
		case START:
			if (c == '\r' && framing->blank_lines++ < MAX_BLANK_LINES)
				return go_if(framing, true, START_LF, NULL);
			framing->started++;
			framing->phase = FRAMING_HEAD;
			framing->head_bytes = 1;
			framing->word_length = 0;
			framing->cut = false;
			add_to_word(framing, c);
			return go_if(framing, is_token(c), METHOD, &bad_line);
		case START_LF:
			if (c != '\n')
				framing->started++;
			return go_if(framing, c == '\n', START, &bad_line);
		case METHOD:
			if (c == ' ')
				return begin_target(framing);
			add_to_word(framing, c);
			return go_if(framing, is_token(c) && framing->head_bytes <= MAX_METHOD, METHOD, &bad_line);
		case TARGET:
			if (c == ' ')
			{
				const Refusal *refusal = end_target(framing);

				framing->word_length = 0;
				framing->cut = false;
				return go_if(framing, refusal == NULL, VERSION, refusal);
			}
			framing->target_bytes++;
			add_to_word(framing, c);
			return go_if(framing, c > ' ' && c != 0x7f, TARGET, c == '\r' || c == '\n' ? &bad_line : &bad_target);
		case VERSION:
			if (c == '\r')
				return end_version(framing);
			add_to_word(framing, c);
			return go_if(framing, c > ' ' && framing->word_length <= 8, VERSION, c == '\n' ? &bare_end : &bad_line);
		case LINE_LF:
		default:
			return go_if(framing, c == '\n', FIELD_START, &bare_end);
	}
}

static const Refusal *
begin_target(Framing *framing)
{
	if (word_is(framing, "connect"))
		return &connect_method;
	/* The method stays in the word, so that end_target() can recognize "options *". */
	add_to_word(framing, ' ');
	framing->target_bytes = 0;
	framing->state = TARGET;
	return NULL;
}

/* Accepts a path, "*" for OPTIONS, or http://authority/path. */
static const Refusal *
end_target(const Framing *framing)
{
	const char *target = memchr(framing->word, ' ', framing->word_length);
	size_t		length;

	if (target == NULL)
		return &bad_target;
	target++;
	length = framing->word_length - (size_t) (target - framing->word);
	if (length > 0 && target[0] == '/')
		return NULL;
	if (framing->target_bytes == 1 && word_is(framing, "options *"))
		return NULL;
	if (length > 7 && memcmp(target, "http://", 7) == 0 && target[7] != '/')
		return NULL;
	if (length > 8 && memcmp(target, "https://", 8) == 0 && target[8] != '/')
		return NULL;
	return &bad_target;
}

static const Refusal *
end_version(Framing *framing)
{
	const char *v = framing->word;

	if (framing->word_length != 8 || memcmp(v, "http/", 5) != 0 || v[5] < '0' || v[5] > '9' || v[6] != '.' || v[7] < '0' || v[7] > '9')
		return &bad_line;
	if (v[5] != '1' || v[7] > '1')
		return &unknown_version;
	framing->http_1_0 = v[7] == '0';
	framing->has_host = framing->has_length = framing->chunked = framing->trailers = false;
	framing->n_fields = 0;
	framing->seen = 0;
	framing->left = 0;
	framing->state = LINE_LF;
	return NULL;
}

/* ---- Fields ---- */

static const Refusal *
step_field(Framing *framing, char *byte)
{
	unsigned char c = (unsigned char) *byte;

	switch (framing->state)
	{
		case FIELD_START:
			if (c == '\r')
				return go_if(framing, true, HEAD_LF, NULL);
			if (c == ' ' || c == '\t')
				return &folded_field;
			if (++framing->n_fields > MAX_FIELDS)
				return &many_fields;
			framing->word_length = 0;
			framing->cut = false;
			add_to_word(framing, c);
			return go_if(framing, is_token(c), NAME, c == '\n' ? &bare_end : &bad_field);
		case NAME:
			if (c == ':')
				return begin_value(framing);
			add_to_word(framing, c);
			if (word_is(framing, "cookie"))
				*byte = '_';
			return go_if(framing, is_token(c), NAME, &bad_field);
		case VALUE:
			if (c == '\r')
				return go_if(framing, true, VALUE_LF, NULL);
			if (c == ' ' || c == '\t')
				framing->spaced = framing->word_length > 0;
			else
			{
				if (framing->field == FIELD_HOST && (framing->spaced || strchr("/\\@?#,\"<>", c) != NULL))
					return &bad_host;
				if (framing->spaced)
					add_to_word(framing, ' ');
				framing->spaced = false;
				add_to_word(framing, c);
			}
			return go_if(framing, (c >= ' ' && c != 0x7f) || c == '\t', VALUE, c == '\n' ? &bare_end : &bad_field);
		case VALUE_LF:
			return c == '\n' ? end_value(framing) : &bare_end;
		case HEAD_LF:
		default:
			return c == '\n' ? end_head(framing) : &bare_end;
	}
}

/* Trailers (fields after the last chunk) cannot change the framing, and are ignored. */
static const Refusal *
begin_value(Framing *framing)
{
	static const char *const names[] = {[FIELD_HOST] = "host", [FIELD_LENGTH] = "content-length", [FIELD_CODING] = "transfer-encoding", [FIELD_EXPECT] = "expect", [FIELD_AUTHORIZATION] = "authorization", [FIELD_TYPE] = "content-type", [FIELD_ENCODING] = "content-encoding", [FIELD_ORIGIN] = "origin"};

	framing->field = FIELD_OTHER;
	for (int i = FIELD_HOST; i <= FIELD_ORIGIN && !framing->trailers; i++)
		if (word_is(framing, names[i]))
			framing->field = (uint8_t) i;
	framing->word_length = 0;
	framing->cut = false;
	framing->spaced = false;
	framing->state = VALUE;
	return NULL;
}

static const Refusal *
end_value(Framing *framing)
{
	const Refusal *refusal = NULL;

	/* libmicrohttpd would keep trailing blanks as part of the value. */
	if (framing->spaced && framing->field != FIELD_OTHER && framing->field <= FIELD_EXPECT)
		refusal = framing->field == FIELD_HOST ? &bad_host : framing->field == FIELD_LENGTH ? &bad_length
																							: &bad_field;
	else if (framing->field == FIELD_HOST)
	{
		refusal = framing->has_host ? &two_hosts : NULL;
		framing->has_host = true;
	}
	else if (framing->field == FIELD_LENGTH)
		refusal = read_length(framing);
	else if (framing->field == FIELD_CODING)
	{
		/* HTTP/1.0 has no transfer codings (RFC 9112, section 6.1). */
		refusal = framing->chunked || framing->http_1_0 || !word_is(framing, "chunked") ? &bad_coding : NULL;
		framing->chunked = true;
	}
	else if (framing->field == FIELD_EXPECT && !word_is(framing, "100-continue"))
		refusal = &unknown_expectation;
	else if (framing->field >= FIELD_AUTHORIZATION)
	{
		refusal = (framing->seen & 1u << framing->field) != 0 ? &two_values[framing->field] : NULL;
		framing->seen |= (uint16_t) (1u << framing->field);
	}
	if (refusal == NULL && framing->has_length && framing->chunked)
		refusal = &two_framings;
	framing->state = FIELD_START;
	return refusal;
}

/* Accepts only digits; strtoull() would also accept signs and blanks. */
static const Refusal *
read_length(Framing *framing)
{
	if (framing->has_length)
		return &two_lengths;
	if (framing->word_length == 0 || framing->word_length > LENGTH_DIGITS || framing->cut)
		return &bad_length;
	for (int i = 0; i < framing->word_length; i++)
	{
		if (framing->word[i] < '0' || framing->word[i] > '9')
			return &bad_length;
		framing->left = framing->left * 10 + (uint64_t) (framing->word[i] - '0');
	}
	framing->has_length = true;
	return NULL;
}

static const Refusal *
end_head(Framing *framing)
{
	if (framing->trailers)
	{
		end_request(framing);
		return NULL;
	}
	if (!framing->has_host && !framing->http_1_0)
		return &no_host;
	framing->phase = FRAMING_BODY;
	if (framing->chunked)
		begin_size(framing);
	else if (framing->left > 0)
		framing->state = BODY;
	else
		end_request(framing);
	return NULL;
}

static void
end_request(Framing *framing)
{
	framing->state = START;
	framing->phase = FRAMING_IDLE;
	framing->trailers = false;
	framing->blank_lines = 0;
}

/* ---- Chunks ---- */

static const Refusal *
step_chunk(Framing *framing, unsigned char c)
{
	switch (framing->state)
	{
		case SIZE:
			if (c == '\r')
				return go_if(framing, framing->word_length > 0, SIZE_LF, &bad_chunk);
			add_to_word(framing, c);
			return go_if(framing, c != 0 && strchr("0123456789abcdefABCDEF", c) != NULL && framing->word_length <= SIZE_DIGITS, SIZE, &bad_chunk);
		case SIZE_LF:
			return c == '\n' ? end_size(framing) : &bad_chunk;
		case CHUNK_CR:
			return go_if(framing, c == '\r', CHUNK_LF, &bad_chunk);
		case CHUNK_LF:
		default:
			begin_size(framing);
			return c == '\n' ? NULL : &bad_chunk;
	}
}

static void
begin_size(Framing *framing)
{
	framing->word_length = 0;
	framing->cut = false;
	framing->state = SIZE;
}

static const Refusal *
end_size(Framing *framing)
{
	framing->left = 0;
	for (int i = 0; i < framing->word_length; i++)
	{
		char		digit = framing->word[i];

		framing->left = framing->left * 16 + (uint64_t) (digit <= '9' ? digit - '0' : digit - 'a' + 10);
	}
	framing->trailers = framing->left == 0;
	framing->state = framing->trailers ? FIELD_START : CHUNK;
	return NULL;
}

/* ---- Words ---- */

static const Refusal *
go_if(Framing *framing, bool expected, int state, const Refusal *otherwise)
{
	framing->state = (uint8_t) state;
	return expected ? NULL : otherwise;
}

static void
add_to_word(Framing *framing, unsigned char c)
{
	if (framing->word_length == sizeof framing->word)
		framing->cut = true;
	else
		framing->word[framing->word_length++] = (char) (c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
}

static bool
word_is(const Framing *framing, const char *wanted)
{
	return !framing->cut && framing->word_length == strlen(wanted) && memcmp(framing->word, wanted, framing->word_length) == 0;
}

/* RFC 9110, section 5.6.2 */
static bool
is_token(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}
