-- simulate.sql: the work of a simulated team of eight, with what a real board has: queues between the steps, blocked items,
-- classes of service, rework, items that are given up, failures in production, and an expectation that is kept less and less.
--
-- psql variables: zone; and, if they are set, items (450), days (200) and until (now).  The same values give the same rows.
-- Arrivals, types and titles are those of vsm.simulate(), whose UTC is taken for the time of the zone.  Each item then
-- moves by itself, in working time: log-normal stays, whose medians are in the tables below.

\set ON_ERROR_STOP on
\set QUIET on
\o /dev/null
\if :{?items}
\else
\set items 450
\endif
\if :{?days}
\else
\set days 200
\endif
\if :{?until}
\else
SELECT date_trunc('second', now()) AS until \gset
\endif

-- Medians in working hours.  A stay ends in Discarded, in the other stage that is named, or else in the next one; a blocked one takes longer.
CREATE TEMP TABLE stage_model (stage text, category text, hours float8, sigma float8, discarded float8, other text, other_share float8,
                               blocked float8, reasons text[], place serial);
INSERT INTO stage_model VALUES
    ('Backlog',               'wait',      60,  0.9, 0.06,  'Production',  0.012, 0,    NULL),
    ('Analysis',              'active',    1.5, 0.8, 0.04,  'Backlog',     0.04,  0.08, '{Answer from the customer}'),
    ('Ready for development', 'wait',      9,   1.0, 0.02,  NULL,          0,     0.02, '{Answer from the customer,Approval of the budget}'),
    ('Development',           'active',    5,   0.8, 0.01,  'Analysis',    0.03,  0.10, '{Interface of another team,Answer from the customer,Access rights}'),
    ('Ready for review',      'wait',      4,   1.0, 0,     NULL,          0,     0,    NULL),
    ('Review',                'active',    1,   0.8, 0.003, 'Development', 0.16,  0.02, '{Interface of another team}'),
    ('Ready for testing',     'wait',      3,   0.9, 0.004, NULL,          0,     0.04, '{Test environment is down}'),
    ('Testing',               'active',    2,   0.8, 0.004, 'Development', 0.18,  0.08, '{Test environment is down,Test data}'),
    ('Ready for release',     'wait',      6,   0.8, 0,     NULL,          0,     0.04, '{Approval of the release}'),
    ('Production',            'done',      8,   1.0, 0,     'Development', 0.01,  0,    NULL),
    ('Discarded',             'discarded', 0,   0,   0,     NULL,          0,     0,    NULL);

-- Factors of the medians in wait and active stages; and of 100 items, how many are of a class other than standard.
CREATE TEMP TABLE type_model (type text, wait float8, effort float8, expedite integer, fixed_date integer, intangible integer);
INSERT INTO type_model VALUES
    ('feature', 1.0, 1.2, 1, 12, 3), ('bug', 0.6, 0.5, 9, 3, 2), ('task', 0.9, 0.6, 1, 4, 30), ('epic', 1.5, 4.0, 0, 20, 0);
CREATE TEMP TABLE class_model (class text, wait float8, effort float8);
INSERT INTO class_model VALUES ('standard', 1.0, 1.0), ('expedite', 0.06, 0.7), ('fixed date', 0.6, 1.0), ('intangible', 1.8, 0.8);

-- Working hours since a Monday, of days from 09:00 to 17:00 and weeks of five days; and back.
CREATE FUNCTION pg_temp.worked(at timestamp) RETURNS float8 LANGUAGE sql AS $$
    SELECT day / 7 * 40 + CASE WHEN day % 7 > 4 THEN 40
                          ELSE day % 7 * 8 + least(greatest(extract(epoch FROM at::time)::float8 / 3600 - 9, 0), 8) END
    FROM (SELECT at::date - date '1990-01-01' AS day) AS d
$$;
CREATE FUNCTION pg_temp.clock(hours float8) RETURNS timestamp LANGUAGE sql AS $$
    SELECT date_trunc('second', timestamp '1990-01-01 09:00' + make_interval(days => day / 5 * 7 + day % 5, secs => 3600 * (hours - 8 * day)))
    FROM (SELECT floor(hours / 8)::integer AS day) AS d
$$;

CREATE FUNCTION pg_temp.lognormal(median float8, sigma float8) RETURNS float8 LANGUAGE sql VOLATILE AS $$
    SELECT median * exp(sigma * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()))
$$;

-- Times of the zone.
CREATE TEMP TABLE simulated (case_id text, stage text, entered_at timestamp, type text, title text, step serial);
CREATE TEMP TABLE service (case_id text, attributes jsonb);
CREATE TEMP TABLE spell (case_id text, reason text, blocked_at timestamp, unblocked_at timestamp);
CREATE TEMP TABLE failure (case_id text, failed_at timestamp, recovered_at timestamp, reason text);

CREATE FUNCTION pg_temp.simulate(items integer, days integer, until timestamptz, zone text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    stages CONSTANT stage_model[] := ARRAY(SELECT s FROM stage_model s ORDER BY place);
    place_of CONSTANT jsonb := (SELECT jsonb_object_agg(stage, place) FROM stage_model);
    ends CONSTANT timestamp := simulate.until AT TIME ZONE simulate.zone;
    item record;
    class class_model;
    s stage_model;
    next integer;
    at timestamp;
    hours float8;               -- worked(at)
    stay float8;
    spell float8;
    ticket float8;
    visits integer[];
    fails boolean;
BEGIN
    PERFORM setseed(0.5);
    FOR item IN
        SELECT DISTINCT ON (a.case_id) a.case_id, a.title, a.entered_at AT TIME ZONE 'UTC' AS arrived_at, m.*
        FROM vsm.simulate(simulate.items, simulate.days, 1, ends AT TIME ZONE 'UTC') a JOIN type_model m USING (type)
        ORDER BY a.case_id, a.entered_at
    LOOP
        ticket := 100 * random();
        SELECT * INTO class FROM class_model c
        WHERE c.class = CASE WHEN ticket < item.expedite THEN 'expedite' WHEN ticket < item.expedite + item.fixed_date THEN 'fixed date'
                             WHEN ticket < item.expedite + item.fixed_date + item.intangible THEN 'intangible' ELSE 'standard' END;
        INSERT INTO service VALUES (item.case_id, jsonb_strip_nulls(jsonb_build_object('class_of_service', class.class, 'due_date',
            CASE class.class WHEN 'fixed date' THEN item.arrived_at::date + 20 + floor(30 * random())::integer END)));
        at := item.arrived_at;
        hours := pg_temp.worked(at);
        next := 1;
        visits := array_fill(0, ARRAY[cardinality(stages)]);
        WHILE at AT TIME ZONE simulate.zone < simulate.until LOOP
            s := stages[next];
            INSERT INTO simulated VALUES (item.case_id, s.stage, at, item.type, item.title);
            EXIT WHEN s.category = 'discarded';
            visits[s.place] := visits[s.place] + 1;
            stay := pg_temp.lognormal(s.hours, s.sigma)
                    * CASE s.category WHEN 'wait' THEN item.wait * class.wait
                                      WHEN 'active' THEN item.effort * class.effort / least(visits[s.place], 2)     -- rework takes half as long
                                      ELSE 1 END;
            -- for eight weeks now a tester has been missing
            IF s.stage = 'Ready for testing' THEN
                stay := stay * (1 + 9 * greatest(0, 1 - (pg_temp.worked(ends) - hours) / 320));
            END IF;
            IF random() < s.blocked THEN
                spell := pg_temp.lognormal(9, 0.9);
                INSERT INTO spell VALUES (item.case_id, s.reasons[1 + floor(cardinality(s.reasons) * random())::integer],
                                          pg_temp.clock(hours + stay / 2), pg_temp.clock(hours + stay / 2 + spell));
                stay := stay + spell;
            END IF;
            ticket := random();
            next := CASE WHEN ticket < s.discarded THEN place_of ->> 'Discarded' WHEN ticket < s.discarded + s.other_share THEN place_of ->> s.other
                    ELSE (s.place + 1)::text END;
            IF s.category = 'done' THEN
                fails := random() < 0.07;
                IF fails THEN
                    INSERT INTO failure VALUES (item.case_id, pg_temp.clock(hours + stay), pg_temp.clock(hours + stay + pg_temp.lognormal(2, 0.8)),
                                                (ARRAY['Error rate rose', 'Wrong totals', 'Slow answers'])[1 + floor(3 * random())::integer]);
                END IF;
                EXIT WHEN next > s.place AND NOT (fails AND random() < 0.5);
                next := place_of ->> s.other;
            END IF;
            hours := hours + greatest(stay, 1.0 / 60);
            at := pg_temp.clock(hours);
            -- what is not ready on Friday evening is sometimes done on Saturday
            IF extract(isodow FROM at) = 5 AND at::time > '15:00' AND random() < 0.1 THEN
                at := at + interval '1 day';
                hours := pg_temp.worked(at);
            END IF;
        END LOOP;
    END LOOP;
END $$;

SELECT pg_temp.simulate(:items, :days, :'until', :'zone');

SELECT vsm.define_stream('default', time_zone => :'zone',
                         stages => (SELECT jsonb_agg(jsonb_build_object('name', stage, 'category', category) ORDER BY place) FROM stage_model));
SELECT * FROM vsm.import_events('simulated', order_column => 'step') \gset imported_
UPDATE vsm.work_items w SET attributes = s.attributes FROM service s WHERE w.stream = 'default' AND w.external_id = s.case_id;

INSERT INTO vsm.blocks (work_item_id, reason, blocked_at, unblocked_at)
SELECT w.id, s.reason, t.blocked_at, CASE WHEN t.unblocked_at < :'until' THEN t.unblocked_at END
FROM spell s JOIN vsm.work_items w ON w.stream = 'default' AND w.external_id = s.case_id,
     LATERAL (VALUES (s.blocked_at AT TIME ZONE :'zone', s.unblocked_at AT TIME ZONE :'zone')) AS t(blocked_at, unblocked_at)
WHERE t.blocked_at < :'until'
ORDER BY t.blocked_at, w.id;

SELECT vsm.mark_failure(w.id, t.failed_at, CASE WHEN t.recovered_at < :'until' THEN t.recovered_at END, f.reason)
FROM failure f JOIN vsm.work_items w ON w.stream = 'default' AND w.external_id = f.case_id,
     LATERAL (VALUES (f.failed_at AT TIME ZONE :'zone', f.recovered_at AT TIME ZONE :'zone')) AS t(failed_at, recovered_at)
WHERE t.failed_at < :'until';

SELECT vsm.set_sle('default', s.elapsed, 0.85, s.type, (min(simulated.entered_at))::date)
FROM simulated, (VALUES (interval '18 days', NULL), ('8 days', 'bug')) AS s(elapsed, type)
GROUP BY s.elapsed, s.type;

-- Active stages have a place more than they ever needed, and the queue for testing has outgrown its limit.
UPDATE vsm.stages s
SET wip_limit = CASE s.category WHEN 'active' THEN most + 1 ELSE greatest(1, 4 * w.items / 5) END
FROM vsm.wip_at('default', :'until') w
JOIN (SELECT stage, max(items) AS most FROM vsm.occupancy('default', '-infinity', :'until', '6 hours') GROUP BY stage) AS o USING (stage)
WHERE s.stream = 'default' AND s.name = stage AND (s.category = 'active' OR s.name = 'Ready for testing');

\o
\pset format unaligned
\pset tuples_only on
SELECT format('  %s items with %s moves',
              ltrim(to_char(:imported_items, '999,999')), ltrim(to_char(:imported_transitions, '999,999')));
