-- The ledger takes the statements of the row triggers and of imports; those of a trigger that fires on the ledger itself are
-- somebody else's.
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
CREATE FUNCTION forget_reasons() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE vsm.stage_transitions SET reason = NULL WHERE id = new.id;
    RETURN NULL;
END $$;
CREATE TRIGGER forget_reasons AFTER INSERT ON vsm.stage_transitions FOR EACH ROW EXECUTE FUNCTION forget_reasons();
SELECT id FROM vsm.create_work_item('refused', 'task');
SELECT count(*) FROM vsm.work_items;

CREATE OR REPLACE FUNCTION forget_reasons() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM vsm.stage_transitions WHERE id < new.id;
    RETURN NULL;
END $$;
SELECT id FROM vsm.create_work_item('refused', 'task');
SELECT count(*) FROM vsm.work_items;

DROP TRIGGER forget_reasons ON vsm.stage_transitions;
SELECT count(*) > 0 AS created FROM vsm.create_work_item('accepted', 'task');
SELECT count(*) FROM vsm.stage_transitions;

-- A statement of the row triggers that a rule replaces never reaches the guard, which then still refuses the owner's next one.
CREATE RULE keep_out AS ON INSERT TO vsm.stage_transitions DO INSTEAD NOTHING;
SELECT id FROM vsm.create_work_item('refused', 'task');
DROP RULE keep_out ON vsm.stage_transitions;
DELETE FROM vsm.stage_transitions;
SELECT count(*) FROM vsm.stage_transitions;
