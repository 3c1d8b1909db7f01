# shellcheck shell=bash
#
# large.sh: a stream with two years of moves, for the benchmarks of figures
#
#	. bench/large.sh			after bench/lib.sh; zone is the streams' time zone, small_streams their number
#	load_large DATABASE ITEMS DAYS	a database with the stream, whose last moves are as many days old, folded
#	define					the types and streams: large, tiny, and the small ones
#	make_events ITEMS DAYS			the events of stream large, and table data_end with the time of their end
#	import_large				imports them and stores the ledger in the order of time
#	fold					folds the days that are over; folded has the seconds, by database
#
# The header of bench/scale says what the moves are like.

declare -A folded=()

load_large()					# DATABASE ITEMS DAYS
{
	PGDATABASE=postgres sql -c "CREATE DATABASE $1" && PGDATABASE=$1 || exit
	sql -c 'CREATE EXTENSION vsm' || exit
	define
	make_events "$2" "$3"
	import_large
	bench_count
	fold
	sql -c CHECKPOINT || exit
}

define()
{
	sql -v zone="$zone" -v streams="$small_streams" <<-'SQL' || exit
		INSERT INTO vsm.work_item_types (name) VALUES ('feature'), ('bug'), ('task'), ('chore') ON CONFLICT DO NOTHING;
		SELECT vsm.define_stream(n.name, '[{"name":"Backlog","category":"wait"}, {"name":"Analysis"}, {"name":"Development"},
			{"name":"Ready","category":"wait"}, {"name":"Testing"}, {"name":"Done","category":"done"},
			{"name":"Dropped","category":"discarded"}]', time_zone => :'zone')
		FROM unnest('{large,tiny}'::text[]) n (name) \g /dev/null
		SELECT vsm.define_stream('small ' || n, '[{"name":"Backlog","category":"wait"}, {"name":"Development"},
			{"name":"Testing"}, {"name":"Done","category":"done"}]') FROM generate_series(1, :streams) n \g /dev/null
	SQL
}

# Mean days in the stages in their order: 0.8, 0.25, 0.5, 0.15, 0.2, and 20 and 10 until a finished or discarded item
# comes back.  One item in a hundred goes through Testing in no time.
make_events()					# ITEMS DAYS
{
	say "making the events of $1 items"
	sql -v items="$1" -v days="$2" <<-'SQL' || exit
		SELECT setseed(0.5), date_trunc('minute', now() - :days * interval '1 day') AS data_end \gset
		CREATE TABLE data_end AS SELECT timestamptz :'data_end' AS at;
		CREATE TABLE events AS
		WITH item AS (
		    SELECT n, timestamptz :'data_end' - random() * interval '730 days' AS created_at, random() AS fate, random() AS sent_back,
		           n % greatest(:items / 4000, 1) = 0 AS long
		    FROM generate_series(1, :items) n),
		way AS (
		    SELECT i.n, i.long, i.created_at,
		           CASE WHEN fate < 0.0005 THEN '{1,2,7,2,3,4,5,6}'::integer[]
		                WHEN fate < 0.015 THEN '{1,7}'
		                WHEN fate < 0.020 THEN '{1,2,3,7}'
		                WHEN fate < 0.025 THEN '{1,6}'
		                ELSE '{1,2,3,4,5}'::integer[]
		                     || CASE WHEN sent_back < 0.05 THEN '{3,4,5,3,4,5}'::integer[]
		                             WHEN sent_back < 0.30 THEN '{3,4,5}' ELSE '{}' END
		                     || CASE WHEN fate < 0.055 THEN '{6,3,4,5,6}'::integer[] ELSE '{6}' END END AS stages
		    FROM item i),
		visit AS (
		    SELECT w.n, w.created_at, v.stage, v.place,
		           CASE WHEN w.long AND v.place = 1 + w.n / 7 % least(cardinality(w.stages) - 1, 5)
		                THEN (365 + 400 * random()) * interval '1 day'
		                WHEN v.stage = 5 AND w.n % 100 = 7 THEN '0'
		                ELSE -ln(1 - random()) * ('{0.8,0.25,0.5,0.15,0.2,20,10}'::float8[])[v.stage] * interval '1 day' END AS stay
		    FROM way w, unnest(w.stages) WITH ORDINALITY v (stage, place))
		SELECT v.n::text AS case_id, ('{Backlog,Analysis,Development,Ready,Testing,Done,Dropped}'::text[])[v.stage] AS stage,
		       v.created_at + coalesce(sum(v.stay) OVER (PARTITION BY v.n ORDER BY v.place
		                                                 ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), '0') AS entered_at,
		       ('{feature,bug,task,chore,feature,feature,bug,task}'::text[])[1 + v.n % 8] AS type, 'Item number ' || v.n AS title
		FROM visit v;
		ANALYZE events;
		CREATE VIEW past_events AS SELECT * FROM events WHERE entered_at < :'data_end';
	SQL
}

import_large()
{
	say "importing them"
	sql <<-'SQL' || exit
		SELECT vsm.import_events('past_events', 'large') AS imported \gset
		DROP VIEW past_events;
		DROP TABLE events;
		UPDATE vsm.work_items SET attributes = jsonb_build_object('team', ('{red,green,blue}'::text[])[1 + id % 3]) WHERE id % 10 = 0;
	SQL
	say "storing the ledger in the order of time"
	sql -c 'CLUSTER vsm.stage_transitions USING stage_transitions_timestamp' -c 'VACUUM (ANALYZE, FREEZE)' || exit
}

# A call folds what it may; the first ones close the days.
fold_all()
{
	local calls folded waiting
	for ((calls = 0; calls < 10000; calls++)); do
		IFS='|' read -r folded waiting < <(sql -c 'SELECT coalesce(sum(days_folded), 0), coalesce(sum(days_waiting), 0) FROM vsm.fold()') || exit
		((folded > 0 || calls == 0 || (waiting > 0 && calls < 10))) || break
	done
	[ "$waiting" = 0 ] || say "$waiting days still wait to be folded"
}

fold()
{
	say "folding"
	folded[$PGDATABASE]=$(seconds_of fold_all) || exit
	say "folded in ${folded[$PGDATABASE]} s"
	sql -c 'VACUUM (ANALYZE)' || exit
}
