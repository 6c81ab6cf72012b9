#!/bin/sh
# Unpacks a small Debian 12 that boots, where packages and units are tried; nothing of it is installed on the machine.
set -eu
umask 022
here=$(cd "$(dirname "$0")" && pwd)
. "$here/say.sh"
. "$here/mirror.sh"

cache=${FAILOVERD_CACHE:-/var/cache/failoverd}
target=$cache/debian
# What the packages lean on, and what a booted system needs to be looked at.
wanted=systemd-sysv,dbus,python3,sudo,openssh-server,bash-completion,zsh

made=$(cat "$target/failoverd-complete" 2>/dev/null || true)
[ "$made" != "$wanted" ] || { ready "unpacked in $target"; exit 0; }

need_root "a Debian to try packages in"
mkdir -p "$cache"
work=$(mktemp -d "$cache/unpack.XXXXXX")
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' HUP INT TERM
source=$(mirror bookworm)
[ -n "$source" ] || fail "none of this machine's apt sources has Debian 12" "add a full Debian mirror to /etc/apt/sources.list.d"
doing "unpacking" unpack --variant=minbase --include="$wanted" bookworm "$work/debian" "deb $source bookworm main" ||
    fail "Debian 12 could not be unpacked" "is the mirror reachable and is there 1 GB free in $cache?"
printf '%s\n' "$wanted" >"$work/debian/failoverd-complete"
rm -rf "$target"
mv "$work/debian" "$target"
ready "unpacked in $target"
