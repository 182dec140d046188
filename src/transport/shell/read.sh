# Steps that read. Each replies with one line, and fails only where a step fails; what is absent is a reply.
#
#   sb_m   what stat printed        sb_b   contents in hex
#   sb_v   names, with a / after each
#   sb_a   kinds of files, with commas between
#   sb_z   contents of files in hex, or in a chain what stat printed
#   sb_d   a directory
#   sb_l   a limit in bytes, or where the end of a file begins
#   sb_f   the name of a file
#   sb_y   y once files could not be read all at once, so that each is tried by itself

# Replies who we are on which host: user id, root, clock, type of filesystem, boot, and the names of user and host.
sb_identify() {
    sb_m=$(stat -c '%d %i' . 2>&1) || sb_fail - "$sb_m" || return
    sb_v=$(date +%s.%N 2>&1) || sb_fail - "$sb_v" || return
    sb_k=$(stat -f -c %t . 2>/dev/null)
    case $sb_k in '' | *[!0-9a-f]*) sb_k=- ;; esac
    sb_a=$(id 2>&1) || sb_fail - "$sb_a" || return
    sb_a=${sb_a#uid=}
    sb_u=${sb_a%%[!0-9]*}
    case $sb_a in
        "$sb_u("*)
            sb_a=${sb_a#*\(}
            sb_a=${sb_a%%\)*}
            ;;
        *) sb_a=$sb_u ;;
    esac
    sb_value "$sb_a"
    { IFS= read -r sb_a </proc/sys/kernel/hostname; } 2>/dev/null || sb_a=$(uname -n)
    sb_value "$sb_a"
    sb_boot_id || sb_a=-
    case $sb_a in '' | *[!0-9A-Za-z-]*) sb_a=- ;; esac
    sb_reply "identity $sb_u $sb_m $sb_v $sb_k $sb_a"
}

sb_clock() {
    sb_m=$(date +%s.%N 2>&1) || sb_fail - "$sb_m" || return
    sb_reply "clock $sb_m"
}

# PATH: replies its type, mode, owner and so on, without following a symlink.
sb_inspect() {
    sb_walk "$1"
    case $? in
        1) return 1 ;;
        2)
            sb_reply 'entry -'
            return 0
            ;;
    esac
    sb_exists "$1" || {
        sb_reply 'entry -'
        return 0
    }
    case $sb_how in
        r)
            sb_want - "$1"
            sb_reply 'entry @'
            return 0
            ;;
    esac
    sb_m=$(stat -c "$sb_s" -- "$1" 2>&1) || sb_fail - "$sb_m" || return
    sb_reply "entry $sb_m"
}

# LINK: replies the same of what it leads to.
sb_resolve() {
    case $sb_how in
        r) if [ -d "$1" ]; then
            sb_want - "$1/."
            sb_reply 'entry @'
            return 0
        fi ;;
    esac
    if sb_m=$(stat -L -c "$sb_s" -- "$1" 2>&1); then
        sb_reply "entry $sb_m"
        return 0
    fi
    case $sb_m in
        *'No such file'* | *'Not a directory'* | *'Too many levels'* | *'link loop'*) sb_reply 'entry -' ;;
        *) sb_fail - "$sb_m" ;;
    esac
}

# LINK: puts its text into sb_v, line breaks at its end included, or what readlink said. Steps that only read and ask
# for the same symlink twice read it once.
sb_link_text() {
    case $sb_how$1 in
        r"$sb_lp")
            sb_v=$sb_lv
            return 0
            ;;
    esac
    sb_v=$(readlink -- "$1" 2>&1 && echo x) || return
    sb_v=${sb_v%x}
    sb_v=${sb_v%"$sb_nl"}
    sb_lp=$1 sb_lv=$sb_v
}

# LINK: replies its text.
sb_readlink() {
    sb_walk "$1"
    case $? in
        1) return 1 ;;
        2)
            sb_reply 'link -'
            return 0
            ;;
    esac
    sb_exists "$1" || {
        sb_reply 'link -'
        return 0
    }
    [ -h "$1" ] || sb_fail wrong-type "$1 is no link" || return
    sb_link_text "$1" || sb_fail - "$sb_v" || return
    sb_value "$sb_v"
    sb_reply link
}

# BYTES PATH: replies so many bytes of a file. One byte only shows whether it can be read, and is read alone.
sb_read() {
    sb_walk "$2"
    case $? in
        1) return 1 ;;
        2)
            sb_reply 'file -'
            return 0
            ;;
    esac
    sb_readable "$2" || {
        sb_reply "file $sb_k"
        return 0
    }
    case $sb_how$1 in
        r1) ;;
        r*)
            sb_want $(($1 - 1)) "$2"
            sb_reply 'file @'
            return 0
            ;;
    esac
    sb_b=$(od -An -v -tx1 -N "$1" -- "$2" 2>&1) || {
        sb_not_killed $? "$sb_b"
        sb_reply 'file failed'
        return 0
    }
    sb_hex
    sb_reply 'file ok'
}

# BYTES PATH: replies the last bytes of a file.
sb_tail() {
    sb_walk "$2"
    case $? in
        1) return 1 ;;
        2)
            sb_reply 'file -'
            return 0
            ;;
    esac
    sb_readable "$2" || {
        sb_reply "file $sb_k"
        return 0
    }
    sb_m=$(stat -c %s -- "$2" 2>&1) || sb_fail - "$sb_m" || return
    sb_l=0
    if [ "$sb_m" -gt "$1" ]; then sb_l=$((sb_m - $1)); fi
    sb_b=$(od -An -v -tx1 -j "$sb_l" -N "$1" -- "$2" 2>&1) || {
        sb_not_killed $? "$sb_b"
        sb_reply 'file failed'
        return 0
    }
    sb_hex
    sb_reply 'file ok'
}

# DIRECTORY: replies its entries, and what stat says of each.
sb_list() {
    sb_walk "$1/."
    case $? in
        1) return 1 ;;
        2)
            sb_reply 'list -'
            return 0
            ;;
    esac
    [ -r "$1" ] || sb_fail denied "$1: Permission denied" || return
    sb_d=$1
    sb_glob sb_listed
}

# ENTRY...: replies them. An entry may vanish meanwhile: then each is inspected by itself.
sb_listed() {
    sb_m= sb_v=
    case $sb_how in
        r)
            sb_want - "$@"
            for sb_e; do sb_v=$sb_v${sb_e##*/}/; done
            sb_value "$sb_v"
            sb_reply 'list @'
            return 0
            ;;
    esac
    case $# in
        0) ;;
        *)
            if sb_m=$(stat -c "$sb_s" -- "$@" 2>/dev/null); then
                for sb_e; do sb_v=$sb_v${sb_e##*/}/; done
            else
                sb_m=
                for sb_e; do
                    sb_a=$(stat -c "$sb_s" -- "$sb_e" 2>/dev/null) || continue
                    sb_m=$sb_m${sb_m:+$sb_nl}$sb_a sb_v=$sb_v${sb_e##*/}/
                done
            fi
            ;;
    esac
    sb_value "$sb_v"
    sb_lines "$sb_m"
    sb_reply list
}

# LIMIT FILE DIRECTORY: replies the file of this name in each directory of DIRECTORY.
sb_each() {
    sb_l=$1 sb_f=$2 sb_d=$3 sb_y=
    sb_walk "$3/."
    case $? in
        1) return 1 ;;
        2)
            sb_reply 'each = = #l0 #x0'
            return 0
            ;;
    esac
    [ -r "$3" ] || sb_fail denied "$3: Permission denied" || return
    sb_glob sb_eached
}

# ENTRY...: replies the file in each that is a directory. If one fails to be read, starts over with each by itself.
sb_eached() {
    sb_v= sb_k= sb_a= sb_m= sb_z=
    for sb_e; do
        shift
        if [ -h "$sb_e" ] || ! [ -d "$sb_e" ]; then continue; fi
        if ! [ -x "$sb_e" ]; then
            sb_k=denied
        elif sb_readable "$sb_e/$sb_f"; then
            if [ -z "$sb_y" ] || od -An -v -tx1 -N "$sb_l" -- "$sb_e/$sb_f" >/dev/null 2>&1; then
                sb_k=file
                set -- "$@" "$sb_e/$sb_f"
            else
                sb_k=failed
            fi
        fi
        case $sb_k in -) continue ;; esac
        sb_v=$sb_v${sb_e##*/}/ sb_a=$sb_a${sb_a:+,}$sb_k
    done
    case $sb_how in
        r)
            sb_want "$sb_l" "$@"
            sb_value "$sb_v"
            sb_value "$sb_a"
            sb_reply 'each @'
            return 0
            ;;
    esac
    case $# in
        0) ;;
        *)
            sb_m=$(stat -c %s-%u -- "$@" 2>&1) || sb_fail - "$sb_m" || return
            for sb_e in $sb_m; do
                sb_e=${sb_e%-*}
                if sb_within; then set -- "$@" "$1"; fi
                shift
            done
            ;;
    esac
    case $# in
        0) ;;
        *) sb_z=$(od -An -v -tx1 -- "$@" 2>&1) || {
            sb_not_killed $? "$sb_z"
            case $sb_y in
                y)
                    sb_fail - "$sb_z"
                    return 1
                    ;;
            esac
            sb_y=y
            sb_glob sb_eached
            return
        } ;;
    esac
    sb_value "$sb_v"
    sb_value "$sb_a"
    sb_lines "$sb_m"
    sb_b=$sb_z
    sb_hex
    sb_reply each
}

# KIND FROM TREES LISTS MOST RECORD LIMIT [LIMIT FILE]...: replies a tree of TREES, the one that its file RECORD names,
# and so on, at most MOST of them; of each also the files in LISTS.
#
#   sb_p   the name of a tree          sb_o sb_g   TREES and LISTS
#   sb_c   contents in hex             sb_q        the directory of a tree in LISTS
sb_chain() {
    sb_tree_name "$1" "$2"
    sb_walk "$3/."
    case $? in
        1) return 1 ;;
        2)
            sb_reply 'chain = = #l0 #x0'
            return 0
            ;;
    esac
    sb_walk "$4" || { [ $? -eq 2 ] || return 1; }
    sb_o=$3 sb_g=$4 sb_m=$5 sb_v= sb_a= sb_z= sb_c=
    shift 5
    while [ "$sb_m" -gt 0 ]; do
        case $sb_p in '' | [.-]* | *[!A-Za-z0-9._+-]*) break ;; esac
        case /$sb_v in *"/$sb_p/"*) break ;; esac
        sb_m=$((sb_m - 1)) sb_v=$sb_v$sb_p/
        sb_chained "$@" || return
    done
    sb_value "$sb_v"
    sb_value "$sb_a"
    case $sb_how in
        r)
            sb_reply 'chain @'
            return 0
            ;;
    esac
    sb_lines "$sb_z"
    sb_b=$sb_c
    sb_hex
    sb_reply chain
}

# RECORD LIMIT [LIMIT FILE]...: adds the tree sb_p, and puts the name that its record holds into sb_p.
sb_chained() {
    sb_d=$sb_o/$sb_p sb_q=$sb_g/$sb_p sb_p= sb_k=-
    sb_a=$sb_a${sb_a:+,}
    if sb_exists "$sb_d"; then
        sb_k=y
        case $sb_how in
            r) sb_want - "$sb_d" ;;
            *)
                sb_e=$(stat -c "$sb_s" -- "$sb_d" 2>&1) || sb_fail - "$sb_e" || return
                sb_z=$sb_z${sb_z:+$sb_nl}$sb_e
                ;;
        esac
    fi
    sb_a=$sb_a$sb_k
    if [ -d "$sb_d" ] && ! [ -h "$sb_d" ]; then
        sb_fetch "$2" "$sb_d" "$1"
        case $sb_k in
            file)
                { IFS= read -r sb_p || :; } 2>/dev/null <"$sb_d/$1"
                sb_p=${sb_p##*/}
                ;;
        esac
    else
        sb_a=$sb_a,-
    fi
    shift 2
    while [ $# -gt 1 ]; do
        sb_fetch "$1" "$sb_q" "$2"
        shift 2
    done
}

# LIMIT DIRECTORY FILE: adds the file, or why it cannot be read, and puts its kind into sb_k.
sb_fetch() {
    sb_k=-
    if [ -h "$sb_g" ] || [ -h "$2" ] || { [ -e "$2" ] && ! [ -d "$2" ]; }; then
        sb_k=failed
    elif { [ -d "$sb_g" ] && ! [ -x "$sb_g" ]; } || { [ -d "$2" ] && ! [ -x "$2" ]; }; then
        sb_k=denied
    elif sb_readable "$2/$3"; then
        sb_k=file
        case $sb_how in r) sb_want "$1" "$2/$3" ;; *) sb_fetched "$1" "$2/$3" ;; esac
    fi
    sb_a=$sb_a,$sb_k
}

# LIMIT FILE: adds what stat says of the file, and its content if that is within the limit.
sb_fetched() {
    sb_l=$1 sb_b=
    if sb_f=$(stat -c "$sb_s" -- "$2" 2>/dev/null); then
        sb_e=${sb_f% *}
        sb_e=${sb_e##* }
        if ! sb_within || sb_b=$(od -An -v -tx1 -- "$2" 2>/dev/null); then
            sb_z=$sb_z${sb_z:+$sb_nl}$sb_f sb_c=$sb_c${sb_b:+${sb_c:+$sb_nl}$sb_b}
            return 0
        fi
    fi
    sb_k=failed
}

# KIND FROM: puts the name of a tree into sb_p: FROM itself (given), or what a file (record) or a symlink (link) says.
sb_tree_name() {
    sb_p=
    case $1 in
        given) sb_p=$2 ;;
        record) { [ -f "$2" ] && { IFS= read -r sb_p || :; } <"$2"; } 2>/dev/null ;;
        link) if [ -h "$2" ] && sb_link_text "$2"; then sb_p=${sb_v%%"$sb_nl"*}; fi ;;
    esac
    case $1 in given) ;; *) sb_p=${sb_p##*/} ;; esac
}
