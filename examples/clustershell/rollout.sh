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
# SWITCHBACK      the command on each host, by default `switchback`: SWITCHBACK='switchback --root /srv/shop'
# CLUSH           the command here, by default `clush`: CLUSH='clush -f 256'
# CLUSH_TIMEOUT   the seconds that a command may take on a host, by default 900
#
# Exits as switchback does: 0 done, 2 wrong usage, 3 refused or failed before any switch, 4 failed and rolled back
# everywhere, 5 a person is needed.
set -u

if [ $# -lt 3 ] || [ $# -gt 4 ]; then
    echo "usage: rollout.sh NODES SOURCE NAME [FROM]" >&2
    exit 2
fi
nodes=$1 source=$2 name=$3 from=${4:+--from=$4}
for word in "$name" "${4-$name}"; do
    case $word in
    '' | [!A-Za-z0-9]* | *[!A-Za-z0-9._+-]*) echo "rollout.sh: not the name of a release: '$word'" >&2; exit 2 ;;
    esac
done
program=${SWITCHBACK:-switchback} clush=${CLUSH:-clush} before='' form=-b

# everywhere WORDS...: runs the command on all nodes at once; fails if it fails on one, or one cannot be reached.
everywhere() {
    # Split on purpose: CLUSH may hold options.
    # shellcheck disable=SC2086
    $before $clush -n -S --color=never -u "${CLUSH_TIMEOUT:-900}" $form -w "$nodes" "$program --quiet $*"
}

# in_words TEXT: quotes it for a shell.
in_words() { printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"; }

# hosts: the names that begin the lines, as clush takes them.
hosts() { cut -d: -f1 | sort -u | paste -s -d, -; }

# roll_back: rolls back the hosts that were not on the release before. Those that have not switched have nothing to do.
# Each says that it is done, for an interrupted clush does not name the others: they are $left.
roll_back() {
    left=$touched
    [ -n "$left" ] || return
    said=$(nodes=$left form='' && everywhere rollback --wait=5m "--from=$name" "-m 'the rollout failed' >/dev/null && echo done")
    left=$(echo "$left" | tr , '\n' | grep -vxF "$(echo "$said" | sed -n 's/: done$//p')" | hosts)
}

# ask WORDS...: asks everything that could refuse. A release that is staged already is activated below.
ask() { everywhere deploy --dry-run --or-return "$@" --name="$name" "$from" -- "$source"; }

source=$(in_words "$source")
# Every host is asked before any is touched. The errors of JSON are not for people.
asked=$(form='' && ask --json) || { ask >/dev/null; exit 3; }
# `activate` below refuses a release to roll back to.
earlier=$(printf '%s\n' "$asked" | grep -F '"command":"rollback"' | hosts)
if [ -n "$earlier" ]; then
    echo "rollout.sh: refused, nothing was touched: $name is a previous release on $earlier" >&2
    echo "next: $clush -S -w $earlier $(in_words "$program rollback --to=$name")" >&2
    exit 3
fi
touched=$(printf '%s\n' "$asked" | grep -F '"type":"report"' | grep -vF "\"before\":\"$name\"" | hosts)
everywhere stage --name="$name" -- "$source" >/dev/null || exit 3

# From here a signal ends what this script waits for, and no more. The hosts would activate without it as well: in a
# session of its own, clush stays to hear their answers.
trap : HUP INT TERM
before='exec setsid'
everywhere activate "$name" "$from" &
activation=$!
before=''
wait "$activation"
code=$?
if [ $code -eq 0 ]; then
    echo "rollout.sh: every host is on $name" >&2
    exit 0
fi

echo "rollout.sh: rolling back from $name" >&2
roll_back
# After a signal, a host that was slow to begin its activation had nothing to roll back at first. One that did not
# answer (255) may begin it yet.
if [ $code -gt 128 ] && [ $code -ne 255 ] && [ -z "$left" ]; then
    wait "$activation"
    if [ $? -le 128 ]; then roll_back; else left=$touched; fi
fi
kill -- "-$activation" 2>/dev/null
if [ -z "$left" ]; then
    echo "rollout.sh: failed, and no host is on $name because of it" >&2
    exit 4
fi
echo "rollout.sh: a person is needed; these hosts are on $name, or may switch to it yet: $left" >&2
echo "next: $clush -S -w $left $(in_words "$program rollback --wait=5m --from=$name")" >&2
exit 5
