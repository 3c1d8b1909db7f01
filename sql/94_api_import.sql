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

-- Quoted fields may hold commas, line ends and doubled quotes (RFC 4180); a blank line is no row.
CREATE FUNCTION vsm._read_csv(content text) RETURNS TABLE (place bigint, fields text[])
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    field CONSTANT text := '("(?:[^"]|"")*"|[^",\r\n]*)(,|\r\n|\n|\r|$)';
BEGIN
    IF (SELECT coalesce(sum(length(m[1]) + length(m[2])), 0) FROM regexp_matches(content, field, 'g') m) <> length(content) THEN
        RAISE EXCEPTION 'the text is not CSV'
            USING ERRCODE = 'PT422', COLUMN = 'content', DETAIL = 'A quote is not closed, or stands in a field that has none around it.',
                  HINT = 'Put fields with commas, quotes or line ends in quotes, and double the quotes in them.';
    END IF;
    RETURN QUERY
    SELECT f.row, array_agg(CASE WHEN starts_with(f.value, '"') THEN replace(substr(f.value, 2, length(f.value) - 2), '""', '"')
                                 ELSE f.value END ORDER BY f.n)
    FROM (SELECT m.n, m.found[1] AS value, 1 + count(*) FILTER (WHERE m.found[2] <> ',') OVER before AS row
          FROM regexp_matches(content, field, 'g') WITH ORDINALITY m (found, n)
          WINDOW before AS (ORDER BY m.n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) f
    GROUP BY f.row HAVING count(*) > 1 OR max(f.value) <> ''
    ORDER BY f.row;
END $$;
COMMENT ON FUNCTION vsm._read_csv(text) IS 'The rows of a text in CSV. Errors: PT422.';

CREATE FUNCTION vsm._import_csv(content text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    csv CONSTANT text := ltrim(content, U&'\FEFF\000A\000D');        -- a byte order mark is none of the first name
    header CONSTANT text[] := (SELECT c.fields FROM vsm._read_csv(split_part(csv, E'\n', 1)) c ORDER BY c.place LIMIT 1);
    missing CONSTANT text := (
        SELECT string_agg(format('"%s"', w.name), ', ' ORDER BY w.place)
        FROM unnest(ARRAY['case_id', 'stage', 'entered_at']) WITH ORDINALITY w (name, place)
        WHERE array_position(header, w.name) IS NULL);
BEGIN
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'the CSV lacks columns'
            USING ERRCODE = 'PT422', COLUMN = 'content', DETAIL = format('Its first line does not name %s.', missing),
                  HINT = 'Name the columns in the first line: case_id,stage,entered_at and, as needed, type and title.';
    END IF;
    INSERT INTO pg_temp.import_rows
    SELECT c.fields[array_position(header, 'case_id')], c.fields[array_position(header, 'stage')],
           c.fields[array_position(header, 'entered_at')], c.fields[array_position(header, 'type')],
           c.fields[array_position(header, 'title')]
    FROM vsm._read_csv(csv) c WHERE c.place > 1 ORDER BY c.place;
END $$;
COMMENT ON FUNCTION vsm._import_csv(text) IS 'Fills import_rows from CSV with a header. Errors: PT422.';

CREATE FUNCTION vsm._import_json(events json[]) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO pg_temp.import_rows
    SELECT e.event ->> 'case_id', e.event ->> 'stage', e.event ->> 'entered_at', e.event ->> 'type', e.event ->> 'title'
    FROM unnest(events) WITH ORDINALITY e (event, place) ORDER BY e.place;
END $$;
COMMENT ON FUNCTION vsm._import_json(json[]) IS 'Fills import_rows from objects.';

CREATE FUNCTION vsm_api.import(content text, format text DEFAULT 'csv', stream text DEFAULT 'default', on_error text DEFAULT 'abort')
    RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    events json[];
BEGIN
    PERFORM vsm_api.import_begin();
    CASE coalesce(import.format, 'csv')
    WHEN 'csv' THEN
        PERFORM vsm._import_csv(coalesce(content, ''));
    WHEN 'ndjson' THEN
        BEGIN
            events := ARRAY(SELECT l.line::json FROM regexp_split_to_table(coalesce(content, ''), '[\r\n]+') WITH ORDINALITY l (line, place)
                            WHERE l.line ~ '\S' ORDER BY l.place);
        EXCEPTION WHEN data_exception THEN
            RAISE EXCEPTION 'the text is not NDJSON'
                USING ERRCODE = 'PT422', COLUMN = 'content', DETAIL = upper(left(sqlerrm, 1)) || substr(sqlerrm, 2) || '.',
                      HINT = 'Give one JSON object a line: {"case_id":"A-1","stage":"Backlog","entered_at":"2026-01-05T09:00:00Z"}.';
        END;
        PERFORM vsm._import_json(events);
    ELSE
        RAISE EXCEPTION 'format cannot be "%"', import.format
            USING ERRCODE = 'PT422', COLUMN = 'format', DETAIL = 'It says how to read the content.', HINT = 'Give csv or ndjson.';
    END CASE;
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
            USING ERRCODE = 'PT422', COLUMN = 'events', DETAIL = 'It is neither an array nor an object with the key "events" and an array.',
                  HINT = 'For example [{"case_id":"A-1","stage":"Backlog","entered_at":"2026-01-05T09:00:00Z"}].';
    END IF;
    PERFORM vsm_api.import_begin();
    PERFORM vsm._import_json(ARRAY(SELECT e.value FROM json_array_elements(events) WITH ORDINALITY e ORDER BY e.ordinality));
    RETURN vsm_api.import_end(CASE WHEN NOT is_list THEN $1 ->> 'stream' END, CASE WHEN NOT is_list THEN $1 ->> 'on_error' END);
END $$;
COMMENT ON FUNCTION vsm_api.import_events(json) IS
    'Imports entries into stages from a JSON body: an array of {"case_id", "stage", "entered_at", "type", "title"}, or {"stream", '
    '"on_error", "events": [...]}. Errors: PT404 stream; PT422 stages, types or rows refused.';
