#!/bin/sh
# Makes a Debian machine ready for the lab, the demo and the tests. Safe to run again, and after an interruption:
# every step looks first, works in a temporary place, and puts its result in place as its last act.
# With the word workshop also for building and trying Debian packages and the rules for Prometheus.
set -eu
umask 022
here=$(cd "$(dirname "$0")" && pwd)
. "$here/say.sh"

begun=$(now_ms)
FAILOVERD_CACHE=${FAILOVERD_CACHE:-/var/cache/failoverd}
export FAILOVERD_CACHE

# Two set-ups at once would unpack over each other; whoever is not root changes nothing outside the repository.
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$FAILOVERD_CACHE"
    exec 9>"$FAILOVERD_CACHE/setup.lock"
    flock -n 9 || { echo "set-up: another set-up is running; waiting for it"; flock 9; }
fi

tools='' steps=4
if [ "${1:-}" = workshop ]; then
    tools="debhelper dpkg-dev lintian prometheus systemd systemd-container" steps=5
fi

step 1 "Debian packages"
# shellcheck disable=SC2086 # the list is meant to be split
sh "$here/packages.sh" $tools
step 2 "Python environment"
sh "$here/venv.sh"
step 3 "MySQL 9.7"
sh "$here/mysql.sh"
step 4 "Trial"
sh "$here/trial.sh"
if [ -n "$tools" ]; then
    step 5 "Debian 12"
    sh "$here/debian.sh"
fi
printf 'set-up: ready after %s\n' "$(seconds_since "$begun")"
