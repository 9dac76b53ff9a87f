# shellcheck shell=bash
# Messages, waiting and ports for the scripts in deploy/.

step() { printf '==> %s\n' "$*" >&2; }
note() { printf '    %s\n' "$*" >&2; }

# fail MESSAGE: says what is wrong and what to do, and ends the script with a status of its own.
fail() {
    printf 'deploy/local: %s\n' "$*" >&2
    exit 69
}

# From here on the status of the script is that of what it runs.
expect_failure() { may_fail=1; }

# The end of the script by a command that nobody expected to fail must not be silent.
report_surprise() {
    local status=$?
    [ "$status" = 0 ] || [ "$status" = 69 ] || [ -n "${may_fail:-}" ] ||
        printf 'deploy/local: a command failed unexpectedly (status %s); "bash -x deploy/local ..." shows which\n' "$status" >&2
}

# wait_until SECONDS COMMAND...: runs the command until it succeeds; fails when time is up.
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_ports FROM COUNT: the first of COUNT free ports in a row, from FROM upwards.
free_ports() {
    local first=$1 count=$2 offset=0
    while [ "$offset" -lt "$count" ]; do
        [ $((first + offset)) -lt 65536 ] || fail "no $count free ports in a row above $1"
        if port_is_free $((first + offset)); then
            offset=$((offset + 1))
        else
            first=$((first + offset + 1))
            offset=0
        fi
    done
    echo "$first"
}

# random_port: a port that nobody listens on now, out of the system's own range for such.
random_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

random_hex() { od -An -v -tx1 -N "$1" /dev/urandom | tr -d ' \n'; }

# tail_of FILE: the end of a log, indented.
tail_of() {
    if [ -s "$1" ]; then tail -n "${2:-20}" "$1" | cut -c 1-400 | sed 's/^/    | /' >&2; else note "($1 is empty)"; fi
}
