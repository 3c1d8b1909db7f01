#!/bin/bash
# make demo: a report of a simulated stream, a server that goes on running, and its end.
# shellcheck disable=SC2034,SC2154
. "${BASH_SOURCE[0]%/*}/common"

run
succeeds 'the demo runs'
for heading in 'Flow of stream "default"' 'Work in progress' 'Throughput' 'Cycle time and lead time' 'Time in stage' \
	'Flow efficiency' 'Oldest' 'Data quality'; do
	shows "the report has a section: $heading" "^$heading"
done
shows 'a stage is over its limit' 'over its limit by [0-9]+\.$'
shows 'there is an expectation in words' '85 % of the items finished within [0-9.]+ (d|h)'
fits 'the report fits into 100 columns'
asks 'all items are in the ledger' "SELECT count(*), count(DISTINCT stream) FROM vsm.work_items" '2500|1'
asks 'items were reopened, and some never started' \
	"SELECT reopened > 0, finished_never_started > 0 FROM vsm.metrics('default', now() - interval '90 days')" 't|t'

command=$(sed -n 's/^ *\(.*psql -h .*\)$/\1/p' <<<"$out")
answer=$(sh -c "$command -XAtc 'SELECT count(*) > 5 FROM vsm.stages'" 2>&1)
status=1
[ "$answer" != t ] || status=0
out="$command: $answer"
succeeds 'the command for psql works'

run
succeeds 'a second run replaces the first'
asks 'and starts afresh' "SELECT count(*) FROM vsm.work_items" 2500

out=$(demo/run --stop 2>&1) status=$?
succeeds 'demo-stop succeeds'
shows 'and says so' 'The demo has ended'
if [ -e "$(cluster_dir "$VSM_DEMO")" ]; then status=1; else status=0; fi
succeeds 'nothing is left of it'
out=$(demo/run --stop 2>&1) status=$?
succeeds 'stopping again is no error'
shows 'and says what is' 'No demo is running'

finish
