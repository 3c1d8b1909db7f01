-- long_sums.sql: sums of the times of many items may be longer than 290,000 years, which is what a bigint of microseconds holds
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT vsm.define_stream('s', '[{"name":"Open","category":"active"},{"name":"Done","category":"done"}]') IS NOT NULL AS made;
CREATE TEMPORARY TABLE log AS
    SELECT 'X-' || n AS case_id, 'Open' AS stage, timestamptz '1970-01-01 UTC' AS entered_at FROM generate_series(1, 6000) n
    UNION ALL SELECT 'X-6000', 'Done', '1970-01-02 UTC';
SELECT vsm.import_events('log', 's') IS NOT NULL AS imported;

-- they have aged up to now, whatever the window's end
SELECT ok(b.total_age BETWEEN 5999 * (now() - '1970-01-01 UTC') AND 5999 * (clock_timestamp() - '1970-01-01 UTC'), 'the total age of 5999 items')
FROM vsm.flow_balance('s', '2699-12-01 UTC', '2700-01-01 UTC', 'month') b;
SELECT ok((vsm_api.flow_balance(stream => 's', since => '2699-12-01T00:00:00Z', until => '2700-01-01T00:00:00Z', step => 'month')::jsonb #>> '{buckets,0,total_age_hours}')::numeric
          BETWEEN trunc(5999 * extract(epoch FROM now()) / 3600, 2) AND round(5999 * extract(epoch FROM clock_timestamp()) / 3600, 2), 'in hours by REST');
SELECT cmp_ok(5999 * extract(epoch FROM now()) * 1000000, '>', 9223372036854775807::numeric, 'a bigint does not hold it');
SELECT ok(l.expected_cycle_time > interval '110000000 days' AND l.sentence LIKE '%It would give 1________._ days of cycle time%',
          'Little''s Law, where one of them was finished') FROM vsm.littles_law('s', '1970-01-01 UTC') l;
SELECT ok((vsm_api.littles_law(stream => 's', since => '1970-01-01T00:00:00Z')::jsonb ->> 'expected_cycle_time')::numeric > 100000000 * 24::numeric, 'also by REST');

SELECT is(vsm._interval_of_sum(x.us), x.answer, format('%s microseconds', x.us))
FROM (VALUES (0::numeric, interval '0'), (1, '1 us'), (86399999999, '23:59:59.999999'), (86400000000, '1 day'), (-86400000001, '-1 day -00:00:00.000001'),
             (NULL, NULL), (86400000000 * 2147483646::numeric, '2147483646 days')) x (us, answer);
SELECT throws_ok('SELECT vsm._interval_of_sum(86400000000 * 2147483647::numeric)', 'PT422', 'a sum of times is out of range');

SELECT * FROM finish();
ROLLBACK;
