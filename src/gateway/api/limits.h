/*
 * limits.h
 *		Bounds that several files keep.
 */
#ifndef VSM_GATEWAY_LIMITS_H
#define VSM_GATEWAY_LIMITS_H

#define MAX_UNWANTED (64 * 1024 * 1024) /* bytes of a refused body that are still read */

#endif
