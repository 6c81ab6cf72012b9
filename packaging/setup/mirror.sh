# Where Debian comes from on this machine. Sourced by the scripts that unpack it; `$work` is a folder of theirs.

# own_mirrors: the addresses that this machine's apt takes Debian from, whatever form its lists have.
own_mirrors() {
    apt-get update --print-uris 2>/dev/null | sed -n "s#^'\(.*\)/dists/[^/]*/InRelease'.*#\1#p" | sort -u
}

# mirror SUITE: the first of them that has this suite of Debian.
mirror() {
    for candidate in $(own_mirrors); do
        if /usr/lib/apt/apt-helper download-file "$candidate/dists/$1/InRelease" "$work/InRelease" >/dev/null 2>&1 &&
            grep -qxa 'Origin: Debian' "$work/InRelease"; then
            printf '%s' "$candidate"
            return 0
        fi
    done
}

# unpack OPTION... SUITE TARGET LINE: Debian into a folder.
# mmdebstrap does not read this machine's apt.conf, so a proxy named there is handed on.
unpack() {
    set -- --aptopt='Acquire::Check-Valid-Until "false"' "$@"
    eval "$(apt-config shell proxy Acquire::http::Proxy)"
    [ -z "${proxy:-}" ] || set -- --aptopt="Acquire::http::Proxy \"$proxy\"" "$@"
    mmdebstrap "$@"
}
