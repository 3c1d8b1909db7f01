-- Every bad input gets an error with SQLSTATE, message, detail and hint, and leaves nothing half-done.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
SET IntervalStyle = postgres;
CREATE EXTENSION vsm;
\pset format unaligned
\pset tuples_only on

-- The parts of the error that a statement raises; times that depend on the clock are masked.
CREATE TABLE errors (n serial, statement text, state text, message text, detail text, hint text);
CREATE FUNCTION error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text;
    message text;
    detail text;
    hint text;
BEGIN
    BEGIN
        EXECUTE statement;
        INSERT INTO errors (statement) VALUES (statement);
        RETURN 'no error: ' || statement;
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    END;
    INSERT INTO errors (statement, state, message, detail, hint) VALUES (statement, state, message, detail, hint);
    RETURN regexp_replace(concat_ws(E'\n  ', state || ' ' || message, nullif(detail, ''), nullif(hint, '')),
                          to_char(clock_timestamp(), '"("YYYY"|"') || to_char(clock_timestamp() + '1 day', 'YYYY")"') || '-[0-9][0-9-]* [0-9:.]+( UTC|\+00)', 'TIME', 'g');
END $$;

SELECT 'item ' || id FROM vsm.create_work_item('item', external_id => 'X', at => '2024-01-02');
SELECT 'moved ' || work_item_id FROM vsm.transition(1, 'Analysis', '2024-01-03');
SELECT name FROM vsm.define_stream('ops', '[{"name": "Open", "category": "wait"}, {"name": "Closed", "category": "done"}]');
UPDATE vsm.stages SET retired_at = now() WHERE stream = 'default' AND name = 'Deployment';
CREATE VIEW everything AS
    SELECT (SELECT json_agg(w ORDER BY id) FROM vsm.work_items w)::text || (SELECT json_agg(t ORDER BY id) FROM vsm.stage_transitions t)::text
           || (SELECT json_agg(s ORDER BY id) FROM vsm.stages s)::text || (SELECT json_agg(v ORDER BY id) FROM vsm.value_streams v)::text AS state;
SELECT state AS before FROM everything \gset

-- Unknown item, stage, stream, type.
SELECT error_of($$SELECT vsm.transition(99, 'Testing')$$);
SELECT error_of($$SELECT vsm.history(99)$$);
SELECT error_of($$SELECT vsm.history(NULL)$$);
SELECT error_of($$SELECT vsm.transition(1, 'testing')$$);
SELECT error_of($$SELECT vsm.transition(1, 'Open')$$);
SELECT error_of($$SELECT vsm.transition(1, '')$$);
SELECT error_of($$SELECT vsm.transition(NULL, 'Testing')$$);
SELECT error_of($$SELECT vsm.transition(1, NULL)$$);
SELECT error_of($$UPDATE vsm.work_items SET stage_id = 99$$);
SELECT error_of($$UPDATE vsm.work_items SET stage_id = (SELECT id FROM vsm.stages WHERE name = 'Open')$$);
SELECT error_of($$INSERT INTO vsm.work_items (title, stage_id) VALUES ('new', 99)$$);
SELECT error_of($$INSERT INTO vsm.work_items (title, stage_id) SELECT 'new', id FROM vsm.stages WHERE name = 'Open'$$);
SELECT error_of($$SELECT vsm.create_work_item('new', stream => 'Default')$$);
SELECT error_of($$INSERT INTO vsm.work_items (title, stream) VALUES ('new', '')$$);
SELECT error_of($$SELECT vsm.create_work_item('new', 'story')$$);
SELECT error_of($$SELECT vsm.create_work_item('new', 'it''s')$$);
SELECT error_of($$INSERT INTO vsm.work_items (title, id) VALUES ('new', 9007199254740992)$$);
SELECT error_of($$UPDATE vsm.work_items SET type = 'Bug'$$);

-- A title that is missing, empty or too long; NUL is the server's own error.
SELECT error_of($$SELECT vsm.create_work_item(NULL)$$);
SELECT error_of($$SELECT vsm.create_work_item('')$$);
SELECT error_of($$SELECT vsm.create_work_item(repeat('x', 501))$$);
SELECT error_of($$INSERT INTO vsm.work_items (type) VALUES ('bug')$$);
SELECT error_of($$UPDATE vsm.work_items SET title = NULL$$);
SELECT error_of($$UPDATE vsm.work_items SET title = ''$$);
SELECT error_of($$UPDATE vsm.work_items SET title = repeat('x', 501)$$);
SELECT substr(error_of($$SELECT vsm.create_work_item('a' || chr(0))$$), 1, 5);
SELECT substr(error_of($$SELECT vsm.create_work_item(E'a\u0000b')$$), 1, 5);
SELECT substr(error_of($$SELECT vsm.create_work_item('{"title": "a\u0000b"}'::jsonb ->> 'title')$$), 1, 5);
DELETE FROM errors WHERE state NOT LIKE 'PT%';
SELECT error_of($$INSERT INTO vsm.work_items (title, external_id) VALUES ('new', '')$$);

-- A time before the item's last move, in the future, infinite.
SELECT error_of($$SELECT vsm.transition(1, 'Testing', '2024-01-02 23:59:59.999999')$$);
SELECT error_of($$SELECT vsm.transition(1, 'Testing', clock_timestamp() + interval '5 minutes 2 seconds')$$);
SELECT error_of($$SELECT vsm.transition(1, 'Testing', '9999-12-31')$$);
SELECT error_of($$SELECT vsm.transition(1, 'Testing', 'infinity')$$);
SELECT error_of($$SELECT vsm.transition(1, 'Testing', '-infinity')$$);
SELECT error_of($$SELECT vsm.create_work_item('new', at => clock_timestamp() + interval '5 minutes 2 seconds')$$);
SELECT error_of($$SELECT vsm.create_work_item('new', at => 'infinity')$$);
SELECT error_of($$SELECT vsm.create_work_item('new', at => '-infinity')$$);

-- A retired stage.
SELECT error_of($$SELECT vsm.transition(1, 'Deployment')$$);
SELECT error_of($$UPDATE vsm.work_items SET stage_id = (SELECT id FROM vsm.stages WHERE name = 'Deployment')$$);
SELECT error_of($$INSERT INTO vsm.work_items (title, stage_id) SELECT 'new', id FROM vsm.stages WHERE name = 'Deployment'$$);

-- What cannot be changed.
SELECT error_of($$UPDATE vsm.work_items SET id = 2$$);
SELECT error_of($$UPDATE vsm.work_items SET stream = 'ops'$$);
SELECT error_of($$UPDATE vsm.work_items SET completed_at = now()$$);

-- A limit that is none, an order that is negative or taken.
SELECT error_of($$UPDATE vsm.stages SET "order" = -1 WHERE name = 'Testing'$$);
SELECT error_of($$UPDATE vsm.stages SET "order" = 1 WHERE stream = 'default' AND name = 'Testing'$$);
SELECT error_of($$INSERT INTO vsm.stages (stream, name, "order") VALUES ('ops', 'Late', 2)$$);
SELECT error_of($$INSERT INTO vsm.stages (stream, name, "order") VALUES ('ops', 'Late', -2)$$);

-- A stream without a done stage.
SELECT error_of($$SELECT vsm.define_stream('none', '[{"name": "Open"}]')$$);
SELECT error_of($$DELETE FROM vsm.stages WHERE name = 'Closed'$$);
SELECT error_of($$UPDATE vsm.stages SET category = 'wait' WHERE name = 'Closed'$$);
SELECT error_of($$UPDATE vsm.stages SET retired_at = now() WHERE name = 'Closed'$$);

-- Nothing is half-done.
SELECT state = :'before' AS nothing_changed FROM everything;
-- No statement passed, and no error lacks a part.
SELECT statement, state, message, coalesce(detail, '') = '' AS lacks_detail, coalesce(hint, '') = '' AS lacks_hint
FROM errors WHERE coalesce(state, '') !~ '^PT4(04|09|22)$|^42501$' OR coalesce(detail, '') = '' OR coalesce(hint, '') = '' ORDER BY n;

-- On the edge, and allowed.
SELECT 'title of ' || char_length(title) FROM vsm.create_work_item('x');
SELECT 'title of ' || char_length(title) FROM vsm.create_work_item(repeat('x', 500));
SELECT format('title of %s characters, %s bytes', char_length(title), octet_length(convert_to(title, 'UTF8'))) FROM vsm.create_work_item(repeat(E'\u00e4', 500));
SELECT error_of($$SELECT vsm.create_work_item(repeat(E'\u00e4', 501))$$);
SELECT "timestamp" FROM vsm.transition(1, 'Testing', '2024-01-03');
SELECT "timestamp" > clock_timestamp() FROM vsm.transition(1, 'Analysis', clock_timestamp() + interval '4 minutes 50 seconds');
-- The next move without a time is not before it.
SELECT time_in_stage FROM vsm.transition(1, 'Testing');
SELECT created_at > clock_timestamp() FROM vsm.create_work_item('new', at => clock_timestamp() + interval '4 minutes 50 seconds');
