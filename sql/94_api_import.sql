-- 94_api_import: history from a request's body

CREATE FUNCTION vsm_api.import_begin() RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS $$
BEGIN
    DROP TABLE IF EXISTS pg_temp.import_rows;
    CREATE TEMPORARY TABLE import_rows (case_id text, stage text, entered_at text, type text, title text) ON COMMIT DROP;
END $$;
COMMENT ON FUNCTION vsm_api.import_begin() IS
    'Makes the temporary table import_rows (case_id, stage, entered_at, type, title), all text, for the events that import_end() imports '
    'in the same transaction. Errors: 42501 no right to make temporary tables.';

CREATE FUNCTION vsm_api.import_end(stream text DEFAULT 'default', on_error text DEFAULT 'abort') RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of_stream CONSTANT text := vsm._stream_for_item(stream);
    before CONSTANT bigint := (SELECT coalesce(max(f.id), 0) FROM vsm.import_refusals f);
    result vsm.import_result;
BEGIN
    IF to_regclass('pg_temp.import_rows') IS NULL THEN
        RAISE EXCEPTION 'no import has begun'
            USING ERRCODE = 'PT422', DETAIL = 'There is no table import_rows in this transaction.', HINT = 'Call import_begin() first.';
    END IF;
    result := vsm.import_events(to_regclass('pg_temp.import_rows'), of_stream, on_error => coalesce(on_error, 'abort'));
    DROP TABLE pg_temp.import_rows;
    RETURN (SELECT row_to_json(r)
            FROM (SELECT result.items, result.transitions, result.merged, result.skipped, result.refused AS refused_count,
                         ARRAY(SELECT row_to_json(f)
                               FROM (SELECT i.case_id, i.stage, i.entered_at, i.reason FROM vsm.import_refusals i
                                     WHERE i.id > before AND i.refused_at = now() ORDER BY i.id LIMIT 20) f) AS refused) r);
END $$;
COMMENT ON FUNCTION vsm_api.import_end(text, text) IS
    'Imports the rows of import_rows into a stream and counts what became of them; refused: the first 20 rows that on_error => skip left '
    'out, with the reason. Errors: PT404 stream; PT422 stages, types or rows refused.';

CREATE FUNCTION vsm._read_events(content text, format text)
    RETURNS TABLE (line bigint, case_id text, stage text, entered_at text, type text, title text)
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__read_events';
COMMENT ON FUNCTION vsm._read_events(text, text) IS
    'The events of a text in CSV or NDJSON, each with the line where it begins. Errors: PT422 content, format.';

CREATE FUNCTION vsm_api.import(content text, format text DEFAULT 'csv', stream text DEFAULT 'default', on_error text DEFAULT 'abort')
    RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM vsm_api.import_begin();
    INSERT INTO pg_temp.import_rows
    SELECT e.case_id, e.stage, e.entered_at, e.type, e.title
    FROM vsm._read_events(coalesce(content, ''), coalesce(import.format, 'csv')) e;
    RETURN vsm_api.import_end(stream, on_error);
END $$;
COMMENT ON FUNCTION vsm_api.import(text, text, text, text) IS
    'Imports entries into stages, in any order and again as often as you like. content: CSV with the columns case_id, stage, entered_at '
    'and, as needed, type and title named in its first line, or NDJSON, an object with these keys a line. on_error: abort, or '
    'skip rows that cannot be imported. Errors: PT404 stream; PT422 content, stages, types or rows refused.';

-- The parameter has no name, so PostgREST hands it the whole body.
CREATE FUNCTION vsm_api.import_events(json) RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    is_list CONSTANT boolean := json_typeof($1) = 'array';
    events CONSTANT json := CASE WHEN is_list THEN $1 WHEN json_typeof($1) = 'object' THEN $1 -> 'events' END;
BEGIN
    IF json_typeof(events) IS DISTINCT FROM 'array' THEN
        RAISE EXCEPTION 'the body has no list of events'
            USING ERRCODE = 'PT422', COLUMN = 'events', DETAIL = 'The body is neither an array nor an object with the key "events" and an array.',
                  HINT = 'For example [{"case_id":"A-1","stage":"Backlog","entered_at":"2026-01-05T09:00:00Z"}].';
    END IF;
    PERFORM vsm_api.import_begin();
    INSERT INTO pg_temp.import_rows
    SELECT e.value ->> 'case_id', e.value ->> 'stage', e.value ->> 'entered_at', e.value ->> 'type', e.value ->> 'title'
    FROM json_array_elements(events) e;
    RETURN vsm_api.import_end(CASE WHEN NOT is_list THEN $1 ->> 'stream' END, CASE WHEN NOT is_list THEN $1 ->> 'on_error' END);
END $$;
COMMENT ON FUNCTION vsm_api.import_events(json) IS
    'Imports entries into stages from a JSON body: an array of {"case_id", "stage", "entered_at", "type", "title"}, or {"stream", '
    '"on_error", "events": [...]}. Errors: PT404 stream; PT422 stages, types or rows refused.';
