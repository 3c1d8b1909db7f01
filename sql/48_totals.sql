-- 48_totals: totals and histograms of the ledger, for monitoring (src/counters/totals.c)

CREATE FUNCTION vsm._bucket(us bigint) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__bucket';
COMMENT ON FUNCTION vsm._bucket(bigint) IS
    'Bucket of a duration in microseconds in the histograms, from 0; null for null.';

CREATE FUNCTION vsm._bucket_bounds() RETURNS double precision[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__bucket_bounds';
COMMENT ON FUNCTION vsm._bucket_bounds() IS
    'Upper bounds of the histograms'' buckets in seconds, inclusive; the last one is infinite.';

-- What a group of equal ledger rows adds to which totals. kind: VsmKind of src/counters/counters_shmem.h.
CREATE FUNCTION vsm._totals_of(from_stage_id bigint, to_stage_id bigint, type text, stay integer, cycle integer, lead integer,
                               items bigint, stay_ms numeric, cycle_ms numeric, lead_ms numeric)
    RETURNS TABLE (kind integer, a bigint, b bigint, n bigint, type text)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT v.*
    FROM (VALUES
        (2, CASE WHEN _totals_of.type IS NOT NULL THEN to_stage_id END, hashtextextended(_totals_of.type, 0), items, _totals_of.type),
        (3, coalesce(from_stage_id, 0), to_stage_id, items, NULL),
        (4, from_stage_id, stay::bigint, items, NULL),
        (5, CASE WHEN stay IS NOT NULL THEN from_stage_id END, 0, stay_ms::bigint, NULL),
        (6, CASE WHEN cycle IS NOT NULL THEN to_stage_id END, cycle::bigint, items, NULL),
        (7, CASE WHEN cycle IS NOT NULL THEN to_stage_id END, 0, cycle_ms::bigint, NULL),
        (8, CASE WHEN lead IS NOT NULL THEN to_stage_id END, lead::bigint, items, NULL),
        (9, CASE WHEN lead IS NOT NULL THEN to_stage_id END, 0, lead_ms::bigint, NULL)) v (kind, a, b, n, type)
    WHERE v.a IS NOT NULL AND v.b IS NOT NULL AND v.n <> 0;
END;
COMMENT ON FUNCTION vsm._totals_of(bigint, bigint, text, integer, integer, integer, bigint, numeric, numeric, numeric) IS
    'What a group of ledger rows with equal stages, type and buckets adds to the totals.';

CREATE FUNCTION vsm._totals_add(kind integer, a bigint, b bigint, n bigint) RETURNS void
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'vsm__totals_add';
COMMENT ON FUNCTION vsm._totals_add(integer, bigint, bigint, bigint) IS
    'Adds to the totals, for the tables'' owner. Errors: PT422, 42501.';

-- What the counters of totals are counted from.
CREATE VIEW vsm._totals_counted AS
SELECT o.kind, o.a, o.b, sum(o.n)::bigint AS n
FROM (SELECT t.from_stage_id, t.to_stage_id, t.type, vsm._bucket(vsm._interval_us(t.time_in_stage)) AS stay,
             vsm._bucket(vsm._interval_us(t.cycle_time)) AS cycle, vsm._bucket(vsm._interval_us(t.lead_time)) AS lead,
             count(*) AS items, sum(vsm._interval_us(t.time_in_stage) / 1000) AS stay_ms,
             sum(vsm._interval_us(t.cycle_time) / 1000) AS cycle_ms, sum(vsm._interval_us(t.lead_time) / 1000) AS lead_ms
      FROM (SELECT l.from_stage_id, l.to_stage_id, l.type, l.time_in_stage, l.cycle_time, l.lead_time FROM vsm.stage_transitions l
            UNION ALL
            SELECT u.from_stage_id, u.to_stage_id, u.type, u.time_in_stage, u.cycle_time, u.lead_time
            FROM vsm.superseded_transitions u) t
      GROUP BY 1, 2, 3, 4, 5, 6) g
CROSS JOIN LATERAL vsm._totals_of(g.from_stage_id, g.to_stage_id, g.type, g.stay, g.cycle, g.lead, g.items, g.stay_ms,
                                  g.cycle_ms, g.lead_ms) o
WHERE EXISTS (SELECT FROM vsm.stages s WHERE s.id = CASE o.kind WHEN 3 THEN o.b ELSE o.a END)
  AND (o.kind <> 3 OR o.a = 0 OR EXISTS (SELECT FROM vsm.stages s WHERE s.id = o.a))
GROUP BY 1, 2, 3;
COMMENT ON VIEW vsm._totals_counted IS
    'The totals of stages that are defined, from the ledger and the rows that were deleted from it or changed.';

CREATE FUNCTION vsm._totals_unknown() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'vsm__totals_unknown';
COMMENT ON FUNCTION vsm._totals_unknown() IS 'Has the totals recounted after replication has changed the ledger.';

CREATE TRIGGER vsm_replicated AFTER INSERT OR UPDATE OR DELETE ON vsm.stage_transitions
    FOR EACH ROW EXECUTE FUNCTION vsm._totals_unknown();
ALTER TABLE vsm.stage_transitions ENABLE REPLICA TRIGGER vsm_replicated;

CREATE FUNCTION vsm._totals_now() RETURNS TABLE (kind integer, a bigint, b bigint, n bigint)
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vsm__totals_now';
COMMENT ON FUNCTION vsm._totals_now() IS 'The totals by all committed transactions, at one instant.';

-- A counter that appears with its first event shows no increase then (Prometheus: increase(), rate()).  So the totals begin at 0
-- when their stage or type is defined.
CREATE FUNCTION vsm._totals_shown() RETURNS TABLE (kind integer, a bigint, b bigint, n bigint)
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
    SET jit = off       -- a few rows of small tables, which nobody has analyzed, look like many to the planner
BEGIN ATOMIC
    SELECT t.kind, t.a, t.b, t.n FROM vsm._totals_now() t
    UNION ALL
    SELECT 2, x.a, hashtextextended(w.name, 0), 0
    FROM (SELECT min(s.id) AS a FROM vsm.stages s GROUP BY s.stream) x CROSS JOIN vsm.work_item_types w
    UNION ALL
    SELECT 3, 0, s.id, 0 FROM vsm.stages s WHERE s.retired_at IS NULL
    UNION ALL
    -- of many stages, few pairs ever occur
    SELECT 3, f.id, s.id, 0
    FROM (SELECT x.id, x.stream, count(*) OVER (PARTITION BY x.stream) AS in_use FROM vsm.stages x WHERE x.retired_at IS NULL) s
    JOIN vsm.stages f ON f.stream = s.stream AND f.id <> s.id
    WHERE s.in_use <= 50
    UNION ALL
    SELECT 3, p.a, p.b, 0
    FROM (SELECT x.id, lead(x.id) OVER w AS next, count(*) OVER (PARTITION BY x.stream) AS in_use
          FROM vsm.stages x WHERE x.retired_at IS NULL WINDOW w AS (PARTITION BY x.stream ORDER BY x."order")) n
    CROSS JOIN LATERAL (VALUES (n.id, n.next), (n.next, n.id)) p (a, b)
    WHERE n.in_use > 50 AND n.next IS NOT NULL
    UNION ALL
    SELECT d.kind, s.id, 0, 0
    FROM vsm.stages s JOIN (VALUES (4, true), (6, false), (8, false)) d (kind, always) ON d.always OR s.category = 'done';
END;
COMMENT ON FUNCTION vsm._totals_shown() IS
    'The totals by all committed transactions, and 0 of each that the definitions allow: items of each type, moves between any two '
    'stages into one in use (where more than 50 are in use: between neighbours), time in each stage, lead and cycle time of each done stage.';

CREATE VIEW vsm.flow_totals WITH (security_invoker = true) AS
SELECT CASE t.kind WHEN 2 THEN 'work_items_created' WHEN 3 THEN 'stage_transitions' ELSE 'work_items_completed' END AS total,
       s.stream, y.type, f.name AS from_stage, CASE WHEN t.kind <> 2 THEN s.name END AS to_stage, sum(t.n)::bigint AS value
FROM vsm._totals_shown() t
JOIN vsm.stages s ON s.id = CASE t.kind WHEN 3 THEN t.b ELSE t.a END
LEFT JOIN vsm.stages f ON f.id = t.a AND t.kind = 3
LEFT JOIN (SELECT w.name AS type FROM vsm.work_item_types w UNION SELECT f.name FROM vsm._former_types f) y
       ON hashtextextended(y.type, 0) = t.b AND t.kind = 2
WHERE t.kind IN (2, 3, 8)
GROUP BY 1, s.stream, y.type, f.name, 5;
COMMENT ON VIEW vsm.flow_totals IS
    'What the ledger has recorded so far by committed transactions, for monitoring: work_items_created by type, '
    'stage_transitions by from_stage (null for a new item) and to_stage, work_items_completed by to_stage. Each begins at 0 when '
    'its stages and type are defined; of a stream with more than 50 stages in use, moves between stages that are no neighbours begin '
    'with the first. The totals never fall: deleted items stay counted, a reopened item counts again when it is '
    'finished again, and corrected history counts again. TRUNCATE starts them at 0.';

CREATE VIEW vsm.flow_histograms WITH (security_invoker = true) AS
WITH totals AS MATERIALIZED (
    SELECT t.kind, t.a, t.b, sum(t.n) AS n FROM vsm._totals_shown() t WHERE t.kind BETWEEN 4 AND 9 GROUP BY 1, 2, 3),
series AS (
    SELECT DISTINCT t.kind, t.a FROM totals t WHERE t.kind IN (4, 6, 8))
SELECT CASE e.kind WHEN 4 THEN 'time_in_stage' WHEN 6 THEN 'cycle_time' ELSE 'lead_time' END AS histogram,
       s.stream, s.name AS stage, bound.le,
       (sum(coalesce(n.n, 0)) OVER (PARTITION BY e.kind, e.a ORDER BY bound.place))::bigint AS count,
       coalesce(ms.n, 0) / 1000.0::double precision AS sum
FROM series e
JOIN vsm.stages s ON s.id = e.a
CROSS JOIN unnest(vsm._bucket_bounds()) WITH ORDINALITY bound (le, place)
LEFT JOIN totals n ON n.kind = e.kind AND n.a = e.a AND n.b = bound.place - 1
LEFT JOIN totals ms ON ms.kind = e.kind + 1 AND ms.a = e.a;
COMMENT ON VIEW vsm.flow_histograms IS
    'Cumulative histograms of what the ledger has recorded so far, for monitoring: count of durations of at most le '
    'seconds, and the sum of all durations in seconds. time_in_stage by the stage left; lead_time (creation to finish) '
    'and cycle_time (first start to finish) by the done stage entered, as the stages were defined when the item '
    'finished. Like vsm.flow_totals, they begin at 0 with the stage and never fall.';
