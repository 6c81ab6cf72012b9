#!/bin/sh
# Tries what the lab will lean on, so that a missing right is one sentence now and not a riddle later.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/say.sh"
root=$(cd "$here/../.." && pwd)

"$root/.venv/bin/python" -c 'import failoverd' || fail ".venv cannot import failoverd" "rm -r .venv and run make setup again"
if unshare --net true 2>/dev/null; then
    ready "python and network namespaces work"
else
    ready "python works; network namespaces are not permitted here, so the lab, the demo and the acceptance tests cannot run"
fi
