#!/bin/bash
# make demo DATA=...: real logs, where they are at hand.
# shellcheck disable=SC2034,SC2154
. "${BASH_SOURCE[0]%/*}/common"

data=../shared/data
[ -d $data ] || { echo '1..0 # SKIP no ../shared/data here'; exit; }

# log FILE ITEMS: it can be imported whole, and reported.
log()
{
	run DATA="$data/$1" "${3:-X=}"
	succeeds "$1 is reported"
	hides "$1: no line is refused" 'refused'
	shows "$1: the report has all its sections" '^Data quality'
	fits "$1: the report fits into 100 columns"
	asks "$1: all items are there" "SELECT count(*) FROM vsm.work_items" "$2"
}

log uci_incidents.csv.gz 24918
log git_release_2023_2025.csv.gz 7435
log wide_git_release_2023_2025.csv.gz 7435
asks 'the stages of the wide form stand in order' \
	"SELECT string_agg(name, ',' ORDER BY \"order\") FROM vsm.stages WHERE stream LIKE 'wide%'" 'Authored,Committed,Merged,Released'
log wide_flowmetricscsv_example.csv 266
asks 'five of its items are open' \
	"SELECT wip_now FROM vsm.metrics('wide_flowmetricscsv_example', '-infinity', 'infinity')" 5
log jira_devlake.csv 31

finish
