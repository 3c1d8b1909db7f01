-- simulate.sql: a simulated value stream with the stages of a new database.
--
-- psql variable: zone.  One stage exceeds its limit.

\set ON_ERROR_STOP on
\set QUIET on
\o /dev/null

SELECT vsm.define_stream('default', time_zone => :'zone', stages => '[
    {"name": "Backlog",     "category": "wait"},
    {"name": "Analysis",    "category": "active", "wip_limit": 40},
    {"name": "Development", "category": "active", "wip_limit": 50},
    {"name": "Testing",     "category": "active", "wip_limit": 45},
    {"name": "Deployment",  "category": "active", "wip_limit": 20},
    {"name": "Production",  "category": "done"}]');

CREATE TABLE simulated AS SELECT * FROM vsm.simulate(items => 2500);
SELECT * FROM vsm.import_events('simulated') \gset imported_

\o
\pset format unaligned
\pset tuples_only on
SELECT format('  %s items with %s moves',
              ltrim(to_char(:imported_items, '999,999')), ltrim(to_char(:imported_transitions, '999,999')));
