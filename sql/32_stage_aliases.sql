-- 32_stage_aliases: what names in the sources of imports mean

CREATE FUNCTION vsm._alias_key(name text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN lower(btrim(regexp_replace(vsm._nfc(name), '\s+', ' ', 'g')));
COMMENT ON FUNCTION vsm._alias_key(text) IS 'What names of stages in sources of imports are compared by.';

CREATE FUNCTION vsm._stage_alias_before() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF tg_relid <> 'vsm.stage_aliases'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'table vsm.stage_aliases');
    END IF;
    new.stream := vsm._nfc(new.stream);
    new.name := vsm._nfc(new.name);
    new.stage := vsm._nfc(nullif(new.stage, ''));
    IF vsm._alias_key(new.name) = '' OR char_length(new.name) > 500 THEN
        RAISE EXCEPTION 'an alias cannot be "%"', left(new.name, 100)
            USING ERRCODE = 'PT422', COLUMN = 'aliases', DETAIL = 'It is empty, or has more than 500 characters.',
                  HINT = 'Give the name of a stage as the source of an import writes it.';
    END IF;
    -- a restore, by the owner of the tables, may load aliases before stages
    IF new.stage IS NOT NULL AND NOT EXISTS (SELECT FROM vsm.stages s WHERE s.stream = new.stream AND s.name = new.stage)
       AND NOT (tg_op = 'INSERT' AND pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = tg_relid), 'USAGE')) THEN
        RAISE EXCEPTION 'stage "%" not found', new.stage
            USING ERRCODE = 'PT404', DETAIL = format('"%s" is to mean that stage in stream "%s".', new.name, new.stream),
                  HINT = format('%s.', vsm._stages_to_choose(new.stream));
    END IF;
    RETURN new;
END $$;
COMMENT ON FUNCTION vsm._stage_alias_before() IS 'Checks a row of vsm.stage_aliases.';
