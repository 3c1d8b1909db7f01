#!/bin/bash
# make demo DATA=...: exports of trackers, some of each kind, have the figures of an independent program.
# shellcheck disable=SC2034,SC2154
. "${BASH_SOURCE[0]%/*}/common"

folder=${VSM_SHARED_EXPORTS:-../shared/cases/exports}
[ -e "$folder/cases.json" ] || { echo '1..0 # SKIP no ../shared/cases/exports here'; exit; }
type -P jq >/dev/null || { echo '1..0 # SKIP no jq here'; exit; }

figures="SELECT concat_ws(' ', (SELECT concat_ws(' ', count(*), count(completed_at), count(discarded_at)) FROM vsm.work_items),
	hours(lead_time_p50), hours(lead_time_p85), hours(cycle_time_p50), hours(cycle_time_p85))
	FROM (SELECT m.* FROM vsm.value_streams v, vsm.metrics(v.name, '-infinity', 'infinity') m) m"

# export FILE [VARIABLE=value]: it is imported and reported, with the figures of cases.json.
export_of()
{
	run DATA="$folder/$1" "${2:-X=}"
	succeeds "$1 is reported"
	shows "$1: the report has all its sections" '^Data quality'
	fits "$1: the report fits into 100 columns"
	asks "$1: its figures" "CREATE FUNCTION pg_temp.hours(interval) RETURNS text LANGUAGE sql AS \$\$
		SELECT to_char(extract(epoch FROM \$1) / 3600, 'FM999990.0') \$\$; ${figures//hours(/pg_temp.hours(}" \
		"$(jq -r --arg name "$1" '.[$name] | [.items, .finished, .discarded, (.lead_p50_h, .lead_p85_h, .cycle_p50_h, .cycle_p85_h |
			(. * 10 + 0.5 | floor) | "\(. / 10 | floor).\(. % 10)")] | map(tostring) | join(" ")' "$folder/cases.json")"
}

# question FILE OPTION
question()
{
	run DATA="$folder/$1"
	fails "$1: a question"
	shows "$1: which names the option" "^Hint: .*\\b$2="
	hides "$1: no figure" '^Flow of stream'
}

for name in jira_newest_first_same_minute.csv trello_actions.csv jira_changelog_full.csv wide_placeholders.csv status_case_blanks.csv \
	excel_datum_utf16.csv excel_cp1252.csv date_only_same_day.csv dst_fold.csv extra_comma.csv ado_revisions.csv; do
	export_of $name
done
question dates_ambiguous.csv DATES
export_of dates_ambiguous.csv DATES=DMY
question dates_mixed.csv DATES
question two_status_columns.csv STAGE
for name in counts_per_week.csv github_project.tsv no_header.csv; do
	run DATA="$folder/$name"
	fails "$name: refused"
	hides "$name: no figure" '^Flow of stream'
done

finish
