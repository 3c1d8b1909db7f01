-- 83_forecasts: when each open item is done, when several streams are, and how often forecasts held

CREATE TYPE vsm.forecast_item AS (
    place integer,
    work_item_id bigint,
    external_id text,
    title text,
    type text,
    stage text,
    age interval,
    done_on_50 date,
    done_on_70 date,
    done_on_85 date,
    done_on_95 date
);
COMMENT ON TYPE vsm.forecast_item IS 'A row of vsm.forecast_items().';

CREATE FUNCTION vsm.forecast_items(stream text DEFAULT 'default', by text DEFAULT 'age', type text DEFAULT NULL,
                                   history_days integer DEFAULT 90, seed bigint DEFAULT 1, trials integer DEFAULT 10000,
                                   at timestamptz DEFAULT clock_timestamp(), attributes jsonb DEFAULT NULL,
                                   working_days integer[] DEFAULT NULL, exclude_outliers boolean DEFAULT false,
                                   known_at timestamptz DEFAULT NULL)
    RETURNS SETOF vsm.forecast_item
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, '-infinity', at, NULL, type, attributes, known_at);
    h vsm._forecast_history;
    items vsm.forecast_item[];
    days bigint[];
BEGIN
    IF by IS NULL OR by NOT IN ('age', 'order') THEN
        RAISE EXCEPTION 'items cannot be forecast by "%"', vsm._cut(by)
            USING ERRCODE = 'PT422', COLUMN = 'by', DETAIL = 'It says which item is done next.',
                  HINT = 'Give age, the item first that was started first, or order, the item first that was created first.';
    END IF;
    -- the number of items is that of the open ones
    PERFORM vsm._check_forecast(1, NULL, at, v.time_zone, history_days, trials);
    PERFORM vsm._check_working_days(working_days);
    h := vsm._forecast_history(v, at, v.type, attributes, known_at, history_days, working_days, exclude_outliers);
    PERFORM vsm._plan(vsm._cells_beyond(v.stream_id, at, known_at) OR known_at IS NULL AND vsm._few_moves_after(v.stream_id, at));
    items := ARRAY(
        SELECT ROW(row_number() OVER (), o.work_item_id, o.external_id, o.title, o.type, o.stage, vsm._interval(vsm._elapsed_us(o.started_at, at)),
                   NULL, NULL, NULL, NULL)::vsm.forecast_item
        FROM (SELECT o.*
              FROM vsm._open_items_at(v.stream, v.stream_id, at, v.type, forecast_items.attributes, forecast_items.known_at) o
              ORDER BY CASE WHEN by = 'age' THEN o.started_at END NULLS LAST, o.created_at, o.work_item_id LIMIT 100001) o);
    IF cardinality(items) > 100000 THEN
        RAISE EXCEPTION 'there are too many open items to forecast each'
            USING ERRCODE = 'PT422', DETAIL = 'More than 100000 items are in progress.', HINT = 'Name a type or attributes.';
    ELSIF cardinality(items) = 0 THEN
        RETURN;
    END IF;
    days := vsm._forecast_places(h.samples, cardinality(items), ARRAY[50, 70, 85, 95], trials, coalesce(seed, 1), h.off_samples, h.days_off);
    RETURN QUERY
    SELECT i.place, i.work_item_id, i.external_id, i.title, i.type, i.stage, i.age,
           h.today + days[4 * i.place - 3]::integer, h.today + days[4 * i.place - 2]::integer,
           h.today + days[4 * i.place - 1]::integer, h.today + days[4 * i.place]::integer
    FROM unnest(items) i ORDER BY i.place;
END $$;
COMMENT ON FUNCTION vsm.forecast_items(text, text, text, integer, bigint, integer, timestamptz, jsonb, integer[], boolean, timestamptz) IS
    'For each item that is neither finished nor discarded at an instant, the day by which it is done at 50, 70, 85 and 95 % confidence '
    '(null: not within ten years), if items are finished in the order of place: by age, the first started first, then those that have '
    'not started as they were created; or by order, as they were created. The n-th is done when n items are, by the trials of '
    'vsm.forecast(); items that come later, and those that are discarded, do not count (Vacanti). Errors: PT404; PT422 arguments, fewer '
    'than 5 working days with throughput, more than 100000 items.';

CREATE TYPE vsm.delivery_line AS (
    confidence integer,
    stream text,                -- null: all of them
    items bigint,
    done_on date,
    trials integer,
    seed bigint
);
COMMENT ON TYPE vsm.delivery_line IS 'A row of vsm.forecast_delivery().';

CREATE FUNCTION vsm._check_delivery(items jsonb) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wrong text;
BEGIN
    IF jsonb_typeof(items) IS DISTINCT FROM 'object' OR items = '{}' THEN
        RAISE EXCEPTION 'the items of a delivery must be a JSON object'
            USING ERRCODE = 'PT422', COLUMN = 'items', DETAIL = format('The value given is %s.', coalesce(left(items::text, 100), 'null')),
                  HINT = 'Give a number of items for each stream, such as {"web": 12, "app": 5}.';
    END IF;
    SELECT format('Of stream "%s" it is %s.', left(e.key, 100), left(e.value::text, 100)) INTO wrong
    FROM jsonb_each(items) e
    WHERE CASE WHEN jsonb_typeof(e.value) <> 'number' THEN true
               ELSE (e.value #>> '{}')::numeric NOT BETWEEN 1 AND 100000 OR (e.value #>> '{}')::numeric <> trunc((e.value #>> '{}')::numeric) END
    ORDER BY e.key LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the number of items to forecast is out of range'
            USING ERRCODE = 'PT422', COLUMN = 'items', DETAIL = wrong, HINT = 'Give a number from 1 to 100000.';
    END IF;
    IF (SELECT count(*) FROM jsonb_object_keys(items)) > 100 THEN
        RAISE EXCEPTION 'a delivery has too many streams'
            USING ERRCODE = 'PT422', COLUMN = 'items', DETAIL = format('It has %s.', (SELECT count(*) FROM jsonb_object_keys(items))), HINT = 'Give at most 100.';
    END IF;
END $$;
COMMENT ON FUNCTION vsm._check_delivery(jsonb) IS 'Checks the items of vsm.forecast_delivery(). Errors: PT422.';

CREATE FUNCTION vsm.forecast_delivery(items jsonb, type text DEFAULT NULL, history_days integer DEFAULT 90, seed bigint DEFAULT 1,
                                      trials integer DEFAULT 10000, at timestamptz DEFAULT clock_timestamp(), attributes jsonb DEFAULT NULL,
                                      working_days integer[] DEFAULT NULL, exclude_outliers boolean DEFAULT false,
                                      known_at timestamptz DEFAULT NULL)
    RETURNS SETOF vsm.delivery_line
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
    confidences CONSTANT integer[] := ARRAY[50, 70, 85, 95];
    part record;
    h vsm._forecast_history;
    outcomes bigint[];
    last date[];                -- by trial, the day on which the last of the streams so far was done
    done date[];
BEGIN
    PERFORM vsm._check_delivery(items);
    IF trials > 100000 THEN
        RAISE EXCEPTION 'the number of trials is out of range'
            USING ERRCODE = 'PT422', COLUMN = 'trials', DETAIL = format('It is %s.', trials), HINT = 'Give a number from 100 to 100000.';
    END IF;
    PERFORM vsm._check_working_days(working_days);
    FOR part IN
        SELECT vsm._sought(e.key) AS name, (e.value #>> '{}')::numeric::integer AS n, row_number() OVER (ORDER BY vsm._sought(e.key) COLLATE "C") AS place
        FROM jsonb_each(items) e ORDER BY place
    LOOP
        h.today := NULL;
        SELECT x.* INTO h
        FROM vsm._window(part.name, '-infinity', at, NULL, type, attributes, known_at) v
        CROSS JOIN LATERAL vsm._check_forecast(part.n, NULL, at, v.time_zone, history_days, trials) checked
        CROSS JOIN LATERAL vsm._forecast_history(v, at, type, attributes, known_at, history_days, working_days, exclude_outliers) x;
        -- seeds of their own, or streams with like histories would draw the same days
        outcomes := vsm._forecast_trials(h.samples, part.n, trials, coalesce(seed, 1) # (part.place - 1), h.off_samples, h.days_off);
        done := ARRAY(SELECT CASE WHEN o.days <= 3653 THEN h.today + o.days::integer ELSE 'infinity' END
                      FROM unnest(outcomes) WITH ORDINALITY o (days, trial) ORDER BY o.trial);
        last := CASE WHEN last IS NULL THEN done
                     ELSE ARRAY(SELECT greatest(o.a, o.b) FROM unnest(last, done) WITH ORDINALITY o (a, b, trial) ORDER BY o.trial) END;
        done := ARRAY(SELECT d FROM unnest(done) d ORDER BY d);
        RETURN QUERY
        SELECT c.c, part.name, part.n::bigint, nullif(done[(trials::bigint * c.c + 99) / 100], 'infinity'), trials, coalesce(seed, 1)
        FROM unnest(confidences) WITH ORDINALITY c (c, place) ORDER BY c.place;
    END LOOP;
    done := ARRAY(SELECT d FROM unnest(last) d ORDER BY d);
    RETURN QUERY
    SELECT c.c, NULL::text, (SELECT sum((e.value #>> '{}')::numeric)::bigint FROM jsonb_each(items) e),
           nullif(done[(trials::bigint * c.c + 99) / 100], 'infinity'), trials, coalesce(seed, 1)
    FROM unnest(confidences) WITH ORDINALITY c (c, place) ORDER BY c.place;
END $$;
COMMENT ON FUNCTION vsm.forecast_delivery(jsonb, text, integer, bigint, integer, timestamptz, jsonb, integer[], boolean, timestamptz) IS
    'When items of several streams are done together. items: how many of each stream, such as {"web": 12, "app": 5}. Each trial draws the '
    'days of each stream from its own throughput, by the rules of vsm.forecast(), and ends with the last stream. A row for each '
    'confidence (50, 70, 85, 95 %) and stream, those of all streams last, with stream null. Streams are drawn independently of each other. done_on '
    'null: not within ten years. Errors: PT404; PT422 arguments, a stream with fewer than 5 working days with throughput.';

CREATE TYPE vsm.backtest_line AS (
    as_of date,
    confidence integer,
    forecast bigint,
    actual bigint,
    held boolean
);
COMMENT ON TYPE vsm.backtest_line IS 'A row of vsm.forecast_backtest().';

CREATE FUNCTION vsm._check_backtest(items integer, days integer, history_days integer, trials integer, as_of_days bigint) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM vsm._check_forecast(coalesce(items, 1), NULL, '2000-01-01', 'UTC', history_days, trials);
    IF items IS NOT NULL AND days IS NOT NULL THEN
        RAISE EXCEPTION 'a backtest is either of items or of days'
            USING ERRCODE = 'PT422', COLUMN = 'items', DETAIL = 'Both items and days are given.',
                  HINT = 'Give items to see when that many were done, or days to see how many were done within so many.';
    END IF;
    IF days NOT BETWEEN 1 AND 3653 THEN
        RAISE EXCEPTION 'the number of days to forecast for is out of range'
            USING ERRCODE = 'PT422', COLUMN = 'days', DETAIL = format('It is %s.', days), HINT = 'Give a number from 1 to 3653.';
    END IF;
    IF as_of_days > 1000 OR as_of_days * trials > 1000000 THEN
        RAISE EXCEPTION 'the window has too many days for a backtest'
            USING ERRCODE = 'PT422', COLUMN = 'since', DETAIL = format('It has %s days, each of which would be forecast with %s trials.', as_of_days, trials),
                  HINT = 'Give a window of at most 1000 days, or fewer trials: at most 1000000 in all.';
    END IF;
END $$;
COMMENT ON FUNCTION vsm._check_backtest(integer, integer, integer, integer, bigint) IS 'Checks the arguments of vsm.forecast_backtest(). Errors: PT422.';

CREATE FUNCTION vsm.forecast_backtest(items integer DEFAULT NULL, days integer DEFAULT NULL, stream text DEFAULT 'default',
                                      since timestamptz DEFAULT clock_timestamp() - interval '90 days',
                                      until timestamptz DEFAULT clock_timestamp(), type text DEFAULT NULL,
                                      history_days integer DEFAULT 90, seed bigint DEFAULT 1, trials integer DEFAULT 1000,
                                      attributes jsonb DEFAULT NULL, working_days integer[] DEFAULT NULL,
                                      exclude_outliers boolean DEFAULT false, known_at timestamptz DEFAULT NULL)
    RETURNS SETOF vsm.backtest_line
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, since, until, NULL, type, attributes, known_at);
    born CONSTANT date := (SELECT (least(e.first, v.until) AT TIME ZONE v.time_zone)::date FROM vsm._events_span(v.stream_id, known_at) e);
    -- days that lie in the window as a whole
    first_day CONSTANT date := (v.since AT TIME ZONE v.time_zone)::date
        + (vsm._starts((v.since AT TIME ZONE v.time_zone)::date, v.time_zone) < v.since AND isfinite(since))::integer;
    last_day CONSTANT date := (least(v.until, clock_timestamp()) AT TIME ZONE v.time_zone)::date - 1;
    horizon CONSTANT integer := CASE WHEN items IS NULL THEN coalesce(days, 14) END;
    drawn_from date;
    off_days integer[];         -- the first day is 1
    confidences CONSTANT integer[] := ARRAY[50, 70, 85, 95];
BEGIN
    PERFORM vsm._check_series(v.since, v.until);
    PERFORM vsm._check_backtest(items, days, history_days, trials, greatest(last_day - first_day + 1, 0)::bigint);
    PERFORM vsm._check_working_days(working_days);
    IF born IS NULL OR last_day < first_day THEN
        RETURN;
    END IF;
    drawn_from := greatest(born, first_day - history_days);
    off_days := vsm._days_off_after(v.stream, drawn_from - 1, last_day - drawn_from + 1, working_days);
    RETURN QUERY
    WITH finished AS MATERIALIZED (
        SELECT f.* FROM vsm._finished_days(v.stream_id, drawn_from, last_day, v.time_zone, v.reopen_rule, v.type, attributes, known_at) f),
    -- how many completions of each day had left done by which later day; they are few
    undone AS MATERIALIZED (
        SELECT u.day, array_agg(u.undone_on ORDER BY u.undone_on) AS days, array_agg(u.n ORDER BY u.undone_on) AS n
        FROM (SELECT f.day, f.undone_on, sum(f.n) OVER (PARTITION BY f.day ORDER BY f.undone_on)::bigint AS n
              FROM finished f WHERE f.undone_on IS NOT NULL) u
        GROUP BY 1),
    per_day AS MATERIALIZED (
        SELECT d.day::date AS day, coalesce(f.n, 0) AS n, d.day::date - drawn_from + 1 = ANY (off_days) AS off, u.days AS undone_days, u.n AS undone
        FROM generate_series(drawn_from::timestamp, last_day::timestamp, '1 day') d (day)
        LEFT JOIN finished f ON f.day = d.day::date AND f.undone_on IS NULL
        LEFT JOIN undone u ON u.day = d.day::date),
    as_of AS MATERIALIZED (
        SELECT a.day::date AS day FROM generate_series(greatest(first_day, born)::timestamp, last_day::timestamp, '1 day') a (day)),
    drawn AS (
        SELECT x.as_of, coalesce(array_agg(x.n ORDER BY x.day) FILTER (WHERE NOT x.off), '{}') AS samples,
               coalesce(array_agg(x.n ORDER BY x.day) FILTER (WHERE x.off), '{}') AS off_samples
        FROM (SELECT a.day AS as_of, d.day, d.off, d.n + coalesce(d.undone[width_bucket(a.day - 1, d.undone_days)], 0) AS n
              FROM as_of a JOIN per_day d ON d.day < a.day AND d.day >= a.day - history_days) x
        GROUP BY 1),
    kept AS MATERIALIZED (
        SELECT d.as_of, d.off_samples, CASE WHEN exclude_outliers THEN vsm._without_outliers(d.samples) ELSE d.samples END AS samples,
               vsm._days_off_after(v.stream, d.as_of, 3653, working_days) AS days_off
        FROM drawn d),
    forecasts AS MATERIALIZED (
        SELECT k.as_of,
               CASE WHEN horizon IS NULL THEN vsm._forecast_days(k.samples, items, confidences, trials, coalesce(seed, 1), k.off_samples, k.days_off)
                    ELSE vsm._forecast_items(k.samples, horizon, confidences, trials, coalesce(seed, 1), k.off_samples, k.days_off) END AS values
        FROM kept k WHERE (SELECT count(*) FROM unnest(k.samples) s WHERE s > 0) >= 5),
    -- what came after each, as seen at the end of each later day
    afterwards AS (
        SELECT f.as_of, e.day, sum(e.n) OVER (PARTITION BY f.as_of ORDER BY e.day) AS done
        FROM forecasts f
        CROSS JOIN LATERAL (
            SELECT x.day, sum(x.n) AS n
            FROM (SELECT coalesce(x.undone_on, x.day) AS day, x.n FROM finished x
                  WHERE x.day > f.as_of AND (horizon IS NULL OR coalesce(x.undone_on, x.day) <= f.as_of + horizon)) x
            GROUP BY 1) e),
    actual AS (
        SELECT f.as_of,
               CASE WHEN horizon IS NULL THEN (min(a.day) FILTER (WHERE a.done >= items) - f.as_of)::bigint
                    WHEN f.as_of + horizon <= last_day THEN coalesce((array_agg(a.done ORDER BY a.day DESC))[1], 0)::bigint END AS value
        FROM forecasts f LEFT JOIN afterwards a ON a.as_of = f.as_of GROUP BY 1)
    SELECT f.as_of, c.c, f.values[c.place], a.value,
           CASE WHEN horizon IS NOT NULL THEN a.value >= f.values[c.place]
                WHEN a.value IS NOT NULL THEN a.value <= f.values[c.place]
                -- not done yet, and overdue
                WHEN f.as_of + f.values[c.place]::integer <= last_day THEN false END
    FROM forecasts f
    JOIN actual a ON a.as_of = f.as_of
    CROSS JOIN unnest(confidences) WITH ORDINALITY c (c, place)
    ORDER BY f.as_of, c.place;
END $$;
COMMENT ON FUNCTION vsm.forecast_backtest(integer, integer, text, timestamptz, timestamptz, text, integer, bigint, integer, jsonb, integer[], boolean, timestamptz) IS
    'Replays vsm.forecast() as of each day that lies in the window, and compares it with what came after. With days (14 by default): how many items '
    'were forecast for, and finished on, the days as_of + 1 to as_of + days; held: at least as many. With items: the days from as_of until that many are '
    'done; held: no later. Each as_of sees the moves before it, and each outcome is as seen at its end. actual is null if the window '
    'ends before it is known, held if it cannot be told yet. Days on which a forecast would have been refused for want of throughput are left out. Errors: PT404; PT422 arguments.';
