-- 32_stage_aliases: what names in the sources of imports mean

CREATE FUNCTION vsm._alias_key(name text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN lower(btrim(regexp_replace(vsm._nfc(name), '\s+', ' ', 'g')));
COMMENT ON FUNCTION vsm._alias_key(text) IS 'What names of stages in sources of imports are compared by.';
-- the trigger's clearer error comes first; the index is for concurrent sessions
CREATE UNIQUE INDEX stage_aliases_key ON vsm.stage_aliases (stream, vsm._alias_key(name));

CREATE FUNCTION vsm._stage_alias_before() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    restored CONSTANT boolean := tg_op = 'INSERT' AND vsm._restores(tg_relid);
    other text;
BEGIN
    IF tg_relid <> 'vsm.stage_aliases'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'table vsm.stage_aliases');
    END IF;
    new.stream := vsm._name(new.stream, 'value stream');
    new.name := vsm._name(new.name, 'alias');
    new.stage := vsm._sought(nullif(new.stage, ''));
    IF tg_op = 'INSERT' OR new.stream <> old.stream THEN
        PERFORM vsm._require_stream(new.stream, tg_relid, restored, true);
    END IF;
    IF new.stage IS NOT NULL AND NOT EXISTS (SELECT FROM vsm.stages s WHERE s.stream = new.stream AND s.name = new.stage) AND NOT restored THEN
        RAISE EXCEPTION 'stage "%" not found', new.stage
            USING ERRCODE = 'PT404', DETAIL = format('"%s" is to mean that stage in stream "%s".', new.name, new.stream),
                  HINT = format('%s.', vsm._stages_to_choose(new.stream));
    END IF;
    -- an equal name is left to the primary key, as an upsert names it
    SELECT a.name INTO other
    FROM vsm.stage_aliases a
    WHERE a.stream = new.stream AND vsm._alias_key(a.name) = vsm._alias_key(new.name) AND a.name <> new.name
      AND (tg_op = 'INSERT' OR (a.stream, a.name) <> (old.stream, old.name));
    IF FOUND THEN
        RAISE EXCEPTION 'alias "%" means the same as "%"', vsm._cut(new.name), vsm._cut(other)
            USING ERRCODE = 'PT409', DETAIL = format('Stream "%s" has that alias; letter case and blanks do not tell aliases apart.', new.stream),
                  HINT = 'Change or delete the alias that is there.';
    END IF;
    RETURN new;
END $$;
COMMENT ON FUNCTION vsm._stage_alias_before() IS 'Checks a row of vsm.stage_aliases.';
