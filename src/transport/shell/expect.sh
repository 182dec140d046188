# Steps that fail unless something holds. They change nothing.

# PATH: expects nothing there.
sb_absent() {
    sb_walk "$1"
    case $? in
        1) return 1 ;;
        2)
            sb_reply done
            return 0
            ;;
    esac
    if sb_exists "$1"; then sb_fail exists "$1: File exists"; else sb_reply done; fi
}

# PATH: expects no mount there or below.
#
# A list of mounts has blanks and backslashes in octal. For a path with one of those, and on a host without that list,
# this compares devices.
sb_unmounted() {
    sb_walk "$1"
    case $? in
        1) return 1 ;;
        2)
            sb_reply done
            return 0
            ;;
    esac
    sb_exists "$1" || {
        sb_reply done
        return 0
    }
    sb_o=$PWD sb_z= sb_m=
    case $1 in .) ;; *) sb_o=$PWD/${1#./} sb_z=$(stat -c %d "${1%/*}") ;; esac
    case $sb_o in *["\\ 	$sb_nl"]*) ;; *) sb_m=$(cat /proc/self/mountinfo 2>/dev/null) ;; esac
    case $sb_m in
        '')
            sb_m=$(find "$1" -type d -exec stat -c %d {} + 2>&1) || sb_fail - "$sb_m" || return
            for sb_e in $sb_m; do
                case $sb_z in
                    '' | "$sb_e") sb_z=$sb_e ;;
                    *)
                        sb_fail cross-device "$1: something is mounted there"
                        return 1
                        ;;
                esac
            done
            sb_reply done
            ;;
        *" $sb_o "* | *" $sb_o/"*) sb_fail cross-device "$1: something is mounted there, which is not ours" ;;
        *) sb_reply done ;;
    esac
}

# PATH: expects a directory.
sb_directory() {
    sb_reach "$1" || return
    if [ -h "$1" ]; then
        sb_fail wrong-type "$1 is a link"
    elif [ -d "$1" ]; then
        sb_reply done
    elif [ -e "$1" ]; then
        sb_fail wrong-type "$1: Not a directory"
    else
        sb_fail missing "$1: No such file or directory"
    fi
}

# DIRECTORY: expects that names can be made in it, without making one.
#
# Where `[ -w` only looks at the mode, rmdir(2) knows a read-only filesystem: the kernel wants the right to write before
# it looks up the name. What lies beside a writable directory is on the same filesystem, but not in the root, where
# others may have mounted something.
sb_writable() {
    sb_reach "$1" || return
    if [ -h "$1" ]; then
        sb_fail wrong-type "$1 is a link"
        return 1
    fi
    if ! [ -e "$1" ]; then
        sb_fail missing "$1: No such file or directory"
        return 1
    fi
    if ! [ -d "$1" ]; then
        sb_fail wrong-type "$1: Not a directory"
        return 1
    fi
    case ${1%/*} in
        "$sb_rw") ;;
        *)
            sb_m=$(rmdir -- "$1/.switchback-$sb_nonce" 2>&1)
            case $sb_m in
                *'Read-only file system'*)
                    sb_fail - "$1: Read-only file system"
                    return 1
                    ;;
            esac
            case $1 in ./*/*) sb_rw=${1%/*} ;; esac
            ;;
    esac
    if [ -w "$1" ] && [ -x "$1" ]; then sb_reply done; else sb_fail denied "$1: Permission denied"; fi
}

# LINK TEXT: expects a symlink with this text.
sb_is() {
    sb_walk "$1"
    case $? in
        1) return 1 ;;
        2)
            sb_fail mismatch "$1 is not there"
            return 1
            ;;
    esac
    if [ -h "$1" ]; then
        sb_link_text "$1" || sb_fail - "$sb_v" || return
        # shellcheck disable=SC2268 # A text may be an operator of `[`.
        if [ "x$sb_v" = "x$2" ]; then sb_reply done; else sb_fail mismatch "$1 leads to $sb_v"; fi
    elif [ -d "$1" ]; then
        sb_fail mismatch "$1 is a directory"
    elif [ -e "$1" ]; then
        sb_fail mismatch "$1 is no link"
    else
        sb_fail mismatch "$1 is not there"
    fi
}
