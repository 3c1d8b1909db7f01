-- migrate.sql: from the tables of the service that vsm replaces into vsm, with ids, history and sequences
--
--	psql -X -d DATABASE [-v old=SCHEMA] [-v stream=NAME] [-v zone=ZONE] -f migrate.sql
--
-- DATABASE has the extension vsm and, in schema old (public), the tables stages, work_items and stage_transitions.  They are
-- read and stay as they are.  stream (default) is defined with their stages.  zone (UTC) is that of columns without time
-- zone.  Stop the old service first; run the script as the role that created the extension, or as a superuser.
--
-- Stages may be referred to by id (to_stage_id) or by name (to_stage), and category, type, wip_limit and description of
-- stages may be missing.  All is one transaction: an error leaves the database as it was.  doc/migrating.md has the rest.

\set ON_ERROR_STOP on
\if :{?old} \else \set old public
\endif
\if :{?stream} \else \set stream default
\endif
\if :{?zone} \else \set zone UTC
\endif

BEGIN;
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL client_min_messages = warning;
SET LOCAL "TimeZone" = 'UTC';
SET LOCAL vsm.recording = off;          -- the rows are stored as they are
SET LOCAL jit = off;

-- ---- What reads the old tables ----

CREATE FUNCTION pg_temp.old_table(old text, name text) RETURNS regclass
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF to_regclass(format('%I.%I', old, name)) IS NULL THEN
        RAISE EXCEPTION 'there is no table "%"."%"', old, name
            USING ERRCODE = 'PT422', DETAIL = 'The old service kept stages, work items and moves in stages, work_items and stage_transitions.',
                  HINT = 'Name the schema that has these tables: psql -v old=SCHEMA.';
    END IF;
    RETURN format('%I.%I', old, name);
END $$;

-- The column of that name, or an expression in its place.
CREATE FUNCTION pg_temp.old_column(of_table regclass, name text, otherwise text) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = of_table AND a.attname = name AND NOT a.attisdropped) THEN
        RETURN format('o.%I', name);
    ELSIF otherwise IS NOT NULL THEN
        RETURN otherwise;
    END IF;
    RAISE EXCEPTION 'table "%" has no column "%"', of_table, name
        USING ERRCODE = 'PT422', DETAIL = 'The old service had it.', HINT = 'Put a view in its place in a schema of its own, and name that one.';
END $$;

CREATE FUNCTION pg_temp.old_time(of_table regclass, name text, zone text) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN a.atttypid = 'timestamp'::regtype THEN format('(%s AT TIME ZONE %L)', pg_temp.old_column(of_table, name, NULL), zone)
                ELSE format('%s::timestamptz', pg_temp.old_column(of_table, name, NULL)) END
    FROM (SELECT 1) one LEFT JOIN pg_attribute a ON a.attrelid = of_table AND a.attname = name
$$;

-- A stage's id, from the column with its id or from the one with its name.
CREATE FUNCTION pg_temp.old_stage(of_table regclass, name text, otherwise text) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pg_temp.old_column(of_table, name || '_id', coalesce((
        SELECT CASE WHEN a.atttypid IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype) THEN format('o.%I', name)
                    -- null: none was left; 0: there is no stage of that name
                    ELSE format('CASE WHEN o.%1$I IS NOT NULL THEN coalesce((SELECT n.id FROM pg_temp.old_stages n WHERE n.name = o.%1$I::text), 0) END', name) END
        FROM pg_attribute a WHERE a.attrelid = of_table AND a.attname = name AND NOT a.attisdropped), otherwise))
$$;

-- The next id that the old table would have given.
CREATE FUNCTION pg_temp.old_next_id(of_table regclass) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of_sequence CONSTANT text := pg_get_serial_sequence(of_table::text, 'id');
    issued bigint := 0;
    greatest_id bigint;
BEGIN
    IF of_sequence IS NOT NULL THEN
        EXECUTE format('SELECT CASE WHEN s.is_called THEN s.last_value ELSE s.last_value - 1 END FROM %s s', of_sequence) INTO issued;
    END IF;
    EXECUTE format('SELECT coalesce(max(o.id), 0) FROM %s o', of_table) INTO greatest_id;
    RETURN greatest(issued, greatest_id) + 1;
END $$;

-- ---- The old tables, as vsm sees them ----

CREATE FUNCTION pg_temp.read_old(old text, zone text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    stages CONSTANT regclass := pg_temp.old_table(old, 'stages');
    items CONSTANT regclass := pg_temp.old_table(old, 'work_items');
    moves CONSTANT regclass := pg_temp.old_table(old, 'stage_transitions');
BEGIN
    -- without a category the first stage waits, the last one is done, and those between are worked in
    EXECUTE format(
        'CREATE TEMPORARY TABLE old_stages ON COMMIT DROP AS'
        ' SELECT o.id::bigint AS id, o.name::text AS name, o."order"::integer AS "order", %s::text AS type, %s::integer AS wip_limit,'
        '        %s::text AS description, %s AS created_at,'
        '        lower(coalesce(%s::text, CASE WHEN o."order" = max(o."order") OVER () THEN ''done'''
        '                                      WHEN o."order" = min(o."order") OVER () THEN ''wait'' ELSE ''active'' END)) AS category'
        ' FROM %s o',
        pg_temp.old_column(stages, 'type', 'NULL'), pg_temp.old_column(stages, 'wip_limit', 'NULL'),
        pg_temp.old_column(stages, 'description', 'NULL'),
        CASE WHEN pg_temp.old_column(stages, 'created_at', 'NULL') = 'NULL' THEN 'now()' ELSE format('coalesce(%s, now())', pg_temp.old_time(stages, 'created_at', zone)) END,
        pg_temp.old_column(stages, 'category', 'NULL'), stages);
    -- some versions kept the types in capitals
    EXECUTE format(
        'CREATE TEMPORARY TABLE old_items ON COMMIT DROP AS'
        ' SELECT o.id::bigint AS id, o.title::text AS title, %s AS created_at, %s AS updated_at, %s AS stage_id,'
        '        CASE WHEN lower(o.type::text) IN (''feature'', ''bug'', ''task'', ''epic'') THEN lower(o.type::text) ELSE vsm._nfc(o.type::text) END AS type'
        ' FROM %s o',
        pg_temp.old_time(items, 'created_at', zone), pg_temp.old_time(items, 'updated_at', zone),
        pg_temp.old_stage(items, 'current_stage', 'NULL::bigint'), items);
    EXECUTE format(
        'CREATE TEMPORARY TABLE old_moves ON COMMIT DROP AS'
        ' SELECT o.id::bigint AS id, o.work_item_id::bigint AS item_id, %s::bigint AS from_stage_id, %s::bigint AS to_stage_id, %s AS at'
        ' FROM %s o',
        pg_temp.old_stage(moves, 'from_stage', NULL), pg_temp.old_stage(moves, 'to_stage', NULL),
        pg_temp.old_time(moves, 'timestamp', zone), moves);
    CREATE TEMPORARY TABLE next_ids ON COMMIT DROP AS
    SELECT pg_temp.old_next_id(stages) AS stage, pg_temp.old_next_id(items) AS item, pg_temp.old_next_id(moves) AS move;
END $$;

-- What vsm cannot take is named, rather than repaired.
CREATE FUNCTION pg_temp.check_old(of_stream text) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    bad text;
BEGIN
    IF EXISTS (SELECT FROM vsm.work_items) OR EXISTS (SELECT FROM vsm.value_streams v WHERE v.name <> of_stream) THEN
        RAISE EXCEPTION 'vsm is in use already'
            USING ERRCODE = 'PT409', DETAIL = 'It has work items, or another stream, whose ids may be those of the old tables.',
                  HINT = 'Migrate into a database in which vsm is new.';
    END IF;
    SELECT string_agg(format('stage %s', s.id), ', ') INTO bad FROM pg_temp.old_stages s
    WHERE coalesce(s.name, '') = '' OR s."order" IS NULL OR s.category NOT IN ('wait', 'active', 'done', 'discarded');
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'stages without name, order or known category'
            USING ERRCODE = 'PT422', DETAIL = format('They are %s.', bad), HINT = 'Give each a name, an order, and wait, active, done or discarded.';
    END IF;
    SELECT string_agg(format('stage %s: the name %s', b.id, b.fault), ', ' ORDER BY b.id) INTO bad FROM (
        SELECT s.id, vsm._name_fault(s.name, 'stage') AS fault FROM pg_temp.old_stages s
        WHERE vsm._name_fault(s.name, 'stage') IS NOT NULL ORDER BY s.id LIMIT 10) b;
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'stages whose names cannot be names'
            USING ERRCODE = 'PT422', DETAIL = format('They are %s.', bad), HINT = 'Give them other names in the old table.';
    END IF;
    -- the same letters in two forms of Unicode, too: they look alike
    SELECT string_agg(format('stages %s', b.ids), ', ') INTO bad FROM (
        SELECT string_agg(s.id::text, ' and ' ORDER BY s.id) AS ids FROM pg_temp.old_stages s
        GROUP BY vsm._nfc(s.name) HAVING count(*) > 1 ORDER BY 1 LIMIT 10) b;
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'stages of one name'
            USING ERRCODE = 'PT422', DETAIL = format('They are %s; names that differ in the form of Unicode only are the same.', bad),
                  HINT = 'Give each stage a name of its own in the old table.';
    END IF;
    SELECT string_agg(format('stages %s', b.ids), ', ') INTO bad FROM (
        SELECT string_agg(s.id::text, ' and ' ORDER BY s.id) AS ids FROM pg_temp.old_stages s
        GROUP BY s."order" HAVING count(*) > 1 OR s."order" NOT BETWEEN 0 AND 1000000 ORDER BY 1 LIMIT 10) b;
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'stages without an order of their own from 0 to 1000000'
            USING ERRCODE = 'PT422', DETAIL = format('They are %s.', bad), HINT = 'Number the stages in the old table from 1 on.';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_temp.old_stages s WHERE s.category = 'done') THEN
        RAISE EXCEPTION 'none of the stages is a done stage'
            USING ERRCODE = 'PT422', DETAIL = coalesce(format('They are %s; work items could never finish.', (
                      SELECT string_agg(format('%s (%s)', s.id, s.category), ', ' ORDER BY s."order") FROM pg_temp.old_stages s)), 'There is none.'),
                  HINT = 'Give the stage in which work is delivered the category done in the old table.';
    END IF;
    SELECT string_agg(b.id::text, ', ') INTO bad FROM (
        SELECT i.id FROM pg_temp.old_items i
        WHERE i.created_at NOT BETWEEN '1970-01-01 UTC' AND clock_timestamp() + interval '5 minutes' ORDER BY i.id LIMIT 10) b;
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'work items that were created at no time between 1970 and now'
            USING ERRCODE = 'PT422', DETAIL = format('They are %s.', bad), HINT = 'Correct created_at in the old table.';
    END IF;
    SELECT string_agg(format('%s: the type %s', b.id, b.fault), ', ' ORDER BY b.id) INTO bad FROM (
        SELECT min(i.id) AS id, vsm._name_fault(i.type, 'work item type') AS fault FROM pg_temp.old_items i
        WHERE i.type <> '' AND vsm._name_fault(i.type, 'work item type') IS NOT NULL GROUP BY i.type ORDER BY 1 LIMIT 10) b;
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'work items whose types cannot be names'
            USING ERRCODE = 'PT422', DETAIL = format('They are %s.', bad), HINT = 'Give them other types in the old table.';
    END IF;
    SELECT string_agg(b.id::text, ', ') INTO bad FROM (
        SELECT i.id FROM pg_temp.old_items i
        WHERE i.created_at IS NULL OR coalesce(char_length(i.title), 0) NOT BETWEEN 1 AND 500 OR coalesce(i.type, '') = '' ORDER BY i.id LIMIT 10) b;
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'work items without creation time or type, or with a title that is not 1 to 500 characters long'
            USING ERRCODE = 'PT422', DETAIL = format('They are %s.', bad), HINT = 'Correct them in the old table.';
    END IF;
    SELECT string_agg(b.id::text, ', ') INTO bad FROM (
        SELECT m.id FROM pg_temp.old_moves m
        WHERE m.at IS NULL OR m.at NOT BETWEEN '1970-01-01 UTC' AND clock_timestamp() + interval '5 minutes'
           OR m.item_id NOT IN (SELECT i.id FROM pg_temp.old_items i)
           OR coalesce(m.to_stage_id, 0) NOT IN (SELECT s.id FROM pg_temp.old_stages s)
           OR m.from_stage_id NOT IN (SELECT s.id FROM pg_temp.old_stages s) ORDER BY m.id LIMIT 10) b;
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'moves of no work item, of no stage, or at no time between 1970 and now'
            USING ERRCODE = 'PT422', DETAIL = format('Their ids are %s.', bad), HINT = 'Correct or delete them in the old table.';
    END IF;
    SELECT string_agg(b.id::text, ', ') INTO bad FROM (
        SELECT i.id FROM pg_temp.old_items i
        WHERE coalesce(i.stage_id, 0) NOT IN (SELECT s.id FROM pg_temp.old_stages s)
          AND i.id NOT IN (SELECT m.item_id FROM pg_temp.old_moves m) ORDER BY i.id LIMIT 10) b;
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'work items that are in no stage that there is and have no moves'
            USING ERRCODE = 'PT422', DETAIL = format('They are %s.', bad), HINT = 'Delete them from the old table, or give each a stage or a move.';
    END IF;
END $$;

-- ---- Definitions ----

CREATE FUNCTION pg_temp.write_definitions(of_stream text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- the gateway may have defined it, with stages of other ids
    DELETE FROM vsm.value_streams v WHERE v.name = of_stream;
    INSERT INTO vsm.value_streams (name) VALUES (of_stream);
    INSERT INTO vsm.stages (id, stream, name, "order", category, wip_limit, type, description, created_at)
    SELECT s.id, of_stream, s.name, s."order", s.category,
           CASE WHEN s.category NOT IN ('done', 'discarded') AND s.wip_limit > 0 THEN s.wip_limit END,
           coalesce(s.type, lower(s.name)), s.description, s.created_at
    FROM pg_temp.old_stages s ORDER BY s."order";
    INSERT INTO vsm.work_item_types (name) VALUES ('feature'), ('bug'), ('task'), ('epic') ON CONFLICT DO NOTHING;
    INSERT INTO vsm.work_item_types (name)
    SELECT i.type FROM pg_temp.old_items i WHERE i.type NOT IN (SELECT t.name FROM vsm.work_item_types t)
    GROUP BY 1 ORDER BY min(i.id);
END $$;

-- ---- Items and moves ----

-- The old service let several requests write one item at once, so a row may name another stage left than the one that the
-- row before it entered.  The order of the rows says where the item was: that of their times, of equal times that of the ids.
CREATE FUNCTION pg_temp.order_moves() RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- a history that does not begin with the creation: the item was created in the stage that its first move left, or is in
    INSERT INTO pg_temp.old_moves (id, item_id, from_stage_id, to_stage_id, at)
    SELECT n.move - 1 + row_number() OVER (ORDER BY i.id), i.id, NULL, coalesce(f.from_stage_id, i.stage_id),
           CASE WHEN f.at <= i.created_at THEN f.at - interval '1 microsecond' ELSE i.created_at END
    FROM pg_temp.old_items i
    CROSS JOIN pg_temp.next_ids n
    LEFT JOIN (SELECT DISTINCT ON (m.item_id) m.* FROM pg_temp.old_moves m ORDER BY m.item_id, m.at, m.id) f ON f.item_id = i.id
    WHERE f.id IS NULL OR f.from_stage_id IS NOT NULL;
    UPDATE pg_temp.next_ids n SET move = greatest(n.move, (SELECT max(m.id) + 1 FROM pg_temp.old_moves m));

    -- a row that enters the stage in which the item is already is no move
    CREATE TEMPORARY TABLE new_moves ON COMMIT DROP AS
    SELECT m.id, m.item_id, m.at, m.to_stage_id, m.from_stage_id AS old_from_stage_id, i.type,
           (vsm._sequence(m.to_stage_id, m.at, false) OVER (PARTITION BY m.item_id ORDER BY m.at, m.id ROWS UNBOUNDED PRECEDING)).*
    FROM pg_temp.old_moves m JOIN pg_temp.old_items i ON i.id = m.item_id;
END $$;

CREATE FUNCTION pg_temp.write_items(of_stream text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of_stream_id CONSTANT bigint := (SELECT v.id FROM vsm.value_streams v WHERE v.name = of_stream);
BEGIN
    -- the old service learned of a move when it happened
    INSERT INTO vsm.stage_transitions (work_item_id, id, from_stage_id, to_stage_id, "timestamp", recorded_at, time_in_stage,
                                       actor, type, cycle_time, lead_time, stream_id, undoes, furthest_before, started_change,
                                       item_created_at, item_started_at, active_time, wait_time)
    SELECT m.item_id, m.id, m.from_stage_id, m.to_stage_id, m.at, m.at, m.time_in_stage, vsm._actor(),
           CASE WHEN m.from_stage_id IS NULL THEN m.type END, m.cycle_time, m.lead_time, of_stream_id, m.undoes,
           m.furthest_before, m.started_change, m.item_created_at, m.item_started_at, m.active_time, m.wait_time
    FROM pg_temp.new_moves m WHERE m.keep ORDER BY m.at, m.id;
    INSERT INTO vsm._merged_events (work_item_id, id, stage_id, "timestamp")
    SELECT m.item_id, m.id, m.to_stage_id, m.at FROM pg_temp.new_moves m WHERE NOT m.keep;
    INSERT INTO vsm.work_items (id, stream, title, type, updated_at, stage_id, created_at, stage_entered_at, started_at,
                                completed_at, active_time, wait_time, reopened, backward_moves, discarded_at, discarded,
                                furthest_stage_id)
    SELECT i.id, of_stream, i.title, i.type, greatest(i.updated_at, (m.state).stage_entered_at), (m.state).*
    FROM (SELECT n.item_id, vsm._replay(n.to_stage_id, n.at, n.id) AS state FROM pg_temp.new_moves n WHERE n.keep GROUP BY 1) m
    JOIN pg_temp.old_items i ON i.id = m.item_id ORDER BY i.id;
END $$;

-- ---- The migration ----

SELECT pg_temp.old_table(:'old', 'stages'), pg_temp.old_table(:'old', 'work_items'), pg_temp.old_table(:'old', 'stage_transitions') \g /dev/null
LOCK TABLE :"old".stages, :"old".work_items, :"old".stage_transitions IN SHARE MODE;     -- nothing is added while it is read
SELECT pg_temp.read_old(:'old', :'zone') \g /dev/null
SELECT pg_temp.check_old(:'stream') \g /dev/null
SELECT pg_temp.write_definitions(:'stream') \g /dev/null
SELECT pg_temp.order_moves() \g /dev/null
SELECT pg_temp.write_items(:'stream') \g /dev/null
SELECT setval('vsm.stages_id_seq', greatest(n.stage, nextval('vsm.stages_id_seq')), false), setval('vsm.work_items_id_seq', n.item, false),
       setval('vsm.stage_transitions_id_seq', n.move, false)
FROM pg_temp.next_ids n \g /dev/null

SELECT (SELECT count(*) FROM pg_temp.old_stages) AS stages, (SELECT count(*) FROM pg_temp.old_items) AS work_items,
       count(*) FILTER (WHERE m.keep) AS moves,
       count(*) FILTER (WHERE NOT m.keep) AS rows_that_moved_nothing,
       count(*) FILTER (WHERE m.keep AND m.from_stage_id IS DISTINCT FROM m.old_from_stage_id) AS stages_left_corrected,
       count(*) FILTER (WHERE m.id NOT IN (SELECT o.id FROM :"old".stage_transitions o)) AS creations_added,
       (SELECT count(*) FROM pg_temp.old_items i JOIN vsm.work_items w USING (id) WHERE i.stage_id <> w.stage_id) AS current_stages_corrected,
       (SELECT count(*) FROM pg_temp.old_stages s JOIN vsm.stages v USING (id) WHERE s.wip_limit IS DISTINCT FROM v.wip_limit) AS limits_dropped
FROM pg_temp.new_moves m \gx
COMMIT;
