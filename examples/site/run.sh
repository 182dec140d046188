#!/bin/sh
# Deploys the site in this directory with its data, rolls back, and rehearses a rollback with a drill: on this machine,
# in a temporary root that is removed at the end. Exits with 0 only if every step had the expected result.
#
#   sh examples/site/run.sh
set -eu

site=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
crate=$(CDPATH='' cd -- "$site/../.." && pwd -P)
unset SWITCHBACK_CONFIG SWITCHBACK_ENV SWITCHBACK_ROOT

root=
clean_up() { [ -z "$root" ] || rm -rf -- "$root"; }
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

command -v cargo >/dev/null || { echo "cargo is missing: install Rust from https://rustup.rs" >&2; exit 1; }
echo "Building switchback. The first build takes a few minutes."
# Cargo reports the program's path: many settings can change it.
built=$(cd -- "$crate" && cargo build --bin switchback --message-format=json-render-diagnostics)
program=$(printf '%s\n' "$built" | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
[ -x "$program" ] || { echo "cargo built no program" >&2; exit 1; }

root=$(mktemp -d "${TMPDIR:-/tmp}/switchback-site.XXXXXX")
root=$(CDPATH='' cd -- "$root" && pwd -P)
# What the program caches for its user stays below target/.
XDG_CACHE_HOME=$crate/target/tmp/cache
export XDG_CACHE_HOME
wrong=0
echo "The deploy root is $root. It is removed at the end."

# step WHAT ARGUMENT...: runs switchback on the root; sets $code to its exit code and $said to its output.
step() {
    echo
    echo "== $1"
    shift
    echo "\$ switchback --config examples/site/switchback.toml --root ROOT $*"
    code=0
    said=$("$program" --config "$site/switchback.toml" --root "$root" "$@" 2>&1) || code=$?
    printf '%s\n' "$said" | sed 's/^/  | /'
}

# is WHAT EXPECTED FOUND: prints FOUND and counts it as wrong if it is not EXPECTED.
is() {
    if [ "$2" = "$3" ]; then
        printf '  %-28s %s\n' "$1" "$3"
    else
        printf '  %-28s %s   WRONG: expected %s\n' "$1" "$3" "$2"
        wrong=$((wrong + 1))
    fi
}

# look CODE RELEASE VERSION GUEST: checks the state after a step.
look() {
    is "exit code" "$1" "$code"
    is "current ->" "releases/$2" "$(readlink "$root/current" || echo nothing)"
    is "current/version.txt" "$3" "$(cat "$root/current/version.txt" || echo nothing)"
    is "the guest book" "$4" "$(cat "$root/shared/guest-book" || echo nothing)"
}

record() { cat "$root/releases/$1/previousVersion" || echo nothing; }

step "The first deploy: pages and data" deploy "$site/v1" --name v1
look 0 v1 1 "Ada"
is "v1/previousVersion" none "$(record v1)"

step "The second: v1 is recorded in it before the switch, and guests get a number of visits" deploy "$site/v2" --name v2
look 0 v2 2 "Ada;1"
is "v2/previousVersion" "$root/releases/v1" "$(record v2)"

step "Back to what was recorded, pages and data" rollback
look 0 v1 1 "Ada"
is "v2 is still there" 2 "$(cat "$root/releases/v2/version.txt" || echo nothing)"

step "The drill of the third: deploy, roll back, deploy again, each with proof" \
    drill "$site/v3" --name v3 --report "$root/drill.json" --junit "$root/drill.xml"
look 0 v3 3 "Ada;1;London"
is "time to restore, in seconds" yes "$(grep -q '"time_to_restore": [0-9]' "$root/drill.json" && echo yes || echo no)"

step "Back from it, in earnest" rollback -m "towns are wrong"
look 0 v1 1 "Ada"

step "Back once more: nothing was before v1, and that is said" rollback
look 7 v1 1 "Ada"

echo
if [ "$wrong" -ne 0 ]; then
    echo "$wrong of these were not as expected."
    exit 1
fi
echo "All was as expected: v1, v2, back to v1, v3 there and back and there again, back to v1, and no further."
