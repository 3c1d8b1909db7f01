-- 96_access: vsm.grant_access() gives a role the rights it needs, on all streams or on some
--
-- Functions that run with the caller's rights are safe for anybody and keep PUBLIC's right to execute them.  No
-- function that has the owner's rights (SECURITY DEFINER) is granted: triggers call it, and src/roles/on_behalf.c.
--
-- Row policies limit a role to its streams, in every query on the tables, so in functions, views and vsm_api too.  A
-- role that vsm.stream_access does not limit passes them with one comparison.

-- on_table: a role that is not limited needs the right on this table itself; else a limited role's view could show it
-- all streams.
CREATE FUNCTION vsm._may_see(stream text, on_table regclass) RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__may_see';
COMMENT ON FUNCTION vsm._may_see(text, regclass) IS 'May the current user see the stream, or with null all streams? Errors: 42501.';
CREATE FUNCTION vsm._may_see_stage(stage_id bigint, on_table regclass) RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__may_see_stage';
COMMENT ON FUNCTION vsm._may_see_stage(bigint, regclass) IS 'May the current user see the stream of the stage? Errors: 42501.';
CREATE FUNCTION vsm._may_write(stream text, on_table regclass, command text) RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__may_write';
COMMENT ON FUNCTION vsm._may_write(text, regclass, text) IS
    'May the current user write work items of the stream, or with null of all streams? command: INSERT, UPDATE or DELETE. Errors: 42501.';
CREATE FUNCTION vsm._may_define(stream text, on_table regclass, command text) RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__may_define';
COMMENT ON FUNCTION vsm._may_define(text, regclass, text) IS
    'May the current user define the stream and its stages, or with null all streams, and types? command: INSERT, UPDATE or DELETE. Errors: 42501.';
CREATE FUNCTION vsm._has_rights_of(role name) RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__has_rights_of';
COMMENT ON FUNCTION vsm._has_rights_of(name) IS 'Has the current user the rights of that role? False if the role does not exist.';

ALTER TABLE vsm.work_items ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm.work_items FOR SELECT USING (vsm._may_see(stream, 'vsm.work_items'));
CREATE POLICY added ON vsm.work_items FOR INSERT WITH CHECK (vsm._may_write(stream, 'vsm.work_items', 'INSERT'));
-- no check: an item never changes its stream, and each expression costs a move about 1 %
CREATE POLICY changed ON vsm.work_items FOR UPDATE USING (vsm._may_write(stream, 'vsm.work_items', 'UPDATE')) WITH CHECK (true);
CREATE POLICY deleted ON vsm.work_items FOR DELETE USING (vsm._may_write(stream, 'vsm.work_items', 'DELETE'));

ALTER TABLE vsm.stage_transitions ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm.stage_transitions FOR SELECT USING (vsm._may_see_stage(to_stage_id, 'vsm.stage_transitions'));
ALTER TABLE vsm.superseded_transitions ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm.superseded_transitions FOR SELECT USING (vsm._may_see_stage(to_stage_id, 'vsm.superseded_transitions'));
ALTER TABLE vsm._merged_events ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm._merged_events FOR SELECT USING (vsm._may_see_stage(stage_id, 'vsm._merged_events'));
ALTER TABLE vsm._retypes ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm._retypes FOR SELECT
    USING (EXISTS (SELECT FROM vsm.value_streams v WHERE v.id = stream_id AND vsm._may_see(v.name, 'vsm._retypes')));

-- an uncorrelated subquery: asked once, however many cells
ALTER TABLE vsm._folds ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm._folds FOR SELECT
    USING (stream_id IN (SELECT v.id FROM vsm.value_streams v WHERE vsm._may_see(v.name, 'vsm._folds')));
ALTER TABLE vsm._spans ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm._spans FOR SELECT
    USING (stream_id IN (SELECT v.id FROM vsm.value_streams v WHERE vsm._may_see(v.name, 'vsm._spans')));
ALTER TABLE vsm._stage_cells ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm._stage_cells FOR SELECT
    USING (stream_id IN (SELECT v.id FROM vsm.value_streams v WHERE vsm._may_see(v.name, 'vsm._stage_cells')));
ALTER TABLE vsm._item_cells ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm._item_cells FOR SELECT
    USING (stream_id IN (SELECT v.id FROM vsm.value_streams v WHERE vsm._may_see(v.name, 'vsm._item_cells')));
ALTER TABLE vsm._edge_cells ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm._edge_cells FOR SELECT
    USING (stream_id IN (SELECT v.id FROM vsm.value_streams v WHERE vsm._may_see(v.name, 'vsm._edge_cells')));
ALTER TABLE vsm._path_cells ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm._path_cells FOR SELECT
    USING (stream_id IN (SELECT v.id FROM vsm.value_streams v WHERE vsm._may_see(v.name, 'vsm._path_cells')));
ALTER TABLE vsm._marks ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm._marks FOR SELECT
    USING (stream_id IN (SELECT v.id FROM vsm.value_streams v WHERE vsm._may_see(v.name, 'vsm._marks')));

ALTER TABLE vsm.import_refusals ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON vsm.import_refusals USING (imported_by = current_user AND vsm._may_see(stream, 'vsm.import_refusals'));

ALTER TABLE vsm.flow_metrics ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm.flow_metrics FOR SELECT USING (vsm._may_see(stream, 'vsm.flow_metrics'));
CREATE POLICY added ON vsm.flow_metrics FOR INSERT WITH CHECK (vsm._may_write(stream, 'vsm.flow_metrics', 'INSERT'));
CREATE POLICY changed ON vsm.flow_metrics FOR UPDATE USING (vsm._may_write(stream, 'vsm.flow_metrics', 'UPDATE'));
CREATE POLICY deleted ON vsm.flow_metrics FOR DELETE USING (vsm._may_write(stream, 'vsm.flow_metrics', 'DELETE'));

ALTER TABLE vsm.failures ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm.failures FOR SELECT USING (vsm._may_see(stream, 'vsm.failures'));
CREATE POLICY added ON vsm.failures FOR INSERT WITH CHECK (vsm._may_write(stream, 'vsm.failures', 'INSERT'));
CREATE POLICY changed ON vsm.failures FOR UPDATE USING (vsm._may_write(stream, 'vsm.failures', 'UPDATE'));
CREATE POLICY deleted ON vsm.failures FOR DELETE USING (vsm._may_write(stream, 'vsm.failures', 'DELETE'));

ALTER TABLE vsm.deployments ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm.deployments FOR SELECT USING (vsm._may_see(stream, 'vsm.deployments'));
CREATE POLICY added ON vsm.deployments FOR INSERT WITH CHECK (vsm._may_write(stream, 'vsm.deployments', 'INSERT'));
CREATE POLICY changed ON vsm.deployments FOR UPDATE USING (vsm._may_write(stream, 'vsm.deployments', 'UPDATE'));
CREATE POLICY deleted ON vsm.deployments FOR DELETE USING (vsm._may_write(stream, 'vsm.deployments', 'DELETE'));

ALTER TABLE vsm.incidents ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm.incidents FOR SELECT USING (vsm._may_see(stream, 'vsm.incidents'));
CREATE POLICY added ON vsm.incidents FOR INSERT WITH CHECK (vsm._may_write(stream, 'vsm.incidents', 'INSERT'));
CREATE POLICY changed ON vsm.incidents FOR UPDATE USING (vsm._may_write(stream, 'vsm.incidents', 'UPDATE'));
CREATE POLICY deleted ON vsm.incidents FOR DELETE USING (vsm._may_write(stream, 'vsm.incidents', 'DELETE'));

ALTER TABLE vsm.value_streams ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm.value_streams FOR SELECT USING (vsm._may_see(name, 'vsm.value_streams'));
CREATE POLICY added ON vsm.value_streams FOR INSERT WITH CHECK (vsm._may_define(name, 'vsm.value_streams', 'INSERT'));
CREATE POLICY changed ON vsm.value_streams FOR UPDATE USING (vsm._may_define(name, 'vsm.value_streams', 'UPDATE'));
CREATE POLICY deleted ON vsm.value_streams FOR DELETE USING (vsm._may_define(name, 'vsm.value_streams', 'DELETE'));

ALTER TABLE vsm.stages ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm.stages FOR SELECT USING (vsm._may_see(stream, 'vsm.stages'));
CREATE POLICY added ON vsm.stages FOR INSERT WITH CHECK (vsm._may_define(stream, 'vsm.stages', 'INSERT'));
CREATE POLICY changed ON vsm.stages FOR UPDATE USING (vsm._may_define(stream, 'vsm.stages', 'UPDATE'));
CREATE POLICY deleted ON vsm.stages FOR DELETE USING (vsm._may_define(stream, 'vsm.stages', 'DELETE'));

ALTER TABLE vsm.stage_aliases ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm.stage_aliases FOR SELECT USING (vsm._may_see(stream, 'vsm.stage_aliases'));
CREATE POLICY added ON vsm.stage_aliases FOR INSERT WITH CHECK (vsm._may_define(stream, 'vsm.stage_aliases', 'INSERT'));
CREATE POLICY changed ON vsm.stage_aliases FOR UPDATE USING (vsm._may_define(stream, 'vsm.stage_aliases', 'UPDATE'));
CREATE POLICY deleted ON vsm.stage_aliases FOR DELETE USING (vsm._may_define(stream, 'vsm.stage_aliases', 'DELETE'));

ALTER TABLE vsm.sles ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm.sles FOR SELECT USING (vsm._may_see(stream, 'vsm.sles'));
CREATE POLICY added ON vsm.sles FOR INSERT WITH CHECK (vsm._may_define(stream, 'vsm.sles', 'INSERT'));
CREATE POLICY changed ON vsm.sles FOR UPDATE USING (vsm._may_define(stream, 'vsm.sles', 'UPDATE'));
CREATE POLICY deleted ON vsm.sles FOR DELETE USING (vsm._may_define(stream, 'vsm.sles', 'DELETE'));

ALTER TABLE vsm.blocks ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm.blocks FOR SELECT
    USING (stream_id IN (SELECT v.id FROM vsm.value_streams v WHERE vsm._may_see(v.name, 'vsm.blocks')));
CREATE POLICY added ON vsm.blocks FOR INSERT
    WITH CHECK (stream_id IN (SELECT v.id FROM vsm.value_streams v WHERE vsm._may_write(v.name, 'vsm.blocks', 'INSERT')));
CREATE POLICY changed ON vsm.blocks FOR UPDATE
    USING (stream_id IN (SELECT v.id FROM vsm.value_streams v WHERE vsm._may_write(v.name, 'vsm.blocks', 'UPDATE')));
CREATE POLICY deleted ON vsm.blocks FOR DELETE
    USING (stream_id IN (SELECT v.id FROM vsm.value_streams v WHERE vsm._may_write(v.name, 'vsm.blocks', 'DELETE')));

ALTER TABLE vsm.days_off ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm.days_off FOR SELECT USING (vsm._may_see(stream, 'vsm.days_off'));
CREATE POLICY added ON vsm.days_off FOR INSERT WITH CHECK (vsm._may_define(stream, 'vsm.days_off', 'INSERT'));
CREATE POLICY changed ON vsm.days_off FOR UPDATE USING (vsm._may_define(stream, 'vsm.days_off', 'UPDATE'));
CREATE POLICY deleted ON vsm.days_off FOR DELETE USING (vsm._may_define(stream, 'vsm.days_off', 'DELETE'));

ALTER TABLE vsm.work_item_types ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON vsm.work_item_types FOR SELECT USING (true);
CREATE POLICY added ON vsm.work_item_types FOR INSERT WITH CHECK (vsm._may_define(NULL, 'vsm.work_item_types', 'INSERT'));
CREATE POLICY changed ON vsm.work_item_types FOR UPDATE USING (vsm._may_define(NULL, 'vsm.work_item_types', 'UPDATE'));
CREATE POLICY deleted ON vsm.work_item_types FOR DELETE USING (vsm._may_define(NULL, 'vsm.work_item_types', 'DELETE'));

ALTER TABLE vsm.stream_access ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON vsm.stream_access FOR SELECT USING (vsm._has_rights_of(role));

-- Rights on schemas, tables, views and sequences, as GRANT and REVOKE name them.
CREATE FUNCTION vsm._rights_of_level(level text) RETURNS SETOF text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT r.rights FROM (VALUES
        ('reader', 'USAGE ON SCHEMA vsm, vsm_api'),
        ('reader', 'SELECT ON vsm.value_streams, vsm.stages, vsm._stages, vsm.stage_aliases, vsm.sles, vsm.blocks, vsm.work_item_types, vsm.work_items, vsm.stage_transitions,'
                   ' vsm.superseded_transitions, vsm._merged_events, vsm._retypes, vsm._former_types, vsm._folds, vsm._spans, vsm._stage_cells, vsm._item_cells, vsm._edge_cells,'
                   ' vsm._path_cells, vsm._marks, vsm.wip, vsm.flow_totals, vsm.flow_histograms, vsm.flow_metrics, vsm.stream_access, vsm._items_shown,'
                   ' vsm.days_off, vsm.failures, vsm.deployments, vsm.incidents,'
                   ' vsm_api.streams, vsm_api.stages, vsm_api.work_items, vsm_api.wip'),
        ('writer', 'INSERT, UPDATE, DELETE ON vsm.work_items, vsm_api.work_items'),
        ('writer', 'INSERT (stream, date, period_type, throughput, wip, cycle_time_avg, cycle_time_p50, cycle_time_p85, cycle_time_p95, sketch,'
                   ' created_at, started_wip), UPDATE (throughput, wip, cycle_time_avg, cycle_time_p50, cycle_time_p85, cycle_time_p95, sketch,'
                   ' created_at, started_wip), DELETE ON vsm.flow_metrics'),
        ('writer', 'INSERT (work_item_id, reason, blocked_at, unblocked_at), UPDATE (reason, blocked_at, unblocked_at), DELETE ON vsm.blocks'),
        ('writer', 'USAGE ON SEQUENCE vsm.work_items_id_seq, vsm.flow_metrics_id_seq, vsm.blocks_id_seq'),
        -- without the ids: who gave one that the sequence has yet to issue would have the next failure refused
        ('writer', 'INSERT (work_item_id, failed_at, recovered_at, reason), UPDATE (failed_at, recovered_at, reason), DELETE ON vsm.failures'),
        ('writer', 'INSERT (stream, external_id, deployed_at, rework, description), UPDATE (external_id, deployed_at, rework, description),'
                   ' DELETE ON vsm.deployments'),
        ('writer', 'INSERT (stream, external_id, deployment, started_at, recovered_at, description),'
                   ' UPDATE (external_id, deployment, started_at, recovered_at, description), DELETE ON vsm.incidents'),
        ('writer', 'USAGE ON SEQUENCE vsm.failures_id_seq, vsm.deployments_id_seq, vsm.incidents_id_seq'),
        ('writer', 'SELECT, DELETE ON vsm.import_refusals'),
        ('admin', 'INSERT, UPDATE, DELETE ON vsm.value_streams, vsm.stages, vsm.stage_aliases, vsm.sles, vsm.days_off, vsm.work_item_types, vsm_api.streams, vsm_api.stages'),
        ('admin', 'USAGE ON SEQUENCE vsm.value_streams_id_seq, vsm.stages_id_seq, vsm.work_item_types_id_seq')) r (level, rights)
    WHERE array_position(ARRAY['reader', 'writer', 'admin'], r.level) <= array_position(ARRAY['reader', 'writer', 'admin'], _rights_of_level.level);
END;
COMMENT ON FUNCTION vsm._rights_of_level(text) IS 'Rights that vsm.grant_access() gives at a level: reader, writer or admin.';

-- src/roles/access_rights.c grants as the owner of the schemas: a dump repeats a grant by the tables' owner, who has
-- grant options on schemas and views, in that role's name, which fails if another role restores it.
CREATE FUNCTION vsm._take_turn() RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vsm__take_turn';
COMMENT ON FUNCTION vsm._take_turn() IS
    'Waits until nobody else changes access, for the tables'' owner, who then has the turn until the transaction ends. Errors: 42501.';
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
        RAISE EXCEPTION 'access level "%" is not known', vsm._cut(level)
            USING ERRCODE = 'PT422', DETAIL = 'A level is a set of rights on the extension''s objects.',
                  HINT = 'Give reader, writer or admin.';
    END IF;
    PERFORM vsm._take_turn();
    stream := vsm._sought(stream);
    -- until the end of the transaction nobody renames or deletes the stream
    IF stream IS NOT NULL AND NOT (EXISTS (SELECT FROM vsm.value_streams v WHERE v.name = grant_access.stream) AND vsm._keep_stream(stream, true)) THEN
        RAISE EXCEPTION 'stream "%" not found', stream
            USING ERRCODE = 'PT404', DETAIL = 'There is no stream of that name; names are case-sensitive.',
                  HINT = format('%s; vsm.define_stream() defines one.', vsm._streams_to_choose());
    END IF;
    INSERT INTO vsm.stream_access AS a (role, stream, level)
    VALUES (pg_get_userbyid(grant_access.role), grant_access.stream, grant_access.level)
    ON CONFLICT ON CONSTRAINT stream_access_role_stream_key DO UPDATE SET level = excluded.level, granted_at = now()
    WHERE a.level <> excluded.level;
    PERFORM vsm._grant_rights(role, level);
END $$;
COMMENT ON FUNCTION vsm.grant_access(regrole, text, text) IS
    'Gives a role access. level: reader sees tables and figures; writer also creates, moves, deletes and imports items; admin '
    'also defines streams, stages and types. stream: limits the role to that stream and its stages (only admins of all streams '
    'define types); several calls give several streams; null: all streams. Another call for the same stream replaces the level. '
    'Only the tables'' owner may call it. Errors: PT422 level; PT404 stream; 42501.';

CREATE FUNCTION vsm.revoke_access(role regrole, stream text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    deleted boolean := false;
    left_level text;
BEGIN
    PERFORM vsm._take_turn();
    stream := vsm._sought(stream);
    LOOP
        DELETE FROM vsm.stream_access a
        WHERE a.role = pg_get_userbyid(revoke_access.role) AND (a.stream = revoke_access.stream OR revoke_access.stream IS NULL);
        deleted := deleted OR FOUND;
        -- who deleted or renamed a stream meanwhile has left other rows
        EXIT WHEN stream IS NOT NULL OR NOT EXISTS (SELECT FROM vsm.stream_access a WHERE a.role = pg_get_userbyid(revoke_access.role));
    END LOOP;
    IF NOT deleted AND stream IS NOT NULL THEN
        RAISE EXCEPTION 'role "%" has no access of its own to stream "%"', pg_get_userbyid(role), stream
            USING ERRCODE = 'PT404', DETAIL = 'vsm.stream_access has no such row.',
                  HINT = 'If the role sees the stream by a grant on all streams or by another role, revoke that grant.';
    END IF;
    SELECT a.level INTO left_level FROM vsm.stream_access a WHERE a.role = pg_get_userbyid(revoke_access.role)
    ORDER BY array_position(ARRAY['admin', 'writer', 'reader'], a.level) LIMIT 1;
    PERFORM vsm._revoke_rights(role, left_level);
    -- revoking a right on a table takes the rights on its columns too
    IF left_level IS NOT NULL THEN
        PERFORM vsm._grant_rights(role, left_level);
    END IF;
END $$;
COMMENT ON FUNCTION vsm.revoke_access(regrole, text) IS
    'Takes back what vsm.grant_access() gave a role: its access to the stream, or with null to all streams. It keeps what it has by '
    'other roles. Only the tables'' owner may call it. Errors: PT404 the role has no row for the stream; 42501.';
