-- load.sql: import the file :log into the stream :stream, and tell how it was read.
--
-- psql variables: log, a file; stream; file, as the user named it; zone; and, empty unless the user gave them, stages
-- (name:category[:limit],...) and what vsm_api.import() has: item, stage, time, type, title, form, dates, direction.

\set ON_ERROR_STOP on
\set QUIET on
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
\o /dev/null

CREATE FUNCTION pg_temp.say(line text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE '%', line;
END $$;

CREATE FUNCTION pg_temp.refuse(message text, hint text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', message USING HINT = hint;
END $$;

CREATE FUNCTION pg_temp.counted(n numeric, noun text) RETURNS text LANGUAGE sql AS $$
    SELECT ltrim(to_char(n, '999,999,999,990')) || ' ' || noun || CASE WHEN n = 1 THEN '' ELSE 's' END
$$;

-- STAGES="New:wait,Active:active:5,Closed:done": names as in the file, in any case.
CREATE TEMP TABLE given AS
SELECT part[1] AS name, n AS place, lower(part[2]) AS category, part[3]::integer AS wip_limit
FROM string_to_table(nullif(:'stages', ''), ',') WITH ORDINALITY AS list(entry, n),
     regexp_match(btrim(entry), '^(.*?)\s*(?::\s*(wait|active|done|discarded)\s*)?(?::\s*(\d{1,9})\s*)?$', 'i') AS part;

CREATE TEMP TABLE options AS
SELECT jsonb_strip_nulls(jsonb_build_object(
        'time_zone', :'zone', 'item', nullif(:'item', ''), 'stage', nullif(:'stage', ''), 'time', nullif(:'time', ''),
        'type', nullif(:'type', ''), 'title', nullif(:'title', ''), 'form', nullif(:'form', ''),
        'dates', nullif(:'dates', ''), 'direction', nullif(:'direction', ''),
        'stages', (SELECT jsonb_agg(jsonb_build_object('name', name, 'category', category) ORDER BY place) FROM given))) AS options;

\lo_import :log
SELECT vsm._recognise(lo_get(:LASTOID), options) -> 'stages' AS stages FROM options \gset
SELECT pg_temp.refuse('no stage of the file is a done stage', format(
           'Its items could never finish; add STAGES=%L, or as it should be.',
           string_agg(format('%s:%s', s.value ->> 'name', s.value ->> 'category'), ',' ORDER BY n) || ',Done:done'))
FROM json_array_elements(:'stages') WITH ORDINALITY AS s(value, n)
HAVING NOT bool_or(s.value ->> 'category' = 'done');
SELECT vsm._import_file(lo_get(:LASTOID), :'stream', 'skip', false, true, true, options, NULL) AS answer FROM options \gset
SELECT lo_unlink(:LASTOID);

CREATE TEMP TABLE imported AS
SELECT (answer ->> 'items')::bigint AS items, (answer ->> 'transitions')::bigint AS transitions,
       (answer ->> 'merged')::bigint AS merged, (answer ->> 'skipped')::bigint AS skipped,
       (answer ->> 'refused_count')::bigint AS refused, answer -> 'proposal' AS p
FROM CAST(:'answer' AS json) AS answer;

UPDATE vsm.stages s SET wip_limit = given.wip_limit
FROM given WHERE s.stream = :'stream' AND lower(s.name) = lower(given.name) AND given.wip_limit IS NOT NULL;

SELECT pg_temp.say(format('%s in the %s form; ', pg_temp.counted((p ->> 'rows')::bigint, 'line'), p ->> 'form')
                   || concat_ws(', ', 'item: ' || (p ->> 'item'), 'stage: ' || (p ->> 'stage'), 'time: ' || (p ->> 'time'),
                                'type: ' || (p ->> 'type'), 'title: ' || (p ->> 'title')))
FROM imported;
SELECT pg_temp.say('not used: ' || string_agg(c.name, ', ' ORDER BY c.place))
FROM imported, json_array_elements_text(p -> 'columns') WITH ORDINALITY AS c(name, place)
WHERE c.name <> ALL (array_remove(ARRAY[p ->> 'item', p ->> 'stage', p ->> 'time', p ->> 'clock', p ->> 'type', p ->> 'title',
                                        p ->> 'field', p ->> 'from', p ->> 'created', p ->> 'sequence'], NULL))
  AND c.name NOT IN (SELECT s.value ->> 'column' FROM json_array_elements(p -> 'stages') AS s WHERE s.value ->> 'column' IS NOT NULL)
HAVING count(*) > 0;
SELECT pg_temp.say('dates are taken as ' || CASE p ->> 'dates' WHEN 'DMY' THEN 'day, month, year'
                                                               WHEN 'MDY' THEN 'month, day, year'
                                                               ELSE 'year, month, day' END)
FROM imported WHERE p ->> 'dates' IS NOT NULL;
SELECT pg_temp.say('its lines are taken as newest first') FROM imported WHERE p ->> 'direction' = 'newest_first';
SELECT pg_temp.say(n.value) FROM imported, json_array_elements_text(p -> 'notices') AS n;

SELECT pg_temp.say(CASE WHEN EXISTS (SELECT FROM given) THEN 'stages: ' ELSE 'stages, guessed: ' END
                   || string_agg(format('%s (%s)', name, category), ' > ' ORDER BY "order"))
FROM vsm.stages WHERE stream = :'stream';
SELECT pg_temp.say(format('to choose otherwise: make demo DATA=%s%s STAGES=%s', :'file', :'given_options',
                          '''' || replace(string_agg(name || ':' || category, ',' ORDER BY "order"), '''', '''\''''') || ''''))
FROM vsm.stages WHERE stream = :'stream' HAVING NOT EXISTS (SELECT FROM given);

SELECT pg_temp.say(format('imported %s with %s', pg_temp.counted(items, 'item'), pg_temp.counted(transitions, 'move')))
FROM imported;
SELECT pg_temp.say('merged ' || pg_temp.counted(merged, 'line') || ' that repeat the stage an item is in')
FROM imported WHERE merged > 0;
SELECT pg_temp.say('skipped ' || pg_temp.counted(skipped, 'line') || ' that the file has twice')
FROM imported WHERE skipped > 0;

SELECT pg_temp.say('refused ' || pg_temp.counted(refused, 'line') || ', such as') FROM imported WHERE refused > 0;
SELECT pg_temp.say(format('  line %s: ', line) || concat_ws(' · ', case_id, stage, entered_at) || ': ' || reason)
FROM (SELECT * FROM vsm.import_refusals WHERE stream = :'stream' ORDER BY id LIMIT 5) AS first_ones;
SELECT pg_temp.say(format('all of them: SELECT * FROM vsm.import_refusals WHERE stream = %L', :'stream'))
FROM imported WHERE refused > 5;
SELECT pg_temp.refuse('no line of the file could be imported', 'See the reasons above, and correct the file.')
FROM imported WHERE items = 0;
