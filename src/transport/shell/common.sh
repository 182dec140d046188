# What every channel begins with. Lines that begin with `#` are not sent.
# Signals first: a switch must not die because nobody listens any more.
trap '' HUP PIPE
# What a login shell's start-up files, or exported functions, may have put in the way.
unalias -a 2>/dev/null
unset -f command printf print read test cd true 2>/dev/null
unset -f mv rm mkdir rmdir ln stat od readlink sync chmod date id uname tar tail find cat ls grep sort uniq tr sha256sum openssl sed cut cmp xargs zstd gzip gunzip 2>/dev/null
set +aeuCvx -f
LC_ALL=C
export LC_ALL
IFS=' 	
'
unset CDPATH ENV BASH_ENV GREP_OPTIONS TAR_OPTIONS GZIP GLOBIGNORE
case ${BASH_VERSION-} in ?*) shopt -u failglob nullglob dotglob nocaseglob nocasematch 2>/dev/null;; esac
umask 022
case ${PATH-} in '') PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin; export PATH;; esac
# mksh has no builtin printf, and a printf of its own process takes 128 KiB at most.
sb_say() { printf '%s\n' "$1"; }
sb_put() { printf %s "$1"; }
case ${KSH_VERSION-} in ?*) case $(command -v print) in print)
sb_say() { print -r -- "$1"; }
sb_put() { print -rn -- "$1"; };;
esac;; esac
sb_nl='
'
sb_r= sb_t= sb_x= sb_lacks= sb_has= sb_how= sb_same=//.// sb_rw=
# What is asked of every entry.
sb_s='%f %u %d %i %s %Y'
# PROGRAM...: says which of them are missing, and which of those with a + in front are there.
sb_hello() {
for sb_e; do
if command -v "${sb_e#+}" >/dev/null 2>&1; then case $sb_e in +*) sb_has="$sb_has =$sb_e";; esac
else case $sb_e in +*) ;; *) sb_lacks="$sb_lacks =$sb_e";; esac; fi
done
# Start-up files may have sent all output elsewhere: then nobody would read the answer, and nothing may run.
if [ -c /dev/stdout ] || [ -f /dev/stdout ] || ! sb_say "SB1 $sb_nonce hello 1$sb_lacks$sb_has"; then
echo 'standard output does not lead to the one who asks' >&2
exit 1
fi
}
# The answer is collected and printed in one go: no output between the first change and the last.
sb_end() {
sb_say "$sb_r${sb_frame}end"
sb_r=
unset sb_private
unset -f switchback_batch
}
# A value as a token of the answer. Every value from outside has its tag, = or ~ or #, which no word and no number begins
# with: a release may be called h1, or end. As it is when every byte is harmless, in words with ~ for each blank when those are,
# else in hex, which follows the line and takes three processes.
sb_tok() {
case $1 in
*[!A-Za-z0-9._/:@%+=,\ \'-]*) sb_b=$(sb_put "$1" | od -An -v -tx1); sb_hex;;
*[\ \']*) sb_words "$1";;
*) sb_t="$sb_t =$1";;
esac
}
sb_words() {
sb_b=$1 sb_q=
while :; do
case $sb_b in
*' '*) sb_q=$sb_q${sb_b%%' '*}~ sb_b=${sb_b#*' '};;
*) sb_t="$sb_t ~$sb_q$sb_b"; return 0;;
esac
done
}
sb_hex() { sb_t="$sb_t #x${#sb_b}" sb_x="$sb_x${sb_b:+$sb_b$sb_nl}"; }
sb_raw() { sb_t="$sb_t #l${#1}" sb_x="$sb_x${1:+$1$sb_nl}"; }
sb_emit() { sb_r="$sb_r$sb_frame$sb_i $1$sb_t$sb_nl$sb_x" sb_t= sb_x=; }
# STATUS MESSAGE: a utility that was killed may have done its work: nothing true can be answered, so nothing is.
sb_alive() {
case $1 in [0-9] | [0-9][0-9] | 1[01][0-9] | 12[0-8]) return 0;; esac
echo "a utility was killed on the host ($1) $2" >&2
exit 1
}
sb_no() {
sb_alive $? "$2"
sb_t= sb_x=
sb_tok "$2"
sb_emit "fail $1"
return 1
}
sb_there() { [ -e "$1" ] || [ -h "$1" ]; }
# Every directory on the way down to $1 is one, and no link: 0; something else is: 1, answered; one is missing: 2.
sb_in() {
sb_rest=${1#./} sb_at=.
while :; do
case $sb_rest in */*) ;; *) return 0;; esac
sb_at=$sb_at/${sb_rest%%/*} sb_rest=${sb_rest#*/}
if [ -h "$sb_at" ]; then
sb_no wrong-type "$sb_at is a link, which is not followed"
return 1
elif [ -d "$sb_at" ]; then
[ -x "$sb_at" ] || { sb_no denied "$sb_at: Permission denied"; return 1; }
elif [ -e "$sb_at" ]; then
sb_no wrong-type "$sb_at: Not a directory"
return 1
else
return 2
fi
done
}
sb_into() {
sb_in "$1"
case $? in
0) return 0;;
2) sb_no missing "$sb_at: No such file or directory";;
esac
return 1
}
# MAKE DEVICE INODE ROOT ; a root that was seen before is not made anew.
sb_root() {
sb_i=root
case $sb_lacks in ?*) return 1;; esac
if [ "$1$2" = y ] && ! sb_there "$4"; then
sb_m=$(mkdir -p -- "$4" 2>&1) || { sb_no - "$sb_m"; return 1; }
fi
cd -P -- "$4" 2>/dev/null || { sb_shut "$4"; return 1; }
case $2 in ?*)
sb_m=$(stat -c '%d %i' . 2>&1) || { sb_no - "$sb_m"; return 1; }
[ "$sb_m" = "$2 $3" ] || { sb_no mismatch "another directory stands there than before"; return 1; };;
esac
}
sb_shut() {
if sb_m=$(stat -L -c %f -- "$1" 2>&1); then
if [ -d "$1" ]; then sb_no denied "$1: Permission denied"; else sb_no wrong-type "$1: Not a directory"; fi
else
sb_no - "$sb_m"
fi
}
# What stands in the directory $sb_d, given to the function $1.
sb_glob() {
sb_c=$1
set +f
set -- "$sb_d"/..?*
sb_there "$1" || shift
set -- "$sb_d"/.[!.]* "$@"
sb_there "$1" || shift
set -- "$sb_d"/* "$@"
sb_there "$1" || shift
set -f
$sb_c "$@"
}
