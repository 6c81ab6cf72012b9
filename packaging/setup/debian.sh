#!/bin/sh
# Unpacks what only tests need into folders of their own; nothing of it is installed on the machine: a small Debian 12 that
# boots, where packages and units are tried, and a MariaDB, which has to be refused.
set -eu
umask 022
here=$(cd "$(dirname "$0")" && pwd)
. "$here/say.sh"
. "$here/mirror.sh"

cache=${FAILOVERD_CACHE:-/var/cache/failoverd}

# unpacked NAME VARIANT PACKAGES: the folder NAME with these packages of Debian 12, made anew where it has others.
unpacked() {
    target=$cache/$1 made=$(cat "$cache/$1/failoverd-complete" 2>/dev/null || true)
    [ "$made" != "$3" ] || { ready "$1 is unpacked in $target"; return 0; }
    need_root "a Debian to try packages in"
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/unpack.XXXXXX")
    chmod 755 "$work"
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' HUP INT TERM
    source=$(mirror bookworm)
    [ -n "$source" ] || fail "none of this machine's apt sources has Debian 12" "add a full Debian mirror to /etc/apt/sources.list.d"
    doing "unpacking $1" unpack --variant="$2" --include="$3" bookworm "$work/debian" "deb $source bookworm main" ||
        fail "Debian 12 could not be unpacked" "is the mirror reachable and is there 1 GB free in $cache?"
    printf '%s\n' "$3" >"$work/debian/failoverd-complete"
    rm -rf "$target"
    mv "$work/debian" "$target"
    rm -rf "$work"
    ready "$1 is unpacked in $target"
}

# What the packages lean on, and what a booted system needs to be looked at.
unpacked debian minbase systemd-sysv,dbus,python3,sudo,openssh-server,bash-completion,zsh
unpacked mariadb extract mariadb-server-core
