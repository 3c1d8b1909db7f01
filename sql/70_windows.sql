-- 70_windows: the window of a figure, and the points or buckets that it is cut into
--
-- Windows are half-open, [since, until).  An infinite bound means the stream's first or last event, which is then in
-- the window.  The figures follow the definitions of doc/reference.md.  Their argument type limits them to one type of
-- work item; null: all types.

CREATE TYPE vsm._window AS (
    stream text,
    since timestamptz,
    until timestamptz,
    bound timestamptz,          -- what a time must lie before: until as it was given, so it may be infinite
    time_zone text,
    reopen_rule text
);

CREATE FUNCTION vsm._window(of_stream text, since timestamptz, until timestamptz, rule text DEFAULT NULL)
    RETURNS vsm._window
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    result vsm._window;
BEGIN
    SELECT v.name, since, until, until, v.time_zone, coalesce(rule, v.reopen_rule) INTO result
    FROM vsm.value_streams v WHERE v.name = of_stream;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'stream "%" not found', coalesce(of_stream, 'null')
            USING ERRCODE = 'PT404', DETAIL = 'There is no stream of that name; names are case-sensitive.',
                  HINT = 'The streams are in vsm.value_streams; vsm.define_stream() defines one.';
    END IF;
    IF result.reopen_rule NOT IN ('span_first_last', 'span_last', 'sum_active', 'episodes') THEN
        RAISE EXCEPTION 'reopen rule "%" is not known', rule
            USING ERRCODE = 'PT422', DETAIL = 'It says how the cycle time of a reopened item counts.',
                  HINT = 'The rules are span_first_last, span_last, sum_active and episodes.';
    END IF;
    IF since IS NULL OR until IS NULL THEN
        RAISE EXCEPTION 'a window needs both bounds'
            USING ERRCODE = 'PT422', DETAIL = 'One of them is null.',
                  HINT = 'Use -infinity and infinity for the whole history.';
    END IF;
    IF since > until THEN
        RAISE EXCEPTION 'the window ends before it begins'
            USING ERRCODE = 'PT422', DETAIL = format('It is from %s until %s.', since, until),
                  HINT = 'Exchange the bounds.';
    END IF;
    IF NOT isfinite(since) THEN
        -- times before 1970 are refused; one that the owner wrote past the triggers must not stretch the window
        SELECT coalesce(min(greatest(w.created_at, '1970-01-01 00:00:00+00')), least(now(), until)) INTO result.since
        FROM vsm.work_items w WHERE w.stream = of_stream;
    END IF;
    IF NOT isfinite(until) THEN
        SELECT coalesce(max(greatest(w.stage_entered_at, '1970-01-01 00:00:00+00')), greatest(now(), result.since))
        INTO result.until FROM vsm.work_items w WHERE w.stream = of_stream;
    END IF;
    RETURN result;
END $$;
COMMENT ON FUNCTION vsm._window(text, timestamptz, timestamptz, text) IS
    'A window of a stream with its bounds made finite. Errors: PT404 unknown stream; PT422 bounds, rule.';

-- A year beyond these is mistyped, and to count its points would take too long.
CREATE FUNCTION vsm._check_series(since timestamptz, until timestamptz) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF since < timestamptz '0001-01-01 00:00:00+00' OR until >= timestamptz '10000-01-01 00:00:00+00' THEN
        RAISE EXCEPTION 'the window is too long to be cut into points'
            USING ERRCODE = 'PT422', DETAIL = format('It is from %s until %s.', since, until),
                  HINT = 'Give bounds in the years 1 to 9999, or -infinity and infinity for the whole history.';
    END IF;
END $$;
COMMENT ON FUNCTION vsm._check_series(timestamptz, timestamptz) IS
    'Checks the bounds of a window that is cut into points or buckets. Errors: PT422.';

CREATE FUNCTION vsm._grid(since timestamptz, until timestamptz, step interval, time_zone text)
    RETURNS TABLE (place integer, at timestamptz)
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM vsm._check_series(since, until);
    IF step IS NULL OR step <= '0' OR step > '10000 years'
       OR least(extract(year FROM step), extract(month FROM step), extract(day FROM step), extract(hour FROM step),
                extract(minute FROM step), extract(second FROM step)) < 0
       OR vsm._elapsed_us(since, until) / vsm._interval_us(step) > 100000 THEN
        RAISE EXCEPTION 'the step does not fit the window'
            USING ERRCODE = 'PT422', DETAIL = format('The step is %s.', coalesce(step::text, 'null')),
                  HINT = 'Give a step above zero that cuts the window into at most 100,000 points.';
    END IF;
    IF extract(day FROM step) = 0 AND extract(month FROM step) = 0 AND extract(year FROM step) = 0 THEN
        RETURN QUERY SELECT (g.ordinality - 1)::integer, g.g FROM generate_series(since, until, step) WITH ORDINALITY g;
    ELSE
        -- days and months by the calendar of the zone, each point counted from the beginning of the window
        RETURN QUERY
        SELECT p.place, p.at
        FROM (SELECT k AS place,
                     CASE WHEN k = 0 THEN since
                          ELSE (since AT TIME ZONE time_zone + k * step) AT TIME ZONE time_zone END AS at
              FROM generate_series(0, (vsm._elapsed_us(since, until) / vsm._interval_us(step))::integer + 2) k) p
        WHERE p.at <= until ORDER BY p.place;
    END IF;
END $$;
COMMENT ON FUNCTION vsm._grid(timestamptz, timestamptz, interval, text) IS
    'Points since, since + step, ... up to and including until. Errors: PT422.';
