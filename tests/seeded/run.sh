#!/bin/sh
# Seeded faults: each patch here breaks one rule, and the test that it names must fail with it. Needs git.
#
#   sh tests/seeded/run.sh [NAME...]     tries each fault, or these: says which compile, are caught, or survive
#   sh tests/seeded/run.sh --refresh     fits patches whose surroundings have changed to the code as it is
#   sh tests/seeded/run.sh --write NAME  makes the patch of what was changed below target/seeded, where the sources
#                                        stand after a run; keeps its header, or makes one
#
# Works on a copy below target/, and builds in target/.
set -eu
cd -- "$(dirname -- "$0")/../.."
root=$(pwd -P)
seeded=$root/tests/seeded copy=$root/target/seeded
# The copy is no part of the repository, although it lies in it.
export GIT_CEILING_DIRECTORIES="$root/target" CARGO_TARGET_DIR="$root/target" RUST_BACKTRACE=0

# Brings the copy up to date. Unchanged files keep their times, so that little is built again.
fresh() {
    mkdir -p "$copy.new"
    git ls-files -z -co --exclude-standard | tar --null --ignore-failed-read -cf - -T - 2>/dev/null | tar -xf - -C "$copy.new"
    if [ -d "$copy" ]; then
        (cd "$copy.new" && find . -type f) | while IFS= read -r file; do
            if cmp -s "$copy/$file" "$copy.new/$file"; then touch -r "$copy/$file" "$copy.new/$file"; fi
        done
        rm -rf "$copy"
    fi
    mv "$copy.new" "$copy"
}

# OPTION... PATCH: applies a patch to the copy.
patch_copy() { (cd "$copy" && git apply "$@"); }

# NAME: writes the differences of the copy's sources into the patch, below its header.
write() {
    file=$seeded/$1.patch
    if [ -f "$file" ]; then
        sed '/^$/q' "$file" >"$file.new"
    else
        printf 'Rule: TODO\nCaught by: --test it TODO\n\n' >"$file.new"
    fi
    git diff --no-index --no-color --no-prefix -U1 src "target/seeded/src" |
        sed -n -e 's,^--- src/,--- a/src/,p' -e 's,^+++ target/seeded/src/,+++ b/src/,p' -e '/^[-+]\{3\} /d' -e '/^[-+ @]/p' \
            >>"$file.new"
    mv "$file.new" "$file"
}

# NAME: tries a fault. Sets `verdict`.
try() {
    file=$seeded/$1.patch
    run=$(sed -n 's/^Caught by: //p' "$file")
    verdict='no longer applies'
    patch_copy --check "$file" 2>/dev/null || return 0
    patch_copy "$file"
    # shellcheck disable=SC2086 # The header names a program in two words, and a test.
    if ! (cd "$copy" && cargo test --quiet --all-features ${run% *} --no-run) >"$log" 2>&1; then
        verdict='does not compile'
    elif (cd "$copy" && cargo test --all-features ${run% *} -- --exact "${run##* }") >"$log" 2>&1; then
        verdict=SURVIVED
    elif grep -q '^running 1 test$' "$log"; then
        verdict=caught
    else
        verdict="runs no test: $run"
    fi
    patch_copy -R "$file"
}

# NAME: fits a patch whose surroundings have changed. Sets `verdict`.
refresh() {
    file=$seeded/$1.patch
    verdict=fits
    if patch_copy --check "$file" 2>/dev/null; then return 0; fi
    verdict="does not fit: make the fault in target/seeded/src, then: sh tests/seeded/run.sh --write $1"
    patch_copy --check -C0 "$file" 2>/dev/null || return 0
    patch_copy -C0 "$file"
    write "$1"
    patch_copy -R "$file"
    verdict=refreshed
}

act=try
case ${1-} in
    --write)
        write "$2"
        exit
        ;;
    --refresh)
        act=refresh
        shift
        ;;
esac
if [ $# -eq 0 ]; then
    for file in "$seeded"/*.patch; do set -- "$@" "$(basename -- "$file" .patch)"; done
fi
fresh
log=$root/target/seeded.log failed=0
for name; do
    $act "$name"
    printf '%-32s %s\n' "$name" "$verdict"
    case $verdict in caught | fits | refreshed) ;; *) failed=$((failed + 1)) ;; esac
done
[ $failed -eq 0 ] || {
    echo "$failed of $# are not as they should be; the last output is in ${log#"$root"/}" >&2
    exit 1
}
