-- 10_types: rows that C returns to SQL, and durations

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
    backward_moves integer,
    discarded_at timestamptz,
    discarded integer,
    furthest_stage_id bigint
);

-- What a move adds, given the earlier moves of its item: the columns of vsm.stage_transitions that follow from them.
CREATE TYPE vsm._effect AS (
    id bigint,
    "timestamp" timestamptz,
    from_stage_id bigint,
    to_stage_id bigint,
    time_in_stage interval,
    undoes timestamptz,
    furthest_before bigint,
    started_change smallint,
    item_created_at timestamptz,
    item_started_at timestamptz,
    active_time interval,
    wait_time interval
);

-- A completion by a reopen rule, as it was then; durations in microseconds.  undone_at: when the item left done again.
CREATE TYPE vsm._completion AS (
    created_at timestamptz,
    started_at timestamptz,
    completed_at timestamptz,
    cycle_us bigint,
    active_us bigint,
    wait_us bigint,
    undone_at timestamptz
);

-- A completion that counts, with the stages that the item had entered, up to the one that finished it.
CREATE TYPE vsm._path AS (
    completed_at timestamptz,
    cycle_us bigint,
    stages bigint[]
);

-- Durations are microseconds inside, and intervals where users see them.
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
    'When a visit began that ended at left_at and took stay; the same in every time zone. Errors: PT422, 22008.';
