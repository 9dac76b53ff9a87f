# shellcheck shell=bash disable=SC2034,SC2154
# The local cluster: its settings, its supervisor, its services. `root`, `state` and `bin` are set by deploy/local.

services() {
    local index
    echo session-store
    echo archiver
    for ((index = 1; index <= PARLEY_LOCAL_WORKERS; index++)); do echo "media-worker-$index"; done
    echo dispatcher
}

# The executable of a service.
executable_of() { case "$1" in media-worker-*) echo media-worker ;; *) echo "$1" ;; esac; }

# ops_port SERVICE: each has its own, in the order of `services`.
ops_port() {
    local service port=$OPS_PORT
    while read -r service; do
        [ "$service" = "$1" ] && break
        port=$((port + 1))
    done < <(services)
    echo "$port"
}

# Chooses ports and secrets once and writes .local/env. While the cluster runs they stay; when it does not, ports that somebody else has taken
# meanwhile are chosen anew.
choose_settings() {
    load_settings
    if ! supervisor_runs; then
        HTTP_PORT=$(free_ports "${HTTP_PORT:-$PARLEY_LOCAL_HTTP_PORT}" 1)
        REDIS_PORT=$(free_ports "${REDIS_PORT:-$PARLEY_LOCAL_REDIS_PORT}" 1)
        POSTGRES_PORT=$(free_ports "${POSTGRES_PORT:-$PARLEY_LOCAL_POSTGRES_PORT}" 1)
        STORE_PORT=$(free_ports "${STORE_PORT:-$PARLEY_LOCAL_STORE_PORT}" 1)
        WORKER_PORT=$(free_ports "${WORKER_PORT:-$PARLEY_LOCAL_WORKER_PORT}" "$PARLEY_LOCAL_WORKERS")
        OPS_PORT=$(free_ports "${OPS_PORT:-$PARLEY_LOCAL_OPS_PORT}" "$(services | wc -l)")
    fi
    : "${REDIS_PASSWORD:=$(random_hex 16)}" "${POSTGRES_PASSWORD:=$(random_hex 16)}" "${PARLEY_TICKET_KEYS:=local:$(random_hex 32)}"
    PARLEY_REDIS_URL=redis://default:$REDIS_PASSWORD@127.0.0.1:$REDIS_PORT/0
    PARLEY_POSTGRES_URL=postgresql://parley:$POSTGRES_PASSWORD@127.0.0.1:$POSTGRES_PORT/parley
    PARLEY_URL=http://127.0.0.1:$HTTP_PORT
    write_settings
    load_settings
}

write_settings() {
    local name
    {
        echo "# Written by deploy/local up. Ports, addresses and secrets of this cluster; keep it to yourself."
        for name in PARLEY_URL PARLEY_REDIS_URL PARLEY_POSTGRES_URL PARLEY_MODELS_DIR PARLEY_TICKET_KEYS HTTP_PORT REDIS_PORT \
            REDIS_PASSWORD POSTGRES_PORT POSTGRES_PASSWORD STORE_PORT WORKER_PORT OPS_PORT; do
            printf '%s=%q\n' "$name" "${!name}"
        done
    } >"$state/env.new"
    mv "$state/env.new" "$state/env"
}

load_settings() {
    [ -f "$state/env" ] || return 0
    set -a
    # shellcheck source=/dev/null
    . "$state/env"
    set +a
}

require_settings() {
    [ -f "$state/env" ] || fail "there is no local cluster yet; './deploy/local up' makes one"
    load_settings
}

# --- supervisor -------------------------------------------------------------------------------------------------------

supervisor_runs() {
    local pid
    pid=$(cat "$state/supervisor/pid" 2>/dev/null) && kill -0 "$pid" 2>/dev/null &&
        tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q -F "$state/supervisor/supervisord.conf"
}

supervise() { supervisorctl -c "$state/supervisor/supervisord.conf" "$@"; }

# program NAME STOPSIGNAL STOPSECONDS COMMAND...: one program of the supervisor; NAME=value lines on standard input are its environment.
program() {
    local name=$1 signal=$2 seconds=$3 line quote environment=
    shift 3
    while IFS= read -r line; do
        # The supervisor knows two quotation marks and no way to escape them.
        quote='"'
        [[ ${line#*=} != *'"'* ]] || quote="'"
        [[ ${line#*=} != *"$quote"* ]] || fail "the value of ${line%%=*} has both kinds of quotation marks; the supervisor cannot pass it on"
        environment+="${environment:+,}${line%%=*}=$quote${line#*=}$quote"
    done
    local command
    command=$(printf ' %q' "$@")
    cat <<PROGRAM

[program:$name]
command=${command//%/%%}
environment=${environment//%/%%}
directory=$root
autostart=false
autorestart=true
startsecs=1
startretries=5
stopsignal=$signal
stopwaitsecs=$seconds
stopasgroup=false
killasgroup=true
redirect_stderr=true
stdout_logfile=$state/log/$name.log
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=3
PROGRAM
}

# A socket's path may have 107 bytes; a deep checkout's socket lives in /tmp.
supervisor_socket() {
    local socket=$state/supervisor/socket
    [ "${#socket}" -le 90 ] || socket=/tmp/parley-$(id -u)-$(sha256sum <<<"$state" | cut -c 1-12).socket
    echo "$socket"
}

# Descriptors for the supervisor and its programs: the supervisor raises its limit to this and refuses to start when it cannot.
descriptor_limit() {
    local hard
    hard=$(ulimit -Hn)
    if [ "$hard" = unlimited ] || [ "$hard" -gt 65536 ]; then echo 65536; else echo "$hard"; fi
}

write_supervisor_configuration() {
    local socket service command
    socket=$(supervisor_socket)
    mkdir -p "$state/supervisor" "$state/log"
    {
        cat <<SUPERVISOR
; Written by deploy/local up.
[unix_http_server]
file=$socket
chmod=0700

[supervisord]
logfile=$state/log/supervisor.log
logfile_maxbytes=5MB
pidfile=$state/supervisor/pid
childlogdir=$state/log
directory=$root
minfds=$(descriptor_limit)
$([ "$(id -u)" = 0 ] && echo user=root)

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://$socket
SUPERVISOR
        program redis TERM 30 redis-server "$state/data/redis/redis.conf" </dev/null
        postgres_command "$state/data/postgres" "$POSTGRES_PORT" max_connections=100
        program postgres INT 60 "${command[@]}" </dev/null
        while read -r service; do
            # BUILD makes the supervisor restart a service whose program has changed.
            { service_environment "$service" && echo "BUILD=$(build_id "$(executable_of "$service")")"; } |
                program "$service" TERM 40 "$bin/$(executable_of "$service")"
        done < <(services)
    } >"$state/supervisor/supervisord.conf.new"
    mv "$state/supervisor/supervisord.conf.new" "$state/supervisor/supervisord.conf"
}

build_id() { stat -L -c '%Y-%s' "$bin/$1" 2>/dev/null || echo none; }

start_supervisor() {
    # The programs get what their configuration gives them, not what happens to be in the environment of `up`, nor the lock of this script.
    if supervisor_runs; then
        supervise update >/dev/null
    else
        env -i PATH="$PATH" HOME="$HOME" LANG=C.UTF-8 TZ=UTC supervisord -c "$state/supervisor/supervisord.conf" 9>&-
    fi ||
        fail "the supervisor could not be started; see $state/log/supervisor.log"
    wait_until 10 supervise pid >/dev/null 2>&1 || fail "the supervisor does not answer; see $state/log/supervisor.log"
}

# program_state NAME: RUNNING, STOPPED, FATAL, ...
program_state() { supervise status "$1" 2>/dev/null | awk '{ print $2 }'; }

# start_programs NAME...: starts those that do not run, all at once, and clears former failures. Whether they work is seen later.
start_programs() {
    local name
    for name in "$@"; do
        case "$(program_state "$name")" in
            RUNNING | STARTING) ;;
            *) supervise start "$name" >/dev/null 2>&1 9>&- & ;;
        esac
    done
    wait
}

# --- readiness --------------------------------------------------------------------------------------------------------

service_is_ready() { [ "$(curl -s -o /dev/null -m 2 -w '%{http_code}' "http://127.0.0.1:$(ops_port "$1")/readyz")" = 200 ]; }

# Ready, or certain not to become so.
service_is_settled() { service_is_ready "$1" || [ "$(program_state "$1")" = FATAL ]; }

wait_for_service() {
    wait_until "$PARLEY_LOCAL_READY_SECONDS" service_is_settled "$1" && service_is_ready "$1" && return 0
    local answer
    answer=$(curl -s -m 2 "http://127.0.0.1:$(ops_port "$1")/readyz") || true
    note "$1 is $(program_state "$1"); /readyz says: ${answer:-nothing}"
    note "the end of $state/log/$1.log:"
    tail_of "$state/log/$1.log"
    fail "$1 is not ready"
}

wait_for_server() { # NAME COMMAND...
    local name=$1
    shift
    wait_until 30 "$@" && return 0
    note "the end of $state/log/$name.log:"
    tail_of "$state/log/$name.log"
    fail "$name does not answer"
}

start_servers() {
    start_programs redis postgres
    wait_for_server redis redis_answers "$REDIS_PORT" "$REDIS_PASSWORD"
    wait_for_server postgres postgres_answers "$POSTGRES_PORT"
    ensure_database "${PARLEY_POSTGRES_URL%/*}/postgres" parley || fail "the database parley could not be created"
}

start_services() {
    local service names
    mapfile -t names < <(services)
    start_programs "${names[@]}"
    for service in "${names[@]}"; do
        wait_for_service "$service"
        note "$service is ready"
    done
}

# The key is made once and shown by `parley keys create` only then.
create_api_key() {
    [ -s "$state/api-key" ] && return 0
    local key
    key=$("$bin/parley" keys create --tenant local --name local | tail -n 1) || fail "the API key could not be created"
    [ -n "$key" ] || fail "'parley keys create' printed no key"
    (umask 077 && printf '%s\n' "$key" >"$state/api-key")
}
