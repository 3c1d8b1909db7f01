-- stages.sql: the stages of the log, in order, each with its category.
--
-- Makes the temporary table stage.  STAGES=... takes precedence.  Otherwise the order
-- is that of first appearance (long form) or of the dates of a sample of the items
-- (wide form), then the done stages, then the discarded ones; and the category is
-- guessed from the name and from the stages in which items remain.

-- "Closed Date", "closed_at" and "Date closed" name the stage Closed (closed).
UPDATE col
SET stage = coalesce(nullif(regexp_replace(name, '^(date|time|timestamp)[ _-]+(of[ _-]+)?|'
                                           '[ _-]*(date|time|timestamp)$|[ _-]+(at|on)$', '', 'gi'), ''), name)
WHERE role = 'date';

CREATE TEMP TABLE event (item text, stage text, at timestamptz, line tid, place integer);

SELECT format('INSERT INTO event SELECT %1$I, %2$I, pg_temp.moment(%3$I), ctid, 1 FROM %4$s '
              'WHERE btrim(%2$I) <> '''' AND hashtext(%1$I) %% %5$s = 0',
              item, stage, "time", :'source'::regclass, sample_every)
FROM plan WHERE form = 'long'
UNION ALL
SELECT format('INSERT INTO event SELECT %1$I, %2$L, pg_temp.moment(%3$I), ctid, %4$s FROM %5$s '
              'WHERE btrim(%3$I) <> '''' AND hashtext(%1$I) %% %6$s = 0',
              item, col.stage, col.name, col.place, :'source'::regclass, sample_every)
FROM plan, col WHERE form = 'wide' AND role = 'date'
\gexec

CREATE TEMP TABLE stage (name text, rank bigint, category text, wip_limit integer, items bigint, stay bigint);

-- Long form: the order of first appearance in the file.
SELECT format('INSERT INTO stage (name, rank) SELECT %1$I, row_number() OVER (ORDER BY min(ctid)) FROM %2$s '
              'WHERE btrim(%1$I) <> '''' GROUP BY 1', stage, :'source'::regclass)
FROM plan WHERE form = 'long'
\gexec

-- Wide form: a stage follows the stages that most items enter before it.
INSERT INTO stage (name, rank)
SELECT c.stage, row_number() OVER (ORDER BY count(before.other), c.place)
FROM col c
LEFT JOIN (SELECT later.stage, earlier.stage AS other
           FROM event later JOIN event earlier USING (item, line)
           WHERE later.stage <> earlier.stage
           GROUP BY 1, 2
           HAVING count(*) FILTER (WHERE earlier.at < later.at) > count(*) FILTER (WHERE earlier.at > later.at)
          ) AS before ON before.stage = c.stage
WHERE c.role = 'date'
GROUP BY c.stage, c.place;

SELECT pg_temp.refuse(format('column %s has %s different values', max(plan.stage), pg_temp.number(count(*))),
                      'A stream has up to 200 stages. Give the column of the stages the name stage.')
FROM stage, plan HAVING count(*) > 200;

UPDATE stage SET items = seen.items, stay = seen.stay
FROM (SELECT stage, count(DISTINCT item) AS items, count(*) FILTER (WHERE last) AS stay
      FROM (SELECT stage, item,
                   row_number() OVER (PARTITION BY item ORDER BY at DESC NULLS LAST, line DESC, place DESC) = 1 AS last
            FROM event) AS e
      GROUP BY stage) AS seen
WHERE seen.stage = stage.name;

-- Is this what trackers call the end of work that is given up, in one of the languages below?  Compared in lower case
-- without apostrophes; accents may be missing.
CREATE FUNCTION pg_temp.is_abandoned(name text) RETURNS boolean LANGUAGE sql AS $$
    SELECT regexp_replace(regexp_replace(regexp_replace(lower(name), '[''’‘`´]', '', 'g'), '\s-+\s', ': ', 'g'),
                          '[\s_-]+', ' ', 'g') ~ concat(
        -- "Closed as duplicate", "Resolved: won't fix", "5. Cancelled", but not "Duplicate check" or "Done, not cancelled"
        '^[^[:alpha:]]*((closed?|resolved|done|completed?|finished|marked|geschlossen|erledigt|fermée?|clos|classée?|',
        'cerrad[oa]|fechad[oa]|chius[oa])[] :;.(|–—[]+((as|because|als|weil|comme|como|come) )?)?',
        '(', words, ')(( ?[/,&+] ?| (or|and|oder|und|ou|et|o|y|e) )(', words, '))*',
        -- "Cancelled by customer", "Abandoned (no answer)", "Rejected items"
        '( (by|due|because|of|from|with|after|durch|von|wegen|par|por|pelo|pela|per|da|items?|issues?|tickets?|work)\M.*',
        '| ?[(:,;|–—].*)?[^[:alnum:]]*$')
    FROM concat_ws('|',
        'cancell?ed|cancel|wont ?(do|fix|implement)|will not (do|fix|implement)|not (doing|planned|needed)',
        'duplicate[ds]?|dupes?|abandoned|rejected|declined|obsolete|invalid|discarded|dropped|withdrawn|removed|deleted',
        'abgebrochen|abbruch|storniert|verworfen|abgelehnt|duplikate?|dublette|doppelt|zurückgezogen|aufgegeben',
        'hinfällig|obsolet|ungültig|nicht geplant|wird nicht (gemacht|umgesetzt|behoben|erledigt)|entfällt|gelöscht',
        'annul[ée]e?s?|abandonn[ée]e?s?|rejet[ée]e?s?|refus[ée]e?s?|doublons?|dupliqu[ée]e?s?|obsol[èe]te|invalide',
        'retir[ée]e?s?|supprim[ée]e?s?|[ée]cart[ée]e?s?|sans suite|non planifi[ée]e?s?|ne sera pas (fait|corrig[ée])e?',
        'cancelad[oa]s?|anulad[oa]s?|rechazad[oa]s?|descartad[oa]s?|duplicad[oa]s?|abandonad[oa]s?|obsolet[oa]s?',
        'inv[áa]lid[oa]s?|retirad[oa]s?|desestimad[oa]s?|eliminad[oa]s?|no se (har[áa]|corregir[áa])|no planificad[oa]s?',
        'rejeitad[oa]s?|recusad[oa]s?|exclu[íi]d[oa]s?|n[ãa]o ser[áa] (feit[oa]|corrigid[oa])|n[ãa]o planejad[oa]s?',
        'annullat[oa]|rifiutat[oa]|respint[oa]|scartat[oa]|duplicat[oa]|abbandonat[oa]|geannuleerd|afgewezen|vervallen',
        'verworpen|anulowan[eay]|odrzucon[eay]|已?取消|已?拒绝|已?放弃|已?废弃|キャンセル|却下') AS words
$$;

-- Names such as Done and Closed are done.  One such as Resolved is done if at least half of its items remain in it,
-- and wait if they move on to Closed.  So it is with one such as Rejected, from which items may go back to work.
UPDATE stage
SET category = CASE
    WHEN pg_temp.is_abandoned(name)
    THEN CASE WHEN 2 * stay < items
                   AND lower(name) ~ ('\m(reject|declin|invalid|inv[áa]lid|ungültig|abgelehnt|refus|rejet|rejeit|recus|'
                                     'rechaz|rifiut|respint|afgewez|odrzuc)|拒绝|却下')
              THEN 'wait' ELSE 'discarded' END
    WHEN lower(btrim(name)) ~ '^(done|closed|completed?|finished|已?完成|已?关闭)$' THEN 'done'
    WHEN lower(name) ~ ('\m(done|closed?|released?|resolved|production|completed?|finished|deployed|delivered|live|'
                        'shipped|archived|verified|merged|erledigt|fertig|(ab)?geschlossen)\M')
    THEN CASE WHEN 2 * stay >= items THEN 'done' ELSE 'wait' END
    WHEN lower(name) ~ ('\m(new|open(ed)?|reopened|backlog|to ?do|wait\w*|await\w*|blocked|on ?hold|ready|queued?|'
                        'inbox|pending|paused|suspended|created|submitted|reported|requested|proposed|selected|'
                        'approved|accepted|offen|warte\w*)\M|待')
    THEN 'wait'
    ELSE 'active' END;

-- A stream has a done stage.  If none is so by name, it is the active one in which most items remain, if they do; else
-- the discarded one, else any.
UPDATE stage SET category = 'done'
WHERE NOT EXISTS (SELECT FROM stage WHERE category = 'done')
  AND name = (SELECT name FROM stage
              ORDER BY category = 'active' AND 2 * stay >= items DESC NULLS LAST, category = 'discarded' DESC,
                       category = 'wait', stay DESC NULLS LAST, rank DESC LIMIT 1);
UPDATE stage SET rank = rank + CASE category WHEN 'done' THEN 1000 ELSE 2000 END WHERE category IN ('done', 'discarded');

-- STAGES="New:wait,Active:active:5,Closed:done": names as in the file, in any case.
CREATE TEMP TABLE given AS
SELECT coalesce(stage.name, part[1]) AS name, n AS rank, coalesce(lower(part[2]), stage.category) AS category,
       part[3]::integer AS wip_limit, stage.name IS NOT NULL AS in_file
FROM string_to_table(nullif(:'stages', ''), ',') WITH ORDINALITY AS list(entry, n),
     regexp_match(btrim(entry), '^(.*?)\s*(?::\s*(wait|active|done|discarded)\s*)?(?::\s*(\d{1,9})\s*)?$', 'i') AS part
     LEFT JOIN stage ON lower(btrim(stage.name)) = lower(part[1]);

SELECT pg_temp.refuse('STAGES does not tell about ' || string_agg(quote_literal(name), ', ' ORDER BY rank),
                      'Add each as name:wait, name:active, name:done or name:discarded at its place.')
FROM stage
WHERE (SELECT form FROM plan) = 'long' AND EXISTS (SELECT FROM given)
  AND NOT EXISTS (SELECT FROM given WHERE given.name = stage.name)
HAVING count(*) > 0;

SELECT pg_temp.refuse(format('STAGES names %s, which the file does not have',
                             string_agg(quote_literal(name), ', ' ORDER BY rank)),
                      format('The file has %s.',
                             (SELECT string_agg(quote_literal(name), ', ' ORDER BY rank) FROM stage)))
FROM given
WHERE NOT in_file AND ((SELECT form FROM plan) = 'wide' OR category IS NULL)
HAVING count(*) > 0;

SELECT pg_temp.say('not in STAGES, so not used: ' || string_agg(quote_literal(name), ', ' ORDER BY rank))
FROM stage
WHERE EXISTS (SELECT FROM given) AND NOT EXISTS (SELECT FROM given WHERE given.name = stage.name)
HAVING count(*) > 0;

DELETE FROM stage WHERE EXISTS (SELECT FROM given);
INSERT INTO stage (name, rank, category, wip_limit) SELECT name, rank, category, wip_limit FROM given;

SELECT pg_temp.say(CASE WHEN EXISTS (SELECT FROM given) THEN 'stages: ' ELSE 'stages, guessed: ' END
                   || string_agg(format('%s (%s)', name, category), ' > ' ORDER BY rank))
FROM stage;
SELECT pg_temp.say(format('to choose otherwise: make demo DATA=%s STAGES=%s', :'file',
                          quote_literal(string_agg(name || ':' || category, ',' ORDER BY rank))))
FROM stage HAVING NOT EXISTS (SELECT FROM given);
