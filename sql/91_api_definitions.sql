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
        WHERE s.stream = vsm._sought(coalesce(stages.stream, 'default'))
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
                     vsm._rfc3339(v.created_at) AS created_at,
                     vsm._rfc3339((SELECT max(t."timestamp") FROM vsm.stage_transitions t WHERE t.stream_id = v.id)) AS last_move_at,
                     vsm._rfc3339((SELECT min(t."timestamp") FROM vsm.stage_transitions t WHERE t.stream_id = v.id)) AS first_move_at
              FROM vsm.value_streams v ORDER BY v.id) r));
END;
COMMENT ON FUNCTION vsm_api.streams() IS
    'The value streams with the names of their stages in order. commitment_stage: null, the first active one. first_move_at and '
    'last_move_at: null, nothing has moved yet. Errors: none.';

-- ---- Definitions, for admins: the triggers of the tables check them ----

CREATE FUNCTION vsm._stream_shown(stream text) RETURNS json
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT row_to_json(r)
    FROM (SELECT v.name, v.time_zone, v.commitment_stage, v.reopen_rule,
                 ARRAY(SELECT s.name FROM vsm.stages s WHERE s.stream = v.name AND s.retired_at IS NULL ORDER BY s."order") AS stages,
                 vsm._rfc3339(v.created_at) AS created_at,
                 vsm._rfc3339((SELECT max(t."timestamp") FROM vsm.stage_transitions t WHERE t.stream_id = v.id)) AS last_move_at,
                 vsm._rfc3339((SELECT min(t."timestamp") FROM vsm.stage_transitions t WHERE t.stream_id = v.id)) AS first_move_at
          FROM vsm.value_streams v WHERE v.name = _stream_shown.stream) r;
END;
COMMENT ON FUNCTION vsm._stream_shown(text) IS 'A stream as the answers show it; null when there is none.';

CREATE FUNCTION vsm._stage_shown(stage_id bigint) RETURNS json
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT row_to_json(r)
    FROM (SELECT s.id, s.name, s."order", s.type, s.category, s.wip_limit, s.description
          FROM vsm.stages s WHERE s.id = _stage_shown.stage_id) r;
END;
COMMENT ON FUNCTION vsm._stage_shown(bigint) IS 'A stage as the answers show it; null when there is none.';

-- The row policies leave rows alone that the caller sees and may not change.  That it is still there has been asked again.
CREATE FUNCTION vsm._refuse_definition(what text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'permission denied for %', what
        USING ERRCODE = '42501', DETAIL = 'The role sees it and may not define it.', HINT = 'Ask for access as an admin.';
END $$;
COMMENT ON FUNCTION vsm._refuse_definition(text) IS 'Raises the error. Errors: 42501.';

CREATE FUNCTION vsm_api.define_stream(stream text, name text DEFAULT NULL, stages jsonb DEFAULT NULL, time_zone text DEFAULT NULL,
                                      commitment_stage text DEFAULT NULL, reopen_rule text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    called CONSTANT text := vsm._name(coalesce(name, stream), 'value stream');
    result vsm.value_streams;
BEGIN
    stream := vsm._sought(stream);
    IF called <> stream THEN
        PERFORM vsm._known_stream(stream);
        IF EXISTS (SELECT FROM vsm.value_streams v WHERE v.name = called) THEN
            PERFORM vsm._refuse_second('Stream', called, 'name');
        END IF;
        PERFORM vsm._hold_stages(stream);
        BEGIN
            UPDATE vsm.value_streams v SET name = called WHERE v.name = stream;
        EXCEPTION WHEN unique_violation THEN        -- of another session meanwhile
            PERFORM vsm._refuse_second('Stream', called, 'name');
        END;
        IF NOT FOUND THEN
            PERFORM vsm._refuse_definition(format('stream "%s"', vsm._known_stream(stream)));
        END IF;
    END IF;
    result := vsm.define_stream(called, stages, time_zone, commitment_stage, reopen_rule);
    RETURN vsm._stream_shown(result.name);
END $$;
COMMENT ON FUNCTION vsm_api.define_stream(text, text, jsonb, text, text, text) IS
    'Defines a value stream, or changes what is given of one and keeps its history; see vsm.define_stream(). name: another name for '
    'the stream. Returns the stream. Errors: PT404 a stream to rename; PT409 the other name is taken; PT422, with what to change.';

CREATE FUNCTION vsm_api.add_stream(name text, stages jsonb DEFAULT NULL, time_zone text DEFAULT NULL,
                                   commitment_stage text DEFAULT NULL, reopen_rule text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    result vsm.value_streams;
BEGIN
    name := vsm._name(name, 'value stream');
    result := vsm._define_stream(name, stages, time_zone, commitment_stage, reopen_rule, true);
    IF result.id IS NULL THEN
        PERFORM vsm._refuse_second('Stream', name, 'name');
    END IF;
    RETURN vsm._stream_shown(result.name);
END $$;
COMMENT ON FUNCTION vsm_api.add_stream(text, jsonb, text, text, text) IS
    'Defines a new value stream and returns it. Errors: PT409 there is one of that name; PT422, with what to change.';

CREATE FUNCTION vsm._refuse_second(what text, name text, parameter text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION '% ''%'' already exists', what, vsm._cut(name)
        USING ERRCODE = 'PT409', COLUMN = parameter, DETAIL = 'Names are unique.', HINT = 'Change that one, or give another name.';
END $$;
COMMENT ON FUNCTION vsm._refuse_second(text, text, text) IS 'Raises the error. Errors: PT409.';

CREATE FUNCTION vsm_api.delete_stream(stream text) RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    result CONSTANT json := vsm._stream_shown(vsm._known_stream(coalesce(stream, '')));
BEGIN
    PERFORM vsm._hold_stages(vsm._sought(delete_stream.stream));
    DELETE FROM vsm.value_streams v WHERE v.name = vsm._sought(delete_stream.stream);
    IF NOT FOUND THEN
        PERFORM vsm._refuse_definition(format('stream "%s"', vsm._known_stream(stream)));
    END IF;
    RETURN result;
END $$;
COMMENT ON FUNCTION vsm_api.delete_stream(text) IS
    'Deletes a value stream with its stages, and returns it as it was. Errors: PT404 stream; PT409 it has work items.';

CREATE FUNCTION vsm_api.add_stage(name text, stream text DEFAULT 'default', category text DEFAULT 'active', wip_limit integer DEFAULT NULL,
                                  type text DEFAULT NULL, description text DEFAULT NULL, "order" integer DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    of_stream CONSTANT text := vsm._known_stream(stream);
    of_category CONSTANT text := coalesce(category, 'active');
    place integer := "order";
    new_id bigint;
BEGIN
    name := vsm._name(name, 'stage');
    PERFORM vsm._hold_stages(of_stream);
    PERFORM vsm._hold_streams(ARRAY[of_stream]);
    IF EXISTS (SELECT FROM vsm.stages s WHERE s.stream = of_stream AND s.name = name) THEN
        PERFORM vsm._refuse_second('Stage', name, 'name');
    END IF;
    PERFORM vsm._make_room(of_stream, 1);
    IF place IS NULL AND of_category IN ('wait', 'active') THEN
        SELECT min(s."order") INTO place FROM vsm.stages s WHERE s.stream = of_stream AND s.category IN ('done', 'discarded');
    END IF;
    UPDATE vsm.stages s SET "order" = s."order" + 1
    WHERE s.stream = of_stream AND s."order" >= place
      AND EXISTS (SELECT FROM vsm.stages t WHERE t.stream = of_stream AND t."order" = place);
    INSERT INTO vsm.stages AS s (stream, name, "order", category, wip_limit, type, description)
    VALUES (of_stream, name, place, of_category, wip_limit, type, description)
    RETURNING s.id INTO new_id;
    RETURN vsm._stage_shown(new_id);
END $$;
COMMENT ON FUNCTION vsm_api.add_stage(text, text, text, integer, text, text, integer) IS
    'Adds a stage to a stream and returns it. order: its place, from which the stage there and those after it move up; null: before the '
    'done and discarded stages, or for such a stage at the end. Errors: PT404 stream; PT409 the stream has a stage of that name; PT422 '
    'name, category, limit or order.';

CREATE FUNCTION vsm_api.change_stage(stage_id bigint, name text, category text DEFAULT 'active', wip_limit integer DEFAULT NULL,
                                     type text DEFAULT NULL, description text DEFAULT NULL, "order" integer DEFAULT NULL,
                                     retired boolean DEFAULT false)
    RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    old vsm.stages;
BEGIN
    name := vsm._name(name, 'stage');
    SELECT s.* INTO old FROM vsm.stages s WHERE s.id = stage_id;
    IF NOT FOUND THEN
        PERFORM vsm._stage_id_not_found(stage_id);
    END IF;
    PERFORM vsm._hold_stages(old.stream);
    PERFORM vsm._hold_streams(ARRAY[old.stream]);
    PERFORM vsm._make_room(old.stream, 1);
    IF EXISTS (SELECT FROM vsm.stages s WHERE s.stream = old.stream AND s.name = name AND s.id <> stage_id) THEN
        PERFORM vsm._refuse_second('Stage', name, 'name');
    END IF;
    UPDATE vsm.stages s
    SET name = name, category = coalesce(category, 'active'), wip_limit = wip_limit, type = coalesce(type, lower(name)),
        description = description, "order" = coalesce("order", s."order"),
        retired_at = CASE WHEN retired THEN coalesce(s.retired_at, now()) END
    WHERE s.id = stage_id AND NOT EXISTS (SELECT FROM vsm.stages t WHERE t.stream = old.stream AND t."order" = "order" AND t.id <> stage_id);
    IF NOT FOUND THEN
        UPDATE vsm.stages s
        SET name = CASE WHEN s.id = stage_id THEN name ELSE s.name END,
            category = CASE WHEN s.id = stage_id THEN coalesce(category, 'active') ELSE s.category END,
            wip_limit = CASE WHEN s.id = stage_id THEN wip_limit ELSE s.wip_limit END,
            type = CASE WHEN s.id = stage_id THEN coalesce(type, lower(name)) ELSE s.type END,
            description = CASE WHEN s.id = stage_id THEN description ELSE s.description END,
            "order" = CASE WHEN s.id = stage_id THEN "order" ELSE s."order" + 1 END,
            retired_at = CASE WHEN s.id <> stage_id THEN s.retired_at WHEN retired THEN coalesce(s.retired_at, now()) END
        WHERE s.stream = old.stream AND (s.id = stage_id OR s."order" >= "order");
    END IF;
    IF NOT FOUND THEN
        PERFORM vsm._refuse_stage(stage_id);
    END IF;
    RETURN vsm._stage_shown(stage_id);
END $$;
COMMENT ON FUNCTION vsm_api.change_stage(bigint, text, text, integer, text, text, integer, boolean) IS
    'Defines a stage anew and returns it; it keeps its id and history. What is null has its default, except the order, which stays. '
    'order: if another stage has it, that one and those after it move up. retired: it takes no new entries. Errors: PT404 stage; PT409 '
    'the stream has another stage of that name; PT422 name, category, limit or order.';

CREATE FUNCTION vsm._stage_id_not_found(stage_id bigint) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'Stage % not found', coalesce(stage_id::text, 'null')
        USING ERRCODE = 'PT404', COLUMN = 'stage_id', DETAIL = 'No stage has that id.', HINT = 'The list of stages has their ids.';
END $$;
COMMENT ON FUNCTION vsm._stage_id_not_found(bigint) IS 'Raises the error. Errors: PT404.';

CREATE FUNCTION vsm._refuse_stage(stage_id bigint) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    shown CONSTANT json := vsm._stage_shown(stage_id);
BEGIN
    IF shown IS NULL THEN
        PERFORM vsm._stage_id_not_found(stage_id);
    END IF;
    PERFORM vsm._refuse_definition(format('stage "%s"', shown ->> 'name'));
END $$;
COMMENT ON FUNCTION vsm._refuse_stage(bigint) IS 'Raises the error of a stage that could not be changed. Errors: PT404 it is gone; 42501.';

CREATE FUNCTION vsm_api.delete_stage(stage_id bigint) RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    result CONSTANT json := vsm._stage_shown(stage_id);
BEGIN
    IF result IS NULL THEN
        PERFORM vsm._stage_id_not_found(stage_id);
    END IF;
    DELETE FROM vsm.stages s WHERE s.id = delete_stage.stage_id;
    IF NOT FOUND THEN
        PERFORM vsm._refuse_stage(stage_id);
    END IF;
    RETURN result;
END $$;
COMMENT ON FUNCTION vsm_api.delete_stage(bigint) IS
    'Deletes a stage and returns it as it was. Errors: PT404 stage; PT409 work items have been in it, or work starts there; PT422 no done '
    'stage would be left.';

CREATE FUNCTION vsm_api.add_type(name text) RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
    name := vsm._name(name, 'work item type');
    INSERT INTO vsm.work_item_types (name) VALUES (name) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        PERFORM vsm._refuse_second('Type', name, 'name');
    END IF;
    RETURN (SELECT row_to_json(r) FROM (SELECT name) r);
END $$;
COMMENT ON FUNCTION vsm_api.add_type(text) IS 'Adds a type of work item. Errors: PT409 there is one of that name; PT422 no name.';

CREATE FUNCTION vsm._known_type(type text) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM vsm.work_item_types t WHERE t.name = vsm._sought(_known_type.type)) THEN
        RAISE EXCEPTION 'Type ''%'' not found', coalesce(vsm._cut(type), 'null')
            USING ERRCODE = 'PT404', COLUMN = 'type', DETAIL = 'There is no type of that name; names are case-sensitive.',
                  HINT = 'The types are ' || left((SELECT string_agg(t.name, ', ' ORDER BY t.id) FROM vsm.work_item_types t), 200) || '.';
    END IF;
    RETURN vsm._sought(type);
END $$;
COMMENT ON FUNCTION vsm._known_type(text) IS 'The type asked for. Errors: PT404.';

CREATE FUNCTION vsm_api.rename_type(type text, name text) RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    known CONSTANT text := vsm._known_type(type);
BEGIN
    name := vsm._name(name, 'work item type');
    IF name <> known AND EXISTS (SELECT FROM vsm.work_item_types t WHERE t.name = name) THEN
        PERFORM vsm._refuse_second('Type', name, 'name');
    END IF;
    BEGIN
        UPDATE vsm.work_item_types t SET name = name WHERE t.name = known;
    EXCEPTION WHEN unique_violation THEN            -- of another session meanwhile
        PERFORM vsm._refuse_second('Type', name, 'name');
    END;
    IF NOT FOUND THEN
        PERFORM vsm._refuse_definition(format('type "%s"', vsm._known_type(known)));
    END IF;
    RETURN (SELECT row_to_json(r) FROM (SELECT name) r);
END $$;
COMMENT ON FUNCTION vsm_api.rename_type(text, text) IS
    'Gives a type another name; its work items have it too. Errors: PT404 type; PT409 there is one of the other name; PT422 no name.';

CREATE FUNCTION vsm_api.delete_type(type text) RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    known CONSTANT text := vsm._known_type(type);
BEGIN
    DELETE FROM vsm.work_item_types t WHERE t.name = known;
    IF NOT FOUND THEN
        PERFORM vsm._refuse_definition(format('type "%s"', vsm._known_type(known)));
    END IF;
    RETURN (SELECT row_to_json(r) FROM (SELECT known AS name) r);
END $$;
COMMENT ON FUNCTION vsm_api.delete_type(text) IS 'Deletes a type of work item. Errors: PT404 type; PT409 there are work items of it.';

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
