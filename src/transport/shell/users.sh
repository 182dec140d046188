# Steps about processes: who marked a file, and who uses a release.

# PATH: writes the mark of this shell to a new file.
sb_mark() {
    sb_own_mark
    sb_write "${sb_private-177}" '' "$1" "$sb_v$sb_nl"
}

# PATH: replies whether the process that marked it still runs.
sb_check() {
    sb_walk "$1"
    case $? in
        1) return 1 ;;
        2)
            sb_reply 'process unknown'
            return 0
            ;;
    esac
    sb_liveness "$1"
    sb_reply "process $sb_k"
}

# PATH: replies which entries of a directory are in use, and by which processes: as a working directory, as a root, as a
# program, mapped, open for writing, or mounted. `some` instead of `all` means that others may be in use too: only root
# sees all processes.
#
#   sb_o        the full path of the directory     sb_g, sb_h   its path on its filesystem, and the device of that
#   sb_path     the same as lists of mounts have it
#   sb_m sb_z   lines of links in /proc, of mapped files
#   sb_w sb_b   lines of open files, of mounts
#   sb_v        pairs of an entry and a process, with a / after each
#   sb_a        a process
#   sb_k        all or some
sb_users() {
    sb_walk "$1/."
    case $? in
        1) return 1 ;;
        2)
            sb_reply 'users all ='
            return 0
            ;;
    esac
    sb_o=$PWD sb_k=all sb_v= sb_m= sb_z= sb_w= sb_b=
    case $1 in .) ;; *) sb_o=$PWD/${1#./} ;; esac
    if [ -d "$1" ]; then
        sb_m=$(
            set +f
            ls -ld /proc/[0-9]*/cwd /proc/[0-9]*/root /proc/[0-9]*/exe 2>/dev/null
        )
        sb_z=$(
            set +f
            grep -F -e " $sb_o/" /dev/null /proc/[0-9]*/maps 2>/dev/null
        )
        # The mode of each link tells whether the file is open for writing.
        # shellcheck disable=SC2010 # This reads what ls says, and not only names.
        sb_w=$(
            set +f
            ls -l /proc/[0-9]*/fd 2>/dev/null | grep -F -e "-> $sb_o/" -e /fd:
        )
        sb_on_device
    fi
    # Without either, nothing was seen; a path with a line break cannot be found in lines.
    command -v grep >/dev/null 2>&1 || sb_k=some
    case $sb_m in '') sb_k=some ;; esac
    case $sb_o in *"$sb_nl"*) sb_k=some ;; esac
    [ -d /proc/1 ] || sb_k=some
    IFS=$sb_nl
    for sb_e in $sb_m; do
        case $sb_e in
            *" /proc/"*" -> $sb_o/"*)
                sb_a=${sb_e#*" /proc/"}
                sb_used
                ;;
            */cwd) sb_k=some ;;
        esac
    done
    for sb_e in $sb_z; do
        case $sb_e in
            /proc/*" $sb_o/"*)
                sb_a=${sb_e#/proc/}
                sb_used
                ;;
        esac
    done
    sb_a=
    for sb_e in $sb_w; do
        case $sb_e in
            /proc/*/fd:) sb_a=${sb_e#/proc/} ;;
            l?w*" -> $sb_o/"*)
                sb_e=" ${sb_e#*" -> "}"
                sb_used
                ;;
        esac
    done
    for sb_e in $sb_b; do
        sb_a=${sb_e#/proc/} sb_e=${sb_e#*:}
        sb_mounted
    done
    IFS=' 	
'
    sb_value "$sb_v"
    sb_reply "users $sb_k"
}

# Adds the entry that the path after `sb_o/` in the line sb_e begins with, and the process sb_a.
sb_used() {
    sb_e=${sb_e#*" $sb_o/"}
    sb_e=${sb_e%%/*}
    case $sb_v in *"/$sb_e/"* | "$sb_e/"*) ;; *) case $sb_e in ?*) sb_v=$sb_v$sb_e/${sb_a%%/*}/ ;; esac ;; esac
}

# Puts into sb_b the mounts of any process that are of the directory or below it; into sb_g and sb_h, where the
# directory is on its filesystem.
#
# bash takes an empty "${x%/}" in a pattern for nothing at all, so it gets a variable, sb_d.
sb_on_device() {
    sb_escape "$sb_o"
    sb_path=$sb_e sb_h= sb_g= sb_q=
    case $sb_o in
        *["\\	$sb_nl"]*)
            sb_k=some
            return 0
            ;;
    esac
    while read -r sb_f sb_f sb_a sb_l sb_p sb_f; do
        sb_d=${sb_p%/}
        case $sb_path/ in
            "$sb_d"/*)
                if [ "${#sb_p}" -ge "${#sb_q}" ]; then sb_q=$sb_p sb_h=$sb_a sb_g=${sb_l%/}${sb_path#"$sb_d"}; fi
                ;;
        esac
    done 2>/dev/null </proc/self/mountinfo
    case $sb_h in
        '')
            sb_k=some
            return 0
            ;;
    esac
    sb_b=$(
        set +f
        grep -F -e " $sb_g/" -e " $sb_path/" /dev/null /proc/[0-9]*/mountinfo 2>/dev/null
    )
}

# TEXT: puts it into sb_e with blanks as lists of mounts have them.
sb_escape() {
    sb_e= sb_f=$1
    while :; do
        case $sb_f in
            *' '*) sb_e=$sb_e${sb_f%%' '*}'\040' sb_f=${sb_f#*' '} ;;
            *)
                sb_e=$sb_e$sb_f
                return 0
                ;;
        esac
    done
}

# Adds the entry of the mount sb_e: where a part of the directory is mounted, or what is mounted in it.
sb_mounted() {
    sb_e=${sb_e#* }
    sb_e=${sb_e#* }
    sb_d=${sb_e%%' '*} sb_e=${sb_e#* }
    sb_l=${sb_e%%' '*} sb_e=${sb_e#* }
    sb_p=${sb_e%%' '*}
    case $sb_d:$sb_l in
        "$sb_h:$sb_g"/*)
            sb_e=" $sb_o${sb_l#"$sb_g"}"
            sb_used
            ;;
    esac
    case $sb_p in
        "$sb_path"/*)
            sb_e=" $sb_o${sb_p#"$sb_path"}"
            sb_used
            ;;
    esac
}
