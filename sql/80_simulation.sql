-- 80_simulation: events of a made-up stream

CREATE FUNCTION vsm.simulate(items integer DEFAULT 3000, days integer DEFAULT 90, seed bigint DEFAULT 1,
                             until timestamptz DEFAULT clock_timestamp())
    RETURNS TABLE (case_id text, stage text, entered_at timestamptz, type text, title text)
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm_simulate';
COMMENT ON FUNCTION vsm.simulate(integer, integer, bigint, timestamptz) IS
    'Events of a simulated value stream over the default stages, in the long form of vsm.import_events(): items arrive '
    'over the days before until, wait, are worked on, sent back and reopened. The same arguments give the same rows. '
    'Errors: PT422.';
