#!/bin/sh
# Runs all tests. Installs what they need besides Rust with apt-get, if that exists and needs no password; otherwise
# prints what is missing, and which tests are skipped for it. Passes its arguments to `cargo test`.
#
#   sh tests/run.sh
#   sh tests/run.sh --test it fleet::
#   SWITCHBACK_INSTALL=no sh tests/run.sh
set -eu

crate=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
unset SWITCHBACK_CONFIG SWITCHBACK_ENV SWITCHBACK_ROOT
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

command -v cargo >/dev/null || { echo "cargo is missing: install Rust from https://rustup.rs" >&2; exit 1; }

# Each program, and its package.
needed='sshd:openssh-server ssh:openssh-client busybox:busybox toybox:toybox dash:dash bash:bash mksh:mksh zsh:zsh
tcsh:tcsh fish:fish tar:tar zstd:zstd strace:strace git:git cap:capistrano mina:mina sqitch:sqitch sqlite3:sqlite3
python3:python3 psql:postgresql pg_dump:postgresql clush:clustershell jq:jq curl:curl ar:binutils'

# missing_parts FIELD: prints the missing programs (1) or their packages (2).
missing_parts() {
    for pair in $needed; do
        command -v "${pair%%:*}" >/dev/null 2>&1 || case $1 in 1) echo "${pair%%:*}" ;; 2) echo "${pair#*:}" ;; esac
    done
}

# as_root COMMAND...: runs the command as root, or fails if that needs a password.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y "$@" </dev/null; }

install() {
    echo "Installing with apt-get:" "$@"
    apt update || echo "apt-get update failed; continuing with the existing package lists"
    # One by one if they cannot be installed together: not every release of Debian or Ubuntu has them all.
    apt install --no-install-recommends "$@" || for package; do
        apt install --no-install-recommends "$package" || echo "$package could not be installed"
    done
}

packages=$(missing_parts 2)
# Two parts that are no programs: the driver of Sqitch for SQLite, and the module that makes virtual environments.
perl -MDBD::SQLite -e 1 2>/dev/null || packages="$packages libdbd-sqlite3-perl"
python3 -c 'import ensurepip, venv' 2>/dev/null || packages="$packages python3-venv"
# Debian keeps the server's programs off the PATH.
has_postgresql_server() { command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; }
has_postgresql_server || packages="$packages postgresql"
if [ -n "$packages" ]; then
    if [ "${SWITCHBACK_INSTALL:-yes}" = no ]; then
        echo "SWITCHBACK_INSTALL=no: nothing is installed."
    elif ! command -v apt-get >/dev/null; then
        echo "This machine has no apt-get: install the programs named below by other means."
    elif ! as_root true 2>/dev/null; then
        echo "Not root, and sudo asks for a password: nothing is installed."
    else
        # Split on purpose: package names hold no spaces.
        # shellcheck disable=SC2086
        install $packages
    fi
fi

for program in $(missing_parts 1); do
    case $program in
        ssh | sshd) what="every test over SSH" ;;
        busybox | toybox | dash | bash | mksh) what="the tests of hosts with this shell or these tools" ;;
        zsh | tcsh | fish) what="the tests of hosts with this login shell" ;;
        git | cap | mina) what="the adoption of trees made by the real Capistrano and Mina" ;;
        tar | zstd) what="the comparison of archives with this program" ;;
        sqitch | python3) what="the presets of the migration tools that need it" ;;
        jq | curl) what="the steps of the CI services" ;;
        ar) what="the packages" ;;
        sqlite3) what="the recipes and the presets of the migration tools that need it" ;;
        psql | pg_dump) what="the recipe for PostgreSQL" ;;
        clush) what="the rollout over ClusterShell" ;;
        *) what="the tests that trace system calls with it" ;;
    esac
    echo "$program is missing, which skips $what."
done

has_postgresql_server || echo "The PostgreSQL server is missing, which skips the recipe for PostgreSQL."

if command -v ssh >/dev/null && command -v sshd >/dev/null; then
    # A test over SSH that cannot run is then a failure, not a skip.
    SWITCHBACK_REQUIRE_SSHD=1
    export SWITCHBACK_REQUIRE_SSHD
fi

# Alembic, Ansible, Django and PyYAML, in a virtual environment below target/.
python=$crate/target/python
modules='alembic ansible-core django pyyaml'
if [ "${SWITCHBACK_INSTALL:-yes}" != no ] && [ "$(cat "$python/complete" 2>/dev/null)" != "$modules" ]; then
    # Split on purpose, as above.
    # shellcheck disable=SC2086
    if python3 -m venv "$python" && "$python/bin/pip" install -q $modules; then
        echo "$modules" >"$python/complete"
    else
        echo "Alembic, Ansible, Django and PyYAML could not be installed, which skips their presets, a recipe," \
            "the CI services and the collection for Ansible."
    fi
fi
[ ! -e "$python/complete" ] || PATH=$python/bin:$PATH

# sqlx-cli takes minutes to build, so only the long tests install it, below target/.
case "${SWITCHBACK_INSTALL:-yes} $* " in
no\ *) ;;
*" --ignored "*)
    [ -x "$crate/target/tools/bin/sqlx" ] ||
        cargo install -q sqlx-cli --version 0.9.0 --no-default-features --features sqlite --root "$crate/target/tools" ||
        echo "sqlx-cli could not be built, which skips its preset."
    ;;
esac
PATH=$crate/target/tools/bin:$PATH

# Most tests wait for hosts, processes and timers more than they compute.
if [ -z "${RUST_TEST_THREADS-}" ]; then
    RUST_TEST_THREADS=$(($(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2) * 3))
    export RUST_TEST_THREADS
fi

# What the program caches for its user stays below target/, too.
XDG_CACHE_HOME=$crate/target/tmp/cache
export XDG_CACHE_HOME

cd -- "$crate"
echo "cargo test --all-features $*"
exec cargo test --all-features "$@"
