-- 70_windows: the window of a figure, and the points or buckets that it is cut into
--
-- Windows are half-open, [since, until).  An infinite bound means the stream's first or last event, which is then in
-- the window.  The figures follow the definitions of doc/reference.md: they use the moves before until, and nothing else
-- of an item.  Their argument type limits them to one type of work item, attributes to items that have these (both as
-- they are now); null: all.  known_at: as it was known then, see vsm._known_moves().

CREATE TYPE vsm._window AS (
    stream text,
    stream_id bigint,
    since timestamptz,
    until timestamptz,
    bound timestamptz,          -- what a time must lie before: until as it was given, so it may be infinite
    time_zone text,
    reopen_rule text,
    type text                   -- as types are named
);

CREATE FUNCTION vsm._just_after(at timestamptz) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN at < timestamptz '294276-12-31 23:59:59.999999+00' THEN at + interval '1 microsecond' ELSE 'infinity' END;
COMMENT ON FUNCTION vsm._just_after(timestamptz) IS 'The next instant, or infinity after the last one: what is before it is up to and including at.';

CREATE FUNCTION vsm._attributes_fit(attributes jsonb) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__attributes_fit';
COMMENT ON FUNCTION vsm._attributes_fit(jsonb) IS 'Are attributes as few and short as those of an item must be?';

CREATE FUNCTION vsm._check_filter(of_stream text, of_type text, attributes jsonb) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_custom_plan     -- the items of a stream have an index
AS $$
DECLARE
    unknown text;
BEGIN
    IF of_type IS NOT NULL AND NOT EXISTS (SELECT FROM vsm.work_item_types t WHERE t.name = of_type) THEN
        RAISE EXCEPTION 'work item type "%" is not defined', vsm._cut(of_type)
            USING ERRCODE = 'PT422', COLUMN = 'type', DETAIL = 'There is no type of that name; names are case-sensitive.',
                  HINT = format('The types are %s.', left((SELECT string_agg(t.name, ', ' ORDER BY t.id) FROM vsm.work_item_types t), 2000));
    END IF;
    IF attributes IS NULL THEN
        RETURN;
    ELSIF jsonb_typeof(attributes) <> 'object' THEN
        RAISE EXCEPTION 'attributes must be a JSON object'
            USING ERRCODE = 'PT422', COLUMN = 'attributes', DETAIL = format('The value given is %s.', left(attributes::text, 100)),
                  HINT = 'For example {"team": "red"}.';
    ELSIF NOT vsm._attributes_fit(attributes) THEN
        RAISE EXCEPTION 'the attributes to look for are too large'
            USING ERRCODE = 'PT422', COLUMN = 'attributes', DETAIL = 'No work item can have as many.', HINT = 'For example {"team": "red"}.';
    END IF;
    SELECT k INTO unknown FROM jsonb_object_keys(attributes) k
    WHERE NOT EXISTS (SELECT FROM vsm.work_items w WHERE (of_stream IS NULL OR w.stream = of_stream) AND w.attributes ? k) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'no work item has the attribute "%"', left(unknown, 100)
            USING ERRCODE = 'PT422', COLUMN = 'attributes', DETAIL = concat('None', ' in stream "' || of_stream || '"', ' has that key; keys are case-sensitive.'),
                  HINT = coalesce('The attributes are ' || left((
                      SELECT string_agg(DISTINCT k, ', ')
                      -- of some items: a hint need not read them all
                      FROM (SELECT w.attributes FROM vsm.work_items w
                            WHERE (of_stream IS NULL OR w.stream = of_stream) AND w.attributes <> '{}' LIMIT 1000) w
                      CROSS JOIN LATERAL jsonb_object_keys(w.attributes) k), 200) || '.', 'No work item has attributes yet.');
    END IF;
END $$;
COMMENT ON FUNCTION vsm._check_filter(text, text, jsonb) IS
    'Refuses a filter that names a type or an attribute that does not exist, in a stream or with null in all. Errors: PT422.';

-- First and last event of a stream.  Times before 1970 are refused; one that the owner wrote past the triggers must not
-- stretch the window.
CREATE FUNCTION vsm._events_span(of_stream_id bigint, known_at timestamptz, OUT first timestamptz, OUT last timestamptz)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF known_at IS NULL THEN
        SELECT min(t."timestamp"), max(t."timestamp") INTO first, last
        FROM vsm.stage_transitions t WHERE t.stream_id = of_stream_id;
    ELSE
        SELECT min(k."timestamp"), max(k."timestamp") INTO first, last
        FROM vsm._known_rows(of_stream_id, _events_span.known_at) k;
    END IF;
    IF first IS NOT NULL THEN
        first := greatest(first, '1970-01-01 00:00:00+00');
        last := greatest(last, '1970-01-01 00:00:00+00');
    END IF;
END $$;
COMMENT ON FUNCTION vsm._events_span(bigint, timestamptz) IS 'First and last event of a stream; null without events.';

CREATE FUNCTION vsm._window(of_stream text, since timestamptz, until timestamptz, rule text DEFAULT NULL, of_type text DEFAULT NULL,
                            attributes jsonb DEFAULT NULL, known_at timestamptz DEFAULT NULL)
    RETURNS vsm._window
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    result vsm._window;
    events record;
BEGIN
    SELECT v.name, v.id, since, until, until, v.time_zone, coalesce(rule, v.reopen_rule), vsm._sought(of_type) INTO result
    FROM vsm.value_streams v WHERE v.name = vsm._sought(of_stream);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'stream "%" not found', coalesce(vsm._cut(of_stream), 'null')
            USING ERRCODE = 'PT404', DETAIL = 'There is no stream of that name; names are case-sensitive.',
                  HINT = format('%s; vsm.define_stream() defines one.', vsm._streams_to_choose());
    END IF;
    IF result.reopen_rule NOT IN ('span_first_last', 'span_last', 'sum_active', 'sum_started', 'episodes') THEN
        RAISE EXCEPTION 'reopen rule "%" is not known', vsm._cut(rule)
            USING ERRCODE = 'PT422', DETAIL = 'It says how the cycle time of a reopened item counts.',
                  HINT = 'The rules are span_first_last, span_last, sum_active, sum_started and episodes.';
    END IF;
    IF since IS NULL OR until IS NULL THEN
        RAISE EXCEPTION 'a window needs both bounds'
            USING ERRCODE = 'PT422', DETAIL = 'One of them is null.',
                  HINT = 'Use -infinity and infinity for the whole history.';
    END IF;
    -- at the ends of the calendar, there is no local time in some zones
    IF isfinite(since) AND since NOT BETWEEN timestamptz '4713-01-01 00:00+00 BC' AND timestamptz '294276-01-01 00:00+00'
       OR isfinite(until) AND until NOT BETWEEN timestamptz '4713-01-01 00:00+00 BC' AND timestamptz '294276-01-01 00:00+00' THEN
        RAISE EXCEPTION 'the window is not in the calendar'
            USING ERRCODE = 'PT422', DETAIL = format('It is from %s until %s.', since, until),
                  HINT = 'Give bounds in the years 4713 BC to 294275, or -infinity and infinity for the whole history.';
    END IF;
    IF since > until THEN
        RAISE EXCEPTION 'the window ends before it begins'
            USING ERRCODE = 'PT422', DETAIL = format('It is from %s until %s.', since, until),
                  HINT = 'Exchange the bounds.';
    END IF;
    PERFORM vsm._check_filter(result.stream, result.type, attributes);
    IF NOT isfinite(since) OR NOT isfinite(until) THEN
        events := vsm._events_span(result.stream_id, known_at);
        IF NOT isfinite(since) THEN
            -- an event at or after until is none of the window's
            result.since := least(coalesce(events.first, now()), CASE WHEN isfinite(until) THEN until END);
        END IF;
        IF NOT isfinite(until) THEN
            result.until := greatest(coalesce(events.last, now()), result.since);
        END IF;
    END IF;
    RETURN result;
END $$;
COMMENT ON FUNCTION vsm._window(text, timestamptz, timestamptz, text, text, jsonb, timestamptz) IS
    'A window of a stream with its bounds made finite. Errors: PT404 unknown stream; PT422 bounds, rule, type, attributes.';

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

-- The local times at which the first and the last bucket of a window begin.
CREATE FUNCTION vsm._bucket_range(of_window vsm._window, bucket text, OUT first timestamp, OUT last timestamp)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF bucket IS NULL OR bucket NOT IN ('day', 'week', 'month') THEN
        RAISE EXCEPTION 'bucket cannot be "%"', coalesce(vsm._cut(bucket), 'null')
            USING ERRCODE = 'PT422', COLUMN = 'bucket', DETAIL = 'A bucket is a calendar unit.',
                  HINT = 'Give day, week (from Monday) or month.';
    END IF;
    PERFORM vsm._check_series(of_window.since, of_window.until);
    first := date_trunc(bucket, of_window.since AT TIME ZONE of_window.time_zone);
    -- the last instant of the window: its end is not in it
    last := date_trunc(bucket, (CASE WHEN isfinite(of_window.bound) AND of_window.until > of_window.since
                                     THEN of_window.until - interval '1 microsecond' ELSE of_window.until END) AT TIME ZONE of_window.time_zone);
    IF last > first + 100000 * ('1 ' || bucket)::interval THEN
        RAISE EXCEPTION 'the window has too many buckets'
            USING ERRCODE = 'PT422', DETAIL = format('It is from %s until %s.', of_window.since, of_window.until),
                  HINT = 'Give a window of at most 100,000 buckets, or -infinity and infinity for the whole history.';
    END IF;
END $$;
COMMENT ON FUNCTION vsm._bucket_range(vsm._window, text) IS
    'The days, weeks or months that a window is cut into. Errors: PT422.';

CREATE FUNCTION vsm._starts(date date, time_zone text) RETURNS timestamptz
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN date::timestamp AT TIME ZONE time_zone;
COMMENT ON FUNCTION vsm._starts(date, text) IS 'The instant at which a day begins in a zone.';

-- Where the clock shows midnight twice, a day begins at the second: the hour before has its date, and is of the day before.
CREATE FUNCTION vsm._bucket_of(at timestamptz, time_zone text, bucket text) RETURNS timestamp
    LANGUAGE sql STABLE PARALLEL SAFE
RETURN date_trunc(bucket, (at AT TIME ZONE time_zone) - CASE WHEN date_trunc('day', at AT TIME ZONE time_zone) AT TIME ZONE time_zone > at
                                                             THEN interval '1 day' ELSE interval '0' END);
COMMENT ON FUNCTION vsm._bucket_of(timestamptz, text, text) IS 'The first midnight, in local time, of the day, week or month of a zone in which an instant lies.';

CREATE FUNCTION vsm._buckets(of_window vsm._window, bucket text)
    RETURNS TABLE (place integer, starts date, since timestamptz, until timestamptz, whole boolean)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    r CONSTANT record := vsm._bucket_range(of_window, bucket);
    step CONSTANT interval := ('1 ' || bucket)::interval;
    -- an event at an end that was given as infinity is in the window
    ends CONSTANT timestamptz := CASE WHEN isfinite(of_window.bound) THEN of_window.until ELSE vsm._just_after(of_window.until) END;
BEGIN
    RETURN QUERY
    SELECT row_number() OVER (ORDER BY b.starts)::integer, b.starts, greatest(b.since, of_window.since),
           CASE WHEN b.until < ends THEN b.until ELSE of_window.bound END,
           b.since >= of_window.since AND b.until <= least(of_window.bound, clock_timestamp())
    FROM (SELECT g::date AS starts, vsm._starts(g::date, of_window.time_zone) AS since, vsm._starts((g + step)::date, of_window.time_zone) AS until
          -- where clocks are set at midnight, the window may begin before the day that its local time names, or end in the one before
          FROM generate_series(r.first - step, r.last + step, step) g) b
    WHERE b.until > of_window.since AND (b.since < ends OR b.since <= of_window.since)
    ORDER BY b.starts;
END $$;
COMMENT ON FUNCTION vsm._buckets(vsm._window, text) IS
    'The days, weeks or months of a window: from midnight to midnight of the zone, the first and the last cut by the window. whole: it is not '
    'cut, and over. Errors: PT422.';
