# INTO MARKER HOW PART BASE LIST...: unpacks the stream on standard input; HOW it is compressed, or plain; PART is first or second where there are two; BASE has what was not sent, or is empty. The last entry is the marker: it proves that all of it came.
sb_receive() {
sb_i=0
sb_reach "$1/." || return
sb_d=$1 sb_f=./$2 sb_how=$3 sb_part=$4 sb_o=$PWD sb_base=$5 sb_why=-
shift 5
sb_can_copy || return
case $sb_part in second) ;; *) sb_glob sb_empty || { sb_fail exists "$sb_d: Directory not empty"; return 1; };; esac
for sb_e; do
sb_reach "$sb_e" || return
if sb_exists "$sb_e"; then sb_fail exists "$sb_e: File exists"; return 1; fi
done
cd -P -- "$sb_d" 2>/dev/null || { sb_fail denied "$sb_d: Permission denied"; return 1; }
sb_p=-p
if [ -g . ]; then sb_may_set_group || sb_p=; fi
case $sb_part in -) ;; *) sb_say "${sb_frame}0 begun";; esac
sb_m=$(sb_unpack 4>&1 | tail -c 1500)
# Silence is a failure too: whoever was to say how it ended was killed.
sb_bad=${sb_m:-the unpacking was killed}
if [ -f "$sb_f" ] && ! [ -h "$sb_f" ]; then
# Written by ourselves, and whole: tar says so. It shuts the directories that only now may be shut.
if sb_whole; then sb_bad=; sb_inherit; . "$sb_f"; sb_lists "$@"; fi
rm -f -- "$sb_f"
fi
case $sb_bad in '') sb_reply done; return 0;; esac
sb_fail $sb_why "$sb_bad"
}
# Unpacks, and says on 4 how that went. How the decompressor ended is said last, whatever tar prints meanwhile.
sb_unpack() {
case $sb_how in
plain) sb_untar >&4;;
*)
sb_q=$({ { "sb_$sb_how" 2>&4; echo "$?" >&3; } | sb_untar >&4; } 3>&1)
echo "$sb_how ended with ${sb_q:-nothing said}" >&4;;
esac
}
sb_zstd() { zstd -d -c -q; }
sb_gzip() { if command -v gzip >/dev/null 2>&1; then gzip -d -c; else gunzip -c; fi; }
# With -p the modes are those of the stream, but toybox keeps to the umask all the same for a user who is not root. What
# lies here is in a private directory until it is published. What is left when tar has all is read, so that nobody who
# writes it fails.
sb_untar() {
umask 0
tar -x $sb_p -o -f - 2>&1
sb_q=$?
case $sb_how,$sb_q in plain,*) ;; *,0) cat >/dev/null;; esac
echo "tar ended with $sb_q"
}
# Whether chmod can set a setgid bit here. It clears that of a directory whose group its user is not in, and then nobody but the
# group can set it again: tar must not change modes there.
sb_may_set_group() {
mkdir -- "$sb_f-group" 2>/dev/null && chmod 2700 "$sb_f-group" 2>/dev/null
[ -g "$sb_f-group" ]
set -- $?
rmdir -- "$sb_f-group" 2>/dev/null
return $1
}
# What lies in a setgid directory has its group, and its directories have the bit too. Some tar clear that bit, and then make
# files of another group.
sb_inherit() {
[ -g . ] && case $sb_p in '') false;; esac || return 0
sb_q=$(stat -c %g .) && find . -type d ! -perm -2000 -exec chmod g+s {} + 2>/dev/null &&
find . ! -type l ! -group "$sb_q" -exec chgrp "$sb_q" {} + 2>/dev/null ||
sb_bad="the group of $sb_d could not be given to what it holds"
}
sb_whole() {
case $sb_how in
plain) case $sb_m in *'tar ended with 0') return 0;; esac;;
*) case $sb_m in *"tar ended with 0$sb_nl$sb_how ended with 0") return 0;; esac;;
esac
return 1
}
# Whether what was not sent can be copied here. What is wanting must not be found when all has been sent.
sb_can_copy() {
case $sb_base in '') return 0;; esac
for sb_e in cmp cut find sed sha256sum wc xargs; do
command -v "$sb_e" >/dev/null 2>&1 || { sb_fail mismatch "nothing can be copied without $sb_e"; return 1; }
done
if [ -h "$sb_base" ] || ! [ -d "$sb_base" ]; then sb_fail mismatch "$sb_base: Not a directory"; return 1; fi
}
sb_differs() { sb_why=mismatch sb_bad="$sb_base: $1"; }
# INDEX LIST...: makes lists of those that the base has, line by line, by the edits that came, and holds them against what they
# must be.
sb_edit() {
sb_k=
for sb_e; do
case $sb_k in
'') sb_k=$sb_e;;
*) sb_edited "$sb_k" "$sb_o/$sb_e" & sb_k=;;
esac
done
wait
if sb_named "$sb_f-digests" && sb_holds "$sb_f-digests"; then sb_forget "$sb_f-digests"; return; fi
sb_differs 'its lists are not what they were, or cannot be read'
}
sb_edited() {
if [ -f "$2" ] && ! [ -h "$2" ] && (umask 077 && sed -n -f "$sb_f-$1-edit" <"$2" >"$sb_f-$1") 2>/dev/null; then rm -f -- "$sb_f-$1-edit"; fi
}
# SUMS: writes beside it the names that it lists, in lines and with zero bytes.
sb_named() { cut -b 67- <"$1" >"$1-lines" && sb_zeros <"$1-lines" >"$1-names"; }
# SUMS...: removes them, with what was written beside them.
sb_forget() {
for sb_e; do
shift
set -- "$@" "$sb_e" "$sb_e-lines" "$sb_e-names"
done
rm -f -- "$@"
}
# SUMS: takes what is copied from among the digests of all files.
sb_kept() {
case $sb_bad in '') sed -n -f "$sb_f-skip" <"$sb_f-$1" >"$sb_f-copied" 2>/dev/null && rm -f -- "$sb_f-skip";; esac
}
# FIRST: copies the files, and holds them against their digests, in two parts at once where FIRST says how many the first one has.
# Only what is a file of its own is read: anything else may lead elsewhere or never end.
sb_copy() {
case $sb_bad in ?*) return;; esac
sb_m=$(sb_odd)
if sb_parts "${1-}" && sb_both sb_bring && [ "$(sb_odd)" = "$sb_m" ] && sb_both sb_holds; then
sb_forget "$sb_f-copied" "$sb_f-copied-1" "$sb_f-copied-2"
else
sb_differs 'does not hold what it did'
fi
}
sb_parts() {
sb_k=$1
case $sb_k in '') return;; esac
sed "${sb_k}q" <"$sb_f-copied" >"$sb_f-copied-1" && sed "1,${sb_k}d" <"$sb_f-copied" >"$sb_f-copied-2"
}
# FUNCTION: whether it succeeds for all parts.
sb_both() {
case $sb_k in '') "$1" "$sb_f-copied"; return;; esac
"$1" "$sb_f-copied-1" &
sb_p=$!
"$1" "$sb_f-copied-2"
sb_q=$?
wait "$sb_p" && [ "$sb_q" -eq 0 ]
}
# SUMS: whether the copies have the digests that they must have. openssl uses what a processor has for that; the sha256sum of many a
# system does not, and takes eight times as long. What openssl does not confirm, sha256sum decides.
sb_holds() {
if command -v openssl >/dev/null 2>&1 &&
xargs -0 openssl dgst -sha256 -r <"$1-names" 2>/dev/null | sed 's/^\(.\{64\}\) \*/\1  /' | cmp -s - "$1"; then return; fi
xargs -0 sha256sum <"$1-names" 2>/dev/null | cmp -s - "$1"
}
# MODE LISTING: gives the files of this mode that mode; they stand in a listing, or came by name.
sb_modes() {
case $sb_bad in ?*) return;; esac
case $2 in ?*) sed -n "s/^f $1 [0-9]* //p" <"$sb_f-$2" >"$sb_f-mode-$1" 2>/dev/null;; esac
if sb_zeros <"$sb_f-mode-$1" | xargs -0 chmod "$1" 2>/dev/null; then rm -f -- "$sb_f-mode-$1"; return; fi
sb_differs 'not all of it could be copied'
}
# Lines with a zero byte for each end, which a shell has to make where there is no tr.
sb_zeros() { tr '\n' '\0' 2>/dev/null || while IFS= read -r sb_e; do printf '%s\0' "$sb_e" || return; done; }
# How much there is that is neither a directory nor a file with one name.
sb_odd() { find . ! -type d ! \( -type f -links 1 \) 2>/dev/null | wc -c; }
# SUMS: copies what it lists with its modification time, by sharing blocks where cp and the filesystem can, else with tar. Never
# by hard links, and nothing else of what a file is: a cp -p takes along owners and access lists.
sb_bring() (
sb_named "$1" && IFS= read -r sb_e <"$1-lines" || exit
sb_d=$PWD sb_n=$PWD/$1
cd -P -- "$sb_o/$sb_base" 2>/dev/null || exit
xargs -0 cp -R -P --parents --preserve=timestamps --reflink=auto -t "$sb_d" <"$sb_n-names" 2>/dev/null && exit
# A cp that brought the first knows how; what it did not bring is not there.
sb_exists "$sb_d/$sb_e" && exit 1
xargs -0 sh -c 'tar -c -f - "$@" | { cd -P -- "$0" && tar -x -p -o -f -; }' "$sb_d" <"$sb_n-names" 2>/dev/null
)
# Moves the lists that came along to their places.
sb_lists() {
sb_k=0
for sb_e; do
sb_m=$(mv -f -- "$sb_f-$sb_k" "$sb_o/${sb_e#./}" 2>&1) || sb_bad=$sb_bad$sb_m$sb_nl
sb_k=$((sb_k + 1))
done
}
sb_empty() { [ $# -eq 0 ]; }
sb_mode() {
sb_m=$(chmod "$1" "$2" 2>&1 && if [ -g . ]; then chmod g+s "$2" 2>&1; fi) || sb_bad=$sb_bad$sb_m$sb_nl
}
