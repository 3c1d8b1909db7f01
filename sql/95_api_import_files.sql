-- 95_api_import_files: history from the body of a request, and from files of any kind
--
-- src/csv says what a text is and reads it.  Here the answer is checked against the stream: its time zone, its stages, and the
-- aliases that are kept.

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
