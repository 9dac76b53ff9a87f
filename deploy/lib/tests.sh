# shellcheck shell=bash disable=SC2154
# The tests with the servers that they need, started for them and stopped after them. `root`, `state` and `bin` are set by deploy/local.

# The servers started for the tests; not local to a function, because the end of the script stops them.
server_pids=()

# start_test_servers FOLDER: sets the two URLs and `server_pids`.
start_test_servers() {
    local folder=$1 password redis_port postgres_port command
    password=$(random_hex 16)
    redis_port=$(random_port)
    postgres_port=$(random_port)
    create_redis "$folder/redis" "$redis_port" "$password" 'save ""' "appendonly no"
    redis-server "$folder/redis/redis.conf" >"$folder/redis.log" 2>&1 9>&- &
    server_pids+=($!)
    create_postgres "$folder/postgres" "$password"
    postgres_command "$folder/postgres" "$postgres_port" fsync=off synchronous_commit=off full_page_writes=off max_connections=300
    "${command[@]}" >"$folder/postgres.log" 2>&1 9>&- &
    server_pids+=($!)
    wait_until 30 redis_answers "$redis_port" "$password" || {
        tail_of "$folder/redis.log"
        fail "the tests' Redis does not answer"
    }
    wait_until 30 postgres_answers "$postgres_port" || {
        tail_of "$folder/postgres.log"
        fail "the tests' PostgreSQL does not answer"
    }
    export PARLEY_TEST_REDIS_URL=redis://default:$password@127.0.0.1:$redis_port/0
    export PARLEY_TEST_POSTGRES_URL=postgresql://parley:$password@127.0.0.1:$postgres_port/postgres
}

# INT is PostgreSQL's fast shutdown; Redis takes it as well.
stop_test_servers() {
    local pid
    for pid in "${server_pids[@]}"; do kill -INT "$pid" 2>/dev/null; done
    for pid in "${server_pids[@]}"; do wait "$pid" 2>/dev/null; done
    return 0
}

# Returns the status of the tests.
run_tests() {
    local folder status=0
    mkdir -p "$state"
    folder=$(mktemp -d "$state/test.XXXXXX")
    # shellcheck disable=SC2064
    trap "report_surprise; stop_test_servers; rm -rf '$folder'" EXIT
    step "Building the tests (the first time takes minutes)"
    (cd "$root" && swift build --build-tests) || fail "the tests do not build; the errors are above"
    step "Starting a Redis and a PostgreSQL for the tests"
    start_test_servers "$folder"
    step "Running the tests"
    expect_failure # its status is that of the tests
    (cd "$root" && swift test --no-parallel --skip-build "$@") || status=$?
    return "$status"
}
