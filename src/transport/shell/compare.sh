# CONTENTS OWNERS SKIP ABOVE MANIFEST LISTS TREES KIND FROM ; compares a tree with its manifest. Both become lines, `m` or `t`, a
# path, a tab and what stands there; lines of both sides cancel each other. What is left is told entry by entry, so many of a
# kind, and counted. Nothing here grows with what is equal, and nothing on the host is written.
sb_compare() {
sb_tree_name "$8" "$9"
case $sb_p in '' | [.-]* | *[!A-Za-z0-9._+-]*) sb_reply 'compare - no-tree'; return 0;; esac
sb_d=$7/$sb_p sb_l=$6/$sb_p/$5
sb_walk "$sb_d/."
case $? in 1) return 1;; 2) sb_value "$sb_p"; sb_reply 'compare no-tree'; return 0;; esac
for sb_e in "$6" "$6/$sb_p"; do
if [ -d "$sb_e" ] && ! [ -x "$sb_e" ]; then sb_value "$sb_p"; sb_reply 'compare unreadable denied'; return 0; fi
done
sb_walk "$sb_l"
case $? in 1) return 1;; 2) sb_value "$sb_p"; sb_reply 'compare no-list'; return 0;; esac
sb_readable "$sb_l" || {
sb_value "$sb_p"
case $sb_k in -) sb_reply 'compare no-list';; *) sb_reply "compare unreadable $sb_k";; esac
return 0
}
for sb_e in sed sort uniq ${1:+sha256sum}; do
command -v "$sb_e" >/dev/null 2>&1 || { sb_fail - "$sb_d cannot be compared: there is no $sb_e"; return 1; }
done
# What is nested too deep has a path that is no shorter.
sb_e=????
while [ ${#sb_e} -lt 512 ]; do sb_e=$sb_e$sb_e; done
sb_g=$sb_e* sb_q='*[[:cntrl:]]*' sb_w= sb_v=
# Mostly nothing or little differs, and no name is odd: then one walk is enough, and each further program is one that a rollback
# waits for. It says nothing where find does not print, as that of busybox.
case $1 in
'')
sb_k=once
sb_v=$(sb_once "$2" | sb_cancel "$3" | sb_first)
case $sb_v in '') sb_k=l;; *) sb_k=;; esac;;
*) if find . -maxdepth 0 -lname x -o -printf '%p%m%s%l' >/dev/null 2>&1; then sb_k=; else sb_k=l; fi;;
esac
case $sb_nl$sb_v$sb_nl in *"${sb_nl}t /	e 0$sb_nl"*) ;; *)
sb_odd_names
sb_v=$(sb_both "$1" "$2" | sb_cancel "$3" | sb_first);;
esac
case $sb_w$sb_v in
"t /	e "[01]"${sb_nl}m /	h") sb_value "$sb_p"; sb_reply 'compare equal'; return 0;;
*"$sb_nl+") sb_v=$(sb_both "$1" "$2" | sb_cancel "$3" | sb_told "$4");;
*) sb_v=$(sb_say "$sb_v" | sb_told "$4");;
esac
case $sb_v$sb_nl in *'	te '[01]["$sb_nl	"]*) ;; *) sb_fail - "$sb_d could not be compared with its manifest"; return 1;; esac
sb_value "$sb_p"
sb_b=$(sb_put "$sb_v" | od -An -v -tx1)
sb_hex
sb_b=$(sb_odd_lines | od -An -v -tx1)
sb_hex
sb_v=0 sb_a=0 sb_z=0
case $sb_w in ?*)
sb_v=$({ cd -P -- "$sb_d" && sb_odd -exec stat -c '%f %u %s %n' {} +; [ "$?" -gt 1 ] || echo 0; })
sb_a=$({ cd -P -- "$sb_d" && sb_odd -type l -exec stat -c %N {} +; echo 0; })
case $1 in ?*) sb_z=$({ cd -P -- "$sb_d" && sb_odd -type f -exec sha256sum -- {} +; echo 0; });; esac;;
esac
for sb_e in "$sb_v" "$sb_a" "$sb_z"; do
sb_b=$(sb_say "$sb_e" | od -An -v -tx1)
sb_hex
done
sb_reply 'compare entries'
}
# ABOVE: what is left, entry by entry.
sb_told() { sb_entries_of | sb_kinds | sed -e "$1" | sort | sb_some_of_each | uniq -c; }
# No line holds a path with a control character or a backslash: those entries are told as they are, on both sides. Where the
# manifest has names that are not UTF-8, which it escapes, that is so for all that is not ASCII. A find that cannot print texts of
# links (-lname comes with that) tells all links so too ($sb_k is l).
sb_odd_names() {
case $(sed -n '/\\x[89a-f]/{
p
q
}' <"$sb_l") in ?*) sb_q='*[! -~]*';; esac
# Looking at names is quicker than looking at paths. Mostly there are none.
sb_w=$(cd -P -- "$sb_d" && case $sb_k in
(l) find . -maxdepth 258 ! -name . '(' -name "$sb_q" -o -name '*\\*' -o -type l -o -path "$sb_g" ')';;
(*) find . -maxdepth 258 ! -name . '(' -path "$sb_g" -o -name "$sb_q" -o -name '*\\*' -o -lname "$sb_q" -o -lname '*\\*' ')';;
esac 2>/dev/null | sed 1q)
# One that is listed may be missing.
case $sb_w in '') sb_w=$(sb_odd_lines);; esac
}
sb_plain() { find . -maxdepth 257 -name . -o -name "$sb_q" -prune -o -name '*\\*' -prune -o "$@" 2>/dev/null; }
sb_odd() {
case $sb_k in
l) QUOTING_STYLE=literal find .//. -maxdepth 258 ! -name . '(' -path "$sb_q" -o -path '*\\*' -o -type l ')' "$@";;
*) QUOTING_STYLE=literal find .//. -maxdepth 258 ! -name . '(' -path "$sb_q" -o -path '*\\*' -o -lname "$sb_q" -o -lname '*\\*' ')' "$@";;
esac 2>/dev/null
}
# The lines of the manifest that are not what they say, as they are.
sb_odd_lines() {
sb_e='/\\/b'
case $sb_q in *cntrl*) ;; *) sb_e="$sb_e$sb_nl/[^ -~	]/b";; esac
case $sb_k in l) sb_e="$sb_e$sb_nl/^l	/b";; esac
sed -e 1d -e "$sb_e" -e d <"$sb_l"
}
# The first 500 lines, and a + for more. Two lines, where nothing differs, take no program.
sb_first() {
sb_v=
for sb_e in 1 2 3; do
IFS= read -r sb_a || { sb_put "$sb_v"; return; }
sb_v=$sb_v$sb_a$sb_nl
done
sb_put "$sb_v"
sed -n -e 1,497p -e '498s/.*/+/p'
}
# OWNERS: both sides of a comparison by types, modes and sizes, if no name is odd. A line // tells that one is.
sb_once() {
(cd -P -- "$sb_d" && exec find . -maxdepth 257 -name . -printf '\n' -o '(' -path "$sb_g" -o -name "$sb_q" -o -name '*\\*' -o -lname "$sb_q" -o -lname '*\\*' ')' -prune -printf 't //\n' -o -type d -printf 't %p	d %m\n' -o -type f -printf 't %p	f %m %s\n' -o -type l -printf 't %p	l %l\n' -o -printf 't %p	o %m\n') 2>/dev/null || return
sb_listed_there '' <"$sb_l"
sb_say "
t /	e 0"
cd -P -- "$sb_d" && sb_owners "$1"
} 2>/dev/null
# CONTENTS OWNERS
sb_both() {
sb_listed_there "$1" <"$sb_l"
echo
cd -P -- "$sb_d" || exit
case $sb_k in
l) sb_plain -type d -exec stat -c 't %n	d %a' {} + -o -type f -exec stat -c 't %n	f %a %s' {} + -o -type l -exec stat -c 't %n	l ' {} + -o -exec stat -c 't %n	o %a' {} +;;
*) sb_plain -type d -printf 't %p	d %m\n' -o -type f -printf 't %p	f %m %s\n' -o -lname "$sb_q" -printf 't %p	l \n' -o -lname '*\\*' -printf 't %p	l \n' -o -type l -printf 't %p	l %l\n' -o -printf 't %p	o %m\n';;
esac
sb_say "t /	e $?"
# One name more than a release may have tells that an application nests its own without end.
case $sb_w in ?*) find . -mindepth 258 -maxdepth 258 ! -path "$sb_q" ! -path '*\\*' 2>/dev/null | sed 's|^\(.*\)/[^/]*$|t \1	x|' | uniq;; esac
case $1 in ?*) sb_plain -type f -exec sha256sum -- {} + | sed 's/^\([0-9a-f]*\)  \(.*\)$/t \2	s \1/';; esac
sb_owners "$2"
}
# OWNERS
sb_owners() {
case $1 in ?*)
set -- $1
for sb_e; do
shift
set -- "$@" ! -user "$sb_e"
done
sb_plain "$@" -exec stat -c 't %n	u %u' {} +;;
esac
}
# CONTENTS: the lines of a manifest. What means nothing ends it (b).
sb_listed_there() {
sb_e='m \4	f \1 \2' sb_a= sb_o=
case $1 in ?*) sb_e="$sb_e\\
m \\4	s \\3";; esac
case $sb_q in *cntrl*) ;; *) sb_a='/^[df]	.*[^ -~	]/d
/^l	[^	]*[^ -~	]/d
s/^l	\([^	]*\)	.*[^ -~	].*/m \1	l /p
t';; esac
case $sb_k in
once) sb_o='/\\/{
s/.*/m \/\//p
q
}';;
l) sb_a="$sb_a
s/^l	\\([^	]*\\)	.*/m \\1	l /p
t";;
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
# SKIP: a setgid bit that directories inherited is no difference, nor is, where the root is a group's, what that may do in them.
sb_cancel() {
sb_e= sb_o=
case $sb_k in once)
IFS= read -r sb_a || return
sb_o='/^[mt] \/\//q';;
esac
case ${sb_private+y} in y) sb_e='s/	d \([0-7]\{0,1\}[0-7]\)[0-7]\([0-7]\)$/	d \17\2/';; esac
sed -e "$sb_o" -e '/^$/d
s|^t \./|t |
s/	d [2]\([0-7][0-7][0-7]\)$/	d \1/
s/	d 3\([0-7][0-7][0-7]\)$/	d 1\1/
s/	d 6\([0-7][0-7][0-7]\)$/	d 4\1/
s/	d 7\([0-7][0-7][0-7]\)$/	d 5\1/' -e "$sb_e" -e "$1" | sort -k 2 | uniq -u -f 1
}
# All lines of a path as one: the path, and after tabs each line's side and what it says. This pattern is one that no sed is slow
# with, however long the paths are.
sb_entries_of() {
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
# The kind of difference, and a tab, before each: x is nested too deep, a was added, u belongs to others and is listed, b is missing or
# changed, and modes alone stand with what is listed and what is there. A g tells those that may grant something, which are
# shown by themselves.
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
# The first hundred of each kind, and of the others the kind alone.
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
