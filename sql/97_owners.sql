-- 97_owners: who owns the objects

-- Tables and SECURITY DEFINER functions belong to the role that created the extension, which need not be a superuser.
-- All other objects stay the superuser's who ran this script: their owner could change what a superuser calls or
-- reads, or what a C function is given.
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
        END IF;
        EXECUTE format('ALTER %s %s OWNER TO @extowner@', object.kind, object.name);
        -- after that: what the catalog takes for the initial rights names the owner, so a dump repeats none of them
        IF object.kind = 'FUNCTION' THEN
            EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', object.name);
        END IF;
    END LOOP;
END $$;
