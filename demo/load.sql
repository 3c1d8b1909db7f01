-- load.sql: import the log in table :"stream" into the stream of that name.
--
-- psql variables: stream; file, as the user named it; zone; and, empty unless the
-- user gave them, stages (name:category[:limit],...) and dates (MDY, DMY, YMD).

\set ON_ERROR_STOP on
\set QUIET on
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
\o /dev/null

SET search_path = public;
SELECT set_config('timezone', :'zone', false);
SELECT format('public.%I', :'stream') AS source \gset

\ir recognise.sql
\ir stages.sql

SELECT vsm.define_stream(:'stream',
                         jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
                             'name', name, 'category', category, 'wip_limit', wip_limit)) ORDER BY rank),
                         time_zone => :'zone')
FROM stage;

-- All stages are defined by now; create_stages adds the types of the file.  Equal dates of an item count in the order
-- of the stages, not of the columns.
SELECT CASE form
    WHEN 'long' THEN
        format('SELECT * FROM vsm.import_events(%L, stream => %L, case_column => %L, stage_column => %L, '
               'time_column => %L, type_column => %L, title_column => %L, create_stages => true, on_error => ''skip'')',
               :'source', :'stream', item, stage, "time", coalesce(type, 'type'), coalesce(title, 'title'))
    ELSE
        (SELECT format('SELECT * FROM vsm.import_wide(%L, stream => %L, id_column => %L, stage_columns => %L, '
                       'stages => %L, type_column => %L, title_column => %L, create_stages => true, '
                       'on_error => ''skip'')',
                       :'source', :'stream', item, array_agg(col.name ORDER BY stage.rank),
                       array_agg(stage.name ORDER BY stage.rank), coalesce(type, 'type'), coalesce(title, 'title'))
         FROM col JOIN stage ON stage.name = col.stage WHERE col.role = 'date')
    END AS import
FROM plan \gset
:import \gset imported_

SELECT pg_temp.say(format('imported %s with %s', pg_temp.counted(:imported_items, 'item'),
                          pg_temp.counted(:imported_transitions, 'move')));
SELECT pg_temp.say('merged ' || pg_temp.counted(:imported_merged, 'line') || ' that repeat the stage an item is in')
WHERE :imported_merged > 0;
SELECT pg_temp.say('skipped ' || pg_temp.counted(:imported_skipped, 'line') || ' that the file has twice')
WHERE :imported_skipped > 0;

SELECT pg_temp.say('refused ' || pg_temp.counted(:imported_refused, 'line') || ', such as')
WHERE :imported_refused > 0;
SELECT pg_temp.say('  ' || concat_ws(' · ', case_id, stage, entered_at) || ': ' || reason)
FROM (SELECT * FROM vsm.import_refusals WHERE stream = :'stream' ORDER BY id LIMIT 5) AS first_ones;
SELECT pg_temp.say(format('all of them: SELECT * FROM vsm.import_refusals WHERE stream = %L', :'stream'))
WHERE :imported_refused > 5;
SELECT pg_temp.refuse('no line of the file could be imported', 'See the reasons above, and correct the file.')
WHERE :imported_items = 0;
