# shellcheck shell=bash
#
# lib.sh: what the benchmarks share
#
#	. bench/lib.sh				after "cd" to the checkout
#	bench_begin NAME			build, install, start a private cluster with database vsm; removed at exit;
#					bench_files is a directory for our files
#	bench_also REV				the same with that revision, in a place of its own, beside the first;
#					each server is the one of its PGHOST
#	bench_stream [STAGES]		stream bench: six stages or so many, named by their ids, the last done
#	bench_fill ITEMS			that many open items in it, spread evenly over the stages that are not done
#	bench_by_time				store items and ledger anew in the order of time, as after an import they are not
#	bench_raw				schema raw, empty: items and their moves as an expert would keep them without vsm
#	bench_raw_fill				the items and moves of vsm in it
#	bench_raw_move				the statement that moves item :id to :stage there, and answers with the move, as ours does
#	bench_raw_open				empties the items, which from now on know when they were done; an index finds the open ones
#	bench_raw_move_open			the statement that keeps that too
#	bench_role LEVEL			a role that has this access, whose name is then in mover; none without LEVEL
#	bench_count				have the counters and totals counted: from then on each commit keeps them
#	say TEXT ...				progress, on stderr
#	sql COMMAND ... | sql <file		psql that stops at errors, prints bare values
#	rate OPTION ...			pgbench -M prepared, prints transactions per second
#	seconds_each OPTION ...			likewise, with one client; prints the seconds that a transaction takes, from the second on
#	seconds_of COMMAND ...			runs it, prints how long it took
#	median NUMBER ...			and ratio A B: A / B
#	reached RATIO TARGET			the last word of a row of results
#
# Others may use the machine: a baseline is measured in the same run, in turns with ours, and each round gives a ratio.
# Absolute figures are the machine's; the ratios are what the targets are about.

. scripts/cluster.sh

# One set for all.  Checkpoints and autovacuum come between measurements, never into them.  Preloaded, as in production.
SETTINGS=(
	shared_buffers=512MB fsync=on full_page_writes=on wal_level=replica max_wal_size=8GB checkpoint_timeout=1h
	autovacuum=off synchronous_commit=on shared_preload_libraries=vsm
)

bench_dirs=()

bench_begin()
{
	cluster_find || exit
	cluster_sweep "bench-$1"
	bench_name=$1
	bench_files=$(mktemp -d) && chmod 711 "$bench_files" || exit
	trap bench_end EXIT
	trap 'exit 130' INT TERM HUP
	say "building and installing"
	bench_make "$PWD" all install || exit
	say "starting a private server"
	bench_server "$(cluster_dir "bench-$1-$$")" || exit
	bench_dir=${bench_dirs[0]}
	print_setting
}

bench_end()
{
	local dir
	for dir in "${bench_dirs[@]}"; do
		cluster_remove "$dir"
	done
	rm -rf "$bench_files"
}

bench_make()					# CHECKOUT ARGUMENT ...
{
	local output
	mkdir -p "$1/build"
	output=$(flock "$1/build/.lock" env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -C "$1" PG_CONFIG="$PG_CONFIG" "${@:2}" 2>&1) && return
	printf '%s\n' "$output" >&2
	cluster_fail "the extension could not be built and installed" "as root: make install"
}

bench_server()					# DIR
{
	[ -n "$1" ] || return
	bench_dirs+=("$1")
	cluster_make "$1" && cluster_start "$1" "${SETTINGS[@]}" || return
	export PGDATABASE=vsm
	psql -X -q -d postgres -c 'CREATE DATABASE vsm' && sql -c 'CREATE EXTENSION vsm'
}

# PostgreSQL finds its files relative to the program: a tree of links with copies of the programs that look for them is
# another server, into which another vsm can be installed.
bench_also()
{
	local place=$bench_files/place directory
	say "building and installing revision $1"
	mkdir "$bench_files/source" && git archive "$1" | tar -x -C "$bench_files/source" || exit
	for directory in $("$PG_CONFIG" --bindir --pkglibdir --sharedir); do
		mkdir -p "$place$directory" && cp -rs "$directory/." "$place$directory" || exit
	done
	rm -f "$place$("$PG_CONFIG" --pkglibdir)/vsm.so" "$place$("$PG_CONFIG" --sharedir)/extension/vsm"[.-]*
	cp --remove-destination "$PGBIN"/{postgres,initdb,pg_ctl} "$place$PGBIN" || exit
	bench_make "$bench_files/source" DESTDIR="$place" all install || exit
	say "starting a private server with it"
	PGBIN=$place$PGBIN bench_server "$(cluster_dir "bench-$bench_name-also-$$")" || exit
}

print_setting()
{
	echo "$(postgres --version), $(nproc) processors, $(uname -sm)"
	echo "${SETTINGS[*]}"
}

# Stages are named by their ids, because pgbench's variables are numbers.
bench_stream()					# [STAGES]
{
	sql -v stages="${1:-6}" <<-'SQL' || exit
		SELECT vsm.define_stream('bench', jsonb_agg(jsonb_build_object('name', n::text, 'category', CASE
			WHEN n IN (1, 4) THEN 'wait' WHEN n = :stages THEN 'done' ELSE 'active' END) ORDER BY n)) IS NOT NULL AS defined
		FROM generate_series(1, :stages) n \gset
		UPDATE vsm.stages SET id = id WHERE id::text <> name;
	SQL
	[ "$(sql -c "SELECT bool_and(id::text = name) FROM vsm.stages")" = t ] ||
		{ cluster_fail "stages have other ids than names"; exit 1; }
}

# With vsm.recording = off, rows with their state filled in are taken as they are.  An item's only move so far put it where it is.
bench_fill()
{
	sql -v items="$1" <<-'SQL' || exit
		SET vsm.recording = off;
		INSERT INTO vsm.work_items (id, stream, external_id, title, created_at, updated_at, stage_id, stage_entered_at,
		                            started_at, active_time, wait_time, reopened, backward_moves, discarded)
		SELECT n, 'bench', 'CASE-' || n, 'Item number ' || n || ' of the benchmark', at, at, 1 + n % 5, at,
		       CASE WHEN n % 5 > 0 THEN at END, '0', '0', 0, 0, 0
		FROM generate_series(1, :items) n, LATERAL (SELECT now() - :items * interval '1 s' + n * interval '1 s') AS t (at);
		INSERT INTO vsm.stage_transitions (work_item_id, stream_id, to_stage_id, "timestamp", recorded_at, actor, type)
		SELECT w.id, v.id, w.stage_id, w.stage_entered_at, w.stage_entered_at, current_user, w.type
		FROM vsm.work_items w JOIN vsm.value_streams v ON v.name = w.stream ORDER BY w.id;
		SELECT setval('vsm.work_items_id_seq', :items) AS last \gset
		VACUUM (ANALYZE, FREEZE);
		CHECKPOINT;
	SQL
	bench_count
}

# An import writes the moves item by item; people move items in the order of time.
bench_by_time()
{
	say "storing the ledger in the order of time"
	sql <<-'SQL' || exit
		CREATE TABLE items AS SELECT * FROM vsm.work_items ORDER BY id;
		CREATE TABLE moves AS SELECT * FROM vsm.stage_transitions ORDER BY "timestamp", id;
		TRUNCATE vsm.work_items;
		SET vsm.recording = off;
		INSERT INTO vsm.work_items SELECT * FROM items;
		INSERT INTO vsm.stage_transitions SELECT * FROM moves;
		DROP TABLE items, moves;
	SQL
}

# What a move needs and no more.  An item keeps the stage that it left, so that one visit to its row is enough for a
# correct move, whoever else moves the item.  No index has a column that a move changes, so that updates are HOT.
bench_raw()
{
	sql <<-'SQL' || exit
		CREATE SCHEMA raw;
		CREATE TABLE raw.items (
		    id bigint PRIMARY KEY,
		    stream_id bigint NOT NULL,
		    external_id text,
		    title text NOT NULL,
		    type text NOT NULL,
		    created_at timestamptz NOT NULL,
		    stage_id bigint NOT NULL,
		    from_stage_id bigint,
		    entered_at timestamptz NOT NULL
		) WITH (fillfactor = 80);
		CREATE UNIQUE INDEX items_external_id ON raw.items (stream_id, external_id);
		CREATE TABLE raw.moves (
		    item_id bigint NOT NULL,
		    id bigint GENERATED BY DEFAULT AS IDENTITY,
		    stream_id bigint NOT NULL,
		    from_stage_id bigint,
		    to_stage_id bigint NOT NULL,
		    at timestamptz NOT NULL,
		    PRIMARY KEY (item_id, id)
		);
		CREATE INDEX moves_stream_at ON raw.moves (stream_id, at);
	SQL
}

bench_raw_fill()
{
	sql <<-'SQL' || exit
		INSERT INTO raw.items (id, stream_id, external_id, title, type, created_at, stage_id, entered_at)
		SELECT w.id, v.id, w.external_id, w.title, w.type, w.created_at, w.stage_id, w.stage_entered_at
		FROM vsm.work_items w JOIN vsm.value_streams v ON v.name = w.stream ORDER BY w.id;
		INSERT INTO raw.moves (item_id, id, stream_id, from_stage_id, to_stage_id, at)
		SELECT t.work_item_id, t.id, i.stream_id, t.from_stage_id, t.to_stage_id, t."timestamp"
		FROM vsm.stage_transitions t JOIN raw.items i ON i.id = t.work_item_id ORDER BY t."timestamp", t.id;
		SELECT setval(pg_get_serial_sequence('raw.moves', 'id'), max(id)) AS last FROM raw.moves \gset
	SQL
}

bench_raw_move()
{
	cat <<-'SQL'
		WITH moved AS (
		    UPDATE raw.items SET from_stage_id = stage_id, stage_id = :stage::bigint, entered_at = clock_timestamp()
		    WHERE id = :id
		    RETURNING id, stream_id, from_stage_id, stage_id, entered_at)
		INSERT INTO raw.moves (item_id, stream_id, from_stage_id, to_stage_id, at)
		SELECT id, stream_id, from_stage_id, stage_id, entered_at FROM moved
		RETURNING *;
	SQL
}

# "What is in progress?" must not read every item that was ever finished, with vsm as without.
bench_raw_open()
{
	sql <<-'SQL' || exit
		TRUNCATE raw.items;
		ALTER TABLE raw.items ADD completed_at timestamptz;
		CREATE INDEX items_open ON raw.items (stream_id, id) WHERE completed_at IS NULL;
	SQL
}

bench_raw_move_open()
{
	local done_stage
	done_stage=$(sql -c "SELECT id FROM vsm.stages WHERE stream = 'bench' AND category = 'done'") || exit
	bench_raw_move | sed "s/entered_at = clock_timestamp()/&, completed_at = CASE :stage::bigint WHEN $done_stage THEN clock_timestamp() END/"
}

bench_role()
{
	mover=${1:+bench_mover}
	[ -n "$1" ] || return 0
	sql -v level="$1" <<-'SQL' || exit
		CREATE ROLE bench_mover LOGIN;
		SELECT vsm.grant_access('bench_mover', :'level') AS granted \gset
	SQL
}

bench_count()					# also of a vsm that has none of these
{
	sql >"$bench_files/counted" <<-'SQL' || exit
		SELECT * FROM vsm.wip;
		SELECT 'SELECT * FROM vsm.flow_totals' WHERE to_regclass('vsm.flow_totals') IS NOT NULL \gexec
	SQL
}

say()
{
	printf '%s  %s\n' "$(date +%T)" "$*" >&2
}

sql()
{
	psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"
}

# A transaction that fails is an error: what it would do to the rate, nobody could say.
rate()
{
	local result=$bench_files/result.$BASHPID
	pgbench -n -M prepared "$@" >"$result" 2>>"$bench_files/log" &&
		awk '/^number of failed transactions: [1-9]/ { exit 1 } /^tps/ { print $3 }' "$result" ||
		{ cat "$result" >&2; tail -n 5 "$bench_files/log" >&2; exit 1; }
}

# Without the first, which plans, and is the first of its process to touch the memory of the data; the only one counts.
seconds_each()
{
	local log=$bench_files/each.$BASHPID
	rate --log --log-prefix="$log" "$@" >/dev/null &&
		awk 'NR == 1 { first = $3 } NR > 1 { sum += $3 } END { printf "%.9f\n", (NR > 1 ? sum / (NR - 1) : first) / 1e6 }' "$log".* || return
	rm -f "$log".*
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
	sed -n '3,/^$/ s/^# \{0,1\}//p' "bench/${0##*/}"
}
