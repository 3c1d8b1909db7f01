-- 72_completions: what was finished in a window, one by one, per day and as a ratio of times

CREATE FUNCTION vsm._ledger_cycle_us(rule text, item_started_at timestamptz, completed_at timestamptz, active_time interval, wait_time interval)
    RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN rule = 'span_first_last' THEN vsm._elapsed_us(item_started_at, completed_at)
            WHEN item_started_at IS NOT NULL THEN vsm._interval_us(active_time) + vsm._interval_us(wait_time) END;
COMMENT ON FUNCTION vsm._ledger_cycle_us(text, timestamptz, timestamptz, interval, interval) IS
    'The cycle time by the rules span_first_last and sum_active, from the columns of the move that finishes; null: never started.';

-- Two of the reopen rules need only what the ledger has with the move that finishes an item; for the others, the moves of
-- the items that finish are replayed.  A completion is undone by the first move after it that leaves done.
CREATE FUNCTION vsm._all_completed(of_stream_id bigint, since timestamptz, bound timestamptz, rule text, of_type text, attributes jsonb,
                                   known_at timestamptz)
    RETURNS TABLE (work_item_id bigint, external_id text, type text, title text, created_at timestamptz, started_at timestamptz,
                   completed_at timestamptz, cycle_us bigint, active_us bigint, wait_us bigint, undone_at timestamptz)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH known AS MATERIALIZED (
        SELECT k.* FROM vsm._known_moves(of_stream_id, of_type, _all_completed.attributes, known_at) k
        WHERE known_at IS NOT NULL AND k."timestamp" < bound),
    finishing AS (
        SELECT m.work_item_id, NULL::text AS external_id, NULL::text AS type, NULL::text AS title, m.id, m."timestamp",
               m.item_created_at, m.item_started_at, m.active_time, m.wait_time
        FROM vsm._ledger_moves(of_stream_id, _all_completed.since, bound, of_type, _all_completed.attributes) m
        WHERE known_at IS NULL AND m.item_created_at IS NOT NULL
        UNION ALL
        SELECT k.work_item_id, k.external_id, k.type, k.title, k.id, k."timestamp", k.item_created_at, k.item_started_at, k.active_time, k.wait_time
        FROM known k WHERE k.item_created_at IS NOT NULL AND k."timestamp" >= _all_completed.since),
    leaving AS (
        SELECT l.work_item_id, l.undoes, array_agg(l.at ORDER BY l.at, l.id) AS at, array_agg(l.id ORDER BY l.at, l.id) AS id
        FROM (SELECT t.work_item_id, t.undoes, t."timestamp" AS at, t.id FROM vsm.stage_transitions t
              WHERE known_at IS NULL AND t.stream_id = of_stream_id AND t.undoes >= _all_completed.since
                AND t."timestamp" >= _all_completed.since AND t."timestamp" < bound
              UNION ALL
              SELECT k.work_item_id, k.undoes, k."timestamp", k.id FROM known k WHERE k.undoes >= _all_completed.since) l
        GROUP BY 1, 2)
    SELECT f.work_item_id, f.external_id, f.type, f.title, f.item_created_at, f.item_started_at, f."timestamp",
           vsm._ledger_cycle_us(rule, f.item_started_at, f."timestamp", f.active_time, f.wait_time),
           vsm._interval_us(f.active_time), vsm._interval_us(f.wait_time),
           CASE WHEN l.undoes IS NOT NULL THEN (
               SELECT u.at FROM unnest(l.at, l.id) u (at, id) WHERE (u.at, u.id) > (f."timestamp", f.id) ORDER BY u.at, u.id LIMIT 1) END
    FROM finishing f LEFT JOIN leaving l ON l.work_item_id = f.work_item_id AND l.undoes = f."timestamp"
    WHERE rule IN ('span_first_last', 'sum_active')
    UNION ALL
    SELECT m.work_item_id, m.external_id, m.type, m.title, c.created_at, c.started_at, c.completed_at, c.cycle_us, c.active_us, c.wait_us,
           c.undone_at
    FROM (SELECT h.work_item_id, max(h.external_id) AS external_id, max(h.type) AS type, max(h.title) AS title,
                 vsm._completions(h.to_stage_id, h."timestamp", h.id, rule) AS completions
          FROM (SELECT t.work_item_id, NULL::text AS external_id, NULL::text AS type, NULL::text AS title, t.to_stage_id, t."timestamp", t.id
                FROM (SELECT DISTINCT f.work_item_id FROM finishing f) i
                CROSS JOIN LATERAL (
                    SELECT t.work_item_id, t.to_stage_id, t."timestamp", t.id FROM vsm.stage_transitions t
                    WHERE t.work_item_id = i.work_item_id AND t."timestamp" < bound OFFSET 0) t
                WHERE known_at IS NULL
                UNION ALL
                SELECT k.work_item_id, k.external_id, k.type, k.title, k.to_stage_id, k."timestamp", k.id FROM known k) h
          GROUP BY 1) m
    CROSS JOIN LATERAL unnest(m.completions) c
    WHERE rule IN ('span_last', 'sum_started', 'episodes') AND c.completed_at >= _all_completed.since AND c.completed_at < bound;
END;
COMMENT ON FUNCTION vsm._all_completed(bigint, timestamptz, timestamptz, text, text, jsonb, timestamptz) IS
    'Every completion in [since, bound) by a reopen rule, as it was then; durations in microseconds, cycle_us null when never '
    'started. undone_at: when the item left done again before bound.';

CREATE FUNCTION vsm._completed(of_stream_id bigint, since timestamptz, bound timestamptz, rule text, of_type text, attributes jsonb,
                               known_at timestamptz)
    RETURNS TABLE (work_item_id bigint, external_id text, type text, title text, created_at timestamptz, started_at timestamptz,
                   completed_at timestamptz, cycle_us bigint, active_us bigint, wait_us bigint)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT c.work_item_id, c.external_id, c.type, c.title, c.created_at, c.started_at, c.completed_at, c.cycle_us, c.active_us, c.wait_us
    FROM vsm._all_completed(of_stream_id, _completed.since, bound, rule, of_type, _completed.attributes, known_at) c
    WHERE rule = 'episodes' OR c.undone_at IS NULL;
END;
COMMENT ON FUNCTION vsm._completed(bigint, timestamptz, timestamptz, text, text, jsonb, timestamptz) IS
    'The completions in [since, bound) that count: those of items that are finished at bound, or by the rule episodes all.';

CREATE FUNCTION vsm.cycle_time_days(started_at timestamptz, completed_at timestamptz, time_zone text DEFAULT 'UTC')
    RETURNS integer
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_cycle_time_days';
COMMENT ON FUNCTION vsm.cycle_time_days(timestamptz, timestamptz, text) IS
    'Cycle time in days: finish date - start date + 1 in the zone, so work begun and finished on one day takes 1 day '
    '(Vacanti). Null where a time is infinite. time_zone: a name from pg_timezone_names. Errors: PT422 time_zone.';

CREATE TYPE vsm.completion AS (
    work_item_id bigint,
    external_id text,
    title text,
    type text,
    created_at timestamptz,
    started_at timestamptz,
    completed_at timestamptz,
    lead_time interval,
    cycle_time interval,
    cycle_time_days integer
);
COMMENT ON TYPE vsm.completion IS 'A row of vsm.completions().';

CREATE FUNCTION vsm.completions(stream text DEFAULT 'default',
                                since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                                until timestamptz DEFAULT clock_timestamp(), type text DEFAULT NULL,
                                reopen_rule text DEFAULT NULL, attributes jsonb DEFAULT NULL,
                                known_at timestamptz DEFAULT NULL)
    RETURNS SETOF vsm.completion
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    SET jit = off
BEGIN ATOMIC
    SELECT c.work_item_id, coalesce(c.external_id, w.external_id), coalesce(c.title, w.title), coalesce(c.type, w.type), c.created_at, c.started_at,
           c.completed_at, vsm._interval(vsm._elapsed_us(c.created_at, c.completed_at)), vsm._interval(c.cycle_us),
           vsm.cycle_time_days(c.started_at, c.completed_at, v.time_zone)
    FROM vsm._window(completions.stream, completions.since, completions.until, completions.reopen_rule, completions.type,
                     completions.attributes, completions.known_at) v
    CROSS JOIN LATERAL vsm._completed(v.stream_id, completions.since, v.bound, v.reopen_rule, v.type, completions.attributes,
                                      completions.known_at) c
    LEFT JOIN vsm.work_items w ON w.id = c.work_item_id AND completions.known_at IS NULL
    -- by the rule episodes an item may have two completions at one instant
    ORDER BY c.completed_at, c.work_item_id, c.created_at, c.started_at;
END;
COMMENT ON FUNCTION vsm.completions(text, timestamptz, timestamptz, text, text, jsonb, timestamptz) IS
    'Items that are finished at the window''s end, at their latest completion, if it lies in the window, with lead time (creation to finish) and cycle time (start to finish, null when '
    'the item never started): for scatter plots, and for any percentile: SELECT vsm.percentiles(cycle_time, ''{0.5, '
    '0.85}'') FROM vsm.completions(...). With the rule episodes each completion is a row, and an item that was '
    'reopened counts as a new item, created when it left done. known_at: as it was known then; the title of an item that has been '
    'deleted since is null. Errors: PT404, PT422.';

CREATE TYPE vsm._finished AS (
    lead vsm._duration_summary,
    cycle vsm._duration_summary,
    never_started bigint,
    active_us numeric,
    wait_us numeric
);
CREATE TYPE vsm._finished_sums AS (
    finished bigint,
    cycles bigint,
    never_started bigint,
    lead_us numeric,
    cycle_us numeric,
    active_us numeric,
    wait_us numeric,
    lead_sketch vsm.sketch,
    cycle_sketch vsm.sketch
);
CREATE FUNCTION vsm._finished_step(internal, bigint, numeric, numeric, numeric, numeric, vsm.sketch, vsm.sketch, bigint[], bigint[],
                                   timestamptz[], bigint[], bigint[], bigint[], bigint[], timestamptz, boolean) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__finished_step';
COMMENT ON FUNCTION vsm._finished_step(internal, bigint, numeric, numeric, numeric, numeric, vsm.sketch, vsm.sketch, bigint[], bigint[],
                                       timestamptz[], bigint[], bigint[], bigint[], bigint[], timestamptz, boolean) IS 'Adds a piece. Errors: PT422.';
CREATE FUNCTION vsm._finished_row(internal) RETURNS vsm._finished
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__finished_row';
COMMENT ON FUNCTION vsm._finished_row(internal) IS 'The times of what was finished. Errors: XX001.';
CREATE FUNCTION vsm._finished_sums_row(internal) RETURNS vsm._finished_sums
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__finished_sums_row';
COMMENT ON FUNCTION vsm._finished_sums_row(internal) IS 'The sums over what was finished. Errors: XX001.';
CREATE AGGREGATE vsm._finished(never_started bigint, lead_us numeric, cycle_us numeric, active_us numeric, wait_us numeric,
                               lead_sketch vsm.sketch, cycle_sketch vsm.sketch, leads bigint[], cycles bigint[],
                               undone_at timestamptz[], undone_leads bigint[], undone_cycles bigint[], undone_active bigint[],
                               undone_wait bigint[], since timestamptz, exact boolean) (
    SFUNC = vsm._finished_step, STYPE = internal, SSPACE = 1000000,
    FINALFUNC = vsm._finished_row, FINALFUNC_MODIFY = SHAREABLE, PARALLEL = RESTRICTED
);
COMMENT ON AGGREGATE vsm._finished(bigint, numeric, numeric, numeric, numeric, vsm.sketch, vsm.sketch, bigint[], bigint[], timestamptz[],
                                   bigint[], bigint[], bigint[], bigint[], timestamptz, boolean) IS
    'Lead and cycle time, and active and wait time in microseconds, of the completions of a window from since on, given by pieces as '
    'vsm._item_cells has them, without those that a piece undoes. exact: from the lists; else from the sketches, where there are any.';
CREATE AGGREGATE vsm._finished_sums(never_started bigint, lead_us numeric, cycle_us numeric, active_us numeric, wait_us numeric,
                                    lead_sketch vsm.sketch, cycle_sketch vsm.sketch, leads bigint[], cycles bigint[],
                                    undone_at timestamptz[], undone_leads bigint[], undone_cycles bigint[], undone_active bigint[],
                                    undone_wait bigint[], since timestamptz, exact boolean) (
    SFUNC = vsm._finished_step, STYPE = internal, SSPACE = 100000,
    FINALFUNC = vsm._finished_sums_row, FINALFUNC_MODIFY = SHAREABLE, PARALLEL = RESTRICTED
);
COMMENT ON AGGREGATE vsm._finished_sums(bigint, numeric, numeric, numeric, numeric, vsm.sketch, vsm.sketch, bigint[], bigint[], timestamptz[],
                                        bigint[], bigint[], bigint[], bigint[], timestamptz, boolean) IS
    'The same as sums and sketches, which can be added up further; exact is false.';

CREATE FUNCTION vsm._had_started(of_item bigint, completed_at timestamptz) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN EXISTS (SELECT FROM vsm.stage_transitions t
                   WHERE t.work_item_id = of_item AND t."timestamp" = _had_started.completed_at AND t.item_started_at IS NOT NULL);
END $$;
COMMENT ON FUNCTION vsm._had_started(bigint, timestamptz) IS 'Had an item ever started when it was finished?';

-- cycle_us: null, never started; -1, started, but no cycle time by the rule span_last.
CREATE FUNCTION vsm._finished_lists(of_stream_id bigint, since timestamptz, bound timestamptz, rule text, of_type text)
    RETURNS TABLE (type_id bigint, finished bigint, never_started bigint, active_us numeric, wait_us numeric, completed_at timestamptz[],
                   leads bigint[], cycles bigint[])
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT c.type_id, count(*), count(*) - count(c.cycle_us), sum(c.active_us), sum(c.wait_us), array_agg(c.completed_at), array_agg(c.lead_us),
           array_agg(c.cycle_us) FILTER (WHERE c.cycle_us >= 0)
    FROM (SELECT coalesce(y.id, 0) AS type_id, c.completed_at, vsm._elapsed_us(c.created_at, c.completed_at) AS lead_us,
                 CASE WHEN c.cycle_us IS NULL AND rule = 'span_last' AND vsm._had_started(c.work_item_id, c.completed_at) THEN -1 ELSE c.cycle_us END AS cycle_us,
                 c.active_us, c.wait_us
          FROM vsm._all_completed(of_stream_id, _finished_lists.since, bound, rule, of_type, NULL, NULL) c
          CROSS JOIN LATERAL (SELECT w.type FROM vsm.work_items w WHERE w.id = c.work_item_id OFFSET 0) w    -- few of the items, each by its key
          LEFT JOIN vsm.work_item_types y ON y.name = w.type
          WHERE rule = 'episodes' OR c.undone_at IS NULL
          ORDER BY c.completed_at, c.work_item_id, c.created_at, c.started_at) c
    GROUP BY 1;
END;
COMMENT ON FUNCTION vsm._finished_lists(bigint, timestamptz, timestamptz, text, text) IS
    'Completions in [since, bound) that no move in it undoes (by the rule episodes all), by type of item, as vsm._item_cells has them.';

CREATE FUNCTION vsm._undone_lists(of_stream_id bigint, since timestamptz, bound timestamptz, rule text, of_type text)
    RETURNS TABLE (type_id bigint, undone_at timestamptz[], undone_leads bigint[], undone_cycles bigint[], undone_active bigint[],
                   undone_wait bigint[])
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH leaving AS MATERIALIZED (
        SELECT t.work_item_id, t."timestamp" AS at, t.id, t.undoes
        FROM vsm.stage_transitions t
        WHERE t.stream_id = of_stream_id AND t."timestamp" >= _undone_lists.since AND t."timestamp" < bound
          AND t.undoes < _undone_lists.since AND rule <> 'episodes'),
    undone AS (
        SELECT l.work_item_id, f."timestamp" AS completed_at, f.item_created_at AS created_at,
               vsm._ledger_cycle_us(rule, f.item_started_at, f."timestamp", f.active_time, f.wait_time) AS cycle_us,
               vsm._interval_us(f.active_time) AS active_us, vsm._interval_us(f.wait_time) AS wait_us
        FROM leaving l
        CROSS JOIN LATERAL (
            -- of several completions at one instant, the last
            SELECT t."timestamp", t.item_created_at, t.item_started_at, t.active_time, t.wait_time FROM vsm.stage_transitions t
            WHERE t.work_item_id = l.work_item_id AND t."timestamp" = l.undoes AND t.item_created_at IS NOT NULL
              AND (t."timestamp", t.id) < (l.at, l.id)
            ORDER BY t.id DESC LIMIT 1) f
        WHERE rule IN ('span_first_last', 'sum_active')
        UNION ALL
        SELECT m.work_item_id, c.completed_at, c.created_at, c.cycle_us, c.active_us, c.wait_us
        FROM (SELECT i.work_item_id, vsm._completions(t.to_stage_id, t."timestamp", t.id, rule) AS completions
              FROM (SELECT DISTINCT l.work_item_id FROM leaving l) i
              CROSS JOIN LATERAL (
                  SELECT t.to_stage_id, t."timestamp", t.id FROM vsm.stage_transitions t
                  WHERE t.work_item_id = i.work_item_id AND t."timestamp" < bound OFFSET 0) t
              WHERE rule IN ('span_last', 'sum_started')
              GROUP BY 1) m
        CROSS JOIN LATERAL unnest(m.completions) c
        WHERE c.completed_at < _undone_lists.since AND c.undone_at >= _undone_lists.since)
    SELECT u.type_id, array_agg(u.completed_at), array_agg(u.lead_us), array_agg(u.cycle_us), array_agg(u.active_us), array_agg(u.wait_us)
    FROM (SELECT coalesce(y.id, 0) AS type_id, u.completed_at, vsm._elapsed_us(u.created_at, u.completed_at) AS lead_us,
                 CASE WHEN u.cycle_us IS NULL AND rule = 'span_last' AND vsm._had_started(u.work_item_id, u.completed_at) THEN -1 ELSE u.cycle_us END AS cycle_us,
                 u.active_us, u.wait_us
          FROM undone u
          CROSS JOIN LATERAL (SELECT w.type FROM vsm.work_items w WHERE w.id = u.work_item_id OFFSET 0) w    -- few of the items, each by its key
          LEFT JOIN vsm.work_item_types y ON y.name = w.type
          WHERE of_type IS NULL OR w.type = of_type
          ORDER BY u.completed_at, u.work_item_id) u
    GROUP BY 1;
END;
COMMENT ON FUNCTION vsm._undone_lists(bigint, timestamptz, timestamptz, text, text) IS
    'Completions before since that a move in [since, bound) undoes, by type of item, as vsm._item_cells has them; by the rule episodes none.';

-- The completions of the pieces of a window, and the earlier ones that each undoes.
CREATE FUNCTION vsm._finished_pieces(of_stream_id bigint, since timestamptz, bound timestamptz, rule text, of_type text, lists boolean)
    RETURNS TABLE (folded boolean, since timestamptz, until timestamptz, finished bigint, never_started bigint, lead_us numeric, cycle_us numeric,
                   active_us numeric, wait_us numeric, lead_sketch vsm.sketch, cycle_sketch vsm.sketch, completed_at timestamptz[],
                   leads bigint[], cycles bigint[], undone_at timestamptz[], undone_leads bigint[], undone_cycles bigint[],
                   undone_active bigint[], undone_wait bigint[])
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH pieces AS MATERIALIZED (
        SELECT p.* FROM vsm._pieces(of_stream_id, ARRAY[_finished_pieces.since, bound], true, CASE WHEN lists THEN 'd' ELSE 'md' END) p)
    SELECT true, p.since, p.until, c.finished, c.never_started, c.lead_us, c.cycle_us, c.active_us, c.wait_us, c.lead_sketch, c.cycle_sketch,
           c.completed_at, c.leads, c.cycles, c.undone_at, c.undone_leads, c.undone_cycles, c.undone_active, c.undone_wait
    FROM pieces p
    CROSS JOIN LATERAL (
        SELECT * FROM vsm._item_cells c
        WHERE c.stream_id = of_stream_id AND c.unit = p.unit AND c.since = p.since
          AND CASE WHEN of_type IS NOT NULL THEN c.type_id = (SELECT vsm._type_id(of_type)) ELSE (c.type_id > 0) = lists END
        OFFSET 0) c
    WHERE p.folded
    UNION ALL
    SELECT false, p.since, p.until, f.finished, f.never_started, NULL::numeric AS lead_us, NULL::numeric AS cycle_us, f.active_us, f.wait_us,
           NULL::vsm.sketch AS lead_sketch, NULL::vsm.sketch AS cycle_sketch, f.completed_at, f.leads, f.cycles, NULL::timestamptz[] AS undone_at,
           NULL::bigint[] AS undone_leads, NULL::bigint[] AS undone_cycles, NULL::bigint[] AS undone_active, NULL::bigint[] AS undone_wait
    FROM pieces p CROSS JOIN LATERAL vsm._finished_lists(of_stream_id, p.since, p.until, rule, of_type) f
    WHERE NOT p.folded
    UNION ALL
    SELECT false, p.since, p.until, 0, 0, NULL::numeric AS lead_us, NULL::numeric AS cycle_us, 0, 0,
           NULL::vsm.sketch AS lead_sketch, NULL::vsm.sketch AS cycle_sketch, NULL::timestamptz[] AS completed_at, NULL::bigint[] AS leads,
           NULL::bigint[] AS cycles, u.undone_at, u.undone_leads, u.undone_cycles, u.undone_active, u.undone_wait
    FROM pieces p CROSS JOIN LATERAL vsm._undone_lists(of_stream_id, p.since, p.until, rule, of_type) u
    WHERE NOT p.folded;
END;
COMMENT ON FUNCTION vsm._finished_pieces(bigint, timestamptz, timestamptz, text, text, boolean) IS
    'Completions in [since, bound) by the stream''s own reopen rule, by pieces, as the aggregate vsm._finished takes them. lists: with '
    'each one''s times; else sketches do.';

-- A set of one row, so that it becomes part of a prepared statement.
CREATE FUNCTION vsm._finished_in(of_stream_id bigint, since timestamptz, bound timestamptz, rule text, of_type text, exact boolean)
    RETURNS SETOF vsm._finished
    LANGUAGE sql STABLE PARALLEL RESTRICTED ROWS 1
BEGIN ATOMIC
    SELECT (f.f).*
    FROM (SELECT vsm._finished(p.never_started, p.lead_us, p.cycle_us, p.active_us, p.wait_us, p.lead_sketch, p.cycle_sketch, p.leads, p.cycles,
                               p.undone_at, p.undone_leads, p.undone_cycles, p.undone_active, p.undone_wait, _finished_in.since, exact) AS f
          FROM vsm._finished_pieces(of_stream_id, _finished_in.since, bound, rule, of_type, exact) p) f;
END;
COMMENT ON FUNCTION vsm._finished_in(bigint, timestamptz, timestamptz, text, text, boolean) IS
    'The times of what was finished in [since, bound) by the stream''s own reopen rule, from cells. exact: percentiles and all.';

-- A piece within one bucket counts as a whole.
CREATE FUNCTION vsm._finished_by(of_stream_id bigint, since timestamptz, bound timestamptz, time_zone text, bucket text, rule text,
                                 of_type text, attributes jsonb, known_at timestamptz)
    RETURNS TABLE (b timestamp, items bigint)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    by_cells CONSTANT boolean := vsm._by_cells(of_stream_id, attributes, known_at, rule);
BEGIN
    PERFORM vsm._plan(by_cells, of_type IS NOT NULL);
    IF NOT by_cells THEN
        RETURN QUERY
        SELECT vsm._bucket_of(c.completed_at, time_zone, bucket), count(*)
        FROM vsm._completed(of_stream_id, since, bound, rule, of_type, attributes, known_at) c GROUP BY 1;
        RETURN;
    END IF;
    RETURN QUERY
    WITH pieces AS MATERIALIZED (
        SELECT p.*,
               -- but where clocks are set back within the piece, the local time of its ends does not bound that of its moves
               p.folded AND p.since AT TIME ZONE time_zone + (p.until - p.since) <= p.until AT TIME ZONE time_zone AS steady,
               CASE WHEN p.folded THEN vsm._bucket_of(p.since, time_zone, bucket) END AS first,
               CASE WHEN p.folded THEN vsm._bucket_of(p.until - interval '1 microsecond', time_zone, bucket) END AS last
        FROM vsm._finished_pieces(of_stream_id, _finished_by.since, bound, rule, of_type, true) p)
    SELECT n.b, sum(n.items)::bigint
    FROM (SELECT p.first AS b, p.finished AS items FROM pieces p WHERE p.steady AND p.first = p.last
          UNION ALL
          SELECT vsm._bucket_of(c.at, time_zone, bucket), 1
          FROM pieces p CROSS JOIN LATERAL unnest(p.completed_at) c (at) WHERE NOT p.steady OR p.first <> p.last
          UNION ALL
          SELECT vsm._bucket_of(u.at, time_zone, bucket), -1
          FROM pieces p CROSS JOIN LATERAL unnest(p.undone_at) u (at) WHERE u.at >= _finished_by.since) n
    GROUP BY 1;
END $$;
COMMENT ON FUNCTION vsm._finished_by(bigint, timestamptz, timestamptz, text, text, text, text, jsonb, timestamptz) IS
    'How many items were finished in [since, bound), by day, week or month; buckets in which none were may be left out.';

CREATE TYPE vsm.throughput_bucket AS (
    bucket date,
    items bigint
);
COMMENT ON TYPE vsm.throughput_bucket IS 'A row of vsm.throughput().';

CREATE FUNCTION vsm.throughput(stream text DEFAULT 'default',
                               since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                               until timestamptz DEFAULT clock_timestamp(), bucket text DEFAULT 'day',
                               type text DEFAULT NULL, reopen_rule text DEFAULT NULL, attributes jsonb DEFAULT NULL,
                               known_at timestamptz DEFAULT NULL)
    RETURNS SETOF vsm.throughput_bucket
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, since, until, reopen_rule, type, attributes, known_at);
BEGIN
    RETURN QUERY
    SELECT b.starts, coalesce(n.items, 0)
    FROM vsm._buckets(v, throughput.bucket) b
    LEFT JOIN vsm._finished_by(v.stream_id, throughput.since, v.bound, v.time_zone, throughput.bucket, v.reopen_rule, v.type, throughput.attributes, throughput.known_at) n ON n.b = b.starts::timestamp
    ORDER BY 1;
END $$;
COMMENT ON FUNCTION vsm.throughput(text, timestamptz, timestamptz, text, text, text, jsonb, timestamptz) IS
    'Items that are finished at the window''s end, by the day, week (from Monday) or month of the stream''s zone in which their latest '
    'completion lies (by the rule episodes: every completion); the buckets sum to the window''s throughput; empty buckets have 0. bucket is the first day; the '
    'window may cut the first bucket and the last. Errors: PT404, PT422.';

CREATE FUNCTION vsm.flow_efficiency(stream text DEFAULT 'default',
                                    since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                                    until timestamptz DEFAULT clock_timestamp(), type text DEFAULT NULL,
                                    reopen_rule text DEFAULT NULL, attributes jsonb DEFAULT NULL,
                                    known_at timestamptz DEFAULT NULL, blocked_waits boolean DEFAULT false)
    RETURNS numeric
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, since, until, reopen_rule, type, attributes, known_at);
    f vsm._finished;
    by_cells CONSTANT boolean := vsm._by_cells(v.stream_id, attributes, known_at, v.reopen_rule);
    blocked_us CONSTANT numeric := CASE WHEN blocked_waits THEN vsm._blocked_active_us(v, since, v.type, attributes, known_at) ELSE 0 END;
BEGIN
    PERFORM vsm._plan(by_cells, type IS NOT NULL);
    IF by_cells THEN
        SELECT x.* INTO f FROM vsm._finished_in(v.stream_id, flow_efficiency.since, v.bound, v.reopen_rule, v.type, false) x;
        RETURN (f.active_us - blocked_us) / nullif(f.active_us + f.wait_us, 0);       -- exact: sums, not percentiles
    END IF;
    RETURN (SELECT (sum(c.active_us) - blocked_us) / nullif(sum(c.active_us) + sum(c.wait_us), 0)
            FROM vsm._completed(v.stream_id, since, v.bound, v.reopen_rule, v.type, attributes, known_at) c);
END $$;
COMMENT ON FUNCTION vsm.flow_efficiency(text, timestamptz, timestamptz, text, text, jsonb, timestamptz, boolean) IS
    'Active time / (active + wait time) between start and finish over the items finished in the window: a ratio of '
    'sums, 0 to 1; null when nothing was finished. blocked_waits: time in active stages that was blocked (vsm.block) counts as wait time. '
    'Errors: PT404, PT422.';
