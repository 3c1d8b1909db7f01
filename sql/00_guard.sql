-- 00_guard: the schemas are the extension's own, and no object of anybody else's is used
--
-- The install script is the files of this folder, joined in the order of their numbers.

\echo Use "CREATE EXTENSION vsm" to load this file. \quit

-- CREATE EXTENSION puts the extension's schema first.  LOCAL: until the script ends.  This statement looks up no name.
SET LOCAL search_path = pg_catalog, pg_temp;

-- The owner of a schema can put functions and operators beside ours, and may drop what is in it.  So the schemas are
-- the extension's: they belong to the superuser who runs this script, and are created and dropped with the extension.
DO $$
DECLARE
    present text;
BEGIN
    SELECT n.nspname INTO present FROM pg_namespace n WHERE n.nspname IN ('vsm', 'vsm_api') ORDER BY 1;
    IF FOUND THEN
        RAISE EXCEPTION 'schema "%" exists already', present
            USING ERRCODE = 'duplicate_schema',
                  DETAIL = 'Extension vsm creates its schemas itself, so that no other objects are in them.',
                  HINT = format('Move the objects that you need to another schema, then DROP SCHEMA %I.', present);
    END IF;
END $$;
CREATE SCHEMA vsm;
COMMENT ON SCHEMA vsm IS 'Value stream engine: work items, their ledger, flow figures.';
CREATE SCHEMA vsm_api;
COMMENT ON SCHEMA vsm_api IS 'Value streams: work items, their moves through the stages, and the figures of their flow';
GRANT USAGE ON SCHEMA vsm, vsm_api TO @extowner@ WITH GRANT OPTION;
