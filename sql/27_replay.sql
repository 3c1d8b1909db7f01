-- 27_replay: what follows from the moves of one item

CREATE FUNCTION vsm._replay_step(internal, bigint, timestamptz, bigint) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vsm__replay_step';
COMMENT ON FUNCTION vsm._replay_step(internal, bigint, timestamptz, bigint) IS 'Transition function: collects a move.';
CREATE FUNCTION vsm._replay_state(internal) RETURNS vsm._item_state
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vsm__replay_state';
COMMENT ON FUNCTION vsm._replay_state(internal) IS 'Final function: folds the moves.';
CREATE AGGREGATE vsm._replay(to_stage_id bigint, "timestamp" timestamptz, id bigint) (
    SFUNC = vsm._replay_step, STYPE = internal, SSPACE = 400,
    FINALFUNC = vsm._replay_state, FINALFUNC_MODIFY = SHAREABLE, PARALLEL = RESTRICTED
);
COMMENT ON AGGREGATE vsm._replay(bigint, timestamptz, bigint) IS
    'State of one item after its moves, given in any order; null if a stage is not defined.';

CREATE FUNCTION vsm._effects_array(internal) RETURNS vsm._effect[]
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vsm__effects_array';
COMMENT ON FUNCTION vsm._effects_array(internal) IS 'Final function: folds the moves and lists what each adds. Errors: 54000.';
CREATE AGGREGATE vsm._effects(to_stage_id bigint, "timestamp" timestamptz, id bigint) (
    SFUNC = vsm._replay_step, STYPE = internal, SSPACE = 400,
    FINALFUNC = vsm._effects_array, FINALFUNC_MODIFY = SHAREABLE, PARALLEL = RESTRICTED
);
COMMENT ON AGGREGATE vsm._effects(bigint, timestamptz, bigint) IS
    'What each move of one item adds to the figures, in order, from its moves in any order; null if a stage is not defined.';

CREATE FUNCTION vsm._completions_step(internal, bigint, timestamptz, bigint, text) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vsm__completions_step';
COMMENT ON FUNCTION vsm._completions_step(internal, bigint, timestamptz, bigint, text) IS 'Transition function: collects a move.';
CREATE FUNCTION vsm._completions_array(internal) RETURNS vsm._completion[]
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vsm__completions_array';
COMMENT ON FUNCTION vsm._completions_array(internal) IS 'Final function: finds the completions.';
CREATE AGGREGATE vsm._completions(to_stage_id bigint, "timestamp" timestamptz, id bigint, reopen_rule text) (
    SFUNC = vsm._completions_step, STYPE = internal, SSPACE = 400,
    FINALFUNC = vsm._completions_array, FINALFUNC_MODIFY = SHAREABLE, PARALLEL = RESTRICTED
);
COMMENT ON AGGREGATE vsm._completions(bigint, timestamptz, bigint, text) IS
    'All completions of one item by a reopen rule, oldest first, each as it was then; null if there is none.';

CREATE FUNCTION vsm._paths_array(internal) RETURNS vsm._path[]
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vsm__paths_array';
COMMENT ON FUNCTION vsm._paths_array(internal) IS 'Final function: finds the completions and their paths. Errors: 54000.';
CREATE AGGREGATE vsm._paths(to_stage_id bigint, "timestamp" timestamptz, id bigint, reopen_rule text) (
    SFUNC = vsm._completions_step, STYPE = internal, SSPACE = 400,
    FINALFUNC = vsm._paths_array, FINALFUNC_MODIFY = SHAREABLE, PARALLEL = RESTRICTED
);
COMMENT ON AGGREGATE vsm._paths(bigint, timestamptz, bigint, text) IS
    'Those completions that count, with the stages that the item had entered: the last one, if it has not left done since, from its creation on; '
    'by the rule episodes all, each since it last left done. Null if there is none.';
