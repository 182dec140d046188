# The beginning of every channel: a clean environment, and the functions that build replies.
#
# A reply is collected, and printed at the end: nobody has to listen while the host changes. Each line of it begins with
# sb_frame and the number of the step, and then has words of ours and values. frame.rs reads it.
#
# Variables keep their meaning only between a function and those that it calls, except these:
#
#   sb_nonce    tells our lines from what else the host prints
#   sb_frame    the beginning of each line
#   sb_i        the number of the step, or `root`
#   sb_r        the reply so far
#   sb_t        the values of the line under construction
#   sb_x        the lines that follow it, for the values that do not fit into it
#   sb_lacks    programs that are missing; with any, nothing runs
#   sb_has      optional programs that are there
#   sb_how      r or d while steps run together (together.sh), else empty
#   sb_lp sb_lv the symlink that was read last, and its text; empty where steps do not run together (read.sh)
#   sb_same     directories on the filesystem of the root, with // after each (move.sh)
#   sb_rw       the parent of a directory that is known to be writable (expect.sh)
#   sb_private  the umask for new files of a root that a group shares; unset elsewhere
#   sb_copies   y if mv knows no --no-copy, n if it does (move.sh)
#   sb_fancy    y if sync knows -f, n if it does not (remove.sh)
#   sb_nl       a line break
#   sb_s        the format for stat of an entry
#
# By habit: sb_e is the element of a loop, sb_m what a program printed, sb_b the bytes of a value in hex, sb_k the kind
# of a file.

# Signals first: a switch must not die because nobody listens any more.
trap '' HUP PIPE
# Start-up files and exported functions may have replaced what we call.
unalias -a 2>/dev/null
unset -f command printf print read test cd true 2>/dev/null
unset -f mv rm mkdir rmdir ln stat od readlink sync chmod date id uname tar tail find cat ls grep sort uniq \
    tr sha256sum openssl sed cut cmp xargs zstd gzip gunzip 2>/dev/null
set +aeuCvx -f
LC_ALL=C
export LC_ALL
IFS=' 	
'
unset CDPATH ENV BASH_ENV GREP_OPTIONS TAR_OPTIONS GZIP GLOBIGNORE
# shellcheck disable=SC3044 # Only bash gets here.
case ${BASH_VERSION-} in ?*) shopt -u failglob nullglob dotglob nocaseglob nocasematch 2>/dev/null ;; esac
umask 022
case ${PATH-} in
    '')
        PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
        export PATH
        ;;
esac

# TEXT: prints it, with a line break (sb_say) or without (sb_put). mksh has no builtin printf, and a printf that is a
# process of its own takes at most 128 KiB.
sb_say() { printf '%s\n' "$1"; }
sb_put() { printf %s "$1"; }
case ${KSH_VERSION-} in
    ?*)
        case $(command -v print) in
            print)
                sb_say() { print -r -- "$1"; }
                sb_put() { print -rn -- "$1"; }
                ;;
        esac
        ;;
esac

sb_nl='
'
sb_r= sb_t= sb_x= sb_lacks= sb_has= sb_how= sb_same=//.// sb_rw=
# Type and mode, owner, device, inode, size, modification time.
sb_s='%f %u %d %i %s %Y'

# PROGRAM...: reports which are missing; with a + before its name, that one is there.
#
# Start-up files may have sent all output elsewhere. Then nobody would read a reply, and nothing may run.
sb_hello() {
    for sb_e; do
        if command -v "${sb_e#+}" >/dev/null 2>&1; then
            case $sb_e in +*) sb_has="$sb_has =$sb_e" ;; esac
        else
            case $sb_e in +*) ;; *) sb_lacks="$sb_lacks =$sb_e" ;; esac
        fi
    done
    if [ -c /dev/stdout ] || [ -f /dev/stdout ] || ! sb_say "SB1 $sb_nonce hello 1$sb_lacks$sb_has"; then
        echo 'standard output does not lead to the one who asks' >&2
        exit 1
    fi
}

# Prints the reply, and forgets the batch.
sb_end() {
    sb_say "$sb_r${sb_frame}end"
    sb_r=
    unset sb_private
    unset -f switchback_batch
}

# VALUE: adds it to the line. A tag of one character tells a value from a word of ours: = before a value of harmless
# bytes, ~ where each blank of it is a ~, # before a value whose bytes follow the line in hex. Only hex takes processes.
sb_value() {
    case $1 in
        *[!A-Za-z0-9._/:@%+=,\ \'-]*)
            sb_b=$(sb_put "$1" | od -An -v -tx1)
            sb_hex
            ;;
        *[\ \']*) sb_words "$1" ;;
        *) sb_t="$sb_t =$1" ;;
    esac
}

# VALUE: adds it with a ~ for each blank.
sb_words() {
    sb_b=$1 sb_q=
    while :; do
        case $sb_b in
            *' '*) sb_q=$sb_q${sb_b%%' '*}~ sb_b=${sb_b#*' '} ;;
            *)
                sb_t="$sb_t ~$sb_q$sb_b"
                return 0
                ;;
        esac
    done
}

# Adds the value whose bytes sb_b has, as od prints them.
sb_hex() { sb_t="$sb_t #x${#sb_b}" sb_x="$sb_x${sb_b:+$sb_b$sb_nl}"; }

# TEXT: adds a value of several lines, which only holds harmless bytes.
sb_lines() { sb_t="$sb_t #l${#1}" sb_x="$sb_x${1:+$1$sb_nl}"; }

# WORDS: ends the line of a step: these words, and the values added so far.
sb_reply() { sb_r="$sb_r$sb_frame$sb_i $1$sb_t$sb_nl$sb_x" sb_t= sb_x=; }

# STATUS MESSAGE: ends this shell, and the reply with it, if STATUS is that of a killed program: that may have done its
# work, so no reply would be true.
sb_not_killed() {
    case $1 in [0-9] | [0-9][0-9] | 1[01][0-9] | 12[0-8]) return 0 ;; esac
    echo "a utility was killed on the host ($1) $2" >&2
    exit 1
}

# KIND MESSAGE: replies that the step failed, and fails. KIND is `-` where MESSAGE, which a program printed, tells it.
#
# Reads the status of the command before it, so it directly follows a `||`, or a test of ours.
sb_fail() {
    sb_not_killed $? "$2"
    sb_t= sb_x=
    sb_value "$2"
    sb_reply "fail $1"
    return 1
}

# PATH: succeeds if something is there, be it a dangling symlink.
sb_exists() { [ -e "$1" ] || [ -h "$1" ]; }

# PATH: checks each directory above it, and follows no symlink. Status 1: one is something else, and the reply says so;
# 2: sb_at is missing.
sb_walk() {
    sb_rest=${1#./} sb_at=.
    while :; do
        case $sb_rest in */*) ;; *) return 0 ;; esac
        sb_at=$sb_at/${sb_rest%%/*} sb_rest=${sb_rest#*/}
        if [ -h "$sb_at" ]; then
            sb_fail wrong-type "$sb_at is a link, which is not followed"
            return 1
        elif [ -d "$sb_at" ]; then
            [ -x "$sb_at" ] || sb_fail denied "$sb_at: Permission denied" || return
        elif [ -e "$sb_at" ]; then
            sb_fail wrong-type "$sb_at: Not a directory"
            return 1
        else
            return 2
        fi
    done
}

# PATH: succeeds if each directory above it exists; else replies why not.
sb_reach() {
    sb_walk "$1"
    case $? in
        0) return 0 ;;
        2) sb_fail missing "$sb_at: No such file or directory" ;;
    esac
    return 1
}

# MAKE DEVICE INODE ROOT: goes to the root, and makes it if MAKE is y. A root with a device and an inode was seen
# before: it must still be that one, and is not made again.
sb_root() {
    sb_i=root
    case $sb_lacks in ?*) return 1 ;; esac
    if [ "$1$2" = y ] && ! sb_exists "$4"; then
        sb_m=$(mkdir -p -- "$4" 2>&1) || sb_fail - "$sb_m" || return
    fi
    cd -P -- "$4" 2>/dev/null || sb_fail_entry "$4" || return
    case $2 in
        ?*)
            sb_m=$(stat -c '%d %i' . 2>&1) || sb_fail - "$sb_m" || return
            [ "$sb_m" = "$2 $3" ] || sb_fail mismatch "another directory stands there than before" || return
            ;;
    esac
}

# DIRECTORY: replies why it could not be entered.
sb_fail_entry() {
    if sb_m=$(stat -L -c %f -- "$1" 2>&1); then
        if [ -d "$1" ]; then sb_fail denied "$1: Permission denied"; else sb_fail wrong-type "$1: Not a directory"; fi
    else
        sb_fail - "$sb_m"
    fi
}

# FUNCTION: calls it with every entry of the directory sb_d.
sb_glob() {
    sb_c=$1
    set +f
    set -- "$sb_d"/..?*
    sb_exists "$1" || shift
    set -- "$sb_d"/.[!.]* "$@"
    sb_exists "$1" || shift
    set -- "$sb_d"/* "$@"
    sb_exists "$1" || shift
    set -f
    $sb_c "$@"
}
