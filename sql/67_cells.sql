-- 67_cells: what the moves of days that are over add up to, so that a figure need not read them
--
-- The past stands still: once a day is over, its moves change only by a correction.  So their sums are kept, by spans of
-- whole days of the stream's zone.  Cells are a cache: vsm.fold() makes them, and without them every answer is the
-- same.  A figure takes the spans that lie in its window, and reads the ledger for the rest.  doc/internals.md says why
-- that is exact.

CREATE TABLE vsm._folds (
    stream_id bigint PRIMARY KEY,
    closed_until timestamptz NOT NULL,      -- who records a move of before that leaves a mark
    closed_by xid8,                         -- the transaction that closed it; others know of it once that has committed
    bound xid8,                             -- this transaction and later ones know closed_until; null: not read yet
    settled_until timestamptz NOT NULL,     -- closed_until, once all transactions before bound have ended: what may be folded
    folded_at timestamptz
);
COMMENT ON TABLE vsm._folds IS 'How far each stream may be folded.';

-- Moves are summed up by spans of days, by type of item and of all types together.  Those of a busy day are also summed up by
-- its hours, of all types only, so that a window that cuts the day reads few moves; and the days of a month by the month, so
-- that a long time is few cells.
CREATE TABLE vsm._spans (
    stream_id bigint,
    unit "char",                            -- d: days; h: an hour of a day; m: a month
    since timestamptz,
    until timestamptz NOT NULL CHECK (until > since),
    PRIMARY KEY (stream_id, unit, since)
);
COMMENT ON TABLE vsm._spans IS 'The spans of time whose moves have been folded into cells, also those without moves.';

-- Times before the end of the span are counted in microseconds up to it.  Lists are those of days and one type, where nothing
-- else is said.
CREATE TABLE vsm._stage_cells (
    stream_id bigint,
    unit "char",
    since timestamptz,
    type_id bigint,                         -- 0: all types
    stage_id bigint,
    entered bigint NOT NULL,
    "left" bigint NOT NULL,
    reached bigint NOT NULL,                -- items that got so far for the first time
    entered_us numeric NOT NULL,            -- from each entry to the span's end
    left_us numeric NOT NULL,               -- from each exit to the span's end
    stayed_us numeric NOT NULL,             -- the visits that ended
    visits bigint[],                        -- each of them
    repeated_at timestamptz[],              -- of those of items that had left the stage before: when they last had; ascending
    -- of the items that finished in the span and did not leave done in it: their ages when they last left the stage
    paces bigint[],
    -- the same of those that had finished before the span and left done in it, and when they had finished
    undone_pace_at timestamptz[],
    undone_paces bigint[],
    PRIMARY KEY (stream_id, unit, since, type_id, stage_id)
);
COMMENT ON TABLE vsm._stage_cells IS 'What the moves of a span add to a stage, by type of item.';

CREATE TABLE vsm._item_cells (
    stream_id bigint,
    unit "char",
    since timestamptz,
    type_id bigint,                         -- 0: all types
    arrivals bigint NOT NULL,
    departures bigint NOT NULL,
    returns bigint NOT NULL,
    discarded bigint NOT NULL,
    reopened bigint NOT NULL,
    backward_moves bigint NOT NULL,
    started_change bigint NOT NULL,
    open_us numeric NOT NULL,               -- changes of WIP, each times the time from it to the span's end
    started_us numeric NOT NULL,
    -- completions by the stream's reopen rule that no move of the span undoes (by the rule episodes all); of an hour none
    finished bigint NOT NULL,
    never_started bigint NOT NULL,
    lead_us numeric NOT NULL,
    cycle_us numeric NOT NULL,
    active_us numeric NOT NULL,
    wait_us numeric NOT NULL,
    lead_sketch vsm.sketch,                 -- null for few completions of days and one type, whose lists are as short
    cycle_sketch vsm.sketch,
    completed_at timestamptz[],
    leads bigint[],
    cycles bigint[],                        -- without those that never started, or have no cycle time by the rule
    -- completions before the span that a move of it undoes, as they were counted; of all types and a month too
    undone_at timestamptz[],
    undone_leads bigint[],
    undone_cycles bigint[],                 -- null: never started; below 0: started, but no cycle time by the rule
    undone_active bigint[],
    undone_wait bigint[],
    -- items that were not in progress before the span, and were after it, and the other way; of a month too
    opened bigint[],
    closed bigint[],
    starts bigint NOT NULL,                 -- moves that add to started WIP
    age_us numeric NOT NULL,                -- changes of started WIP, each times the time from the item's first start to the span's end
    PRIMARY KEY (stream_id, unit, since, type_id)
);
COMMENT ON TABLE vsm._item_cells IS 'What the moves of a span add to the figures of a stream, by type of item.';

-- Of days and one type only.
CREATE TABLE vsm._edge_cells (
    stream_id bigint,
    unit "char",
    since timestamptz,
    type_id bigint,
    from_stage_id bigint,                   -- 0: none, the item was created
    to_stage_id bigint,
    n bigint NOT NULL,
    times bigint[],                         -- how long each item had been in the stage that it left
    first_handed bigint NOT NULL,           -- to a later stage: moves of items that the stage had not handed on before
    -- to an earlier stage: when that had last handed the item on, if that is how the item had last left it
    handed_at timestamptz[],
    first_handed_at timestamptz[],          -- of these, where it was the first time
    PRIMARY KEY (stream_id, unit, since, type_id, from_stage_id, to_stage_id)
);
COMMENT ON TABLE vsm._edge_cells IS 'The moves of a span from one stage to another, by type of item.';

-- Of days and one type only.
CREATE TABLE vsm._path_cells (
    stream_id bigint,
    unit "char",
    since timestamptz,
    type_id bigint,
    place integer,                          -- among the paths of that day and type
    stages bigint[] NOT NULL,               -- entered up to the completion, by the stream's reopen rule
    n bigint NOT NULL,                      -- completions that no move of the span undoes
    cycles bigint[],                        -- without those that never started
    -- completions before the span that a move of it undoes
    undone_at timestamptz[],
    undone_cycles bigint[],                 -- null: never started
    PRIMARY KEY (stream_id, unit, since, type_id, place)
);
COMMENT ON TABLE vsm._path_cells IS 'The paths of the items that finished in a span, by type of item.';

-- A move of a span, as all kinds of its cells are made from.
CREATE TYPE vsm._span_move AS (
    work_item_id bigint,
    id bigint,
    from_stage_id bigint,
    to_stage_id bigint,
    at timestamptz,
    stayed_us bigint,
    furthest_before bigint,
    started_change integer,
    started_at timestamptz,             -- of the item, as its backward_moves
    backward_moves integer,
    type_id bigint                      -- -1: the item or its type is missing
);

-- lists of numbers shrink little, and take longer to unpack than to read
ALTER TABLE vsm._stage_cells ALTER COLUMN visits SET STORAGE EXTERNAL, ALTER COLUMN repeated_at SET STORAGE EXTERNAL,
    ALTER COLUMN paces SET STORAGE EXTERNAL;
ALTER TABLE vsm._item_cells ALTER COLUMN lead_sketch SET STORAGE EXTERNAL, ALTER COLUMN cycle_sketch SET STORAGE EXTERNAL,
    ALTER COLUMN completed_at SET STORAGE EXTERNAL, ALTER COLUMN leads SET STORAGE EXTERNAL, ALTER COLUMN cycles SET STORAGE EXTERNAL,
    ALTER COLUMN opened SET STORAGE EXTERNAL, ALTER COLUMN closed SET STORAGE EXTERNAL;
ALTER TABLE vsm._edge_cells ALTER COLUMN times SET STORAGE EXTERNAL, ALTER COLUMN handed_at SET STORAGE EXTERNAL,
    ALTER COLUMN first_handed_at SET STORAGE EXTERNAL;
ALTER TABLE vsm._path_cells ALTER COLUMN cycles SET STORAGE EXTERNAL;

-- Whoever changes moves of before closed_until marks the time of all moves that this may touch.  What is marked is read from
-- the ledger until it is folded anew.  Marks are never updated, so that those who mark do not wait for each other.
CREATE SEQUENCE vsm._marks_id_seq;
CREATE TABLE vsm._marks (
    id bigint PRIMARY KEY DEFAULT nextval('vsm._marks_id_seq'),
    stream_id bigint NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL
);
ALTER SEQUENCE vsm._marks_id_seq OWNED BY vsm._marks.id;
CREATE INDEX _marks_stream ON vsm._marks (stream_id);
COMMENT ON TABLE vsm._marks IS 'Times in which moves have changed since they were folded.';

CREATE FUNCTION vsm._closed_until(stream_id bigint) RETURNS timestamptz
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'vsm__closed_until';
COMMENT ON FUNCTION vsm._closed_until(bigint) IS
    'The time before which changes of a stream''s moves leave a mark, -infinity if none do; this transaction gets an id first.';

CREATE FUNCTION vsm._lock_fold(stream_id bigint) RETURNS void
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'vsm__lock_fold';
COMMENT ON FUNCTION vsm._lock_fold(bigint) IS
    'Waits for the lock of those who fold a stream, and holds it to the end of the transaction; no other function takes it. Errors: 42501.';
CREATE FUNCTION vsm._fold_turn() RETURNS boolean
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vsm__fold_turn';
COMMENT ON FUNCTION vsm._fold_turn() IS
    'Is it this transaction''s turn to fold? Of several gateways one folds at a time; it keeps its turn until the transaction ends. Errors: 42501.';

CREATE FUNCTION vsm._next_xid() RETURNS xid8
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vsm__next_xid';
COMMENT ON FUNCTION vsm._next_xid() IS 'The next transaction id to be assigned.';

CREATE FUNCTION vsm._read_definitions_anew() RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vsm__read_definitions_anew';
COMMENT ON FUNCTION vsm._read_definitions_anew() IS 'From now on this session goes by all definitions that are committed.';

CREATE FUNCTION vsm._ledger_replicated() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'vsm__ledger_replicated';
COMMENT ON FUNCTION vsm._ledger_replicated() IS 'Marks the times of moves that replication applies.';
CREATE TRIGGER vsm_replicated_moves AFTER INSERT OR UPDATE OR DELETE ON vsm.stage_transitions
    FOR EACH ROW EXECUTE FUNCTION vsm._ledger_replicated();
ALTER TABLE vsm.stage_transitions ENABLE REPLICA TRIGGER vsm_replicated_moves;

-- The triggers that mark for a change of definitions, and empty the cells with the ledger, do not run under replication.
CREATE FUNCTION vsm._everything_replicated() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF tg_relid NOT IN ('vsm.stage_transitions'::regclass, 'vsm.stages'::regclass, 'vsm.value_streams'::regclass) THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'tables vsm.stage_transitions, vsm.stages and vsm.value_streams');
    END IF;
    INSERT INTO vsm._marks (stream_id, since, until) SELECT f.stream_id, '-infinity', 'infinity' FROM vsm._folds f;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION vsm._everything_replicated() IS
    'Marks everything: replication has changed what the cells of other moves follow from, or has emptied the ledger.';
CREATE TRIGGER vsm_replicated_truncate AFTER TRUNCATE ON vsm.stage_transitions
    FOR EACH STATEMENT EXECUTE FUNCTION vsm._everything_replicated();
ALTER TABLE vsm.stage_transitions ENABLE REPLICA TRIGGER vsm_replicated_truncate;
CREATE TRIGGER vsm_replicated AFTER INSERT OR DELETE ON vsm.stages
    FOR EACH ROW EXECUTE FUNCTION vsm._everything_replicated();
CREATE TRIGGER vsm_replicated_change AFTER UPDATE ON vsm.stages
    FOR EACH ROW WHEN ((new.category, new."order") IS DISTINCT FROM (old.category, old."order"))
    EXECUTE FUNCTION vsm._everything_replicated();
ALTER TABLE vsm.stages ENABLE REPLICA TRIGGER vsm_replicated, ENABLE REPLICA TRIGGER vsm_replicated_change;
CREATE TRIGGER vsm_replicated_change AFTER UPDATE ON vsm.value_streams
    FOR EACH ROW WHEN ((new.reopen_rule, new.commitment_stage) IS DISTINCT FROM (old.reopen_rule, old.commitment_stage))
    EXECUTE FUNCTION vsm._everything_replicated();
ALTER TABLE vsm.value_streams ENABLE REPLICA TRIGGER vsm_replicated_change;

-- Each server folds for itself.  Rows that replication applies fire these triggers at depth 1; marks that are made for moves
-- that it applies, deeper.
CREATE FUNCTION vsm._not_replicated() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF tg_relid NOT IN ('vsm._folds'::regclass, 'vsm._spans'::regclass, 'vsm._stage_cells'::regclass, 'vsm._item_cells'::regclass,
                        'vsm._edge_cells'::regclass, 'vsm._path_cells'::regclass, 'vsm._marks'::regclass) THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'tables vsm._folds, vsm._spans, vsm._stage_cells, vsm._item_cells, vsm._edge_cells, '
                                                  'vsm._path_cells and vsm._marks');
    END IF;
    IF pg_trigger_depth() = 1 THEN
        RETURN NULL;
    ELSIF tg_op = 'DELETE' THEN
        RETURN old;
    END IF;
    RETURN new;
END $$;
COMMENT ON FUNCTION vsm._not_replicated() IS 'Drops rows of cells that replication applies.';
CREATE TRIGGER not_replicated BEFORE INSERT OR UPDATE OR DELETE ON vsm._folds FOR EACH ROW EXECUTE FUNCTION vsm._not_replicated();
CREATE TRIGGER not_replicated BEFORE INSERT OR UPDATE OR DELETE ON vsm._spans FOR EACH ROW EXECUTE FUNCTION vsm._not_replicated();
CREATE TRIGGER not_replicated BEFORE INSERT OR UPDATE OR DELETE ON vsm._stage_cells FOR EACH ROW EXECUTE FUNCTION vsm._not_replicated();
CREATE TRIGGER not_replicated BEFORE INSERT OR UPDATE OR DELETE ON vsm._item_cells FOR EACH ROW EXECUTE FUNCTION vsm._not_replicated();
CREATE TRIGGER not_replicated BEFORE INSERT OR UPDATE OR DELETE ON vsm._edge_cells FOR EACH ROW EXECUTE FUNCTION vsm._not_replicated();
CREATE TRIGGER not_replicated BEFORE INSERT OR UPDATE OR DELETE ON vsm._path_cells FOR EACH ROW EXECUTE FUNCTION vsm._not_replicated();
CREATE TRIGGER not_replicated BEFORE INSERT OR UPDATE OR DELETE ON vsm._marks FOR EACH ROW EXECUTE FUNCTION vsm._not_replicated();
ALTER TABLE vsm._folds ENABLE REPLICA TRIGGER not_replicated;
ALTER TABLE vsm._spans ENABLE REPLICA TRIGGER not_replicated;
ALTER TABLE vsm._stage_cells ENABLE REPLICA TRIGGER not_replicated;
ALTER TABLE vsm._item_cells ENABLE REPLICA TRIGGER not_replicated;
ALTER TABLE vsm._edge_cells ENABLE REPLICA TRIGGER not_replicated;
ALTER TABLE vsm._path_cells ENABLE REPLICA TRIGGER not_replicated;
ALTER TABLE vsm._marks ENABLE REPLICA TRIGGER not_replicated;

CREATE TRIGGER definitions_changed AFTER INSERT OR UPDATE OF closed_until OR DELETE ON vsm._folds
    FOR EACH STATEMENT EXECUTE FUNCTION vsm._definitions_changed();
ALTER TABLE vsm._folds ENABLE ALWAYS TRIGGER definitions_changed;

-- May this answer come from cells?  They hold the figures of all items by their type, by the stream's own rule, as they are
-- known now.
CREATE FUNCTION vsm._by_cells(of_stream_id bigint, attributes jsonb, known_at timestamptz, rule text DEFAULT NULL) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN attributes IS NULL AND known_at IS NULL
       AND (rule IS NULL OR rule = (SELECT v.reopen_rule FROM vsm.value_streams v WHERE v.id = of_stream_id))
       AND EXISTS (SELECT FROM vsm._spans s WHERE s.stream_id = of_stream_id AND s.unit = 'd');
END $$;
COMMENT ON FUNCTION vsm._by_cells(bigint, jsonb, timestamptz, text) IS
    'Has a stream cells that an answer can come from, with these arguments? rule: of those figures that depend on it.';

CREATE FUNCTION vsm._cells_beyond(of_stream_id bigint, at timestamptz, known_at timestamptz) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN known_at IS NULL AND EXISTS (SELECT FROM vsm._spans s WHERE s.stream_id = of_stream_id AND s.unit = 'd' AND s.since > at);
END $$;
COMMENT ON FUNCTION vsm._cells_beyond(bigint, timestamptz, timestamptz) IS
    'Has a stream cells of after an instant, so that it is better to sum up from the first move than back from now?';

CREATE FUNCTION vsm._few_moves_after(of_stream_id bigint, at timestamptz) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN NOT EXISTS (SELECT FROM vsm.stage_transitions t WHERE t.stream_id = of_stream_id AND t."timestamp" > at
                       ORDER BY t."timestamp" OFFSET 1000);
END $$;
COMMENT ON FUNCTION vsm._few_moves_after(bigint, timestamptz) IS
    'Has a stream at most 1000 moves after an instant, so that a statement back from now takes less time than planning it?';

-- Adding up cells takes less time than planning it, or than starting workers.  Statements that read long stretches of the
-- ledger are planned for their windows; with a filter, for which each move's item is looked up, the plan for any is as good.
CREATE FUNCTION vsm._plan(by_cells boolean, filtered boolean DEFAULT false) RETURNS void
    LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vsm__plan';
COMMENT ON FUNCTION vsm._plan(boolean, boolean) IS
    'How the statements of the calling function are planned, up to its end, if it has settings of its own: once for all values, and '
    'by_cells without workers; else for the values of their parameters.';

CREATE FUNCTION vsm._type_id(name text) RETURNS bigint
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT t.id FROM vsm.work_item_types t WHERE t.name = _type_id.name);
END $$;
COMMENT ON FUNCTION vsm._type_id(text) IS 'The id of a type of work items.';

CREATE FUNCTION vsm._units(of_type text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN of_type IS NULL THEN 'mdh' ELSE 'md' END;
COMMENT ON FUNCTION vsm._units(text) IS 'Of which units the cells of a type have sums.';

-- A figure looks the cells of each piece up by itself (OFFSET 0): the planner would rather read all cells of the stream.
-- The longest spans that lie between two cuts, and are not marked: months, days in the gaps between these, and hours in the
-- gaps that are left.
CREATE FUNCTION vsm._pieces(of_stream_id bigint, cuts timestamptz[], by_cells boolean, units text)
    RETURNS TABLE (folded boolean, unit "char", since timestamptz, until timestamptz, place integer)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 100 SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    ends CONSTANT timestamptz := cuts[cardinality(cuts)];
BEGIN
    RETURN QUERY
    WITH marked AS MATERIALIZED (
        SELECT coalesce(range_agg(tstzrange(k.since, k.until)), '{}') AS times
        FROM (SELECT DISTINCT k.since, k.until FROM vsm._marks k
              WHERE by_cells AND k.stream_id = of_stream_id AND k.since < ends AND k.until > cuts[1]) k),
    months AS MATERIALIZED (
        SELECT s.unit, s.since, s.until
        FROM vsm._spans s
        WHERE by_cells AND units LIKE '%m%' AND s.stream_id = of_stream_id AND s.unit = 'm'
          AND s.since >= cuts[1] AND s.since < ends AND s.until <= ends
          AND width_bucket(s.since, cuts) = width_bucket(s.until - interval '1 microsecond', cuts)
          AND NOT (SELECT k.times FROM marked k) && tstzrange(s.since, s.until)),
    days AS MATERIALIZED (
        SELECT s.unit, s.since, s.until
        FROM (SELECT lag(e.until, 1, cuts[1]) OVER (ORDER BY e.since) AS since, e.since AS until
              FROM (SELECT m.since, m.until FROM months m UNION ALL SELECT ends, NULL) e) g
        CROSS JOIN LATERAL (
            SELECT s.unit, s.since, s.until
            FROM vsm._spans s
            WHERE by_cells AND units LIKE '%d%' AND s.stream_id = of_stream_id AND s.unit = 'd'
              AND s.since >= g.since AND s.since < g.until AND s.until <= g.until
            OFFSET 0) s     -- a look-up for each gap
        WHERE width_bucket(s.since, cuts) = width_bucket(s.until - interval '1 microsecond', cuts)
          AND NOT (SELECT k.times FROM marked k) && tstzrange(s.since, s.until)),
    hours AS MATERIALIZED (
        SELECT s.unit, s.since, s.until
        FROM (SELECT lag(e.until, 1, cuts[1]) OVER (ORDER BY e.since) AS since, e.since AS until
              FROM (SELECT m.since, m.until FROM months m UNION ALL SELECT d.since, d.until FROM days d
                    UNION ALL SELECT ends, NULL) e) g
        CROSS JOIN LATERAL (
            SELECT s.unit, s.since, s.until
            FROM vsm._spans s
            WHERE by_cells AND units LIKE '%h%' AND g.since < g.until AND s.stream_id = of_stream_id AND s.unit = 'h'
              AND s.since >= g.since AND s.since < g.until AND s.until <= g.until
            OFFSET 0) s
        WHERE width_bucket(s.since, cuts) = width_bucket(s.until - interval '1 microsecond', cuts)
          AND NOT (SELECT k.times FROM marked k) && tstzrange(s.since, s.until)),
    usable AS MATERIALIZED (
        SELECT m.* FROM months m UNION ALL SELECT d.* FROM days d UNION ALL SELECT h.* FROM hours h)
    SELECT true, u.unit, u.since, u.until, width_bucket(u.since, cuts) FROM usable u
    UNION ALL
    SELECT false, NULL::"char", g.since, g.until, NULL::integer
    FROM (SELECT lag(e.until, 1, cuts[1]) OVER (ORDER BY e.since) AS since, e.since AS until
          FROM (SELECT u.since, u.until FROM usable u UNION ALL SELECT ends, NULL) e) g
    WHERE g.since < g.until;
END $$;
COMMENT ON FUNCTION vsm._pieces(bigint, timestamptz[], boolean, text) IS
    'Cuts the time from the first of cuts to before the last into folded spans of the units, each between two neighbours (place: the '
    'number of the first of these), and the stretches between, whose moves are to be read from the ledger.';

-- A move reaches the stages after the furthest before it, up to the one entered; a discarded stage only that, and once.
CREATE FUNCTION vsm._stages_reached(before bigint, entered bigint) RETURNS SETOF bigint
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT s.id
    FROM vsm.stages e
    LEFT JOIN vsm.stages b ON b.id = before AND b.category <> 'discarded'
    JOIN vsm.stages s ON s.stream = e.stream
                     AND CASE WHEN e.category = 'discarded' THEN s.id = e.id AND before IS DISTINCT FROM e.id
                              ELSE s.category <> 'discarded' AND s."order" <= e."order" AND (b.id IS NULL OR s."order" > b."order") END
    WHERE e.id = entered;
END;
COMMENT ON FUNCTION vsm._stages_reached(bigint, bigint) IS
    'The stages that an item reaches for the first time when it enters one. before: the furthest that it had reached; null: none.';

-- The days of spans that are marked are read from the ledger again, until the next fold.
CREATE FUNCTION vsm._days_marked(of_stream_id bigint) RETURNS bigint
    LANGUAGE sql STABLE PARALLEL RESTRICTED
RETURN (SELECT coalesce(sum(round(extract(epoch FROM s.until - s.since) / 86400)), 0)::bigint
        FROM vsm._spans s
        WHERE EXISTS (SELECT FROM vsm._marks k WHERE k.stream_id = of_stream_id) AND s.stream_id = of_stream_id AND s.unit = 'd'
          AND tstzrange(s.since, s.until) && (SELECT range_agg(tstzrange(k.since, k.until)) FROM vsm._marks k WHERE k.stream_id = of_stream_id));
COMMENT ON FUNCTION vsm._days_marked(bigint) IS 'How many days have been folded, and changed since.';

CREATE FUNCTION vsm._days_waiting(of_stream_id bigint, settled_until timestamptz, today timestamptz) RETURNS bigint
    LANGUAGE sql STABLE PARALLEL RESTRICTED
RETURN vsm._days_marked(of_stream_id)
     + CASE WHEN settled_until >= today THEN 0       -- without a look at the ledger
            ELSE (SELECT greatest(0, ceil(extract(epoch FROM today - greatest(settled_until, e.first)) / 86400))::bigint
                  FROM (SELECT coalesce(min(t."timestamp"), today) AS first FROM vsm.stage_transitions t WHERE t.stream_id = of_stream_id) e) END;
COMMENT ON FUNCTION vsm._days_waiting(bigint, timestamptz, timestamptz) IS
    'How many days are over and not in cells: they may not be folded yet, or have changed since they were.';

-- Whole days of the zone, together up to 256 moves, or one day with more; no span passes a month's end.  So a span that a
-- window cuts costs little, or no more than the day.  The last days wait until they are as many moves, or the month is over.
CREATE FUNCTION vsm._spans_to_fold(of_stream_id bigint, time_zone text, settled_until timestamptz)
    RETURNS TABLE (since timestamptz, until timestamptz, days bigint, busy boolean)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    stretch tstzrange;
    cut record;
    moves bigint;
BEGIN
    FOR stretch IN
        SELECT unnest(tstzmultirange(tstzrange(least(e.first, date_trunc('day', e.first AT TIME ZONE time_zone) AT TIME ZONE time_zone), settled_until))
                      - (SELECT coalesce(range_agg(tstzrange(s.since, s.until)), '{}') FROM vsm._spans s WHERE s.stream_id = of_stream_id AND s.unit = 'd'))
        FROM vsm._events_span(of_stream_id, NULL) e WHERE e.first < settled_until
    LOOP
        since := lower(stretch);
        moves := 0;
        days := 0;
        FOR cut IN
            -- The instants at which days begin, in order: where clocks are set at midnight, an hour may come twice, and where a zone
            -- has changed sides of the date line, a day is missing.
            SELECT d.begins, d.ends, d.ends_month,
                   (SELECT count(*) FROM vsm.stage_transitions t
                    WHERE t.stream_id = of_stream_id AND t."timestamp" >= d.begins AND t."timestamp" < d.ends) AS moves
            FROM (SELECT lag(e.at, 1, lower(stretch)) OVER (ORDER BY e.at) AS begins, e.at AS ends, bool_or(e.ends_month) AS ends_month
                  FROM (SELECT g AT TIME ZONE time_zone AS at, extract(day FROM g) = 1 AS ends_month
                        FROM generate_series(date_trunc('day', lower(stretch) AT TIME ZONE time_zone) - interval '1 day',
                                             upper(stretch) AT TIME ZONE time_zone + interval '1 day', '1 day') g
                        UNION ALL
                        SELECT upper(stretch), false) e
                  WHERE e.at > lower(stretch) AND e.at <= upper(stretch)
                  GROUP BY e.at) d
            ORDER BY d.ends
        LOOP
            IF days > 0 AND moves + cut.moves > 256 THEN
                until := cut.begins;
                busy := false;
                RETURN NEXT;
                since := until;
                moves := 0;
                days := 0;
            END IF;
            moves := moves + cut.moves;
            days := days + 1;
            -- a stretch before another span is closed in any case
            IF moves > 256 OR cut.ends_month OR cut.ends = upper(stretch) AND upper(stretch) < settled_until THEN
                until := cut.ends;
                busy := moves > 256;
                RETURN NEXT;
                since := until;
                moves := 0;
                days := 0;
            END IF;
        END LOOP;
    END LOOP;
END $$;
COMMENT ON FUNCTION vsm._spans_to_fold(bigint, text, timestamptz) IS
    'The spans of days that are settled and not folded. busy: a day that is to be folded by hours too.';

-- Lists of items are long, and those of many spans have most items twice.
CREATE TYPE vsm._crossing_items AS (
    opened bigint[],
    closed bigint[]
);
CREATE FUNCTION vsm._crossing_step(internal, bigint[], bigint[]) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__crossing_step';
COMMENT ON FUNCTION vsm._crossing_step(internal, bigint[], bigint[]) IS 'Adds a piece. Errors: PT422.';
CREATE FUNCTION vsm._crossing_items(internal) RETURNS vsm._crossing_items
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__crossing_items';
COMMENT ON FUNCTION vsm._crossing_items(internal) IS 'The items that have come into progress, and those that have left it.';
CREATE AGGREGATE vsm._crossing(opened bigint[], closed bigint[]) (
    SFUNC = vsm._crossing_step, STYPE = internal, SSPACE = 1000000,
    FINALFUNC = vsm._crossing_items, PARALLEL = RESTRICTED
);
COMMENT ON AGGREGATE vsm._crossing(bigint[], bigint[]) IS
    'The items that have been opened more often than closed, and those that have been closed more often, each in the order of their ids; null: none. '
    'Of all pieces up to an instant, opened are those in progress.';
