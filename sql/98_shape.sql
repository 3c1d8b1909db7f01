-- 98_shape: changes that a dump would not carry are refused, or warned of (src/shape)
--
-- The functions stay the superuser's who runs this script: an event trigger runs in everybody's sessions, so the owner
-- of its function could act as every superuser who changes a definition.

CREATE FUNCTION vsm._shape_kept() RETURNS event_trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'vsm__shape_kept';
COMMENT ON FUNCTION vsm._shape_kept() IS 'Refuses changes of the extension''s objects that would make a dump lose rows, and warns of others that a dump does not carry.';

CREATE FUNCTION vsm._shape_dropped() RETURNS event_trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'vsm__shape_dropped';
COMMENT ON FUNCTION vsm._shape_dropped() IS 'Refuses to drop columns and other parts of the extension''s tables.';

-- Only these tags, so that other commands pay nothing.
CREATE EVENT TRIGGER vsm_shape ON ddl_command_end
    WHEN TAG IN ('ALTER TABLE', 'ALTER INDEX', 'ALTER VIEW', 'ALTER MATERIALIZED VIEW', 'ALTER SEQUENCE', 'ALTER TYPE', 'ALTER DOMAIN',
                 'ALTER SCHEMA',
                 'ALTER FOREIGN TABLE', 'ALTER FUNCTION', 'ALTER ROUTINE', 'ALTER AGGREGATE', 'ALTER OPERATOR', 'ALTER TRIGGER',
                 'ALTER POLICY', 'ALTER RULE', 'ALTER STATISTICS', 'ALTER EXTENSION', 'CREATE TABLE', 'CREATE FOREIGN TABLE',
                 'CREATE INDEX', 'CREATE TRIGGER', 'CREATE POLICY', 'CREATE RULE', 'CREATE STATISTICS', 'CREATE VIEW',
                 'CREATE FUNCTION', 'CREATE AGGREGATE', 'CREATE SCHEMA')
    EXECUTE FUNCTION vsm._shape_kept();
COMMENT ON EVENT TRIGGER vsm_shape IS
    'Protects the shape of extension vsm''s objects. A superuser can disable it: ALTER EVENT TRIGGER vsm_shape DISABLE.';
CREATE EVENT TRIGGER vsm_shape_dropped ON sql_drop EXECUTE FUNCTION vsm._shape_dropped();
COMMENT ON EVENT TRIGGER vsm_shape_dropped IS 'As vsm_shape, for drops.';

-- Comes after all other objects; an upgrade script that creates objects ends with REFRESH MATERIALIZED VIEW
-- vsm._shape.  Not a table, which would be part of a publication of the schema.  It stays the superuser's too.
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
    'Indexes, constraints and triggers that CREATE EXTENSION made on the extension''s tables; any other is a user''s.';
