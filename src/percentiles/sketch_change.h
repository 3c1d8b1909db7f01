/*
 * sketch_change.h
 *		Adding values to a sketch and removing them, one by one or all those of another sketch.  Plain C.
 */
#ifndef VSM_SKETCH_CHANGE_H
#define VSM_SKETCH_CHANGE_H

#include "sketch_layout.h"

extern bool vsm_sketch_add(VsmSketch *sketch, double value);
extern bool vsm_sketch_remove(VsmSketch *sketch, double value);
extern void vsm_sketch_merge(VsmSketch *sketch, const VsmSketch *other);
extern bool vsm_sketch_subtract(VsmSketch *sketch, const VsmSketch *other);

#endif							/* VSM_SKETCH_CHANGE_H */
