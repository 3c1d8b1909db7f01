-- 65_exact_percentiles: by selection (src/values.c), where percentile_disc sorts

CREATE FUNCTION vsm._percentiles_step(internal, double precision, double precision) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__percentiles_step_float8';
COMMENT ON FUNCTION vsm._percentiles_step(internal, double precision, double precision) IS 'Takes a value. Errors: PT422 fractions.';
CREATE FUNCTION vsm._percentiles_step(internal, double precision, double precision[]) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__percentiles_step_float8';
COMMENT ON FUNCTION vsm._percentiles_step(internal, double precision, double precision[]) IS 'Takes a value. Errors: PT422 fractions.';
CREATE FUNCTION vsm._percentiles_step(internal, interval, double precision) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__percentiles_step_interval';
COMMENT ON FUNCTION vsm._percentiles_step(internal, interval, double precision) IS 'Takes a value. Errors: PT422 fractions.';
CREATE FUNCTION vsm._percentiles_step(internal, interval, double precision[]) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__percentiles_step_interval';
COMMENT ON FUNCTION vsm._percentiles_step(internal, interval, double precision[]) IS 'Takes a value. Errors: PT422 fractions.';
CREATE FUNCTION vsm._percentile_finish(internal, double precision, double precision) RETURNS double precision
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__percentile_finish';
COMMENT ON FUNCTION vsm._percentile_finish(internal, double precision, double precision) IS 'The percentile.';
CREATE FUNCTION vsm._percentiles_finish(internal, double precision, double precision[]) RETURNS double precision[]
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__percentiles_finish';
COMMENT ON FUNCTION vsm._percentiles_finish(internal, double precision, double precision[]) IS 'The percentiles.';
CREATE FUNCTION vsm._percentile_finish(internal, interval, double precision) RETURNS interval
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__percentile_finish';
COMMENT ON FUNCTION vsm._percentile_finish(internal, interval, double precision) IS 'The percentile.';
CREATE FUNCTION vsm._percentiles_finish(internal, interval, double precision[]) RETURNS interval[]
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__percentiles_finish';
COMMENT ON FUNCTION vsm._percentiles_finish(internal, interval, double precision[]) IS 'The percentiles.';
CREATE AGGREGATE vsm.percentile(value double precision, fraction double precision) (
    SFUNC = vsm._percentiles_step, STYPE = internal, SSPACE = 8192, FINALFUNC = vsm._percentile_finish, FINALFUNC_EXTRA,
    PARALLEL = RESTRICTED
);
COMMENT ON AGGREGATE vsm.percentile(double precision, double precision) IS
    'The smallest value such that at least that fraction (0 to 1) of the values is at or below it, as percentile_disc; found by '
    'selection within work_mem and a temporary file. Nulls do not count; null when there is no value. Errors: PT422 fractions.';
CREATE AGGREGATE vsm.percentiles(value double precision, fractions double precision[]) (
    SFUNC = vsm._percentiles_step, STYPE = internal, SSPACE = 8192, FINALFUNC = vsm._percentiles_finish, FINALFUNC_EXTRA,
    PARALLEL = RESTRICTED
);
COMMENT ON AGGREGATE vsm.percentiles(double precision, double precision[]) IS
    'Several percentiles at once by the rule of percentile_disc, in the shape of fractions; null where the fraction is; found by '
    'selection within work_mem and a temporary file. Nulls do not count; null when there is no value. Errors: PT422 fractions.';
CREATE AGGREGATE vsm.percentile(value interval, fraction double precision) (
    SFUNC = vsm._percentiles_step, STYPE = internal, SSPACE = 8192, FINALFUNC = vsm._percentile_finish, FINALFUNC_EXTRA,
    PARALLEL = RESTRICTED
);
COMMENT ON AGGREGATE vsm.percentile(interval, double precision) IS
    'The smallest value such that at least that fraction (0 to 1) of the values is at or below it, as percentile_disc; found by '
    'selection within work_mem and a temporary file. Nulls do not count; null when there is no value. Errors: PT422 fractions.';
CREATE AGGREGATE vsm.percentiles(value interval, fractions double precision[]) (
    SFUNC = vsm._percentiles_step, STYPE = internal, SSPACE = 8192, FINALFUNC = vsm._percentiles_finish, FINALFUNC_EXTRA,
    PARALLEL = RESTRICTED
);
COMMENT ON AGGREGATE vsm.percentiles(interval, double precision[]) IS
    'Several percentiles at once by the rule of percentile_disc, in the shape of fractions; null where the fraction is; found by '
    'selection within work_mem and a temporary file. Nulls do not count; null when there is no value. Errors: PT422 fractions.';
