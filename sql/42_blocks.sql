-- 42_blocks: intervals in which work items were blocked
--
-- A row of vsm.blocks is written by vsm.block() and vsm.unblock(), or corrected like a row of any table; its trigger checks
-- both.  Whoever writes one holds the item's row, so that the intervals of an item do not overlap.

CREATE FUNCTION vsm._check_time(at timestamptz, what text, happened text) RETURNS void
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__check_time';
COMMENT ON FUNCTION vsm._check_time(timestamptz, text, text) IS
    'Refuses a time that must be a mistake: infinite, before 1970, more than 5 minutes ahead; what: of a move, happened: the item moved. Errors: PT422.';

CREATE FUNCTION vsm._hold_item(of_item bigint) RETURNS vsm.work_items
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    item vsm.work_items;
BEGIN
    SELECT w.* INTO item FROM vsm.work_items w WHERE w.id = of_item FOR NO KEY UPDATE;
    IF FOUND THEN
        PERFORM vsm._require_current_snapshot();
        RETURN item;
    END IF;
    SELECT w.* INTO item FROM vsm.work_items w WHERE w.id = of_item;
    IF FOUND THEN
        RAISE EXCEPTION 'permission denied for stream "%"', item.stream
            USING ERRCODE = '42501', DETAIL = format('Role "%s" may see its work items and not change them.', current_user),
                  HINT = 'Ask for vsm.grant_access(role, ''writer'', stream).';
    END IF;
    RAISE EXCEPTION 'work item % not found', coalesce(of_item::text, 'null')
        USING ERRCODE = 'PT404', COLUMN = 'work_item_id', DETAIL = 'No work item has that id.', HINT = 'vsm.work_items has the ids.';
END $$;
COMMENT ON FUNCTION vsm._hold_item(bigint) IS
    'Locks a work item that the caller may write, until the end of the transaction. Errors: PT404; 42501; 40001 the snapshot is too old.';

-- The last to begin is the last to end, as the blocks of an item do not overlap; blocks of no length may begin with it.  A
-- sort by both times would read all blocks of the item, so the index gives the first and the second is of few rows.
CREATE FUNCTION vsm._last_block(of_item bigint, but_not bigint, before timestamptz) RETURNS SETOF vsm.blocks
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT b.*
    FROM vsm.blocks b
    WHERE b.work_item_id = of_item AND b.id IS DISTINCT FROM but_not
      AND b.blocked_at = (SELECT x.blocked_at FROM vsm.blocks x
                          WHERE x.work_item_id = of_item AND x.id IS DISTINCT FROM but_not AND x.blocked_at < _last_block.before
                          ORDER BY x.blocked_at DESC LIMIT 1)
    ORDER BY b.unblocked_at DESC NULLS FIRST LIMIT 1;
END;
COMMENT ON FUNCTION vsm._last_block(bigint, bigint, timestamptz) IS
    'Of the blocks of an item that begin before a time, without one of them, the last to end.';

CREATE FUNCTION vsm._block_before() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    item vsm.work_items;
    other vsm.blocks;
    ended_at timestamptz;
BEGIN
    IF tg_relid <> 'vsm.blocks'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'table vsm.blocks');
    END IF;
    IF tg_op = 'INSERT' AND (new.recorded_at, new.end_recorded_at, new.blocked_by, new.unblocked_by, new.stream_id) IS DISTINCT FROM
                            (NULL::timestamptz, NULL::timestamptz, NULL::text, NULL::text, NULL::bigint) THEN
        -- a restore, by the owner of the tables, may load blocks before items
        IF new.recorded_at IS NOT NULL AND pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = tg_relid), 'USAGE') THEN
            RETURN new;
        END IF;
        RAISE EXCEPTION 'a new block comes with computed columns'
            USING ERRCODE = '42501', DETAIL = 'Its stream, and when and by whom it was recorded, are filled in.',
                  HINT = 'Give work_item_id, reason, blocked_at and unblocked_at only.';
    END IF;
    IF tg_op = 'UPDATE' AND (new.id, new.work_item_id, new.stream_id, new.recorded_at, new.blocked_by, new.end_recorded_at, new.unblocked_by)
                            IS DISTINCT FROM
                            (old.id, old.work_item_id, old.stream_id, old.recorded_at, old.blocked_by, old.end_recorded_at, old.unblocked_by) THEN
        RAISE EXCEPTION 'only the reason and the times of a block can be changed'
            USING ERRCODE = '42501', DETAIL = 'Its work item stays, and the other columns are computed.',
                  HINT = 'Change reason, blocked_at or unblocked_at; or delete the block, and block the other item.';
    END IF;
    item := vsm._hold_item(new.work_item_id);
    new.reason := vsm._nfc(new.reason);
    IF coalesce(btrim(new.reason, E' \t\n\r'), '') = '' OR char_length(new.reason) > 500 THEN
        RAISE EXCEPTION 'a block needs a reason of 1 to 500 characters'
            USING ERRCODE = 'PT422', COLUMN = 'reason', DETAIL = format('It has %s.', coalesce(char_length(new.reason)::text, 'none')),
                  HINT = 'Say what the item waits for; blocked time is given by reason.';
    END IF;
    IF tg_op = 'INSERT' THEN
        new.stream_id := (SELECT v.id FROM vsm.value_streams v WHERE v.name = item.stream);
        new.recorded_at := clock_timestamp();
        new.blocked_by := vsm._actor();
    END IF;
    -- the clock may have been set back
    new.blocked_at := coalesce(new.blocked_at, greatest(clock_timestamp(), item.created_at, (
        SELECT greatest(b.blocked_at, b.unblocked_at) FROM vsm._last_block(new.work_item_id, NULL, 'infinity') b)));
    PERFORM vsm._check_time(new.blocked_at, 'a block', 'the item was blocked');
    PERFORM vsm._check_time(new.unblocked_at, 'the end of a block', 'the item was unblocked');
    IF new.blocked_at < item.created_at THEN
        RAISE EXCEPTION 'work item % was not there yet', item.id
            USING ERRCODE = 'PT422', COLUMN = 'at', DETAIL = format('The time given is %s; it was created at %s.', new.blocked_at, item.created_at),
                  HINT = 'Give a time at which the item had been created, or none for now.';
    END IF;
    IF new.unblocked_at < new.blocked_at THEN
        RAISE EXCEPTION 'the block would end before it begins'
            USING ERRCODE = 'PT422', COLUMN = 'at', DETAIL = format('It begins at %s and would end at %s.', new.blocked_at, new.unblocked_at),
                  HINT = 'Give a time that is not before its beginning, or none for now.';
    END IF;
    SELECT b.* INTO other
    FROM vsm._last_block(new.work_item_id, new.id, coalesce(new.unblocked_at, 'infinity')) b
    WHERE coalesce(b.unblocked_at, 'infinity') > new.blocked_at;
    IF FOUND AND other.unblocked_at IS NULL AND new.unblocked_at IS NULL THEN
        RAISE EXCEPTION 'work item % is blocked already', item.id
            USING ERRCODE = 'PT409', DETAIL = format('It has been since %s: %s', other.blocked_at, other.reason),
                  HINT = 'Unblock it first, or change the reason of that block.';
    ELSIF FOUND THEN
        RAISE EXCEPTION 'work item % was blocked at that time already', item.id
            USING ERRCODE = 'PT422', COLUMN = 'at', DETAIL = format('The block would be from %s to %s; it was blocked from %s to %s: %s', new.blocked_at,
                                                     coalesce(new.unblocked_at::text, 'an open end'), other.blocked_at,
                                                     coalesce(other.unblocked_at::text, 'an open end'), other.reason),
                  HINT = 'The blocks of an item do not overlap. Give other times, or change the other block.';
    END IF;
    ended_at := coalesce(item.completed_at, item.discarded_at);
    IF new.unblocked_at IS NULL AND ended_at <= new.blocked_at THEN
        RAISE EXCEPTION 'work item % is not in progress', item.id
            USING ERRCODE = 'PT409', DETAIL = format('It is in stage "%s" since %s; the block would begin at %s and have no end.', item.current_stage, ended_at, new.blocked_at),
                  HINT = 'Move it back to work first, or give the time at which it was blocked before.';
    END IF;
    IF tg_op = 'INSERT' AND new.unblocked_at IS NOT NULL OR tg_op = 'UPDATE' AND new.unblocked_at IS DISTINCT FROM old.unblocked_at THEN
        new.end_recorded_at := CASE WHEN new.unblocked_at IS NOT NULL THEN clock_timestamp() END;
        new.unblocked_by := CASE WHEN new.unblocked_at IS NOT NULL THEN vsm._actor() END;
    END IF;
    RETURN new;
END $$;
COMMENT ON FUNCTION vsm._block_before() IS 'Checks a row of vsm.blocks and fills in its computed columns.';
CREATE TRIGGER row_checked BEFORE INSERT OR UPDATE ON vsm.blocks
    FOR EACH ROW EXECUTE FUNCTION vsm._block_before();

CREATE FUNCTION vsm.block(work_item_id bigint, reason text, at timestamptz DEFAULT NULL) RETURNS vsm.blocks
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    result vsm.blocks;
BEGIN
    INSERT INTO vsm.blocks (work_item_id, reason, blocked_at) VALUES (block.work_item_id, block.reason, block.at) RETURNING * INTO result;
    RETURN result;
END $$;
COMMENT ON FUNCTION vsm.block(bigint, text, timestamptz) IS
    'Records that a work item cannot go on, and why (1 to 500 characters); it moves as before. at: since when, default now, not before '
    'the item was created or while it was blocked, from 1970 on, at most 5 minutes ahead. Returns the row of vsm.blocks; UPDATE and '
    'DELETE correct one. For writers of the stream. Errors: PT404 unknown item; PT409 it is blocked, or not in progress; PT422 reason or '
    'time refused; 42501.';

CREATE FUNCTION vsm.unblock(work_item_id bigint, at timestamptz DEFAULT NULL) RETURNS vsm.blocks
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    result vsm.blocks;
BEGIN
    -- against a deletion only: who changes a block holds its row before that of the item
    PERFORM FROM vsm.work_items w WHERE w.id = unblock.work_item_id FOR KEY SHARE;
    FOR attempt IN 1 .. 2 LOOP
        UPDATE vsm.blocks b SET unblocked_at = coalesce(unblock.at, greatest(clock_timestamp(), b.blocked_at))
        WHERE b.work_item_id = unblock.work_item_id AND b.unblocked_at IS NULL
        RETURNING b.* INTO result;
        IF FOUND THEN
            RETURN result;
        END IF;
        -- who is about to block the item holds it
        PERFORM vsm._hold_item(unblock.work_item_id);
    END LOOP;
    RAISE EXCEPTION 'work item % is not blocked', unblock.work_item_id
        USING ERRCODE = 'PT409', DETAIL = 'It has no block without an end.', HINT = 'Block it first; the end of an earlier block is corrected in its row.';
END $$;
COMMENT ON FUNCTION vsm.unblock(bigint, timestamptz) IS
    'Ends the block of a work item. at: when, default now, not before it was blocked, at most 5 minutes ahead. Returns the row of '
    'vsm.blocks. For writers of the stream. Errors: PT404 unknown item; PT409 it is not blocked; PT422 time refused; 42501.';
