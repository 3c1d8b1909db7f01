#!/bin/bash
# The report of make demo says what the functions answer, and nothing where there is nothing to say.
# shellcheck disable=SC2034,SC2154
. "${BASH_SOURCE[0]%/*}/common"

in_team() { PGTZ=Europe/Berlin psql -XAtq -d team -v ON_ERROR_STOP=1 "$@" 2>&1; }

report()						# STREAM
{
	out=$(in_team -v stream="$1" -f demo/report.sql)
	status=$?
	squeezed=$(tr -s ' \n' ' ' <<<"$out")
}

# says NAME SQL: the text that the functions make of window w, in whatever lines.
says()
{
	local expected
	expected=$(in_team -c "$2")
	if [ -n "$expected" ] && grep -qF -- "$expected" <<<"$squeezed"; then result ok "$1"; else
		result 'not ok' "$1" "$expected"$'\n'"is not in"$'\n'"$out"; fi
}

file small.csv 'case_id,stage,entered_at' 'A,New,2026-03-01T08:00:00Z' 'A,Doing,2026-03-02T08:00:00Z' 'A,Done,2026-03-04T08:00:00Z' \
	'B,New,2026-03-02T08:00:00Z' 'B,Doing,2026-03-05T08:00:00Z'
run DATA="$work/small.csv"
succeeds 'a small log is reported'
for section in Bottleneck 'Work in progress' 'Items at risk' Throughput 'Cycle time' 'Data quality'; do
	shows "with: $section" "^$section"
done
hides 'none is listed that its heading does not count' '^  B '
shows 'no waiting is told from no stage to wait in' '^  Waiting is the time in stages of category wait: '
for section in Compared Forecast 'Service level' 'Blocked' 'Rework' 'Failures' "  Little's Law" '  With blocked'; do
	hides "and nothing about: $section" "^$section"
done

# What the report tells to enter is entered.
report=$out
answers=$(sed -n 's/^ *\(curl .*\)$/\1/p' <<<"$report" | while read -r command; do sh -c "${command/curl/curl -s}"; echo; done)
out=${answers//\},\{/$'\n'}
shows 'the first command for HTTP has the figures of the report' '^\{"throughput":1,"wip":1\.5[0-9]*,'
shows 'the second makes an item' '^\{"id":[0-9]+,"title":"Try the gateway","type":"task"'
shows 'of the stream, where the third finds it' '"stream":"small","title":"Try the gateway"'
hides 'no command fails' '"(code|hint)":'

cluster_use "$(cluster_dir "$VSM_DEMO")" && psql -XAtq -d postgres -c 'CREATE DATABASE team' && in_team -c 'CREATE EXTENSION vsm' || exit
in_team -v zone=Europe/Berlin -v until='2024-11-19 13:00+00' -f demo/simulate.sql >/dev/null
in_team -c "CREATE TABLE w AS
	SELECT least(since, v.until) AS since, v.until, since - (v.until - since) AS before
	FROM (SELECT max(\"timestamp\") + interval '1 second' FROM vsm.stage_transitions) AS v(until), date_trunc('hour', v.until - interval '90 days') AS since"

report default
succeeds 'the team of the demo is reported'
fits 'in lines of 100 columns'
says 'the bottleneck is the first of vsm.bottlenecks()' \
	"SELECT format('═ Bottleneck: %s. %s', stage, why) FROM w, vsm.bottlenecks('default', since, until) WHERE rank = 1"
late="w, vsm.metrics('default', since, until) m, vsm.work_item_age('default', at => w.until) a WHERE a.age > m.cycle_time_p85"
says 'the items at risk are those that are older than 85 % of the finished ones became' "SELECT format('Items at risk: %s of ', count(*)) FROM $late"
section=$(sed -n '/^Items at risk/,/^  pace/p' <<<"$out")
listed=$(grep -cE '^  [^ ]+ +[a-z]+ .* (d|h) +[0-9]+ %' <<<"$section")
more=$(sed -nE 's/^  and ([0-9]+) items? more$/\1/p' <<<"$section")
[ $((listed + more)) = "$(in_team -c "SELECT count(*) FROM $late")" ]
status=$?
succeeds 'as many are listed, or said to be more'
says 'the first of them is that of the highest risk and pace' "SELECT format('%s %s %s', external_id, a.type, stage)
	FROM $late ORDER BY risk DESC NULLS LAST, pace DESC NULLS LAST, age DESC LIMIT 1"
says 'items at risk have their pace, risk and reason' "WITH worst AS (
		SELECT a.* FROM $late
		ORDER BY risk DESC NULLS LAST, pace DESC NULLS LAST, age DESC LIMIT 5)
	SELECT format('%s %% %s %% %s blocked: %s', round(100 * pace), round(100 * risk), left(title, 21) || '…', block_reason) FROM worst WHERE block_reason IS NOT NULL LIMIT 1"
says 'how many weeks of the window are listed' "SELECT format('The latest 9 of %s weeks.', count(*)) FROM w, vsm.throughput('default', since, until, 'week')"
says 'throughput is compared with vsm.metrics() of the period before' "SELECT format('throughput %s %s %s', b.throughput, m.throughput,
		CASE sign(m.throughput - b.throughput) WHEN 1 THEN '▲ better' WHEN 0 THEN '= same' ELSE '▼ worse' END)
	FROM w, vsm.metrics('default', before, w.since) b, vsm.metrics('default', w.since, w.until) m"
says 'and the other figures' "SELECT format('average WIP %s %s %s average started WIP %s %s', round(b.wip, 1), round(m.wip, 1),
		CASE WHEN round(m.wip, 1) = round(b.wip, 1) THEN '= same' WHEN m.wip > b.wip THEN '▲ worse' ELSE '▼ better' END, round(b.started_wip, 1), round(m.started_wip, 1))
	FROM w, vsm.metrics('default', before, w.since) b, vsm.metrics('default', w.since, w.until) m"
says 'the expectation too' "SELECT format('within the service level expectation %s %% %s %% %s', round(100 * b.share), round(100 * m.share),
		CASE WHEN round(100 * m.share) = round(100 * b.share) THEN '= same' WHEN m.share > b.share THEN '▲ better' ELSE '▼ worse' END)
	FROM w, vsm.sle_conformance('default', before, since) b, vsm.sle_conformance('default', since, until) m"
says 'durations are rounded to nearest, from hours with two decimals, as on the page' "SELECT format('cycle time, from start to finish %s ', cycle_time_n)
		|| string_agg(CASE WHEN h < 48 THEN round(h, 1) || ' h' ELSE round(h / 24, 1) || ' d' END, ' ' ORDER BY n)
	FROM w, vsm.metrics('default', w.since, w.until), unnest(ARRAY[cycle_time_p50, cycle_time_p70, cycle_time_p85, cycle_time_p95, cycle_time_avg])
		WITH ORDINALITY AS d(value, n), round(extract(epoch FROM value) / 3600, 2) AS h GROUP BY cycle_time_n"
says 'when the WIP is done is what vsm.forecast() says' "SELECT format('the %s items of the WIP are done by ', max(open)) || string_agg(done_on::text, ' ' ORDER BY confidence)
	FROM w, LATERAL (SELECT sum(items) FROM vsm.wip_at('default', until) JOIN vsm.stages ON name = stage WHERE category IN ('wait', 'active')) o(open),
	     vsm.forecast(open::integer, stream => 'default', at => until)"
says 'and how many by a day' "SELECT format('items done by %s, at least ', max(by)) || string_agg(items_done::text, ' ' ORDER BY confidence)
	FROM w, CAST(until::date + 30 AS date) AS by, vsm.forecast(until => by, stream => 'default', at => w.until)"
says 'what it is drawn from' "SELECT DISTINCT format('Drawn from %s days with throughput, %s to %s: %s items finished', days_with_throughput, f.since, f.until, finished)
	FROM w, vsm.forecast(1, stream => 'default', at => w.until) f"
says 'where Little'\''s Law does not apply, why' "SELECT sentence FROM w, vsm.littles_law('default', since, until) WHERE NOT holds"
says 'conformance is that of vsm.sle_conformance()' "SELECT format('Service level expectation: %s %% of %s items within it, %s', round(100 * share), items,
		CASE WHEN share < probability THEN 'missed' ELSE 'kept' END) FROM w, vsm.sle_conformance('default', since, until)"
says 'of a type with its own too' "SELECT format('bug: 85 %% in 8.0 d %s %s %s %%', items, within, round(100 * share)) FROM w, vsm.sle_conformance('default', since, until, type => 'bug')"
says 'flow efficiency is that of vsm.flow_efficiency(), with blocked time too' "SELECT format('items spent %s %% of the time in active stages and waited %s %%. With blocked time as waiting, it is %s %%.',
		round(100 * e), 100 - round(100 * e), round(100 * b))
	FROM w, vsm.flow_efficiency('default', since, until) e, vsm.flow_efficiency('default', since, until, blocked_waits => true) b"
says 'blocked time is that of vsm.blocked_time(), by reason' "SELECT format('reason blocks items blocked %s %s %s ', reason, sum(spells), sum(items))
	FROM w, vsm.blocked_time('default', since, until) GROUP BY reason ORDER BY sum(blocked) DESC LIMIT 1"
says 'with the items that are blocked' "SELECT format('in all; %s item%s blocked at its end', count(*), CASE WHEN count(*) > 1 THEN 's' END)
	FROM w, vsm.work_item_age('default', at => until) WHERE age IS NOT NULL AND block_reason IS NOT NULL"
says 'the stage of the worst %C&A is that of vsm.rework()' "SELECT format('Rework: %s %% of what %s hands on is complete and accurate (%%C&A)', round(100 * complete_accurate), stage)
	FROM w, vsm.rework('default', since, until) WHERE sent_back > 0 ORDER BY complete_accurate LIMIT 1"
says 'and the rolled one that of its last row' "SELECT format('Over all stages %s %% pass without being sent back', round(100 * min(rolled_complete_accurate)))
	FROM w, vsm.rework('default', since, until)"
says 'failures are those of vsm.dora()' "SELECT format('Failures: change fail rate %s %%', round(100 * change_fail_rate)) FROM w, vsm.dora('default', since, until)"
says 'with their numbers' "SELECT format('%s of %s deployments failed', failed_deployments, deployments) FROM w, vsm.dora('default', since, until)"

in_team -c "SELECT vsm.define_stream('nothing')" >/dev/null
report nothing
succeeds 'a stream without items is reported'
shows 'which is all to say' '^There are no items yet\.$'
hides 'with nothing else' '^(Work|Data|Cycle)'

in_team -c "SELECT vsm.create_work_item('one', stream => 'nothing')" >/dev/null
report nothing
succeeds 'and one with a single item'
hides 'that is no bottleneck' '^Bottleneck'
shows 'and not started' 'There is no started WIP'

in_team -c "SELECT vsm.define_stream('ids', '[{\"name\": \"Doing\"}, {\"name\": \"Done\", \"category\": \"done\"}]')" \
	-c "SELECT vsm.create_work_item('A task', stream => 'ids', external_id => '65e7a1b2c3d4e5f60718' || lpad(n::text, 4, '0')) FROM generate_series(1, 3) n" >/dev/null
report ids
for n in 1 2 3; do
	shows "item $n can be told by the end of its long id" "^  65e7a1b2…718000$n  *task "
done

finish
