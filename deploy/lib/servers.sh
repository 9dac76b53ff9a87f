# shellcheck shell=bash
# A private Redis and a private PostgreSQL, as commands in the foreground. Nothing of the system's own servers is used.

# The folder of the newest PostgreSQL's programs.
postgres_bin() {
    local bin
    bin=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
    [ -x "$bin/postgres" ] || fail "PostgreSQL's server is not installed; install the package postgresql"
    echo "$bin"
}

# postgres_prefix FOLDER: sets `prefix`, the command before a command that must work in FOLDER as PostgreSQL's user. PostgreSQL refuses to
# run as root, and its own user may not get into a checkout below /root: then it keeps root's right to do that, and no other.
postgres_prefix() {
    prefix=()
    [ "$(id -u)" = 0 ] || return 0
    id postgres >/dev/null 2>&1 || fail "PostgreSQL does not run as root and there is no user postgres; install the package postgresql"
    prefix=(setpriv --reuid=postgres --regid=postgres --init-groups)
    "${prefix[@]}" ls "$1/." >/dev/null 2>&1 && return 0
    prefix+=(--inh-caps=+dac_override --ambient-caps=+dac_override)
    "${prefix[@]}" ls "$1/." >/dev/null 2>&1 ||
        fail "user postgres cannot get into $1; set PARLEY_LOCAL_DIR to a folder that it can reach, such as /var/tmp/parley"
}

# create_postgres FOLDER PASSWORD: a cluster whose superuser is `parley`; nothing if there is one already.
create_postgres() {
    local data=$1 bin prefix
    bin=$(postgres_bin)
    if [ -f "$data/PG_VERSION" ]; then
        [ "$("$bin/postgres" --version | grep -o -E '[0-9]+' | head -n 1)" = "$(cat "$data/PG_VERSION")" ] ||
            fail "$data was made by PostgreSQL $(cat "$data/PG_VERSION"), installed is $("$bin/postgres" --version); './deploy/local down --wipe' deletes it"
        return 0
    fi
    rm -rf "$data"
    mkdir -p "$data"
    chmod 700 "$data"
    [ "$(id -u)" != 0 ] || chown postgres:postgres "$data"
    postgres_prefix "$data"
    # Through a descriptor, so that the password is neither in a file nor in the list of processes.
    "${prefix[@]}" "$bin/initdb" --pgdata "$data" --username parley --auth scram-sha-256 --pwfile /dev/stdin --encoding UTF8 \
        --locale C.UTF-8 --no-sync --no-instructions <<<"$2" >"$data.log" 2>&1 || {
        tail_of "$data.log"
        fail "PostgreSQL's data could not be created in $data"
    }
    rm -f "$data.log"
}

# postgres_command FOLDER PORT [NAME=VALUE...]: sets `command` to the server, in the foreground, on loopback only.
postgres_command() {
    local data=$1 port=$2 prefix setting
    shift 2
    postgres_prefix "$data"
    command=("${prefix[@]}" "$(postgres_bin)/postgres" -D "$data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories=)
    for setting in "$@"; do command+=(-c "$setting"); done
}

# create_redis FOLDER PORT PASSWORD [LINE...]: writes its configuration; the folder holds its data.
create_redis() {
    local data=$1 port=$2 password=$3
    shift 3
    mkdir -p "$data"
    {
        printf '%s\n' "bind 127.0.0.1" "port $port" "dir $data" "requirepass $password" "daemonize no" "maxmemory-policy noeviction" "$@"
    } >"$data/redis.conf"
    chmod 600 "$data/redis.conf"
}

postgres_answers() { pg_isready -q -h 127.0.0.1 -p "$1"; }
redis_answers() { [ "$(REDISCLI_AUTH=$2 redis-cli -h 127.0.0.1 -p "$1" ping 2>/dev/null)" = PONG ]; }

# ensure_database URL NAME: creates the database unless it is there. The URL is that of another database of the server.
ensure_database() {
    [ "$(psql "$1" -X -A -t -c "select 1 from pg_database where datname = '$2'")" = 1 ] || psql "$1" -X -q -c "create database \"$2\""
}
