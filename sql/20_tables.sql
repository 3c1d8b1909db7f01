-- 20_tables: streams, stages, types; work items and their ledger; what else a dump carries

-- Clients get ids as numbers of JSON, which are exact below 2^53.
CREATE SEQUENCE vsm.value_streams_id_seq MAXVALUE 9007199254740991;
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
COMMENT ON COLUMN vsm.value_streams.time_zone IS 'Time zone in which the stream''s days, weeks and months begin.';
COMMENT ON COLUMN vsm.value_streams.commitment_stage IS
    'Name of the first stage that counts as started work; null: the first active stage in order.';
COMMENT ON COLUMN vsm.value_streams.reopen_rule IS
    'How the cycle time of a reopened item is counted: span_first_last, span_last, sum_active, sum_started or episodes.';

CREATE SEQUENCE vsm.stages_id_seq MAXVALUE 9007199254740991;
CREATE TABLE vsm.stages (
    id bigint PRIMARY KEY DEFAULT nextval('vsm.stages_id_seq'),
    stream text NOT NULL DEFAULT 'default',      -- no foreign key: a parallel restore may load stages first
    name text NOT NULL,
    "order" integer NOT NULL,
    type text NOT NULL,
    category text NOT NULL DEFAULT 'active',
    wip_limit integer,
    description text,
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz,
    renamed_at timestamptz,
    CHECK (id > 0 AND id < 9007199254740992),   -- 0 means "none" in the counters
    UNIQUE (stream, name),
    -- deferred, so that the trigger's clearer error comes first; the constraint is for concurrent sessions
    CONSTRAINT stages_stream_order_key UNIQUE (stream, "order") DEFERRABLE INITIALLY DEFERRED
);
ALTER SEQUENCE vsm.stages_id_seq OWNED BY vsm.stages.id;
COMMENT ON TABLE vsm.stages IS 'Stages of the value streams, in order.';
COMMENT ON COLUMN vsm.stages.type IS 'Free text for the user; default: the name in lower case.';
COMMENT ON COLUMN vsm.stages.category IS
    'wait (idle, waiting for someone), active (being worked on), done (delivered, leaves WIP) or discarded (abandoned: leaves '
    'WIP, is no delivery).';
COMMENT ON COLUMN vsm.stages.wip_limit IS
    'Work items the stage may hold; null: no limit. vsm.wip_limit_action says what happens to an entry beyond it; by default it is refused.';
COMMENT ON COLUMN vsm.stages.retired_at IS 'Since when the stage takes no new entries; null: in use.';
COMMENT ON COLUMN vsm.stages.renamed_at IS
    'When the stage got its name; null: it never had another. What was read before may mean another stage by a name.';

CREATE SEQUENCE vsm.work_item_types_id_seq MAXVALUE 9007199254740991;
CREATE TABLE vsm.work_item_types (
    name text PRIMARY KEY,
    id bigint NOT NULL UNIQUE DEFAULT nextval('vsm.work_item_types_id_seq')
);
ALTER SEQUENCE vsm.work_item_types_id_seq OWNED BY vsm.work_item_types.id;
COMMENT ON TABLE vsm.work_item_types IS 'Types of work items; add your own.';
COMMENT ON COLUMN vsm.work_item_types.id IS 'In the order in which the types were defined.';

-- src/columns.h has the positions of the columns of vsm.work_items and vsm.stage_transitions: only append.
CREATE SEQUENCE vsm.work_items_id_seq MAXVALUE 9007199254740991;
-- The trigger fills in the computed columns.  Their defaults are expressions that yield null: tools that read the catalog
-- see a default, so they neither ask for a value nor refuse to leave the column out.
CREATE TABLE vsm.work_items (
    id bigint PRIMARY KEY DEFAULT nextval('vsm.work_items_id_seq'),
    stream text NOT NULL DEFAULT 'default',
    external_id text,
    title text NOT NULL,
    type text NOT NULL DEFAULT 'task',
    created_at timestamptz NOT NULL DEFAULT nullif(timestamptz 'epoch', 'epoch'),
    updated_at timestamptz NOT NULL DEFAULT nullif(timestamptz 'epoch', 'epoch'),
    stage_id bigint NOT NULL DEFAULT nullif(0::bigint, 0),
    stage_entered_at timestamptz NOT NULL DEFAULT nullif(timestamptz 'epoch', 'epoch'),
    started_at timestamptz DEFAULT nullif(timestamptz 'epoch', 'epoch'),
    completed_at timestamptz DEFAULT nullif(timestamptz 'epoch', 'epoch'),
    active_time interval NOT NULL DEFAULT nullif(interval '0', '0'),
    wait_time interval NOT NULL DEFAULT nullif(interval '0', '0'),
    reopened integer NOT NULL DEFAULT nullif(0, 0),
    backward_moves integer NOT NULL DEFAULT nullif(0, 0),
    discarded_at timestamptz DEFAULT nullif(timestamptz 'epoch', 'epoch'),
    discarded integer NOT NULL DEFAULT nullif(0, 0),
    furthest_stage_id bigint DEFAULT nullif(0::bigint, 0),
    current_stage text DEFAULT nullif(text '', ''),
    attributes jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT work_items_external_id UNIQUE (stream, external_id)
) WITH (fillfactor = 80);
ALTER SEQUENCE vsm.work_items_id_seq OWNED BY vsm.work_items.id;
-- No index has a column that every move changes, so moves are heap-only updates.
CREATE INDEX work_items_open ON vsm.work_items (stream, id) WHERE completed_at IS NULL AND discarded_at IS NULL;
CREATE INDEX work_items_discarded ON vsm.work_items (stream, id) WHERE discarded_at IS NOT NULL;
CREATE INDEX work_items_type ON vsm.work_items (stream, type, id);
COMMENT ON TABLE vsm.work_items IS
    'Work items and where they are. INSERT, UPDATE of stage_id or current_stage and DELETE by any client keep the ledger; '
    'the columns from created_at on are computed.';
COMMENT ON COLUMN vsm.work_items.external_id IS 'Id of the item in another system; unique in its stream.';
COMMENT ON COLUMN vsm.work_items.created_at IS 'Time of the first transition; may be given in an INSERT, from 1970 on, at most 5 minutes ahead.';
COMMENT ON COLUMN vsm.work_items.updated_at IS 'Last change of the row.';
COMMENT ON COLUMN vsm.work_items.stage_id IS 'The stage the item is in (vsm.stages.id); UPDATE it to move the item.';
COMMENT ON COLUMN vsm.work_items.stage_entered_at IS 'Time of the last transition.';
COMMENT ON COLUMN vsm.work_items.started_at IS
    'First entry into a stage at or after the commitment point that is neither done nor discarded; null: not started.';
COMMENT ON COLUMN vsm.work_items.completed_at IS 'Latest entry into done; null when the item is not in a done stage.';
COMMENT ON COLUMN vsm.work_items.active_time IS
    'Time in active stages since started_at, without the current visit.';
COMMENT ON COLUMN vsm.work_items.wait_time IS
    'Time in wait stages since started_at, without the current visit.';
COMMENT ON COLUMN vsm.work_items.reopened IS 'Times the item left done.';
COMMENT ON COLUMN vsm.work_items.backward_moves IS 'Moves to a stage that is earlier in the order.';
COMMENT ON COLUMN vsm.work_items.discarded_at IS 'Latest entry into discarded; null when the item is not in a discarded stage.';
COMMENT ON COLUMN vsm.work_items.discarded IS 'Times the item was discarded.';
COMMENT ON COLUMN vsm.work_items.furthest_stage_id IS
    'The furthest stage in the order that the item has reached, leaving out discarded stages; null: none.';
COMMENT ON COLUMN vsm.work_items.current_stage IS
    'The name of the stage that the item is in; written, it moves the item as stage_id does.';
COMMENT ON COLUMN vsm.work_items.attributes IS
    'Your own fields, a JSON object, e.g. {"team": "red"}; every figure takes attributes => ''{"team": "red"}''.';

CREATE SEQUENCE vsm.stage_transitions_id_seq MAXVALUE 9007199254740991;
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
    stream_id bigint NOT NULL,
    undoes timestamptz,
    furthest_before bigint,
    started_change smallint,
    item_created_at timestamptz,
    item_started_at timestamptz,
    active_time interval,
    wait_time interval,
    PRIMARY KEY (work_item_id, id)
);
ALTER SEQUENCE vsm.stage_transitions_id_seq OWNED BY vsm.stage_transitions.id;
-- one stream never reads another's moves
CREATE INDEX stage_transitions_timestamp ON vsm.stage_transitions (stream_id, "timestamp");
-- completions, and the moves that end one: what was finished is counted in the index
CREATE INDEX stage_transitions_completions ON vsm.stage_transitions (stream_id, "timestamp") INCLUDE (undoes)
    WHERE item_created_at IS NOT NULL OR undoes IS NOT NULL;
COMMENT ON TABLE vsm.stage_transitions IS
    'The ledger: one row per move, append-only. An item''s order is ("timestamp", id).';
COMMENT ON COLUMN vsm.stage_transitions.from_stage_id IS 'The stage left; null in the item''s first row.';
COMMENT ON COLUMN vsm.stage_transitions."timestamp" IS 'When the move happened.';
COMMENT ON COLUMN vsm.stage_transitions.recorded_at IS 'When the move was recorded.';
COMMENT ON COLUMN vsm.stage_transitions.time_in_stage IS 'How long the item was in the stage left; a day is 24 hours.';
COMMENT ON COLUMN vsm.stage_transitions.actor IS 'Who moved or imported the item: the person that vsm.actor named, or else the role.';
COMMENT ON COLUMN vsm.stage_transitions.type IS 'The item''s type when it was created; in its first row only.';
COMMENT ON COLUMN vsm.stage_transitions.cycle_time IS
    'If the move finishes the item: time since its first start, as the stages were defined then; null: it never started.';
COMMENT ON COLUMN vsm.stage_transitions.lead_time IS
    'If the move finishes the item, as the stages were defined then: time since its creation.';
COMMENT ON COLUMN vsm.stage_transitions.wip_breach IS
    'Items in the stage entered, if they exceeded its limit (vsm.wip_limit_action = warn); else null.';
COMMENT ON COLUMN vsm.stage_transitions.stream_id IS 'The stream of the item and of its stages (vsm.value_streams.id).';
COMMENT ON COLUMN vsm.stage_transitions.undoes IS
    'If the move leaves done: time of the completion that it ends. This column and those after it follow the present definition of '
    'the stages; those before it stay as they were recorded.';
COMMENT ON COLUMN vsm.stage_transitions.furthest_before IS
    'The furthest stage that the item had reached before the move; null: from_stage_id. For an entry into a discarded stage: that '
    'stage, if the item had been discarded before.';
COMMENT ON COLUMN vsm.stage_transitions.started_change IS 'What the move adds to started WIP: 1 or -1; null: nothing.';
COMMENT ON COLUMN vsm.stage_transitions.item_created_at IS 'If the move finishes the item: when the item was created; else null.';
COMMENT ON COLUMN vsm.stage_transitions.item_started_at IS 'If the move finishes the item: its first start; null: it never started.';
COMMENT ON COLUMN vsm.stage_transitions.active_time IS 'If the move finishes the item: time in active stages since the first start.';
COMMENT ON COLUMN vsm.stage_transitions.wait_time IS 'If the move finishes the item: time in wait stages since the first start.';

-- Imported events of an item that was in that stage already.  They are kept, so that imports give the same ledger in
-- whatever order the events come.
CREATE TABLE vsm._merged_events (
    work_item_id bigint NOT NULL,
    id bigint NOT NULL,
    stage_id bigint NOT NULL,
    "timestamp" timestamptz NOT NULL,
    PRIMARY KEY (work_item_id, id)
);
COMMENT ON TABLE vsm._merged_events IS 'Imported entries into a stage that the item was in already.';

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
    imported_by text NOT NULL,
    line bigint
);
ALTER SEQUENCE vsm.import_refusals_id_seq OWNED BY vsm.import_refusals.id;
COMMENT ON TABLE vsm.import_refusals IS
    'Rows that imports with on_error => ''skip'' left out, and why. Delete the rows that you have dealt with.';
COMMENT ON COLUMN vsm.import_refusals.line IS 'Line of the file, or row of a wide source; null: not known.';

-- What imports of a stream read stages by.
CREATE TABLE vsm.stage_aliases (
    stream text NOT NULL,               -- no foreign key: see vsm.stages
    name text NOT NULL,
    stage text,
    PRIMARY KEY (stream, name)
);
COMMENT ON TABLE vsm.stage_aliases IS
    'Names of stages as sources of imports write them, and the stages of the stream that they mean. Every import into the stream '
    'follows them.';
COMMENT ON COLUMN vsm.stage_aliases.name IS 'As the source writes it; in any case, blanks around it do not count.';
COMMENT ON COLUMN vsm.stage_aliases.stage IS 'Name of the stage; it follows when the stage is renamed. Null: rows with this name are no moves.';

-- What each stream expects of its items; sql/79_sle.sql applies it.
CREATE TABLE vsm.sles (
    stream text NOT NULL,               -- no foreign key: see vsm.stages
    type text,
    since date NOT NULL,
    elapsed interval NOT NULL,
    probability double precision NOT NULL,
    UNIQUE NULLS NOT DISTINCT (stream, type, since)
);
-- as of vsm.stream_access: a primary key would need a type
ALTER TABLE vsm.sles REPLICA IDENTITY FULL;
COMMENT ON TABLE vsm.sles IS
    'Service level expectations: that share of the items of a stream is to be finished within that cycle time, from a date on.';
COMMENT ON COLUMN vsm.sles.type IS 'Type of the items; null: all types that have no expectation of their own.';
COMMENT ON COLUMN vsm.sles.since IS 'First day in the stream''s time zone on which it holds, up to the next row of the stream and type.';
COMMENT ON COLUMN vsm.sles.elapsed IS 'The greatest cycle time that meets it; a day is 24 hours, a month 30 days.';
COMMENT ON COLUMN vsm.sles.probability IS 'The share of the items that are expected to meet it, between 0 and 1.';

-- When items could not go on; sql/42_blocks.sql has the rules.
CREATE SEQUENCE vsm.blocks_id_seq MAXVALUE 9007199254740991;
CREATE TABLE vsm.blocks (
    id bigint PRIMARY KEY DEFAULT nextval('vsm.blocks_id_seq'),
    work_item_id bigint NOT NULL,
    stream_id bigint NOT NULL,
    reason text NOT NULL,
    blocked_at timestamptz NOT NULL,
    unblocked_at timestamptz,
    blocked_by text NOT NULL,
    unblocked_by text,
    recorded_at timestamptz NOT NULL,
    end_recorded_at timestamptz
);
ALTER SEQUENCE vsm.blocks_id_seq OWNED BY vsm.blocks.id;
CREATE UNIQUE INDEX blocks_open ON vsm.blocks (work_item_id) WHERE unblocked_at IS NULL;
CREATE INDEX blocks_item ON vsm.blocks (work_item_id, blocked_at);
CREATE INDEX blocks_stream ON vsm.blocks (stream_id, unblocked_at);
COMMENT ON TABLE vsm.blocks IS
    'Intervals in which work items were blocked. Those of an item do not overlap, and go with the item.';
COMMENT ON COLUMN vsm.blocks.stream_id IS 'The stream of the item (vsm.value_streams.id).';
COMMENT ON COLUMN vsm.blocks.reason IS 'What the item waits for; figures are given by reason.';
COMMENT ON COLUMN vsm.blocks.unblocked_at IS 'The end of the interval, which is not in it; null: the item is blocked.';
COMMENT ON COLUMN vsm.blocks.blocked_by IS 'Who recorded it: the person that vsm.actor named, or else the role.';
COMMENT ON COLUMN vsm.blocks.unblocked_by IS 'Who recorded the end.';
COMMENT ON COLUMN vsm.blocks.recorded_at IS 'When the interval was recorded.';
COMMENT ON COLUMN vsm.blocks.end_recorded_at IS 'When its end was recorded.';

-- src/roles/stream_access.c applies it.
CREATE TABLE vsm.stream_access (
    role name NOT NULL,                 -- a name, since a dump knows no object ids
    stream text CHECK (char_length(stream) <= 150),
    level text NOT NULL CHECK (level IN ('reader', 'writer', 'admin')),
    granted_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (role, stream)
);
-- a publisher must be able to change a row; a primary key would need a stream
ALTER TABLE vsm.stream_access REPLICA IDENTITY FULL;
COMMENT ON TABLE vsm.stream_access IS
    'Grants of vsm.grant_access(). A role that has rows, its own or those of roles whose rights it has, sees and writes only '
    'these streams; a role without rows is not limited.';
COMMENT ON COLUMN vsm.stream_access.stream IS 'Name of the stream; null: all streams, including later ones; empty: streams that have been deleted.';
COMMENT ON COLUMN vsm.stream_access.level IS 'reader: sees the stream; writer: also writes its work items; admin: also defines it.';

-- Ledger rows that a deletion, an import or a repair took away or changed.  The totals for monitoring count them too, so
-- totals never fall.  Figures as they were known at an instant (known_at) read those that are gone.
CREATE SEQUENCE vsm.superseded_transitions_id_seq;
CREATE TABLE vsm.superseded_transitions (
    id bigint PRIMARY KEY DEFAULT nextval('vsm.superseded_transitions_id_seq'),
    stream_id bigint NOT NULL,
    work_item_id bigint NOT NULL,
    external_id text,
    item_type text,
    transition_id bigint NOT NULL,
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
    superseded_at timestamptz NOT NULL,
    superseded_by text NOT NULL,
    why text NOT NULL CHECK (why IN ('gone', 'repaired')),
    item_deleted boolean NOT NULL
);
ALTER SEQUENCE vsm.superseded_transitions_id_seq OWNED BY vsm.superseded_transitions.id;
CREATE INDEX superseded_transitions_stream ON vsm.superseded_transitions (stream_id, superseded_at);
COMMENT ON TABLE vsm.superseded_transitions IS
    'Ledger rows that were deleted or corrected, as they were. Append-only, as the ledger is.';
COMMENT ON COLUMN vsm.superseded_transitions.transition_id IS 'Id of the row in vsm.stage_transitions.';
COMMENT ON COLUMN vsm.superseded_transitions.external_id IS 'External id of the item when the row was superseded.';
COMMENT ON COLUMN vsm.superseded_transitions.item_type IS
    'Type of the item when the row was superseded; it follows when the type gets another name.';
COMMENT ON COLUMN vsm.superseded_transitions.superseded_by IS 'Who did it: the person that vsm.actor named, or else the role.';
COMMENT ON COLUMN vsm.superseded_transitions.why IS
    'gone: the move is no longer in the ledger; repaired: the ledger has the move, with other computed columns.';
COMMENT ON COLUMN vsm.superseded_transitions.item_deleted IS 'Was the row deleted with its item? Another item may have its id now.';

CREATE SEQUENCE vsm._retypes_id_seq;
CREATE TABLE vsm._retypes (
    id bigint PRIMARY KEY DEFAULT nextval('vsm._retypes_id_seq'),
    stream_id bigint NOT NULL,
    work_item_id bigint NOT NULL,
    old_type text NOT NULL,
    at timestamptz NOT NULL
);
ALTER SEQUENCE vsm._retypes_id_seq OWNED BY vsm._retypes.id;
CREATE INDEX _retypes_item ON vsm._retypes (work_item_id, at);
COMMENT ON TABLE vsm._retypes IS 'Until when work items had another type, for figures as they were known at an instant.';

-- The totals count items by the type that they were created with, which may have another name now, or be gone.
CREATE TABLE vsm._former_types (
    name text PRIMARY KEY CHECK (char_length(name) <= 150)
);
COMMENT ON TABLE vsm._former_types IS 'Names of types that were renamed or deleted.';

-- a dump has the rows of these tables, and the values of the sequences
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
SELECT pg_extension_config_dump('vsm.stage_aliases', '');
SELECT pg_extension_config_dump('vsm.sles', '');
SELECT pg_extension_config_dump('vsm.blocks', '');
SELECT pg_extension_config_dump('vsm.blocks_id_seq', '');
SELECT pg_extension_config_dump('vsm.stream_access', '');
SELECT pg_extension_config_dump('vsm.superseded_transitions', '');
SELECT pg_extension_config_dump('vsm.superseded_transitions_id_seq', '');
SELECT pg_extension_config_dump('vsm._retypes', '');
SELECT pg_extension_config_dump('vsm._retypes_id_seq', '');
SELECT pg_extension_config_dump('vsm._former_types', '');

-- Stages, and whether an item in them counts as started work.
CREATE VIEW vsm._stages WITH (security_invoker = true) AS
SELECT s.id, s.stream, s.name, s."order", s.type, s.category, s.wip_limit, s.retired_at,
       s.category IN ('wait', 'active')
       AND s."order" >= coalesce(c."order", (SELECT min(a."order") FROM vsm.stages a
                                             WHERE a.stream = s.stream AND a.category = 'active')) AS started,
       v.id AS stream_id, s.renamed_at
FROM vsm.stages s
JOIN vsm.value_streams v ON v.name = s.stream
LEFT JOIN vsm.stages c ON c.stream = v.name AND c.name = v.commitment_stage;
COMMENT ON VIEW vsm._stages IS 'Stages; started: is it at or after the commitment point, and neither done nor discarded? Null: the stream has no commitment point.';
