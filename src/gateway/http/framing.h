/*
 * framing.h
 *		Finds where a client's requests begin and end, and checks that they are valid HTTP.
 */
#ifndef VSM_GATEWAY_FRAMING_H
#define VSM_GATEWAY_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_FIELDS 100			/* headers and trailers of one request */

/* An answer to a request that is refused before libmicrohttpd reads it. */
typedef struct Refusal
{
	int			status;
	const char *reason;			/* reason phrase of the status line */
	const char *detail;
	const char *hint;			/* or NULL */
	const char *allow;			/* the Allow header of a 405; or NULL */
} Refusal;

typedef enum FramingPhase
{
	FRAMING_IDLE,				/* between requests */
	FRAMING_HEAD,
	FRAMING_BODY
} FramingPhase;

/* State of one connection.  Initialize with {0}. */
typedef struct Framing
{
	uint8_t		state;			/* private to framing.c, like all members except the last three */
	bool		http_1_0;
	bool		has_host;
	bool		has_length;
	bool		chunked;
	bool		trailers;		/* the fields are those after the last chunk */
	uint8_t		field;			/* FIELD_... of the current value */
	uint16_t	seen;			/* bits of FIELD_..., of those that may come once */
	uint8_t		word_length;
	char		word[40];		/* method, version, field name or value; in lower case, truncated */
	bool		cut;			/* word was truncated */
	bool		spaced;			/* a blank followed the value's word */
	int			blank_lines;
	int			n_fields;
	size_t		head_bytes;
	size_t		target_bytes;
	uint64_t	left;			/* bytes of the body or chunk still to come */

	unsigned int started;		/* requests whose first byte was seen; wraps around */
	FramingPhase phase;
	const Refusal *refusal;		/* NULL: nothing was refused yet */
} Framing;

extern size_t vsm_framing_check(Framing *framing, char *bytes, size_t length, size_t max_head);

/* Refusals that clients.c decides on. */
extern const Refusal vsm_refuse_slow_head;
extern const Refusal vsm_refuse_slow_body;
extern const Refusal vsm_refuse_incomplete;
extern const Refusal vsm_refuse_address;
extern const Refusal vsm_refuse_full;

#endif
