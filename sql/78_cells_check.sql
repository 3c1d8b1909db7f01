-- 78_cells_check: are the cells (sql/67_cells.sql) what the ledger gives?

-- The columns in which two rows of cells differ, from their keys on; null: there is no such row.
CREATE FUNCTION vsm._cell_differences(cell jsonb, ledger jsonb) RETURNS TABLE (figure text, cell_value jsonb, ledger_value jsonb)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT k.key, nullif(cell -> k.key, 'null'), nullif(ledger -> k.key, 'null')
    FROM jsonb_object_keys(coalesce(cell, ledger)) k (key)
    WHERE nullif(cell -> k.key, 'null') IS DISTINCT FROM nullif(ledger -> k.key, 'null')
      AND k.key NOT IN ('stream_id', 'unit', 'since', 'type_id', 'stage_id', 'from_stage_id', 'to_stage_id', 'place');
END;
COMMENT ON FUNCTION vsm._cell_differences(jsonb, jsonb) IS 'The figures in which two rows of cells differ; null: no row.';

CREATE FUNCTION vsm._named_edge(figure text, from_stage_id bigint) RETURNS text
    LANGUAGE sql STABLE PARALLEL RESTRICTED
RETURN format('%s, from %s', figure, coalesce((SELECT s.name FROM vsm.stages s WHERE s.id = from_stage_id), nullif(from_stage_id, 0)::text, 'none'));
COMMENT ON FUNCTION vsm._named_edge(text, bigint) IS 'A column of vsm._edge_cells, with the stage that the moves left.';

-- A stretch at a time, so that memory does not grow with the ledger; by one snapshot, as the calling statement is.
CREATE FUNCTION vsm._cells_check(of_stream_id bigint)
    RETURNS TABLE (unit "char", since timestamptz, until timestamptz, type_id bigint, stage_id bigint, figure text, cell jsonb, ledger jsonb)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    rule CONSTANT text := (SELECT v.reopen_rule FROM vsm.value_streams v WHERE v.id = of_stream_id);
    s record;
    moves vsm._span_move[];
BEGIN
    FOR s IN
        SELECT x.*,
               EXISTS (SELECT FROM vsm._marks k WHERE k.stream_id = of_stream_id AND k.since < x.until AND k.until > x.since) AS marked,
               lead(x.since) OVER (PARTITION BY x.unit ORDER BY x.since) AS next_since, p.parts, p.filled_until
        FROM vsm._spans x
        -- the days of a month, the hours of a day: together they fill it
        CROSS JOIN LATERAL (
            SELECT count(*) AS parts, x.since + sum(vsm._elapsed_us(d.since, d.until))::double precision * interval '1 microsecond' AS filled_until
            FROM vsm._spans d
            WHERE d.stream_id = of_stream_id AND d.unit = CASE x.unit WHEN 'm' THEN 'd' WHEN 'd' THEN 'h' END
              AND d.since >= x.since AND d.until <= x.until) p
        WHERE x.stream_id = of_stream_id
        ORDER BY x.unit, x.since
    LOOP
        unit := s.unit;
        since := s.since;
        until := s.until;
        IF s.next_since < s.until OR s.filled_until <> s.until OR s.unit = 'm' AND s.parts = 0 THEN
            type_id := NULL;
            stage_id := NULL;
            figure := 'until';
            cell := to_jsonb(s.until);
            ledger := to_jsonb(coalesce(CASE WHEN s.next_since < s.until THEN s.next_since END, s.filled_until, s.since));
            RETURN NEXT;
        END IF;
        CONTINUE WHEN s.marked;         -- not read
        IF s.unit = 'm' THEN
            RETURN QUERY
                SELECT s.unit, s.since, s.until, coalesce(c.type_id, l.type_id), coalesce(c.stage_id, l.stage_id), d.*
                FROM (SELECT * FROM vsm._stage_cells x WHERE x.stream_id = of_stream_id AND x.unit = 'm' AND x.since = s.since) c
                FULL JOIN vsm._stage_cells_of_month(of_stream_id, s.since, s.until) l ON (l.type_id, l.stage_id) = (c.type_id, c.stage_id)
                CROSS JOIN LATERAL vsm._cell_differences(to_jsonb(c), to_jsonb(l)) d
                UNION ALL
                SELECT s.unit, s.since, s.until, coalesce(c.type_id, l.type_id), NULL, d.*
                FROM (SELECT * FROM vsm._item_cells x WHERE x.stream_id = of_stream_id AND x.unit = 'm' AND x.since = s.since) c
                FULL JOIN vsm._item_cells_of_month(of_stream_id, s.since, s.until) l ON l.type_id = c.type_id
                CROSS JOIN LATERAL vsm._cell_differences(to_jsonb(c), to_jsonb(l)) d;
        ELSIF s.unit = 'd' THEN         -- with its hours
            moves := vsm._span_moves(of_stream_id, s.since, s.until);
            RETURN QUERY
                SELECT coalesce(c.unit, l.unit), coalesce(c.since, l.since), CASE WHEN coalesce(c.unit, l.unit) = 'd' THEN s.until END,
                       coalesce(c.type_id, l.type_id), coalesce(c.stage_id, l.stage_id), d.*
                FROM (SELECT * FROM vsm._stage_cells x
                      WHERE x.stream_id = of_stream_id AND (x.unit = 'd' AND x.since = s.since OR x.unit = 'h' AND x.since >= s.since AND x.since < s.until)) c
                FULL JOIN vsm._cells_of_stages(of_stream_id, s.since, s.until, s.parts > 0, moves) l
                    ON (l.unit, l.since, l.type_id, l.stage_id) = (c.unit, c.since, c.type_id, c.stage_id)
                CROSS JOIN LATERAL vsm._cell_differences(to_jsonb(c), to_jsonb(l)) d
                UNION ALL
                SELECT coalesce(c.unit, l.unit), coalesce(c.since, l.since), CASE WHEN coalesce(c.unit, l.unit) = 'd' THEN s.until END,
                       coalesce(c.type_id, l.type_id), NULL, d.*
                FROM (SELECT * FROM vsm._item_cells x
                      WHERE x.stream_id = of_stream_id AND (x.unit = 'd' AND x.since = s.since OR x.unit = 'h' AND x.since >= s.since AND x.since < s.until)) c
                FULL JOIN vsm._cells_of_items(of_stream_id, s.since, s.until, s.parts > 0, moves, rule) l
                    ON (l.unit, l.since, l.type_id) = (c.unit, c.since, c.type_id)
                CROSS JOIN LATERAL vsm._cell_differences(to_jsonb(c), to_jsonb(l)) d
                UNION ALL
                SELECT s.unit, s.since, s.until, coalesce(c.type_id, l.type_id), coalesce(c.to_stage_id, l.to_stage_id),
                       vsm._named_edge(d.figure, coalesce(c.from_stage_id, l.from_stage_id)), d.cell_value, d.ledger_value
                FROM (SELECT * FROM vsm._edge_cells x WHERE x.stream_id = of_stream_id AND x.unit = 'd' AND x.since = s.since) c
                FULL JOIN vsm._cells_of_edges(of_stream_id, s.since, s.until, moves) l
                    ON (l.type_id, l.from_stage_id, l.to_stage_id) = (c.type_id, c.from_stage_id, c.to_stage_id)
                CROSS JOIN LATERAL vsm._cell_differences(to_jsonb(c), to_jsonb(l)) d
                UNION ALL
                SELECT s.unit, s.since, s.until, coalesce(c.type_id, l.type_id), NULL, format('%s, of path %s', d.figure, coalesce(c.place, l.place)),
                       d.cell_value, d.ledger_value
                FROM (SELECT * FROM vsm._path_cells x WHERE x.stream_id = of_stream_id AND x.unit = 'd' AND x.since = s.since) c
                FULL JOIN vsm._cells_of_paths(of_stream_id, s.since, s.until, rule) l ON (l.type_id, l.place) = (c.type_id, c.place)
                CROSS JOIN LATERAL vsm._cell_differences(to_jsonb(c), to_jsonb(l)) d;
        END IF;
    END LOOP;
    -- of no span
    RETURN QUERY
        SELECT c.unit, c.since, NULL::timestamptz, c.type_id, c.stage_id, d.*
        FROM vsm._stage_cells c CROSS JOIN LATERAL vsm._cell_differences(to_jsonb(c), NULL) d
        WHERE c.stream_id = of_stream_id
          AND NOT EXISTS (SELECT FROM vsm._spans x WHERE x.stream_id = of_stream_id AND x.unit = c.unit AND x.since = c.since)
        UNION ALL
        SELECT c.unit, c.since, NULL, c.type_id, NULL, d.*
        FROM vsm._item_cells c CROSS JOIN LATERAL vsm._cell_differences(to_jsonb(c), NULL) d
        WHERE c.stream_id = of_stream_id
          AND NOT EXISTS (SELECT FROM vsm._spans x WHERE x.stream_id = of_stream_id AND x.unit = c.unit AND x.since = c.since)
        UNION ALL
        SELECT c.unit, c.since, NULL, c.type_id, c.to_stage_id, vsm._named_edge(d.figure, c.from_stage_id), d.cell_value, d.ledger_value
        FROM vsm._edge_cells c CROSS JOIN LATERAL vsm._cell_differences(to_jsonb(c), NULL) d
        WHERE c.stream_id = of_stream_id
          -- they are kept of days only
          AND (c.unit <> 'd' OR NOT EXISTS (SELECT FROM vsm._spans x WHERE x.stream_id = of_stream_id AND x.unit = c.unit AND x.since = c.since))
        UNION ALL
        SELECT c.unit, c.since, NULL, c.type_id, NULL, format('%s, of path %s', d.figure, c.place), d.cell_value, d.ledger_value
        FROM vsm._path_cells c CROSS JOIN LATERAL vsm._cell_differences(to_jsonb(c), NULL) d
        WHERE c.stream_id = of_stream_id
          AND (c.unit <> 'd' OR NOT EXISTS (SELECT FROM vsm._spans x WHERE x.stream_id = of_stream_id AND x.unit = c.unit AND x.since = c.since));
END $$;
COMMENT ON FUNCTION vsm._cells_check(bigint) IS 'vsm.cells_check() for one stream.';

CREATE TYPE vsm.cell_difference AS (
    stream text,
    unit text,
    since timestamptz,
    until timestamptz,
    type text,
    stage text,
    figure text,
    cell jsonb,
    ledger jsonb
);
COMMENT ON TYPE vsm.cell_difference IS 'A row of vsm.cells_check().';

CREATE FUNCTION vsm.cells_check(stream text DEFAULT NULL) RETURNS SETOF vsm.cell_difference
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    stream := vsm._sought(stream);
    IF stream IS NOT NULL AND NOT EXISTS (SELECT FROM vsm.value_streams v WHERE v.name = stream) THEN
        RAISE EXCEPTION 'stream "%" not found', stream
            USING ERRCODE = 'PT404', DETAIL = 'There is no stream of that name; names are case-sensitive.',
                  HINT = format('%s; vsm.define_stream() defines one.', vsm._streams_to_choose());
    END IF;
    RETURN QUERY
        SELECT v.name, CASE d.unit WHEN 'h' THEN 'hour' WHEN 'd' THEN 'days' WHEN 'm' THEN 'month' END, d.since, d.until, coalesce(y.name, nullif(d.type_id, 0)::text), coalesce(s.name, d.stage_id::text), d.figure, d.cell, d.ledger
        FROM (SELECT x.id, x.name FROM vsm.value_streams x WHERE cells_check.stream IS NULL OR x.name = cells_check.stream ORDER BY x.id) v
        CROSS JOIN LATERAL vsm._cells_check(v.id) d
        LEFT JOIN vsm.work_item_types y ON y.id = d.type_id
        LEFT JOIN vsm.stages s ON s.id = d.stage_id;
END $$;
COMMENT ON FUNCTION vsm.cells_check(text) IS
    'Compares the cells of a stream, or with null of all, with the ledger, at one instant while other sessions go on. A row for each '
    'figure that differs: in the days, hour or month (unit) since to until (null: of no span, or an hour), of a type of items and a stage (null: of the '
    'stream); ledger: what the moves of the span, or the spans of the month, add up to. What is marked, to be folded anew, is not '
    'compared, because no answer comes from it. No rows if all is right, except that a definition may just be changing. Changes '
    'nothing; vsm.fold(stream, rebuild => true) computes all cells anew. Errors: PT404.';
