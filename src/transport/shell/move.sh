# Steps that move. A move is one rename(2) or fails: never a copy, never through a symlink.
#
#   sb_same   directories on the filesystem of the root, with // after each: no stat has to compare them again
#   sb_h      which end of a move is held open: i (into), f (from), or - for none
#   sb_z      the path from a directory back to the root
#   sb_o      where the entry will be

# DIRECTORY: notes that it is on the filesystem of the one that it was made in.
sb_made() {
    case $sb_same in *"//${1%/*}//"*) sb_same=$sb_same$1// ;; esac
    case $1 in ./*/*/*/*) ;; ./*/*/*) sb_rw=${1%/*/*} ;; esac
}

# DIRECTORY DIRECTORY: succeeds if both are known to be on the filesystem of the root.
sb_known() {
    case $sb_same in *"//$1//"*) case $sb_same in *"//$2//"*) return 0 ;; esac ;; esac
    return 1
}

# DIRECTORY DIRECTORY: checks that both are on one filesystem, before a mv would begin to copy. The script of a batch
# that moves defines switchback_places, so that one stat inspects all its directories.
sb_alike() {
    [ "$1" = "$2" ] && return 0
    sb_known "$1" "$2" && return 0
    switchback_places "$1" "$2"
    sb_known "$1" "$2" && return 0
    sb_m=$(stat -c '%d %m' -- "$1" "$2" 2>&1) || sb_fail - "$sb_m" || return
    [ "${sb_m%%"$sb_nl"*}" = "${sb_m#*"$sb_nl"}" ] ||
        sb_fail cross-device "$1 and $2 are on different filesystems" || return
}

# DIRECTORY...: notes which are on the filesystem of the root.
sb_places() {
    for sb_e; do
        shift
        if [ -d "$sb_e" ] && ! [ -h "$sb_e" ] && ! sb_known . "$sb_e"; then set -- "$@" "$sb_e"; fi
    done
    sb_m=$(stat -c '%d %m' -- . "$@" 2>/dev/null) || return 0
    sb_n=$#
    sb_by_line "$sb_m" sb_nearby "$@"
}

# LINE... DIRECTORY...: the same, given what stat said of the root and of each.
sb_nearby() {
    [ $# -eq $((sb_n * 2 + 1)) ] || return 0
    sb_a=$1
    shift
    while [ $# -gt "$sb_n" ]; do
        eval "sb_e=\${$((sb_n + 1))}"
        case $1 in "$sb_a") sb_same=$sb_same$sb_e// ;; esac
        shift
    done
}

# FROM TO: notes the directories in a moved one under their new paths.
sb_moved() {
    sb_b=$sb_same
    while :; do
        case $sb_b in *//*) ;; *) return 0 ;; esac
        sb_e=${sb_b%%//*} sb_b=${sb_b#*//}
        case $sb_e in "$1" | "$1"/*) sb_same=$sb_same$2${sb_e#"$1"}// ;; esac
    done
}

# FUNCTION FROM TO DIRECTORY: moves into DIRECTORY by this function, which gets an option first. The first move shows
# whether mv knows --no-copy.
sb_moves() {
    case ${sb_copies-?} in
        y) ;;
        *)
            sb_m=$($1 --no-copy "$2" "$3" 2>&1) && {
                sb_copies=n
                return 0
            }
            sb_not_killed $? "$sb_m"
            case ${sb_copies-?}$sb_m in
                '?'*option*no-copy*) sb_copies=y ;;
                *)
                    sb_fail - "$sb_m"
                    return 1
                    ;;
            esac
            ;;
    esac
    sb_alike "${2%/*}" "$4" || return
    sb_m=$($1 '' "$2" "$3" 2>&1) || sb_fail - "$sb_m" || return
}

# OPTION FROM TO: renames. It starts in the source's directory, since somebody may replace that by a symlink meanwhile.
# Runs in a subshell.
# shellcheck disable=SC2086 # An empty option is no word.
sb_mv_name() {
    sb_back "${2%/*}"
    sb_hold "${2%/*}" && exec mv -f $1 -- "./${2##*/}" "$sb_z$3"
}

# OPTION FROM DIRECTORY: moves into it, from the end that is held open. Runs in a subshell.
#
# A move of a name into a directory is one rename(2) on GNU, busybox and toybox alike, even if the name is a symlink's.
# shellcheck disable=SC2086 # An empty option is no word.
sb_mv_into() {
    case $sb_h in
        -) exec mv -f $1 -- "$2" "$3/" ;;
        f)
            sb_back "${2%/*}"
            sb_hold "${2%/*}" && exec mv -f $1 -- "./${2##*/}" "$sb_z$3/"
            ;;
        *)
            sb_back "$3"
            sb_hold "$3" && exec mv -f $1 -- "$sb_z$2" ./
            ;;
    esac
}

# HELD FROM INTO: moves FROM into the directory INTO, and replaces what has its name there.
sb_move() {
    sb_h=$1
    shift
    sb_reach "$1" && sb_reach "$2/." || return
    sb_exists "$1" || sb_fail missing "$1: No such file or directory" || return
    sb_o=$2/${1##*/}
    case $sb_o in
        "$1")
            sb_reply done
            return 0
            ;;
    esac
    if [ -d "$1" ] && ! [ -h "$1" ]; then
        if sb_exists "$sb_o" && { [ -h "$sb_o" ] || ! [ -d "$sb_o" ]; }; then
            sb_fail wrong-type "$sb_o: Not a directory"
            return 1
        fi
    elif [ -d "$sb_o" ] && ! [ -h "$sb_o" ]; then
        sb_fail wrong-type "$sb_o: Is a directory"
        return 1
    fi
    sb_moves sb_mv_into "$1" "$2" "$2" || return
    if [ -d "$sb_o" ] && ! [ -h "$sb_o" ]; then sb_moved "$1" "$sb_o"; fi
    sb_reply done
}

# FROM TO: renames, and replaces nothing.
sb_rename() {
    case $1 in
        . | ./ | ./.)
            sb_fail - "the root itself is never renamed"
            return 1
            ;;
    esac
    sb_reach "$1" && sb_reach "$2" || return
    sb_exists "$1" || sb_fail missing "$1: No such file or directory" || return
    if sb_exists "$2"; then
        sb_fail exists "$2: File exists"
        return 1
    fi
    case $2/ in
        "$1"/*)
            sb_fail - "$2 lies in $1"
            return 1
            ;;
    esac
    sb_moves sb_mv_name "$1" "$2" "${2%/*}" || return
    if [ -d "$2" ] && ! [ -h "$2" ]; then sb_moved "$1" "$2"; fi
    sb_reply done
}

# ONE OTHER: fails, since no utility that every host has can exchange two names.
sb_exchange() {
    sb_reach "$1" && sb_reach "$2" || return
    for sb_e; do sb_exists "$sb_e" || sb_fail missing "$sb_e: No such file or directory" || return; done
    sb_fail - "$1 and $2: no utility here exchanges two names"
}

# DIRECTORY: puts the path from it back to the root into sb_z.
sb_back() {
    sb_z= sb_rest=${1#./}/
    case $1 in .) return 0 ;; esac
    while :; do
        case $sb_rest in */*) sb_z=../$sb_z sb_rest=${sb_rest#*/} ;; *) return 0 ;; esac
    done
}

# DIRECTORY: goes there, unless a symlink leads there. This stays that directory, whatever others put in its place.
sb_hold() {
    sb_a=$PWD/${1#./}
    case $1 in .) return 0 ;; esac
    cd -P -- "$1" 2>&1 || return
    case $PWD in
        "$sb_a") ;;
        *)
            echo "$1 is a link, which is not followed: Not a directory"
            return 1
            ;;
    esac
}
