#!/bin/bash
# release_check.sh: what scripts/release-check finds, in a copy of this checkout that has made a release before
# shellcheck disable=SC2034,SC2154
. "${BASH_SOURCE[0]%/*}/common"

# A server of its own to install into: PostgreSQL finds its files beside its programs.
prefix=$work/server
major=$("$PG_CONFIG" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
root=${PGBIN%/lib/postgresql/*}
skip()
{
	echo "1..0 # skip needs $1"
	exit
}
type -P git >/dev/null || skip git
[ "$PGBIN" = "$root/lib/postgresql/$major/bin" ] && [ -e "$root/share/postgresql/$major" ] || skip 'PostgreSQL where Debian puts it'
mkdir -p "$prefix"/{lib/postgresql,share/postgresql,include}
cp -a "$root/lib/postgresql/$major" "$prefix/lib/postgresql/"
cp -a "$root/share/postgresql/$major" "$prefix/share/postgresql/"
ln -s "$root/include/postgresql" "$prefix/include/postgresql"
chmod 755 "$work"

copy=$work/vsm
mkdir "$copy"
tar -c --exclude=./build --exclude=./.git --exclude=node_modules . | tar -x -C "$copy"
in_copy() { (cd "$copy" && env PG_CONFIG="$prefix/lib/postgresql/$major/bin/pg_config" "$@"); }
commit() { in_copy git add -A && in_copy git -c user.name=tester -c user.email=tester commit -qm "$1"; }
check()
{
	out=$(in_copy scripts/release-check 2>&1)
	status=$?
}

set_version()
{
	in_copy sed -i "s/^default_version.*/default_version = '$1'/" vsm.control
	in_copy sed -i "s/^\( *\"version\": \)\"0\.[0-9.]*\"/\1\"$1\"/" META.json
	in_copy sed -i "0,/^## .*/s//## $1 (2026-01-05)/" CHANGELOG.md
}
first=0.99.0 second=0.100.0
install_scripts() { (cd "$copy" && ls sql/[0-9][0-9]_*.sql) | tail -n 1; }

in_copy git init -q
set_version $first
commit first
check
succeeds 'a first release has nothing to upgrade from'

in_copy git tag "v$first"
script=$(install_scripts)
function_sql="CREATE FUNCTION vsm.answer() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 42;"
echo "$function_sql" >>"$copy/$script"
in_copy sed -i "s/^default_version.*/default_version = '$second'/" vsm.control
commit second
check
fails 'a version that stands in one place only'
shows 'is told, where it is another' "META.json says version $first, and vsm.control $second"
shows 'and that the changelog does not know it' "CHANGELOG.md has no entry \"## $second"
shows 'and that nothing upgrades to it' "there is no sql/vsm--$first--$second.sql"

set_version $second
echo 'SELECT 1;' >"$copy/sql/vsm--$first--$second.sql"
commit 'upgrade script'
check
fails 'an upgrade script that leaves something out'
shows 'is told what' '^-function vsm\.answer\(\): definition'

echo "$function_sql" >"$copy/sql/vsm--$first--$second.sql"
check
fails 'what is not committed cannot be released'
commit 'complete upgrade script'
check
succeeds 'a complete one'
shows 'is ready' "^release-check: $second is ready"
finish
