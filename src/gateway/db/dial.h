/*
 * dial.h
 *		How every connection to the database is begun.
 */
#ifndef VSM_GATEWAY_DIAL_H
#define VSM_GATEWAY_DIAL_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

extern PGconn *vsm_dial(const char *name);
extern int64_t vsm_dial_timeout_us(void);
extern bool vsm_dial_elsewhere(void);

#endif
