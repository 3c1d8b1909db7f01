-- 00_guard: nothing of anybody else's is run or used, and the schemas are the extension's own
--
-- The install script is the files of this folder, joined in the order of their numbers.

\echo Use "CREATE EXTENSION vsm" to load this file. \quit

-- CREATE EXTENSION puts the extension's schema first.  LOCAL: until the script ends.  This statement looks up no name.
SET LOCAL search_path = pg_catalog, pg_temp;

-- Who owns a schema can put functions and operators beside ours, and may drop what is in it.  So the schemas are the
-- extension's: they belong to the superuser who runs this script, come with it and go with it.
DO $$
DECLARE
    present text;
BEGIN
    SELECT n.nspname INTO present FROM pg_namespace n WHERE n.nspname IN ('vsm', 'vsm_api') ORDER BY 1;
    IF FOUND THEN
        RAISE EXCEPTION 'schema "%" exists already', present
            USING ERRCODE = 'duplicate_schema',
                  DETAIL = 'Extension vsm makes its schemas itself, so that nobody else''s objects are in them.',
                  HINT = format('Move what you need out of it, then DROP SCHEMA %I.', present);
    END IF;
END $$;
CREATE SCHEMA vsm;
COMMENT ON SCHEMA vsm IS 'Value stream engine: work items, their ledger, flow figures.';
CREATE SCHEMA vsm_api;
COMMENT ON SCHEMA vsm_api IS 'Value streams: work items, their moves through the stages, and the figures of their flow';
GRANT USAGE ON SCHEMA vsm, vsm_api TO @extowner@ WITH GRANT OPTION;
