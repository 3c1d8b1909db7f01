/*
 * compress.h
 *		Compresses answers.
 */
#ifndef VSM_GATEWAY_COMPRESS_H
#define VSM_GATEWAY_COMPRESS_H

#include "api/request.h"

typedef enum Coding
{
	CODING_NEVER,				/* an answer that nobody gets compressed */
	CODING_NONE,				/* one that others may get compressed */
	CODING_GZIP
} Coding;

extern Coding vsm_compress(Request *request);

#endif
