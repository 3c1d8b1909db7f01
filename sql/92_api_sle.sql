-- 92_api_sle: expectations, pace and blocked time as the documents that clients get

-- ---- Service level expectations ----

CREATE FUNCTION vsm._sle_shown(e vsm.sles) RETURNS json
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT row_to_json(r) FROM (SELECT e.stream, e.type, e.since, vsm._hours(e.elapsed) AS elapsed_hours, e.probability) r;
END;
COMMENT ON FUNCTION vsm._sle_shown(vsm.sles) IS 'A service level expectation as the answers show it.';

CREATE FUNCTION vsm_api.sles(stream text DEFAULT 'default') RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of_stream CONSTANT text := vsm._known_stream(stream);
BEGIN
    RETURN array_to_json(ARRAY(
        SELECT vsm._sle_shown(e) FROM vsm.sles e WHERE e.stream = of_stream ORDER BY e.type NULLS FIRST, e.since));
END $$;
COMMENT ON FUNCTION vsm_api.sles(text) IS
    'The service level expectations of a stream: the share (probability) of its items, or of those of a type, that are expected to finish '
    'within elapsed_hours, from the day since up to the next one. A type without one of its own has the stream''s (type null). Errors: PT404 stream.';

CREATE FUNCTION vsm_api.set_sle(stream text, elapsed interval, probability double precision, type text DEFAULT NULL, since date DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of_stream CONSTANT text := vsm._known_stream(coalesce(stream, ''));
BEGIN
    RETURN vsm._sle_shown(vsm.set_sle(of_stream, elapsed, probability, type, since));
END $$;
COMMENT ON FUNCTION vsm_api.set_sle(text, interval, double precision, text, date) IS
    'Sets the service level expectation of a stream, or of a type in it, from a day on (today in its time zone by default); it holds up to '
    'the next one. Errors: PT404 stream; PT422 elapsed, probability, type or since refused.';

CREATE FUNCTION vsm_api.delete_sle(stream text, since date, type text DEFAULT NULL) RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of_stream CONSTANT text := vsm._known_stream(coalesce(stream, ''));
    gone vsm.sles;
BEGIN
    PERFORM vsm._check_filter(NULL, vsm._sought(delete_sle.type), NULL);
    DELETE FROM vsm.sles e
    WHERE e.stream = of_stream AND e.type IS NOT DISTINCT FROM vsm._sought(delete_sle.type) AND e.since = delete_sle.since
    RETURNING e.* INTO gone;
    IF NOT FOUND AND EXISTS (SELECT FROM vsm.sles e WHERE e.stream = of_stream AND e.type IS NOT DISTINCT FROM vsm._sought(delete_sle.type)
                                                      AND e.since = delete_sle.since) THEN
        PERFORM vsm._refuse_definition(format('stream "%s"', of_stream));
    ELSIF gone.stream IS NULL THEN
        RAISE EXCEPTION 'Service level expectation of % not found', vsm._shown(delete_sle.since)
            USING ERRCODE = 'PT404', COLUMN = 'since', DETAIL = format('Stream ''%s'' has none from that day on%s.', of_stream, ' for type ''' || delete_sle.type || ''''),
                  HINT = 'Give the day and the type with which it was set.';
    END IF;
    RETURN vsm._sle_shown(gone);
END $$;
COMMENT ON FUNCTION vsm_api.delete_sle(text, date, text) IS
    'Takes back the service level expectation that was set from a day on, and returns it. Errors: PT404 stream or expectation; PT422 type.';

CREATE FUNCTION vsm_api.sle_conformance(stream text DEFAULT 'default', since text DEFAULT NULL, until text DEFAULT NULL, step text DEFAULT NULL,
                                        type text DEFAULT NULL, reopen_rule text DEFAULT NULL, attributes jsonb DEFAULT NULL,
                                        known_at text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a CONSTANT vsm._asked := vsm._asked(stream, since, until, 720, reopen_rule, type, attributes, known_at);
    v CONSTANT vsm._window := vsm._window_asked(a);
BEGIN
    RETURN (SELECT row_to_json(r)
            FROM (SELECT c.items, c.within, round(c.share, 4) AS share, c.unjudged, vsm._hours(c.elapsed) AS elapsed_hours, c.probability,
                         v.stream, vsm._rfc3339(v.since) AS since, vsm._rfc3339(v.until) AS until, sle_conformance.step, a.type, v.time_zone,
                         v.reopen_rule, a.attributes, vsm._rfc3339(a.known_at) AS known_at,
                         CASE WHEN sle_conformance.step IS NOT NULL THEN ARRAY(
                             SELECT row_to_json(b)
                             FROM (SELECT t.bucket AS start, t.items, t.within, round(t.share, 4) AS share, t.unjudged,
                                          vsm._hours(t.elapsed) AS elapsed_hours, t.probability
                                   FROM vsm.sle_conformance(v.stream, a.since, v.bound, sle_conformance.step, a.type, a.reopen_rule, a.attributes, a.known_at) t
                                   ORDER BY t.bucket) b) END AS buckets
                  FROM vsm.sle_conformance(v.stream, a.since, v.bound, NULL, a.type, a.reopen_rule, a.attributes, a.known_at) c) r);
END $$;
COMMENT ON FUNCTION vsm_api.sle_conformance(text, text, text, text, text, text, jsonb, text) IS
    'Of the items finished in the window, by default the last 30 days, how many were within the service level expectation of the day on '
    'which they finished, and with step (day, week, month) the same by bucket. unjudged: never started, or nothing was expected. '
    'elapsed_hours, probability: what is expected at the end. Errors: PT404 stream; PT422 arguments.';

CREATE FUNCTION vsm_api.stage_pace(stream text DEFAULT 'default', since text DEFAULT NULL, until text DEFAULT NULL, type text DEFAULT NULL,
                                   attributes jsonb DEFAULT NULL, known_at text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a CONSTANT vsm._asked := vsm._asked(stream, since, until, 2160, NULL, type, attributes, known_at);
    v CONSTANT vsm._window := vsm._window_asked(a);
BEGIN
    RETURN array_to_json(ARRAY(
        SELECT row_to_json(r)
        FROM (SELECT p.stage, p.n, vsm._hours(p.p50) AS p50, vsm._hours(p.p70) AS p70, vsm._hours(p.p85) AS p85, vsm._hours(p.p95) AS p95,
                     vsm._rfc3339(v.since) AS since, vsm._rfc3339(v.until) AS until, a.type, v.time_zone, a.attributes,
                     vsm._rfc3339(a.known_at) AS known_at
              FROM vsm.stage_pace(v.stream, a.since, v.bound, a.type, a.attributes, a.known_at) WITH ORDINALITY p
              ORDER BY p.ordinality) r));
END $$;
COMMENT ON FUNCTION vsm_api.stage_pace(text, text, text, text, jsonb, text) IS
    'How old, in hours since their start, the n items finished in the window, by default the last 90 days, were when they last left each '
    'wait and active stage. Each row names what was asked for. Errors: PT404 stream; PT422 arguments.';

-- ---- Blocks ----

CREATE FUNCTION vsm._block_shown(b vsm.blocks) RETURNS json
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT row_to_json(r)
    FROM (SELECT b.id, b.work_item_id, b.reason, vsm._rfc3339(b.blocked_at) AS blocked_at, vsm._rfc3339(b.unblocked_at) AS unblocked_at,
                 b.blocked_by, b.unblocked_by, vsm._rfc3339(b.recorded_at) AS recorded_at) r;
END;
COMMENT ON FUNCTION vsm._block_shown(vsm.blocks) IS 'A block as the answers show it.';

CREATE FUNCTION vsm_api.block(work_item_id bigint, reason text, at timestamptz DEFAULT NULL) RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM vsm.work_items w WHERE w.id = block.work_item_id) THEN
        PERFORM vsm._item_not_found(block.work_item_id);
    END IF;
    RETURN vsm._block_shown(vsm.block(block.work_item_id, block.reason, block.at));
END $$;
COMMENT ON FUNCTION vsm_api.block(bigint, text, timestamptz) IS
    'Records that a work item is blocked, and why. Errors: PT404 work item; PT409 it is blocked already, or not in progress; PT422 reason or time refused.';

CREATE FUNCTION vsm_api.unblock(work_item_id bigint, at timestamptz DEFAULT NULL) RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM vsm.work_items w WHERE w.id = unblock.work_item_id) THEN
        PERFORM vsm._item_not_found(unblock.work_item_id);
    END IF;
    RETURN vsm._block_shown(vsm.unblock(unblock.work_item_id, unblock.at));
END $$;
COMMENT ON FUNCTION vsm_api.unblock(bigint, timestamptz) IS
    'Records that a work item is no longer blocked. Errors: PT404 work item; PT409 it is not blocked; PT422 time refused.';

CREATE FUNCTION vsm_api.blocks(work_item_id bigint) RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM vsm.work_items w WHERE w.id = blocks.work_item_id) THEN
        PERFORM vsm._item_not_found(blocks.work_item_id);
    END IF;
    RETURN array_to_json(ARRAY(
        SELECT vsm._block_shown(b) FROM vsm.blocks b WHERE b.work_item_id = blocks.work_item_id ORDER BY b.blocked_at, b.id));
END $$;
COMMENT ON FUNCTION vsm_api.blocks(bigint) IS 'The blocks of a work item, oldest first; unblocked_at null: it is blocked. Errors: PT404 work item.';

CREATE FUNCTION vsm_api.blocked_time(stream text DEFAULT 'default', since text DEFAULT NULL, until text DEFAULT NULL, type text DEFAULT NULL,
                                     attributes jsonb DEFAULT NULL, known_at text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a CONSTANT vsm._asked := vsm._asked(stream, since, until, 720, NULL, type, attributes, known_at);
    v CONSTANT vsm._window := vsm._window_asked(a);
BEGIN
    RETURN (WITH blocked AS MATERIALIZED (
                SELECT * FROM vsm.blocked_time(v.stream, a.since, v.bound, a.type, a.attributes, a.known_at) WITH ORDINALITY)
            SELECT row_to_json(r)
            FROM (SELECT (SELECT coalesce(round(sum(extract(epoch FROM b.blocked)) / 3600, 2), 0) FROM blocked b) AS blocked_hours,
                         ARRAY(SELECT row_to_json(x)
                               FROM (SELECT b.stage, b.reason, b.spells, b.items, vsm._hours(b.blocked) AS blocked_hours
                                     FROM blocked b ORDER BY b.ordinality) x) AS rows,
                         v.stream, vsm._rfc3339(v.since) AS since, vsm._rfc3339(v.until) AS until, a.type, v.time_zone, a.attributes,
                         vsm._rfc3339(a.known_at) AS known_at) r);
END $$;
COMMENT ON FUNCTION vsm_api.blocked_time(text, text, text, text, jsonb, text) IS
    'Hours for which started items were blocked in the window, by default the last 30 days, in all and by stage and reason; spells: blocks. '
    'Errors: PT404 stream; PT422 arguments.';
