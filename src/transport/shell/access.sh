# Steps about who may do what: owners of directories, and groups.
#
#   sb_a   a path, or the owners that were seen already
#   sb_v   n and y for each path, or user ids
#   sb_z   the id of the group     sb_q   its name
#   sb_o   1 if we are in it
#   sb_k   pairs of a user id and a name
#   sb_u   the owner as words for find

# PATH...: replies what stat says of each directory from / down to the root, and of each PATH that is a directory. What
# lies below another thing is no directory.
sb_way() {
    sb_a=$PWD sb_v= sb_b=/
    for sb_e; do
        shift
        case $sb_e in
            "$sb_b"/*)
                sb_v=${sb_v}n
                continue
                ;;
        esac
        if [ -d "$sb_e" ] && ! [ -h "$sb_e" ]; then
            set -- "$@" "$sb_e"
            sb_v=${sb_v}y
        else
            sb_v=${sb_v}n sb_b=$sb_e
        fi
    done
    sb_up "$@" || return
    sb_value "$sb_a"
    sb_value "$sb_v"
    sb_lines "$sb_m"
    sb_reply way
}

# DIRECTORY...: puts into sb_m what stat says of those above the root, and of these.
#
# The way up ends with the highest, so the list is built from its end.
sb_up() {
    while :; do
        set -- "$sb_a" "$@"
        case $sb_a in /) break ;; esac
        sb_a=${sb_a%/*}
        sb_a=${sb_a:-/}
    done
    sb_a=$PWD
    sb_m=$(stat -c "$sb_s" -- "$@" 2>&1) || sb_fail - "$sb_m" || return
}

# NAME BELOW PATH...: replies the id of a group, whether we are in it, which owners of these directories and of the
# entries of BELOW are in it, and the owner, group and mode of each directory. Asks directory services where there is
# getent.
sb_group() {
    sb_q=$1 sb_d=$2
    shift 2
    sb_z=$({ getent group "$sb_q" || cat /etc/group; } 2>/dev/null | while IFS=: read -r sb_a sb_b sb_e sb_v; do
        case $sb_a in
            "$sb_q")
                sb_say "$sb_e"
                break
                ;;
        esac
    done)
    case $sb_z in
        '' | *[!0-9]*)
            sb_reply 'group -'
            return 0
            ;;
    esac
    sb_o=0 sb_m= sb_k=
    case " $(id -u) $(id -G) " in ' 0 '* | *" $sb_z "*) sb_o=1 ;; esac
    for sb_e; do
        sb_a=
        if [ -d "$sb_e" ] && ! [ -h "$sb_e" ]; then sb_a=$(stat -c '%u,%g,%f %u:%U' -- "$sb_e" 2>/dev/null); fi
        case $sb_a in ?*) sb_k="$sb_k ${sb_a#* }" sb_a=${sb_a%% *} ;; *) sb_a=- ;; esac
        sb_m=$sb_m$sb_a/
    done
    if [ -d "$sb_d" ] && ! [ -h "$sb_d" ]; then
        sb_k="$sb_k $(
            set +f
            stat -c %u:%U -- "$sb_d"/* 2>/dev/null
        )"
    fi
    sb_v= sb_a=/
    for sb_e in $sb_k; do
        case $sb_a in *"/${sb_e%%:*}/"*) continue ;; esac
        sb_a=$sb_a${sb_e%%:*}/
        case " $(id -G "${sb_e#*:}" 2>/dev/null) " in *" $sb_z "*) sb_v=$sb_v${sb_e%%:*}/ ;; esac
    done
    sb_value "$sb_v"
    sb_value "$sb_m"
    sb_reply "group $sb_z $sb_o"
}

# REACH GROUP PATH: gives a directory to a group: itself (i), with the directories below (d), with the files too (a).
# Changes only what belongs to us.
sb_give() {
    sb_reach "$3/." || return
    sb_o=
    case $1 in
        d) ;;
        *)
            case $(stat -c '%G %a' -- "$3") in
                "$2 "*) ;;
                *[2367][0145])
                    sb_fail denied "$3: another group may write to it"
                    return 1
                    ;;
            esac
            ;;
    esac
    case $1 in
        i) sb_m=$(sb_given "$2" "$3" 2>&1) ;;
        *)
            sb_u=$(id -u)
            case $sb_u in 0) sb_u= ;; *) sb_u="-user $sb_u" ;; esac
            # shellcheck disable=SC2086 # The condition is two words, or none.
            sb_m=$(find "$3" $sb_u -type d '(' ! -group "$2" -o ! -perm -2070 ')' \
                -exec chgrp "$2" {} + -exec chmod g+rwxs {} + 2>&1 &&
                case $1 in
                    a)
                        find "$3" $sb_u -type f '(' ! -group "$2" -o ! -perm -060 ')' -exec chgrp "$2" {} + \
                            -exec chmod g+rw {} + 2>&1
                        ;;
                esac)
            ;;
    esac || sb_fail - "$sb_m" || return
    sb_reply done
}

# GROUP PATH: gives it unless it is the group's already.
sb_given() {
    case $(stat -c '%G %a' -- "$2") in "$1 "[23]?7?) return 0 ;; esac
    chgrp "$1" "$2" && chmod g+rwxs "$2"
}
