-- vsm.define_stream(): run again it changes what differs, and history stays.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
SET IntervalStyle = postgres;
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
CREATE VIEW stages AS
    SELECT stream, "order", name, type, category, wip_limit AS "limit", description, retired_at IS NOT NULL AS retired FROM vsm.stages;

SELECT name, time_zone, commitment_stage, reopen_rule FROM vsm.define_stream('team',
    '[{"name": "New", "category": "wait"}, {"name": "Active", "category": "active", "wip_limit": 5, "type": "dev", "description": "being built"},
      {"name": "Review"}, {"name": "Closed", "category": "done", "wip_limit": null}]',
    'Europe/Berlin', 'Review', 'episodes');
SELECT * FROM stages ORDER BY "order";

-- The same again changes nothing, not even a row version.
SELECT string_agg(xmin::text || ctid::text, ' ' ORDER BY id) AS before FROM vsm.stages \gset
SELECT xmin::text || ctid::text AS stream_before FROM vsm.value_streams \gset
SELECT name FROM vsm.define_stream('team',
    '[{"name": "New", "category": "wait"}, {"name": "Active", "category": "active", "wip_limit": 5, "type": "dev", "description": "being built"},
      {"name": "Review"}, {"name": "Closed", "category": "done"}]',
    'Europe/Berlin', 'Review', 'episodes');
SELECT string_agg(xmin::text || ctid::text, ' ' ORDER BY id) = :'before' AS same FROM vsm.stages;
SELECT xmin::text || ctid::text = :'stream_before' AS same FROM vsm.value_streams;

-- One list with history: 1 is closed, 2 under review, 3 new.
SELECT count(*) FROM (SELECT vsm.create_work_item('item ' || n, stream => 'team', at => '2024-01-01') FROM generate_series(1, 3) n) c;
SELECT count(*) FROM (SELECT vsm.transition(n, 'Active', '2024-01-02') FROM generate_series(1, 2) n) t;
SELECT count(*) FROM (SELECT vsm.transition(n, 'Review', '2024-01-03') FROM generate_series(1, 2) n) t;
SELECT count(*) FROM vsm.transition(1, 'Closed', '2024-01-05');
\set computed '{undoes,furthest_before,started_change,item_created_at,item_started_at,active_time,wait_time}'
SELECT md5(json_agg(to_jsonb(t) - :'computed'::text[] ORDER BY id)::text) AS ledger FROM vsm.stage_transitions t WHERE work_item_id < 3 \gset
CREATE VIEW items AS
    SELECT w.title, s.name AS stage, w.started_at::date, w.completed_at::date, w.active_time, w.wait_time
    FROM vsm.work_items w JOIN vsm.stages s ON s.id = w.stage_id;
SELECT * FROM items ORDER BY title COLLATE "C";

-- A new stage, another limit, another order, no commitment stage: items start with Active then.
SELECT name, time_zone, commitment_stage, reopen_rule FROM vsm.define_stream('team',
    '[{"name": "New", "category": "wait"}, {"name": "Ready", "category": "wait"}, {"name": "Active", "wip_limit": 6}, {"name": "Review"},
      {"name": "Closed", "category": "done"}]', 'UTC', '', 'span_first_last');
SELECT * FROM stages ORDER BY "order";
SELECT * FROM items ORDER BY title COLLATE "C";

-- Null for the stages keeps them and changes the rest: items start with Review then.
SELECT name, time_zone, commitment_stage, reopen_rule FROM vsm.define_stream('team', NULL, 'Asia/Tokyo', 'Review', 'span_last');
SELECT count(*) FROM stages;
SELECT * FROM items ORDER BY title COLLATE "C";

-- Left out: Ready, which is unused, is gone.  Active has history: it is retired and keeps its place behind New.
SELECT name FROM vsm.define_stream('team', '[{"name": "New", "category": "wait"}, {"name": "Review"}, {"name": "Test"}, {"name": "Closed", "category": "done"}]', commitment_stage => '');
SELECT * FROM stages ORDER BY "order";
SELECT from_stage, to_stage, time_in_stage FROM vsm.history(1);
SELECT * FROM items ORDER BY title COLLATE "C";
SELECT vsm.transition(3, 'Active');
-- What is left out again stays retired since then; it comes back when it is listed.
SELECT retired_at AS retired_at FROM vsm.stages WHERE name = 'Active' \gset
SELECT name FROM vsm.define_stream('team', '[{"name": "New", "category": "wait"}, {"name": "Review"}, {"name": "Closed", "category": "done"}]');
SELECT name, "order", retired_at = :'retired_at' AS retired_then FROM vsm.stages ORDER BY "order";
SELECT name FROM vsm.define_stream('team', '[{"name": "New", "category": "wait"}, {"name": "Active"}, {"name": "Review"}, {"name": "Closed", "category": "done"}]');
SELECT name, retired FROM stages ORDER BY "order";
SELECT count(*) FROM vsm.transition(3, 'Active', '2024-01-06');

-- An item may be in a stage that is left out; it stays there and can leave.
SELECT name FROM vsm.define_stream('team', '[{"name": "New", "category": "wait"}, {"name": "Review"}, {"name": "Closed", "category": "done"}]');
SELECT stage, wip FROM vsm.wip;
SELECT count(*) FROM vsm.transition(3, 'Review', '2024-01-07');
SELECT stage, wip FROM vsm.wip;

-- Another category: what is delivered is no longer, or was, in the items and figures alike.
SELECT name FROM vsm.define_stream('team', '[{"name": "New", "category": "wait"}, {"name": "Review", "category": "done"}, {"name": "Closed", "category": "done"}]');
SELECT * FROM items ORDER BY title COLLATE "C";
SELECT name FROM vsm.define_stream('team', '[{"name": "New", "category": "wait"}, {"name": "Review", "category": "wait"}, {"name": "Closed", "category": "done"}]');
SELECT * FROM items ORDER BY title COLLATE "C";

-- The ledger is as it was.
SELECT md5(json_agg(to_jsonb(t) - :'computed'::text[] ORDER BY id)::text) = :'ledger' AS same FROM vsm.stage_transitions t WHERE work_item_id < 3;

-- A stream of all stages reversed and renamed by hand at once.
SELECT name FROM vsm.define_stream('rev', '[{"name": "a", "category": "done"}, {"name": "b"}, {"name": "c"}]');
SELECT name FROM vsm.define_stream('rev', '[{"name": "c"}, {"name": "b"}, {"name": "a", "category": "done"}]');
SELECT name, "order" FROM stages WHERE stream = 'rev' ORDER BY "order";

-- A retired active stage stays where work starts: what waits behind it counts as started, which is told.
SELECT FROM vsm.define_stream('retiring');
SELECT FROM vsm.create_work_item('one', stream => 'retiring') w, LATERAL vsm.transition(w.id, 'Analysis');
SELECT FROM vsm.define_stream('retiring', '[{"name": "Backlog", "category": "wait"}, {"name": "Ready", "category": "wait"}, {"name": "Development"}, {"name": "Production", "category": "done"}]');
SELECT FROM vsm.define_stream('retiring', '[{"name": "Backlog", "category": "wait"}, {"name": "Ready", "category": "wait"}, {"name": "Development"}, {"name": "Production", "category": "done"}]', commitment_stage => 'Development');
SELECT FROM vsm.define_stream('retiring', '[{"name": "Backlog", "category": "wait"}, {"name": "Development"}, {"name": "Production", "category": "done"}]', commitment_stage => '');
