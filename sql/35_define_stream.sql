-- 35_define_stream: a whole stream in one call, and the default stream

CREATE FUNCTION vsm._read_stage_list(stages jsonb)
    RETURNS TABLE (place bigint, name text, category text, wip_limit integer, type text, description text)
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    bad text;
BEGIN
    IF jsonb_typeof(stages) IS DISTINCT FROM 'array' OR jsonb_array_length(stages) = 0 THEN
        RAISE EXCEPTION 'the stages of a stream must be a JSON array of at least one stage'
            USING ERRCODE = 'PT422', COLUMN = 'stages', DETAIL = format('The value given is %s.', coalesce(left(stages::text, 100), 'null')),
                  HINT = 'For example [{"name":"To do","category":"wait"},{"name":"Doing"},{"name":"Done","category":"done"}].';
    END IF;
    PERFORM vsm._check_stage_count(jsonb_array_length(stages));
    SELECT s.value::text INTO bad FROM jsonb_array_elements(stages) s
    WHERE jsonb_typeof(s.value) <> 'object' OR jsonb_typeof(s.value -> 'name') IS DISTINCT FROM 'string'
       OR coalesce(jsonb_typeof(s.value -> 'wip_limit'), 'null') NOT IN ('number', 'null')
       OR (s.value ->> 'wip_limit') ~ '[^0-9-]' OR length(s.value ->> 'wip_limit') > 9
       OR EXISTS (SELECT FROM jsonb_object_keys(s.value) k
                  WHERE k NOT IN ('name', 'category', 'wip_limit', 'type', 'description'))
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'a stage of the list cannot be read'
            USING ERRCODE = 'PT422', COLUMN = 'stages', DETAIL = format('It is %s.', vsm._cut(bad)),
                  HINT = 'A stage is an object with a name and, as needed, category (wait, active, done, discarded), wip_limit (a whole number), type, description.';
    END IF;
    SELECT vsm._nfc(s.value ->> 'name') INTO bad FROM jsonb_array_elements(stages) s
    GROUP BY 1 HAVING count(*) > 1 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'stage "%" is in the list more than once', vsm._cut(bad)
            USING ERRCODE = 'PT422', COLUMN = 'stages', DETAIL = 'A stage is referred to by its name.',
                  HINT = 'Give each stage of a stream a name of its own.';
    END IF;
    IF NOT EXISTS (SELECT FROM jsonb_array_elements(stages) s WHERE s.value ->> 'category' = 'done') THEN
        RAISE EXCEPTION 'the list has no done stage'
            USING ERRCODE = 'PT422', COLUMN = 'stages', DETAIL = 'Items of such a stream could never finish.',
                  HINT = 'Give at least one stage the category done.';
    END IF;
    RETURN QUERY
    SELECT s.ordinality, vsm._nfc(s.value ->> 'name'), coalesce(s.value ->> 'category', 'active'),
           (s.value ->> 'wip_limit')::integer, coalesce(s.value ->> 'type', lower(vsm._nfc(s.value ->> 'name'))),
           s.value ->> 'description'
    FROM jsonb_array_elements(stages) WITH ORDINALITY s;
END $$;
COMMENT ON FUNCTION vsm._read_stage_list(jsonb) IS 'The stages argument of vsm.define_stream() as rows. Errors: PT422.';

-- A retired stage stays the commitment point, so that what has started there has started; what has come behind it may only wait.
CREATE FUNCTION vsm._tell_retired_start(of_stream text) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    start vsm.stages;
    waiting text;
BEGIN
    SELECT s.* INTO start FROM vsm.stages s WHERE s.stream = of_stream AND s.category = 'active' ORDER BY s."order" LIMIT 1;
    SELECT string_agg(format('"%s"', s.name), ', ' ORDER BY s."order") INTO waiting
    FROM vsm.stages s
    WHERE s.stream = of_stream AND s.category = 'wait' AND s.retired_at IS NULL AND s."order" > start."order"
      AND s."order" < (SELECT min(a."order") FROM vsm.stages a WHERE a.stream = of_stream AND a.category = 'active' AND a.retired_at IS NULL);
    IF start.retired_at IS NOT NULL AND waiting IS NOT NULL THEN
        RAISE NOTICE 'work in % counts as started: it stands behind the retired stage "%", where work starts', waiting, start.name
            USING HINT = format('If work starts later now, name the stage: vsm.define_stream(''%s'', commitment_stage => ''%s'').', of_stream,
                                (SELECT a.name FROM vsm.stages a WHERE a.stream = of_stream AND a.category = 'active' AND a.retired_at IS NULL
                                 ORDER BY a."order" LIMIT 1));
    END IF;
END $$;
COMMENT ON FUNCTION vsm._tell_retired_start(text) IS 'Tells (NOTICE) that stages in use in which work waits count as started, because of a retired stage.';

CREATE FUNCTION vsm._define_stream(name text, stages jsonb, time_zone text, commitment_stage text, reopen_rule text, only_new boolean)
    RETURNS vsm.value_streams
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    of_stream CONSTANT text := vsm._name(_define_stream.name, 'value stream');
    list jsonb := _define_stream.stages;
    commitment text := vsm._sought(nullif(_define_stream.commitment_stage, ''));
    result vsm.value_streams;
BEGIN
    IF NOT EXISTS (SELECT FROM vsm.value_streams) THEN
        INSERT INTO vsm.work_item_types (name) VALUES ('feature'), ('bug'), ('task'), ('epic') ON CONFLICT DO NOTHING;
    END IF;
    IF list IS NOT NULL THEN
        PERFORM vsm._hold_stages(of_stream);
    END IF;
    IF NOT only_new AND EXISTS (SELECT FROM vsm.value_streams v
                                WHERE v.name = of_stream AND NOT vsm._may_define(v.name, 'vsm.value_streams', 'UPDATE')) THEN
        PERFORM vsm._keep_stream(of_stream, true);      -- which says why not
    END IF;
    -- waits for another session that defines the same stream
    INSERT INTO vsm.value_streams AS v (name, time_zone, reopen_rule, commitment_stage)
    VALUES (of_stream, coalesce(_define_stream.time_zone, 'UTC'), coalesce(_define_stream.reopen_rule, 'span_first_last'), commitment)
    ON CONFLICT (name) DO NOTHING;
    IF NOT FOUND THEN
        IF only_new THEN
            RETURN NULL;
        END IF;
        UPDATE vsm.value_streams v
        SET time_zone = coalesce(_define_stream.time_zone, v.time_zone), reopen_rule = coalesce(_define_stream.reopen_rule, v.reopen_rule)
        WHERE v.name = of_stream AND (_define_stream.time_zone <> v.time_zone OR _define_stream.reopen_rule <> v.reopen_rule);
    END IF;

    IF _define_stream.commitment_stage IS NULL THEN
        SELECT v.commitment_stage INTO commitment FROM vsm.value_streams v WHERE v.name = of_stream;
    END IF;
    IF list IS NULL AND NOT EXISTS (SELECT FROM vsm.stages s WHERE s.stream = of_stream) THEN
        list := '[{"name": "Backlog", "category": "wait"}, {"name": "Analysis"}, {"name": "Development"},
                  {"name": "Testing"}, {"name": "Deployment"}, {"name": "Production", "category": "done"}]';
    END IF;
    IF list IS NOT NULL THEN
        UPDATE vsm.value_streams v SET commitment_stage = NULL
        WHERE v.name = of_stream AND v.commitment_stage IS DISTINCT FROM commitment AND v.commitment_stage IS NOT NULL;
        PERFORM vsm._set_stages(of_stream, list);
    END IF;
    UPDATE vsm.value_streams v SET commitment_stage = commitment
    WHERE v.name = of_stream AND v.commitment_stage IS DISTINCT FROM commitment;
    -- a new stream has it from the start, before it has stages
    PERFORM vsm._check_commitment_stage(of_stream, commitment);
    IF list IS NOT NULL AND commitment IS NULL THEN
        PERFORM vsm._tell_retired_start(of_stream);
    END IF;

    SELECT v.* INTO result FROM vsm.value_streams v WHERE v.name = of_stream;
    RETURN result;
END $$;
COMMENT ON FUNCTION vsm._define_stream(text, jsonb, text, text, text, boolean) IS
    'What vsm.define_stream() does. only_new: null, and nothing done, if there is a stream of that name, also of another session meanwhile.';

CREATE FUNCTION vsm.define_stream(name text, stages jsonb DEFAULT NULL, time_zone text DEFAULT NULL,
                                  commitment_stage text DEFAULT NULL, reopen_rule text DEFAULT NULL)
    RETURNS vsm.value_streams
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN vsm._define_stream(name, stages, time_zone, commitment_stage, reopen_rule, false);
END $$;
COMMENT ON FUNCTION vsm.define_stream(text, jsonb, text, text, text) IS
    'Defines a value stream, or changes what differs and keeps its history. What is null stays as it is; a new stream then has UTC, '
    'span_first_last, no commitment stage and the six default stages. stages: JSON array in order of '
    '{"name", "category": wait|active|done|discarded (default active), "wip_limit", "type", "description"}. A stage that is left out is '
    'deleted, or retired if items have been in it. commitment_stage: where work counts as started (an empty text: at the first active '
    'stage). reopen_rule: span_first_last, span_last, sum_active, sum_started or episodes. Returns the stream''s row. Errors: PT422, '
    'with what to change.';

CREATE FUNCTION vsm._set_stages(of_stream text, list jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- A stage that is left out is dropped, or retired if history refers to it.  A retired stage keeps its place behind
    -- the stage that it followed, so that started work stays started.
    MERGE INTO vsm.stages s
    USING (
        WITH listed AS (
            SELECT * FROM vsm._read_stage_list(list)),
        left_out AS (
            SELECT o.*, coalesce((SELECT l.place FROM vsm.stages p JOIN listed l ON l.name = p.name
                                  WHERE p.stream = of_stream AND p."order" < o."order"
                                  ORDER BY p."order" DESC LIMIT 1), 0) AS behind,
                   NOT EXISTS (SELECT FROM vsm.stage_transitions t WHERE t.to_stage_id = o.id)
                   AND NOT EXISTS (SELECT FROM vsm.work_items w WHERE w.stage_id = o.id)
                   AND NOT EXISTS (SELECT FROM vsm.superseded_transitions t WHERE o.id IN (t.from_stage_id, t.to_stage_id)) AS unused
            FROM vsm.stages o
            WHERE o.stream = of_stream AND o.name NOT IN (SELECT l.name FROM listed l))
        SELECT (row_number() OVER (PARTITION BY a.unused ORDER BY a.place, a.then))::integer AS "order", a.*
        FROM (SELECT l.place, -1 AS then, l.name, l.category, l.wip_limit, l.type, l.description,
                     false AS retired, false AS unused
              FROM listed l
              UNION ALL
              SELECT o.behind, o."order", o.name, o.category, o.wip_limit, o.type, o.description, true, o.unused
              FROM left_out o) a) n
    ON s.stream = of_stream AND s.name = n.name
    WHEN MATCHED AND n.unused THEN
        DELETE
    WHEN MATCHED AND (s."order", s.category, s.wip_limit, s.type, s.description, s.retired_at IS NOT NULL)
                     IS DISTINCT FROM (n."order", n.category, n.wip_limit, n.type, n.description, n.retired) THEN
        UPDATE SET "order" = n."order", category = n.category, wip_limit = n.wip_limit, type = n.type,
                   description = n.description,
                   retired_at = CASE WHEN n.retired THEN coalesce(s.retired_at, now()) END
    WHEN NOT MATCHED THEN
        INSERT (stream, name, "order", category, wip_limit, type, description)
        VALUES (of_stream, n.name, n."order", n.category, n.wip_limit, n.type, n.description);
END $$;
COMMENT ON FUNCTION vsm._set_stages(text, jsonb) IS 'Changes the stages of a stream to those of a list, for vsm.define_stream(). Errors: PT422.';

-- Of concurrent sessions the second waits and sees what the first did.
CREATE FUNCTION vsm._seed_default() RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM vsm.value_streams) THEN
        PERFORM vsm._lock_tables('{vsm.value_streams,vsm.work_item_types}');
        IF NOT EXISTS (SELECT FROM vsm.value_streams) THEN
            PERFORM vsm.define_stream('default');
        END IF;
    END IF;
END $$;
COMMENT ON FUNCTION vsm._seed_default() IS 'Defines the default stream and types if there is no stream yet.';
