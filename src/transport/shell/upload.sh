# INTO MARKER LIST...: unpacks the stream on standard input. The last entry is the marker: it proves that all of it came.
sb_receive() {
sb_i=0
sb_into "$1/." || return
sb_d=$1 sb_f=$2 sb_o=$PWD
shift 2
sb_glob sb_empty || { sb_no exists "$sb_d: Directory not empty"; return 1; }
for sb_e; do
sb_into "$sb_e" || return
if sb_there "$sb_e"; then sb_no exists "$sb_e: File exists"; return 1; fi
done
cd -P -- "$sb_d" 2>/dev/null || { sb_no denied "$sb_d: Permission denied"; return 1; }
# With -p the modes are those of the stream, but toybox keeps to the umask all the same for a user who is not root. What
# lies here is in a private directory until it is published.
sb_m=$({ umask 0; tar -x -p -o -f - 2>&1; echo "tar ended with $?"; } | tail -c 1500)
# Silence is a failure too: whoever was to say how tar ended was killed.
sb_bad=${sb_m:-the unpacking was killed}
if [ -f "./$sb_f" ] && ! [ -h "./$sb_f" ]; then
# Written by ourselves, and whole: tar says so. It shuts the directories that only now may be shut.
case $sb_m in *'tar ended with 0') sb_bad=; . "./$sb_f"; sb_lists "$@";; esac
rm -f -- "./$sb_f"
fi
case $sb_bad in '') sb_emit done; return 0;; esac
sb_no - "$sb_bad"
}
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
