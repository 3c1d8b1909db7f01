/*
 * vsm.h
 *		Loading the module, and its settings.
 */
#ifndef VSM_H
#define VSM_H

#include "postgres.h"

extern bool vsm_recording;		/* vsm.recording */

#endif							/* VSM_H */
