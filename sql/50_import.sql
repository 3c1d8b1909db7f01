-- 50_import: history from a table, view or foreign table, in any order and repeatedly
--
-- The caller's part reads the source with the caller's rights into a temporary table that the ledger's owner owns.
-- The owner's part (_import_prepare, _import_run) touches no object of the caller.

CREATE TYPE vsm.import_result AS (
    items bigint,
    transitions bigint,
    merged bigint,
    skipped bigint,
    refused bigint,
    breaches bigint
);
COMMENT ON TYPE vsm.import_result IS
    'What an import did. items: items created or changed. The others count rows of the source. transitions: added to the '
    'ledger; merged: the item was already in that stage; skipped: in the ledger already, or repeated in the source; '
    'refused: see vsm.import_refusals. breaches: entries that leave a stage over its limit now; they are marked with wip_breach.';

-- What an event is, given the earlier events of its item.
CREATE TYPE vsm._sequence_step AS (
    copy boolean,
    keep boolean,
    from_stage_id bigint,
    time_in_stage interval,
    cycle_time interval,
    lead_time interval,
    undoes timestamptz,
    furthest_before bigint,
    started_change smallint,
    item_created_at timestamptz,
    item_started_at timestamptz,
    active_time interval,
    wait_time interval
);
CREATE FUNCTION vsm._sequence_next(internal, bigint, timestamptz, boolean) RETURNS internal
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vsm__sequence_next';
COMMENT ON FUNCTION vsm._sequence_next(internal, bigint, timestamptz, boolean) IS 'Adds the next event.';
CREATE FUNCTION vsm._sequence_step(internal) RETURNS vsm._sequence_step
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sequence_step';
COMMENT ON FUNCTION vsm._sequence_step(internal) IS 'Classifies the last event.';
CREATE AGGREGATE vsm._sequence(stage_id bigint, at timestamptz, new boolean) (
    SFUNC = vsm._sequence_next, STYPE = internal, FINALFUNC = vsm._sequence_step, FINALFUNC_MODIFY = READ_ONLY, PARALLEL = RESTRICTED
);
COMMENT ON AGGREGATE vsm._sequence(bigint, timestamptz, boolean) IS
    'For a window over the events of one item in order, ROWS UNBOUNDED PRECEDING. Of the current event: whether it is a copy '
    'of an earlier one; whether it is a move, from which stage, after how long, and what it adds to the figures.';

CREATE FUNCTION vsm._latest_step(internal, text, timestamptz) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__latest_step';
COMMENT ON FUNCTION vsm._latest_step(internal, text, timestamptz) IS 'Adds the value of an event.';
CREATE FUNCTION vsm._latest_value(internal) RETURNS text
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__latest_value';
COMMENT ON FUNCTION vsm._latest_value(internal) IS 'The latest value.';
CREATE AGGREGATE vsm._latest(value text, at timestamptz) (
    SFUNC = vsm._latest_step, STYPE = internal, SSPACE = 128,
    FINALFUNC = vsm._latest_value, FINALFUNC_MODIFY = READ_ONLY, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vsm._latest(text, timestamptz) IS
    'The latest text that is neither null nor empty, in whatever order the rows come; of equal times, the text that is '
    'greater bytewise.';

-- src/roles/on_behalf.c checks the caller's rights and access, and then runs _import_prepare and _import_run as the owner.
CREATE FUNCTION vsm._import_begin(stream text, on_error text, create_stages boolean) RETURNS text
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vsm__import_begin';
COMMENT ON FUNCTION vsm._import_begin(text, text, boolean) IS
    'First step of an import: makes pg_temp.vsm_import, for the rows, and returns the stream''s time zone. Errors: PT404, PT422, 42501.';
CREATE FUNCTION vsm._import_apply(stream text, source text, create_stages boolean, on_error text) RETURNS vsm.import_result
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vsm__import_apply';
COMMENT ON FUNCTION vsm._import_apply(text, text, boolean, text) IS
    'Second step of an import: what pg_temp.vsm_import holds. Errors: PT404, PT422, 42501.';

CREATE FUNCTION vsm._import_prepare(of_stream text, on_error text, importer text, create_stages boolean) RETURNS text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET client_min_messages = warning
AS $$
DECLARE
    zone text;
BEGIN
    IF on_error IS NULL OR on_error NOT IN ('abort', 'skip') THEN
        RAISE EXCEPTION 'on_error cannot be "%"', vsm._cut(on_error)
            USING ERRCODE = 'PT422', DETAIL = 'on_error says what happens to the import when a row cannot be imported.',
                  HINT = 'Give abort (the default) or skip.';
    END IF;
    IF of_stream = 'default' THEN
        PERFORM vsm._seed_default();
    END IF;
    -- Who creates stages gives others other places.  A transaction that keeps its snapshot is refused (40001) if a stage has changed since.
    IF create_stages OR current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        PERFORM vsm._hold_stages(of_stream);
    END IF;
    -- a stream takes one import at a time; deployments, incidents, failures and days off, which only keep its name, need not wait
    SELECT v.time_zone INTO zone FROM vsm.value_streams v WHERE v.name = of_stream FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'stream "%" not found', of_stream
            USING ERRCODE = 'PT404', DETAIL = 'There is no stream of that name; names are case-sensitive.',
                  HINT = CASE WHEN of_stream IS NULL THEN 'Name a stream.'
                              ELSE format('%s; vsm.define_stream() defines one.', vsm._streams_to_choose()) END;
    END IF;
    DROP TABLE IF EXISTS pg_temp.vsm_import, pg_temp.vsm_import_refused, pg_temp.vsm_import_items, pg_temp.vsm_import_moves,
                         pg_temp.vsm_import_states;
    CREATE TEMPORARY TABLE vsm_import (ord bigint NOT NULL, case_id text, stage text, entered_at timestamptz, entered_text text,
                                       type text, title text, source_row bigint, sequence bigint, refused text) ON COMMIT DROP;
    EXECUTE format('GRANT INSERT ON pg_temp.vsm_import TO %I', importer);
    RETURN zone;
END $$;
COMMENT ON FUNCTION vsm._import_prepare(text, text, text, boolean) IS
    'The owner''s part of vsm._import_begin(): makes pg_temp.vsm_import, and returns the stream''s time zone. Errors: PT404, PT422.';

CREATE FUNCTION vsm._import_column(source regclass, column_name text, optional boolean DEFAULT false) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_attribute a
               WHERE a.attrelid = source AND a.attname = column_name AND a.attnum > 0 AND NOT a.attisdropped) THEN
        RETURN format('s.%I', column_name);
    ELSIF optional OR column_name IS NULL THEN
        RETURN 'NULL';
    END IF;
    RAISE EXCEPTION 'source "%" has no column "%"', source, vsm._cut(column_name)
        USING ERRCODE = 'PT422',
              DETAIL = format('Its columns are %s.', (SELECT string_agg(format('"%s"', a.attname), ', ' ORDER BY a.attnum)
                                                      FROM pg_attribute a
                                                      WHERE a.attrelid = source AND a.attnum > 0 AND NOT a.attisdropped)),
              HINT = 'Name the source''s columns in the call, e.g. time_column => ''changed_at''.';
END $$;
COMMENT ON FUNCTION vsm._import_column(regclass, text, boolean) IS
    'A column of an import''s source as an expression; NULL for a missing optional column. Errors: PT422.';

-- Two expressions, value and text. The session's TimeZone governs how a text is read; the text is kept for the reason of a
-- refusal.
CREATE FUNCTION vsm._import_time(source regclass, column_name text) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reference CONSTANT text := vsm._import_column(source, column_name);
    type CONSTANT regtype := (SELECT coalesce(nullif(t.typbasetype, 0), t.oid)
                              FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                              WHERE a.attrelid = source AND a.attname = column_name);
BEGIN
    IF type IN ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype) THEN
        RETURN format('%s::timestamptz, NULL::text', reference);
    ELSIF type IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype) THEN
        RETURN format('vsm._read_time(%1$s::text), %1$s::text', reference);
    END IF;
    RAISE EXCEPTION 'column "%" of source "%" holds no times', column_name, source
        USING ERRCODE = 'PT422', DETAIL = format('Its type is %s.', type),
              HINT = 'Name a column of type timestamptz, timestamp, date or text.';
END $$;
COMMENT ON FUNCTION vsm._import_time(regclass, text) IS 'A column of times of an import''s source, as two expressions. Errors: PT422.';

CREATE FUNCTION vsm._read_month_first(value text) RETURNS timestamptz
    LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    SET datestyle = 'ISO, MDY'
AS $$
BEGIN
    RETURN value::timestamptz;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION vsm._read_month_first(text) IS 'A text as a time, with the month before the day where it could be either; null: it is none.';

CREATE FUNCTION vsm._read_day_first(value text) RETURNS timestamptz
    LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    SET datestyle = 'ISO, DMY'
AS $$
BEGIN
    RETURN value::timestamptz;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION vsm._read_day_first(text) IS 'A text as a time, with the day before the month where it could be either; null: it is none.';

-- 03.02.2026 or 030226: a session's DateStyle says nothing of who wrote it.  Some that look like it PostgreSQL does not read at all.
CREATE FUNCTION vsm._order_unknown(value text) RETURNS boolean
    LANGUAGE sql STABLE STRICT PARALLEL UNSAFE
RETURN value !~ '^[[:space:]]*[0-9]{4}-[0-9]'
   AND (value ~ '(^[^0-9]*|[[:space:]])[0-9]{1,2}[-/. ][0-9]{1,2}[-/. ][0-9]' OR value ~ '(^|[^0-9:.])[0-9]{6}([^0-9]|$)' AND value !~ '^[[:space:]]*[0-9]{8}([^0-9]|$)'
        OR vsm._read_month_first(value) IS DISTINCT FROM vsm._read_day_first(value));
COMMENT ON FUNCTION vsm._order_unknown(text) IS
    'Is it a date in digits that does not begin with the year in four of them, or a time with one order of day and month, and none or another one with the other?';

-- GMT+0100 (CET), as JavaScript writes it: PostgreSQL would take it for a zone as POSIX writes them, where + is west.
CREATE FUNCTION vsm._plain_offset(value text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN value ~* '(?:utc|gmt|z)[[:space:]]*[-+][0-9]|[-+][0-9:]+[[:space:]]*[[(]'
            THEN regexp_replace(value, '(:[0-9]{2}(?:[.,:][0-9]+)*(?:[[:space:]]*[ap]m)?)[[:space:]]*(?:utc|gmt|z)?[[:space:]]*'
                                       '([-+](?:[0-9]{1,2}|[0-9]{4}|[0-9]{1,2}:[0-9]{2}))(?:[[:space:]]*(?:\([^()]*\)|\[[^][]*\]))?[[:space:]]*$', '\1\2', 'i')
            ELSE value END;
COMMENT ON FUNCTION vsm._plain_offset(text) IS 'A time with an offset from UTC without the letters before it, which PostgreSQL would turn round, and without the name behind it.';

-- Those of src/csv/scan_time.c.  PostgreSQL knows more, such as IST and CST, each of one of several countries.
CREATE FUNCTION vsm._known_zones() RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 'utc|gmt|z|est|edt|cdt|mdt|pst|pdt|akst|akdt|hst|wet|west|cet|cest|mez|mesz|eet|eest|msk|jst|kst|aest|aedt|nzst|nzdt|sgt|hkt|brt';
COMMENT ON FUNCTION vsm._known_zones() IS 'The abbreviations of time zones that mean the same everywhere, as alternatives of a regular expression.';

CREATE FUNCTION vsm._time_by_word(value text) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN value ~ '[[:alpha:]]{2}|[[:alpha:]][[:space:]]*[-+][0-9]'
   AND (regexp_replace(value, '[[:alpha:]_]+(/[[:alpha:]_-]*[[:alpha:]_])+(?![[:alpha:]_]|[-+]?[0-9])', '')       -- Region/City
        ~* ('(?<![[:alpha:]])(?!(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec|(?:jan|febr)uary|march|april|august|(?:septem|octo|novem|decem)ber'
            '|(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|satur|sat|sun)(?:day)?|[ap]m|at|on|st|nd|rd|th|infinity|' || vsm._known_zones() || ')(?![[:alpha:]]))[[:alpha:]]{2,}')
        OR value ~* ('(?<![[:alpha:]])(?:' || vsm._known_zones() || ')[[:space:]]*[-+][0-9]'));
COMMENT ON FUNCTION vsm._time_by_word(text) IS
    'Does it name a day such as today, which is another one each day, or a zone that several countries call so or whose offset counts the other way round? Then it is no record of a time.';

CREATE FUNCTION vsm._read_time(value text) RETURNS timestamptz
    LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    value := vsm._plain_offset(value);
    RETURN CASE WHEN NOT vsm._time_by_word(value) AND NOT vsm._order_unknown(value) THEN value::timestamptz END;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION vsm._read_time(text) IS
    'A text as a time; null when the text is not a time, names one by a word such as today, or leaves open which number is the month.';

CREATE FUNCTION vsm.import_events(source regclass, stream text DEFAULT 'default', case_column text DEFAULT 'case_id',
                                  stage_column text DEFAULT 'stage', time_column text DEFAULT 'entered_at',
                                  type_column text DEFAULT 'type', title_column text DEFAULT 'title',
                                  order_column text DEFAULT NULL, create_stages boolean DEFAULT false,
                                  on_error text DEFAULT 'abort')
    RETURNS vsm.import_result
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET synchronize_seqscans = off
    SET "TimeZone" = 'UTC'
AS $$
BEGIN
    stream := vsm._sought(stream);
    PERFORM set_config('TimeZone', vsm._import_begin(stream, on_error, create_stages), true);
    EXECUTE format('INSERT INTO pg_temp.vsm_import (ord, case_id, stage, entered_at, entered_text, type, title)'
                   ' SELECT row_number() OVER (%s), vsm._nfc(%s::text), vsm._sought(%s::text), %s, vsm._sought(%s::text), %s::text FROM %s s',
                   'ORDER BY ' || nullif(vsm._import_column(source, order_column, order_column IS NULL), 'NULL'),
                   vsm._import_column(source, case_column), vsm._import_column(source, stage_column),
                   vsm._import_time(source, time_column),
                   vsm._import_column(source, type_column, type_column = 'type'),
                   vsm._import_column(source, title_column, title_column = 'title'), source);
    RETURN vsm._import_apply(stream, source::text, create_stages, on_error);
END $$;
COMMENT ON FUNCTION vsm.import_events(regclass, text, text, text, text, text, text, text, boolean, text) IS
    'Imports status changes in long form, one row per entry of a case into a stage, from a table, view or foreign table. '
    'Rows may come in any order, twice and again; equal times of a case keep the order of order_column, else of the source. '
    'time_column: timestamptz, or timestamp, date or text, which count in the stream''s zone. Cases become work items by '
    'external_id. create_stages: adds unknown stages (wait, before the done stages) and types. on_error: abort, or skip, '
    'which keeps refused rows in vsm.import_refusals. Returns counts. Errors: PT404 stream; PT422 columns, stages, rows.';

CREATE FUNCTION vsm.import_wide(source regclass, id_column text DEFAULT 'id', stage_columns text[] DEFAULT NULL,
                                stream text DEFAULT 'default', stages text[] DEFAULT NULL,
                                type_column text DEFAULT 'type', title_column text DEFAULT 'title',
                                create_stages boolean DEFAULT false, on_error text DEFAULT 'abort')
    RETURNS vsm.import_result
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET synchronize_seqscans = off
    SET "TimeZone" = 'UTC'
AS $$
DECLARE
    columns CONSTANT text[] := coalesce(stage_columns, (
        SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
        WHERE a.attrelid = source AND a.attnum > 0 AND NOT a.attisdropped
          AND a.atttypid IN ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype)));
    names CONSTANT text[] := coalesce(stages, columns);
    entries text;
BEGIN
    IF coalesce(cardinality(columns), 0) = 0 THEN
        RAISE EXCEPTION 'source "%" has no date columns', source
            USING ERRCODE = 'PT422', DETAIL = 'No column of it is a timestamptz, timestamp or date.',
                  HINT = 'Name them: stage_columns => ARRAY[''Started'', ''Finished''].';
    END IF;
    IF cardinality(names) <> cardinality(columns) THEN
        RAISE EXCEPTION 'stages and stage_columns differ in length'
            USING ERRCODE = 'PT422', DETAIL = format('They name %s stages and %s columns.', cardinality(names), cardinality(columns)),
                  HINT = 'Give one stage for each column, in the same order.';
    END IF;
    stream := vsm._sought(stream);
    PERFORM set_config('TimeZone', vsm._import_begin(stream, on_error, create_stages), true);
    SELECT string_agg(format('(%s, %L, %s)', p, vsm._sought(names[p]), vsm._import_time(source, columns[p])), ', ' ORDER BY p) INTO entries
    FROM generate_subscripts(columns, 1) p;
    -- in the order of the columns, which is the order of the stages and of equal times
    EXECUTE format('INSERT INTO pg_temp.vsm_import (ord, case_id, stage, entered_at, entered_text, type, title, source_row)'
                   ' SELECT (e.place::bigint << 40) + s.vsm_row, vsm._nfc(%s::text), e.stage, e.entered_at, e.entered_text, vsm._sought(%s::text), %s::text, s.vsm_row'
                   ' FROM (SELECT *, row_number() OVER () AS vsm_row FROM %s) s'
                   ' CROSS JOIN LATERAL (VALUES %s) e (place, stage, entered_at, entered_text)'
                   ' WHERE e.entered_at IS NOT NULL OR e.entered_text <> ''''',
                   vsm._import_column(source, id_column),
                   vsm._import_column(source, type_column, type_column = 'type'),
                   vsm._import_column(source, title_column, title_column = 'title'), source, entries);
    RETURN vsm._import_apply(stream, source::text, create_stages, on_error);
END $$;
COMMENT ON FUNCTION vsm.import_wide(regclass, text, text[], text, text[], text, text, boolean, text) IS
    'Imports status changes in wide form, one row per item and a column per stage with the time of entry (null or blank: '
    'never entered). stage_columns: default all date and timestamp columns; stages: their stages'' names, default the '
    'columns'' names. Equal times of an item keep the order of the columns. The rest as in vsm.import_events().';

CREATE FUNCTION vsm._import_objection(case_id text, stage text, entered_at timestamptz, entered_text text, title text,
                                      stage_known boolean, type text, type_known boolean, latest timestamptz) RETURNS text
    LANGUAGE sql STABLE PARALLEL UNSAFE
RETURN CASE
    WHEN coalesce(case_id, '') = '' THEN 'no case id'
    WHEN vsm._name_fault(case_id, 'external id') IS NOT NULL THEN 'the case id ' || vsm._name_fault(case_id, 'external id')
    WHEN coalesce(stage, '') = '' THEN 'no stage'
    WHEN entered_at IS NULL AND coalesce(entered_text, '') = '' THEN 'no time'
    WHEN entered_at IS NULL AND vsm._order_unknown(entered_text)
        THEN format('the order of day and month in "%s" is not known', vsm._cut(btrim(entered_text)))
    WHEN entered_at IS NULL AND vsm._time_by_word(vsm._plain_offset(entered_text))
        THEN format('"%s" is not a time: its words are no names of months or known zones', vsm._cut(btrim(entered_text)))
    WHEN entered_at IS NULL THEN format('"%s" is not a time', vsm._cut(entered_text))
    WHEN NOT isfinite(entered_at) THEN 'the time is infinite'
    WHEN entered_at < timestamptz '1970-01-01 00:00:00+00' THEN format('the time lies before 1970: %s', entered_at)
    WHEN entered_at > latest THEN 'the time lies in the future'
    WHEN char_length(coalesce(nullif(title, ''), case_id)) > 500 THEN 'the title has more than 500 characters'
    WHEN NOT stage_known AND vsm._name_fault(stage, 'stage') IS NOT NULL THEN 'the stage ' || vsm._name_fault(stage, 'stage')
    WHEN NOT stage_known THEN format('stage "%s" is not defined', stage)
    WHEN NOT type_known AND type <> '' AND vsm._name_fault(type, 'work item type') IS NOT NULL
        THEN 'the type ' || vsm._name_fault(type, 'work item type')
    WHEN NOT type_known AND type <> '' THEN format('type "%s" is not defined', type)
    WHEN NOT type_known THEN 'no type, and type "task" is not defined'
END;
COMMENT ON FUNCTION vsm._import_objection(text, text, timestamptz, text, text, boolean, text, boolean, timestamptz) IS
    'Why a row cannot be imported; null when it can.';

-- Rows that have a sequence come from a recognition, which has followed the aliases.
CREATE FUNCTION vsm._import_follow_aliases(of_stream text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM vsm.stage_aliases a WHERE a.stream = of_stream) THEN
        RETURN;
    END IF;
    DELETE FROM pg_temp.vsm_import r USING vsm.stage_aliases a
    WHERE a.stream = of_stream AND a.stage IS NULL AND r.sequence IS NULL AND vsm._alias_key(r.stage) = vsm._alias_key(a.name);
    UPDATE pg_temp.vsm_import r SET stage = a.stage FROM vsm.stage_aliases a JOIN vsm.stages s ON s.stream = a.stream AND s.name = a.stage
    WHERE a.stream = of_stream AND r.sequence IS NULL AND vsm._alias_key(r.stage) = vsm._alias_key(a.name);
END $$;
COMMENT ON FUNCTION vsm._import_follow_aliases(text) IS
    'Gives the rows of an import the stages that their names mean in the stream, and removes rows whose names mean no move.';

-- Unknown stages become wait stages before the done stages; unknown types are added; both in the order of first appearance.
CREATE FUNCTION vsm._import_add_definitions(of_stream text, create_types boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unknown text[];
    first_done integer;
BEGIN
    INSERT INTO vsm.work_item_types (name)
    SELECT n.type FROM (SELECT r.type, min(r.ord) AS ord FROM pg_temp.vsm_import r WHERE r.type <> '' GROUP BY 1) n
    WHERE create_types AND n.type NOT IN (SELECT t.name FROM vsm.work_item_types t) AND vsm._name_fault(n.type, 'work item type') IS NULL
    ORDER BY n.ord
    ON CONFLICT DO NOTHING;     -- another session may have added it meanwhile

    SELECT array_agg(n.stage ORDER BY n.ord) INTO unknown
    FROM (SELECT r.stage, min(r.ord) AS ord FROM pg_temp.vsm_import r WHERE r.stage <> '' GROUP BY 1) n
    WHERE n.stage NOT IN (SELECT s.name FROM vsm.stages s WHERE s.stream = of_stream) AND vsm._name_fault(n.stage, 'stage') IS NULL;
    IF unknown IS NULL THEN
        RETURN;
    END IF;
    PERFORM vsm._check_stage_count(count(*) + cardinality(unknown)) FROM vsm.stages s WHERE s.stream = of_stream;
    PERFORM vsm._make_room(of_stream, cardinality(unknown));
    SELECT min(s."order") INTO first_done FROM vsm.stages s WHERE s.stream = of_stream AND s.category IN ('done', 'discarded');
    UPDATE vsm.stages s SET "order" = s."order" + cardinality(unknown)
    WHERE s.stream = of_stream AND s."order" >= first_done;
    INSERT INTO vsm.stages (stream, name, "order", category)
    SELECT of_stream, u.name, first_done + u.place::integer - 1, 'wait' FROM unnest(unknown) WITH ORDINALITY u (name, place);
    RAISE NOTICE 'stages added to stream "%" as wait stages, before those that finish: %', of_stream, vsm._cut(array_to_string(unknown, ', '))
        USING HINT = 'UPDATE vsm.stages SET category = ''active'' where work goes on, and "order" where another order is right.';
END $$;
COMMENT ON FUNCTION vsm._import_add_definitions(text, boolean) IS 'Adds the unknown stages and types of an import with create_stages => true.';

-- Removes the rows that cannot be imported from pg_temp.vsm_import, and returns their number.
CREATE FUNCTION vsm._import_refuse(of_stream text, source text, on_error text) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    latest CONSTANT timestamptz := clock_timestamp() + '5 minutes';
    is_default_defined CONSTANT boolean := EXISTS (SELECT FROM vsm.work_item_types t WHERE t.name = 'task');
    refused bigint;
    facts text;
    undated boolean;
BEGIN
    CREATE TEMPORARY TABLE vsm_import_refused ON COMMIT DROP AS
    SELECT * FROM (
        SELECT r.ord, coalesce(r.refused, vsm._import_objection(r.case_id, r.stage, r.entered_at, r.entered_text, r.title,
                                                                r.stage_known, r.type, r.type_known, latest)) AS reason
        FROM (SELECT r.*, r.stage IN (SELECT s.name FROM vsm.stages s WHERE s.stream = of_stream) AS stage_known,
                     CASE WHEN r.type <> '' THEN r.type IN (SELECT t.name FROM vsm.work_item_types t)
                          ELSE is_default_defined OR EXISTS (SELECT FROM vsm.work_items w WHERE w.stream = of_stream AND w.external_id = r.case_id) END
                     AS type_known
              FROM pg_temp.vsm_import r
              OFFSET 0) r) o            -- columns, unlike subqueries, let the function become part of the query
    WHERE o.reason IS NOT NULL;
    GET DIAGNOSTICS refused = ROW_COUNT;
    IF refused = 0 THEN
        RETURN 0;
    END IF;

    IF on_error = 'abort' THEN
        SELECT string_agg(format('"%s"', n.stage), ', ' ORDER BY n.ord) INTO facts
        FROM (SELECT r.stage, min(r.ord) AS ord FROM pg_temp.vsm_import r
              JOIN pg_temp.vsm_import_refused o USING (ord)
              WHERE o.reason = format('stage "%s" is not defined', r.stage) GROUP BY 1) n;
        IF facts IS NOT NULL THEN
            RAISE EXCEPTION 'the source names stages that stream "%" does not have', of_stream
                USING ERRCODE = 'PT422', DETAIL = format('They are %s.', left(facts, 2000)),
                      HINT = 'Define them with vsm.define_stream(), say in vsm.stage_aliases which stage another spelling means, or import with '
                             'create_stages => true or on_error => ''skip''.';
        END IF;
        SELECT string_agg(DISTINCT format('"%s"', r.type), ', ') INTO facts
        FROM pg_temp.vsm_import r JOIN pg_temp.vsm_import_refused o USING (ord)
        WHERE o.reason = format('type "%s" is not defined', r.type);
        IF facts IS NOT NULL THEN
            RAISE EXCEPTION 'the source names work item types that are not defined'
                USING ERRCODE = 'PT422', DETAIL = format('They are %s.', left(facts, 2000)),
                      HINT = format('Add them to vsm.work_item_types, or import with %s => true or on_error => ''skip''.',
                                    CASE source WHEN 'vsm_import_rows' THEN 'create_types' ELSE 'create_stages' END);
        END IF;
        SELECT string_agg(format('%s %s (case %s): %s', b.kind, b.row, coalesce(vsm._cut(b.case_id), 'null'), b.reason), '; ' ORDER BY b.row, b.ord) INTO facts
        FROM (SELECT CASE WHEN source = 'vsm_import_rows' AND r.source_row IS NOT NULL THEN 'line' ELSE 'row' END AS kind,
                     coalesce(r.source_row, r.ord) AS row, r.ord, r.case_id, o.reason
              FROM pg_temp.vsm_import_refused o JOIN pg_temp.vsm_import r USING (ord) ORDER BY 2, 3 LIMIT 3) b;
        undated := source <> 'vsm_import_rows'
            AND EXISTS (SELECT FROM pg_temp.vsm_import_refused o WHERE o.reason LIKE 'the order of day and month%');
        RAISE EXCEPTION '% of % cannot be imported', CASE refused WHEN 1 THEN '1 row' ELSE format('%s rows', refused) END,
                        -- users of vsm_api.import_begin() do not know the name of its temporary table
                        CASE source WHEN 'vsm_import_rows' THEN 'the import' ELSE format('"%s"', source) END
            USING ERRCODE = 'PT422', DETAIL = facts || CASE WHEN refused > 3 THEN '; ...' ELSE '' END,
                  HINT = CASE WHEN NOT undated THEN 'Correct the rows, or skip them with on_error => ''skip''.'
                              ELSE 'Write times with the year first, or give the column as timestamptz, by a view with '
                                   'to_timestamp(changed, ''DD.MM.YYYY HH24:MI''); vsm_api.import() finds the order in a file or asks for it.' END;
    END IF;

    INSERT INTO vsm.import_refusals (stream, source, line, case_id, stage, entered_at, reason, imported_by)
    SELECT of_stream, source, r.source_row, vsm._cut(r.case_id), vsm._cut(r.stage), vsm._cut(coalesce(r.entered_text, r.entered_at::text)), o.reason, vsm._role()
    FROM pg_temp.vsm_import_refused o JOIN pg_temp.vsm_import r USING (ord) ORDER BY coalesce(r.source_row, r.ord), o.ord;
    DELETE FROM pg_temp.vsm_import r USING pg_temp.vsm_import_refused o WHERE o.ord = r.ord;
    RETURN refused;
END $$;
COMMENT ON FUNCTION vsm._import_refuse(text, text, text) IS 'Refuses rows as on_error says: abort or skip. Errors: PT422.';
