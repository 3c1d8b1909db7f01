/*
 * known_names.h
 *		Names of streams, stages and types, for the hint of an error about one that does not exist.
 */
#ifndef VSM_KNOWN_NAMES_H
#define VSM_KNOWN_NAMES_H

#include "postgres.h"

extern char *vsm_known_streams(bool (*sees)(const char *stream));
extern char *vsm_known_stages(const char *stream);
extern char *vsm_known_stages_of(bool (*sees)(const char *stream));
extern char *vsm_known_types(void);

#endif							/* VSM_KNOWN_NAMES_H */
