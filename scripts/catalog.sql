-- catalog.sql: what CREATE EXTENSION vsm makes, a line for each property of each object, to be compared with diff.
--
--	psql -XAtq -d DATABASE -f scripts/catalog.sql
--
-- Object ids are written as names, so the lines depend on nothing but the install script: two scripts that give the same
-- lines make the same extension.  Roles show as <owner>, who created the extension, and <superuser>, who ran its script.
SET search_path = pg_catalog;
SET client_min_messages = warning;

CREATE TEMP TABLE extension AS SELECT e.oid, e.extowner, e.extconfig, e.extcondition FROM pg_extension e WHERE e.extname = 'vsm';

CREATE FUNCTION pg_temp.role(role oid) RETURNS text LANGUAGE sql STABLE RETURN
    CASE WHEN role = 0 THEN 'PUBLIC' WHEN role = 10 THEN '<superuser>' WHEN role = (SELECT extowner FROM pg_temp.extension) THEN '<owner>'
         ELSE pg_get_userbyid(role) END;
CREATE FUNCTION pg_temp.rights(acl aclitem[]) RETURNS text LANGUAGE sql STABLE RETURN
    (SELECT string_agg(format('%s=%s%s', pg_temp.role(a.grantee), a.privilege_type, CASE WHEN a.is_grantable THEN '*' END), ' '
                       ORDER BY pg_temp.role(a.grantee), a.privilege_type)
     FROM aclexplode(acl) a);

CREATE TEMP TABLE members AS
SELECT d.classid, d.objid, (pg_identify_object(d.classid, d.objid, 0)).type AS kind, (pg_identify_object(d.classid, d.objid, 0)).identity AS name
FROM pg_depend d, extension e WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e';

WITH properties AS (
    SELECT m.kind, m.name, p.*
    FROM members m, LATERAL (
        -- a row as JSON, its object ids taken out or written as names
        SELECT 'comment' AS property, obj_description(m.objid, (SELECT relname FROM pg_class WHERE oid = m.classid)) AS value
        UNION ALL
        SELECT 'owner and rights', pg_temp.role(p.proowner) || ': ' || coalesce(pg_temp.rights(p.proacl), 'default')
        FROM pg_proc p WHERE m.classid = 'pg_proc'::regclass AND p.oid = m.objid
        UNION ALL
        SELECT 'definition', CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END
        FROM pg_proc p WHERE m.classid = 'pg_proc'::regclass AND p.oid = m.objid
        UNION ALL
        SELECT 'aggregate', concat_ws(' ', pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), p.provolatile, p.proparallel,
                      (SELECT string_agg(c.key || '=' || CASE WHEN c.key IN ('aggtranstype', 'aggmtranstype') THEN format_type(c.value::oid, NULL)
                                                              WHEN c.key = 'aggsortop' THEN (c.value::oid)::regoperator::text ELSE c.value END, ' ')
                       FROM jsonb_each_text(to_jsonb(a) - 'aggfnoid') c))
        FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid WHERE m.classid = 'pg_proc'::regclass AND p.oid = m.objid
        UNION ALL
        SELECT 'table', concat_ws(' ', c.relkind, c.relpersistence, c.reloptions, c.relrowsecurity, c.relforcerowsecurity, c.relreplident,
                                  am.amname, (SELECT x.condition FROM extension e, unnest(e.extconfig, e.extcondition) x (relation, condition)
                                              WHERE x.relation = c.oid), CASE WHEN c.oid = ANY (e.extconfig) THEN 'dumped' END,
                                  pg_temp.role(c.relowner), coalesce(pg_temp.rights(c.relacl), 'default'))
        FROM pg_class c CROSS JOIN extension e LEFT JOIN pg_am am ON am.oid = c.relam WHERE m.classid = 'pg_class'::regclass AND c.oid = m.objid
        UNION ALL
        SELECT 'view', pg_get_viewdef(c.oid) FROM pg_class c
        WHERE m.classid = 'pg_class'::regclass AND c.oid = m.objid AND c.relkind IN ('v', 'm')
        UNION ALL
        SELECT 'sequence', concat_ws(' ', format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle)
        FROM pg_sequence s WHERE m.classid = 'pg_class'::regclass AND s.seqrelid = m.objid
        UNION ALL
        SELECT 'column ' || to_char(a.attnum, 'FM000'),
               concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'not null' END, a.attidentity,
                         a.attgenerated, a.attstorage, nullif(a.attstattarget, -1), pg_get_expr(d.adbin, d.adrelid),
                         pg_temp.rights(a.attacl), col_description(a.attrelid, a.attnum))
        FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE m.classid = 'pg_class'::regclass AND a.attrelid = m.objid AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT 'constraint ' || c.conname, pg_get_constraintdef(c.oid) || coalesce(' -- ' || obj_description(c.oid, 'pg_constraint'), '')
        FROM pg_constraint c WHERE m.classid = 'pg_class'::regclass AND c.conrelid = m.objid
        UNION ALL
        SELECT 'index ' || i.indexrelid::regclass, pg_get_indexdef(i.indexrelid) FROM pg_index i
        WHERE m.classid = 'pg_class'::regclass AND i.indrelid = m.objid
        UNION ALL
        SELECT 'trigger ' || t.tgname, concat_ws(' ', t.tgenabled, pg_get_triggerdef(t.oid)) FROM pg_trigger t
        WHERE m.classid = 'pg_class'::regclass AND t.tgrelid = m.objid AND NOT t.tgisinternal
        UNION ALL
        SELECT 'policy ' || p.polname, concat_ws(' ', p.polcmd, p.polpermissive,
                                                 (SELECT string_agg(pg_temp.role(r), ',' ORDER BY 1) FROM unnest(p.polroles) r),
                                                 pg_get_expr(p.polqual, p.polrelid), '/', pg_get_expr(p.polwithcheck, p.polrelid))
        FROM pg_policy p WHERE m.classid = 'pg_class'::regclass AND p.polrelid = m.objid
        UNION ALL
        SELECT 'rule ' || r.rulename, pg_get_ruledef(r.oid) FROM pg_rewrite r
        WHERE m.classid = 'pg_class'::regclass AND r.ev_class = m.objid AND r.rulename <> '_RETURN'
        UNION ALL
        SELECT 'statistics ' || s.stxname, pg_get_statisticsobjdef(s.oid) FROM pg_statistic_ext s
        WHERE m.classid = 'pg_class'::regclass AND s.stxrelid = m.objid
        UNION ALL
        SELECT 'type', concat_ws(' ', t.typtype, t.typcategory, t.typlen, t.typbyval, t.typalign, t.typstorage, t.typinput, t.typoutput, t.typreceive,
                                 t.typsend, t.typnotnull, format_type(nullif(t.typbasetype, 0), t.typtypmod), t.typdefault, pg_temp.role(t.typowner),
                                 coalesce(pg_temp.rights(t.typacl), 'default'))
        FROM pg_type t WHERE m.classid = 'pg_type'::regclass AND t.oid = m.objid
        UNION ALL
        SELECT 'field ' || to_char(a.attnum, 'FM000'), concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod))
        FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c' JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE m.classid = 'pg_type'::regclass AND t.oid = m.objid
        UNION ALL
        SELECT 'check ' || c.conname, pg_get_constraintdef(c.oid) FROM pg_constraint c WHERE m.classid = 'pg_type'::regclass AND c.contypid = m.objid
        UNION ALL
        SELECT 'operator', concat_ws(' ', o.oprkind, o.oprcanmerge, o.oprcanhash, format_type(o.oprresult, NULL), o.oprcode, o.oprrest, o.oprjoin,
                                     nullif(o.oprcom, 0)::regoperator, nullif(o.oprnegate, 0)::regoperator, pg_temp.role(o.oprowner))
        FROM pg_operator o WHERE m.classid = 'pg_operator'::regclass AND o.oid = m.objid
        UNION ALL
        SELECT 'class', concat_ws(' ', am.amname, format_type(c.opcintype, NULL), c.opcdefault, pg_temp.role(c.opcowner))
        FROM pg_opclass c JOIN pg_am am ON am.oid = c.opcmethod WHERE m.classid = 'pg_opclass'::regclass AND c.oid = m.objid
        UNION ALL
        SELECT 'family ' || o.amopstrategy, o.amopopr::regoperator::text FROM pg_amop o
        WHERE m.classid = 'pg_opfamily'::regclass AND o.amopfamily = m.objid
        UNION ALL
        SELECT 'support ' || p.amprocnum, p.amproc::regprocedure::text FROM pg_amproc p
        WHERE m.classid = 'pg_opfamily'::regclass AND p.amprocfamily = m.objid
        UNION ALL
        SELECT 'cast', concat_ws(' ', nullif(c.castfunc, 0)::regprocedure, c.castcontext, c.castmethod) FROM pg_cast c
        WHERE m.classid = 'pg_cast'::regclass AND c.oid = m.objid
        UNION ALL
        SELECT 'event trigger', concat_ws(' ', t.evtevent, t.evtenabled, t.evtfoid::regproc, t.evttags, pg_temp.role(t.evtowner)) FROM pg_event_trigger t
        WHERE m.classid = 'pg_event_trigger'::regclass AND t.oid = m.objid
        UNION ALL
        SELECT 'schema', pg_temp.role(n.nspowner) || ': ' || coalesce(pg_temp.rights(n.nspacl), 'default') FROM pg_namespace n
        WHERE m.classid = 'pg_namespace'::regclass AND n.oid = m.objid
    ) p
)
SELECT format('%s %s: %s: %s', kind, name, property, value) FROM properties WHERE value IS NOT NULL
ORDER BY kind COLLATE "C", name COLLATE "C", property COLLATE "C", value COLLATE "C";
