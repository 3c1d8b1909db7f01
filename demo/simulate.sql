-- simulate.sql: a simulated value stream with the stages of a new database, and one for what is given up.
--
-- psql variable: zone.  One stage exceeds its limit, and 1 in 40 items is discarded.

\set ON_ERROR_STOP on
\set QUIET on
\o /dev/null

SELECT vsm.define_stream('default', time_zone => :'zone', stages => '[
    {"name": "Backlog",     "category": "wait"},
    {"name": "Analysis",    "category": "active", "wip_limit": 40},
    {"name": "Development", "category": "active", "wip_limit": 50},
    {"name": "Testing",     "category": "active", "wip_limit": 45},
    {"name": "Deployment",  "category": "active", "wip_limit": 20},
    {"name": "Production",  "category": "done"},
    {"name": "Discarded",   "category": "discarded"}]');

-- Each 40th item is given up halfway to one of its next moves, if it has not been finished by then.
CREATE TABLE simulated AS
WITH move AS (
    SELECT *, number % 40 = 7 AND step = 1 + number / 40 % 4 AND NOT finished AS is_last
    FROM (SELECT *, row_number() OVER item AS step, substring(case_id FROM '[0-9]+$')::integer AS number,
                 bool_or(stage = 'Production') OVER item AS finished,
                 coalesce(lead(entered_at) OVER item, now()) AS next_at
          FROM vsm.simulate(items => 2500)
          WINDOW item AS (PARTITION BY case_id ORDER BY entered_at)) AS m)
SELECT case_id, e.stage, e.entered_at, type, title
FROM (SELECT *, bool_or(is_last) OVER (PARTITION BY case_id ORDER BY step
                                       ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS is_over
      FROM move) AS m,
     LATERAL (VALUES (stage, entered_at, true),
                     ('Discarded', date_trunc('second', entered_at + (next_at - entered_at) / 2), is_last))
                     AS e(stage, entered_at, happened)
WHERE happened AND is_over IS NOT TRUE
ORDER BY case_id, e.entered_at;

SELECT * FROM vsm.import_events('simulated') \gset imported_

\o
\pset format unaligned
\pset tuples_only on
SELECT format('  %s items with %s moves',
              ltrim(to_char(:imported_items, '999,999')), ltrim(to_char(:imported_transitions, '999,999')));
