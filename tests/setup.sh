#!/bin/sh
# Installs what `make demo` or `make test` needs and this machine lacks: Debian packages by name, PyPI and
# npm packages by their lock files. Running it again does nothing.
# Must never: touch what is already there, or leave a system service running that was not running before.
set -eu

cd "$(dirname "$0")/.."
what=${1:-test}

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/usr/bin/$1" ]; }

# want COMMAND PACKAGE: notes the package when the command is not there.
missing=
want() {
    has "$1" || missing="$missing $2"
}

# The compiler's package only recommends the C library's headers, which SQLite and the TLS library need.
want_headers() {
    [ -e /usr/include/stdio.h ] || missing="$missing libc6-dev"
}

case "$what" in
    demo)
        want cc gcc
        want_headers
        want mosquitto mosquitto
        ;;
    test)
        want cc gcc
        want_headers
        want mosquitto mosquitto
        want mosquitto_pub mosquitto-clients
        want openssl openssl
        want pdfinfo poppler-utils
        want qpdf qpdf
        want xmllint libxml2-utils
        want soffice libreoffice-calc-nogui
        want sqlite3 sqlite3
        want chromium chromium
        want prlimit util-linux
        want strace strace
        want victoria-metrics victoria-metrics
        want influxd influxdb
        # A python3 of the system has venv in a package of its own; another python3 brings it along.
        if ! has python3; then
            missing="$missing python3 python3-venv"
        elif ! python3 -c 'import ensurepip, venv' >/dev/null 2>&1; then
            missing="$missing python3-venv"
        fi
        ;;
    *) fail "unknown set-up '$what': use demo or test" ;;
esac

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif has sudo; then
        sudo "$@"
    else
        fail "these Debian packages are missing:$missing; run this as root, install sudo, or install them yourself: apt-get install$missing"
    fi
}

if [ -n "$missing" ]; then
    has apt-get || fail "these Debian packages are missing:$missing; this machine has no apt-get, install their like by hand"
    say "installing$missing"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 update >/dev/null \
        || fail "apt-get update failed; check the network and the package sources, then run make again"
    # shellcheck disable=SC2086 # a list of words is wanted
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends install $missing >/dev/null \
        || fail "apt-get install$missing failed; the lines above say why"
    # Debian's packages start these on their usual ports; the tests and the demonstration start their own.
    for service in mosquitto victoria-metrics influxdb; do
        case "$missing " in
            *" $service "*)
                if has systemctl; then
                    as_root systemctl disable --now "$service" >/dev/null 2>&1 || true
                elif has service; then
                    as_root service "$service" stop >/dev/null 2>&1 || true
                fi
                ;;
        esac
    done
fi

has cargo || [ -x "$HOME/.cargo/bin/cargo" ] || fail "cargo is missing; install Rust with rustup, then run make again"

[ "$what" = test ] || exit 0

# The independent Modbus and Sparkplug peers, at the versions that the file pins.
requirements=tests/field/requirements.txt
if [ -f "$requirements" ] && ! cmp -s "$requirements" target/venv/requirements.txt; then
    say "installing the Python packages of $requirements into target/venv"
    mkdir -p target
    rm -rf target/venv
    python3 -m venv target/venv || fail "python3 -m venv failed; install the Debian package python3-venv"
    target/venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$requirements" \
        || fail "pip could not install $requirements; check the network, then run make again"
    # Copied last, so that an interrupted installation begins anew.
    cp "$requirements" target/venv/requirements.txt
fi

# The driver of the browser test, and the login provider of the identity test, by their lock files.
for folder in tests/browser tests/identity; do
    lock=$folder/package-lock.json
    if [ -f "$lock" ] && ! cmp -s "$lock" "$folder/node_modules/.installed-lock"; then
        has npm || fail "npm is missing; install Node.js 20, then run make again"
        say "installing the npm packages of $lock"
        (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) \
            || fail "npm ci in $folder failed; the lines above say why"
        cp "$lock" "$folder/node_modules/.installed-lock"
    fi
done
