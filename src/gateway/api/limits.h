/*
 * limits.h
 *		Limits that several files use.
 */
#ifndef VSM_GATEWAY_LIMITS_H
#define VSM_GATEWAY_LIMITS_H

#define MAX_UNWANTED (64 * 1024 * 1024) /* maximum bytes of a refused body to read */

#define MAX_QUOTED 200			/* bytes of a value that a message repeats */
#define MAX_DETAIL 4000			/* bytes of a message */
#define MAX_REPEATED 4000			/* bytes of a refused text that an answer repeats */

#endif
