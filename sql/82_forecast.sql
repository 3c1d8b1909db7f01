-- 82_forecast: Monte Carlo over daily throughput (src/figures/forecast.c)

-- samples: what past working days finished; off_samples: what past days off did; days_off: which days to come are off, 1 is
-- tomorrow.  The same C functions, with 5 arguments, know no days off.
CREATE FUNCTION vsm._forecast_days(samples bigint[], items integer, confidences integer[], trials integer, seed bigint,
                                   off_samples bigint[] DEFAULT '{}', days_off integer[] DEFAULT '{}')
    RETURNS bigint[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__forecast_days';
COMMENT ON FUNCTION vsm._forecast_days(bigint[], integer, integer[], integer, bigint, bigint[], integer[]) IS
    'The number of days in which that many items are done, at each confidence in percent; null: more than ten years. Errors: PT422.';

CREATE FUNCTION vsm._forecast_items(samples bigint[], days integer, confidences integer[], trials integer, seed bigint,
                                    off_samples bigint[] DEFAULT '{}', days_off integer[] DEFAULT '{}')
    RETURNS bigint[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__forecast_items';
COMMENT ON FUNCTION vsm._forecast_items(bigint[], integer, integer[], integer, bigint, bigint[], integer[]) IS
    'The number of items that are done within that many days, at each confidence in percent. Errors: PT422.';

CREATE FUNCTION vsm._forecast_trials(samples bigint[], items integer, trials integer, seed bigint,
                                     off_samples bigint[] DEFAULT '{}', days_off integer[] DEFAULT '{}')
    RETURNS bigint[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__forecast_trials';
COMMENT ON FUNCTION vsm._forecast_trials(bigint[], integer, integer, bigint, bigint[], integer[]) IS
    'The number of days in which each trial of vsm._forecast_days() has done the items; 3654: more than ten years. Errors: PT422.';

CREATE FUNCTION vsm._forecast_places(samples bigint[], places integer, confidences integer[], trials integer, seed bigint,
                                     off_samples bigint[] DEFAULT '{}', days_off integer[] DEFAULT '{}')
    RETURNS bigint[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__forecast_places';
COMMENT ON FUNCTION vsm._forecast_places(bigint[], integer, integer[], integer, bigint, bigint[], integer[]) IS
    'The number of days in which the first item is done at each confidence in percent, then the second, and so on; null: more than '
    'ten years. Errors: PT422.';

CREATE TYPE vsm.forecast_line AS (
    confidence integer,
    done_on date,
    items_done bigint,
    stream text,
    time_zone text,
    since date,
    until date,
    days_with_throughput bigint,
    finished bigint,
    trials integer,
    seed bigint,
    working_days integer[],
    days_off bigint,            -- among the days drawn from
    outliers bigint,            -- days that were left out
    known_at timestamptz
);
COMMENT ON TYPE vsm.forecast_line IS 'A row of vsm.forecast().';

CREATE FUNCTION vsm._check_forecast(items integer, until date, at timestamptz, time_zone text, history_days integer, trials integer)
    RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    today date;
BEGIN
    IF at NOT BETWEEN timestamptz '1970-01-01 00:00+00' AND timestamptz '9999-12-31 00:00+00' THEN
        RAISE EXCEPTION 'the time to forecast from is out of range'
            USING ERRCODE = 'PT422', COLUMN = 'at', DETAIL = format('It is %s.', at), HINT = 'Give a time in the years 1970 to 9999; now by default.';
    END IF;
    today := at AT TIME ZONE time_zone;
    IF items IS NULL AND until IS NULL THEN
        RAISE EXCEPTION 'a forecast needs items or until'
            USING ERRCODE = 'PT422', COLUMN = 'items', DETAIL = 'Neither items nor until is given.',
                  HINT = 'Give items to learn when they are done, until to learn how many are done by then, or both.';
    END IF;
    IF items NOT BETWEEN 1 AND 100000 THEN
        RAISE EXCEPTION 'the number of items to forecast is out of range'
            USING ERRCODE = 'PT422', COLUMN = 'items', DETAIL = format('It is %s.', items),
                  HINT = 'Give a number from 1 to 100000.';
    END IF;
    IF until <= today OR until > today + 3653 THEN
        RAISE EXCEPTION 'the date to forecast for is out of range'
            USING ERRCODE = 'PT422', COLUMN = 'until',
                  DETAIL = format('It is %s, and today is %s.', vsm._shown(until), vsm._shown(today)),
                  HINT = 'Give a day after today, within ten years.';
    END IF;
    IF history_days IS NULL OR history_days NOT BETWEEN 5 AND 3653 THEN
        RAISE EXCEPTION 'the number of days to draw from is out of range'
            USING ERRCODE = 'PT422', COLUMN = 'history_days',
                  DETAIL = format('It is %s.', coalesce(history_days::text, 'null')),
                  HINT = 'Give a number from 5 to 3653.';
    END IF;
    IF trials IS NULL OR trials NOT BETWEEN 100 AND 1000000 THEN
        RAISE EXCEPTION 'the number of trials is out of range'
            USING ERRCODE = 'PT422', COLUMN = 'trials', DETAIL = format('It is %s.', coalesce(trials::text, 'null')),
                  HINT = 'Give a number from 100 to 1000000.';
    END IF;
END $$;
COMMENT ON FUNCTION vsm._check_forecast(integer, date, timestamptz, text, integer, integer) IS
    'Checks the arguments of vsm.forecast(). Errors: PT422.';

-- Wheeler's upper natural process limit needs no distribution, and leaves a stream in peace that finishes nothing on most
-- days, where quartiles would all be 0.
CREATE FUNCTION vsm._without_outliers(samples bigint[]) RETURNS bigint[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (SELECT coalesce(array_agg(s.items ORDER BY s.place) FILTER (WHERE s.items <= l.upper), '{}')
        FROM unnest(samples) WITH ORDINALITY s (items, place)
        CROSS JOIN (SELECT avg(m.items) + 2.66 * coalesce(avg(m.range), 0) AS upper
                    FROM (SELECT d.items, abs(d.items - lag(d.items) OVER (ORDER BY d.place)) AS range
                          FROM unnest(samples) WITH ORDINALITY d (items, place)) m) l);
COMMENT ON FUNCTION vsm._without_outliers(bigint[]) IS
    'The samples that are not above mean + 2.66 x mean moving range, the upper natural limit of a process behaviour chart (Wheeler).';

-- What a forecast is drawn from, and the calendar ahead.
CREATE TYPE vsm._forecast_history AS (
    stream text,
    stream_id bigint,
    time_zone text,
    today date,
    first_day date,
    samples bigint[],           -- of working days
    off_samples bigint[],       -- of days off
    productive bigint,
    outliers bigint,
    days_off integer[]          -- ahead; 1 is tomorrow
);

CREATE FUNCTION vsm._require_productive(stream text, productive bigint, working_days bigint, days_off bigint, outliers bigint) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF productive < 5 THEN
        RAISE EXCEPTION 'there are too few days with throughput for a forecast of stream "%"', stream
            USING ERRCODE = 'PT422',
                  DETAIL = format('Of the %s%s whole days before the day of the forecast, %s have throughput%s; a forecast needs 5.', working_days,
                                  CASE WHEN days_off > 0 THEN format(' working days among the %s', working_days + days_off) ELSE '' END, productive,
                                  CASE WHEN outliers > 0 THEN format(', without the outliers, which are %s', outliers) ELSE '' END),
                  HINT = CASE WHEN days_off > 0 AND outliers > 0 THEN 'Take fewer days off (working_days, the list of days off), keep the outliers (exclude_outliers), draw'
                              WHEN days_off > 0 THEN 'Take fewer days off (working_days, the list of days off), draw'
                              WHEN outliers > 0 THEN 'Keep the outliers (exclude_outliers), draw' ELSE 'Draw' END
                      || ' from more days (history_days), leave out the type or the attributes, give an earlier day (at), or wait.';
    END IF;
END $$;
COMMENT ON FUNCTION vsm._require_productive(text, bigint, bigint, bigint, bigint) IS 'Refuses a forecast from too few days. Errors: PT422.';

-- Without days off all days are of one kind, as they come.
CREATE FUNCTION vsm._forecast_history(of_window vsm._window, at timestamptz, of_type text, attributes jsonb, known_at timestamptz,
                                      history_days integer, working_days integer[], exclude_outliers boolean)
    RETURNS vsm._forecast_history
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v CONSTANT vsm._window := of_window;
    result vsm._forecast_history;
    off_days integer[];      -- the first day is 1
    drawn bigint;
BEGIN
    result.stream := v.stream;
    result.stream_id := v.stream_id;
    result.time_zone := v.time_zone;
    result.today := (at AT TIME ZONE v.time_zone)::date;
    -- whole days only, and none before the stream's first item
    result.first_day := greatest(result.today - history_days, (v.since AT TIME ZONE v.time_zone)::date);
    result.samples := '{}';
    result.off_samples := '{}';
    result.days_off := vsm._days_off_after(v.stream, result.today, 3653, working_days);
    IF result.first_day < result.today THEN
        off_days := vsm._days_off_after(v.stream, result.first_day - 1, result.today - result.first_day, working_days);
        SELECT coalesce(array_agg(b.items ORDER BY b.bucket) FILTER (WHERE NOT b.off), '{}'),
               coalesce(array_agg(b.items ORDER BY b.bucket) FILTER (WHERE b.off), '{}')
        INTO result.samples, result.off_samples
        FROM (SELECT t.bucket, t.items, t.bucket - result.first_day + 1 = ANY (off_days) AS off
              FROM vsm.throughput(v.stream, result.first_day::timestamp AT TIME ZONE v.time_zone,
                                  result.today::timestamp AT TIME ZONE v.time_zone, 'day', of_type, NULL, attributes, known_at) t) b;
    END IF;
    drawn := cardinality(result.samples);
    IF exclude_outliers THEN
        result.samples := vsm._without_outliers(result.samples);
    END IF;
    result.outliers := drawn - cardinality(result.samples);
    SELECT count(*) INTO result.productive FROM unnest(result.samples) s WHERE s > 0;
    PERFORM vsm._require_productive(result.stream, result.productive, drawn, cardinality(result.off_samples), result.outliers);
    RETURN result;
END $$;
COMMENT ON FUNCTION vsm._forecast_history(vsm._window, timestamptz, text, jsonb, timestamptz, integer, integer[], boolean) IS
    'What a forecast at an instant draws from, and the days off ahead. of_window: from the stream''s first item on. Errors: PT422 '
    'fewer than 5 days with throughput.';

CREATE FUNCTION vsm.forecast(items integer DEFAULT NULL, until date DEFAULT NULL, stream text DEFAULT 'default',
                             type text DEFAULT NULL, history_days integer DEFAULT 90, seed bigint DEFAULT 1,
                             trials integer DEFAULT 10000, at timestamptz DEFAULT clock_timestamp(),
                             attributes jsonb DEFAULT NULL, working_days integer[] DEFAULT NULL,
                             exclude_outliers boolean DEFAULT false, known_at timestamptz DEFAULT NULL)
    RETURNS SETOF vsm.forecast_line
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 4 SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, '-infinity', at, NULL, type, attributes, known_at);
    confidences CONSTANT integer[] := ARRAY[50, 70, 85, 95];
    h vsm._forecast_history;
    days bigint[];
    counts bigint[];
BEGIN
    PERFORM vsm._check_forecast(items, until, at, v.time_zone, history_days, trials);
    PERFORM vsm._check_working_days(working_days);
    h := vsm._forecast_history(v, at, v.type, attributes, known_at, history_days, working_days, exclude_outliers);
    days := vsm._forecast_days(h.samples, items, confidences, trials, coalesce(seed, 1), h.off_samples, h.days_off);
    counts := vsm._forecast_items(h.samples, until - h.today, confidences, trials, coalesce(seed, 1), h.off_samples, h.days_off);
    RETURN QUERY
    SELECT confidences[i], h.today + days[i]::integer, counts[i], v.stream, v.time_zone, h.first_day, h.today - 1, h.productive,
           (SELECT sum(s)::bigint FROM unnest(h.samples || h.off_samples) s), trials, coalesce(seed, 1),
           working_days, cardinality(h.off_samples)::bigint, h.outliers, known_at
    FROM generate_subscripts(confidences, 1) i ORDER BY i;
END $$;
COMMENT ON FUNCTION vsm.forecast(integer, date, text, text, integer, bigint, integer, timestamptz, jsonb, integer[], boolean, timestamptz) IS
    'Monte Carlo forecast from the stream''s daily throughput, at 50, 70, 85 and 95 %: done_on, the day by which '
    'that share of the trials finished the items (null: not within ten years), and items_done, the number of items '
    'that share of the trials finished by the end of the day until. Each day from tomorrow on finishes as many '
    'items as a random day of the history, from since to until of the result: the last history_days whole days, but '
    'none before the stream''s first item. Days of the week that are not among working_days (1 Monday to 7 Sunday; null: all are), and '
    'those of vsm.days_off, are days off, and are drawn from past days off; if there are none, they finish nothing. exclude_outliers: '
    'working days above mean + 2.66 x mean moving range are not drawn (Wheeler). The same history and seed give the same forecast '
    '(Vacanti). Errors: PT404; PT422 arguments, fewer than 5 working days with throughput.';
