-- 73_stages: what is in the stages, was there, and for how long

CREATE FUNCTION vsm.wip_at(stream text DEFAULT 'default', at timestamptz DEFAULT clock_timestamp(),
                           type text DEFAULT NULL)
    RETURNS TABLE (stage text, items bigint)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH v AS MATERIALIZED (SELECT * FROM vsm._window(wip_at.stream, wip_at.at, wip_at.at)),
    moves AS (
        SELECT t.from_stage_id, t.to_stage_id, count(*) AS n
        FROM vsm.stage_transitions t
        WHERE t."timestamp" <= wip_at.at
          AND (wip_at.type IS NULL
               OR EXISTS (SELECT FROM vsm.work_items w WHERE w.id = t.work_item_id AND w.type = wip_at.type))
        GROUP BY 1, 2)
    SELECT s.name, (coalesce((SELECT sum(m.n) FROM moves m WHERE m.to_stage_id = s.id), 0)
                    - coalesce((SELECT sum(m.n) FROM moves m WHERE m.from_stage_id = s.id), 0))::bigint
    FROM v JOIN vsm.stages s ON s.stream = v.stream
    ORDER BY s."order";
END;
COMMENT ON FUNCTION vsm.wip_at(text, timestamptz, text) IS
    'Items in each stage at an instant, moves of that instant included; every stage in order, done stages too. WIP '
    'is what is not in a done stage. Errors: PT404.';

CREATE FUNCTION vsm.occupancy(stream text DEFAULT 'default',
                              since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                              until timestamptz DEFAULT clock_timestamp(), step interval DEFAULT '1 day',
                              type text DEFAULT NULL)
    RETURNS TABLE (at timestamptz, stage text, items bigint)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH v AS MATERIALIZED (SELECT * FROM vsm._window(occupancy.stream, occupancy.since, occupancy.until)),
    points AS MATERIALIZED (
        SELECT g.* FROM v CROSS JOIN LATERAL vsm._grid(v.since, v.until, occupancy.step, v.time_zone) g),
    grid AS MATERIALIZED (SELECT array_agg(p.at ORDER BY p.place) AS points, max(p.at) AS last FROM points p),
    -- a move counts from the first point at or after it
    moves AS (
        SELECT t.from_stage_id, t.to_stage_id,
               width_bucket(t."timestamp" - interval '1 microsecond', (SELECT g.points FROM grid g)) AS place,
               count(*) AS n
        FROM vsm.stage_transitions t
        WHERE t."timestamp" <= (SELECT g.last FROM grid g)
          AND (occupancy.type IS NULL
               OR EXISTS (SELECT FROM vsm.work_items w WHERE w.id = t.work_item_id AND w.type = occupancy.type))
        GROUP BY 1, 2, 3),
    changes AS (
        SELECT c.stage_id, c.place, sum(c.n) AS n
        FROM (SELECT m.to_stage_id AS stage_id, m.place, m.n FROM moves m
              UNION ALL
              SELECT m.from_stage_id, m.place, -m.n FROM moves m) c
        GROUP BY 1, 2)
    SELECT p.at, s.name, sum(coalesce(c.n, 0)) OVER (PARTITION BY s.id ORDER BY p.place)::bigint
    FROM v JOIN vsm.stages s ON s.stream = v.stream
    CROSS JOIN points p
    LEFT JOIN changes c ON c.stage_id = s.id AND c.place = p.place
    ORDER BY p.place, s."order";
END;
COMMENT ON FUNCTION vsm.occupancy(text, timestamptz, timestamptz, interval, text) IS
    'Items that are in each stage at since, since + step, ... until: the number falls when items move on or back. '
    'Days and months of the step follow the calendar of the stream''s zone. Errors: PT404, PT422.';

CREATE FUNCTION vsm.cumulative_flow(stream text DEFAULT 'default',
                                    since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                                    until timestamptz DEFAULT clock_timestamp(), step interval DEFAULT '1 day',
                                    type text DEFAULT NULL)
    RETURNS TABLE (at timestamptz, stage text, items bigint)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH v AS MATERIALIZED (
        SELECT * FROM vsm._window(cumulative_flow.stream, cumulative_flow.since, cumulative_flow.until)),
    points AS MATERIALIZED (
        SELECT g.* FROM v CROSS JOIN LATERAL vsm._grid(v.since, v.until, cumulative_flow.step, v.time_zone) g),
    grid AS MATERIALIZED (SELECT array_agg(p.at ORDER BY p.place) AS points, max(p.at) AS last FROM points p),
    entered AS (
        SELECT t.work_item_id, s."order", min(t."timestamp") AS at
        FROM v JOIN vsm.stages s ON s.stream = v.stream
        JOIN vsm.stage_transitions t ON t.to_stage_id = s.id
        WHERE t."timestamp" <= (SELECT g.last FROM grid g)
          AND (cumulative_flow.type IS NULL
               OR EXISTS (SELECT FROM vsm.work_items w WHERE w.id = t.work_item_id AND w.type = cumulative_flow.type))
        GROUP BY 1, 2),
    -- from then on the item counts for this stage and for those that it skipped on the way
    reached AS (
        SELECT e."order", lag(e."order") OVER item AS below,
               min(e.at) OVER (PARTITION BY e.work_item_id ORDER BY e."order"
                               ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS at
        FROM entered e
        WINDOW item AS (PARTITION BY e.work_item_id ORDER BY e."order")),
    counted AS (
        SELECT r.below, r."order",
               width_bucket(r.at - interval '1 microsecond', (SELECT g.points FROM grid g)) AS place, count(*) AS n
        FROM reached r GROUP BY 1, 2, 3),
    arrivals AS (
        SELECT s.id AS stage_id, c.place, sum(c.n) AS n
        FROM v JOIN vsm.stages s ON s.stream = v.stream
        JOIN counted c ON s."order" <= c."order" AND (c.below IS NULL OR s."order" > c.below)
        GROUP BY 1, 2)
    SELECT p.at, s.name, sum(coalesce(a.n, 0)) OVER (PARTITION BY s.id ORDER BY p.place)::bigint
    FROM v JOIN vsm.stages s ON s.stream = v.stream
    CROSS JOIN points p
    LEFT JOIN arrivals a ON a.stage_id = s.id AND a.place = p.place
    ORDER BY p.place, s."order";
END;
COMMENT ON FUNCTION vsm.cumulative_flow(text, timestamptz, timestamptz, interval, text) IS
    'Cumulative flow diagram: items that have reached each stage or a later one by since, since + step, ... until. '
    'A line never falls, even when items move back (Vacanti). Errors: PT404, PT422.';

CREATE FUNCTION vsm.time_in_stage(stream text DEFAULT 'default',
                                  since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                                  until timestamptz DEFAULT clock_timestamp(), type text DEFAULT NULL)
    RETURNS TABLE (stage text, visits bigint, avg interval, p50 interval, p70 interval, p85 interval, p95 interval,
                   items bigint, avg_per_item interval, open_visits bigint, open_avg interval)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    SET jit = off
BEGIN ATOMIC
    WITH v AS MATERIALIZED (SELECT * FROM vsm._window(time_in_stage.stream, time_in_stage.since, time_in_stage.until)),
    closed AS (
        SELECT s.id AS stage_id, vsm._summary(vsm._interval_us(t.time_in_stage), true) AS visits,
               count(DISTINCT t.work_item_id) AS items, sum(vsm._interval_us(t.time_in_stage)) AS total_us
        FROM v JOIN vsm.stages s ON s.stream = v.stream
        JOIN vsm.stage_transitions t ON t.from_stage_id = s.id
        WHERE t."timestamp" >= time_in_stage.since AND t."timestamp" < (SELECT v.bound FROM v)
          AND (time_in_stage.type IS NULL
               OR EXISTS (SELECT FROM vsm.work_items w WHERE w.id = t.work_item_id AND w.type = time_in_stage.type))
        GROUP BY 1),
    open AS (
        SELECT w.stage_id, vsm._summary(vsm._elapsed_us(w.stage_entered_at, clock_timestamp()), true) AS visits
        FROM vsm.work_items w
        WHERE w.completed_at IS NULL AND w.stream = time_in_stage.stream
          AND (time_in_stage.type IS NULL OR w.type = time_in_stage.type)
        GROUP BY 1)
    SELECT s.name, coalesce((c.visits).n, 0),
           (c.visits).avg, (c.visits).p50, (c.visits).p70, (c.visits).p85, (c.visits).p95,
           coalesce(c.items, 0), vsm._interval(round(c.total_us / c.items)::bigint),
           coalesce((o.visits).n, 0), (o.visits).avg
    FROM v JOIN vsm.stages s ON s.stream = v.stream
    LEFT JOIN closed c ON c.stage_id = s.id
    LEFT JOIN open o ON o.stage_id = s.id
    ORDER BY s."order";
END;
COMMENT ON FUNCTION vsm.time_in_stage(text, timestamptz, timestamptz, text) IS
    'Elapsed time in each stage over the visits that ended in the window: per visit (avg, percentiles by '
    'percentile_disc) and summed per item (avg_per_item). open_visits and open_avg: unfinished items that are in '
    'the stage now. Errors: PT404, PT422.';

CREATE TYPE vsm.aged_item AS (
    work_item_id bigint,
    external_id text,
    title text,
    type text,
    stage text,
    age interval,
    time_in_stage interval,
    age_since_creation interval
);
COMMENT ON TYPE vsm.aged_item IS 'A row of vsm.work_item_age().';

CREATE FUNCTION vsm.work_item_age(stream text DEFAULT 'default', type text DEFAULT NULL,
                                  at timestamptz DEFAULT clock_timestamp())
    RETURNS SETOF vsm.aged_item
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT w.id, w.external_id, w.title, w.type, s.name,
           vsm._interval(vsm._elapsed_us(w.started_at, work_item_age.at)),
           vsm._interval(vsm._elapsed_us(w.stage_entered_at, work_item_age.at)),
           vsm._interval(vsm._elapsed_us(w.created_at, work_item_age.at))
    FROM vsm._window(work_item_age.stream, work_item_age.at, work_item_age.at) v
    JOIN vsm.work_items w ON w.stream = v.stream AND w.completed_at IS NULL
    JOIN vsm.stages s ON s.id = w.stage_id
    WHERE work_item_age.type IS NULL OR w.type = work_item_age.type
    ORDER BY w.started_at NULLS LAST, w.created_at, w.id;
END;
COMMENT ON FUNCTION vsm.work_item_age(text, text, timestamptz) IS
    'Unfinished items, oldest first. age: started to at (default now), null before the start; time_in_stage: in the '
    'present stage; age_since_creation. Errors: PT404.';
