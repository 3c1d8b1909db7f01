-- 30_definitions: checks and consequences of a change of streams, stages and types

CREATE FUNCTION vsm._definitions_changed() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'vsm__definitions_changed';
COMMENT ON FUNCTION vsm._definitions_changed() IS 'Makes every session read streams, stages, types and access again.';

CREATE FUNCTION vsm._refuse_other_table(relation oid, made_for text) RETURNS void
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__refuse_other_table';
COMMENT ON FUNCTION vsm._refuse_other_table(oid, text) IS
    'Raises the error of a trigger function on a table that it is not made for. Errors: 42809.';

CREATE FUNCTION vsm._require_room(locker xid, present bigint, entered bigint) RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'vsm__require_room';
COMMENT ON FUNCTION vsm._require_room(xid, bigint, bigint) IS
    'Returns entered; an error if that stage is full and the item is in another one. Errors: PT409.';

CREATE FUNCTION vsm._require_current_snapshot() RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vsm__require_current_snapshot';
COMMENT ON FUNCTION vsm._require_current_snapshot() IS
    'Refuses a transaction whose snapshot is older than the end of another one. Errors: 40001.';

-- Until the end of the transaction nobody else can create, move or delete items, and this transaction sees what others
-- did before.
CREATE FUNCTION vsm._hold_items() RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    LOCK TABLE vsm.work_items IN SHARE ROW EXCLUSIVE MODE;
    PERFORM vsm._require_current_snapshot();
END $$;
COMMENT ON FUNCTION vsm._hold_items() IS 'Locks the work items against changes while a definition changes. Errors: 40001.';

-- Others write these tables in any order, so this never waits for one of them while it has locked another.
CREATE FUNCTION vsm._lock_tables(tables regclass[]) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    held boolean;
BEGIN
    LOOP
        BEGIN
            held := false;
            EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', tables[1]);
            held := true;
            EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE NOWAIT', array_to_string(tables, ', '));
            RETURN;
        EXCEPTION WHEN lock_not_available THEN
            IF NOT held THEN
                RAISE;      -- lock_timeout
            END IF;
            tables := tables[2:] || tables[1];
        END;
    END LOOP;
END $$;
COMMENT ON FUNCTION vsm._lock_tables(regclass[]) IS
    'Locks tables against writers until the end of the transaction, and waits for those that there are. Errors: 55P03, for lock_timeout.';

-- As pg_dump has it in every script, and pg_restore in every session.  This setting is seen within functions too.
CREATE FUNCTION vsm._restores(of_table oid) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
RETURN NOT current_setting('check_function_bodies')::boolean AND pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = of_table), 'USAGE');
COMMENT ON FUNCTION vsm._restores(oid) IS 'Does the owner of the table load a dump? Then rows may come before those that they refer to.';

-- Changes of one stream's stages and of its row wait for each other, so that each check sees what the others did.
CREATE FUNCTION vsm._hold_streams(names text[]) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM FROM (SELECT FROM vsm.value_streams v WHERE v.name = ANY (names) ORDER BY v.id FOR NO KEY UPDATE) held;
    PERFORM vsm._require_current_snapshot();
END $$;
COMMENT ON FUNCTION vsm._hold_streams(text[]) IS
    'Locks streams until the end of the transaction, so that nobody else changes their definition. Errors: 40001.';

-- A statement that changes stages has locked them when its triggers lock the stream: who locks the stream first, to change
-- stages after that, deadlocks with it.
CREATE FUNCTION vsm._hold_stages(of_stream text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- who may not change them is refused by what comes
    IF has_table_privilege('vsm.stages', 'UPDATE') THEN
        PERFORM FROM (SELECT FROM vsm.stages s WHERE s.stream = of_stream ORDER BY s.id FOR NO KEY UPDATE) held;
    END IF;
END $$;
COMMENT ON FUNCTION vsm._hold_stages(text) IS
    'Locks the stages of a stream against changes, before the stream. Errors: 40001, in a transaction with an older snapshot.';

-- Skips items that have no ledger rows, or rows that name a stage that does not exist (during a restore).
CREATE FUNCTION vsm._recompute_items(of_stream text) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET row_security = off
    SET vsm.recording = off
    SET jit = off
    SET enable_nestloop = off       -- statistics may not know the stream yet
AS $$
DECLARE
    of_stream_id CONSTANT bigint := (SELECT v.id FROM vsm.value_streams v WHERE v.name = of_stream);
    changed bigint;
BEGIN
    PERFORM vsm._hold_items();
    INSERT INTO vsm._marks (stream_id, since, until)
    SELECT of_stream_id, '-infinity', 'infinity' WHERE vsm._closed_until(of_stream_id) > '-infinity';    -- null: the stream is being deleted
    UPDATE vsm.work_items w
    SET created_at = r.created_at, stage_id = r.stage_id, stage_entered_at = r.stage_entered_at,
        started_at = r.started_at, completed_at = r.completed_at,
        active_time = r.active_time, wait_time = r.wait_time, reopened = r.reopened, backward_moves = r.backward_moves,
        discarded_at = r.discarded_at, discarded = r.discarded, furthest_stage_id = r.furthest_stage_id
    FROM (SELECT m.work_item_id, m.state, (m.state).*
          FROM (SELECT t.work_item_id, vsm._replay(t.to_stage_id, t."timestamp", t.id) AS state
                FROM vsm.stage_transitions t WHERE t.stream_id = of_stream_id GROUP BY 1) m
          WHERE m.state IS DISTINCT FROM NULL) r
    WHERE w.id = r.work_item_id AND w.stream = of_stream
      AND (w.stage_id, w.created_at, w.stage_entered_at, w.started_at, w.completed_at, w.active_time, w.wait_time, w.reopened,
           w.backward_moves, w.discarded_at, w.discarded, w.furthest_stage_id) IS DISTINCT FROM r.state;
    GET DIAGNOSTICS changed = ROW_COUNT;
    PERFORM vsm._totals_noted();
    UPDATE vsm.stage_transitions t
    SET undoes = e.undoes, furthest_before = e.furthest_before, started_change = e.started_change,
        item_created_at = e.item_created_at, item_started_at = e.item_started_at, active_time = e.active_time, wait_time = e.wait_time
    FROM (SELECT l.work_item_id, vsm._effects(l.to_stage_id, l."timestamp", l.id) AS effects
          FROM vsm.stage_transitions l WHERE l.stream_id = of_stream_id GROUP BY 1) m
    CROSS JOIN LATERAL unnest(m.effects) e
    WHERE t.work_item_id = m.work_item_id AND t.id = e.id
      AND (t.undoes, t.furthest_before, t.started_change, t.item_created_at, t.item_started_at, t.active_time, t.wait_time)
          IS DISTINCT FROM (e.undoes, e.furthest_before, e.started_change, e.item_created_at, e.item_started_at, e.active_time,
                            e.wait_time);
    RETURN changed;
END $$;
COMMENT ON FUNCTION vsm._recompute_items(text) IS
    'Recomputes the computed columns of a stream''s items, and those of its ledger that follow the definition of the stages, from '
    'the moves; returns how many items changed. Errors: 40001.';

CREATE FUNCTION vsm._hold_stream(stream text) RETURNS boolean
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'vsm__hold_stream';
COMMENT ON FUNCTION vsm._hold_stream(text) IS
    'Locks a stream until the end of the transaction, for those who may add stages; false when it does not exist. Errors: 42501.';

CREATE FUNCTION vsm._keep_stream(stream text, defines boolean) RETURNS boolean
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'vsm__keep_stream';
COMMENT ON FUNCTION vsm._keep_stream(text, boolean) IS
    'Keeps a stream from being renamed or deleted until the end of the transaction, for its writers, or its admins (defines); false when it '
    'does not exist. Errors: PT404, 42501.';

-- Otherwise a role could take ids that the sequence has yet to issue to others, or the totals of a deleted stage.
CREATE FUNCTION vsm._stage_id_used(stage_id bigint) RETURNS boolean
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'vsm__stage_id_used';
COMMENT ON FUNCTION vsm._stage_id_used(bigint) IS 'Do the totals remember a stage of that id? For roles that may add stages. Errors: 42501.';

CREATE FUNCTION vsm._stream_id_used(stream_id bigint) RETURNS boolean
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'vsm__stream_id_used';
COMMENT ON FUNCTION vsm._stream_id_used(bigint) IS
    'Has the ledger rows, or had it rows, of a stream of that id? For roles that may add streams. Errors: 42501.';

CREATE FUNCTION vsm._require_issued_id(of_table text, id bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    last bigint := CASE of_table WHEN 'stages' THEN pg_sequence_last_value('vsm.stages_id_seq')
                                 WHEN 'value_streams' THEN pg_sequence_last_value('vsm.value_streams_id_seq') END;
    is_owner CONSTANT boolean := pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = 'vsm.work_items'::regclass), 'USAGE');
BEGIN
    IF id > 9007199254740991 THEN
        RAISE EXCEPTION 'id % is out of range', id
            USING ERRCODE = 'PT422', DETAIL = 'The greatest is 9007199254740991: beyond it numbers in JSON are not exact.', HINT = 'Leave the id out.';
    END IF;
    -- a sequence that was set, and has issued no id since, does not tell its place before
    IF last IS NULL AND is_owner THEN
        last := nextval(format('vsm.%s_id_seq', of_table));
    END IF;
    -- the owner's id moves the sequence on, so that no later row draws it
    IF id > coalesce(last, 0) AND is_owner THEN
        PERFORM setval(format('vsm.%s_id_seq', of_table), id);
    ELSIF id > coalesce(last, 0) THEN
        RAISE EXCEPTION 'id % has not been issued yet', id
            USING ERRCODE = 'PT422', DETAIL = format('Ids come from the sequence vsm.%s_id_seq.', of_table), HINT = 'Leave the id out.';
    END IF;
    IF of_table = 'value_streams' AND NOT is_owner AND vsm._stream_id_used(id) THEN
        RAISE EXCEPTION 'id % belongs to another stream', id
            USING ERRCODE = 'PT422', DETAIL = 'There are moves of a stream of that id, or there were.', HINT = 'Leave the id out.';
    END IF;
    IF of_table = 'stages' AND NOT is_owner AND vsm._stage_id_used(id) THEN
        RAISE EXCEPTION 'id % belongs to another stage', id
            USING ERRCODE = 'PT422', DETAIL = 'There is a stage of that id, or the totals remember one.', HINT = 'Leave the id out.';
    END IF;
END $$;
COMMENT ON FUNCTION vsm._require_issued_id(text, bigint) IS
    'Refuses an id that its sequence has not issued, or that another stage had, to all but the tables'' owner. Errors: PT422, 42501.';

CREATE FUNCTION vsm._value_stream_before() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF tg_relid <> 'vsm.value_streams'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'table vsm.value_streams');
    END IF;
    new.name := vsm._name(new.name, 'value stream');
    new.commitment_stage := vsm._sought(new.commitment_stage);
    IF new.reopen_rule NOT IN ('span_first_last', 'span_last', 'sum_active', 'sum_started', 'episodes') THEN
        RAISE EXCEPTION 'reopen rule "%" is not known', vsm._cut(new.reopen_rule)
            USING ERRCODE = 'PT422', COLUMN = 'reopen_rule', DETAIL = 'It says how the cycle time of a reopened item counts.',
                  HINT = 'The rules are span_first_last, span_last, sum_active, sum_started and episodes.';
    END IF;
    IF tg_op = 'UPDATE' AND new.id IS DISTINCT FROM old.id THEN
        RAISE EXCEPTION 'the id of stream "%" cannot be changed', old.name
            USING ERRCODE = 'PT422', DETAIL = 'The id identifies a stream that is renamed.', HINT = 'Leave the id as it is.';
    END IF;
    IF tg_op = 'INSERT' THEN
        PERFORM vsm._require_issued_id('value_streams', new.id);
    END IF;
    -- a full name: each session may set another meaning of an abbreviation
    IF (tg_op = 'INSERT' OR new.time_zone IS DISTINCT FROM old.time_zone)
       AND NOT EXISTS (SELECT FROM pg_timezone_names z WHERE lower(z.name) = lower(new.time_zone)) THEN
        RAISE EXCEPTION 'time zone "%" is not known', vsm._cut(new.time_zone)
            USING ERRCODE = 'PT422', COLUMN = 'time_zone', DETAIL = 'The stream''s days, weeks and months begin in its time zone.',
                  HINT = 'Give a name from pg_timezone_names, such as Europe/Berlin.';
    END IF;
    -- a restore inserts streams before their stages
    IF tg_op = 'UPDATE' AND new.commitment_stage IS DISTINCT FROM old.commitment_stage THEN
        PERFORM vsm._check_commitment_stage(old.name, new.commitment_stage);
    END IF;
    RETURN new;
END $$;
COMMENT ON FUNCTION vsm._value_stream_before() IS 'Checks a row of vsm.value_streams.';

CREATE FUNCTION vsm._check_commitment_stage(of_stream text, stage text) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF stage IS NULL OR EXISTS (SELECT FROM vsm.stages s
                                WHERE s.stream = of_stream AND s.name = stage AND s.category IN ('wait', 'active')) THEN
        RETURN;
    END IF;
    RAISE EXCEPTION 'stage "%" cannot be the commitment point of stream "%"', vsm._cut(stage), of_stream
        USING ERRCODE = 'PT422', COLUMN = 'commitment_stage', DETAIL = 'It is not one of the stream''s stages, or work is delivered or discarded there.',
              HINT = 'Name a wait or active stage of the stream, or none for the first active one.';
END $$;
COMMENT ON FUNCTION vsm._check_commitment_stage(text, text) IS 'Refuses (PT422) a stage that cannot be a commitment point.';

CREATE FUNCTION vsm._value_stream_deleted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET row_security = off
AS $$
BEGIN
    IF tg_relid <> 'vsm.value_streams'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'table vsm.value_streams');
    END IF;
    PERFORM vsm._hold_items();
    IF EXISTS (SELECT FROM vsm.work_items w WHERE w.stream = old.name) THEN
        RAISE EXCEPTION 'stream "%" has work items', old.name
            USING ERRCODE = 'PT409', DETAIL = 'The items and their history refer to the stream.',
                  HINT = 'Delete its work items first, or keep the stream.';
    END IF;
    RETURN old;
END $$;
COMMENT ON FUNCTION vsm._value_stream_deleted() IS 'Refuses to delete a stream that has work items.';

-- A renamed stream keeps its stages and items.  Another commitment point changes when items started.
CREATE FUNCTION vsm._value_streams_after() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET row_security = off
    SET vsm.recording = off
AS $$
BEGIN
    IF tg_relid <> 'vsm.value_streams'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'table vsm.value_streams');
    END IF;
    IF EXISTS (SELECT FROM before b JOIN changed c USING (id) WHERE c.name <> b.name) THEN
        PERFORM vsm._hold_items();
        UPDATE vsm.stages s SET stream = c.name
        FROM before b JOIN changed c USING (id) WHERE c.name <> b.name AND s.stream = b.name;
        UPDATE vsm.work_items w SET stream = c.name
        FROM before b JOIN changed c USING (id) WHERE c.name <> b.name AND w.stream = b.name;
        UPDATE vsm.flow_metrics f SET stream = c.name
        FROM before b JOIN changed c USING (id) WHERE c.name <> b.name AND f.stream = b.name;
        UPDATE vsm.stream_access a SET stream = c.name
        FROM before b JOIN changed c USING (id) WHERE c.name <> b.name AND a.stream = b.name;
        UPDATE vsm.import_refusals r SET stream = c.name
        FROM before b JOIN changed c USING (id) WHERE c.name <> b.name AND r.stream = b.name;
        UPDATE vsm.stage_aliases a SET stream = c.name
        FROM before b JOIN changed c USING (id) WHERE c.name <> b.name AND a.stream = b.name;
        UPDATE vsm.sles e SET stream = c.name
        FROM before b JOIN changed c USING (id) WHERE c.name <> b.name AND e.stream = b.name;
        UPDATE vsm.days_off o SET stream = c.name
        FROM before b JOIN changed c USING (id) WHERE c.name <> b.name AND o.stream = b.name;
        UPDATE vsm.failures f SET stream = c.name
        FROM before b JOIN changed c USING (id) WHERE c.name <> b.name AND f.stream = b.name;
        UPDATE vsm.deployments d SET stream = c.name
        FROM before b JOIN changed c USING (id) WHERE c.name <> b.name AND d.stream = b.name;
        UPDATE vsm.incidents i SET stream = c.name
        FROM before b JOIN changed c USING (id) WHERE c.name <> b.name AND i.stream = b.name;
    END IF;
    PERFORM vsm._recompute_items(c.name)
    FROM before b JOIN changed c USING (id) WHERE c.commitment_stage IS DISTINCT FROM b.commitment_stage;
    INSERT INTO vsm._marks (stream_id, since, until)
    SELECT c.id, '-infinity', 'infinity' FROM before b JOIN changed c USING (id) WHERE c.reopen_rule <> b.reopen_rule;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION vsm._value_streams_after() IS 'Applies a change of vsm.value_streams to the stages and work items.';

CREATE FUNCTION vsm._value_streams_gone() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET row_security = off
AS $$
BEGIN
    IF tg_relid <> 'vsm.value_streams'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'table vsm.value_streams');
    END IF;
    DELETE FROM vsm.stages s USING changed c WHERE s.stream = c.name;
    DELETE FROM vsm.stage_aliases a USING changed c WHERE a.stream = c.name;
    DELETE FROM vsm.sles e USING changed c WHERE e.stream = c.name;
    DELETE FROM vsm.days_off o USING changed c WHERE o.stream = c.name;
    DELETE FROM vsm.deployments d USING changed c WHERE d.stream = c.name;
    DELETE FROM vsm.incidents i USING changed c WHERE i.stream = c.name;
    DELETE FROM vsm.flow_metrics f USING changed c WHERE f.stream = c.name;
    DELETE FROM vsm.import_refusals r USING changed c WHERE r.stream = c.name;
    DELETE FROM vsm._retypes r USING changed c WHERE r.stream_id = c.id;
    DELETE FROM vsm._folds f USING changed c WHERE f.stream_id = c.id;
    DELETE FROM vsm._spans s USING changed c WHERE s.stream_id = c.id;
    DELETE FROM vsm._stage_cells s USING changed c WHERE s.stream_id = c.id;
    DELETE FROM vsm._item_cells i USING changed c WHERE i.stream_id = c.id;
    DELETE FROM vsm._edge_cells e USING changed c WHERE e.stream_id = c.id;
    DELETE FROM vsm._path_cells p USING changed c WHERE p.stream_id = c.id;
    DELETE FROM vsm._marks k USING changed c WHERE k.stream_id = c.id;
    -- a role without rows is not limited, so one stays; another stream of that name is granted anew
    WITH gone AS (
        DELETE FROM vsm.stream_access a USING changed c WHERE a.stream = c.name RETURNING a.role, array_position(ARRAY['reader', 'writer', 'admin'], a.level) AS rank)
    INSERT INTO vsm.stream_access AS a (role, stream, level)
    SELECT g.role, '', (ARRAY['reader', 'writer', 'admin'])[max(g.rank)] FROM gone g GROUP BY 1
    ON CONFLICT ON CONSTRAINT stream_access_role_stream_key DO UPDATE SET level = excluded.level
    WHERE array_position(ARRAY['reader', 'writer', 'admin'], excluded.level) > array_position(ARRAY['reader', 'writer', 'admin'], a.level);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION vsm._value_streams_gone() IS 'Deletes the stages and kept figures of deleted streams.';

CREATE FUNCTION vsm._stage_before() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF tg_relid <> 'vsm.stages'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'table vsm.stages');
    END IF;
    new.stream := vsm._name(new.stream, 'value stream');
    new.name := vsm._name(new.name, 'stage');
    -- a restore, by the owner of the tables and with all columns filled in, may load stages before streams
    IF tg_op = 'INSERT' AND NOT EXISTS (SELECT FROM vsm.value_streams v WHERE v.name = new.stream)
       AND (new.type IS NULL OR NOT pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = tg_relid), 'USAGE')) THEN
        RAISE EXCEPTION 'stream "%" not found', new.stream
            USING ERRCODE = 'PT404', DETAIL = 'A stage belongs to a stream.', HINT = format('%s; vsm.define_stream() defines one with its stages.', vsm._streams_to_choose());
    END IF;
    -- from here on nobody renames or deletes the stream
    IF tg_op = 'INSERT' AND EXISTS (SELECT FROM vsm.value_streams v WHERE v.name = new.stream)
       AND NOT vsm._hold_stream(new.stream) THEN
        RAISE EXCEPTION 'stream "%" not found', new.stream
            USING ERRCODE = 'PT404', DETAIL = 'Another session has renamed or deleted it.', HINT = 'Add the stage to an existing stream.';
    END IF;
    IF tg_op = 'INSERT' THEN
        PERFORM vsm._require_issued_id('stages', new.id);
    END IF;
    new.type := coalesce(new.type, lower(new.name));
    PERFORM vsm._check_text(new.type, 'the type of a stage', 'type'), vsm._check_text(new.description, 'the description of a stage', 'description');
    IF tg_op = 'UPDATE' THEN
        new.renamed_at := CASE WHEN new.name <> old.name THEN clock_timestamp() ELSE old.renamed_at END;
    END IF;
    IF new."order" IS NULL THEN
        PERFORM vsm._make_room(new.stream, 1);
    END IF;
    new."order" := coalesce(new."order", (SELECT max(s."order") + 1 FROM vsm.stages s WHERE s.stream = new.stream), 1);
    IF new."order" NOT BETWEEN 0 AND 1000000 THEN
        RAISE EXCEPTION 'the order of stage "%" is out of range', new.name
            USING ERRCODE = 'PT422', COLUMN = 'order', DETAIL = format('It is %s.', new."order"),
                  HINT = 'Number the stages of a stream from 0 or 1 upwards, up to 1000000.';
    END IF;
    IF new.category NOT IN ('wait', 'active', 'done', 'discarded') THEN
        RAISE EXCEPTION 'category "%" of stage "%" is not known', vsm._cut(new.category), new.name
            USING ERRCODE = 'PT422', COLUMN = 'category', DETAIL = 'It says whether items in the stage wait, are worked on, are delivered or are abandoned.',
                  HINT = 'Give wait, active, done or discarded.';
    END IF;
    IF new.wip_limit < 1 THEN
        RAISE EXCEPTION 'the WIP limit of stage "%" is below 1', new.name
            USING ERRCODE = 'PT422', COLUMN = 'wip_limit', DETAIL = format('It is %s.', new.wip_limit),
                  HINT = 'Give a limit of at least 1, or null for none; retire a stage that takes no entries.';
    END IF;
    IF new.wip_limit IS NOT NULL AND new.category IN ('done', 'discarded') THEN
        RAISE EXCEPTION '% stage "%" cannot have a WIP limit', new.category, new.name
            USING ERRCODE = 'PT422', COLUMN = 'wip_limit', DETAIL = 'Items in it are not work in progress.',
                  HINT = 'Leave wip_limit null.';
    END IF;
    -- when a stream is renamed, its stages follow once the old name is gone
    IF tg_op = 'UPDATE' AND (new.id <> old.id OR new.stream <> old.stream
                             AND EXISTS (SELECT FROM vsm.value_streams v WHERE v.name = old.stream)) THEN
        RAISE EXCEPTION 'stage "%" cannot change its id or stream', old.name
            USING ERRCODE = 'PT422', DETAIL = 'The ledger refers to it.',
                  HINT = 'Add a stage to the other stream and retire this one.';
    END IF;
    RETURN new;
END $$;
COMMENT ON FUNCTION vsm._stage_before() IS 'Checks a row of vsm.stages and fills in its type.';

CREATE FUNCTION vsm._stage_deleted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET row_security = off
AS $$
BEGIN
    IF tg_relid <> 'vsm.stages'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'table vsm.stages');
    END IF;
    PERFORM vsm._hold_streams(ARRAY[old.stream]);
    -- waits for running moves and blocks new ones, which then see that the stage is gone
    PERFORM vsm._hold_items();
    -- a dropped stream leaves nothing, not even totals
    IF EXISTS (SELECT FROM vsm.stage_transitions t WHERE t.to_stage_id = old.id)
       OR EXISTS (SELECT FROM vsm.work_items w WHERE w.stage_id = old.id)
       OR EXISTS (SELECT FROM vsm.superseded_transitions t WHERE old.id IN (t.from_stage_id, t.to_stage_id))
          AND EXISTS (SELECT FROM vsm.value_streams v WHERE v.name = old.stream) THEN
        RAISE EXCEPTION 'stage "%" cannot be dropped', old.name
            USING ERRCODE = 'PT409', DETAIL = 'Work items have been in the stage, and their history refers to it.',
                  HINT = format('Retire it instead: UPDATE vsm.stages SET retired_at = now() WHERE id = %s.', old.id);
    END IF;
    IF EXISTS (SELECT FROM vsm.value_streams v WHERE v.name = old.stream AND v.commitment_stage = old.name) THEN
        RAISE EXCEPTION 'stage "%" cannot be dropped', old.name
            USING ERRCODE = 'PT409', DETAIL = format('It is the commitment point of stream "%s".', old.stream),
                  HINT = 'Name another commitment_stage in vsm.value_streams first.';
    END IF;
    RETURN old;
END $$;
COMMENT ON FUNCTION vsm._stage_deleted() IS 'Refuses to drop a stage that history or its stream refers to.';

CREATE FUNCTION vsm._stage_renamed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET row_security = off
    SET vsm.recording = off
AS $$
BEGIN
    IF tg_relid <> 'vsm.stages'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'table vsm.stages');
    END IF;
    PERFORM vsm._hold_streams(ARRAY[new.stream]);
    UPDATE vsm.value_streams v SET commitment_stage = new.name
    WHERE v.name = new.stream AND v.commitment_stage = old.name;
    UPDATE vsm.stage_aliases a SET stage = new.name WHERE a.stream = new.stream AND a.stage = old.name;
    PERFORM vsm._hold_items();
    -- a row that was read before, and is written back, may name another stage by now: updated_at tells (src/move/stage_name.c)
    UPDATE vsm.work_items w SET current_stage = new.name, updated_at = greatest(clock_timestamp(), w.updated_at + interval '1 millisecond')
    WHERE w.stream = new.stream AND w.stage_id = new.id;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION vsm._stage_renamed() IS
    'Keeps a renamed stage the commitment point of its stream, the stage of its items, and what its aliases mean.';

-- What a board, a chart or a hint can show, and each change of stages can afford: it checks them all.
CREATE FUNCTION vsm._check_stage_count(stages bigint) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF stages > 500 THEN
        RAISE EXCEPTION 'a stream cannot have so many stages'
            USING ERRCODE = 'PT422', COLUMN = 'stages', DETAIL = format('They would be %s.', stages),
                  HINT = 'A stream has at most 500 stages, retired ones included.';
    END IF;
END $$;
COMMENT ON FUNCTION vsm._check_stage_count(bigint) IS 'Refuses more stages than a stream may have. Errors: PT422.';

-- Stages behind the one with the greatest order that is allowed have no place: the stages are numbered from 1 then.
CREATE FUNCTION vsm._make_room(of_stream text, places integer) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF (SELECT max(s."order") + places FROM vsm.stages s WHERE s.stream = of_stream) > 1000000 THEN
        UPDATE vsm.stages s SET "order" = n.place
        FROM (SELECT o.id, row_number() OVER (ORDER BY o."order") AS place FROM vsm.stages o WHERE o.stream = of_stream) n
        WHERE s.id = n.id AND s."order" <> n.place;
    END IF;
END $$;
COMMENT ON FUNCTION vsm._make_room(text, integer) IS
    'Numbers the stages of a stream from 1 if there are not that many orders left behind the last one.';

-- Checks that need the whole statement; the transition table "changed" has its rows.
CREATE FUNCTION vsm._stages_after() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET row_security = off
AS $$
DECLARE
    bad record;
    affected text[];
BEGIN
    IF tg_relid <> 'vsm.stages'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'table vsm.stages');
    END IF;
    PERFORM vsm._hold_streams(ARRAY(SELECT c.stream FROM changed c));
    SELECT s.stream, s."order", string_agg(format('"%s"', s.name), ', ' ORDER BY s.id) AS names INTO bad
    FROM vsm.stages s WHERE s.stream IN (SELECT c.stream FROM changed c)
    GROUP BY 1, 2 HAVING count(*) > 1 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'stages of stream "%" have the same order', bad.stream
            USING ERRCODE = 'PT422', DETAIL = format('Stages %s have the order %s.', bad.names, bad."order"),
                  HINT = 'Give each stage an order of its own; vsm.define_stream() numbers them.';
    END IF;
    IF tg_op = 'INSERT' THEN
        PERFORM vsm._check_stage_count(count(*)) FROM vsm.stages s WHERE s.stream IN (SELECT c.stream FROM changed c) GROUP BY s.stream;
    END IF;
    -- a stream may be inserted stage by stage
    IF tg_op <> 'INSERT' THEN
        SELECT s.stream INTO bad
        FROM vsm.stages s WHERE s.stream IN (SELECT c.stream FROM changed c)
        GROUP BY 1 HAVING NOT bool_or(s.category = 'done' AND s.retired_at IS NULL) LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'stream "%" would have no done stage', bad.stream
                USING ERRCODE = 'PT422', DETAIL = 'Its items could never finish.',
                      HINT = 'Keep a stage of category done in use.';
        END IF;
    END IF;
    IF tg_op <> 'DELETE'
       AND EXISTS (SELECT FROM changed c JOIN vsm.value_streams v ON v.name = c.stream AND v.commitment_stage = c.name
                   WHERE c.category IN ('done', 'discarded')) THEN
        RAISE EXCEPTION 'the commitment point of a stream cannot be a done or discarded stage'
            USING ERRCODE = 'PT422', DETAIL = 'Work ends there, so it cannot start there.',
                  HINT = 'Name another commitment_stage in vsm.value_streams first.';
    END IF;
    IF tg_op = 'DELETE' THEN
        DELETE FROM vsm.stage_aliases a USING changed c WHERE a.stream = c.stream AND a.stage = c.name;
    END IF;
    IF tg_op = 'UPDATE' THEN
        -- waits for transactions that entered under the old limit; later ones see the new limit
        IF EXISTS (SELECT FROM changed c JOIN before b USING (id)
                   WHERE c.wip_limit < b.wip_limit OR c.wip_limit IS NOT NULL AND b.wip_limit IS NULL) THEN
            LOCK TABLE vsm.work_items IN SHARE ROW EXCLUSIVE MODE;
        END IF;
        SELECT array_agg(DISTINCT c.stream) INTO affected
        FROM changed c JOIN before b USING (id)
        WHERE (c."order", c.category, c.stream) IS DISTINCT FROM (b."order", b.category, b.stream);
    ELSE
        -- a stream had no items before it had a stage
        SELECT array_agg(DISTINCT c.stream) INTO affected FROM changed c
        WHERE tg_op = 'DELETE' OR EXISTS (SELECT FROM vsm.stages s WHERE s.stream = c.stream AND s.id NOT IN (SELECT n.id FROM changed n));
    END IF;
    PERFORM vsm._recompute_items(s) FROM unnest(affected) s;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION vsm._stages_after() IS 'Checks the stages of a stream together and applies a change to the work items.';

CREATE FUNCTION vsm._work_item_type_before() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF tg_relid <> 'vsm.work_item_types'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'table vsm.work_item_types');
    END IF;
    new.name := vsm._name(new.name, 'work item type');
    RETURN new;
END $$;
COMMENT ON FUNCTION vsm._work_item_type_before() IS 'Checks the name of a type and brings it into its normal form.';

CREATE FUNCTION vsm._work_item_type_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET row_security = off
    SET vsm.recording = off
AS $$
BEGIN
    IF tg_relid <> 'vsm.work_item_types'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'table vsm.work_item_types');
    END IF;
    IF tg_op = 'UPDATE' AND new.id <> old.id THEN
        RAISE EXCEPTION 'the id of work item type "%" cannot be changed', old.name
            USING ERRCODE = 'PT422', DETAIL = 'The id identifies a type that is renamed.', HINT = 'Leave the id as it is.';
    END IF;
    IF tg_op = 'INSERT' AND new.id > 9007199254740991 THEN
        RAISE EXCEPTION 'id % is out of range', new.id
            USING ERRCODE = 'PT422', DETAIL = 'The greatest is 9007199254740991: beyond it numbers in JSON are not exact.', HINT = 'Leave the id out.';
    ELSIF tg_op = 'INSERT' AND new.id > coalesce(pg_sequence_last_value('vsm.work_item_types_id_seq'), nextval('vsm.work_item_types_id_seq')) THEN
        PERFORM setval('vsm.work_item_types_id_seq', new.id);       -- so that no later type draws the id
    ELSIF tg_op = 'UPDATE' AND new.name <> old.name THEN
        PERFORM vsm._hold_items();
        LOCK TABLE vsm.sles IN SHARE ROW EXCLUSIVE MODE;
        UPDATE vsm.work_items w SET type = new.name WHERE w.type = old.name;
        UPDATE vsm.sles e SET type = new.name WHERE e.type = old.name;
        -- items that are gone or have another type now, for figures as they were known
        UPDATE vsm._retypes r SET old_type = new.name WHERE r.old_type = old.name;
        PERFORM vsm._totals_noted();        -- which this does not change
        UPDATE vsm.superseded_transitions u SET item_type = new.name WHERE u.item_type = old.name;
        INSERT INTO vsm._former_types (name) VALUES (old.name) ON CONFLICT DO NOTHING;
    ELSIF tg_op = 'DELETE' THEN
        PERFORM vsm._hold_items();
        LOCK TABLE vsm.sles IN SHARE ROW EXCLUSIVE MODE;
        IF EXISTS (SELECT FROM vsm.work_items w WHERE w.type = old.name) THEN
            RAISE EXCEPTION 'work item type "%" is in use', old.name
                USING ERRCODE = 'PT409', DETAIL = 'There are work items of that type.', HINT = 'Give these work items another type first.';
        END IF;
        DELETE FROM vsm.sles e WHERE e.type = old.name;
        -- the totals count items that were created with this type
        INSERT INTO vsm._former_types (name) VALUES (old.name) ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION vsm._work_item_type_changed() IS 'Renames the type of its work items; refuses to delete a type that is in use.';
