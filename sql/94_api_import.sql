-- 94_api_import: history from the body of a request, and from files of any kind
--
-- src/csv says what a text is and reads it.  Here the answer is checked against the stream: its time zone, its stages, the
-- aliases that are kept, and what is to be defined first, by those who may.

CREATE FUNCTION vsm._recognise(content bytea, options jsonb DEFAULT '{}') RETURNS json
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__recognise';
COMMENT ON FUNCTION vsm._recognise(bytea, jsonb) IS
    'What a file of delimited text is: a proposal, a question or a refusal (outcome). options: an object with any of item, stage, time, '
    'type, title (names of columns), form, dates, direction, time_zone, aliases ({name: stage}), stages ([{"name", "category"}]). Errors: PT422 options.';

CREATE FUNCTION vsm._recognised_events(content bytea, options jsonb DEFAULT '{}')
    RETURNS TABLE (line bigint, case_id text, stage text, entered_at timestamptz, entered_text text, type text, title text,
                   sequence bigint, refused text)
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__recognised_events';
COMMENT ON FUNCTION vsm._recognised_events(bytea, jsonb) IS
    'The events of a file of delimited text, as vsm._recognise() proposes to read it. sequence: order of events of one item at one time. '
    'refused: why the row is none, with its texts as in the file. Errors: PT422 options, and a file that is no proposal.';

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
                 ARRAY(SELECT format('Stage "%s" %s.', vsm._cut(g.name), vsm._name_fault(g.name, 'stage'))
                       FROM vsm._read_given_stages(import_changes.stages) g WHERE vsm._name_fault(g.name, 'stage') IS NOT NULL
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
        PERFORM vsm.define_stream(of_stream,
                                  (SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('name', g.name, 'category', g.category)) ORDER BY g.place)
                                   FROM vsm._read_given_stages(stages) g), zone);
        RETURN;
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
    WHERE a.stage IS NULL OR EXISTS (SELECT FROM vsm.stages s WHERE s.stream = of_stream AND s.name = a.stage);
END $$;
COMMENT ON FUNCTION vsm._keep_aliases(text, json) IS 'Keeps the aliases of an import for later ones, if the caller may define the stream. Errors: PT422.';

-- ---- Rows that a client copies in ----

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

-- ---- Files ----

CREATE FUNCTION vsm._read_events(content text, format text)
    RETURNS TABLE (line bigint, case_id text, stage text, entered_at text, type text, title text)
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__read_events';
COMMENT ON FUNCTION vsm._read_events(text, text) IS
    'The events of a text in CSV or NDJSON, each with the line where it begins. Errors: PT422 content, format.';

CREATE FUNCTION vsm._refuse_recognition(answer json, of_ndjson boolean) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    option CONSTANT text := answer ->> 'option';
    line CONSTANT text := substring(answer ->> 'detail' FROM '^Line ([0-9]+):');
    -- CSV that was made of NDJSON has a line more
    fact CONSTANT text := CASE WHEN of_ndjson AND line IS NOT NULL
                               THEN regexp_replace(answer ->> 'detail', '[0-9]+', (line::bigint - 1)::text) ELSE answer ->> 'detail' END;
BEGIN
    RAISE EXCEPTION '%', answer ->> 'message'
        USING ERRCODE = 'PT422', COLUMN = coalesce(option, 'content'), CONSTRAINT = coalesce(answer ->> 'code', ''),
              DETAIL = coalesce(fact, 'The content is not understood as a log of items and their stages.'),
              HINT = concat_ws(' ', answer ->> 'hint',
                               CASE option
                                   WHEN 'dates' THEN 'Give dates => ''DMY'', ''MDY'' or ''YMD''.'
                                   WHEN 'direction' THEN 'Give direction => ''oldest_first'' or ''newest_first''.'
                                   ELSE 'Give ' || option || ' => the name of the column.' END);
END $$;
COMMENT ON FUNCTION vsm._refuse_recognition(json, boolean) IS
    'Raises what vsm._recognise() asks or refuses. The error''s column is the option that decides, its constraint the code. Errors: PT422.';

-- NDJSON as CSV, so that it is recognised as any file is.  The title's place has the number of the line, so that titles and
-- lines are those of the NDJSON.  A blank line stays one.
CREATE FUNCTION vsm._csv_of_ndjson(content text) RETURNS bytea
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT convert_to('case_id,stage,entered_at,type,title'
                      || string_agg(repeat(chr(10), (e.line - e.last)::integer)
                                    || format('"%s","%s","%s","%s",%s', replace(e.case_id, '"', '""'), replace(e.stage, '"', '""'),
                                              replace(e.entered_at, '"', '""'), replace(e.type, '"', '""'), e.line), '' ORDER BY e.line), 'UTF8')
    FROM (SELECT n.*, lag(n.line, 1, 0::bigint) OVER (ORDER BY n.line) AS last FROM vsm._read_events(_csv_of_ndjson.content, 'ndjson') n) e;
END;
COMMENT ON FUNCTION vsm._csv_of_ndjson(text) IS 'Events in NDJSON as CSV, with their line for a title; null: there are none. Errors: PT422 content.';

-- ndjson: what the content was made of, or null
CREATE FUNCTION vsm._file_events(content bytea, options jsonb, ndjson text)
    RETURNS TABLE (line bigint, case_id text, stage text, entered_at timestamptz, entered_text text, type text, title text,
                   sequence bigint, refused text)
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF ndjson IS NULL THEN
        RETURN QUERY SELECT e.* FROM vsm._recognised_events(content, options) e;
    ELSE
        RETURN QUERY
        SELECT coalesce(n.line, e.line - 1), e.case_id, e.stage, e.entered_at, e.entered_text, e.type, n.title, e.sequence, e.refused
        FROM vsm._recognised_events(content, options) e LEFT JOIN vsm._read_events(ndjson, 'ndjson') n ON n.line = e.title::bigint;
    END IF;
END $$;
COMMENT ON FUNCTION vsm._file_events(bytea, jsonb, text) IS 'vsm._recognised_events(), also for NDJSON. Errors: PT422.';

-- What an import would do, by reading only.  source: $1 content, $2 options and $3 ndjson of a file, or rows that have come.
CREATE FUNCTION vsm._import_rehearsal(source text, content bytea, options jsonb, ndjson text, of_stream text, stages json, types json)
    RETURNS TABLE (items bigint, transitions bigint, merged bigint, skipped bigint, refused_count bigint, refused json[], breaches bigint, changes json)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
BEGIN
    RETURN QUERY EXECUTE format($query$
        WITH read AS MATERIALIZED (
            SELECT e.line, vsm._nfc(e.case_id) AS case_id, vsm._sought(e.stage) AS stage, e.entered_at, e.entered_text, e.sequence,
                   coalesce(e.refused, vsm._import_objection(e.case_id, e.stage, e.entered_at, e.entered_text, e.title, true, e.type, true,
                                                             clock_timestamp() + '5 minutes')) AS reason
            FROM %s e),
        events AS (
            SELECT r.case_id, r.stage, r.entered_at, true AS new, NULL::bigint AS id, r.sequence, r.line FROM read r WHERE r.reason IS NULL
            UNION ALL
            SELECT w.external_id, s.name, k."timestamp", false, k.id, NULL, NULL
            FROM vsm.work_items w
            CROSS JOIN LATERAL (SELECT t."timestamp", t.id, t.to_stage_id FROM vsm.stage_transitions t WHERE t.work_item_id = w.id
                                UNION ALL
                                SELECT m."timestamp", m.id, m.stage_id FROM vsm._merged_events m WHERE m.work_item_id = w.id) k
            JOIN vsm.stages s ON s.id = k.to_stage_id
            WHERE w.stream = $4 AND w.external_id IN (SELECT r.case_id FROM read r WHERE r.reason IS NULL)),
        told AS (
            SELECT e.*, e.new AND row_number() OVER (PARTITION BY e.case_id, e.entered_at, e.stage ORDER BY e.new, e.id, e.sequence, e.line) > 1 AS copy
            FROM events e),
        placed AS (
            SELECT t.*, t.new AND lag(t.stage) OVER (PARTITION BY t.case_id ORDER BY t.entered_at, t.id, t.sequence, t.line) IS NOT DISTINCT FROM t.stage
                        AS merged
            FROM told t WHERE NOT t.copy)
        SELECT count(DISTINCT p.case_id) FILTER (WHERE p.new), count(*) FILTER (WHERE p.new AND NOT p.merged),
               count(*) FILTER (WHERE p.new AND p.merged), (SELECT count(*) FROM told t WHERE t.copy),
               (SELECT count(*) FROM read d WHERE d.reason IS NOT NULL),
               ARRAY(SELECT row_to_json(f)
                     FROM (SELECT d.line, vsm._cut(d.case_id) AS case_id, vsm._cut(d.stage) AS stage,
                                  vsm._cut(coalesce(d.entered_text, d.entered_at::text)) AS entered_at, d.reason
                           FROM read d WHERE d.reason IS NOT NULL ORDER BY d.line, d.sequence LIMIT 20) f),
               NULL::bigint, vsm_api.import_changes($5, $6, $4)
        FROM placed p$query$, source) USING content, options, ndjson, of_stream, stages, types;
END $$;
COMMENT ON FUNCTION vsm._import_rehearsal(text, bytea, jsonb, text, text, json, json) IS
    'The answer to an import that is only tried, with what it would have to define first. Errors: PT422.';

CREATE FUNCTION vsm_api.import_rehearse(stream text DEFAULT 'default', stages json DEFAULT NULL, types json DEFAULT NULL) RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF to_regclass('pg_temp.vsm_import_rows') IS NULL THEN
        RAISE EXCEPTION 'no import has begun'
            USING ERRCODE = 'PT422', DETAIL = 'There is no table vsm_import_rows in this transaction.', HINT = 'Call import_begin() first.';
    END IF;
    RETURN (SELECT row_to_json(t)
            FROM vsm._import_rehearsal('(SELECT r.line, r.case_id, r.stage, CASE WHEN r.refused IS NULL THEN r.entered_at::timestamptz END AS entered_at,'
                                       ' r.entered_at AS entered_text, r.type, r.title, r.sequence, r.refused FROM pg_temp.vsm_import_rows r)',
                                       NULL, NULL, NULL, vsm._sought(coalesce(import_rehearse.stream, 'default')), stages, types) t);
END $$;
COMMENT ON FUNCTION vsm_api.import_rehearse(text, json, json) IS
    'What import_end() would do with the rows of vsm_import_rows, of a file that was recognised, and writes nothing: the counts of vsm.import_result and '
    'the first 20 rows refused, and changes as import_changes(stages, types, stream) tells them. Errors: PT422.';

CREATE FUNCTION vsm._nothing_imported(answer json) RETURNS json
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT row_to_json(r)
    FROM (SELECT 0 AS items, 0 AS transitions, 0 AS merged, 0 AS skipped, 0 AS refused_count, '{}'::json[] AS refused, 0 AS breaches,
                 answer AS proposal) r;
END;
COMMENT ON FUNCTION vsm._nothing_imported(json) IS 'The answer to an import of a log without events.';

CREATE FUNCTION vsm._import_file(content bytea, of_stream text, on_error text, dry_run boolean, create_stages boolean,
                                 create_types boolean, options jsonb, aliases json, ndjson text DEFAULT NULL) RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET "TimeZone" = 'UTC'
AS $$
DECLARE
    settings CONSTANT json := vsm_api.import_settings(of_stream, options ->> 'time_zone');
    zone CONSTANT text := settings ->> 'time_zone';
    answer json;
    result json;
BEGIN
    -- names in the call go before those that are kept, in whatever case they are written
    options := options || jsonb_build_object('time_zone', zone, 'categories', settings -> 'categories', 'aliases', (
        SELECT coalesce(jsonb_object_agg(n.name, n.stage), '{}')
        FROM (SELECT a.name, a.stage FROM vsm._read_aliases(aliases) a
              UNION ALL
              SELECT k.key, k.value FROM json_each_text(settings -> 'aliases') k
              WHERE vsm._alias_key(k.key) NOT IN (SELECT vsm._alias_key(a.name) FROM vsm._read_aliases(aliases) a)) n));
    answer := vsm._recognise(content, options);
    IF answer ->> 'code' = 'no_rows' AND NOT EXISTS (
        SELECT FROM unnest('{case_id,stage,entered_at}'::text[]) c
        WHERE c NOT IN (SELECT lower(btrim(n.value)) FROM json_array_elements_text(answer -> 'columns') n)) THEN
        -- a log, of which nothing is new
        RETURN vsm._nothing_imported(answer);
    END IF;
    IF answer ->> 'outcome' <> 'proposal' THEN
        PERFORM vsm._refuse_recognition(answer, ndjson IS NOT NULL);
    END IF;
    IF ndjson IS NOT NULL THEN
        answer := jsonb_set(answer::jsonb, '{refused}', (
            SELECT coalesce(jsonb_agg(f.value || jsonb_build_object('line', (f.value ->> 'line')::bigint - 1) ORDER BY f.n), '[]')
            FROM jsonb_array_elements(answer::jsonb -> 'refused') WITH ORDINALITY f (value, n)));
    END IF;
    IF dry_run THEN
        RETURN (SELECT row_to_json(t)
                FROM (SELECT r.*, answer AS proposal
                      FROM vsm._import_rehearsal('vsm._file_events($1, $2, $3)', content, options, ndjson, of_stream, answer -> 'stages',
                                                 answer -> 'types') r) t);
    END IF;
    PERFORM vsm_api.import_begin();
    INSERT INTO pg_temp.vsm_import_rows (case_id, stage, entered_at, type, title, sequence, line, refused)
    SELECT e.case_id, e.stage, coalesce(e.entered_text, e.entered_at::text), e.type, e.title, e.sequence, e.line, e.refused
    FROM vsm._file_events(content, options, ndjson) e;
    result := vsm_api.import_end(of_stream, on_error, create_stages, create_types,
                                 CASE WHEN create_stages THEN answer -> 'stages' END, aliases, zone);
    RETURN (SELECT row_to_json(r)
            FROM (SELECT result -> 'items' AS items, result -> 'transitions' AS transitions, result -> 'merged' AS merged,
                         result -> 'skipped' AS skipped, result -> 'refused_count' AS refused_count, result -> 'refused' AS refused,
                         result -> 'breaches' AS breaches, answer AS proposal) r);
END $$;
COMMENT ON FUNCTION vsm._import_file(bytea, text, text, boolean, boolean, boolean, jsonb, json, text) IS
    'Imports a file, or tries to, with the options of vsm._recognise(). Errors: as vsm_api.import().';

CREATE FUNCTION vsm_api.import(content text, format text DEFAULT 'csv', stream text DEFAULT 'default', on_error text DEFAULT 'abort',
                               dry_run boolean DEFAULT false, create_stages boolean DEFAULT false, create_types boolean DEFAULT false,
                               dates text DEFAULT NULL, direction text DEFAULT NULL, time_zone text DEFAULT NULL, item text DEFAULT NULL,
                               stage text DEFAULT NULL, "time" text DEFAULT NULL, type text DEFAULT NULL, title text DEFAULT NULL,
                               stages json DEFAULT NULL, aliases json DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of_stream CONSTANT text := vsm._sought(coalesce(stream, 'default'));
    options CONSTANT jsonb := jsonb_strip_nulls(jsonb_build_object(
        'dates', nullif(dates, ''), 'direction', nullif(direction, ''), 'time_zone', nullif(time_zone, ''), 'item', nullif(item, ''),
        'stage', nullif(stage, ''), 'time', nullif("time", ''), 'type', nullif(type, ''), 'title', nullif(title, ''),
        'stages', (SELECT jsonb_agg(jsonb_build_object('name', g.name, 'category', g.category) ORDER BY g.place)
                   FROM vsm._read_given_stages(stages) g)));
    csv bytea;
BEGIN
    IF coalesce(format, 'csv') NOT IN ('csv', 'ndjson') THEN
        RAISE EXCEPTION 'format cannot be "%"', vsm._cut(format)
            USING ERRCODE = 'PT422', COLUMN = 'format', DETAIL = 'format says how to read the content.', HINT = 'Give csv or ndjson.';
    END IF;
    IF coalesce(on_error, 'abort') NOT IN ('abort', 'skip') THEN
        RAISE EXCEPTION 'on_error cannot be "%"', vsm._cut(on_error)
            USING ERRCODE = 'PT422', COLUMN = 'on_error', DETAIL = 'on_error says what happens to the import when a row cannot be imported.',
                  HINT = 'Give abort (the default) or skip.';
    END IF;
    IF NOT coalesce(dry_run, false) AND NOT coalesce(create_stages, false) THEN
        PERFORM vsm._stream_for_item(of_stream, 'an admin defines a new one by create_stages => true');
    END IF;
    IF format = 'ndjson' THEN
        csv := vsm._csv_of_ndjson(coalesce(content, ''));
        RETURN CASE WHEN csv IS NULL THEN vsm._nothing_imported(NULL)
                    ELSE vsm._import_file(csv, of_stream, on_error, dry_run, create_stages, create_types,
                                          options || '{"item": "case_id", "stage": "stage", "time": "entered_at", "type": "type", "title": "title"}',
                                          aliases, content) END;
    END IF;
    RETURN vsm._import_file(convert_to(coalesce(content, ''), 'UTF8'), of_stream, on_error, dry_run, create_stages, create_types, options, aliases);
END $$;
COMMENT ON FUNCTION vsm_api.import(text, text, text, text, boolean, boolean, boolean, text, text, text, text, text, text, text, text, json, json) IS
    'Imports a log, in any order and repeatedly. content: what a tracker exports as delimited text, or CSV with the columns case_id, stage, '
    'entered_at and, as needed, type and title, or NDJSON with one object of these keys a line. on_error: abort, or skip rows that cannot be '
    'imported. dry_run: writes nothing, and answers what the import would do. create_stages, create_types: define what the stream lacks, and '
    'the stream. dates (DMY, MDY, YMD), direction (oldest_first, newest_first), time_zone, and the columns item, stage, time, type and '
    'title: what is not to be guessed. stages: all in order, [{"name", "category"}]. aliases: {name in the file: stage}; null: rows with that '
    'name are no moves. Returns the counts of vsm.import_result, the first 20 rows refused, and the proposal by which the file was read. '
    'Errors: PT404 stream; PT422 what must be asked (the error''s column is the option that decides), stages, types or rows refused; 42501.';

-- The parameter has no name, so that PostgREST passes the whole body in it.
CREATE FUNCTION vsm_api.import_events(json) RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    is_list CONSTANT boolean := json_typeof($1) = 'array';
    events CONSTANT json := CASE WHEN is_list THEN $1 WHEN json_typeof($1) = 'object' THEN $1 -> 'events' END;
    unknown text;
BEGIN
    IF json_typeof(events) IS DISTINCT FROM 'array' THEN
        RAISE EXCEPTION 'the body has no list of events'
            USING ERRCODE = 'PT422', COLUMN = 'events', DETAIL = 'The body is neither an array nor an object with the key "events" and an array.',
                  HINT = 'For example [{"case_id":"A-1","stage":"Backlog","entered_at":"2026-01-05T09:00:00Z"}].';
    END IF;
    IF NOT is_list THEN
        unknown := (SELECT k.key FROM json_object_keys($1) WITH ORDINALITY k (key, n)
                    WHERE k.key NOT IN ('stream', 'on_error', 'events') ORDER BY k.n LIMIT 1);
        IF unknown IS NOT NULL THEN
            RAISE EXCEPTION 'the body cannot have the key "%"', vsm._cut(unknown)
                USING ERRCODE = 'PT422', COLUMN = 'events', DETAIL = 'No such key is known, so what it should change would not be.',
                      HINT = 'The keys are events, stream and on_error.';
        END IF;
    END IF;
    -- it cannot define one
    PERFORM vsm._stream_for_item(CASE WHEN NOT is_list THEN $1 ->> 'stream' END);
    PERFORM vsm_api.import_begin();
    INSERT INTO pg_temp.vsm_import_rows
    SELECT e.value ->> 'case_id', e.value ->> 'stage', e.value ->> 'entered_at', e.value ->> 'type', e.value ->> 'title'
    FROM json_array_elements(events) e;
    RETURN vsm_api.import_end(CASE WHEN NOT is_list THEN $1 ->> 'stream' END, CASE WHEN NOT is_list THEN $1 ->> 'on_error' END);
END $$;
COMMENT ON FUNCTION vsm_api.import_events(json) IS
    'Imports entries into stages from a JSON body: an array of {"case_id", "stage", "entered_at", "type", "title"}, or {"stream", '
    '"on_error", "events": [...]}. Errors: PT404 stream; PT422 stages, types or rows refused, other keys beside events.';
