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
refuses 'a file of blank lines' blank.csv 'is empty' 'header line'
printf 'PK\003\004abc' >"$work/book.csv"
refuses 'a workbook' book.csv 'a zip archive or a workbook' 'as CSV'
head -c 300 /dev/urandom | gzip | head -c 100 >"$work/cut.csv.gz"
refuses 'a damaged archive' cut.csv.gz 'damaged' 'anew'
file one.csv 'case_id' 'A-1'
refuses 'one column' one.csv 'one column only' 'separate the columns'
file header.csv 'case_id,stage,entered_at'
refuses 'a header and no more' header.csv 'nothing below the header line' 'Name the columns'
file names.csv 'colour,size,price' 'red,2,3.50'
refuses 'no column for the item' names.csv 'no column tells which item .*colour, size, price' 'Name the columns case_id'
file nostage.csv 'id,size,price' '1,2,3.50'
refuses 'no column for the stage' nostage.csv 'no columns tell when an item entered' 'Name the columns case_id'
file nodates.csv 'id,stage,time' '1,New,yesterday-ish' '1,Done,later'
refuses 'no dates' nodates.csv 'column time holds no dates' 'Write times as'
file ragged.csv 'case_id,stage,entered_at' '1,New,2026-01-01' '2,New' '1,Done,2026-01-02'
refuses 'a line that is too short' ragged.csv 'ragged.csv, line 3: the record has 2 fields and the header has 3' 'as many fields as the header'
file long.csv 'case_id,stage,entered_at' '1,New,2026-01-01,9' '1,Done,2026-01-02'
refuses 'a line that is too long' long.csv 'long.csv, line 2: the record has more fields' 'as many fields as the header'
file spaced.csv 'case_id,stage,entered_at' '' '1,"New\ntwice",2026-01-01' '' '1,Done'
refuses 'blank lines and line ends in quotes count as lines' spaced.csv 'spaced.csv, line 6: the record has 2 fields' 'as many fields'
file quote.csv 'case_id,stage,entered_at' '1,"New,2026-01-01' '1,Done,2026-01-02'
refuses 'a quote without its partner' quote.csv 'quote.csv, line 2: a quoted field is not closed' 'quotes in pairs'
file good.csv 'case_id,stage,entered_at' '1,New,2026-01-01' '1,Doing,2026-01-02' '1,Done,2026-01-03'
refuses 'stages that are not all' good.csv "STAGES does not tell about 'Doing'" 'Add each' \
	STAGES=New:wait,Done:done
refuses 'no such time zone' good.csv 'no time zone Mars/Olympus' 'TIME_ZONE=' TIME_ZONE=Mars/Olympus

if [ -e "$(cluster_dir "$VSM_DEMO")" ]; then result 'not ok' 'nothing is left behind'; else result ok 'nothing is left behind'; fi

# Lines that cannot be imported are left out and shown; the others count.
file some.csv 'case_id,stage,entered_at' '1,New,2026-01-01' '1,Doing,2026-02-31' '1,Done,2026-01-03' \
	',New,2026-01-04' '2,New,' '3,,2026-01-01' '3,New,2026-01-01'
run DATA="$work/some.csv"
succeeds 'a log with some bad lines is imported'
shows 'their number is told' 'refused 4 lines'
shows 'and the reasons' '2026-02-31: '
asks 'the good lines are in' "SELECT count(*) FROM vsm.work_items" 2

# An error with a new file leaves a running demo as it is.
run DATA="$work/nowhere.csv"
asks 'a wrong name does not end the demo that runs' "SELECT count(*) FROM vsm.work_items" 2

finish
