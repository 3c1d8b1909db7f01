/*
 * framing.h
 *		Where a client's requests begin and end, and whether they are HTTP.
 */
#ifndef VSM_GATEWAY_FRAMING_H
#define VSM_GATEWAY_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_FIELDS 100			/* headers and trailers of a request */

/* Why a request is refused before anything else looks at it. */
typedef struct Refusal
{
	int			status;
	const char *reason;			/* of the status line */
	const char *detail;
	const char *hint;			/* or NULL */
	const char *allow;			/* methods, with 405; or NULL */
} Refusal;

typedef enum FramingPhase
{
	FRAMING_IDLE,				/* between requests */
	FRAMING_HEAD,
	FRAMING_BODY
} FramingPhase;

/* Starts as {0}. */
typedef struct Framing
{
	uint8_t		state;			/* private to framing.c, as all that follows but the last three */
	bool		http_1_0;
	bool		has_host;
	bool		has_length;
	bool		chunked;
	bool		trailers;		/* the fields are those behind the last chunk */
	uint8_t		field;			/* which field of interest the value belongs to */
	uint8_t		word_length;
	char		word[40];		/* method, version, name of a field or its value, lower case; cut off */
	bool		cut;			/* word is not all of it */
	bool		spaced;			/* there was a blank behind the value's word */
	int			blank_lines;
	int			n_fields;
	size_t		head_bytes;
	size_t		target_bytes;
	uint64_t	left;			/* bytes of the body or of the chunk */

	unsigned int started;		/* requests whose first byte was seen; wraps around */
	FramingPhase phase;
	const Refusal *refusal;		/* NULL: all is well so far */
} Framing;

extern size_t vsm_framing_check(Framing *framing, char *bytes, size_t length, size_t max_head);

/* Refusals that others give in the same way. */
extern const Refusal vsm_refuse_slow_head;
extern const Refusal vsm_refuse_slow_body;
extern const Refusal vsm_refuse_incomplete;
extern const Refusal vsm_refuse_address;
extern const Refusal vsm_refuse_full;

#endif
