# shellcheck shell=bash
#
# lib.sh: what the benchmarks share
#
#	. bench/lib.sh				after "cd" to the checkout
#	bench_begin NAME			build, install, start a private cluster with database vsm; removed at exit;
#					bench_files is a directory for our files
#	say TEXT ...				progress, on stderr
#	sql COMMAND ... | sql <file		psql that stops at errors, prints bare values
#	seconds_of COMMAND ...			runs it, prints how long it took
#	median NUMBER ...			and ratio A B: A / B
#	heading, row				the table of results, on stdout
#
# Others may use the machine: a baseline is measured in the same run, in turns with ours, and each round gives a ratio.
# Absolute figures are the machine's; the ratios are what the targets are about.

. scripts/cluster.sh

# One set for all.  Checkpoints and autovacuum come between measurements, never into them.
SETTINGS=(
	shared_buffers=512MB fsync=on full_page_writes=on wal_level=replica max_wal_size=8GB checkpoint_timeout=1h
	autovacuum=off synchronous_commit=on
)

bench_begin()
{
	cluster_find || exit
	cluster_sweep "bench-$1"
	bench_dir=$(cluster_dir "bench-$1-$$") || exit
	bench_files=$(mktemp -d) || exit
	trap 'cluster_remove "$bench_dir"; rm -rf "$bench_files"' EXIT
	trap 'exit 130' INT TERM HUP
	say "building and installing"
	bench_install || exit
	say "starting a private server"
	cluster_make "$bench_dir" && cluster_start "$bench_dir" "${SETTINGS[@]}" || exit
	export PGDATABASE=vsm
	psql -X -q -d postgres -c 'CREATE DATABASE vsm' && sql -c 'CREATE EXTENSION vsm' || exit
	print_setting
}

bench_install()
{
	local output
	output=$(flock build/.lock env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s PG_CONFIG="$PG_CONFIG" all install 2>&1) && return
	printf '%s\n' "$output" >&2
	cluster_fail "the extension could not be built and installed" "as root: make install"
}

print_setting()
{
	echo "$(postgres --version), $(nproc) processors, $(uname -sm)"
	echo "${SETTINGS[*]}"
}

say()
{
	printf '%s  %s\n' "$(date +%T)" "$*" >&2
}

sql()
{
	psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"
}

seconds_of()
{
	local start=$EPOCHREALTIME
	"$@" >/dev/null || return
	awk -v from="$start" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.4f\n", to - from }'
}

median()
{
	printf '%s\n' "$@" | sort -g | awk '{ n[NR] = $1 } END { print (n[int((NR + 1) / 2)] + n[int(NR / 2) + 1]) / 2 }'
}

ratio()
{
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.4f\n", a / b }'
}

# Does the ratio reach the target?
reached()
{
	awk -v ratio="$1" -v target="$2" 'BEGIN { print (ratio >= target ? "reached" : "MISSED") }'
}

number_option()					# NAME VALUE: a whole number from 1
{
	[[ ${2-} =~ ^[1-9][0-9]*$ ]] || { cluster_fail "$1 needs a whole number from 1" "see --help"; exit 2; }
}

# The comment at the top of the program.
show_help()
{
	sed -n '3,/^$/ { s/^#$//; s/^# //p }' "bench/${0##*/}"
}
