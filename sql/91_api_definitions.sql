-- 91_api_definitions: streams, stages and types

-- each look-up has an index that has the items of that category, except done ones
CREATE FUNCTION vsm._holds_items(stream text, stage_id bigint, category text) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE category
        WHEN 'done' THEN EXISTS (SELECT FROM vsm.work_items w
                                 WHERE w.stream = _holds_items.stream AND w.stage_id = _holds_items.stage_id AND w.completed_at IS NOT NULL)
        WHEN 'discarded' THEN EXISTS (SELECT FROM vsm.work_items w
                                      WHERE w.stream = _holds_items.stream AND w.stage_id = _holds_items.stage_id AND w.discarded_at IS NOT NULL)
        ELSE EXISTS (SELECT FROM vsm.work_items w
                     WHERE w.stream = _holds_items.stream AND w.stage_id = _holds_items.stage_id
                       AND w.completed_at IS NULL AND w.discarded_at IS NULL) END;
END $$;
COMMENT ON FUNCTION vsm._holds_items(text, bigint, text) IS 'Is any item in the stage?';

CREATE FUNCTION vsm_api.stages(stream text DEFAULT 'default') RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    rows CONSTANT json[] := ARRAY(
        SELECT CASE WHEN s.retired_at IS NULL
                    THEN (SELECT row_to_json(r) FROM (SELECT s.id, s.name, s."order", s.type, s.category, s.wip_limit, s.description) r)
                    ELSE (SELECT row_to_json(r) FROM (SELECT s.id, s.name, s."order", s.type, s.category, s.wip_limit, s.description,
                                                             vsm._rfc3339(s.retired_at) AS retired_at) r) END
        FROM vsm.stages s
        WHERE s.stream = coalesce(stages.stream, 'default')
          AND CASE WHEN s.retired_at IS NULL THEN true ELSE vsm._holds_items(s.stream, s.id, s.category) END
        ORDER BY s."order");
BEGIN
    IF cardinality(rows) = 0 THEN
        PERFORM vsm._known_stream(stages.stream);
    END IF;
    RETURN array_to_json(rows);
END $$;
COMMENT ON FUNCTION vsm_api.stages(text) IS 'The stages of a stream, in order: those in use, and retired ones that hold items, which have retired_at as well. Errors: PT404 stream.';

CREATE FUNCTION vsm_api.types() RETURNS json
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT array_to_json(ARRAY(SELECT t.name FROM vsm.work_item_types t ORDER BY t.id, t.name));
END;
COMMENT ON FUNCTION vsm_api.types() IS 'The types a work item may have, in the order in which they were defined. Errors: none.';

CREATE FUNCTION vsm_api.streams() RETURNS json
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT array_to_json(ARRAY(
        SELECT row_to_json(r)
        FROM (SELECT v.name, v.time_zone, v.commitment_stage, v.reopen_rule,
                     ARRAY(SELECT s.name FROM vsm.stages s WHERE s.stream = v.name AND s.retired_at IS NULL ORDER BY s."order") AS stages,
                     vsm._rfc3339(v.created_at) AS created_at
              FROM vsm.value_streams v ORDER BY v.id) r));
END;
COMMENT ON FUNCTION vsm_api.streams() IS
    'The value streams with the names of their stages in order. commitment_stage: null, the first active one. Errors: none.';

-- Creating the first work item needs no right on the definitions, and neither does this.
CREATE FUNCTION vsm._prepare() RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vsm__prepare';
COMMENT ON FUNCTION vsm._prepare() IS
    'Defines the default stream and types if there is no stream yet, for any role that may create a work item. Errors: 42501.';

CREATE FUNCTION vsm_api.prepare() RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM vsm._prepare();
    RETURN vsm_api.streams();
END $$;
COMMENT ON FUNCTION vsm_api.prepare() IS
    'For the start of a service: defines the default stream and types if there is no stream yet, and returns the streams. Errors: 42501.';
