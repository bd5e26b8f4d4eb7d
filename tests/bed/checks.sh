# Sourced by tests/run: runs checks one after the other, counts, and says how it went.
# shellcheck shell=bash disable=SC2154

passed=0 failed=0 skipped=0 current=

# A check runs under `timeout`, in a process group of its own, which ends with this script.
finish() {
    [ -z "$current" ] || kill "$current" 2>/dev/null
    wait
    rm -rf "$RUN"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# within SECONDS NAME COMMAND...: leaves the output in the log of that name; `took` is how long it ran.
within() {
    local limit=$1 name=$2 began=$SECONDS status=0
    shift 2
    timeout --kill-after=20 "$limit" "$@" >"$logs/$name.log" 2>&1 </dev/null &
    current=$!
    wait "$current" || status=$?
    current=
    took=$((SECONDS - began))
    [ "$status" != 124 ] || echo "stopped after $limit s" >>"$logs/$name.log"
    return "$status"
}

# verdict WORD NAME [MORE]
verdict() { printf '%-7s  %-11s %5s s%s\n' "$1" "$2" "$took" "${3:+  $3}"; }

show() { tail -n 60 "$logs/$1.log" | sed 's/^/    /'; }

# check NAME SECONDS COMMAND...: one check. A command that exits 77 could not get what it needs; its last line says why.
check() {
    local name=$1 status=0
    within "$2" "$name" "${@:3}" || status=$?
    if [ "$status" = 0 ]; then
        passed=$((passed + 1))
        verdict passed "$name"
    elif [ "$status" = 77 ]; then
        skipped=$((skipped + 1))
        echo "skipped: $name ($(tail -n 1 "$logs/$name.log"))"
    else
        failed=$((failed + 1))
        verdict failed "$name" "$logs/$name.log"
        show "$name"
    fi
    return "$status"
}

# check_tests NAME SECONDS CARGO TEST...: counts each test. What did not build or did not end is a failure too, and so is a
# filter that leaves none.
check_tests() {
    local name=$1 status=0 good bad
    within "$2" "$name" "${@:3}" || status=$?
    read -r good bad < <(awk '/^test result:/ { good += $4; bad += $6 } END { print good + 0, bad + 0 }' "$logs/$name.log")
    [ "$((good + bad))" -gt 0 ] || echo 'no test ran' >>"$logs/$name.log"
    { [ "$status" = 0 ] && [ "$good" -gt 0 ]; } || [ "$bad" -gt 0 ] || bad=1
    passed=$((passed + good))
    failed=$((failed + bad))
    if [ "$bad" = 0 ]; then
        verdict passed "$name" "$good tests"
    else
        verdict failed "$name" "$bad of $((good + bad)) tests, $logs/$name.log"
        show "$name"
    fi
}

# skip NAME WHY
skip() {
    skipped=$((skipped + 1))
    echo "skipped: $1 ($2)"
}

summary() {
    if [ "$skipped" = 0 ]; then
        echo "$passed passed, $failed failed"
    else
        echo "$passed passed, $failed failed, $skipped skipped"
    fi
    [ "$failed" = 0 ] && { [ "$skipped" = 0 ] || [ "${CI:-}" != true ]; }
}
