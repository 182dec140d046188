# Steps that remove, and the one that syncs. What is absent already is removed.

# PATH: removes anything but a directory.
sb_rmfile() {
    sb_walk "$1"
    case $? in
        1) return 1 ;;
        2)
            sb_reply done
            return 0
            ;;
    esac
    if sb_exists "$1"; then
        if [ -d "$1" ] && ! [ -h "$1" ]; then
            sb_fail wrong-type "$1: Is a directory"
            return 1
        fi
        case $sb_how in
            d) sb_want - "$1" ;;
            *) sb_m=$(rm -f -- "$1" 2>&1) || sb_fail - "$sb_m" || return ;;
        esac
    fi
    sb_reply done
}

# PATH: removes an empty directory.
sb_rmdir() {
    sb_walk "$1"
    case $? in
        1) return 1 ;;
        2)
            sb_reply done
            return 0
            ;;
    esac
    if sb_exists "$1"; then
        if [ -h "$1" ] || ! [ -d "$1" ]; then
            sb_fail wrong-type "$1: Not a directory"
            return 1
        fi
        sb_m=$(rmdir -- "$1" 2>&1) || sb_fail - "$sb_m" || return
    fi
    sb_reply done
}

# PATH: removes all of it. Makes directories writable only if a first attempt failed.
sb_rmtree() {
    # The root itself is never removed, whatever the host's rm makes of it: toybox empties it.
    case $1 in
        . | ./ | ./.)
            sb_fail wrong-type "the root itself is never removed"
            return 1
            ;;
    esac
    sb_walk "$1"
    case $? in
        1) return 1 ;;
        2)
            sb_reply done
            return 0
            ;;
    esac
    case $sb_how in
        d)
            if sb_exists "$1"; then sb_want - "$1"; fi
            sb_reply done
            return 0
            ;;
    esac
    if sb_exists "$1" && ! sb_m=$(rm -rf -- "$1" 2>&1); then
        if [ -d "$1" ] && ! [ -h "$1" ]; then find "$1" -type d -exec chmod u+rwx {} ';' >/dev/null 2>&1; fi
        sb_m=$(rm -rf -- "$1" 2>&1) || sb_fail - "$sb_m" || return
    fi
    sb_reply done
}

# REACH PATH...: syncs these entries (e), or their whole filesystems (f). A sync that takes no paths ignores them and
# syncs everything, but may refuse -f.
sb_sync() {
    case $1${sb_fancy-} in
        f)
            case $(sync --help 2>&1) in *' -f,'* | *'[-df]'*) sb_fancy=y ;; *) sb_fancy=n ;; esac
            ;;
    esac
    sb_k=$1
    shift
    for sb_f; do
        sb_reach "$sb_f" || return
        if [ -h "$sb_f" ]; then
            sb_fail wrong-type "$sb_f is a link"
            return 1
        fi
        [ -e "$sb_f" ] || sb_fail missing "$sb_f: No such file or directory" || return
    done
    case $#$sb_k${sb_fancy-} in
        0*) ;;
        *e*) sb_m=$(sync -- "$@" 2>&1) ;;
        *fy) sb_m=$(sync -f -- "$@" 2>&1) ;;
        *) sb_m=$(sync 2>&1) ;;
    esac || sb_fail - "$sb_m" || return
    sb_reply done
}
