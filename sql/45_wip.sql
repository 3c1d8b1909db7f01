-- 45_wip: work in progress now, from counters in shared memory where the server has them (src/counters)

CREATE FUNCTION vsm._recount_row() RETURNS boolean
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vsm__recount_row';
COMMENT ON FUNCTION vsm._recount_row() IS 'True, after a rest now and then: for each row that vsm.wip_rebuild() and vsm.wip_check() count.';

-- What the counters are counted from.
CREATE VIEW vsm._wip_counted AS
SELECT w.stage_id, count(*) AS items FROM vsm.work_items w WHERE w.completed_at IS NULL AND vsm._recount_row() GROUP BY 1;
COMMENT ON VIEW vsm._wip_counted IS 'Unfinished items by stage, from the table.';

CREATE FUNCTION vsm._wip_now(stages bigint[]) RETURNS TABLE (stage_id bigint, wip bigint, source text)
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'vsm__wip_now';
COMMENT ON FUNCTION vsm._wip_now(bigint[]) IS
    'Unfinished items in each of these stages, those of this transaction included. source: shared memory or table.';

CREATE VIEW vsm.wip WITH (security_invoker = true) AS
SELECT s.stream, s.name AS stage, n.wip, s.wip_limit, s.category, s."order", n.source
FROM vsm._wip_now(ARRAY(SELECT s.id FROM vsm.stages s WHERE s.category <> 'done')) n
JOIN vsm.stages s ON s.id = n.stage_id
WHERE s.retired_at IS NULL OR n.wip > 0
ORDER BY s.stream, s."order";
COMMENT ON VIEW vsm.wip IS
    'Work in progress now: unfinished items in each stage that is not done, in order, with the stage''s limit (null: none). '
    'source: shared memory (counters, all read at one instant) or table (counted). Retired stages show while they hold items.';

CREATE FUNCTION vsm._wip_recount(apply boolean) RETURNS TABLE (stage_id bigint, before bigint, after bigint, reserved bigint)
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'vsm__wip_recount';
COMMENT ON FUNCTION vsm._wip_recount(boolean) IS
    'Counts the table while others go on, and the counters at the same instant; apply: sets them to what was counted, for '
    'admins of all streams. Errors: 42501.';

CREATE FUNCTION vsm.wip_check()
    RETURNS TABLE (stream text, stage text, counter bigint, table_count bigint, difference bigint, reserved bigint)
    LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT s.stream, s.name, CASE WHEN n.source = 'shared memory' THEN coalesce(r.before, 0) END, coalesce(r.after, n.wip),
           CASE WHEN n.source = 'shared memory' THEN coalesce(r.before - r.after, 0) END,
           CASE WHEN n.source = 'shared memory' THEN coalesce(r.reserved, 0) END
    FROM vsm._wip_now(ARRAY(SELECT s.id FROM vsm.stages s WHERE s.category <> 'done')) n
    JOIN vsm.stages s ON s.id = n.stage_id
    LEFT JOIN vsm._wip_recount(false) r ON r.stage_id = n.stage_id
    ORDER BY s.stream, s."order";
END;
COMMENT ON FUNCTION vsm.wip_check() IS
    'Compares the counters with the table, at one instant while others go on: committed items by counter and by count, and '
    'the difference, which is 0 but for commits that are just happening; reserved: places in a limited stage that transactions '
    'under way hold. All but table_count are null where WIP is counted from the table. Changes nothing.';

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
    'Counts the table anew, while others go on, and sets the counters; returns those that were wrong, none when all is well. '
    'For after work with triggers disabled; a start, crash or promotion needs no help.';
