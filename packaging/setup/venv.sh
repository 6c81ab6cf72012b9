#!/bin/sh
# Makes .venv with failoverd (editable) and the tools. The stamp holds what it was made from and is written last.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/say.sh"
root=$(cd "$here/../.." && pwd)
cd "$root"

python=/usr/bin/python3
[ -x "$python" ] || fail "there is no $python" "apt-get install python3 python3-venv"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" --version) is too old; failoverd needs 3.11 or newer" "Debian 12 or newer has it"

# Only what decides the packages counts, so that a changed linter setting costs nothing.
wanted=$({ "$python" --version; printf '%s\n' "$root"; sed '/^\[tool\.ruff/,$d' pyproject.toml; } | sha256sum | cut -d ' ' -f 1)
stamp=.venv/failoverd-setup
if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && [ -x .venv/bin/failoverd ]; then
    ready "up to date"
    exit 0
fi
rm -f "$stamp"
if ! .venv/bin/python -c 'import pip' 2>/dev/null; then
    rm -rf .venv
    doing "creating .venv" "$python" -m venv .venv ||
        fail "python3 -m venv failed" "apt-get install python3-venv"
fi
doing "installing failoverd and its tools" .venv/bin/python -m pip install -q --disable-pip-version-check -e '.[dev]' ||
    fail "pip could not install the dependencies" "is the package index reachable? .venv/bin/pip install -e '.[dev]' shows more"
printf '%s\n' "$wanted" >"$stamp"
