-- 32_sles: what a service level expectation may be; sql/79_sle.sql has the figures

CREATE FUNCTION vsm._sle_before() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    restored CONSTANT boolean := tg_op = 'INSERT' AND vsm._restores(tg_relid);
BEGIN
    IF tg_relid <> 'vsm.sles'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'table vsm.sles');
    END IF;
    new.stream := vsm._sought(new.stream);
    new.type := vsm._sought(new.type);
    -- when a stream or a type gets another name, its expectations follow once the old one is gone
    IF tg_op = 'INSERT' OR new.stream <> old.stream THEN
        PERFORM vsm._require_stream(new.stream, tg_relid, restored, true);
    END IF;
    IF NOT restored THEN
        PERFORM vsm._check_filter(NULL, new.type, NULL);
    END IF;
    IF NOT coalesce(new.elapsed > interval '0' AND new.elapsed <= interval '36500 days', false) THEN
        RAISE EXCEPTION 'the elapsed time of a service level expectation is out of range'
            USING ERRCODE = 'PT422', COLUMN = 'elapsed', DETAIL = format('It is %s.', coalesce(new.elapsed::text, 'null')),
                  HINT = 'Give the cycle time that items are expected not to exceed, above zero and up to 36500 days, such as 10 days.';
    END IF;
    IF NOT coalesce(new.probability > 0 AND new.probability < 1, false) THEN
        RAISE EXCEPTION 'the probability of a service level expectation is out of range'
            USING ERRCODE = 'PT422', COLUMN = 'probability', DETAIL = format('It is %s.', coalesce(new.probability::text, 'null')),
                  HINT = 'Give the share of items that are expected to meet it, above 0 and below 1, such as 0.85.';
    END IF;
    IF NOT coalesce(new.since BETWEEN date '1970-01-01' AND date '9999-12-31', false) THEN
        RAISE EXCEPTION 'the first day of a service level expectation is out of range'
            USING ERRCODE = 'PT422', COLUMN = 'since', DETAIL = format('It is %s.', vsm._shown(new.since)),
                  HINT = 'Give a day from 1970-01-01 to 9999-12-31.';
    END IF;
    RETURN new;
END $$;
COMMENT ON FUNCTION vsm._sle_before() IS 'Checks a row of vsm.sles.';
