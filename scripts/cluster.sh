# shellcheck shell=bash
#
# cluster.sh: a private PostgreSQL cluster for the demo, the tests and the benchmarks.
#
#	. scripts/cluster.sh			(bash; any working directory)
#	cluster_find				which PostgreSQL: sets PG_CONFIG and PGBIN, puts PGBIN into PATH
#	as_postgres COMMAND ...			run as a user that PostgreSQL accepts, which root is not
#	dir=$(cluster_dir NAME)			the place of this checkout's cluster NAME
#	dir=$(cluster_dir NAME-$$)		a cluster for this run alone
#	cluster_sweep NAME			remove what killed runs left: each NAME-PID whose process is gone
#	cluster_make DIR			initdb; an earlier cluster in DIR is removed
#	cluster_start DIR [name=value ...]	start with these settings, export PGHOST, PGPORT, PGUSER
#	cluster_use DIR				export them for a cluster that runs already
#	cluster_running DIR			succeeds while it runs
#	cluster_stop DIR, cluster_remove DIR
#
# The superuser is postgres, without a password: only the owner and root can reach the socket, because its
# directory is theirs alone.  The directory is a new one in /tmp at each start, since a socket's path may not be
# longer than 107 bytes.  Nothing listens on TCP; cluster_start DIR tcp=on opens a free port on 127.0.0.1, to
# every user of the machine.  DIR holds data/, log, and socket, a link to the socket's directory.

CHECKOUT=$(cd -- "${BASH_SOURCE[0]%/*}/.." && pwd)

cluster_fail()
{
	printf 'vsm: %s\n' "$1" >&2
	[ -z "${2-}" ] || printf 'Hint: %s\n' "$2" >&2
	return 1
}

# The newest server with its development files, as in the Makefile; else the pg_config of PATH.
cluster_find()
{
	: "${PG_CONFIG:=$(ls /usr/include/postgresql/*/server/postgres.h 2>/dev/null | sort -V | tail -n 1 |
		sed 's,.*/\([0-9]*\)/server/.*,/usr/lib/postgresql/\1/bin/pg_config,')}"
	: "${PG_CONFIG:=pg_config}"
	PGBIN=$("$PG_CONFIG" --bindir 2>/dev/null) && [ -x "$PGBIN/initdb" ] ||
		cluster_fail "$PG_CONFIG leads to no PostgreSQL server" "run scripts/packages, or set PG_CONFIG" || return
	export PG_CONFIG PATH="$PGBIN:$PATH"
}

cluster_user()
{
	if [ "$(id -u)" = 0 ]; then echo postgres; else id -un; fi
}

# Stays in the working directory if that user may; else in /.
as_postgres()
{
	[ "$(id -u)" = 0 ] || { "$@"; return; }
	id postgres >/dev/null 2>&1 ||
		cluster_fail "PostgreSQL does not run as root, and there is no user postgres" "run this as another user" || return
	local home
	home=$(getent passwd postgres | cut -d: -f6)
	if runuser -u postgres -- test -x "$PWD" 2>/dev/null; then
		HOME=$home runuser -u postgres -- "$@"
	else
		(cd / && HOME=$home exec runuser -u postgres -- "$@")
	fi
}

# Under build/, unless postgres cannot get there (a checkout under /root).
cluster_dir()
{
	local build=$CHECKOUT/build
	mkdir -p "$build" || return
	if as_postgres test -x "$build"; then
		echo "$build/$1"
	else
		echo "/var/tmp/vsm-$(id -u)-$(printf %s "$build" | cksum | cut -d ' ' -f 1)-$1"
	fi
}

cluster_sweep()
{
	local dir
	for dir in "$(cluster_dir "$1")"-*; do
		[ -d "$dir" ] && [[ ${dir##*-} =~ ^[0-9]+$ ]] || continue
		kill -0 "${dir##*-}" 2>/dev/null || cluster_remove "$dir"
	done
}

cluster_make()
{
	cluster_remove "$1" || return
	mkdir -p "${1%/*}" && mkdir -m 700 "$1" || return
	[ "$(id -u)" != 0 ] || chown postgres: "$1" || return
	as_postgres "$PGBIN/initdb" --pgdata="$1/data" --username=postgres --auth=trust \
		--locale=C.UTF-8 --encoding=UTF8 --no-sync --no-instructions >"$1/log" 2>&1 ||
		{ cat "$1/log" >&2; cluster_fail "initdb failed"; return; }
	[ "$(id -u)" != 0 ] || chown postgres: "$1/log" || return
	as_postgres sh -c "echo \"include 'cluster.conf'\" >>\"\$1/data/postgresql.conf\"" - "$1"
}

cluster_start()
{
	local dir=$1 port=5432 listen='' settings=() setting value socket
	shift
	cluster_owned "$dir" || return
	for setting; do
		value=${setting#*=}
		if [ "$setting" = tcp=on ]; then
			listen=127.0.0.1
		else
			settings+=("${setting%%=*} = '${value//\'/\'\'}'")
		fi
	done
	cluster_stop "$dir" || return
	socket=$(as_postgres mktemp -d /tmp/vsm-XXXXXX) && as_postgres ln -sfn "$socket" "$dir/socket" || return

	# A port that is free now may be taken a moment later.
	for _ in 1 2 3 4 5; do
		[ -z "$listen" ] || port=$(cluster_free_port)
		printf '%s\n' "listen_addresses = '$listen'" "port = $port" "unix_socket_directories = '$socket'" \
			"${settings[@]}" | as_postgres tee "$dir/data/cluster.conf" >/dev/null || return
		if as_postgres "$PGBIN/pg_ctl" --pgdata="$dir/data" --log="$dir/log" --silent --wait start >/dev/null 2>&1; then
			cluster_use "$dir"
			return
		fi
		[ -n "$listen" ] && tail -n 5 "$dir/log" | grep -q 'could not bind' || break
	done
	tail -n 20 "$dir/log" >&2
	cluster_stop "$dir"
	cluster_fail "PostgreSQL did not start"
}

# Settings of the caller's environment for other servers must not leak in.
cluster_use()
{
	local name
	for name in $(compgen -e PG); do
		[[ $name = PG_* ]] || unset "$name"
	done
	PGHOST=$(readlink "$1/socket") && PGPORT=$(sed -n '4p' "$1/data/postmaster.pid") || return
	export PGHOST PGPORT PGUSER=postgres
}

# A process id alone may belong to somebody else by now; a postmaster works in its data directory.
cluster_running()
{
	local pid
	[ -f "$1/data/postmaster.pid" ] && cluster_owned "$1" && pid=$(head -n 1 "$1/data/postmaster.pid") &&
		[ "$(as_postgres readlink "/proc/$pid/cwd" 2>/dev/null)" = "$(cd "$1/data" && pwd -P)" ]
}

cluster_stop()
{
	local socket
	if cluster_running "$1"; then
		as_postgres "$PGBIN/pg_ctl" --pgdata="$1/data" --silent --wait --mode=fast stop 2>/dev/null || ! cluster_running "$1" ||
			as_postgres "$PGBIN/pg_ctl" --pgdata="$1/data" --silent --wait --mode=immediate stop || return
	fi
	if socket=$(readlink "$1/socket" 2>/dev/null); then
		as_postgres rm -rf "$socket" "$1/socket"
	fi
}

cluster_remove()
{
	[ -e "$1" ] || return 0
	cluster_owned "$1" || return
	cluster_stop "$1" && as_postgres rm -rf "$1/data" "$1/log" && rmdir "$1"
}

cluster_owned()
{
	[ -d "$1" ] && [ "$(stat -c %U "$1")" = "$(cluster_user)" ] ||
		cluster_fail "$1 is not a cluster of user $(cluster_user)" "remove it and start again"
}

# Below the range from which the kernel takes ports for clients.
cluster_free_port()
{
	local port
	while port=$((20000 + RANDOM % 12000)); do
		(: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
	done
}
