# Identifies processes, and ends them.
#
# A process marks a file as its own with one line: its id, its start time, the boot of the host, the start time of the
# first process, the name of the host. An id alone could be another process by now.
#
#   sb_v                       the mark of this shell
#   sb_a                       the boot of this host
#   sb_m                       a start time
#   sb_g, sb_h                 of this host: the start time of the first process, the name
#   sb_p sb_z sb_e sb_f sb_l   the five fields of a mark that was read
#   sb_k                       alive, gone or unknown; or the kind of a file
#   sb_n                       a number of tenths of a second
#   sb_coarse                  y once this host has slept a whole second instead of less
#   sb_o                       what follows the first line of a file

# Puts the id of this host's boot into sb_a.
sb_boot_id() { { IFS= read -r sb_a </proc/sys/kernel/random/boot_id; } 2>/dev/null; }

# PROCESS: puts its start time, in ticks since the boot, into sb_m. Status 1: it cannot be read; 2: it is a zombie.
#
# The name of a program may hold blanks, parentheses and line breaks, and ends at the last parenthesis.
sb_start_time() {
    sb_m=
    [ -r "/proc/$1/stat" ] || return 1
    while IFS= read -r sb_e; do sb_m=$sb_m$sb_e; done <"/proc/$1/stat" 2>/dev/null
    case $sb_m in *') '*) ;; *) return 1 ;; esac
    # shellcheck disable=SC2086 # Each field is a word.
    set -- ${sb_m##*) }
    case $1 in [ZX]) return 2 ;; esac
    sb_m=${20-}
}

# Puts the start time of the first process into sb_g, and the name of the host into sb_h; - for what is not known.
#
# Containers of one kernel share its boot id, and have first processes of their own: an id means one process among those
# with the same sb_g.
sb_namespace() {
    sb_start_time 1
    case $sb_m in '' | *[!0-9]*) sb_g=- ;; *) sb_g=$sb_m ;; esac
    { IFS= read -r sb_h </proc/sys/kernel/hostname; } 2>/dev/null || sb_h=-
    case $sb_h in '' | *[!0-9A-Za-z._-]*) sb_h=- ;; esac
}

# Puts the mark of this shell into sb_v.
sb_own_mark() {
    sb_namespace
    sb_boot_id || sb_a=-
    sb_start_time $$ || sb_m=-
    sb_v="$$ $sb_m $sb_a $sb_g $sb_h"
}

# SECONDS: sleeps so long, or a whole second where sleep takes no fractions.
sb_pause() {
    sleep "$1" 2>/dev/null || {
        sleep 1
        sb_coarse=y
    }
}

# PROCESS: ends the group that it leads; kills what is still there after 5 seconds.
sb_end_group() {
    kill -TERM -"$1" || return
    sb_n=0
    while [ $sb_n -lt 50 ] && kill -0 -"$1"; do
        sb_coarse=
        sb_pause 0.1
        sb_n=$((sb_n + 1))
        if [ "$sb_coarse" ]; then sb_n=$((sb_n + 9)); fi
    done
    kill -KILL -"$1"
}

# FILE: puts into sb_k whether the process that marked it still runs. A mark that means nothing leaves it unknown.
#
# Leaves the id of the process in sb_p.
sb_liveness() {
    sb_namespace
    sb_k=unknown sb_p= sb_z= sb_e= sb_f= sb_l=
    # A line without its end is torn, and one that more follows was written by somebody else: neither counts.
    {
        sb_readable "$1" &&
            { read -r sb_p sb_z sb_e sb_f sb_l && { sb_o= && ! read -r sb_o && [ -z "$sb_o" ]; }; } <"$1"
    } 2>/dev/null || sb_e=
    sb_k=unknown
    case $sb_p.$sb_z in *[!0-9.]* | .* | *.) sb_e= ;; esac
    case $sb_e in *[!0-9A-Za-z-]*) sb_e= ;; esac
    case $sb_f in - | '') ;; *[!0-9]*) sb_e= ;; esac
    case $sb_f.$sb_l in .) ;; .* | *. | *[!0-9A-Za-z._-]*) sb_e= ;; esac
    if [ -n "$sb_e" ] && sb_boot_id; then
        if [ "$sb_a" != "$sb_e" ]; then
            # A reboot of this host ended it; another host has boots of its own.
            case $sb_l in '') sb_k=gone ;; -) ;; "$sb_h") sb_k=gone ;; esac
        elif [ -n "$sb_f" ] && { [ "$sb_f" = - ] || [ "$sb_f" != "$sb_g" ]; }; then
            :
        else
            sb_start_time "$sb_p"
            case $? in
                0) if [ "$sb_m" = "$sb_z" ]; then sb_k=alive; else sb_k=gone; fi ;;
                2) sb_k=gone ;;
                *) if [ -r /proc/1/stat ] && ! [ -e "/proc/$sb_p" ]; then sb_k=gone; fi ;;
            esac
        fi
    fi
}

# FILE: succeeds if it is a regular file that can be read; else puts what it is into sb_k, - if it is absent.
#
# Opens nothing, since opening a pipe or a device could block.
sb_readable() {
    if [ -h "$1" ]; then
        sb_k=link
    elif [ -d "$1" ]; then
        sb_k=directory
    elif ! [ -e "$1" ]; then
        sb_k=-
    elif ! [ -f "$1" ]; then
        sb_k=other
    elif ! [ -r "$1" ]; then
        sb_k=denied
    else
        return 0
    fi
    return 1
}
