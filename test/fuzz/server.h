/*
 * server.h
 *		What src/percentiles/sketch_{sql,type,operators}.c need of the server, outside of one; and what the fuzzers share.
 *
 * The headers are the server's own, so types, macros and inline functions are
 * the real ones.  server.c stands in for its functions: memory is given back
 * after each input, and an error ends the input, as it would end a statement.
 */
#ifndef FUZZ_SERVER_H
#define FUZZ_SERVER_H

#include "postgres.h"

#include <setjmp.h>

#include "fmgr.h"
#include "lib/stringinfo.h"

#include "compat.h"
#include "percentiles/sketch_sql.h"
#include "percentiles/sketch_walk.h"

/* Those of the C library, not the server's own. */
#undef fprintf
#undef sprintf
#undef vsnprintf

extern sigjmp_buf fuzz_refused;

extern void fuzz_end(void);
extern Datum fuzz_call(PGFunction function, Datum a, Datum b);
extern void fuzz_require(bool holds, const char *what);
extern void fuzz_check(const VsmSketch *sketch);
extern void fuzz_walk(const VsmSketch *sketch);

extern Datum vsm_sketch_in(PG_FUNCTION_ARGS);
extern Datum vsm_sketch_out(PG_FUNCTION_ARGS);
extern Datum vsm_sketch_recv(PG_FUNCTION_ARGS);
extern Datum vsm_sketch_send(PG_FUNCTION_ARGS);
extern Datum vsm__sketch_eq(PG_FUNCTION_ARGS);
extern Datum vsm__sketch_hash(PG_FUNCTION_ARGS);
extern Datum vsm__sketch_plus(PG_FUNCTION_ARGS);
extern Datum vsm__sketch_minus(PG_FUNCTION_ARGS);

#endif							/* FUZZ_SERVER_H */
