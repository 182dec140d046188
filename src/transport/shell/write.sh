# Steps that make directories, symlinks and files.
#
#   sb_a   a umask
#   sb_o   a mode
#   sb_f   the path of a file
#   sb_begun   y once writing has begun

# MODE FINE PATH: makes a directory. With FINE y, one that exists is fine.
sb_mkdir() {
    sb_reach "$3" || return
    if [ "$2" = y ] && [ -d "$3" ] && ! [ -h "$3" ]; then
        sb_reply done
        return 0
    fi
    if sb_exists "$3"; then
        sb_fail exists "$3: File exists"
        return 1
    fi
    sb_m=$(sb_mkdir_in "${3%/*}" "$1" "./${3##*/}" 2>&1) && {
        sb_made "$3"
        sb_reply done
        return 0
    }
    sb_not_killed $? "$sb_m"
    if [ "$2" = y ] && [ -d "$3" ] && ! [ -h "$3" ]; then sb_reply done; else sb_fail - "$3: ${sb_m##*: }"; fi
}

# PARENT MODE NAME: makes a directory in PARENT, and nowhere else if somebody replaces PARENT by a symlink meanwhile.
# Runs in a subshell.
sb_mkdir_in() {
    sb_hold "$1" && mkdir -m "$2" -- "$3" || return
    sb_setgid "$2" "$3" || sb_mkdir_again "$2" "$3"
}

# MODE DIRECTORY: sets the setgid bit if MODE or the directory above has it, since some mkdir -m clear it. Fails if it
# cannot be set: whoever is not in the group may not.
sb_setgid() {
    case $1 in [2367]???) ;; *) [ -g "${2%/*}" ] || return 0 ;; esac
    [ -g "$2" ] || {
        chmod g+s "$2" 2>/dev/null
        [ -g "$2" ]
    }
}

# MODE DIRECTORY: makes it anew, so that it inherits that bit, with a mode that no chmod sets.
# shellcheck disable=SC2015 # If the first mkdir fails, the second is tried.
sb_mkdir_again() {
    rmdir -- "$2" && (
        case $1 in 755) umask 022 ;; *) umask 077 ;; esac
        mkdir -- "$2"
    ) 2>/dev/null || mkdir -m "$1" -- "$2" 2>/dev/null
}

# MODE PATH...: makes directories, each in the one before it. None exists.
sb_mkdirs() {
    sb_o=$1
    shift
    sb_reach "$1" || return
    if sb_exists "$1"; then
        sb_fail exists "$1: File exists"
        return 1
    fi
    sb_m=$(mkdir -m "$sb_o" -- "$@" 2>&1) && {
        for sb_e; do
            sb_setgid "$sb_o" "$sb_e"
            sb_made "$sb_e"
            sb_reply done
            sb_i=$((sb_i + 1))
        done
        return 0
    }
    sb_not_killed $? "$sb_m"
    while [ $# -gt 1 ] && [ -d "$1" ]; do
        sb_reply done
        sb_i=$((sb_i + 1))
        shift
    done
    sb_fail - "$sb_m"
}

# TEXT PATH: makes a symlink.
sb_link() {
    sb_reach "$2" || return
    if sb_exists "$2"; then
        sb_fail exists "$2: File exists"
        return 1
    fi
    sb_m=$(ln -s -- "$1" "$2" 2>&1) || sb_fail - "$sb_m" || return
    sb_reply done
}

# PIECE...: prints them, and notes that this has begun: what fails before is the redirection.
sb_pieces() {
    sb_begun=y
    for sb_e; do sb_put "$sb_e" || return; done
}

# UMASK MODE PATH PIECE...: writes a new file. MODE is empty if the umask gives it.
#
# No shell tells why its own printf failed, so a failed write is tried again in a way that does.
sb_write() {
    sb_reach "$3" || return
    if sb_exists "$3"; then
        sb_fail exists "$3: File exists"
        return 1
    fi
    sb_a=$1 sb_o=$2 sb_f=$3 sb_begun=
    shift 3
    umask "$sb_a"
    set -C
    { sb_pieces "$@" >"$sb_f"; } 2>/dev/null
    sb_m=$?
    set +C
    case $sb_m in
        0) ;;
        *)
            case $sb_begun in
                '')
                    sb_m=$({
                        set -C
                        : | sb_pieces "$@" >"$sb_f"
                    } 2>&1)
                    ;;
                *)
                    sb_m=$(sb_pieces "$@" 2>/dev/null | cat 2>&1 >>"$sb_f")
                    rm -f -- "$sb_f"
                    ;;
            esac
            umask 022
            sb_fail - "${sb_m:-$sb_f cannot be written}"
            return 1
            ;;
    esac
    umask 022
    case $sb_o in
        ?*) sb_m=$(chmod "$sb_o" "$sb_f" 2>&1) || {
            sb_fail - "$sb_m"
            rm -f -- "$sb_f"
            return 1
        } ;;
    esac
    sb_reply done
}

# PATH PIECE...: appends to a file, or makes it.
sb_append() {
    sb_reach "$1" || return
    sb_f=$1
    shift
    if [ -h "$sb_f" ] || { [ -e "$sb_f" ] && ! [ -f "$sb_f" ]; }; then
        sb_fail wrong-type "$sb_f is no regular file"
        return 1
    fi
    umask "${sb_private-177}"
    if { sb_pieces "$@" >>"$sb_f"; } 2>/dev/null; then
        umask 022
        sb_reply done
        return 0
    fi
    sb_m=$({ : >>"$sb_f"; } 2>&1)
    umask 022
    sb_fail - "${sb_m:-$sb_f cannot be written}"
}
