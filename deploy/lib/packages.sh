# shellcheck shell=bash disable=SC2154
# Installs what the machine lacks. `root`, `state` and `bin` are set by deploy/local.

missing_packages() {
    local package
    grep -v -E '^ *(#|$)' "$root/deploy/apt-packages" | while read -r package; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
    done
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

install_packages() {
    command -v dpkg-query >/dev/null || fail "this machine has no dpkg; install the equivalents of deploy/apt-packages and set PARLEY_LOCAL_NO_APT=1"
    local missing
    mapfile -t missing < <(missing_packages)
    [ "${#missing[@]}" -gt 0 ] || return 0
    step "Installing Debian packages: ${missing[*]}"
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        fail "these packages are missing and there is no sudo; as root run: apt-get install ${missing[*]}"
    fi
    # Our servers are our own: what Debian's packages would start on their own ports stays as it is, here: not started.
    local policy=/usr/sbin/policy-rc.d made_policy=
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
        made_policy=1
    fi
    local status=0
    { as_root apt-get update -qq &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"; } >&2 || status=$?
    [ -z "$made_policy" ] || as_root rm -f "$policy"
    [ "$status" = 0 ] || fail "apt could not install ${missing[*]}; its message is above"
}

check_swift() {
    command -v swift >/dev/null || fail "swift is not on the PATH; install Swift 6.3 (https://www.swift.org/install/linux/) and try again"
    local version
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)
    case "$version" in
        6.[3-9] | 6.[1-9][0-9] | [7-9].* | [1-9][0-9].*) ;;
        *) fail "Swift 6.3 or later is needed, this is '${version:-unknown}' ($(command -v swift))" ;;
    esac
}

prepare_machine() {
    [ -n "${PARLEY_LOCAL_NO_APT:-}" ] || install_packages
    check_swift
}

fetch_models() {
    step "Models and ONNX Runtime in ${PARLEY_MODELS_DIR#"$root"/}"
    "$root/deploy/fetch-models" "$PARLEY_MODELS_DIR" >&2 || fail "the models could not be fetched; the message is above"
}
