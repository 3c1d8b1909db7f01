-- 81_stability: is the flow stable?  What comes in and goes out, Little's Law, and process behaviour

-- Ages are summed up as the ledger tells changes of started WIP: each adds or takes an item whose first start is known, and by
-- any instant the item has aged by the time from then on.  With cells all is counted on from the first move, as of known
-- moves; else back from what is there now.
CREATE FUNCTION vsm._levels(of_window vsm._window, cuts timestamptz[], by_cells boolean, of_type text, attributes jsonb,
                            known_at timestamptz)
    RETURNS TABLE (place integer, arrivals bigint, departures bigint, returns bigint, discarded bigint, starts bigint,
                   open bigint, started bigint, age_us numeric)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH pieces AS MATERIALIZED (
        SELECT p.*
        FROM vsm._pieces(of_window.stream_id, CASE WHEN by_cells OR known_at IS NOT NULL THEN timestamptz '-infinity' || cuts
                                                   ELSE cuts || timestamptz 'infinity' END,
                         by_cells, vsm._units(of_type)) p),
    moves AS (
        SELECT m."timestamp" AS at, m.from_stage_id, m.to_stage_id, m.started_change,
               CASE WHEN m.started_change IS NOT NULL THEN (SELECT w.started_at FROM vsm.work_items w WHERE w.id = m.work_item_id) END AS started_at
        FROM pieces p
        CROSS JOIN LATERAL (SELECT * FROM vsm._ledger_moves(of_window.stream_id, p.since, p.until, of_type, _levels.attributes) OFFSET 0) m
        WHERE NOT p.folded AND known_at IS NULL
        UNION ALL
        SELECT k."timestamp", k.from_stage_id, k.to_stage_id, k.started_change,
               min(k."timestamp") FILTER (WHERE k.started_change > 0) OVER (PARTITION BY k.work_item_id)
        FROM vsm._known_moves(of_window.stream_id, of_type, _levels.attributes, known_at) k
        WHERE known_at IS NOT NULL AND k."timestamp" < cuts[cardinality(cuts)]),
    changes AS (
        -- age_us: at the window's end
        SELECT width_bucket(m.at, cuts) AS place, (m.from_stage_id IS NULL)::integer AS arrivals,
               (e.category = 'done' AND l.category IS DISTINCT FROM 'done')::integer AS departures,
               coalesce(l.category IN ('done', 'discarded') AND e.category <> l.category, false)::integer AS returns,
               (e.category = 'discarded' AND l.category IS DISTINCT FROM 'discarded')::integer AS discarded,
               (m.started_change > 0)::integer AS starts, m.started_change AS started,
               m.started_change * vsm._elapsed_us(m.started_at, of_window.until)::numeric AS age_us
        FROM moves m
        JOIN vsm.stages e ON e.id = m.to_stage_id
        LEFT JOIN vsm.stages l ON l.id = m.from_stage_id
        UNION ALL
        SELECT width_bucket(p.since, cuts), c.arrivals, c.departures, c.returns, c.discarded, c.starts, c.started_change,
               c.age_us + c.started_change * vsm._elapsed_us(p.until, of_window.until)::numeric
        FROM pieces p
        CROSS JOIN LATERAL (
            SELECT * FROM vsm._item_cells c
            WHERE c.stream_id = of_window.stream_id AND c.unit = p.unit AND c.since = p.since AND c.type_id = coalesce((SELECT vsm._type_id(of_type)), 0)
            OFFSET 0) c
        WHERE p.folded),
    sums AS MATERIALIZED (
        SELECT c.place, sum(c.arrivals) AS arrivals, sum(c.departures) AS departures, sum(c.returns) AS returns, sum(c.discarded) AS discarded,
               coalesce(sum(c.starts), 0) AS starts, sum(c.arrivals + c.returns - c.departures - c.discarded) AS open,
               coalesce(sum(c.started), 0) AS started, coalesce(sum(c.age_us), 0) AS age_us
        FROM changes c GROUP BY 1),
    before AS (
        SELECT s.open, s.started, s.age_us FROM sums s WHERE s.place = 0 AND (by_cells OR known_at IS NOT NULL)
        UNION ALL
        SELECT n.open - coalesce(c.open, 0), n.started - coalesce(c.started, 0), n.age_us - coalesce(c.age_us, 0)
        FROM (SELECT count(*) AS open, count(w.started_at) AS started,
                     coalesce(sum(vsm._elapsed_us(w.started_at, of_window.until)::numeric), 0) AS age_us
              FROM vsm.work_items w
              WHERE NOT by_cells AND known_at IS NULL AND w.stream = of_window.stream AND w.completed_at IS NULL AND w.discarded_at IS NULL
                AND (of_type IS NULL OR w.type = of_type)
                AND (_levels.attributes IS NULL OR w.attributes @> _levels.attributes)) n
        CROSS JOIN (SELECT sum(s.open) AS open, sum(s.started) AS started, sum(s.age_us) AS age_us FROM sums s) c
        WHERE NOT by_cells AND known_at IS NULL)
    SELECT l.place, l.arrivals::bigint, l.departures::bigint, l.returns::bigint, l.discarded::bigint, l.starts::bigint, l.open::bigint, l.started::bigint,
           -- each of these items is younger at the end of the place than at that of the window; nothing ages in a time to come
           l.age_us - l.started * vsm._elapsed_us(least(cuts[l.place + 1], of_window.until, clock_timestamp()), of_window.until)::numeric
    FROM (SELECT p.place, coalesce(s.arrivals, 0) AS arrivals, coalesce(s.departures, 0) AS departures, coalesce(s.returns, 0) AS returns,
                 coalesce(s.discarded, 0) AS discarded, coalesce(s.starts, 0) AS starts,
                 coalesce((SELECT b.open FROM before b), 0) + sum(coalesce(s.open, 0)) OVER so_far AS open,
                 coalesce((SELECT b.started FROM before b), 0) + sum(coalesce(s.started, 0)) OVER so_far AS started,
                 coalesce((SELECT b.age_us FROM before b), 0) + sum(coalesce(s.age_us, 0)) OVER so_far AS age_us
          FROM generate_series(0, cardinality(cuts) - 1) p (place)
          LEFT JOIN sums s ON s.place = p.place AND p.place > 0
          WINDOW so_far AS (ORDER BY p.place)) l;
END;
COMMENT ON FUNCTION vsm._levels(vsm._window, timestamptz[], boolean, text, jsonb, timestamptz) IS
    'What happened from each of cuts to the next, by its place from 1, and what was open, and started, before the next: their number, and '
    'the sum of the ages of the started items at that time, or now if it lies ahead, in microseconds. Place 0: before the first of cuts.';

CREATE TYPE vsm.flow_balance_bucket AS (
    bucket date,
    arrivals bigint,
    departures bigint,
    returns bigint,
    discarded bigint,
    net bigint,
    open bigint,
    started bigint,
    total_age interval
);
COMMENT ON TYPE vsm.flow_balance_bucket IS 'A row of vsm.flow_balance().';

CREATE FUNCTION vsm.flow_balance(stream text DEFAULT 'default',
                                 since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                                 until timestamptz DEFAULT clock_timestamp(), bucket text DEFAULT 'day', type text DEFAULT NULL,
                                 attributes jsonb DEFAULT NULL, known_at timestamptz DEFAULT NULL)
    RETURNS SETOF vsm.flow_balance_bucket
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, since, until, NULL, type, attributes, known_at);
    by_cells CONSTANT boolean := vsm._by_cells(v.stream_id, attributes, known_at);
    cuts timestamptz[];
    days date[];
BEGIN
    PERFORM vsm._plan(by_cells, type IS NOT NULL);
    SELECT array_agg(b.since ORDER BY b.place) || max(b.until), array_agg(b.starts ORDER BY b.place) INTO cuts, days FROM vsm._buckets(v, bucket) b;
    RETURN QUERY
    SELECT days[l.place], l.arrivals, l.departures, l.returns, l.discarded, l.arrivals + l.returns - l.departures - l.discarded, l.open, l.started,
           vsm._interval_of_sum(l.age_us)
    FROM vsm._levels(v, cuts, by_cells, v.type, flow_balance.attributes, flow_balance.known_at) l
    WHERE l.place > 0 ORDER BY l.place;
END $$;
COMMENT ON FUNCTION vsm.flow_balance(text, timestamptz, timestamptz, text, text, jsonb, timestamptz) IS
    'What came in and went out by day, week (from Monday) or month of the stream''s zone: items created (arrivals), entries into done '
    '(departures), exits from done or discarded (returns), entries into discarded; net = arrivals + returns - departures - discarded. At the '
    'bucket''s end, or the window''s: open, the items in progress, which are those at its beginning + net; started, those of them that have started; '
    'total_age, the sum of their ages. bucket is the first day; the window may cut the first bucket and the last. Errors: PT404, PT422.';

CREATE TYPE vsm.littles_law_row AS (
    stream text,
    since timestamptz,
    until timestamptz,
    holds boolean,
    sentence text,
    cycle_time interval,
    expected_cycle_time interval,
    started_wip numeric,
    finished bigint,
    throughput_per_day numeric,
    starts bigint,
    ends bigint,
    started_at_since bigint,
    started_at_until bigint,
    age_at_since interval,
    age_at_until interval,
    fails text[],
    tolerance numeric,
    reopen_rule text,
    time_zone text
);
COMMENT ON TYPE vsm.littles_law_row IS 'The row of vsm.littles_law().';

CREATE FUNCTION vsm._about_equal(a numeric, b numeric, tolerance numeric) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN abs(a - b) <= tolerance * greatest(abs(a), abs(b));
COMMENT ON FUNCTION vsm._about_equal(numeric, numeric, numeric) IS 'Do two numbers differ by no more than that share of the greater?';

CREATE FUNCTION vsm._rounded_days(us numeric) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN round(us / 86400000000, 1)::text || CASE WHEN round(us / 86400000000, 1) = 1 THEN ' day' ELSE ' days' END;
COMMENT ON FUNCTION vsm._rounded_days(numeric) IS 'Microseconds in days of 24 hours, for a sentence.';

CREATE FUNCTION vsm._readable(value numeric, digits integer) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN round(value, greatest(digits, CASE WHEN value >= 1 THEN 0 WHEN value >= 0.1 THEN 2 WHEN value >= 0.01 THEN 3 ELSE 4 END))::text;
COMMENT ON FUNCTION vsm._readable(numeric, integer) IS
    'A number of 0 or more with so many digits after the point, and with as many more as show two of a small one that count.';

CREATE FUNCTION vsm._littles_sentence(r vsm.littles_law_row, from_us numeric, to_us numeric) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN r.finished = 0 THEN 'Nothing that was started has been finished in the window, so there is no cycle time to compare.'
    WHEN r.holds THEN
        format('Little''s Law applies: %s started items in progress / %s finished a day = %s of cycle time; the average was %s.',
               vsm._readable(r.started_wip, 1), vsm._readable(r.throughput_per_day, 2), vsm._rounded_days(extract(epoch FROM r.expected_cycle_time) * 1000000),
               vsm._rounded_days(vsm._interval_us(r.cycle_time)))
    ELSE
        format('Little''s Law does not apply: %s. It would give %s of cycle time (%s started items in progress / %s finished a day); the average was %s.',
               (SELECT string_agg(CASE f.fail
                    WHEN 'flow' THEN format('%s items were started and %s finished or discarded', r.starts, r.ends)
                    WHEN 'wip' THEN format('started items in progress went from %s to %s', r.started_at_since, r.started_at_until)
                    WHEN 'age' THEN format('the average age of started items went from %s to %s', vsm._rounded_days(from_us), vsm._rounded_days(to_us)) END, '; ' ORDER BY f.place)
                FROM unnest(r.fails) WITH ORDINALITY f (fail, place)),
               vsm._rounded_days(extract(epoch FROM r.expected_cycle_time) * 1000000), vsm._readable(r.started_wip, 1), vsm._readable(r.throughput_per_day, 2),
               vsm._rounded_days(vsm._interval_us(r.cycle_time))) END;
COMMENT ON FUNCTION vsm._littles_sentence(vsm.littles_law_row, numeric, numeric) IS
    'What vsm.littles_law() says. from_us, to_us: average age of the started items at the window''s beginning and end, in microseconds.';

CREATE FUNCTION vsm.littles_law(stream text DEFAULT 'default',
                                since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                                until timestamptz DEFAULT clock_timestamp(), type text DEFAULT NULL, reopen_rule text DEFAULT NULL,
                                attributes jsonb DEFAULT NULL, known_at timestamptz DEFAULT NULL, tolerance numeric DEFAULT 0.1)
    RETURNS SETOF vsm.littles_law_row
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 1 SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, since, until, reopen_rule, type, attributes, known_at);
    by_cells CONSTANT boolean := vsm._by_cells(v.stream_id, attributes, known_at);
    -- a window that has not ended is looked at up to now
    length_us CONSTANT numeric := vsm._elapsed_us(v.since, greatest(v.since, least(v.until, clock_timestamp())));
    m vsm.flow_figures;
    l record;
    r vsm.littles_law_row;
    from_us numeric;
    to_us numeric;
BEGIN
    IF tolerance IS NULL OR NOT tolerance BETWEEN 0 AND 1 THEN
        RAISE EXCEPTION 'the tolerance is out of range'
            USING ERRCODE = 'PT422', COLUMN = 'tolerance', DETAIL = format('It is %s.', coalesce(tolerance::text, 'null')),
                  HINT = 'Give a share from 0 to 1, such as 0.1 for 10 percent.';
    END IF;
    PERFORM vsm._plan(by_cells, type IS NOT NULL);
    SELECT x.* INTO m FROM vsm.metrics(v.stream, littles_law.since, littles_law.until, v.type, v.reopen_rule, false, littles_law.attributes,
                                       littles_law.known_at) x;
    SELECT max(x.starts) FILTER (WHERE x.place = 1) AS starts, max(x.started) FILTER (WHERE x.place = 0) AS started_before,
           max(x.age_us) FILTER (WHERE x.place = 0) AS age_before, max(x.started) FILTER (WHERE x.place = 1) AS started,
           max(x.age_us) FILTER (WHERE x.place = 1) AS age INTO l
    FROM vsm._levels(v, ARRAY[v.since, v.bound], by_cells, v.type, littles_law.attributes, littles_law.known_at) x;
    r.stream := v.stream;
    r.since := v.since;
    r.until := v.until;
    r.reopen_rule := v.reopen_rule;
    r.time_zone := v.time_zone;
    r.tolerance := tolerance;
    r.cycle_time := m.cycle_time_avg;
    r.started_wip := m.started_wip;
    r.finished := m.cycle_time_n;
    r.throughput_per_day := m.cycle_time_n * 86400000000 / nullif(length_us, 0);
    r.expected_cycle_time := vsm._interval_of_sum(round(m.started_wip * length_us / nullif(m.cycle_time_n, 0)));
    r.starts := l.starts;
    r.ends := l.starts - (l.started - l.started_before);
    r.started_at_since := l.started_before;
    r.started_at_until := l.started;
    from_us := l.age_before / nullif(l.started_before, 0);
    to_us := l.age / nullif(l.started, 0);
    r.age_at_since := vsm._interval(round(from_us)::bigint);
    r.age_at_until := vsm._interval(round(to_us)::bigint);
    r.fails := array_remove(ARRAY[
        CASE WHEN NOT vsm._about_equal(r.starts, r.ends, tolerance) THEN 'flow' END,
        CASE WHEN NOT vsm._about_equal(r.started_at_since, r.started_at_until, tolerance) THEN 'wip' END,
        CASE WHEN NOT vsm._about_equal(coalesce(from_us, to_us), coalesce(to_us, from_us), tolerance) THEN 'age' END], NULL);
    r.holds := r.finished > 0 AND r.fails = '{}';
    r.sentence := vsm._littles_sentence(r, from_us, to_us);
    RETURN NEXT r;
END $$;
COMMENT ON FUNCTION vsm.littles_law(text, timestamptz, timestamptz, text, text, jsonb, timestamptz, numeric) IS
    'Little''s Law over a window: expected_cycle_time = average started WIP / (items that finished with a cycle time per time), beside the '
    'average cycle_time by the reopen rule. It can be relied on (holds) if something was finished and none of its conditions fails: flow, as many '
    'items started as ended (finished or discarded); wip, as many started items at both ends; age, these grow neither older nor younger on average. '
    'Two numbers count as equal if they differ by no more than tolerance, 0 to 1, of the greater. sentence: which of them fails, with the '
    'numbers. (Little; Vacanti, Actionable Agile Metrics.) Errors: PT404, PT422.';

-- What is finished at the window's end, by the cut after which it was: what pieces have, less what later ones undo.
CREATE FUNCTION vsm._finished_between(of_window vsm._window, cuts timestamptz[], by_cells boolean, of_type text, attributes jsonb,
                                      known_at timestamptz)
    RETURNS TABLE (place integer, finished bigint, cycles bigint, cycle_us numeric)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH pieces AS MATERIALIZED (
        SELECT p.folded, p.unit, p.since, p.until
        FROM vsm._pieces(of_window.stream_id, cuts, true, 'md') p
        -- of span_last, sums do not tell which items had started but have no cycle time
        WHERE by_cells AND of_window.reopen_rule <> 'span_last'),
    cells AS MATERIALIZED (
        SELECT p.since, c.finished, c.never_started, c.cycle_us, c.undone_at, c.undone_cycles
        FROM pieces p
        CROSS JOIN LATERAL (
            SELECT * FROM vsm._item_cells c
            WHERE c.stream_id = of_window.stream_id AND c.unit = p.unit AND c.since = p.since AND c.type_id = coalesce((SELECT vsm._type_id(of_type)), 0)
            OFFSET 0) c
        WHERE p.folded)
    SELECT x.place, sum(x.finished)::bigint, sum(x.cycles)::bigint, sum(x.cycle_us)
    FROM (SELECT width_bucket(c.since, cuts) AS place, c.finished, c.finished - c.never_started AS cycles, c.cycle_us FROM cells c
          UNION ALL
          SELECT width_bucket(u.at, cuts), -1, -(u.cycle IS NOT NULL)::integer, -coalesce(u.cycle, 0)
          FROM cells c CROSS JOIN LATERAL unnest(c.undone_at, c.undone_cycles) u (at, cycle) WHERE u.at >= of_window.since
          UNION ALL
          SELECT width_bucket(f.completed_at, cuts), 1, (f.cycle_us IS NOT NULL)::integer, coalesce(f.cycle_us, 0)
          FROM pieces p
          CROSS JOIN LATERAL vsm._all_completed(of_window.stream_id, p.since, p.until, of_window.reopen_rule, of_type, NULL, NULL) f
          WHERE NOT p.folded AND (of_window.reopen_rule = 'episodes' OR f.undone_at IS NULL)
          UNION ALL
          SELECT width_bucket(u.at, cuts), -1, -(u.cycle IS NOT NULL)::integer, -coalesce(u.cycle, 0)
          FROM pieces p
          CROSS JOIN LATERAL vsm._undone_lists(of_window.stream_id, p.since, p.until, of_window.reopen_rule, of_type) l
          CROSS JOIN LATERAL unnest(l.undone_at, l.undone_cycles) u (at, cycle)
          WHERE NOT p.folded AND u.at >= of_window.since
          UNION ALL
          SELECT width_bucket(f.completed_at, cuts), 1, (f.cycle_us IS NOT NULL)::integer, coalesce(f.cycle_us, 0)
          FROM vsm._completed(of_window.stream_id, of_window.since, of_window.bound, of_window.reopen_rule, of_type, _finished_between.attributes,
                              _finished_between.known_at) f
          WHERE NOT by_cells OR of_window.reopen_rule = 'span_last') x
    GROUP BY 1;
END;
COMMENT ON FUNCTION vsm._finished_between(vsm._window, timestamptz[], boolean, text, jsonb, timestamptz) IS
    'The completions that count, from each of cuts to the next: how many, how many have a cycle time, and the sum of these in microseconds.';

-- A point of a chart of process behaviour.  whole: it may count in a baseline, and be a signal.
CREATE FUNCTION vsm._behaviour_points(of_window vsm._window, figure text, bucket text, of_type text, attributes jsonb, known_at timestamptz)
    RETURNS TABLE (place bigint, at timestamptz, ends timestamptz, value numeric, whole boolean)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    v CONSTANT vsm._window := of_window;
    by_cells CONSTANT boolean := vsm._by_cells(v.stream_id, _behaviour_points.attributes, _behaviour_points.known_at,
                                               CASE WHEN figure IN ('throughput', 'cycle_time') THEN v.reopen_rule END);
    cuts timestamptz[];
    midnights timestamptz[];
    bucket_ends timestamptz[];
    wholes boolean[];
BEGIN
    PERFORM vsm._plan(by_cells, of_type IS NOT NULL);
    IF bucket = 'item' THEN
        RETURN QUERY
        SELECT row_number() OVER item, c.completed_at, c.completed_at, c.cycle_us / 3600000000.0, true
        FROM vsm._completed(v.stream_id, v.since, v.bound, v.reopen_rule, of_type, _behaviour_points.attributes, _behaviour_points.known_at) c
        WHERE c.cycle_us IS NOT NULL
        WINDOW item AS (ORDER BY c.completed_at, c.work_item_id, c.created_at, c.started_at);
        RETURN;
    END IF;
    SELECT array_agg(b.since ORDER BY b.place) || max(b.until), array_agg(vsm._starts(b.starts, v.time_zone) ORDER BY b.place),
           array_agg(b.until ORDER BY b.place), array_agg(b.whole ORDER BY b.place)
    INTO cuts, midnights, bucket_ends, wholes FROM vsm._buckets(v, bucket) b;
    IF figure IN ('throughput', 'cycle_time') THEN
        RETURN QUERY
        SELECT g.place::bigint, midnights[g.place], bucket_ends[g.place],
               CASE figure WHEN 'throughput' THEN coalesce(f.finished, 0) ELSE f.cycle_us / nullif(f.cycles, 0) / 3600000000 END, wholes[g.place]
        FROM generate_subscripts(midnights, 1) g (place)
        LEFT JOIN vsm._finished_between(v, cuts, by_cells, of_type, _behaviour_points.attributes, _behaviour_points.known_at) f ON f.place = g.place;
    ELSE
        RETURN QUERY
        SELECT l.place::bigint, midnights[l.place], bucket_ends[l.place],
               CASE figure WHEN 'wip' THEN l.open WHEN 'started_wip' THEN l.started
                           WHEN 'age' THEN l.age_us / nullif(l.started, 0) / 3600000000 ELSE l.age_us / 3600000000 END,
               wholes[l.place]
        FROM vsm._levels(v, cuts, by_cells, of_type, _behaviour_points.attributes, _behaviour_points.known_at) l
        WHERE l.place > 0;
    END IF;
END $$;
COMMENT ON FUNCTION vsm._behaviour_points(vsm._window, text, text, text, jsonb, timestamptz) IS
    'The values of vsm.process_behaviour() in a window, by bucket or, with item, by completion. Errors: PT422.';

CREATE FUNCTION vsm.process_behaviour(stream text DEFAULT 'default', figure text DEFAULT 'throughput',
                                      since timestamptz DEFAULT clock_timestamp() - interval '90 days',
                                      until timestamptz DEFAULT clock_timestamp(), bucket text DEFAULT 'day',
                                      baseline_since timestamptz DEFAULT NULL, baseline_until timestamptz DEFAULT NULL,
                                      type text DEFAULT NULL, reopen_rule text DEFAULT NULL, attributes jsonb DEFAULT NULL,
                                      known_at timestamptz DEFAULT NULL, moving integer DEFAULT NULL)
    RETURNS TABLE (at timestamptz, value numeric, mean numeric, lower numeric, upper numeric, signal text, moving_range numeric)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, since, until, reopen_rule, type, attributes, known_at);
    of_type CONSTANT text := type;
    b vsm._window;
BEGIN
    IF figure IS NULL OR figure NOT IN ('throughput', 'cycle_time', 'wip', 'started_wip', 'age', 'total_age') THEN
        RAISE EXCEPTION 'figure cannot be "%"', coalesce(vsm._cut(figure), 'null')
            USING ERRCODE = 'PT422', COLUMN = 'figure', DETAIL = 'It says whose behaviour is asked for.',
                  HINT = 'Give throughput, cycle_time, wip, started_wip, age or total_age.';
    END IF;
    IF bucket = 'item' AND figure <> 'cycle_time' THEN
        RAISE EXCEPTION 'the figure % has no value for each item', figure
            USING ERRCODE = 'PT422', COLUMN = 'bucket', DETAIL = 'Only a cycle time belongs to an item that was finished.',
                  HINT = 'Give day, week (from Monday) or month.';
    END IF;
    IF moving NOT BETWEEN 2 AND 1000 THEN
        RAISE EXCEPTION 'the moving baseline is out of range'
            USING ERRCODE = 'PT422', COLUMN = 'moving', DETAIL = format('It is %s.', moving),
                  HINT = 'Give a number of points from 2 to 1000.';
    END IF;
    IF moving IS NOT NULL AND baseline_until IS NOT NULL THEN
        RAISE EXCEPTION 'a moving baseline has no end'
            USING ERRCODE = 'PT422', COLUMN = 'baseline_until', DETAIL = 'Both moving and baseline_until are given.',
                  HINT = 'Give baseline_until for a fixed baseline, or moving.';
    END IF;
    IF baseline_until > until THEN
        RAISE EXCEPTION 'the baseline ends after the window'
            USING ERRCODE = 'PT422', COLUMN = 'baseline_until', DETAIL = format('It ends at %s, and the window at %s.', baseline_until, until),
                  HINT = 'Give a baseline that ends with the window or before, as nothing after it is known then.';
    END IF;
    IF coalesce(baseline_since, since) > coalesce(baseline_until, until) THEN
        RAISE EXCEPTION 'the baseline ends before it begins'
            USING ERRCODE = 'PT422', COLUMN = 'baseline_since',
                  DETAIL = format('It is from %s until %s.', coalesce(baseline_since, since), coalesce(baseline_until, until)),
                  HINT = 'Exchange its bounds, or give both.';
    END IF;
    -- as an observer at the window's end sees it
    b := vsm._window(stream, coalesce(baseline_since, since), until, reopen_rule, v.type, attributes, known_at);
    RETURN QUERY
    WITH points AS (
        SELECT p.place, p.at, p.value, true AS shown, p.whole AND p.value IS NOT NULL AS counts,
               p.at >= b.since AND (baseline_until IS NULL OR p.ends <= baseline_until AND (bucket <> 'item' OR p.ends < baseline_until)) AS in_baseline
        FROM vsm._behaviour_points(v, figure, bucket, of_type, attributes, known_at) p
        UNION ALL
        SELECT p.place - 1000000000, p.at, p.value, false, p.whole AND p.value IS NOT NULL,
               baseline_until IS NULL OR p.ends <= baseline_until AND (bucket <> 'item' OR p.ends < baseline_until)
        FROM vsm._behaviour_points(b, figure, bucket, of_type, attributes, known_at) p
        WHERE b.since < v.since AND p.ends <= v.since AND (bucket <> 'item' OR p.ends < v.since)),
    -- of the points that count, by their number
    counted AS MATERIALIZED (
        SELECT p.*, abs(p.value - lag(p.value) OVER (ORDER BY p.place)) AS range FROM points p WHERE p.counts),
    ranges AS (
        SELECT abs(c.value - lag(c.value) OVER (ORDER BY c.place)) AS range, c.value FROM counted c WHERE c.in_baseline),
    fixed AS (
        SELECT avg(r.value) AS mean, avg(r.range) AS range FROM ranges r WHERE moving IS NULL),
    before AS (
        SELECT c.place,
               CASE WHEN count(*) OVER m = moving THEN avg(c.value) OVER m END AS mean,
               CASE WHEN count(*) OVER m = moving THEN avg(c.range) OVER (ORDER BY c.place ROWS BETWEEN moving - 1 PRECEDING AND 1 PRECEDING) END AS range
        FROM counted c
        WHERE moving IS NOT NULL WINDOW m AS (ORDER BY c.place ROWS BETWEEN moving PRECEDING AND 1 PRECEDING)),
    limits AS (
        SELECT c.place, c.value, c.range AS moving_range, f.mean, f.range FROM counted c CROSS JOIN fixed f WHERE moving IS NULL
        UNION ALL
        SELECT c.place, c.value, c.range, m.mean, m.range FROM counted c JOIN before m ON m.place = c.place),
    sides AS (
        SELECT l.*, sign(round(l.value - l.mean, 12)) AS side,      -- both are quotients
               CASE WHEN l.value > l.mean + 1.33 * l.range THEN 1 WHEN l.value < l.mean - 1.33 * l.range THEN -1 ELSE 0 END AS near
        FROM limits l),
    signals AS (
        SELECT s.*,
               CASE WHEN abs(s.value - s.mean) > 2.66 * s.range THEN 'beyond_limit'
                    WHEN abs(sum(s.side) OVER (ORDER BY s.place ROWS 7 PRECEDING)) = 8 THEN 'eight_on_one_side'
                    WHEN s.near <> 0 AND count(*) FILTER (WHERE s.near > 0) OVER four >= 3 * s.near
                         AND count(*) FILTER (WHERE s.near < 0) OVER four >= -3 * s.near THEN 'three_of_four' END AS signal
        FROM sides s WINDOW four AS (ORDER BY s.place ROWS 3 PRECEDING))
    SELECT p.at, p.value, l.mean, CASE WHEN l.range IS NOT NULL THEN greatest(l.mean - 2.66 * l.range, 0) END, l.mean + 2.66 * l.range, s.signal,
           s.moving_range
    FROM points p
    LEFT JOIN signals s ON s.place = p.place
    -- a fixed baseline also holds where there is no value
    CROSS JOIN LATERAL (SELECT coalesce(s.mean, f.mean) AS mean, coalesce(s.range, f.range) AS range FROM fixed f) l
    WHERE p.shown ORDER BY p.place;
END $$;
COMMENT ON FUNCTION vsm.process_behaviour(text, text, timestamptz, timestamptz, text, timestamptz, timestamptz, text, text, jsonb, timestamptz, integer) IS
    'Process behaviour chart (XmR) of throughput (items), cycle_time (average of those finished, in hours), or, at the bucket''s end, wip and '
    'started_wip (items), age (average of started items) or total_age (hours); by day, week or month of the stream''s zone (at: its beginning), cycle_time also by item. '
    'mean, and natural limits at mean +- 2.66 x average moving_range, of the baseline: the window, or from baseline_since to baseline_until, or '
    'with moving that many points before each; lower is at least 0. signal: beyond_limit; eight_on_one_side of the mean in a row; '
    'three_of_four nearer to the same limit than to the mean; the point at which it is complete. Buckets that the window cuts, or that are not over, are shown, and '
    'count for nothing else. (Wheeler, Understanding Variation.) Errors: PT404, PT422.';
