#!/bin/sh
# Deploys with a switchback on each host, run by clush. No run of it sees another host: this script is the barrier.
#
#   sh rollout.sh NODES SOURCE NAME [FROM]
#
# NODES    the hosts as clush takes them: web[01-20], @web
# SOURCE   the directory or archive on each host
# NAME     the name of the release
# FROM     the release that must be current on every host that is not on NAME yet
#
# SWITCHBACK   the command on each host, by default `switchback`: SWITCHBACK='switchback --root /srv/shop'
# CLUSH        the command here, by default `clush`: CLUSH='clush -f 256'
#
# Exits as switchback does: 0 done, 2 wrong usage, 3 refused or failed before any switch, 4 failed and rolled back
# everywhere, 5 a person is needed.
set -u

if [ $# -lt 3 ] || [ $# -gt 4 ]; then
    echo "usage: rollout.sh NODES SOURCE NAME [FROM]" >&2
    exit 2
fi
nodes=$1 source=$2 name=$3 from=${4:+--from=$4}
case $name${4-} in
*[!A-Za-z0-9._+-]*) echo "not the name of a release: $name ${4-}" >&2; exit 2 ;;
esac
program=${SWITCHBACK:-switchback}

# everywhere WORDS...: runs the command on all nodes at once; fails if it fails on one, or one cannot be reached.
everywhere() {
    # Split on purpose: CLUSH may hold options.
    # shellcheck disable=SC2086
    ${CLUSH:-clush} -n -S $form -w "$nodes" ${spared:+-x "$spared"} "$program --quiet $*"
}

# in_words TEXT: quotes it for the shell of the host.
in_words() { printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"; }

# undo: rolls back the nodes that were not on the release before. Nodes that have not switched have nothing to do.
undo() {
    trap '' HUP INT TERM
    spared=$already
    echo "rollout.sh: rolling back from $name" >&2
    if everywhere rollback "--from=$name" "-m 'the rollout failed'"; then
        echo "rollout.sh: failed, and no host is on $name because of it" >&2
        exit 4
    fi
    echo "rollout.sh: a person is needed on the hosts named above; once they are back:" >&2
    echo "next: clush -w NODES \"$program rollback --from=$name\"" >&2
    exit 5
}

spared=''
form=-b
source=$(in_words "$source")
# Everything that could refuse is asked on every host before any is touched.
everywhere deploy --dry-run --or-return --name="$name" "$from" "$source" >/dev/null || exit 3
status=$(form="" && everywhere status --json) || exit 3
already=$(printf '%s\n' "$status" | grep -F "\"current\":\"$name\"" | cut -d: -f1 | paste -s -d, -)
everywhere stage --name="$name" "$source" >/dev/null || exit 3

trap undo HUP INT TERM
everywhere activate "$name" "$from" || undo
trap - HUP INT TERM
echo "rollout.sh: every host is on $name" >&2
