-- recognise.sql: finds what the columns of table :"stream" mean.
--
-- Makes the temporary tables col (the file's columns with their roles) and plan
-- (one row: the form of the log and how its dates are written).

CREATE FUNCTION pg_temp.say(line text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE '%', line;
END $$;

CREATE FUNCTION pg_temp.refuse(message text, hint text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', message USING HINT = hint;
END $$;

CREATE FUNCTION pg_temp.number(n numeric) RETURNS text LANGUAGE sql AS $$
    SELECT ltrim(to_char(n, '999,999,999,999'))
$$;

CREATE FUNCTION pg_temp.counted(n numeric, noun text) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.number(n) || ' ' || noun || CASE WHEN n = 1 THEN '' ELSE 's' END
$$;

-- A value as a time, by the session's DateStyle; null when it is not a time.
CREATE FUNCTION pg_temp.moment(value text) RETURNS timestamptz LANGUAGE plpgsql AS $$
BEGIN
    RETURN value::timestamptz;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$;

-- Names of columns in the exports of common tools, best first; compared by their letters and digits, in lower case.
CREATE TEMP TABLE synonym AS
SELECT role, key, rank
FROM (VALUES
    ('item', 'caseid itemid workitemid issuekey issueid key id issue ticket ticketid ticketnumber number
        incident incidentid card cardid story storyid taskid item workitem case caseconceptname externalid
        reference identifier'),
    ('stage', 'stage tostage status tostatus newstatus state tostate newstate to activity activityname column list
        phase step newvalue tostring conceptname'),
    ('time', 'enteredat entered enteredon timestamp datetime changedat changed changeddate changedon transitionedat
        transitiondate movedat moved time date at when occurredat starttime timetimestamp createdat created'),
    ('type', 'type issuetype workitemtype itemtype kind category'),
    ('title', 'title summary name subject')) AS v(role, keys),
    regexp_split_to_table(keys, '\s+') WITH ORDINALITY AS k(key, rank);

CREATE TEMP TABLE col AS
SELECT a.attnum AS place, a.attname::text AS name,
       lower(regexp_replace(a.attname, '[^[:alnum:]]', '', 'g')) AS key,
       NULL::text AS role, NULL::text AS stage,
       0::bigint AS filled,         -- values that are not blank
       0::bigint AS dates,          -- of these, values that look like dates
       0::bigint AS numeric_dates,  -- dates like 3/4/2024
       0::bigint AS day_first,      -- of these, with a first number above 12
       0::bigint AS month_first,    -- with a second number above 12
       0::bigint AS dotted,         -- with dots, like 3.4.2024
       NULL::text AS example
FROM pg_attribute a
WHERE a.attrelid = :'source'::regclass AND a.attnum > 0 AND NOT a.attisdropped;

UPDATE col SET role = best.role
FROM (SELECT DISTINCT ON (s.role) s.role, c.place
      FROM synonym s JOIN col c USING (key)
      ORDER BY s.role, s.rank, c.place) AS best
WHERE col.place = best.place;

-- Fills these counts for one column.
CREATE FUNCTION pg_temp.look(source regclass, col_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format($look$
        UPDATE col
        SET (filled, dates, numeric_dates, day_first, month_first, dotted, example) = (
            SELECT count(*),
                   count(*) FILTER (WHERE value ~ '^\d{4}[-/.]\d{1,2}[-/.]\d' OR parts IS NOT NULL
                                       OR value ~* '^([a-z]{3}, )?\d{1,2}[-/ ][a-z]{3,9}[-/ ]\d\d'
                                       OR value ~* '^[a-z]{3,9}\.? \d{1,2},? \d{4}|^\d{8}t\d{4}'),
                   count(parts),
                   count(*) FILTER (WHERE parts[1]::int > 12),
                   count(*) FILTER (WHERE parts[3]::int > 12),
                   count(*) FILTER (WHERE parts[2] = '.'),
                   min(value)
            FROM (SELECT btrim(%1$I) AS value,
                         regexp_match(%1$I, '^\s*(\d{1,2})([-/.])(\d{1,2})\2\d{2,4}(?!\d)') AS parts
                  FROM %2$s WHERE btrim(%1$I) <> '') AS v)
        WHERE name = %1$L $look$, col_name, source);
END $$;

SELECT pg_temp.look(:'source', name) FROM col WHERE role IS NULL OR role IN ('stage', 'time') ORDER BY place;

-- Columns in which at least 90 % of the values are dates, except due dates and times of the last change, which
-- belong to no stage.
CREATE TEMP VIEW date_col AS
SELECT * FROM col
WHERE dates > 0 AND dates >= 0.9 * filled AND coalesce(role, 'time') IN ('stage', 'time')
  AND key !~ '^(due|target|planned|estimated|last|updated|modified|baseline)|(due|updated|modified)(date|at|on)?$';

CREATE TEMP TABLE plan AS
SELECT (SELECT name FROM col WHERE role = 'item') AS item,
       (SELECT name FROM col WHERE role = 'stage') AS stage,
       (SELECT name FROM col WHERE role = 'time') AS "time",
       (SELECT name FROM col WHERE role = 'type') AS type,
       (SELECT name FROM col WHERE role = 'title') AS title,
       (SELECT count(*) FROM date_col) AS date_columns,
       (SELECT string_agg(name, ', ' ORDER BY place) FROM col) AS columns,
       NULL::text AS form, NULL::text AS datestyle, 0::bigint AS lines, 1::bigint AS sample_every;

CREATE FUNCTION pg_temp.decide(source regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    p plan;
    one_line_each boolean;
    hint CONSTANT text := 'Name the columns case_id, stage, entered_at (one line for each event; type and title may '
        'follow), or id and one column of dates for each stage (one line for each item).';
BEGIN
    SELECT * INTO p FROM plan;
    IF p.item IS NULL THEN
        PERFORM pg_temp.refuse('no column tells which item a line is about; the columns are ' || p.columns, hint);
    END IF;
    EXECUTE format('SELECT count(*), count(DISTINCT %I) = count(*) FROM %s', p.item, source)
    INTO p.lines, one_line_each;
    IF p.lines = 0 THEN
        PERFORM pg_temp.refuse('there is nothing below the header line', hint);
    END IF;

    -- A status next to several dates is the current one: such a line describes a whole item.
    p.form := CASE WHEN p.stage IS NOT NULL AND p.time IS NOT NULL
                    AND NOT (one_line_each AND p.date_columns > 1) THEN 'long'
                   WHEN p.date_columns > 0 THEN 'wide' END;
    IF p.form IS NULL THEN
        PERFORM pg_temp.refuse('no columns tell when an item entered which stage; the columns are ' || p.columns, hint);
    END IF;
    IF p.form = 'long' AND (SELECT dates = 0 FROM col WHERE role = 'time') THEN
        PERFORM pg_temp.refuse(format('column %s holds no dates: %s', p.time,
                                      (SELECT quote_literal(example) FROM col WHERE role = 'time')),
                               'Write times as in 2026-01-31 14:05, 1/31/2026 2:05 PM or 31.01.2026 14:05.');
    END IF;
    UPDATE plan SET form = p.form, lines = p.lines, sample_every = greatest(1, p.lines / 20000);
    UPDATE col SET role = NULL WHERE p.form = 'wide' AND role IN ('stage', 'time');
    UPDATE col SET role = 'date'
    WHERE p.form = 'wide' AND place IN (SELECT place FROM date_col);
END $$;

SELECT pg_temp.decide(:'source');

-- Day or month first: as most values of all time columns require.
CREATE TEMP VIEW dates AS
SELECT sum(numeric_dates) AS numeric_dates, sum(day_first) AS day_first, sum(month_first) AS month_first,
       sum(dotted) AS dotted, max(example) FILTER (WHERE numeric_dates > 0) AS example
FROM col WHERE role IN ('time', 'date');

UPDATE plan
SET datestyle = CASE
    WHEN :'dates' <> '' THEN upper(:'dates')
    WHEN day_first > month_first THEN 'DMY'
    WHEN month_first > day_first THEN 'MDY'
    WHEN dotted > 0 THEN 'DMY'
    ELSE 'MDY' END
FROM dates;
SELECT set_config('datestyle', 'ISO, ' || datestyle, false) FROM plan \g /dev/null

SELECT pg_temp.say(format('%s in the %s form; ', pg_temp.counted(lines, 'line'), form)
                   || concat_ws(', ', 'item: ' || item, CASE form WHEN 'long' THEN 'stage: ' || stage END,
                                CASE form WHEN 'long' THEN 'time: ' || "time" END,
                                'type: ' || type, 'title: ' || title))
FROM plan;
SELECT pg_temp.say('not used: ' || string_agg(name, ', ' ORDER BY place))
FROM col WHERE role IS NULL HAVING count(*) > 0;
SELECT pg_temp.say(format('dates such as %s are taken as ', example)
                   || CASE datestyle WHEN 'DMY' THEN 'day, month, year'
                                     WHEN 'YMD' THEN 'year, month, day'
                                     ELSE 'month, day, year' END
                   || CASE WHEN :'dates' <> '' THEN ''
                           WHEN day_first + month_first = 0 AND dotted = 0
                           THEN ': the file does not tell; if that is wrong, add DATES=DMY'
                           WHEN least(day_first, month_first) > 0
                           THEN format(', as most must be, but %s cannot be',
                                       pg_temp.number(least(day_first, month_first)))
                           ELSE '' END)
FROM plan, dates WHERE numeric_dates > 0;
