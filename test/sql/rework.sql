-- flow_graph, rework, flow_paths and cycle_times_between, computed by hand.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
SET IntervalStyle = postgres;
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
\getenv inputs PG_ABS_SRCDIR
\set setup :inputs '/sql/setup/eight_items.psql'
\i :setup

-- Seven items began in Inbox, H in Work.  Days in the stage left: Inbox to Work A 1, B 2, D 1 and 2, E 2; to Check F 1; to Done C 4, G 4 and 2;
-- Work to Inbox D 2; to Queue A 2; to Check D 1; to Done B 2 and 2, E 2, H 1; Queue to Check A 1; Check to Queue F 3; to Done A 2, D 1; Done to Inbox E 2, G 1; to Work B 4.
SELECT * FROM vsm.flow_graph('flow', '2024-01-01', '2024-01-13');
SELECT sum(g.n) = (SELECT count(*) FROM vsm.stage_transitions) AS all_moves FROM vsm.flow_graph('flow', '-infinity', 'infinity') g;
-- The moves of a part, with their whole time; of bugs; of none.
SELECT from_stage, to_stage, n, avg FROM vsm.flow_graph('flow', '2024-01-09', '2024-01-11');
SELECT from_stage, to_stage, n FROM vsm.flow_graph('flow', '2024-01-01', '2024-01-07', 'bug');
SELECT count(*) FROM vsm.flow_graph('flow', '2025-01-01', '2025-01-02');

-- Handed on: Inbox A B C D D E F G G, of these D once, E and G once came back; Work A B B D E H, of which B once; for the first time 7 and 5.
-- D's first move on from Work was that to Check.  Queue handed on A; F came to it by a move back, and had not been there before.
SELECT stage, handed_on, sent_back, round(complete_accurate, 6) AS complete_accurate, round(first_pass_yield, 6) AS first_pass_yield,
       round(rolled_complete_accurate, 6) AS rolled, loops FROM vsm.rework('flow', '2024-01-01', '2024-01-13');
SELECT round(6 / 9.0, 6) AS inbox, round(4 / 7.0, 6) AS first, round(5 / 6.0, 6) AS work, round(6 / 9.0 * 5 / 6, 6) AS rolled;
-- As of 10 January, before E and G came back.
SELECT stage, handed_on, sent_back, loops FROM vsm.rework('flow', '2024-01-01', '2024-01-10');
-- What was handed on before the window is not its own: E and G came back on 10, and Inbox had handed them on on 6 and 9; B on 9, handed on by Work on 5.
SELECT stage, handed_on, sent_back, round(complete_accurate, 6) AS complete_accurate, round(first_pass_yield, 6) AS first_pass_yield, loops FROM vsm.rework('flow', '2024-01-09', '2024-01-13');
SELECT stage, handed_on, sent_back, complete_accurate, rolled_complete_accurate FROM vsm.rework('flow', '2025-01-01', '2025-01-02');
SELECT stage, handed_on, sent_back FROM vsm.rework('flow', '2024-01-01', '2024-01-13', 'bug') WHERE handed_on > 0;

-- The paths of the finished items; B took Work and Done twice.  By completions: three from Inbox to Done.
SELECT path, n, round(share, 6) AS share, cycle_time_p50, cycle_time_p85, loops FROM vsm.flow_paths('flow', '2024-01-01', '2024-01-13');
SELECT path, n, round(share, 6) AS share, cycle_time_p50, cycle_time_p85, loops FROM vsm.flow_paths('flow', '2024-01-01', '2024-01-13', reopen_rule => 'episodes', "limit" => 3);
-- As of 9 January, when E was finished and B had not been reopened.
SELECT path, n, round(share, 6) AS share, cycle_time_p50 FROM vsm.flow_paths('flow', '2024-01-01', '2024-01-09');
SELECT path, n FROM vsm.flow_paths('flow', '2024-01-01', '2024-01-13', 'bug', known_at => now());
SELECT count(*) FROM vsm.flow_paths('flow', '2025-01-01', '2025-01-02');

-- From the first entry into Work to the last into Done: A 2 to 7, E 6 to 8, D 4 to 10, B 3 to 11, H 11 to 12; C and G were never in Work.
SELECT external_id, type, from_at, to_at, elapsed FROM vsm.cycle_times_between('flow', 'Work', 'Done', '2024-01-01', '2024-01-13');
-- The other ends.  B: entered Work 3 and 9, left it 5 and 11, was done 5 and 11; D: entered Work 4 and 8, left it 6 and 9.
SELECT f, t, string_agg(format('%s %s', b.external_id, extract(day FROM b.elapsed)), ', ' ORDER BY b.external_id COLLATE "C") AS days
FROM unnest('{first_entry,last_entry,first_exit,last_exit}'::text[]) WITH ORDINALITY f (f, fp), unnest('{first_entry,last_entry,first_exit,last_exit}'::text[]) WITH ORDINALITY t (t, tp),
     vsm.cycle_times_between('flow', 'Work', 'Done', '2024-01-01', '2024-01-13', f, t) b GROUP BY f, t, fp, tp ORDER BY fp, tp;
-- The clock stops in the window: E on 8, D on 10; and as of 11 January, B's last entry into Done is that of 5.
SELECT external_id, elapsed FROM vsm.cycle_times_between('flow', 'Work', 'Done', '2024-01-08', '2024-01-11');
SELECT external_id, to_at FROM vsm.cycle_times_between('flow', 'Work', 'Done', '2024-01-05', '2024-01-06');
-- Back: from Done to Inbox; a stage to itself is a visit.
SELECT external_id, elapsed FROM vsm.cycle_times_between('flow', 'Done', 'Inbox', '2024-01-01', '2024-01-13', 'last_entry', 'first_entry');
SELECT external_id, elapsed FROM vsm.cycle_times_between('flow', 'Queue', 'Queue', '2024-01-01', '2024-01-13', 'first_entry', 'first_exit');
SELECT external_id, title, elapsed FROM vsm.cycle_times_between('flow', 'Work', 'Done', '2024-01-01', '2024-01-13', type => 'bug', known_at => now());

-- Nothing, one item, all at one instant, discarded and revived.
SELECT name FROM vsm.define_stream('few', '[{"name": "Open", "category": "wait"}, {"name": "Work"}, {"name": "Done", "category": "done"}, {"name": "Kept", "category": "done"}, {"name": "Dropped", "category": "discarded"}]');
SELECT count(*) FROM vsm.flow_graph('few', '-infinity', 'infinity');
SELECT * FROM vsm.rework('few', '-infinity', 'infinity');
SELECT count(*) FROM vsm.flow_paths('few', '-infinity', 'infinity');
SELECT count(*) FROM vsm.cycle_times_between('few', 'Open', 'Done', '-infinity', 'infinity');
CREATE VIEW few AS SELECT 'Y' AS case_id, s AS stage, timestamptz '2024-02-01' + n * interval '1 day' AS entered_at
    FROM unnest('{Open,Work,Dropped,Open,Work,Done}'::text[]) WITH ORDINALITY y (s, n)
    UNION ALL SELECT 'Z', 'Work', '2024-02-03' UNION ALL SELECT 'Z', 'Open', '2024-02-04';
SELECT items, transitions FROM vsm.import_events('few', 'few');
SELECT id AS x FROM vsm.create_work_item('X', 'task', 'few', 'X', '2024-02-01') \gset
SELECT count((SELECT t.id FROM vsm.transition(:x, s, '2024-02-01') t)) FROM unnest('{Work,Open,Work,Done,Work,Done,Kept}'::text[]) s;
SELECT * FROM vsm.flow_graph('few', '-infinity', 'infinity');
-- Open handed on X twice, of which the first came back, and Y twice: that Y was dropped and revived is neither.  Z came to Open, which had not handed it on.
-- Work handed on X twice, the first of which came back from Done, and Y; Done handed X on to Kept.
SELECT stage, handed_on, sent_back, complete_accurate, first_pass_yield, loops FROM vsm.rework('few', '-infinity', 'infinity');
-- X is finished when it enters Done again, and not when it moves on among the done stages; Dropped and back are on Y's path.
SELECT path, n, cycle_time_p50, loops FROM vsm.flow_paths('few', '-infinity', 'infinity');
SELECT path, n, cycle_time_p50, loops FROM vsm.flow_paths('few', '-infinity', 'infinity', reopen_rule => 'episodes');
SELECT external_id, elapsed FROM vsm.cycle_times_between('few', 'Work', 'Done', '-infinity', 'infinity');

-- The same by cells.
CREATE FUNCTION answers() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT g::text FROM vsm.flow_graph('flow', '2024-01-03', '2024-01-13') g UNION ALL SELECT r::text FROM vsm.rework('flow', '2024-01-03', '2024-01-13') r
    UNION ALL SELECT p::text FROM vsm.flow_paths('flow', '2024-01-03', '2024-01-13') p
    UNION ALL SELECT p::text FROM vsm.flow_paths('few', '-infinity', 'infinity', 'task') p
    UNION ALL SELECT g::text FROM vsm.flow_graph('few', '-infinity', 'infinity', 'task') g UNION ALL SELECT r::text FROM vsm.rework('few', '-infinity', 'infinity', 'task') r
$$;
CREATE TABLE told AS SELECT answers();
SELECT count(*) FROM vsm.fold();
SELECT bool_and(days_folded > 0) AS folded FROM vsm.fold('few');
SELECT bool_and(days_folded > 0) AS folded FROM vsm.fold('flow');
SELECT answers() EXCEPT ALL SELECT * FROM told;
SELECT count(*) > 0 AS edges FROM vsm._edge_cells;
SELECT count(*) > 0 AS paths FROM vsm._path_cells;
SELECT * FROM vsm.cells_check();

-- What cannot be.
SELECT vsm.flow_graph('nowhere');
SELECT vsm.rework('nowhere');
SELECT vsm.flow_paths('nowhere');
SELECT vsm.flow_paths('flow', "limit" => 0);
SELECT vsm.flow_paths('flow', reopen_rule => 'nonsense');
SELECT vsm.rework('flow', attributes => '{"team": "red"}');
SELECT vsm.cycle_times_between('nowhere', 'Work', 'Done');
SELECT vsm.cycle_times_between('flow', 'Nope', 'Done');
\echo :LAST_ERROR_SQLSTATE
SELECT vsm.cycle_times_between('flow', 'Work', NULL);
SELECT vsm.cycle_times_between('flow', 'Work', 'Done', from_which => 'first');
SELECT vsm.cycle_times_between('flow', 'Work', 'Done', to_which => NULL);
\echo :LAST_ERROR_SQLSTATE
