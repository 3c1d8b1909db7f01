-- vsm: the whole install script
--
-- types, tables, definitions, transitions, wip, totals, import, flow, simulation, forecast, api, privileges

\echo Use "CREATE EXTENSION vsm" to load this file. \quit

-- CREATE EXTENSION puts the extension's schema first.  LOCAL: until the script ends.  This statement looks up no name.
SET LOCAL search_path = pg_catalog, pg_temp;

-- Who owns a schema can put functions and operators beside ours, and may drop what is in it.  So the schemas are the
-- extension's: they belong to the superuser who runs this script, come with it and go with it.
DO $$
DECLARE
    present text;
BEGIN
    SELECT n.nspname INTO present FROM pg_namespace n WHERE n.nspname IN ('vsm', 'vsm_api') ORDER BY 1;
    IF FOUND THEN
        RAISE EXCEPTION 'schema "%" exists already', present
            USING ERRCODE = 'duplicate_schema',
                  DETAIL = 'Extension vsm makes its schemas itself, so that nobody else''s objects are in them.',
                  HINT = format('Move what you need out of it, then DROP SCHEMA %I.', present);
    END IF;
END $$;
CREATE SCHEMA vsm;
COMMENT ON SCHEMA vsm IS 'Value stream engine: work items, their ledger, flow figures.';
CREATE SCHEMA vsm_api;
COMMENT ON SCHEMA vsm_api IS 'Value streams: work items, their moves through the stages, and the figures of their flow';
GRANT USAGE ON SCHEMA vsm, vsm_api TO @extowner@ WITH GRANT OPTION;

------------------------------------------------------------------------------------------------------------------------
-- types
------------------------------------------------------------------------------------------------------------------------

-- The computed columns of a work item, as a replay of its moves gives them.
CREATE TYPE vsm._item_state AS (
    stage_id bigint,
    created_at timestamptz,
    stage_entered_at timestamptz,
    started_at timestamptz,
    completed_at timestamptz,
    active_time interval,
    wait_time interval,
    reopened integer,
    backward_moves integer
);

-- A completion by a reopen rule; times in microseconds.
CREATE TYPE vsm._completion AS (
    created_at timestamptz,
    started_at timestamptz,
    completed_at timestamptz,
    cycle_us bigint,
    active_us bigint,
    wait_us bigint
);

-- Durations count in microseconds inside and show as intervals outside.
CREATE FUNCTION vsm._elapsed_us(since timestamptz, until timestamptz) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__elapsed_us';
COMMENT ON FUNCTION vsm._elapsed_us(timestamptz, timestamptz) IS
    'Microseconds from one finite time to another.';

CREATE FUNCTION vsm._interval_us(duration interval) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__interval_us';
COMMENT ON FUNCTION vsm._interval_us(interval) IS
    'Microseconds of an interval: a day is 24 hours, a month 30 days.';

CREATE FUNCTION vsm._interval(us bigint) RETURNS interval
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__interval';
COMMENT ON FUNCTION vsm._interval(bigint) IS
    'That many microseconds as days and time.';

CREATE FUNCTION vsm._entered_at(left_at timestamptz, stay interval) RETURNS timestamptz
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__entered_at';
COMMENT ON FUNCTION vsm._entered_at(timestamptz, interval) IS
    'When a visit began that ended then and took so long, in any time zone.';

------------------------------------------------------------------------------------------------------------------------
-- tables
------------------------------------------------------------------------------------------------------------------------

CREATE SEQUENCE vsm.value_streams_id_seq;
CREATE TABLE vsm.value_streams (
    id bigint PRIMARY KEY DEFAULT nextval('vsm.value_streams_id_seq'),
    name text NOT NULL UNIQUE,
    time_zone text NOT NULL DEFAULT 'UTC',
    commitment_stage text,
    reopen_rule text NOT NULL DEFAULT 'span_first_last',
    created_at timestamptz NOT NULL DEFAULT now()
);
ALTER SEQUENCE vsm.value_streams_id_seq OWNED BY vsm.value_streams.id;
COMMENT ON TABLE vsm.value_streams IS 'Value streams: an order of stages that work items move through.';
COMMENT ON COLUMN vsm.value_streams.time_zone IS 'Zone in which days, weeks and months of the stream are cut.';
COMMENT ON COLUMN vsm.value_streams.commitment_stage IS
    'Name of the first stage that counts as started work; null: the first active stage in order.';
COMMENT ON COLUMN vsm.value_streams.reopen_rule IS
    'How the cycle time of a reopened item counts: span_first_last, span_last, sum_active or episodes.';

CREATE SEQUENCE vsm.stages_id_seq;
CREATE TABLE vsm.stages (
    id bigint PRIMARY KEY DEFAULT nextval('vsm.stages_id_seq'),
    stream text NOT NULL DEFAULT 'default',      -- no foreign key: a parallel restore could not keep it
    name text NOT NULL,
    "order" integer NOT NULL,
    type text NOT NULL,
    category text NOT NULL DEFAULT 'active',
    wip_limit integer,
    description text,
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz,
    CHECK (id > 0),                             -- 0 is "none" in the counters
    UNIQUE (stream, name),
    -- deferred, so that the trigger's clearer error comes first; this one is for two sessions at once
    CONSTRAINT stages_stream_order_key UNIQUE (stream, "order") DEFERRABLE INITIALLY DEFERRED
);
ALTER SEQUENCE vsm.stages_id_seq OWNED BY vsm.stages.id;
COMMENT ON TABLE vsm.stages IS 'Stages of the value streams, in order.';
COMMENT ON COLUMN vsm.stages.type IS 'Free text for the user; the lower-case name when not given.';
COMMENT ON COLUMN vsm.stages.category IS
    'wait (idle, waiting for someone), active (being worked on) or done (delivered, leaves WIP).';
COMMENT ON COLUMN vsm.stages.wip_limit IS
    'Work items the stage may hold; null: no limit. An entry beyond it is refused, or as vsm.wip_limit_action says.';
COMMENT ON COLUMN vsm.stages.retired_at IS 'Since when the stage takes no new entries; null: in use.';

CREATE SEQUENCE vsm.work_item_types_id_seq;
CREATE TABLE vsm.work_item_types (
    name text PRIMARY KEY,
    id bigint NOT NULL DEFAULT nextval('vsm.work_item_types_id_seq')
);
ALTER SEQUENCE vsm.work_item_types_id_seq OWNED BY vsm.work_item_types.id;
COMMENT ON TABLE vsm.work_item_types IS 'Types of work items; add your own.';
COMMENT ON COLUMN vsm.work_item_types.id IS 'In the order in which the types were defined.';

-- The positions of the columns are known to src/vsm.h: append only.
CREATE SEQUENCE vsm.work_items_id_seq;
CREATE TABLE vsm.work_items (
    id bigint PRIMARY KEY DEFAULT nextval('vsm.work_items_id_seq'),
    stream text NOT NULL DEFAULT 'default',
    external_id text,
    title text NOT NULL,
    type text NOT NULL DEFAULT 'task',
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    stage_id bigint NOT NULL,
    stage_entered_at timestamptz NOT NULL,
    started_at timestamptz,
    completed_at timestamptz,
    active_time interval NOT NULL,
    wait_time interval NOT NULL,
    reopened integer NOT NULL,
    backward_moves integer NOT NULL
);
ALTER SEQUENCE vsm.work_items_id_seq OWNED BY vsm.work_items.id;
CREATE UNIQUE INDEX work_items_external_id ON vsm.work_items (stream, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX work_items_open ON vsm.work_items (stage_id) WHERE completed_at IS NULL;
CREATE INDEX work_items_completed ON vsm.work_items (completed_at) WHERE completed_at IS NOT NULL;
COMMENT ON TABLE vsm.work_items IS
    'Work items and where they are. INSERT, UPDATE of stage_id and DELETE by any client keep the ledger; '
    'the columns from created_at on are computed.';
COMMENT ON COLUMN vsm.work_items.external_id IS 'Id of the item in another system; unique in its stream.';
COMMENT ON COLUMN vsm.work_items.created_at IS 'First transition; may be given in an INSERT, from 1970 on, up to 5 minutes ahead.';
COMMENT ON COLUMN vsm.work_items.updated_at IS 'Last change of the row.';
COMMENT ON COLUMN vsm.work_items.stage_id IS 'The stage the item is in (vsm.stages.id); UPDATE it to move the item.';
COMMENT ON COLUMN vsm.work_items.stage_entered_at IS 'Last transition.';
COMMENT ON COLUMN vsm.work_items.started_at IS
    'First entry into a stage at or after the commitment point that is not done; null: not started.';
COMMENT ON COLUMN vsm.work_items.completed_at IS 'Latest entry into done; null when the item is not in a done stage.';
COMMENT ON COLUMN vsm.work_items.active_time IS
    'Time in active stages since started_at, the visit that is going on not included.';
COMMENT ON COLUMN vsm.work_items.wait_time IS
    'Time in wait stages since started_at, the visit that is going on not included.';
COMMENT ON COLUMN vsm.work_items.reopened IS 'Times the item left done.';
COMMENT ON COLUMN vsm.work_items.backward_moves IS 'Moves to a stage that stands earlier in the order.';

CREATE SEQUENCE vsm.stage_transitions_id_seq;
CREATE TABLE vsm.stage_transitions (
    work_item_id bigint NOT NULL,
    id bigint NOT NULL DEFAULT nextval('vsm.stage_transitions_id_seq'),
    from_stage_id bigint,
    to_stage_id bigint NOT NULL,
    "timestamp" timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    time_in_stage interval,
    reason text,
    actor text NOT NULL,
    type text,
    cycle_time interval,
    lead_time interval,
    wip_breach integer,
    PRIMARY KEY (work_item_id, id)
);
ALTER SEQUENCE vsm.stage_transitions_id_seq OWNED BY vsm.stage_transitions.id;
-- nearly free to keep, and moves come nearly in the order of time
CREATE INDEX stage_transitions_timestamp ON vsm.stage_transitions USING brin ("timestamp") WITH (autosummarize = on);
COMMENT ON TABLE vsm.stage_transitions IS
    'The ledger: one row per move, append-only. An item''s order is ("timestamp", id).';
COMMENT ON COLUMN vsm.stage_transitions.from_stage_id IS 'The stage left; null for the first.';
COMMENT ON COLUMN vsm.stage_transitions."timestamp" IS 'When it happened.';
COMMENT ON COLUMN vsm.stage_transitions.recorded_at IS 'When the database learned it.';
COMMENT ON COLUMN vsm.stage_transitions.time_in_stage IS 'How long the item was in the stage left; days of 24 hours.';
COMMENT ON COLUMN vsm.stage_transitions.actor IS 'The role that moved or imported the item.';
COMMENT ON COLUMN vsm.stage_transitions.type IS 'The item''s type when it was created; in its first row only.';
COMMENT ON COLUMN vsm.stage_transitions.cycle_time IS
    'Of a move that finishes the item: from its first start, as the stages were defined then; null: it never started.';
COMMENT ON COLUMN vsm.stage_transitions.lead_time IS 'Of a move that finishes the item: from its creation.';
COMMENT ON COLUMN vsm.stage_transitions.wip_breach IS
    'Items the stage entered then held, when that was over its limit (vsm.wip_limit_action = warn); else null.';

-- Imported events that say no more than the one before: the item was in that stage already.  Kept, so that later
-- imports give the same ledger in whatever order the events come.
CREATE TABLE vsm._merged_events (
    work_item_id bigint NOT NULL,
    id bigint NOT NULL,
    stage_id bigint NOT NULL,
    "timestamp" timestamptz NOT NULL,
    PRIMARY KEY (work_item_id, id)
);
COMMENT ON TABLE vsm._merged_events IS 'Imported entries into the stage an item was in already.';

CREATE SEQUENCE vsm.import_refusals_id_seq;
CREATE TABLE vsm.import_refusals (
    id bigint PRIMARY KEY DEFAULT nextval('vsm.import_refusals_id_seq'),
    stream text NOT NULL,
    source text NOT NULL,
    case_id text,
    stage text,
    entered_at text,
    reason text NOT NULL,
    refused_at timestamptz NOT NULL DEFAULT now(),
    imported_by text NOT NULL
);
ALTER SEQUENCE vsm.import_refusals_id_seq OWNED BY vsm.import_refusals.id;
COMMENT ON TABLE vsm.import_refusals IS
    'Rows that imports with on_error => ''skip'' left out, and why. Delete them when they are dealt with.';

-- src/stream_access.c says what follows from it for a role.
CREATE TABLE vsm.stream_access (
    role name NOT NULL,                 -- a name, since a dump knows no object ids
    stream text,
    level text NOT NULL CHECK (level IN ('reader', 'writer', 'admin')),
    granted_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (role, stream)
);
COMMENT ON TABLE vsm.stream_access IS
    'What vsm.grant_access() gave. A role that has rows, its own or those of roles whose rights it has, sees and writes these '
    'streams only; one that has none is not limited.';
COMMENT ON COLUMN vsm.stream_access.stream IS 'Name of the stream; null: all streams, also those to come.';
COMMENT ON COLUMN vsm.stream_access.level IS 'reader: sees the stream; writer: also writes its work items; admin: also defines it.';

-- What the monitoring totals count is in the ledger; what its rows had added before they were deleted or corrected is here.
CREATE SEQUENCE vsm._totals_kept_id_seq;
CREATE TABLE vsm._totals_kept (
    id bigint PRIMARY KEY DEFAULT nextval('vsm._totals_kept_id_seq'),
    kind integer NOT NULL,
    a bigint NOT NULL,
    b bigint NOT NULL,
    n bigint NOT NULL,
    type text
);
ALTER SEQUENCE vsm._totals_kept_id_seq OWNED BY vsm._totals_kept.id;
COMMENT ON TABLE vsm._totals_kept IS 'What ledger rows that are gone had added to the totals for monitoring, so that these never fall.';

-- all of it goes into a dump
SELECT pg_extension_config_dump('vsm.value_streams', '');
SELECT pg_extension_config_dump('vsm.value_streams_id_seq', '');
SELECT pg_extension_config_dump('vsm.stages', '');
SELECT pg_extension_config_dump('vsm.stages_id_seq', '');
SELECT pg_extension_config_dump('vsm.work_item_types', '');
SELECT pg_extension_config_dump('vsm.work_item_types_id_seq', '');
SELECT pg_extension_config_dump('vsm.work_items', '');
SELECT pg_extension_config_dump('vsm.work_items_id_seq', '');
SELECT pg_extension_config_dump('vsm.stage_transitions', '');
SELECT pg_extension_config_dump('vsm.stage_transitions_id_seq', '');
SELECT pg_extension_config_dump('vsm._merged_events', '');
SELECT pg_extension_config_dump('vsm.import_refusals', '');
SELECT pg_extension_config_dump('vsm.import_refusals_id_seq', '');
SELECT pg_extension_config_dump('vsm.stream_access', '');
SELECT pg_extension_config_dump('vsm._totals_kept', '');
SELECT pg_extension_config_dump('vsm._totals_kept_id_seq', '');

-- A stage with the one thing the flow rules want to know beyond its row: does being in it count as started work?
CREATE VIEW vsm._stages WITH (security_invoker = true) AS
SELECT s.id, s.stream, s.name, s."order", s.type, s.category, s.wip_limit, s.retired_at,
       s.category <> 'done'
       AND s."order" >= coalesce(c."order", (SELECT min(a."order") FROM vsm.stages a
                                             WHERE a.stream = s.stream AND a.category = 'active')) AS started
FROM vsm.stages s
JOIN vsm.value_streams v ON v.name = s.stream
LEFT JOIN vsm.stages c ON c.stream = v.name AND c.name = v.commitment_stage;
COMMENT ON VIEW vsm._stages IS 'Stages, and whether they stand at or after the commitment point (null: there is none).';

------------------------------------------------------------------------------------------------------------------------
-- definitions: streams, stages, types
------------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION vsm._definitions_changed() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'vsm__definitions_changed';
COMMENT ON FUNCTION vsm._definitions_changed() IS 'Tells every session to read streams, stages, types and access again.';

CREATE FUNCTION vsm._refuse_other_table(relation oid, made_for text) RETURNS void
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__refuse_other_table';
COMMENT ON FUNCTION vsm._refuse_other_table(oid, text) IS
    'Raises the error of a trigger function that is used on another table than the one it is made for. Errors: 42809.';

CREATE FUNCTION vsm._stage_id(stream text, stage text) RETURNS bigint
    LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vsm__stage_id';
COMMENT ON FUNCTION vsm._stage_id(text, text) IS 'Id of a stage by its exact name. Errors: PT404.';

CREATE FUNCTION vsm._require_room(locker xid, present bigint, entered bigint) RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'vsm__require_room';
COMMENT ON FUNCTION vsm._require_room(xid, bigint, bigint) IS
    'The stage that an item is to enter; refused when it is full and the item is in another one. Errors: PT409.';

CREATE FUNCTION vsm._replay_step(internal, bigint, timestamptz, bigint) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vsm__replay_step';
COMMENT ON FUNCTION vsm._replay_step(internal, bigint, timestamptz, bigint) IS 'Collects a move.';
CREATE FUNCTION vsm._replay_state(internal) RETURNS vsm._item_state
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vsm__replay_state';
COMMENT ON FUNCTION vsm._replay_state(internal) IS 'Folds the moves.';
CREATE AGGREGATE vsm._replay(to_stage_id bigint, "timestamp" timestamptz, id bigint) (
    SFUNC = vsm._replay_step, STYPE = internal, SSPACE = 400,
    FINALFUNC = vsm._replay_state, FINALFUNC_MODIFY = SHAREABLE, PARALLEL = RESTRICTED
);
COMMENT ON AGGREGATE vsm._replay(bigint, timestamptz, bigint) IS
    'State of one item after its moves, in any order; null when a stage is not defined.';

CREATE FUNCTION vsm._completions_step(internal, bigint, timestamptz, bigint, text) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vsm__completions_step';
COMMENT ON FUNCTION vsm._completions_step(internal, bigint, timestamptz, bigint, text) IS 'Collects a move.';
CREATE FUNCTION vsm._completions_array(internal) RETURNS vsm._completion[]
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vsm__completions_array';
COMMENT ON FUNCTION vsm._completions_array(internal) IS 'Finds the completions.';
CREATE AGGREGATE vsm._completions(to_stage_id bigint, "timestamp" timestamptz, id bigint, reopen_rule text) (
    SFUNC = vsm._completions_step, STYPE = internal, SSPACE = 400,
    FINALFUNC = vsm._completions_array, FINALFUNC_MODIFY = SHAREABLE, PARALLEL = RESTRICTED
);
COMMENT ON AGGREGATE vsm._completions(bigint, timestamptz, bigint, text) IS
    'Completions of one item by a reopen rule, oldest first; null when there is none.';

CREATE FUNCTION vsm._require_current_snapshot() RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vsm__require_current_snapshot';
COMMENT ON FUNCTION vsm._require_current_snapshot() IS
    'Refuses (40001) a transaction that does not see what others have committed.';

-- Until the end of the transaction nobody creates, moves or deletes items; what others did before is seen.
CREATE FUNCTION vsm._hold_items() RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    LOCK TABLE vsm.work_items IN SHARE ROW EXCLUSIVE MODE;
    PERFORM vsm._require_current_snapshot();
END $$;
COMMENT ON FUNCTION vsm._hold_items() IS 'Keeps the work items as they are while a definition changes. Errors: 40001.';

-- Computed columns of the items as their ledger gives them.  Items of which the ledger knows nothing, or names a stage
-- that is not there (a restore under way), are left alone.
CREATE FUNCTION vsm._recompute_items(of_stream text) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET row_security = off
    SET vsm.recording = off
AS $$
DECLARE
    changed bigint;
BEGIN
    -- a stream of this very transaction has no items of others
    IF EXISTS (SELECT FROM vsm.value_streams v WHERE v.name = of_stream AND v.created_at = now())
       AND NOT EXISTS (SELECT FROM vsm.work_items w WHERE w.stream = of_stream) THEN
        RETURN 0;
    END IF;
    PERFORM vsm._hold_items();
    UPDATE vsm.work_items w
    SET created_at = r.created_at, stage_id = r.stage_id, stage_entered_at = r.stage_entered_at,
        started_at = r.started_at, completed_at = r.completed_at,
        active_time = r.active_time, wait_time = r.wait_time, reopened = r.reopened, backward_moves = r.backward_moves
    FROM (SELECT m.work_item_id, m.state, (m.state).*
          FROM (SELECT t.work_item_id, vsm._replay(t.to_stage_id, t."timestamp", t.id) AS state
                FROM vsm.stage_transitions t JOIN vsm.work_items i ON i.id = t.work_item_id
                WHERE i.stream = of_stream GROUP BY 1) m
          WHERE m.state IS DISTINCT FROM NULL) r
    WHERE w.id = r.work_item_id
      AND (w.stage_id, w.created_at, w.stage_entered_at, w.started_at, w.completed_at, w.active_time, w.wait_time, w.reopened,
           w.backward_moves) IS DISTINCT FROM r.state;
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed;
END $$;
COMMENT ON FUNCTION vsm._recompute_items(text) IS
    'Sets the computed columns of a stream''s items as the ledger gives them; returns how many changed.';

-- Else a role could take the ids that others are about to get.
CREATE FUNCTION vsm._require_issued_id(of_table text, id bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    last CONSTANT bigint := CASE of_table WHEN 'stages' THEN pg_sequence_last_value('vsm.stages_id_seq')
                                          WHEN 'value_streams' THEN pg_sequence_last_value('vsm.value_streams_id_seq') END;
BEGIN
    IF id > coalesce(last, 0) AND NOT pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = 'vsm.work_items'::regclass), 'USAGE') THEN
        RAISE EXCEPTION 'id % has not been issued yet', id
            USING ERRCODE = 'PT422', DETAIL = format('Ids come from the sequence vsm.%s_id_seq.', of_table), HINT = 'Leave the id out.';
    END IF;
END $$;
COMMENT ON FUNCTION vsm._require_issued_id(text, bigint) IS
    'Refuses an id of a stage or stream that its sequence has not issued, to all but the tables'' owner. Errors: PT422.';

CREATE FUNCTION vsm._value_stream_before() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF tg_relid <> 'vsm.value_streams'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'table vsm.value_streams');
    END IF;
    IF new.name = '' THEN
        RAISE EXCEPTION 'the name of a value stream is empty'
            USING ERRCODE = 'PT422', DETAIL = 'A stream is referred to by its name.',
                  HINT = 'Give it a name.';
    END IF;
    IF new.reopen_rule NOT IN ('span_first_last', 'span_last', 'sum_active', 'episodes') THEN
        RAISE EXCEPTION 'reopen rule "%" is not known', new.reopen_rule
            USING ERRCODE = 'PT422', DETAIL = 'It says how the cycle time of a reopened item counts.',
                  HINT = 'The rules are span_first_last, span_last, sum_active and episodes.';
    END IF;
    IF tg_op = 'UPDATE' AND new.id IS DISTINCT FROM old.id THEN
        RAISE EXCEPTION 'the id of stream "%" cannot be changed', old.name
            USING ERRCODE = 'PT422', DETAIL = 'Changes are followed by it.', HINT = 'Leave the id as it is.';
    END IF;
    IF tg_op = 'INSERT' THEN
        PERFORM vsm._require_issued_id('value_streams', new.id);
    END IF;
    -- a name; what an abbreviation means is a setting of each session
    IF (tg_op = 'INSERT' OR new.time_zone IS DISTINCT FROM old.time_zone)
       AND NOT EXISTS (SELECT FROM pg_timezone_names z WHERE lower(z.name) = lower(new.time_zone)) THEN
        RAISE EXCEPTION 'time zone "%" is not known', new.time_zone
            USING ERRCODE = 'PT422', DETAIL = 'The stream''s days, weeks and months are cut in it.',
                  HINT = 'Give a name from pg_timezone_names, such as Europe/Berlin.';
    END IF;
    -- a restore inserts streams before their stages
    IF tg_op = 'UPDATE' AND new.commitment_stage IS DISTINCT FROM old.commitment_stage THEN
        PERFORM vsm._check_commitment_stage(old.name, new.commitment_stage);
    END IF;
    RETURN new;
END $$;
COMMENT ON FUNCTION vsm._value_stream_before() IS 'Checks a row of vsm.value_streams.';

CREATE FUNCTION vsm._check_commitment_stage(of_stream text, stage text) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF stage IS NULL OR EXISTS (SELECT FROM vsm.stages s
                                WHERE s.stream = of_stream AND s.name = stage AND s.category <> 'done') THEN
        RETURN;
    END IF;
    RAISE EXCEPTION 'stage "%" cannot be the commitment point of stream "%"', stage, of_stream
        USING ERRCODE = 'PT422', DETAIL = 'It is not one of the stream''s stages, or work is delivered there.',
              HINT = 'Name a wait or active stage of the stream, or none for the first active one.';
END $$;
COMMENT ON FUNCTION vsm._check_commitment_stage(text, text) IS 'Refuses (PT422) a stage that cannot be a commitment point.';

CREATE FUNCTION vsm._value_stream_deleted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET row_security = off
AS $$
BEGIN
    IF tg_relid <> 'vsm.value_streams'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'table vsm.value_streams');
    END IF;
    PERFORM vsm._hold_items();
    IF EXISTS (SELECT FROM vsm.work_items w WHERE w.stream = old.name) THEN
        RAISE EXCEPTION 'stream "%" has work items', old.name
            USING ERRCODE = 'PT409', DETAIL = 'They and their history refer to it.',
                  HINT = 'Delete its work items first, or keep the stream.';
    END IF;
    RETURN old;
END $$;
COMMENT ON FUNCTION vsm._value_stream_deleted() IS 'Refuses to delete a stream that has work items.';

-- A renamed stream keeps its stages and items; another commitment point changes when items started.
CREATE FUNCTION vsm._value_streams_after() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET row_security = off
    SET vsm.recording = off
AS $$
BEGIN
    IF tg_relid <> 'vsm.value_streams'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'table vsm.value_streams');
    END IF;
    IF EXISTS (SELECT FROM before b JOIN changed c USING (id) WHERE c.name <> b.name) THEN
        PERFORM vsm._hold_items();
        UPDATE vsm.stages s SET stream = c.name
        FROM before b JOIN changed c USING (id) WHERE c.name <> b.name AND s.stream = b.name;
        UPDATE vsm.work_items w SET stream = c.name
        FROM before b JOIN changed c USING (id) WHERE c.name <> b.name AND w.stream = b.name;
        UPDATE vsm.flow_metrics f SET stream = c.name
        FROM before b JOIN changed c USING (id) WHERE c.name <> b.name AND f.stream = b.name;
        UPDATE vsm.stream_access a SET stream = c.name
        FROM before b JOIN changed c USING (id) WHERE c.name <> b.name AND a.stream = b.name;
        UPDATE vsm.import_refusals r SET stream = c.name
        FROM before b JOIN changed c USING (id) WHERE c.name <> b.name AND r.stream = b.name;
    END IF;
    PERFORM vsm._recompute_items(c.name)
    FROM before b JOIN changed c USING (id) WHERE c.commitment_stage IS DISTINCT FROM b.commitment_stage;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION vsm._value_streams_after() IS 'Follows a change of vsm.value_streams in the stages and work items.';

CREATE FUNCTION vsm._value_streams_gone() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET row_security = off
AS $$
BEGIN
    IF tg_relid <> 'vsm.value_streams'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'table vsm.value_streams');
    END IF;
    DELETE FROM vsm.stages s USING changed c WHERE s.stream = c.name;
    DELETE FROM vsm.flow_metrics f USING changed c WHERE f.stream = c.name;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION vsm._value_streams_gone() IS 'Deletes the stages and kept figures of deleted streams.';

CREATE FUNCTION vsm._stage_before() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF tg_relid <> 'vsm.stages'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'table vsm.stages');
    END IF;
    -- a restore, by the owner of the tables and with everything filled in, may come before the streams
    IF tg_op = 'INSERT' AND NOT EXISTS (SELECT FROM vsm.value_streams v WHERE v.name = new.stream)
       AND (new.type IS NULL OR NOT pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = tg_relid), 'USAGE')) THEN
        RAISE EXCEPTION 'stream "%" not found', new.stream
            USING ERRCODE = 'PT404', DETAIL = 'A stage belongs to a stream.', HINT = 'vsm.define_stream() defines one with its stages.';
    END IF;
    IF tg_op = 'INSERT' THEN
        PERFORM vsm._require_issued_id('stages', new.id);
    END IF;
    new.type := coalesce(new.type, lower(new.name));
    IF new.name = '' THEN
        RAISE EXCEPTION 'the name of a stage is empty'
            USING ERRCODE = 'PT422', DETAIL = 'A stage is referred to by its name.',
                  HINT = 'Give each stage a name.';
    END IF;
    IF new."order" < 0 THEN
        RAISE EXCEPTION 'the order of stage "%" is negative', new.name
            USING ERRCODE = 'PT422', DETAIL = format('It is %s.', new."order"),
                  HINT = 'Number the stages of a stream from 0 or 1 upwards.';
    END IF;
    IF new.category NOT IN ('wait', 'active', 'done') THEN
        RAISE EXCEPTION 'category "%" of stage "%" is not known', new.category, new.name
            USING ERRCODE = 'PT422', DETAIL = 'It says whether items there wait, are worked on or are delivered.',
                  HINT = 'A category is wait, active or done.';
    END IF;
    IF new.wip_limit < 1 THEN
        RAISE EXCEPTION 'the WIP limit of stage "%" is below 1', new.name
            USING ERRCODE = 'PT422', DETAIL = format('It is %s.', new.wip_limit),
                  HINT = 'Give a limit of at least 1, or null for none; retire a stage that takes no entries.';
    END IF;
    IF new.wip_limit IS NOT NULL AND new.category = 'done' THEN
        RAISE EXCEPTION 'done stage "%" cannot have a WIP limit', new.name
            USING ERRCODE = 'PT422', DETAIL = 'Items there are delivered and no work in progress.',
                  HINT = 'Leave wip_limit null.';
    END IF;
    -- the new name of a stream comes when the old one is gone
    IF tg_op = 'UPDATE' AND (new.id <> old.id OR new.stream <> old.stream
                             AND EXISTS (SELECT FROM vsm.value_streams v WHERE v.name = old.stream)) THEN
        RAISE EXCEPTION 'stage "%" cannot change its id or stream', old.name
            USING ERRCODE = 'PT422', DETAIL = 'The ledger refers to it.',
                  HINT = 'Add a stage to the other stream and retire this one.';
    END IF;
    RETURN new;
END $$;
COMMENT ON FUNCTION vsm._stage_before() IS 'Checks a row of vsm.stages and fills in its type.';

CREATE FUNCTION vsm._stage_deleted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET row_security = off
AS $$
BEGIN
    IF tg_relid <> 'vsm.stages'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'table vsm.stages');
    END IF;
    -- waits for moves under way and holds back new ones, which then see that the stage is gone
    PERFORM vsm._hold_items();
    -- of a stream that is dropped nothing is left, not even the totals
    IF EXISTS (SELECT FROM vsm.stage_transitions t WHERE t.to_stage_id = old.id)
       OR EXISTS (SELECT FROM vsm.work_items w WHERE w.stage_id = old.id)
       OR EXISTS (SELECT FROM vsm._totals_kept k WHERE old.id IN (k.a, CASE k.kind WHEN 3 THEN k.b END))
          AND EXISTS (SELECT FROM vsm.value_streams v WHERE v.name = old.stream) THEN
        RAISE EXCEPTION 'stage "%" cannot be dropped', old.name
            USING ERRCODE = 'PT409', DETAIL = 'Work items have been in it, and their history refers to it.',
                  HINT = format('Retire it instead: UPDATE vsm.stages SET retired_at = now() WHERE id = %s.', old.id);
    END IF;
    IF EXISTS (SELECT FROM vsm.value_streams v WHERE v.name = old.stream AND v.commitment_stage = old.name) THEN
        RAISE EXCEPTION 'stage "%" cannot be dropped', old.name
            USING ERRCODE = 'PT409', DETAIL = format('It is the commitment point of stream "%s".', old.stream),
                  HINT = 'Name another commitment_stage in vsm.value_streams first.';
    END IF;
    RETURN old;
END $$;
COMMENT ON FUNCTION vsm._stage_deleted() IS 'Refuses to drop a stage that history or its stream refers to.';

CREATE FUNCTION vsm._stage_renamed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET row_security = off
AS $$
BEGIN
    IF tg_relid <> 'vsm.stages'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'table vsm.stages');
    END IF;
    UPDATE vsm.value_streams v SET commitment_stage = new.name
    WHERE v.name = new.stream AND v.commitment_stage = old.name;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION vsm._stage_renamed() IS 'A renamed stage stays the commitment point.';

-- What only shows when the statement is complete; the transition table "changed" has its rows.
CREATE FUNCTION vsm._stages_after() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET row_security = off
AS $$
DECLARE
    bad record;
    affected text[];
BEGIN
    IF tg_relid <> 'vsm.stages'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'table vsm.stages');
    END IF;
    SELECT s.stream, s."order", string_agg(format('"%s"', s.name), ', ' ORDER BY s.id) AS names INTO bad
    FROM vsm.stages s WHERE s.stream IN (SELECT c.stream FROM changed c)
    GROUP BY 1, 2 HAVING count(*) > 1 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'stages of stream "%" have the same order', bad.stream
            USING ERRCODE = 'PT422', DETAIL = format('Stages %s have the order %s.', bad.names, bad."order"),
                  HINT = 'Give each stage an order of its own; vsm.define_stream() numbers them.';
    END IF;
    -- on INSERT a stream may still be growing, row by row
    IF tg_op <> 'INSERT' THEN
        SELECT s.stream INTO bad
        FROM vsm.stages s WHERE s.stream IN (SELECT c.stream FROM changed c)
        GROUP BY 1 HAVING NOT bool_or(s.category = 'done' AND s.retired_at IS NULL) LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'stream "%" would have no done stage', bad.stream
                USING ERRCODE = 'PT422', DETAIL = 'Its items could never finish.',
                      HINT = 'Keep a stage of category done in use.';
        END IF;
    END IF;
    IF tg_op = 'UPDATE' THEN
        -- whoever entered without the new limit has ended, and whoever enters from now on knows it
        IF EXISTS (SELECT FROM changed c JOIN before b USING (id) WHERE c.wip_limit < coalesce(b.wip_limit, c.wip_limit + 1)) THEN
            LOCK TABLE vsm.work_items IN SHARE ROW EXCLUSIVE MODE;
        END IF;
        SELECT array_agg(DISTINCT c.stream) INTO affected
        FROM changed c JOIN before b USING (id)
        WHERE (c."order", c.category, c.stream) IS DISTINCT FROM (b."order", b.category, b.stream);
        IF EXISTS (SELECT FROM changed c JOIN vsm.value_streams v ON v.name = c.stream AND v.commitment_stage = c.name
                   WHERE c.category = 'done') THEN
            RAISE EXCEPTION 'the commitment point of a stream cannot be a done stage'
                USING ERRCODE = 'PT422', DETAIL = 'Work is delivered there, so it cannot start there.',
                  HINT = 'Name another commitment_stage in vsm.value_streams first.';
        END IF;
    ELSE
        SELECT array_agg(DISTINCT c.stream) INTO affected FROM changed c;
    END IF;
    PERFORM vsm._recompute_items(s) FROM unnest(affected) s;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION vsm._stages_after() IS 'Checks the stages of a stream together and follows a change in the work items.';

CREATE FUNCTION vsm._work_item_type_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET row_security = off
    SET vsm.recording = off
AS $$
BEGIN
    IF tg_relid <> 'vsm.work_item_types'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'table vsm.work_item_types');
    END IF;
    IF tg_op <> 'DELETE' AND new.name = '' THEN
        RAISE EXCEPTION 'the name of a work item type is empty'
            USING ERRCODE = 'PT422', DETAIL = 'A type is referred to by its name.',
                  HINT = 'Give it a name.';
    END IF;
    IF tg_op = 'UPDATE' AND new.name <> old.name THEN
        PERFORM vsm._hold_items();
        UPDATE vsm.work_items w SET type = new.name WHERE w.type = old.name;
        INSERT INTO vsm._totals_kept (kind, a, b, n, type) VALUES (2, 0, 0, 0, old.name);
    ELSIF tg_op = 'DELETE' THEN
        PERFORM vsm._hold_items();
        IF EXISTS (SELECT FROM vsm.work_items w WHERE w.type = old.name) THEN
            RAISE EXCEPTION 'work item type "%" is in use', old.name
                USING ERRCODE = 'PT409', DETAIL = 'There are work items of that type.', HINT = 'Give its work items another type first.';
        END IF;
        -- items were created with it
        INSERT INTO vsm._totals_kept (kind, a, b, n, type) VALUES (2, 0, 0, 0, old.name);
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION vsm._work_item_type_changed() IS 'A renamed type keeps its items; a used one cannot be deleted.';

CREATE FUNCTION vsm._definitions_truncated() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET row_security = off
AS $$
BEGIN
    IF tg_relid NOT IN ('vsm.value_streams'::regclass, 'vsm.stages'::regclass, 'vsm.work_item_types'::regclass) THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'tables vsm.value_streams, vsm.stages and vsm.work_item_types');
    END IF;
    IF EXISTS (SELECT FROM vsm.work_items) THEN
        RAISE EXCEPTION 'table "%" defines what work items refer to', tg_table_name
            USING ERRCODE = 'PT409', DETAIL = 'There are work items.', HINT = 'Truncate vsm.work_items first, or delete single rows.';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION vsm._definitions_truncated() IS 'Refuses to empty definitions while there are work items.';

-- definitions_changed runs for each row, before the statement's triggers recompute items by the new definitions, and
-- always, since replication changes definitions too.
CREATE TRIGGER definitions_truncated BEFORE TRUNCATE ON vsm.value_streams
    FOR EACH STATEMENT EXECUTE FUNCTION vsm._definitions_truncated();
CREATE TRIGGER definitions_changed AFTER INSERT OR UPDATE OR DELETE ON vsm.value_streams
    FOR EACH ROW EXECUTE FUNCTION vsm._definitions_changed();
CREATE TRIGGER definitions_emptied AFTER TRUNCATE ON vsm.value_streams
    FOR EACH STATEMENT EXECUTE FUNCTION vsm._definitions_changed();
ALTER TABLE vsm.value_streams ENABLE ALWAYS TRIGGER definitions_changed, ENABLE ALWAYS TRIGGER definitions_emptied;
CREATE TRIGGER row_checked BEFORE INSERT OR UPDATE ON vsm.value_streams
    FOR EACH ROW EXECUTE FUNCTION vsm._value_stream_before();
CREATE TRIGGER row_deleted BEFORE DELETE ON vsm.value_streams
    FOR EACH ROW EXECUTE FUNCTION vsm._value_stream_deleted();
CREATE TRIGGER streams_deleted AFTER DELETE ON vsm.value_streams
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION vsm._value_streams_gone();
CREATE TRIGGER streams_updated AFTER UPDATE ON vsm.value_streams
    REFERENCING OLD TABLE AS before NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION vsm._value_streams_after();

CREATE TRIGGER definitions_truncated BEFORE TRUNCATE ON vsm.stages
    FOR EACH STATEMENT EXECUTE FUNCTION vsm._definitions_truncated();
CREATE TRIGGER definitions_changed AFTER INSERT OR UPDATE OR DELETE ON vsm.stages
    FOR EACH ROW EXECUTE FUNCTION vsm._definitions_changed();
CREATE TRIGGER definitions_emptied AFTER TRUNCATE ON vsm.stages
    FOR EACH STATEMENT EXECUTE FUNCTION vsm._definitions_changed();
ALTER TABLE vsm.stages ENABLE ALWAYS TRIGGER definitions_changed, ENABLE ALWAYS TRIGGER definitions_emptied;
CREATE TRIGGER row_checked BEFORE INSERT OR UPDATE ON vsm.stages
    FOR EACH ROW EXECUTE FUNCTION vsm._stage_before();
CREATE TRIGGER row_deleted BEFORE DELETE ON vsm.stages
    FOR EACH ROW EXECUTE FUNCTION vsm._stage_deleted();
CREATE TRIGGER row_renamed AFTER UPDATE OF name ON vsm.stages
    FOR EACH ROW WHEN (old.name <> new.name) EXECUTE FUNCTION vsm._stage_renamed();
CREATE TRIGGER stages_inserted AFTER INSERT ON vsm.stages
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION vsm._stages_after();
CREATE TRIGGER stages_updated AFTER UPDATE ON vsm.stages
    REFERENCING OLD TABLE AS before NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION vsm._stages_after();
CREATE TRIGGER stages_deleted AFTER DELETE ON vsm.stages
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION vsm._stages_after();

CREATE TRIGGER definitions_truncated BEFORE TRUNCATE ON vsm.work_item_types
    FOR EACH STATEMENT EXECUTE FUNCTION vsm._definitions_truncated();
CREATE TRIGGER definitions_changed AFTER INSERT OR UPDATE OR DELETE ON vsm.work_item_types
    FOR EACH ROW EXECUTE FUNCTION vsm._definitions_changed();
CREATE TRIGGER definitions_emptied AFTER TRUNCATE ON vsm.work_item_types
    FOR EACH STATEMENT EXECUTE FUNCTION vsm._definitions_changed();
ALTER TABLE vsm.work_item_types ENABLE ALWAYS TRIGGER definitions_changed, ENABLE ALWAYS TRIGGER definitions_emptied;
CREATE TRIGGER row_followed AFTER INSERT OR UPDATE OR DELETE ON vsm.work_item_types
    FOR EACH ROW EXECUTE FUNCTION vsm._work_item_type_changed();

CREATE TRIGGER definitions_changed AFTER INSERT OR UPDATE OR DELETE ON vsm.stream_access
    FOR EACH ROW EXECUTE FUNCTION vsm._definitions_changed();
CREATE TRIGGER definitions_emptied AFTER TRUNCATE ON vsm.stream_access
    FOR EACH STATEMENT EXECUTE FUNCTION vsm._definitions_changed();
ALTER TABLE vsm.stream_access ENABLE ALWAYS TRIGGER definitions_changed, ENABLE ALWAYS TRIGGER definitions_emptied;

CREATE FUNCTION vsm._read_stage_list(stages jsonb)
    RETURNS TABLE (place bigint, name text, category text, wip_limit integer, type text, description text)
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    bad text;
BEGIN
    IF jsonb_typeof(stages) IS DISTINCT FROM 'array' OR jsonb_array_length(stages) = 0 THEN
        RAISE EXCEPTION 'the stages of a stream are a JSON array of at least one stage'
            USING ERRCODE = 'PT422', DETAIL = format('Given is %s.', coalesce(left(stages::text, 100), 'null')),
                  HINT = 'For example [{"name":"To do","category":"wait"},{"name":"Doing"},{"name":"Done","category":"done"}].';
    END IF;
    SELECT s.value::text INTO bad FROM jsonb_array_elements(stages) s
    WHERE jsonb_typeof(s.value) <> 'object' OR jsonb_typeof(s.value -> 'name') IS DISTINCT FROM 'string'
       OR coalesce(jsonb_typeof(s.value -> 'wip_limit'), 'null') NOT IN ('number', 'null')
       OR (s.value ->> 'wip_limit') ~ '[^0-9-]' OR length(s.value ->> 'wip_limit') > 9
       OR EXISTS (SELECT FROM jsonb_object_keys(s.value) k
                  WHERE k NOT IN ('name', 'category', 'wip_limit', 'type', 'description'))
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'a stage of the list cannot be read'
            USING ERRCODE = 'PT422', DETAIL = format('It is %s.', bad),
                  HINT = 'A stage is an object with a name and, as needed, category (wait, active, done), wip_limit (a whole number), type, description.';
    END IF;
    SELECT s.value ->> 'name' INTO bad FROM jsonb_array_elements(stages) s
    GROUP BY 1 HAVING count(*) > 1 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'stage "%" is in the list more than once', bad
            USING ERRCODE = 'PT422', DETAIL = 'A stage is referred to by its name.',
                  HINT = 'Give each stage of a stream a name of its own.';
    END IF;
    IF NOT EXISTS (SELECT FROM jsonb_array_elements(stages) s WHERE s.value ->> 'category' = 'done') THEN
        RAISE EXCEPTION 'the list has no done stage'
            USING ERRCODE = 'PT422', DETAIL = 'Items of such a stream could never finish.',
                  HINT = 'Give at least one stage the category done.';
    END IF;
    RETURN QUERY
    SELECT s.ordinality, s.value ->> 'name', coalesce(s.value ->> 'category', 'active'),
           (s.value ->> 'wip_limit')::integer, coalesce(s.value ->> 'type', lower(s.value ->> 'name')),
           s.value ->> 'description'
    FROM jsonb_array_elements(stages) WITH ORDINALITY s;
END $$;
COMMENT ON FUNCTION vsm._read_stage_list(jsonb) IS 'The stages argument of vsm.define_stream() as rows. Errors: PT422.';

CREATE FUNCTION vsm.define_stream(name text, stages jsonb DEFAULT NULL, time_zone text DEFAULT 'UTC',
                                  commitment_stage text DEFAULT NULL, reopen_rule text DEFAULT 'span_first_last')
    RETURNS vsm.value_streams
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    of_stream CONSTANT text := define_stream.name;
    list jsonb := define_stream.stages;
    result vsm.value_streams;
BEGIN
    IF NOT EXISTS (SELECT FROM vsm.value_streams) THEN
        INSERT INTO vsm.work_item_types (name) VALUES ('feature'), ('bug'), ('task'), ('epic') ON CONFLICT DO NOTHING;
    END IF;
    -- also waits for another session that defines the same stream
    INSERT INTO vsm.value_streams AS v (name, time_zone, reopen_rule)
    VALUES (of_stream, define_stream.time_zone, define_stream.reopen_rule)
    ON CONFLICT (name) DO UPDATE SET time_zone = excluded.time_zone, reopen_rule = excluded.reopen_rule
    WHERE (v.time_zone, v.reopen_rule) IS DISTINCT FROM (excluded.time_zone, excluded.reopen_rule);

    IF list IS NULL AND NOT EXISTS (SELECT FROM vsm.stages s WHERE s.stream = of_stream) THEN
        list := '[{"name": "Backlog", "category": "wait"}, {"name": "Analysis"}, {"name": "Development"},
                  {"name": "Testing"}, {"name": "Deployment"}, {"name": "Production", "category": "done"}]';
    END IF;
    IF list IS NOT NULL THEN
        UPDATE vsm.value_streams v SET commitment_stage = NULL
        WHERE v.name = of_stream AND v.commitment_stage IS DISTINCT FROM define_stream.commitment_stage
          AND v.commitment_stage IS NOT NULL;
        PERFORM vsm._set_stages(of_stream, list);
    END IF;
    UPDATE vsm.value_streams v SET commitment_stage = define_stream.commitment_stage
    WHERE v.name = of_stream AND v.commitment_stage IS DISTINCT FROM define_stream.commitment_stage;

    SELECT v.* INTO result FROM vsm.value_streams v WHERE v.name = of_stream;
    RETURN result;
END $$;
COMMENT ON FUNCTION vsm.define_stream(text, jsonb, text, text, text) IS
    'Defines a value stream, or changes what differs and keeps its history. stages: JSON array in order of '
    '{"name", "category": wait|active|done (default active), "wip_limit", "type", "description"}; null keeps those there '
    'are, or gives a new stream the six default ones. A stage that is left out is deleted, or retired when items have '
    'been in it. commitment_stage: where work counts as started (null: first active stage). reopen_rule: span_first_last, '
    'span_last, sum_active or episodes. Returns the stream''s row. Errors: PT422, with what to change.';

CREATE FUNCTION vsm._set_stages(of_stream text, list jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- A stage that is left out is dropped, or retired when history refers to it; then it keeps its place behind the
    -- one it followed, so that what counted as started work still does.
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
                   AND NOT EXISTS (SELECT FROM vsm._totals_kept k WHERE o.id IN (k.a, CASE k.kind WHEN 3 THEN k.b END)) AS unused
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
COMMENT ON FUNCTION vsm._set_stages(text, jsonb) IS 'The part of vsm.define_stream() that changes the stages.';

CREATE FUNCTION vsm._seed_default() RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM vsm.value_streams) THEN
        RETURN;
    END IF;
    -- two sessions may come at the same instant: the second sees what the first did
    LOCK TABLE vsm.value_streams IN SHARE ROW EXCLUSIVE MODE;
    IF NOT EXISTS (SELECT FROM vsm.value_streams) THEN
        PERFORM vsm.define_stream('default');
    END IF;
END $$;
COMMENT ON FUNCTION vsm._seed_default() IS 'Defines the default stream and types when there is no stream yet.';

------------------------------------------------------------------------------------------------------------------------
-- transitions
------------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION vsm._work_item_before() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'vsm__work_item_before';
COMMENT ON FUNCTION vsm._work_item_before() IS 'Rules of a move; fills in the computed columns.';
CREATE FUNCTION vsm._work_item_after() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'vsm__work_item_after';
COMMENT ON FUNCTION vsm._work_item_after() IS 'Writes and removes ledger rows.';
CREATE FUNCTION vsm._work_items_truncated() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'vsm__work_items_truncated';
COMMENT ON FUNCTION vsm._work_items_truncated() IS 'Empties the ledger with the work items.';
CREATE FUNCTION vsm._ledger_guard() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'vsm__ledger_guard';
COMMENT ON FUNCTION vsm._ledger_guard() IS 'Keeps the ledger append-only.';

CREATE FUNCTION vsm._actor() RETURNS text
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vsm__actor';
COMMENT ON FUNCTION vsm._actor() IS
    'The role that a move or import is put down to: the one that logged in or was SET, whoever''s function it runs.';

-- by name the last BEFORE trigger, so that it sees what others decided
CREATE TRIGGER zz_vsm_move BEFORE INSERT OR UPDATE OR DELETE ON vsm.work_items
    FOR EACH ROW EXECUTE FUNCTION vsm._work_item_before();
CREATE TRIGGER vsm_record_insert AFTER INSERT ON vsm.work_items
    FOR EACH ROW EXECUTE FUNCTION vsm._work_item_after();
CREATE TRIGGER vsm_record_move AFTER UPDATE ON vsm.work_items
    FOR EACH ROW EXECUTE FUNCTION vsm._work_item_after();
CREATE TRIGGER vsm_record_delete AFTER DELETE ON vsm.work_items
    FOR EACH ROW EXECUTE FUNCTION vsm._work_item_after();
CREATE TRIGGER vsm_record_truncate AFTER TRUNCATE ON vsm.work_items
    FOR EACH STATEMENT EXECUTE FUNCTION vsm._work_items_truncated();
-- WIP is counted whoever writes; under replication the triggers do nothing else
ALTER TABLE vsm.work_items ENABLE ALWAYS TRIGGER vsm_record_insert, ENABLE ALWAYS TRIGGER vsm_record_move,
    ENABLE ALWAYS TRIGGER vsm_record_delete, ENABLE ALWAYS TRIGGER vsm_record_truncate;
CREATE TRIGGER vsm_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON vsm.stage_transitions
    FOR EACH STATEMENT EXECUTE FUNCTION vsm._ledger_guard();
CREATE TRIGGER vsm_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON vsm._merged_events
    FOR EACH STATEMENT EXECUTE FUNCTION vsm._ledger_guard();

-- not in SQL: it would be planned at every call
CREATE FUNCTION vsm.create_work_item(title text, type text DEFAULT 'task', stream text DEFAULT 'default',
                                     external_id text DEFAULT NULL, at timestamptz DEFAULT NULL)
    RETURNS vsm.work_items
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    item vsm.work_items;
BEGIN
    INSERT INTO vsm.work_items (title, type, stream, external_id, created_at)
    VALUES (create_work_item.title, create_work_item.type, create_work_item.stream, create_work_item.external_id,
            create_work_item.at)
    RETURNING * INTO item;
    RETURN item;
END $$;
COMMENT ON FUNCTION vsm.create_work_item(text, text, text, text, timestamptz) IS
    'Creates a work item in the first stage of its stream and records it. title: 1 to 500 characters; external_id: its id '
    'in another system, unique in the stream; at: when, default now, from 1970 on, at most 5 minutes ahead. Returns the item. '
    'Errors: PT404 unknown stream; PT422 title, type or time refused; 23505 external_id there already.';

CREATE FUNCTION vsm.transition(work_item_id bigint, to_stage text, at timestamptz DEFAULT NULL,
                               reason text DEFAULT NULL, expected_from text DEFAULT NULL)
    RETURNS vsm.stage_transitions
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vsm_transition';
COMMENT ON FUNCTION vsm.transition(bigint, text, timestamptz, text, text) IS
    'Moves a work item to a stage of its stream and returns the ledger row. at: when, default now, not before the item''s '
    'last move and at most 5 minutes ahead; expected_from: the stage the item must be in. Moving it to the stage it is in '
    'records nothing and returns its latest transition. Errors: PT404 unknown item or stage; PT409 not in expected_from; '
    'PT422 time refused, stage retired.';

CREATE FUNCTION vsm._latest_transition(of_item bigint) RETURNS vsm.stage_transitions
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT t.* FROM vsm.stage_transitions t WHERE t.work_item_id = of_item
    ORDER BY t."timestamp" DESC, t.id DESC LIMIT 1;
END;
COMMENT ON FUNCTION vsm._latest_transition(bigint) IS 'The ledger row that put an item where it is; null where the caller may not see it.';

CREATE FUNCTION vsm.history(work_item_id bigint)
    RETURNS TABLE (id bigint, from_stage text, to_stage text, "timestamp" timestamptz, time_in_stage interval,
                   reason text, actor text, recorded_at timestamptz)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (SELECT FROM vsm.work_items w WHERE w.id = history.work_item_id) THEN
        RAISE EXCEPTION 'work item % not found', coalesce(history.work_item_id::text, 'null')
            USING ERRCODE = 'PT404', DETAIL = 'No work item has that id.', HINT = 'vsm.work_items has the ids.';
    END IF;
    RETURN QUERY
    SELECT t.id, f.name, s.name, t."timestamp", t.time_in_stage, t.reason, t.actor, t.recorded_at
    FROM vsm.stage_transitions t
    LEFT JOIN vsm.stages f ON f.id = t.from_stage_id
    LEFT JOIN vsm.stages s ON s.id = t.to_stage_id
    WHERE t.work_item_id = history.work_item_id
    ORDER BY t."timestamp", t.id;
END $$;
COMMENT ON FUNCTION vsm.history(bigint) IS
    'Moves of a work item, oldest first. time_in_stage: elapsed time in from_stage; both null for the first. '
    'Errors: PT404 unknown item.';

------------------------------------------------------------------------------------------------------------------------
-- wip: work in progress now, from counters in shared memory where the server has them
------------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION vsm._recount_row() RETURNS boolean
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vsm__recount_row';
COMMENT ON FUNCTION vsm._recount_row() IS 'True, after a rest now and then: for each row that vsm.wip_rebuild() and vsm.wip_check() count.';

-- What the counters are counted from.
CREATE VIEW vsm._wip_counted AS
SELECT w.stage_id, count(*) AS items FROM vsm.work_items w WHERE w.completed_at IS NULL AND vsm._recount_row() GROUP BY 1;
COMMENT ON VIEW vsm._wip_counted IS 'Unfinished items by stage, from the table.';

CREATE FUNCTION vsm._wip_now(stages bigint[]) RETURNS TABLE (stage_id bigint, wip bigint, source text)
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'vsm__wip_now';
COMMENT ON FUNCTION vsm._wip_now(bigint[]) IS
    'Unfinished items in each of these stages, those of this transaction included. source: shared memory or table.';

CREATE VIEW vsm.wip WITH (security_invoker = true) AS
SELECT s.stream, s.name AS stage, n.wip, s.wip_limit, s.category, s."order", n.source
FROM vsm._wip_now(ARRAY(SELECT s.id FROM vsm.stages s WHERE s.category <> 'done')) n
JOIN vsm.stages s ON s.id = n.stage_id
WHERE s.retired_at IS NULL OR n.wip > 0
ORDER BY s.stream, s."order";
COMMENT ON VIEW vsm.wip IS
    'Work in progress now: unfinished items in each stage that is not done, in order, with the stage''s limit (null: none). '
    'source: shared memory (counters, all read at one instant) or table (counted). Retired stages show while they hold items.';

CREATE FUNCTION vsm._wip_recount(apply boolean) RETURNS TABLE (stage_id bigint, before bigint, after bigint, reserved bigint)
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'vsm__wip_recount';
COMMENT ON FUNCTION vsm._wip_recount(boolean) IS
    'Counts the table while others go on, and the counters at the same instant; apply: sets them to what was counted, for '
    'admins of all streams. Errors: 42501.';

CREATE FUNCTION vsm.wip_check()
    RETURNS TABLE (stream text, stage text, counter bigint, table_count bigint, difference bigint, reserved bigint)
    LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT s.stream, s.name, CASE WHEN n.source = 'shared memory' THEN coalesce(r.before, 0) END, coalesce(r.after, n.wip),
           CASE WHEN n.source = 'shared memory' THEN coalesce(r.before - r.after, 0) END,
           CASE WHEN n.source = 'shared memory' THEN coalesce(r.reserved, 0) END
    FROM vsm._wip_now(ARRAY(SELECT s.id FROM vsm.stages s WHERE s.category <> 'done')) n
    JOIN vsm.stages s ON s.id = n.stage_id
    LEFT JOIN vsm._wip_recount(false) r ON r.stage_id = n.stage_id
    ORDER BY s.stream, s."order";
END;
COMMENT ON FUNCTION vsm.wip_check() IS
    'Compares the counters with the table, at one instant while others go on: committed items by counter and by count, and '
    'the difference, which is 0 but for commits that are just happening; reserved: places in a limited stage that transactions '
    'under way hold. All but table_count are null where WIP is counted from the table. Changes nothing.';

CREATE FUNCTION vsm.wip_rebuild()
    RETURNS TABLE (stream text, stage text, counter_before bigint, counter_after bigint)
    LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT s.stream, s.name, r.before, r.after
    FROM vsm._wip_recount(true) r JOIN vsm.stages s ON s.id = r.stage_id
    WHERE r.before <> r.after
    ORDER BY s.stream, s."order";
END;
COMMENT ON FUNCTION vsm.wip_rebuild() IS
    'Counts the table anew, while others go on, and sets the counters; returns those that were wrong, none when all is well. '
    'For after work with triggers disabled; a start, crash or promotion needs no help.';

------------------------------------------------------------------------------------------------------------------------
-- totals for monitoring
------------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION vsm._bucket(us bigint) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__bucket';
COMMENT ON FUNCTION vsm._bucket(bigint) IS 'Bucket of a duration in microseconds in the histograms, from 0; null for null.';

CREATE FUNCTION vsm._bucket_bounds() RETURNS double precision[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__bucket_bounds';
COMMENT ON FUNCTION vsm._bucket_bounds() IS 'Upper bounds of the histograms'' buckets in seconds, inclusive; the last is infinite.';

-- Ledger rows that are alike add so much to these totals; kinds as in src/counters.h.
CREATE FUNCTION vsm._totals_of(from_stage_id bigint, to_stage_id bigint, type text, stay integer, cycle integer, lead integer,
                               items bigint, stay_ms numeric, cycle_ms numeric, lead_ms numeric)
    RETURNS TABLE (kind integer, a bigint, b bigint, n bigint, type text)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT v.*
    FROM (VALUES
        (2, CASE WHEN _totals_of.type IS NOT NULL THEN to_stage_id END, hashtextextended(_totals_of.type, 0), items, _totals_of.type),
        (3, coalesce(from_stage_id, 0), to_stage_id, items, NULL),
        (4, from_stage_id, stay::bigint, items, NULL),
        (5, CASE WHEN stay IS NOT NULL THEN from_stage_id END, 0, stay_ms::bigint, NULL),
        (6, CASE WHEN cycle IS NOT NULL THEN to_stage_id END, cycle::bigint, items, NULL),
        (7, CASE WHEN cycle IS NOT NULL THEN to_stage_id END, 0, cycle_ms::bigint, NULL),
        (8, CASE WHEN lead IS NOT NULL THEN to_stage_id END, lead::bigint, items, NULL),
        (9, CASE WHEN lead IS NOT NULL THEN to_stage_id END, 0, lead_ms::bigint, NULL)) v (kind, a, b, n, type)
    WHERE v.a IS NOT NULL AND v.b IS NOT NULL AND v.n <> 0;
END;
COMMENT ON FUNCTION vsm._totals_of(bigint, bigint, text, integer, integer, integer, bigint, numeric, numeric, numeric) IS
    'What ledger rows that are alike add to the totals.';

-- What the totals are counted from.
CREATE VIEW vsm._totals_counted AS
SELECT u.kind, u.a, u.b, sum(u.n)::bigint AS n
FROM (SELECT o.kind, o.a, o.b, o.n
      FROM (SELECT t.from_stage_id, t.to_stage_id, t.type, vsm._bucket(vsm._interval_us(t.time_in_stage)) AS stay,
                   vsm._bucket(vsm._interval_us(t.cycle_time)) AS cycle, vsm._bucket(vsm._interval_us(t.lead_time)) AS lead,
                   count(*) AS items, sum(vsm._interval_us(t.time_in_stage) / 1000) AS stay_ms,
                   sum(vsm._interval_us(t.cycle_time) / 1000) AS cycle_ms, sum(vsm._interval_us(t.lead_time) / 1000) AS lead_ms
            FROM vsm.stage_transitions t GROUP BY 1, 2, 3, 4, 5, 6) g
      CROSS JOIN LATERAL vsm._totals_of(g.from_stage_id, g.to_stage_id, g.type, g.stay, g.cycle, g.lead, g.items, g.stay_ms,
                                        g.cycle_ms, g.lead_ms) o
      UNION ALL
      SELECT k.kind, k.a, k.b, k.n FROM vsm._totals_kept k WHERE k.n <> 0) u
WHERE EXISTS (SELECT FROM vsm.stages s WHERE s.id = CASE u.kind WHEN 3 THEN u.b ELSE u.a END)
  AND (u.kind <> 3 OR u.a = 0 OR EXISTS (SELECT FROM vsm.stages s WHERE s.id = u.a))
GROUP BY 1, 2, 3;
COMMENT ON VIEW vsm._totals_counted IS 'The totals of stages that are defined, from the ledger and what it had held.';

CREATE FUNCTION vsm._totals_keep() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET row_security = off
AS $$
BEGIN
    IF tg_relid <> 'vsm.stage_transitions'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'table vsm.stage_transitions');
    END IF;
    INSERT INTO vsm._totals_kept (kind, a, b, n, type)
    SELECT o.kind, o.a, o.b, sum(o.n), o.type
    FROM (SELECT t.from_stage_id, t.to_stage_id, t.type, vsm._bucket(vsm._interval_us(t.time_in_stage)) AS stay,
                 vsm._bucket(vsm._interval_us(t.cycle_time)) AS cycle, vsm._bucket(vsm._interval_us(t.lead_time)) AS lead,
                 count(*) AS items, sum(vsm._interval_us(t.time_in_stage) / 1000) AS stay_ms,
                 sum(vsm._interval_us(t.cycle_time) / 1000) AS cycle_ms, sum(vsm._interval_us(t.lead_time) / 1000) AS lead_ms
          FROM gone t GROUP BY 1, 2, 3, 4, 5, 6) g
    CROSS JOIN LATERAL vsm._totals_of(g.from_stage_id, g.to_stage_id, g.type, g.stay, g.cycle, g.lead, g.items, g.stay_ms,
                                      g.cycle_ms, g.lead_ms) o
    GROUP BY 1, 2, 3, 5;
    -- now and then, sum up what nobody else is summing up
    IF FOUND AND currval('vsm._totals_kept_id_seq') % 1000 < 10 THEN
        WITH old AS (
            DELETE FROM vsm._totals_kept k
            WHERE k.id IN (SELECT l.id FROM vsm._totals_kept l ORDER BY l.id FOR UPDATE SKIP LOCKED)
            RETURNING k.kind, k.a, k.b, k.n, k.type)
        INSERT INTO vsm._totals_kept (kind, a, b, n, type)
        SELECT o.kind, o.a, o.b, sum(o.n), o.type FROM old o GROUP BY 1, 2, 3, 5;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION vsm._totals_keep() IS 'Keeps what ledger rows had added to the totals that are deleted or changed.';

CREATE FUNCTION vsm._totals_unknown() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'vsm__totals_unknown';
COMMENT ON FUNCTION vsm._totals_unknown() IS 'Has the totals counted anew: the ledger is changed by replication.';

CREATE TRIGGER vsm_keep_totals AFTER DELETE ON vsm.stage_transitions
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION vsm._totals_keep();
CREATE TRIGGER vsm_keep_corrected_totals AFTER UPDATE ON vsm.stage_transitions
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION vsm._totals_keep();
CREATE TRIGGER vsm_replicated AFTER INSERT OR UPDATE OR DELETE ON vsm.stage_transitions
    FOR EACH ROW EXECUTE FUNCTION vsm._totals_unknown();
ALTER TABLE vsm.stage_transitions ENABLE REPLICA TRIGGER vsm_replicated;

CREATE FUNCTION vsm._totals_now() RETURNS TABLE (kind integer, a bigint, b bigint, n bigint)
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vsm__totals_now';
COMMENT ON FUNCTION vsm._totals_now() IS 'The totals of all committed transactions, at one instant.';

CREATE VIEW vsm.flow_totals WITH (security_invoker = true) AS
SELECT CASE t.kind WHEN 2 THEN 'work_items_created' WHEN 3 THEN 'stage_transitions' ELSE 'work_items_completed' END AS total,
       s.stream, y.type, f.name AS from_stage, CASE WHEN t.kind <> 2 THEN s.name END AS to_stage, sum(t.n)::bigint AS value
FROM vsm._totals_now() t
JOIN vsm.stages s ON s.id = CASE t.kind WHEN 3 THEN t.b ELSE t.a END
LEFT JOIN vsm.stages f ON f.id = t.a AND t.kind = 3
LEFT JOIN (SELECT w.name AS type FROM vsm.work_item_types w UNION SELECT k.type FROM vsm._totals_kept k WHERE k.type IS NOT NULL) y
       ON hashtextextended(y.type, 0) = t.b AND t.kind = 2
WHERE t.kind IN (2, 3, 8)
GROUP BY 1, s.stream, y.type, f.name, 5;
COMMENT ON VIEW vsm.flow_totals IS
    'What the ledger has recorded so far by committed transactions, for monitoring: work_items_created by type, stage_transitions by from_stage (null at '
    'first) and to_stage, work_items_completed by to_stage. They never fall: deleted items stay counted, a reopened item counts '
    'again when it is finished again, corrected history counts as recorded once more. TRUNCATE starts anew.';

CREATE VIEW vsm.flow_histograms WITH (security_invoker = true) AS
WITH totals AS MATERIALIZED (SELECT * FROM vsm._totals_now()),
series AS (
    SELECT DISTINCT t.kind / 2 * 2 AS kind, t.a FROM totals t WHERE t.kind IN (4, 6, 8))
SELECT CASE e.kind WHEN 4 THEN 'time_in_stage' WHEN 6 THEN 'cycle_time' ELSE 'lead_time' END AS histogram,
       s.stream, s.name AS stage, bound.le,
       coalesce(sum(t.n) FILTER (WHERE t.kind = e.kind AND t.b < bound.place), 0)::bigint AS count,
       coalesce(sum(t.n) FILTER (WHERE t.kind = e.kind + 1), 0) / 1000.0::double precision AS sum
FROM series e
JOIN vsm.stages s ON s.id = e.a
CROSS JOIN unnest(vsm._bucket_bounds()) WITH ORDINALITY bound (le, place)
JOIN totals t ON t.a = e.a AND t.kind IN (e.kind, e.kind + 1)
GROUP BY 1, 2, 3, 4;
COMMENT ON VIEW vsm.flow_histograms IS
    'Histograms for monitoring of what the ledger has recorded so far, cumulative: count of durations of at most le seconds, and '
    'the sum of all, in seconds. time_in_stage by the stage left; lead_time (creation to finish) and cycle_time (first start to '
    'finish) by the done stage entered, as the stages were defined when the item finished. They never fall, as vsm.flow_totals.';

------------------------------------------------------------------------------------------------------------------------
-- import
--
-- The caller's part reads the source with the caller's rights into a temporary table that belongs to the owner of the
-- ledger; the owner's part (_import_begin, _import_apply) never touches anything of the caller's.
------------------------------------------------------------------------------------------------------------------------

CREATE TYPE vsm.import_result AS (
    items bigint,
    transitions bigint,
    merged bigint,
    skipped bigint,
    refused bigint
);
COMMENT ON TYPE vsm.import_result IS
    'What an import did. items: created or changed; then the source''s rows: transitions: added to the ledger; merged: '
    'the item was in that stage already; skipped: there already, or twice in the source; refused: see vsm.import_refusals.';

-- What an event is among the events of its item before it.
CREATE TYPE vsm._sequence_step AS (
    copy boolean,
    keep boolean,
    from_stage_id bigint,
    time_in_stage interval,
    cycle_time interval,
    lead_time interval
);
CREATE FUNCTION vsm._sequence_next(internal, bigint, timestamptz, boolean) RETURNS internal
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vsm__sequence_next';
COMMENT ON FUNCTION vsm._sequence_next(internal, bigint, timestamptz, boolean) IS 'Takes the next event.';
CREATE FUNCTION vsm._sequence_step(internal) RETURNS vsm._sequence_step
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sequence_step';
COMMENT ON FUNCTION vsm._sequence_step(internal) IS 'Says what the last event is.';
CREATE AGGREGATE vsm._sequence(stage_id bigint, at timestamptz, new boolean) (
    SFUNC = vsm._sequence_next, STYPE = internal, FINALFUNC = vsm._sequence_step, FINALFUNC_MODIFY = READ_ONLY, PARALLEL = RESTRICTED
);
COMMENT ON AGGREGATE vsm._sequence(bigint, timestamptz, boolean) IS
    'For a window over the events of one item in order, ROWS UNBOUNDED PRECEDING: whether the current one is a copy of an '
    'earlier one, whether it is a move, from where, and after how long; whether it finishes the item, and after how long.';

CREATE FUNCTION vsm._latest_step(internal, text, timestamptz) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__latest_step';
COMMENT ON FUNCTION vsm._latest_step(internal, text, timestamptz) IS 'Takes what an event says.';
CREATE FUNCTION vsm._latest_value(internal) RETURNS text
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__latest_value';
COMMENT ON FUNCTION vsm._latest_value(internal) IS 'What was said last.';
CREATE AGGREGATE vsm._latest(value text, at timestamptz) (
    SFUNC = vsm._latest_step, STYPE = internal, SSPACE = 128,
    FINALFUNC = vsm._latest_value, FINALFUNC_MODIFY = READ_ONLY, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vsm._latest(text, timestamptz) IS
    'The last text that is neither null nor empty, whatever the order of the rows; where times are equal, the greater bytewise.';

-- What the caller asks for, by src/on_behalf.c: what he may do is looked at there, with his rights and access, and the rest
-- is done as the owner, by _import_prepare and _import_run.
CREATE FUNCTION vsm._import_begin(stream text, on_error text) RETURNS text
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vsm__import_begin';
COMMENT ON FUNCTION vsm._import_begin(text, text) IS
    'First step of an import: makes pg_temp.vsm_import, for the rows, and returns the stream''s time zone. Errors: PT404, PT422, 42501.';
CREATE FUNCTION vsm._import_apply(stream text, source text, create_stages boolean, on_error text) RETURNS vsm.import_result
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vsm__import_apply';
COMMENT ON FUNCTION vsm._import_apply(text, text, boolean, text) IS
    'Second step of an import: what pg_temp.vsm_import holds. Errors: PT404, PT422, 42501.';

-- Makes ready for an import; returns the stream's time zone.
CREATE FUNCTION vsm._import_prepare(of_stream text, on_error text, importer text) RETURNS text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET client_min_messages = warning
AS $$
DECLARE
    zone text;
BEGIN
    IF on_error IS NULL OR on_error NOT IN ('abort', 'skip') THEN
        RAISE EXCEPTION 'on_error cannot be "%"', on_error
            USING ERRCODE = 'PT422', DETAIL = 'It says what becomes of the whole import when a row cannot be imported.',
                  HINT = 'Give abort (the default) or skip.';
    END IF;
    IF of_stream = 'default' THEN
        PERFORM vsm._seed_default();
    END IF;
    -- one import into a stream at a time
    SELECT v.time_zone INTO zone FROM vsm.value_streams v WHERE v.name = of_stream FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'stream "%" not found', of_stream
            USING ERRCODE = 'PT404', DETAIL = 'There is no stream of that name; names are case-sensitive.',
                  HINT = 'vsm.define_stream() defines one.';
    END IF;
    DROP TABLE IF EXISTS pg_temp.vsm_import, pg_temp.vsm_import_refused, pg_temp.vsm_import_items, pg_temp.vsm_import_moves;
    CREATE TEMPORARY TABLE vsm_import (ord bigint, case_id text, stage text, entered_at timestamptz, entered_text text,
                                       type text, title text, wide_row bigint) ON COMMIT DROP;
    EXECUTE format('GRANT INSERT ON pg_temp.vsm_import TO %I', importer);
    RETURN zone;
END $$;
COMMENT ON FUNCTION vsm._import_prepare(text, text, text) IS 'The owner''s part of vsm._import_begin(). Errors: PT404, PT422.';

-- A column of the source as an expression; NULL for an optional one that is not there.
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
    RAISE EXCEPTION 'source "%" has no column "%"', source, column_name
        USING ERRCODE = 'PT422',
              DETAIL = format('Its columns are %s.', (SELECT string_agg(format('"%s"', a.attname), ', ' ORDER BY a.attnum)
                                                      FROM pg_attribute a
                                                      WHERE a.attrelid = source AND a.attnum > 0 AND NOT a.attisdropped)),
              HINT = 'Name the source''s columns in the call, e.g. time_column => ''changed_at''.';
END $$;
COMMENT ON FUNCTION vsm._import_column(regclass, text, boolean) IS 'A column of an import''s source. Errors: PT422.';

-- A column with times as two expressions, value and text: texts are read by the session's DateStyle in its TimeZone, and
-- kept for the case that they cannot be.
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
COMMENT ON FUNCTION vsm._import_time(regclass, text) IS 'A time column of an import''s source. Errors: PT422.';

CREATE FUNCTION vsm._read_time(value text) RETURNS timestamptz
    LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN value::timestamptz;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION vsm._read_time(text) IS 'A text as a time, or null when it is none.';

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
    PERFORM set_config('TimeZone', vsm._import_begin(stream, on_error), true);
    EXECUTE format('INSERT INTO pg_temp.vsm_import SELECT row_number() OVER (%s), %s::text, %s::text, %s, %s::text, %s::text FROM %s s',
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
    PERFORM set_config('TimeZone', vsm._import_begin(stream, on_error), true);
    SELECT string_agg(format('(%s, %L, %s)', p, names[p], vsm._import_time(source, columns[p])), ', ' ORDER BY p) INTO entries
    FROM generate_subscripts(columns, 1) p;
    -- in the order of the columns, which is the order of the stages and of equal times
    EXECUTE format('INSERT INTO pg_temp.vsm_import'
                   ' SELECT (e.place::bigint << 40) + s.vsm_row, %s::text, e.stage, e.entered_at, e.entered_text, %s::text, %s::text, s.vsm_row'
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

-- Why a row cannot be imported, or null.
CREATE FUNCTION vsm._import_objection(case_id text, stage text, entered_at timestamptz, entered_text text, title text,
                                      stage_known boolean, type text, type_known boolean, latest timestamptz) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN coalesce(case_id, '') = '' THEN 'no case id'
    WHEN coalesce(stage, '') = '' THEN 'no stage'
    WHEN entered_at IS NULL AND coalesce(entered_text, '') = '' THEN 'no time'
    WHEN entered_at IS NULL THEN format('"%s" is not a time', entered_text)
    WHEN NOT isfinite(entered_at) THEN 'the time is infinite'
    WHEN entered_at < timestamptz '1970-01-01 00:00:00+00' THEN format('the time lies before 1970: %s', entered_at)
    WHEN entered_at > latest THEN 'the time lies in the future'
    WHEN char_length(coalesce(nullif(title, ''), case_id)) > 500 THEN 'the title has more than 500 characters'
    WHEN NOT stage_known THEN format('stage "%s" is not defined', stage)
    WHEN NOT type_known THEN format('type "%s" is not defined', type)
END;
COMMENT ON FUNCTION vsm._import_objection(text, text, timestamptz, text, text, boolean, text, boolean, timestamptz) IS
    'Why a row cannot be imported, or null.';

-- Unknown stages become wait stages before the done stages, unknown types types, in the order of their appearance.
CREATE FUNCTION vsm._import_add_definitions(of_stream text, create_types boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unknown text[];
    first_done integer;
BEGIN
    INSERT INTO vsm.work_item_types (name)
    SELECT n.type FROM (SELECT r.type, min(r.ord) AS ord FROM pg_temp.vsm_import r WHERE r.type <> '' GROUP BY 1) n
    WHERE create_types AND n.type NOT IN (SELECT t.name FROM vsm.work_item_types t) ORDER BY n.ord;

    SELECT array_agg(n.stage ORDER BY n.ord) INTO unknown
    FROM (SELECT r.stage, min(r.ord) AS ord FROM pg_temp.vsm_import r WHERE r.stage <> '' GROUP BY 1) n
    WHERE n.stage NOT IN (SELECT s.name FROM vsm.stages s WHERE s.stream = of_stream);
    IF unknown IS NULL THEN
        RETURN;
    END IF;
    SELECT min(s."order") INTO first_done FROM vsm.stages s WHERE s.stream = of_stream AND s.category = 'done';
    UPDATE vsm.stages s SET "order" = s."order" + cardinality(unknown)
    WHERE s.stream = of_stream AND s."order" >= first_done;
    INSERT INTO vsm.stages (stream, name, "order", category)
    SELECT of_stream, u.name, first_done + u.place::integer - 1, 'wait' FROM unnest(unknown) WITH ORDINALITY u (name, place);
END $$;
COMMENT ON FUNCTION vsm._import_add_definitions(text, boolean) IS 'create_stages => true of the imports.';

-- Takes the rows that cannot be imported out of pg_temp.vsm_import; returns how many.
CREATE FUNCTION vsm._import_refuse(of_stream text, source text, on_error text) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    latest CONSTANT timestamptz := clock_timestamp() + '5 minutes';
    refused bigint;
    facts text;
BEGIN
    CREATE TEMPORARY TABLE vsm_import_refused ON COMMIT DROP AS
    SELECT * FROM (
        SELECT r.ord, vsm._import_objection(
                   r.case_id, r.stage, r.entered_at, r.entered_text, r.title,
                   r.stage IN (SELECT s.name FROM vsm.stages s WHERE s.stream = of_stream), r.type,
                   coalesce(nullif(r.type, ''), 'task') IN (SELECT t.name FROM vsm.work_item_types t),
                   latest) AS reason
        FROM pg_temp.vsm_import r) o
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
                USING ERRCODE = 'PT422', DETAIL = format('They are %s.', facts),
                      HINT = 'Define them with vsm.define_stream(), or import with create_stages => true or on_error => ''skip''.';
        END IF;
        SELECT string_agg(DISTINCT format('"%s"', r.type), ', ') INTO facts
        FROM pg_temp.vsm_import r JOIN pg_temp.vsm_import_refused o USING (ord)
        WHERE o.reason = format('type "%s" is not defined', r.type);
        IF facts IS NOT NULL THEN
            RAISE EXCEPTION 'the source names work item types that are not defined'
                USING ERRCODE = 'PT422', DETAIL = format('They are %s.', facts),
                      HINT = 'Add them to vsm.work_item_types, or import with create_stages => true or on_error => ''skip''.';
        END IF;
        SELECT string_agg(format('row %s (case %s): %s', b.row, coalesce(b.case_id, 'null'), b.reason), '; ' ORDER BY b.row, b.ord) INTO facts
        FROM (SELECT coalesce(r.wide_row, r.ord) AS row, r.ord, r.case_id, o.reason
              FROM pg_temp.vsm_import_refused o JOIN pg_temp.vsm_import r USING (ord) ORDER BY 1, 2 LIMIT 3) b;
        RAISE EXCEPTION '% of % cannot be imported', CASE refused WHEN 1 THEN '1 row' ELSE format('%s rows', refused) END,
                        -- the temporary table of vsm_api.import_begin() has no name to its users
                        CASE source WHEN 'import_rows' THEN 'the import' ELSE format('"%s"', source) END
            USING ERRCODE = 'PT422', DETAIL = facts || CASE WHEN refused > 3 THEN '; ...' ELSE '' END,
                  HINT = 'Mend them, or leave them out with on_error => ''skip''.';
    END IF;

    INSERT INTO vsm.import_refusals (stream, source, case_id, stage, entered_at, reason, imported_by)
    SELECT of_stream, source, r.case_id, r.stage, coalesce(r.entered_text, r.entered_at::text), o.reason, vsm._actor()
    FROM pg_temp.vsm_import_refused o JOIN pg_temp.vsm_import r USING (ord) ORDER BY coalesce(r.wide_row, r.ord), o.ord;
    DELETE FROM pg_temp.vsm_import r USING pg_temp.vsm_import_refused o WHERE o.ord = r.ord;
    RETURN refused;
END $$;
COMMENT ON FUNCTION vsm._import_refuse(text, text, text) IS 'on_error of the imports. Errors: PT422.';

-- One work item per case, those that are there already locked.
CREATE FUNCTION vsm._import_find_items(of_stream text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    CREATE TEMPORARY TABLE vsm_import_items ON COMMIT DROP AS
    SELECT o.case_id, coalesce(o.item_id, nextval('vsm.work_items_id_seq')) AS item_id, o.item_id IS NULL AS fresh,
           coalesce(o.known_type, o.type, 'task') AS type, coalesce(o.title, o.case_id) AS title
    FROM (SELECT c.*, w.id AS item_id, w.type AS known_type
          FROM (SELECT r.case_id, min(r.entered_at) AS first_at, vsm._latest(r.type, r.entered_at) AS type,
                       vsm._latest(r.title, r.entered_at) AS title
                FROM pg_temp.vsm_import r GROUP BY 1) c
          LEFT JOIN vsm.work_items w ON w.stream = of_stream AND w.external_id = c.case_id
          ORDER BY c.first_at, c.case_id COLLATE "C"
          OFFSET 0) o;
    IF EXISTS (SELECT FROM pg_temp.vsm_import_items i WHERE NOT i.fresh) THEN
        PERFORM w.id FROM vsm.work_items w JOIN pg_temp.vsm_import_items i ON i.item_id = w.id
        WHERE NOT i.fresh ORDER BY w.id FOR UPDATE OF w;
        -- what somebody deleted while we waited for it is new
        UPDATE pg_temp.vsm_import_items i SET item_id = nextval('vsm.work_items_id_seq'), fresh = true
        WHERE NOT i.fresh AND NOT EXISTS (SELECT FROM vsm.work_items w WHERE w.id = i.item_id);
    END IF;
END $$;
COMMENT ON FUNCTION vsm._import_find_items(text) IS 'Work items of the imported cases.';

-- What the items' moves are once the new events are among the known ones, by src/import.c: a copy of an event is dropped,
-- and one that finds the item in its stage already is merged ("keep" is false).
CREATE FUNCTION vsm._import_merge_moves(of_stream text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    CREATE TEMPORARY TABLE vsm_import_moves ON COMMIT DROP AS
    WITH events AS (
        SELECT i.item_id, i.type, r.entered_at AS at, s.id AS stage_id, 'new' AS origin, NULL::bigint AS id, r.ord
        FROM pg_temp.vsm_import r
        JOIN pg_temp.vsm_import_items i USING (case_id)
        JOIN vsm.stages s ON s.stream = of_stream AND s.name = r.stage
        UNION ALL
        SELECT t.work_item_id, i.type, t."timestamp", t.to_stage_id, 'ledger', t.id, NULL
        FROM vsm.stage_transitions t JOIN pg_temp.vsm_import_items i ON i.item_id = t.work_item_id AND NOT i.fresh
        UNION ALL
        SELECT m.work_item_id, i.type, m."timestamp", m.stage_id, 'merged', m.id, NULL
        FROM vsm._merged_events m JOIN pg_temp.vsm_import_items i ON i.item_id = m.work_item_id AND NOT i.fresh),
    sequence AS (
        SELECT e.*, vsm._sequence(e.stage_id, e.at, e.origin = 'new')
                        OVER (PARTITION BY e.item_id ORDER BY e.at, e.id, e.ord ROWS UNBOUNDED PRECEDING) AS step
        FROM events e
        -- new moves draw their ids in this order
        ORDER BY e.item_id, e.at, e.id, e.ord OFFSET 0)
    SELECT q.item_id, q.at, coalesce(q.id, nextval('vsm.stage_transitions_id_seq')) AS id, q.stage_id, q.origin,
           (q.step).keep, (q.step).from_stage_id, (q.step).time_in_stage, (q.step).cycle_time, (q.step).lead_time,
           CASE WHEN (q.step).from_stage_id IS NULL THEN q.type END AS type
    FROM sequence q WHERE NOT (q.step).copy;
END $$;
COMMENT ON FUNCTION vsm._import_merge_moves(text) IS 'Old and new moves of the imported items in order.';

-- Returns the counts of the result but for the refused and skipped rows.
CREATE FUNCTION vsm._import_write(of_stream text) RETURNS vsm.import_result
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    result vsm.import_result := (0, 0, 0, 0, 0);
    known_changed bigint := 0;
BEGIN
    -- known rows that the new ones changed; none when all items are new
    IF EXISTS (SELECT FROM pg_temp.vsm_import_items i WHERE NOT i.fresh) THEN
        DELETE FROM vsm.stage_transitions t USING pg_temp.vsm_import_moves m
        WHERE m.origin = 'ledger' AND NOT m.keep AND t.work_item_id = m.item_id AND t.id = m.id;
        DELETE FROM vsm._merged_events e USING pg_temp.vsm_import_moves m
        WHERE m.origin = 'merged' AND m.keep AND e.work_item_id = m.item_id AND e.id = m.id;
        UPDATE vsm.stage_transitions t
        SET from_stage_id = m.from_stage_id, time_in_stage = m.time_in_stage, cycle_time = m.cycle_time, lead_time = m.lead_time,
            type = CASE WHEN m.from_stage_id IS NULL THEN coalesce(t.type, m.type) END
        FROM pg_temp.vsm_import_moves m
        WHERE m.origin = 'ledger' AND m.keep AND t.work_item_id = m.item_id AND t.id = m.id
          AND (t.from_stage_id, t.time_in_stage, t.cycle_time, t.lead_time)
              IS DISTINCT FROM (m.from_stage_id, m.time_in_stage, m.cycle_time, m.lead_time);
        INSERT INTO vsm.stage_transitions (work_item_id, id, from_stage_id, to_stage_id, "timestamp", recorded_at, time_in_stage,
                                           actor, type, cycle_time, lead_time)
        SELECT m.item_id, m.id, m.from_stage_id, m.stage_id, m.at, clock_timestamp(), m.time_in_stage, vsm._actor(), m.type,
               m.cycle_time, m.lead_time
        FROM pg_temp.vsm_import_moves m WHERE m.keep AND m.origin = 'merged';
        INSERT INTO vsm._merged_events (work_item_id, id, stage_id, "timestamp")
        SELECT m.item_id, m.id, m.stage_id, m.at
        FROM pg_temp.vsm_import_moves m WHERE NOT m.keep AND m.origin = 'ledger';
    END IF;

    INSERT INTO vsm.stage_transitions (work_item_id, id, from_stage_id, to_stage_id, "timestamp", recorded_at, time_in_stage,
                                       actor, type, cycle_time, lead_time)
    SELECT m.item_id, m.id, m.from_stage_id, m.stage_id, m.at, clock_timestamp(), m.time_in_stage, (SELECT vsm._actor()), m.type,
           m.cycle_time, m.lead_time
    FROM pg_temp.vsm_import_moves m WHERE m.keep AND m.origin = 'new';
    GET DIAGNOSTICS result.transitions = ROW_COUNT;
    INSERT INTO vsm._merged_events (work_item_id, id, stage_id, "timestamp")
    SELECT m.item_id, m.id, m.stage_id, m.at
    FROM pg_temp.vsm_import_moves m WHERE NOT m.keep AND m.origin = 'new';
    GET DIAGNOSTICS result.merged = ROW_COUNT;

    BEGIN
        INSERT INTO vsm.work_items (id, stream, external_id, title, type, updated_at, stage_id, created_at, stage_entered_at,
                                    started_at, completed_at, active_time, wait_time, reopened, backward_moves)
        SELECT i.item_id, of_stream, i.case_id, i.title, i.type, (m.state).stage_entered_at, (m.state).*
        FROM (SELECT item_id, vsm._replay(stage_id, at, id) AS state
              FROM pg_temp.vsm_import_moves WHERE keep GROUP BY 1) m
        JOIN pg_temp.vsm_import_items i USING (item_id)
        WHERE i.fresh;
        GET DIAGNOSTICS result.items = ROW_COUNT;
    EXCEPTION WHEN unique_violation THEN
        RAISE EXCEPTION 'a work item of this import was created by somebody else meanwhile'
            USING ERRCODE = 'PT409', DETAIL = sqlerrm, HINT = 'Import again: then the history goes to the item that is there.';
    END;
    IF EXISTS (SELECT FROM pg_temp.vsm_import_items i WHERE NOT i.fresh) THEN
        UPDATE vsm.work_items w
        SET updated_at = greatest(w.updated_at, (m.state).stage_entered_at),
            stage_id = (m.state).stage_id, created_at = (m.state).created_at, stage_entered_at = (m.state).stage_entered_at,
            started_at = (m.state).started_at, completed_at = (m.state).completed_at,
            active_time = (m.state).active_time, wait_time = (m.state).wait_time, reopened = (m.state).reopened,
            backward_moves = (m.state).backward_moves
        FROM (SELECT n.item_id, vsm._replay(n.stage_id, n.at, n.id) FILTER (WHERE n.keep) AS state
              FROM pg_temp.vsm_import_moves n JOIN pg_temp.vsm_import_items i USING (item_id)
              WHERE NOT i.fresh GROUP BY 1 HAVING bool_or(n.origin = 'new')) m
        WHERE w.id = m.item_id;
        GET DIAGNOSTICS known_changed = ROW_COUNT;
    END IF;
    result.items := result.items + known_changed;
    RETURN result;
END $$;
COMMENT ON FUNCTION vsm._import_write(text) IS 'Writes the ledger and the items of an import.';

CREATE FUNCTION vsm._import_run(of_stream text, source text, create_stages boolean, on_error text, create_types boolean)
    RETURNS vsm.import_result
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET vsm.recording = off
    SET work_mem = '16MB'           -- memory stays flat; more makes it no faster
    SET jit = off
    SET enable_mergejoin = off      -- hashing is right for any size; sorting texts by the locale is slow
    SET default_statistics_target = 10
AS $$
DECLARE
    rows bigint;
    refused bigint;
    result vsm.import_result;
    long boolean;
    again boolean;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = to_regclass('pg_temp.vsm_import') AND pg_get_userbyid(c.relowner) = current_user) THEN
        RAISE EXCEPTION 'there is no import under way'
            USING ERRCODE = 'PT422', DETAIL = 'This function is the second step of one.',
                  HINT = 'Call vsm.import_events() or vsm.import_wide().';
    END IF;
    -- nobody but us analyzes temporary tables, and without statistics a second import would loop over the items
    again := EXISTS (SELECT FROM vsm.work_items w WHERE w.stream = of_stream);
    IF again THEN
        ANALYZE pg_temp.vsm_import (case_id);
    END IF;
    SELECT count(*) INTO rows FROM pg_temp.vsm_import;
    long := rows >= 100000;
    IF long THEN
        RAISE NOTICE '% rows of "%" read', rows, source;
    END IF;
    IF create_stages THEN
        PERFORM vsm._import_add_definitions(of_stream, create_types);
    END IF;
    refused := vsm._import_refuse(of_stream, source, on_error);
    PERFORM vsm._import_find_items(of_stream);
    IF again THEN
        ANALYZE pg_temp.vsm_import_items;
    END IF;
    IF long THEN
        RAISE NOTICE '% items found, % rows refused', (SELECT count(*) FROM pg_temp.vsm_import_items), refused;
    END IF;
    PERFORM vsm._import_merge_moves(of_stream);
    IF again THEN
        ANALYZE pg_temp.vsm_import_moves (item_id, id);
    END IF;
    IF long THEN
        RAISE NOTICE 'moves put in order, writing';
    END IF;
    result := vsm._import_write(of_stream);
    result.refused := refused;
    result.skipped := rows - refused - result.transitions - result.merged;
    IF long THEN
        RAISE NOTICE '% transitions of % items written', result.transitions, result.items;
    END IF;
    RETURN result;
END $$;
COMMENT ON FUNCTION vsm._import_run(text, text, boolean, text, boolean) IS 'The owner''s part of vsm._import_apply(). Errors: PT422.';

------------------------------------------------------------------------------------------------------------------------
-- sketch: percentiles within a relative error, from buckets that merge (src/sketch.c)
--
-- vsm.sketch holds float8 values, vsm.interval_sketch intervals, in seconds; the bytes are the same.
------------------------------------------------------------------------------------------------------------------------

CREATE TYPE vsm.sketch;
CREATE FUNCTION vsm._sketch_in(cstring) RETURNS vsm.sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_sketch_in';
COMMENT ON FUNCTION vsm._sketch_in(cstring) IS 'A sketch from text. Errors: 22P02.';
CREATE FUNCTION vsm._sketch_out(vsm.sketch) RETURNS cstring
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_sketch_out';
COMMENT ON FUNCTION vsm._sketch_out(vsm.sketch) IS 'A sketch as text: version, relative error, zeros, counts of the buckets.';
CREATE FUNCTION vsm._sketch_recv(internal) RETURNS vsm.sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_sketch_recv';
COMMENT ON FUNCTION vsm._sketch_recv(internal) IS 'A sketch from its binary form. Errors: 22P03.';
CREATE FUNCTION vsm._sketch_send(vsm.sketch) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_sketch_send';
COMMENT ON FUNCTION vsm._sketch_send(vsm.sketch) IS 'The binary form of a sketch.';
CREATE TYPE vsm.sketch (
    INPUT = vsm._sketch_in, OUTPUT = vsm._sketch_out, RECEIVE = vsm._sketch_recv, SEND = vsm._sketch_send,
    INTERNALLENGTH = VARIABLE, ALIGNMENT = double, STORAGE = extended
);
COMMENT ON TYPE vsm.sketch IS
    'A distribution of float8 values: percentiles within a relative error, mergeable and subtractable (DDSketch, VLDB 2019).';

CREATE TYPE vsm.interval_sketch;
CREATE FUNCTION vsm._interval_sketch_in(cstring) RETURNS vsm.interval_sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_sketch_in';
COMMENT ON FUNCTION vsm._interval_sketch_in(cstring) IS 'A sketch from text. Errors: 22P02.';
CREATE FUNCTION vsm._interval_sketch_out(vsm.interval_sketch) RETURNS cstring
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_sketch_out';
COMMENT ON FUNCTION vsm._interval_sketch_out(vsm.interval_sketch) IS
    'A sketch as text: version, relative error, zeros, counts of the buckets.';
CREATE FUNCTION vsm._interval_sketch_recv(internal) RETURNS vsm.interval_sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_sketch_recv';
COMMENT ON FUNCTION vsm._interval_sketch_recv(internal) IS 'A sketch from its binary form. Errors: 22P03.';
CREATE FUNCTION vsm._interval_sketch_send(vsm.interval_sketch) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_sketch_send';
COMMENT ON FUNCTION vsm._interval_sketch_send(vsm.interval_sketch) IS 'The binary form of a sketch.';
CREATE TYPE vsm.interval_sketch (
    INPUT = vsm._interval_sketch_in, OUTPUT = vsm._interval_sketch_out, RECEIVE = vsm._interval_sketch_recv,
    SEND = vsm._interval_sketch_send, INTERNALLENGTH = VARIABLE, ALIGNMENT = double, STORAGE = extended
);
COMMENT ON TYPE vsm.interval_sketch IS
    'A distribution of intervals: as vsm.sketch, but its percentiles are intervals; a day is 24 hours, a month 30 days.';

-- An interval_sketch is a sketch of seconds.
CREATE CAST (vsm.interval_sketch AS vsm.sketch) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (vsm.sketch AS vsm.interval_sketch) WITHOUT FUNCTION;

CREATE FUNCTION vsm._sketch_eq(vsm.sketch, vsm.sketch) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_eq';
COMMENT ON FUNCTION vsm._sketch_eq(vsm.sketch, vsm.sketch) IS 'The same relative error and counts?';
CREATE FUNCTION vsm._sketch_ne(vsm.sketch, vsm.sketch) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_ne';
COMMENT ON FUNCTION vsm._sketch_ne(vsm.sketch, vsm.sketch) IS 'Another relative error or other counts?';
CREATE FUNCTION vsm._sketch_hash(vsm.sketch) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_hash';
COMMENT ON FUNCTION vsm._sketch_hash(vsm.sketch) IS 'For grouping by equal sketches.';
CREATE FUNCTION vsm._sketch_plus(vsm.sketch, vsm.sketch) RETURNS vsm.sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_plus';
COMMENT ON FUNCTION vsm._sketch_plus(vsm.sketch, vsm.sketch) IS
    'The values of both. Errors: PT422 different relative errors; 22003 more values than bigint counts.';
CREATE FUNCTION vsm._sketch_minus(vsm.sketch, vsm.sketch) RETURNS vsm.sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_minus';
COMMENT ON FUNCTION vsm._sketch_minus(vsm.sketch, vsm.sketch) IS
    'The values of the first without those of the second. Errors: PT422 different relative errors, values that the first does not hold.';
CREATE OPERATOR vsm.= (
    LEFTARG = vsm.sketch, RIGHTARG = vsm.sketch, FUNCTION = vsm._sketch_eq, COMMUTATOR = OPERATOR(vsm.=),
    NEGATOR = OPERATOR(vsm.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES
);
CREATE OPERATOR vsm.<> (
    LEFTARG = vsm.sketch, RIGHTARG = vsm.sketch, FUNCTION = vsm._sketch_ne, COMMUTATOR = OPERATOR(vsm.<>),
    NEGATOR = OPERATOR(vsm.=), RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR vsm.+ (LEFTARG = vsm.sketch, RIGHTARG = vsm.sketch, FUNCTION = vsm._sketch_plus, COMMUTATOR = OPERATOR(vsm.+));
CREATE OPERATOR vsm.- (LEFTARG = vsm.sketch, RIGHTARG = vsm.sketch, FUNCTION = vsm._sketch_minus);
COMMENT ON OPERATOR vsm.= (vsm.sketch, vsm.sketch) IS 'The same relative error and counts?';
COMMENT ON OPERATOR vsm.<> (vsm.sketch, vsm.sketch) IS 'Another relative error or other counts?';
COMMENT ON OPERATOR vsm.+ (vsm.sketch, vsm.sketch) IS 'The values of both. Errors: PT422, 22003.';
COMMENT ON OPERATOR vsm.- (vsm.sketch, vsm.sketch) IS 'The values of the first without those of the second. Errors: PT422.';
CREATE OPERATOR CLASS vsm.sketch_hash_ops DEFAULT FOR TYPE vsm.sketch USING hash AS
    OPERATOR 1 vsm.= , FUNCTION 1 vsm._sketch_hash(vsm.sketch);

CREATE FUNCTION vsm._sketch_eq(vsm.interval_sketch, vsm.interval_sketch) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_eq';
COMMENT ON FUNCTION vsm._sketch_eq(vsm.interval_sketch, vsm.interval_sketch) IS 'The same relative error and counts?';
CREATE FUNCTION vsm._sketch_ne(vsm.interval_sketch, vsm.interval_sketch) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_ne';
COMMENT ON FUNCTION vsm._sketch_ne(vsm.interval_sketch, vsm.interval_sketch) IS 'Another relative error or other counts?';
CREATE FUNCTION vsm._sketch_hash(vsm.interval_sketch) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_hash';
COMMENT ON FUNCTION vsm._sketch_hash(vsm.interval_sketch) IS 'For grouping by equal sketches.';
CREATE FUNCTION vsm._sketch_plus(vsm.interval_sketch, vsm.interval_sketch) RETURNS vsm.interval_sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_plus';
COMMENT ON FUNCTION vsm._sketch_plus(vsm.interval_sketch, vsm.interval_sketch) IS
    'The values of both. Errors: PT422 different relative errors; 22003 more values than bigint counts.';
CREATE FUNCTION vsm._sketch_minus(vsm.interval_sketch, vsm.interval_sketch) RETURNS vsm.interval_sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_minus';
COMMENT ON FUNCTION vsm._sketch_minus(vsm.interval_sketch, vsm.interval_sketch) IS
    'The values of the first without those of the second. Errors: PT422 different relative errors, values that the first does not hold.';
CREATE OPERATOR vsm.= (
    LEFTARG = vsm.interval_sketch, RIGHTARG = vsm.interval_sketch, FUNCTION = vsm._sketch_eq, COMMUTATOR = OPERATOR(vsm.=),
    NEGATOR = OPERATOR(vsm.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES
);
CREATE OPERATOR vsm.<> (
    LEFTARG = vsm.interval_sketch, RIGHTARG = vsm.interval_sketch, FUNCTION = vsm._sketch_ne, COMMUTATOR = OPERATOR(vsm.<>),
    NEGATOR = OPERATOR(vsm.=), RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR vsm.+ (LEFTARG = vsm.interval_sketch, RIGHTARG = vsm.interval_sketch, FUNCTION = vsm._sketch_plus, COMMUTATOR = OPERATOR(vsm.+));
CREATE OPERATOR vsm.- (LEFTARG = vsm.interval_sketch, RIGHTARG = vsm.interval_sketch, FUNCTION = vsm._sketch_minus);
COMMENT ON OPERATOR vsm.= (vsm.interval_sketch, vsm.interval_sketch) IS 'The same relative error and counts?';
COMMENT ON OPERATOR vsm.<> (vsm.interval_sketch, vsm.interval_sketch) IS 'Another relative error or other counts?';
COMMENT ON OPERATOR vsm.+ (vsm.interval_sketch, vsm.interval_sketch) IS 'The values of both. Errors: PT422, 22003.';
COMMENT ON OPERATOR vsm.- (vsm.interval_sketch, vsm.interval_sketch) IS 'The values of the first without those of the second. Errors: PT422.';
CREATE OPERATOR CLASS vsm.interval_sketch_hash_ops DEFAULT FOR TYPE vsm.interval_sketch USING hash AS
    OPERATOR 1 vsm.= , FUNCTION 1 vsm._sketch_hash(vsm.interval_sketch);

-- The state of the aggregates is the sketch itself, changed in place.
CREATE FUNCTION vsm._sketch_add(vsm.sketch, double precision) RETURNS vsm.sketch
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_add_float8';
COMMENT ON FUNCTION vsm._sketch_add(vsm.sketch, double precision) IS 'Takes a value. Errors: PT422 NaN, infinity.';
CREATE FUNCTION vsm._sketch_add(vsm.sketch, double precision, double precision) RETURNS vsm.sketch
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_add_float8';
COMMENT ON FUNCTION vsm._sketch_add(vsm.sketch, double precision, double precision) IS 'Takes a value; with the relative error of the sketch. Errors: PT422 NaN, infinity, relative error.';
CREATE FUNCTION vsm._sketch_remove(vsm.sketch, double precision) RETURNS vsm.sketch
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_remove_float8';
COMMENT ON FUNCTION vsm._sketch_remove(vsm.sketch, double precision) IS 'Takes a value away that left the frame of a window.';
CREATE FUNCTION vsm._sketch_remove(vsm.sketch, double precision, double precision) RETURNS vsm.sketch
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_remove_float8';
COMMENT ON FUNCTION vsm._sketch_remove(vsm.sketch, double precision, double precision) IS 'Takes a value away that left the frame of a window.';
CREATE FUNCTION vsm._sketch_combine(vsm.sketch, vsm.sketch) RETURNS vsm.sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_combine';
COMMENT ON FUNCTION vsm._sketch_combine(vsm.sketch, vsm.sketch) IS 'Takes a sketch. Errors: PT422 different relative errors; 22003 more values than bigint counts.';
CREATE FUNCTION vsm._sketch_uncombine(vsm.sketch, vsm.sketch) RETURNS vsm.sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_uncombine';
COMMENT ON FUNCTION vsm._sketch_uncombine(vsm.sketch, vsm.sketch) IS 'Takes a sketch away that left the frame of a window.';
CREATE FUNCTION vsm._sketch_finish(vsm.sketch) RETURNS vsm.sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_finish';
COMMENT ON FUNCTION vsm._sketch_finish(vsm.sketch) IS 'The sketch as it is stored.';
CREATE FUNCTION vsm._sketch_finish_values(vsm.sketch) RETURNS vsm.sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_finish_values';
COMMENT ON FUNCTION vsm._sketch_finish_values(vsm.sketch) IS 'The sketch as it is stored; null when there was no value.';
CREATE FUNCTION vsm._sketch_add(vsm.interval_sketch, interval) RETURNS vsm.interval_sketch
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_add_interval';
COMMENT ON FUNCTION vsm._sketch_add(vsm.interval_sketch, interval) IS 'Takes a value. Errors: PT422 NaN, infinity.';
CREATE FUNCTION vsm._sketch_add(vsm.interval_sketch, interval, double precision) RETURNS vsm.interval_sketch
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_add_interval';
COMMENT ON FUNCTION vsm._sketch_add(vsm.interval_sketch, interval, double precision) IS 'Takes a value; with the relative error of the sketch. Errors: PT422 NaN, infinity, relative error.';
CREATE FUNCTION vsm._sketch_remove(vsm.interval_sketch, interval) RETURNS vsm.interval_sketch
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_remove_interval';
COMMENT ON FUNCTION vsm._sketch_remove(vsm.interval_sketch, interval) IS 'Takes a value away that left the frame of a window.';
CREATE FUNCTION vsm._sketch_remove(vsm.interval_sketch, interval, double precision) RETURNS vsm.interval_sketch
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_remove_interval';
COMMENT ON FUNCTION vsm._sketch_remove(vsm.interval_sketch, interval, double precision) IS 'Takes a value away that left the frame of a window.';
CREATE FUNCTION vsm._sketch_combine(vsm.interval_sketch, vsm.interval_sketch) RETURNS vsm.interval_sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_combine';
COMMENT ON FUNCTION vsm._sketch_combine(vsm.interval_sketch, vsm.interval_sketch) IS 'Takes a sketch. Errors: PT422 different relative errors; 22003 more values than bigint counts.';
CREATE FUNCTION vsm._sketch_uncombine(vsm.interval_sketch, vsm.interval_sketch) RETURNS vsm.interval_sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_uncombine';
COMMENT ON FUNCTION vsm._sketch_uncombine(vsm.interval_sketch, vsm.interval_sketch) IS 'Takes a sketch away that left the frame of a window.';
CREATE FUNCTION vsm._sketch_finish(vsm.interval_sketch) RETURNS vsm.interval_sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_finish';
COMMENT ON FUNCTION vsm._sketch_finish(vsm.interval_sketch) IS 'The sketch as it is stored.';
CREATE FUNCTION vsm._sketch_finish_values(vsm.interval_sketch) RETURNS vsm.interval_sketch
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sketch_finish_values';
COMMENT ON FUNCTION vsm._sketch_finish_values(vsm.interval_sketch) IS 'The sketch as it is stored; null when there was no value.';
CREATE AGGREGATE vsm.percentile_agg(value double precision) (
    SFUNC = vsm._sketch_add, STYPE = vsm.sketch, SSPACE = 1024, FINALFUNC = vsm._sketch_finish_values, COMBINEFUNC = vsm._sketch_combine,
    MSFUNC = vsm._sketch_add, MINVFUNC = vsm._sketch_remove, MSTYPE = vsm.sketch, MSSPACE = 1024, MFINALFUNC = vsm._sketch_finish_values,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE vsm.percentile_agg(double precision) IS
    'Sketch of the values, for vsm.approx_percentile() and the like; within 1 percent. Nulls do not count; null when there is no '
    'value. Errors: PT422 NaN, infinity.';
CREATE AGGREGATE vsm.percentile_agg(value double precision, rel_error double precision) (
    SFUNC = vsm._sketch_add, STYPE = vsm.sketch, SSPACE = 1024, FINALFUNC = vsm._sketch_finish_values, COMBINEFUNC = vsm._sketch_combine,
    MSFUNC = vsm._sketch_add, MINVFUNC = vsm._sketch_remove, MSTYPE = vsm.sketch, MSSPACE = 1024, MFINALFUNC = vsm._sketch_finish_values,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE vsm.percentile_agg(double precision, double precision) IS
    'Sketch of the values within a relative error of 0.0001 to 0.2, the same for all rows; null: 0.01. Errors: PT422.';
CREATE AGGREGATE vsm.rollup(sketch vsm.sketch) (
    SFUNC = vsm._sketch_combine, STYPE = vsm.sketch, SSPACE = 1024, FINALFUNC = vsm._sketch_finish, COMBINEFUNC = vsm._sketch_combine,
    MSFUNC = vsm._sketch_combine, MINVFUNC = vsm._sketch_uncombine, MSTYPE = vsm.sketch, MSSPACE = 1024, MFINALFUNC = vsm._sketch_finish,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE vsm.rollup(vsm.sketch) IS
    'The values of all sketches in one, whatever their order. Errors: PT422 different relative errors; 22003.';
CREATE AGGREGATE vsm.percentile_agg(value interval) (
    SFUNC = vsm._sketch_add, STYPE = vsm.interval_sketch, SSPACE = 1024, FINALFUNC = vsm._sketch_finish_values, COMBINEFUNC = vsm._sketch_combine,
    MSFUNC = vsm._sketch_add, MINVFUNC = vsm._sketch_remove, MSTYPE = vsm.interval_sketch, MSSPACE = 1024, MFINALFUNC = vsm._sketch_finish_values,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE vsm.percentile_agg(interval) IS
    'Sketch of the values, for vsm.approx_percentile() and the like; within 1 percent. Nulls do not count; null when there is no '
    'value. Errors: PT422 an infinite interval.';
CREATE AGGREGATE vsm.percentile_agg(value interval, rel_error double precision) (
    SFUNC = vsm._sketch_add, STYPE = vsm.interval_sketch, SSPACE = 1024, FINALFUNC = vsm._sketch_finish_values, COMBINEFUNC = vsm._sketch_combine,
    MSFUNC = vsm._sketch_add, MINVFUNC = vsm._sketch_remove, MSTYPE = vsm.interval_sketch, MSSPACE = 1024, MFINALFUNC = vsm._sketch_finish_values,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE vsm.percentile_agg(interval, double precision) IS
    'Sketch of the values within a relative error of 0.0001 to 0.2, the same for all rows; null: 0.01. Errors: PT422.';
CREATE AGGREGATE vsm.rollup(sketch vsm.interval_sketch) (
    SFUNC = vsm._sketch_combine, STYPE = vsm.interval_sketch, SSPACE = 1024, FINALFUNC = vsm._sketch_finish, COMBINEFUNC = vsm._sketch_combine,
    MSFUNC = vsm._sketch_combine, MINVFUNC = vsm._sketch_uncombine, MSTYPE = vsm.interval_sketch, MSSPACE = 1024, MFINALFUNC = vsm._sketch_finish,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE vsm.rollup(vsm.interval_sketch) IS
    'The values of all sketches in one, whatever their order. Errors: PT422 different relative errors; 22003.';

CREATE FUNCTION vsm.approx_percentile(fraction double precision, sketch vsm.sketch) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_approx_percentile';
COMMENT ON FUNCTION vsm.approx_percentile(double precision, vsm.sketch) IS 
    'The smallest value such that at least that fraction (0 to 1) of the values is at or below it, within the relative error. '
    'Errors: PT422 fraction.';
CREATE FUNCTION vsm.approx_percentiles(fractions double precision[], sketch vsm.sketch) RETURNS double precision[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_approx_percentiles';
COMMENT ON FUNCTION vsm.approx_percentiles(double precision[], vsm.sketch) IS 
    'Several percentiles at once, in the shape of fractions; null where the fraction is. Errors: PT422 fraction.';
CREATE FUNCTION vsm.approx_percentile_rank(value double precision, sketch vsm.sketch) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_approx_percentile_rank';
COMMENT ON FUNCTION vsm.approx_percentile_rank(double precision, vsm.sketch) IS 
    'Share of the values, 0 to 1, that are at or below one; those within the relative error of it may count either way. '
    'Errors: PT422 NaN.';
CREATE FUNCTION vsm.num_vals(sketch vsm.sketch) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_num_vals';
COMMENT ON FUNCTION vsm.num_vals(vsm.sketch) IS 'Number of values in the sketch.';
CREATE FUNCTION vsm.rel_error(sketch vsm.sketch) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_rel_error';
COMMENT ON FUNCTION vsm.rel_error(vsm.sketch) IS 'Relative error of what is read from the sketch, as a fraction.';
CREATE FUNCTION vsm.mean(sketch vsm.sketch) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_mean';
COMMENT ON FUNCTION vsm.mean(vsm.sketch) IS 
    'Mean of the values from the buckets, within the relative error when they have one sign; null when there are none.';
CREATE FUNCTION vsm.sum(sketch vsm.sketch) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_sum';
COMMENT ON FUNCTION vsm.sum(vsm.sketch) IS 
    'Sum of the values from the buckets, within the relative error when they have one sign; null when there are none.';
CREATE FUNCTION vsm.min_val(sketch vsm.sketch) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_min_val';
COMMENT ON FUNCTION vsm.min_val(vsm.sketch) IS 'Lower bound of the lowest bucket: no value is smaller, one is within twice the relative error.';
CREATE FUNCTION vsm.max_val(sketch vsm.sketch) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_max_val';
COMMENT ON FUNCTION vsm.max_val(vsm.sketch) IS 'Upper bound of the highest bucket: no value is greater, one is within twice the relative error.';
CREATE FUNCTION vsm.histogram(sketch vsm.sketch) RETURNS TABLE (lower double precision, upper double precision, count bigint)
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_histogram';
COMMENT ON FUNCTION vsm.histogram(vsm.sketch) IS 'The buckets that hold values, in order: bounds and number of values.';
CREATE FUNCTION vsm.approx_percentile(fraction double precision, sketch vsm.interval_sketch) RETURNS interval
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_approx_percentile_interval';
COMMENT ON FUNCTION vsm.approx_percentile(double precision, vsm.interval_sketch) IS 
    'The smallest value such that at least that fraction (0 to 1) of the values is at or below it, within the relative error. '
    'Errors: PT422 fraction.';
CREATE FUNCTION vsm.approx_percentiles(fractions double precision[], sketch vsm.interval_sketch) RETURNS interval[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_approx_percentiles_interval';
COMMENT ON FUNCTION vsm.approx_percentiles(double precision[], vsm.interval_sketch) IS 
    'Several percentiles at once, in the shape of fractions; null where the fraction is. Errors: PT422 fraction.';
CREATE FUNCTION vsm.approx_percentile_rank(value interval, sketch vsm.interval_sketch) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_approx_percentile_rank_interval';
COMMENT ON FUNCTION vsm.approx_percentile_rank(interval, vsm.interval_sketch) IS 
    'Share of the values, 0 to 1, that are at or below one; those within the relative error of it may count either way. '
    'Errors: PT422 an infinite interval.';
CREATE FUNCTION vsm.num_vals(sketch vsm.interval_sketch) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_num_vals';
COMMENT ON FUNCTION vsm.num_vals(vsm.interval_sketch) IS 'Number of values in the sketch.';
CREATE FUNCTION vsm.rel_error(sketch vsm.interval_sketch) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_rel_error';
COMMENT ON FUNCTION vsm.rel_error(vsm.interval_sketch) IS 'Relative error of what is read from the sketch, as a fraction.';
CREATE FUNCTION vsm.mean(sketch vsm.interval_sketch) RETURNS interval
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_mean_interval';
COMMENT ON FUNCTION vsm.mean(vsm.interval_sketch) IS 
    'Mean of the values from the buckets, within the relative error when they have one sign; null when there are none.';
CREATE FUNCTION vsm.sum(sketch vsm.interval_sketch) RETURNS interval
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_sum_interval';
COMMENT ON FUNCTION vsm.sum(vsm.interval_sketch) IS 
    'Sum of the values from the buckets, within the relative error when they have one sign; null when there are none.';
CREATE FUNCTION vsm.min_val(sketch vsm.interval_sketch) RETURNS interval
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_min_val_interval';
COMMENT ON FUNCTION vsm.min_val(vsm.interval_sketch) IS 'Lower bound of the lowest bucket: no value is smaller, one is within twice the relative error.';
CREATE FUNCTION vsm.max_val(sketch vsm.interval_sketch) RETURNS interval
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_max_val_interval';
COMMENT ON FUNCTION vsm.max_val(vsm.interval_sketch) IS 'Upper bound of the highest bucket: no value is greater, one is within twice the relative error.';
CREATE FUNCTION vsm.histogram(sketch vsm.interval_sketch) RETURNS TABLE (lower interval, upper interval, count bigint)
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_histogram_interval';
COMMENT ON FUNCTION vsm.histogram(vsm.interval_sketch) IS 'The buckets that hold values, in order: bounds and number of values.';

------------------------------------------------------------------------------------------------------------------------
-- exact percentiles: by selection (src/values.c), where percentile_disc sorts
------------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION vsm._percentiles_step(internal, double precision, double precision) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__percentiles_step_float8';
COMMENT ON FUNCTION vsm._percentiles_step(internal, double precision, double precision) IS 'Takes a value. Errors: PT422 fractions.';
CREATE FUNCTION vsm._percentiles_step(internal, double precision, double precision[]) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__percentiles_step_float8';
COMMENT ON FUNCTION vsm._percentiles_step(internal, double precision, double precision[]) IS 'Takes a value. Errors: PT422 fractions.';
CREATE FUNCTION vsm._percentiles_step(internal, interval, double precision) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__percentiles_step_interval';
COMMENT ON FUNCTION vsm._percentiles_step(internal, interval, double precision) IS 'Takes a value. Errors: PT422 fractions.';
CREATE FUNCTION vsm._percentiles_step(internal, interval, double precision[]) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__percentiles_step_interval';
COMMENT ON FUNCTION vsm._percentiles_step(internal, interval, double precision[]) IS 'Takes a value. Errors: PT422 fractions.';
CREATE FUNCTION vsm._percentiles_combine(internal, internal) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__percentiles_combine';
COMMENT ON FUNCTION vsm._percentiles_combine(internal, internal) IS 'Takes the values of a state. Errors: PT422 fractions.';
CREATE FUNCTION vsm._percentiles_serialize(internal) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__percentiles_serialize';
COMMENT ON FUNCTION vsm._percentiles_serialize(internal) IS 'A state as a message; values that did not stay in memory go by a temporary file.';
CREATE FUNCTION vsm._percentiles_deserialize(bytea, internal) RETURNS internal
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__percentiles_deserialize';
COMMENT ON FUNCTION vsm._percentiles_deserialize(bytea, internal) IS 'A state from a message.';
CREATE FUNCTION vsm._percentile_finish(internal, double precision, double precision) RETURNS double precision
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__percentile_finish';
COMMENT ON FUNCTION vsm._percentile_finish(internal, double precision, double precision) IS 'The percentile.';
CREATE FUNCTION vsm._percentiles_finish(internal, double precision, double precision[]) RETURNS double precision[]
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__percentiles_finish';
COMMENT ON FUNCTION vsm._percentiles_finish(internal, double precision, double precision[]) IS 'The percentiles.';
CREATE FUNCTION vsm._percentile_finish(internal, interval, double precision) RETURNS interval
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__percentile_finish';
COMMENT ON FUNCTION vsm._percentile_finish(internal, interval, double precision) IS 'The percentile.';
CREATE FUNCTION vsm._percentiles_finish(internal, interval, double precision[]) RETURNS interval[]
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__percentiles_finish';
COMMENT ON FUNCTION vsm._percentiles_finish(internal, interval, double precision[]) IS 'The percentiles.';
CREATE AGGREGATE vsm.percentile(value double precision, fraction double precision) (
    SFUNC = vsm._percentiles_step, STYPE = internal, SSPACE = 8192, FINALFUNC = vsm._percentile_finish, FINALFUNC_EXTRA,
    COMBINEFUNC = vsm._percentiles_combine, SERIALFUNC = vsm._percentiles_serialize,
    DESERIALFUNC = vsm._percentiles_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vsm.percentile(double precision, double precision) IS
    'The smallest value such that at least that fraction (0 to 1) of the values is at or below it, as percentile_disc; found by '
    'selection within work_mem and a temporary file. Nulls do not count; null when there is no value. Errors: PT422 fractions.';
CREATE AGGREGATE vsm.percentiles(value double precision, fractions double precision[]) (
    SFUNC = vsm._percentiles_step, STYPE = internal, SSPACE = 8192, FINALFUNC = vsm._percentiles_finish, FINALFUNC_EXTRA,
    COMBINEFUNC = vsm._percentiles_combine, SERIALFUNC = vsm._percentiles_serialize,
    DESERIALFUNC = vsm._percentiles_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vsm.percentiles(double precision, double precision[]) IS
    'Several percentiles at once by the rule of percentile_disc, in the shape of fractions; null where the fraction is; found by '
    'selection within work_mem and a temporary file. Nulls do not count; null when there is no value. Errors: PT422 fractions.';
CREATE AGGREGATE vsm.percentile(value interval, fraction double precision) (
    SFUNC = vsm._percentiles_step, STYPE = internal, SSPACE = 8192, FINALFUNC = vsm._percentile_finish, FINALFUNC_EXTRA,
    COMBINEFUNC = vsm._percentiles_combine, SERIALFUNC = vsm._percentiles_serialize,
    DESERIALFUNC = vsm._percentiles_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vsm.percentile(interval, double precision) IS
    'The smallest value such that at least that fraction (0 to 1) of the values is at or below it, as percentile_disc; found by '
    'selection within work_mem and a temporary file. Nulls do not count; null when there is no value. Errors: PT422 fractions.';
CREATE AGGREGATE vsm.percentiles(value interval, fractions double precision[]) (
    SFUNC = vsm._percentiles_step, STYPE = internal, SSPACE = 8192, FINALFUNC = vsm._percentiles_finish, FINALFUNC_EXTRA,
    COMBINEFUNC = vsm._percentiles_combine, SERIALFUNC = vsm._percentiles_serialize,
    DESERIALFUNC = vsm._percentiles_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vsm.percentiles(interval, double precision[]) IS
    'Several percentiles at once by the rule of percentile_disc, in the shape of fractions; null where the fraction is; found by '
    'selection within work_mem and a temporary file. Nulls do not count; null when there is no value. Errors: PT422 fractions.';

------------------------------------------------------------------------------------------------------------------------
-- flow: figures over the ledger, by the definitions of doc/reference.md
--
-- Windows are half-open, [since, until).  An infinite bound means the stream's first or last event, which is then in.
-- Each function takes a type of work item as its last argument; null: all.
------------------------------------------------------------------------------------------------------------------------

CREATE TYPE vsm._duration_summary AS (
    n bigint,
    avg interval,
    p50 interval,
    p70 interval,
    p85 interval,
    p95 interval
);
CREATE FUNCTION vsm._summary_step(internal, bigint, boolean) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__summary_step';
COMMENT ON FUNCTION vsm._summary_step(internal, bigint, boolean) IS 'Takes a duration.';
CREATE FUNCTION vsm._summary_row(internal) RETURNS vsm._duration_summary
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__summary_row';
COMMENT ON FUNCTION vsm._summary_row(internal) IS 'Sums the durations up.';
CREATE AGGREGATE vsm._summary(us bigint, exact boolean) (
    SFUNC = vsm._summary_step, STYPE = internal, SSPACE = 8192,
    FINALFUNC = vsm._summary_row, FINALFUNC_MODIFY = SHAREABLE, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vsm._summary(bigint, boolean) IS
    'Number, average and percentiles of durations in microseconds by the rule of percentile_disc; nulls do not count. exact: '
    'found by selection, keeps 8 bytes for each; else from a sketch, within 1 percent.';

CREATE TYPE vsm._flow_sums AS (
    arrivals bigint,
    open bigint,
    started bigint,
    wip_us numeric,
    reopened bigint,
    backward_moves bigint,
    cut bigint[],
    once_done bigint[],
    lead vsm._duration_summary,
    cycle vsm._duration_summary,
    active_us numeric,
    wait_us numeric
);
CREATE FUNCTION vsm._flow_sums_step(internal, bigint, bigint, timestamptz, timestamptz, timestamptz, timestamptz, interval, interval,
                                    integer, integer, timestamptz, timestamptz, timestamptz, timestamptz, boolean, boolean) RETURNS internal
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vsm__flow_sums_step';
COMMENT ON FUNCTION vsm._flow_sums_step(internal, bigint, bigint, timestamptz, timestamptz, timestamptz, timestamptz, interval, interval,
                                        integer, integer, timestamptz, timestamptz, timestamptz, timestamptz, boolean, boolean) IS 'Takes an item.';
CREATE FUNCTION vsm._flow_sums_row(internal) RETURNS vsm._flow_sums
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__flow_sums_row';
COMMENT ON FUNCTION vsm._flow_sums_row(internal) IS 'Sums the items up.';
CREATE AGGREGATE vsm._flow_sums(id bigint, stage_id bigint, created_at timestamptz, stage_entered_at timestamptz,
                                started_at timestamptz, completed_at timestamptz, active_time interval, wait_time interval,
                                reopened integer, backward_moves integer, since timestamptz, bound timestamptz,
                                wip_since timestamptz, wip_until timestamptz, less_done boolean, exact boolean) (
    SFUNC = vsm._flow_sums_step, STYPE = internal, SSPACE = 8192,
    FINALFUNC = vsm._flow_sums_row, FINALFUNC_MODIFY = SHAREABLE, PARALLEL = RESTRICTED
);
COMMENT ON AGGREGATE vsm._flow_sums(bigint, bigint, timestamptz, timestamptz, timestamptz, timestamptz, interval, interval,
                                    integer, integer, timestamptz, timestamptz, timestamptz, timestamptz, boolean, boolean) IS
    'What work items alone tell of [since, bound): arrivals; open and started now; area under the WIP curve of [wip_since, '
    'wip_until); reopenings and backward moves of items whose moves all lie in the window, and the ids of the others (cut); '
    'ids of items that were once done; lead and cycle time, active and wait time of those that finished in it (cycle time '
    'with less_done: by sum_active, else by span_first_last); exact: as vsm._summary.';

CREATE TYPE vsm._window AS (
    stream text,
    since timestamptz,
    until timestamptz,
    bound timestamptz,          -- until, but infinite when that was asked for: what a time must lie before
    time_zone text,
    reopen_rule text
);

CREATE FUNCTION vsm._window(of_stream text, since timestamptz, until timestamptz, rule text DEFAULT NULL) RETURNS vsm._window
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    result vsm._window;
BEGIN
    SELECT v.name, since, until, until, v.time_zone, coalesce(rule, v.reopen_rule) INTO result
    FROM vsm.value_streams v WHERE v.name = of_stream;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'stream "%" not found', coalesce(of_stream, 'null')
            USING ERRCODE = 'PT404', DETAIL = 'There is no stream of that name; names are case-sensitive.',
                  HINT = 'The streams are in vsm.value_streams; vsm.define_stream() defines one.';
    END IF;
    IF result.reopen_rule NOT IN ('span_first_last', 'span_last', 'sum_active', 'episodes') THEN
        RAISE EXCEPTION 'reopen rule "%" is not known', rule
            USING ERRCODE = 'PT422', DETAIL = 'It says how the cycle time of a reopened item counts.',
                  HINT = 'The rules are span_first_last, span_last, sum_active and episodes.';
    END IF;
    IF since IS NULL OR until IS NULL THEN
        RAISE EXCEPTION 'a window needs both bounds'
            USING ERRCODE = 'PT422', DETAIL = 'One of them is null.',
                  HINT = 'Use -infinity and infinity for the whole history.';
    END IF;
    IF since > until THEN
        RAISE EXCEPTION 'the window ends before it begins'
            USING ERRCODE = 'PT422', DETAIL = format('It is from %s until %s.', since, until), HINT = 'Exchange the bounds.';
    END IF;
    IF NOT isfinite(since) THEN
        -- no door lets older times in; one that the owner wrote past the triggers must not stretch the window
        SELECT coalesce(min(greatest(w.created_at, '1970-01-01 00:00:00+00')), least(now(), until)) INTO result.since FROM vsm.work_items w WHERE w.stream = of_stream;
    END IF;
    IF NOT isfinite(until) THEN
        SELECT coalesce(max(greatest(w.stage_entered_at, '1970-01-01 00:00:00+00')), greatest(now(), result.since)) INTO result.until
        FROM vsm.work_items w WHERE w.stream = of_stream;
    END IF;
    RETURN result;
END $$;
COMMENT ON FUNCTION vsm._window(text, timestamptz, timestamptz, text) IS
    'A window of a stream with its bounds made finite. Errors: PT404 unknown stream; PT422 bounds, rule.';

-- Completions in a window by a reopen rule.  The state columns of an item have what two of the rules need; the others
-- replay the ledger.
CREATE FUNCTION vsm._completed(of_stream text, since timestamptz, bound timestamptz, rule text, of_type text)
    RETURNS TABLE (work_item_id bigint, created_at timestamptz, started_at timestamptz, completed_at timestamptz,
                   cycle_us bigint, active_us bigint, wait_us bigint)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT w.id, w.created_at, w.started_at, w.completed_at,
           CASE WHEN rule = 'span_first_last' THEN vsm._elapsed_us(w.started_at, w.completed_at)
                WHEN w.started_at IS NOT NULL THEN vsm._interval_us(w.active_time) + vsm._interval_us(w.wait_time) END,
           vsm._interval_us(w.active_time), vsm._interval_us(w.wait_time)
    FROM vsm.work_items w
    WHERE rule IN ('span_first_last', 'sum_active')
      AND w.stream = of_stream AND w.completed_at >= since AND w.completed_at < bound
      AND (of_type IS NULL OR w.type = of_type)
    UNION ALL
    SELECT m.work_item_id, c.created_at, c.started_at, c.completed_at, c.cycle_us, c.active_us, c.wait_us
    FROM (SELECT t.work_item_id, vsm._completions(t.to_stage_id, t."timestamp", t.id, rule) AS completions
          FROM vsm.stage_transitions t JOIN vsm.work_items w ON w.id = t.work_item_id
          WHERE w.stream = of_stream AND (of_type IS NULL OR w.type = of_type)
            AND (w.completed_at >= since AND w.completed_at < bound OR rule = 'episodes' AND w.reopened > 0)
          GROUP BY 1) m
    CROSS JOIN LATERAL unnest(m.completions) c
    WHERE rule IN ('span_last', 'episodes') AND c.completed_at >= since AND c.completed_at < bound;
END;
COMMENT ON FUNCTION vsm._completed(text, timestamptz, timestamptz, text, text) IS
    'Completions in [since, bound) by a reopen rule; durations in microseconds, cycle_us null when never started.';

CREATE FUNCTION vsm.cycle_time_days(started_at timestamptz, completed_at timestamptz, time_zone text DEFAULT 'UTC') RETURNS integer
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN (completed_at AT TIME ZONE time_zone)::date - (started_at AT TIME ZONE time_zone)::date + 1;
COMMENT ON FUNCTION vsm.cycle_time_days(timestamptz, timestamptz, text) IS
    'Cycle time in days: finish date - start date + 1 in the zone, so work begun and finished on one day takes 1 day (Vacanti).';

CREATE TYPE vsm.completion AS (
    work_item_id bigint,
    external_id text,
    title text,
    type text,
    created_at timestamptz,
    started_at timestamptz,
    completed_at timestamptz,
    lead_time interval,
    cycle_time interval,
    cycle_time_days integer
);
COMMENT ON TYPE vsm.completion IS 'A row of vsm.completions().';

CREATE FUNCTION vsm.completions(stream text DEFAULT 'default', since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                                until timestamptz DEFAULT clock_timestamp(), type text DEFAULT NULL, reopen_rule text DEFAULT NULL)
    RETURNS SETOF vsm.completion
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT w.id, w.external_id, w.title, w.type, c.created_at, c.started_at, c.completed_at,
           vsm._interval(vsm._elapsed_us(c.created_at, c.completed_at)), vsm._interval(c.cycle_us),
           vsm.cycle_time_days(c.started_at, c.completed_at, v.time_zone)
    FROM vsm._window(completions.stream, completions.since, completions.until, completions.reopen_rule) v
    CROSS JOIN LATERAL vsm._completed(v.stream, completions.since, v.bound, v.reopen_rule, completions.type) c
    JOIN vsm.work_items w ON w.id = c.work_item_id
    ORDER BY c.completed_at, w.id;
END;
COMMENT ON FUNCTION vsm.completions(text, timestamptz, timestamptz, text, text) IS
    'Items finished in the window, with lead time (creation to finish) and cycle time (start to finish, null when it never '
    'started): what a scatter plot shows, and any percentile: SELECT percentile_disc(ARRAY[0.5, 0.85]) WITHIN GROUP '
    '(ORDER BY cycle_time) FROM vsm.completions(...). With the rule episodes each completion is a row, and what follows one '
    'is an item of its own, created when it left done. Errors: PT404, PT422.';

CREATE FUNCTION vsm.wip_at(stream text DEFAULT 'default', at timestamptz DEFAULT clock_timestamp(), type text DEFAULT NULL)
    RETURNS TABLE (stage text, items bigint)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH v AS MATERIALIZED (SELECT * FROM vsm._window(wip_at.stream, wip_at.at, wip_at.at)),
    moves AS (
        SELECT t.from_stage_id, t.to_stage_id, count(*) AS n
        FROM vsm.stage_transitions t
        WHERE t."timestamp" <= wip_at.at
          AND (wip_at.type IS NULL OR EXISTS (SELECT FROM vsm.work_items w WHERE w.id = t.work_item_id AND w.type = wip_at.type))
        GROUP BY 1, 2)
    SELECT s.name, (coalesce((SELECT sum(m.n) FROM moves m WHERE m.to_stage_id = s.id), 0)
                    - coalesce((SELECT sum(m.n) FROM moves m WHERE m.from_stage_id = s.id), 0))::bigint
    FROM v JOIN vsm.stages s ON s.stream = v.stream
    ORDER BY s."order";
END;
COMMENT ON FUNCTION vsm.wip_at(text, timestamptz, text) IS
    'Items in each stage at an instant, moves of that instant included, in the order of the stages, done stages too. '
    'WIP is what is not in a done stage. Errors: PT404.';

-- What is beyond is a mistyped year, and its points would be counted for ever.
CREATE FUNCTION vsm._check_series(since timestamptz, until timestamptz) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF since < timestamptz '0001-01-01 00:00:00+00' OR until >= timestamptz '10000-01-01 00:00:00+00' THEN
        RAISE EXCEPTION 'the window is too long to be cut into points'
            USING ERRCODE = 'PT422', DETAIL = format('It is from %s until %s.', since, until),
                  HINT = 'Give bounds in the years 1 to 9999, or -infinity and infinity for the whole history.';
    END IF;
END $$;
COMMENT ON FUNCTION vsm._check_series(timestamptz, timestamptz) IS 'Bounds of a window that is cut into points or buckets. Errors: PT422.';

CREATE FUNCTION vsm._grid(since timestamptz, until timestamptz, step interval, time_zone text)
    RETURNS TABLE (place integer, at timestamptz)
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM vsm._check_series(since, until);
    IF step IS NULL OR step <= '0' OR step > '10000 years'
       OR least(extract(year FROM step), extract(month FROM step), extract(day FROM step), extract(hour FROM step),
                extract(minute FROM step), extract(second FROM step)) < 0
       OR vsm._elapsed_us(since, until) / vsm._interval_us(step) > 100000 THEN
        RAISE EXCEPTION 'the step does not fit the window'
            USING ERRCODE = 'PT422', DETAIL = format('The step is %s.', coalesce(step::text, 'null')),
                  HINT = 'Give a step above zero that cuts the window into at most 100,000 points.';
    END IF;
    IF extract(day FROM step) = 0 AND extract(month FROM step) = 0 AND extract(year FROM step) = 0 THEN
        RETURN QUERY SELECT (g.ordinality - 1)::integer, g.g FROM generate_series(since, until, step) WITH ORDINALITY g;
    ELSE
        -- days and months by the calendar of the zone, each counted from the beginning
        RETURN QUERY
        SELECT p.place, p.at
        FROM (SELECT k AS place,
                     CASE WHEN k = 0 THEN since ELSE (since AT TIME ZONE time_zone + k * step) AT TIME ZONE time_zone END AS at
              FROM generate_series(0, (vsm._elapsed_us(since, until) / vsm._interval_us(step))::integer + 2) k) p
        WHERE p.at <= until ORDER BY p.place;
    END IF;
END $$;
COMMENT ON FUNCTION vsm._grid(timestamptz, timestamptz, interval, text) IS
    'Points since, since + step, ... up to and including until. Errors: PT422.';

CREATE FUNCTION vsm.occupancy(stream text DEFAULT 'default', since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                              until timestamptz DEFAULT clock_timestamp(), step interval DEFAULT '1 day', type text DEFAULT NULL)
    RETURNS TABLE (at timestamptz, stage text, items bigint)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH v AS MATERIALIZED (SELECT * FROM vsm._window(occupancy.stream, occupancy.since, occupancy.until)),
    points AS MATERIALIZED (SELECT g.* FROM v CROSS JOIN LATERAL vsm._grid(v.since, v.until, occupancy.step, v.time_zone) g),
    grid AS MATERIALIZED (SELECT array_agg(p.at ORDER BY p.place) AS points, max(p.at) AS last FROM points p),
    -- a move counts from the first point at or after it
    moves AS (
        SELECT t.from_stage_id, t.to_stage_id,
               width_bucket(t."timestamp" - interval '1 microsecond', (SELECT g.points FROM grid g)) AS place, count(*) AS n
        FROM vsm.stage_transitions t
        WHERE t."timestamp" <= (SELECT g.last FROM grid g)
          AND (occupancy.type IS NULL
               OR EXISTS (SELECT FROM vsm.work_items w WHERE w.id = t.work_item_id AND w.type = occupancy.type))
        GROUP BY 1, 2, 3),
    changes AS (
        SELECT c.stage_id, c.place, sum(c.n) AS n
        FROM (SELECT m.to_stage_id AS stage_id, m.place, m.n FROM moves m
              UNION ALL
              SELECT m.from_stage_id, m.place, -m.n FROM moves m) c
        GROUP BY 1, 2)
    SELECT p.at, s.name, sum(coalesce(c.n, 0)) OVER (PARTITION BY s.id ORDER BY p.place)::bigint
    FROM v JOIN vsm.stages s ON s.stream = v.stream
    CROSS JOIN points p
    LEFT JOIN changes c ON c.stage_id = s.id AND c.place = p.place
    ORDER BY p.place, s."order";
END;
COMMENT ON FUNCTION vsm.occupancy(text, timestamptz, timestamptz, interval, text) IS
    'Items really in each stage at since, since + step, ... until: it falls when items move on or back. Days and months of '
    'the step are the calendar''s in the stream''s zone. Errors: PT404, PT422.';

CREATE FUNCTION vsm.cumulative_flow(stream text DEFAULT 'default', since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                                    until timestamptz DEFAULT clock_timestamp(), step interval DEFAULT '1 day', type text DEFAULT NULL)
    RETURNS TABLE (at timestamptz, stage text, items bigint)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH v AS MATERIALIZED (SELECT * FROM vsm._window(cumulative_flow.stream, cumulative_flow.since, cumulative_flow.until)),
    points AS MATERIALIZED (SELECT g.* FROM v CROSS JOIN LATERAL vsm._grid(v.since, v.until, cumulative_flow.step, v.time_zone) g),
    grid AS MATERIALIZED (SELECT array_agg(p.at ORDER BY p.place) AS points, max(p.at) AS last FROM points p),
    entered AS (
        SELECT t.work_item_id, s."order", min(t."timestamp") AS at
        FROM v JOIN vsm.stages s ON s.stream = v.stream
        JOIN vsm.stage_transitions t ON t.to_stage_id = s.id
        WHERE t."timestamp" <= (SELECT g.last FROM grid g)
          AND (cumulative_flow.type IS NULL
               OR EXISTS (SELECT FROM vsm.work_items w WHERE w.id = t.work_item_id AND w.type = cumulative_flow.type))
        GROUP BY 1, 2),
    -- from then on the item counts for this stage and those it passed by on the way
    reached AS (
        SELECT e."order", lag(e."order") OVER item AS below,
               min(e.at) OVER (PARTITION BY e.work_item_id ORDER BY e."order" ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS at
        FROM entered e
        WINDOW item AS (PARTITION BY e.work_item_id ORDER BY e."order")),
    counted AS (
        SELECT r.below, r."order", width_bucket(r.at - interval '1 microsecond', (SELECT g.points FROM grid g)) AS place, count(*) AS n
        FROM reached r GROUP BY 1, 2, 3),
    arrivals AS (
        SELECT s.id AS stage_id, c.place, sum(c.n) AS n
        FROM v JOIN vsm.stages s ON s.stream = v.stream
        JOIN counted c ON s."order" <= c."order" AND (c.below IS NULL OR s."order" > c.below)
        GROUP BY 1, 2)
    SELECT p.at, s.name, sum(coalesce(a.n, 0)) OVER (PARTITION BY s.id ORDER BY p.place)::bigint
    FROM v JOIN vsm.stages s ON s.stream = v.stream
    CROSS JOIN points p
    LEFT JOIN arrivals a ON a.stage_id = s.id AND a.place = p.place
    ORDER BY p.place, s."order";
END;
COMMENT ON FUNCTION vsm.cumulative_flow(text, timestamptz, timestamptz, interval, text) IS
    'Cumulative flow diagram: items that have reached each stage or a later one by since, since + step, ... until. A line '
    'never falls, also when items move back (Vacanti). Errors: PT404, PT422.';

CREATE TYPE vsm.throughput_bucket AS (
    bucket date,
    items bigint
);
COMMENT ON TYPE vsm.throughput_bucket IS 'A row of vsm.throughput().';

CREATE FUNCTION vsm.throughput(stream text DEFAULT 'default', since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                               until timestamptz DEFAULT clock_timestamp(), bucket text DEFAULT 'day', type text DEFAULT NULL)
    RETURNS SETOF vsm.throughput_bucket
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, since, until);
    first timestamp;
    last timestamp;
BEGIN
    IF bucket IS NULL OR bucket NOT IN ('day', 'week', 'month') THEN
        RAISE EXCEPTION 'bucket cannot be "%"', bucket
            USING ERRCODE = 'PT422', DETAIL = 'Throughput is counted per calendar unit.',
                  HINT = 'Give day, week (from Monday) or month.';
    END IF;
    PERFORM vsm._check_series(v.since, v.until);
    first := date_trunc(bucket, v.since AT TIME ZONE v.time_zone);
    -- the window's last instant: its end is not in it
    last := (CASE WHEN isfinite(v.bound) AND v.until > v.since THEN v.until - interval '1 microsecond' ELSE v.until END)
            AT TIME ZONE v.time_zone;
    IF last > first + 100000 * ('1 ' || bucket)::interval THEN
        RAISE EXCEPTION 'the window has too many buckets'
            USING ERRCODE = 'PT422', DETAIL = format('It is from %s until %s.', v.since, v.until),
                  HINT = 'Give a window of at most 100,000 buckets, or -infinity and infinity for the whole history.';
    END IF;
    RETURN QUERY
    SELECT b.b::date, coalesce(n.items, 0)
    FROM generate_series(first, last, ('1 ' || bucket)::interval) b
    LEFT JOIN (SELECT date_trunc(bucket, c.completed_at AT TIME ZONE v.time_zone) AS b, count(*) AS items
               FROM vsm._completed(v.stream, since, v.bound, v.reopen_rule, type) c GROUP BY 1) n USING (b)
    ORDER BY 1;
END $$;
COMMENT ON FUNCTION vsm.throughput(text, timestamptz, timestamptz, text, text) IS
    'Items finished per day, week (from Monday) or month of the stream''s zone, each at its latest completion (per completion '
    'when the stream''s rule is episodes); empty buckets have 0. bucket is the first day; the first and last may be cut by '
    'the window. Errors: PT404, PT422.';

CREATE FUNCTION vsm.time_in_stage(stream text DEFAULT 'default', since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                                  until timestamptz DEFAULT clock_timestamp(), type text DEFAULT NULL)
    RETURNS TABLE (stage text, visits bigint, avg interval, p50 interval, p70 interval, p85 interval, p95 interval,
                   items bigint, avg_per_item interval, open_visits bigint, open_avg interval)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    SET jit = off
BEGIN ATOMIC
    WITH v AS MATERIALIZED (SELECT * FROM vsm._window(time_in_stage.stream, time_in_stage.since, time_in_stage.until)),
    closed AS (
        SELECT s.id AS stage_id, vsm._summary(vsm._interval_us(t.time_in_stage), true) AS visits,
               count(DISTINCT t.work_item_id) AS items, sum(vsm._interval_us(t.time_in_stage)) AS total_us
        FROM v JOIN vsm.stages s ON s.stream = v.stream
        JOIN vsm.stage_transitions t ON t.from_stage_id = s.id
        WHERE t."timestamp" >= time_in_stage.since AND t."timestamp" < (SELECT v.bound FROM v)
          AND (time_in_stage.type IS NULL
               OR EXISTS (SELECT FROM vsm.work_items w WHERE w.id = t.work_item_id AND w.type = time_in_stage.type))
        GROUP BY 1),
    open AS (
        SELECT w.stage_id, vsm._summary(vsm._elapsed_us(w.stage_entered_at, clock_timestamp()), true) AS visits
        FROM vsm.work_items w
        WHERE w.completed_at IS NULL AND w.stream = time_in_stage.stream
          AND (time_in_stage.type IS NULL OR w.type = time_in_stage.type)
        GROUP BY 1)
    SELECT s.name, coalesce((c.visits).n, 0), (c.visits).avg, (c.visits).p50, (c.visits).p70, (c.visits).p85, (c.visits).p95,
           coalesce(c.items, 0), vsm._interval(round(c.total_us / c.items)::bigint), coalesce((o.visits).n, 0), (o.visits).avg
    FROM v JOIN vsm.stages s ON s.stream = v.stream
    LEFT JOIN closed c ON c.stage_id = s.id
    LEFT JOIN open o ON o.stage_id = s.id
    ORDER BY s."order";
END;
COMMENT ON FUNCTION vsm.time_in_stage(text, timestamptz, timestamptz, text) IS
    'Elapsed time in each stage over the visits that ended in the window: per visit (avg, percentiles by percentile_disc) '
    'and summed per item (avg_per_item). open_visits and open_avg: unfinished items that are there now. Errors: PT404, PT422.';

CREATE FUNCTION vsm.flow_efficiency(stream text DEFAULT 'default', since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                                    until timestamptz DEFAULT clock_timestamp(), type text DEFAULT NULL)
    RETURNS numeric
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT sum(c.active_us) / nullif(sum(c.active_us) + sum(c.wait_us), 0)
    FROM vsm._window(flow_efficiency.stream, flow_efficiency.since, flow_efficiency.until) v
    CROSS JOIN LATERAL vsm._completed(v.stream, flow_efficiency.since, v.bound, v.reopen_rule, flow_efficiency.type) c;
END;
COMMENT ON FUNCTION vsm.flow_efficiency(text, timestamptz, timestamptz, text) IS
    'Active time / (active + wait time) between start and finish over the items finished in the window: a ratio of sums, '
    '0 to 1; null when nothing was finished. Errors: PT404, PT422.';

CREATE TYPE vsm.aged_item AS (
    work_item_id bigint,
    external_id text,
    title text,
    type text,
    stage text,
    age interval,
    time_in_stage interval,
    age_since_creation interval
);
COMMENT ON TYPE vsm.aged_item IS 'A row of vsm.work_item_age().';

CREATE FUNCTION vsm.work_item_age(stream text DEFAULT 'default', type text DEFAULT NULL, at timestamptz DEFAULT clock_timestamp())
    RETURNS SETOF vsm.aged_item
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT w.id, w.external_id, w.title, w.type, s.name,
           vsm._interval(vsm._elapsed_us(w.started_at, work_item_age.at)),
           vsm._interval(vsm._elapsed_us(w.stage_entered_at, work_item_age.at)),
           vsm._interval(vsm._elapsed_us(w.created_at, work_item_age.at))
    FROM vsm._window(work_item_age.stream, work_item_age.at, work_item_age.at) v
    JOIN vsm.work_items w ON w.stream = v.stream AND w.completed_at IS NULL
    JOIN vsm.stages s ON s.id = w.stage_id
    WHERE work_item_age.type IS NULL OR w.type = work_item_age.type
    ORDER BY w.started_at NULLS LAST, w.created_at, w.id;
END;
COMMENT ON FUNCTION vsm.work_item_age(text, text, timestamptz) IS
    'Unfinished items, oldest first. age: started to at (default now), null before the start; time_in_stage: in the present '
    'stage; age_since_creation. Errors: PT404.';

CREATE TYPE vsm.flow_figures AS (
    stream text,
    since timestamptz,
    until timestamptz,
    time_zone text,
    reopen_rule text,
    percentile_rule text,
    throughput bigint,
    arrivals bigint,
    wip numeric,
    wip_now bigint,
    started_wip_now bigint,
    lead_time_n bigint,
    lead_time_avg interval,
    lead_time_p50 interval,
    lead_time_p70 interval,
    lead_time_p85 interval,
    lead_time_p95 interval,
    cycle_time_n bigint,
    cycle_time_avg interval,
    cycle_time_p50 interval,
    cycle_time_p70 interval,
    cycle_time_p85 interval,
    cycle_time_p95 interval,
    flow_efficiency numeric,
    finished_never_started bigint,
    reopened bigint,
    backward_moves bigint,
    type text,
    percentile_error double precision       -- relative, at most; 0 when exact
);
COMMENT ON TYPE vsm.flow_figures IS 'The row of vsm.metrics().';

-- One look at each item gives nearly everything, however long the ledger is (src/flow.c).  The ledger is read for the items
-- that a bound of the window cuts or that were reopened, and for the reopen rules that need it.
CREATE FUNCTION vsm.metrics(stream text DEFAULT 'default', since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                            until timestamptz DEFAULT clock_timestamp(), type text DEFAULT NULL, reopen_rule text DEFAULT NULL,
                            exact boolean DEFAULT true)
    RETURNS SETOF vsm.flow_figures
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 1
    SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, since, until, reopen_rule);
    -- WIP is averaged up to now when the window goes on
    wip_until CONSTANT timestamptz := greatest(v.since, least(v.until, clock_timestamp()));
    done_stages CONSTANT bigint[] := ARRAY(SELECT s.id FROM vsm.stages s WHERE s.stream = v.stream AND s.category = 'done');
    exactly CONSTANT boolean := coalesce(exact, true);
    i vsm._flow_sums;
    cut record;             -- moves in the window of items that were there before it or moved after it
    gaps numeric;           -- stays in done that a reopening ended: the item was not in progress
BEGIN
    SELECT (a.sums).* INTO i
    FROM (SELECT vsm._flow_sums(w.id, w.stage_id, w.created_at, w.stage_entered_at, w.started_at, w.completed_at, w.active_time,
                                w.wait_time, w.reopened, w.backward_moves, metrics.since, v.bound, v.since, wip_until,
                                v.reopen_rule = 'sum_active', exactly) AS sums
          FROM vsm.work_items w
          WHERE w.stream = v.stream AND (metrics.type IS NULL OR w.type = metrics.type)
            -- the others were finished before, and have not moved since
            AND (w.completed_at IS NULL OR w.completed_at >= metrics.since OR w.stage_entered_at >= metrics.since)) a;
    IF v.reopen_rule IN ('span_last', 'episodes') THEN
        SELECT vsm._summary(vsm._elapsed_us(c.created_at, c.completed_at), exactly), vsm._summary(c.cycle_us, exactly),
               sum(c.active_us), sum(c.wait_us)
        INTO i.lead, i.cycle, i.active_us, i.wait_us
        FROM vsm._completed(v.stream, metrics.since, v.bound, v.reopen_rule, metrics.type) c;
    END IF;
    SELECT count(*) FILTER (WHERE f.category = 'done' AND s.category <> 'done') AS reopened,
           count(*) FILTER (WHERE s."order" < f."order") AS backward_moves INTO cut
    FROM unnest(i.cut) AS w (id)
    CROSS JOIN LATERAL (
        SELECT t.from_stage_id, t.to_stage_id FROM vsm.stage_transitions t
        WHERE t.work_item_id = w.id AND t."timestamp" >= metrics.since AND t."timestamp" < v.bound OFFSET 0) t
    JOIN vsm.stages f ON f.id = t.from_stage_id
    JOIN vsm.stages s ON s.id = t.to_stage_id;
    SELECT sum(vsm._elapsed_us(greatest(t.entered_at, v.since), least(t."timestamp", wip_until))) INTO gaps
    FROM unnest(i.once_done) AS w (id)
    CROSS JOIN LATERAL (
        SELECT t."timestamp", vsm._entered_at(t."timestamp", t.time_in_stage) AS entered_at
        FROM vsm.stage_transitions t JOIN vsm.work_items d ON d.id = t.work_item_id
        WHERE t.work_item_id = w.id AND t.from_stage_id = ANY (done_stages) AND t."timestamp" > v.since
          AND (d.completed_at IS NULL OR t."timestamp" <= d.completed_at) OFFSET 0) t
    WHERE t.entered_at < wip_until;

    RETURN QUERY
    SELECT v.stream, v.since, v.until, v.time_zone, v.reopen_rule, 'percentile_disc',
           coalesce((i.lead).n, 0), coalesce(i.arrivals, 0),
           (coalesce(i.wip_us, 0) - coalesce(gaps, 0)) / nullif(vsm._elapsed_us(v.since, wip_until), 0),
           coalesce(i.open, 0), coalesce(i.started, 0),
           coalesce((i.lead).n, 0), (i.lead).avg, (i.lead).p50, (i.lead).p70, (i.lead).p85, (i.lead).p95,
           coalesce((i.cycle).n, 0), (i.cycle).avg, (i.cycle).p50, (i.cycle).p70, (i.cycle).p85, (i.cycle).p95,
           i.active_us / nullif(i.active_us + i.wait_us, 0), coalesce((i.lead).n - (i.cycle).n, 0),
           coalesce(i.reopened, 0) + cut.reopened, coalesce(i.backward_moves, 0) + cut.backward_moves, metrics.type,
           CASE WHEN exactly THEN 0::double precision ELSE 0.01::double precision END;
END $$;
COMMENT ON FUNCTION vsm.metrics(text, timestamptz, timestamptz, text, text, boolean) IS
    'Every flow figure of a window, one row. throughput: items finished in it, each at its latest completion; arrivals: '
    'created in it; wip: time-weighted average (up to now when until lies ahead); wip_now and started_wip_now: at this moment; '
    'lead_time: creation to finish, cycle_time: start to finish by the reopen rule, of the items finished in it; percentiles '
    'by percentile_disc, from a sketch unless exact, and then within percentile_error; flow_efficiency: active / (active + '
    'wait), 0 to 1; finished_never_started: finished without a cycle time; reopened, backward_moves: moves in the window. '
    'reopen_rule: null, the stream''s. Errors: PT404, PT422.';

CREATE FUNCTION vsm.data_quality(stream text DEFAULT 'default')
    RETURNS TABLE (finding text, items bigint, examples bigint[], meaning text)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
    SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(data_quality.stream, '-infinity', 'infinity');
    gap record;
    merged_lost bigint[];
    refusals bigint;
BEGIN
    -- only the owner may read them
    IF has_table_privilege('vsm._merged_events', 'SELECT') THEN
        SELECT array_agg(m.work_item_id) INTO merged_lost
        FROM vsm._merged_events m LEFT JOIN vsm.stages s ON s.id = m.stage_id
        WHERE NOT EXISTS (SELECT FROM vsm.work_items w WHERE w.id = m.work_item_id) AND coalesce(s.stream, v.stream) = v.stream;
    END IF;
    RETURN QUERY
    WITH items AS MATERIALIZED (SELECT w.* FROM vsm.work_items w WHERE w.stream = v.stream),
    moves AS MATERIALIZED (
        SELECT t.*, lag(t.to_stage_id) OVER item AS stage_before, lag(t."timestamp") OVER item AS entered_before
        FROM vsm.stage_transitions t JOIN items i ON i.id = t.work_item_id
        WINDOW item AS (PARTITION BY t.work_item_id ORDER BY t."timestamp", t.id)),
    replayed AS (
        SELECT m.work_item_id, vsm._replay(m.to_stage_id, m."timestamp", m.id) AS state FROM moves m GROUP BY 1),
    found (place, name, item) AS (
        SELECT 1, 'finished_never_started', i.id FROM items i WHERE i.completed_at IS NOT NULL AND i.started_at IS NULL
        UNION ALL
        SELECT 2, 'moves_at_one_instant', m.work_item_id FROM moves m WHERE m.time_in_stage = '0'
        UNION ALL
        SELECT 3, 'moved_before_the_clock', m.work_item_id FROM moves m WHERE m."timestamp" > m.recorded_at + interval '1 second'
        UNION ALL
        SELECT 4, 'recorded_late', m.work_item_id FROM moves m WHERE m.recorded_at > m."timestamp" + interval '1 day'
        UNION ALL
        SELECT 5, 'silent', i.id FROM items i WHERE i.completed_at IS NULL AND i.stage_entered_at < v.until - interval '90 days'
        UNION ALL
        SELECT 6, 'ledger_gap', m.work_item_id FROM moves m
        WHERE m.from_stage_id IS DISTINCT FROM m.stage_before
           OR vsm._interval_us(m.time_in_stage) IS DISTINCT FROM vsm._elapsed_us(m.entered_before, m."timestamp")
        UNION ALL
        SELECT 7, 'no_ledger', i.id FROM items i WHERE NOT EXISTS (SELECT FROM moves m WHERE m.work_item_id = i.id)
        UNION ALL
        SELECT 8, 'undefined_stage', m.work_item_id FROM moves m
        WHERE NOT EXISTS (SELECT FROM vsm.stages s WHERE s.id = m.to_stage_id AND s.stream = v.stream)
        UNION ALL
        SELECT 9, 'state_differs', i.id FROM items i JOIN replayed r ON r.work_item_id = i.id
        WHERE (r.state) IS DISTINCT FROM NULL
          AND (i.stage_id, i.created_at, i.stage_entered_at, i.started_at, i.completed_at, i.active_time, i.wait_time, i.reopened,
               i.backward_moves) IS DISTINCT FROM r.state
        UNION ALL
        -- which stream a lost item was in, its stages say; if they are lost too, every stream tells of it
        SELECT 10, 'no_item', t.work_item_id FROM vsm.stage_transitions t LEFT JOIN vsm.stages s ON s.id = t.to_stage_id
        WHERE NOT EXISTS (SELECT FROM vsm.work_items w WHERE w.id = t.work_item_id) AND coalesce(s.stream, v.stream) = v.stream
        UNION ALL
        SELECT 10, 'no_item', l.item FROM unnest(merged_lost) l (item)
        UNION ALL
        SELECT 11, 'no_stream', w.id FROM vsm.work_items w WHERE w.stream NOT IN (SELECT o.name FROM vsm.value_streams o)
        UNION ALL
        SELECT 12, 'before_1970', m.work_item_id FROM moves m WHERE m."timestamp" < timestamptz '1970-01-01 00:00:00+00'),
    explained (place, name, meaning) AS (VALUES
        (1, 'finished_never_started', 'finished without passing a stage that counts as started: they have no cycle time'),
        (2, 'moves_at_one_instant', 'two moves with the same time: a clock of low resolution, or a tool that moved the item on at once'),
        (3, 'moved_before_the_clock', 'a move dated after the moment it was recorded: somebody''s clock runs ahead'),
        (4, 'recorded_late', 'a move recorded more than a day after it happened: imported, or entered late'),
        (5, 'silent', 'unfinished, and not moved for 90 days before the stream''s last event'),
        (6, 'ledger_gap', 'a move does not continue where the one before ended: ledger rows are missing or were changed'),
        (7, 'no_ledger', 'the ledger has no move of the item'),
        (8, 'undefined_stage', 'the ledger names a stage that the stream does not have'),
        (9, 'state_differs', 'the computed columns are not what the ledger gives'),
        (10, 'no_item', 'moves, or imported events, of items that are not there: a restore lost the rows of vsm.work_items; see its errors and restore again'),
        (11, 'no_stream', 'items of streams that are not defined, whichever: a restore lost the rows of vsm.value_streams; restore again'),
        (12, 'before_1970', 'a move before 1970: written past the triggers, and left out of charts'))
    SELECT e.name, count(DISTINCT f.item), (array_agg(DISTINCT f.item) FILTER (WHERE f.item IS NOT NULL))[1:5], e.meaning
    FROM explained e LEFT JOIN found f USING (place)
    GROUP BY e.place, e.name, e.meaning ORDER BY e.place;

    SELECT q.before, q.at INTO gap
    FROM (SELECT lag(t."timestamp") OVER (ORDER BY t."timestamp") AS before, t."timestamp" AS at
          FROM vsm.stage_transitions t JOIN vsm.work_items w ON w.id = t.work_item_id WHERE w.stream = v.stream) q
    WHERE q.before IS NOT NULL ORDER BY vsm._elapsed_us(q.before, q.at) DESC, q.at LIMIT 1;
    IF FOUND THEN
        RETURN QUERY SELECT 'longest_gap', NULL::bigint, NULL::bigint[],
            format('no move at all for %s, from %s to %s', vsm._interval(vsm._elapsed_us(gap.before, gap.at)),
                   gap.before AT TIME ZONE v.time_zone, gap.at AT TIME ZONE v.time_zone);
    END IF;
    IF NOT EXISTS (SELECT FROM vsm._stages s WHERE s.stream = v.stream AND s.started IS NOT NULL AND s.category <> 'done') THEN
        RETURN QUERY SELECT 'no_commitment_point', NULL::bigint, NULL::bigint[],
            'the stream has no active stage and names no commitment_stage: nothing counts as started'::text;
    END IF;
    -- writers and the owner may read them, each his own
    IF has_table_privilege('vsm.import_refusals', 'SELECT') THEN
        SELECT count(*) INTO refusals FROM vsm.import_refusals r WHERE r.stream NOT IN (SELECT o.name FROM vsm.value_streams o);
        IF refusals > 0 THEN
            RETURN QUERY SELECT 'refusals_without_stream', NULL::bigint, NULL::bigint[],
                format('rows of vsm.import_refusals that name a stream which is not defined: %s; delete them, or restore vsm.value_streams', refusals);
        END IF;
    END IF;
END $$;
COMMENT ON FUNCTION vsm.data_quality(text) IS
    'What to know before trusting a stream''s figures: each finding with the number of items, up to five of their ids and what '
    'it means; the longest time without any move. Errors: PT404.';

------------------------------------------------------------------------------------------------------------------------
-- flow_metrics: figures of days, weeks and months, kept for charts of long times
------------------------------------------------------------------------------------------------------------------------

CREATE SEQUENCE vsm.flow_metrics_id_seq;
CREATE TABLE vsm.flow_metrics (
    id bigint PRIMARY KEY DEFAULT nextval('vsm.flow_metrics_id_seq'),
    stream text NOT NULL,
    date date NOT NULL,
    period_type text NOT NULL CHECK (period_type IN ('day', 'week', 'month')),
    throughput bigint NOT NULL,
    wip numeric NOT NULL,
    cycle_time_avg interval,
    cycle_time_p50 interval,
    cycle_time_p85 interval,
    cycle_time_p95 interval,
    sketch vsm.interval_sketch,
    created_at timestamptz NOT NULL,
    UNIQUE (stream, period_type, date)
);
ALTER SEQUENCE vsm.flow_metrics_id_seq OWNED BY vsm.flow_metrics.id;
COMMENT ON TABLE vsm.flow_metrics IS
    'Figures of the days, weeks and months of each stream in its time zone, as vsm.refresh_flow_metrics() last computed them.';
COMMENT ON COLUMN vsm.flow_metrics.date IS 'First day of the period; weeks begin on Monday.';
COMMENT ON COLUMN vsm.flow_metrics.throughput IS 'Items finished in the period, each at its latest completion.';
COMMENT ON COLUMN vsm.flow_metrics.wip IS 'Time-weighted average of the items in progress; of a period that goes on, up to created_at.';
COMMENT ON COLUMN vsm.flow_metrics.cycle_time_avg IS 'Of the items finished in the period, by the stream''s reopen rule; exact.';
COMMENT ON COLUMN vsm.flow_metrics.cycle_time_p50 IS 'By percentile_disc from sketch, within 1 percent; so are the other two.';
COMMENT ON COLUMN vsm.flow_metrics.sketch IS 'Of the cycle times, for any percentile of any set of rows: vsm.rollup().';
COMMENT ON COLUMN vsm.flow_metrics.created_at IS 'When the row was computed.';
SELECT pg_extension_config_dump('vsm.flow_metrics', '');
SELECT pg_extension_config_dump('vsm.flow_metrics_id_seq', '');

CREATE FUNCTION vsm._starts(date date, time_zone text) RETURNS timestamptz
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN date::timestamp AT TIME ZONE time_zone;
COMMENT ON FUNCTION vsm._starts(date, text) IS 'The instant at which a day begins in a zone.';

-- An item is in progress from its creation to its completion; one that was reopened, as its moves say.  Each change of the
-- number of items in progress weighs the time that is left of its day, and whole days after it.
CREATE FUNCTION vsm._flow_days(of_stream text, first_day date, last_day date, bound timestamptz, time_zone text, rule text)
    RETURNS TABLE (date date, throughput bigint, wip numeric, cycle_time_avg interval, sketch vsm.interval_sketch)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH days AS (
        SELECT d::date AS date, vsm._starts(d::date, time_zone) AS since, least(bound, vsm._starts(d::date + 1, time_zone)) AS until
        FROM generate_series(first_day::timestamp, last_day::timestamp, '1 day') d),
    changes AS (
        SELECT w.created_at AS at, 1 AS change FROM vsm.work_items w
        WHERE w.stream = of_stream AND w.reopened = 0
          AND (w.completed_at IS NULL OR w.completed_at >= vsm._starts(first_day, time_zone))
        UNION ALL
        SELECT w.completed_at, -1 FROM vsm.work_items w
        WHERE w.stream = of_stream AND w.reopened = 0 AND w.completed_at >= vsm._starts(first_day, time_zone)
        UNION ALL
        SELECT t."timestamp", (s.category <> 'done')::integer - coalesce((f.category <> 'done')::integer, 0)
        FROM vsm.work_items w
        JOIN vsm.stage_transitions t ON t.work_item_id = w.id
        JOIN vsm.stages s ON s.id = t.to_stage_id
        LEFT JOIN vsm.stages f ON f.id = t.from_stage_id
        WHERE w.stream = of_stream AND w.reopened > 0
          AND (w.completed_at IS NULL OR w.completed_at >= vsm._starts(first_day, time_zone))),
    dated AS (
        SELECT greatest(first_day, (c.at AT TIME ZONE time_zone)::date) AS date,
               greatest(c.at, vsm._starts(first_day, time_zone)) AS at, c.change
        FROM changes c WHERE c.at < bound),
    areas AS (
        SELECT d.date, d.since, d.until, coalesce(sum(c.change), 0) AS change,
               coalesce(sum(c.change * vsm._elapsed_us(c.at, d.until)), 0) AS area
        FROM days d LEFT JOIN dated c ON c.date = d.date GROUP BY 1, 2, 3),
    completed AS (
        SELECT (c.completed_at AT TIME ZONE time_zone)::date AS date, count(*) AS throughput,
               vsm._interval(round(avg(c.cycle_us))::bigint) AS cycle_time_avg, vsm.percentile_agg(vsm._interval(c.cycle_us)) AS sketch
        FROM vsm._completed(of_stream, vsm._starts(first_day, time_zone), bound, rule, NULL) c GROUP BY 1)
    SELECT a.date, coalesce(c.throughput, 0),
           coalesce((a.area + vsm._elapsed_us(a.since, a.until) * (sum(a.change) OVER (ORDER BY a.date) - a.change))
                    / nullif(vsm._elapsed_us(a.since, a.until), 0), 0),
           c.cycle_time_avg, c.sketch
    FROM areas a LEFT JOIN completed c ON c.date = a.date;
END;
COMMENT ON FUNCTION vsm._flow_days(text, date, date, timestamptz, text, text) IS
    'Figures of days, as in vsm.flow_metrics; the last one up to bound. The stream was not there before first_day, or bound lies after it.';

CREATE FUNCTION vsm._flow_periods(of_stream text, period text, since date, until date, bound timestamptz, time_zone text)
    RETURNS TABLE (date date, throughput bigint, wip numeric, cycle_time_avg interval, sketch vsm.interval_sketch)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT p.date, sum(d.throughput)::bigint,
           sum(d.wip * vsm._elapsed_us(vsm._starts(d.date, time_zone), least(bound, vsm._starts(d.date + 1, time_zone))))
           / nullif(vsm._elapsed_us(vsm._starts(p.date, time_zone),
                                    least(bound, vsm._starts((p.date + ('1 ' || period)::interval)::date, time_zone))), 0),
           vsm._interval(round(sum(vsm._interval_us(d.cycle_time_avg)::numeric * vsm.num_vals(d.sketch))
                               / nullif(sum(vsm.num_vals(d.sketch)), 0))::bigint),
           vsm.rollup(d.sketch)
    FROM vsm.flow_metrics d CROSS JOIN LATERAL (SELECT date_trunc(period, d.date::timestamp)::date) p (date)
    WHERE d.stream = of_stream AND d.period_type = 'day'
      AND d.date >= date_trunc(period, since::timestamp) AND d.date < date_trunc(period, until::timestamp) + ('1 ' || period)::interval
    GROUP BY p.date;
END;
COMMENT ON FUNCTION vsm._flow_periods(text, text, date, date, timestamptz, text) IS
    'Figures of the weeks or months that hold days from since to until, rolled up from those of days in vsm.flow_metrics.';

CREATE FUNCTION vsm.refresh_flow_metrics(stream text DEFAULT 'default', since timestamptz DEFAULT '-infinity',
                                         until timestamptz DEFAULT clock_timestamp()) RETURNS bigint
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vsm_refresh_flow_metrics';

-- By src/on_behalf.c, as the owner: figures of a stream need all of its items.
CREATE FUNCTION vsm._refresh_flow_metrics(stream text, since timestamptz, until timestamptz) RETURNS bigint
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    present CONSTANT timestamptz := clock_timestamp();
    -- there is nothing before, and the days of year 1 are many
    earliest CONSTANT timestamptz := '1970-01-01 00:00:00+00';
    v CONSTANT vsm._window := vsm._window(stream, CASE WHEN isfinite(since) AND since < earliest THEN earliest ELSE since END,
                                          CASE WHEN isfinite(until) AND until < earliest AND until >= since THEN earliest
                                               ELSE least(until, present) END);
    -- whole weeks and months, as far as they begin in the window
    first_day CONSTANT date := date_trunc('week', date_trunc('month', v.since AT TIME ZONE v.time_zone))::date;
    last_day CONSTANT date := (v.until AT TIME ZONE v.time_zone)::date;
    born CONSTANT date := (SELECT min(w.created_at) FROM vsm.work_items w WHERE w.stream = v.stream) AT TIME ZONE v.time_zone;
    bound CONSTANT timestamptz := least(present, vsm._starts(last_day + 1, v.time_zone));
    period text;
    changed bigint;
    written bigint := 0;
BEGIN
    -- one refresh at a time; an advisory lock could be held by anybody
    LOCK TABLE vsm.flow_metrics IN SHARE ROW EXCLUSIVE MODE;
    FOREACH period IN ARRAY ARRAY['day', 'week', 'month'] LOOP
        WITH rows AS MATERIALIZED (
            SELECT d.* FROM vsm._flow_days(v.stream, greatest(first_day, born), last_day, bound, v.time_zone, v.reopen_rule) d
            WHERE period = 'day' AND born <= last_day
            UNION ALL
            SELECT p.* FROM vsm._flow_periods(v.stream, period, first_day, last_day, present, v.time_zone) p
            WHERE period <> 'day'
              AND (p.date >= first_day
                   OR EXISTS (SELECT FROM vsm.flow_metrics f WHERE (f.stream, f.period_type, f.date) = (v.stream, period, p.date)))),
        gone AS (
            DELETE FROM vsm.flow_metrics f
            WHERE f.stream = v.stream AND f.period_type = period
              AND f.date BETWEEN date_trunc(period, first_day::timestamp) AND last_day
              AND f.date NOT IN (SELECT r.date FROM rows r)      -- hashed, however few rows the planner expects
            RETURNING f.id),
        kept AS (
            INSERT INTO vsm.flow_metrics AS f (stream, date, period_type, throughput, wip, cycle_time_avg, cycle_time_p50,
                                               cycle_time_p85, cycle_time_p95, sketch, created_at)
            SELECT v.stream, r.date, period, r.throughput, r.wip, r.cycle_time_avg, vsm.approx_percentile(0.5, r.sketch),
                   vsm.approx_percentile(0.85, r.sketch), vsm.approx_percentile(0.95, r.sketch), r.sketch, present
            FROM rows r ORDER BY r.date
            ON CONFLICT ON CONSTRAINT flow_metrics_stream_period_type_date_key DO UPDATE
            SET throughput = excluded.throughput, wip = excluded.wip, cycle_time_avg = excluded.cycle_time_avg,
                cycle_time_p50 = excluded.cycle_time_p50, cycle_time_p85 = excluded.cycle_time_p85,
                cycle_time_p95 = excluded.cycle_time_p95, sketch = excluded.sketch, created_at = excluded.created_at
            -- one that went on when it was computed is computed anew; what is over and the same stays untouched
            WHERE f.created_at < vsm._starts((f.date + ('1 ' || period)::interval)::date, v.time_zone)
               OR (f.throughput, f.wip, f.cycle_time_avg) IS DISTINCT FROM (excluded.throughput, excluded.wip, excluded.cycle_time_avg)
               OR NOT coalesce(f.sketch OPERATOR(vsm.=) excluded.sketch, f.sketch IS NULL AND excluded.sketch IS NULL)
            RETURNING f.id)
        SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM kept) INTO changed;
        written := written + changed;
    END LOOP;
    RETURN written;
END $$;
COMMENT ON FUNCTION vsm._refresh_flow_metrics(text, timestamptz, timestamptz) IS 'The owner''s part of vsm.refresh_flow_metrics(). Errors: PT404, PT422.';
COMMENT ON FUNCTION vsm.refresh_flow_metrics(text, timestamptz, timestamptz) IS
    'Brings vsm.flow_metrics up to date for the days of a window, from the month in which it begins, and for the weeks and '
    'months that hold them; how many rows were written or removed. Figures that have not changed stay untouched, so it may run as '
    'often as one likes; after late imports, reopening or deletion it is to reach back as far as they do. Errors: PT404, PT422, 42501.';

------------------------------------------------------------------------------------------------------------------------
-- simulation
------------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION vsm.simulate(items integer DEFAULT 3000, days integer DEFAULT 90, seed bigint DEFAULT 1,
                             until timestamptz DEFAULT clock_timestamp())
    RETURNS TABLE (case_id text, stage text, entered_at timestamptz, type text, title text)
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_simulate';
COMMENT ON FUNCTION vsm.simulate(integer, integer, bigint, timestamptz) IS
    'Events of a simulated value stream over the default stages in the long form of vsm.import_events(): items that arrive '
    'over the days before until, wait, are worked on, sent back and reopened. The same arguments give the same rows. '
    'Errors: PT422.';

------------------------------------------------------------------------------------------------------------------------
-- forecast
------------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION vsm._forecast_days(samples bigint[], items integer, confidences integer[], trials integer, seed bigint) RETURNS bigint[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__forecast_days';
COMMENT ON FUNCTION vsm._forecast_days(bigint[], integer, integer[], integer, bigint) IS
    'In how many days that many items are done, at each confidence in percent; null: in more than ten years.';

CREATE FUNCTION vsm._forecast_items(samples bigint[], days integer, confidences integer[], trials integer, seed bigint) RETURNS bigint[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__forecast_items';
COMMENT ON FUNCTION vsm._forecast_items(bigint[], integer, integer[], integer, bigint) IS
    'How many items are done within that many days, at each confidence in percent.';

CREATE TYPE vsm.forecast_line AS (
    confidence integer,
    done_on date,
    items_done bigint,
    stream text,
    time_zone text,
    since date,
    until date,
    days_with_throughput bigint,
    finished bigint,
    trials integer,
    seed bigint
);
COMMENT ON TYPE vsm.forecast_line IS 'A row of vsm.forecast().';

-- Refuses what cannot be forecast.
CREATE FUNCTION vsm._check_forecast(items integer, until date, today date, history_days integer, trials integer) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF items IS NULL AND until IS NULL THEN
        RAISE EXCEPTION 'a forecast needs a question'
            USING ERRCODE = 'PT422', COLUMN = 'items', DETAIL = 'Neither items nor until is given.',
                  HINT = 'Give items to learn when they are done, until to learn how many are done by then, or both.';
    END IF;
    IF items NOT BETWEEN 1 AND 100000 THEN
        RAISE EXCEPTION 'the number of items to forecast is out of range'
            USING ERRCODE = 'PT422', COLUMN = 'items', DETAIL = format('It is %s.', items), HINT = 'Give a number from 1 to 100000.';
    END IF;
    IF until <= today OR until > today + 3653 THEN
        RAISE EXCEPTION 'the date to forecast for is out of range'
            USING ERRCODE = 'PT422', COLUMN = 'until', DETAIL = format('It is %s, and today is %s.', to_char(until, 'YYYY-MM-DD'), to_char(today, 'YYYY-MM-DD')),
                  HINT = 'Give a day after today, within ten years.';
    END IF;
    IF history_days IS NULL OR history_days NOT BETWEEN 5 AND 3653 THEN
        RAISE EXCEPTION 'the number of days to draw from is out of range'
            USING ERRCODE = 'PT422', COLUMN = 'history_days', DETAIL = format('It is %s.', coalesce(history_days::text, 'null')),
                  HINT = 'Give a number from 5 to 3653.';
    END IF;
    IF trials IS NULL OR trials NOT BETWEEN 100 AND 1000000 THEN
        RAISE EXCEPTION 'the number of trials is out of range'
            USING ERRCODE = 'PT422', COLUMN = 'trials', DETAIL = format('It is %s.', coalesce(trials::text, 'null')),
                  HINT = 'Give a number from 100 to 1000000.';
    END IF;
END $$;
COMMENT ON FUNCTION vsm._check_forecast(integer, date, date, integer, integer) IS 'Arguments of vsm.forecast(). Errors: PT422.';

CREATE FUNCTION vsm.forecast(items integer DEFAULT NULL, until date DEFAULT NULL, stream text DEFAULT 'default', type text DEFAULT NULL,
                             history_days integer DEFAULT 90, seed bigint DEFAULT 1, trials integer DEFAULT 10000,
                             at timestamptz DEFAULT clock_timestamp())
    RETURNS SETOF vsm.forecast_line
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 4 SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, '-infinity', at);
    today CONSTANT date := (at AT TIME ZONE v.time_zone)::date;
    -- whole days only, and none from before the stream's first item
    first_day CONSTANT date := greatest(today - history_days, (v.since AT TIME ZONE v.time_zone)::date);
    confidences CONSTANT integer[] := ARRAY[50, 70, 85, 95];
    samples bigint[] := '{}';
    productive bigint;
    days bigint[];
    counts bigint[];
BEGIN
    PERFORM vsm._check_forecast(items, until, today, history_days, trials);
    IF first_day < today THEN
        samples := ARRAY(SELECT b.items FROM vsm.throughput(stream, first_day::timestamp AT TIME ZONE v.time_zone,
                                                            today::timestamp AT TIME ZONE v.time_zone, 'day', type) b ORDER BY b.bucket);
    END IF;
    SELECT count(*) INTO productive FROM unnest(samples) s WHERE s > 0;
    IF productive < 5 THEN
        RAISE EXCEPTION 'there are too few days with throughput for a forecast'
            USING ERRCODE = 'PT422', DETAIL = format('Of the %s whole days before today, %s have one; a forecast needs 5.', cardinality(samples), productive),
                  HINT = 'Draw from more days (history_days), leave out the type, or wait.';
    END IF;
    days := vsm._forecast_days(samples, items, confidences, trials, coalesce(seed, 1));
    counts := vsm._forecast_items(samples, until - today, confidences, trials, coalesce(seed, 1));
    RETURN QUERY
    SELECT confidences[i], today + days[i]::integer, counts[i], v.stream, v.time_zone, first_day, today - 1, productive,
           (SELECT sum(s)::bigint FROM unnest(samples) s), trials, coalesce(seed, 1)
    FROM generate_subscripts(confidences, 1) i ORDER BY i;
END $$;
COMMENT ON FUNCTION vsm.forecast(integer, date, text, text, integer, bigint, integer, timestamptz) IS
    'Monte Carlo forecast from the stream''s daily throughput, at 50, 70, 85 and 95 %: done_on, the day by which that share of the '
    'trials had finished so many items (null: not within ten years), and items_done, the number that share had finished by the '
    'end of the day until. Each day from tomorrow on finishes as many items as a day drawn from since to until of the result: the '
    'last history_days whole days, but none before the stream''s first item. The same history and seed give the same forecast. '
    'Errors: PT404; PT422 arguments, fewer than 5 days with throughput.';

------------------------------------------------------------------------------------------------------------------------
-- api: schema vsm_api, what PostgREST serves and the gateway calls
--
-- A function takes plain SQL types by name and returns the JSON document of the answer; null means an argument's default.
-- The flow logic is that of schema vsm, with the caller's rights; here are names, shapes and the clients' words for what
-- is not found.  What is called often is plpgsql, which keeps its plans; a function in SQL is planned at every call.
------------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION vsm._rfc3339(at timestamptz) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
RETURN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
COMMENT ON FUNCTION vsm._rfc3339(timestamptz) IS 'A finite time in UTC with microseconds, whatever the session''s TimeZone.';

CREATE FUNCTION vsm._hours(duration interval) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN round(vsm._interval_us(duration) / 3600000000.0, 2);
COMMENT ON FUNCTION vsm._hours(interval) IS 'A duration in hours, to two decimals.';

CREATE FUNCTION vsm._known_stream(stream text) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted CONSTANT text := coalesce(stream, 'default');
BEGIN
    IF NOT EXISTS (SELECT FROM vsm.value_streams v WHERE v.name = wanted) THEN
        RAISE EXCEPTION 'Stream ''%'' not found', wanted
            USING ERRCODE = 'PT404', COLUMN = 'stream', DETAIL = 'There is no stream of that name; names are case-sensitive.',
                  HINT = 'vsm_api.streams() lists the streams.';
    END IF;
    RETURN wanted;
END $$;
COMMENT ON FUNCTION vsm._known_stream(text) IS 'The stream asked for, default when null. Errors: PT404.';

CREATE FUNCTION vsm._stream_for_item(stream text) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted CONSTANT text := coalesce(stream, 'default');
BEGIN
    IF NOT EXISTS (SELECT FROM vsm.value_streams v WHERE v.name = wanted)
       AND (wanted <> 'default' OR EXISTS (SELECT FROM vsm.value_streams)) THEN
        PERFORM vsm._known_stream(wanted);
    END IF;
    RETURN wanted;
END $$;
COMMENT ON FUNCTION vsm._stream_for_item(text) IS
    'The stream asked for, default when null; the first item of all brings that one into being. Errors: PT404.';

CREATE FUNCTION vsm._item_not_found(work_item_id bigint) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'Work item % not found', coalesce(work_item_id::text, 'null')
        USING ERRCODE = 'PT404', COLUMN = 'work_item_id', DETAIL = 'No work item has that id.', HINT = 'vsm_api.work_items() lists the items.';
END $$;
COMMENT ON FUNCTION vsm._item_not_found(bigint) IS 'Says so. Errors: PT404.';

CREATE FUNCTION vsm._stage_not_found(stream text, stage text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'Stage ''%'' not found', stage
        USING ERRCODE = 'PT404', COLUMN = 'to_stage', DETAIL = format('Stream ''%s'' has no stage of that name; names are case-sensitive.', stream),
              HINT = 'vsm_api.stages() lists the stages.';
END $$;
COMMENT ON FUNCTION vsm._stage_not_found(text, text) IS 'Says so. Errors: PT404.';

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
COMMENT ON FUNCTION vsm._check_limit(integer, integer) IS 'Refuses (PT422) a limit below 1 or above that.';

-- Work items as the answers show them; a filter on its text columns is one on the table's.
CREATE VIEW vsm._items_shown WITH (security_invoker = true) AS
SELECT w.id, w.external_id, w.stream, w.title, w.type, s.name AS current_stage,
       vsm._rfc3339(w.created_at) AS created_at, vsm._rfc3339(w.updated_at) AS updated_at,
       vsm._rfc3339(w.stage_entered_at) AS stage_entered_at,
       vsm._rfc3339(w.started_at) AS started_at, vsm._rfc3339(w.completed_at) AS completed_at
FROM vsm.work_items w LEFT JOIN vsm.stages s ON s.id = w.stage_id;
COMMENT ON VIEW vsm._items_shown IS 'Work items with their stages'' names, and times as texts in UTC.';

-- ---- Work items and their moves ----

CREATE FUNCTION vsm_api.create_work_item(title text, type text DEFAULT 'task', stream text DEFAULT 'default',
                                         external_id text DEFAULT NULL, at timestamptz DEFAULT NULL)
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
        item := vsm.create_work_item(title, of_type, of_stream, NULL, at);
    ELSE
        BEGIN
            item := vsm.create_work_item(title, of_type, of_stream, external_id, at);
        EXCEPTION WHEN unique_violation THEN
            GET STACKED DIAGNOSTICS violated = CONSTRAINT_NAME;
            IF violated <> 'work_items_external_id' THEN
                RAISE;
            END IF;
            RAISE EXCEPTION 'Work item with external id ''%'' exists already', external_id
                USING ERRCODE = 'PT409', COLUMN = 'external_id', CONSTRAINT = violated,
                      DETAIL = format('It is in stream ''%s''.', of_stream), HINT = 'Move or change that work item.';
        END;
    END IF;
    RETURN (SELECT row_to_json(r)
            FROM (SELECT item.id, item.title, item.type, vsm._rfc3339(item.created_at) AS created_at,
                         vsm._rfc3339(item.updated_at) AS updated_at,
                         (SELECT s.name FROM vsm.stages s WHERE s.id = item.stage_id) AS current_stage) r);
END $$;
COMMENT ON FUNCTION vsm_api.create_work_item(text, text, text, text, timestamptz) IS
    'Creates a work item in the first stage of its stream. Errors: PT404 stream; PT409 external_id there already; PT422 title, '
    'type or time refused.';

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
    FROM vsm.work_items w LEFT JOIN vsm.stages s ON s.stream = w.stream AND s.name = to_stage WHERE w.id = work_item_id;
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
                      FROM (SELECT h.id, history.work_item_id, h.from_stage, h.to_stage, vsm._rfc3339(h."timestamp") AS "timestamp"
                            FROM vsm.history(history.work_item_id) h) m) AS transitions) r);
END $$;
COMMENT ON FUNCTION vsm_api.history(bigint) IS 'The moves of a work item, oldest first. Errors: PT404 work item.';

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

-- Planned for the filters at hand: a page of few open items among many done ones is no walk over all of them.
CREATE FUNCTION vsm_api.work_items(stream text DEFAULT NULL, stage text DEFAULT NULL, type text DEFAULT NULL, open boolean DEFAULT NULL,
                                   "limit" integer DEFAULT 50, after bigint DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_variable
DECLARE
    size CONSTANT integer := coalesce("limit", 50);
    page json[];
BEGIN
    PERFORM vsm._check_limit(size, 500);
    IF stream IS NOT NULL THEN
        PERFORM vsm._known_stream(stream);
    END IF;
    -- one more than asked for tells whether more follow
    page := ARRAY(
        SELECT row_to_json(i) FROM vsm._items_shown i
        WHERE (stream IS NULL OR i.stream = stream) AND (stage IS NULL OR i.current_stage = stage) AND (type IS NULL OR i.type = type)
          AND (open IS NULL OR (i.completed_at IS NULL) = open) AND (after IS NULL OR i.id > after)
        ORDER BY i.id LIMIT size + 1);
    RETURN (SELECT row_to_json(r)
            FROM (SELECT page[:size] AS items, CASE WHEN cardinality(page) > size THEN (page[size] ->> 'id')::bigint END AS next) r);
END $$;
COMMENT ON FUNCTION vsm_api.work_items(text, text, text, boolean, integer, bigint) IS
    'A page of at most limit (1 to 500) work items in the order of their ids, of any stream, stage and type, open or finished; next: the '
    '"after" of the page that follows, null when there is none. Errors: PT404 stream; PT422 limit.';

CREATE FUNCTION vsm_api.delete_work_item(work_item_id bigint) RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    item json;
BEGIN
    -- as it was when nobody moves it any more
    PERFORM FROM vsm.work_items w WHERE w.id = delete_work_item.work_item_id FOR UPDATE;
    item := vsm_api.work_item(work_item_id);
    DELETE FROM vsm.work_items w WHERE w.id = delete_work_item.work_item_id;
    IF NOT FOUND THEN
        PERFORM vsm._item_not_found(work_item_id);
    END IF;
    RETURN item;
END $$;
COMMENT ON FUNCTION vsm_api.delete_work_item(bigint) IS
    'Deletes a work item with its history and answers the item as it was. Errors: PT404 work item.';

-- ---- Definitions ----

CREATE FUNCTION vsm_api.stages(stream text DEFAULT 'default') RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    rows CONSTANT json[] := ARRAY(
        SELECT row_to_json(r)
        FROM (SELECT s.id, s.name, s."order", s.type, s.category, s.wip_limit, s.description
              FROM vsm.stages s WHERE s.stream = coalesce(stages.stream, 'default') AND s.retired_at IS NULL
              ORDER BY s."order") r);
BEGIN
    IF cardinality(rows) = 0 THEN
        PERFORM vsm._known_stream(stages.stream);
    END IF;
    RETURN array_to_json(rows);
END $$;
COMMENT ON FUNCTION vsm_api.stages(text) IS 'The stages of a stream that are in use, in order. Errors: PT404 stream.';

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

-- Like the first work item, which needs no right on the definitions either.
CREATE FUNCTION vsm._prepare() RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vsm__prepare';
COMMENT ON FUNCTION vsm._prepare() IS
    'Defines the default stream and types when there is no stream yet, for whoever may create a work item. Errors: 42501.';

CREATE FUNCTION vsm_api.prepare() RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM vsm._prepare();
    RETURN vsm_api.streams();
END $$;
COMMENT ON FUNCTION vsm_api.prepare() IS
    'For the start of a service: defines the default stream and types when there is no stream yet, and answers the streams. Errors: 42501.';

-- ---- Figures ----

CREATE FUNCTION vsm_api.metrics(days integer DEFAULT 7, stream text DEFAULT 'default', type text DEFAULT NULL,
                                since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL, exact boolean DEFAULT true) RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of_stream CONSTANT text := vsm._known_stream(stream);
    ends CONSTANT timestamptz := coalesce(until, clock_timestamp());
    begins timestamptz;
BEGIN
    IF days NOT BETWEEN 1 AND 90 THEN
        RAISE EXCEPTION 'the number of days is out of range'
            USING ERRCODE = 'PT422', COLUMN = 'days', DETAIL = format('It is %s.', days), HINT = 'Give a number from 1 to 90.';
    END IF;
    begins := coalesce(since, ends - make_interval(hours => 24 * coalesce(days, 7)));
    RETURN (SELECT row_to_json(r)
            FROM (SELECT m.throughput, round(m.wip, 2) AS wip, vsm._hours(m.cycle_time_avg) AS cycle_time_avg,
                         vsm._hours(m.cycle_time_p50) AS cycle_time_p50, vsm._hours(m.cycle_time_p85) AS cycle_time_p85,
                         vsm._hours(m.cycle_time_p95) AS cycle_time_p95,
                         vsm._rfc3339(m.since) AS period_start, vsm._rfc3339(m.until) AS period_end,
                         vsm._hours(m.lead_time_avg) AS lead_time_avg, vsm._hours(m.lead_time_p50) AS lead_time_p50,
                         vsm._hours(m.lead_time_p85) AS lead_time_p85, vsm._hours(m.lead_time_p95) AS lead_time_p95,
                         round(m.flow_efficiency, 4) AS flow_efficiency, m.arrivals, m.wip_now, m.started_wip_now,
                         m.lead_time_n, m.cycle_time_n, m.finished_never_started, m.reopened, m.backward_moves,
                         m.stream, m.type, m.time_zone, m.reopen_rule AS rule, m.percentile_rule, m.percentile_error
                  FROM vsm.metrics(of_stream, begins, ends, metrics.type, NULL, metrics.exact) m) r);
END $$;
COMMENT ON FUNCTION vsm_api.metrics(integer, text, text, timestamptz, timestamptz, boolean) IS
    'Every flow figure of the last days (1 to 90, of 24 hours) up to until, or of since to until: times in hours to two decimals, '
    'wip the average over the window. rule: how reopened items count; percentile_error: 0, or that of a sketch unless exact. '
    'Errors: PT404 stream; PT422 days, window.';

CREATE FUNCTION vsm_api.wip(stream text DEFAULT NULL) RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF stream IS NOT NULL THEN
        PERFORM vsm._known_stream(stream);
    END IF;
    RETURN array_to_json(ARRAY(
        SELECT row_to_json(r)
        FROM (SELECT w.stream, w.stage, w."order", w.category, w.wip, w.wip_limit, w.source
              FROM vsm.wip w WHERE wip.stream IS NULL OR w.stream = wip.stream
              ORDER BY w.stream COLLATE "C", w."order") r));
END $$;
COMMENT ON FUNCTION vsm_api.wip(text) IS
    'Unfinished work items in each stage that is not done, now, with its limit; of one stream or all. Errors: PT404 stream.';

-- The window that an answer is about when it names none: the last 30 days.
CREATE FUNCTION vsm._shown_window(stream text, since timestamptz, until timestamptz) RETURNS vsm._window
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ends CONSTANT timestamptz := coalesce(until, clock_timestamp());
BEGIN
    RETURN vsm._window(vsm._known_stream(stream), coalesce(since, ends - interval '720 hours'), ends);
END $$;
COMMENT ON FUNCTION vsm._shown_window(text, timestamptz, timestamptz) IS
    'A window of a stream with its bounds made finite; by default the last 30 days. Errors: PT404, PT422.';

-- What both diagrams over time look like.
CREATE FUNCTION vsm._lines_shown(cumulative boolean, stream text, since timestamptz, until timestamptz, step interval, type text) RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._shown_window(stream, since, until);
    every CONSTANT interval := coalesce(step, '1 day');
BEGIN
    RETURN (SELECT row_to_json(r)
            FROM (SELECT v.stream, vsm._rfc3339(v.since) AS since, vsm._rfc3339(v.until) AS until,
                         ARRAY(SELECT s.name FROM vsm.stages s WHERE s.stream = v.stream ORDER BY s."order") AS stages,
                         ARRAY(SELECT row_to_json(p)
                               FROM (SELECT vsm._rfc3339(l.at) AS at, array_agg(l.items ORDER BY l.ordinality) AS values
                                     FROM (SELECT * FROM vsm.cumulative_flow(v.stream, v.since, v.until, every, _lines_shown.type)
                                                    WITH ORDINALITY WHERE cumulative
                                           UNION ALL
                                           SELECT * FROM vsm.occupancy(v.stream, v.since, v.until, every, _lines_shown.type)
                                                    WITH ORDINALITY WHERE NOT cumulative) l
                                     GROUP BY l.at ORDER BY l.at) p) AS points) r);
END $$;
COMMENT ON FUNCTION vsm._lines_shown(boolean, text, timestamptz, timestamptz, interval, text) IS
    'The answer of vsm_api.cumulative_flow() or occupancy(). Errors: PT404, PT422.';

CREATE FUNCTION vsm_api.cumulative_flow(stream text DEFAULT 'default', since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
                                        step interval DEFAULT '1 day', type text DEFAULT NULL)
    RETURNS json
    LANGUAGE sql STABLE PARALLEL RESTRICTED
RETURN vsm._lines_shown(true, stream, since, until, step, type);
COMMENT ON FUNCTION vsm_api.cumulative_flow(text, timestamptz, timestamptz, interval, text) IS
    'Cumulative flow diagram: at each point, for each stage in order, the items that have got there or further. Lines never fall. '
    'By default the last 30 days. Errors: PT404 stream; PT422 window or step.';

CREATE FUNCTION vsm_api.occupancy(stream text DEFAULT 'default', since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
                                  step interval DEFAULT '1 day', type text DEFAULT NULL)
    RETURNS json
    LANGUAGE sql STABLE PARALLEL RESTRICTED
RETURN vsm._lines_shown(false, stream, since, until, step, type);
COMMENT ON FUNCTION vsm_api.occupancy(text, timestamptz, timestamptz, interval, text) IS
    'At each point, for each stage in order, the items that are in it. By default the last 30 days. Errors: PT404 stream; PT422 '
    'window or step.';

CREATE FUNCTION vsm_api.throughput(stream text DEFAULT 'default', since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
                                   step text DEFAULT 'day', type text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._shown_window(stream, since, until);
    every CONSTANT text := coalesce(step, 'day');
BEGIN
    RETURN (SELECT row_to_json(r)
            FROM (SELECT v.stream, vsm._rfc3339(v.since) AS since, vsm._rfc3339(v.until) AS until, every AS step, throughput.type,
                         v.time_zone, v.reopen_rule AS rule,
                         ARRAY(SELECT row_to_json(b)
                               FROM (SELECT t.bucket AS start, t.items AS throughput
                                     FROM vsm.throughput(v.stream, v.since, v.bound, every, throughput.type) t ORDER BY t.bucket) b) AS buckets) r);
END $$;
COMMENT ON FUNCTION vsm_api.throughput(text, timestamptz, timestamptz, text, text) IS
    'Items finished per day, week (from Monday) or month of the stream''s time zone. start: the first day; the first and last may be '
    'cut by the window, by default the last 30 days. Errors: PT404 stream; PT422 window or step.';

CREATE FUNCTION vsm_api.time_in_stage(stream text DEFAULT 'default', since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
                                      type text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._shown_window(stream, since, until);
BEGIN
    RETURN array_to_json(ARRAY(
        SELECT row_to_json(r)
        FROM (SELECT t.stage, t.visits, vsm._hours(t.avg) AS avg, vsm._hours(t.p50) AS p50, vsm._hours(t.p85) AS p85,
                     vsm._hours(t.p95) AS p95, round(vsm._interval_us(t.avg) / 3600000000.0 * t.visits, 2) AS total,
                     t.items, vsm._hours(t.avg_per_item) AS avg_per_item, t.open_visits, vsm._hours(t.open_avg) AS open_avg
              FROM vsm.time_in_stage(v.stream, v.since, v.bound, time_in_stage.type) WITH ORDINALITY t
              ORDER BY t.ordinality) r));
END $$;
COMMENT ON FUNCTION vsm_api.time_in_stage(text, timestamptz, timestamptz, text) IS
    'Hours in each stage over the visits that ended in the window, by default the last 30 days: per visit, in total and per item; '
    'open_visits: items that are there now. Errors: PT404 stream; PT422 window.';

CREATE FUNCTION vsm_api.work_item_age(stream text DEFAULT 'default', type text DEFAULT NULL, "limit" integer DEFAULT 500) RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of_stream CONSTANT text := vsm._known_stream(stream);
BEGIN
    PERFORM vsm._check_limit("limit", 5000);
    RETURN array_to_json(ARRAY(
        SELECT row_to_json(r)
        FROM (SELECT a.work_item_id AS id, a.external_id, a.title, a.type, a.stage, vsm._hours(a.age) AS age_hours,
                     vsm._hours(a.time_in_stage) AS time_in_stage_hours, vsm._hours(a.age_since_creation) AS age_since_creation_hours
              FROM vsm.work_item_age(of_stream, work_item_age.type) WITH ORDINALITY a
              ORDER BY a.ordinality LIMIT coalesce(work_item_age."limit", 500)) r));
END $$;
COMMENT ON FUNCTION vsm_api.work_item_age(text, text, integer) IS
    'The oldest unfinished items, at most limit (1 to 5000), with their age since they were started; null: not started. '
    'Errors: PT404 stream; PT422 limit.';

CREATE FUNCTION vsm_api.flow_efficiency(stream text DEFAULT 'default', since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
                                        type text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._shown_window(stream, since, until);
BEGIN
    RETURN (SELECT row_to_json(r)
            FROM (SELECT round(vsm.flow_efficiency(v.stream, v.since, v.bound, flow_efficiency.type), 4) AS flow_efficiency,
                         round(sum(c.active_us) / 3600000000.0, 2) AS active_hours, round(sum(c.wait_us) / 3600000000.0, 2) AS wait_hours,
                         count(*) AS n, v.stream, vsm._rfc3339(v.since) AS since, vsm._rfc3339(v.until) AS until, flow_efficiency.type,
                         v.reopen_rule AS rule
                  FROM vsm._completed(v.stream, v.since, v.bound, v.reopen_rule, flow_efficiency.type) c) r);
END $$;
COMMENT ON FUNCTION vsm_api.flow_efficiency(text, timestamptz, timestamptz, text) IS
    'Active time / (active + wait time) between start and finish of the n items finished in the window, by default the last 30 '
    'days: a ratio of sums, 0 to 1. Errors: PT404 stream; PT422 window.';

CREATE FUNCTION vsm_api.cycle_times(stream text DEFAULT 'default', since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
                                    type text DEFAULT NULL, "limit" integer DEFAULT 5000)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._shown_window(stream, since, until);
BEGIN
    PERFORM vsm._check_limit("limit", 50000);
    RETURN (WITH done AS MATERIALIZED (
                SELECT * FROM vsm.completions(v.stream, v.since, v.bound, cycle_times.type) WITH ORDINALITY),
            summary AS (
                SELECT vsm._summary(vsm._interval_us(d.cycle_time), true) AS s FROM done d),
            latest AS (
                SELECT * FROM done d ORDER BY d.ordinality DESC LIMIT coalesce(cycle_times."limit", 5000))
            SELECT row_to_json(r)
            FROM (SELECT vsm._hours((m.s).p50) AS p50, vsm._hours((m.s).p85) AS p85, vsm._hours((m.s).p95) AS p95, (m.s).n,
                         ARRAY(SELECT row_to_json(p)
                               FROM (SELECT l.work_item_id AS id, l.title, l.type, vsm._rfc3339(l.completed_at) AS completed_at,
                                            vsm._hours(l.cycle_time) AS cycle_time_hours, vsm._hours(l.lead_time) AS lead_time_hours
                                     FROM latest l ORDER BY l.ordinality) p) AS points
                  FROM summary m) r);
END $$;
COMMENT ON FUNCTION vsm_api.cycle_times(text, timestamptz, timestamptz, text, integer) IS
    'Percentiles of the cycle time, in hours, of the n items that were started and finished in the window, by default the last 30 '
    'days, and the latest finished items, at most limit (1 to 50000), as points for a scatter plot. Errors: PT404 stream; PT422 '
    'window or limit.';

CREATE FUNCTION vsm_api.forecast(items integer DEFAULT NULL, until date DEFAULT NULL, stream text DEFAULT 'default',
                                 type text DEFAULT NULL, history_days integer DEFAULT 90, seed bigint DEFAULT 1)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lines CONSTANT vsm.forecast_line[] := ARRAY(
        SELECT f FROM vsm.forecast(items, until, vsm._known_stream(stream), type, coalesce(history_days, 90), coalesce(seed, 1)) f);
BEGIN
    RETURN (SELECT row_to_json(r)
            FROM (SELECT CASE WHEN forecast.items IS NOT NULL THEN (
                             SELECT row_to_json(w)
                             FROM (SELECT forecast.items, ARRAY(
                                       SELECT row_to_json(a) FROM (SELECT l.confidence, l.done_on FROM unnest(lines) l) a) AS at) w) END AS "when",
                         CASE WHEN forecast.until IS NOT NULL THEN (
                             SELECT row_to_json(h)
                             FROM (SELECT forecast.until, ARRAY(
                                       SELECT row_to_json(a) FROM (SELECT l.confidence, l.items_done AS items FROM unnest(lines) l) a) AS at) h) END AS how_many,
                         b.stream, forecast.type, b.time_zone, b.since AS history_since, b.until AS history_until,
                         b.days_with_throughput, b.finished, b.trials, b.seed
                  FROM unnest(lines[1:1]) b) r);
END $$;
COMMENT ON FUNCTION vsm_api.forecast(integer, date, text, text, integer, bigint) IS
    'When that many items will be done (when) and how many will be by the end of a day (how_many), at 50, 70, 85 and 95 % confidence: '
    'Monte Carlo over the stream''s daily throughput of the last history_days. done_on null: not within ten years. The same history '
    'and seed give the same forecast. Errors: PT404 stream; PT422 arguments, fewer than 5 days with throughput.';

-- ---- The service ----

CREATE FUNCTION vsm_api.version() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'vsm';
END;
COMMENT ON FUNCTION vsm_api.version() IS 'Version of the extension. Errors: none.';

-- Cheap and certain: a row of each table at most is read.  COPY loads a table or fails, so what a restore loses is all rows of one.
-- Who asks for health does not wait: a table that somebody has locked, a restore under way perhaps, is not judged.
CREATE FUNCTION vsm_api.health() RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '50ms'
AS $$
DECLARE
    items boolean;
    ledger boolean;
    stages boolean;
BEGIN
    BEGIN
        items := EXISTS (SELECT FROM vsm.work_items);
        ledger := EXISTS (SELECT FROM vsm.stage_transitions);
        stages := EXISTS (SELECT FROM vsm.stages);
    EXCEPTION WHEN lock_not_available THEN
        items := NULL;
    END;
    IF items <> ledger OR items AND NOT stages THEN
        RAISE EXCEPTION 'the tables do not belong together: rows are lost'
            USING ERRCODE = 'PT503',
                  DETAIL = format('There are %s in the ledger, %s and %s.', CASE WHEN ledger THEN 'moves' ELSE 'no moves' END,
                                  CASE WHEN items THEN 'work items' ELSE 'no work items' END,
                                  CASE WHEN stages THEN 'stages' ELSE 'no stages' END),
                  HINT = 'A restore has failed in part: look at its errors and restore again.';
    END IF;
    RETURN (SELECT row_to_json(h) FROM (SELECT true AS database_connected, vsm_api.version() AS version) h);
END $$;
COMMENT ON FUNCTION vsm_api.health() IS
    'That the database answers, and the extension''s version. Errors: PT503 all work items, moves or stages are missing.';

-- PostgREST answers "Accept: text/plain" with the bare text of a function that returns this.
CREATE DOMAIN vsm_api."text/plain" AS text;
COMMENT ON DOMAIN vsm_api."text/plain" IS 'Text that is an answer''s whole body.';

CREATE FUNCTION vsm._label(name text, value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN name || '="' || replace(replace(replace(value, '\', '\\'), '"', '\"'), E'\n', '\n') || '"';
COMMENT ON FUNCTION vsm._label(text, text) IS 'A label of a Prometheus sample.';

CREATE FUNCTION vsm._metric_family(name text, kind text, help text, samples text[]) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN format(E'# HELP %1$s %2$s\n# TYPE %1$s %3$s\n', name, help, kind)
       || CASE WHEN cardinality(samples) > 0 THEN name || array_to_string(samples, E'\n' || name) || E'\n' ELSE '' END;
COMMENT ON FUNCTION vsm._metric_family(text, text, text, text[]) IS
    'A family in Prometheus'' text format 0.0.4; a sample is what follows the name in its line.';

-- One reading of the totals for all three, so that they agree with each other.
CREATE FUNCTION vsm._metric_histograms(OUT time_in_stage text[], OUT cycle_time text[], OUT lead_time text[])
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT array_agg(l.line ORDER BY l.labels COLLATE "C", l.le, l.place) FILTER (WHERE l.histogram = 'time_in_stage'),
           array_agg(l.line ORDER BY l.labels COLLATE "C", l.le, l.place) FILTER (WHERE l.histogram = 'cycle_time'),
           array_agg(l.line ORDER BY l.labels COLLATE "C", l.le, l.place) FILTER (WHERE l.histogram = 'lead_time')
    INTO time_in_stage, cycle_time, lead_time
    FROM (SELECT b.histogram, b.labels, b.le, sample.place, sample.line
          FROM (SELECT h.histogram, h.le, sum(h.count) AS count, sum(h.sum) / h.unit AS sum, h.labels, h.unit
                FROM (SELECT f.histogram, f.le, f.count, f.sum, CASE f.histogram WHEN 'cycle_time' THEN 3600 ELSE 1 END AS unit,
                             vsm._label('stream', f.stream)
                             || CASE f.histogram WHEN 'time_in_stage' THEN ',' || vsm._label('stage', f.stage) ELSE '' END AS labels
                      FROM vsm.flow_histograms f) h
                GROUP BY h.histogram, h.labels, h.unit, h.le) b
          CROSS JOIN LATERAL (VALUES
              (1, format('_bucket{%s,le="%s"} %s', b.labels, CASE b.le WHEN 'Infinity' THEN '+Inf' ELSE (b.le / b.unit)::text END, b.count)),
              (2, CASE b.le WHEN 'Infinity' THEN format('_sum{%s} %s', b.labels, b.sum) END),
              (3, CASE b.le WHEN 'Infinity' THEN format('_count{%s} %s', b.labels, b.count) END)) sample (place, line)
          WHERE sample.line IS NOT NULL) l;
END $$;
COMMENT ON FUNCTION vsm._metric_histograms() IS
    'Samples of the histograms of vsm.flow_histograms: cycle_time in hours and lead_time by stream, time_in_stage by stream and stage.';

CREATE FUNCTION vsm_api.prometheus() RETURNS vsm_api."text/plain"
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    created text[];
    moves text[];
    histograms record;
BEGIN
    -- a stage may be called none
    SELECT array_agg(format('{%s,%s} %s', vsm._label('stream', t.stream), vsm._label('type', t.type), t.value)
                     ORDER BY t.stream COLLATE "C", t.type COLLATE "C") FILTER (WHERE t.total = 'work_items_created'),
           array_agg(format('{%s,%s,%s} %s', vsm._label('stream', t.stream), vsm._label('from_stage', t.from_stage),
                            vsm._label('to_stage', t.to_stage), t.value)
                     ORDER BY t.stream COLLATE "C", t.from_stage COLLATE "C", t.to_stage COLLATE "C")
               FILTER (WHERE t.total = 'stage_transitions')
    INTO created, moves
    FROM (SELECT f.total, f.stream, f.type, coalesce(f.from_stage, 'none') AS from_stage, f.to_stage, sum(f.value) AS value
          FROM vsm.flow_totals f GROUP BY 1, 2, 3, 4, 5) t;
    histograms := vsm._metric_histograms();
    RETURN vsm._metric_family('vsm_work_items_created_total', 'counter', 'Work items created.', created)
        || vsm._metric_family('vsm_stage_transitions_total', 'counter',
                              'Moves of work items by the stage left (none: created) and the stage entered.', moves)
        || vsm._metric_family('vsm_work_in_progress', 'gauge', 'Unfinished work items in each stage, now.', ARRAY(
               SELECT format('{%s,%s} %s', vsm._label('stream', w.stream), vsm._label('stage', w.stage), w.wip)
               FROM vsm.wip w ORDER BY w.stream COLLATE "C", w."order"))
        || vsm._metric_family('vsm_wip_limit', 'gauge', 'Work items that each stage with a limit may hold.', ARRAY(
               SELECT format('{%s,%s} %s', vsm._label('stream', s.stream), vsm._label('stage', s.name), s.wip_limit)
               FROM vsm.stages s WHERE s.wip_limit IS NOT NULL AND s.retired_at IS NULL ORDER BY s.stream COLLATE "C", s."order"))
        || vsm._metric_family('vsm_cycle_time_hours', 'histogram', 'Time from start to finish.', histograms.cycle_time)
        || vsm._metric_family('vsm_stage_cycle_time_seconds', 'histogram', 'Time in each stage, by visits that have ended.',
                              histograms.time_in_stage)
        || vsm._metric_family('vsm_lead_time_seconds', 'histogram', 'Time from creation to finish.', histograms.lead_time)
        || vsm._metric_family('vsm_throughput_per_day', 'gauge', 'Work items finished today, a day of the time zone of the stream.', ARRAY(
               SELECT format('{%s} %s', vsm._label('stream', v.name), (
                          SELECT sum(b.items)
                          FROM vsm.throughput(v.name, date_trunc('day', clock_timestamp(), v.time_zone), clock_timestamp()) b))
               FROM vsm.value_streams v ORDER BY v.name COLLATE "C"));
END $$;
COMMENT ON FUNCTION vsm_api.prometheus() IS
    'The totals, histograms and work in progress for Prometheus, in its text format 0.0.4. Where the server has counters it '
    'reads no ledger row, but for streams with the reopen rule episodes. It grows with streams, stages and types only. Errors: none.';

-- ---- A page ----

-- To a browser, which asks for text/html, PostgREST gives the bare text of a function that returns this.
CREATE DOMAIN vsm_api."text/html" AS text;
COMMENT ON DOMAIN vsm_api."text/html" IS 'A page that is an answer''s whole body.';

CREATE FUNCTION vsm._html(value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN replace(replace(replace(replace(value, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;');
COMMENT ON FUNCTION vsm._html(text) IS 'Text as it stands in a page.';

CREATE FUNCTION vsm._html_table(caption text, columns text[], rows json) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT format(E'<table>\n<caption>%s</caption>\n<tr>%s</tr>\n%s</table>\n', vsm._html(caption),
                  (SELECT string_agg('<th scope="col">' || vsm._html(c.name) || '</th>', '' ORDER BY c.n)
                   FROM unnest(columns) WITH ORDINALITY c (name, n)),
                  (SELECT string_agg('<tr>' || (SELECT string_agg('<td>' || coalesce(vsm._html(v.value), '&ndash;') || '</td>', '' ORDER BY v.n)
                                                FROM json_array_elements_text(r.value) WITH ORDINALITY v (value, n)) || E'</tr>\n', '' ORDER BY r.n)
                   FROM json_array_elements(rows) WITH ORDINALITY r (value, n)));
END;
COMMENT ON FUNCTION vsm._html_table(text, text[], json) IS 'A table of a page: rows is a list of lists of values, null a dash.';

CREATE FUNCTION vsm_api.report(stream text DEFAULT 'default', days integer DEFAULT 30) RETURNS vsm_api."text/html"
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    m CONSTANT json := vsm_api.metrics(days, stream);
BEGIN
    RETURN format(E'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n'
                  '<title>Flow of %1$s</title>\n<style>body { font: 16px sans-serif; margin: 2em auto; max-width: 50em; padding: 0 1em }'
                  ' table { border-collapse: collapse; margin: 2em 0; width: 100%% } caption { font-weight: bold; padding: .5em 0; text-align: left }'
                  ' th, td { border-bottom: 1px solid #ccc; padding: .3em .5em; text-align: right } th:first-child, td:first-child { text-align: left }'
                  '</style>\n</head>\n<body>\n<h1>Flow of %1$s</h1>\n<p>%2$s to %3$s, times in hours</p>\n',
                  vsm._html(m ->> 'stream'), m ->> 'period_start', m ->> 'period_end')
        || vsm._html_table('Items and times', ARRAY['', 'n', 'average', 'P50', 'P85', 'P95'], json_build_array(
               json_build_array('Throughput', m -> 'throughput', NULL, NULL, NULL, NULL),
               json_build_array('Arrivals', m -> 'arrivals', NULL, NULL, NULL, NULL),
               json_build_array('Work in progress', m -> 'wip_now', m -> 'wip', NULL, NULL, NULL),
               json_build_array('Cycle time', m -> 'cycle_time_n', m -> 'cycle_time_avg', m -> 'cycle_time_p50', m -> 'cycle_time_p85', m -> 'cycle_time_p95'),
               json_build_array('Lead time', m -> 'lead_time_n', m -> 'lead_time_avg', m -> 'lead_time_p50', m -> 'lead_time_p85', m -> 'lead_time_p95'),
               json_build_array('Flow efficiency', m -> 'throughput', round((m ->> 'flow_efficiency')::numeric * 100, 1) || ' %', NULL, NULL, NULL)))
        || vsm._html_table('Work in progress now', ARRAY['Stage', 'items', 'limit'], (
               SELECT json_agg(json_build_array(w.value -> 'stage', w.value -> 'wip', w.value -> 'wip_limit') ORDER BY w.n)
               FROM json_array_elements(vsm_api.wip(m ->> 'stream')) WITH ORDINALITY w (value, n)))
        || vsm._html_table('Time in stage, by visits that ended', ARRAY['Stage', 'n', 'average', 'P50', 'P85', 'P95'], (
               SELECT json_agg(json_build_array(t.value -> 'stage', t.value -> 'visits', t.value -> 'avg', t.value -> 'p50', t.value -> 'p85', t.value -> 'p95')
                               ORDER BY t.n)
               FROM json_array_elements(vsm_api.time_in_stage(m ->> 'stream', (m ->> 'period_start')::timestamptz, (m ->> 'period_end')::timestamptz))
                    WITH ORDINALITY t (value, n)))
        || vsm._html_table('The oldest items in progress', ARRAY['Item', 'title', 'type', 'stage', 'age', 'in this stage'], (
               SELECT json_agg(json_build_array(a.value -> 'id', a.value -> 'title', a.value -> 'type', a.value -> 'stage', a.value -> 'age_hours',
                                                a.value -> 'time_in_stage_hours') ORDER BY a.n)
               FROM json_array_elements(vsm_api.work_item_age(m ->> 'stream', NULL, 10)) WITH ORDINALITY a (value, n)))
        || E'</body>\n</html>\n';
END $$;
COMMENT ON FUNCTION vsm_api.report(text, integer) IS
    'A page of the flow of a stream in the last days (1 to 90), to Accept: text/html: figures, work in progress against limits, time in '
    'stage, the oldest items. Errors: PT404 stream; PT422 days.';

-- ---- Import ----

CREATE FUNCTION vsm_api.import_begin() RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS $$
BEGIN
    DROP TABLE IF EXISTS pg_temp.import_rows;
    CREATE TEMPORARY TABLE import_rows (case_id text, stage text, entered_at text, type text, title text) ON COMMIT DROP;
END $$;
COMMENT ON FUNCTION vsm_api.import_begin() IS
    'Makes the temporary table import_rows (case_id, stage, entered_at, type, title), all text, for the events that import_end() imports '
    'in the same transaction. Errors: 42501 no right to make temporary tables.';

CREATE FUNCTION vsm_api.import_end(stream text DEFAULT 'default', on_error text DEFAULT 'abort') RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of_stream CONSTANT text := vsm._stream_for_item(stream);
    before CONSTANT bigint := (SELECT coalesce(max(f.id), 0) FROM vsm.import_refusals f);
    result vsm.import_result;
BEGIN
    IF to_regclass('pg_temp.import_rows') IS NULL THEN
        RAISE EXCEPTION 'no import has begun'
            USING ERRCODE = 'PT422', DETAIL = 'There is no table import_rows in this transaction.', HINT = 'Call import_begin() first.';
    END IF;
    result := vsm.import_events(to_regclass('pg_temp.import_rows'), of_stream, on_error => coalesce(on_error, 'abort'));
    DROP TABLE pg_temp.import_rows;
    RETURN (SELECT row_to_json(r)
            FROM (SELECT result.items, result.transitions, result.merged, result.skipped, result.refused AS refused_count,
                         ARRAY(SELECT row_to_json(f)
                               FROM (SELECT i.case_id, i.stage, i.entered_at, i.reason FROM vsm.import_refusals i
                                     WHERE i.id > before AND i.refused_at = now() ORDER BY i.id LIMIT 20) f) AS refused) r);
END $$;
COMMENT ON FUNCTION vsm_api.import_end(text, text) IS
    'Imports the rows of import_rows into a stream and counts what became of them; refused: the first 20 rows that on_error => skip left '
    'out, with the reason. Errors: PT404 stream; PT422 stages, types or rows refused.';

-- Quoted fields may hold commas, line ends and doubled quotes (RFC 4180); a blank line is no row.
CREATE FUNCTION vsm._read_csv(content text) RETURNS TABLE (place bigint, fields text[])
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    field CONSTANT text := '("(?:[^"]|"")*"|[^",\r\n]*)(,|\r\n|\n|\r|$)';
BEGIN
    IF (SELECT coalesce(sum(length(m[1]) + length(m[2])), 0) FROM regexp_matches(content, field, 'g') m) <> length(content) THEN
        RAISE EXCEPTION 'the text is not CSV'
            USING ERRCODE = 'PT422', COLUMN = 'content', DETAIL = 'A quote is not closed, or stands in a field that has none around it.',
                  HINT = 'Put fields with commas, quotes or line ends in quotes, and double the quotes in them.';
    END IF;
    RETURN QUERY
    SELECT f.row, array_agg(CASE WHEN starts_with(f.value, '"') THEN replace(substr(f.value, 2, length(f.value) - 2), '""', '"')
                                 ELSE f.value END ORDER BY f.n)
    FROM (SELECT m.n, m.found[1] AS value, 1 + count(*) FILTER (WHERE m.found[2] <> ',') OVER before AS row
          FROM regexp_matches(content, field, 'g') WITH ORDINALITY m (found, n)
          WINDOW before AS (ORDER BY m.n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) f
    GROUP BY f.row HAVING count(*) > 1 OR max(f.value) <> ''
    ORDER BY f.row;
END $$;
COMMENT ON FUNCTION vsm._read_csv(text) IS 'The rows of a text in CSV. Errors: PT422.';

CREATE FUNCTION vsm._import_csv(content text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    csv CONSTANT text := ltrim(content, U&'\FEFF\000A\000D');        -- a byte order mark is none of the first name
    header CONSTANT text[] := (SELECT c.fields FROM vsm._read_csv(split_part(csv, E'\n', 1)) c ORDER BY c.place LIMIT 1);
    missing CONSTANT text := (
        SELECT string_agg(format('"%s"', w.name), ', ' ORDER BY w.place)
        FROM unnest(ARRAY['case_id', 'stage', 'entered_at']) WITH ORDINALITY w (name, place)
        WHERE array_position(header, w.name) IS NULL);
BEGIN
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'the CSV lacks columns'
            USING ERRCODE = 'PT422', COLUMN = 'content', DETAIL = format('Its first line does not name %s.', missing),
                  HINT = 'Name the columns in the first line: case_id,stage,entered_at and, as needed, type and title.';
    END IF;
    INSERT INTO pg_temp.import_rows
    SELECT c.fields[array_position(header, 'case_id')], c.fields[array_position(header, 'stage')],
           c.fields[array_position(header, 'entered_at')], c.fields[array_position(header, 'type')],
           c.fields[array_position(header, 'title')]
    FROM vsm._read_csv(csv) c WHERE c.place > 1 ORDER BY c.place;
END $$;
COMMENT ON FUNCTION vsm._import_csv(text) IS 'Fills import_rows from CSV with a header. Errors: PT422.';

CREATE FUNCTION vsm._import_json(events json[]) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO pg_temp.import_rows
    SELECT e.event ->> 'case_id', e.event ->> 'stage', e.event ->> 'entered_at', e.event ->> 'type', e.event ->> 'title'
    FROM unnest(events) WITH ORDINALITY e (event, place) ORDER BY e.place;
END $$;
COMMENT ON FUNCTION vsm._import_json(json[]) IS 'Fills import_rows from objects.';

CREATE FUNCTION vsm_api.import(content text, format text DEFAULT 'csv', stream text DEFAULT 'default', on_error text DEFAULT 'abort')
    RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    events json[];
BEGIN
    PERFORM vsm_api.import_begin();
    CASE coalesce(import.format, 'csv')
    WHEN 'csv' THEN
        PERFORM vsm._import_csv(coalesce(content, ''));
    WHEN 'ndjson' THEN
        BEGIN
            events := ARRAY(SELECT l.line::json FROM regexp_split_to_table(coalesce(content, ''), '[\r\n]+') WITH ORDINALITY l (line, place)
                            WHERE l.line ~ '\S' ORDER BY l.place);
        EXCEPTION WHEN data_exception THEN
            RAISE EXCEPTION 'the text is not NDJSON'
                USING ERRCODE = 'PT422', COLUMN = 'content', DETAIL = upper(left(sqlerrm, 1)) || substr(sqlerrm, 2) || '.',
                      HINT = 'Give one JSON object a line: {"case_id":"A-1","stage":"Backlog","entered_at":"2026-01-05T09:00:00Z"}.';
        END;
        PERFORM vsm._import_json(events);
    ELSE
        RAISE EXCEPTION 'format cannot be "%"', import.format
            USING ERRCODE = 'PT422', COLUMN = 'format', DETAIL = 'It says how to read the content.', HINT = 'Give csv or ndjson.';
    END CASE;
    RETURN vsm_api.import_end(stream, on_error);
END $$;
COMMENT ON FUNCTION vsm_api.import(text, text, text, text) IS
    'Imports entries into stages, in any order and again as often as you like. content: CSV with the columns case_id, stage, entered_at '
    'and, as needed, type and title named in its first line, or NDJSON, an object with these keys a line. on_error: abort, or '
    'skip rows that cannot be imported. Errors: PT404 stream; PT422 content, stages, types or rows refused.';

-- The parameter has no name, so PostgREST hands it the whole body.
CREATE FUNCTION vsm_api.import_events(json) RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    is_list CONSTANT boolean := json_typeof($1) = 'array';
    events CONSTANT json := CASE WHEN is_list THEN $1 WHEN json_typeof($1) = 'object' THEN $1 -> 'events' END;
BEGIN
    IF json_typeof(events) IS DISTINCT FROM 'array' THEN
        RAISE EXCEPTION 'the body has no list of events'
            USING ERRCODE = 'PT422', COLUMN = 'events', DETAIL = 'It is neither an array nor an object with the key "events" and an array.',
                  HINT = 'For example [{"case_id":"A-1","stage":"Backlog","entered_at":"2026-01-05T09:00:00Z"}].';
    END IF;
    PERFORM vsm_api.import_begin();
    PERFORM vsm._import_json(ARRAY(SELECT e.value FROM json_array_elements(events) WITH ORDINALITY e ORDER BY e.ordinality));
    RETURN vsm_api.import_end(CASE WHEN NOT is_list THEN $1 ->> 'stream' END, CASE WHEN NOT is_list THEN $1 ->> 'on_error' END);
END $$;
COMMENT ON FUNCTION vsm_api.import_events(json) IS
    'Imports entries into stages from a JSON body: an array of {"case_id", "stage", "entered_at", "type", "title"}, or {"stream", '
    '"on_error", "events": [...]}. Errors: PT404 stream; PT422 stages, types or rows refused.';

-- ---- Views: with the caller's rights, as tables to PostgREST ----

CREATE VIEW vsm_api.streams WITH (security_invoker = true) AS
SELECT v.id, v.name, v.time_zone, v.commitment_stage, v.reopen_rule, v.created_at FROM vsm.value_streams v;
COMMENT ON VIEW vsm_api.streams IS 'Value streams: an order of stages that work items move through.';

CREATE VIEW vsm_api.stages WITH (security_invoker = true) AS
SELECT s.id, s.stream, s.name, s."order", s.type, s.category, s.wip_limit, s.description, s.created_at, s.retired_at FROM vsm.stages s;
COMMENT ON VIEW vsm_api.stages IS 'Stages of the value streams; those with retired_at take no new entries.';

CREATE VIEW vsm_api.work_items WITH (security_invoker = true) AS
SELECT w.id, w.external_id, w.stream, w.title, w.type, s.name AS current_stage, w.created_at, w.updated_at, w.stage_entered_at,
       w.started_at, w.completed_at
FROM vsm.work_items w LEFT JOIN vsm.stages s ON s.id = w.stage_id;
ALTER VIEW vsm_api.work_items ALTER stream SET DEFAULT 'default', ALTER type SET DEFAULT 'task';
COMMENT ON VIEW vsm_api.work_items IS
    'Work items. A change of current_stage moves the item and is recorded, as every move is; the columns after it are computed, but '
    'created_at may be given for a new item.';
COMMENT ON COLUMN vsm_api.work_items.external_id IS 'Id of the item in another system; unique in its stream.';
COMMENT ON COLUMN vsm_api.work_items.current_stage IS 'Name of the stage the item is in; write it to move the item.';
COMMENT ON COLUMN vsm_api.work_items.created_at IS 'First transition; may be given for a new item, from 1970 on, up to 5 minutes ahead.';
COMMENT ON COLUMN vsm_api.work_items.updated_at IS 'Last change of the item.';
COMMENT ON COLUMN vsm_api.work_items.stage_entered_at IS 'Last transition.';
COMMENT ON COLUMN vsm_api.work_items.started_at IS 'When work on the item began; null: not started.';
COMMENT ON COLUMN vsm_api.work_items.completed_at IS 'When the item was finished; null: it is not.';

CREATE VIEW vsm_api.wip WITH (security_invoker = true) AS
SELECT w.stream, w.stage, w."order", w.category, w.wip, w.wip_limit, w.source FROM vsm.wip w;
COMMENT ON VIEW vsm_api.wip IS 'Work in progress now: unfinished items in each stage that is not done, with its limit.';

-- What may be written and what not, the table's triggers say.
CREATE FUNCTION vsm._shown_item_written() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    item_id bigint;
    stage_id bigint;
BEGIN
    IF tg_relid <> 'vsm_api.work_items'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'view vsm_api.work_items');
    END IF;
    IF tg_op = 'DELETE' THEN
        DELETE FROM vsm.work_items w WHERE w.id = old.id;
        RETURN CASE WHEN FOUND THEN old END;
    ELSIF tg_op = 'INSERT' THEN
        PERFORM vsm._stream_for_item(new.stream);
        IF new.current_stage IS NOT NULL THEN
            SELECT s.id INTO stage_id FROM vsm.stages s WHERE s.stream = new.stream AND s.name = new.current_stage;
            IF NOT FOUND THEN
                PERFORM vsm._stage_not_found(new.stream, new.current_stage);
            END IF;
        END IF;
        INSERT INTO vsm.work_items AS w (id, external_id, stream, title, type, created_at, updated_at, stage_id, stage_entered_at,
                                         started_at, completed_at)
        VALUES (coalesce(new.id, nextval('vsm.work_items_id_seq')), new.external_id, new.stream, new.title, new.type, new.created_at,
                new.updated_at, stage_id, new.stage_entered_at, new.started_at, new.completed_at)
        RETURNING w.id INTO item_id;
    ELSE
        item_id := old.id;
        IF (new.id, new.stream, new.created_at, new.stage_entered_at, new.started_at, new.completed_at)
           IS DISTINCT FROM (old.id, old.stream, old.created_at, old.stage_entered_at, old.started_at, old.completed_at) THEN
            UPDATE vsm.work_items w
            SET id = new.id, stream = new.stream, created_at = new.created_at, stage_entered_at = new.stage_entered_at,
                started_at = new.started_at, completed_at = new.completed_at
            WHERE w.id = item_id;
        END IF;
        -- what others change meanwhile is left alone
        IF (new.external_id, new.title, new.type) IS DISTINCT FROM (old.external_id, old.title, old.type) THEN
            UPDATE vsm.work_items w
            SET external_id = CASE WHEN new.external_id IS DISTINCT FROM old.external_id THEN new.external_id ELSE w.external_id END,
                title = CASE WHEN new.title IS DISTINCT FROM old.title THEN new.title ELSE w.title END,
                type = CASE WHEN new.type IS DISTINCT FROM old.type THEN new.type ELSE w.type END
            WHERE w.id = item_id;
        END IF;
        IF new.current_stage IS DISTINCT FROM old.current_stage THEN
            PERFORM vsm_api.transition(item_id, new.current_stage);
        END IF;
    END IF;
    SELECT i.* INTO new FROM vsm_api.work_items i WHERE i.id = item_id;
    RETURN CASE WHEN FOUND THEN new END;
END $$;
COMMENT ON FUNCTION vsm._shown_item_written() IS 'Writes through vsm_api.work_items.';
CREATE TRIGGER written INSTEAD OF INSERT OR UPDATE OR DELETE ON vsm_api.work_items
    FOR EACH ROW EXECUTE FUNCTION vsm._shown_item_written();

------------------------------------------------------------------------------------------------------------------------
-- access: nobody but the owner uses the schemas; vsm.grant_access() gives a role what it needs, of all streams or of some
--
-- What runs with the caller's rights is safe for anybody and keeps PUBLIC's right to execute it.  Nothing that has the
-- owner's rights (SECURITY DEFINER) is granted: triggers call it, and src/on_behalf.c.
--
-- Row policies hold a role to its streams, in every query on the tables and in what reads them: functions, views, vsm_api.
-- Who is not limited by vsm.stream_access passes them with one comparison.
------------------------------------------------------------------------------------------------------------------------

-- on_table: on which one needs the right oneself when one is not limited, lest a view of a limited role opens all streams.
CREATE FUNCTION vsm._may_see(stream text, on_table regclass) RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__may_see';
COMMENT ON FUNCTION vsm._may_see(text, regclass) IS 'May the current user see the stream? Null: all streams? Errors: 42501.';
CREATE FUNCTION vsm._may_see_stage(stage_id bigint, on_table regclass) RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__may_see_stage';
COMMENT ON FUNCTION vsm._may_see_stage(bigint, regclass) IS 'May the current user see the stream of the stage? Errors: 42501.';
CREATE FUNCTION vsm._may_write(stream text, on_table regclass) RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__may_write';
COMMENT ON FUNCTION vsm._may_write(text, regclass) IS
    'May the current user write work items of the stream? Null: of all streams? Errors: 42501.';
CREATE FUNCTION vsm._may_define(stream text, on_table regclass) RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__may_define';
COMMENT ON FUNCTION vsm._may_define(text, regclass) IS
    'May the current user define the stream and its stages? Null: all streams, and types? Errors: 42501.';
CREATE FUNCTION vsm._has_rights_of(role name) RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__has_rights_of';
COMMENT ON FUNCTION vsm._has_rights_of(name) IS 'Has the current user the rights of that role? False when there is no such role.';

ALTER TABLE vsm.work_items ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm.work_items FOR SELECT USING (vsm._may_see(stream, 'vsm.work_items'));
CREATE POLICY added ON vsm.work_items FOR INSERT WITH CHECK (vsm._may_write(stream, 'vsm.work_items'));
-- an item never changes its stream, so there is nothing more to check: each expression costs a move about 1 %
CREATE POLICY changed ON vsm.work_items FOR UPDATE USING (vsm._may_write(stream, 'vsm.work_items')) WITH CHECK (true);
CREATE POLICY deleted ON vsm.work_items FOR DELETE USING (vsm._may_write(stream, 'vsm.work_items'));

ALTER TABLE vsm.stage_transitions ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm.stage_transitions FOR SELECT USING (vsm._may_see_stage(to_stage_id, 'vsm.stage_transitions'));

ALTER TABLE vsm.import_refusals ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON vsm.import_refusals USING (imported_by = current_user AND vsm._may_see(stream, 'vsm.import_refusals'));

ALTER TABLE vsm.flow_metrics ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm.flow_metrics FOR SELECT USING (vsm._may_see(stream, 'vsm.flow_metrics'));
CREATE POLICY added ON vsm.flow_metrics FOR INSERT WITH CHECK (vsm._may_write(stream, 'vsm.flow_metrics'));
CREATE POLICY changed ON vsm.flow_metrics FOR UPDATE USING (vsm._may_write(stream, 'vsm.flow_metrics'));
CREATE POLICY deleted ON vsm.flow_metrics FOR DELETE USING (vsm._may_write(stream, 'vsm.flow_metrics'));

ALTER TABLE vsm.value_streams ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm.value_streams FOR SELECT USING (vsm._may_see(name, 'vsm.value_streams'));
CREATE POLICY added ON vsm.value_streams FOR INSERT WITH CHECK (vsm._may_define(name, 'vsm.value_streams'));
CREATE POLICY changed ON vsm.value_streams FOR UPDATE USING (vsm._may_define(name, 'vsm.value_streams'));
CREATE POLICY deleted ON vsm.value_streams FOR DELETE USING (vsm._may_define(name, 'vsm.value_streams'));

ALTER TABLE vsm.stages ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm.stages FOR SELECT USING (vsm._may_see(stream, 'vsm.stages'));
CREATE POLICY added ON vsm.stages FOR INSERT WITH CHECK (vsm._may_define(stream, 'vsm.stages'));
CREATE POLICY changed ON vsm.stages FOR UPDATE USING (vsm._may_define(stream, 'vsm.stages'));
CREATE POLICY deleted ON vsm.stages FOR DELETE USING (vsm._may_define(stream, 'vsm.stages'));

ALTER TABLE vsm.work_item_types ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm.work_item_types FOR SELECT USING (true);
CREATE POLICY added ON vsm.work_item_types FOR INSERT WITH CHECK (vsm._may_define(NULL, 'vsm.work_item_types'));
CREATE POLICY changed ON vsm.work_item_types FOR UPDATE USING (vsm._may_define(NULL, 'vsm.work_item_types'));
CREATE POLICY deleted ON vsm.work_item_types FOR DELETE USING (vsm._may_define(NULL, 'vsm.work_item_types'));

ALTER TABLE vsm.stream_access ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON vsm.stream_access FOR SELECT USING (vsm._has_rights_of(role));

-- the names of types that are gone are nobody's secret
ALTER TABLE vsm._totals_kept ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm._totals_kept FOR SELECT
    USING (kind = 2 AND a = 0 OR vsm._may_see_stage(CASE WHEN kind = 3 AND a = 0 THEN b ELSE a END, 'vsm._totals_kept'));

-- What a level needs on tables, views and sequences, as GRANT or REVOKE have it.
CREATE FUNCTION vsm._rights_of_level(level text) RETURNS SETOF text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT r.rights FROM (VALUES
        ('reader', 'USAGE ON SCHEMA vsm, vsm_api'),
        ('reader', 'SELECT ON vsm.value_streams, vsm.stages, vsm._stages, vsm.work_item_types, vsm.work_items, vsm.stage_transitions,'
                   ' vsm.wip, vsm.flow_totals, vsm.flow_histograms, vsm.flow_metrics, vsm.stream_access, vsm._items_shown,'
                   ' vsm_api.streams, vsm_api.stages, vsm_api.work_items, vsm_api.wip'),
        ('reader', 'SELECT (type) ON vsm._totals_kept'),
        ('writer', 'INSERT, UPDATE, DELETE ON vsm.work_items, vsm_api.work_items'),
        ('writer', 'INSERT (stream, date, period_type, throughput, wip, cycle_time_avg, cycle_time_p50, cycle_time_p85, cycle_time_p95, sketch,'
                   ' created_at), UPDATE (throughput, wip, cycle_time_avg, cycle_time_p50, cycle_time_p85, cycle_time_p95, sketch,'
                   ' created_at), DELETE ON vsm.flow_metrics'),
        ('writer', 'USAGE ON SEQUENCE vsm.work_items_id_seq, vsm.flow_metrics_id_seq'),
        ('writer', 'SELECT, DELETE ON vsm.import_refusals'),
        ('admin', 'INSERT, UPDATE, DELETE ON vsm.value_streams, vsm.stages, vsm.work_item_types, vsm_api.streams, vsm_api.stages'),
        ('admin', 'SELECT ON vsm._totals_kept'),
        ('admin', 'USAGE ON SEQUENCE vsm.value_streams_id_seq, vsm.stages_id_seq, vsm.work_item_types_id_seq')) r (level, rights)
    WHERE array_position(ARRAY['reader', 'writer', 'admin'], r.level) <= array_position(ARRAY['reader', 'writer', 'admin'], _rights_of_level.level);
END;
COMMENT ON FUNCTION vsm._rights_of_level(text) IS 'Rights that vsm.grant_access() gives at a level: reader, writer or admin.';

-- By src/access_rights.c, as the owner of the schemas: a grant by the tables' owner, who has grant options on schemas and
-- views, would be his in a dump as well, and fail where another role restores it.
CREATE FUNCTION vsm._require_owner() RETURNS void
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'vsm__require_owner';
COMMENT ON FUNCTION vsm._require_owner() IS 'Refuses whoever lacks the rights of the tables'' owner. Errors: 42501.';
CREATE FUNCTION vsm._grant_rights(role regrole, level text) RETURNS void
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'vsm__grant_rights';
COMMENT ON FUNCTION vsm._grant_rights(regrole, text) IS 'Gives a role the rights of a level, for the tables'' owner. Errors: PT422, 42501, 42704.';
CREATE FUNCTION vsm._revoke_rights(role regrole, kept_level text) RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vsm__revoke_rights';
COMMENT ON FUNCTION vsm._revoke_rights(regrole, text) IS
    'Takes from a role the rights that the level does not have; null: all. For the tables'' owner. Errors: PT422, 42501, 42704.';

CREATE FUNCTION vsm.grant_access(role regrole, level text, stream text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF level IS NULL OR level NOT IN ('reader', 'writer', 'admin') THEN
        RAISE EXCEPTION 'access level "%" is not known', level
            USING ERRCODE = 'PT422', DETAIL = 'A level is a set of rights on the extension''s objects.',
                  HINT = 'Give reader, writer or admin.';
    END IF;
    PERFORM vsm._require_owner();
    IF stream IS NOT NULL AND NOT EXISTS (SELECT FROM vsm.value_streams v WHERE v.name = grant_access.stream) THEN
        RAISE EXCEPTION 'stream "%" not found', stream
            USING ERRCODE = 'PT404', DETAIL = 'There is no stream of that name; names are case-sensitive.',
                  HINT = 'vsm.define_stream() defines one.';
    END IF;
    INSERT INTO vsm.stream_access AS a (role, stream, level)
    VALUES (pg_get_userbyid(grant_access.role), grant_access.stream, grant_access.level)
    ON CONFLICT ON CONSTRAINT stream_access_role_stream_key DO UPDATE SET level = excluded.level, granted_at = now()
    WHERE a.level <> excluded.level;
    PERFORM vsm._grant_rights(role, level);
END $$;
COMMENT ON FUNCTION vsm.grant_access(regrole, text, text) IS
    'Gives a role what it needs. level: reader: tables and figures; writer: also creates, moves, deletes and imports items; admin: '
    'also defines streams, stages and types. stream: only of that stream (and its stages; types are for admins of all streams); '
    'several calls give several streams. Null: all streams. Given again for the same stream, the level is the new one. Only the '
    'tables'' owner may. Errors: PT422 level; PT404 stream; 42501.';

CREATE FUNCTION vsm.revoke_access(role regrole, stream text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    left_level text;
BEGIN
    PERFORM vsm._require_owner();
    DELETE FROM vsm.stream_access a
    WHERE a.role = pg_get_userbyid(revoke_access.role) AND (a.stream = revoke_access.stream OR revoke_access.stream IS NULL);
    IF NOT FOUND AND stream IS NOT NULL THEN
        RAISE EXCEPTION 'role "%" has no access of its own to stream "%"', pg_get_userbyid(role), stream
            USING ERRCODE = 'PT404', DETAIL = 'vsm.stream_access has no such row.',
                  HINT = 'Where it sees the stream by a grant on all streams or by another role, revoke that.';
    END IF;
    SELECT a.level INTO left_level FROM vsm.stream_access a WHERE a.role = pg_get_userbyid(revoke_access.role)
    ORDER BY array_position(ARRAY['admin', 'writer', 'reader'], a.level) LIMIT 1;
    PERFORM vsm._revoke_rights(role, left_level);
END $$;
COMMENT ON FUNCTION vsm.revoke_access(regrole, text) IS
    'Takes back what vsm.grant_access() gave a role: its access to the stream, or with null all of it. What it has by other roles '
    'it keeps. Only the tables'' owner may. Errors: PT404 the role has no row for the stream; 42501.';

------------------------------------------------------------------------------------------------------------------------
-- owners
------------------------------------------------------------------------------------------------------------------------

-- Tables and what runs with the owner's rights belong to who created the extension, who may be no superuser.  All else stays the
-- superuser's who ran this script: whoever owned it could change what a superuser calls or reads, or what a C function is given.
DO $$
DECLARE
    object record;
BEGIN
    FOR object IN
        SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind, c.oid::regclass::text AS name
        FROM pg_class c WHERE c.relnamespace IN ('vsm'::regnamespace, 'vsm_api'::regnamespace) AND c.relkind IN ('r', 'v')
        UNION ALL
        SELECT 'FUNCTION', p.oid::regprocedure::text
        FROM pg_proc p WHERE p.pronamespace IN ('vsm'::regnamespace, 'vsm_api'::regnamespace) AND p.prosecdef
    LOOP
        IF object.kind = 'VIEW' THEN
            EXECUTE format('GRANT ALL ON %s TO @extowner@ WITH GRANT OPTION', object.name);
            CONTINUE;
        ELSIF object.kind = 'FUNCTION' THEN
            EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', object.name);
        END IF;
        EXECUTE format('ALTER %s %s OWNER TO @extowner@', object.kind, object.name);
    END LOOP;
END $$;

------------------------------------------------------------------------------------------------------------------------
-- shape: what a dump could not carry is refused, or warned of (src/shape.c)
--
-- The functions are left to the superuser who runs this script: an event trigger runs in everybody's sessions, so whoever
-- owned its function would have the rights of every superuser who changes a definition.
------------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION vsm._shape_kept() RETURNS event_trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'vsm__shape_kept';
COMMENT ON FUNCTION vsm._shape_kept() IS 'Refuses changes of the extension''s objects that a dump would lose rows by, and warns of others it will not carry.';

CREATE FUNCTION vsm._shape_dropped() RETURNS event_trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'vsm__shape_dropped';
COMMENT ON FUNCTION vsm._shape_dropped() IS 'Refuses to drop what belongs to the extension''s tables.';

-- These tags only, so that other commands pay nothing.
CREATE EVENT TRIGGER vsm_shape ON ddl_command_end
    WHEN TAG IN ('ALTER TABLE', 'ALTER INDEX', 'ALTER VIEW', 'ALTER MATERIALIZED VIEW', 'ALTER SEQUENCE', 'ALTER TYPE', 'ALTER DOMAIN',
                 'ALTER SCHEMA',
                 'ALTER FOREIGN TABLE', 'ALTER FUNCTION', 'ALTER ROUTINE', 'ALTER AGGREGATE', 'ALTER OPERATOR', 'ALTER TRIGGER',
                 'ALTER POLICY', 'ALTER RULE', 'ALTER STATISTICS', 'ALTER EXTENSION', 'CREATE TABLE', 'CREATE FOREIGN TABLE',
                 'CREATE INDEX', 'CREATE TRIGGER', 'CREATE POLICY', 'CREATE RULE', 'CREATE STATISTICS', 'CREATE VIEW',
                 'CREATE FUNCTION', 'CREATE AGGREGATE', 'CREATE SCHEMA')
    EXECUTE FUNCTION vsm._shape_kept();
COMMENT ON EVENT TRIGGER vsm_shape IS
    'The shape of extension vsm''s objects is its own. A superuser who knows better disables it: ALTER EVENT TRIGGER vsm_shape DISABLE.';
CREATE EVENT TRIGGER vsm_shape_dropped ON sql_drop EXECUTE FUNCTION vsm._shape_dropped();
COMMENT ON EVENT TRIGGER vsm_shape_dropped IS 'As vsm_shape, for what is dropped.';

-- The last of what makes objects; an upgrade script that makes some ends with REFRESH MATERIALIZED VIEW vsm._shape.  As a table, it would be
-- part of a publication of the schema.  It is left to the superuser, too.
CREATE MATERIALIZED VIEW vsm._shape AS
SELECT c.relname::text AS relation, p.kind, p.name::text AS name
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND e.extname = 'vsm'
JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind = 'r'
CROSS JOIN LATERAL (
    SELECT 'index', x.relname
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid
    UNION ALL
    SELECT 'constraint', n.conname FROM pg_catalog.pg_constraint n WHERE n.conrelid = c.oid
    UNION ALL
    SELECT 'trigger', t.tgname FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal) p (kind, name)
WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
  AND d.deptype = 'e';
COMMENT ON MATERIALIZED VIEW vsm._shape IS
    'Indexes, constraints and triggers of the extension''s tables that are its own, as CREATE EXTENSION made them; any other is its user''s.';
