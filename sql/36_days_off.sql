-- 36_days_off: days on which nobody works on a stream, for forecasts

CREATE TABLE vsm.days_off (
    stream text NOT NULL DEFAULT 'default',     -- no foreign key: see vsm.stages
    day date NOT NULL,
    reason text,
    recorded_at timestamptz NOT NULL DEFAULT nullif(timestamptz 'epoch', 'epoch'),
    PRIMARY KEY (stream, day)
);
COMMENT ON TABLE vsm.days_off IS
    'Days on which nobody works on a stream, such as holidays, past and to come. Forecasts draw a day off from days off.';
COMMENT ON COLUMN vsm.days_off.day IS 'A day of the stream''s time zone.';
SELECT pg_extension_config_dump('vsm.days_off', '');

-- For tables that anybody fills by hand.  A restore, by the owner of the tables and with all columns filled in, may load rows
-- before streams.
CREATE FUNCTION vsm._require_stream(stream text, of_table oid, restored boolean, defines boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known CONSTANT boolean := EXISTS (SELECT FROM vsm.value_streams v WHERE v.name = _require_stream.stream);
BEGIN
    IF known AND vsm._keep_stream(stream, defines) THEN
        RETURN;
    END IF;
    IF known OR NOT (restored AND pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = of_table), 'USAGE')) THEN
        RAISE EXCEPTION 'stream "%" not found', coalesce(stream, 'null')
            USING ERRCODE = 'PT404', COLUMN = 'stream', DETAIL = 'There is no stream of that name; names are case-sensitive.',
                  HINT = format('%s; vsm.define_stream() defines one.', vsm._streams_to_choose());
    END IF;
END $$;
COMMENT ON FUNCTION vsm._require_stream(text, oid, boolean, boolean) IS
    'Refuses a row of a stream that does not exist, except one that the owner of the table restores, or that the caller may not write, or '
    'define; else nobody renames or deletes it until the end of the transaction. Errors: PT404, 42501.';

CREATE FUNCTION vsm._day_off_before() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF tg_relid <> 'vsm.days_off'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'table vsm.days_off');
    END IF;
    new.stream := vsm._sought(new.stream);
    PERFORM vsm._check_text(new.reason, 'the reason', 'reason');
    IF tg_op = 'UPDATE' THEN
        new.recorded_at := old.recorded_at;
        IF new.stream <> old.stream AND EXISTS (SELECT FROM vsm.value_streams v WHERE v.name = old.stream) THEN
            RAISE EXCEPTION 'a day off cannot change its stream'
                USING ERRCODE = 'PT422', COLUMN = 'stream', DETAIL = format('It is of stream "%s".', old.stream),
                      HINT = 'Delete the row and add it to the other stream.';
        END IF;
    ELSE
        PERFORM vsm._require_stream(new.stream, tg_relid, new.recorded_at IS NOT NULL, true);
        new.recorded_at := coalesce(CASE WHEN pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = tg_relid), 'USAGE') THEN new.recorded_at END, clock_timestamp());
    END IF;
    IF NOT coalesce(new.day BETWEEN date '1970-01-01' AND date '9999-12-31', false) THEN
        RAISE EXCEPTION 'the day off is out of range'
            USING ERRCODE = 'PT422', COLUMN = 'day', DETAIL = format('It is %s.', vsm._shown(new.day)), HINT = 'Give a day in the years 1970 to 9999.';
    END IF;
    RETURN new;
END $$;
COMMENT ON FUNCTION vsm._day_off_before() IS 'Checks a row of vsm.days_off.';
CREATE TRIGGER row_checked BEFORE INSERT OR UPDATE ON vsm.days_off
    FOR EACH ROW EXECUTE FUNCTION vsm._day_off_before();

CREATE FUNCTION vsm._check_working_days(working_days integer[]) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF working_days IS NOT NULL
       AND (cardinality(working_days) NOT BETWEEN 1 AND 7 OR array_ndims(working_days) <> 1
            OR EXISTS (SELECT FROM unnest(working_days) d WHERE NOT coalesce(d BETWEEN 1 AND 7, false))) THEN
        RAISE EXCEPTION 'the working days are not days of the week'
            USING ERRCODE = 'PT422', COLUMN = 'working_days', DETAIL = format('They are %s.', left(working_days::text, 100)),
                  HINT = 'Give numbers from 1, Monday, to 7, Sunday.';
    END IF;
END $$;
COMMENT ON FUNCTION vsm._check_working_days(integer[]) IS 'Refuses what is no list of days of the week, from 1 (Monday) to 7. Errors: PT422.';

CREATE FUNCTION vsm._days_off_after(of_stream text, day date, days integer, working_days integer[]) RETURNS integer[]
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN ARRAY(
        -- which days of the week are off is asked once for each, not for each day of ten years
        SELECT g.n
        FROM (SELECT w FROM generate_series(1, 7) w
              WHERE working_days IS NOT NULL AND extract(isodow FROM _days_off_after.day + w)::integer <> ALL (working_days)) off
        CROSS JOIN LATERAL generate_series(off.w, days, 7) g (n)
        UNION
        SELECT o.day - _days_off_after.day FROM vsm.days_off o
        WHERE o.stream = of_stream AND o.day > _days_off_after.day AND o.day <= _days_off_after.day + days);
END $$;
COMMENT ON FUNCTION vsm._days_off_after(text, date, integer, integer[]) IS
    'Which of so many days after a day are off, by their distance from it: on none of these days of the week (null: all are worked on), or '
    'in vsm.days_off.';
