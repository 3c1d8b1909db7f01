/*
 * vsm.h
 *		Loading the module, and its settings.
 */
#ifndef VSM_H
#define VSM_H

#include "postgres.h"

extern bool vsm_recording;		/* vsm.recording */

extern const char *vsm_role(void);
extern const char *vsm_actor(void);

#endif							/* VSM_H */
