-- vsm_api: work items and their moves as the JSON that clients of the REST surface know, keys in order, and every refusal.
SET TimeZone = 'Asia/Kathmandu';		-- answers are in UTC all the same
SET DateStyle = 'SQL, DMY';
CREATE EXTENSION vsm;
\pset format unaligned
\pset tuples_only on

-- Times that the clock gives are masked, so that the shape shows.
CREATE FUNCTION shape(answer json) RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(answer::text, '"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"', '"<time>"', 'g') $$;
-- What an error says; "ok" when there is none.
CREATE FUNCTION refusal(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
    hint text;
    at_fault text;
BEGIN
    EXECUTE statement;
    RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, at_fault = COLUMN_NAME;
    RETURN concat_ws(' | ', sqlstate, sqlerrm, detail, hint, nullif(at_fault, ''));
END $$;

-- Before first use there is nothing; the first item brings the default stream, and so does the start of a service.
SELECT vsm_api.types(), vsm_api.streams();
SELECT refusal('SELECT vsm_api.stages()');
SELECT refusal($$SELECT vsm_api.create_work_item('x', stream => 'Other')$$);
BEGIN;
SELECT shape(vsm_api.create_work_item('first', 'feature'));
SELECT vsm_api.types();
ROLLBACK;
SELECT shape(vsm_api.prepare());
SELECT shape(vsm_api.prepare()) = shape(vsm_api.streams()) AS again;

SELECT regexp_replace(s.value::text, '"id":\d+', '"id":0') FROM json_array_elements(vsm_api.stages()) s;
SELECT vsm_api.types();
INSERT INTO vsm.work_item_types VALUES ('account'), ('zebra'), ('Bug');
SELECT vsm_api.types();

-- Creating
SELECT shape(vsm_api.create_work_item('Accept "cards"', 'feature'));
SELECT vsm_api.create_work_item(title => 'Old', type => 'bug', external_id => 'OLD-1', at => '2026-01-05 09:00:00.5+00') ->> 'created_at';
SELECT shape(vsm_api.create_work_item('Nulls are defaults', NULL, NULL, NULL, NULL));
SELECT refusal($$SELECT vsm_api.create_work_item('')$$);
SELECT refusal($$SELECT vsm_api.create_work_item(NULL)$$);
SELECT refusal($$SELECT vsm_api.create_work_item(repeat('ü', 501))$$);
SELECT refusal($$SELECT vsm_api.create_work_item(repeat('ü', 500))$$);
SELECT refusal($$SELECT vsm_api.create_work_item('x', 'story')$$);
SELECT refusal($$SELECT vsm_api.create_work_item('x', stream => 'Other')$$);
SELECT refusal($$SELECT vsm_api.create_work_item('x', external_id => '')$$);
SELECT refusal($$SELECT vsm_api.create_work_item('x', external_id => 'OLD-1')$$);
SELECT refusal($$SELECT vsm_api.create_work_item('x', at => 'infinity')$$);

-- Moving: the item is checked first, then the stage; the same stage again answers the latest move.
SELECT vsm_api.transition(3, 'Development', '2026-01-06 10:00+00', 'capacity free');
SELECT vsm_api.transition(3, 'Testing', '2026-01-07 12:30:00.000001+00', expected_from => 'Development');
SELECT shape(vsm_api.transition(2, 'Testing'));
SELECT vsm_api.transition(2, 'Testing')::text = vsm_api.transition(2, 'Testing', now(), 'twice')::text AS same;
SELECT refusal($$SELECT vsm_api.transition(99999, 'Nope')$$);
SELECT refusal($$SELECT vsm_api.transition(2, 'Nope')$$);
SELECT refusal($$SELECT vsm_api.transition(2, 'testing')$$);
SELECT refusal($$SELECT vsm_api.transition(2, NULL)$$);
SELECT refusal($$SELECT vsm_api.transition(NULL, 'Testing')$$);
SELECT refusal($$SELECT vsm_api.transition(2, 'Deployment', expected_from => 'Backlog')$$);
SELECT split_part(refusal($$SELECT vsm_api.transition(2, 'Deployment', at => '2026-01-01')$$), ' | ', 2);
UPDATE vsm.stages SET wip_limit = 1 WHERE name = 'Testing';
SELECT refusal($$SELECT vsm_api.transition(4, 'Testing')$$);
UPDATE vsm.stages SET retired_at = now() WHERE name = 'Analysis';
SELECT split_part(refusal($$SELECT vsm_api.transition(4, 'Analysis')$$), ' | ', 2);
SELECT string_agg(s.value ->> 'name', ' ') AS in_use FROM json_array_elements(vsm_api.stages()) s;

SELECT regexp_replace(replace(vsm_api.history(3)::text, format('"actor":"%s"', current_user), '"actor":"<role>"'),
                      '"recorded_at":"[^"]*"', '"recorded_at":"<time>"', 'g');
SELECT replace(shape(vsm_api.history(4)), format('"actor":"%s"', current_user), '"actor":"<role>"');
SELECT refusal('SELECT vsm_api.history(99999)');
SELECT refusal('SELECT vsm_api.history(NULL)');

-- One item, and pages of them
SELECT shape(vsm_api.work_item(2));
SELECT refusal('SELECT vsm_api.work_item(99999)');
CREATE FUNCTION titles(answer json) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', (SELECT string_agg(i.value ->> 'title', ',') FROM json_array_elements(answer -> 'items') i), 'next', coalesce(answer ->> 'next', 'null')) $$;
SELECT name FROM vsm.define_stream('side', '[{"name":"Open","category":"wait"},{"name":"Testing"},{"name":"Done","category":"done"}]');
SELECT count(vsm_api.create_work_item('s' || n, CASE WHEN n % 2 = 0 THEN 'bug' ELSE 'task' END, 'side')) FROM generate_series(1, 7) n;
SELECT count(vsm_api.transition(w.id, CASE WHEN w.title = 's7' THEN 'Done' ELSE 'Testing' END)) FROM vsm.work_items w WHERE w.title IN ('s5', 's6', 's7');
SELECT json_object_keys(vsm_api.work_items());
SELECT titles(vsm_api.work_items(stream => 'side', "limit" => 3));
SELECT titles(vsm_api.work_items(stream => 'side', "limit" => 3, after => (vsm_api.work_items(stream => 'side', "limit" => 3) ->> 'next')::bigint));
SELECT titles(vsm_api.work_items(stream => 'side', "limit" => 7));
SELECT titles(vsm_api.work_items(stream => 'side', "limit" => 6));
SELECT titles(vsm_api.work_items(stream => 'side', open => false));
SELECT titles(vsm_api.work_items(stream => 'side', open => true, type => 'bug'));
SELECT titles(vsm_api.work_items(stage => 'Testing'));
SELECT titles(vsm_api.work_items(stage => 'Testing', stream => 'side', type => 'task', open => true, after => 0));
SELECT titles(vsm_api.work_items(external_id => 'OLD-1')), titles(vsm_api.work_items('default', external_id => 'OLD-1')), titles(vsm_api.work_items('side', external_id => 'OLD-1')),
       titles(vsm_api.work_items(external_id => 'old-1')), titles(vsm_api.work_items(external_id => 'OLD-1', type => 'task')), titles(vsm_api.work_items(external_id => ''));
SELECT refusal('SELECT vsm_api.work_items(stage => ''Nope'')'), refusal('SELECT vsm_api.work_items(''side'', ''Nope'')'), vsm_api.work_items(after => 9223372036854775807);
SELECT refusal($$SELECT vsm_api.work_items('Other')$$);
SELECT refusal('SELECT vsm_api.work_items("limit" => 0)');
SELECT refusal('SELECT vsm_api.work_items("limit" => 501)');

-- Deleting answers the item as it was.
SELECT shape(vsm_api.delete_work_item(2));
SELECT refusal('SELECT vsm_api.delete_work_item(2)');
SELECT count(*) FROM vsm.stage_transitions WHERE work_item_id = 2;

SELECT regexp_replace(vsm_api.health()::text, '\d+}$', 'N}') = '{"database_connected":true,"version":"' || vsm_api.version() || '","fold_days_waiting":N}' AS health;
