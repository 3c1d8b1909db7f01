-- report.sql: how work flows through a stream, on a page of text.
--
-- psql variables: stream; window, if it is set: a file that takes the window's two instants, for others to ask for.
--
-- Every figure comes from a function of the extension; this script only computes the
-- lengths of bars, which stages exceed their limit, and what is better than before.  All
-- is as of the end of the window, and a bucket as of its own end, so that what a report
-- says of the past stays the same in later ones.  A section that has nothing to say is
-- left out.

\set ON_ERROR_STOP on
\set QUIET on
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
\encoding UTF8

SELECT NOT EXISTS (SELECT FROM vsm.work_items WHERE stream = :'stream') AS is_empty \gset
\if :is_empty
SELECT format(E'Flow of stream "%s"\n%s\nThere are no items yet.', :'stream', repeat('═', 98));
\quit
\endif

-- A log that ends more than a day ago is reported as of its end.
SELECT time_zone AS zone, since AS log_begins,
       CASE WHEN is_live THEN now() ELSE until + interval '1 second' END AS until,
       CASE WHEN is_live THEN 'now' ELSE 'at its end' END AS at_end
FROM vsm.metrics(:'stream', '-infinity', 'infinity'),
     CAST(until > now() - interval '1 day' AS boolean) AS is_live \gset
\o /dev/null
SELECT set_config('timezone', :'zone', false);
\o

-- The window: the last 90 days, or the whole log if fewer than 10 items finished in these, or at less than a quarter
-- of the log's overall rate.
SELECT CASE WHEN quiet THEN log_begins ELSE last_90 END AS since,
       CASE WHEN last_90 = log_begins THEN ''
            WHEN quiet THEN 'the whole log, as its last 90 days tell little'
            ELSE 'the last 90 days of the log' END AS remark
FROM (SELECT *, greatest(log_begins, date_trunc('hour', until - interval '90 days')) AS last_90
      FROM (VALUES (:'log_begins'::timestamptz, :'until'::timestamptz)) AS v(log_begins, until)) AS log,
     LATERAL (SELECT recent.throughput < 10 OR 4 * recent.throughput / extract(epoch FROM log.until - last_90)
                     < whole.throughput / extract(epoch FROM log.until - log_begins) AS quiet
              FROM vsm.metrics(:'stream', last_90, log.until) recent,
                   vsm.metrics(:'stream', log_begins, log.until) whole) AS q \gset
\if :{?window}
\o :window
SELECT concat_ws(' ', to_json(:'since'::timestamptz AT TIME ZONE 'UTC') #>> '{}' || 'Z',
                 to_json(:'until'::timestamptz AT TIME ZONE 'UTC') #>> '{}' || 'Z');
\o
\endif
SELECT CASE WHEN days < 15 THEN 'day' WHEN days < 200 THEN 'week' ELSE 'month' END AS bucket
FROM (SELECT extract(epoch FROM :'until'::timestamptz - :'since'::timestamptz) / 86400) AS w(days) \gset

-- Columns that a text takes in a terminal: East Asian characters take two.
CREATE FUNCTION pg_temp.cells(text) RETURNS integer LANGUAGE sql AS $$
    SELECT length($1) + length(regexp_replace($1, '[^ᄀ-ᅟ⺀-꓏가-힣豈-﫿︰-﹏＀-｠￠-￦]', '', 'g'))
$$;

-- A text padded or cut to n columns, of which the last is blank.
CREATE FUNCTION pg_temp.pad(value text, n integer) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN pg_temp.cells(value) < n THEN value || repeat(' ', n - pg_temp.cells(value))
           ELSE (SELECT left(value, k) || '…' || repeat(' ', n - 1 - pg_temp.cells(left(value, k)))
                 FROM generate_series(n - 2, 0, -1) AS k
                 WHERE pg_temp.cells(left(value, k)) <= n - 2 LIMIT 1) END
$$;

-- The same of a name of which both ends may tell it from others: cut in the middle.
CREATE FUNCTION pg_temp.pad_name(value text, n integer) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN pg_temp.cells(value) < n THEN pg_temp.pad(value, n)
           ELSE (SELECT pg_temp.pad(cut, n)
                 FROM generate_series(n - 2, 0, -1) AS k, concat(left(value, k / 2), '…', right(value, (k - 1) / 2)) AS cut
                 WHERE pg_temp.cells(cut) < n LIMIT 1) END
$$;

CREATE FUNCTION pg_temp.number(value numeric, digits integer DEFAULT 0) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(to_char(value, 'FM999,999,999,990' || left('.0000', digits + sign(digits)::integer)), '-')
$$;

CREATE FUNCTION pg_temp.counted(n numeric, noun text) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.number(n) || ' ' || noun || CASE WHEN n = 1 THEN '' ELSE 's' END
$$;

-- An elapsed time in a readable unit, rounded to nearest from hours with two decimals: the number that the page shows.
CREATE FUNCTION pg_temp.elapsed(value interval) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN s IS NULL THEN '-'
           WHEN s < 60 THEN round(s) || ' s'
           WHEN hours < 1 THEN round(hours * 60) || ' min'
           WHEN hours < 48 THEN round(hours, 1) || ' h'
           ELSE pg_temp.number(hours / 24, 1) || ' d' END
    FROM extract(epoch FROM value) AS s, round(s / 3600, 2) AS hours
$$;

CREATE FUNCTION pg_temp.in_words(value interval) RETURNS text LANGUAGE sql AS $$
    SELECT replace(replace(replace(replace(pg_temp.elapsed(value), ' d', ' days'), ' h', ' hours'),
                           ' min', ' minutes'), ' s', ' seconds')
$$;

-- A bar of at most width columns, in steps of an eighth of a column.
CREATE FUNCTION pg_temp.bar(value numeric, scale numeric, width integer) RETURNS text LANGUAGE sql AS $$
    SELECT repeat('█', eighths / 8) || substr('▏▎▍▌▋▊▉', eighths % 8, (eighths % 8 > 0)::integer)
    FROM CAST(ceil(8 * width * coalesce(value, 0) / greatest(scale, 1e-9) - 1e-9) AS integer) AS eighths
$$;

-- Values over time, one column each; 0 is blank.
CREATE FUNCTION pg_temp.spark(numbers bigint[]) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(substr(' ▁▂▃▄▅▆▇█', 1 + ceil(8.0 * value / greatest(most, 1))::integer, 1), '' ORDER BY n)
    FROM unnest(numbers) WITH ORDINALITY AS v(value, n), (SELECT max(m) AS most FROM unnest(numbers) AS m) AS w
$$;

CREATE FUNCTION pg_temp.percent(share numeric) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(round(100 * share) || ' %', '-')
$$;

-- A text in lines of at most 98 columns, each but the first indented.
CREATE FUNCTION pg_temp.wrap(value text, indent integer) RETURNS text LANGUAGE sql AS $$
    SELECT rtrim(regexp_replace(value, '(.{1,' || 98 - indent || '})(?:\s+|$)', E'\\1\n' || repeat(' ', indent), 'g'), E' \n')
$$;

CREATE FUNCTION pg_temp.heading(title text, VARIADIC parts text[] DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
    SELECT format(E'\n%s\n%s', format(title, VARIADIC parts), repeat('─', 98))
$$;

CREATE TEMP TABLE figures AS SELECT * FROM vsm.metrics(:'stream', :'since', :'until');
CREATE TEMP TABLE stage AS
SELECT s.name, s.category, s."order" AS place, s.wip_limit, coalesce(w.items, 0) AS items,
       s.category NOT IN ('done', 'discarded') AS is_wip
FROM vsm.stages s LEFT JOIN vsm.wip_at(:'stream', :'until') w ON w.stage = s.name
WHERE s.stream = :'stream';
CREATE TEMP TABLE aged AS SELECT * FROM vsm.work_item_age(:'stream', at => :'until') WHERE age IS NOT NULL;

SELECT format(E'Flow of stream "%s"\n%s', :'stream', repeat('═', 98));
SELECT pg_temp.wrap(format('Bottleneck: %s. %s', stage, why), 0) || E'\n'
FROM vsm.bottlenecks(:'stream', :'since', :'until') WHERE rank = 1 AND score > 0;
SELECT format('window   %s to %s, time zone %s (%s days)', to_char(since, 'YYYY-MM-DD HH24:MI'),
                 to_char(until, 'YYYY-MM-DD HH24:MI'), time_zone,
                 pg_temp.number(extract(epoch FROM until - since) / 86400, 1))
       || coalesce(E'\n         ' || nullif(:'remark', ''), '')
       || format(E'\nbalance  WIP %s + %s arrived + %s returned - %s departed - %s discarded = WIP %s',
                 pg_temp.number(open_at_since), pg_temp.number(arrivals), pg_temp.number(returns),
                 pg_temp.number(departures), pg_temp.number(discarded), pg_temp.number(open_at_until))
       || format(E'\nrules    reopened items: %s; percentiles: %s', reopen_rule, percentile_rule)
FROM figures;

SELECT pg_temp.heading('Work in progress: WIP %s, started WIP %s', pg_temp.number(open_at_until),
                       pg_temp.number(started_at_until))
FROM figures;
SELECT format('  %-13s%6s %s%9s on average    %s', name, pg_temp.number(at_end), :'at_end',
              pg_temp.number(average, 1), meaning)
FROM figures, LATERAL (VALUES
    ('WIP', open_at_until, wip, 'created and neither finished nor discarded'),
    ('started WIP', started_at_until, started_wip, 'the items of it that have started'))
    AS v(name, at_end, average, meaning);
SELECT format(E'\n  %-22s%-9s%6s%7s  %-26s%s', 'stage', 'category', 'items', 'limit', 'items, │ is the limit',
              'over the window');
WITH trend AS (
    SELECT stage, array_agg(items ORDER BY at) AS items
    FROM vsm.occupancy(:'stream', :'since', :'until', (:'until'::timestamptz - :'since'::timestamptz) / 23)
    GROUP BY stage),
scaled AS (
    SELECT s.*, 24.0 / greatest(max(items) OVER (), max(wip_limit) OVER (), 1) AS cells
    FROM stage s WHERE is_wip)
SELECT format('  %s%-9s%6s%7s  %-26s%s', pg_temp.pad(name, 22), category, pg_temp.number(s.items),
              pg_temp.number(wip_limit),
              CASE WHEN wip_limit IS NULL THEN bar
                   ELSE overlay(rpad(bar, 26) PLACING '│' FROM 1 + round(wip_limit * cells)::integer) END,
              pg_temp.spark(trend.items))
FROM scaled s LEFT JOIN trend ON trend.stage = name, pg_temp.bar(s.items, 24 / cells, 24) AS bar
ORDER BY place;
SELECT format('  Stage %s is %s.', name, CASE WHEN items > wip_limit THEN 'over its limit by ' || items - wip_limit
                                            ELSE 'at its limit' END)
FROM stage WHERE is_wip AND items >= wip_limit
ORDER BY place;

-- The items that the heading counts; while nothing has finished, any.  First those that will most likely miss what is
-- expected, then those that are slower than others were at their stage.
CREATE TEMP TABLE at_risk AS SELECT aged.* FROM aged, figures WHERE cycle_time_n = 0 OR age > cycle_time_p85;
SELECT pg_temp.heading('Items at risk%s',
                       (SELECT format(': %s of %s started items are older than 85 %% of the finished ones became (%s)',
                                      pg_temp.number(count(*) FILTER (WHERE age > cycle_time_p85)),
                                      pg_temp.number(count(*)), pg_temp.elapsed(min(cycle_time_p85)))
                        FROM aged, figures WHERE cycle_time_n > 0 HAVING count(*) > 0));
SELECT format('  %-18s%-10s%-22s%8s%7s%7s  %s', 'item', 'type', 'stage', 'age', 'pace', 'risk',
              CASE WHEN bool_or(title <> external_id) THEN 'title' END)
FROM at_risk HAVING count(*) > 0;
SELECT format('  %s%s%s%8s%7s%7s  %s', pg_temp.pad_name(coalesce(external_id, work_item_id::text), 18), pg_temp.pad(type, 10),
              pg_temp.pad(stage, 22), pg_temp.elapsed(age), pg_temp.percent(pace), pg_temp.percent(risk),
              CASE WHEN title <> external_id THEN pg_temp.pad(title, 23) END)
       || coalesce(E'\n      blocked: ' || pg_temp.pad(block_reason, 83), '')
FROM at_risk
ORDER BY risk DESC NULLS LAST, pace DESC NULLS LAST, age DESC, work_item_id
LIMIT 5;
SELECT '  and ' || pg_temp.counted(count(*) - 5, 'item') || ' more' FROM at_risk HAVING count(*) > 5;
SELECT E'\n  pace: share of the finished items that had left the stage when they were younger'
       || CASE WHEN bool_or(risk IS NOT NULL) THEN E'\n  risk: share of the finished items that got as old and missed the service level expectation' ELSE '' END
FROM at_risk HAVING bool_or(pace IS NOT NULL OR risk IS NOT NULL);
SELECT '  There is no started WIP.' WHERE NOT EXISTS (SELECT FROM aged);

SELECT pg_temp.heading('Throughput: %s finished%s', pg_temp.counted(throughput, 'item'),
                       CASE WHEN until - since >= interval '1 day' THEN ', ' || pg_temp.number(
                           throughput / (extract(epoch FROM until - since) / 86400), 1) || ' a day' END)
FROM figures;
-- The days, weeks or months of the window, latest first, each with what it was at its own end.
CREATE FUNCTION pg_temp.buckets(of_stream text, since timestamptz, until timestamptz, unit text, most integer)
    RETURNS TABLE (bucket date, whole boolean, arrivals bigint, returns bigint, departures bigint, discarded bigint,
                   wip bigint, finished bigint)
    LANGUAGE sql AS $$
    SELECT b.bucket, b.bucket >= buckets.since AND b.next_bucket <= buckets.until, m.arrivals, m.returns, m.departures,
           m.discarded, m.open_at_until, m.throughput
    FROM (SELECT t.bucket, (t.bucket + ('1 ' || unit)::interval)::timestamptz AS next_bucket
          FROM vsm.throughput(of_stream, buckets.since, buckets.until, unit) t
          ORDER BY t.bucket DESC LIMIT most) AS b,
         vsm.metrics(of_stream, greatest(b.bucket, buckets.since), least(b.next_bucket, buckets.until)) AS m
$$;

SELECT CASE :'bucket' WHEN 'week' THEN 9 ELSE 36 END AS most \gset
SELECT format('  %-13s%8s%9s%9s%10s%7s%9s', CASE :'bucket' WHEN 'week' THEN 'week of' ELSE :'bucket' END, 'arrived',
              'returned', 'departed', 'discarded', 'WIP', 'finished');
SELECT format('  %-13s%8s%9s%9s%10s%7s%9s  %s',
              to_char(bucket, 'YYYY-MM-DD') || CASE WHEN whole THEN '' ELSE ' *' END,
              pg_temp.number(arrivals), pg_temp.number(returns), pg_temp.number(departures),
              pg_temp.number(discarded), pg_temp.number(wip), pg_temp.number(finished),
              pg_temp.bar(finished, max(finished) OVER (), 29))
       || CASE WHEN NOT whole AND bucket = max(bucket) OVER () THEN E'\n  * not a whole ' || :'bucket' ELSE '' END
FROM pg_temp.buckets(:'stream', :'since', :'until', :'bucket', :most)
WHERE arrivals + returns + departures + discarded > 0
ORDER BY bucket;
SELECT format('  The latest %s of %s.', :most, pg_temp.counted(count(*), :'bucket'))
FROM vsm.throughput(:'stream', :'since', :'until', :'bucket') HAVING count(*) > :most;
SELECT format(E'\n  departed: every entry into a done stage; finished: items, each once, as of the end of its %s', :'bucket')
FROM figures WHERE departures <> throughput;

-- As long a period, up to where the window begins, if the log goes back that far.
CREATE TEMP TABLE sle AS SELECT * FROM vsm.sle_conformance(:'stream', :'since', :'until');
CREATE TEMP TABLE before AS
SELECT m.*, c.share
FROM figures f, CAST(f.since - (f.until - f.since) AS timestamptz) AS begins,
     vsm.metrics(:'stream', begins, f.since) m, vsm.sle_conformance(:'stream', begins, f.since) c
WHERE begins >= :'log_begins'::timestamptz;
SELECT pg_temp.heading('Compared with the period before, %s to %s', to_char(since, 'YYYY-MM-DD HH24:MI'),
                       to_char(until, 'YYYY-MM-DD HH24:MI'))
       || format(E'\n  %-38s%10s%10s', '', 'before', 'now')
FROM before;
SELECT format('  %-38s%10s%10s  %s', name, was, now,
              CASE WHEN was = now THEN '= same' WHEN sign(change) = better THEN arrow || ' better' ELSE arrow || ' worse' END)
FROM figures f, before b, sle, LATERAL (VALUES
    ('throughput', pg_temp.number(b.throughput), pg_temp.number(f.throughput), f.throughput - b.throughput, 1),
    ('average WIP', pg_temp.number(b.wip, 1), pg_temp.number(f.wip, 1), f.wip - b.wip, -1),
    ('average started WIP', pg_temp.number(b.started_wip, 1), pg_temp.number(f.started_wip, 1), f.started_wip - b.started_wip, -1),
    ('cycle time, 50 %', pg_temp.elapsed(b.cycle_time_p50), pg_temp.elapsed(f.cycle_time_p50),
     extract(epoch FROM f.cycle_time_p50 - b.cycle_time_p50), -1),
    ('cycle time, 85 %', pg_temp.elapsed(b.cycle_time_p85), pg_temp.elapsed(f.cycle_time_p85),
     extract(epoch FROM f.cycle_time_p85 - b.cycle_time_p85), -1),
    ('flow efficiency', pg_temp.percent(b.flow_efficiency), pg_temp.percent(f.flow_efficiency),
     f.flow_efficiency - b.flow_efficiency, 1),
    ('within the service level expectation', pg_temp.percent(b.share), pg_temp.percent(sle.share), sle.share - b.share, 1))
    AS v(name, was, now, change, better), CAST(CASE WHEN change > 0 THEN '▲' ELSE '▼' END AS text) AS arrow
WHERE change IS NOT NULL;

-- No rows where the days with throughput are too few.
CREATE FUNCTION pg_temp.forecast(of_stream text, items integer, at timestamptz) RETURNS SETOF vsm.forecast_line LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT * FROM vsm.forecast(forecast.items, forecast.at::date + 30, of_stream, at => forecast.at);
EXCEPTION WHEN SQLSTATE 'PT422' THEN
    RETURN;
END $$;
CREATE TEMP TABLE forecast AS
SELECT l.*, f.open_at_until AS items
FROM figures f, pg_temp.forecast(:'stream', nullif(least(f.open_at_until, 100000), 0)::integer, :'until') l;
SELECT pg_temp.heading('Forecast') || format(E'\n  %-38s', 'confidence') || string_agg(format('%12s', confidence || ' %'), '' ORDER BY confidence)
FROM forecast HAVING count(*) > 0;
SELECT format('  %-38s', 'the ' || pg_temp.counted(max(items), 'item') || ' of the WIP are done by')
       || string_agg(format('%12s', coalesce(to_char(done_on, 'YYYY-MM-DD'), '> 10 years')), '' ORDER BY confidence)
FROM forecast WHERE items > 0 HAVING count(*) > 0;
SELECT format('  %-38s', 'items done by ' || to_char(:'until'::timestamptz + interval '30 days', 'YYYY-MM-DD') || ', at least')
       || string_agg(format('%12s', pg_temp.number(items_done)), '' ORDER BY confidence)
       || format(E'\n\n  Drawn from %s days with throughput, %s to %s: %s finished; %s trials.', pg_temp.number(max(days_with_throughput)),
                 to_char(min(since), 'YYYY-MM-DD'), to_char(max(until), 'YYYY-MM-DD'), pg_temp.counted(max(finished), 'item'),
                 pg_temp.number(max(trials)))
FROM forecast HAVING count(*) > 0;

SELECT pg_temp.heading('Cycle time and lead time of the items that finished');
SELECT format('  %-38s%8s%10s%10s%10s%10s%10s', '', 'items', '50 %', '70 %', '85 %', '95 %', 'average');
SELECT format('  %-38s%8s%10s%10s%10s%10s%10s', name, pg_temp.number(n), pg_temp.elapsed(p50), pg_temp.elapsed(p70),
              pg_temp.elapsed(p85), pg_temp.elapsed(p95), pg_temp.elapsed(mean))
FROM figures, LATERAL (VALUES
    ('cycle time, from start to finish', cycle_time_n, cycle_time_p50, cycle_time_p70, cycle_time_p85,
     cycle_time_p95, cycle_time_avg),
    ('lead time, from creation to finish', lead_time_n, lead_time_p50, lead_time_p70, lead_time_p85,
     lead_time_p95, lead_time_avg)) AS t(name, n, p50, p70, p85, p95, mean);
SELECT format(E'\n  In words: 85 %% of the items finished within %s of being started (n = %s),\n'
              '            and within %s of being created (n = %s).',
              pg_temp.in_words(cycle_time_p85), pg_temp.number(cycle_time_n),
              pg_temp.in_words(lead_time_p85), pg_temp.number(lead_time_n))
FROM figures WHERE cycle_time_n >= 5;
SELECT E'\n  Too few items finished to tell what to expect.' FROM figures WHERE cycle_time_n < 5;
SELECT E'\n  ' || pg_temp.wrap(sentence, 2)
FROM vsm.littles_law(:'stream', :'since', :'until') WHERE NOT holds AND finished >= 5;

SELECT pg_temp.heading('Service level expectation: %s', CASE WHEN items = 0 THEN 'nothing to judge' ELSE format('%s of %s within it%s',
           pg_temp.percent(share), pg_temp.counted(items, 'item'),
           CASE WHEN share >= probability THEN ', kept' WHEN share < probability THEN ', missed' END) END)
FROM sle WHERE elapsed IS NOT NULL OR items > 0;
SELECT format('  %-38s%8s%10s%10s', 'expected', 'items', 'within', 'share') FROM sle WHERE items > 0;
-- A type without an expectation of its own is judged by the stream's.
SELECT format('  %-38s%8s%10s%10s', CASE WHEN s.type IS NOT NULL OR NOT s.with_types THEN coalesce(s.type, 'all types')
                                                || format(': %s in %s', pg_temp.percent(c.probability::numeric), pg_temp.elapsed(c.elapsed))
                                         ELSE 'all types, each by its own' END,
              pg_temp.number(c.items), pg_temp.number(c.within), pg_temp.percent(c.share))
FROM sle, (SELECT DISTINCT type, EXISTS (SELECT FROM vsm.sles WHERE stream = :'stream' AND type IS NOT NULL) AS with_types
           FROM vsm.sles WHERE stream = :'stream') AS s,
     LATERAL vsm.sle_conformance(:'stream', :'since', :'until', type => s.type) AS c
WHERE sle.items > 0 AND c.elapsed IS NOT NULL
ORDER BY s.type NULLS FIRST;
SELECT format('  %-38s%8s%10s%10s', format('other types: %s in %s', pg_temp.percent(c.probability::numeric), pg_temp.elapsed(c.elapsed)),
              pg_temp.number(c.items - o.items), pg_temp.number(c.within - o.within), pg_temp.percent((c.within - o.within)::numeric / nullif(c.items - o.items, 0)))
FROM vsm.sle_conformance(:'stream', :'since', :'until') AS c,
     LATERAL (SELECT sum(t.items) AS items, sum(t.within) AS within
              FROM (SELECT DISTINCT type FROM vsm.sles WHERE stream = :'stream' AND type IS NOT NULL) AS s,
                   LATERAL vsm.sle_conformance(:'stream', :'since', :'until', type => s.type) AS t) AS o
WHERE c.elapsed IS NOT NULL AND o.items > 0 AND c.items > o.items;
SELECT format(E'\n  %s more cannot be judged: never started, or finished when nothing was expected.', pg_temp.counted(unjudged, 'item'))
FROM sle WHERE items > 0 AND unjudged > 0;

SELECT pg_temp.heading('Time in stage: where the time goes');
SELECT format('  %-22s%-9s%9s%10s%10s%10s  %s', 'stage', 'category', 'visits', '50 %', '85 %', 'average',
              'share of the time');
SELECT format('  %s%-9s%9s%10s%10s%10s%7s%% %s', pg_temp.pad(name, 22), category, pg_temp.number(visits),
              pg_temp.elapsed(p50), pg_temp.elapsed(p85), pg_temp.elapsed(mean),
              round(100 * share), pg_temp.bar(share, max(share) OVER (), 16))
FROM (SELECT s.*, t.visits, t.p50, t.p85, t.avg AS mean,
             coalesce(extract(epoch FROM t.visits * t.avg)
                      / nullif(sum(extract(epoch FROM t.visits * t.avg)) OVER (), 0), 0) AS share
      FROM stage s JOIN vsm.time_in_stage(:'stream', :'since', :'until') t ON t.stage = s.name
      WHERE is_wip AND t.visits > 0) AS s
ORDER BY place;

SELECT pg_temp.heading('Flow efficiency: %s', coalesce(round(100 * flow_efficiency) || ' %', 'not known'))
       || CASE WHEN flow_efficiency IS NULL AND cycle_time_n > 0 THEN E'\n  Items finished at the time they were started, as the log tells it.'
               WHEN flow_efficiency IS NULL THEN E'\n  No item that was started finished in the window.'
               ELSE format(E'\n  From start to finish, items spent %s %% of the time in active stages and waited %s %%.',
                           round(100 * flow_efficiency), 100 - round(100 * flow_efficiency)) END
FROM figures;
SELECT '  Waiting is the time in stages of category wait: without such stages after the start, none shows.'
FROM figures WHERE flow_efficiency = 1;
SELECT format('  With blocked time as waiting, it is %s.', pg_temp.percent(with_blocked))
FROM figures, vsm.flow_efficiency(:'stream', :'since', :'until', blocked_waits => true) AS with_blocked
WHERE with_blocked < flow_efficiency;

CREATE TEMP TABLE blocked AS
SELECT reason, sum(spells) AS spells, sum(items) AS items, sum(blocked) AS blocked
FROM vsm.blocked_time(:'stream', :'since', :'until') GROUP BY reason;
SELECT pg_temp.heading('Blocked time: %s in all%s', pg_temp.elapsed(sum(blocked)),
                       (SELECT '; ' || pg_temp.counted(count(*), 'item') || ' blocked ' || :'at_end' FROM aged WHERE block_reason IS NOT NULL HAVING count(*) > 0))
       || format(E'\n  %-38s%8s%10s%10s', 'reason', 'blocks', 'items', 'blocked')
FROM blocked HAVING count(*) > 0;
SELECT format('  %s%8s%10s%10s  %s', pg_temp.pad(reason, 38), pg_temp.number(spells), pg_temp.number(items), pg_temp.elapsed(blocked),
              pg_temp.bar(extract(epoch FROM blocked), extract(epoch FROM max(blocked) OVER ()), 27))
FROM blocked
ORDER BY blocked.blocked DESC, reason
LIMIT 5;
SELECT '  and ' || pg_temp.counted(count(*) - 5, 'reason') || ' more' FROM blocked HAVING count(*) > 5;

CREATE TEMP TABLE rework AS SELECT * FROM vsm.rework(:'stream', :'since', :'until') WITH ORDINALITY;
SELECT pg_temp.heading('Rework: %s of what %s hands on is complete and accurate (%%C&A)', pg_temp.percent(complete_accurate), stage)
       || E'\n  ' || pg_temp.wrap(format('Of %s, %s sent back later.', pg_temp.counted(handed_on, 'hand-on'),
                                       CASE WHEN sent_back = 1 THEN '1 was' ELSE pg_temp.number(sent_back) || ' were' END)
                                || (SELECT format(' Over all stages %s pass without being sent back (rolled %%C&A).', pg_temp.percent(rolled_complete_accurate))
                                    FROM rework ORDER BY ordinality DESC LIMIT 1), 2)
FROM rework WHERE sent_back > 0
ORDER BY complete_accurate, handed_on DESC
LIMIT 1;

SELECT pg_temp.heading('Failures: change fail rate %s', pg_temp.percent(change_fail_rate))
       || format(E'\n  %s of %s failed%s; rework rate %s.', pg_temp.number(failed_deployments), pg_temp.counted(deployments, 'deployment'),
                 ', with a median recovery time of ' || pg_temp.in_words(failed_deployment_recovery_time),
                 pg_temp.percent(rework_rate))
FROM vsm.dora(:'stream', :'since', :'until') WHERE failed_deployments > 0;

-- recorded_late is left out: every import shows it.
CREATE TEMP TABLE finding AS
SELECT * FROM vsm.data_quality(:'stream') WITH ORDINALITY AS q(finding, items, examples, meaning, n)
WHERE coalesce(items, 1) > 0 AND finding <> 'recorded_late';
SELECT pg_temp.heading('Data quality');
SELECT format('  %s  %s', lpad(CASE WHEN items > 0 THEN pg_temp.counted(items, 'item') || ':' ELSE '' END, 14),
              pg_temp.wrap(meaning, 18))
FROM finding ORDER BY n;
SELECT '  Nothing to report.' WHERE NOT EXISTS (SELECT FROM finding);
