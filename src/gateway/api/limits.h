/*
 * limits.h
 *		Limits that several files use.
 */
#ifndef VSM_GATEWAY_LIMITS_H
#define VSM_GATEWAY_LIMITS_H

#define MAX_UNWANTED (64 * 1024 * 1024) /* maximum bytes of a refused body to read */

#endif
