# One function for each operation; each answers with one line, and is false when the step failed. A host is told those that
# it needs, and what stands between one and the next with the first.
# r|d FUNCTION: runs its steps, which only read (r) or only remove (d), with one stat and one od, or one rm, for all of
# them. Each tells what it wants; who asked shares out what is found. When anything fails, each runs by itself.
sb_together() {
sb_kept=$sb_r sb_how=$1 sb_n=0 sb_w= sb_wl= sb_lp=
if $2 && sb_all_$1; then sb_how=; return 0; fi
sb_how= sb_r=$sb_kept sb_t= sb_x=
$2
}
# LIMIT PATH... ; - for a limit: nothing is read.
sb_want() {
sb_l=$1
shift
for sb_e; do
sb_n=$((sb_n + 1))
eval "sb_p$sb_n=\$sb_e"
sb_w="$sb_w \"\$sb_p$sb_n\"" sb_wl="$sb_wl $sb_l"
done
}
sb_all_r() {
sb_m= sb_b=
case $sb_n in 0) ;; *)
eval "set -- $sb_w"
sb_m=$(stat -c "$sb_s" -- "$@" 2>/dev/null) || return
sb_by_line "$sb_m" sb_sized || return;;
esac
case $sb_w in ?*)
eval "set -- $sb_w"
sb_b=$(od -An -v -tx1 -- "$@" 2>/dev/null) || return;;
esac
sb_raw "$sb_m"
sb_hex
sb_emit together
}
# TEXT FUNCTION ARGUMENT... ; calls it with the lines of the text, and then the arguments.
sb_by_line() {
sb_e=$1 sb_c=$2 sb_ifs=$IFS
shift 2
IFS=$sb_nl
set -- $sb_e "$@"
IFS=$sb_ifs
$sb_c "$@"
}
# Of what was wanted, leaves what is to be read and within its limit.
sb_sized() {
[ $# -eq "$sb_n" ] || return
sb_w= sb_n=0
for sb_l in $sb_wl; do
sb_n=$((sb_n + 1)) sb_e=${1% *}
sb_e=${sb_e##* }
case $sb_l in -) ;; *) if sb_within; then sb_w="$sb_w \"\$sb_p$sb_n\""; fi;; esac
shift
done
}
sb_within() { [ ${#sb_e} -lt ${#sb_l} ] || { [ ${#sb_e} -eq ${#sb_l} ] && [ "$sb_e" -le "$sb_l" ]; }; }
sb_all_d() {
eval "set -- $sb_w"
case $# in 0) return 0;; esac
sb_m=$(rm -rf -- "$@" 2>&1) || { sb_alive $? "$sb_m"; return 1; }
}
sb_identify() {
sb_m=$(stat -c '%d %i' . 2>&1) || { sb_no - "$sb_m"; return 1; }
sb_v=$(date +%s.%N 2>&1) || { sb_no - "$sb_v"; return 1; }
sb_k=$(stat -f -c %t . 2>/dev/null)
case $sb_k in '' | *[!0-9a-f]*) sb_k=-;; esac
sb_a=$(id 2>&1) || { sb_no - "$sb_a"; return 1; }
sb_a=${sb_a#uid=}
sb_u=${sb_a%%[!0-9]*}
case $sb_a in "$sb_u("*) sb_a=${sb_a#*\(}; sb_a=${sb_a%%\)*};; *) sb_a=$sb_u;; esac
sb_tok "$sb_a"
{ IFS= read -r sb_a </proc/sys/kernel/hostname; } 2>/dev/null || sb_a=$(uname -n)
sb_tok "$sb_a"
sb_boot || sb_a=-
case $sb_a in '' | *[!0-9A-Za-z-]*) sb_a=-;; esac
sb_emit "identity $sb_u $sb_m $sb_v $sb_k $sb_a"
}
sb_clock() {
sb_m=$(date +%s.%N 2>&1) || { sb_no - "$sb_m"; return 1; }
sb_emit "clock $sb_m"
}
sb_inspect() {
sb_in "$1"
case $? in 1) return 1;; 2) sb_emit 'entry -'; return 0;; esac
sb_there "$1" || { sb_emit 'entry -'; return 0; }
case $sb_how in r) sb_want - "$1"; sb_emit 'entry @'; return 0;; esac
sb_m=$(stat -c "$sb_s" -- "$1" 2>&1) || { sb_no - "$sb_m"; return 1; }
sb_emit "entry $sb_m"
}
sb_resolve() {
case $sb_how in r) if [ -d "$1" ]; then sb_want - "$1/."; sb_emit 'entry @'; return 0; fi;; esac
if sb_m=$(stat -L -c "$sb_s" -- "$1" 2>&1); then sb_emit "entry $sb_m"; return 0; fi
case $sb_m in
*'No such file'* | *'Not a directory'* | *'Too many levels'* | *'link loop'*) sb_emit 'entry -';;
*) sb_no - "$sb_m";;
esac
}
# The text of a link, trailing newlines and all, in $sb_v. Steps that only read take it from the last one, if that was the same link.
sb_text() {
case $sb_how$1 in r"$sb_lp") sb_v=$sb_lv; return 0;; esac
sb_v=$(readlink -- "$1" 2>&1 && echo x) || return
sb_v=${sb_v%x}
sb_v=${sb_v%"$sb_nl"}
sb_lp=$1 sb_lv=$sb_v
}
sb_readlink() {
sb_in "$1"
case $? in 1) return 1;; 2) sb_emit 'link -'; return 0;; esac
sb_there "$1" || { sb_emit 'link -'; return 0; }
[ -h "$1" ] || { sb_no wrong-type "$1 is no link"; return 1; }
sb_text "$1" || { sb_no - "$sb_v"; return 1; }
sb_tok "$sb_v"
sb_emit link
}
# BYTES PATH
sb_read() {
sb_in "$2"
case $? in 1) return 1;; 2) sb_emit 'file -'; return 0;; esac
sb_kind "$2" || { sb_emit "file $sb_k"; return 0; }
sb_b=$(od -An -v -tx1 -N "$1" -- "$2" 2>&1) || { sb_alive $? "$sb_b"; sb_emit 'file failed'; return 0; }
sb_hex
sb_emit 'file ok'
}
# BYTES PATH ; the end of a file.
sb_tail() {
sb_in "$2"
case $? in 1) return 1;; 2) sb_emit 'file -'; return 0;; esac
sb_kind "$2" || { sb_emit "file $sb_k"; return 0; }
sb_m=$(stat -c %s -- "$2" 2>&1) || { sb_no - "$sb_m"; return 1; }
sb_l=0
if [ "$sb_m" -gt "$1" ]; then sb_l=$((sb_m - $1)); fi
sb_b=$(od -An -v -tx1 -j "$sb_l" -N "$1" -- "$2" 2>&1) || { sb_alive $? "$sb_b"; sb_emit 'file failed'; return 0; }
sb_hex
sb_emit 'file ok'
}
sb_list() {
sb_in "$1/."
case $? in 1) return 1;; 2) sb_emit 'list -'; return 0;; esac
[ -r "$1" ] || { sb_no denied "$1: Permission denied"; return 1; }
sb_d=$1
sb_glob sb_listed
}
sb_listed() {
sb_m= sb_v=
case $sb_how in r)
sb_want - "$@"
for sb_e; do sb_v=$sb_v${sb_e##*/}/; done
sb_tok "$sb_v"
sb_emit 'list @'
return 0;;
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
fi;;
esac
sb_tok "$sb_v"
sb_raw "$sb_m"
sb_emit list
}
# LIMIT FILE PATH ; where one of the files fails to be read, each is tried by itself ($sb_y).
sb_each() {
sb_l=$1 sb_f=$2 sb_d=$3 sb_y=
sb_in "$3/."
case $? in 1) return 1;; 2) sb_emit 'each = = #l0 #x0'; return 0;; esac
[ -r "$3" ] || { sb_no denied "$3: Permission denied"; return 1; }
sb_glob sb_eached
}
sb_eached() {
sb_v= sb_k= sb_a= sb_m= sb_z=
for sb_e; do
shift
[ -d "$sb_e" ] && ! [ -h "$sb_e" ] || continue
if ! [ -x "$sb_e" ]; then sb_k=denied
elif sb_kind "$sb_e/$sb_f"; then
if [ -z "$sb_y" ] || od -An -v -tx1 -N "$sb_l" -- "$sb_e/$sb_f" >/dev/null 2>&1; then sb_k=file; set -- "$@" "$sb_e/$sb_f"; else sb_k=failed; fi
fi
case $sb_k in -) continue;; esac
sb_v=$sb_v${sb_e##*/}/ sb_a=$sb_a${sb_a:+,}$sb_k
done
case $sb_how in r)
sb_want "$sb_l" "$@"
sb_tok "$sb_v"
sb_tok "$sb_a"
sb_emit 'each @'
return 0;;
esac
case $# in 0) ;; *)
sb_m=$(stat -c %s-%u -- "$@" 2>&1) || { sb_no - "$sb_m"; return 1; }
for sb_e in $sb_m; do
sb_e=${sb_e%-*}
if sb_within; then set -- "$@" "$1"; fi
shift
done;;
esac
case $# in 0) ;; *) sb_z=$(od -An -v -tx1 -- "$@" 2>&1) || {
sb_alive $? "$sb_z"
case $sb_y in y) sb_no - "$sb_z"; return 1;; esac
sb_y=y
sb_glob sb_eached
return
};; esac
sb_tok "$sb_v"
sb_tok "$sb_a"
sb_raw "$sb_m"
sb_b=$sb_z
sb_hex
sb_emit each
}
# DIGESTS PATH ; all names begin with .//. and no name holds that: so a line that is like the first of an entry is one. Each
# part ends with how its find ended.
sb_survey() {
sb_in "$2/."
case $? in 1) return 1;; 2) sb_emit 'survey -'; return 0;; esac
{ [ -r "$2" ] && [ -x "$2" ]; } || { sb_no denied "$2: Permission denied"; return 1; }
for sb_e in "$sb_entries" "$sb_links" "${1#n}"; do
case $sb_e in y) sb_e=$sb_sums;; esac
sb_b=$({ cd -P -- "$2" && eval "$sb_e" 2>/dev/null; echo "$?"; } | od -An -v -tx1)
sb_hex
done
sb_emit survey
}
# An application may nest its own directories without end. One name more than a release may have tells that it does.
sb_entries="find .//. -maxdepth 258 ! -name . -exec stat -c '%f %u %s %n' {} +"
sb_links="QUOTING_STYLE=literal find .//. -maxdepth 258 -type l -exec stat -c %N {} +"
sb_sums="find .//. -maxdepth 257 -type f -exec sha256sum -- {} +"
# KIND FROM TREES LISTS MOST RECORD LIMIT [LIMIT FILE]... ; the word for each directory, and for each of its files, in $sb_a.
sb_chain() {
sb_tree "$1" "$2"
sb_in "$3/."
case $? in 1) return 1;; 2) sb_emit 'chain = = #l0 #x0'; return 0;; esac
sb_in "$4" || { [ $? -eq 2 ] || return 1; }
sb_o=$3 sb_g=$4 sb_m=$5 sb_v= sb_a= sb_z= sb_c=
shift 5
while [ "$sb_m" -gt 0 ]; do
case $sb_p in '' | [.-]* | *[!A-Za-z0-9._+-]*) break;; esac
case /$sb_v in *"/$sb_p/"*) break;; esac
sb_m=$((sb_m - 1)) sb_v=$sb_v$sb_p/
sb_chained "$@" || return
done
sb_tok "$sb_v"
sb_tok "$sb_a"
case $sb_how in r) sb_emit 'chain @'; return 0;; esac
sb_raw "$sb_z"
sb_b=$sb_c
sb_hex
sb_emit chain
}
# RECORD LIMIT [LIMIT FILE]... ; of $sb_p, which is then what its record names.
sb_chained() {
sb_d=$sb_o/$sb_p sb_q=$sb_g/$sb_p sb_p= sb_k=-
sb_a=$sb_a${sb_a:+,}
if sb_there "$sb_d"; then
sb_k=y
case $sb_how in
r) sb_want - "$sb_d";;
*) sb_e=$(stat -c "$sb_s" -- "$sb_d" 2>&1) || { sb_no - "$sb_e"; return 1; }; sb_z=$sb_z${sb_z:+$sb_nl}$sb_e;;
esac
fi
sb_a=$sb_a$sb_k
if [ -d "$sb_d" ] && ! [ -h "$sb_d" ]; then
sb_fetch "$2" "$sb_d" "$1"
case $sb_k in file) { IFS= read -r sb_p || :; } 2>/dev/null <"$sb_d/$1"; sb_p=${sb_p##*/};; esac
else
sb_a=$sb_a,-
fi
shift 2
while [ $# -gt 1 ]; do sb_fetch "$1" "$sb_q" "$2"; shift 2; done
}
# LIMIT DIRECTORY FILE
sb_fetch() {
sb_k=-
if [ -h "$sb_g" ] || [ -h "$2" ] || { [ -e "$2" ] && ! [ -d "$2" ]; }; then sb_k=failed
elif { [ -d "$sb_g" ] && ! [ -x "$sb_g" ]; } || { [ -d "$2" ] && ! [ -x "$2" ]; }; then sb_k=denied
elif sb_kind "$2/$3"; then
sb_k=file
case $sb_how in r) sb_want "$1" "$2/$3";; *) sb_fetched "$1" "$2/$3";; esac
fi
sb_a=$sb_a,$sb_k
}
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
# KIND FROM: the name of a tree, in $sb_p.
sb_tree() {
sb_p=
case $1 in
given) sb_p=$2;;
record) { [ -f "$2" ] && { IFS= read -r sb_p || :; } <"$2"; } 2>/dev/null;;
link) if [ -h "$2" ] && sb_text "$2"; then sb_p=${sb_v%%"$sb_nl"*}; fi;;
esac
case $1 in given) ;; *) sb_p=${sb_p##*/};; esac
}
sb_each_line() {
IFS=$sb_nl
for sb_e in $2; do $1; done
IFS=' 	
'
}
sb_lined() { case $1 in ?*) sb_say "$1";; esac; }
# TREE LIST INTO ; writes a line for each entry that the list names and that is there: what stat says of it, and its path.
sb_snapshot() {
sb_in "$1/."
case $? in 1) return 1;; 2) sb_no missing "$1: No such file or directory"; return 1;; esac
sb_snapped "$2"
case $? in 1) return 1;; 2) sb_no missing "$2: No such file or directory"; return 1;; esac
sb_into "$3" || return
if sb_there "$3"; then sb_no exists "$3: File exists"; return 1; fi
sb_z=$sb_nl
umask "${sb_private-177}"
sb_m=$({ set -C; { sb_paths 's|^[dfl] [0-9 ]*\./|.//./|p' <"$2" | sort -u | sb_stat "$1" 2>/dev/null; echo -0; } >"$3"; } 2>&1) && {
umask 022
sb_emit done
return 0
}
umask 022
sb_no - "${sb_m:-$3 cannot be written}"
rm -f -- "$3"
return 1
}
# FILE: 0 when it can be read, 2 when it is not there, 1 otherwise, answered.
sb_snapped() {
sb_in "$1" || return
sb_kind "$1" && return
case $sb_k in
-) return 2;;
denied) sb_no denied "$1: Permission denied";;
*) sb_no wrong-type "$1 is no regular file";;
esac
return 1
}
# EXPRESSION: the paths that it makes of lines, none of which leads out of the tree or through what is no directory any more ($sb_z).
sb_paths() {
sed -n -e '\|/\.\./|d' -e '\|/\.\.$|d' -e '\|/$|d' -e "$1" | case $sb_z in
"$sb_nl") cat;;
*) while IFS= read -r sb_e; do sb_beyond || sb_say "$sb_e"; done;;
esac
}
sb_beyond() {
sb_q=${sb_e#.//./}
while :; do
case $sb_q in */*) sb_q=${sb_q%/*};; *) return 1;; esac
case $sb_z in *"$sb_nl$sb_q$sb_nl"*) return 0;; esac
done
}
# TREE: how each of the entries is whose paths come in.
sb_stat() { sb_nuls | (cd -P -- "$1" && xargs -0 stat -c '%f %u %s %i %z %n' --); }
sb_nuls() {
if command -v tr >/dev/null 2>&1; then tr '\n' '\0'
else while IFS= read -r sb_e; do printf '%s\0' "$sb_e"; done
fi
}
# TREE SNAPSHOT
sb_changes() {
sb_in "$1/."
case $? in 1) return 1;; 2) sb_emit 'changes -'; return 0;; esac
sb_snapped "$2"
case $? in 1) return 1;; 2) sb_emit 'changes -'; return 0;; esac
case $(sed -n '$p' <"$2") in -0) ;; *) sb_no mismatch "$2 is torn"; return 1;; esac
# What lies below what is no directory any more is not there, whatever a link in its place leads to.
sb_d=$1 sb_z=$sb_nl
sb_each_line sb_replaced "$(sed -n 's|^4[0-9a-f]* [0-9].* \.//\./||p' <"$2")"
# What could not be looked at, and then the lines that stand only in the snapshot or only in what is there.
sb_v=$({ sb_paths "$sb_snap" <"$2" | sb_stat "$1" 2>&3 | sort - "$2" | uniq -u; } 3>&1)
sb_k=
sb_each_line sb_unseen "$sb_v"
case $sb_nl$sb_v$sb_nl in *"$sb_nl-0$sb_nl"*) ;; *) sb_k=${sb_k:-$1 cannot be compared};; esac
case $sb_k in ?*) sb_no - "$sb_k"; return 1;; esac
case $sb_v in -0) sb_emit 'changes ok'; return 0;; esac
sb_l=$(sb_lined "$sb_v" | sort - "$2" | uniq -d)
sb_b=$(sb_lined "$sb_l" | od -An -v -tx1)
sb_hex
for sb_e in "$sb_as_entries" "$sb_as_links" "$sb_as_sums"; do
sb_b=$({ sb_lined "$sb_l" | sb_paths "$sb_snap" | sb_nuls | (cd -P -- "$1" && eval "$sb_e") 2>/dev/null; echo 0; } | od -An -v -tx1)
sb_hex
done
sb_emit changes
}
sb_snap='s|^[0-9a-f]* [0-9].* \.//\./|.//./|p'
sb_as_entries="xargs -0 stat -c '%f %u %s %n' --"
sb_as_links="xargs -0 sh -c 'QUOTING_STYLE=literal find \"\$@\" -maxdepth 0 -type l -exec stat -c %N {} +' sh"
sb_as_sums="xargs -0 sh -c 'find \"\$@\" -maxdepth 0 -type f -exec sha256sum -- {} +' sh"
sb_replaced() { if [ -h "$sb_d/$sb_e" ] || { [ -e "$sb_d/$sb_e" ] && ! [ -d "$sb_d/$sb_e" ]; }; then sb_z=$sb_z$sb_e$sb_nl; fi; }
sb_unseen() {
case $sb_e in
-0 | [0-9a-f][0-9a-f][0-9a-f][0-9a-f]' '* | *': No such file or directory' | *': Not a directory') ;;
*) sb_k=$sb_e;;
esac
}
sb_mark() {
sb_self
sb_write "${sb_private-177}" '' "$1" "$sb_v$sb_nl"
}
sb_check() {
sb_in "$1"
case $? in 1) return 1;; 2) sb_emit 'process unknown'; return 0;; esac
sb_liveness "$1"
sb_emit "process $sb_k"
}
# PATH: who uses what stands in it. The processes of others can only be seen by root.
sb_users() {
sb_in "$1/."
case $? in 1) return 1;; 2) sb_emit 'users all ='; return 0;; esac
sb_o=$PWD sb_k=all sb_v= sb_m= sb_z= sb_w= sb_b=
case $1 in .) ;; *) sb_o=$PWD/${1#./};; esac
if [ -d "$1" ]; then
sb_m=$(set +f; ls -ld /proc/[0-9]*/cwd /proc/[0-9]*/root /proc/[0-9]*/exe 2>/dev/null)
sb_z=$(set +f; grep -F -e " $sb_o/" /dev/null /proc/[0-9]*/maps 2>/dev/null)
# The mode of each link tells whether the file is open for writing.
sb_w=$(set +f; ls -l /proc/[0-9]*/fd 2>/dev/null | grep -F -e "-> $sb_o/" -e /fd:)
sb_on_device
fi
# Without either, nothing was seen; a path with a line break cannot be found in lines.
command -v grep >/dev/null 2>&1 || sb_k=some
case $sb_m in '') sb_k=some;; esac
case $sb_o in *"$sb_nl"*) sb_k=some;; esac
[ -d /proc/1 ] || sb_k=some
IFS=$sb_nl
for sb_e in $sb_m; do
case $sb_e in
*" /proc/"*" -> $sb_o/"*) sb_a=${sb_e#*" /proc/"}; sb_used;;
*/cwd) sb_k=some;;
esac
done
for sb_e in $sb_z; do
case $sb_e in /proc/*" $sb_o/"*) sb_a=${sb_e#/proc/}; sb_used;; esac
done
sb_a=
for sb_e in $sb_w; do
case $sb_e in
/proc/*/fd:) sb_a=${sb_e#/proc/};;
l?w*" -> $sb_o/"*) sb_e=" ${sb_e#*" -> "}"; sb_used;;
esac
done
for sb_e in $sb_b; do sb_a=${sb_e#/proc/} sb_e=${sb_e#*:}; sb_mounted; done
IFS=' 	
'
sb_tok "$sb_v"
sb_emit "users $sb_k"
}
sb_used() {
sb_e=${sb_e#*" $sb_o/"}
sb_e=${sb_e%%/*}
case $sb_v in *"/$sb_e/"* | "$sb_e/"*) ;; *) case $sb_e in ?*) sb_v=$sb_v$sb_e/${sb_a%%/*}/;; esac;; esac
}
# bash takes an empty "${x%/}" in a pattern for nothing at all, so it gets a name of its own.
# What the filesystem calls $sb_o, with blanks as they stand in such lists, in $sb_g; its device in $sb_h; and in $sb_b what
# any process sees mounted of it, or below it.
sb_on_device() {
sb_escape "$sb_o"
sb_path=$sb_e sb_h= sb_g= sb_q=
case $sb_o in *["\\	$sb_nl"]*) sb_k=some; return 0;; esac
while read -r sb_f sb_f sb_a sb_l sb_p sb_f; do
sb_d=${sb_p%/}
case $sb_path/ in "$sb_d"/*)
if [ "${#sb_p}" -ge "${#sb_q}" ]; then sb_q=$sb_p sb_h=$sb_a sb_g=${sb_l%/}${sb_path#"$sb_d"}; fi;;
esac
done 2>/dev/null </proc/self/mountinfo
case $sb_h in '') sb_k=some; return 0;; esac
sb_b=$(set +f; grep -F -e " $sb_g/" -e " $sb_path/" /dev/null /proc/[0-9]*/mountinfo 2>/dev/null)
}
# TEXT: with blanks as a list of mounts has them, in $sb_e.
sb_escape() {
sb_e= sb_f=$1
while :; do
case $sb_f in
*' '*) sb_e=$sb_e${sb_f%%' '*}'\040' sb_f=${sb_f#*' '};;
*) sb_e=$sb_e$sb_f; return 0;;
esac
done
}
# The line of a mount: what is mounted is of the directory, or where it is mounted lies in it.
sb_mounted() {
sb_e=${sb_e#* }
sb_e=${sb_e#* }
sb_d=${sb_e%%' '*} sb_e=${sb_e#* }
sb_l=${sb_e%%' '*} sb_e=${sb_e#* }
sb_p=${sb_e%%' '*}
case $sb_d:$sb_l in "$sb_h:$sb_g"/*) sb_e=" $sb_o${sb_l#"$sb_g"}"; sb_used;; esac
case $sb_p in "$sb_path"/*) sb_e=" $sb_o${sb_p#"$sb_path"}"; sb_used;; esac
}
# PATH...: whose the directories are from / down to here, and each of these.
sb_way() {
sb_a=$PWD sb_v= sb_b=/
for sb_e; do
shift
case $sb_e in "$sb_b"/*) sb_v=${sb_v}n; continue;; esac
if [ -d "$sb_e" ] && ! [ -h "$sb_e" ]; then set -- "$@" "$sb_e"; sb_v=${sb_v}y; else sb_v=${sb_v}n sb_b=$sb_e; fi
done
sb_up "$@" || return
sb_tok "$sb_a"
sb_tok "$sb_v"
sb_raw "$sb_m"
sb_emit way
}
# The deepest directory stands last on the way up, so the way is put together from its end.
sb_up() {
while :; do
set -- "$sb_a" "$@"
case $sb_a in /) break;; esac
sb_a=${sb_a%/*}
sb_a=${sb_a:-/}
done
sb_a=$PWD
sb_m=$(stat -c "$sb_s" -- "$@" 2>&1) || { sb_no - "$sb_m"; return 1; }
}
# NAME BELOW PATH...: its id, whether it is ours, who of the owners of these and of what stands in BELOW is in it, and whose each
# of these is. Directory services are asked where they can be.
sb_group() {
sb_q=$1 sb_d=$2
shift 2
sb_z=$({ getent group "$sb_q" || cat /etc/group; } 2>/dev/null | while IFS=: read -r sb_a sb_b sb_e sb_v; do
case $sb_a in "$sb_q") sb_say "$sb_e"; break;; esac
done)
case $sb_z in '' | *[!0-9]*) sb_emit 'group -'; return 0;; esac
sb_o=0 sb_m= sb_k=
case " $(id -u) $(id -G) " in ' 0 '* | *" $sb_z "*) sb_o=1;; esac
for sb_e; do
sb_a=
if [ -d "$sb_e" ] && ! [ -h "$sb_e" ]; then sb_a=$(stat -c '%u,%g,%f %u:%U' -- "$sb_e" 2>/dev/null); fi
case $sb_a in ?*) sb_k="$sb_k ${sb_a#* }" sb_a=${sb_a%% *};; *) sb_a=-;; esac
sb_m=$sb_m$sb_a/
done
if [ -d "$sb_d" ] && ! [ -h "$sb_d" ]; then sb_k="$sb_k $(set +f; stat -c %u:%U -- "$sb_d"/* 2>/dev/null)"; fi
sb_v= sb_a=/
for sb_e in $sb_k; do
case $sb_a in *"/${sb_e%%:*}/"*) continue;; esac
sb_a=$sb_a${sb_e%%:*}/
case " $(id -G "${sb_e#*:}" 2>/dev/null) " in *" $sb_z "*) sb_v=$sb_v${sb_e%%:*}/;; esac
done
sb_tok "$sb_v"
sb_tok "$sb_m"
sb_emit "group $sb_z $sb_o"
}
# REACH GROUP PATH: i for itself, d for the directories in it too, a for its files as well; of those, ours.
sb_give() {
sb_into "$3/." || return
sb_o=
case $1 in
d) ;;
*) case $(stat -c '%G %a' -- "$3") in "$2 "*) ;; *[2367][0145]) sb_no denied "$3: another group may write to it"; return 1;; esac;;
esac
case $1 in
i) sb_m=$(sb_given "$2" "$3" 2>&1);;
*) sb_u=$(id -u)
case $sb_u in 0) sb_u=;; *) sb_u="-user $sb_u";; esac
sb_m=$(find "$3" $sb_u -type d '(' ! -group "$2" -o ! -perm -2070 ')' -exec chgrp "$2" {} + -exec chmod g+rwxs {} + 2>&1 &&
case $1 in a) find "$3" $sb_u -type f '(' ! -group "$2" -o ! -perm -060 ')' -exec chgrp "$2" {} + -exec chmod g+rw {} + 2>&1;; esac);;
esac || { sb_no - "$sb_m"; return 1; }
sb_emit done
}
sb_given() {
case $(stat -c '%G %a' -- "$2") in "$1 "[23]?7?) return 0;; esac
chgrp "$1" "$2" && chmod g+rwxs "$2"
}
sb_absent() {
sb_in "$1"
case $? in 1) return 1;; 2) sb_emit done; return 0;; esac
if sb_there "$1"; then sb_no exists "$1: File exists"; else sb_emit done; fi
}
# What is mounted stands in the fifth column, with blanks and backslashes in octal: for a path with one of those, and where
# there is no such list, the devices are compared.
sb_unmounted() {
sb_in "$1"
case $? in 1) return 1;; 2) sb_emit done; return 0;; esac
sb_there "$1" || { sb_emit done; return 0; }
sb_o=$PWD sb_z= sb_m=
case $1 in .) ;; *) sb_o=$PWD/${1#./} sb_z=$(stat -c %d "${1%/*}");; esac
case $sb_o in *["\\ 	$sb_nl"]*) ;; *) sb_m=$(cat /proc/self/mountinfo 2>/dev/null);; esac
case $sb_m in
'') sb_m=$(find "$1" -type d -exec stat -c %d {} + 2>&1) || { sb_no - "$sb_m"; return 1; }
for sb_e in $sb_m; do case $sb_z in '' | "$sb_e") sb_z=$sb_e;; *) sb_no cross-device "$1: something is mounted there"; return 1;; esac; done
sb_emit done;;
*" $sb_o "* | *" $sb_o/"*) sb_no cross-device "$1: something is mounted there, which is not ours";;
*) sb_emit done;;
esac
}
sb_directory() {
sb_into "$1" || return
if [ -h "$1" ]; then sb_no wrong-type "$1 is a link"
elif [ -d "$1" ]; then sb_emit done
elif [ -e "$1" ]; then sb_no wrong-type "$1: Not a directory"
else sb_no missing "$1: No such file or directory"
fi
}
# DIRECTORY: whether names can be made in it, told without making one. Where `[` only looks at the mode, rmdir(2) knows a
# read-only filesystem: the kernel asks for the right to write before it looks the name up. What lies beside a directory that is
# known to be on a writable filesystem is on it too, but in the root, where others may have mounted something.
sb_writable() {
sb_into "$1" || return
if [ -h "$1" ]; then sb_no wrong-type "$1 is a link"; return 1; fi
if ! [ -e "$1" ]; then sb_no missing "$1: No such file or directory"; return 1; fi
if ! [ -d "$1" ]; then sb_no wrong-type "$1: Not a directory"; return 1; fi
case ${1%/*} in "$sb_rw") ;; *)
sb_m=$(rmdir -- "$1/.switchback-$sb_nonce" 2>&1)
case $sb_m in *'Read-only file system'*) sb_no - "$1: Read-only file system"; return 1;; esac
case $1 in ./*/*) sb_rw=${1%/*};; esac
;; esac
if [ -w "$1" ] && [ -x "$1" ]; then sb_emit done; else sb_no denied "$1: Permission denied"; fi
}
sb_is() {
sb_in "$1"
case $? in 1) return 1;; 2) sb_no mismatch "$1 is not there"; return 1;; esac
if [ -h "$1" ]; then
sb_text "$1" || { sb_no - "$sb_v"; return 1; }
if [ "x$sb_v" = "x$2" ]; then sb_emit done; else sb_no mismatch "$1 leads to $sb_v"; fi
elif [ -d "$1" ]; then sb_no mismatch "$1 is a directory"
elif [ -e "$1" ]; then sb_no mismatch "$1 is no link"
else sb_no mismatch "$1 is not there"
fi
}
# MODE FINE PATH
sb_mkdir() {
sb_into "$3" || return
if [ "$2" = y ] && [ -d "$3" ] && ! [ -h "$3" ]; then sb_emit done; return 0; fi
if sb_there "$3"; then sb_no exists "$3: File exists"; return 1; fi
sb_m=$(sb_mkdir_in "${3%/*}" "$1" "./${3##*/}" 2>&1) && { sb_made "$3"; sb_emit done; return 0; }
sb_alive $? "$sb_m"
if [ "$2" = y ] && [ -d "$3" ] && ! [ -h "$3" ]; then sb_emit done; else sb_no - "$3: ${sb_m##*: }"; fi
}
# PARENT MODE NAME: makes a directory in PARENT, and nowhere else if a link replaces PARENT meanwhile. Runs in a subshell.
sb_mkdir_in() {
sb_hold "$1" && mkdir -m "$2" -- "$3" || return
sb_setgid "$2" "$3" || sb_anew "$2" "$3"
}
# MODE DIRECTORY: gives it the setgid bit of its mode, or of the one it stands in, which some mkdir -m clear. Whoever is not in the
# group cannot set it.
sb_setgid() {
case $1 in [2367]???) ;; *) [ -g "${2%/*}" ] || return 0;; esac
[ -g "$2" ] || { chmod g+s "$2" 2>/dev/null; [ -g "$2" ]; }
}
# MODE DIRECTORY: makes it once more, with a mode that no chmod sets.
sb_anew() {
rmdir -- "$2" && (case $1 in 755) umask 022;; *) umask 077;; esac; mkdir -- "$2") 2>/dev/null || mkdir -m "$1" -- "$2" 2>/dev/null
}
# MODE PATH... ; none is there, and each stands in the one before it.
sb_mkdirs() {
sb_o=$1
shift
sb_into "$1" || return
if sb_there "$1"; then sb_no exists "$1: File exists"; return 1; fi
sb_m=$(mkdir -m "$sb_o" -- "$@" 2>&1) && {
for sb_e; do sb_setgid "$sb_o" "$sb_e"; sb_made "$sb_e"; sb_emit done; sb_i=$((sb_i + 1)); done
return 0
}
sb_alive $? "$sb_m"
while [ $# -gt 1 ] && [ -d "$1" ]; do sb_emit done; sb_i=$((sb_i + 1)); shift; done
sb_no - "$sb_m"
}
# TEXT PATH
sb_link() {
sb_into "$2" || return
if sb_there "$2"; then sb_no exists "$2: File exists"; return 1; fi
sb_m=$(ln -s -- "$1" "$2" 2>&1) || { sb_no - "$sb_m"; return 1; }
sb_emit done
}
sb_pieces() {
sb_begun=y
for sb_e; do sb_put "$sb_e" || return; done
}
# UMASK MODE PATH PIECE... ; MODE is empty when the umask gives it.
sb_write() {
sb_into "$3" || return
if sb_there "$3"; then sb_no exists "$3: File exists"; return 1; fi
sb_a=$1 sb_o=$2 sb_f=$3 sb_begun=
shift 3
umask "$sb_a"
set -C
{ sb_pieces "$@" >"$sb_f"; } 2>/dev/null
sb_m=$?
set +C
case $sb_m in
0) ;;
*) case $sb_begun in
'') sb_m=$({ set -C; : | sb_pieces "$@" >"$sb_f"; } 2>&1);;
*) sb_m=$(sb_pieces "$@" 2>/dev/null | cat 2>&1 >>"$sb_f"); rm -f -- "$sb_f";;
esac
umask 022
sb_no - "${sb_m:-$sb_f cannot be written}"
return 1;;
esac
umask 022
case $sb_o in ?*) sb_m=$(chmod "$sb_o" "$sb_f" 2>&1) || { sb_no - "$sb_m"; rm -f -- "$sb_f"; return 1; };; esac
sb_emit done
}
# PATH PIECE...
sb_append() {
sb_into "$1" || return
sb_f=$1
shift
if [ -h "$sb_f" ] || { [ -e "$sb_f" ] && ! [ -f "$sb_f" ]; }; then sb_no wrong-type "$sb_f is no regular file"; return 1; fi
umask "${sb_private-177}"
if { sb_pieces "$@" >>"$sb_f"; } 2>/dev/null; then umask 022; sb_emit done; return 0; fi
sb_m=$({ : >>"$sb_f"; } 2>&1)
umask 022
sb_no - "${sb_m:-$sb_f cannot be written}"
}
# $sb_same: directories on the filesystem of the root that are no mounts. What is made in one is another.
sb_made() {
case $sb_same in *"//${1%/*}//"*) sb_same=$sb_same$1//;; esac
case $1 in ./*/*/*/*) ;; ./*/*/*) sb_rw=${1%/*/*};; esac
}
sb_known() { case $sb_same in *"//$1//"*) case $sb_same in *"//$2//"*) return 0;; esac;; esac; return 1; }
# A rename across a mount is found before mv would begin to copy. One stat looks at all that the batch moves between.
sb_alike() {
[ "$1" = "$2" ] && return 0
sb_known "$1" "$2" && return 0
switchback_places "$1" "$2"
sb_known "$1" "$2" && return 0
sb_m=$(stat -c '%d %m' -- "$1" "$2" 2>&1) || { sb_no - "$sb_m"; return 1; }
[ "${sb_m%%"$sb_nl"*}" = "${sb_m#*"$sb_nl"}" ] || { sb_no cross-device "$1 and $2 are on different filesystems"; return 1; }
}
sb_places() {
for sb_e; do
shift
if [ -d "$sb_e" ] && ! [ -h "$sb_e" ] && ! sb_known . "$sb_e"; then set -- "$@" "$sb_e"; fi
done
sb_m=$(stat -c '%d %m' -- . "$@" 2>/dev/null) || return 0
sb_n=$#
sb_by_line "$sb_m" sb_nearby "$@"
}
sb_nearby() {
[ $# -eq $((sb_n * 2 + 1)) ] || return 0
sb_a=$1
shift
while [ $# -gt "$sb_n" ]; do
eval "sb_e=\${$((sb_n + 1))}"
case $1 in "$sb_a") sb_same=$sb_same$sb_e//;; esac
shift
done
}
# FROM TO: a directory that was moved takes along what it holds.
sb_moved() {
sb_b=$sb_same
while :; do
case $sb_b in *//*) ;; *) return 0;; esac
sb_e=${sb_b%%//*} sb_b=${sb_b#*//}
case $sb_e in "$1" | "$1"/*) sb_same=$sb_same$2${sb_e#"$1"}//;; esac
done
}
# FUNCTION FROM TO DIRECTORY: moves into it by a function that is given an option first. Whether mv knows --no-copy is
# tried once.
sb_moves() {
case ${sb_copies-?} in y) ;; *)
sb_m=$($1 --no-copy "$2" "$3" 2>&1) && { sb_copies=n; return 0; }
sb_alive $? "$sb_m"
case ${sb_copies-?}$sb_m in '?'*option*no-copy*) sb_copies=y;; *) sb_no - "$sb_m"; return 1;; esac;;
esac
sb_alike "${2%/*}" "$4" || return
sb_m=$($1 '' "$2" "$3" 2>&1) || { sb_no - "$sb_m"; return 1; }
}
# Both run in a process of their own.
# Moves from inside the source's directory: somebody may replace that with a link meanwhile.
sb_mv_name() { sb_back "${2%/*}"; sb_hold "${2%/*}" && exec mv -f $1 -- "./${2##*/}" "$sb_z$3"; }
sb_mv_into() {
case $sb_h in
-) exec mv -f $1 -- "$2" "$3/";;
f) sb_back "${2%/*}"; sb_hold "${2%/*}" && exec mv -f $1 -- "./${2##*/}" "$sb_z$3/";;
*) sb_back "$3"; sb_hold "$3" && exec mv -f $1 -- "$sb_z$2" ./;;
esac
}
# HELD FROM INTO
sb_move() {
sb_h=$1
shift
sb_into "$1" && sb_into "$2/." || return
sb_there "$1" || { sb_no missing "$1: No such file or directory"; return 1; }
sb_o=$2/${1##*/}
case $sb_o in "$1") sb_emit done; return 0;; esac
if [ -d "$1" ] && ! [ -h "$1" ]; then
if sb_there "$sb_o" && { [ -h "$sb_o" ] || ! [ -d "$sb_o" ]; }; then sb_no wrong-type "$sb_o: Not a directory"; return 1; fi
elif [ -d "$sb_o" ] && ! [ -h "$sb_o" ]; then sb_no wrong-type "$sb_o: Is a directory"; return 1
fi
sb_moves sb_mv_into "$1" "$2" "$2" || return
if [ -d "$sb_o" ] && ! [ -h "$sb_o" ]; then sb_moved "$1" "$sb_o"; fi
sb_emit done
}
# FROM TO ; nothing is replaced.
sb_rename() {
case $1 in . | ./ | ./.) sb_no - "the root itself is never renamed"; return 1;; esac
sb_into "$1" && sb_into "$2" || return
sb_there "$1" || { sb_no missing "$1: No such file or directory"; return 1; }
if sb_there "$2"; then sb_no exists "$2: File exists"; return 1; fi
case $2/ in "$1"/*) sb_no - "$2 lies in $1"; return 1;; esac
sb_moves sb_mv_name "$1" "$2" "${2%/*}" || return
if [ -d "$2" ] && ! [ -h "$2" ]; then sb_moved "$1" "$2"; fi
sb_emit done
}
# No utility that every host has can do it.
sb_exchange() {
sb_into "$1" && sb_into "$2" || return
for sb_e; do sb_there "$sb_e" || { sb_no missing "$sb_e: No such file or directory"; return 1; }; done
sb_no - "$1 and $2: no utility here exchanges two names"
}
# The way back to the root from a directory in it.
sb_back() {
sb_z= sb_rest=${1#./}/
case $1 in .) return 0;; esac
while :; do
case $sb_rest in */*) sb_z=../$sb_z sb_rest=${sb_rest#*/};; *) return 0;; esac
done
}
# Goes into a directory that no link leads to: it stays this one, whatever others put in its place.
sb_hold() {
sb_a=$PWD/${1#./}
case $1 in .) return 0;; esac
cd -P -- "$1" 2>&1 || return
case $PWD in "$sb_a") ;; *) echo "$1 is a link, which is not followed: Not a directory"; return 1;; esac
}
sb_rmfile() {
sb_in "$1"
case $? in 1) return 1;; 2) sb_emit done; return 0;; esac
if sb_there "$1"; then
if [ -d "$1" ] && ! [ -h "$1" ]; then sb_no wrong-type "$1: Is a directory"; return 1; fi
case $sb_how in
d) sb_want - "$1";;
*) sb_m=$(rm -f -- "$1" 2>&1) || { sb_no - "$sb_m"; return 1; };;
esac
fi
sb_emit done
}
sb_rmdir() {
sb_in "$1"
case $? in 1) return 1;; 2) sb_emit done; return 0;; esac
if sb_there "$1"; then
if [ -h "$1" ] || ! [ -d "$1" ]; then sb_no wrong-type "$1: Not a directory"; return 1; fi
sb_m=$(rmdir -- "$1" 2>&1) || { sb_no - "$sb_m"; return 1; }
fi
sb_emit done
}
# A directory that its owner may not write into is opened up first, but only when it must be.
sb_rmtree() {
# The root itself is never removed, whatever the host's rm makes of it: toybox empties it.
case $1 in . | ./ | ./.) sb_no wrong-type "the root itself is never removed"; return 1;; esac
sb_in "$1"
case $? in 1) return 1;; 2) sb_emit done; return 0;; esac
case $sb_how in d) if sb_there "$1"; then sb_want - "$1"; fi; sb_emit done; return 0;; esac
if sb_there "$1" && ! sb_m=$(rm -rf -- "$1" 2>&1); then
if [ -d "$1" ] && ! [ -h "$1" ]; then find "$1" -type d -exec chmod u+rwx {} ';' >/dev/null 2>&1; fi
sb_m=$(rm -rf -- "$1" 2>&1) || { sb_no - "$sb_m"; return 1; }
fi
sb_emit done
}
# REACH PATH... ; a sync that takes no paths ignores them and syncs everything, but it may refuse -f.
sb_sync() {
case $1${sb_fancy-} in f) case $(sync --help 2>&1) in *' -f,'* | *'[-df]'*) sb_fancy=y;; *) sb_fancy=n;; esac;; esac
sb_k=$1
shift
for sb_f; do
sb_into "$sb_f" || return
if [ -h "$sb_f" ]; then sb_no wrong-type "$sb_f is a link"; return 1; fi
[ -e "$sb_f" ] || { sb_no missing "$sb_f: No such file or directory"; return 1; }
done
case $#$sb_k${sb_fancy-} in
0*) ;;
*e*) sb_m=$(sync -- "$@" 2>&1);;
*fy) sb_m=$(sync -f -- "$@" 2>&1);;
*) sb_m=$(sync 2>&1);;
esac || { sb_no - "$sb_m"; return 1; }
sb_emit done
}
