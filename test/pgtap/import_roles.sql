-- import_roles.sql: who may import what: a writer creates no stages, types or aliases, an admin of a stream its stages; and
-- an import that is rolled back leaves nothing
BEGIN;
SET client_min_messages = warning;
CREATE ROLE vsm_t_reader;
CREATE ROLE vsm_t_writer;
CREATE ROLE vsm_t_team_writer;
CREATE ROLE vsm_t_team_admin;
CREATE ROLE vsm_t_admin;
CREATE ROLE vsm_t_nobody;
\ir as_role.psql
SELECT no_plan();

SELECT vsm.define_stream('team', '[{"name":"Open","category":"wait"},{"name":"Doing","category":"active"},{"name":"Done","category":"done"}]') IS NOT NULL AS made;
SELECT vsm.define_stream('other', '[{"name":"Secret","category":"wait"},{"name":"Done","category":"done"}]') IS NOT NULL AS made;
INSERT INTO vsm.stage_aliases VALUES ('team', 'wip', 'Doing'), ('other', 'hidden', 'Secret');
SELECT vsm.grant_access('vsm_t_reader', 'reader'), vsm.grant_access('vsm_t_writer', 'writer'), vsm.grant_access('vsm_t_team_writer', 'writer', 'team'),
       vsm.grant_access('vsm_t_team_admin', 'admin', 'team'), vsm.grant_access('vsm_t_admin', 'admin');

-- an import of an item that enters these stages (stage/type,...) on the first days of January
CREATE FUNCTION pg_temp.import(stages text, arguments text) RETURNS text LANGUAGE sql RETURN
    format($f$SELECT regexp_replace(vsm_api.import(E'case_id,stage,entered_at,type\n%s', %s)::text, ',"(refused|proposal|breaches)":.*', '}')$f$,
           (SELECT string_agg(format('X-1,%s,2026-01-%s,%s\n', split_part(s, '/', 1), lpad(n::text, 2, '0'), coalesce(nullif(split_part(s, '/', 2), ''), 'task')), '' ORDER BY n)
            FROM string_to_table(stages, ',') WITH ORDINALITY l (s, n)), arguments);
CREATE FUNCTION pg_temp.written() RETURNS text LANGUAGE sql RETURN concat_ws(' ',
    (SELECT count(*) FROM vsm.work_items), (SELECT count(*) FROM vsm.stage_transitions), (SELECT count(*) FROM vsm.stages),
    (SELECT count(*) FROM vsm.value_streams), (SELECT count(*) FROM vsm.work_item_types), (SELECT count(*) FROM vsm.stage_aliases),
    (SELECT count(*) FROM vsm.import_refusals));
SELECT pg_temp.written() AS before \gset

-- ---- What is refused leaves nothing ----

SELECT matches(pg_temp.ask(r.role, pg_temp.import('Open,Doing', $$'csv', 'team'$$)), '^42501 ', r.role || ' may not import')
FROM (VALUES ('vsm_t_nobody'), ('vsm_t_reader')) r (role);
SELECT matches(pg_temp.refusal(r.role, pg_temp.import('Open,Review,Done', $$'csv', 'team', create_stages => true$$)),
               '^42501 \| role "' || r.role || '" may not define stages \|.*create_stages.*Import without create_stages', r.role || ' may not create stages')
FROM (VALUES ('vsm_t_writer'), ('vsm_t_team_writer')) r (role);
SELECT matches(pg_temp.refusal(r.role, pg_temp.import('Open/story,Done/story', $$'csv', 'team', create_types => true$$)),
               '^42501 \| role "' || r.role || '" may not define types \|.*create_types', r.role || ' may not create types')
FROM (VALUES ('vsm_t_writer'), ('vsm_t_team_writer'), ('vsm_t_team_admin')) r (role);
SELECT matches(pg_temp.refusal(r.role, pg_temp.import('Open,Done', $$'csv', 'fresh', create_stages => true$$)),
               '^42501 \| role "' || r.role || '" may not define stream "fresh"', r.role || ' may not create a stream')
FROM (VALUES ('vsm_t_writer'), ('vsm_t_team_writer'), ('vsm_t_team_admin')) r (role);
SELECT matches(pg_temp.refusal('vsm_t_team_writer', pg_temp.import('Secret,Done', $$'csv', 'other'$$)), '^(PT404|42501) ', 'nor import into a stream it does not see');
SELECT matches(pg_temp.refusal('vsm_t_writer', pg_temp.import('Open,Review', $$'csv', 'team'$$)), '^PT422 .*stages that stream "team" does not have',
               'without create_stages, an unknown stage is refused');
SELECT matches(pg_temp.refusal('vsm_t_writer', pg_temp.import('Open/story', $$'csv', 'team'$$)), '^PT422 .*types that are not defined.*"story".*create_types => true',
               'without create_types, an unknown type is');
SELECT is(pg_temp.written(), :'before', 'nothing of this is left');

-- ---- Tried, nothing is written, by anybody who sees the stream ----

SELECT matches(pg_temp.ask(r.role, $$SELECT vsm_api.import(E'case_id,stage,entered_at,type\nX-1,Open,2026-01-01,story\nX-1,Review,2026-01-02,story\n', stream => 'team', dry_run => true)$$),
               '^{"items":1,"transitions":2,.*"changes":{"stream":null,"stages":\["Review"\],"types":\["story"\],"faults":\[\]}', r.role || ' tries an import')
FROM (VALUES ('vsm_t_reader'), ('vsm_t_team_writer'), ('vsm_t_admin')) r (role);
SELECT is(pg_temp.ask('vsm_t_team_writer', $$SELECT vsm_api.import_settings('other') ->> 'aliases'$$), '{}', 'aliases of a stream that it does not see are not told');
SELECT is(pg_temp.ask('vsm_t_team_writer', $$SELECT string_agg(name, ',') FROM vsm.stage_aliases$$), 'wip', 'nor shown');
SELECT is(pg_temp.written(), :'before', 'nothing is written');

-- ---- What they may ----

SELECT is(pg_temp.ask('vsm_t_team_writer', pg_temp.import('Open,wip,work', $$'csv', 'team', aliases => '{"work": "Doing"}'$$)),
          '{"items":1,"transitions":2,"merged":1,"skipped":0,"refused_count":0}', 'a writer uses aliases, kept ones and its own');
SELECT is((SELECT count(*) FROM vsm.stage_aliases), 2::bigint, 'which are not kept');
SELECT matches(pg_temp.try('vsm_t_writer', $$INSERT INTO vsm.stage_aliases VALUES ('team', 'x', 'Doing')$$), '^42501 ', 'a writer keeps none by itself');
SELECT matches(pg_temp.try('vsm_t_team_admin', $$INSERT INTO vsm.stage_aliases VALUES ('other', 'x', NULL)$$), '^PT404 ', 'an admin of one stream none of another');
SELECT is(pg_temp.ask('vsm_t_team_admin', pg_temp.import('Open,Review,Done', $$'csv', 'team', create_stages => true, aliases => '{"in work": "Doing"}'$$)),
          '{"items":1,"transitions":2,"merged":0,"skipped":1,"refused_count":0}', 'an admin of the stream creates stages');
SELECT is((SELECT string_agg(s.name, ',' ORDER BY s."order") FROM vsm.stages s WHERE s.stream = 'team'), 'Open,Review,Doing,Done', 'where the file has them');
SELECT is((SELECT string_agg(a.name, ',' ORDER BY a.name) FROM vsm.stage_aliases a WHERE a.stream = 'team'), 'in work,wip', 'and keeps aliases');
SELECT is(pg_temp.ask('vsm_t_admin', pg_temp.import('New/story,Done/story', $$'csv', 'fresh', create_stages => true, create_types => true$$)),
          '{"items":1,"transitions":2,"merged":0,"skipped":0,"refused_count":0}', 'an admin of all creates streams and types');

-- ---- Rolled back, an import leaves nothing ----

SELECT pg_temp.written() AS before \gset
SAVEPOINT imported;
SELECT pg_temp.ask('vsm_t_admin', pg_temp.import('New/saga,Test/saga,Done/saga', $$'csv', 'later', create_stages => true, create_types => true, aliases => '{"x": null}'$$)) AS answer,
       pg_temp.written() AS after \gset
ROLLBACK TO imported;
SELECT matches(:'answer'::text, '^{"items":1,"transitions":3'::text, 'imported');
SELECT isnt(:'after'::text, :'before'::text, 'and seen');
SELECT is(pg_temp.written(), :'before', 'rolled back, nothing is left');

SELECT * FROM finish();
ROLLBACK;
