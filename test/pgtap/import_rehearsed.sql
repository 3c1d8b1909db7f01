-- import_rehearsed.sql: an import does what its dry run has said, whatever was imported before
--
-- Random files of few items, stages and instants overlap each other, and are imported one after the other, some of them twice.
-- Before each, its dry run is asked.  Their rows repeat, merge into what is there, and take places between known events.
BEGIN;
SET client_min_messages = warning;
CREATE ROLE vsm_t_writer;
CREATE ROLE vsm_t_team_writer;
\ir as_role.psql
SELECT no_plan();

SELECT vsm.define_stream('team', '[{"name":"Open","category":"wait"},{"name":"Doing","category":"active"},{"name":"Check","category":"active","wip_limit":1},{"name":"Done","category":"done"}]') IS NOT NULL AS made;
SELECT vsm.define_stream('other', '[{"name":"Open","category":"wait"},{"name":"Done","category":"done"}]') IS NOT NULL AS made;
INSERT INTO vsm.stage_aliases VALUES ('team', 'wip', 'Doing'), ('team', 'comment', NULL);
SELECT vsm.grant_access('vsm_t_writer', 'writer'), vsm.grant_access('vsm_t_team_writer', 'writer', 'team');
GRANT TEMPORARY ON DATABASE :"DBNAME" TO vsm_t_writer, vsm_t_team_writer;

CREATE TABLE public.differences (n integer, caller name, content text, said jsonb, did jsonb);
CREATE TABLE public.seen (n integer, merged bigint, skipped bigint, refused bigint, breaches bigint);
GRANT INSERT ON public.differences, public.seen TO PUBLIC;

-- instants: as few as make events meet
CREATE FUNCTION public.a_file() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT 'case_id,stage,entered_at,type' || chr(10)
           || string_agg(format('X-%s%s,%s,%s,%s', (random() * 4)::integer, CASE WHEN random() < 0.01 THEN repeat('x', 1000) END,
                                (ARRAY['Open', 'Doing', 'Check', 'Done', 'wip', 'Comment', 'DOING'])[1 + floor(random() * 7)::integer],
                                CASE WHEN random() < 0.02 THEN 'soon' || repeat(' or later', floor(random() * 2)::integer * 100) ELSE format('2026-01-0%sT0%s:00:00Z', 1 + floor(random() * 5)::integer, floor(random() * 3)::integer) END,
                                (ARRAY['task', 'bug', ''])[1 + floor(random() * 3)::integer]), chr(10))
    FROM generate_series(1, 3 + (random() * 25)::integer)
$$;
CREATE FUNCTION public.told(answer json) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$ SELECT answer::jsonb - '{breaches,changes,proposal}'::text[] $$;
CREATE FUNCTION public.import(nth integer, content text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    said json;
    did json;
BEGIN
    said := vsm_api.import(content, stream => 'team', on_error => 'skip', direction => 'oldest_first', dry_run => true);
    did := vsm_api.import(content, stream => 'team', on_error => 'skip', direction => 'oldest_first');
    IF public.told(said) <> public.told(did) THEN
        INSERT INTO public.differences VALUES (nth, current_user, content, public.told(said), public.told(did));
    END IF;
    INSERT INTO public.seen VALUES (nth, (did ->> 'merged')::bigint, (did ->> 'skipped')::bigint, (did ->> 'refused_count')::bigint, (did ->> 'breaches')::bigint);
END $$;

SELECT setseed(0.18);
DO $$
DECLARE
    content text;
BEGIN
    FOR n IN 1..150 LOOP
        IF n % 15 = 0 THEN
            DELETE FROM vsm.work_items;
        END IF;
        EXECUTE format('SET LOCAL ROLE %s', (ARRAY['vsm_t_writer', 'vsm_t_team_writer', 'none'])[1 + n % 3]);
        content := public.a_file();
        PERFORM public.import(n, content);
        IF random() < 0.5 THEN
            PERFORM public.import(n, content);
        END IF;
        SET LOCAL ROLE none;
    END LOOP;
END $$;

SELECT is_empty('SELECT * FROM public.differences ORDER BY n LIMIT 3', 'every import did what its dry run had said');
SELECT ok(sum(merged) > 100 AND sum(skipped) > 100 AND sum(refused) > 10 AND sum(breaches) > 10, 'and rows merged, were known, were refused and passed limits')
FROM public.seen;

-- ---- Events that are merged are seen as moves are: those of one's streams ----

SELECT vsm_api.import(E'case_id,stage,entered_at\nY-1,Open,2026-01-01T00:00:00Z\nY-1,Open,2026-01-02T00:00:00Z\n', stream => 'other') IS NOT NULL AS imported;
SELECT is(pg_temp.ask('vsm_t_writer', 'SELECT count(*) FROM vsm._merged_events m JOIN vsm.work_items w ON w.id = m.work_item_id WHERE w.external_id = ''Y-1'''), '1',
          'a writer of all streams sees that of another stream');
SELECT is(pg_temp.ask('vsm_t_team_writer', format('SELECT count(*) FROM vsm._merged_events m WHERE m.work_item_id = %s', id)), '0', 'a writer of one stream does not')
FROM vsm.work_items WHERE external_id = 'Y-1';

SELECT * FROM finish();
ROLLBACK;
