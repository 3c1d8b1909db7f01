-- 60_sketches: percentiles within a relative error, from buckets that merge (src/sketch.c)
--
-- vsm.sketch holds float8 values, vsm.interval_sketch intervals, in seconds; the bytes are the same.

CREATE TYPE vsm.sketch;
CREATE FUNCTION vsm._sketch_in(cstring) RETURNS vsm.sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_sketch_in';
COMMENT ON FUNCTION vsm._sketch_in(cstring) IS 'A sketch from text. Errors: 22P02.';
CREATE FUNCTION vsm._sketch_out(vsm.sketch) RETURNS cstring
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_sketch_out';
COMMENT ON FUNCTION vsm._sketch_out(vsm.sketch) IS 'A sketch as text: version, relative error, zeros, counts of the buckets.';
CREATE FUNCTION vsm._sketch_recv(internal) RETURNS vsm.sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_sketch_recv';
COMMENT ON FUNCTION vsm._sketch_recv(internal) IS 'A sketch from its binary form. Errors: 22P03.';
CREATE FUNCTION vsm._sketch_send(vsm.sketch) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_sketch_send';
COMMENT ON FUNCTION vsm._sketch_send(vsm.sketch) IS 'The binary form of a sketch.';
CREATE TYPE vsm.sketch (
    INPUT = vsm._sketch_in, OUTPUT = vsm._sketch_out, RECEIVE = vsm._sketch_recv, SEND = vsm._sketch_send,
    INTERNALLENGTH = VARIABLE, ALIGNMENT = double, STORAGE = extended
);
COMMENT ON TYPE vsm.sketch IS
    'A distribution of float8 values: percentiles within a relative error, mergeable and subtractable (DDSketch, VLDB 2019).';

CREATE TYPE vsm.interval_sketch;
CREATE FUNCTION vsm._interval_sketch_in(cstring) RETURNS vsm.interval_sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_sketch_in';
COMMENT ON FUNCTION vsm._interval_sketch_in(cstring) IS 'A sketch from text. Errors: 22P02.';
CREATE FUNCTION vsm._interval_sketch_out(vsm.interval_sketch) RETURNS cstring
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_sketch_out';
COMMENT ON FUNCTION vsm._interval_sketch_out(vsm.interval_sketch) IS
    'A sketch as text: version, relative error, zeros, counts of the buckets.';
CREATE FUNCTION vsm._interval_sketch_recv(internal) RETURNS vsm.interval_sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_sketch_recv';
COMMENT ON FUNCTION vsm._interval_sketch_recv(internal) IS 'A sketch from its binary form. Errors: 22P03.';
CREATE FUNCTION vsm._interval_sketch_send(vsm.interval_sketch) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_sketch_send';
COMMENT ON FUNCTION vsm._interval_sketch_send(vsm.interval_sketch) IS 'The binary form of a sketch.';
CREATE TYPE vsm.interval_sketch (
    INPUT = vsm._interval_sketch_in, OUTPUT = vsm._interval_sketch_out, RECEIVE = vsm._interval_sketch_recv,
    SEND = vsm._interval_sketch_send, INTERNALLENGTH = VARIABLE, ALIGNMENT = double, STORAGE = extended
);
COMMENT ON TYPE vsm.interval_sketch IS
    'A distribution of intervals: as vsm.sketch, but its percentiles are intervals; a day is 24 hours, a month 30 days.';

-- An interval_sketch is a sketch of seconds.
CREATE CAST (vsm.interval_sketch AS vsm.sketch) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (vsm.sketch AS vsm.interval_sketch) WITHOUT FUNCTION;

CREATE FUNCTION vsm._sketch_eq(vsm.sketch, vsm.sketch) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_eq';
COMMENT ON FUNCTION vsm._sketch_eq(vsm.sketch, vsm.sketch) IS 'The same relative error and counts?';
CREATE FUNCTION vsm._sketch_ne(vsm.sketch, vsm.sketch) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_ne';
COMMENT ON FUNCTION vsm._sketch_ne(vsm.sketch, vsm.sketch) IS 'Another relative error or other counts?';
CREATE FUNCTION vsm._sketch_hash(vsm.sketch) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_hash';
COMMENT ON FUNCTION vsm._sketch_hash(vsm.sketch) IS 'For grouping by equal sketches.';
CREATE FUNCTION vsm._sketch_plus(vsm.sketch, vsm.sketch) RETURNS vsm.sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_plus';
COMMENT ON FUNCTION vsm._sketch_plus(vsm.sketch, vsm.sketch) IS
    'The values of both. Errors: PT422 different relative errors; 22003 more values than bigint counts.';
CREATE FUNCTION vsm._sketch_minus(vsm.sketch, vsm.sketch) RETURNS vsm.sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_minus';
COMMENT ON FUNCTION vsm._sketch_minus(vsm.sketch, vsm.sketch) IS
    'The values of the first without those of the second. Errors: PT422 different relative errors, values that the first does not hold.';
CREATE OPERATOR vsm.= (
    LEFTARG = vsm.sketch, RIGHTARG = vsm.sketch, FUNCTION = vsm._sketch_eq, COMMUTATOR = OPERATOR(vsm.=),
    NEGATOR = OPERATOR(vsm.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES
);
CREATE OPERATOR vsm.<> (
    LEFTARG = vsm.sketch, RIGHTARG = vsm.sketch, FUNCTION = vsm._sketch_ne, COMMUTATOR = OPERATOR(vsm.<>),
    NEGATOR = OPERATOR(vsm.=), RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR vsm.+ (LEFTARG = vsm.sketch, RIGHTARG = vsm.sketch, FUNCTION = vsm._sketch_plus, COMMUTATOR = OPERATOR(vsm.+));
CREATE OPERATOR vsm.- (LEFTARG = vsm.sketch, RIGHTARG = vsm.sketch, FUNCTION = vsm._sketch_minus);
COMMENT ON OPERATOR vsm.= (vsm.sketch, vsm.sketch) IS 'The same relative error and counts?';
COMMENT ON OPERATOR vsm.<> (vsm.sketch, vsm.sketch) IS 'Another relative error or other counts?';
COMMENT ON OPERATOR vsm.+ (vsm.sketch, vsm.sketch) IS 'The values of both. Errors: PT422, 22003.';
COMMENT ON OPERATOR vsm.- (vsm.sketch, vsm.sketch) IS 'The values of the first without those of the second. Errors: PT422.';
CREATE OPERATOR CLASS vsm.sketch_hash_ops DEFAULT FOR TYPE vsm.sketch USING hash AS
    OPERATOR 1 vsm.= , FUNCTION 1 vsm._sketch_hash(vsm.sketch);

CREATE FUNCTION vsm._sketch_eq(vsm.interval_sketch, vsm.interval_sketch) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_eq';
COMMENT ON FUNCTION vsm._sketch_eq(vsm.interval_sketch, vsm.interval_sketch) IS 'The same relative error and counts?';
CREATE FUNCTION vsm._sketch_ne(vsm.interval_sketch, vsm.interval_sketch) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_ne';
COMMENT ON FUNCTION vsm._sketch_ne(vsm.interval_sketch, vsm.interval_sketch) IS 'Another relative error or other counts?';
CREATE FUNCTION vsm._sketch_hash(vsm.interval_sketch) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_hash';
COMMENT ON FUNCTION vsm._sketch_hash(vsm.interval_sketch) IS 'For grouping by equal sketches.';
CREATE FUNCTION vsm._sketch_plus(vsm.interval_sketch, vsm.interval_sketch) RETURNS vsm.interval_sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_plus';
COMMENT ON FUNCTION vsm._sketch_plus(vsm.interval_sketch, vsm.interval_sketch) IS
    'The values of both. Errors: PT422 different relative errors; 22003 more values than bigint counts.';
CREATE FUNCTION vsm._sketch_minus(vsm.interval_sketch, vsm.interval_sketch) RETURNS vsm.interval_sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_minus';
COMMENT ON FUNCTION vsm._sketch_minus(vsm.interval_sketch, vsm.interval_sketch) IS
    'The values of the first without those of the second. Errors: PT422 different relative errors, values that the first does not hold.';
CREATE OPERATOR vsm.= (
    LEFTARG = vsm.interval_sketch, RIGHTARG = vsm.interval_sketch, FUNCTION = vsm._sketch_eq, COMMUTATOR = OPERATOR(vsm.=),
    NEGATOR = OPERATOR(vsm.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES
);
CREATE OPERATOR vsm.<> (
    LEFTARG = vsm.interval_sketch, RIGHTARG = vsm.interval_sketch, FUNCTION = vsm._sketch_ne, COMMUTATOR = OPERATOR(vsm.<>),
    NEGATOR = OPERATOR(vsm.=), RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR vsm.+ (LEFTARG = vsm.interval_sketch, RIGHTARG = vsm.interval_sketch, FUNCTION = vsm._sketch_plus, COMMUTATOR = OPERATOR(vsm.+));
CREATE OPERATOR vsm.- (LEFTARG = vsm.interval_sketch, RIGHTARG = vsm.interval_sketch, FUNCTION = vsm._sketch_minus);
COMMENT ON OPERATOR vsm.= (vsm.interval_sketch, vsm.interval_sketch) IS 'The same relative error and counts?';
COMMENT ON OPERATOR vsm.<> (vsm.interval_sketch, vsm.interval_sketch) IS 'Another relative error or other counts?';
COMMENT ON OPERATOR vsm.+ (vsm.interval_sketch, vsm.interval_sketch) IS 'The values of both. Errors: PT422, 22003.';
COMMENT ON OPERATOR vsm.- (vsm.interval_sketch, vsm.interval_sketch) IS 'The values of the first without those of the second. Errors: PT422.';
CREATE OPERATOR CLASS vsm.interval_sketch_hash_ops DEFAULT FOR TYPE vsm.interval_sketch USING hash AS
    OPERATOR 1 vsm.= , FUNCTION 1 vsm._sketch_hash(vsm.interval_sketch);

-- The state of the aggregates is the sketch itself, changed in place.
CREATE FUNCTION vsm._sketch_add(vsm.sketch, double precision) RETURNS vsm.sketch
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_add_float8';
COMMENT ON FUNCTION vsm._sketch_add(vsm.sketch, double precision) IS 'Takes a value. Errors: PT422 NaN, infinity.';
CREATE FUNCTION vsm._sketch_add(vsm.sketch, double precision, double precision) RETURNS vsm.sketch
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_add_float8';
COMMENT ON FUNCTION vsm._sketch_add(vsm.sketch, double precision, double precision) IS 'Takes a value; with the relative error of the sketch. Errors: PT422 NaN, infinity, relative error.';
CREATE FUNCTION vsm._sketch_remove(vsm.sketch, double precision) RETURNS vsm.sketch
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_remove_float8';
COMMENT ON FUNCTION vsm._sketch_remove(vsm.sketch, double precision) IS 'Takes a value away that left the frame of a window.';
CREATE FUNCTION vsm._sketch_remove(vsm.sketch, double precision, double precision) RETURNS vsm.sketch
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_remove_float8';
COMMENT ON FUNCTION vsm._sketch_remove(vsm.sketch, double precision, double precision) IS 'Takes a value away that left the frame of a window.';
CREATE FUNCTION vsm._sketch_combine(vsm.sketch, vsm.sketch) RETURNS vsm.sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_combine';
COMMENT ON FUNCTION vsm._sketch_combine(vsm.sketch, vsm.sketch) IS 'Takes a sketch. Errors: PT422 different relative errors; 22003 more values than bigint counts.';
CREATE FUNCTION vsm._sketch_uncombine(vsm.sketch, vsm.sketch) RETURNS vsm.sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_uncombine';
COMMENT ON FUNCTION vsm._sketch_uncombine(vsm.sketch, vsm.sketch) IS 'Takes a sketch away that left the frame of a window.';
CREATE FUNCTION vsm._sketch_finish(vsm.sketch) RETURNS vsm.sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_finish';
COMMENT ON FUNCTION vsm._sketch_finish(vsm.sketch) IS 'The sketch as it is stored.';
CREATE FUNCTION vsm._sketch_finish_values(vsm.sketch) RETURNS vsm.sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_finish_values';
COMMENT ON FUNCTION vsm._sketch_finish_values(vsm.sketch) IS 'The sketch as it is stored; null when there was no value.';
CREATE FUNCTION vsm._sketch_add(vsm.interval_sketch, interval) RETURNS vsm.interval_sketch
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_add_interval';
COMMENT ON FUNCTION vsm._sketch_add(vsm.interval_sketch, interval) IS 'Takes a value. Errors: PT422 NaN, infinity.';
CREATE FUNCTION vsm._sketch_add(vsm.interval_sketch, interval, double precision) RETURNS vsm.interval_sketch
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_add_interval';
COMMENT ON FUNCTION vsm._sketch_add(vsm.interval_sketch, interval, double precision) IS 'Takes a value; with the relative error of the sketch. Errors: PT422 NaN, infinity, relative error.';
CREATE FUNCTION vsm._sketch_remove(vsm.interval_sketch, interval) RETURNS vsm.interval_sketch
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_remove_interval';
COMMENT ON FUNCTION vsm._sketch_remove(vsm.interval_sketch, interval) IS 'Takes a value away that left the frame of a window.';
CREATE FUNCTION vsm._sketch_remove(vsm.interval_sketch, interval, double precision) RETURNS vsm.interval_sketch
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_remove_interval';
COMMENT ON FUNCTION vsm._sketch_remove(vsm.interval_sketch, interval, double precision) IS 'Takes a value away that left the frame of a window.';
CREATE FUNCTION vsm._sketch_combine(vsm.interval_sketch, vsm.interval_sketch) RETURNS vsm.interval_sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_combine';
COMMENT ON FUNCTION vsm._sketch_combine(vsm.interval_sketch, vsm.interval_sketch) IS 'Takes a sketch. Errors: PT422 different relative errors; 22003 more values than bigint counts.';
CREATE FUNCTION vsm._sketch_uncombine(vsm.interval_sketch, vsm.interval_sketch) RETURNS vsm.interval_sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_uncombine';
COMMENT ON FUNCTION vsm._sketch_uncombine(vsm.interval_sketch, vsm.interval_sketch) IS 'Takes a sketch away that left the frame of a window.';
CREATE FUNCTION vsm._sketch_finish(vsm.interval_sketch) RETURNS vsm.interval_sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_finish';
COMMENT ON FUNCTION vsm._sketch_finish(vsm.interval_sketch) IS 'The sketch as it is stored.';
CREATE FUNCTION vsm._sketch_finish_values(vsm.interval_sketch) RETURNS vsm.interval_sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_finish_values';
COMMENT ON FUNCTION vsm._sketch_finish_values(vsm.interval_sketch) IS 'The sketch as it is stored; null when there was no value.';
CREATE AGGREGATE vsm.percentile_agg(value double precision) (
    SFUNC = vsm._sketch_add, STYPE = vsm.sketch, SSPACE = 1024, FINALFUNC = vsm._sketch_finish_values, COMBINEFUNC = vsm._sketch_combine,
    MSFUNC = vsm._sketch_add, MINVFUNC = vsm._sketch_remove, MSTYPE = vsm.sketch, MSSPACE = 1024, MFINALFUNC = vsm._sketch_finish_values,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE vsm.percentile_agg(double precision) IS
    'Sketch of the values, for vsm.approx_percentile() and the like; within 1 percent. Nulls do not count; null when there is no '
    'value. Errors: PT422 NaN, infinity.';
CREATE AGGREGATE vsm.percentile_agg(value double precision, rel_error double precision) (
    SFUNC = vsm._sketch_add, STYPE = vsm.sketch, SSPACE = 1024, FINALFUNC = vsm._sketch_finish_values, COMBINEFUNC = vsm._sketch_combine,
    MSFUNC = vsm._sketch_add, MINVFUNC = vsm._sketch_remove, MSTYPE = vsm.sketch, MSSPACE = 1024, MFINALFUNC = vsm._sketch_finish_values,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE vsm.percentile_agg(double precision, double precision) IS
    'Sketch of the values within a relative error of 0.0001 to 0.2, the same for all rows; null: 0.01. Errors: PT422.';
CREATE AGGREGATE vsm.rollup(sketch vsm.sketch) (
    SFUNC = vsm._sketch_combine, STYPE = vsm.sketch, SSPACE = 1024, FINALFUNC = vsm._sketch_finish, COMBINEFUNC = vsm._sketch_combine,
    MSFUNC = vsm._sketch_combine, MINVFUNC = vsm._sketch_uncombine, MSTYPE = vsm.sketch, MSSPACE = 1024, MFINALFUNC = vsm._sketch_finish,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE vsm.rollup(vsm.sketch) IS
    'The values of all sketches in one, whatever their order. Errors: PT422 different relative errors; 22003.';
CREATE AGGREGATE vsm.percentile_agg(value interval) (
    SFUNC = vsm._sketch_add, STYPE = vsm.interval_sketch, SSPACE = 1024, FINALFUNC = vsm._sketch_finish_values, COMBINEFUNC = vsm._sketch_combine,
    MSFUNC = vsm._sketch_add, MINVFUNC = vsm._sketch_remove, MSTYPE = vsm.interval_sketch, MSSPACE = 1024, MFINALFUNC = vsm._sketch_finish_values,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE vsm.percentile_agg(interval) IS
    'Sketch of the values, for vsm.approx_percentile() and the like; within 1 percent. Nulls do not count; null when there is no '
    'value. Errors: PT422 an infinite interval.';
CREATE AGGREGATE vsm.percentile_agg(value interval, rel_error double precision) (
    SFUNC = vsm._sketch_add, STYPE = vsm.interval_sketch, SSPACE = 1024, FINALFUNC = vsm._sketch_finish_values, COMBINEFUNC = vsm._sketch_combine,
    MSFUNC = vsm._sketch_add, MINVFUNC = vsm._sketch_remove, MSTYPE = vsm.interval_sketch, MSSPACE = 1024, MFINALFUNC = vsm._sketch_finish_values,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE vsm.percentile_agg(interval, double precision) IS
    'Sketch of the values within a relative error of 0.0001 to 0.2, the same for all rows; null: 0.01. Errors: PT422.';
CREATE AGGREGATE vsm.rollup(sketch vsm.interval_sketch) (
    SFUNC = vsm._sketch_combine, STYPE = vsm.interval_sketch, SSPACE = 1024, FINALFUNC = vsm._sketch_finish, COMBINEFUNC = vsm._sketch_combine,
    MSFUNC = vsm._sketch_combine, MINVFUNC = vsm._sketch_uncombine, MSTYPE = vsm.interval_sketch, MSSPACE = 1024, MFINALFUNC = vsm._sketch_finish,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE vsm.rollup(vsm.interval_sketch) IS
    'The values of all sketches in one, whatever their order. Errors: PT422 different relative errors; 22003.';

CREATE FUNCTION vsm.approx_percentile(fraction double precision, sketch vsm.sketch) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_approx_percentile';
COMMENT ON FUNCTION vsm.approx_percentile(double precision, vsm.sketch) IS 
    'The smallest value such that at least that fraction (0 to 1) of the values is at or below it, within the relative error. '
    'Errors: PT422 fraction.';
CREATE FUNCTION vsm.approx_percentiles(fractions double precision[], sketch vsm.sketch) RETURNS double precision[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_approx_percentiles';
COMMENT ON FUNCTION vsm.approx_percentiles(double precision[], vsm.sketch) IS 
    'Several percentiles at once, in the shape of fractions; null where the fraction is. Errors: PT422 fraction.';
CREATE FUNCTION vsm.approx_percentile_rank(value double precision, sketch vsm.sketch) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_approx_percentile_rank';
COMMENT ON FUNCTION vsm.approx_percentile_rank(double precision, vsm.sketch) IS 
    'Share of the values, 0 to 1, that are at or below one; those within the relative error of it may count either way. '
    'Errors: PT422 NaN.';
CREATE FUNCTION vsm.num_vals(sketch vsm.sketch) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_num_vals';
COMMENT ON FUNCTION vsm.num_vals(vsm.sketch) IS 'Number of values in the sketch.';
CREATE FUNCTION vsm.rel_error(sketch vsm.sketch) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_rel_error';
COMMENT ON FUNCTION vsm.rel_error(vsm.sketch) IS 'Relative error of what is read from the sketch, as a fraction.';
CREATE FUNCTION vsm.mean(sketch vsm.sketch) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_mean';
COMMENT ON FUNCTION vsm.mean(vsm.sketch) IS 
    'Mean of the values from the buckets, within the relative error when they have one sign; null when there are none.';
CREATE FUNCTION vsm.sum(sketch vsm.sketch) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_sum';
COMMENT ON FUNCTION vsm.sum(vsm.sketch) IS 
    'Sum of the values from the buckets, within the relative error when they have one sign; null when there are none.';
CREATE FUNCTION vsm.min_val(sketch vsm.sketch) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_min_val';
COMMENT ON FUNCTION vsm.min_val(vsm.sketch) IS 'Lower bound of the lowest bucket: no value is smaller, one is within twice the relative error.';
CREATE FUNCTION vsm.max_val(sketch vsm.sketch) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_max_val';
COMMENT ON FUNCTION vsm.max_val(vsm.sketch) IS 'Upper bound of the highest bucket: no value is greater, one is within twice the relative error.';
CREATE FUNCTION vsm.histogram(sketch vsm.sketch) RETURNS TABLE (lower double precision, upper double precision, count bigint)
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_histogram';
COMMENT ON FUNCTION vsm.histogram(vsm.sketch) IS 'The buckets that hold values, in order: bounds and number of values.';
CREATE FUNCTION vsm.approx_percentile(fraction double precision, sketch vsm.interval_sketch) RETURNS interval
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_approx_percentile_interval';
COMMENT ON FUNCTION vsm.approx_percentile(double precision, vsm.interval_sketch) IS 
    'The smallest value such that at least that fraction (0 to 1) of the values is at or below it, within the relative error. '
    'Errors: PT422 fraction.';
CREATE FUNCTION vsm.approx_percentiles(fractions double precision[], sketch vsm.interval_sketch) RETURNS interval[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_approx_percentiles_interval';
COMMENT ON FUNCTION vsm.approx_percentiles(double precision[], vsm.interval_sketch) IS 
    'Several percentiles at once, in the shape of fractions; null where the fraction is. Errors: PT422 fraction.';
CREATE FUNCTION vsm.approx_percentile_rank(value interval, sketch vsm.interval_sketch) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_approx_percentile_rank_interval';
COMMENT ON FUNCTION vsm.approx_percentile_rank(interval, vsm.interval_sketch) IS 
    'Share of the values, 0 to 1, that are at or below one; those within the relative error of it may count either way. '
    'Errors: PT422 an infinite interval.';
CREATE FUNCTION vsm.num_vals(sketch vsm.interval_sketch) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_num_vals';
COMMENT ON FUNCTION vsm.num_vals(vsm.interval_sketch) IS 'Number of values in the sketch.';
CREATE FUNCTION vsm.rel_error(sketch vsm.interval_sketch) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_rel_error';
COMMENT ON FUNCTION vsm.rel_error(vsm.interval_sketch) IS 'Relative error of what is read from the sketch, as a fraction.';
CREATE FUNCTION vsm.mean(sketch vsm.interval_sketch) RETURNS interval
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_mean_interval';
COMMENT ON FUNCTION vsm.mean(vsm.interval_sketch) IS 
    'Mean of the values from the buckets, within the relative error when they have one sign; null when there are none.';
CREATE FUNCTION vsm.sum(sketch vsm.interval_sketch) RETURNS interval
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_sum_interval';
COMMENT ON FUNCTION vsm.sum(vsm.interval_sketch) IS 
    'Sum of the values from the buckets, within the relative error when they have one sign; null when there are none.';
CREATE FUNCTION vsm.min_val(sketch vsm.interval_sketch) RETURNS interval
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_min_val_interval';
COMMENT ON FUNCTION vsm.min_val(vsm.interval_sketch) IS 'Lower bound of the lowest bucket: no value is smaller, one is within twice the relative error.';
CREATE FUNCTION vsm.max_val(sketch vsm.interval_sketch) RETURNS interval
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_max_val_interval';
COMMENT ON FUNCTION vsm.max_val(vsm.interval_sketch) IS 'Upper bound of the highest bucket: no value is greater, one is within twice the relative error.';
CREATE FUNCTION vsm.histogram(sketch vsm.interval_sketch) RETURNS TABLE (lower interval, upper interval, count bigint)
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_histogram_interval';
COMMENT ON FUNCTION vsm.histogram(vsm.interval_sketch) IS 'The buckets that hold values, in order: bounds and number of values.';
