#!/bin/bash
# make demo DATA=...: logs with one line for each event.
# shellcheck disable=SC2034,SC2154
. "${BASH_SOURCE[0]%/*}/common"

file small.csv 'case_id,stage,entered_at,type,title' \
	'A-1,New,2026-03-01T08:00:00Z,bug,"Broken, badly"' \
	'A-2,New,2026-03-02T08:00:00Z,wish,' \
	'A-1,In Progress,2026-03-02T08:00:00Z,bug,"Broken, badly"' \
	'A-1,Done,2026-03-04T08:00:00Z,bug,"Broken, badly"' \
	'A-2,In Progress,2026-03-05T08:00:00Z,wish,'
stages="SELECT string_agg(name || ':' || category, ',' ORDER BY \"order\") FROM vsm.stages WHERE stream = "
moves="SELECT string_agg(concat_ws(' ', i.external_id, s.name, to_char(t.\"timestamp\" AT TIME ZONE 'UTC', 'DD HH24:MI')),
		', ' ORDER BY i.external_id, t.\"timestamp\")
	FROM vsm.stage_transitions t JOIN vsm.work_items i ON i.id = t.work_item_id JOIN vsm.stages s ON s.id = t.to_stage_id"
expected='A-1 New 01 08:00, A-1 In Progress 02 08:00, A-1 Done 04 08:00, A-2 New 02 08:00, A-2 In Progress 05 08:00'

run DATA="$work/small.csv"
succeeds 'a small log is imported'
shows 'its form is recognised' '5 lines in the long form'
shows 'what was guessed is told' "STAGES='New:wait,In Progress:active,Done:done'"
shows 'the stream is named after the file' '^Flow of stream "small"'
fits 'the report fits into 100 columns'
asks 'stages and categories are guessed' "$stages'small'" 'New:wait,In Progress:active,Done:done'
asks 'every move is there' "$moves" "$expected"
asks 'titles and types too' \
	"SELECT string_agg(title || '/' || type, ', ' ORDER BY external_id) FROM vsm.work_items" 'Broken, badly/bug, A-2/wish'
shows 'an old log is reported as of its end' 'window   2026-03-01 08:00 to 2026-03-05 08:00'

# A byte order mark, Windows line ends, a semicolon, other names, another order of columns, no type, empty lines.
{
	printf '\xef\xbb\xbfsep=;\r\nTo Status;"Changed Date";Assignee;Issue key\r\n\r\n'
	sed -n '2,$s/\([^,]*\),\([^,]*\),\([^,]*\),.*/"\2";\3;"x;""y""";\1\r/p' "$work/small.csv"
	printf ';;;\r\n\r\n'
} | gzip >"$work/windows.csv.gz"
run DATA="$work/windows.csv.gz"
succeeds 'a packed file from Windows is imported'
shows 'columns it does not need are told' 'not used: Assignee'
asks 'with the same moves' "$moves" "$expected"

# Times without a zone are the stream's; the stages are what the user says.
sed 's/T08:00:00Z/ 08:00/' "$work/small.csv" | tr ',' '\t' >"$work/zone.tsv"
run DATA="$work/zone.tsv" TIME_ZONE=Asia/Tokyo STAGES='New:wait,Blocked:wait,in progress:active:1,Done:done'
succeeds 'stages and time zone can be given'
asks 'as given, in the spelling of the file' "$stages'zone'" 'New:wait,Blocked:wait,In Progress:active,Done:done'
asks 'with the limit' "SELECT wip_limit FROM vsm.stages WHERE name = 'In Progress'" 1
shows 'which the report shows' 'at its limit'
asks 'times are of the zone' "$moves" \
	'A-1 New 28 23:00, A-1 In Progress 01 23:00, A-1 Done 03 23:00, A-2 New 01 23:00, A-2 In Progress 04 23:00'
hides 'nothing is guessed then' 'guessed'

# Dates: of all kinds in test/csv/dialects.pl.
dates()							# NAME DATE DATE EXPECTED [VARIABLE=value]
{
	printf 'id|state|date\n1|Open|%s\n1|Closed|%s\n' "$2" "$3" >"$work/dates.csv"
	run DATA="$work/dates.csv" "${5:-X=}"
	asks "$1" "SELECT string_agg(to_char(\"timestamp\" AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), ', '
		ORDER BY \"timestamp\") FROM vsm.stage_transitions" "$4"
}
dates 'month first, 12-hour clock' '5/31/2023 8:04:10 AM' '6/1/2023 12:00:00 AM' '2023-05-31 08:04, 2023-06-01 00:00'
dates 'an offset from UTC' '2023-05-01T08:04:00.000+0200' '2023-05-02T08:04:00Z' '2023-05-01 06:04, 2023-05-02 08:04'
run DATA="$(printf 'id|state|date\n1|Open|5/1/2023\n1|Closed|6/1/2023\n' >"$work/dates.csv" && echo "$work/dates.csv")"
fails 'ambiguous ones are asked about'
shows 'with the option that decides' '^Hint: .*DATES=DMY'
dates 'and are as the user says' '5/1/2023' '6/1/2023' '2023-01-05 00:00, 2023-01-06 00:00' DATES=dmy
shows 'and are said again, where it is told how to choose otherwise' 'DATES=dmy STAGES='

# Work that was given up: whole names in any case, and Rejected only where items stay.
{
	printf 'id,status,date\n'
	n=0
	for path in 'New|Duplicate check|Doing|Done' 'New|Doing|Rejected|Doing|Done' "New|WON'T DO" 'New|Closed as duplicate' 'New|Abgebrochen' \
		'New|Annulé' 'New|Descartado' 'New|Doing|Resolved (wontfix)' 'New|Doing|Uncancelled'; do
		n=$((n + 1)) day=0
		while read -r stage; do
			day=$((day + 1))
			printf '%s,"%s",2026-05-0%s\n' $n "$stage" $day
		done < <(tr '|' '\n' <<<"$path")
	done
} >"$work/gone.csv"
run DATA="$work/gone.csv"
succeeds 'a log of work that was given up'
asks 'has discarded stages, after the done ones' "$stages'gone'" "New:wait,Duplicate check:active,Doing:active,Rejected:wait,Uncancelled:active,$(
	)Done:done,WON'T DO:discarded,Closed as duplicate:discarded,Abgebrochen:discarded,Annulé:discarded,$(
	)Descartado:discarded,Resolved (wontfix):discarded"
shows 'the balance of the report has them' '^balance  WIP 0 \+ 9 arrived \+ 0 returned - 2 departed - 6 discarded = WIP 1$'
shows 'they are not WIP' '^Work in progress: WIP 1, started WIP 1$'
hides 'nor are their stages' '^  (Descartado|Annulé) '
fits 'the report fits into 100 columns'

# What a report says of past months, a later one says too, whatever happened to their items since.
months()
{
	printf 'case_id,stage,entered_at\n'
	for n in 1 2 3 4 5 6; do
		printf '%s,New,2025-0%s-03\n%s,Doing,2025-0%s-10\n%s,Done,2025-0%s-20\n' $n $n $n $n $n $n
	done
	printf '7,New,2025-07-05\n%s' "$1"
}
months '7,Doing,2025-08-05' >"$work/months.csv"
run DATA="$work/months.csv"
early=$(grep -E '^  2025-0[1-7]-01' <<<"$out" | cut -c1-70)
months $'1,Doing,2025-09-01\n1,Done,2025-09-09\n2,Dropped,2025-08-07\n3,New,2025-08-01\n7,Doing,2025-08-05\n7,Done,2025-09-30\n' >"$work/months.csv"
run DATA="$work/months.csv"
late=$(grep -E '^  2025-0[1-7]-01' <<<"$out" | cut -c1-70)
if [ "$early" = "$late" ] && [ "$(grep -c . <<<"$early")" = 7 ]; then result ok 'past months stand still'; else
	result 'not ok' 'past months stand still' "$early"$'\n'"$late"; fi
shows 'what happened later stands in its own month' '^  2025-08-01 +0 +2 +0 +1 +2 +0$'

file lost.csv 'id,status,date' '1,New,2026-05-01' '1,Doing,2026-05-02' '1,Cancelled,2026-05-03' '2,New,2026-05-01'
run DATA="$work/lost.csv"
succeeds 'a log in which nothing else ends'
asks 'has a done stage all the same' "$stages'lost'" 'New:wait,Doing:active,Cancelled:done'
run DATA="$work/lost.csv" STAGES='New:wait,Doing:active,Shipped:done,Cancelled:Discarded'
asks 'and the one that the user names' "$stages'lost'" 'New:wait,Doing:active,Shipped:done,Cancelled:discarded'

# Another alphabet, and another encoding; more of them in test/csv/dialects.pl.
file 'schön.csv' 'id,status,date' '1,待办,2023-05-01' '1,进行中,2023-05-02' '1,已完成,2023-05-03'
run DATA="$work/schön.csv"
succeeds 'names in any language'
asks 'and their categories' "$stages'schön'" '待办:wait,进行中:active,已完成:done'
fits 'the report fits into 100 columns'
printf 'id\tstatus\tdate\r\n1\tgeöffnet 🚀\t2023-05-01\r\n1\terledigt\t2023-05-02\r\n' |
	iconv -f UTF-8 -t UTF-16BE | { printf '\xfe\xff'; cat; } | gzip >"$work/excel.txt.gz"
run DATA="$work/excel.txt.gz"
asks 'a file in UTF-16, with tabs, packed' "$stages'excel'" 'geöffnet 🚀:wait,erledigt:done'

finish
