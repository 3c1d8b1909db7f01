/*
 * sketch_sql.h
 *		A sketch as PostgreSQL passes it around.
 */
#ifndef VSM_SKETCH_SQL_H
#define VSM_SKETCH_SQL_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "sketch.h"
#include "sketch_change.h"

/* All that return a sketch allocate it. */
extern const VsmSketch *vsm_sketch_of(Datum datum);
extern VsmSketch *vsm_sketch_empty(double rel_error);
extern VsmSketch *vsm_sketch_with_shape(const VsmSketch *sketch, const VsmSketchShape *shape);
extern VsmSketch *vsm_sketch_larger(const VsmSketch *sketch, double value);
extern VsmSketch *vsm_sketch_least(const VsmSketch *sketch);

extern void vsm_sketch_require_same_error(const VsmSketch *a, const VsmSketch *b);
extern void vsm_sketch_require_countable(const VsmSketch *a, const VsmSketch *b);
pg_noreturn extern void vsm_sketch_refuse_more_values(void);

extern double vsm_sketch_seconds(const Interval *interval);
extern Interval *vsm_sketch_interval(double seconds);

/* The sketch with one more value: itself, or a larger copy. */
static inline VsmSketch *
vsm_sketch_added(VsmSketch *sketch, double value)
{
	if (likely(sketch->count < PG_INT64_MAX && vsm_sketch_add(sketch, value)))
		return sketch;
	return vsm_sketch_larger(sketch, value);
}

/* The argument is not null. */
#define VSM_GETARG_SKETCH(n) vsm_sketch_of(PG_GETARG_DATUM(n))
#define VSM_RETURN_SKETCH(sketch) return PointerGetDatum(sketch)

#endif							/* VSM_SKETCH_SQL_H */
