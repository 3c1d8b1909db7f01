-- 45_wip: current work in progress, from counters in shared memory where the server has them (src/counters)

CREATE FUNCTION vsm._recount_row() RETURNS boolean
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vsm__recount_row';
COMMENT ON FUNCTION vsm._recount_row() IS
    'Always true. Called for each row that vsm.wip_rebuild() and vsm.wip_check() count, to pause from time to time.';

-- What the WIP counters are counted from.
CREATE VIEW vsm._wip_counted AS
SELECT w.stage_id, count(*) AS items
FROM vsm.work_items w WHERE w.completed_at IS NULL AND w.discarded_at IS NULL AND vsm._recount_row() GROUP BY 1;
COMMENT ON VIEW vsm._wip_counted IS 'Unfinished items by stage, from the table.';

CREATE FUNCTION vsm._wip_now(stages bigint[]) RETURNS TABLE (stage_id bigint, wip bigint, source text)
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'vsm__wip_now';
COMMENT ON FUNCTION vsm._wip_now(bigint[]) IS
    'Unfinished items in each of these stages, including uncommitted changes of this transaction. '
    'source: shared memory or table.';

CREATE VIEW vsm.wip WITH (security_invoker = true) AS
SELECT s.stream, s.name AS stage, n.wip, s.wip_limit, s.category, s."order", n.source
FROM vsm._wip_now(ARRAY(SELECT s.id FROM vsm.stages s WHERE s.category IN ('wait', 'active'))) n
JOIN vsm.stages s ON s.id = n.stage_id
WHERE s.retired_at IS NULL OR n.wip > 0
ORDER BY s.stream, s."order";
COMMENT ON VIEW vsm.wip IS
    'Current work in progress: items that are neither finished nor discarded, in each wait and active stage, in order, with the stage''s limit '
    '(null: none). source: shared memory (counters, all read at one instant) or table (counted). Retired stages appear '
    'while they hold items.';

CREATE FUNCTION vsm._wip_recount(apply boolean)
    RETURNS TABLE (stage_id bigint, before bigint, after bigint, reserved bigint)
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'vsm__wip_recount';
COMMENT ON FUNCTION vsm._wip_recount(boolean) IS
    'Counts the table while other sessions go on, and returns what the counters hold at the same instant. apply: also '
    'sets the counters to the count, which needs an admin of all streams. Errors: 42501.';

CREATE FUNCTION vsm.wip_check()
    RETURNS TABLE (stream text, stage text, counter bigint, table_count bigint, difference bigint, reserved bigint)
    LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT s.stream, s.name, CASE WHEN n.source = 'shared memory' THEN coalesce(r.before, 0) END, coalesce(r.after, n.wip),
           CASE WHEN n.source = 'shared memory' THEN coalesce(r.before - r.after, 0) END,
           CASE WHEN n.source = 'shared memory' THEN coalesce(r.reserved, 0) END
    FROM vsm._wip_now(ARRAY(SELECT s.id FROM vsm.stages s WHERE s.category IN ('wait', 'active'))) n
    JOIN vsm.stages s ON s.id = n.stage_id
    LEFT JOIN vsm._wip_recount(false) r ON r.stage_id = n.stage_id
    ORDER BY s.stream, s."order";
END;
COMMENT ON FUNCTION vsm.wip_check() IS
    'Compares the counters with the table at one instant, while other sessions go on: committed items by counter and by '
    'count, and the difference, which is 0 except for commits that are just happening. reserved: places in a limited '
    'stage that transactions in progress hold. Where WIP is counted from the table, all columns except table_count are '
    'null. Changes nothing.';

CREATE FUNCTION vsm.wip_rebuild()
    RETURNS TABLE (stream text, stage text, counter_before bigint, counter_after bigint)
    LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT s.stream, s.name, r.before, r.after
    FROM vsm._wip_recount(true) r JOIN vsm.stages s ON s.id = r.stage_id
    WHERE r.before <> r.after
    ORDER BY s.stream, s."order";
END;
COMMENT ON FUNCTION vsm.wip_rebuild() IS
    'Recounts the table while other sessions go on, and sets the counters. Returns those that were wrong, so no rows if '
    'all were right. Call it after changes with triggers disabled; after a start, crash or promotion the counters are '
    'recounted anyway.';
