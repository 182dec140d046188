# Steps that read a whole tree: surveys, and snapshots that show later what has changed.
#
# A snapshot has a line for each entry: type and mode, owner, size, inode, a change time in full, and the path. Its last
# line is -0, since a snapshot that is cut off shows nothing.
#
#   sb_z             paths that are no directories any more, with line breaks around each
#   sb_v             lines that differ, or errors
#   sb_l             the lines of the snapshot that do not hold any more
#   sb_q             a path
#   sb_entries ...   commands for eval that describe entries, link texts and digests (of a survey; sb_as_*: of changes)
#   sb_snap          a sed command that takes the path out of a line of a snapshot

# DIGESTS DIRECTORY: replies its whole content: what stat says of each entry, the texts of the links, and if DIGESTS is
# y, the digests of the files. Each of the three parts ends with the status of its find.
#
# All paths begin with .//. and no name can hold that: a line that begins like an entry is one. One level more than a
# release may have shows that an application nests its directories without end.
sb_survey() {
    sb_walk "$2/."
    case $? in
        1) return 1 ;;
        2)
            sb_reply 'survey -'
            return 0
            ;;
    esac
    { [ -r "$2" ] && [ -x "$2" ]; } || sb_fail denied "$2: Permission denied" || return
    for sb_e in "$sb_entries" "$sb_links" "${1#n}"; do
        case $sb_e in y) sb_e=$sb_sums ;; esac
        sb_b=$({
            cd -P -- "$2" && eval "$sb_e" 2>/dev/null
            echo "$?"
        } | od -An -v -tx1)
        sb_hex
    done
    sb_reply survey
}
sb_entries="find .//. -maxdepth 258 ! -name . -exec stat -c '%f %u %s %n' {} +"
sb_links="QUOTING_STYLE=literal find .//. -maxdepth 258 -type l -exec stat -c %N {} +"
sb_sums="find .//. -maxdepth 257 -type f -exec sha256sum -- {} +"

# FUNCTION TEXT: calls the function for each line of the text, in sb_e.
sb_each_line() {
    IFS=$sb_nl
    for sb_e in $2; do $1; done
    IFS=' 	
'
}

# TEXT: prints its lines; nothing if it is empty.
sb_say_lines() {
    case $1 in ?*) sb_say "$1" ;; esac
}

# TREE LIST INTO: writes a snapshot of the entries that LIST names and that exist.
sb_snapshot() {
    sb_walk "$1/."
    case $? in
        1) return 1 ;;
        2)
            sb_fail missing "$1: No such file or directory"
            return 1
            ;;
    esac
    sb_snapped "$2"
    case $? in
        1) return 1 ;;
        2)
            sb_fail missing "$2: No such file or directory"
            return 1
            ;;
    esac
    sb_reach "$3" || return
    if sb_exists "$3"; then
        sb_fail exists "$3: File exists"
        return 1
    fi
    sb_z=$sb_nl
    umask "${sb_private-177}"
    sb_m=$({
        set -C
        {
            sb_paths 's|^[dfl] [0-9 ]*\./|.//./|p' <"$2" | sort -u | sb_stat "$1" 2>/dev/null
            echo -0
        } >"$3"
    } 2>&1) && {
        umask 022
        sb_reply done
        return 0
    }
    umask 022
    sb_fail - "${sb_m:-$3 cannot be written}"
    rm -f -- "$3"
    return 1
}

# FILE: succeeds if it can be read. Status 2: it is absent; 1: it is something else, and the reply says so.
sb_snapped() {
    sb_walk "$1" || return
    sb_readable "$1" && return
    case $sb_k in
        -) return 2 ;;
        denied) sb_fail denied "$1: Permission denied" ;;
        *) sb_fail wrong-type "$1 is no regular file" ;;
    esac
    return 1
}

# EXPRESSION: prints the paths that this sed command makes of lines, without those that lead out of the tree, or through
# what is no directory any more (sb_z).
# shellcheck disable=SC2030 # Nobody reads sb_e after this loop.
sb_paths() {
    sed -n -e '\|/\.\./|d' -e '\|/\.\.$|d' -e '\|/$|d' -e "$1" | case $sb_z in
        "$sb_nl") cat ;;
        *) while IFS= read -r sb_e; do sb_beyond || sb_say "$sb_e"; done ;;
    esac
}

# Succeeds if the path sb_e leads through one of sb_z.
# shellcheck disable=SC2031 # The loop that calls this set sb_e.
sb_beyond() {
    sb_q=${sb_e#.//./}
    while :; do
        case $sb_q in */*) sb_q=${sb_q%/*} ;; *) return 1 ;; esac
        case $sb_z in *"$sb_nl$sb_q$sb_nl"*) return 0 ;; esac
    done
}

# TREE: prints a line of a snapshot for each path in the input.
sb_stat() { sb_end_with_zeros | (cd -P -- "$1" && xargs -0 stat -c '%f %u %s %i %z %n' --); }

# Ends each line of the input with a zero byte instead, where there is a tr or not.
sb_end_with_zeros() {
    if command -v tr >/dev/null 2>&1; then
        tr '\n' '\0'
    else
        while IFS= read -r sb_e; do printf '%s\0' "$sb_e"; done
    fi
}

# TREE SNAPSHOT: replies the entries that are not as the snapshot has them: what stat says now, link texts, digests.
sb_changes() {
    sb_walk "$1/."
    case $? in
        1) return 1 ;;
        2)
            sb_reply 'changes -'
            return 0
            ;;
    esac
    sb_snapped "$2"
    case $? in
        1) return 1 ;;
        2)
            sb_reply 'changes -'
            return 0
            ;;
    esac
    case $(sed -n '$p' <"$2") in
        -0) ;;
        *)
            sb_fail mismatch "$2 is torn"
            return 1
            ;;
    esac
    # What lay below a directory that was replaced is gone, whatever a symlink in its place leads to.
    sb_d=$1 sb_z=$sb_nl
    sb_each_line sb_replaced "$(sed -n 's|^4[0-9a-f]* [0-9].* \.//\./||p' <"$2")"
    # The errors, and the lines that are only in the snapshot or only in the tree.
    # shellcheck disable=SC2094 # All of them only read.
    sb_v=$({ sb_paths "$sb_snap" <"$2" | sb_stat "$1" 2>&3 | sort - "$2" | uniq -u; } 3>&1)
    sb_k=
    sb_each_line sb_unseen "$sb_v"
    case $sb_nl$sb_v$sb_nl in *"$sb_nl-0$sb_nl"*) ;; *) sb_k=${sb_k:-$1 cannot be compared} ;; esac
    case $sb_k in
        ?*)
            sb_fail - "$sb_k"
            return 1
            ;;
    esac
    case $sb_v in
        -0)
            sb_reply 'changes ok'
            return 0
            ;;
    esac
    sb_l=$(sb_say_lines "$sb_v" | sort - "$2" | uniq -d)
    sb_b=$(sb_say_lines "$sb_l" | od -An -v -tx1)
    sb_hex
    for sb_e in "$sb_as_entries" "$sb_as_links" "$sb_as_sums"; do
        sb_b=$({
            sb_say_lines "$sb_l" | sb_paths "$sb_snap" | sb_end_with_zeros | (cd -P -- "$1" && eval "$sb_e") 2>/dev/null
            echo 0
        } | od -An -v -tx1)
        sb_hex
    done
    sb_reply changes
}
sb_snap='s|^[0-9a-f]* [0-9].* \.//\./|.//./|p'
sb_as_entries="xargs -0 stat -c '%f %u %s %n' --"
sb_as_links="xargs -0 sh -c 'QUOTING_STYLE=literal find \"\$@\" -maxdepth 0 -type l -exec stat -c %N {} +' sh"
sb_as_sums="xargs -0 sh -c 'find \"\$@\" -maxdepth 0 -type f -exec sha256sum -- {} +' sh"

# Adds the path sb_e to sb_z if it is no directory any more.
sb_replaced() {
    if [ -h "$sb_d/$sb_e" ] || { [ -e "$sb_d/$sb_e" ] && ! [ -d "$sb_d/$sb_e" ]; }; then sb_z=$sb_z$sb_e$sb_nl; fi
}

# Puts the line sb_e into sb_k if it is an error that does not mean absent.
sb_unseen() {
    case $sb_e in
        -0 | [0-9a-f][0-9a-f][0-9a-f][0-9a-f]' '* | *': No such file or directory' | *': Not a directory') ;;
        *) sb_k=$sb_e ;;
    esac
}
