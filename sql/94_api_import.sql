-- 94_api_import: what an import defines first, by those who may, and history from rows that a client copies in

-- The aliases of a call: {"name in the source": "stage"}; no stage: such rows are no moves.
CREATE FUNCTION vsm._read_aliases(aliases json) RETURNS TABLE (name text, stage text)
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF aliases IS NULL OR json_typeof(aliases) = 'null' THEN
        RETURN;
    END IF;
    IF json_typeof(aliases) <> 'object'
       OR EXISTS (SELECT FROM json_each(aliases) a WHERE json_typeof(a.value) NOT IN ('string', 'null')) THEN
        RAISE EXCEPTION 'the aliases cannot be read'
            USING ERRCODE = 'PT422', COLUMN = 'aliases', DETAIL = format('The value given is %s.', left(aliases::text, 100)),
                  HINT = 'Give an object such as {"In Prog":"In Progress","Comment":null}: null for rows that are no moves.';
    END IF;
    RETURN QUERY
    SELECT DISTINCT ON (vsm._alias_key(a.key)) vsm._nfc(btrim(a.key)), vsm._sought(nullif(btrim(a.value), ''))
    FROM json_each_text(aliases) WITH ORDINALITY a (key, value, n) ORDER BY vsm._alias_key(a.key), a.n DESC;
END $$;
COMMENT ON FUNCTION vsm._read_aliases(json) IS 'The aliases argument of an import as rows. Errors: PT422.';

CREATE FUNCTION vsm._read_given_stages(stages json) RETURNS TABLE (place bigint, name text, category text)
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF stages IS NULL OR json_typeof(stages) = 'null' THEN
        RETURN;
    END IF;
    IF json_typeof(stages) <> 'array' OR json_array_length(stages) = 0
       OR EXISTS (SELECT FROM json_array_elements(stages) s WHERE json_typeof(s.value) <> 'object')
       OR EXISTS (SELECT FROM json_array_elements(stages) s
                  WHERE json_typeof(s.value -> 'name') IS DISTINCT FROM 'string' OR btrim(s.value ->> 'name') = ''
                     OR lower(coalesce(s.value ->> 'category', 'wait')) NOT IN ('wait', 'active', 'done', 'discarded')) THEN
        RAISE EXCEPTION 'the stages cannot be read'
            USING ERRCODE = 'PT422', COLUMN = 'stages', DETAIL = format('The value given is %s.', left(stages::text, 100)),
                  HINT = 'Give a list in order, such as [{"name":"To do","category":"wait"},{"name":"Doing","category":"active"},{"name":"Done","category":"done"}].';
    END IF;
    PERFORM vsm._check_stage_count(json_array_length(stages));
    RETURN QUERY
    SELECT s.n, vsm._nfc(btrim(s.value ->> 'name')), lower(s.value ->> 'category')
    FROM json_array_elements(stages) WITH ORDINALITY s (value, n);
END $$;
COMMENT ON FUNCTION vsm._read_given_stages(json) IS 'The stages argument of an import as rows. Errors: PT422.';

CREATE FUNCTION vsm._read_given_types(types json) RETURNS TABLE (place bigint, name text)
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF types IS NULL OR json_typeof(types) = 'null' THEN
        RETURN;
    END IF;
    IF json_typeof(types) <> 'array'
       OR EXISTS (SELECT FROM json_array_elements(types) t
                  WHERE json_typeof(t.value) <> 'object' OR json_typeof(t.value -> 'name') IS DISTINCT FROM 'string') THEN
        RAISE EXCEPTION 'the types cannot be read'
            USING ERRCODE = 'PT422', COLUMN = 'types', DETAIL = format('The value given is %s.', left(types::text, 100)),
                  HINT = 'Give a list such as [{"name":"feature"},{"name":"bug"}].';
    END IF;
    RETURN QUERY SELECT t.n, t.value ->> 'name' FROM json_array_elements(types) WITH ORDINALITY t (value, n);
END $$;
COMMENT ON FUNCTION vsm._read_given_types(json) IS 'The types of a proposal as rows. Errors: PT422.';

CREATE FUNCTION vsm._set_zone(zone text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('TimeZone', zone, true);
EXCEPTION WHEN invalid_parameter_value THEN
    RAISE EXCEPTION 'time zone "%" is not known', vsm._cut(zone)
        USING ERRCODE = 'PT422', COLUMN = 'time_zone', DETAIL = 'Times without an offset are of that zone.',
              HINT = 'Give a name from pg_timezone_names as time_zone, such as Europe/Berlin.';
END $$;
COMMENT ON FUNCTION vsm._set_zone(text) IS 'Sets the time zone in which an import reads times. Errors: PT422.';

CREATE FUNCTION vsm_api.import_settings(stream text DEFAULT 'default', time_zone text DEFAULT NULL) RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET "TimeZone" = 'UTC'
AS $$
DECLARE
    given CONSTANT text := nullif(import_settings.time_zone, '');
    answer json;
BEGIN
    IF given IS NOT NULL THEN
        PERFORM vsm._set_zone(given);
    END IF;
    SELECT row_to_json(r) INTO answer
    FROM (SELECT n.name AS stream, v.name IS NOT NULL AS defined, coalesce(given, v.time_zone, 'UTC') AS time_zone,
                 (SELECT coalesce(json_object_agg(a.name, a.stage ORDER BY a.name), '{}')
                  FROM (SELECT DISTINCT ON (vsm._alias_key(b.name)) b.name, b.stage
                        FROM (SELECT k.name, k.stage, 1 AS rank FROM vsm.stage_aliases k
                              WHERE k.stream = n.name
                                AND (k.stage IS NULL OR EXISTS (SELECT FROM vsm.stages t WHERE t.stream = n.name AND t.name = k.stage))
                              UNION ALL
                              SELECT s.name, s.name, 2 FROM vsm.stages s WHERE s.stream = n.name) b
                        ORDER BY vsm._alias_key(b.name), b.rank, b.name) a) AS aliases,
                 (SELECT coalesce(json_object_agg(s.name, s.category ORDER BY s."order"), '{}') FROM vsm.stages s WHERE s.stream = n.name) AS categories
          FROM (SELECT vsm._sought(coalesce(import_settings.stream, 'default')) AS name) n
          LEFT JOIN vsm.value_streams v ON v.name = n.name) r;
    RETURN answer;
END $$;
COMMENT ON FUNCTION vsm_api.import_settings(text, text) IS
    'How an import into a stream is read: defined (is there such a stream?), time_zone of times without an offset, the given one or the stream''s, and '
    'aliases, {name in the source: stage}, with the names of the stream''s stages, which a source may write in any case, and the categories of its stages, '
    '{stage: category}. Errors: PT422 time_zone.';

CREATE FUNCTION vsm_api.import_changes(stages json, types json, stream text DEFAULT 'default') RETURNS json
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT row_to_json(r)
    FROM (SELECT CASE WHEN NOT EXISTS (SELECT FROM vsm.value_streams v WHERE v.name = n.name) THEN n.name END AS stream,
                 ARRAY(SELECT g.name FROM vsm._read_given_stages(import_changes.stages) g
                       WHERE NOT EXISTS (SELECT FROM vsm.stages s WHERE s.stream = n.name AND s.name = g.name) ORDER BY g.place) AS stages,
                 ARRAY(SELECT t.name FROM vsm._read_given_types(import_changes.types) t
                       WHERE NOT EXISTS (SELECT FROM vsm.work_item_types w WHERE w.name = vsm._sought(t.name)) ORDER BY t.place) AS types,
                 ARRAY(SELECT format('Stream "%s" %s.', vsm._cut(n.name), vsm._name_fault(n.name, 'value stream'))
                       WHERE vsm._name_fault(n.name, 'value stream') IS NOT NULL
                         AND NOT EXISTS (SELECT FROM vsm.value_streams v WHERE v.name = n.name)
                       UNION ALL
                       SELECT format('Type "%s" %s.', vsm._cut(t.name), vsm._name_fault(t.name, 'work item type'))
                       FROM vsm._read_given_types(import_changes.types) t WHERE vsm._name_fault(t.name, 'work item type') IS NOT NULL
                       UNION ALL
                       SELECT format('Stage "%s" %s.', vsm._cut(g.name), vsm._name_fault(g.name, 'stage'))
                       FROM vsm._read_given_stages(import_changes.stages) g WHERE vsm._name_fault(g.name, 'stage') IS NOT NULL
                       UNION ALL
                       (SELECT format('Stage "%s" is given twice.', vsm._cut(g.name))
                        FROM vsm._read_given_stages(import_changes.stages) g GROUP BY g.name HAVING count(*) > 1 ORDER BY min(g.place))
                       UNION ALL
                       SELECT 'None of the stages is a done stage.'
                       WHERE NOT EXISTS (SELECT FROM vsm.value_streams v WHERE v.name = n.name)
                         AND NOT EXISTS (SELECT FROM vsm._read_given_stages(import_changes.stages) g WHERE g.category = 'done')) AS faults
          FROM (SELECT vsm._sought(coalesce(import_changes.stream, 'default')) AS name) n) r;
END;
COMMENT ON FUNCTION vsm_api.import_changes(json, json, text) IS
    'What an import would have to define first, of the stages and types of a proposal: stream (null: it is there), stages, types; and faults, for which '
    'that is refused. Errors: PT422 stages, types.';

-- ---- Definitions that an import needs, by the caller's rights ----

CREATE FUNCTION vsm._require_import_definer(of_stream text, on_table regclass, what text, option text) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT has_table_privilege(on_table, 'INSERT') OR NOT vsm._may_define(of_stream, on_table, 'INSERT') THEN
        RAISE EXCEPTION 'role "%" may not define %', current_user, what
            USING ERRCODE = '42501', DETAIL = format('%s needs the rights of an admin.', option),
                  HINT = format('Import without %s, or as a role that has vsm.grant_access(..., ''admin'').', option);
    END IF;
END $$;
COMMENT ON FUNCTION vsm._require_import_definer(text, regclass, text, text) IS
    'Refuses a role that may not define what an import needs. Stream null: what all streams share. Errors: 42501.';

-- A new stream has the stages as given.  In one that is there, a new stage stands behind the stage that it follows in the
-- list, or before the first one of the list; what is defined stays as it is.
CREATE FUNCTION vsm._import_define_stages(of_stream text, stages json, zone text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given record;
    present text[];
    at integer;
    fresh text[] := '{}';
    before text;
BEGIN
    IF NOT EXISTS (SELECT FROM vsm.value_streams v WHERE v.name = of_stream) THEN
        PERFORM vsm._require_import_definer(of_stream, 'vsm.value_streams', format('stream "%s"', of_stream), 'create_stages');
        IF NOT EXISTS (SELECT FROM vsm._read_given_stages(stages) g WHERE g.category = 'done') THEN
            RAISE EXCEPTION 'none of the stages is a done stage'
                USING ERRCODE = 'PT422', COLUMN = 'stages',
                      DETAIL = format('They are %s; items could never finish.',
                                      (SELECT string_agg(format('"%s"', g.name), ', ' ORDER BY g.place) FROM vsm._read_given_stages(stages) g)),
                      HINT = 'Give stages, all in order, with the category done for one.';
        END IF;
        IF (vsm._define_stream(of_stream,
                               (SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('name', g.name, 'category', g.category)) ORDER BY g.place)
                                FROM vsm._read_given_stages(stages) g), zone, NULL, NULL, true)).id IS NOT NULL THEN
            RETURN;
        END IF;
        -- another session has defined it meanwhile
        IF coalesce(zone, 'UTC') IS DISTINCT FROM (SELECT v.time_zone FROM vsm.value_streams v WHERE v.name = of_stream) THEN
            RAISE EXCEPTION 'stream "%" has been defined by another session meanwhile, with another time zone', of_stream
                USING ERRCODE = 'PT409', DETAIL = format('Times without an offset were read as of %s.', coalesce(zone, 'UTC')), HINT = 'Import again.';
        END IF;
    END IF;
    IF NOT EXISTS (SELECT FROM vsm._read_given_stages(stages) g
                   WHERE NOT EXISTS (SELECT FROM vsm.stages s WHERE s.stream = of_stream AND s.name = g.name)) THEN
        RETURN;
    END IF;
    PERFORM vsm._require_import_definer(of_stream, 'vsm.stages', 'stages', 'create_stages');
    PERFORM vsm._hold_stages(of_stream);
    PERFORM vsm._hold_stream(of_stream);
    present := ARRAY(SELECT s.name FROM vsm.stages s WHERE s.stream = of_stream ORDER BY s."order");
    FOR given IN SELECT * FROM vsm._read_given_stages(stages) g ORDER BY g.place LOOP
        IF given.name <> ALL (present) THEN
            at := CASE
                WHEN before IS NOT NULL THEN array_position(present, before)
                ELSE coalesce((SELECT min(array_position(present, g.name)) FROM vsm._read_given_stages(stages) g) - 1,
                              (SELECT count(*) FROM vsm.stages s
                               WHERE s.stream = of_stream AND s."order" < (SELECT min(d."order") FROM vsm.stages d
                                                                            WHERE d.stream = of_stream AND d.category IN ('done', 'discarded')))) END;
            present := present[:at] || given.name || present[at + 1:];
            fresh := fresh || given.name;
        END IF;
        before := given.name;
    END LOOP;
    UPDATE vsm.stages s SET "order" = array_position(present, s.name)
    WHERE s.stream = of_stream AND s."order" <> array_position(present, s.name);
    INSERT INTO vsm.stages (stream, name, "order", category)
    SELECT of_stream, g.name, array_position(present, g.name), coalesce(g.category, 'active')
    FROM vsm._read_given_stages(stages) g WHERE g.name = ANY (fresh) ORDER BY g.place;
END $$;
COMMENT ON FUNCTION vsm._import_define_stages(text, json, text) IS
    'Defines the stages of a list that a stream lacks, and the stream. Errors: 42501, PT422.';

CREATE FUNCTION vsm._import_stages_of_rows(of_stream text, aliases json) RETURNS json
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT json_agg(json_build_object('name', u.stage, 'category', 'wait') ORDER BY u.place)
            FROM (SELECT vsm._sought(btrim(r.stage)) AS stage, min(r.ctid) AS place FROM pg_temp.vsm_import_rows r
                  WHERE r.refused IS NULL AND btrim(r.stage) <> '' GROUP BY 1) u
            WHERE vsm._name_fault(u.stage, 'stage') IS NULL AND u.stage NOT IN (SELECT s.name FROM vsm.stages s WHERE s.stream = of_stream)
              AND vsm._alias_key(u.stage) NOT IN (SELECT vsm._alias_key(k.name) FROM vsm.stage_aliases k WHERE k.stream = of_stream
                                                  UNION ALL SELECT vsm._alias_key(a.name) FROM vsm._read_aliases(aliases) a));
END $$;
COMMENT ON FUNCTION vsm._import_stages_of_rows(text, json) IS
    'The stages of vsm_import_rows that a stream lacks, as a list of wait stages; null: none. Errors: PT422 aliases.';

CREATE FUNCTION vsm._import_define_types(types text[]) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unknown CONSTANT text[] := ARRAY(SELECT u.name FROM unnest(types) WITH ORDINALITY u (name, place)
                                     WHERE u.name <> '' AND vsm._name_fault(u.name, 'work item type') IS NULL AND NOT EXISTS (SELECT FROM vsm.work_item_types t WHERE t.name = u.name)
                                     GROUP BY 1 ORDER BY min(u.place));
BEGIN
    IF cardinality(unknown) > 0 THEN
        PERFORM vsm._require_import_definer(NULL, 'vsm.work_item_types', 'types', 'create_types');
        INSERT INTO vsm.work_item_types (name) SELECT u FROM unnest(unknown) u ON CONFLICT DO NOTHING;
    END IF;
END $$;
COMMENT ON FUNCTION vsm._import_define_types(text[]) IS 'Defines types that are not defined yet. Errors: 42501.';

-- Those who may not define the stream use aliases for the one import.
CREATE FUNCTION vsm._keep_aliases(of_stream text, aliases json) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM vsm._read_aliases(aliases)) OR NOT has_table_privilege('vsm.stage_aliases', 'INSERT, UPDATE, DELETE')
       OR NOT vsm._may_define(of_stream, 'vsm.stage_aliases', 'INSERT') THEN
        RETURN;
    END IF;
    DELETE FROM vsm.stage_aliases k USING vsm._read_aliases(aliases) a
    WHERE k.stream = of_stream AND vsm._alias_key(k.name) = vsm._alias_key(a.name);
    INSERT INTO vsm.stage_aliases (stream, name, stage)
    SELECT of_stream, a.name, a.stage FROM vsm._read_aliases(aliases) a
    WHERE a.stage IS NULL OR EXISTS (SELECT FROM vsm.stages s WHERE s.stream = of_stream AND s.name = a.stage)
    ON CONFLICT ON CONSTRAINT stage_aliases_pkey DO UPDATE SET stage = excluded.stage;
END $$;
COMMENT ON FUNCTION vsm._keep_aliases(text, json) IS 'Keeps the aliases of an import for later ones, if the caller may define the stream. Errors: PT422.';

-- ---- Rows ----

-- Times whose day and month DateStyle would have to tell apart are refused, and zones of several countries.  One cast for all
-- rows is much faster than one that catches the error of each.
CREATE FUNCTION vsm._import_take_rows(aliases json) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given CONSTANT boolean := EXISTS (SELECT FROM vsm._read_aliases(aliases));
    take CONSTANT text := 'INSERT INTO pg_temp.vsm_import (ord, case_id, stage, entered_at, entered_text, type, title, source_row, sequence, refused)'
        ' SELECT row_number() OVER (), vsm._nfc(r.case_id), vsm._sought(r.stage), CASE WHEN r.refused IS NULL THEN %s END, r.entered_at,'
        ' vsm._sought(r.type), r.title, r.line, r.sequence, r.refused FROM pg_temp.vsm_import_rows r';
BEGIN
    IF given THEN
        DELETE FROM pg_temp.vsm_import_rows r USING vsm._read_aliases(aliases) a
        WHERE r.sequence IS NULL AND a.stage IS NULL AND vsm._alias_key(r.stage) = vsm._alias_key(a.name);
        UPDATE pg_temp.vsm_import_rows r SET stage = a.stage FROM vsm._read_aliases(aliases) a
        WHERE r.sequence IS NULL AND vsm._alias_key(r.stage) = vsm._alias_key(a.name);
    END IF;
    UPDATE pg_temp.vsm_import_rows r
    SET entered_at = vsm._plain_offset(r.entered_at),
        refused = format(CASE WHEN vsm._order_unknown(vsm._plain_offset(r.entered_at)) THEN 'the order of day and month in "%s" is not known'
                              WHEN vsm._time_by_word(vsm._plain_offset(r.entered_at)) THEN '"%s" is not a time' END, vsm._cut(btrim(r.entered_at)))
    WHERE r.refused IS NULL AND r.entered_at !~ '^[0-9]{4}-[-+:., T0-9]*Z?$' AND (vsm._order_unknown(r.entered_at) OR vsm._time_by_word(r.entered_at));
    BEGIN
        EXECUTE format(take, 'nullif(r.entered_at, '''')::timestamptz');
    EXCEPTION WHEN data_exception THEN
        EXECUTE format(take, 'vsm._read_time(r.entered_at)');
    END;
END $$;
COMMENT ON FUNCTION vsm._import_take_rows(json) IS 'Takes the rows of vsm_import_rows into an import, by the time zone of the session. Errors: PT422 aliases.';

CREATE FUNCTION vsm_api.import_begin() RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS $$
BEGIN
    -- only an earlier call in this transaction has made it, or somebody with whom a pooler shares the session
    IF EXISTS (SELECT FROM pg_class c WHERE c.oid = to_regclass('pg_temp.vsm_import_rows') AND c.relowner <> (SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user)) THEN
        RAISE EXCEPTION 'table vsm_import_rows of another role is in the way'
            USING ERRCODE = 'PT409', DETAIL = 'The session has a temporary table of that name.', HINT = 'Drop that table, or import in another session.';
    END IF;
    DROP TABLE IF EXISTS pg_temp.vsm_import_rows;
    CREATE TEMPORARY TABLE vsm_import_rows (case_id text, stage text, entered_at text, type text, title text,
                                        sequence bigint, line bigint, refused text) ON COMMIT DROP;
END $$;
COMMENT ON FUNCTION vsm_api.import_begin() IS
    'Makes the temporary table vsm_import_rows, for the events that import_end() imports in the same transaction: case_id, stage, entered_at '
    '(ISO 8601; without an offset in import_end()''s time_zone), type, title, all text; and, as needed, sequence (order of events of one '
    'item at one time; a row without it is one as its source writes it, and follows vsm.stage_aliases), line, refused (why the row is '
    'no event). Errors: 42501 no right to make temporary tables.';

CREATE FUNCTION vsm_api.import_end(stream text DEFAULT 'default', on_error text DEFAULT 'abort', create_stages boolean DEFAULT false,
                                   create_types boolean DEFAULT false, stages json DEFAULT NULL, aliases json DEFAULT NULL,
                                   time_zone text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET "TimeZone" = 'UTC'
AS $$
DECLARE
    of_stream text := vsm._sought(coalesce(stream, 'default'));
    of_error CONSTANT text := coalesce(on_error, 'abort');
    define json := CASE WHEN create_stages THEN stages END;
    before CONSTANT bigint := (SELECT coalesce(max(f.id), 0) FROM vsm.import_refusals f);
    zone text;
    result vsm.import_result;
BEGIN
    IF define IS NULL THEN
        of_stream := vsm._stream_for_item(of_stream, 'an admin defines a new one by create_stages => true');
    END IF;
    IF to_regclass('pg_temp.vsm_import_rows') IS NULL THEN
        RAISE EXCEPTION 'no import has begun'
            USING ERRCODE = 'PT422', DETAIL = 'There is no table vsm_import_rows in this transaction.', HINT = 'Call import_begin() first.';
    END IF;
    IF create_stages AND define IS NULL THEN
        define := vsm._import_stages_of_rows(of_stream, aliases);
    END IF;
    IF define IS NOT NULL THEN
        PERFORM vsm._import_define_stages(of_stream, define, time_zone);
    END IF;
    IF create_types THEN
        PERFORM vsm._import_define_types(ARRAY(SELECT vsm._sought(r.type) FROM pg_temp.vsm_import_rows r WHERE r.type <> '' GROUP BY 1 ORDER BY min(r.ctid)));
    END IF;
    zone := vsm._import_begin(of_stream, of_error, false);
    PERFORM vsm._set_zone(coalesce(time_zone, zone));
    PERFORM vsm._import_take_rows(aliases);
    PERFORM vsm._keep_aliases(of_stream, aliases);
    result := vsm._import_apply(of_stream, 'vsm_import_rows', false, of_error);
    DROP TABLE pg_temp.vsm_import_rows;
    RETURN (SELECT row_to_json(r)
            FROM (SELECT result.items, result.transitions, result.merged, result.skipped, result.refused AS refused_count,
                         ARRAY(SELECT row_to_json(f)
                               FROM (SELECT i.line, vsm._cut(i.case_id) AS case_id, vsm._cut(i.stage) AS stage, vsm._cut(i.entered_at) AS entered_at, i.reason FROM vsm.import_refusals i
                                     WHERE i.id > before AND i.refused_at = now() ORDER BY i.id LIMIT 20) f) AS refused,
                         result.breaches) r);
END $$;
COMMENT ON FUNCTION vsm_api.import_end(text, text, boolean, boolean, json, json, text) IS
    'Imports the rows of vsm_import_rows into a stream, and returns the counts of vsm.import_result. refused: the first 20 rows that '
    'on_error => skip skipped, each with the reason. create_stages: defines the stages, [{"name", "category"}] in order, that the stream '
    'lacks, and the stream; without a list, those of the rows, as wait stages before the done stages of a stream that is there. create_types: defines the types of the '
    'rows. aliases: {name in the rows: stage}, kept for later imports by those who may define the stream. time_zone: of times without an '
    'offset; null: the stream''s. Errors: PT404 stream; PT422 stages, types or rows refused; 42501.';
