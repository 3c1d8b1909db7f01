#!/bin/bash
# make demo DATA=...: what cannot be read is told, with what to do, and leaves nothing behind.
# shellcheck disable=SC2034,SC2154
. "${BASH_SOURCE[0]%/*}/common"

# refuses NAME FILE MESSAGE HINT [VARIABLE=value]
refuses()
{
	run DATA="$work/$2" "${5:-X=}"
	fails "$1"
	shows "$1: the message" "^demo: .*$3"
	shows "$1: what to do" "^Hint: .*$4"
	hides "$1: no report" '^Flow of stream'
}

refuses 'no such file' nowhere.csv 'there is no file .*nowhere.csv' 'give a path'
mkdir "$work/folder.csv"
refuses 'a folder' folder.csv 'is not a file' 'comma-separated'
: >"$work/empty.csv"
refuses 'an empty file' empty.csv 'is empty' 'header line'
printf '\n\n ,,\n' >"$work/blank.csv"
refuses 'a file of blank lines' blank.csv 'is empty' 'first line names the columns'
printf 'PK\003\004abc' >"$work/book.csv"
refuses 'a workbook' book.csv 'a zip archive or a workbook' 'as CSV'
head -c 300 /dev/urandom | gzip | head -c 100 >"$work/cut.csv.gz"
refuses 'a damaged archive' cut.csv.gz 'damaged' 'anew'
file one.csv 'case_id' 'A-1'
refuses 'one column' one.csv 'one column only' 'Separate the columns'
file header.csv 'case_id,stage,entered_at'
refuses 'a header and no more' header.csv 'nothing below the header line' 'columns case_id, stage and entered_at'
file names.csv 'colour,size,price' 'red,2,3.50'
refuses 'no column for the item' names.csv 'no column tells which item' 'columns case_id, stage and entered_at'
shows 'which names the columns' 'The columns are colour, size, price'
file nostage.csv 'id,size,price' '1,2,3.50'
refuses 'no column for the stage' nostage.csv 'no columns tell when an item entered' 'columns case_id, stage and entered_at'
file nodates.csv 'id,stage,time' '1,New,yesterday-ish' '1,Done,later'
refuses 'no dates' nodates.csv 'none holds dates or times' 'columns case_id, stage and entered_at'
shows 'which shows what is no date' 'Column "time" holds no dates, but such as "yesterday-ish"'
file ragged.csv 'case_id,stage,entered_at' '' '1,Done'
refuses 'only lines that are too short' ragged.csv 'no line of the file is an event' 'columns case_id, stage and entered_at'
shows 'which tells the first' 'Line 3: the line has fewer fields'
file quote.csv 'case_id,stage,entered_at' '1,"New,2026-01-01' '1,Done,2026-01-02'
refuses 'a quote without its partner' quote.csv 'quote.csv: line 2: a quoted field is not closed' 'quotes in pairs'
file good.csv 'case_id,stage,entered_at' '1,New,2026-01-01' '1,Doing,2026-01-02' '1,Done,2026-01-03'
refuses 'stages that are not all' good.csv 'the file has a stage "Doing" that is not given' 'Name all stages' STAGES=New:wait,Done:done
file nodone.csv 'case_id,stage,entered_at' '1,New,2026-01-01' '2,New,2026-01-01'
refuses 'no stage where work is done' nodone.csv 'no stage of the file is a done stage' "add STAGES='New:wait,Done:done'"
refuses 'a word that an option does not know' good.csv 'DATES=day-first cannot be read' 'DATES is DMY, MDY or YMD' DATES=day-first
refuses 'a form that is none' good.csv 'FORM=tall cannot be read' 'FORM is long or wide' FORM=tall
refuses 'a direction that is none' good.csv 'DIRECTION=up cannot be read' 'DIRECTION is oldest_first or newest_first' DIRECTION=up

# What must not be guessed is asked, with the option that decides.
file order.csv 'id,status,date' '1,New,03/04/2026' '1,Doing,05/04/2026' '1,Done,07/06/2026'
refuses 'dates of an order that nothing tells' order.csv 'order of day and month' 'Add DATES=DMY or DATES=MDY$'
file two.csv 'id,Status,State,date' '1,New,Open,2026-01-01' '1,Doing,Open,2026-01-02' '2,New,Open,2026-01-02' '1,Done,Shut,2026-01-03'
refuses 'two columns that may be the stage' two.csv 'stage' 'STAGE='
refuses 'no such time zone' good.csv 'no time zone Mars/Olympus' 'TIME_ZONE=' TIME_ZONE=Mars/Olympus
hides 'which is seen before anything is built' '^(Building|Starting)'
refuses 'a city for a time zone' good.csv 'no time zone Berlin$' 'TIME_ZONE=Europe/Berlin' TIME_ZONE=Berlin
refuses 'a category that is none' good.csv 'the file has no stage "Doing:actve"' 'wait, active, done or discarded' STAGES=New:wait,Doing:actve,Done:done
refuses 'a limit of 0' good.csv 'a WIP limit of 0 in Doing:active:0' '1 or more' STAGES=New:wait,Doing:active:0,Done:done
hides 'which is seen before anything is built, too' '^(Building|Starting)'
out=$(make -s demo DATA= 2>&1) status=$?
fails 'a name that is empty'
shows 'which is told' '^demo: DATA= names no file'
shows 'with what to do' '^Hint: make demo DATA=file.csv'
hides 'and is no simulation' '^(Building|Flow of stream)'

if [ -e "$(cluster_dir "$VSM_DEMO")" ]; then result 'not ok' 'nothing is left behind'; else result ok 'nothing is left behind'; fi

# Lines that cannot be imported are left out and shown; the others count.
file some.csv 'case_id,stage,entered_at' '1,New,2026-01-01' '1,Doing,2026-02-31' '9,New' '8,New,2026-01-01,x' '1,Done,2026-01-03' \
	',New,2026-01-04' '2,New,' '3,,2026-01-01' '3,New,2026-01-01'
run DATA="$work/some.csv"
succeeds 'a log with some bad lines is imported'
shows 'their number is told' 'refused 6 lines'
shows 'and the reasons' '2026-02-31: '
asks 'the good lines are in' "SELECT count(*) FROM vsm.work_items" 2

# What may be given can be asked.
out=$(make -s help) status=$?
succeeds 'make help'
shows 'names the form of STAGES' 'STAGES=New:wait,Doing:active:5,Done:done'
for script in demo/run scripts/packages scripts/release-check; do
	out=$("$script" --help 2>&1) status=$?
	succeeds "$script --help"
	shows "$script --help says what it is" "^${script##*/} \\["
done

# An error with a new file leaves a running demo as it is.
run DATA="$work/nowhere.csv"
asks 'a wrong name does not end the demo that runs' "SELECT count(*) FROM vsm.work_items" 2
run DATA="$work/good.csv" TIME_ZONE=Mars
fails 'a time zone that is none'
asks 'does not either' "SELECT count(*) FROM vsm.work_items" 2
run DATA="$work/nodone.csv"
asks 'nor does a file that only the server refuses' "SELECT count(*) FROM vsm.work_items" 2
gateway=$(cat "build/$VSM_DEMO.gateway")
if [ -d "/proc/$gateway" ]; then result ok 'its gateway goes on too'; else result 'not ok' 'its gateway goes on too'; fi
if [ -e "$(cluster_dir "$VSM_DEMO.next")" ]; then result 'not ok' 'and no other server is left'; else result ok 'and no other server is left'; fi

finish
