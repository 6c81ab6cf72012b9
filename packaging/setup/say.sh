# Words for the set-up: one progress line per step, one sentence per error. Sourced by the other scripts.

now_ms() { date +%s%3N; }

# seconds_since START_MS: prints "7.2 s".
seconds_since() {
    passed=$(($(now_ms) - $1))
    printf '%d.%d s' $((passed / 1000)) $((passed % 1000 / 100))
}

# step NUMBER TITLE: opens a step; FAILOVERD_STEP carries it into the scripts that do the work.
step() {
    FAILOVERD_STEP="[$1/$steps] $2"
    export FAILOVERD_STEP
}

# doing WHAT COMMAND...: runs COMMAND quietly, prints "[n/5] step: WHAT ... 7.2 s"; its output is shown only when it fails.
doing() {
    what=$1
    shift
    begun=$(now_ms)
    quiet=$(mktemp)
    printf '%s: %s ... ' "$FAILOVERD_STEP" "$what"
    if "$@" >"$quiet" 2>&1 </dev/null; then
        rm -f "$quiet"
        seconds_since "$begun"
        printf '\n'
        return 0
    fi
    printf 'failed after '
    seconds_since "$begun"
    printf '\n'
    tail -n 20 "$quiet" >&2
    rm -f "$quiet"
    return 1
}

ready() { printf '%s: %s\n' "$FAILOVERD_STEP" "$1"; }

# fail SENTENCE HINT: the only way out with an error.
fail() {
    printf 'set-up: %s\n  hint: %s\n' "$1" "$2" >&2
    exit 2
}

need_root() {
    [ "$(id -u)" = 0 ] || fail "$1 is missing and only root can install it" "run it as root: sudo make setup"
}
