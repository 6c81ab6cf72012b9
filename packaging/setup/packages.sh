#!/bin/sh
# Installs the Debian packages that are missing, and those named, without letting any of them start a service.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/say.sh"

# Where invoke-rc.d looks; only tests put it elsewhere.
policy=${FAILOVERD_POLICY:-/usr/sbin/policy-rc.d}
mark="failoverd set-up: no service starts while packages are installed"

# missing: prints the packages that are wanted and not installed. A Java from elsewhere is as good as Debian's.
missing() {
    wanted="bind9 bind9-dnsutils ca-certificates chromium curl haproxy iproute2 mmdebstrap nftables openssh-client openssh-server procps python3 python3-venv sudo
        util-linux zookeeper $*"
    command -v java >/dev/null 2>&1 || wanted="$wanted default-jre-headless"
    # shellcheck disable=SC2086 # the list is meant to be split
    installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' $wanted 2>/dev/null | sed -n 's/^ii *//p')
    for package in $wanted; do
        printf '%s\n' "$installed" | grep -qxF "$package" || printf '%s ' "$package"
    done
}

# A policy of somebody else is their will and stays; ours is taken away again, also one left by an interrupted run.
allow_services() { if grep -qsF "$mark" "$policy"; then rm -f "$policy"; fi; }
forbid_services() {
    [ -e "$policy" ] && return 0
    printf '#!/bin/sh\n# %s\nexit 101\n' "$mark" >"$policy.new"
    chmod 755 "$policy.new"
    mv "$policy.new" "$policy"
}

apt() { apt-get -q -y -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 "$@"; }

command -v dpkg-query >/dev/null 2>&1 || fail "this machine has no dpkg" "the set-up is made for Debian 12; see CONTRIBUTING.md"
[ "$(id -u)" != 0 ] || allow_services
absent=$(missing "$@")
absent=${absent% }
if [ -z "$absent" ]; then
    ready "nothing is missing"
    exit 0
fi
need_root "$absent"
trap allow_services EXIT
trap 'exit 130' HUP INT TERM
forbid_services
export DEBIAN_FRONTEND=noninteractive
doing "reading the package lists" apt update || fail "apt-get update failed" "look at /etc/apt and at the network"
# shellcheck disable=SC2086 # the list is meant to be split
doing "installing $absent" apt install --no-install-recommends $absent ||
    fail "apt-get could not install: $absent" "run it by hand to see more: apt-get install $absent"
