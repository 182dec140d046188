# Compares a tree with its manifest.
#
# Both become lines: `m` (manifest) or `t` (tree), a path, a tab, and what is there. Equal lines of both sides cancel
# each other; the rest is joined by entry, and counted by kind. No reply grows with what is equal, and nothing is
# written.
#
# What follows the tab:
#
#   d MODE        a directory           s DIGEST   the digest of a file
#   f MODE SIZE   a file                u UID      an owner who should not be
#   l TEXT        a symlink             x          it is nested too deep
#   o MODE        anything else
#
# Lines about `/` are about the comparison: `h` the manifest has its header, `b` it means nothing from here on, `e
# STATUS` the end of the tree. A line about `//` tells that a name is odd.
#
# An odd entry does not fit into a line: its name, or a symlink's text, has a control character or a backslash. Those
# are replied as they are, on both sides.
#
#   sb_p   the name of the tree            sb_d   its path
#   sb_l   the path of the manifest        sb_w   an odd entry; empty if there is none
#   sb_q   a pattern of odd names          sb_g   a pattern of paths that are nested too deep
#   sb_k   `once` while one walk may be enough; l if find cannot print, so that all symlinks are odd; else empty
#   sb_v   lines that differ
#   sb_e sb_a sb_o   parts of sed scripts

# CONTENTS OWNERS SKIP ABOVE MANIFEST LISTS TREES KIND FROM: compares a tree, and replies the differences.
#
# CONTENTS is y to compare digests, OWNERS the user ids that entries may have; SKIP and ABOVE are sed commands that drop
# lines of what is excepted.
sb_compare() {
    sb_tree_name "$8" "$9"
    case $sb_p in
        '' | [.-]* | *[!A-Za-z0-9._+-]*)
            sb_reply 'compare - no-tree'
            return 0
            ;;
    esac
    sb_d=$7/$sb_p sb_l=$6/$sb_p/$5
    sb_walk "$sb_d/."
    case $? in
        1) return 1 ;;
        2)
            sb_value "$sb_p"
            sb_reply 'compare no-tree'
            return 0
            ;;
    esac
    for sb_e in "$6" "$6/$sb_p"; do
        if [ -d "$sb_e" ] && ! [ -x "$sb_e" ]; then
            sb_value "$sb_p"
            sb_reply 'compare unreadable denied'
            return 0
        fi
    done
    sb_walk "$sb_l"
    case $? in
        1) return 1 ;;
        2)
            sb_value "$sb_p"
            sb_reply 'compare no-list'
            return 0
            ;;
    esac
    sb_readable "$sb_l" || {
        sb_value "$sb_p"
        case $sb_k in -) sb_reply 'compare no-list' ;; *) sb_reply "compare unreadable $sb_k" ;; esac
        return 0
    }
    for sb_e in sed sort uniq ${1:+sha256sum}; do
        command -v "$sb_e" >/dev/null 2>&1 || sb_fail - "$sb_d cannot be compared: there is no $sb_e" || return
    done
    # What is nested too deep has a path of at least this length.
    sb_e="????"
    while [ ${#sb_e} -lt 512 ]; do sb_e=$sb_e$sb_e; done
    sb_g="$sb_e*" sb_q='*[[:cntrl:]]*' sb_w= sb_v=
    # Mostly nothing or little differs, and no name is odd: then one walk is enough. A rollback waits for each further
    # program. A find that cannot print, as that of busybox, leaves no line.
    case $1 in
        '')
            sb_k=once
            sb_v=$(sb_both_once "$2" | sb_differences "$3" | sb_head)
            case $sb_v in '') sb_k=l ;; *) sb_k= ;; esac
            ;;
        *) if find . -maxdepth 0 -lname x -o -printf '%p%m%s%l' >/dev/null 2>&1; then sb_k=; else sb_k=l; fi ;;
    esac
    case $sb_nl$sb_v$sb_nl in
        *"${sb_nl}t /	e 0$sb_nl"*) ;;
        *)
            sb_any_odd
            sb_v=$(sb_both "$1" "$2" | sb_differences "$3" | sb_head)
            ;;
    esac
    case $sb_w$sb_v in
        "t /	e "[01]"${sb_nl}m /	h")
            sb_value "$sb_p"
            sb_reply 'compare equal'
            return 0
            ;;
        *"$sb_nl+") sb_v=$(sb_both "$1" "$2" | sb_differences "$3" | sb_summarize "$4") ;;
        *) sb_v=$(sb_say "$sb_v" | sb_summarize "$4") ;;
    esac
    case $sb_v$sb_nl in
        *'	te '[01]["$sb_nl	"]*) ;;
        *)
            sb_fail - "$sb_d could not be compared with its manifest"
            return 1
            ;;
    esac
    sb_value "$sb_p"
    sb_b=$(sb_put "$sb_v" | od -An -v -tx1)
    sb_hex
    sb_b=$(sb_odd_lines | od -An -v -tx1)
    sb_hex
    sb_v=0 sb_a=0 sb_z=0
    case $sb_w in
        ?*)
            sb_v=$({
                cd -P -- "$sb_d" && sb_each_odd -exec stat -c '%f %u %s %n' {} +
                [ "$?" -gt 1 ] || echo 0
            })
            sb_a=$({
                cd -P -- "$sb_d" && sb_each_odd -type l -exec stat -c %N {} +
                echo 0
            })
            case $1 in
                ?*)
                    sb_z=$({
                        cd -P -- "$sb_d" && sb_each_odd -type f -exec sha256sum -- {} +
                        echo 0
                    })
                    ;;
            esac
            ;;
    esac
    for sb_e in "$sb_v" "$sb_a" "$sb_z"; do
        sb_b=$(sb_say "$sb_e" | od -An -v -tx1)
        sb_hex
    done
    sb_reply 'compare entries'
}

# ABOVE: joins lines by entry, and shows some of each kind and how many there are.
sb_summarize() { sb_join_lines | sb_kinds | sed -e "$1" | sort | sb_some_of_each | uniq -c; }

# Puts an odd entry into sb_w, if there is one, and sets sb_q.
#
# Where the manifest has names that are not UTF-8, which it escapes, all that is not ASCII is odd. A find that cannot
# print texts of symlinks (-lname comes with that) makes all symlinks odd.
sb_any_odd() {
    case $(sed -n '/\\x[89a-f]/{
p
q
}' <"$sb_l") in ?*) sb_q='*[! -~]*' ;;
    esac
    # Matching names is quicker than matching paths.
    sb_w=$(cd -P -- "$sb_d" && case $sb_k in
        (l) find . -maxdepth 258 ! -name . '(' -name "$sb_q" -o -name '*\\*' -o -type l -o -path "$sb_g" ')' ;;
        (*)
            find . -maxdepth 258 ! -name . '(' -path "$sb_g" -o -name "$sb_q" -o -name '*\\*' -o -lname "$sb_q" \
                -o -lname '*\\*' ')'
            ;;
    esac 2>/dev/null | sed 1q)
    # An odd entry of the manifest may be missing from the tree.
    case $sb_w in '') sb_w=$(sb_odd_lines) ;; esac
}

# EXPRESSION...: finds what is not odd.
sb_each_plain() { find . -maxdepth 257 -name . -o -name "$sb_q" -prune -o -name '*\\*' -prune -o "$@" 2>/dev/null; }

# EXPRESSION...: finds what is odd.
sb_each_odd() {
    case $sb_k in
        l)
            QUOTING_STYLE=literal find .//. -maxdepth 258 ! -name . '(' -path "$sb_q" -o -path '*\\*' -o -type l ')' \
                "$@"
            ;;
        *)
            QUOTING_STYLE=literal find .//. -maxdepth 258 ! -name . '(' -path "$sb_q" -o -path '*\\*' \
                -o -lname "$sb_q" -o -lname '*\\*' ')' "$@"
            ;;
    esac 2>/dev/null
}

# Prints the lines of the manifest about odd entries.
sb_odd_lines() {
    sb_e='/\\/b'
    case $sb_q in *cntrl*) ;; *) sb_e="$sb_e$sb_nl/[^ -~	]/b" ;; esac
    case $sb_k in l) sb_e="$sb_e$sb_nl/^l	/b" ;; esac
    sed -e 1d -e "$sb_e" -e d <"$sb_l"
}

# Prints the first 500 lines, and a + if there are more. Where nothing differs, which is two lines, this takes no
# program.
sb_head() {
    sb_v=
    for sb_e in 1 2 3; do
        IFS= read -r sb_a || {
            sb_put "$sb_v"
            return
        }
        sb_v=$sb_v$sb_a$sb_nl
    done
    sb_put "$sb_v"
    sed -n -e 1,497p -e '498s/.*/+/p'
}

# OWNERS: prints the lines of both sides in one walk, without digests. It ends at an odd name.
sb_both_once() {
    (
        cd -P -- "$sb_d" && exec find . -maxdepth 257 -name . -printf '\n' \
            -o '(' -path "$sb_g" -o -name "$sb_q" -o -name '*\\*' -o -lname "$sb_q" -o -lname '*\\*' ')' -prune \
            -printf 't //\n' \
            -o -type d -printf 't %p	d %m\n' \
            -o -type f -printf 't %p	f %m %s\n' \
            -o -type l -printf 't %p	l %l\n' \
            -o -printf 't %p	o %m\n'
    ) 2>/dev/null || return
    sb_manifest_lines '' <"$sb_l"
    sb_say "
t /	e 0"
    cd -P -- "$sb_d" && sb_owners "$1"
} 2>/dev/null

# CONTENTS OWNERS: prints the lines of both sides.
sb_both() {
    sb_manifest_lines "$1" <"$sb_l"
    echo
    cd -P -- "$sb_d" || exit
    case $sb_k in
        l)
            sb_each_plain -type d -exec stat -c 't %n	d %a' {} + \
                -o -type f -exec stat -c 't %n	f %a %s' {} + \
                -o -type l -exec stat -c 't %n	l ' {} + \
                -o -exec stat -c 't %n	o %a' {} +
            ;;
        *)
            sb_each_plain -type d -printf 't %p	d %m\n' \
                -o -type f -printf 't %p	f %m %s\n' \
                -o -lname "$sb_q" -printf 't %p	l \n' \
                -o -lname '*\\*' -printf 't %p	l \n' \
                -o -type l -printf 't %p	l %l\n' \
                -o -printf 't %p	o %m\n'
            ;;
    esac
    sb_say "t /	e $?"
    # One level more than a release may have shows that an application nests its directories without end.
    case $sb_w in
        ?*)
            find . -mindepth 258 -maxdepth 258 ! -path "$sb_q" ! -path '*\\*' 2>/dev/null |
                sed 's|^\(.*\)/[^/]*$|t \1	x|' | uniq
            ;;
    esac
    case $1 in ?*) sb_each_plain -type f -exec sha256sum -- {} + | sed 's/^\([0-9a-f]*\)  \(.*\)$/t \2	s \1/' ;; esac
    sb_owners "$2"
}

# OWNERS: prints the lines of entries that belong to somebody else.
sb_owners() {
    case $1 in
        ?*)
            # shellcheck disable=SC2086 # Each user id is a word.
            set -- $1
            for sb_e; do
                shift
                set -- "$@" ! -user "$sb_e"
            done
            sb_each_plain "$@" -exec stat -c 't %n	u %u' {} +
            ;;
    esac
}

# CONTENTS: turns a manifest into lines.
sb_manifest_lines() {
    sb_e='m \4	f \1 \2' sb_a= sb_o=
    case $1 in
        ?*) sb_e="$sb_e\\
m \\4	s \\3" ;;
    esac
    case $sb_q in *cntrl*) ;; *) sb_a='/^[df]	.*[^ -~	]/d
/^l	[^	]*[^ -~	]/d
s/^l	\([^	]*\)	.*[^ -~	].*/m \1	l /p
t' ;;
    esac
    case $sb_k in
        once) sb_o='/\\/{
s/.*/m \/\//p
q
}' ;;
        l) sb_a="$sb_a
s/^l	\\([^	]*\\)	.*/m \\1	l /p
t" ;;
    esac
    sed -n -e '1{
s/^switchback manifest 1$/m \/	h/p
t
s/.*/m \/	b/p
q
}' -e "$sb_o" -e '/^[df]	.*\\/d
/^l	[^	]*\\/d' -e "$sb_a" -e 's/^l	\([^	]*\)	.*\\.*/m \1	l /p
t
s/^d	\([0-7][0-7]*\)	\([^	]*\)$/m \2	d \1/p
t' -e "s/^f	\\([0-7][0-7]*\\)	\\([0-9][0-9]*\\)	\\([0-9a-f]*\\)	\\([^	]*\\)\$/$sb_e/p" -e 't
s/^l	\([^	]*\)	\([^	]*\)$/m \1	l \2/p
t
s/.*/m \/	b/p
q'
}

# SKIP: drops equal lines of both sides, and what is excepted.
#
# A setgid bit that a directory inherited is no difference; nor is, where a group shares the root, what the group may do
# in a directory.
sb_differences() {
    sb_e= sb_o=
    case $sb_k in
        once)
            IFS= read -r sb_a || return
            sb_o='/^[mt] \/\//q'
            ;;
    esac
    case ${sb_private+y} in y) sb_e='s/	d \([0-7]\{0,1\}[0-7]\)[0-7]\([0-7]\)$/	d \17\2/' ;; esac
    sed -e "$sb_o" -e '/^$/d
s|^t \./|t |
s/	d [2]\([0-7][0-7][0-7]\)$/	d \1/
s/	d 3\([0-7][0-7][0-7]\)$/	d 1\1/
s/	d 6\([0-7][0-7][0-7]\)$/	d 4\1/
s/	d 7\([0-7][0-7][0-7]\)$/	d 5\1/' -e "$sb_e" -e "$1" | sort -k 2 | uniq -u -f 1
}

# Joins the lines of each path: the path, and for each line a tab, its side, and what is there.
#
# No sed is slow with this pattern, however long the paths are.
sb_join_lines() {
    sed -e 's/^\([mt]\) \([^	]*\)	/\2	\1/
:a
$!N
/^\([^	]*	\).*\n. \1/{
s/\n\([mt]\) [^	]*	/	\1/
ba
}
P
D'
}

# Puts the kind of difference and a tab before each entry: x nested too deep, a added, u in the manifest but of somebody
# else, b missing or changed; and where only modes differ, d or f with the mode in the manifest and in the tree. A g
# tells that this may grant something: those are counted by themselves.
sb_kinds() {
    sed -e '/^\//{
s/^/!	/
b
}
/	tx/{
s/^/x	/
b
}
/	m/!{
/	t[dflo]/{
s/^/a	/
b
}
s/^/u	/
b
}
s/^[^	]*	m\([df]\) \([0-7]*\)\([ 0-9]*\)	t\1 \([0-7]*\)\3\(	tu.*\)\{0,1\}$/\1 \2 \4	&/
tm
s/^[^	]*	t\([df]\) \([0-7]*\)\([ 0-9]*\)	m\1 \([0-7]*\)\3\(	tu.*\)\{0,1\}$/\1 \4 \2	&/
tm
s/^/b	/
bu
:m
/^[df] [0-7]*[0145][0-7] [0-7]*[2367][0-7]	/s/^/g /
/^[df] [0-7]*[0145] [0-7]*[2367]	/s/^/g /
/^[df] [0-7]* [0-7]\{4\}	/s/^/g /
/^d 1[0-7]\{3\} /s/^/g /
:u
s/	\(.*	tu \)/ u	\1/'
}

# Keeps the first hundred entries of each kind; of the others only the kind.
sb_some_of_each() {
    sb_a='/^!/p'
    for sb_e in a b d f g u x; do
        sb_a="$sb_a
/^$sb_e/{
x
/^$sb_e\\{100\\}/{
x
s/	.*//p
d
}
s/^[^$sb_e].*//
s/^/$sb_e/
x
p
}"
    done
    sed -n -e "$sb_a"
}
