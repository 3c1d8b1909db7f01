-- 25_names: names and texts that people write, and what they are told to choose from

CREATE FUNCTION vsm._nfc(name text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__nfc';
COMMENT ON FUNCTION vsm._nfc(text) IS 'A name in Unicode''s normalization form C, in which names are stored and looked for.';

CREATE FUNCTION vsm._sought(name text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__sought';
COMMENT ON FUNCTION vsm._sought(text) IS
    'What names are compared with to find one: the text in normalization form C; one that is longer than any name is cut, for the error that says so.';

CREATE FUNCTION vsm._name(name text, kind text) RETURNS text
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__name';
COMMENT ON FUNCTION vsm._name(text, text) IS
    'A new name in normalization form C; null if it may be. kind: value stream, stage, work item type, alias, external id, deployment, incident or '
    'deployment of incident. Errors: PT422 it cannot be such a name.';

CREATE FUNCTION vsm._name_fault(name text, kind text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__name_fault';
COMMENT ON FUNCTION vsm._name_fault(text, text) IS
    'Why vsm._name() refuses a name, such as "has more than 150 characters"; null: it does not. Errors: PT422 kind.';

CREATE FUNCTION vsm._cut(value text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__cut';
COMMENT ON FUNCTION vsm._cut(text) IS 'A text of a user''s for a message: its first 200 characters, if it is longer.';

-- to_char() fails far away.
CREATE FUNCTION vsm._shown(day date) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(CASE WHEN day BETWEEN date '0001-01-01' AND date '9999-12-31' THEN to_char(day, 'YYYY-MM-DD') ELSE day::text END, 'null');
COMMENT ON FUNCTION vsm._shown(date) IS 'A day for a message, by any DateStyle as ISO 8601 has it where it is of four digits.';

CREATE FUNCTION vsm._check_text(value text, what text, "column" text) RETURNS void
    LANGUAGE c IMMUTABLE STRICT AS 'MODULE_PATHNAME', 'vsm__check_text';
COMMENT ON FUNCTION vsm._check_text(text, text, text) IS
    'Refuses a reason or a description of more than 10,000 characters. what, column: its names in the error. Errors: PT422.';

CREATE FUNCTION vsm._stage_id(stream text, stage text) RETURNS bigint
    LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vsm__stage_id';
COMMENT ON FUNCTION vsm._stage_id(text, text) IS 'Id of a stage by its exact name. Errors: PT404.';

CREATE FUNCTION vsm._streams_to_choose() RETURNS text
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vsm__streams_to_choose';
COMMENT ON FUNCTION vsm._streams_to_choose() IS 'For a hint: the names of the streams that the caller may see.';
CREATE FUNCTION vsm._stages_to_choose(stream text) RETURNS text
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vsm__stages_to_choose';
COMMENT ON FUNCTION vsm._stages_to_choose(text) IS
    'For a hint: the names of the stages in use of a stream that the caller may see, else of the streams; with null, of the stages of all '
    'streams that the caller may see.';
