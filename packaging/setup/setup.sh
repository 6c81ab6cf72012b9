#!/bin/sh
# Makes a Debian machine ready for the lab, the demo and the tests. Safe to run again, and after an interruption:
# every step looks first, works in a temporary place, and puts its result in place as its last act.
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

step 1 "Debian packages"
sh "$here/packages.sh"
step 2 "Python environment"
sh "$here/venv.sh"
step 3 "MySQL 9.7"
sh "$here/mysql.sh"
step 4 "Trial"
sh "$here/trial.sh"
printf 'set-up: ready after %s\n' "$(seconds_since "$begun")"
