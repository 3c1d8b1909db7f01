/*
 * errors.h
 *		The SQLSTATEs that vsm raises.
 *
 * A state "PTxyz" is what PostgREST and the gateway turn into HTTP status xyz.
 */
#ifndef VSM_ERRORS_H
#define VSM_ERRORS_H

#include "utils/elog.h"

#define VSM_NOT_FOUND		MAKE_SQLSTATE('P', 'T', '4', '0', '4')	/* unknown item, stage, stream */
#define VSM_CONFLICT		MAKE_SQLSTATE('P', 'T', '4', '0', '9')	/* lost update, limit reached */
#define VSM_UNPROCESSABLE	MAKE_SQLSTATE('P', 'T', '4', '2', '2')	/* value refused */

#endif							/* VSM_ERRORS_H */
