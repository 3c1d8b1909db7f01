# shellcheck shell=bash
#
# expert.sh: flow figures without vsm, as an expert would ask PostgreSQL for them
#
#	. bench/expert.sh				after bench/lib.sh
#	expert_tables					schema expert with what vsm holds, indexed, analysed and vacuumed
#	expert_statement FIGURE STREAM SINCE UNTIL	one statement for it; figures of an instant are of UNTIL
#	expert_differences FIGURE STREAM SINCE UNTIL	SQL: the rows of the answers that differ; none if vsm's are the same
#	vsm_statement FIGURE STREAM SINCE UNTIL [ITEMS]	what it is compared with; ITEMS to forecast, by default 100
#
# The tables are lean.  An item has what a move must know or changes: where the item is and since when, its first start,
# the furthest stage.  A move has its item, time and stages, and when the item had entered the stage that it left.  There
# are no sums of days: those are what the figures are compared with.  The indexes answer by themselves, without the
# tables, wherever a figure reads many rows.  Streams and stages are literals, so that the planner knows how large they are.
#
# What is in progress at an instant is found from the items: one that has not moved since is where it is now; for the
# others that existed, the latest move until then says where they were.  That reads an index of the items once, and was
# three times as quick as sums over the moves.  Durations are seconds in float8, which is exact to the microsecond up to
# 285 years and sorts twice as quickly as an interval.

# Moves are stored in the order of time, as people make them.
expert_tables()
{
	sql <<-'SQL' || exit
		CREATE SCHEMA expert;
		CREATE TABLE expert.stages AS
		SELECT s.id::integer AS id, v.id::integer AS stream_id, s.name, s."order" AS place, s.category,
		       s.category = 'done' AS done, s.category = 'discarded' AS discarded, s.category IN ('wait', 'active') AS open
		FROM vsm.stages s JOIN vsm.value_streams v ON v.name = s.stream ORDER BY s."order";
		CREATE TABLE expert.items AS
		SELECT w.id, s.stream_id, w.external_id, w.title, w.type, w.attributes, w.created_at, w.started_at, w.stage_id::integer AS stage_id,
		       w.stage_entered_at AS entered_at, f.place AS furthest, coalesce(w.completed_at, w.discarded_at) AS ended_at
		FROM vsm.work_items w JOIN expert.stages s ON s.id = w.stage_id LEFT JOIN expert.stages f ON f.id = w.furthest_stage_id
		ORDER BY w.id;
		CREATE TABLE expert.moves AS
		SELECT t.work_item_id AS item_id, t.id, t."timestamp" AS at, t."timestamp" - t.time_in_stage AS from_at,
		       t.stream_id::integer AS stream_id, t.from_stage_id::integer AS from_stage_id, t.to_stage_id::integer AS to_stage_id
		FROM vsm.stage_transitions t ORDER BY t."timestamp", t.id;
		ALTER TABLE expert.stages ADD PRIMARY KEY (id);
		ALTER TABLE expert.items ADD PRIMARY KEY (id);
		CREATE INDEX items_open ON expert.items (stream_id, entered_at) WHERE ended_at IS NULL;
		CREATE INDEX items_entered ON expert.items (stream_id, entered_at) INCLUDE (created_at, stage_id, furthest, id);
		ALTER TABLE expert.moves ADD PRIMARY KEY (item_id, at, id) INCLUDE (to_stage_id);
		CREATE INDEX moves_at ON expert.moves (stream_id, at) INCLUDE (item_id, from_stage_id, to_stage_id, from_at);
		CREATE INDEX moves_to ON expert.moves (to_stage_id, at) INCLUDE (item_id);
		CREATE INDEX moves_from ON expert.moves (from_stage_id, at) INCLUDE (item_id, from_at);
		ALTER TABLE expert.moves ALTER stream_id SET STATISTICS 1000;
		VACUUM (ANALYZE, FREEZE) expert.stages, expert.items, expert.moves;
	SQL
}

expert_statement()
{
	local figure=${1/metrics_approx/metrics} stream_id zone finished active open
	IFS='|' read -r stream_id zone finished active open < <(sql -c "
		SELECT s.stream_id, v.time_zone, string_agg(s.id::text, ', ') FILTER (WHERE s.done), string_agg(s.id::text, ', ') FILTER (WHERE s.category = 'active'),
		       string_agg(s.id::text, ', ') FILTER (WHERE s.open)
		FROM expert.stages s JOIN vsm.value_streams v ON v.id = s.stream_id WHERE v.name = '$2' GROUP BY 1, 2")
	"expert_$figure" "$stream_id" | sed "s/:stream_id/$stream_id/g; s,:zone,'$zone',g; s/:done/$finished/g; s/:active/$active/g; s/:open/$open/g
		s/:since/timestamptz '$3'/g; s/:until/timestamptz '$4'/g"
}

vsm_statement()
{
	case $1 in
		wip_at) echo "SELECT * FROM vsm.wip_at('$2', '$4')" ;;
		work_item_age) echo "SELECT work_item_id, external_id, title, type, stage, age, time_in_stage, age_since_creation FROM vsm.work_item_age('$2', at => '$4', history_days => 0)" ;;
		forecast) echo "SELECT confidence, done_on FROM vsm.forecast(${5:-100}, stream => '$2', at => '$4', trials => 10000)" ;;
		flow_efficiency) echo "SELECT vsm.flow_efficiency('$2', '$3', '$4') AS flow_efficiency" ;;
		metrics_approx) echo "SELECT * FROM vsm.metrics('$2', '$3', '$4', exact => false)" ;;
		*) echo "SELECT * FROM vsm.$1('$2', '$3', '$4')" ;;
	esac
}

# Averages and ratios of the statements are floating-point numbers.
expert_differences()
{
	local columns='*' seconds='round((extract(epoch FROM %s))::numeric, 3)' column ours theirs
	ours=$(vsm_statement "$@") theirs=$(expert_statement "$@")
	case $1 in
		forecast) within_a_day "$ours" "$theirs" "$4"; return ;;
		flow_efficiency) columns='round(flow_efficiency::numeric, 9)' ;;
		time_in_stage)
			columns='stage, visits, p50, p70, p85, p95, items, open_visits'
			for column in avg avg_per_item open_avg; do
				# shellcheck disable=SC2059
				columns+=", $(printf "$seconds" "$column")"
			done
			;;
		metrics | metrics_approx)
			columns='throughput, arrivals, departures, returns, discarded, reopened, backward_moves, round(wip::numeric, 6),
				round(started_wip::numeric, 6), wip_now, started_wip_now, open_at_since, open_at_until, started_at_since, started_at_until,
				lead_time_n, cycle_time_n, finished_never_started, round(flow_efficiency::numeric, 9)'
			for column in {lead,cycle}_time_avg; do
				# shellcheck disable=SC2059
				columns+=", $(printf "$seconds" "$column")"
			done
			if [ "$1" = metrics ]; then
				columns+=', lead_time_p50, lead_time_p70, lead_time_p85, lead_time_p95, cycle_time_p50, cycle_time_p70, cycle_time_p85, cycle_time_p95'
			else
				within_one_percent "$ours" "$theirs"
				echo 'UNION ALL'
			fi
			;;
	esac
	cat <<-SQL
		(WITH ours AS MATERIALIZED (SELECT $columns FROM ($ours) o), theirs AS MATERIALIZED (SELECT $columns FROM ($theirs) t)
		SELECT 'vsm: ' || o FROM (TABLE ours EXCEPT ALL TABLE theirs) o
		UNION ALL
		SELECT 'statement: ' || t FROM (TABLE theirs EXCEPT ALL TABLE ours) t)
	SQL
}

# Both draw at random: a day, and one more for each twenty.
within_a_day()					# OURS THEIRS AT
{
	cat <<-SQL
		(SELECT format('at %s %%, done on %s, and %s by the statement', confidence, o.done_on, t.done_on)
		FROM ($1) o FULL JOIN ($2) t USING (confidence)
		WHERE (abs(o.done_on - t.done_on) <= 1 + (t.done_on - timestamptz '$3'::date) / 20) IS NOT TRUE)
	SQL
}

within_one_percent()			# OURS THEIRS
{
	cat <<-SQL
		(SELECT format('%s is %s, and %s by the statement', c.name, c.ours, c.theirs)
		FROM ($1) o, ($2) t, LATERAL (VALUES
		    ('lead_time_p50', o.lead_time_p50, t.lead_time_p50), ('lead_time_p70', o.lead_time_p70, t.lead_time_p70),
		    ('lead_time_p85', o.lead_time_p85, t.lead_time_p85), ('lead_time_p95', o.lead_time_p95, t.lead_time_p95),
		    ('cycle_time_p50', o.cycle_time_p50, t.cycle_time_p50), ('cycle_time_p70', o.cycle_time_p70, t.cycle_time_p70),
		    ('cycle_time_p85', o.cycle_time_p85, t.cycle_time_p85), ('cycle_time_p95', o.cycle_time_p95, t.cycle_time_p95)) c (name, ours, theirs)
		WHERE (c.ours IS NULL) <> (c.theirs IS NULL) OR c.ours NOT BETWEEN c.theirs * 0.9899 AND c.theirs * 1.0101)
	SQL
}

# ---- The statements ----

# Where the items were after the moves up to :until.
expert_wip_at()
{
	cat <<-'SQL'
		SELECT s.name AS stage, coalesce(h.items, 0)::bigint AS items
		FROM expert.stages s
		LEFT JOIN (
		    SELECT c.stage_id, sum(c.items) AS items
		    FROM (SELECT i.stage_id, count(*) AS items FROM expert.items i
		          WHERE i.stream_id = :stream_id AND i.entered_at <= :until GROUP BY 1
		          UNION ALL
		          SELECT l.to_stage_id, count(*) FROM expert.items i
		          CROSS JOIN LATERAL (SELECT m.to_stage_id FROM expert.moves m WHERE m.item_id = i.id AND m.at <= :until
		                              ORDER BY m.at DESC, m.id DESC LIMIT 1) l
		          WHERE i.stream_id = :stream_id AND i.entered_at > :until AND i.created_at <= :until GROUP BY 1) c
		    GROUP BY 1) h ON h.stage_id = s.id
		WHERE s.stream_id = :stream_id ORDER BY s.place
	SQL
}

# Where they were at :since, and what entered and left the stages on each day after it.
expert_occupancy()
{
	cat <<-SQL
		WITH point AS MATERIALIZED ($(expert_points)),
		moved AS MATERIALIZED (
		    SELECT p.n, m.*
		    FROM point p
		    CROSS JOIN LATERAL (SELECT m.from_stage_id, m.to_stage_id, count(*) AS items FROM expert.moves m
		                        WHERE m.stream_id = :stream_id AND m.at > p.after AND m.at <= p.at GROUP BY 1, 2) m),
		change AS (
		    SELECT i.stage_id, 1 AS n, count(*) AS items FROM expert.items i
		    WHERE i.stream_id = :stream_id AND i.entered_at <= :since GROUP BY 1
		    UNION ALL
		    SELECT l.to_stage_id, 1, count(*) FROM expert.items i
		    CROSS JOIN LATERAL (SELECT m.to_stage_id FROM expert.moves m WHERE m.item_id = i.id AND m.at <= :since
		                        ORDER BY m.at DESC, m.id DESC LIMIT 1) l
		    WHERE i.stream_id = :stream_id AND i.entered_at > :since AND i.created_at <= :since GROUP BY 1
		    UNION ALL
		    SELECT m.to_stage_id, m.n, m.items FROM moved m
		    UNION ALL
		    SELECT m.from_stage_id, m.n, -m.items FROM moved m)
		SELECT p.at, s.name AS stage, (sum(coalesce(c.items, 0)) OVER (PARTITION BY s.id ORDER BY p.n))::bigint AS items
		FROM expert.stages s CROSS JOIN point p
		LEFT JOIN (SELECT c.stage_id, c.n, sum(c.items) AS items FROM change c GROUP BY 1, 2) c ON c.stage_id = s.id AND c.n = p.n
		WHERE s.stream_id = :stream_id ORDER BY p.n, s.place
	SQL
}

# The first point is :since itself, and counts what was before; a move counts for the point that it does not pass.
expert_points()
{
	cat <<-'SQL'
		SELECT p.n, p.at AT TIME ZONE :zone AS at, lag(p.at AT TIME ZONE :zone) OVER (ORDER BY p.n) AS after
		FROM generate_series(:since AT TIME ZONE :zone, :until AT TIME ZONE :zone, '1 day') WITH ORDINALITY p (at, n)
	SQL
}

# The furthest place of the items at :since, and the first day in the window on which an item reached each place.
expert_cumulative_flow()			# STREAM_ID
{
	local places filters='' values='' place
	places=$(sql -c "SELECT place FROM expert.stages WHERE stream_id = $1 AND NOT discarded ORDER BY place") || exit
	for place in $places; do
		filters+=", min(p.n) FILTER (WHERE s.place >= $place) AS n_$place"
		values+=", ($place, f.n_$place)"
	done
	cat <<-SQL
		WITH point AS MATERIALIZED ($(expert_points)),
		stage AS MATERIALIZED (SELECT s.* FROM expert.stages s WHERE s.stream_id = :stream_id),
		held AS MATERIALIZED (
		    SELECT i.id, l.place FROM expert.items i
		    CROSS JOIN LATERAL (SELECT max(s.place) AS place FROM expert.moves m JOIN stage s ON s.id = m.to_stage_id
		                        WHERE m.item_id = i.id AND m.at <= :since AND NOT s.discarded) l
		    WHERE i.stream_id = :stream_id AND i.entered_at > :since AND i.created_at <= :since),
		first AS (
		    SELECT m.item_id$filters
		    FROM point p
		    CROSS JOIN LATERAL (SELECT m.item_id, m.to_stage_id FROM expert.moves m
		                        WHERE m.stream_id = :stream_id AND m.at > p.after AND m.at <= p.at OFFSET 0) m
		    JOIN stage s ON s.id = m.to_stage_id AND NOT s.discarded
		    GROUP BY 1),
		reached AS (
		    SELECT s.id AS stage_id, 1 AS n, c.items
		    FROM stage s
		    JOIN (SELECT i.furthest AS place, count(*) AS items FROM expert.items i
		          WHERE i.stream_id = :stream_id AND i.entered_at <= :since GROUP BY 1
		          UNION ALL
		          SELECT h.place, count(*) FROM held h GROUP BY 1) c ON c.place >= s.place
		    WHERE NOT s.discarded
		    UNION ALL
		    SELECT s.id, c.n, c.items
		    FROM (SELECT r.place, r.n, count(*) AS items
		          FROM first f LEFT JOIN held h ON h.id = f.item_id
		          CROSS JOIN LATERAL (VALUES ${values#, }) r (place, n)
		          WHERE r.n IS NOT NULL AND (h.place IS NULL OR r.place > h.place) GROUP BY 1, 2) c
		    JOIN stage s ON s.place = c.place
		    UNION ALL
		    SELECT d.to_stage_id, p.n, count(*)
		    FROM (SELECT m.to_stage_id, min(m.at) AS at
		          FROM expert.moves m JOIN stage s ON s.id = m.to_stage_id AND s.discarded
		          WHERE m.at <= :until GROUP BY m.to_stage_id, m.item_id) d
		    JOIN point p ON d.at <= p.at AND (p.after IS NULL OR d.at > p.after)
		    GROUP BY 1, 2)
		SELECT p.at, s.name AS stage, (sum(coalesce(r.items, 0)) OVER (PARTITION BY s.id ORDER BY p.n))::bigint AS items
		FROM stage s CROSS JOIN point p
		LEFT JOIN (SELECT r.stage_id, r.n, sum(r.items) AS items FROM reached r GROUP BY 1, 2) r ON r.stage_id = s.id AND r.n = p.n
		ORDER BY p.n, s.place
	SQL
}

# From the moves in the window, and the items that they moved.
expert_metrics()
{
	cat <<-'SQL'
		WITH stage AS MATERIALIZED (SELECT s.* FROM expert.stages s WHERE s.stream_id = :stream_id),
		-- items that are open today, or have moved since the window began
		item AS MATERIALIZED (
		    SELECT i.id, i.created_at, i.started_at, i.stage_id, i.entered_at
		    FROM expert.items i
		    WHERE i.stream_id = :stream_id AND i.created_at < :until AND (i.ended_at IS NULL OR i.entered_at >= :since)),
		-- those that were there when it began: where they were, and their active and waiting time until then
		before AS MATERIALIZED (
		    SELECT i.id, i.started_at, s.open, l.active, l.waiting
		    FROM item i
		    LEFT JOIN LATERAL (
		        SELECT (array_agg(m.to_stage_id ORDER BY m.at DESC, m.id DESC))[1] AS stage_id,
		               sum(date_part('epoch', m.at - m.from_at)) FILTER (WHERE f.category = 'active' AND m.from_at >= i.started_at) AS active,
		               sum(date_part('epoch', m.at - m.from_at)) FILTER (WHERE f.category = 'wait' AND m.from_at >= i.started_at) AS waiting
		        FROM expert.moves m LEFT JOIN stage f ON f.id = m.from_stage_id
		        WHERE m.item_id = i.id AND m.at < :since) l ON i.entered_at >= :since
		    JOIN stage s ON s.id = coalesce(l.stage_id, i.stage_id)
		    WHERE i.created_at < :since),
		-- open, started: +1 when the move makes the item open, or open and started; -1 when it ends that
		moved AS (
		    SELECT i.id, max(i.created_at) AS created_at, max(i.started_at) AS started_at,
		           count(*) FILTER (WHERE f.id IS NULL) AS arrivals,
		           count(*) FILTER (WHERE s.done AND f.done IS NOT TRUE) AS departures,
		           count(*) FILTER (WHERE f.done AND NOT s.done) AS reopened,
		           count(*) FILTER (WHERE f.done AND NOT s.done OR f.discarded AND NOT s.discarded) AS returns,
		           count(*) FILTER (WHERE s.discarded AND f.discarded IS NOT TRUE) AS discarded,
		           count(*) FILTER (WHERE s.place < f.place) AS backward_moves,
		           sum(date_part('epoch', :until - m.at) * (s.open::integer - coalesce(f.open, false)::integer)) AS area,
		           sum((s.open AND i.started_at <= m.at)::integer
		               - (coalesce(f.open, false) AND i.started_at < m.at)::integer) AS started,
		           sum(date_part('epoch', :until - m.at) * ((s.open AND i.started_at <= m.at)::integer
		               - (coalesce(f.open, false) AND i.started_at < m.at)::integer)) AS started_area,
		           sum(date_part('epoch', m.at - m.from_at)) FILTER (WHERE f.category = 'active' AND m.from_at >= i.started_at) AS active,
		           sum(date_part('epoch', m.at - m.from_at)) FILTER (WHERE f.category = 'wait' AND m.from_at >= i.started_at) AS waiting,
		           max(m.at) FILTER (WHERE s.done AND f.done IS NOT TRUE) AS entered_done,
		           max(m.at) FILTER (WHERE f.done AND NOT s.done) AS left_done
		    FROM expert.moves m
		    JOIN item i ON i.id = m.item_id
		    JOIN expert.stages s ON s.id = m.to_stage_id
		    LEFT JOIN expert.stages f ON f.id = m.from_stage_id
		    WHERE m.stream_id = :stream_id AND m.at >= :since AND m.at < :until
		    GROUP BY i.id),
		-- an item counts at its latest completion, if it is finished when the window ends
		finished AS (
		    SELECT m.*, date_part('epoch', m.finished_at - m.created_at) AS lead,
		           CASE WHEN m.started_at <= m.finished_at THEN date_part('epoch', m.finished_at - m.started_at) END AS cycle,
		           CASE WHEN m.finished_at IS NOT NULL THEN coalesce(m.active, 0) + coalesce(b.active, 0) END AS active_time,
		           CASE WHEN m.finished_at IS NOT NULL THEN coalesce(m.waiting, 0) + coalesce(b.waiting, 0) END AS wait_time
		    FROM (SELECT m.*, CASE WHEN m.left_done IS NULL OR m.entered_done > m.left_done THEN m.entered_done END AS finished_at
		          FROM moved m) m
		    LEFT JOIN before b ON b.id = m.id),
		sums AS (
		    SELECT count(f.finished_at) AS throughput, coalesce(sum(f.arrivals), 0)::bigint AS arrivals,
		           coalesce(sum(f.departures), 0)::bigint AS departures, coalesce(sum(f.returns), 0)::bigint AS returns,
		           coalesce(sum(f.discarded), 0)::bigint AS discarded, coalesce(sum(f.reopened), 0)::bigint AS reopened,
		           coalesce(sum(f.backward_moves), 0)::bigint AS backward_moves, coalesce(sum(f.area), 0) AS area,
		           coalesce(sum(f.started), 0)::bigint AS started, coalesce(sum(f.started_area), 0) AS started_area,
		           avg(f.lead) AS lead_avg, percentile_disc('{0.5,0.7,0.85,0.95}'::float8[]) WITHIN GROUP (ORDER BY f.lead) AS lead,
		           count(f.cycle) AS cycle_n,
		           avg(f.cycle) AS cycle_avg, percentile_disc('{0.5,0.7,0.85,0.95}'::float8[]) WITHIN GROUP (ORDER BY f.cycle) AS cycle,
		           sum(f.active_time) / nullif(sum(f.active_time) + sum(f.wait_time), 0) AS flow_efficiency
		    FROM finished f),
		since AS (SELECT count(*) FILTER (WHERE b.open) AS open, count(*) FILTER (WHERE b.open AND b.started_at < :since) AS started FROM before b),
		today AS (SELECT count(*) AS open, count(i.started_at) AS started FROM expert.items i WHERE i.stream_id = :stream_id AND i.ended_at IS NULL)
		SELECT n.throughput, n.arrivals, n.departures, n.returns, n.discarded, n.reopened, n.backward_moves,
		       b.open + n.area / date_part('epoch', :until - :since) AS wip,
		       b.started + n.started_area / date_part('epoch', :until - :since) AS started_wip,
		       t.open AS wip_now, t.started AS started_wip_now,
		       b.open::bigint AS open_at_since, b.open + n.arrivals + n.returns - n.departures - n.discarded AS open_at_until,
		       b.started AS started_at_since, b.started + n.started AS started_at_until,
		       n.throughput AS lead_time_n, n.lead_avg * interval '1 s' AS lead_time_avg,
		       n.lead[1] * interval '1 s' AS lead_time_p50, n.lead[2] * interval '1 s' AS lead_time_p70,
		       n.lead[3] * interval '1 s' AS lead_time_p85, n.lead[4] * interval '1 s' AS lead_time_p95,
		       n.cycle_n AS cycle_time_n, n.cycle_avg * interval '1 s' AS cycle_time_avg,
		       n.cycle[1] * interval '1 s' AS cycle_time_p50, n.cycle[2] * interval '1 s' AS cycle_time_p70,
		       n.cycle[3] * interval '1 s' AS cycle_time_p85, n.cycle[4] * interval '1 s' AS cycle_time_p95,
		       n.throughput - n.cycle_n AS finished_never_started, n.flow_efficiency
		FROM since b, today t, sums n
	SQL
}

# Entries into done that no exit in the window follows.
expert_finished()
{
	cat <<-'SQL'
		SELECT m.item_id, m.at
		FROM expert.moves m
		LEFT JOIN (SELECT l.item_id, max(l.at) AS at FROM expert.moves l
		           WHERE l.from_stage_id IN (:done) AND l.at >= :since AND l.at < :until GROUP BY 1) l ON l.item_id = m.item_id
		WHERE m.to_stage_id IN (:done) AND m.at >= :since AND m.at < :until AND (l.at IS NULL OR m.at > l.at)
	SQL
}

# Entries into done on each day, less those that an exit in the window ended.
expert_throughput()
{
	cat <<-'SQL'
		SELECT d.day::date AS bucket, (c.items - u.items)::bigint AS items
		FROM (SELECT d.day, greatest(d.day AT TIME ZONE :zone, :since) AS since,
		             least((d.day + interval '1 day') AT TIME ZONE :zone, :until) AS until
		      FROM generate_series(date_trunc('day', :since AT TIME ZONE :zone), (:until - interval '1 us') AT TIME ZONE :zone, '1 day') d (day)) d
		CROSS JOIN LATERAL (SELECT count(*) AS items FROM expert.moves m
		                    WHERE m.to_stage_id IN (:done) AND m.at >= d.since AND m.at < d.until) c
		CROSS JOIN LATERAL (SELECT count(*) AS items FROM expert.moves m
		                    WHERE m.from_stage_id IN (:done) AND m.at >= d.since AND m.at < :until
		                      AND m.from_at >= d.since AND m.from_at < d.until) u
		ORDER BY 1
	SQL
}

# The moves of the finished items in the window, and before it those of the items that it cuts.
expert_flow_efficiency()
{
	cat <<-SQL
		WITH finished AS MATERIALIZED (
		    SELECT i.id, i.created_at, i.started_at FROM ($(expert_finished)) f JOIN expert.items i ON i.id = f.item_id),
		visit AS (
		    SELECT sum(date_part('epoch', m.at - m.from_at)) FILTER (WHERE m.from_stage_id IN (:active)) AS active,
		           sum(date_part('epoch', m.at - m.from_at)) AS time
		    FROM finished f JOIN expert.moves m ON m.item_id = f.id
		    WHERE m.stream_id = :stream_id AND m.at >= :since AND m.at < :until AND m.from_at >= f.started_at AND m.from_stage_id IN (:open)
		    UNION ALL
		    SELECT sum(date_part('epoch', m.at - m.from_at)) FILTER (WHERE m.from_stage_id IN (:active)),
		           sum(date_part('epoch', m.at - m.from_at))
		    FROM finished f
		    CROSS JOIN LATERAL (SELECT m.at, m.from_at, m.from_stage_id FROM expert.moves m WHERE m.item_id = f.id AND m.at < :since OFFSET 0) m
		    WHERE f.created_at < :since AND m.from_at >= f.started_at AND m.from_stage_id IN (:open))
		SELECT sum(v.active) / nullif(sum(v.time), 0) AS flow_efficiency FROM visit v
	SQL
}

expert_time_in_stage()
{
	cat <<-'SQL'
		WITH closed AS (
		    SELECT i.from_stage_id, sum(i.visits)::bigint AS visits, count(*) AS items, sum(i.time) AS time
		    FROM (SELECT m.from_stage_id, m.item_id, count(*) AS visits, sum(date_part('epoch', m.at - m.from_at)) AS time
		          FROM expert.moves m
		          WHERE m.stream_id = :stream_id AND m.at >= :since AND m.at < :until AND m.from_stage_id IS NOT NULL GROUP BY 1, 2) i
		    GROUP BY 1),
		held AS (
		    SELECT c.stage_id, sum(c.items)::bigint AS visits, sum(c.time) AS time
		    FROM (SELECT i.stage_id, count(*) AS items, sum(date_part('epoch', :until - i.entered_at)) AS time FROM expert.items i
		          WHERE i.stream_id = :stream_id AND i.entered_at < :until GROUP BY 1
		          UNION ALL
		          SELECT l.to_stage_id, count(*), sum(date_part('epoch', :until - l.at)) FROM expert.items i
		          CROSS JOIN LATERAL (SELECT m.to_stage_id, m.at FROM expert.moves m WHERE m.item_id = i.id AND m.at < :until
		                              ORDER BY m.at DESC, m.id DESC LIMIT 1) l
		          WHERE i.stream_id = :stream_id AND i.entered_at >= :until AND i.created_at < :until GROUP BY 1) c
		    GROUP BY 1)
		SELECT s.name AS stage, coalesce(c.visits, 0) AS visits, c.time / c.visits * interval '1 s' AS avg,
		       p.time[1] * interval '1 s' AS p50, p.time[2] * interval '1 s' AS p70, p.time[3] * interval '1 s' AS p85,
		       p.time[4] * interval '1 s' AS p95, coalesce(c.items, 0) AS items, c.time / c.items * interval '1 s' AS avg_per_item,
		       coalesce(h.visits, 0) AS open_visits, h.time / h.visits * interval '1 s' AS open_avg
		FROM expert.stages s
		LEFT JOIN closed c ON c.from_stage_id = s.id
		LEFT JOIN held h ON h.stage_id = s.id
		CROSS JOIN LATERAL (
		    SELECT percentile_disc('{0.5,0.7,0.85,0.95}'::float8[]) WITHIN GROUP (ORDER BY date_part('epoch', m.at - m.from_at)) AS time
		    FROM expert.moves m WHERE m.from_stage_id = s.id AND m.at >= :since AND m.at < :until) p
		WHERE s.stream_id = :stream_id ORDER BY s.place
	SQL
}

expert_work_item_age()
{
	cat <<-'SQL'
		SELECT i.id AS work_item_id, i.external_id, i.title, i.type, s.name AS stage,
		       CASE WHEN i.started_at <= :until THEN :until - i.started_at END AS age, :until - h.entered_at AS time_in_stage,
		       :until - i.created_at AS age_since_creation
		FROM (SELECT i.id, i.stage_id, i.entered_at FROM expert.items i
		      WHERE i.stream_id = :stream_id AND i.ended_at IS NULL AND i.entered_at <= :until
		      UNION ALL
		      SELECT i.id, l.to_stage_id, l.at FROM expert.items i
		      CROSS JOIN LATERAL (SELECT m.to_stage_id, m.at FROM expert.moves m WHERE m.item_id = i.id AND m.at <= :until
		                          ORDER BY m.at DESC, m.id DESC LIMIT 1) l
		      WHERE i.stream_id = :stream_id AND i.entered_at > :until AND i.created_at <= :until) h
		JOIN expert.stages s ON s.id = h.stage_id AND s.open
		CROSS JOIN LATERAL (SELECT i.* FROM expert.items i WHERE i.id = h.id OFFSET 0) i
		ORDER BY CASE WHEN i.started_at <= :until THEN i.started_at END NULLS LAST, i.created_at, i.id
	SQL
}

# 10,000 trials draw as many days as three times the items would take at the average rate, and five.
expert_forecast()
{
	local today="date_trunc('day', :until AT TIME ZONE :zone)"
	cat <<-SQL
		WITH sample AS MATERIALIZED (
		    SELECT array_agg(t.items) AS items, count(*)::integer AS days, avg(t.items) AS mean
		    FROM ($(expert_throughput | sed "s/:since/(($today - interval '90 days') AT TIME ZONE :zone)/g; s/:until/($today AT TIME ZONE :zone)/g")) t),
		trial AS (
		    SELECT d.trial, min(d.day) AS days
		    FROM (SELECT t.trial, k.day, sum(s.items[1 + floor(random() * s.days)::integer]) OVER (PARTITION BY t.trial ORDER BY k.day) AS items
		          FROM sample s CROSS JOIN generate_series(1, 10000) t (trial)
		          CROSS JOIN LATERAL generate_series(1, ceil(300 / s.mean)::integer + 5) k (day)) d
		    WHERE d.items >= 100 GROUP BY 1)
		SELECT (c.confidence * 100)::integer AS confidence, ($today::date + c.days::integer) AS done_on
		FROM (SELECT percentile_disc('{0.5,0.7,0.85,0.95}'::float8[]) WITHIN GROUP (ORDER BY days) AS days FROM trial) p
		CROSS JOIN LATERAL unnest('{0.5,0.7,0.85,0.95}'::float8[], p.days) c (confidence, days)
		ORDER BY 1
	SQL
}
