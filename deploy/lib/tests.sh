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

# prepare_python: a virtual environment with Tests/python/requirements.txt, made anew when these or Python itself have changed; sets
# PARLEY_TEST_PYTHON, which a caller may have set to a Python of their own.
prepare_python() {
    [ -z "${PARLEY_TEST_PYTHON:-}" ] || return 0
    local venv=$state/python stamp log=$state/python.log
    stamp=$(python3 -VV && cat "$root/Tests/python/requirements.txt" "$root/Tests/python/constraints.txt") || fail "python3 does not run"
    if [ "$(cat "$venv/complete" 2>/dev/null)" != "$stamp" ]; then
        step "Installing Pipecat's client and the vendors' SDKs for the tests (from PyPI, one to two minutes)"
        mkdir -p "$state"
        rm -rf "$venv"
        python3 -m venv "$venv" >"$log" 2>&1 || {
            tail_of "$log"
            fail "python3 cannot make a virtual environment in $venv; install the package python3-venv"
        }
        "$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: --no-binary=docopt \
            -r "$root/Tests/python/requirements.txt" >"$log" 2>&1 || {
            tail_of "$log"
            fail "pip could not install Tests/python/requirements.txt; is PyPI (or your mirror, see pip config) reachable?"
        }
        rm -f "$log"
        printf '%s\n' "$stamp" >"$venv/complete"
    fi
    export PARLEY_TEST_PYTHON=$venv/bin/python
}

# build_example: docs/examples/backend is a package of its own, so that it can use no more than what is public. It is built in the tests' build folder and with
# their versions: what they have compiled is not compiled again. That folder keeps the plan of one package only, hence the last line, for whoever builds next.
build_example() {
    local example=$root/docs/examples/backend
    cp "$root/Package.resolved" "$example/Package.resolved"
    swift build --package-path "$example" --scratch-path "$root/.build" --force-resolved-versions --disable-build-manifest-caching &&
        swift build --package-path "$root" --build-tests --disable-build-manifest-caching
}

# report_failures FILE: what failed, and the counts, once more: in the output of all tests nobody finds them.
report_failures() {
    step "What failed"
    grep -aE '^✘ Test .*(recorded an issue|failed after)|^✘ Test run|Fatal error|Exited with|Signal [0-9]' "$1" | cut -c 1-1000 | tail -n 80 || note "(the output says nothing of it)"
}

# Returns the status of the tests.
run_tests() {
    local folder output status=0
    mkdir -p "$state"
    folder=$(mktemp -d "$state/test.XXXXXX")
    # shellcheck disable=SC2064
    trap "report_surprise; stop_test_servers; rm -rf '$folder'" EXIT
    step "Building the tests (the first time takes minutes)"
    (cd "$root" && swift build --build-tests) || fail "the tests do not build; the errors are above"
    step "Building the example of a backend in a package of its own"
    build_example || fail "docs/examples/backend does not build; the errors are above"
    step "Checking docs/configuration.md"
    "$root/deploy/generate-configuration" --check >&2 || fail "docs/configuration.md is not what the services say; run ./deploy/generate-configuration"
    step "Starting a Redis and a PostgreSQL for the tests"
    start_test_servers "$folder"
    step "Running the tests"
    expect_failure # its status is that of the tests
    output=$folder/tests.log
    (cd "$root" && swift test --no-parallel --skip-build "$@" 2>&1 | tee "$output") || status=$?
    [ "$status" = 0 ] || report_failures "$output"
    return "$status"
}
