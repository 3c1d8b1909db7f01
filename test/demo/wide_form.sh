#!/bin/bash
# make demo DATA=...: exports with one line for each item and a date for each stage.
# shellcheck disable=SC2034,SC2154
. "${BASH_SOURCE[0]%/*}/common"

stages="SELECT string_agg(name || ':' || category, ',' ORDER BY \"order\") FROM vsm.stages WHERE stream = "
items="SELECT string_agg(concat_ws(' ', external_id, type, to_char(started_at, 'MM-DD HH24:MI'),
		to_char(completed_at, 'MM-DD HH24:MI')), ', ' ORDER BY external_id)
	FROM vsm.work_items"

file export.csv 'Closed Date;Activated Date;ID;Story Points;Due Date' \
	'5/31/2023 8:04:10 AM;5/15/2023 10:29:09 PM;1;5;6/1/2023' \
	'1/4/2023 12:51:06 PM;1/3/2023 12:53:09 AM;2;;' \
	';1/5/2023 2:48:18 PM;3;3;2/2/2023' \
	'1/7/2023 9:00:00 AM;1/7/2023 9:00:00 AM;4;1;'
run DATA="$work/export.csv"
succeeds 'an export with semicolons is imported'
shows 'its form is recognised' '4 lines in the wide form'
shows 'what is left out is told' 'not used: Story Points, Due Date'
asks 'stages go as the items do, not as the columns stand' "$stages'export'" 'Activated:active,Closed:done'
asks 'dates are right' "$items" \
	'1 task 05-15 22:29 05-31 08:04, 2 task 01-03 00:53 01-04 12:51, 3 task 01-05 14:48, 4 task 01-07 09:00 01-07 09:00'
fits 'the report fits into 100 columns'

# Most items go one way, some skip stages, one goes another way.
file kanban.csv 'id,type,Done,Ready,Review,Doing,Status' \
	'1,bug,2026-01-09,2026-01-01,2026-01-05,2026-01-03,Done' \
	'2,bug,2026-01-09,2026-01-02,2026-01-06,2026-01-04,Done' \
	'3,story,2026-01-08,2026-01-02,,2026-01-03,Done' \
	'4,story,2026-01-07,2026-01-01,2026-01-03,2026-01-05,Done' \
	'5,story,,,,2026-01-05,Doing'
run DATA="$work/kanban.csv"
succeeds 'an export with blanks is imported'
asks 'stages stand in the order most items take' "$stages'kanban'" 'Ready:wait,Doing:active,Review:active,Done:done'
asks 'types come along' "SELECT string_agg(DISTINCT type, ',') FROM vsm.work_items" 'bug,story'

file linear.csv 'ID;Created;Started;Canceled;Completed' '1;2026-01-01;2026-01-02;;2026-01-05' '2;2026-01-01;2026-01-03;2026-01-04;' \
	'3;2026-01-02;;2026-01-03;' '4;2026-01-02;;;'
run DATA="$work/linear.csv"
asks 'a column of what was given up is a discarded stage, the last one' "$stages'linear'" \
	'Created:wait,Started:active,Completed:done,Canceled:discarded'
shows 'the report tells it apart' '^balance  WIP 0 \+ 4 arrived \+ 0 returned - 1 departed - 2 discarded = WIP 1$'

run DATA="$work/kanban.csv" STAGES='ready:wait,doing:active,done:done'
succeeds 'stages can be given'
shows 'a column left out is told' 'Column "Review" is not given as a stage, so it is not used'
asks 'and only those given are used' "$stages'kanban'" 'Ready:wait,Doing:active,Done:done'

run DATA="$work/kanban.csv" STAGES='Ready:wait,Doign:active,Done:done'
fails 'a stage that no column has is an error'
shows 'which names it' 'the file has no stage "Doign"'
shows 'and says what to do' '^Hint: Name the stages as the file does'

finish
