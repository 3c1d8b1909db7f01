-- 66_durations: number, average and percentiles of durations (src/percentiles/summary.c)

-- Of many items the microseconds do not fit in a bigint; an interval that counts days holds 5.8 million years.
CREATE FUNCTION vsm._interval_of_sum(us numeric) RETURNS interval
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF abs(us) >= 86400000000 * 2147483647::numeric THEN
        RAISE EXCEPTION 'a sum of times is out of range'
            USING ERRCODE = 'PT422', DETAIL = format('It is %s days.', trunc(us / 86400000000)),
                  HINT = 'Give an end of the window that is not so far away, or a type or attributes.';
    END IF;
    RETURN make_interval(days => trunc(us / 86400000000)::integer) + round(mod(us, 86400000000))::bigint * interval '1 microsecond';
END $$;
COMMENT ON FUNCTION vsm._interval_of_sum(numeric) IS 'Days and time of that many microseconds, in days of 24 hours. Errors: PT422 more than an interval holds.';

CREATE TYPE vsm._duration_summary AS (
    n bigint,
    avg interval,
    p50 interval,
    p70 interval,
    p85 interval,
    p95 interval
);
CREATE FUNCTION vsm._summary_step(internal, bigint, boolean) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__summary_step';
COMMENT ON FUNCTION vsm._summary_step(internal, bigint, boolean) IS 'Adds a duration.';
CREATE FUNCTION vsm._summary_row(internal) RETURNS vsm._duration_summary
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__summary_row';
COMMENT ON FUNCTION vsm._summary_row(internal) IS 'The summary of the durations.';
CREATE AGGREGATE vsm._summary(us bigint, exact boolean) (
    SFUNC = vsm._summary_step, STYPE = internal, SSPACE = 8192,
    FINALFUNC = vsm._summary_row, FINALFUNC_MODIFY = SHAREABLE, PARALLEL = RESTRICTED
);
COMMENT ON AGGREGATE vsm._summary(bigint, boolean) IS
    'Number, average and percentiles of durations in microseconds by the rule of percentile_disc; nulls do not '
    'count. exact: percentiles are found by selection, which keeps 8 bytes for each duration; else they come from a '
    'sketch, within 1 percent.';

CREATE FUNCTION vsm._summary_of_step(internal, bigint[]) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__summary_of_step';
COMMENT ON FUNCTION vsm._summary_of_step(internal, bigint[]) IS 'Adds durations. Errors: PT422.';
CREATE AGGREGATE vsm._summary_of(us bigint[]) (
    SFUNC = vsm._summary_of_step, STYPE = internal, SSPACE = 8192,
    FINALFUNC = vsm._summary_row, FINALFUNC_MODIFY = SHAREABLE, PARALLEL = RESTRICTED
);
COMMENT ON AGGREGATE vsm._summary_of(bigint[]) IS 'As vsm._summary(us, true), of all elements of one-dimensional arrays without nulls.';
