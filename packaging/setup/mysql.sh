#!/bin/sh
# Finds a mysqld, or unpacks Debian's into a folder of its own; nothing of it is installed on the machine.
set -eu
umask 022
here=$(cd "$(dirname "$0")" && pwd)
. "$here/say.sh"
. "$here/mirror.sh"

cache=${FAILOVERD_CACHE:-/var/cache/failoverd}
target=$cache/mysql

# version_of COMMAND...: prints the version if that is a MySQL >= 8.0, else nothing.
version_of() {
    "$@" --no-defaults --version 2>/dev/null |
        sed -n '/MariaDB/d; s/.* Ver \([0-9][0-9.]*\).*/\1/p' | awk -F . '$1 >= 8'
}

unpacked_version() {
    [ -f "$target/failoverd-complete" ] || return 0
    version_of "$target"/usr/lib*/ld-linux-*.so.* --library-path "$(echo "$target"/usr/lib/*-linux-gnu)" "$target/usr/sbin/mysqld"
}

if [ -n "${FAILOVERD_MYSQL_BASEDIR:-}" ]; then
    for mysqld in "$FAILOVERD_MYSQL_BASEDIR/bin/mysqld" "$FAILOVERD_MYSQL_BASEDIR/sbin/mysqld"; do
        found=$(version_of "$mysqld")
        [ -z "$found" ] || { ready "$mysqld $found (FAILOVERD_MYSQL_BASEDIR)"; exit 0; }
    done
    fail "FAILOVERD_MYSQL_BASEDIR=$FAILOVERD_MYSQL_BASEDIR holds no usable mysqld" "it needs bin/mysqld or sbin/mysqld, MySQL 8.0 or newer"
fi
found=$(version_of mysqld)
[ -z "$found" ] || { ready "$(command -v mysqld) $found (on PATH)"; exit 0; }
found=$(unpacked_version)
[ -z "$found" ] || { ready "$found is unpacked in $target"; exit 0; }

need_root "MySQL"
mkdir -p "$cache"
rm -rf "$cache"/unpack.* # what a killed run left; setup.sh lets only one run at a time
work=$(mktemp -d "$cache/unpack.XXXXXX")
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' HUP INT TERM
source=$(mirror sid)
[ -n "$source" ] || fail "none of this machine's apt sources has Debian's unstable suite, where MySQL comes from" \
    "add a full Debian mirror to /etc/apt/sources.list.d, or name a MySQL with FAILOVERD_MYSQL_BASEDIR"
doing "unpacking" unpack --variant=extract --include=mysql-server-core,mysql-client-core,perl-base \
    sid "$work/mysql" "deb $source sid main" ||
    fail "MySQL could not be unpacked" "is the mirror reachable and is there 1 GB free in $cache?"
touch "$work/mysql/failoverd-complete"
chmod 755 "$work/mysql"
rm -rf "$target"
mv "$work/mysql" "$target"
found=$(unpacked_version)
[ -n "$found" ] || fail "the unpacked mysqld does not run" "the processor may be too old, or $target is mounted noexec"
ready "$found is unpacked in $target"
