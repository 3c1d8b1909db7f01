/*
 * vsm.h
 *		Loading the module, and its settings.
 */
#ifndef VSM_H
#define VSM_H

#include "postgres.h"

extern bool vsm_recording;		/* vsm.recording */
extern Oid	vsm_recording_role;	/* who set it; invalid: the server's configuration */

extern const char *vsm_role(void);
extern const char *vsm_actor(void);

#endif							/* VSM_H */
