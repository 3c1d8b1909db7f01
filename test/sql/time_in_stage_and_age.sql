-- time_in_stage, work_item_age and flow_efficiency, computed by hand.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
SET IntervalStyle = postgres;
CREATE EXTENSION vsm;
\getenv inputs PG_ABS_SRCDIR
\set setup :inputs '/sql/setup/eight_items.psql'
\i :setup

-- Closed visits that ended in [1, 13), days:
-- Inbox A 1, B 2, C 4, D 1 and 2, E 2, F 1, G 4 and 2: 19/9 = 2 days 02:40; 1 1 1 2 2 2 2 4 4: p50 5th, p70 7th (6.3), p85 8th (7.65), p95 9th (8.55); 19 / 7 items
-- Work  A 2, B 2 and 2, D 2 and 1, E 2, H 1: 12/7; 12 / 5 items = 2 days 09:36
-- Queue A 1.   Check A 2, D 1, F 3: 2.   Done B 4, E 2, G 1: 7/3 = 2 days 08:00.   Open: E in Inbox, F in Queue.
SELECT stage, visits, avg, p50, p70, p85, p95, items, avg_per_item, open_visits FROM vsm.time_in_stage('flow', '2024-01-01', '2024-01-13');
-- [9, 12): the visits that ended then, with their whole time: Inbox F 1, G 4; Work D 1, B 2; Check D 1; Done B 4, E 2, G 1.
SELECT stage, visits, avg, items FROM vsm.time_in_stage('flow', '2024-01-09', '2024-01-12');
-- Bugs: A, D, G.
SELECT stage, visits, avg, items, open_visits FROM vsm.time_in_stage('flow', '2024-01-01', '2024-01-13', 'bug');
SELECT stage, visits, avg, p50, items, avg_per_item FROM vsm.time_in_stage('flow', '2025-01-01', '2025-01-02');
SELECT sum(visits) AS visits FROM vsm.time_in_stage('flow', '-infinity', 'infinity');
SELECT stage, abs(extract(epoch FROM open_avg - (clock_timestamp() - CASE stage WHEN 'Inbox' THEN timestamptz '2024-01-10' ELSE '2024-01-12' END))) < 60 AS right
FROM vsm.time_in_stage('flow') WHERE open_visits > 0;

-- 1 to 9 and 60 days: the 85th percentile is an observed one that covers at least 85 %, not 8.65.
SELECT name FROM vsm.define_stream('ten', '[{"name": "Work"}, {"name": "Done", "category": "done"}]');
CREATE VIEW ten AS SELECT n AS case_id, s AS stage, timestamptz '2024-01-01' + CASE s WHEN 'Work' THEN '0' ELSE n * interval '1 day' END AS entered_at
    FROM unnest('{1,2,3,4,5,6,7,8,9,60}'::integer[]) n, unnest('{Work,Done}'::text[]) s;
SELECT items FROM vsm.import_events('ten', 'ten');
SELECT visits, avg, p50, p70, p85, p95 FROM vsm.time_in_stage('ten', '2024-01-01', '2024-04-01') WHERE stage = 'Work';
SELECT cycle_time_n AS n, cycle_time_avg, cycle_time_p50, cycle_time_p70, cycle_time_p85, cycle_time_p95 FROM vsm.metrics('ten', '2024-01-01', '2024-04-01');
SELECT percentile_disc(ARRAY[0.1, 0.8, 0.85, 0.9, 0.91]) WITHIN GROUP (ORDER BY cycle_time) FROM vsm.completions('ten', '2024-01-01', '2024-04-01');

-- Age on 15 January: E started on 6 and is in Inbox again since 10, F started on 9 and is in Queue since 12; Z has not started: no age.
SELECT id AS z FROM vsm.create_work_item('Z', 'bug', 'flow', 'Z', '2024-01-02') \gset
SELECT external_id, title, type, stage, age, time_in_stage, age_since_creation FROM vsm.work_item_age('flow', at => '2024-01-15');
SELECT external_id, age FROM vsm.work_item_age('flow', 'bug', '2024-01-15');
SELECT external_id, abs(extract(epoch FROM age - (clock_timestamp() - timestamptz '2024-01-06'))) < 60 AS right FROM vsm.work_item_age('flow') WHERE external_id = 'E';
SELECT work_item_id = :z AS z FROM vsm.work_item_age('flow') WHERE external_id = 'Z';
SELECT count(*) FROM vsm.work_item_age('ten');

-- Flow efficiency: a ratio of sums over A 4/5, B 4/4, D 4/6, H 1/1 = 13/16, and not the mean of ratios; C and G have neither.
SELECT round(vsm.flow_efficiency('flow', '2024-01-01', '2024-01-13'), 6) AS efficiency, round((0.8 + 1 + 4 / 6.0 + 1) / 4, 6) AS mean_of_ratios;
SELECT round(vsm.flow_efficiency('flow', '2024-01-07', '2024-01-11'), 6) AS "A and D 8/11", round(vsm.flow_efficiency('flow', '2024-01-01', '2024-01-13', 'task'), 6) AS "B and H";
SELECT vsm.flow_efficiency('flow', '2024-01-06', '2024-01-07') AS "C alone", vsm.flow_efficiency('flow', '2025-01-01', '2025-01-02') AS nothing;
