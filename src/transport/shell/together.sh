# Steps that run together: they share one stat and one od, or one rm, since starting programs takes most of a host's
# time. together.rs gives each step its part of the output.
#
#   sb_n        how many paths are wanted
#   sb_p1 ...   the paths
#   sb_w        the paths as words for eval: "$sb_p1" "$sb_p2"
#   sb_wl       their limits
#   sb_z        how many bytes are read
#   sb_kept     the reply before these steps
#   sb_c        a function to call
#   sb_l sb_e   a limit and a size
#   sb_ifs      IFS, while it is a line break

# r|d FUNCTION: runs the steps in FUNCTION, which only read (r) or only remove (d). Each notes what it wants, and that
# is done at the end. If anything fails, each step runs again by itself.
sb_together() {
    sb_kept=$sb_r sb_how=$1 sb_n=0 sb_w= sb_wl= sb_lp=
    if $2 && "sb_all_$1"; then
        sb_how=
        return 0
    fi
    sb_how= sb_r=$sb_kept sb_t= sb_x=
    $2
}

# LIMIT PATH...: notes paths to inspect, and to read up to LIMIT bytes of; - reads nothing.
sb_want() {
    sb_l=$1
    shift
    for sb_e; do
        sb_n=$((sb_n + 1))
        eval "sb_p$sb_n=\$sb_e"
        sb_w="$sb_w \"\$sb_p$sb_n\"" sb_wl="$sb_wl $sb_l"
    done
}

# Inspects what was wanted, reads what is within its limit, and replies both.
sb_all_r() {
    sb_m= sb_b=
    case $sb_n in
        0) ;;
        *)
            eval "set -- $sb_w"
            sb_m=$(stat -c "$sb_s" -- "$@" 2>/dev/null) || return
            sb_by_line "$sb_m" sb_sized || return
            ;;
    esac
    case $sb_w in
        ?*)
            eval "set -- $sb_w"
            sb_b=$(od -An -v -tx1 -- "$@" 2>/dev/null) && sb_is_whole || return
            ;;
    esac
    sb_lines "$sb_m"
    sb_hex
    sb_reply together
}

# Succeeds if as much was read as stat said: a file may have been replaced in between. Most od print 16 bytes a line, in
# which case no byte has to be counted.
sb_is_whole() {
    [ "$sb_z" -eq 0 ] || [ ${#sb_b} -eq $((sb_z * 3 + (sb_z - 1) / 16)) ] && return
    # shellcheck disable=SC2086 # Each byte is a word.
    set -- $sb_b
    [ $# -eq "$sb_z" ]
}

# TEXT FUNCTION ARGUMENT...: calls the function with each line of the text, and then the arguments.
sb_by_line() {
    sb_e=$1 sb_c=$2 sb_ifs=$IFS
    shift 2
    IFS=$sb_nl
    # shellcheck disable=SC2086 # Each line is a word.
    set -- $sb_e "$@"
    IFS=$sb_ifs
    $sb_c "$@"
}

# LINE...: of what was wanted, keeps what is to be read and within its limit. Each line is what stat printed.
sb_sized() {
    [ $# -eq "$sb_n" ] || return
    sb_w= sb_n=0 sb_z=0
    for sb_l in $sb_wl; do
        sb_n=$((sb_n + 1)) sb_e=${1% *}
        sb_e=${sb_e##* }
        case $sb_l in -) ;; *) if sb_within; then sb_w="$sb_w \"\$sb_p$sb_n\"" sb_z=$((sb_z + sb_e)); fi ;; esac
        shift
    done
}

# Succeeds if the size sb_e is within the limit sb_l. Sizes may have more digits than a shell can count.
sb_within() { [ ${#sb_e} -lt ${#sb_l} ] || { [ ${#sb_e} -eq ${#sb_l} ] && [ "$sb_e" -le "$sb_l" ]; }; }

# Removes what was wanted.
sb_all_d() {
    eval "set -- $sb_w"
    case $# in 0) return 0 ;; esac
    sb_m=$(rm -rf -- "$@" 2>&1) || {
        sb_not_killed $? "$sb_m"
        return 1
    }
}
