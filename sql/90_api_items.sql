-- 90_api_items: schema vsm_api, what PostgREST serves and the gateway calls
--
-- A function takes plain SQL types by name and returns the answer as a JSON document.  A null argument means its default.
-- The functions call schema vsm with the caller's rights, and add the names and shapes that clients know, and their words
-- for what is not found.  Functions that are called often are in plpgsql, which keeps plans; PostgreSQL plans a function
-- in SQL at every call.

CREATE FUNCTION vsm._rfc3339(at timestamptz) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
RETURN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
COMMENT ON FUNCTION vsm._rfc3339(timestamptz) IS 'A finite time in UTC with microseconds, whatever the session''s TimeZone.';

CREATE FUNCTION vsm._hours(duration interval) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    -- sums of times, which have days and no months, may be longer than a bigint of microseconds
    WHEN duration > interval '100000000 days' THEN round(extract(epoch FROM duration) / 3600, 2)
    ELSE round(vsm._interval_us(duration) / 3600000000.0, 2)
END;
COMMENT ON FUNCTION vsm._hours(interval) IS 'A duration in hours, to two decimals.';

CREATE FUNCTION vsm._known_stream(stream text, otherwise text DEFAULT '') RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted CONSTANT text := vsm._sought(coalesce(stream, 'default'));
BEGIN
    IF NOT EXISTS (SELECT FROM vsm.value_streams v WHERE v.name = wanted) THEN
        RAISE EXCEPTION 'Stream ''%'' not found', wanted
            USING ERRCODE = 'PT404', COLUMN = 'stream', DETAIL = 'There is no stream of that name; names are case-sensitive.',
                  HINT = format('%s%s.', vsm._streams_to_choose(), '; ' || nullif(otherwise, ''));
    END IF;
    RETURN wanted;
END $$;
COMMENT ON FUNCTION vsm._known_stream(text, text) IS
    'The stream asked for, default when null. otherwise: what else the hint of the error says. Errors: PT404.';

CREATE FUNCTION vsm._stream_for_item(stream text, otherwise text DEFAULT '') RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted CONSTANT text := vsm._sought(coalesce(stream, 'default'));
BEGIN
    IF NOT EXISTS (SELECT FROM vsm.value_streams v WHERE v.name = wanted)
       AND (wanted <> 'default' OR EXISTS (SELECT FROM vsm.value_streams)) THEN
        PERFORM vsm._known_stream(wanted, otherwise);
    END IF;
    RETURN wanted;
END $$;
COMMENT ON FUNCTION vsm._stream_for_item(text, text) IS
    'The stream that was asked for, or default when null. For the first item of a database, it defines stream default. otherwise: what else '
    'the hint of the error says. Errors: PT404.';

CREATE FUNCTION vsm._item_not_found(work_item_id bigint) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'Work item % not found', coalesce(work_item_id::text, 'null')
        USING ERRCODE = 'PT404', COLUMN = 'work_item_id', DETAIL = 'No work item has that id.', HINT = 'The list of work items has their ids.';
END $$;
COMMENT ON FUNCTION vsm._item_not_found(bigint) IS 'Raises the error. Errors: PT404.';

CREATE FUNCTION vsm._stage_not_found(stream text, stage text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'Stage ''%'' not found', vsm._cut(stage)
        USING ERRCODE = 'PT404', COLUMN = 'to_stage', DETAIL = coalesce('Stream ''' || stream || '''', 'No stream') || ' has ' || CASE WHEN stream IS NULL THEN 'a' ELSE 'no' END
                       || ' stage of that name; names are case-sensitive.',
              HINT = format('%s.', vsm._stages_to_choose(stream));
END $$;
COMMENT ON FUNCTION vsm._stage_not_found(text, text) IS 'Raises the error. Errors: PT404.';

CREATE FUNCTION vsm._check_limit("limit" integer, greatest_limit integer) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF "limit" NOT BETWEEN 1 AND greatest_limit THEN
        RAISE EXCEPTION 'the limit is out of range'
            USING ERRCODE = 'PT422', COLUMN = 'limit', DETAIL = format('It is %s.', "limit"),
                  HINT = format('Give a number from 1 to %s.', greatest_limit);
    END IF;
END $$;
COMMENT ON FUNCTION vsm._check_limit(integer, integer) IS 'Refuses a limit below 1 or above greatest_limit. Errors: PT422.';

-- Work items as the answers show them.  The planner turns a filter on the view's text columns into one on the table's.
CREATE VIEW vsm._items_shown WITH (security_invoker = true) AS
SELECT w.id, w.external_id, w.stream, w.title, w.type, s.name AS current_stage,
       vsm._rfc3339(w.created_at) AS created_at, vsm._rfc3339(w.updated_at) AS updated_at,
       vsm._rfc3339(w.stage_entered_at) AS stage_entered_at,
       vsm._rfc3339(w.started_at) AS started_at, vsm._rfc3339(w.completed_at) AS completed_at,
       vsm._rfc3339(w.discarded_at) AS discarded_at, w.attributes,
       (SELECT b.reason FROM vsm.blocks b WHERE b.work_item_id = w.id AND b.unblocked_at IS NULL) AS block_reason
FROM vsm.work_items w LEFT JOIN vsm.stages s ON s.id = w.stage_id;
COMMENT ON VIEW vsm._items_shown IS 'Work items with their stages'' names, times as texts in UTC, and block_reason, if they are blocked.';

-- ---- Work items and their moves ----

CREATE FUNCTION vsm_api.create_work_item(title text, type text DEFAULT 'task', stream text DEFAULT 'default',
                                         external_id text DEFAULT NULL, at timestamptz DEFAULT NULL, attributes jsonb DEFAULT '{}')
    RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    of_stream CONSTANT text := vsm._stream_for_item(stream);
    of_type CONSTANT text := coalesce(type, 'task');
    item vsm.work_items;
    violated text;
BEGIN
    IF external_id IS NULL THEN
        item := vsm.create_work_item(title, of_type, of_stream, NULL, at, attributes);
    ELSE
        BEGIN
            item := vsm.create_work_item(title, of_type, of_stream, external_id, at, attributes);
        EXCEPTION WHEN unique_violation THEN
            GET STACKED DIAGNOSTICS violated = CONSTRAINT_NAME;
            IF violated <> 'work_items_external_id' THEN
                RAISE;
            END IF;
            RAISE EXCEPTION 'Work item with external id ''%'' already exists', vsm._cut(external_id)
                USING ERRCODE = 'PT409', COLUMN = 'external_id', CONSTRAINT = violated,
                      DETAIL = format('It is in stream ''%s''.', of_stream), HINT = 'Move or change that work item.';
        END;
    END IF;
    RETURN (SELECT row_to_json(r)
            FROM (SELECT item.id, item.title, item.type, vsm._rfc3339(item.created_at) AS created_at,
                         vsm._rfc3339(item.updated_at) AS updated_at,
                         (SELECT s.name FROM vsm.stages s WHERE s.id = item.stage_id) AS current_stage) r);
END $$;
COMMENT ON FUNCTION vsm_api.create_work_item(text, text, text, text, timestamptz, jsonb) IS
    'Creates a work item in the first stage of its stream. Errors: PT404 stream; PT409 external_id there already; PT422 title, '
    'type, time or attributes refused.';

CREATE FUNCTION vsm_api.transition(work_item_id bigint, to_stage text, at timestamptz DEFAULT NULL, reason text DEFAULT NULL,
                                   expected_from text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    of_stream text;
    known_stage text;
    move vsm.stage_transitions;
BEGIN
    SELECT w.stream, s.name INTO of_stream, known_stage
    FROM vsm.work_items w LEFT JOIN vsm.stages s ON s.stream = w.stream AND s.name = vsm._sought(to_stage) WHERE w.id = work_item_id;
    IF NOT FOUND THEN
        PERFORM vsm._item_not_found(work_item_id);
    ELSIF known_stage IS NULL AND to_stage IS NOT NULL THEN
        PERFORM vsm._stage_not_found(of_stream, to_stage);
    END IF;
    move := vsm.transition(work_item_id, to_stage, at, reason, expected_from);
    RETURN (SELECT row_to_json(r)
            FROM (SELECT move.id, move.work_item_id, (SELECT f.name FROM vsm.stages f WHERE f.id = move.from_stage_id) AS from_stage,
                         known_stage AS to_stage, vsm._rfc3339(move."timestamp") AS "timestamp") r);
END $$;
COMMENT ON FUNCTION vsm_api.transition(bigint, text, timestamptz, text, text) IS
    'Moves a work item to a stage of its stream; to the one it is in: answers its latest move and records nothing. '
    'Errors: PT404 work item or stage; PT409 the stage is full, or the item is not in expected_from; PT422 time or stage refused.';

CREATE FUNCTION vsm_api.history(work_item_id bigint) RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    title text;
BEGIN
    SELECT w.title INTO title FROM vsm.work_items w WHERE w.id = history.work_item_id;
    IF NOT FOUND THEN
        PERFORM vsm._item_not_found(work_item_id);
    END IF;
    RETURN (SELECT row_to_json(r)
            FROM (SELECT history.work_item_id, title AS work_item_title, ARRAY(
                      SELECT row_to_json(m)
                      FROM (SELECT h.id, history.work_item_id, h.from_stage, h.to_stage, vsm._rfc3339(h."timestamp") AS "timestamp",
                                   h.reason, h.actor, vsm._rfc3339(h.recorded_at) AS recorded_at
                            FROM vsm.history(history.work_item_id) h) m) AS transitions) r);
END $$;
COMMENT ON FUNCTION vsm_api.history(bigint) IS 'The moves of a work item, oldest first, each with its reason and with who made it. Errors: PT404 work item.';

CREATE FUNCTION vsm_api.work_item(work_item_id bigint) RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    item CONSTANT json := (SELECT row_to_json(i) FROM vsm._items_shown i WHERE i.id = work_item.work_item_id);
BEGIN
    IF item IS NULL THEN
        PERFORM vsm._item_not_found(work_item_id);
    END IF;
    RETURN item;
END $$;
COMMENT ON FUNCTION vsm_api.work_item(bigint) IS 'A work item. Errors: PT404 work item.';

-- A page comes from an index that has the items in the order of their ids: of the open items or the discarded ones of a stream,
-- of a stream's items of a type, or of all items; the pages of several streams and types are merged.  No index has what a move
-- changes, so a stage is looked for among the items that are left.
CREATE FUNCTION vsm_api.work_items(stream text DEFAULT NULL, stage text DEFAULT NULL, type text DEFAULT NULL, open boolean DEFAULT NULL,
                                   "limit" integer DEFAULT 50, after bigint DEFAULT NULL, attributes jsonb DEFAULT NULL,
                                   external_id text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET enable_sort = off           -- where an index has the order
AS $$
#variable_conflict use_variable
DECLARE
    size CONSTANT integer := coalesce("limit", 50);
    of_streams text[] := ARRAY[vsm._sought(stream)];
    of_stages bigint[];
    only_open boolean := false;
    only_ended boolean := false;
    only_discarded boolean := false;
    by_id boolean;
    by_type boolean;
    filters text;
    page json[];
BEGIN
    stream := vsm._sought(stream);
    stage := vsm._sought(stage);
    type := vsm._sought(type);
    external_id := vsm._nfc(external_id);
    PERFORM vsm._check_limit(size, 500);
    IF stream IS NOT NULL THEN
        PERFORM vsm._known_stream(stream);
    END IF;
    IF stage IS NOT NULL THEN
        SELECT array_agg(s.id), array_agg(DISTINCT s.stream), bool_and(s.category IN ('wait', 'active')),
               bool_and(s.category IN ('done', 'discarded')), bool_and(s.category = 'discarded')
        INTO of_stages, of_streams, only_open, only_ended, only_discarded
        FROM vsm.stages s WHERE (stream IS NULL OR s.stream = stream) AND s.name = stage;
        IF of_stages IS NULL THEN
            PERFORM vsm._stage_not_found(stream, stage);
        END IF;
        -- what is in such a stage is open, and the open items have an index
        open := coalesce(open, nullif(only_open, false));
    END IF;
    -- that an item has the attributes shows below that they exist
    PERFORM vsm._check_filter(stream, type, CASE WHEN jsonb_typeof(attributes) <> 'object' THEN attributes END);

    -- a role that sees some streams only does not walk through the items of the others
    by_id := stream IS NULL AND stage IS NULL AND type IS NULL AND open IS NOT TRUE AND external_id IS NULL AND vsm._may_see(NULL, 'vsm.work_items');
    by_type := NOT by_id AND open IS NOT TRUE AND NOT only_discarded AND external_id IS NULL;
    IF NOT by_id AND stream IS NULL AND stage IS NULL THEN
        of_streams := ARRAY(SELECT v.name FROM vsm.value_streams v);
    END IF;
    -- The stream is one of an array, and the order begins with it: for a stream that is equal to a name, the planner would take the
    -- primary key if it expected the items asked for to lie evenly among all, and a stream, or what is open, may begin at the end.
    filters := concat_ws(' AND ',
        CASE WHEN NOT by_id THEN 'w.stream = ANY (ARRAY[s.name])' END,
        CASE WHEN by_type THEN 'w.type = y.name' END,
        'w.id > $5',
        CASE WHEN type IS NOT NULL AND NOT by_type THEN 'w.type = $2' END,
        CASE WHEN open THEN 'w.completed_at IS NULL AND w.discarded_at IS NULL'
             WHEN NOT open THEN '(w.completed_at IS NOT NULL OR w.discarded_at IS NOT NULL)' END,
        CASE WHEN only_discarded THEN 'w.discarded_at IS NOT NULL' END,
        CASE WHEN stage IS NOT NULL THEN 'w.stage_id = ANY ($3)' END,
        CASE WHEN attributes IS NOT NULL THEN 'w.attributes @> $4' END,
        -- a stream has one at most, which an index of its own finds
        CASE WHEN external_id IS NOT NULL THEN 'w.external_id = $8' END);
    IF only_open AND NOT open OR only_ended AND open THEN
        page := '{}';
    ELSE
        -- one item more than the page tells whether there is a next page
        EXECUTE 'SELECT ARRAY(SELECT row_to_json(i) FROM (SELECT w.id FROM '
             || CASE WHEN by_id THEN '' WHEN by_type THEN 'unnest($1) s (name) CROSS JOIN unnest($7) y (name) CROSS JOIN LATERAL '
                     ELSE 'unnest($1) s (name) CROSS JOIN LATERAL ' END
             || '(SELECT w.id FROM vsm.work_items w WHERE ' || filters
             || CASE WHEN external_id IS NOT NULL THEN ' OFFSET 0' WHEN by_id THEN ' ORDER BY w.id LIMIT $6' ELSE ' ORDER BY w.stream, w.id LIMIT $6' END || ') w'
             || ' ORDER BY w.id LIMIT $6) f JOIN vsm._items_shown i ON i.id = f.id ORDER BY i.id)'
        INTO page
        USING of_streams, type, of_stages, attributes, coalesce(after, -9223372036854775808), size + 1,
              CASE WHEN type IS NULL THEN ARRAY(SELECT t.name FROM vsm.work_item_types t) ELSE ARRAY[type] END, external_id;
    END IF;
    IF attributes IS NOT NULL AND cardinality(page) = 0 THEN
        PERFORM vsm._check_filter(stream, type, attributes);
    END IF;
    RETURN (SELECT row_to_json(r)
            FROM (SELECT page[:size] AS items, CASE WHEN cardinality(page) > size THEN (page[size] ->> 'id')::bigint END AS next) r);
END $$;
COMMENT ON FUNCTION vsm_api.work_items(text, text, text, boolean, integer, bigint, jsonb, text) IS
    'A page of at most limit (1 to 500) work items in the order of their ids, of any stream, stage and type, with these attributes or this external id, open or '
    'ended (finished or discarded); next: the "after" of the page that follows, null when there is none. Errors: PT404 stream, stage; '
    'PT422 limit, type, attributes.';

CREATE FUNCTION vsm_api.delete_work_item(work_item_id bigint) RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    item json;
BEGIN
    -- the answer shows the item as it is once nobody else can move it
    PERFORM FROM vsm.work_items w WHERE w.id = delete_work_item.work_item_id FOR UPDATE;
    item := vsm_api.work_item(work_item_id);
    DELETE FROM vsm.work_items w WHERE w.id = delete_work_item.work_item_id;
    IF NOT FOUND THEN
        PERFORM vsm._hold_item(work_item_id);       -- which says why
    END IF;
    RETURN item;
END $$;
COMMENT ON FUNCTION vsm_api.delete_work_item(bigint) IS
    'Deletes a work item and its history, and returns the item as it was. Errors: PT404 work item.';
