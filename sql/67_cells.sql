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

-- A month is added up from its spans, so that a long time is read as few cells.
CREATE TABLE vsm._spans (
    stream_id bigint,
    month boolean,                          -- else a span of days
    since timestamptz,
    until timestamptz NOT NULL,
    PRIMARY KEY (stream_id, month, since)
);
COMMENT ON TABLE vsm._spans IS 'The spans of time, and months, whose moves have been folded into cells, also those without moves.';

-- Times before the end of the span are counted in microseconds up to it.
CREATE TABLE vsm._stage_cells (
    stream_id bigint,
    month boolean,
    since timestamptz,
    type_id bigint,
    stage_id bigint,
    entered bigint NOT NULL,
    "left" bigint NOT NULL,
    reached bigint NOT NULL,                -- items that got so far for the first time
    entered_us numeric NOT NULL,            -- from each entry to the span's end
    left_us numeric NOT NULL,               -- from each exit to the span's end
    stayed_us numeric NOT NULL,             -- the visits that ended
    visits bigint[],                        -- each of them; of a month null
    repeated_at timestamptz[],              -- of those of items that had left the stage before: when they last had; of a month null
    PRIMARY KEY (stream_id, month, since, type_id, stage_id)
);
COMMENT ON TABLE vsm._stage_cells IS 'What the moves of a span add to a stage, by type of item.';

CREATE TABLE vsm._item_cells (
    stream_id bigint,
    month boolean,
    since timestamptz,
    type_id bigint,
    arrivals bigint NOT NULL,
    departures bigint NOT NULL,
    returns bigint NOT NULL,
    discarded bigint NOT NULL,
    reopened bigint NOT NULL,
    backward_moves bigint NOT NULL,
    started_change bigint NOT NULL,
    open_us numeric NOT NULL,               -- changes of WIP, each times the time from it to the span's end
    started_us numeric NOT NULL,
    finished bigint NOT NULL,               -- completions that no move of the span undoes; by the rule episodes all; of a month 0
    items bigint[],                         -- of these: the item, when, and its times, by the stream's reopen rule; of a month null
    completed_at timestamptz[],
    lead_us bigint[],
    cycle_us bigint[],                      -- null: never started
    active_us bigint[],
    wait_us bigint[],
    undone_items bigint[],                  -- completions before the span that a move of it undoes
    undone_at timestamptz[],
    PRIMARY KEY (stream_id, month, since, type_id)
);
-- lists of numbers shrink little, and take longer to unpack than to read
ALTER TABLE vsm._stage_cells ALTER COLUMN visits SET STORAGE EXTERNAL, ALTER COLUMN repeated_at SET STORAGE EXTERNAL;
ALTER TABLE vsm._item_cells ALTER COLUMN items SET STORAGE EXTERNAL, ALTER COLUMN completed_at SET STORAGE EXTERNAL,
    ALTER COLUMN lead_us SET STORAGE EXTERNAL, ALTER COLUMN cycle_us SET STORAGE EXTERNAL,
    ALTER COLUMN active_us SET STORAGE EXTERNAL, ALTER COLUMN wait_us SET STORAGE EXTERNAL;
COMMENT ON TABLE vsm._item_cells IS 'What the moves of a span add to the figures of a stream, by type of item.';

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
                        'vsm._marks'::regclass) THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'tables vsm._folds, vsm._spans, vsm._stage_cells, vsm._item_cells and vsm._marks');
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
CREATE TRIGGER not_replicated BEFORE INSERT OR UPDATE OR DELETE ON vsm._marks FOR EACH ROW EXECUTE FUNCTION vsm._not_replicated();
ALTER TABLE vsm._folds ENABLE REPLICA TRIGGER not_replicated;
ALTER TABLE vsm._spans ENABLE REPLICA TRIGGER not_replicated;
ALTER TABLE vsm._stage_cells ENABLE REPLICA TRIGGER not_replicated;
ALTER TABLE vsm._item_cells ENABLE REPLICA TRIGGER not_replicated;
ALTER TABLE vsm._marks ENABLE REPLICA TRIGGER not_replicated;

CREATE TRIGGER definitions_changed AFTER INSERT OR UPDATE OF closed_until OR DELETE ON vsm._folds
    FOR EACH STATEMENT EXECUTE FUNCTION vsm._definitions_changed();
ALTER TABLE vsm._folds ENABLE ALWAYS TRIGGER definitions_changed;

-- May this answer come from cells?  They hold the figures of all items by their type, by the stream's own rule, as they are
-- known now.
CREATE FUNCTION vsm._by_cells(of_stream_id bigint, attributes jsonb, known_at timestamptz, rule text DEFAULT NULL) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT _by_cells.attributes IS NULL AND _by_cells.known_at IS NULL
       AND (rule IS NULL OR rule = (SELECT v.reopen_rule FROM vsm.value_streams v WHERE v.id = of_stream_id))
       AND EXISTS (SELECT FROM vsm._spans s WHERE s.stream_id = of_stream_id);
END;
COMMENT ON FUNCTION vsm._by_cells(bigint, jsonb, timestamptz, text) IS
    'Has a stream cells that an answer can come from, with these arguments? rule: of those figures that depend on it.';

CREATE FUNCTION vsm._type_id(name text) RETURNS bigint
    LANGUAGE sql STABLE PARALLEL RESTRICTED
RETURN (SELECT t.id FROM vsm.work_item_types t WHERE t.name = _type_id.name);
COMMENT ON FUNCTION vsm._type_id(text) IS 'The id of a type of work items.';

CREATE FUNCTION vsm._pieces(of_stream_id bigint, cuts timestamptz[], by_cells boolean, by_months boolean)
    RETURNS TABLE (folded boolean, month boolean, since timestamptz, until timestamptz, place integer)
    LANGUAGE sql STABLE PARALLEL RESTRICTED ROWS 100
BEGIN ATOMIC
    WITH months AS MATERIALIZED (
        SELECT s.since, s.until, width_bucket(s.since, cuts) AS place
        FROM vsm._spans s
        WHERE by_cells AND by_months AND s.stream_id = of_stream_id AND s.month AND s.since >= cuts[1] AND s.until <= cuts[cardinality(cuts)]
          AND width_bucket(s.since, cuts) = width_bucket(s.until - interval '1 microsecond', cuts)
          AND NOT EXISTS (SELECT FROM vsm._marks k WHERE k.stream_id = of_stream_id AND k.since < s.until AND k.until > s.since)),
    -- stretches of months that follow each other, so that only the spans outside are looked up
    usable AS MATERIALIZED (
        SELECT true AS month, m.* FROM months m
        UNION ALL
        SELECT false, s.since, s.until, width_bucket(s.since, cuts)
        FROM (SELECT lag(e.until, 1, cuts[1]) OVER (ORDER BY e.since) AS since, e.since AS until
              FROM (SELECT m.since, m.until FROM months m UNION ALL SELECT cuts[cardinality(cuts)], NULL) e) r
        JOIN vsm._spans s ON s.stream_id = of_stream_id AND NOT s.month AND s.since >= r.since AND s.since < r.until AND s.until <= r.until
        WHERE by_cells
          AND width_bucket(s.since, cuts) = width_bucket(s.until - interval '1 microsecond', cuts)
          AND NOT EXISTS (SELECT FROM vsm._marks k WHERE k.stream_id = of_stream_id AND k.since < s.until AND k.until > s.since))
    SELECT true, u.month, u.since, u.until, u.place FROM usable u
    UNION ALL
    SELECT false, NULL::boolean, g.since, g.until, NULL::integer
    FROM (SELECT lag(e.until, 1, cuts[1]) OVER (ORDER BY e.since) AS since, e.since AS until
          FROM (SELECT u.since, u.until FROM usable u UNION ALL SELECT cuts[cardinality(cuts)], NULL) e) g
    WHERE g.since < g.until;
END;
COMMENT ON FUNCTION vsm._pieces(bigint, timestamptz[], boolean, boolean) IS
    'Cuts the time from the first of cuts to before the last into folded spans or, with by_months, months, each between two neighbours '
    '(place: the number of the first of these), and the stretches between, whose moves are to be read from the ledger.';

CREATE FUNCTION vsm._left_before(of_item bigint, of_stage bigint, at timestamptz, before_id bigint) RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL RESTRICTED
RETURN (SELECT max(p."timestamp") FROM vsm.stage_transitions p
        WHERE p.work_item_id = of_item AND p.from_stage_id = of_stage AND (p."timestamp", p.id) < (_left_before.at, before_id));
COMMENT ON FUNCTION vsm._left_before(bigint, bigint, timestamptz, bigint) IS 'When an item had last left a stage before it left it by a move; null: never.';

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

CREATE FUNCTION vsm._days_waiting(of_stream_id bigint, settled_until timestamptz, today timestamptz) RETURNS bigint
    LANGUAGE sql STABLE PARALLEL RESTRICTED
RETURN (SELECT greatest(0, ceil(extract(epoch FROM today - greatest(settled_until, e.first)) / 86400))::bigint
        FROM (SELECT coalesce(min(t."timestamp"), today) AS first FROM vsm.stage_transitions t WHERE t.stream_id = of_stream_id) e);
COMMENT ON FUNCTION vsm._days_waiting(bigint, timestamptz, timestamptz) IS 'How many days are over, and may not be folded yet.';

-- Whole days of the zone, together up to 256 moves, or one day with more; no span passes a month's end.  So a span that a
-- window cuts costs little, or no more than the day.  The last days wait until they are as many moves, or the month is over.
CREATE FUNCTION vsm._spans_to_fold(of_stream_id bigint, time_zone text, settled_until timestamptz)
    RETURNS TABLE (since timestamptz, until timestamptz, days bigint)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    stretch tstzrange;
    cut record;
    moves bigint;
BEGIN
    FOR stretch IN
        SELECT unnest(tstzmultirange(tstzrange(date_trunc('day', e.first AT TIME ZONE time_zone) AT TIME ZONE time_zone, settled_until))
                      - (SELECT coalesce(range_agg(tstzrange(s.since, s.until)), '{}') FROM vsm._spans s WHERE s.stream_id = of_stream_id))
        FROM vsm._events_span(of_stream_id, NULL) e WHERE e.first < settled_until
    LOOP
        since := lower(stretch);
        moves := 0;
        days := 0;
        FOR cut IN
            SELECT d.g AT TIME ZONE time_zone AS begins, least(d.ends, upper(stretch)) AS ends,
                   date_trunc('month', d.ends AT TIME ZONE time_zone) = d.ends AT TIME ZONE time_zone AS ends_month, coalesce(n.moves, 0) AS moves
            FROM (SELECT (g + interval '1 day') AT TIME ZONE time_zone AS ends, g
                  FROM generate_series(date_trunc('day', lower(stretch) AT TIME ZONE time_zone),
                                       (upper(stretch) - interval '1 microsecond') AT TIME ZONE time_zone, '1 day') g) d
            LEFT JOIN (SELECT date_trunc('day', t."timestamp" AT TIME ZONE time_zone) AS day, count(*) AS moves
                       FROM vsm.stage_transitions t
                       WHERE t.stream_id = of_stream_id AND t."timestamp" >= lower(stretch) AND t."timestamp" < upper(stretch)
                       GROUP BY 1) n ON n.day = d.g
            ORDER BY d.g
        LOOP
            IF days > 0 AND moves + cut.moves > 256 THEN
                until := cut.begins;
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
                RETURN NEXT;
                since := until;
                moves := 0;
                days := 0;
            END IF;
        END LOOP;
    END LOOP;
END $$;
COMMENT ON FUNCTION vsm._spans_to_fold(bigint, text, timestamptz) IS 'The spans that are settled and not folded.';
