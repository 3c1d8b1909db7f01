-- 82_forecast: Monte Carlo over daily throughput (src/figures/forecast.c)

CREATE FUNCTION vsm._forecast_days(samples bigint[], items integer, confidences integer[], trials integer, seed bigint)
    RETURNS bigint[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__forecast_days';
COMMENT ON FUNCTION vsm._forecast_days(bigint[], integer, integer[], integer, bigint) IS
    'The number of days in which that many items are done, at each confidence in percent; null: more than ten years.';

CREATE FUNCTION vsm._forecast_items(samples bigint[], days integer, confidences integer[], trials integer, seed bigint)
    RETURNS bigint[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__forecast_items';
COMMENT ON FUNCTION vsm._forecast_items(bigint[], integer, integer[], integer, bigint) IS
    'The number of items that are done within that many days, at each confidence in percent.';

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
    seed bigint
);
COMMENT ON TYPE vsm.forecast_line IS 'A row of vsm.forecast().';

CREATE FUNCTION vsm._check_forecast(items integer, until date, today date, history_days integer, trials integer)
    RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
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
                  DETAIL = format('It is %s, and today is %s.',
                                  to_char(until, 'YYYY-MM-DD'), to_char(today, 'YYYY-MM-DD')),
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
COMMENT ON FUNCTION vsm._check_forecast(integer, date, date, integer, integer) IS
    'Checks the arguments of vsm.forecast(). Errors: PT422.';

CREATE FUNCTION vsm.forecast(items integer DEFAULT NULL, until date DEFAULT NULL, stream text DEFAULT 'default',
                             type text DEFAULT NULL, history_days integer DEFAULT 90, seed bigint DEFAULT 1,
                             trials integer DEFAULT 10000, at timestamptz DEFAULT clock_timestamp(),
                             attributes jsonb DEFAULT NULL)
    RETURNS SETOF vsm.forecast_line
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 4 SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, '-infinity', at, NULL, type, attributes);
    today CONSTANT date := (at AT TIME ZONE v.time_zone)::date;
    -- whole days only, and none before the stream's first item
    first_day CONSTANT date := greatest(today - history_days, (v.since AT TIME ZONE v.time_zone)::date);
    confidences CONSTANT integer[] := ARRAY[50, 70, 85, 95];
    samples bigint[] := '{}';
    productive bigint;
    days bigint[];
    counts bigint[];
BEGIN
    PERFORM vsm._check_forecast(items, until, today, history_days, trials);
    IF first_day < today THEN
        samples := ARRAY(
            SELECT b.items
            FROM vsm.throughput(stream, first_day::timestamp AT TIME ZONE v.time_zone,
                                today::timestamp AT TIME ZONE v.time_zone, 'day', type, NULL, attributes) b
            ORDER BY b.bucket);
    END IF;
    SELECT count(*) INTO productive FROM unnest(samples) s WHERE s > 0;
    IF productive < 5 THEN
        RAISE EXCEPTION 'there are too few days with throughput for a forecast'
            USING ERRCODE = 'PT422',
                  DETAIL = format('Of the %s whole days before today, %s have throughput; a forecast needs 5.',
                                  cardinality(samples), productive),
                  HINT = 'Draw from more days (history_days), leave out the type or the attributes, or wait.';
    END IF;
    days := vsm._forecast_days(samples, items, confidences, trials, coalesce(seed, 1));
    counts := vsm._forecast_items(samples, until - today, confidences, trials, coalesce(seed, 1));
    RETURN QUERY
    SELECT confidences[i], today + days[i]::integer, counts[i], v.stream, v.time_zone, first_day, today - 1, productive,
           (SELECT sum(s)::bigint FROM unnest(samples) s), trials, coalesce(seed, 1)
    FROM generate_subscripts(confidences, 1) i ORDER BY i;
END $$;
COMMENT ON FUNCTION vsm.forecast(integer, date, text, text, integer, bigint, integer, timestamptz, jsonb) IS
    'Monte Carlo forecast from the stream''s daily throughput, at 50, 70, 85 and 95 %: done_on, the day by which '
    'that share of the trials finished the items (null: not within ten years), and items_done, the number of items '
    'that share of the trials finished by the end of the day until. Each day from tomorrow on finishes as many '
    'items as a random day of the history, from since to until of the result: the last history_days whole days, but '
    'none before the stream''s first item. The same history and seed give the same forecast. Errors: PT404; PT422 '
    'arguments, fewer than 5 days with throughput.';
