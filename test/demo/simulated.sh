#!/bin/bash
# make demo: a report of a simulated team, a server that goes on running, and its end.
# shellcheck disable=SC2034,SC2154
. "${BASH_SOURCE[0]%/*}/common"

# The answer of the gateway that the demo names.
ask_gateway()
{
	local url
	url=$(sed -n 's/^The same over HTTP, at \([^ ]*\) .*/\1/p' <<<"$out")
	perl -MHTTP::Tiny -e 'print HTTP::Tiny->new(timeout => 20)->get(shift . "/api/v1/metrics?days=90")->{content}' "$url"
}

run
succeeds 'the demo runs'
for heading in 'Flow of stream "default"' 'Bottleneck: ' 'Work in progress' 'Items at risk' 'Throughput' 'Compared with the period before' \
	'Forecast' 'Cycle time and lead time' 'Service level expectation' 'Time in stage' 'Flow efficiency' 'Blocked time' 'Rework' 'Failures' \
	'Data quality'; do
	shows "the report has a section: $heading" "^$heading"
done
shows 'a stage is over its limit' 'Stage Ready for testing is over its limit by [0-9]+\.$'
shows 'there is an expectation in words' '85 % of the items finished within [0-9.]+ (d|h)'
fits 'the report fits into 100 columns'
asks 'all items are in the ledger' "SELECT count(*), count(DISTINCT stream) FROM vsm.work_items" '450|1'
shows 'the balance has discarded items' '^balance  WIP [1-9][0-9]* \+ [1-9][0-9]* arrived \+ [0-9]+ returned - [1-9][0-9]* departed - [1-9][0-9]* discarded = WIP [0-9]+$'
asks 'each line of weeks is balanced, as of its end' "WITH week AS (
		SELECT m.*, lag(m.open_at_until) OVER (ORDER BY m.since) AS before
		FROM vsm.throughput('default', now() - interval '90 days', now(), 'week') t,
		     vsm.metrics('default', t.bucket, t.bucket + 7) m)
	SELECT count(*) > 10, bool_and(before + arrivals + returns - departures - discarded = open_at_until) FROM week" 't|t'
asks 'items were reopened, and some never started' \
	"SELECT reopened > 0, finished_never_started > 0 FROM vsm.metrics('default', '-infinity', now())" 't|t'
asks 'most of the time passes waiting' \
	"SELECT flow_efficiency BETWEEN 0.15 AND 0.45 FROM vsm.metrics('default', now() - interval '90 days', now())" t

answer=$(ask_gateway)
status=1
[[ $answer != '{"throughput":'[1-9]* ]] || status=0
succeeds 'its gateway answers'

command=$(sed -n 's/^ *\(.*psql -h .*\)$/\1/p' <<<"$out")
answer=$(sh -c "$command -XAtc 'SELECT count(*) > 5 FROM vsm.stages'" 2>&1)
status=1
[ "$answer" != t ] || status=0
out="$command: $answer"
succeeds 'the command for psql works'

gateway=$(cat "build/$VSM_DEMO.gateway")
run
succeeds 'a second run replaces the first'
if [ -d "/proc/$gateway" ]; then status=1; else status=0; fi
succeeds 'its gateway too'
asks 'and starts afresh' "SELECT count(*) FROM vsm.work_items" 450

gateway=$(cat "build/$VSM_DEMO.gateway")
out=$(demo/run --stop 2>&1) status=$?
succeeds 'demo-stop succeeds'
shows 'and says so' 'The demo has ended'
if [ -e "$(cluster_dir "$VSM_DEMO")" ]; then status=1; else status=0; fi
succeeds 'nothing is left of it'
if [ -d "/proc/$gateway" ]; then status=1; else status=0; fi
succeeds 'nor of its gateway'
out=$(demo/run --stop 2>&1) status=$?
succeeds 'stopping again is no error'
shows 'and says what is' 'No demo is running'

# A checkout that the server's user cannot enter, as one below /root.
if [ "$(id -u)" = 0 ]; then
	chmod 700 "$work" && mkdir "$work/vsm" && tar -c --exclude=node_modules --exclude=.git --exclude='build/*-*' . | tar -x -C "$work/vsm"
	cd "$work/vsm" || exit
	run
	succeeds 'it runs where only root may look'
	out=$(ask_gateway)
	shows 'with its gateway' '^\{"throughput":[1-9][0-9]*,"wip":'
	out=$(demo/run --stop 2>&1) status=$?
	succeeds 'and ends there'
fi

finish
