-- 42_failures: what failed in production, for the DORA figures: marks on items, or deployments and incidents from elsewhere

CREATE SEQUENCE vsm.failures_id_seq MAXVALUE 9007199254740991;
CREATE TABLE vsm.failures (
    id bigint PRIMARY KEY DEFAULT nextval('vsm.failures_id_seq'),
    stream text NOT NULL DEFAULT '',            -- of the item; no foreign keys: see vsm.stages
    work_item_id bigint NOT NULL,
    failed_at timestamptz NOT NULL,
    recovered_at timestamptz,
    reason text,
    recorded_at timestamptz NOT NULL DEFAULT nullif(timestamptz 'epoch', 'epoch'),
    recorded_by text NOT NULL DEFAULT nullif(text '', ''),
    CONSTRAINT failures_item UNIQUE (work_item_id, failed_at)
);
ALTER SEQUENCE vsm.failures_id_seq OWNED BY vsm.failures.id;
CREATE INDEX failures_stream ON vsm.failures (stream, failed_at);
COMMENT ON TABLE vsm.failures IS
    'Failures that delivered work items caused: see vsm.mark_failure(). Correct or delete the rows like any others.';
COMMENT ON COLUMN vsm.failures.recovered_at IS 'When users were no longer affected; null: they still are.';
COMMENT ON COLUMN vsm.failures.recorded_at IS 'When the failure was first recorded.';

CREATE SEQUENCE vsm.deployments_id_seq MAXVALUE 9007199254740991;
CREATE TABLE vsm.deployments (
    id bigint PRIMARY KEY DEFAULT nextval('vsm.deployments_id_seq'),
    stream text NOT NULL DEFAULT 'default',
    external_id text,
    deployed_at timestamptz NOT NULL,
    rework boolean NOT NULL DEFAULT false,
    description text,
    recorded_at timestamptz NOT NULL DEFAULT nullif(timestamptz 'epoch', 'epoch'),
    recorded_by text NOT NULL DEFAULT nullif(text '', ''),
    CONSTRAINT deployments_external_id UNIQUE (stream, external_id)
);
ALTER SEQUENCE vsm.deployments_id_seq OWNED BY vsm.deployments.id;
CREATE INDEX deployments_stream ON vsm.deployments (stream, deployed_at);
COMMENT ON TABLE vsm.deployments IS
    'Deployments to production, one row each, as a pipeline reports them or a file lists them. A stream that has any counts these in '
    'vsm.dora(), in place of finished items.';
COMMENT ON COLUMN vsm.deployments.external_id IS 'Its id elsewhere, such as a tag or the number of a run; unique in its stream.';
COMMENT ON COLUMN vsm.deployments.rework IS 'Was it unplanned, made to repair what users noticed?';

CREATE SEQUENCE vsm.incidents_id_seq MAXVALUE 9007199254740991;
CREATE TABLE vsm.incidents (
    id bigint PRIMARY KEY DEFAULT nextval('vsm.incidents_id_seq'),
    stream text NOT NULL DEFAULT 'default',
    external_id text,
    deployment text,
    started_at timestamptz NOT NULL,
    recovered_at timestamptz,
    description text,
    recorded_at timestamptz NOT NULL DEFAULT nullif(timestamptz 'epoch', 'epoch'),
    recorded_by text NOT NULL DEFAULT nullif(text '', ''),
    CONSTRAINT incidents_external_id UNIQUE (stream, external_id)
);
ALTER SEQUENCE vsm.incidents_id_seq OWNED BY vsm.incidents.id;
CREATE INDEX incidents_stream ON vsm.incidents (stream, started_at);
COMMENT ON TABLE vsm.incidents IS 'Incidents in production, one row each, that deployments of vsm.deployments caused.';
COMMENT ON COLUMN vsm.incidents.deployment IS
    'external_id of the deployment that caused it, which may be recorded later; null: the latest deployment before it began.';
COMMENT ON COLUMN vsm.incidents.recovered_at IS 'When users were no longer affected; null: they still are.';

SELECT pg_extension_config_dump('vsm.failures', '');
SELECT pg_extension_config_dump('vsm.failures_id_seq', '');
SELECT pg_extension_config_dump('vsm.deployments', '');
SELECT pg_extension_config_dump('vsm.deployments_id_seq', '');
SELECT pg_extension_config_dump('vsm.incidents', '');
SELECT pg_extension_config_dump('vsm.incidents_id_seq', '');

CREATE FUNCTION vsm._check_event_time(at timestamptz, what text, "column" text) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF at < timestamptz '1970-01-01 00:00:00+00' OR at > clock_timestamp() + interval '5 minutes' THEN
        RAISE EXCEPTION '% is out of range', what
            USING ERRCODE = 'PT422', COLUMN = _check_event_time."column", DETAIL = format('It is %s.', at),
                  HINT = 'Give a time from 1970 on, at most 5 minutes ahead.';
    END IF;
END $$;
COMMENT ON FUNCTION vsm._check_event_time(timestamptz, text, text) IS
    'Refuses a time before 1970 or more than 5 minutes ahead. what, column: its names in the error. Errors: PT422.';

CREATE FUNCTION vsm._check_recovery(since timestamptz, recovered_at timestamptz) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM vsm._check_event_time(recovered_at, 'the time of the recovery', 'recovered_at');
    IF recovered_at < since THEN
        RAISE EXCEPTION 'the recovery precedes the failure'
            USING ERRCODE = 'PT422', COLUMN = 'recovered_at', DETAIL = format('The failure is of %s, the recovery of %s.', since, recovered_at),
                  HINT = 'Give a time after the failure, or none if it has not recovered.';
    END IF;
END $$;
COMMENT ON FUNCTION vsm._check_recovery(timestamptz, timestamptz) IS 'Refuses a recovery that precedes its failure. Errors: PT422.';

CREATE FUNCTION vsm._failure_before() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    item vsm.work_items;
BEGIN
    IF tg_relid <> 'vsm.failures'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'table vsm.failures');
    END IF;
    -- all columns filled in: a restore, which may load failures before items
    IF tg_op = 'INSERT' AND new.recorded_at IS NOT NULL AND new.recorded_by IS NOT NULL AND new.stream <> ''
       AND pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = tg_relid), 'USAGE') THEN
        RETURN new;
    END IF;
    IF tg_op = 'UPDATE' THEN
        IF (new.id, new.work_item_id) IS DISTINCT FROM (old.id, old.work_item_id) THEN
            RAISE EXCEPTION 'a failure cannot be given to another work item'
                USING ERRCODE = 'PT422', COLUMN = 'work_item_id', DETAIL = format('It is of work item %s.', old.work_item_id),
                      HINT = 'Delete the row and mark the failure of the other work item.';
        END IF;
        new.recorded_at := old.recorded_at;
        new.recorded_by := old.recorded_by;
    ELSE
        new.recorded_at := clock_timestamp();
        new.recorded_by := vsm._actor();
    END IF;
    PERFORM vsm._check_text(new.reason, 'the reason', 'reason');
    IF tg_op = 'INSERT' THEN
        item := vsm._hold_item(new.work_item_id);
    ELSE
        SELECT w.* INTO item FROM vsm.work_items w WHERE w.id = new.work_item_id;
    END IF;
    new.stream := coalesce(item.stream, new.stream);
    IF tg_op = 'UPDATE' AND (new.failed_at, new.recovered_at) IS NOT DISTINCT FROM (old.failed_at, old.recovered_at) THEN
        RETURN new;     -- its stream may have been renamed, and the item have got other times since
    END IF;
    PERFORM vsm._check_event_time(new.failed_at, 'the time of the failure', 'failed_at');
    IF new.failed_at < item.created_at THEN
        RAISE EXCEPTION 'the failure precedes the work item'
            USING ERRCODE = 'PT422', COLUMN = 'failed_at', DETAIL = format('The failure is of %s, and work item %s was created at %s.', new.failed_at, item.id, item.created_at),
                  HINT = 'Give a time after the work item was delivered.';
    END IF;
    PERFORM vsm._check_recovery(new.failed_at, new.recovered_at);
    RETURN new;
END $$;
COMMENT ON FUNCTION vsm._failure_before() IS 'Checks a row of vsm.failures and fills in its stream.';
CREATE TRIGGER row_checked BEFORE INSERT OR UPDATE ON vsm.failures
    FOR EACH ROW EXECUTE FUNCTION vsm._failure_before();

CREATE FUNCTION vsm._production_event_before() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF tg_relid NOT IN ('vsm.deployments'::regclass, 'vsm.incidents'::regclass) THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'tables vsm.deployments and vsm.incidents');
    END IF;
    new.stream := vsm._sought(new.stream);
    new.external_id := vsm._name(nullif(new.external_id, ''), CASE tg_table_name WHEN 'deployments' THEN 'deployment' ELSE 'incident' END);
    IF tg_op = 'UPDATE' THEN
        IF new.id <> old.id THEN
            RAISE EXCEPTION 'the id of a row of "%" cannot be changed', tg_table_name
                USING ERRCODE = 'PT422', COLUMN = 'id', DETAIL = 'It is drawn from a sequence.', HINT = 'Delete the row and add it again.';
        END IF;
        new.recorded_at := old.recorded_at;
        new.recorded_by := old.recorded_by;
        IF new.stream <> old.stream AND EXISTS (SELECT FROM vsm.value_streams v WHERE v.name = old.stream) THEN
            RAISE EXCEPTION 'a row of "%" cannot change its stream', tg_table_name
                USING ERRCODE = 'PT422', COLUMN = 'stream', DETAIL = format('It is of stream "%s".', old.stream),
                      HINT = 'Delete the row and add it to the other stream.';
        END IF;
    ELSIF new.recorded_at IS NOT NULL AND new.recorded_by IS NOT NULL
          AND pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = tg_relid), 'USAGE') THEN
        RETURN new;     -- a restore
    ELSE
        PERFORM vsm._require_stream(new.stream, tg_relid, false, false);
        new.recorded_at := clock_timestamp();
        new.recorded_by := vsm._actor();
    END IF;
    PERFORM vsm._check_text(new.description, 'the description', 'description');
    IF tg_relid = 'vsm.deployments'::regclass THEN
        PERFORM vsm._check_event_time(new.deployed_at, 'the time of the deployment', 'deployed_at');
    ELSE
        new.deployment := vsm._name(nullif(new.deployment, ''), 'deployment of incident');
        PERFORM vsm._check_event_time(new.started_at, 'the start of the incident', 'started_at');
        PERFORM vsm._check_recovery(new.started_at, new.recovered_at);
    END IF;
    RETURN new;
END $$;
COMMENT ON FUNCTION vsm._production_event_before() IS 'Checks a row of vsm.deployments or vsm.incidents.';
CREATE TRIGGER row_checked BEFORE INSERT OR UPDATE ON vsm.deployments
    FOR EACH ROW EXECUTE FUNCTION vsm._production_event_before();
CREATE TRIGGER row_checked BEFORE INSERT OR UPDATE ON vsm.incidents
    FOR EACH ROW EXECUTE FUNCTION vsm._production_event_before();

CREATE FUNCTION vsm.mark_failure(work_item_id bigint, failed_at timestamptz DEFAULT NULL, recovered_at timestamptz DEFAULT NULL,
                                 reason text DEFAULT NULL)
    RETURNS vsm.failures
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    failure vsm.failures;
    since timestamptz;
BEGIN
    -- so that of two calls at once, the second finds the failure of the first
    PERFORM vsm._hold_item(mark_failure.work_item_id);
    -- without a time: the failure that goes on
    since := coalesce(
        mark_failure.failed_at,
        (SELECT max(f.failed_at) FROM vsm.failures f WHERE f.work_item_id = mark_failure.work_item_id AND f.recovered_at IS NULL),
        clock_timestamp());
    INSERT INTO vsm.failures AS f (work_item_id, failed_at, recovered_at, reason)
    VALUES (mark_failure.work_item_id, since, mark_failure.recovered_at, mark_failure.reason)
    ON CONFLICT ON CONSTRAINT failures_item DO UPDATE
    SET recovered_at = coalesce(excluded.recovered_at, f.recovered_at), reason = coalesce(excluded.reason, f.reason)
    RETURNING f.* INTO failure;
    RETURN failure;
END $$;
COMMENT ON FUNCTION vsm.mark_failure(bigint, timestamptz, timestamptz, text) IS
    'Records that a delivered work item failed in production at failed_at, and when users were no longer affected; returns the row. '
    'failed_at null: that of the item''s failure that goes on, else now. Marked again with the same failed_at, a failure gets the '
    'recovery and the reason that are given. For writers of the stream. Errors: PT404 unknown item; PT422 times; 42501.';
