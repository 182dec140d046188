# INTO MARKER HOW BASE LIST...: unpacks the stream on standard input; HOW it is compressed, or plain; BASE has what was not sent, or is empty. The last entry is the marker: it proves that all of it came.
sb_receive() {
sb_i=0
sb_into "$1/." || return
sb_d=$1 sb_f=$2 sb_how=$3 sb_o=$PWD sb_base=$4 sb_why=-
shift 4
sb_can_copy || return
sb_glob sb_empty || { sb_no exists "$sb_d: Directory not empty"; return 1; }
for sb_e; do
sb_into "$sb_e" || return
if sb_there "$sb_e"; then sb_no exists "$sb_e: File exists"; return 1; fi
done
cd -P -- "$sb_d" 2>/dev/null || { sb_no denied "$sb_d: Permission denied"; return 1; }
sb_m=$(sb_unpack 4>&1 | tail -c 1500)
# Silence is a failure too: whoever was to say how it ended was killed.
sb_bad=${sb_m:-the unpacking was killed}
if [ -f "./$sb_f" ] && ! [ -h "./$sb_f" ]; then
# Written by ourselves, and whole: tar says so. It shuts the directories that only now may be shut.
if sb_whole; then sb_bad=; . "./$sb_f"; sb_lists "$@"; fi
rm -f -- "./$sb_f"
fi
case $sb_bad in '') sb_emit done; return 0;; esac
sb_no $sb_why "$sb_bad"
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
tar -x -p -o -f - 2>&1
sb_q=$?
case $sb_how,$sb_q in plain,*) ;; *,0) cat >/dev/null;; esac
echo "tar ended with $sb_q"
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
for sb_e in find sed sha256sum sort uniq wc xargs; do
command -v "$sb_e" >/dev/null 2>&1 || { sb_no mismatch "nothing can be copied without $sb_e"; return 1; }
done
if [ -h "$sb_base" ] || ! [ -d "$sb_base" ]; then sb_no mismatch "$sb_base: Not a directory"; return 1; fi
}
# MODE: copies the files of one mode and holds them against their digests. Only what is a file of its own is read: anything
# else may lead elsewhere or never end.
sb_copy() {
case $sb_bad in ?*) return;; esac
sb_n=$PWD/$sb_f-base-$1
sb_m=$(sb_odd)
if sed 's/^.\{66\}//' <"$sb_n" >"$sb_n-lines" && sb_zeros <"$sb_n-lines" >"$sb_n-names" &&
sb_bring "$PWD" && [ "$(sb_odd)" = "$sb_m" ] &&
[ -z "$(xargs -0 sha256sum <"$sb_n-names" 2>/dev/null | sort - "$sb_n" | uniq -u)" ] &&
xargs -0 chmod "$1" <"$sb_n-names" 2>/dev/null; then
rm -f -- "$sb_n" "$sb_n-lines" "$sb_n-names"
else
sb_why=mismatch sb_bad="$sb_base: does not hold what it did"
fi
}
# Lines with a zero byte for each end, which a shell has to make where there is no tr.
sb_zeros() { tr '\n' '\0' 2>/dev/null || while IFS= read -r sb_e; do printf '%s\0' "$sb_e" || return; done; }
# How much there is that is neither a directory nor a file with one name.
sb_odd() { find . ! -type d ! \( -type f -links 1 \) 2>/dev/null | wc -c; }
# TO: copies by sharing blocks where cp and the filesystem can, else with cp, else with tar. Never by hard links.
sb_bring() (
cd -P -- "$sb_o/$sb_base" 2>/dev/null || exit
xargs -0 cp -R -P --parents --reflink=auto -t "$1" <"$sb_n-names" 2>/dev/null && exit
xargs -0 cp -R -P --parents -t "$1" <"$sb_n-names" 2>/dev/null && exit
tar -c -f - -T "$sb_n-lines" 2>/dev/null | { cd -P -- "$1" && tar -x -p -o -f - 2>/dev/null; }
)
# Moves the lists that came along to their places.
sb_lists() {
sb_k=0
for sb_e; do
sb_m=$(mv -f -- "./$sb_f-$sb_k" "$sb_o/${sb_e#./}" 2>&1) || sb_bad=$sb_bad$sb_m$sb_nl
sb_k=$((sb_k + 1))
done
}
sb_empty() { [ $# -eq 0 ]; }
sb_mode() { sb_m=$(chmod "$1" "$2" 2>&1) || sb_bad=$sb_bad$sb_m$sb_nl; }
