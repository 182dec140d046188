# INTO MARKER: unpacks the stream on standard input. The last entry is the marker: it proves that all of it came.
sb_receive() {
sb_i=0
sb_into "$1/." || return
sb_d=$1
sb_glob sb_empty || { sb_no exists "$1: Directory not empty"; return 1; }
cd -P -- "$1" 2>/dev/null || { sb_no denied "$1: Permission denied"; return 1; }
sb_m=$({ tar -x -p -o -f - 2>&1; echo "tar ended with $?"; } | tail -c 1500)
if [ -f "./$2" ] && ! [ -h "./$2" ]; then
rm -f -- "./$2"
case $sb_m in *'tar ended with 0') sb_emit done; return 0;; esac
fi
sb_no - "$sb_m"
}
sb_empty() { [ $# -eq 0 ]; }
