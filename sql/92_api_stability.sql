-- 92_api_stability: the figures of stability and rework as JSON, for PostgREST and the gateway; durations are hours

CREATE FUNCTION vsm_api.flow_balance(stream text DEFAULT 'default', since text DEFAULT NULL, until text DEFAULT NULL, step text DEFAULT 'day',
                                     type text DEFAULT NULL, attributes jsonb DEFAULT NULL, known_at text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a CONSTANT vsm._asked := vsm._asked(stream, since, until, 720, NULL, type, attributes, known_at);
    v CONSTANT vsm._window := vsm._window_asked(a);
    every CONSTANT text := coalesce(step, 'day');
BEGIN
    RETURN (SELECT row_to_json(r)
            FROM (SELECT v.stream, vsm._rfc3339(v.since) AS since, vsm._rfc3339(v.until) AS until, every AS step,
                         ARRAY(SELECT row_to_json(b)
                               FROM (SELECT f.bucket AS start, f.arrivals, f.departures, f.returns, f.discarded, f.net, f.open, f.started,
                                            vsm._hours(f.total_age) AS total_age_hours
                                     FROM vsm.flow_balance(v.stream, a.since, a.until, every, a.type, a.attributes, a.known_at) f
                                     ORDER BY f.bucket) b) AS buckets,
                         a.type, v.time_zone, a.attributes, vsm._rfc3339(a.known_at) AS known_at) r);
END $$;
COMMENT ON FUNCTION vsm_api.flow_balance(text, text, text, text, text, jsonb, text) IS
    'What came in and went out per day, week (from Monday) or month of the stream''s time zone, and the items in progress at the end of each, '
    'those that have started, and the sum of their ages; by default the last 30 days. Errors: PT404 stream; PT422 arguments.';

CREATE FUNCTION vsm_api.littles_law(stream text DEFAULT 'default', since text DEFAULT NULL, until text DEFAULT NULL, type text DEFAULT NULL,
                                    reopen_rule text DEFAULT NULL, attributes jsonb DEFAULT NULL, known_at text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a CONSTANT vsm._asked := vsm._asked(stream, since, until, 720, reopen_rule, type, attributes, known_at);
BEGIN
    RETURN (SELECT row_to_json(r)
            FROM (SELECT l.holds, l.sentence, l.fails, vsm._hours(l.cycle_time) AS cycle_time, vsm._hours(l.expected_cycle_time) AS expected_cycle_time,
                         round(l.started_wip, 2) AS started_wip, l.finished, round(l.throughput_per_day, 4) AS throughput_per_day, l.starts, l.ends,
                         l.started_at_since, l.started_at_until, vsm._hours(l.age_at_since) AS age_at_since, vsm._hours(l.age_at_until) AS age_at_until,
                         l.tolerance, l.stream, vsm._rfc3339(l.since) AS since, vsm._rfc3339(l.until) AS until, a.type, l.time_zone, l.reopen_rule,
                         a.attributes, vsm._rfc3339(a.known_at) AS known_at
                  FROM vsm.littles_law(a.stream, a.since, a.until, a.type, a.reopen_rule, a.attributes, a.known_at) l) r);
END $$;
COMMENT ON FUNCTION vsm_api.littles_law(text, text, text, text, text, jsonb, text) IS
    'Does Little''s Law apply to the window, by default the last 30 days, and if not, which condition fails (fails: flow, wip, age; sentence)? '
    'Errors: PT404 stream; PT422 arguments.';

CREATE FUNCTION vsm_api.process_behaviour(figure text DEFAULT 'throughput', stream text DEFAULT 'default', since text DEFAULT NULL,
                                          until text DEFAULT NULL, step text DEFAULT 'day', baseline_since text DEFAULT NULL,
                                          baseline_until text DEFAULT NULL, moving integer DEFAULT NULL, type text DEFAULT NULL,
                                          reopen_rule text DEFAULT NULL, attributes jsonb DEFAULT NULL, known_at text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a CONSTANT vsm._asked := vsm._asked(stream, since, until, 2160, reopen_rule, type, attributes, known_at);
    v CONSTANT vsm._window := vsm._window_asked(a);
    every CONSTANT text := coalesce(step, 'day');
    of_figure CONSTANT text := coalesce(figure, 'throughput');
    from_base CONSTANT timestamptz := vsm._instant(baseline_since, v.time_zone, 'baseline_since');
    to_base CONSTANT timestamptz := vsm._instant(baseline_until, v.time_zone, 'baseline_until');
    unit CONSTANT text := CASE WHEN of_figure IN ('cycle_time', 'age', 'total_age') THEN 'hours' ELSE 'items' END;
    digits CONSTANT integer := CASE unit WHEN 'hours' THEN 2 ELSE 4 END;
BEGIN
    RETURN (SELECT row_to_json(r)
            FROM (SELECT of_figure AS figure, unit, v.stream, vsm._rfc3339(v.since) AS since, vsm._rfc3339(v.until) AS until, every AS step,
                         ARRAY(SELECT row_to_json(x)
                               FROM (SELECT vsm._rfc3339(p.at) AS at, round(p.value, CASE unit WHEN 'hours' THEN 2 ELSE 0 END) AS value,
                                            round(p.mean, digits) AS mean, round(p.lower, digits) AS lower, round(p.upper, digits) AS upper, p.signal,
                                            round(p.moving_range, CASE unit WHEN 'hours' THEN 2 ELSE 0 END) AS moving_range
                                     FROM vsm.process_behaviour(v.stream, of_figure, a.since, a.until, every, from_base, to_base, a.type, a.reopen_rule,
                                                                a.attributes, a.known_at, moving) WITH ORDINALITY p
                                     ORDER BY p.ordinality) x) AS points,
                         vsm._rfc3339(from_base) AS baseline_since, vsm._rfc3339(to_base) AS baseline_until, moving, a.type, v.time_zone, v.reopen_rule,
                         a.attributes, vsm._rfc3339(a.known_at) AS known_at) r);
END $$;
COMMENT ON FUNCTION vsm_api.process_behaviour(text, text, text, text, text, text, text, integer, text, text, jsonb, text) IS
    'Process behaviour chart of a figure (throughput, cycle_time, wip, started_wip, age, total_age) per day, week or month of the stream''s time '
    'zone, or cycle_time per item: each value with mean, natural limits and signal; by default the last 90 days, which are their own baseline. '
    'unit: items or hours. Errors: PT404 stream; PT422 arguments.';

CREATE FUNCTION vsm_api.flow_graph(stream text DEFAULT 'default', since text DEFAULT NULL, until text DEFAULT NULL, type text DEFAULT NULL,
                                   attributes jsonb DEFAULT NULL, known_at text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a CONSTANT vsm._asked := vsm._asked(stream, since, until, 720, NULL, type, attributes, known_at);
    v CONSTANT vsm._window := vsm._window_asked(a);
BEGIN
    RETURN (SELECT row_to_json(r)
            FROM (SELECT v.stream, vsm._rfc3339(v.since) AS since, vsm._rfc3339(v.until) AS until,
                         ARRAY(SELECT s.name FROM vsm.stages s WHERE s.stream = v.stream ORDER BY s."order") AS stages,
                         ARRAY(SELECT s.category FROM vsm.stages s WHERE s.stream = v.stream ORDER BY s."order") AS categories,
                         ARRAY(SELECT row_to_json(e)
                               FROM (SELECT g.from_stage, g.to_stage, g.n, vsm._hours(g.p50) AS p50, vsm._hours(g.p85) AS p85, vsm._hours(g.avg) AS avg,
                                            g.backward
                                     FROM vsm.flow_graph(v.stream, a.since, a.until, a.type, a.attributes, a.known_at) WITH ORDINALITY g
                                     ORDER BY g.ordinality) e) AS edges,
                         a.type, v.time_zone, a.attributes, vsm._rfc3339(a.known_at) AS known_at) r);
END $$;
COMMENT ON FUNCTION vsm_api.flow_graph(text, text, text, text, jsonb, text) IS
    'The moves of the window, by default the last 30 days, from one stage to another (from_stage null: items that were created): their number, '
    'and how long the items had been in the stage that they left. Errors: PT404 stream; PT422 arguments.';

CREATE FUNCTION vsm_api.flow_paths(stream text DEFAULT 'default', since text DEFAULT NULL, until text DEFAULT NULL, type text DEFAULT NULL,
                                   "limit" integer DEFAULT 20, reopen_rule text DEFAULT NULL, attributes jsonb DEFAULT NULL,
                                   known_at text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a CONSTANT vsm._asked := vsm._asked(stream, since, until, 720, reopen_rule, type, attributes, known_at);
    v CONSTANT vsm._window := vsm._window_asked(a);
BEGIN
    PERFORM vsm._check_limit("limit", 1000);
    RETURN (SELECT row_to_json(r)
            FROM (SELECT v.stream, vsm._rfc3339(v.since) AS since, vsm._rfc3339(v.until) AS until,
                         ARRAY(SELECT row_to_json(x)
                               FROM (SELECT p.path, p.n, round(p.share, 4) AS share, vsm._hours(p.cycle_time_p50) AS cycle_time_p50,
                                            vsm._hours(p.cycle_time_p85) AS cycle_time_p85, p.loops
                                     FROM vsm.flow_paths(v.stream, a.since, a.until, a.type, a.reopen_rule, a.attributes, a.known_at,
                                                         coalesce(flow_paths."limit", 20)) WITH ORDINALITY p
                                     ORDER BY p.ordinality) x) AS paths,
                         a.type, v.time_zone, v.reopen_rule, a.attributes, vsm._rfc3339(a.known_at) AS known_at) r);
END $$;
COMMENT ON FUNCTION vsm_api.flow_paths(text, text, text, text, integer, text, jsonb, text) IS
    'The most frequent paths, at most limit (1 to 1000), of the items finished in the window, by default the last 30 days: the stages from '
    'creation to finish, with the share of the items that took the path, and their cycle times. Errors: PT404 stream; PT422 limit, arguments.';

CREATE FUNCTION vsm_api.rework(stream text DEFAULT 'default', since text DEFAULT NULL, until text DEFAULT NULL, type text DEFAULT NULL,
                               attributes jsonb DEFAULT NULL, known_at text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a CONSTANT vsm._asked := vsm._asked(stream, since, until, 720, NULL, type, attributes, known_at);
    v CONSTANT vsm._window := vsm._window_asked(a);
BEGIN
    RETURN (SELECT row_to_json(r)
            FROM (SELECT v.stream, vsm._rfc3339(v.since) AS since, vsm._rfc3339(v.until) AS until,
                         (array_agg(s.rolled_complete_accurate ORDER BY s.ordinality DESC))[1] AS rolled_complete_accurate,
                         coalesce(array_agg((SELECT row_to_json(x)
                                             FROM (SELECT s.stage, s.handed_on, s.sent_back, s.complete_accurate, s.first_pass_yield,
                                                          s.rolled_complete_accurate, s.loops) x) ORDER BY s.ordinality), '{}') AS stages,
                         a.type, v.time_zone, a.attributes, vsm._rfc3339(a.known_at) AS known_at
                  FROM (SELECT w.ordinality, w.stage, w.handed_on, w.sent_back, round(w.complete_accurate, 4) AS complete_accurate,
                               round(w.first_pass_yield, 4) AS first_pass_yield, round(w.rolled_complete_accurate, 4) AS rolled_complete_accurate, w.loops
                        FROM vsm.rework(v.stream, a.since, a.until, a.type, a.attributes, a.known_at) WITH ORDINALITY w) s) r);
END $$;
COMMENT ON FUNCTION vsm_api.rework(text, text, text, text, jsonb, text) IS
    'Of each stage, what it handed on in the window, by default the last 30 days, and how much of that later stages sent back: complete_accurate '
    '(%C&A), first_pass_yield and rolled_complete_accurate, 0 to 1. Errors: PT404 stream; PT422 arguments.';

CREATE FUNCTION vsm_api.cycle_times_between(from_stage text, to_stage text, stream text DEFAULT 'default',
                                            since text DEFAULT NULL, until text DEFAULT NULL, from_which text DEFAULT 'first_entry',
                                            to_which text DEFAULT 'last_entry', type text DEFAULT NULL, "limit" integer DEFAULT 5000,
                                            attributes jsonb DEFAULT NULL, known_at text DEFAULT NULL,
                                            percentiles double precision[] DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    fractions CONSTANT double precision[] := vsm._fractions(percentiles);
    a CONSTANT vsm._asked := vsm._asked(stream, since, until, 720, NULL, type, attributes, known_at);
    v CONSTANT vsm._window := vsm._window_asked(a);
    starts_at CONSTANT text := coalesce(from_which, 'first_entry');
    stops_at CONSTANT text := coalesce(to_which, 'last_entry');
    unknown text;
BEGIN
    PERFORM vsm._check_limit("limit", 50000);
    from_stage := vsm._sought(from_stage);
    to_stage := vsm._sought(to_stage);
    SELECT n.name INTO unknown FROM unnest(ARRAY[from_stage, to_stage]) n (name)
    WHERE n.name IS NOT NULL AND NOT EXISTS (SELECT FROM vsm.stages s WHERE s.stream = a.stream AND s.name = n.name) LIMIT 1;
    IF FOUND THEN
        PERFORM vsm._stage_not_found(a.stream, unknown);
    END IF;
    RETURN (WITH times AS MATERIALIZED (
                SELECT * FROM vsm.cycle_times_between(a.stream, from_stage, to_stage, a.since, a.until, starts_at, stops_at, a.type, a.attributes, a.known_at)
                              WITH ORDINALITY),
            summary AS (
                SELECT vsm._summary(vsm._interval_us(t.elapsed), true) AS s, vsm.percentiles(t.elapsed, fractions) AS found FROM times t),
            latest AS (
                SELECT * FROM times t ORDER BY t.ordinality DESC LIMIT coalesce(cycle_times_between."limit", 5000))
            SELECT row_to_json(r)
            FROM (SELECT vsm._hours((m.s).p50) AS p50, vsm._hours((m.s).p85) AS p85, vsm._hours((m.s).p95) AS p95, vsm._hours((m.s).avg) AS avg, (m.s).n,
                         ARRAY(SELECT row_to_json(p)
                               FROM (SELECT l.work_item_id AS id, l.external_id, l.title, l.type, vsm._rfc3339(l.from_at) AS from_at,
                                            vsm._rfc3339(l.to_at) AS to_at, vsm._hours(l.elapsed) AS elapsed_hours
                                     FROM latest l ORDER BY l.ordinality) p) AS points,
                         CASE WHEN cardinality(fractions) > 0 THEN
                             ARRAY(SELECT row_to_json(x)
                                   FROM (SELECT cycle_times_between.percentiles[p] AS percentile, vsm._hours(m.found[p]) AS elapsed
                                         FROM generate_subscripts(fractions, 1) p ORDER BY p) x) END AS percentiles,
                         from_stage, to_stage, starts_at AS from_which, stops_at AS to_which, v.stream, vsm._rfc3339(v.since) AS since,
                         vsm._rfc3339(v.until) AS until, a.type, v.time_zone, a.attributes, vsm._rfc3339(a.known_at) AS known_at
                  FROM summary m) r);
END $$;
COMMENT ON FUNCTION vsm_api.cycle_times_between(text, text, text, text, text, text, text, text, integer, jsonb, text, double precision[]) IS
    'Percentiles, in hours, of the time from a stage to another of the n items that got there in the window, by default the last 30 days, and the '
    'latest of these, at most limit (1 to 50000), as points. from_which, to_which: first_entry, last_entry, first_exit or last_exit. '
    'percentiles: further ones, in percent. Errors: PT404 stream, stage; PT422 limit, arguments.';

CREATE FUNCTION vsm_api.data_quality(stream text DEFAULT 'default') RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of_stream CONSTANT text := vsm._known_stream(stream);
BEGIN
    RETURN array_to_json(ARRAY(
        SELECT row_to_json(r)
        FROM (SELECT q.finding, q.items, q.examples, q.meaning
              FROM vsm.data_quality(of_stream) WITH ORDINALITY q
              ORDER BY q.ordinality) r));
END $$;
COMMENT ON FUNCTION vsm_api.data_quality(text) IS
    'What to know before trusting the figures of a stream: a list of findings with the number of items (null: the finding is not of items), '
    'the ids of up to five of them, and what the finding means. Compares all moves of the stream. Errors: PT404 stream.';
